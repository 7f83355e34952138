//! Checking all of the record in one pass that also folds it. One row of each table is held at a time.

use super::state::Anew;
use super::{Reader, Store, StoreError, schema, sql};
use crate::evidence::Kind;
use crate::evidence::record::PrivateErased;
use crate::ledger::entry::Placed;
use crate::ledger::header::Header;
use crate::ledger::private::Opening;
use crate::ledger::tree::{self, Hash, TILE};
use crate::ledger::verify::{Beside, Check, EntryRow, Known, Step};
use crate::ledger::{Broken, Intact, Verification, Verifier};
use rusqlite::{Connection, OptionalExtension, Row, Rows};
use std::collections::BTreeMap;

/// Rows of a table in order, with a look at the next one.
struct Ahead<'s, T> {
    rows: Rows<'s>,
    head: Option<T>,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
}

impl<'s, T> Ahead<'s, T> {
    fn new(rows: Rows<'s>, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Ahead<'s, T>, StoreError> {
        let mut ahead = Ahead { rows, head: None, read };
        ahead.step()?;
        Ok(ahead)
    }

    /// Gives the head and moves on.
    fn step(&mut self) -> Result<Option<T>, StoreError> {
        let failed = || sql("reading the ledger");
        let next = self.rows.next().map_err(failed())?.map(self.read).transpose().map_err(failed())?;
        Ok(std::mem::replace(&mut self.head, next))
    }

    fn next_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Result<Option<T>, StoreError> {
        if self.head.as_ref().is_some_and(wanted) { self.step() } else { Ok(None) }
    }
}

/// Ends the pass when a step found something: what is broken is a result, not an error.
macro_rules! holds {
    ($step:expr) => {
        match $step {
            Ok(value) => value,
            Err(broken) => return Ok(Err(broken)),
        }
    };
}

/// Which entries a pass hands on, parsed and with their blobs put back.
#[derive(Clone, Copy, Debug)]
pub enum Fold<'a> {
    /// None: the pass is a check alone.
    Nothing,
    /// Those below a size.
    Below(u64),
    /// Those of some kinds.
    Only(&'a [Kind]),
}

impl Fold<'_> {
    fn wants(self, seq: u64, kind: &str) -> bool {
        match self {
            Fold::Nothing => false,
            Fold::Below(size) => seq < size,
            Fold::Only(kinds) => kinds.iter().any(|k| k.name() == kind),
        }
    }
}

