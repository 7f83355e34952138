//! The commit point: one transaction of `ledger.db` with entries, openings, blobs, tiles and the signed checkpoint over
//! them. Either all of it is there after a crash, or nothing.

use super::proof::Stored;
use super::{CLOCK_BEHIND_SECONDS, Reader, StoreError, sql};
use crate::clock::Clock;
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Blob;
use crate::ledger::header::Header;
use crate::ledger::private::Opening;
use crate::ledger::tree::{Tiles, leaf};
use crate::ledger::{Checkpoint, Signer, Verifier};
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// An entry and what is kept beside it, ready to be written.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Canonical bytes.
    pub bytes: Vec<u8>,
    /// What opens its sealed values.
    pub openings: Vec<Opening>,
    /// Bytes that it names by digest.
    pub blobs: Vec<Blob>,
}

/// A transaction that adds rows and ends in a signed checkpoint, or leaves nothing behind.
pub struct Commit<'a> {
    pub(super) tx: Transaction<'a>,
    tiles: Tiles,
    rows: Vec<Row>,
}

impl<'a> Commit<'a> {
    /// Takes the write lock and reads the right edge of the tree. Nothing is signed on top of rows that the last
    /// checkpoint was not signed over, or by a key that is not in force.
    ///
    /// # Errors
    /// [`StoreError::Unsigned`], [`StoreError::WrongKey`], SQLite's reason.
    pub(super) fn begin(ledger: &'a mut Connection, signer: &Signer) -> Result<Commit<'a>, StoreError> {
        let tx = ledger
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sql("locking the ledger"))?;
        let reader = Reader::over(&tx);
        let from = reader.size()?;
        let tiles = Tiles::resume(&Stored(&tx), from)?;
        check_head(&reader, &tiles, signer.verifier())?;
        Ok(Commit { tx, tiles, rows: Vec::new() })
    }

    /// Entries so far, those of this transaction included.
    pub fn size(&self) -> u64 {
        self.tiles.size() + self.rows.len() as u64
    }

    /// When this commit is recorded: now, and later than the commit before, so that entries tell where a checkpoint
    /// belongs.
    ///
    /// # Errors
    /// [`StoreError::ClockBehind`], SQLite's reason.
    pub(super) fn time(&self, clock: &Clock) -> Result<Time, StoreError> {
        let now = clock.now();
        match Reader::over(&self.tx).last_recorded()? {
            Some(head) if now.plus_seconds(CLOCK_BEHIND_SECONDS) < head => {
                Err(StoreError::ClockBehind { now, head })
            }
            Some(head) => Ok(now.max(head.plus_millis(1))),
            None => Ok(now),
        }
    }

    /// Adds one entry and what stands beside it; written when the commit ends.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Writes the rows, signs a checkpoint over everything and commits. `next` is the key that a `ledger.key` of this
    /// transaction hands the signing over to. Gives the size and the note.
    ///
    /// # Errors
    /// SQLite's reason. After a failed commit the rows are there, or not: opening the file again tells.
    pub fn finish(mut self, signer: &Signer, next: Option<&Signer>) -> Result<(u64, String), StoreError> {
        let size = self.size();
        if self.rows.is_empty() {
            let last = Reader::over(&self.tx).checkpoint(size)?;
            return Ok((size, last.map(|(_, n)| n).unwrap_or_default()));
        }
        self.write().map_err(sql("writing entries"))?;
        let origin = signer.verifier().name().to_owned();
        let mut note = signer.sign(&Checkpoint { origin, size, root: self.tiles.root() }.text());
        if let Some(next) = next {
            note = next.cosign(&note);
        }
        let query = "INSERT INTO checkpoint (size, note) VALUES (?1, ?2)";
        self.tx.execute(query, (size, &note)).map_err(sql("writing a checkpoint"))?;
        self.tx.commit().map_err(sql("committing to the ledger"))?;
        Ok((size, note))
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let cached = |query: &str| self.tx.prepare_cached(query);
        let mut entry = cached("INSERT INTO entry (seq, bytes) VALUES (?1, ?2)")?;
        let mut blob = cached("INSERT OR IGNORE INTO blob (sha256, seq, bytes) VALUES (?1, ?2, ?3)")?;
        let mut opening =
            cached("INSERT OR IGNORE INTO opening (seq, commitment, salt, value) VALUES (?1, ?2, ?3, ?4)")?;
        let mut tile = cached("INSERT INTO tile (level, idx, root, hashes) VALUES (?1, ?2, ?3, ?4)")?;
        for row in &self.rows {
            let (seq, leaf) = (self.tiles.size(), leaf(&row.bytes));
            entry.execute((seq, row.bytes.as_slice()))?;
            for b in &row.blobs {
                blob.execute((&b.sha256, seq, &b.bytes))?;
            }
            for o in &row.openings {
                opening.execute((seq, &o.commitment, o.salt.as_slice(), &o.value))?;
            }
            for t in self.tiles.push(leaf) {
                tile.execute((t.level, t.index, t.root.as_slice(), &t.hashes))?;
            }
        }
        Ok(())
    }
}

