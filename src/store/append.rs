//! Writing evidence: what is new of it becomes rows of one commit.

use super::commit::{Commit, Row};
use super::{Reader, State, Store, StoreError, sql};
use crate::clock::{Clock, Randomness};
use crate::evidence::record::{LedgerKey, LedgerOpened, Predecessor, PrivateErased, PrivateKey, SourceRun};
use crate::evidence::{Evidence, Kind, Nature, Time};
use crate::ledger::entry::{BLOB_OVER, EntryError, FORMAT, check_form, take_blobs};
use crate::ledger::private::{self, Opening};
use crate::ledger::{Entry, Signer, canonical};
use rusqlite::OptionalExtension;
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
    pub(super) fn begin_ledger(
        &mut self,
        writer: &Writer<'_>,
        reason: &str,
        predecessor: Option<Predecessor>,
    ) -> Result<(), StoreError> {
        let opened = LedgerOpened {
            origin: writer.signer.verifier().name().to_owned(),
            public_key: writer.signer.verifier().vkey(),
            format: FORMAT,
            predecessor,
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
    pub fn append(
        &mut self,
        writer: &Writer<'_>,
        batch: impl IntoIterator<Item = Evidence>,
    ) -> Result<Appended, StoreError> {
        self.write(writer, None, |rows, state| rows.new_of(batch, state))
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
        mut run: SourceRun,
    ) -> Result<Appended, StoreError> {
        self.write(writer, None, |rows, state| {
            let from = rows.commit.size();
            rows.new_of(batch, state)?;
            run.entries = rows.commit.size() - from;
            let key = format!("{}@{}", run.look, rows.commit.size());
            let (at, subject) = (run.looked_at.unwrap_or(rows.recorded_at), format!("source:{source}"));
            rows.insert(Evidence::event(Kind::SourceRun, source, key, subject, at, &run))
        })
    }

    /// Hands the signing over: the checkpoint over the change is signed by both keys, later ones by the next alone.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written then.
    pub fn hand_over(&mut self, writer: &Writer<'_>, next: &Signer) -> Result<Appended, StoreError> {
        if next.verifier() == writer.signer.verifier() {
            return Err(StoreError::SignsAlready(next.verifier().vkey()));
        }
        let public_key = next.verifier().vkey();
        let (key, payload, now) = (public_key.clone(), LedgerKey { public_key }, writer.clock.now());
        let entry = Evidence::event(Kind::LedgerKey, "actledger", key, "ledger:key".into(), now, &payload);
        self.write(writer, Some(next), |rows, _| rows.insert(entry))
    }

    /// Erases openings for good, in the transaction of the entry that says so: those of entries below a number, or the
    /// named ones. The entries that held them stay as they are. Gives how many openings went.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was erased then. [`StoreError::StillInLog`] when everything was, and a reader keeps
    /// the old pages in the write-ahead log.
    pub fn erase(
        &mut self,
        writer: &Writer<'_>,
        below: u64,
        named: &[(u64, Opening)],
        reason: &str,
    ) -> Result<u64, StoreError> {
        // What is erased is overwritten with zeros.
        let zeros = self.ledger.pragma_update(None, "secure_delete", true);
        zeros.map_err(sql("erasing private values"))?;
        let mut count = 0;
        self.write(writer, None, |rows, _| {
            count = rows.erase(below, named, reason)?;
            Ok(())
        })?;
        self.scrub()?;
        Ok(count)
    }

    /// Takes what was erased off the disk: rows that moved leave copies in the gaps of pages, so the file is written
    /// anew, and the write-ahead log is emptied.
    ///
    /// # Errors
    /// [`StoreError::StillInLog`] when a reader keeps old pages.
    pub fn scrub(&self) -> Result<(), StoreError> {
        self.ledger.execute_batch("VACUUM").map_err(sql("writing the ledger anew"))?;
        self.empty_log()
    }

    /// Empties the write-ahead log into the file.
    ///
    /// # Errors
    /// [`StoreError::StillInLog`] when a reader keeps old pages.
    pub fn empty_log(&self) -> Result<(), StoreError> {
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy = self.ledger.query_row(truncate, [], |r| r.get::<_, i64>(0));
        if busy.map_err(sql("emptying the write-ahead log"))? == 0 {
            Ok(())
        } else {
            Err(StoreError::StillInLog)
        }
    }

    fn write(
        &mut self,
        writer: &Writer<'_>,
        next: Option<&Signer>,
        fill: impl FnOnce(&mut Rows<'_>, &State) -> Result<(), StoreError>,
    ) -> Result<Appended, StoreError> {
        let Store { ledger, state, .. } = self;
        state.catch_up(&Reader::over(ledger))?;
        let (from, (size, note)) = {
            let commit = Commit::begin(ledger, writer.signer)?;
            // Another process may have written between the two: what is new, and when, is told under the lock.
            state.catch_up(&Reader::over(&commit.tx))?;
            let recorded_at = commit.time(writer.clock)?;
            let from = commit.size();
            let year = recorded_at.timestamp().to_zoned(jiff::tz::TimeZone::UTC).year();
            let mut rows = Rows { commit, writer, recorded_at, year, key: None };
            fill(&mut rows, state)?;
            (from, rows.commit.finish(writer.signer, next)?)
        };
        state.catch_up(&Reader::over(ledger))?;
        Ok(Appended { entries: size - from, size, note })
    }
}

/// The digest by which a payload is the same, references in place of private values.
pub(super) fn payload_digest(payload: &serde_json::Value, key: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    if !private::has_any(payload) {
        let bytes = canonical::bytes(payload).map_err(EntryError::from)?;
        // Nothing in it is large enough to be a blob.
        if bytes.len() <= BLOB_OVER {
            return Ok(Sha256::digest(bytes).to_vec());
        }
    }
    let mut comparable = private::comparable(payload, key);
    take_blobs(&mut comparable).map_err(EntryError::from)?;
    let bytes = canonical::bytes(&comparable).map_err(EntryError::from)?;
    Ok(Sha256::digest(bytes).to_vec())
}

impl Store {
    /// Whether the latest entry of each state says the same as some evidence; of private values, it does not tell.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn hold(&self, all: &[Evidence]) -> Result<Vec<bool>, StoreError> {
        let state = self.state();
        let _reading = state.reading()?;
        let holds = |evidence: &Evidence| {
            let known = state.latest(&evidence.source, evidence.kind, &evidence.subject)?;
            let Some((known, _)) = known.filter(|_| !private::has_open(&evidence.payload)) else {
                return Ok(false);
            };
            Ok(known == payload_digest(&evidence.payload, &[0; 32])?)
        };
        all.iter().map(holds).collect()
    }
}

/// Entries on their way into a commit.
struct Rows<'a> {
    commit: Commit<'a>,
    writer: &'a Writer<'a>,
    recorded_at: Time,
    year: i16,
    key: Option<[u8; 32]>,
}