impl Reader<'_> {
    /// Checks the whole record and hands the wanted entries to `fold` on the way.
    ///
    /// # Errors
    /// SQLite's reason only: what does not hold is in the [`Verification`].
    pub fn verify(
        &self,
        key: Option<Verifier>,
        wanted: Fold<'_>,
        mut fold: impl FnMut(&Placed),
    ) -> Result<Verification, StoreError> {
        Ok(said(self.pass(key, wanted, |_, _, _| Ok(()), &mut fold)?))
    }

    /// The same, and hands what was read of every entry, with its leaf hash, to `each` on the way.
    ///
    /// # Errors
    /// SQLite's reason only.
    pub fn verify_each(
        &self,
        mut each: impl FnMut(u64, &Header<'_>, &Hash),
    ) -> Result<Verification, StoreError> {
        let each = |seq, header: &Header<'_>, leaf: &Hash| {
            each(seq, header, leaf);
            Ok(())
        };
        Ok(said(self.pass(None, Fold::Nothing, each, &mut |_| {})?))
    }

    /// `each` gets what was read of every entry, `fold` the wanted ones.
    fn pass(
        &self,
        key: Option<Verifier>,
        wanted: Fold<'_>,
        mut each: impl FnMut(u64, &Header<'_>, &Hash) -> Result<(), StoreError>,
        fold: &mut impl FnMut(&Placed),
    ) -> Result<Step<Intact>, StoreError> {
        let failed = || sql("reading the ledger");
        // One view of the file, whatever is written meanwhile.
        let alone = self.db().is_autocommit();
        let _view = alone.then(|| self.db().unchecked_transaction()).transpose().map_err(failed())?;
        let mut check = Check::new(holds!(self.known(key)?));
        let mut statements = Statements::prepare(self.db()).map_err(failed())?;
        let Statements { entries, notes, openings, tile, blob } = &mut statements;
        let mut notes = Ahead::new(notes.query([]).map_err(failed())?, |r| Ok((number(r, 0)?, r.get(1)?)))?;
        let mut openings = Ahead::new(openings.query([]).map_err(failed())?, opening)?;
        let mut rows = entries.query([]).map_err(failed())?;
        while let Some(r) = rows.next().map_err(failed())? {
            let bytes = r.get_ref(1).and_then(|b| Ok(b.as_blob()?)).map_err(failed())?;
            let row = EntryRow { seq: number(r, 0).map_err(failed())?, bytes };
            let mut beside = holds!(check.entry(&row));
            for full in &beside.tiles {
                let stored: Option<(Vec<u8>, Vec<u8>)> = tile
                    .query_row((full.level, full.index), |r| Ok((r.get(0)?, r.get(1)?)))
                    .optional()
                    .map_err(failed())?;
                holds!(check.tile(full, stored.as_ref().map(|(root, hashes)| (&root[..], &hashes[..]))));
            }
            for named in std::mem::take(&mut beside.header.blobs) {
                let stored: Option<(u64, Vec<u8>)> = blob
                    .query_row([named.sha256], |r| Ok((number(r, 0)?, r.get(1)?)))
                    .optional()
                    .map_err(failed())?;
                holds!(check.blob(
                    &mut beside,
                    &named,
                    stored.as_ref().map(|(seq, bytes)| (*seq, &bytes[..]))
                ));
            }
            holds!(check.openings(&beside, &openings_of(&beside, &mut openings)?));
            while let Some((size, note)) = notes.next_if(|(size, _): &(u64, String)| *size <= check.size())? {
                if let Err(broken) = check.checkpoint(size, &note) {
                    let stored: Option<Vec<u8>> =
                        tile.query_row((0, check.size() / TILE), |r| r.get(1)).optional().map_err(failed())?;
                    return Ok(Err(check.located(broken, stored.as_deref())));
                }
            }
            each(row.seq, &beside.header, &beside.leaf)?;
            if wanted.wants(row.seq, beside.header.kind) {
                fold(&self.placed(row.seq, bytes)?);
            }
        }
        if let Some((seq, _)) = openings.head {
            return Ok(Err(nowhere(
                &check,
                format!("private value of entry {seq}"),
                "there is no such entry",
            )));
        }
        // A trigger that keeps what is erased, or a table beside the others, is not ours.
        let strange = schema::objects(self.db())?.difference(&schema::expected_objects()?).next().cloned();
        if let Some((name, _)) = strange {
            return Ok(Err(nowhere(&check, format!("the table or trigger {name}"), "is none of a ledger's")));
        }
        let count = |table: &str| {
            self.db().query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).map_err(failed())
        };
        Ok(check.finish(count("tile")?, count("blob")?, notes.head.map(|(size, _)| size)))
    }

    fn placed(&self, seq: u64, bytes: &[u8]) -> Result<Placed, StoreError> {
        let entry = serde_json::from_slice(bytes).map_err(|_| StoreError::Unreadable(seq))?;
        Ok(Placed { seq, leaf: tree::leaf(bytes), entry: self.with_blobs(entry)? })
    }

    /// What the pass must know before it meets the entry that tells it.
    fn known(&self, key: Option<Verifier>) -> Result<Step<Known>, StoreError> {
        let failed = || sql("reading the ledger");
        let mut statement = self.db().prepare("SELECT year, key FROM pseudonym").map_err(failed())?;
        let pseudonyms: BTreeMap<i16, [u8; 32]> =
            match statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).and_then(Iterator::collect) {
                Ok(pseudonyms) => pseudonyms,
                Err(e) => return Ok(Err(unread("a pseudonym key", format!("cannot be read: {e}")))),
            };
        let erasures: BTreeMap<u64, PrivateErased> = match self.erasures() {
            Ok(erasures) => erasures,
            Err(e) => return Ok(Err(unread("an erasure", format!("names no entry that can be read: {e}")))),
        };
        Ok(Ok(Known { key, pseudonyms, erasures }))
    }
}

