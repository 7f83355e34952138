//! Writing: one transaction with entries, openings, blobs, tiles and the signed checkpoint over them.

use super::{Store, StoreError, sql};
use crate::clock::{Clock, Randomness};
use crate::evidence::record::{LedgerOpened, SourceRun};
use crate::evidence::{Evidence, Kind, Nature, Time};
use crate::ledger::entry::{FORMAT, take_blobs};
use crate::ledger::private::{self, Opening};
use crate::ledger::tree::{Frontier, Hash, TILE, leaf};
use crate::ledger::{Checkpoint, Entry, Signer, canonical};
use rusqlite::{Transaction, TransactionBehavior};
use sha2::{Digest, Sha256};

/// What writing needs: the right to sign, the time, and salts.
pub struct Writer<'a> {
    /// Signs checkpoints.
    pub signer: &'a Signer,
    /// Gives `recorded_at`.
    pub clock: &'a Clock,
    /// Gives salts.
    pub randomness: &'a Randomness,
}

/// What a batch left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// Entries written, the closing one included.
    pub entries: u64,
    /// Size of the ledger now.
    pub size: u64,
    /// The signed checkpoint over it.
    pub note: String,
}

impl Store {
    pub(super) fn begin_ledger(&mut self, writer: &Writer<'_>, reason: &str) -> Result<(), StoreError> {
        let opened = LedgerOpened {
            origin: writer.signer.verifier().name().to_owned(),
            public_key: writer.signer.verifier().vkey(),
            format: FORMAT,
            predecessor: None,
            reason: reason.to_owned(),
        };
        let now = writer.clock.now();
        let subject = format!("ledger:{}", opened.origin);
        let entry = Evidence::event(Kind::LedgerOpened, "actledger", "opened".into(), subject, now, &opened);
        self.append(writer, vec![entry]).map(|_| ())
    }

    /// Appends what is new of some evidence.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written then.
    pub fn append(&mut self, writer: &Writer<'_>, batch: Vec<Evidence>) -> Result<Appended, StoreError> {
        self.write(writer, batch, None)
    }

    /// Appends what is new of a look and closes the batch with its `source.run`, which carries the cursor.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written then, the cursor included.
    pub fn append_look(
        &mut self,
        writer: &Writer<'_>,
        source: &str,
        batch: Vec<Evidence>,
        run: SourceRun,
    ) -> Result<Appended, StoreError> {
        self.write(writer, batch, Some((source, run)))
    }

    fn write(
        &mut self,
        writer: &Writer<'_>,
        batch: Vec<Evidence>,
        look: Option<(&str, SourceRun)>,
    ) -> Result<Appended, StoreError> {
        let recorded_at = self.check_clock(writer.clock)?;
        let failed = || sql("writing to the ledger");
        let Store { ledger, state, .. } = self;
        let tx = ledger.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed())?;
        let reader = super::Reader::over(&tx);
        state.catch_up(&reader)?;
        let size = reader.size()?;
        check_key(&reader, writer)?;
        check_head(&reader, &tx, size)?;
        let year = recorded_at.timestamp().to_zoned(jiff::tz::TimeZone::UTC).year();
        let mut rows =
            Rows { tx: &tx, writer, recorded_at, key: private::year_key(writer.signer.secret(), year), size };
        let mut new = state.sieve();
        for evidence in batch {
            let digest = state_digest(&evidence, &rows.key)?;
            if new.wants(&evidence, digest.as_ref())? {
                rows.insert(evidence)?;
            }
        }
        if let Some((source, mut run)) = look {
            run.entries = rows.size - size;
            let (key, at) = (format!("{}@{}", run.look, rows.size), run.looked_at.unwrap_or(recorded_at));
            let subject = format!("source:{source}");
            rows.insert(Evidence::event(Kind::SourceRun, source, key, subject, at, &run))?;
        }
        let now = rows.size;
        let note = commit_checkpoint(&tx, writer.signer, size, now)?;
        tx.commit().map_err(failed())?;
        state.catch_up(&super::Reader::over(ledger))?;
        Ok(Appended { entries: now - size, size: now, note })
    }

    /// Erases openings for good, with the entry that says so. The entries that held them stay as they are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn erase(
        &mut self,
        writer: &Writer<'_>,
        which: &[(u64, Opening)],
        reason: &str,
    ) -> Result<u64, StoreError> {
        let commitments: Vec<&str> = which.iter().map(|(_, o)| o.commitment.as_str()).collect();
        for group in commitments.chunks(500) {
            let payload = serde_json::json!({ "commitments": group, "reason": reason });
            let key = crate::evidence::sha256_hex(group.concat().as_bytes());
            let now = writer.clock.now();
            let entry =
                Evidence::event(Kind::PrivateErased, "actledger", key, "private".into(), now, &payload);
            self.append(writer, vec![entry])?;
        }
        for (seq, opening) in which {
            let query = "DELETE FROM opening WHERE seq = ?1 AND commitment = ?2";
            self.ledger.execute(query, (seq, &opening.commitment)).map_err(sql("erasing a private value"))?;
        }
        self.ledger
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM")
            .map_err(sql("erasing the free pages"))?;
        Ok(which.len() as u64)
    }
}

