//! RFC 8785, for the JSON that entries are made of: no floats, integers within ±(2^53−1). Writing it; the check that
//! some bytes are in this form is `scan`.

use serde_json::Value;
use std::fmt::Write;

/// Largest integer that every JSON reader keeps (RFC 8785 refers to IEEE 754 doubles).
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Why a value has no canonical form here.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum CanonicalError {
    /// A float, or an integer beyond ±(2^53−1): write it as a string.
    #[error("the number {0} is no integer within 2^53-1: write it as a string")]
    Number(String),
}

/// The canonical bytes of a value.
///
/// # Errors
/// A number that is no integer within ±(2^53−1).
pub fn bytes(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out.into_bytes())
}

/// Writes a value in its canonical form.
pub(super) fn write_value(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => match n.as_i64() {
            Some(i) if i.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => {
                let _ = write!(out, "{i}");
            }
            _ => return Err(CanonicalError::Number(n.to_string())),
        },
        Value::String(s) => write_string(s, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            // Names in ASCII stand in the same order by their bytes.
            match members.keys().all(|name| name.is_ascii()) {
                true => sorted.sort_unstable_by(|a, b| a.0.cmp(b.0)),
                false => sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16())),
            }
            out.push('{');
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write_value(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Writes a text as JSON has it.
pub(super) fn write_string(s: &str, out: &mut String) {
    out.push('"');
    let mut rest = s;
    while let Some(at) = rest.bytes().position(|b| b < b' ' || b == b'"' || b == b'\\') {
        let (plain, escaped) = rest.split_at(at);
        out.push_str(plain);
        match escaped.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x8 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0xc => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &escaped[1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn agrees_with_an_implementation_that_others_wrote() {
        let value =
            json!({"\u{1F600}": 1, "\u{FB33}": [true, null, -5], "a\u{7}\n\"\\/": {"z": "é\u{2028}", "": 0}});
        let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(bytes(&value).unwrap(), theirs);
        assert!(crate::ledger::scan::is_canonical(&theirs));
    }

    #[test]
    fn floats_and_big_integers_are_refused() {
        assert!(bytes(&json!(1.5)).is_err());
        assert!(bytes(&json!(1u64 << 53)).is_err());
        assert_eq!(bytes(&json!(MAX_INTEGER)).unwrap(), b"9007199254740991");
    }
}
