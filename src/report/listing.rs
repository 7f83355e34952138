//! Findings of all systems as one list: which are asked for, in what order, page by page.

use super::local::{Span, Zone, is_within};
use super::model::{Finding, Report, System};
use crate::act::{Level, Status};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Rows of a page of findings.
pub const ROWS: usize = 100;

/// What is asked for, as it stands in an address. What is empty asks for everything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// Team that answers for the system.
    pub team: String,
    /// Effective level of the system.
    pub level: String,
    /// Status; `open` is not satisfied and not accepted, `accepted` the rest of what is not satisfied.
    pub status: String,
    /// Id of a control.
    pub control: String,
    /// Id of a system; `estate` for what is of none.
    pub system: String,
    /// Name of a source, or its kind: of controls that are judged from such sources.
    pub source: String,
    /// From this day or time on: of those that came to what they are since then.
    pub from: String,
    /// Up to the end of this day, or this time.
    pub to: String,
    /// Words that stand in the summary, the title, the system or a unit, in any case.
    pub text: String,
    /// `number` (as without), `system`, `control`, `level` or `status`; with `-` before it the other way round.
    pub sort: String,
    /// The last row of the page before: `SYSTEM CONTROL`.
    pub after: String,
    /// Of which earlier assessment; the report that is asked is already of it.
    pub as_of: String,
}

/// Orders that can be asked for.
pub const SORTS: [&str; 5] = ["number", "system", "control", "level", "status"];

/// States that can be asked for.
pub const STATES: [&str; 6] =
    ["open", "accepted", "not-satisfied", "not-assessed", "not-applicable", "satisfied"];

/// A finding with its system; none for the estate.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Row<'r> {
    /// The system.
    #[serde(skip)]
    pub system: Option<&'r System>,
    /// The finding.
    #[serde(flatten)]
    pub finding: &'r Finding,
}

impl Row<'_> {
    /// Its team.
    pub fn team(&self) -> &str {
        self.system.map_or("-", |s| &s.team)
    }
    /// Its level.
    pub fn level(&self) -> &str {
        self.system.map_or("-", |s| s.risk_level.effective)
    }
    /// The id of its system, `estate` for none.
    pub fn of(&self) -> &str {
        self.system.map_or("estate", |s| &s.id)
    }
    /// What the page after it is asked for with.
    fn cursor(&self) -> String {
        format!("{} {}", self.of(), self.finding.control)
    }
}

/// A page of the list.
#[derive(Debug, Serialize)]
pub struct Listing<'r> {
    /// How many are asked for in all.
    pub count: usize,
    /// What the next page is asked for with; none on the last one.
    pub next: Option<String>,
    /// The rows.
    pub findings: Vec<Row<'r>>,
}