/// The digest by which a state is the same; none for events.
fn state_digest(evidence: &Evidence, key: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
    match evidence.kind.nature() {
        Nature::Event => Ok(None),
        Nature::State => payload_digest(&evidence.payload, key).map(Some),
    }
}

pub(super) fn payload_digest(payload: &serde_json::Value, key: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    let mut comparable = private::comparable(payload, key);
    take_blobs(&mut comparable).map_err(crate::ledger::entry::EntryError::from)?;
    let bytes = canonical::bytes(&comparable).map_err(crate::ledger::entry::EntryError::from)?;
    Ok(Sha256::digest(bytes).to_vec())
}

struct Rows<'a> {
    tx: &'a Transaction<'a>,
    writer: &'a Writer<'a>,
    recorded_at: Time,
    key: [u8; 32],
    size: u64,
}

impl Rows<'_> {
    fn insert(&mut self, evidence: Evidence) -> Result<(), StoreError> {
        let failed = || sql("writing an entry");
        let Evidence { kind, source, key, subject, occurred_at, mut payload } = evidence;
        let (seq, mut draws, mut starved) = (self.size, 0, None);
        let openings = private::seal(&mut payload, &self.key, &mut || {
            draws += 1;
            self.writer.randomness.bytes(&format!("salt {seq} {draws}")).map_or_else(
                |e| {
                    starved = Some(e);
                    [0; 16]
                },
                |b| std::array::from_fn(|i| b[i]),
            )
        });
        if let Some(e) = starved {
            return Err(StoreError::Io("no random bytes for a salt".into(), e));
        }
        for blob in take_blobs(&mut payload).map_err(crate::ledger::entry::EntryError::from)? {
            let query = "INSERT OR IGNORE INTO blob (sha256, bytes) VALUES (?1, ?2)";
            self.tx.execute(query, (&blob.sha256, &blob.bytes)).map_err(failed())?;
        }
        let v = FORMAT;
        let entry =
            Entry { v, kind, source, key, subject, occurred_at, recorded_at: self.recorded_at, payload };
        let bytes = entry.bytes()?;
        let query = "INSERT INTO entry (seq, bytes, leaf) VALUES (?1, ?2, ?3)";
        self.tx.execute(query, (seq, &bytes, leaf(&bytes).as_slice())).map_err(failed())?;
        for o in openings {
            let query =
                "INSERT OR IGNORE INTO opening (seq, commitment, salt, value) VALUES (?1, ?2, ?3, ?4)";
            self.tx.execute(query, (seq, &o.commitment, o.salt.as_slice(), &o.value)).map_err(failed())?;
        }
        self.size += 1;
        Ok(())
    }
}