impl Rows<'_> {
    /// Inserts what was not written before: events by their key, states by their digest.
    fn new_of(&mut self, batch: impl IntoIterator<Item = Evidence>, state: &State) -> Result<(), StoreError> {
        let _reading = state.reading()?;
        let mut new = state.sieve();
        for evidence in batch {
            if private::has_open(&evidence.payload) {
                self.pseudonym_key()?;
            }
            let digest = match evidence.kind.nature() {
                Nature::Event => None,
                Nature::State => Some(payload_digest(&evidence.payload, &self.key.unwrap_or_default())?),
            };
            if new.wants(&evidence, digest.as_ref())? {
                self.insert(evidence)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, evidence: Evidence) -> Result<(), StoreError> {
        let Evidence { kind, source, key, subject, occurred_at, mut payload } = evidence;
        let openings = if private::has_open(&payload) { self.seal(&mut payload)? } else { Vec::new() };
        let blobs = take_blobs(&mut payload).map_err(EntryError::from)?;
        let recorded_at = self.recorded_at;
        let entry = Entry { v: FORMAT, kind, source, key, subject, occurred_at, recorded_at, payload };
        let bytes = entry.bytes()?;
        check_form(&bytes, &blobs)?;
        self.commit.push(Row { bytes, openings, blobs });
        Ok(())
    }

    fn seal(&mut self, payload: &mut serde_json::Value) -> Result<Vec<Opening>, StoreError> {
        let key = self.pseudonym_key()?;
        let (seq, mut draws, mut starved) = (self.commit.size(), 0, None);
        let openings = private::seal(payload, &key, &mut || {
            draws += 1;
            self.writer.randomness.bytes(&format!("salt {seq} {draws}")).map_or_else(
                |e| {
                    starved = Some(e);
                    [0; 16]
                },
                |b| std::array::from_fn(|i| b[i]),
            )
        });
        match starved {
            Some(e) => Err(StoreError::Io("no random bytes for a salt".into(), e)),
            None => Ok(openings),
        }
    }

    /// The pseudonym key of this year; the first use makes it and says so.
    fn pseudonym_key(&mut self) -> Result<[u8; 32], StoreError> {
        let failed = || sql("reading the pseudonym key");
        if let Some(key) = self.key {
            return Ok(key);
        }
        let query = "SELECT key FROM pseudonym WHERE year = ?1";
        let kept: Option<[u8; 32]> =
            self.commit.tx.query_row(query, [self.year], |r| r.get(0)).optional().map_err(failed())?;
        let key = match kept {
            Some(key) => key,
            None => {
                let label = format!("pseudonym key {}", self.year);
                let key = self.writer.randomness.bytes(&label);
                let key = key.map_err(|e| StoreError::Io("no random bytes for a pseudonym key".into(), e))?;
                let query = "INSERT INTO pseudonym (year, key) VALUES (?1, ?2)";
                self.commit.tx.execute(query, (self.year, key.as_slice())).map_err(failed())?;
                let said = PrivateKey { year: self.year, commitment: private::key_commitment(&key) };
                let (name, at) = (self.year.to_string(), self.recorded_at);
                self.insert(Evidence::event(
                    Kind::PrivateKey,
                    "actledger",
                    name,
                    "private".into(),
                    at,
                    &said,
                ))?;
                key
            }
        };
        self.key = Some(key);
        Ok(key)
    }

    fn erase(&mut self, below: u64, named: &[(u64, Opening)], reason: &str) -> Result<u64, StoreError> {
        let failed = || sql("erasing private values");
        let tx = &self.commit.tx;
        let mut count = tx.execute("DELETE FROM opening WHERE seq < ?1", [below]).map_err(failed())? as u64;
        for (seq, opening) in named {
            let query = "DELETE FROM opening WHERE seq = ?1 AND commitment = ?2";
            count += tx.execute(query, (seq, &opening.commitment)).map_err(failed())? as u64;
        }
        let years = self.years_without_openings()?;
        for year in &years {
            self.commit.tx.execute("DELETE FROM pseudonym WHERE year = ?1", [year]).map_err(failed())?;
        }
        let all: Vec<String> = named.iter().map(|(_, o)| o.commitment.clone()).collect();
        let mut groups: Vec<&[String]> = all.chunks(500).collect();
        if groups.is_empty() {
            groups.push(&[]);
        }
        for (i, group) in groups.into_iter().enumerate() {
            let (first, seq, at) = (i == 0, self.commit.size(), self.recorded_at);
            let said = PrivateErased {
                below: if first { below } else { 0 },
                commitments: group.to_vec(),
                years: if first { years.clone() } else { Vec::new() },
                count: if first { count } else { 0 },
                reason: reason.to_owned(),
            };
            let query = "INSERT INTO erasure (seq) VALUES (?1)";
            self.commit.tx.execute(query, [seq]).map_err(sql("writing an erasure"))?;
            self.insert(Evidence::event(
                Kind::PrivateErased,
                "actledger",
                seq.to_string(),
                "private".into(),
                at,
                &said,
            ))?;
        }
        Ok(count)
    }

    /// Years that are over and of which no private value is left: their pseudonym key goes as well.
    fn years_without_openings(&self) -> Result<Vec<i16>, StoreError> {
        let failed = || sql("reading private values");
        let mut statement =
            self.commit.tx.prepare("SELECT year FROM pseudonym ORDER BY year").map_err(failed())?;
        let years: Vec<i16> =
            statement.query_map([], |r| r.get(0)).and_then(Iterator::collect).map_err(failed())?;
        let reader = Reader::over(&self.commit.tx);
        let mut gone = Vec::new();
        for year in years.into_iter().filter(|y| *y < self.year) {
            let start = |y: i16| format!("{y:04}-01-01").parse::<Time>().unwrap_or_default();
            let (from, to) = (reader.first_recorded(start(year))?, reader.first_recorded(start(year + 1))?);
            let query = "SELECT count(*) FROM opening WHERE seq >= ?1 AND seq < ?2";
            let left: u64 = self.commit.tx.query_row(query, (from, to), |r| r.get(0)).map_err(failed())?;
            if left == 0 {
                gone.push(year);
            }
        }
        Ok(gone)
    }
}
