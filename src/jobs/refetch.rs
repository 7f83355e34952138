//! Fetching delivered objects again: whether the source still holds the bytes that the record says it read.

use super::JobError;
use crate::clock::Randomness;
use crate::config::Config;
use crate::evidence::flow_logs::FlowObject;
use crate::evidence::sha256_hex;
use crate::sources::aws::Refetch;
use crate::store::Reader;
use serde::Serialize;
use std::collections::BTreeMap;

/// One object that was fetched again.
#[derive(Clone, Debug, Serialize)]
pub struct Refetched {
    /// The entry that tells it.
    pub seq: u64,
    /// `s3:BUCKET/KEY`
    pub subject: String,
    /// What is not as the record says; none when the bytes are the same.
    pub fault: Option<String>,
}

/// Fetches a sample of the objects that these entries tell: evenly spread, from a random one on.
///
/// # Errors
/// The store's reason. An object that cannot be fetched is in the result.
pub fn refetch(
    config: &Config,
    reader: &Reader<'_>,
    entries: &[u64],
    sample: usize,
) -> Result<Vec<Refetched>, JobError> {
    let n = sample.min(entries.len());
    let random = Randomness::System.bytes("refetch").map_err(|e| JobError::Io("no randomness".into(), e))?;
    let offset = usize::from(random[0]) << 8 | usize::from(random[1]);
    let chosen = (0..n).map(|i| entries[(offset + i * entries.len() / n) % entries.len()]);
    let (mut found, mut clients) = (Vec::new(), BTreeMap::new());
    for seq in chosen {
        let entry = reader.entry(seq)?.entry;
        let source =
            config.flow_logs.iter().find(|s| s.name == entry.source || s.was.as_ref() == Some(&entry.source));
        let object = serde_json::from_value::<FlowObject>(reader.with_blobs(entry.clone())?.payload);
        let fault = match (source, object) {
            (Some(source), Ok(object)) => {
                let client = clients.entry(&source.name).or_insert_with(|| Refetch::of(source));
                let fetched = client.as_ref().map_err(Clone::clone);
                fetched.and_then(|c| compare(&c.bytes(&entry.subject, &object)?, &object)).err()
            }
            (None, _) => Some(format!("no source of the config is called {:?}", entry.source)),
            (_, Err(e)) => Some(format!("the entry is not read by this version: {e}")),
        };
        found.push(Refetched { seq, subject: entry.subject, fault });
    }
    found.sort_by_key(|r| r.seq);
    Ok(found)
}

fn compare(bytes: &[u8], object: &FlowObject) -> Result<(), String> {
    let sha256 = sha256_hex(bytes);
    if sha256 == object.sha256 {
        return Ok(());
    }
    Err(format!("OTHER BYTES: SHA-256 is {sha256}, the record says {}", object.sha256))
}
