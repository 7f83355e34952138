//! All entries of one kind, counted against what their sources said they read, and a sample of them that anybody can draw again.
//!
//! The rank of an entry in a draw is SHA-256 over the seed, a line feed and its leaf hash as hex; the lowest ranks are drawn.

mod account;
mod asked;
mod count;

pub use account::Account;
pub use asked::{Drawing, SAMPLE, Told, Wanted};
pub use count::Count;

use crate::evidence::{Kind, Time};
use serde::Serialize;

/// Whether a kind tells acts of our own, which no source counts.
fn is_ours(kind: Kind) -> bool {
    let ours = [
        "ledger.",
        "anchor.",
        "private.",
        "daemon.",
        "config.",
        "source.",
        "assessment.",
        "report.",
        "mail.",
        "export.",
        "access.",
    ];
    kind == Kind::FlowLogSelection || ours.iter().any(|begin| kind.name().starts_with(begin))
}

/// Kinds that a source states.
pub fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| !is_ours(*kind))
}

/// A population.
#[derive(Clone, Debug, Serialize)]
pub struct Population {
    /// Size of the as-of.
    pub as_of: u64,
    /// Its root, base64.
    pub root: String,
    /// The kind.
    pub kind: Kind,
    /// The one source that was asked for.
    pub source: Option<String>,
    /// From when on.
    pub from: Option<Time>,
    /// Up to when.
    pub to: Option<Time>,
    /// Entries of the kind below the as-of.
    pub of_kind: u64,
    /// Of these, entries of the population.
    pub count: u64,
    /// What the sources of the population say of themselves, against the record.
    pub sources: Vec<Account>,
    /// How the entries below were drawn; none where they were not.
    pub sample: Option<Sample>,
    /// What the next page is asked for with: the last entry of this one.
    pub next: Option<u64>,
    /// The entries that are told: in the order of the record, or of the draw.
    pub entries: Vec<Case>,
}

/// How a sample was drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// How many were asked for.
    pub size: usize,
    /// With which seed.
    pub seed: String,
}

/// An entry of a population.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Its number.
    pub seq: u64,
    /// Its leaf hash, hex.
    pub leaf: String,
    /// Its rank in the draw, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<String>,
    /// Its source.
    pub source: String,
    /// What makes it the same event.
    pub key: String,
    /// What it speaks of.
    pub subject: String,
    /// When it happened, or was seen.
    pub occurred_at: String,
    /// When it was recorded.
    pub recorded_at: String,
}

impl Population {
    /// Whether the accounts of all sources add up; nothing adds up where none was read.
    pub fn adds_up(&self) -> bool {
        is_ours(self.kind) || !self.sources.is_empty() && self.sources.iter().all(|a| a.reconciled)
    }

    /// The counts in sentences: the population, each source, the draw.
    pub fn account(&self) -> Vec<String> {
        let outside = self.of_kind - self.count;
        let mut lines = vec![format!(
            "{} entries of {} as of entry {} (root {}); {} others of the kind are of another source or time.",
            self.count,
            self.kind.name(),
            self.as_of,
            self.root,
            outside
        )];
        lines.extend(self.sources.iter().map(Account::told));
        if is_ours(self.kind) {
            lines.push("Acts of our own, which no source counts.".into());
        } else if self.sources.is_empty() {
            lines.push("No source was read that gives such entries, or none of that name.".into());
        }
        if let Some(Sample { seed, .. }) = &self.sample {
            lines.push(format!(
                "{} drawn: the lowest SHA-256 of the seed, a line feed and the leaf hash as hex; the seed is {seed}",
                self.entries.len()
            ));
        }
        lines
    }
}

/// The columns of its file.
pub const COLUMNS: [&str; 8] =
    ["seq", "leaf", "rank", "source", "key", "subject", "occurred_at", "recorded_at"];

impl Case {
    /// A cell for each of [`COLUMNS`].
    pub fn cells(&self) -> [String; 8] {
        let Case { leaf, rank, source, key, subject, occurred_at, recorded_at, .. } = self.clone();
        [self.seq.to_string(), leaf, rank.unwrap_or_default(), source, key, subject, occurred_at, recorded_at]
    }
}
