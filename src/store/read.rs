//! Reading the record, and checking all of it in one pass that also folds it.

use super::{Store, StoreError, schema, sql};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::{Blob, Placed, put_blobs};
use crate::ledger::private::Opening;
use crate::ledger::verify::{Check, EntryRow, Step};
use crate::ledger::{Broken, Entry, Hash, Intact, Verification, Verifier};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use std::path::Path;

enum Held<'a> {
    Borrowed(&'a Connection),
    Owned(Connection),
}

/// A view of `ledger.db` that cannot write.
pub struct Reader<'a>(Held<'a>);

/// A record that was checked from entry 0 up to a checkpoint: what reports and exports are made from.
pub struct Verified {
    /// What was checked.
    pub intact: Intact,
    /// Leaf hashes of all entries.
    pub leaves: Vec<Hash>,
}

impl<'a> Reader<'a> {
    pub(super) fn over(connection: &'a Connection) -> Reader<'a> {
        Reader(Held::Borrowed(connection))
    }

    /// Opens a ledger for reading alone.
    ///
    /// # Errors
    /// Nothing there, or SQLite's reason.
    pub fn open(path: &Path) -> Result<Reader<'static>, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        Ok(Reader(Held::Owned(schema::open_read_only(path)?)))
    }

    fn db(&self) -> &Connection {
        match &self.0 {
            Held::Borrowed(c) => c,
            Held::Owned(c) => c,
        }
    }