/// The rows that are there are those that the last checkpoint was signed over, by the key that is given.
fn check_head(reader: &Reader<'_>, tiles: &Tiles, given: &Verifier) -> Result<(), StoreError> {
    let size = tiles.size();
    let Some((_, note)) = reader.last_checkpoint()? else {
        return if size == 0 { Ok(()) } else { Err(StoreError::Unsigned { size }) };
    };
    let (in_force, expected) = reader.signs_next(&note, given)?;
    if !in_force {
        return Err(StoreError::WrongKey { given: given.vkey(), expected });
    }
    match Checkpoint::unchecked(&note) {
        Ok(said) if said.size == size && said.root == tiles.root() => Ok(()),
        _ => Err(StoreError::Unsigned { size }),
    }
}

impl Reader<'_> {
    /// Whether the last entry hands the signing over to a key.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn hands_over_to(&self, vkey: &str) -> Result<bool, StoreError> {
        Ok(self.handed_over()?.is_some_and(|next| next == vkey))
    }

    /// The key that the last entry hands the signing over to.
    fn handed_over(&self) -> Result<Option<String>, StoreError> {
        let last = self.entry(self.size()?.saturating_sub(1))?.entry;
        let key = || last.payload["public_key"].as_str().unwrap_or_default().to_owned();
        Ok((last.kind == Kind::LedgerKey).then(key))
    }

    /// The key that was in force at a size, as entries name it: that of entry 0, or of the last change of key below.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn last_key(&self, size: u64) -> Result<String, StoreError> {
        let mut key = String::new();
        self.each_row(0, size, |seq, bytes| {
            let header = Header::read(bytes).ok_or(StoreError::Unreadable(seq))?;
            if [Kind::LedgerOpened.name(), Kind::LedgerKey.name()].contains(&header.kind) {
                let payload: serde_json::Value = serde_json::from_slice(header.payload).unwrap_or_default();
                key = payload["public_key"].as_str().unwrap_or_default().to_owned();
            }
            Ok(())
        })?;
        Ok(key)
    }

    /// Whether a key signs next: it signed the last checkpoint, and the last entry does not hand the signing over to
    /// another.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn in_force(&self, given: &Verifier) -> Result<bool, StoreError> {
        let note = self.last_checkpoint()?.map(|(_, n)| n).unwrap_or_default();
        Ok(self.signs_next(&note, given)?.0)
    }

    fn signs_next(&self, note: &str, given: &Verifier) -> Result<(bool, String), StoreError> {
        let signed = given.open(note).is_ok();
        Ok(match self.handed_over()? {
            Some(expected) => (signed && expected == given.vkey(), expected),
            None => (signed, "another key".to_owned()),
        })
    }
}
