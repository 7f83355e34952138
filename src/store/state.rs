//! `state.db`: indexes and the present state of findings, folded from the entries. Deleting it loses nothing.

use super::append::payload_digest;
use super::{Reader, StoreError, schema, sql};
use crate::evidence::{Evidence, Kind, Nature};
use crate::ledger::entry::Placed;
use rusqlite::{Connection, OptionalExtension, types::Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DERIVED: [(&str, &str); 5] = [
    ("folded", "SELECT one, upto FROM folded ORDER BY 1"),
    ("seen", "SELECT source, key, seq FROM seen ORDER BY 1, 2"),
    ("latest", "SELECT source, kind, subject, hex(digest), seq, gone FROM latest ORDER BY 1, 2, 3"),
    ("cursor", "SELECT source, look, seq FROM cursor ORDER BY 1"),
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
    seen: BTreeSet<(String, String)>,
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
                let key = format!("{} {}", e.kind.name(), e.key);
                Ok(!self.state.seen(&e.source, &key)? && self.seen.insert((e.source.clone(), key)))
            }
        }
    }
}

impl State {
    pub(super) fn open(path: &Path) -> Result<State, StoreError> {
        schema::open_state(path).map(State)
    }

    pub(super) fn in_memory() -> Result<State, StoreError> {
        schema::state_in_memory().map(State)
    }

    pub(super) fn sieve(&self) -> Sieve<'_> {
        Sieve { state: self, seen: BTreeSet::new(), latest: BTreeMap::new() }
    }

    /// Folds the entries that are not folded yet.
    pub(super) fn catch_up(&self, reader: &Reader<'_>) -> Result<(), StoreError> {
        let failed = || sql("folding into state.db");
        let from: Option<i64> =
            self.0.query_row("SELECT upto FROM folded", [], |r| r.get(0)).optional().map_err(failed())?;
        let from = from.and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
        let size = reader.size()?;
        if from > size {
            // An older ledger was put in place: what was folded of the newer one is not in it. Or nobody knows how far.
            let fresh = State::in_memory()?;
            fresh.catch_up(reader)?;
            return self.replace_with(&fresh);
        }
        if from == size {
            return Ok(());
        }
        let tx = self.0.unchecked_transaction().map_err(failed())?;
        reader.each(from, size, |placed| fold(&tx, &placed))?;
        tx.execute("UPDATE folded SET upto = ?1", [size]).map_err(failed())?;
        tx.commit().map_err(failed())
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
        let row = self.0.query_row(query, (source, kind.name(), subject), |r| Ok((r.get(0)?, r.get(1)?)));
        row.optional().map_err(sql("reading state.db"))
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

    fn seen(&self, source: &str, key: &str) -> Result<bool, StoreError> {
        let query = "SELECT 1 FROM seen WHERE source = ?1 AND key = ?2";
        let row = self.0.query_row(query, (source, key), |_| Ok(())).optional();
        Ok(row.map_err(sql("reading state.db"))?.is_some())
    }

    /// Entries of a kind of event that the ledger itself wrote.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn own_events(&self, kind: Kind) -> Result<Vec<u64>, StoreError> {
        let failed = || sql("reading state.db");
        let query = "SELECT seq FROM seen WHERE source = 'actledger' AND key >= ?1 AND key < ?2 ORDER BY seq";
        let mut statement = self.0.prepare(query).map_err(failed())?;
        let (from, to) = (format!("{} ", kind.name()), format!("{}!", kind.name()));
        statement.query_map((from, to), |r| r.get(0)).and_then(Iterator::collect).map_err(failed())
    }

    /// The look that a source was read up to.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn cursor(&self, source: &str) -> Result<Option<String>, StoreError> {
        let row = self.0.query_row("SELECT look FROM cursor WHERE source = ?1", [source], |r| r.get(0));
        row.optional().map_err(sql("reading state.db"))
    }

    /// Names what differs from tables that were folded anew.
    pub(super) fn differences(&self, fresh: &State) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for (table, query) in DERIVED {
            let (ours, theirs) = (self.dump(query)?, fresh.dump(query)?);
            let place = ours.iter().zip(&theirs).position(|(a, b)| a != b);
            if let Some(i) =
                place.or_else(|| (ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))
            {
                let row = ours.get(i).or(theirs.get(i)).map(|r| r.join(" ")).unwrap_or_default();
                found.push(format!("state.db, table {table}: {row}"));
            }
        }
        Ok(found)
    }

    fn dump(&self, query: &str) -> Result<Vec<Vec<String>>, StoreError> {
        let failed = || sql("reading state.db");
        let mut statement = self.0.prepare(query).map_err(failed())?;
        let width = statement.column_count();
        let rows = statement.query_map([], |r| (0..width).map(|i| Ok(text(r.get(i)?))).collect());
        rows.map_err(failed())?.collect::<Result<_, _>>().map_err(failed())
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
                let row: Vec<Value> =
                    (0..width).map(|i| r.get(i)).collect::<Result<_, _>>().map_err(failed())?;
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

    /// Access tokens: name, SHA-256 of the token, when made, and a keyed hash over the three.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn tokens(&self) -> Result<Vec<[String; 4]>, StoreError> {
        let failed = || sql("reading tokens");
        let query = "SELECT name, sha256, created, mac FROM token ORDER BY name";
        let mut statement = self.0.prepare(query).map_err(failed())?;
        let rows =
            statement.query_map([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?])).map_err(failed())?;
        rows.collect::<Result<_, _>>().map_err(failed())
    }

    /// Adds or replaces a token.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn add_token(&self, row: &[String; 4]) -> Result<(), StoreError> {
        let query = "INSERT OR REPLACE INTO token (name, sha256, created, mac) VALUES (?1, ?2, ?3, ?4)";
        self.0
            .execute(query, (&row[0], &row[1], &row[2], &row[3]))
            .map(|_| ())
            .map_err(sql("writing a token"))
    }

    /// Takes a token away. Whether it was there.
    ///
    /// # Errors
    /// SQLite's reason.
    pub fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        let gone =
            self.0.execute("DELETE FROM token WHERE name = ?1", [name]).map_err(sql("revoking a token"))?;
        Ok(gone > 0)
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Integer(i) => i.to_string(),
        Value::Text(t) => t,
        Value::Real(_) | Value::Blob(_) => String::new(),
    }
}

