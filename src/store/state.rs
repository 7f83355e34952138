//! `state.db`: indexes and the present state of findings, folded from the entries. Deleting it loses nothing.

use super::append::payload_digest;
use super::{Reader, StoreError, schema, sql};
use crate::evidence::sentinel::{GONE, SETTLED, mark};
use crate::evidence::{Evidence, Kind, Nature, short_digest};
use crate::ledger::header::Header;
use crate::sources::Known;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, types::Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Entries that are folded in one transaction of `state.db`, at most.
const BATCH: u64 = 100_000;

/// The state of what is no longer there.
const GONE_PAYLOAD: &[u8] = br#"{"gone":true}"#;

const DERIVED: [(&str, &str); 7] = [
    ("folded", "SELECT one, upto FROM folded ORDER BY 1"),
    ("seen", "SELECT event, seq FROM seen ORDER BY 1"),
    ("own", "SELECT kind, seq FROM own ORDER BY 1, 2"),
    ("latest", "SELECT source, kind, subject, digest, seq, gone FROM latest ORDER BY 1, 2, 3"),
    ("cursor", "SELECT source, look, seq FROM cursor ORDER BY 1"),
    ("delivered", "SELECT source, subject, mark, revision, selection, seq FROM delivered ORDER BY 1, 2"),
    ("finding", "SELECT finding, unit, number, status, seq FROM finding ORDER BY 1, 2"),
];

/// The derived tables.
pub struct State(Connection);

/// One unit of one finding as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// `control system`.
    pub finding: String,
    /// The unit.
    pub unit: String,
    /// Its number.
    pub number: u64,
    /// Its status; null when the unit is gone.
    pub status: Option<String>,
}

/// Tells what of a batch is new, the batch itself included.
pub(super) struct Sieve<'a> {
    state: &'a State,
    seen: BTreeSet<Event>,
    latest: BTreeMap<(String, Kind, String), Vec<u8>>,
}

impl Sieve<'_> {
    pub(super) fn wants(&mut self, e: &Evidence, digest: Option<&Vec<u8>>) -> Result<bool, StoreError> {
        match (e.kind.nature(), digest) {
            (Nature::State, Some(digest)) => {
                let place = (e.source.clone(), e.kind, e.subject.clone());
                let known = match self.latest.get(&place) {
                    Some(d) => Some(d.clone()),
                    None => self.state.latest(&e.source, e.kind, &e.subject)?.map(|(d, _)| d),
                };
                self.latest.insert(place, digest.clone());
                Ok(known.as_ref() != Some(digest))
            }
            _ => {
                let event = event(e.kind, &e.source, &e.key);
                Ok(!self.state.seen(&event)? && self.seen.insert(event))
            }
        }
    }
}

impl State {
    pub(super) fn open(path: &Path) -> Result<State, StoreError> {
        schema::open_state(path).map(State)
    }

