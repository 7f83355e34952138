//! Go's `fmt.Sprintf` as OPA's `sprintf` reaches it: its arguments are texts, whole numbers and floats. What is not surely the
//! same here is none, never a guess (Go, package fmt; OPA, `topdown/strings.go`).

/// What OPA hands to Go: a text, a number that fits 64 bits, a bigger one in digits, a float.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arg {
    /// A text; composite values come as their Rego text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// One beyond 64 bits.
    Big(String),
    /// A float.
    Float(f64),
}

#[derive(Clone, Copy, Default)]
struct Flags {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widest field that is filled.
const WIDEST: usize = 10_000;

/// The text of a format and its arguments.
pub(super) fn sprintf(format: &str, args: &[Arg]) -> Option<String> {
    let (mut out, mut chars, mut args) = (String::new(), format.chars().peekable(), args.iter());
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let flags = flags(&mut chars)?;
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some('[' | '*') => return None,
            Some(verb) => match args.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(arg) => out.push_str(&one(verb, arg, flags)?),
            },
        }
    }
    let extra: Vec<String> =
        args.map(|a| Some(format!("{}={}", a.type_name(), a.plain()))).collect::<Option<_>>()?;
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Some(out)
}

/// Flags, width and precision; none for `#` and what is given as an argument.
fn flags(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Flags> {
    let mut flags = Flags::default();
    while let Some(c) = chars.next_if(|c| "-+ 0#".contains(*c)) {
        match c {
            '-' => flags.minus = true,
            '+' => flags.plus = true,
            ' ' => flags.space = true,
            '0' => flags.zero = true,
            _ => return None,
        }
    }
    flags.width = number(chars)?;
    if chars.next_if_eq(&'.').is_some() {
        flags.precision = Some(number(chars)?.unwrap_or(0));
    }
    Some(flags)
}

/// Digits, where there are any; none when they are too many.
fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Option<usize>> {
    let mut digits = String::new();
    while let Some(c) = chars.next_if(char::is_ascii_digit) {
        digits.push(c);
    }
    if digits.is_empty() {
        return Some(None);
    }
    digits.parse().ok().filter(|n| *n <= WIDEST).map(Some)
}

fn one(verb: char, arg: &Arg, flags: Flags) -> Option<String> {
    match (verb, arg) {
        ('T', _) => padded(arg.type_name().into(), flags),
        ('v' | 's', Arg::Text(text)) => padded(cut(text, flags), flags),
        ('q', Arg::Text(text)) => padded(quoted(&cut(text, flags))?, flags),
        ('x', Arg::Text(text)) if flags.is_plain() => Some(hex(text)),
        ('X', Arg::Text(text)) if flags.is_plain() => Some(hex(text).to_uppercase()),
        ('v' | 'd' | 's', Arg::Big(digits)) if flags.is_plain() => Some(digits.clone()),
        ('v' | 'd', Arg::Int(n)) => whole(n.unsigned_abs().to_string(), *n < 0, flags, verb),
        ('b', Arg::Int(n)) => whole(format!("{:b}", n.unsigned_abs()), *n < 0, flags, verb),
        ('o', Arg::Int(n)) => whole(format!("{:o}", n.unsigned_abs()), *n < 0, flags, verb),
        ('x', Arg::Int(n)) => whole(format!("{:x}", n.unsigned_abs()), *n < 0, flags, verb),
        ('X', Arg::Int(n)) => whole(format!("{:X}", n.unsigned_abs()), *n < 0, flags, verb),
        ('c', Arg::Int(n)) if flags.is_plain() => char::from_u32(u32::try_from(*n).ok()?).map(String::from),
        ('v', Arg::Float(f)) if flags.is_plain() => Some(shortest(*f)),
        ('f' | 'F', Arg::Float(f)) if !flags.zero => {
            let text = format!("{:.*}", flags.precision.unwrap_or(6), f.abs());
            padded(signed(text, f.is_sign_negative(), flags), Flags { precision: None, ..flags })
        }
        ('e', Arg::Float(f)) if flags == Flags { precision: flags.precision, ..Flags::default() } => {
            Some(exponent(&format!("{:.*e}", flags.precision.unwrap_or(6), f)))
        }
        _ if is_verb_of(verb, arg) || !flags.is_plain() => None,
        _ => Some(format!("%!{verb}({}={})", arg.type_name(), arg.plain())),
    }
}

/// Whether Go has the verb for a type: what is not in `one` is then not known here.
fn is_verb_of(verb: char, arg: &Arg) -> bool {
    match arg {
        Arg::Text(_) => "vsxXq".contains(verb),
        Arg::Int(_) => "vdboOxXcqU".contains(verb),
        Arg::Big(_) => true,
        Arg::Float(_) => "vbgGxXfFeE".contains(verb),
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Flags) -> bool {
        let all = |f: &Flags| (f.minus, f.plus, f.space, f.zero, f.width, f.precision);
        all(self) == all(other)
    }
}

impl Flags {
    fn is_plain(self) -> bool {
        self == Flags::default()
    }
}

impl Arg {
    fn type_name(&self) -> &'static str {
        match self {
            Arg::Text(_) => "string",
            Arg::Int(_) => "int",
            Arg::Big(_) => "*big.Int",
            Arg::Float(_) => "float64",
        }
    }

    fn plain(&self) -> String {
        match self {
            Arg::Text(text) | Arg::Big(text) => text.clone(),
            Arg::Int(n) => n.to_string(),
            Arg::Float(f) => shortest(*f),
        }
    }
}

