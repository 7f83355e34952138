//! What the PDF shows of a report: everything of a small estate; of a large one the dossiers of the systems with the most that is
//! open, the open findings of the next, and counts of all. The whole is in report.json and report.csv, which it names by digest.

use super::super::charts::{self, Chart};
use super::super::local::Zone;
use super::super::model::{self, Control, Finding, Report, System};
use super::super::sections::{Section, sections};
use super::super::{csv, json};
use super::PdfError;
use crate::act::Status;
use crate::evidence::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Pages of a PDF, at most.
pub const PAGES: usize = 40;
/// Findings in dossiers, and open ones in the table after them; about as many as fit.
const TOLD: usize = 120;
const LISTED: usize = 200;
/// Rows of each other table.
const ROWS: usize = 100;
/// Lists of the report that are tables here.
const LISTS: [&str; 8] =
    ["wanted", "exceptions", "decisions", "missing", "coverage", "teams", "unprovided", "estate_findings"];
/// Workloads and runs of a dossier.
const OF_ONE: usize = 10;
/// Systems that are named for a control.
const NAMED: usize = 8;
/// Bytes of the CSV that is attached.
const CSV: usize = 1 << 20;

/// All that typst gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manuscript {
    /// What the identifier of the file is made from.
    pub ident: String,
    /// The report, with at most the systems and rows that fit.
    pub report: Value,
    /// What was left out: list to how many.
    pub more: BTreeMap<String, usize>,
    /// Open findings of systems without a dossier.
    pub listed: Vec<Value>,
    /// Those of each system with one, should it be left out.
    pub spare: Vec<Vec<Value>>,
    /// Drawings by name.
    pub charts: BTreeMap<String, Chart>,
    /// Files that are attached.
    pub files: Vec<File>,
}

/// An attached file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Media type.
    pub mime: String,
    /// What it is.
    pub about: String,
    /// Its content.
    pub text: String,
}

/// The report with the systems and rows that fit.
#[derive(Serialize)]
struct Shown<'a> {
    as_of: &'a model::AsOf,
    period: &'a model::Period,
    organization: &'a str,
    version: &'a str,
    timezone: &'a str,
    demonstration: bool,
    about: &'a str,
    partial: bool,
    integrity: &'a model::Integrity,
    totals: &'a model::Totals,
    levels: &'a [model::LevelRow],
    opening: &'a [String],
    not_seen: &'a [String],
    controls: Vec<Value>,
    law: &'a model::Law,
    coverage: &'a [model::Coverage],
    teams: &'a [model::TeamRow],
    wanted: &'a [model::Wanted],
    missing: &'a [model::Missing],
    exceptions: &'a [model::Exception],
    decisions: &'a [model::Decision],
    unprovided: &'a [model::Unprovided],
    estate_findings: &'a [Finding],
    /// Those that have a dossier.
    systems: Vec<Value>,
    /// The first systems, in a row each.
    overview: Vec<Value>,
    gaps: usize,
    sources: usize,
    changed: String,
    told_changes: Vec<Section>,
    restated: &'a [String],
    hygiene: String,
}

/// What was left out: list to how many.
type More = BTreeMap<String, usize>;

/// The first rows of a list.
fn first<'a, T>(more: &mut More, name: &str, rows: &'a [T], most: usize) -> &'a [T] {
    more.insert(name.to_owned(), rows.len().saturating_sub(most));
    &rows[..rows.len().min(most)]
}

pub(super) fn of(report: &Report) -> Result<Manuscript, PdfError> {
    let zone = Zone::named(&report.timezone);
    let told = told(report);
    let has_dossier = |s: &&System| told.contains(&s.id.as_str());
    let mut shown: Vec<&System> = report.systems.iter().filter(has_dossier).collect();
    // Where not all fit, those with the most that is open come first, and stay the longest.
    if shown.len() < report.systems.len() {
        shown.sort_by_key(|s| std::cmp::Reverse(s.open));
    }
    let mut more = More::from([("systems".to_owned(), report.systems.len() - shown.len())]);
    let listed: Vec<Value> = report.systems.iter().filter(|s| !has_dossier(s)).flat_map(open).collect();
    let listed = first(&mut more, "listed", &listed, LISTED).to_vec();
    let timelines =
        shown.iter().filter_map(|s| Some((format!("timeline {}", s.id), charts::timeline(s, &zone)?)));
    let named = [("trend", charts::trend(report)), ("calendar", charts::calendar(&report.coverage))];
    let named = named.into_iter().filter_map(|(name, chart)| Some((name.to_owned(), chart?)));
    Ok(Manuscript {
        ident: format!("{} {}", report.integrity.origin, report.as_of.root),
        charts: named.chain(timelines).collect(),
        files: files(report, &told),
        report: to_value(cut(report, &shown, &mut more)?)?,
        more,
        listed,
        spare: shown.iter().map(|s| open(s)).collect(),
    })
}

fn to_value(rows: impl Serialize) -> Result<Value, PdfError> {
    serde_json::to_value(rows).map_err(|e| PdfError(e.to_string()))
}

