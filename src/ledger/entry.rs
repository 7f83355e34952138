//! One record of the ledger and its bytes.

use super::header::{Header, sealed_in};
use super::{canonical, tree};
use crate::evidence::{Kind, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the entry format: 1, for good. Entries of version 0, written before the format was frozen, may stand
/// before those of version 1.
pub const FORMAT: i64 = 1;
/// An entry is at most this many bytes: what a tlog entry bundle can hold (uint16 length).
pub const MAX_BYTES: usize = 65_535;
/// A payload member bigger than this is kept as a blob.
pub const BLOB_OVER: usize = 8_192;

/// Why a record cannot be an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its payload has no canonical form.
    #[error(transparent)]
    Canonical(#[from] canonical::CanonicalError),
    /// Verification would not read it: nested too deep, a time beyond the years 0 to 9999.
    #[error("{0} is no entry: it is nested more than 64 deep, or a time is beyond the years 0 to 9999")]
    Form(String),
    /// It is too big even with its big members kept as blobs.
    #[error("{kind} {subject}: {size} bytes, an entry is at most {MAX_BYTES}")]
    Size {
        /// Kind of the record.
        kind: &'static str,
        /// What it speaks of.
        subject: String,
        /// Its bytes.
        size: usize,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Format.
    pub v: i64,
    /// What sort of record.
    pub kind: Kind,
    /// Configured name of the source, or `actledger`.
    pub source: String,
    /// What makes an event the same.
    pub key: String,
    /// What it speaks of.
    pub subject: String,
    /// When it happened, as the source states it.
    pub occurred_at: Time,
    /// When it was written here.
    pub recorded_at: Time,
    /// The payload of its kind.
    pub payload: Value,
}

impl Entry {
    /// The bytes that are hashed and kept.
    ///
    /// # Errors
    /// No canonical form, or too big.
    pub fn bytes(&self) -> Result<Vec<u8>, EntryError> {
        let bytes = self.canonical()?.into_bytes();
        if bytes.len() > MAX_BYTES {
            let (kind, subject) = (self.kind.name(), self.subject.clone());
            return Err(EntryError::Size { kind, subject, size: bytes.len() });
        }
        Ok(bytes)
    }

    /// Members in the order of their names, written without a copy of the payload.
    fn canonical(&self) -> Result<String, canonical::CanonicalError> {
        let (occurred_at, recorded_at) = (self.occurred_at.to_string(), self.recorded_at.to_string());
        let before = [
            ("{\"key\":", self.key.as_str()),
            (",\"kind\":", self.kind.name()),
            (",\"occurred_at\":", &occurred_at),
        ];
        let after = [
            (",\"recorded_at\":", recorded_at.as_str()),
            (",\"source\":", &self.source),
            (",\"subject\":", &self.subject),
        ];
        let mut out = String::with_capacity(512);
        for (name, value) in before {
            out.push_str(name);
            canonical::write_string(value, &mut out);
        }
        out.push_str(",\"payload\":");
        canonical::write_value(&self.payload, &mut out)?;
        for (name, value) in after {
            out.push_str(name);
            canonical::write_string(value, &mut out);
        }
        out.push_str(",\"v\":");
        canonical::write_value(&self.v.into(), &mut out)?;
        out.push('}');
        Ok(out)
    }
}

/// An entry with its place, read back.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Sequence number, from 0.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: tree::Hash,
    /// The record.
    pub entry: Entry,
}

/// Bytes that are kept beside an entry and named in it by their SHA-256.
#[derive(Clone, Debug, PartialEq)]
pub struct Blob {
    /// Lower-case hex SHA-256.
    pub sha256: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Takes payload members over 8 KiB out: texts as their UTF-8, all else in canonical form.
///
/// # Errors
/// A member without canonical form.
pub fn take_blobs(payload: &mut Value) -> Result<Vec<Blob>, canonical::CanonicalError> {
    let mut blobs = Vec::new();
    for member in payload.as_object_mut().into_iter().flat_map(|o| o.values_mut()) {
        if member.get("$private").is_some() {
            continue;
        }
        let (form, bytes) = match &*member {
            Value::String(s) if s.len() > BLOB_OVER => ("text", s.clone().into_bytes()),
            Value::Array(_) | Value::Object(_) => ("json", canonical::bytes(member)?),
            _ => continue,
        };
        if bytes.len() > BLOB_OVER {
            let sha256 = crate::evidence::sha256_hex(&bytes);
            *member =
                serde_json::json!({ "$blob": format!("sha256:{sha256}"), "as": form, "size": bytes.len() });
            blobs.push(Blob { sha256, bytes });
        }
    }
    Ok(blobs)
}

/// Whether verification reads what is about to be written.
///
/// # Errors
/// [`EntryError::Form`].
pub fn check_form(bytes: &[u8], blobs: &[Blob]) -> Result<(), EntryError> {
    let form = |sha256: &str| blobs.iter().find(|b| b.sha256 == sha256);
    let header = Header::read(bytes);
    let read = header.as_ref().is_some_and(|h| {
        h.blobs
            .iter()
            .filter(|n| n.form == "json")
            .all(|n| form(n.sha256).is_none_or(|b| sealed_in(&b.bytes).is_some()))
    });
    if read {
        Ok(())
    } else {
        Err(EntryError::Form(header.map_or_else(|| "a record".into(), |h| h.subject.to_string())))
    }
}

/// Digests of the blobs that a payload names.
pub fn blob_references(payload: &Value) -> impl Iterator<Item = &str> {
    let members = payload.as_object().into_iter().flat_map(|o| o.values());
    members.filter_map(|m| m.get("$blob")?.as_str()?.strip_prefix("sha256:"))
}

/// Puts blobs back, so that a payload reads as it was stated.
pub fn put_blobs(payload: &mut Value, mut blob: impl FnMut(&str) -> Option<Vec<u8>>) {
    for member in payload.as_object_mut().into_iter().flat_map(|o| o.values_mut()) {
        let Some(sha256) =
            member.get("$blob").and_then(Value::as_str).and_then(|s| s.strip_prefix("sha256:"))
        else {
            continue;
        };
        let Some(bytes) = blob(sha256) else { continue };
        let text = member["as"] == "text";
        *member = match serde_json::from_slice::<Value>(&bytes) {
            Ok(value @ (Value::Array(_) | Value::Object(_))) if !text => value,
            _ => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_bytes_are_its_canonical_form() {
        let entry = Entry {
            v: FORMAT,
            kind: Kind::ArtifactVersion,
            source: "s\"\u{1}".into(),
            key: String::new(),
            subject: "s3:b/ä\n".into(),
            occurred_at: Time::from_seconds(1),
            recorded_at: Time::from_seconds(2),
            payload: serde_json::json!({ "b": [1, null], "a": { "\u{1F600}": "x", "\u{FB33}": true } }),
        };
        let theirs = serde_json_canonicalizer::to_vec(&entry).unwrap();
        assert_eq!(entry.bytes().unwrap(), theirs);
    }
}