fn fold(tx: &Connection, placed: &Placed) -> Result<(), StoreError> {
    let failed = || sql("folding into state.db");
    let (seq, e) = (placed.seq, &placed.entry);
    match e.kind.nature() {
        Nature::Event => {
            let query = "INSERT OR REPLACE INTO seen (source, key, seq) VALUES (?1, ?2, ?3)";
            tx.execute(query, (&e.source, format!("{} {}", e.kind.name(), e.key), seq)).map_err(failed())?;
        }
        Nature::State => {
            let gone = e.payload.get("gone").and_then(serde_json::Value::as_bool).unwrap_or(false);
            let query = "INSERT OR REPLACE INTO latest (source, kind, subject, digest, seq, gone)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let digest = payload_digest(&e.payload, &[0; 32])?;
            tx.execute(query, (&e.source, e.kind.name(), &e.subject, digest, seq, gone)).map_err(failed())?;
        }
    }
    match e.kind {
        Kind::SourceRun if e.payload["look"] != "" => {
            let look = e.payload["look"].as_str().unwrap_or_default();
            let query = "INSERT OR REPLACE INTO cursor (source, look, seq) VALUES (?1, ?2, ?3)";
            tx.execute(query, (&e.source, look, seq)).map_err(failed())?;
        }
        Kind::AssessmentFinding => {
            let query = "INSERT OR REPLACE INTO finding (finding, unit, number, status, seq) VALUES (?1, ?2, ?3, ?4, ?5)";
            let p = &e.payload;
            let number = p["number"].as_u64().unwrap_or(0);
            let row = (p["finding"].as_str(), p["unit"].as_str(), number, p["to"].as_str(), seq);
            tx.execute(query, row).map_err(failed())?;
        }
        _ => {}
    }
    Ok(())
}