fn cut<'a>(report: &'a Report, shown: &[&System], more: &mut More) -> Result<Shown<'a>, PdfError> {
    let overview = first(more, "overview", &report.systems, ROWS).iter().map(|s| {
        json!({ "id": s.id, "name": s.name, "team": s.team, "level": s.risk_level.effective, "disputed": s.risk_level.disputed,
                "open": s.open, "accepted": s.accepted, "counts": s.counts })
    });
    Ok(Shown {
        as_of: &report.as_of,
        period: &report.period,
        organization: &report.organization,
        version: &report.version,
        timezone: &report.timezone,
        demonstration: report.demonstration,
        about: &report.about,
        partial: report.is_partial(),
        integrity: &report.integrity,
        totals: &report.totals,
        levels: &report.levels,
        opening: &report.opening,
        not_seen: &report.not_seen,
        controls: report.controls.iter().map(control).collect(),
        law: &report.law,
        coverage: first(more, "coverage", &report.coverage, ROWS),
        teams: first(more, "teams", &report.teams, ROWS),
        wanted: first(more, "wanted", &report.wanted, ROWS),
        missing: first(more, "missing", &report.missing, ROWS),
        exceptions: first(more, "exceptions", &report.exceptions, ROWS),
        decisions: first(more, "decisions", &report.decisions, ROWS),
        unprovided: first(more, "unprovided", &report.unprovided, ROWS),
        estate_findings: first(more, "estate_findings", &report.estate_findings, ROWS),
        systems: shown.iter().map(|s| to_value(s).map(slim)).collect::<Result<_, _>>()?,
        overview: overview.collect(),
        gaps: report.gaps(),
        sources: report.missing.len(),
        changed: report.changed(),
        told_changes: sections(report),
        restated: &report.restated,
        hygiene: report.hygiene(),
    })
}

/// What the PDF says of a control: counts, and the first systems where it is not satisfied or not assessed.
fn control(c: &Control) -> Value {
    let of = |status: Status| {
        let found = c.findings.iter().filter(|f| f.status == status).take(NAMED);
        found.map(|f| f.system.as_str()).collect::<Vec<_>>()
    };
    json!({ "id": c.id, "title": c.title, "kind": c.kind, "counts": c.counts, "unit": c.unit, "limit": c.limit,
            "not": of(Status::NotSatisfied), "unknown": of(Status::NotAssessed) })
}

/// Open findings of a system, in a row each.
fn open(s: &System) -> Vec<Value> {
    let row = |f: &Finding| {
        json!({ "system": s.name, "number": f.number, "title": f.title, "summary": f.summary,
                "by": f.deadline.as_ref().map(|d| &d.told) })
    };
    s.findings.iter().filter(|f| f.open()).map(row).collect()
}

/// Ids of the systems that get a dossier: all where their findings fit, else those with the most that is open.
fn told(report: &Report) -> Vec<&str> {
    let rows = |s: &System| {
        s.findings.iter().filter(|f| f.status <= Status::NotAssessed && !f.unprovided).count() + 1
    };
    let mut systems: Vec<&System> = report.systems.iter().collect();
    systems.sort_by_key(|s| std::cmp::Reverse(s.open));
    let mut sum = 0;
    let fits = systems.into_iter().take_while(|s| {
        sum += rows(s);
        sum <= TOLD
    });
    fits.map(|s| s.id.as_str()).collect()
}

/// Takes from a system what the PDF does not show: units but the first of each finding, and findings that do not apply.
fn slim(mut system: Value) -> Value {
    if let Some(findings) = system["findings"].as_array_mut() {
        findings.retain(|f| f["status"] != "not-applicable");
        for units in findings.iter_mut().filter_map(|f| f["units"].as_array_mut()) {
            units.truncate(1);
        }
    }
    for list in ["workloads", "runs"] {
        if let Some(rows) = system[list].as_array_mut() {
            rows.truncate(OF_ONE);
        }
    }
    system["timeline"] = Value::Null;
    system
}

/// What it shows, for machines: the summary with the digests of the whole files, and the findings of the systems that it tells.
fn files(report: &Report, told: &[&str]) -> Vec<File> {
    let table = csv::render(report);
    let summary = json!({
        "as_of": report.as_of, "period": report.period, "organization": report.organization, "about": report.about,
        "integrity": report.integrity, "totals": report.totals, "levels": report.levels, "teams": report.teams,
        "wanted": report.wanted, "not_seen": report.not_seen,
        "files": { "report.json": json::digest(report), "report.csv": sha256_hex(table.as_bytes()) },
    });
    let (shown, left_out) = csv::of(report, |s| told.contains(&s.id.as_str()), CSV);
    let file = |name: &str, mime: &str, about: String, text: String| File {
        name: name.into(),
        mime: mime.into(),
        about,
        text,
    };
    let cut = if left_out > 0 { format!(", without {left_out} further rows") } else { String::new() };
    let about = format!(
        "Findings of the estate and of the systems that have a dossier here{cut}. The whole is report.csv, SHA-256 {}",
        sha256_hex(table.as_bytes())
    );
    vec![
        file(
            "summary.json",
            "application/json",
            "What this report says, for machines, with the digests of the whole files".into(),
            format!("{summary:#}\n"),
        ),
        file("findings.csv", "text/csv", about, shown),
    ]
}

impl Manuscript {
    /// Leaves out dossiers and rows in the measure in which it has too many pages; nothing where there is nothing to leave out.
    pub(super) fn shorten(&mut self, pages: usize) -> bool {
        let mut less = |name: &str, rows: &mut Vec<Value>| {
            let all = rows.len();
            rows.truncate(all * (PAGES - 10) / pages.max(1));
            *self.more.entry(name.to_owned()).or_default() += all - rows.len();
            all > rows.len()
        };
        let mut is_cut = false;
        for name in ["systems", "overview"].into_iter().chain(LISTS) {
            if let Some(rows) = self.report[name].as_array_mut() {
                is_cut |= less(name, rows);
            }
        }
        // What is open of a dossier that is left out stands in the table after them.
        let left = self.report["systems"].as_array().map_or(0, Vec::len);
        self.listed.splice(..0, self.spare.drain(left..).flatten());
        less("listed", &mut self.listed) || is_cut
    }
}
