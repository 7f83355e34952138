//! Functions of OPA that regorus has otherwise or not at all, and the list of those that are known to agree.

use super::doubt::Doubt;
use super::format::{Arg, quoted, shortest, sprintf};
use super::pattern::translated;
use regex::{Regex, RegexBuilder};
use regorus::{Engine, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Functions of regorus that give what OPA gives.
const SAME: &[&str] = &[
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "base64.decode",
    "base64.encode",
    "base64.is_valid",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "format_int",
    "indexof",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.is_valid",
    "json.unmarshal",
    "max",
    "min",
    "net.cidr_contains",
    "net.cidr_is_valid",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "print",
    "product",
    "replace",
    "round",
    "sort",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "substring",
    "sum",
    "trace",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "walk",
];

/// A function of our own: undefined is what OPA makes of an error in a function.
type Function = fn(&[Value], &Doubt) -> Option<Value>;

/// Functions of our own, with how many arguments they take.
static OWN: LazyLock<BTreeMap<&str, (u8, Function)>> = LazyLock::new(|| {
    let all: [(&str, u8, Function); 22] = [
        ("all", 1, |a, _| Some(items(&a[0])?.iter().all(|v| *v == Value::from(true)).into())),
        ("any", 1, |a, _| Some(items(&a[0])?.contains(&Value::from(true)).into())),
        ("cast_array", 1, |a, _| Some(items(&a[0])?.into())),
        ("cast_boolean", 1, |a, _| a[0].as_bool().is_ok().then(|| a[0].clone())),
        ("cast_null", 1, |a, _| (a[0] == Value::Null).then(|| a[0].clone())),
        ("cast_object", 1, |a, _| a[0].as_object().is_ok().then(|| a[0].clone())),
        ("cast_set", 1, |a, _| Some(items(&a[0])?.into_iter().collect::<BTreeSet<_>>().into())),
        ("cast_string", 1, |a, _| a[0].as_string().is_ok().then(|| a[0].clone())),
        ("json.marshal", 1, |a, doubt| doubt.unless(json(&a[0]), "json.marshal of this value")),
        ("lower", 1, |a, doubt| {
            let text = a[0].as_string().ok()?;
            doubt.unless(
                text.is_ascii().then(|| text.to_ascii_lowercase().into()),
                "lower of a letter beyond ASCII",
            )
        }),
        ("numbers.range", 2, range),
        ("re_match", 2, matches),
        ("regex.find_n", 3, find),
        ("regex.is_valid", 1, |a, doubt| {
            let text = a[0].as_string().ok()?;
            compiled(text, doubt).map(|_| true.into())
        }),
        ("regex.match", 2, matches),
        ("regex.replace", 3, |a, doubt| {
            let (text, with) = (a[0].as_string().ok()?, a[2].as_string().ok()?);
            let regex = not_empty(a[1].as_string().ok()?, doubt)?;
            Some(regex.replace_all(text, &**with).into_owned().into())
        }),
        ("regex.split", 2, |a, doubt| {
            let regex = not_empty(a[0].as_string().ok()?, doubt)?;
            Some(regex.split(a[1].as_string().ok()?).map(Value::from).collect::<Vec<_>>().into())
        }),
        ("set_diff", 2, |a, _| {
            let (from, of) = (set(&a[0])?, set(&a[1])?);
            Some(from.difference(&of).cloned().collect::<BTreeSet<_>>().into())
        }),
        ("split", 2, |a, doubt| {
            let (text, by) = (a[0].as_string().ok()?, a[1].as_string().ok()?);
            let parts = || text.split(&**by).map(Value::from).collect::<Vec<_>>().into();
            doubt.unless((!by.is_empty()).then(parts), "split by nothing")
        }),
        ("sprintf", 2, |a, doubt| {
            let args = a[1].as_array().ok()?.iter().map(argument).collect::<Option<Vec<_>>>();
            let text = args.and_then(|args| sprintf(a[0].as_string().ok()?, &args));
            a[0].as_string().ok()?;
            doubt.unless(text.map(Value::from), "sprintf with this format or value")
        }),
        ("to_number", 1, to_number),
        ("upper", 1, |a, doubt| {
            let text = a[0].as_string().ok()?;
            doubt.unless(
                text.is_ascii().then(|| text.to_ascii_uppercase().into()),
                "upper of a letter beyond ASCII",
            )
        }),
    ];
    all.into_iter().map(|(name, n, f)| (name, (n, f))).collect()
});

/// Whether a function gives here what it gives in Gatekeeper.
pub(super) fn is_known(name: &str) -> bool {
    SAME.contains(&name) || OWN.contains_key(name)
}

/// Gives an engine the functions of our own.
///
/// # Errors
/// That of regorus, when one is there already.
pub(super) fn add(engine: &mut Engine, doubt: &Doubt) -> Result<(), String> {
    for (name, (count, function)) in OWN.iter() {
        let doubt = doubt.clone();
        let call = move |args: Vec<Value>| Ok(function(&args, &doubt).unwrap_or(Value::Undefined));
        engine.add_extension((*name).to_owned(), *count, Box::new(call)).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Items of an array or a set.
fn items(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items.iter().cloned().collect()),
        Value::Set(items) => Some(items.iter().cloned().collect()),
        _ => None,
    }
}

fn set(value: &Value) -> Option<BTreeSet<Value>> {
    value.as_set().ok().map(|s| s.iter().cloned().collect())
}

/// Longest list that is made.
const LONGEST: i64 = 10_000;

fn range(args: &[Value], doubt: &Doubt) -> Option<Value> {
    let (from, to) = (args[0].as_i64().ok()?, args[1].as_i64().ok()?);
    let fits = from.checked_sub(to).is_some_and(|n| n.abs() < LONGEST);
    let up = || (from..=to).map(Value::from).collect::<Vec<_>>();
    let all = || if from <= to { up() } else { (to..=from).rev().map(Value::from).collect() };
    doubt.unless(fits.then(|| all().into()), "numbers.range of so many")
}

fn to_number(args: &[Value], doubt: &Doubt) -> Option<Value> {
    let text = match &args[0] {
        Value::Null => return Some(0_i64.into()),
        Value::Bool(b) => return Some(i64::from(*b).into()),
        Value::Number(_) => return Some(args[0].clone()),
        Value::String(text) => text,
        _ => return None,
    };
    // What is a number of JSON is one in both; what may be one for Go alone is not decided.
    let digits = text.trim_start_matches('-');
    let is_json =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && (!digits.starts_with('0') || digits == "0" || digits.starts_with("0."));
    if is_json && plain && text.len() - digits.len() < 2 {
        return Value::from_json_str(text).ok();
    }
    let lower = text.to_lowercase();
    let may_be =
        text.contains(|c: char| c.is_ascii_digit()) || lower.contains("inf") || lower.contains("nan");
    doubt.unless((!may_be).then_some(Value::Undefined), "to_number of such a text")
}

fn matches(args: &[Value], doubt: &Doubt) -> Option<Value> {
    let (pattern, text) = (args[0].as_string().ok()?, args[1].as_string().ok()?);
    Some(compiled(pattern, doubt)?.is_match(text).into())
}

fn find(args: &[Value], doubt: &Doubt) -> Option<Value> {
    let (text, most) = (args[1].as_string().ok()?, args[2].as_i64().ok()?);
    let regex = not_empty(args[0].as_string().ok()?, doubt)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Some(regex.find_iter(text).take(most).map(|m| Value::from(m.as_str())).collect::<Vec<_>>().into())
}

/// Patterns that were compiled; at most this many.
static PATTERNS: LazyLock<Mutex<BTreeMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
const MOST_PATTERNS: usize = 1_000;
/// Largest compiled pattern, in bytes.
const LARGEST: usize = 1 << 20;

/// A pattern of Go, compiled.
fn compiled(pattern: &str, doubt: &Doubt) -> Option<Regex> {
    let mut all = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MOST_PATTERNS {
        all.clear();
    }
    let compile = || RegexBuilder::new(&translated(pattern)?).size_limit(LARGEST).build().ok();
    let regex = all.entry(pattern.to_owned()).or_insert_with(compile).clone();
    doubt.unless(regex, "a regular expression that may differ")
}

/// A pattern that matches no empty text: where it would, Go and Rust go on in other places.
fn not_empty(pattern: &str, doubt: &Doubt) -> Option<Regex> {
    let regex = compiled(pattern, doubt)?;
    doubt.unless((!regex.is_match("")).then_some(regex), "a regular expression that matches nothing")
}

/// What OPA hands to Go for a value.
fn argument(value: &Value) -> Option<Arg> {
    match value {
        Value::String(text) => Some(Arg::Text(text.to_string())),
        Value::Number(_) => number(value),
        _ => term(value).map(Arg::Text),
    }
}

/// A number, as the whole number or the float that it is. regorus does not tell them apart, but a whole number beyond 63 bits
/// keeps its last bit and a float loses it.
fn number(value: &Value) -> Option<Arg> {
    let number = value.as_number().ok()?;
    let Ok(whole) = value.as_i128() else { return value.as_f64().ok().map(Arg::Float) };
    if whole.unsigned_abs() >= 1 << 62 {
        return Some(Arg::Big(whole.to_string())).filter(|_| i64::try_from(whole).is_err());
    }
    let odd = (1_u128 << 63) + u128::from(whole % 2 == 0);
    let sum = number.add(Value::from(odd).as_number().ok()?).ok()?;
    match sum.as_i128() {
        Some(sum) if sum % 2 != 0 => i64::try_from(whole).ok().map(Arg::Int),
        _ => Some(Arg::Float(whole as f64)),
    }
}

/// The text of a number in Rego: floats of a review as Gatekeeper has them.
fn digits(value: &Value) -> Option<String> {
    Some(match number(value)? {
        Arg::Int(n) => n.to_string(),
        Arg::Big(digits) => digits,
        Arg::Float(f) => shortest(f),
        Arg::Text(_) => return None,
    })
}

/// A value as Rego text.
fn term(value: &Value) -> Option<String> {
    let list = |items: Vec<Value>| items.iter().map(term).collect::<Option<Vec<_>>>().map(|l| l.join(", "));
    Some(match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(_) => digits(value)?,
        Value::String(text) => quoted(text)?,
        Value::Array(_) => format!("[{}]", list(items(value)?)?),
        Value::Set(all) if all.iter().next().is_none() => "set()".into(),
        Value::Set(_) => format!("{{{}}}", list(items(value)?)?),
        Value::Object(fields) => {
            let field = |(k, v): (&Value, &Value)| Some(format!("{}: {}", term(k)?, term(v)?));
            format!("{{{}}}", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(", "))
        }
        Value::Undefined => return None,
    })
}

/// JSON as Go writes it; none where it may differ: floats, controls, signs of markup.
fn json(value: &Value) -> Option<Value> {
    fn is_plain(value: &Value) -> bool {
        match value {
            Value::Number(_) => matches!(number(value), Some(Arg::Int(_))),
            Value::String(t) => {
                !t.contains(|c: char| c.is_control() || "<>&\u{2028}\u{2029}\u{fffd}".contains(c))
            }
            Value::Array(all) => all.iter().all(is_plain),
            Value::Set(all) => all.iter().all(is_plain),
            Value::Object(fields) => {
                fields.iter().all(|(k, v)| matches!(k, Value::String(_)) && is_plain(k) && is_plain(v))
            }
            Value::Null | Value::Bool(_) => true,
            Value::Undefined => false,
        }
    }
    is_plain(value).then(|| serde_json::to_string(value).ok().map(Value::from)).flatten()
}