fn cut(text: &str, flags: Flags) -> String {
    text.chars().take(flags.precision.unwrap_or(usize::MAX)).collect()
}

/// A text in its field. Go fills texts with zeros where asked: that is left out here.
fn padded(text: String, flags: Flags) -> Option<String> {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if flags.zero && missing > 0 {
        return None;
    }
    let room = " ".repeat(missing);
    Some(if flags.minus { text + &room } else { room + &text })
}

fn signed(digits: String, negative: bool, flags: Flags) -> String {
    let sign = match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    sign.to_owned() + &digits
}

fn whole(digits: String, negative: bool, flags: Flags, verb: char) -> Option<String> {
    // `%+v` asks for names of fields, not for a sign.
    let flags = Flags { plus: flags.plus && verb != 'v', ..flags };
    if flags.precision.is_some() {
        return None;
    }
    let text = signed(digits, negative, flags);
    let missing = flags.width.unwrap_or(0).saturating_sub(text.len());
    if !flags.zero || flags.minus || missing == 0 {
        return padded(text, Flags { zero: false, ..flags });
    }
    let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
    Some(format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..]))
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

/// A float in as few digits as tell it, as Go's `%v` and JSON numbers of Gatekeeper have it (`strconv.FormatFloat(f, 'g', -1, 64)`).
pub(super) fn shortest(f: f64) -> String {
    let scientific = format!("{f:e}");
    let power: i32 = scientific.split_once('e').and_then(|(_, p)| p.parse().ok()).unwrap_or(0);
    if (-4..21).contains(&power) && (power < 6 || f == 0.0) {
        return f.to_string();
    }
    exponent(&scientific)
}

/// `1.5e9` as `1.5e+09`.
fn exponent(scientific: &str) -> String {
    let Some((digits, power)) = scientific.split_once('e') else { return scientific.to_owned() };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |p| ('-', p));
    format!("{digits}e{sign}{power:0>2}")
}

/// Go's `strconv.Quote`; none where a character may or may not be printable there.
pub(super) fn quoted(text: &str) -> Option<String> {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            _ if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{200b}' => out.push_str("\\u200b"),
            _ if c.is_alphanumeric() => out.push(c),
            _ => return None,
        }
    }
    out.push('"');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_does() {
        let text = |t: &str| Arg::Text(t.into());
        for (format, args, wanted) in [
            ("%v and %s", vec![text("a"), text("b")], "a and b"),
            ("%d%%", vec![Arg::Int(-2)], "-2%"),
            ("%5s|%-5s|%.1s", vec![text("ab"), text("ab"), text("ab")], "   ab|ab   |a"),
            ("%+d % d %05d %-4d|%4d", [7, 7, -42, 3, 3].map(Arg::Int).to_vec(), "+7  7 -0042 3   |   3"),
            ("%x %X %b %o", [255, 255, 5, 8].map(Arg::Int).to_vec(), "ff FF 101 10"),
            (
                "%v %d",
                vec![Arg::Float(1_000_650_000.0), Arg::Float(1_000_650_000.0)],
                "1.00065e+09 %!d(float64=1.00065e+09)",
            ),
            ("%v %v %v", [0.5, 1e6, 123_456.0].map(Arg::Float).to_vec(), "0.5 1e+06 123456"),
            ("%.2f %e", vec![Arg::Float(1.005), Arg::Float(1500.0)], "1.00 1.500000e+03"),
            ("%s", vec![Arg::Int(5)], "%!s(int=5)"),
            ("%d", vec![text("hi")], "%!d(string=hi)"),
            ("%v %v", vec![text("a")], "a %!v(MISSING)"),
            ("a", vec![text("b"), Arg::Int(1)], "a%!(EXTRA string=b, int=1)"),
            ("100%", vec![], "100%!(NOVERB)"),
            ("%q", vec![text("a\"\u{1}\u{200b}\n")], "\"a\\\"\\x01\\u200b\\n\""),
            ("%T %x %c", vec![text("a"), text("hi"), Arg::Int(65)], "string 6869 A"),
            ("%d", vec![Arg::Big("99999999999999999999".into())], "99999999999999999999"),
        ] {
            assert_eq!(sprintf(format, &args).as_deref(), Some(wanted), "{format}");
        }
    }

    #[test]
    fn what_is_not_surely_the_same_is_not_said() {
        let args = [Arg::Int(1), Arg::Int(2)];
        for format in ["%#v", "%[1]d", "%*d", "%U", "%099999d"] {
            assert_eq!(sprintf(format, &args), None, "{format}");
        }
        assert_eq!(sprintf("%g", &[Arg::Float(0.5)]), None);
        assert_eq!(quoted("\u{fffd}"), None);
    }
}
