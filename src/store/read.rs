//! Reading the record, without checking it.

use super::{StoreError, schema, sql};
use crate::evidence::Time;
use crate::evidence::record::PrivateErased;
use crate::ledger::Entry;
use crate::ledger::entry::{Blob, Placed, put_blobs};
use crate::ledger::private::Opening;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::path::Path;

enum Held<'a> {
    Borrowed(&'a Connection),
    Owned(Connection),
}

/// A view of `ledger.db` that cannot write.
pub struct Reader<'a>(Held<'a>);

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

    pub(super) fn db(&self) -> &Connection {
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
        let statement = self.db().prepare_cached(query);
        statement.and_then(|mut s| s.query_row([], |r| r.get(0))).map_err(sql("counting entries"))
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
        let row = self.db().prepare_cached(query);
        let row = row.and_then(|mut s| s.query_row([size], |r| Ok((r.get(0)?, r.get(1)?))));
        row.optional().map_err(sql("reading a checkpoint"))
    }

    /// The last checkpoint and its signed note.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn last_checkpoint(&self) -> Result<Option<(u64, String)>, StoreError> {
        self.checkpoint(i64::MAX as u64)
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
        let statement = self.db().prepare_cached("SELECT bytes FROM entry WHERE seq = ?1");
        let row = statement.and_then(|mut s| s.query_row([seq], |r| r.get(0)));
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

    /// Entries with a longer private value that holds this one.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn openings_holding(&self, value: &str) -> Result<Vec<u64>, StoreError> {
        let failed = || sql("reading private values");
        let query =
            "SELECT DISTINCT seq FROM opening WHERE instr(value, ?1) > 0 AND value <> ?1 ORDER BY seq";
        let mut statement = self.db().prepare(query).map_err(failed())?;
        statement.query_map([value], |r| r.get(0)).and_then(Iterator::collect).map_err(failed())
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
        let rows = statement.query_map(p, super::check::opening);
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
        self.each_row(from, to, |seq, bytes| {
            let entry = serde_json::from_slice(bytes).map_err(|_| StoreError::Unreadable(seq))?;
            each(Placed { seq, leaf: crate::ledger::tree::leaf(bytes), entry })
        })
    }

    /// The bytes of every entry from `from` below `to`, in order, without checking.
    ///
    /// # Errors
    /// SQLite's reason, an entry that is missing, or what `each` says.
    pub fn each_row(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = || sql("reading entries");
        let query = "SELECT bytes, seq FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq";
        let mut statement = self.db().prepare_cached(query).map_err(failed())?;
        let (mut rows, mut next) = (statement.query((from, to)).map_err(failed())?, from);
        while let Some(row) = rows.next().map_err(failed())? {
            if row.get::<_, u64>(1).map_err(failed())? != next {
                return Err(StoreError::Unreadable(next));
            }
            each(next, row.get_ref(0).and_then(|b| Ok(b.as_blob()?)).map_err(failed())?)?;
            next += 1;
        }
        if next < to { Err(StoreError::Unreadable(next)) } else { Ok(()) }
    }

    /// Number of the first entry that was recorded at a time or later; the size when none was.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn first_recorded(&self, time: Time) -> Result<u64, StoreError> {
        let (mut from, mut to) = (0, self.size()?);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.entry(middle)?.entry.recorded_at < time { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    /// Entries that erased private values, oldest first.
    ///
    /// # Errors
    /// SQLite's reason; an entry that is none.
    pub fn erasures(&self) -> Result<BTreeMap<u64, PrivateErased>, StoreError> {
        let failed = || sql("reading erasures");
        let mut statement = self.db().prepare("SELECT seq FROM erasure ORDER BY seq").map_err(failed())?;
        let seqs: Vec<u64> =
            statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(failed())?;
        let read = |seq| {
            let payload = self.entry(seq)?.entry.payload;
            Ok((seq, serde_json::from_value(payload).map_err(|_| StoreError::Unreadable(seq))?))
        };
        seqs.into_iter().map(read).collect()
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