fn check_key(reader: &super::Reader<'_>, writer: &Writer<'_>) -> Result<(), StoreError> {
    let Some((_, note)) = reader.checkpoint(i64::MAX as u64)? else { return Ok(()) };
    let given = writer.signer.verifier();
    if given.open(&note).is_ok() || reader.declares_key(&given.vkey())? {
        return Ok(());
    }
    let expected = note.lines().last().and_then(|l| l.split(' ').nth(1)).unwrap_or_default().to_owned();
    Err(StoreError::WrongKey { given: given.vkey(), expected })
}

/// The rows that are there are those that the last checkpoint was signed over: nothing is signed on top of others.
fn check_head(reader: &super::Reader<'_>, tx: &Transaction<'_>, size: u64) -> Result<(), StoreError> {
    let note = reader.checkpoint(i64::MAX as u64)?.map(|(_, note)| note).unwrap_or_default();
    let text = note.split("\n\n").next().map(|t| format!("{t}\n")).unwrap_or_default();
    let fits = match Checkpoint::parse(&text) {
        Ok(said) => said.size == size && said.root == root(tx, size)?,
        Err(_) => size == 0 && note.is_empty(),
    };
    if fits { Ok(()) } else { Err(StoreError::Unsigned { size }) }
}

impl super::Reader<'_> {
    /// Whether the last entry hands the signing over to this key.
    pub(crate) fn declares_key(&self, vkey: &str) -> Result<bool, StoreError> {
        let last = self.entry(self.size()?.saturating_sub(1))?.entry;
        Ok(last.kind == Kind::LedgerKey && last.payload["public_key"] == vkey)
    }
}

/// Stores the tiles that became full and signs the root over everything.
fn commit_checkpoint(
    tx: &Transaction<'_>,
    signer: &Signer,
    from: u64,
    size: u64,
) -> Result<String, StoreError> {
    let failed = || sql("writing tiles");
    for level in 0u32.. {
        let width = TILE.pow(level + 1);
        if size / width == 0 {
            break;
        }
        for index in from / width..size / width {
            let hashes = nodes(tx, level, index * TILE, (index + 1) * TILE)?.concat();
            let query = "INSERT INTO tile (level, idx, hashes) VALUES (?1, ?2, ?3)";
            tx.execute(query, (level, index, hashes)).map_err(failed())?;
        }
    }
    let origin = signer.verifier().name().to_owned();
    let note = signer.sign(&Checkpoint { origin, size, root: root(tx, size)? }.text());
    let query = "INSERT INTO checkpoint (size, note) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.execute(query, (size, &note)).map_err(sql("writing a checkpoint"))?;
    Ok(note)
}

/// Hashes `lo..hi` of a tile level: leaves at level 0, else roots of the full tiles below.
fn nodes(tx: &Transaction<'_>, level: u32, lo: u64, hi: u64) -> Result<Vec<Hash>, StoreError> {
    let failed = || sql("reading tiles");
    let query = match level {
        0 => "SELECT leaf FROM entry WHERE ?1 = 0 AND seq >= ?2 AND seq < ?3 ORDER BY seq",
        _ => "SELECT hashes FROM tile WHERE level = ?1 - 1 AND idx >= ?2 AND idx < ?3 ORDER BY idx",
    };
    let mut statement = tx.prepare(query).map_err(failed())?;
    let rows = statement.query_map((level, lo, hi), |r| r.get::<_, Vec<u8>>(0)).map_err(failed())?;
    let mut found = Vec::new();
    for row in rows {
        let mut edge = Frontier::default();
        row.map_err(failed())?.chunks_exact(32).for_each(|h| edge.push(std::array::from_fn(|i| h[i])));
        found.push(edge.root());
    }
    Ok(found)
}

/// The root, from full tiles and the right edge of each level.
fn root(tx: &Transaction<'_>, size: u64) -> Result<Hash, StoreError> {
    let top = (0u32..).take_while(|l| size / TILE.pow(*l) > 0).last().unwrap_or(0);
    let mut edge = Frontier::default();
    for level in (0..=top).rev() {
        let here = size / TILE.pow(level);
        for hash in nodes(tx, level, here / TILE * TILE, here)? {
            edge.push_subtree(8 * level, hash);
        }
    }
    Ok(edge.root())
}
