"""Runs Sentinel policies on the mocks of their tests: python sentinel.py FOLDER. Sentinel has no free runtime; this reads the part of the
language that the pack keeps to (HashiCorp, "Sentinel language specification") and refuses everything else, so that a policy cannot lean
on what nobody here has run. Prints what each case wants and what came out, with its mocks and parameters, as JSON.
"""

import datetime
import decimal
import json
import pathlib
import re
import sys

import hcl2

TOKEN = re.compile(r"""
  (?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*) | (?P<line>\n)
| (?P<number>\d+) | (?P<string>"(?:[^"\\]|\\.)*") | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
| (?P<sign><=|>=|[-+*/<>=(){}\[\],.:])""", re.X)
WORDS = {"import", "as", "param", "default", "func", "return", "if", "else", "for", "rule", "when", "filter", "any", "all", "and", "or",
         "not", "is", "in", "contains", "matches", "true", "false", "null", "undefined"}


class Undefined:
    def __repr__(self):
        return "undefined"


UNDEFINED = Undefined()


class Refused(Exception):
    pass


class Returned(Exception):
    def __init__(self, value):
        self.value = value


def tokens(text):
    found, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Refused(f"line {line}: {text[at:at + 20]!r}")
        kind = match.lastgroup
        if kind == "word" and match.group() in WORDS:
            kind = "sign"
        if kind != "space":
            found.append((kind, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return found + [("end", "", line)]


class Parser:
    """Recursive descent: each method reads one construct and gives a function of the scope, which evaluates it."""

    def __init__(self, text):
        self.tokens, self.at, self.depth = tokens(text), 0, 0

    def peek(self):
        # A line ends nothing between brackets, nor after an operator.
        while self.depth and self.tokens[self.at][0] == "line":
            self.at += 1
        return self.tokens[self.at]

    def next(self):
        token = self.peek()
        self.at += 1
        return token

    def takes(self, *signs):
        kind, text, _ = self.peek()
        if kind == "sign" and text in signs:
            self.at += 1
            return text
        return None

    def wants(self, sign):
        kind, text, line = self.next()
        if kind != "sign" or text != sign:
            raise Refused(f"line {line}: {sign!r} is wanted, not {text!r}")

    def name(self):
        kind, text, line = self.next()
        if kind != "word":
            raise Refused(f"line {line}: a name is wanted, not {text!r}")
        return text

    def string(self):
        kind, text, line = self.next()
        if kind != "string":
            raise Refused(f"line {line}: a string is wanted, not {text!r}")
        return json.loads(text)

    def lines(self):
        while self.tokens[self.at][0] == "line":
            self.at += 1

    def block(self):
        """Statements between braces, where lines end them."""
        depth, self.depth = self.depth, 0
        self.lines()
        self.wants("{")
        statements = self.statements("}")
        self.wants("}")
        self.depth = depth
        return statements

    def statements(self, end):
        found = []
        self.lines()
        while self.tokens[self.at][1] != end or self.tokens[self.at][0] == "string":
            found.append(self.statement())
            kind, text, line = self.tokens[self.at]
            if kind not in ("line", "end") and text != end:
                raise Refused(f"line {line}: {text!r} after a statement")
            self.lines()
        return found

    def statement(self):
        if self.takes("import"):
            module = self.string()
            alias = self.name() if self.takes("as") else module
            return lambda s: s.assign(alias, s.imported(module))
        if self.takes("param"):
            name = self.name()
            self.wants("default")
            value = self.expression()
            return lambda s: s.assign(name, s.params[name] if name in s.params else value(s))
        if self.takes("return"):
            value = self.expression()
            return lambda s: returned(value(s))
        if self.takes("if"):
            return self.condition()
        if self.takes("for"):
            source = self.expression()
            names = self.bound()
            body = self.block()
            return lambda s: each(s, source(s), names, lambda inner: run(body, inner))
        before = self.at
        if self.tokens[self.at][0] == "word" and self.tokens[self.at + 1][1] == "=":
            name = self.name()
            self.wants("=")
            value = self.expression()
            return lambda s: s.assign(name, value(s))
        self.at = before
        value = self.expression()
        if self.takes("="):
            return self.member(before)
        return lambda s: value(s)

    def member(self, before):
        """`NAME[KEY] = VALUE`, read once more from its beginning."""
        self.at = before
        name = self.name()
        self.wants("[")
        key = self.expression()
        self.wants("]")
        self.wants("=")
        value = self.expression()
        return lambda s: s.find(name).__setitem__(key(s), value(s))

    def condition(self):
        test, yes, no = self.expression(), self.block(), []
        if self.takes("else"):
            no = [self.condition()] if self.takes("if") else self.block()
        return lambda s: run(yes if truth(test(s)) else no, s.inner())

    def bound(self):
        """The names after `as`: of an element, or of a key and a value."""
        self.wants("as")
        names = [self.name()]
        if self.takes(","):
            names.append(self.name())
        return names

    def expression(self):
        return self.either()

    def chain(self, part, words, join):
        value = part()
        while word := self.takes(*words):
            self.past_line()
            value = join(word, value, part())
        return value

    def past_line(self):
        self.lines()

    def either(self):
        return self.chain(self.both, ["or"], lambda _, a, b: lambda s: truth(a(s)) or truth(b(s)))

    def both(self):
        return self.chain(self.denied, ["and"], lambda _, a, b: lambda s: truth(a(s)) and truth(b(s)))

    def denied(self):
        if self.takes("not"):
            value = self.denied()
            return lambda s: not truth(value(s))
        return self.compared()

    def compared(self):
        left = self.otherwise()
        word = self.takes("is", "in", "contains", "matches", "<", ">", "<=", ">=", "not")
        if not word:
            return left
        negated = word == "not" or (word == "is" and bool(self.takes("not")))
        if word == "not":
            self.wants("in")
            word = "in"
        self.past_line()
        right = self.otherwise()
        return lambda s: compare(word, negated, left(s), right(s))

    def otherwise(self):
        value = self.sum()
        while self.takes("else"):
            instead = self.sum()
            value = (lambda v, i: lambda s: i(s) if v(s) is UNDEFINED else v(s))(value, instead)
        return value

    def sum(self):
        return self.chain(self.product, ["+", "-"], lambda sign, a, b: lambda s: add(sign, a(s), b(s)))

    def product(self):
        return self.chain(self.postfix, ["*"], lambda _, a, b: lambda s: times(a(s), b(s)))

    def postfix(self):
        value = self.operand()
        while True:
            if self.takes("."):
                value = (lambda v, n: lambda s: member(v(s), n))(value, self.name())
            elif self.takes("["):
                index = self.inside(self.expression, "]")
                value = (lambda v, i: lambda s: member(v(s), i(s)))(value, index)
            elif self.takes("("):
                arguments = self.listed(")")
                value = (lambda v, a: lambda s: v(s)(*[x(s) for x in a]))(value, arguments)
            else:
                return value

    def inside(self, part, end):
        self.depth += 1
        value = part()
        self.peek()
        self.depth -= 1
        self.wants(end)
        return value

    def listed(self, end):
        def all_of():
            found = []
            while self.peek()[1] != end or self.peek()[0] == "string":
                found.append(self.expression())
                if not self.takes(","):
                    break
            return found
        return self.inside(all_of, end)

    def mapped(self):
        def all_of():
            found = []
            while self.peek()[1] != "}" or self.peek()[0] == "string":
                name = self.expression()
                self.wants(":")
                found.append((name, self.expression()))
                if not self.takes(","):
                    break
            return found
        pairs = self.inside(all_of, "}")
        return lambda s: {name(s): value(s) for name, value in pairs}

    def operand(self):
        kind, text, line = self.next()
        if kind == "number":
            return lambda s: int(text)
        if kind == "string":
            value = json.loads(text)
            return lambda s: value
        if kind == "word":
            return lambda s: s.find(text)
        if text in ("true", "false", "null", "undefined"):
            value = {"true": True, "false": False, "null": None, "undefined": UNDEFINED}[text]
            return lambda s: value
        if text == "(":
            return self.inside(self.expression, ")")
        if text == "[":
            values = self.listed("]")
            return lambda s: [v(s) for v in values]
        if text == "{":
            return self.mapped()
        if text in ("any", "all", "filter"):
            source = self.expression()
            names = self.bound()
            self.wants("{")
            test = self.body()
            return lambda s: quantified(text, s, source(s), names, test)
        if text == "rule":
            guard = self.expression() if self.takes("when") else lambda s: True
            self.wants("{")
            test = self.body()
            return lambda s: Rule(lambda: test(s) if truth(guard(s)) else True)
        if text == "func":
            self.wants("(")
            names = []
            while not self.takes(")"):
                names.append(self.name())
                self.takes(",")
            body = self.block()
            return lambda s: function(names, body, s)
        raise Refused(f"line {line}: {text!r} is none of the part of the language that the pack keeps to")

    def body(self):
        """One expression between braces, over lines as it likes."""
        return self.inside(self.expression, "}")


class Rule:
    """Evaluated once, when it is asked for."""

    def __init__(self, evaluate):
        self.evaluate, self.known = evaluate, None

    def value(self):
        if self.known is None:
            self.known = self.evaluate()
        return self.known


class Scope:
    def __init__(self, params, mocks, printed, above=None):
        self.params, self.mocks, self.printed, self.above, self.names = params, mocks, printed, above, {}

    def inner(self):
        return Scope(self.params, self.mocks, self.printed, self)

    def assign(self, name, value):
        # What is known above is changed there.
        scope = self
        while scope and name not in scope.names:
            scope = scope.above
        (scope or self).names[name] = value

    def find(self, name):
        scope = self
        while scope:
            if name in scope.names:
                value = scope.names[name]
                return value.value() if isinstance(value, Rule) else value
            scope = scope.above
        builtins = {"length": length, "keys": lambda m: m if m is UNDEFINED else list(m), "print": lambda t: self.printed.append(t), "string": str}
        if name not in builtins:
            raise Refused(f"{name} is not defined")
        return builtins[name]

    def imported(self, module):
        if module in self.mocks:
            return self.mocks[module]
        if module in IMPORTS:
            return IMPORTS[module]
        raise Refused(f"import {module!r} has no mock")


def run(statements, scope):
    for statement in statements:
        statement(scope)


def returned(value):
    raise Returned(value)


def function(names, body, scope):
    def call(*values):
        if len(values) != len(names):
            raise Refused(f"{len(names)} arguments are wanted, not {len(values)}")
        if UNDEFINED in values:
            raise Refused("an argument is undefined")
        inner = scope.inner()
        inner.names = dict(zip(names, values))
        try:
            run(body, inner)
        except Returned as done:
            return done.value
        return UNDEFINED
    return call


def pairs(collection):
    if isinstance(collection, dict):
        return sorted(collection.items())
    if isinstance(collection, list):
        return list(enumerate(collection))
    raise Refused(f"{collection!r} is no collection")


def each(scope, collection, names, body):
    for key, value in pairs(collection):
        inner = scope.inner()
        # One name is the key of a map, and the element of a list.
        one = key if isinstance(collection, dict) else value
        inner.names = dict(zip(names, [one] if len(names) == 1 else [key, value]))
        body(inner)


def quantified(what, scope, collection, names, test):
    kept = []
    each(scope, collection, names, lambda inner: kept.append(truth(test(inner))))
    if what == "any":
        return any(kept)
    if what == "all":
        return all(kept)
    held = [pair for pair, is_kept in zip(pairs(collection), kept) if is_kept]
    return dict(held) if isinstance(collection, dict) else [value for _, value in held]


def truth(value):
    if value is True or value is False:
        return value
    raise Refused(f"{value!r} is neither true nor false")


def length(value):
    return value if value is UNDEFINED else len(value)


def add(sign, a, b):
    if UNDEFINED in (a, b):
        return UNDEFINED
    if sign == "-":
        return a - b
    if type(a) is not type(b):
        raise Refused(f"{a!r} + {b!r}")
    return a + b


def times(a, b):
    if not (isinstance(a, int) and isinstance(b, int)):
        raise Refused(f"{a!r} * {b!r}")
    return a * b


def compare(word, negated, a, b):
    if a is UNDEFINED or b is UNDEFINED:
        raise Refused(f"undefined is compared: {a!r} {word} {b!r}")
    if word == "matches":
        found = re.search(b, a) is not None
    elif word in ("in", "contains"):
        one, many = (a, b) if word == "in" else (b, a)
        if not isinstance(many, list):
            raise Refused(f"{many!r} is no list")
        found = any(same(one, x) for x in many)
    elif word == "is":
        found = same(a, b)
    else:
        if not (isinstance(a, int) and isinstance(b, int)):
            raise Refused(f"{a!r} {word} {b!r}")
        found = {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[word]
    return found != negated


def same(a, b):
    return type(a) is type(b) and a == b


def member(value, name):
    if value is UNDEFINED or isinstance(value, dict):
        return value if value is UNDEFINED else value.get(name, UNDEFINED)
    if isinstance(value, list):
        return value[name] if name < len(value) else UNDEFINED
    raise Refused(f"{value!r} has no member {name}")


def type_of(value):
    names = {bool: "bool", int: "int", str: "string", dict: "map", list: "list", type(None): "null", Undefined: "undefined"}
    return names[type(value)]


def amount(value):
    number = value if isinstance(value, decimal.Decimal) else decimal.Decimal(value)
    other = lambda x: x["number"] if isinstance(x, dict) else decimal.Decimal(x)
    return {"number": number, "multiply": lambda x: amount(number * other(x)), "greater_than": lambda x: number > other(x)}


def moment(text):
    return {"unix": int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())}


IMPORTS = {
    "decimal": {"new": amount},
    "strings": {"to_lower": str.lower, "trim_space": str.strip, "has_prefix": str.startswith, "join": lambda all_of, by: by.join(all_of)},
    "time": {"now": {"unix": int(datetime.datetime.now().timestamp())}, "load": moment},
    "types": {"type_of": type_of},
}


def evaluated(path, params, mocks, printed):
    scope = Scope(params, mocks, printed)
    try:
        run(Parser(path.read_text()).statements(""), scope)
        return scope
    except Refused as why:
        raise SystemExit(f"{path}: {why}")


def plain(value):
    """As JSON, with what HCL writes around strings taken off."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not str(k).startswith("__")}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value[1:-1] if isinstance(value, str) and value[:1] == value[-1:] == '"' and len(value) > 1 else value


def blocks(document, kind):
    """Labelled blocks of a kind: label to content."""
    return {label: body for block in document.get(kind, []) for label, body in block.items()}


def case(folder, policy, file):
    told = plain(hcl2.loads(file.read_text()))
    params = {name: body["value"] for name, body in blocks(told, "param").items()}
    printed, mocks = [], {}
    for name, body in blocks(told, "mock").items():
        mocks[name] = evaluated(file.parent / body["module"][0]["source"], {}, {}, printed).names
    modules = {}
    for name, body in blocks(told, "import").get("module", {}).items():
        modules[name] = evaluated(file.parent / body["source"], {}, {}, printed).names
    scope = evaluated(folder / f"{policy}.sentinel", params, mocks | modules, printed)
    wanted = told["test"][0]["rules"]
    try:
        got = {rule: scope.find(rule) for rule in wanted}
    except Refused as why:
        raise SystemExit(f"{file}: {why}")
    return {"policy": policy, "case": file.stem, "wanted": wanted, "got": got, "printed": printed, "mocks": mocks, "params": params}


def params_of(folder, policy, modules):
    """What each parameter is where nobody sets it."""
    everything = {"resource_changes": {}}
    mocks = {"tfplan/v2": everything, "tfrun": {}} | modules
    scope = evaluated(folder / f"{policy}.sentinel", {}, mocks, [])
    names = re.findall(r"^param (\w+)", (folder / f"{policy}.sentinel").read_text(), re.M)
    return {name: scope.names[name] for name in names}


def simple(names):
    return {name: value for name, value in names.items() if isinstance(value, (str, list, dict)) and name not in IMPORTS}


folder = pathlib.Path(sys.argv[1])
told = plain(hcl2.loads((folder / "sentinel.hcl").read_text()))
policies = blocks(told, "policy")
modules = {name: evaluated(folder / body["source"], {}, {}, []).names for name, body in blocks(told, "import")["module"].items()}
print(json.dumps({
    "levels": {name: body["enforcement_level"] for name, body in policies.items()},
    "params": {name: params_of(folder, name, modules) for name in policies},
    "module": simple(modules["pack"]),
    "cases": [case(folder, file.parent.name, file) for file in sorted(folder.glob("test/*/*.hcl"))],
}))
