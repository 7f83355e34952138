//! Proofs from what is stored: inclusion and consistency in a number of reads that grows with the logarithm of the size.

use super::{Reader, StoreError, sql};
use crate::ledger::tree::{self, Hash, Hashes, TILE};
use crate::ledger::{Checkpoint, Verifier};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;

/// The hashes of the tree: full tiles as they are stored, and leaves of the entries on the right edge.
pub(super) struct Stored<'a>(pub(super) &'a Connection);

impl Stored<'_> {
    fn leaves(&self, from: u64, to: u64) -> Result<Vec<Hash>, rusqlite::Error> {
        let place = |n: u64| usize::try_from(n % TILE).unwrap_or(0);
        let query = "SELECT hashes FROM tile WHERE level = 0 AND idx = ?1";
        let tile: Option<Vec<u8>> =
            self.0.prepare_cached(query)?.query_row([from / TILE], |r| r.get(0)).optional()?;
        if let Some(tile) = tile.filter(|t| t.len() == 8_192 && (to - 1) / TILE == from / TILE) {
            return Ok(tile.as_chunks().0[place(from)..=place(to - 1)].to_vec());
        }
        let mut rows =
            self.0.prepare_cached("SELECT bytes FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
        let mut rows = rows.query((from, to))?;
        let mut found = Vec::new();
        while let Some(r) = rows.next()? {
            found.push(tree::leaf(r.get_ref(0)?.as_blob()?));
        }
        Ok(found)
    }

    fn roots(&self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, rusqlite::Error> {
        let query = "SELECT root FROM tile WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";
        let mut statement = self.0.prepare_cached(query)?;
        statement.query_map((level, from, to), |r| r.get(0))?.collect()
    }
}

impl Hashes for Stored<'_> {
    type Error = StoreError;

    fn hashes(&self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        if from == to {
            return Ok(Vec::new());
        }
        let found = match level {
            0 => self.leaves(from, to),
            _ => self.roots(level - 1, from, to),
        };
        let found = found.map_err(sql("reading the tree"))?;
        if found.len() as u64 == to - from { Ok(found) } else { Err(StoreError::Hashes { level, from, to }) }
    }
}

/// An entry and its proof, checked against a signed checkpoint.
#[derive(Clone, Debug)]
pub struct Proved {
    /// Canonical bytes.
    pub bytes: Vec<u8>,
    /// Leaf hash.
    pub leaf: Hash,
    /// Inclusion proof, from the leaf up.
    pub path: Vec<Hash>,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
}

impl Reader<'_> {
    /// The root over the first `size` entries, from tiles. It is as good as they are.
    ///
    /// # Errors
    /// Hashes are missing, or SQLite's reason.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        tree::root_at(&Stored(self.db()), size)
    }

    /// Leaf hashes of some entries, in order, from tiles. They are as good as they are.
    ///
    /// # Errors
    /// Hashes are missing, or SQLite's reason.
    pub fn leaves(&self, seqs: &BTreeSet<u64>) -> Result<Vec<(u64, Hash)>, StoreError> {
        let (stored, size) = (Stored(self.db()), self.size()?);
        let (mut found, mut tile) = (Vec::with_capacity(seqs.len()), (u64::MAX, Vec::new()));
        for seq in seqs.iter().take_while(|seq| **seq < size) {
            let begin = seq - seq % TILE;
            if tile.0 != begin {
                tile = (begin, stored.hashes(0, begin, size.min(begin + TILE))?);
            }
            found.extend(usize::try_from(seq - begin).ok().and_then(|i| Some((*seq, *tile.1.get(i)?))));
        }
        Ok(found)
    }

    /// Inclusion proof of an entry in the first `size` ones, from tiles.
    ///
    /// # Errors
    /// Hashes are missing, or SQLite's reason.
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        tree::inclusion(&Stored(self.db()), seq, size)
    }

    /// Perfect subtrees that cover entries `from` below `to`.
    ///
    /// # Errors
    /// Hashes are missing, or SQLite's reason.
    pub fn cover(&self, from: u64, to: u64) -> Result<Vec<(u32, Hash)>, StoreError> {
        tree::cover(&Stored(self.db()), from, to)
    }

    /// Consistency proof between two sizes, from tiles.
    ///
    /// # Errors
    /// Hashes are missing, or SQLite's reason.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        tree::consistency(&Stored(self.db()), old, new)
    }

    /// An entry, proved to be in the last checkpoint that `key` signed: nothing else of the ledger is read.
    ///
    /// # Errors
    /// There is no such entry, the key did not sign the checkpoint, the proof does not lead to its root.
    pub fn proved(&self, seq: u64, key: &Verifier) -> Result<Proved, StoreError> {
        let unproved = |what: String| StoreError::Unproved { seq, what };
        let (size, note) = self.last_checkpoint()?.unwrap_or_default();
        let said = key.open(&note).and_then(Checkpoint::parse).map_err(|e| unproved(e.to_string()))?;
        if seq >= size || said.size != size {
            return Err(unproved(format!("the last checkpoint covers {size} entries")));
        }
        let bytes = self.bytes(seq)?;
        let (leaf, path) = (tree::leaf(&bytes), self.inclusion(seq, size)?);
        if tree::root_of_inclusion(leaf, seq, size, &path) != Some(said.root) {
            return Err(unproved("its bytes do not lead to the signed root".into()));
        }
        Ok(Proved { bytes, leaf, path, checkpoint: said, note })
    }
}