    /// What is read while it lasts is read in one transaction: a lock of the file for each row costs more than the row.
    pub(super) fn reading(&self) -> Result<Transaction<'_>, StoreError> {
        self.0.unchecked_transaction().map_err(sql("reading state.db"))
    }

    pub(super) fn sieve(&self) -> Sieve<'_> {
        Sieve { state: self, seen: BTreeSet::new(), latest: BTreeMap::new() }
    }

    /// Entries that are folded; none when the row is gone.
    pub(super) fn folded(&self) -> Result<Option<u64>, StoreError> {
        let row = self.0.query_row("SELECT upto FROM folded", [], |r| r.get::<_, i64>(0)).optional();
        Ok(row.map_err(sql("reading state.db"))?.and_then(|n| u64::try_from(n).ok()))
    }

    /// Folds the entries that are not folded yet.
    pub(super) fn catch_up(&self, reader: &Reader<'_>) -> Result<(), StoreError> {
        let failed = || sql("folding into state.db");
        let from = self.folded()?;
        let size = reader.size()?;
        let Some(from) = from else {
            // Nobody knows how far: anew.
            self.clear().map_err(failed())?;
            return self.catch_up(reader);
        };
        if from > size {
            return Err(StoreError::OlderLedger { known: from, size });
        }
        let mut at = from;
        while at < size {
            let to = size.min(at + BATCH);
            let mut batch = Folded::default();
            reader.each_row(at, to, |seq, bytes| {
                batch.add(seq, &Header::read(bytes).ok_or(StoreError::Unreadable(seq))?)
            })?;
            self.write(batch, to).map_err(failed())?;
            at = to;
        }
        Ok(())
    }

    /// Writes a batch in the order of the tables' keys: a million rows go in one after the other.
    fn write(&self, batch: Folded, upto: u64) -> rusqlite::Result<()> {
        let tx = self.0.unchecked_transaction()?;
        let mut seen = tx.prepare_cached("INSERT OR REPLACE INTO seen (event, seq) VALUES (?1, ?2)")?;
        let mut rows = batch.seen;
        rows.sort_unstable();
        for (event, seq) in rows {
            seen.execute((event.as_slice(), seq))?;
        }
        let mut own = tx.prepare_cached("INSERT OR REPLACE INTO own (kind, seq) VALUES (?1, ?2)")?;
        for (kind, seq) in batch.own {
            own.execute((kind, seq))?;
        }
        let query = "INSERT OR REPLACE INTO latest (source, kind, subject, digest, seq, gone) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut latest = tx.prepare_cached(query)?;
        for ((source, kind, subject), (digest, seq, gone)) in batch.latest {
            latest.execute((source, kind, subject, digest, seq, gone))?;
        }
        let mut cursor =
            tx.prepare_cached("INSERT OR REPLACE INTO cursor (source, look, seq) VALUES (?1, ?2, ?3)")?;
        for (source, (look, seq)) in batch.cursor {
            cursor.execute((source, look, seq))?;
        }
        let query = "INSERT OR REPLACE INTO delivered (source, subject, mark, revision, selection, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut delivered = tx.prepare_cached(query)?;
        for ((source, subject), (d, seq)) in batch.delivered {
            delivered.execute((source, subject, d.mark, d.revision, d.selection, seq))?;
        }
        let query =
            "INSERT OR REPLACE INTO finding (finding, unit, number, status, seq) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut finding = tx.prepare_cached(query)?;
        for ((name, unit), (number, status, seq)) in batch.finding {
            finding.execute((name, unit, number, status, seq))?;
        }
        tx.execute("INSERT OR REPLACE INTO folded (one, upto) VALUES (1, ?1)", [upto])?;
        drop((seen, own, latest, cursor, delivered, finding));
        tx.commit()
    }

    /// Digest and whether it is gone, of the latest entry of a state.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn latest(
        &self,
        source: &str,
        kind: Kind,
        subject: &str,
    ) -> Result<Option<(Vec<u8>, bool)>, StoreError> {
        let query = "SELECT digest, gone FROM latest WHERE source = ?1 AND kind = ?2 AND subject = ?3";
        let row = self.0.prepare_cached(query).and_then(|mut statement| {
            statement.query_row((source, kind.name(), subject), |r| Ok((r.get(0)?, r.get(1)?))).optional()
        });
        row.map_err(sql("reading state.db"))
    }

    /// Subjects of a kind that a source showed last and that are not gone.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn present(&self, source: &str, kind: Kind) -> Result<Vec<String>, StoreError> {
        let failed = || sql("reading state.db");
        let query =
            "SELECT subject FROM latest WHERE source = ?1 AND kind = ?2 AND gone = 0 ORDER BY subject";
        let mut statement = self.0.prepare(query).map_err(failed())?;
        let rows = statement.query_map((source, kind.name()), |r| r.get(0)).map_err(failed())?;
        rows.collect::<Result<_, _>>().map_err(failed())
    }

    /// The same from one subject on and before another, in their order, at most so many.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn present_within(
        &self,
        source: &str,
        kind: Kind,
        from: &str,
        to: &str,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let failed = || sql("reading state.db");
        let query = "SELECT subject FROM latest WHERE source = ?1 AND kind = ?2 AND subject >= ?3 AND subject < ?4 AND gone = 0
                     ORDER BY subject LIMIT ?5";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut statement = self.0.prepare_cached(query).map_err(failed())?;
        let rows =
            statement.query_map((source, kind.name(), from, to, most), |r| r.get(0)).map_err(failed())?;
        rows.collect::<Result<_, _>>().map_err(failed())
    }

    /// The number of the last entry of a state.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn latest_entry(&self, source: &str, kind: Kind, subject: &str) -> Result<Option<u64>, StoreError> {
        let query = "SELECT seq FROM latest WHERE source = ?1 AND kind = ?2 AND subject = ?3";
        let row = self.0.query_row(query, (source, kind.name(), subject), |r| r.get(0));
        row.optional().map_err(sql("reading state.db"))
    }

    fn seen(&self, event: &Event) -> Result<bool, StoreError> {
        let statement = self.0.prepare_cached("SELECT 1 FROM seen WHERE event = ?1");
        let row = statement.and_then(|mut s| s.query_row([event.as_slice()], |_| Ok(())).optional());
        Ok(row.map_err(sql("reading state.db"))?.is_some())
    }

    /// Entries of a kind of event that the ledger itself wrote.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn own_events(&self, kind: Kind) -> Result<Vec<u64>, StoreError> {
        let failed = || sql("reading state.db");
        let mut statement =
            self.0.prepare("SELECT seq FROM own WHERE kind = ?1 ORDER BY seq").map_err(failed())?;
        statement.query_map([kind.name()], |r| r.get(0)).and_then(Iterator::collect).map_err(failed())
    }

    /// The look that a source was read up to.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn cursor(&self, source: &str) -> Result<Option<String>, StoreError> {
        let row = self.0.query_row("SELECT look FROM cursor WHERE source = ?1", [source], |r| r.get(0));
        row.optional().map_err(sql("reading state.db"))
    }

    /// The entry of the last look at a source.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn last_look(&self, source: &str) -> Result<Option<u64>, StoreError> {
        let row = self.0.query_row("SELECT seq FROM cursor WHERE source = ?1", [source], |r| r.get(0));
        row.optional().map_err(sql("reading state.db"))
    }

    /// A flow-log object or window as it was last read.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn delivered(&self, source: &str, subject: &str) -> Result<Option<Known>, StoreError> {
        let query = "SELECT mark, revision, selection FROM delivered WHERE source = ?1 AND subject = ?2";
        let statement = self.0.prepare_cached(query);
        let row = statement.and_then(|mut s| {
            let read = |r: &rusqlite::Row<'_>| {
                Ok(Known { mark: r.get(0)?, revision: r.get(1)?, selection: r.get(2)? })
            };
            s.query_row((source, subject), read).optional()
        });
        row.map_err(sql("reading state.db"))
    }

    /// Subjects of a source with a mark.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn delivered_with(&self, source: &str, mark: &str) -> Result<Vec<String>, StoreError> {
        let failed = || sql("reading state.db");
        let query = "SELECT subject FROM delivered WHERE source = ?1 AND mark = ?2 ORDER BY subject";
        let mut statement = self.0.prepare(query).map_err(failed())?;
        statement.query_map((source, mark), |r| r.get(0)).and_then(Iterator::collect).map_err(failed())
    }

    /// Names the first row of each table that differs from tables that were folded anew.
    pub(super) fn differences(&self, fresh: &State) -> Result<Vec<String>, StoreError> {
        let row = |(table, query)| Ok(self.difference(fresh, query)?.map(|row| (table, row)));
        let found = DERIVED.into_iter().filter_map(|table| row(table).transpose());
        let told = found.map(|found| found.map(|(table, row)| format!("state.db, table {table}: {row}")));
        told.collect::<rusqlite::Result<_>>().map_err(sql("comparing state.db"))
    }

    /// The first row that is another one in two sets of tables, ours where both have one.
    fn difference(&self, fresh: &State, query: &str) -> rusqlite::Result<Option<String>> {
        let (mut ours, mut theirs) = (self.0.prepare(query)?, fresh.0.prepare(query)?);
        let (mut ours, mut theirs) = (ours.query([])?, theirs.query([])?);
        loop {
            match (values(ours.next()?)?, values(theirs.next()?)?) {
                (None, None) => return Ok(None),
                (ours, theirs) if ours == theirs => {}
                (ours, theirs) => {
                    let row = ours.or(theirs).unwrap_or_default();
                    return Ok(Some(row.into_iter().map(text).collect::<Vec<_>>().join(" ")));
                }
            }
        }
    }

    /// Takes all rows away, so that everything is folded again.
    fn clear(&self) -> rusqlite::Result<()> {
        let tx = self.0.unchecked_transaction()?;
        for (table, _) in DERIVED {
            tx.execute(&format!("DELETE FROM {table}"), [])?;
        }
        tx.execute("INSERT INTO folded (one, upto) VALUES (1, 0)", [])?;
        tx.commit()
    }

    pub(super) fn replace_with(&self, fresh: &State) -> Result<(), StoreError> {
        let failed = || sql("building state.db anew");
        let tx = self.0.unchecked_transaction().map_err(failed())?;
        for (table, _) in DERIVED {
            tx.execute(&format!("DELETE FROM {table}"), []).map_err(failed())?;
            let mut from = fresh.0.prepare(&format!("SELECT * FROM {table}")).map_err(failed())?;
            let width = from.column_count();
            let places: Vec<String> = (1..=width).map(|i| format!("?{i}")).collect();
            let mut into =
                tx.prepare(&format!("INSERT INTO {table} VALUES ({})", places.join(","))).map_err(failed())?;
            let mut rows = from.query([]).map_err(failed())?;
            while let Some(r) = rows.next().map_err(failed())? {
                let row = values(Some(r)).map_err(failed())?.unwrap_or_default();
                into.execute(rusqlite::params_from_iter(row)).map_err(failed())?;
            }
        }
        tx.commit().map_err(failed())
    }

    /// Every unit that a finding was ever recorded for, as it stands.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn findings(&self) -> Result<Vec<FindingRow>, StoreError> {
        let failed = || sql("reading state.db");
        let mut statement =
            self.0.prepare("SELECT finding, unit, number, status FROM finding").map_err(failed())?;
        let rows = statement.query_map([], |r| {
            Ok(FindingRow { finding: r.get(0)?, unit: r.get(1)?, number: r.get(2)?, status: r.get(3)? })
        });
        rows.map_err(failed())?.collect::<Result<_, _>>().map_err(failed())
    }
}

