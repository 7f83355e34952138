//! Was the record altered?

use crate::evidence::record::Predecessor;
use serde::Serialize;

/// Was the record altered?
#[derive(Clone, Debug, Serialize)]
pub struct Integrity {
    /// intact or broken.
    pub status: &'static str,
    /// Entries hashed again.
    pub size: u64,
    /// Root over them.
    pub root: String,
    /// What does not hold.
    pub first_bad: Option<String>,
    /// Signed checkpoints up to there.
    pub checkpoints: u64,
    /// The signed checkpoint over them, a C2SP note: what `verify --since` takes.
    pub checkpoint: String,
    /// Verifier key line.
    pub key: String,
    /// Name of the log.
    pub origin: String,
    /// Outside witnesses of checkpoints, beside the mails.
    pub anchors: Vec<Anchor>,
    /// The ledger that this one follows.
    pub predecessor: Option<Predecessor>,
    /// The same as a sentence.
    pub follows: Option<String>,
}

/// An outside witness.
#[derive(Clone, Debug, Serialize)]
pub struct Anchor {
    /// archive or timestamp.
    pub anchor: String,
    /// Where.
    pub location: String,
    /// Size of the last checkpoint that it holds; null when it never held one.
    pub size: Option<u64>,
    /// The entry that tells it.
    pub entry: Option<u64>,
    /// Since when it cannot be reached, and why.
    pub down: Option<String>,
    /// All of this as a sentence.
    pub sentence: String,
}