    /// Number of entries.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn size(&self) -> Result<u64, StoreError> {
        let query = "SELECT coalesce(max(seq) + 1, 0) FROM entry";
        self.db().query_row(query, [], |r| r.get(0)).map_err(sql("counting entries"))
    }

    /// When the last entry was recorded.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn last_recorded(&self) -> Result<Option<Time>, StoreError> {
        match self.size()? {
            0 => Ok(None),
            n => Ok(Some(self.entry(n - 1)?.entry.recorded_at)),
        }
    }

    /// The signed note of the last checkpoint not over `size`.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn checkpoint(&self, size: u64) -> Result<Option<(u64, String)>, StoreError> {
        let query = "SELECT size, note FROM checkpoint WHERE size <= ?1 ORDER BY size DESC LIMIT 1";
        let row = self.db().query_row(query, [size], |r| Ok((r.get(0)?, r.get(1)?)));
        row.optional().map_err(sql("reading a checkpoint"))
    }

    /// The checkpoint that first covered an entry.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn covering(&self, seq: u64) -> Result<Option<(u64, String)>, StoreError> {
        let query = "SELECT size, note FROM checkpoint WHERE size > ?1 ORDER BY size LIMIT 1";
        let row = self.db().query_row(query, [seq], |r| Ok((r.get(0)?, r.get(1)?)));
        row.optional().map_err(sql("reading a checkpoint"))
    }

    /// How many checkpoints were signed up to a size.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn checkpoints_below(&self, size: u64) -> Result<u64, StoreError> {
        let query = "SELECT count(*) FROM checkpoint WHERE size <= ?1";
        self.db().query_row(query, [size], |r| r.get(0)).map_err(sql("counting checkpoints"))
    }

    /// The canonical bytes of an entry.
    ///
    /// # Errors
    /// No such entry, or SQLite's reason.
    pub fn bytes(&self, seq: u64) -> Result<Vec<u8>, StoreError> {
        let row = self.db().query_row("SELECT bytes FROM entry WHERE seq = ?1", [seq], |r| r.get(0));
        row.map_err(sql(format!("reading entry {seq}")))
    }

    /// An entry, its blobs left as references.
    ///
    /// # Errors
    /// No such entry, bytes that are none, or SQLite's reason.
    pub fn entry(&self, seq: u64) -> Result<Placed, StoreError> {
        let bytes = self.bytes(seq)?;
        let entry = serde_json::from_slice(&bytes).map_err(|_| StoreError::Unreadable(seq))?;
        Ok(Placed { seq, leaf: crate::ledger::tree::leaf(&bytes), entry })
    }

    /// A blob's bytes.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn blob(&self, sha256: &str) -> Result<Option<Blob>, StoreError> {
        let row = self.db().query_row("SELECT bytes FROM blob WHERE sha256 = ?1", [sha256], |r| r.get(0));
        let bytes: Option<Vec<u8>> = row.optional().map_err(sql("reading a blob"))?;
        Ok(bytes.map(|bytes| Blob { sha256: sha256.to_owned(), bytes }))
    }

    /// Openings of one entry.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn openings(&self, seq: u64) -> Result<Vec<Opening>, StoreError> {
        let all = self.all_openings("WHERE seq = ?1", [seq])?;
        Ok(all.into_iter().map(|(_, o)| o).collect())
    }

    /// Openings whose value is this one, or of entries before a time: what an erasure takes.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn openings_of(&self, value: &str) -> Result<Vec<(u64, Opening)>, StoreError> {
        self.all_openings("WHERE value = ?1", [value])
    }

    /// Openings of all entries below a size.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn openings_below(&self, size: u64) -> Result<Vec<(u64, Opening)>, StoreError> {
        self.all_openings("WHERE seq < ?1", [size])
    }

    fn all_openings(
        &self,
        filter: &str,
        p: impl rusqlite::Params,
    ) -> Result<Vec<(u64, Opening)>, StoreError> {
        let failed = || sql("reading private values");
        let query =
            format!("SELECT seq, commitment, salt, value FROM opening {filter} ORDER BY seq, commitment");
        let mut statement = self.db().prepare(&query).map_err(failed())?;
        let rows = statement.query_map(p, |r| {
            let salt: Vec<u8> = r.get(2)?;
            let salt = salt.try_into().unwrap_or([0; 16]);
            Ok((r.get(0)?, Opening { commitment: r.get(1)?, salt, value: r.get(3)? }))
        });
        rows.map_err(failed())?.collect::<Result<_, _>>().map_err(failed())
    }

    /// The last entry below a size that is wanted, without checking.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn rfind(&self, below: u64, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Placed>, StoreError> {
        for seq in (0..below.min(self.size()?)).rev() {
            let placed = self.entry(seq)?;
            if wanted(&placed.entry) {
                return Ok(Some(placed));
            }
        }
        Ok(None)
    }

    /// Every entry from `from` below `to`, in order, without checking.
    ///
    /// # Errors
    /// SQLite's reason, or what `each` says.
    pub fn each(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(Placed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for seq in from..to {
            each(self.entry(seq)?)?;
        }
        Ok(())
    }

    /// Checks the whole record and hands each entry below `upto`, its blobs put back, to `fold` on the way.
    ///
    /// # Errors
    /// SQLite's reason only: what does not hold is in the [`Verification`].
    pub fn verify(
        &self,
        key: Option<Verifier>,
        upto: u64,
        mut fold: impl FnMut(&Placed),
    ) -> Result<(Verification, Vec<Hash>), StoreError> {
        // One view of the file, whatever is written meanwhile.
        let inside = !self.db().is_autocommit();
        let _view = if inside {
            None
        } else {
            Some(self.db().unchecked_transaction().map_err(sql("reading the ledger"))?)
        };
        let mut check = Check::new(self.notes()?, key);
        match self.verify_rows(&mut check, upto, &mut fold)? {
            Err(broken) => Ok((Verification::Broken(*broken), Vec::new())),
            Ok(erased) => Ok(match check.finish(&erased) {
                Ok((intact, leaves)) => (Verification::Intact(Box::new(intact)), leaves),
                Err(broken) => (Verification::Broken(*broken), Vec::new()),
            }),
        }
    }

    /// The root over the first `size` entries, of an unchecked ledger.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        let mut edge = crate::ledger::tree::Frontier::default();
        for seq in 0..size {
            edge.push(crate::ledger::tree::leaf(&self.bytes(seq)?));
        }
        Ok(edge.root())
    }

    fn notes(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let failed = || sql("reading checkpoints");
        let mut statement =
            self.db().prepare("SELECT size, note FROM checkpoint ORDER BY size").map_err(failed())?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).map_err(failed())?;
        rows.collect::<Result<_, _>>().map_err(failed())
    }

    fn verify_rows(
        &self,
        check: &mut Check,
        upto: u64,
        fold: &mut impl FnMut(&Placed),
    ) -> Result<Step<BTreeSet<String>>, StoreError> {
        let failed = || sql("reading the ledger");
        let mut erased = BTreeSet::new();
        let mut statement =
            self.db().prepare("SELECT seq, bytes, leaf FROM entry ORDER BY seq").map_err(failed())?;
        let mut rows = statement.query([]).map_err(failed())?;
        while let Some(row) = rows.next().map_err(failed())? {
            let (seq, bytes, leaf): (u64, Vec<u8>, Vec<u8>) =
                (row.get(0).map_err(failed())?, row.get(1).map_err(failed())?, row.get(2).map_err(failed())?);
            let entry = match check.entry(&EntryRow { seq, bytes: &bytes, leaf: &leaf }) {
                Ok(entry) => entry,
                Err(broken) => return Ok(Err(broken)),
            };
            if entry.kind == Kind::PrivateErased {
                let names = entry.payload["commitments"].as_array().into_iter().flatten();
                erased.extend(names.filter_map(|c| c.as_str()).map(str::to_owned));
            }
            if seq < upto {
                let leaf = crate::ledger::tree::leaf(&bytes);
                fold(&Placed { seq, leaf, entry: self.with_blobs(entry)? });
            }
        }
        Ok(self.verify_beside(check)?.map(|()| erased))
    }

    fn verify_beside(&self, check: &mut Check) -> Result<Step, StoreError> {
        let failed = || sql("reading the ledger");
        let mut tiles =
            self.db().prepare("SELECT level, idx, hashes FROM tile ORDER BY level, idx").map_err(failed())?;
        let mut rows = tiles.query([]).map_err(failed())?;
        while let Some(r) = rows.next().map_err(failed())? {
            let hashes: Vec<u8> = r.get(2).map_err(failed())?;
            if let Err(b) = check.tile(r.get(0).map_err(failed())?, r.get(1).map_err(failed())?, &hashes) {
                return Ok(Err(b));
            }
        }
        let mut blobs =
            self.db().prepare("SELECT sha256, bytes FROM blob ORDER BY sha256").map_err(failed())?;
        let mut rows = blobs.query([]).map_err(failed())?;
        while let Some(r) = rows.next().map_err(failed())? {
            let (sha256, bytes): (String, Vec<u8>) =
                (r.get(0).map_err(failed())?, r.get(1).map_err(failed())?);
            if let Err(b) = check.blob(&sha256, &bytes) {
                return Ok(Err(b));
            }
        }
        for (seq, opening) in self.openings_below(i64::MAX as u64)? {
            if let Err(b) = check.opening(seq, &opening) {
                return Ok(Err(b));
            }
        }
        Ok(Ok(()))
    }

    /// An entry with its blobs put back.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn with_blobs(&self, mut entry: Entry) -> Result<Entry, StoreError> {
        let mut failed = None;
        put_blobs(&mut entry.payload, |sha256| match self.blob(sha256) {
            Ok(blob) => blob.map(|b| b.bytes),
            Err(e) => {
                failed = Some(e);
                None
            }
        });
        failed.map_or(Ok(entry), Err)
    }
}

impl Store {
    /// Checks the whole record; see [`Reader::verify`].
    ///
    /// # Errors
    /// The record does not hold (outer `Ok`, inner `Err`), or SQLite's reason.
    pub fn verified(
        &self,
        upto: u64,
        fold: impl FnMut(&Placed),
    ) -> Result<Result<Verified, Broken>, StoreError> {
        Ok(match self.reader().verify(None, upto, fold)? {
            (Verification::Intact(intact), leaves) => Ok(Verified { intact: *intact, leaves }),
            (Verification::Broken(broken), _) => Err(broken),
        })
    }
}