fn values(row: Option<&Row<'_>>) -> rusqlite::Result<Option<Vec<Value>>> {
    let values = |row: &Row<'_>| (0..row.as_ref().column_count()).map(|i| row.get(i)).collect();
    row.map(values).transpose()
}

fn text(value: Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Integer(i) => i.to_string(),
        Value::Text(t) => t,
        Value::Blob(bytes) => bytes.iter().map(|b| format!("{b:02X}")).collect(),
        Value::Real(_) => String::new(),
    }
}

/// What an event is known by: kind, source and key.
type Event = [u8; 16];

fn event(kind: Kind, source: &str, key: &str) -> Event {
    short_digest([kind.name(), source, key])
}

/// Source, kind and subject of a state.
type Place = (String, &'static str, String);

/// Derived tables that are folded apart from `state.db`, entry by entry.
pub struct Anew {
    state: State,
    batch: Folded,
    upto: u64,
}

impl Anew {
    pub(super) fn begin(ledger: &Path) -> Result<Anew, StoreError> {
        let state = schema::state_apart(ledger).map(State)?;
        Ok(Anew { state, batch: Folded::default(), upto: 0 })
    }

    pub(super) fn add(&mut self, seq: u64, header: &Header<'_>) -> Result<(), StoreError> {
        self.batch.add(seq, header)?;
        self.upto = seq + 1;
        if self.upto.is_multiple_of(BATCH) { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        self.state.write(batch, self.upto).map_err(sql("building state.db anew"))
    }

    pub(super) fn end(mut self) -> Result<State, StoreError> {
        self.write()?;
        Ok(self.state)
    }
}

/// What a span of entries adds to the derived tables.
#[derive(Default)]
struct Folded {
    seen: Vec<(Event, u64)>,
    own: Vec<(&'static str, u64)>,
    latest: BTreeMap<Place, (Vec<u8>, u64, bool)>,
    cursor: BTreeMap<String, (String, u64)>,
    delivered: BTreeMap<(String, String), (Known, u64)>,
    finding: BTreeMap<(String, String), (u64, Option<String>, u64)>,
}

impl Folded {
    fn add(&mut self, seq: u64, header: &Header<'_>) -> Result<(), StoreError> {
        // A kind of a later version: kept in the ledger, of no use here.
        let Some(kind) = Kind::of(header.kind) else { return Ok(()) };
        match kind.nature() {
            Nature::Event => {
                self.seen.push((event(kind, &header.source, &header.key), seq));
                if header.source == "actledger" {
                    self.own.push((kind.name(), seq));
                }
            }
            Nature::State => {
                let digest = match header.sealed.is_empty() {
                    // The payload is canonical as it stands, and holds nothing that is compared by its reference.
                    true => Sha256::digest(header.payload).to_vec(),
                    false => payload_digest(&value(seq, header.payload)?, &[0; 32])?,
                };
                let gone = header.payload == GONE_PAYLOAD;
                let place = (header.source.to_string(), kind.name(), header.subject.to_string());
                self.latest.insert(place, (digest, seq, gone));
            }
        }
        match kind {
            Kind::SourceRun => {
                let payload = value(seq, header.payload)?;
                if let Some(look) = payload["look"].as_str().filter(|l| !l.is_empty()) {
                    self.cursor.insert(header.source.to_string(), (look.to_owned(), seq));
                }
            }
            Kind::FlowLogObject | Kind::FlowLogWindow => {
                // Of one that has another shape nothing is known: it is read once more.
                let Delivered { etag, digest, sha256, revision, selection } =
                    parsed(seq, header.payload).unwrap_or_default();
                let mark = etag.or(digest).or(sha256).unwrap_or_default();
                let place = (header.source.to_string(), header.subject.to_string());
                self.delivered.insert(place, (Known { mark, revision, selection }, seq));
            }
            Kind::SentinelRun => {
                let p = value(seq, header.payload)?;
                let text = |name: &str| p[name].as_str().unwrap_or_default();
                // A long list is a reference to a blob.
                let holds =
                    |name: &str| !p[name].is_null() && p[name].as_array().is_none_or(|l| !l.is_empty());
                let mark = mark(text("status"), holds("unread"), holds("denied")).to_owned();
                let place = (header.source.to_string(), text("run").to_owned());
                self.delivered.insert(place, (Known { mark, ..Known::default() }, seq));
            }
            Kind::TerraformStateVersion | Kind::TerraformWorkspace => {
                let id = header.subject.rsplit('/').next().unwrap_or_default().to_owned();
                let mark = if header.payload == GONE_PAYLOAD { GONE } else { SETTLED }.to_owned();
                let place = (header.source.to_string(), id);
                self.delivered.insert(place, (Known { mark, ..Known::default() }, seq));
            }
            Kind::AssessmentFinding => {
                let p = value(seq, header.payload)?;
                let text = |name: &str| p[name].as_str().map(str::to_owned);
                let place = (text("finding").unwrap_or_default(), text("unit").unwrap_or_default());
                self.finding.insert(place, (p["number"].as_u64().unwrap_or(0), text("to"), seq));
            }
            _ => {}
        }
        Ok(())
    }
}

/// What is kept of an object or window of flow logs; the rest of it is passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Delivered {
    etag: Option<String>,
    digest: Option<String>,
    sha256: Option<String>,
    revision: u64,
    selection: String,
}

fn value(seq: u64, payload: &[u8]) -> Result<serde_json::Value, StoreError> {
    parsed(seq, payload)
}

fn parsed<T: DeserializeOwned>(seq: u64, payload: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(payload).map_err(|_| StoreError::Unreadable(seq))
}