fn said(step: Step<Intact>) -> Verification {
    match step {
        Ok(intact) => Verification::Intact(Box::new(intact)),
        Err(broken) => Verification::Broken(*broken),
    }
}

fn unread(first_bad: &str, what: String) -> Box<Broken> {
    Box::new(Broken { first_bad: first_bad.into(), seq: None, what, between: None, intact_up_to: 0 })
}

fn nowhere(check: &Check, first_bad: String, what: &str) -> Box<Broken> {
    let seq = Some(check.size());
    Box::new(Broken { first_bad, seq, what: what.into(), between: None, intact_up_to: check.size() })
}

struct Statements<'c> {
    entries: rusqlite::Statement<'c>,
    notes: rusqlite::Statement<'c>,
    openings: rusqlite::Statement<'c>,
    tile: rusqlite::Statement<'c>,
    blob: rusqlite::Statement<'c>,
}

impl Statements<'_> {
    fn prepare(db: &Connection) -> rusqlite::Result<Statements<'_>> {
        Ok(Statements {
            entries: db.prepare("SELECT seq, bytes FROM entry ORDER BY seq")?,
            notes: db.prepare("SELECT size, note FROM checkpoint ORDER BY size")?,
            openings: db
                .prepare("SELECT seq, commitment, salt, value FROM opening ORDER BY seq, commitment")?,
            tile: db.prepare("SELECT root, hashes FROM tile WHERE level = ?1 AND idx = ?2")?,
            blob: db.prepare("SELECT seq, bytes FROM blob WHERE sha256 = ?1")?,
        })
    }
}

/// A number that is never negative; one that is belongs to nothing, and the check says so.
fn number(r: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(r.get::<_, i64>(column)?).unwrap_or(u64::MAX))
}

pub(super) fn opening(r: &Row<'_>) -> rusqlite::Result<(u64, Opening)> {
    let salt: Vec<u8> = r.get(2)?;
    // A salt of another length opens nothing; the check says so.
    let salt = salt.try_into().unwrap_or([0; 16]);
    Ok((number(r, 0)?, Opening { commitment: r.get(1)?, salt, value: r.get(3)? }))
}

fn openings_of(
    beside: &Beside<'_>,
    rows: &mut Ahead<'_, (u64, Opening)>,
) -> Result<Vec<Opening>, StoreError> {
    let mut found = Vec::new();
    while let Some((_, opening)) = rows.next_if(|(seq, _)| *seq <= beside.seq)? {
        found.push(opening);
    }
    Ok(found)
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
    ) -> Result<Result<Intact, Broken>, StoreError> {
        Ok(match self.reader().verify(None, Fold::Below(upto), fold)? {
            Verification::Intact(intact) => Ok(*intact),
            Verification::Broken(broken) => Err(broken),
        })
    }

    /// The same of all entries, which also folds `state.db` anew in the same pass: see [`Store::put_right`].
    ///
    /// # Errors
    /// As [`Store::verified`].
    pub fn verified_anew(
        &self,
        mut fold: impl FnMut(&Placed),
    ) -> Result<Result<(Intact, Anew), Broken>, StoreError> {
        let mut anew = Anew::begin(&self.path)?;
        let each = |seq, header: &Header<'_>, _: &Hash| anew.add(seq, header);
        match self.reader().pass(None, Fold::Below(u64::MAX), each, &mut fold)? {
            Ok(intact) => Ok(Ok((intact, anew))),
            Err(broken) => Ok(Err(*broken)),
        }
    }
}
