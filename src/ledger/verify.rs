//! Checking the whole record as one fold over its rows. It shares the hashes with the writer and nothing else.

use super::entry::blob_references;
use super::note::{Checkpoint, Verifier};
use super::private::{Opening, commitments};
use super::tree::{self, Frontier, Hash};
use super::{Entry, canonical};
use crate::evidence::{Kind, Time};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::{BTreeMap, BTreeSet};

/// The result of checking a ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum Verification {
    /// Everything fits.
    Intact(Box<Intact>),
    /// Something does not.
    Broken(Broken),
}

/// What was checked and found to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Intact {
    /// Last checkpoint.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
    /// Checkpoints checked.
    pub checkpoints: u64,
    /// Private values that are kept and match.
    pub openings: u64,
    /// Private values that were erased, as entries say.
    pub erased: u64,
    /// Blobs that match.
    pub blobs: u64,
    /// Full tiles that match.
    pub tiles: u64,
    /// Key that signs now.
    pub signer: Verifier,
}

/// The first thing that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The entry, tile, checkpoint, blob or opening.
    pub first_bad: String,
    /// The sequence number, when one entry can be named.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub what: String,
    /// The two checkpoint sizes between which the change lies.
    pub between: Option<(u64, u64)>,
    /// Size of the last checkpoint that still holds.
    pub intact_up_to: u64,
}

/// A stored row of the table `entry`.
pub struct EntryRow<'a> {
    /// Sequence number.
    pub seq: u64,
    /// Canonical bytes.
    pub bytes: &'a [u8],
    /// Leaf hash as stored.
    pub leaf: &'a [u8],
}

/// The running check. Feed entries in order, then tiles, blobs and openings, then finish.
pub struct Check {
    notes: std::collections::VecDeque<(u64, String)>,
    signer: Option<Verifier>,
    origin: String,
    edge: Frontier,
    leaves: Vec<Hash>,
    recorded: Option<Time>,
    last: Option<(Checkpoint, String)>,
    checked: u64,
    blobs_named: BTreeSet<String>,
    sealed: BTreeMap<(u64, String), bool>,
    counts: (u64, u64, u64),
    next_key: Option<Verifier>,
}

/// What came of one step: nothing wrong, or the first thing that is.
pub type Step<T = ()> = Result<T, Box<Broken>>;

