//! Sealing values that may be personal: the entry holds a commitment and a pseudonym, the table `opening` the rest.
//!
//! Erasing an opening takes away value and salt and leaves the entry, and so the proof, as it is.

use super::canonical;
use crate::evidence::keyed;
use crate::evidence::record::PrivateErased;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What opens one sealed value of one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Base64 of SHA-256(salt ‖ canonical value), as the entry has it.
    pub commitment: String,
    /// Sixteen bytes.
    pub salt: [u8; 16],
    /// The value.
    pub value: String,
}

impl Opening {
    /// The commitment that salt and value give.
    pub fn recomputed(&self) -> String {
        STANDARD.encode(
            Sha256::new().chain_update(self.salt).chain_update(canonical_text(&self.value)).finalize(),
        )
    }
}

fn canonical_text(value: &str) -> Vec<u8> {
    canonical::bytes(&Value::String(value.to_owned())).unwrap_or_default()
}

/// What `private.key` says of a year's pseudonym key.
pub fn key_commitment(key: &[u8; 32]) -> String {
    STANDARD.encode(Sha256::digest(key))
}

/// The reference of a value: base64 of the first 12 bytes of its keyed hash.
pub fn reference(key: &[u8; 32], value: &str) -> String {
    STANDARD.encode(&keyed(key, &canonical_text(value))[..12])
}

/// Replaces each open value by its sealed form and gives the openings, in the order of the text.
pub fn seal(payload: &mut Value, key: &[u8; 32], salt: &mut impl FnMut() -> [u8; 16]) -> Vec<Opening> {
    let mut openings = Vec::new();
    each_object(payload, &mut |value| {
        if let Some(open) = value.get("$open").and_then(Value::as_str) {
            let mut opening = Opening { commitment: String::new(), salt: salt(), value: open.to_owned() };
            opening.commitment = opening.recomputed();
            *value = serde_json::json!({"$private": opening.commitment, "ref": reference(key, open)});
            openings.push(opening);
        }
    });
    openings
}

/// The payload as equality sees it: sealed and open values alike are their reference.
pub fn comparable(payload: &Value, key: &[u8; 32]) -> Value {
    let mut payload = payload.clone();
    each_object(&mut payload, &mut |value| {
        if let Some(open) = value.get("$open").and_then(Value::as_str) {
            *value = serde_json::json!({ "ref": reference(key, open) });
        } else if value.get("$private").is_some()
            && let Some(o) = value.as_object_mut()
        {
            o.remove("$private");
        }
    });
    payload
}

/// What the erasures of a ledger cover.
#[derive(Clone, Debug, Default)]
pub struct Erasures {
    below: BTreeMap<u64, u64>,
    commitments: BTreeMap<String, u64>,
    years: BTreeMap<i16, u64>,
}

impl Erasures {
    /// From the entries `private.erased`, by their numbers.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a u64, &'a PrivateErased)>) -> Erasures {
        let mut all = Erasures::default();
        for (seq, e) in entries {
            all.below.entry(e.below).or_insert(*seq);
            for commitment in &e.commitments {
                all.commitments.entry(commitment.clone()).or_insert(*seq);
            }
            all.years.extend(e.years.iter().map(|y| (*y, *seq)));
        }
        all
    }

    /// The entry that erased an opening.
    pub fn by(&self, seq: u64, commitment: &str) -> Option<u64> {
        let whole = self.below.range(seq + 1..).map(|(_, by)| *by).min();
        let single = self.commitments.get(commitment).copied();
        whole.into_iter().chain(single).filter(|by| *by > seq).min()
    }

    /// The entry that erased a year's pseudonym key.
    pub fn of_year(&self, year: i16) -> Option<u64> {
        self.years.get(&year).copied()
    }
}

/// Commitments of all sealed values in a payload.
pub fn commitments(payload: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(payload, &mut found);
    found
}

/// Whether a payload holds a value that is still to be sealed.
pub fn has_open(payload: &Value) -> bool {
    has_member(payload, &["$open"])
}

/// Whether a payload holds private values, open or sealed.
pub fn has_any(payload: &Value) -> bool {
    has_member(payload, &["$open", "$private"])
}

fn has_member(value: &Value, names: &[&str]) -> bool {
    match value {
        Value::Object(o) => {
            names.iter().any(|name| o.contains_key(*name)) || o.values().any(|v| has_member(v, names))
        }
        Value::Array(items) => items.iter().any(|v| has_member(v, names)),
        _ => false,
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(o) => match o.get("$private").and_then(Value::as_str) {
            Some(c) => found.push(c.to_owned()),
            None => o.values().for_each(|v| collect(v, found)),
        },
        Value::Array(items) => items.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}

fn each_object(value: &mut Value, f: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(_) => {
            f(value);
            if let Value::Object(o) = value {
                o.values_mut().for_each(|v| each_object(v, f));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| each_object(v, f)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_sealed_and_can_be_opened_again() {
        let mut payload =
            json!({"actor": {"$open": "ada@example.com"}, "list": [{"$open": "ada@example.com"}]});
        let (open, key) = (payload.clone(), [1; 32]);
        let mut n = 0;
        let openings = seal(&mut payload, &key, &mut || {
            n += 1;
            [n; 16]
        });
        assert_eq!(openings.len(), 2);
        assert!(!payload.to_string().contains("ada"));
        assert_eq!(payload["actor"]["ref"], payload["list"][0]["ref"]);
        assert_ne!(payload["actor"]["$private"], payload["list"][0]["$private"]);
        assert_eq!(commitments(&payload), openings.iter().map(Opening::recomputed).collect::<Vec<_>>());
        assert_eq!(comparable(&payload, &key), comparable(&open, &key));
    }
}