/// A path with the parts of a query that are not empty.
pub(super) fn address(path: &str, parts: &[(&str, &str)]) -> String {
    let said = parts.iter().filter(|(_, value)| !value.is_empty());
    let pairs = said.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

impl Query {
    /// Why it cannot be answered, where days are those of a zone.
    pub fn fault(&self, zone: &Zone) -> Option<String> {
        let unknown = |what: &str, value: &str, known: &[&str]| {
            let is_known = value.is_empty() || known.contains(&value);
            (!is_known).then(|| format!("{what} is one of {}", known.join(", ")))
        };
        let levels = Level::ALL.map(Level::name);
        unknown("status", &self.status, &STATES)
            .or_else(|| unknown("level", &self.level, &levels))
            .or_else(|| unknown("sort", self.sort.trim_start_matches('-'), &SORTS))
            .or_else(|| zone.between(&self.from, &self.to).err())
    }

    /// The address of a path with what is asked for, from a row on.
    pub fn address(&self, path: &str, after: Option<&str>) -> String {
        let parts = [
            ("team", self.team.as_str()),
            ("level", &self.level),
            ("status", &self.status),
            ("control", &self.control),
            ("system", &self.system),
            ("source", &self.source),
            ("from", &self.from),
            ("to", &self.to),
            ("text", &self.text),
            ("sort", &self.sort),
            ("after", after.unwrap_or_default()),
            ("as_of", &self.as_of),
        ];
        address(path, &parts)
    }

    /// Whether some unit that makes it what it is came to that within a span.
    fn since(row: &Row<'_>, span: Span) -> bool {
        let mut deciding = row.finding.units.iter().filter(|u| u.status == row.finding.status);
        span == (None, None) || deciding.any(|u| u.since.is_some_and(|since| is_within(since, span)))
    }

    /// Controls that are judged from the source that is asked for; all where none is.
    fn judged_from<'r>(&self, report: &'r Report) -> Option<BTreeSet<&'r str>> {
        let known = report.coverage.iter().find(|c| c.source == self.source);
        let kind = known.map_or(self.source.as_str(), |c| c.kind);
        let from = report.controls.iter().filter(|c| c.sources.contains(&kind));
        (!self.source.is_empty()).then(|| from.map(|c| c.id.as_str()).collect())
    }

    fn asks(&self, row: &Row<'_>) -> bool {
        let is = |asked: &str, value: &str| asked.is_empty() || asked == value;
        let f = row.finding;
        let status = match self.status.as_str() {
            "open" => f.open(),
            "accepted" => f.status == Status::NotSatisfied && f.excepted,
            other => is(other, f.status.name()),
        };
        status
            && is(&self.team, row.team())
            && is(&self.level, row.level())
            && is(&self.control, &f.control)
            && is(&self.system, row.of())
            && self.finds(row)
    }

    fn finds(&self, row: &Row<'_>) -> bool {
        let has = |word: &str| {
            let f = row.finding;
            let places = [f.summary.as_str(), &f.title, row.of(), &f.control];
            let units = f.units.iter().flat_map(|u| [u.id.as_str(), &u.note]);
            places.into_iter().chain(units).any(|place| place.to_lowercase().contains(word))
        };
        self.text.to_lowercase().split_whitespace().all(has)
    }

    fn order(&self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let number = |r: &Row<'_>| r.finding.number.unwrap_or(u64::MAX);
        let level = |r: &Row<'_>| Level::ALL.iter().position(|l| l.name() == r.level());
        let by = match self.sort.trim_start_matches('-') {
            "system" => Ordering::Equal,
            "control" => a.finding.control.cmp(&b.finding.control),
            "level" => level(a).cmp(&level(b)),
            "status" => a.finding.status.cmp(&b.finding.status),
            _ => number(a).cmp(&number(b)),
        };
        let name = || a.of().cmp(b.of()).then_with(|| a.finding.control.cmp(&b.finding.control));
        let order = by.then_with(name);
        if self.sort.starts_with('-') { order.reverse() } else { order }
    }

    /// All rows that are asked for, in order.
    pub fn rows<'r>(&self, report: &'r Report) -> Vec<Row<'r>> {
        let of_systems = report
            .systems
            .iter()
            .flat_map(|s| s.findings.iter().map(move |finding| Row { system: Some(s), finding }));
        let own = report.estate_findings.iter().map(|finding| Row { system: None, finding });
        let span = Zone::named(&report.timezone).between(&self.from, &self.to).unwrap_or_default();
        let controls = self.judged_from(report);
        let of_source = |row: &Row<'_>| {
            controls.as_ref().is_none_or(|controls| controls.contains(row.finding.control.as_str()))
        };
        let asked = |row: &Row<'_>| self.asks(row) && of_source(row) && Query::since(row, span);
        let mut rows: Vec<Row<'r>> = of_systems.chain(own).filter(asked).collect();
        rows.sort_by(|a, b| self.order(a, b));
        rows
    }

    /// The page after [`Query::after`]; the first one where that row is no longer there.
    pub fn page<'r>(&self, report: &'r Report) -> Listing<'r> {
        let rows = self.rows(report);
        let last = self.after.rsplit_once(' ');
        let is_last = |row: &Row<'_>| last.is_some_and(|last| last == (row.of(), &row.finding.control));
        let after = rows.iter().position(is_last).map_or(0, |n| n + 1);
        let count = rows.len();
        let findings: Vec<Row<'r>> = rows.into_iter().skip(after).take(ROWS).collect();
        let more = after + findings.len() < count;
        let next = findings.last().filter(|_| more).map(Row::cursor);
        Listing { count, next, findings }
    }
}
