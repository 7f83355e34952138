//! What one look gave: evidence, counts that add up, located faults, and what was not seen.

use crate::evidence::record::{Audits, Counts, Fault, Listing};
use crate::evidence::{Evidence, Kind, Time, lossless, sha256_hex};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Faults that are kept word for word; more are counted.
pub(super) const MAX_FAULTS: usize = 100;

/// The result of parsing one look.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Facts, in the order of the replies.
    pub evidence: Vec<Evidence>,
    /// Kinds whose every subject this look shows; with parts of subjects that it leaves open.
    pub complete: BTreeMap<Kind, BTreeSet<String>>,
    /// Beginnings of the subjects that a complete kind is complete for; absent: all.
    pub only: BTreeMap<Kind, BTreeSet<String>>,
    /// Of a cluster: `NAMESPACE/KIND/NAME` of every object that the look shows.
    pub objects: BTreeSet<String>,
    /// Of a cluster: kinds of objects that the look lists whole.
    pub kinds: BTreeSet<String>,
    /// Listings of buckets that came to their end.
    pub listings: Vec<Listing>,
    /// read = kept + quarantined + refused.
    pub counts: Counts,
    /// What is wrong and where, at most 100.
    pub faults: Vec<Fault>,
    /// Faults in all.
    pub fault_count: u64,
    /// What the look should have shown and did not.
    pub gaps: Vec<String>,
    /// Listings that are shorter than the total they state: the look is complete but for them.
    pub truncated: Vec<String>,
    /// Times in which what came and went was not seen, although somebody watched.
    pub unwatched: Vec<String>,
    /// When Gatekeeper audited a cluster's constraints.
    pub audits: Option<Audits>,
    /// Digest of what constraints were evaluated over, when another look at the same would say the same.
    pub inputs: Option<String>,
    /// Files read.
    pub files: u64,
    /// SHA-256 over names and digests of the files.
    pub replies: String,
    /// What was read, in the source's own units.
    pub read: String,
    /// What a live source was asked.
    pub requests: Vec<String>,
    /// Who asked a live source, as it says itself.
    pub identity: Option<String>,
    /// Since when, and up to when, everything that flow logs delivered was read, or has an entry that says why not. None
    /// of a look in a folder: as far back as there is anything.
    pub from: Option<Time>,
    /// See `from`.
    pub through: Option<Time>,
    /// Whether this is a step of a pass that goes on, or that lacked something before.
    pub unfinished: bool,
}

impl Gathered {
    /// Counts an item that was taken.
    pub fn keep(&mut self, n: u64) {
        self.counts.read += n;
        self.counts.kept += n;
    }

    /// Counts an item that is none, with its place; the rest of its file is kept.
    pub fn quarantine(&mut self, file: &str, place: impl Into<String>, what: String) {
        self.counts.read += 1;
        self.counts.quarantined += 1;
        self.fault(file, place, what);
    }

    /// Counts several items that are none, and says where the first ones are: place and what is wrong.
    pub fn quarantine_many(&mut self, file: &str, n: u64, located: Vec<(String, String)>) {
        self.counts.read += n;
        self.counts.quarantined += n;
        self.fault_count += n.saturating_sub(located.len() as u64);
        located.into_iter().for_each(|(place, what)| self.fault(file, place, what));
    }

    /// Moves an item that was taken to those that are none; that is a gap as well.
    pub fn set_aside(&mut self, subject: &str, what: String) {
        self.counts.kept = self.counts.kept.saturating_sub(1);
        self.counts.quarantined += 1;
        self.gap(format!("{subject}: {what}"));
        self.fault("", subject, what);
    }

    /// Counts a file that cannot be read at all; that is a gap as well.
    pub fn refuse(&mut self, file: &str, what: String) {
        self.counts.read += 1;
        self.counts.refused += 1;
        self.gap(format!("{file}: {what}"));
        self.fault(file, "", what);
    }

    /// Counts a file that cannot be read, as an entry says.
    pub fn refuse_told(&mut self, file: &str, what: String) {
        self.counts.read += 1;
        self.counts.refused += 1;
        self.fault(file, "", what);
    }

    /// Notes what is wrong without counting an item.
    pub fn fault(&mut self, file: &str, place: impl Into<String>, what: String) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { file: clean(file), place: place.into(), what: clean(&what) });
        }
    }

    /// Notes what was not seen.
    pub fn gap(&mut self, what: impl Into<String>) {
        let what = clean(&what.into());
        if self.gaps.len() < MAX_FAULTS && !self.gaps.contains(&what) {
            self.gaps.push(what);
        }
    }

    /// Says that a kind was listed whole.
    pub fn listed_whole(&mut self, kind: Kind) {
        self.complete.entry(kind).or_default();
    }

    /// Says that a kind was listed whole as far as subjects with one of these beginnings go.
    pub fn listed_only(&mut self, kind: Kind, beginnings: impl Iterator<Item = String>) {
        self.listed_whole(kind);
        self.only.entry(kind).or_default().extend(beginnings);
    }

    /// Whether this look would show a subject of a kind if it were still there.
    pub fn would_show(&self, kind: Kind, subject: &str) -> bool {
        let Some(open) = self.complete.get(&kind) else { return false };
        let within =
            self.only.get(&kind).is_none_or(|only| only.iter().any(|b| subject.starts_with(b.as_str())));
        // A part that ends in a slash stands within a subject; any other is its end.
        let is_open = |part: &str| subject.ends_with(part) || part.ends_with('/') && subject.contains(part);
        within && !open.iter().any(|part| is_open(part))
    }

    /// States which replies were read: a line for each, its name and its digest.
    pub fn replied(&mut self, mut replies: Vec<String>) {
        replies.sort();
        self.files = replies.len() as u64;
        self.replies = sha256_hex(replies.join("\n").as_bytes());
    }

    /// Adds the counts, faults and gaps of another.
    pub fn absorb(&mut self, other: Gathered) {
        self.counts += other.counts;
        self.fault_count += other.fault_count;
        let room = MAX_FAULTS.saturating_sub(self.faults.len());
        self.faults.extend(other.faults.into_iter().take(room));
        other.gaps.into_iter().for_each(|g| self.gap(g));
        self.evidence.extend(other.evidence);
    }

    /// The JSON of a reply; bytes that are not UTF-8 are kept and named as a fault. Refused when it is no JSON.
    pub fn json(&mut self, file: &str, bytes: &[u8]) -> Option<Value> {
        let (text, first) = lossless(bytes);
        if let Some(offset) = first {
            self.fault(file, format!("byte {offset}"), "is not UTF-8; the value is kept as bytes".into());
        }
        match serde_json::from_str(&text) {
            Ok(value) => Some(value),
            Err(e) => {
                self.refuse(file, format!("is no JSON: {e}"));
                None
            }
        }
    }
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || u32::from(c) >= 0x10_FF00 { '\u{FFFD}' } else { c })
        .take(500)
        .collect()
}
