//! The report as JSON.

use super::exhibit::Exhibit;
use super::html::Page;
use super::listing::Query;
use super::model::Report;
use super::population::{self, Population};
use crate::evidence::{Kind, hex};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;

/// The file: the same bytes for the same report.
pub fn bytes(report: &Report) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(report).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Its SHA-256, hex, without holding the file.
pub fn digest(report: &Report) -> String {
    let mut hash = Sha256::new();
    // A hash takes every byte, and a report is JSON.
    let _ = serde_json::to_writer_pretty(&mut hash, report);
    let _ = hash.write_all(b"\n");
    hex(&hash.finalize())
}

/// A page of the site, with members as in the report; none when there is no such thing.
pub fn page(r: &Report, page: &Page) -> Option<Value> {
    let said = match page {
        Page::First => json!({
            "period": r.period, "organization": r.organization, "version": r.version, "integrity": r.integrity,
            "totals": r.totals, "levels": r.levels, "teams": r.teams, "wanted": r.wanted, "not_seen": r.not_seen,
        }),
        Page::Decisions => json!({"wanted": r.wanted, "changes": r.changes, "restated": r.restated}),
        Page::Systems => json!({"systems": r.systems.iter().map(|s| json!({
            "id": s.id, "name": s.name, "anchor": s.anchor, "team": s.team, "registered": s.registered,
            "risk_level": s.risk_level, "counts": s.counts, "open": s.open, "accepted": s.accepted,
        })).collect::<Vec<_>>()}),
        Page::System(anchor) => json!({"system": r.systems.iter().find(|s| s.anchor == *anchor)?}),
        Page::Controls => json!({"controls": r.controls, "unprovided": r.unprovided}),
        Page::Control(id) => json!({
            "control": r.controls.iter().find(|c| c.id == *id)?,
            "estate_findings": r.estate_findings.iter().filter(|f| f.control == *id).collect::<Vec<_>>(),
        }),
        Page::Sources => json!({"coverage": r.coverage, "missing": r.missing}),
        Page::Source(name) => json!({"source": r.coverage.iter().find(|c| c.source == *name)?}),
        Page::Exceptions => json!({"exceptions": r.exceptions, "decisions": r.decisions}),
        Page::Changes => json!({"period": r.period, "changes": r.changes, "restated": r.restated}),
        Page::Integrity => json!({"integrity": r.integrity}),
    };
    Some(as_of(r, said))
}

/// A page of the list of findings.
pub fn findings(r: &Report, q: &Query) -> Value {
    as_of(r, json!(q.page(r)))
}

/// The page of an entry.
pub fn entry(r: &Report, e: &Exhibit<'_>) -> Value {
    as_of(r, json!(e))
}

/// A population, where a kind was asked for; else the kinds that can be.
pub fn population(r: &Report, population: Option<&Population>) -> Value {
    let kinds: Vec<&str> = population::kinds().map(Kind::name).collect();
    as_of(r, population.map_or_else(|| json!({ "kinds": kinds }), |p| json!({ "population": p })))
}

fn as_of(r: &Report, said: Value) -> Value {
    let mut all = Map::from_iter([("as_of".to_owned(), json!(r.as_of))]);
    if let Value::Object(said) = said {
        all.extend(said);
    }
    Value::Object(all)
}