impl Check {
    /// Begins a check. `notes` are all stored checkpoints by size; `key` is one that the reader was given, if any.
    pub fn new(notes: impl IntoIterator<Item = (u64, String)>, key: Option<Verifier>) -> Check {
        let mut notes: Vec<_> = notes.into_iter().collect();
        notes.sort();
        Check {
            notes: notes.into(),
            signer: key,
            origin: String::new(),
            edge: Frontier::default(),
            leaves: Vec::new(),
            recorded: None,
            last: None,
            checked: 0,
            blobs_named: BTreeSet::new(),
            sealed: BTreeMap::new(),
            counts: (0, 0, 0),
            next_key: None,
        }
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Root over the entries so far.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// All leaf hashes so far.
    pub fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    fn broken(&self, first_bad: String, seq: Option<u64>, what: impl Into<String>) -> Box<Broken> {
        let intact_up_to = self.last.as_ref().map_or(0, |(c, _)| c.size);
        Box::new(Broken { first_bad, seq, what: what.into(), between: None, intact_up_to })
    }

    /// Checks one entry and gives it parsed.
    ///
    /// # Errors
    /// The first thing about it that does not hold.
    pub fn entry(&mut self, row: &EntryRow<'_>) -> Step<Entry> {
        let seq = self.size();
        let name = |e: Option<&Entry>| match e {
            Some(e) => format!("entry {seq}, {}, {}", e.kind.name(), e.subject),
            None => format!("entry {seq}"),
        };
        if row.seq != seq {
            return Err(self.broken(
                name(None),
                Some(seq),
                format!("is missing: the next one stored is {}", row.seq),
            ));
        }
        let leaf = tree::leaf(row.bytes);
        let entry: Option<Entry> = serde_json::from_slice(row.bytes).ok();
        if row.leaf != leaf {
            let what = "the stored leaf was made from other bytes than are stored now";
            return Err(self.broken(name(entry.as_ref()), Some(seq), what));
        }
        let Some(entry) = entry else {
            return Err(self.broken(
                name(None),
                Some(seq),
                "is no entry: a member is missing or of another type",
            ));
        };
        if !canonical::is_canonical(row.bytes) {
            return Err(self.broken(name(Some(&entry)), Some(seq), "is not in canonical form"));
        }
        if self.recorded.is_some_and(|t| t > entry.recorded_at) {
            return Err(self.broken(
                name(Some(&entry)),
                Some(seq),
                "was recorded before the entry in front of it",
            ));
        }
        self.recorded = Some(entry.recorded_at);
        self.keys(&entry).map_err(|what| self.broken(name(Some(&entry)), Some(seq), what))?;
        self.blobs_named.extend(blob_references(&entry.payload).map(str::to_owned));
        for commitment in commitments(&entry.payload) {
            self.sealed.insert((seq, commitment), false);
        }
        self.edge.push(leaf);
        self.leaves.push(leaf);
        self.checkpoints()?;
        Ok(entry)
    }

    fn keys(&mut self, entry: &Entry) -> Result<(), String> {
        let declared = entry.payload.get("public_key").and_then(|k| k.as_str());
        match entry.kind {
            Kind::LedgerOpened if self.size() == 0 => {
                let key = Verifier::parse(declared.unwrap_or_default()).map_err(|e| e.to_string())?;
                self.origin = key.name().to_owned();
                match &self.signer {
                    Some(given) if *given != key => return Err("names another key than the one given".into()),
                    _ => self.signer = Some(key),
                }
            }
            Kind::LedgerOpened => return Err("a ledger is opened once, by entry 0".into()),
            Kind::LedgerKey => {
                self.next_key =
                    Some(Verifier::parse(declared.unwrap_or_default()).map_err(|e| e.to_string())?);
            }
            _ if self.size() == 0 => return Err("entry 0 does not open a ledger".into()),
            _ => {}
        }
        Ok(())
    }

    fn checkpoints(&mut self) -> Step {
        let size = self.size();
        while self.notes.front().is_some_and(|(s, _)| *s <= size) {
            let Some((stored, note)) = self.notes.pop_front() else { break };
            let name = format!("checkpoint of size {stored}");
            let opened = match &self.signer {
                Some(key) => key.open(&note).map_err(|e| e.to_string()),
                None => Err("no key is known".into()),
            };
            let said = opened.and_then(|t| Checkpoint::parse(t).map_err(|e| e.to_string()));
            let said = said.map_err(|what| self.broken(name.clone(), None, what))?;
            if said.size != stored || said.origin != self.origin {
                return Err(self.broken(name, None, "speaks of another size or another log"));
            }
            if said.size != size || said.root != self.root() {
                let from = self.last.as_ref().map_or(0, |(c, _)| c.size);
                let mut broken = self.broken(
                    format!("an entry from {from} to {}", stored.saturating_sub(1)),
                    None,
                    format!("the entries do not give the root of the checkpoint of size {stored}"),
                );
                broken.between = Some((from, stored));
                return Err(broken);
            }
            self.checked += 1;
            self.last = Some((said, note));
            if let Some(key) = self.next_key.take() {
                self.signer = Some(key);
            }
        }
        Ok(())
    }

    /// Checks one full tile: 256 hashes of a level.
    ///
    /// # Errors
    /// A tile that does not hold the hashes of its place.
    pub fn tile(&mut self, level: u32, index: u64, hashes: &[u8]) -> Step {
        let width = tree::TILE.pow(level);
        let expected: Option<Vec<u8>> = (0..tree::TILE)
            .map(|i| {
                let from = usize::try_from((index * tree::TILE + i) * width).ok()?;
                Some(tree::root(self.leaves.get(from..from + usize::try_from(width).ok()?)?))
            })
            .collect::<Option<Vec<Hash>>>()
            .map(|h| h.concat());
        if expected.as_deref() != Some(hashes) {
            let what = "does not hold the hashes of the entries below it";
            return Err(self.broken(format!("tile {level}/{index}"), None, what));
        }
        self.counts.0 += 1;
        Ok(())
    }

    /// Checks one blob.
    ///
    /// # Errors
    /// Bytes with another digest, or a blob that no entry names.
    pub fn blob(&mut self, sha256: &str, bytes: &[u8]) -> Step {
        let name = format!("blob sha256:{sha256}");
        if crate::evidence::sha256_hex(bytes) != sha256 {
            return Err(self.broken(name, None, "its bytes have another SHA-256"));
        }
        if !self.blobs_named.remove(sha256) {
            return Err(self.broken(name, None, "no entry names it"));
        }
        self.counts.1 += 1;
        Ok(())
    }

    /// Checks one opening; one without value was erased.
    ///
    /// # Errors
    /// An opening that does not fit its commitment, or belongs to none.
    pub fn opening(&mut self, seq: u64, opening: &Opening) -> Step {
        let name = format!("private value of entry {seq}");
        if opening.recomputed() != opening.commitment {
            return Err(self.broken(name, Some(seq), "value and salt do not give the commitment"));
        }
        match self.sealed.get_mut(&(seq, opening.commitment.clone())) {
            Some(kept) => *kept = true,
            None => return Err(self.broken(name, Some(seq), "the entry holds no such commitment")),
        }
        self.counts.2 += 1;
        Ok(())
    }

    /// Ends the check. `tiles` is how many full tiles there should be given the size; `erased` the commitments that
    /// entries of kind `private.erased` name.
    ///
    /// # Errors
    /// What is missing: a blob, an opening, a checkpoint over the last entry.
    pub fn finish(mut self, erased: &BTreeSet<String>) -> Step<(Intact, Vec<Hash>)> {
        if let Some((size, _)) = self.notes.front() {
            let mut broken = self.broken(format!("entry {}", self.size()), Some(self.size()), "is missing");
            broken.what = format!(
                "is missing: a checkpoint of size {size} was signed, {} entries are here",
                self.size()
            );
            return Err(broken);
        }
        if let Some(sha256) = self.blobs_named.first() {
            return Err(self.broken(
                format!("blob sha256:{sha256}"),
                None,
                "an entry names it and it is not here",
            ));
        }
        let mut gone = 0;
        for ((seq, commitment), kept) in &self.sealed {
            match (kept, erased.contains(commitment)) {
                (true, _) => {}
                (false, true) => gone += 1,
                (false, false) => {
                    let what = "its opening is not here, and no entry says that it was erased";
                    return Err(self.broken(format!("private value of entry {seq}"), Some(*seq), what));
                }
            }
        }
        let expected = full_tiles(self.size());
        if self.counts.0 != expected {
            let what = format!("{} full tiles are here, {expected} belong to the size", self.counts.0);
            return Err(self.broken("a tile".into(), None, what));
        }
        match (self.last.take(), self.signer.take()) {
            (Some((checkpoint, note)), Some(signer)) if checkpoint.size == self.size() => {
                let (tiles, blobs, openings) = self.counts;
                let (checkpoints, erased) = (self.checked, gone);
                let intact = Intact { checkpoint, note, checkpoints, openings, erased, blobs, tiles, signer };
                Ok((intact, self.leaves))
            }
            (last, _) => {
                let from = last.map_or(0, |(c, _)| c.size);
                let name = format!("entry {from}");
                let mut broken = self.broken(name, Some(from), "no signed checkpoint covers it");
                broken.intact_up_to = from;
                Err(broken)
            }
        }
    }
}

/// How many full tiles of all levels a tree of this size has.
pub fn full_tiles(size: u64) -> u64 {
    std::iter::successors(Some(size / tree::TILE), |n| (*n > 0).then_some(n / tree::TILE)).sum()
}

/// The root as it is printed.
pub fn root_base64(root: &Hash) -> String {
    STANDARD.encode(root)
}
