//! Text from outside: names that could clash with ours, bytes that are not UTF-8, values that may be personal.
//!
//! Inside the program a byte that is not UTF-8 is one character of the last 256 of Unicode (plane 16, private use);
//! in the ledger such a text is `{"$bytes":"base64"}`, so that nothing is lost and nothing is made up.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const FIRST_MARK: u32 = 0x10_FF00;

/// Text of some bytes without loss: bytes that are not UTF-8 become marks. Gives the offset of the first of them.
pub fn lossless(bytes: &[u8]) -> (String, Option<usize>) {
    let mut text = String::with_capacity(bytes.len());
    let (mut first, mut at) = (None, 0);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            first.get_or_insert(at);
        }
        text.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(FIRST_MARK + u32::from(*b))));
        at += chunk.invalid().len();
    }
    (text, first)
}

fn original_bytes(text: &str) -> Option<Vec<u8>> {
    let marked = |c: char| u32::from(c) >= FIRST_MARK;
    text.chars().any(marked).then(|| {
        let mut bytes = Vec::new();
        for c in text.chars() {
            if marked(c) {
                bytes.push((u32::from(c) & 0xFF) as u8);
            } else {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        bytes
    })
}

/// A text from outside; not UTF-8 is written as `{"$bytes":…}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Text(pub String);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        outside_text(&self.0).serialize(s)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Text, D::Error> {
        text_of(&Value::deserialize(d)?)
            .map(Text)
            .ok_or_else(|| D::Error::custom("neither a text nor $bytes"))
    }
}

fn outside_text(text: &str) -> Value {
    match original_bytes(text) {
        Some(bytes) => serde_json::json!({ "$bytes": STANDARD.encode(bytes) }),
        None => Value::String(text.to_owned()),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Object(o) => {
            let bytes = STANDARD.decode(o.get("$bytes")?.as_str()?).ok()?;
            Some(lossless(&bytes).0)
        }
        _ => None,
    }
}

/// The beginning of a text that has more characters than that, with `…` as the last of them.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Labels, tags or annotations: names and values from outside, in the order of the names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Outside(Box<[(String, String)]>);

impl FromIterator<(String, String)> for Outside {
    /// Of several values under one name the last one counts.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Outside {
        Outside(pairs.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
    }
}

impl Outside {
    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        Some(&self.0[found].1)
    }
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// From a JSON object; values that are no text are taken as their JSON.
    pub fn of(value: Option<&Value>) -> Outside {
        let entries = value.and_then(Value::as_object).into_iter().flatten();
        entries.filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), plain_text(v))).collect()
    }
}

fn plain_text(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_owned)
}

fn escape(name: &str) -> String {
    match original_bytes(name) {
        Some(bytes) => format!("$bytes:{}", STANDARD.encode(bytes)),
        None if name.starts_with('$') => format!("${name}"),
        None => name.to_owned(),
    }
}

/// The name as it was outside, from the name as it stands in the ledger.
pub fn unescape(name: &str) -> String {
    match name.strip_prefix("$bytes:").and_then(|b| STANDARD.decode(b).ok()) {
        Some(bytes) => lossless(&bytes).0,
        None => name.strip_prefix('$').unwrap_or(name).to_owned(),
    }
}

impl Serialize for Outside {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter().map(|(k, v)| (escape(k), outside_text(v))))
    }
}

impl<'de> Deserialize<'de> for Outside {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Outside, D::Error> {
        let map = BTreeMap::<String, Text>::deserialize(d)?;
        Ok(map.into_iter().map(|(k, v)| (unescape(&k), v.0)).collect())
    }
}

/// JSON from outside in the form that the ledger can keep: names escaped, floats and big numbers as strings.
pub fn outside_json(value: &Value) -> Value {
    match value {
        Value::String(s) => outside_text(s),
        Value::Number(n) => match n.as_i64() {
            Some(i) if i.unsigned_abs() < 1 << 53 => value.clone(),
            _ => Value::String(n.to_string()),
        },
        Value::Array(items) => Value::Array(items.iter().map(outside_json).collect()),
        Value::Object(o) => {
            Value::Object(o.iter().map(|(k, v)| (escape(k), outside_json(v))).collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// A value that may be personal. It is given in the open and sealed when it enters the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Private {
    /// Not yet in the ledger.
    Open {
        /// The value itself.
        #[serde(rename = "$open")]
        value: String,
    },
    /// As the ledger holds it: a salted commitment, and a reference by which equal values are recognised.
    Sealed {
        /// Base64 of SHA-256(salt ‖ canonical value).
        #[serde(rename = "$private")]
        commitment: String,
        /// Base64 of the keyed hash, 12 bytes.
        #[serde(rename = "ref")]
        reference: String,
    },
}

impl Private {
    /// A value to be sealed.
    pub fn of(value: impl Into<String>) -> Private {
        Private::Open { value: value.into() }
    }
    /// The reference, when sealed.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Private::Sealed { reference, .. } => Some(reference),
            Private::Open { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_come_back() {
        let (text, first) = lossless(b"ok \xff\xfe.");
        assert_eq!(first, Some(3));
        let json = serde_json::to_value(Text(text.clone())).unwrap();
        assert_eq!(json, serde_json::json!({"$bytes": STANDARD.encode(b"ok \xff\xfe.")}));
        assert_eq!(serde_json::from_value::<Text>(json).unwrap().0, text);
    }

    #[test]
    fn names_from_outside_cannot_be_taken_for_ours() {
        let map = Outside::from_iter([("$private".to_owned(), "x".to_owned())]);
        let json = serde_json::to_value(&map).unwrap();
        assert_eq!(json, serde_json::json!({"$$private": "x"}));
        assert_eq!(serde_json::from_value::<Outside>(json).unwrap(), map);
        assert_eq!(outside_json(&serde_json::json!({"$a": 1.5})), serde_json::json!({"$$a": "1.5"}));
    }
}
