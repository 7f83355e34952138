//! Did we see everything? Per source: what was expected, what was seen, what is missing and why. Never a verdict.

use super::facts::{Facts, Look, Span};
use super::late;
use crate::act::{Catalogue, SourceKind};
use crate::evidence::Time;
use crate::evidence::flow_logs::FlowLogConfiguration;
use crate::evidence::record::{AssessmentConfig, SourceConfig};
use std::collections::BTreeMap;

const HOUR: i64 = 3600;

/// A period or a set that a source should have shown and did not.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// What is missing.
    pub what: String,
    /// Reason code of the catalogue.
    pub reason: &'static str,
    /// The entry that tells it, where one does.
    pub entry: Option<u64>,
}

/// Coverage of one source within the window.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// Configured name.
    pub source: String,
    /// Its kind.
    pub kind: SourceKind,
    /// What is counted.
    pub unit: &'static str,
    /// How many should be there.
    pub expected: u64,
    /// How many are.
    pub seen: u64,
    /// The time up to which it can be judged.
    pub horizon: Time,
    /// Since when we look; null when it was never read.
    pub begin: Option<Time>,
    /// Whether nothing complete was read within its limit.
    pub stale: bool,
    /// Why it is not collected.
    pub off: Option<String>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Listings that are shorter than the total they state, as of the last look.
    pub truncated: Vec<String>,
    /// How long AWS took to deliver flow logs, in words.
    pub delivery: Option<String>,
    /// What came late, or was read after a report of its hours: it is there now.
    pub late: Vec<Gap>,
    /// Hours of a flow log that were not read through.
    pub unread: BTreeMap<Time, Unread>,
}

/// Why an hour was not read through.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// In words.
    pub why: &'static str,
    /// The entry that tells it, where one does.
    pub entry: Option<u64>,
}

/// Coverage of all sources.
pub type All = BTreeMap<String, Coverage>;

/// Works out the coverage of every configured source.
pub fn all(facts: &Facts, catalogue: &Catalogue, config: &AssessmentConfig, at: Time) -> All {
    since(facts, catalogue, config, at, at.plus_seconds(-86_400 * catalogue.defaults.window_days))
}

/// The same since another time than the beginning of the window.
pub fn since(facts: &Facts, catalogue: &Catalogue, config: &AssessmentConfig, at: Time, window: Time) -> All {
    let of = |(name, source): (&String, &SourceConfig)| {
        let kind = kind_of(&source.kind)?;
        Some((name.clone(), one(facts, catalogue, config, name, kind, source, window, at)))
    };
    config.sources.iter().filter_map(of).collect()
}

fn kind_of(name: &str) -> Option<SourceKind> {
    use SourceKind::{FlowLogs, Gatekeeper, ModelArtifacts, Register, Sentinel};
    [FlowLogs, Gatekeeper, Sentinel, ModelArtifacts, Register].into_iter().find(|k| k.name() == name)
}

#[expect(clippy::too_many_arguments, reason = "one call site; a struct would be made for this call alone")]
fn one(
    facts: &Facts,
    catalogue: &Catalogue,
    config: &AssessmentConfig,
    name: &str,
    kind: SourceKind,
    source: &SourceConfig,
    window: Time,
    at: Time,
) -> Coverage {
    let delay = catalogue.defaults.delay.get(&kind).copied().unwrap_or(0);
    let limit = catalogue.defaults.stale.get(&kind).copied().unwrap_or(HOUR).max(2 * config.ingest_interval);
    let horizon = at.plus_seconds(-delay);
    let none = Vec::new();
    let looks = facts.own.looks.get(name).unwrap_or(&none);
    let told: Vec<&Look> = looks.iter().filter(|l| l.value.looked_at.is_some_and(|t| t <= at)).collect();
    let complete = |l: &&&Look| l.value.complete;
    // Of flow logs each object that was not read is told, and the hours that it leaves open.
    let through = told.iter().filter_map(|l| l.value.through).max();
    let last = match kind {
        SourceKind::FlowLogs => through,
        _ => told.iter().rev().find(complete).and_then(|l| l.value.looked_at),
    };
    let stale = last.is_none_or(|t| t < horizon.plus_seconds(-limit));
    // While a pass is not late, what it could not have read is not missing.
    let horizon = through.filter(|_| !stale).map_or(horizon, |t| horizon.min(t.plus_seconds(-delay)));
    let mut coverage = Coverage {
        source: name.to_owned(),
        kind,
        unit: "",
        expected: 0,
        seen: 0,
        horizon,
        begin: told.first().and_then(|l| l.value.looked_at),
        stale,
        off: source.off.clone(),
        gaps: Vec::new(),
        truncated: told.last().map(|l| l.value.truncated.clone()).unwrap_or_default(),
        delivery: None,
        late: Vec::new(),
        unread: BTreeMap::new(),
    };
    match kind {
        SourceKind::FlowLogs => {
            hours(facts, &mut coverage, window, through.map(|t| t.plus_seconds(-delay)));
            coverage.delivery = late::delivery(facts, name, window);
            coverage.late = late::late(facts, name, window, delay);
        }
        SourceKind::Sentinel => runs(facts, &mut coverage, window),
        _ => passes(&mut coverage, &told, config.ingest_interval, window),
    }
    for look in told.iter().filter(|l| l.at >= window) {
        let what = look.value.gaps.iter().chain(&look.value.error);
        let reason = if look.value.error.as_ref().is_some_and(|e| e.contains("denied")) {
            "source-denied"
        } else {
            "source-gap"
        };
        coverage.gaps.extend(what.map(|w| Gap {
            from: look.at,
            to: look.at,
            what: w.clone(),
            reason,
            entry: Some(look.seq),
        }));
    }
    coverage.gaps.sort_by_key(|g| (g.from, g.to));
    coverage
}

/// Flow logs count interface-hours: interfaces of the inventory, whole hours up to the horizon. `through` is up to when
/// all was read.
fn hours(facts: &Facts, coverage: &mut Coverage, window: Time, through: Option<Time>) {
    coverage.unit = "interface-hours";
    let Some(begin) = facts.network.begin(&coverage.source) else { return };
    coverage.begin = Some(begin);
    let none = BTreeMap::new();
    let read = facts.network.hours.get(&coverage.source).unwrap_or(&none);
    let mut hour = span_start(begin, window);
    let inventory = facts.network.spans(coverage.horizon);
    let spans: Vec<_> = inventory.filter(|s| s.interface.source == coverage.source).collect();
    let mut spoke: Vec<Option<(Time, bool)>> = vec![None; spans.len()];
    while hour.plus_seconds(HOUR) <= coverage.horizon {
        let sums = read.get(&hour);
        let unread = unread(facts, coverage, hour, through);
        let whole = unread.is_none();
        coverage.unread.extend(unread.map(|why| (hour, why)));
        for (span, seen) in spans.iter().zip(&mut spoke).filter(|(s, _)| s.covers(hour)) {
            coverage.expected += 1;
            let speaks = sums.is_some_and(|s| s.contains_key(&span.interface.value.interface));
            coverage.seen += u64::from(speaks && whole);
            let (first, ever) = seen.unwrap_or((hour, false));
            *seen = Some((first, ever || speaks));
        }
        for (interface, sum) in sums.into_iter().flatten().filter(|(_, s)| s.skipdata > 0) {
            coverage.gaps.push(Gap {
                from: hour,
                to: hour.plus_seconds(HOUR),
                what: format!("{interface}: {} SKIPDATA, records lost by AWS", sum.skipdata),
                reason: "records-lost",
                entry: sum.entries().next(),
            });
        }
        hour = hour.plus_seconds(HOUR);
    }
    unheard(facts, coverage, &spans, &spoke);
    coverage.gaps.extend(joined(&coverage.unread));
}

/// Why an hour was not read through, if it was not.
fn unread(facts: &Facts, coverage: &Coverage, hour: Time, through: Option<Time>) -> Option<Unread> {
    let network = &facts.network;
    let lost = network.unread.get(&coverage.source).and_then(|hours| hours.get(&hour));
    if let Some(entries) = lost {
        return Some(Unread { why: PART, entry: entries.first().copied() });
    }
    if through.is_none_or(|t| t < hour.plus_seconds(HOUR)) {
        return Some(Unread { why: "not read to its end", entry: None });
    }
    let any = network.hours.get(&coverage.source).is_some_and(|hours| hours.contains_key(&hour));
    (!any).then_some(Unread { why: "no record of any interface", entry: None })
}

const PART: &str = "records were delivered that could not be read";

/// Interfaces of the inventory that no record names, and flow logs that do not show all traffic or do not arrive.
fn unheard(facts: &Facts, coverage: &mut Coverage, spans: &[Span<'_>], spoke: &[Option<(Time, bool)>]) {
    let to = coverage.horizon;
    let mut gap = |from: Time, what: String, entry: u64| {
        coverage.gaps.push(Gap { from, to, what, reason: "source-gap", entry: Some(entry) });
    };
    for (span, seen) in spans.iter().zip(spoke) {
        if let Some((first, false)) = seen {
            let name = &span.interface.value.interface;
            gap(*first, format!("{name} is in the inventory and in no record"), span.interface.seq);
        }
    }
    for (_, log) in facts.network.configurations.at(to).filter(|(_, c)| c.source == coverage.source) {
        let FlowLogConfiguration { id, resource, traffic, delivery, error, .. } = &log.value;
        if traffic != "ALL" {
            gap(log.at, format!("{id} of {resource} records {traffic} traffic only"), log.seq);
        }
        if delivery.as_deref() == Some("FAILED") {
            let why = error.as_deref().unwrap_or("no reason given");
            gap(log.at, format!("{id} of {resource} is not delivered: {why}"), log.seq);
        }
    }
}

/// First whole hour that is in the window and in the record.
pub fn span_start(begin: Time, window: Time) -> Time {
    let from = begin.max(window);
    if from.hour() == from { from } else { from.hour().plus_seconds(HOUR) }
}

/// Hours in a row that are unread for the same reason, as gaps.
fn joined(hours: &BTreeMap<Time, Unread>) -> Vec<Gap> {
    let mut found: Vec<Gap> = Vec::new();
    for (hour, Unread { why, entry }) in hours {
        let to = hour.plus_seconds(HOUR);
        match found.last_mut() {
            Some(gap) if gap.to == *hour && gap.what == *why => gap.to = to,
            _ => {
                let (what, entry) = ((*why).to_owned(), *entry);
                found.push(Gap { from: *hour, to, what, reason: "source-gap", entry });
            }
        }
    }
    found
}

/// Sentinel counts applied runs: seen are those whose plan and policy outcomes were read.
fn runs(facts: &Facts, coverage: &mut Coverage, window: Time) {
    coverage.unit = "applied runs";
    for (run, seen) in facts.terraform.applied() {
        let at = seen.value.applied.unwrap_or(seen.at);
        if seen.source != coverage.source || at < window || at > coverage.horizon {
            continue;
        }
        coverage.expected += 1;
        let missing: Vec<&str> =
            [(run.outcomes.is_empty(), "policy outcomes"), (seen.value.plan.state != "read", "the plan")]
                .into_iter()
                .filter_map(|(lacks, what)| lacks.then_some(what))
                .collect();
        if missing.is_empty() {
            coverage.seen += 1;
        } else {
            let what = format!("{}: {} not read", seen.value.run, missing.join(" and "));
            let reason = if seen.value.plan.state == "denied" { "source-denied" } else { "source-gap" };
            coverage.gaps.push(Gap { from: at, to: at, what, reason, entry: Some(seen.seq) });
        }
    }
}

/// The others count passes: one is due in each interval since the first look.
fn passes(coverage: &mut Coverage, told: &[&Look], interval: i64, window: Time) {
    coverage.unit = if coverage.kind == SourceKind::Register { "readings" } else { "looks" };
    let Some(begin) = coverage.begin else { return };
    let interval = interval.max(60);
    let times: Vec<Time> =
        told.iter().filter(|l| l.value.complete).filter_map(|l| l.value.looked_at).collect();
    if coverage.kind == SourceKind::Register {
        coverage.expected = 1;
        coverage.seen = u64::from(!coverage.stale);
        return;
    }
    // A day with a clock change is an hour longer or shorter; a pass may be that late and still be the one of its day.
    let slack = (interval / 12).max(120);
    let mut due = begin.max(window);
    while due <= coverage.horizon {
        coverage.expected += 1;
        let until = due.plus_seconds(interval + slack);
        match times
            .iter()
            .find(|t| **t >= due.plus_seconds(-slack) && **t < due.plus_seconds(interval - slack))
        {
            Some(time) => {
                coverage.seen += 1;
                due = time.plus_seconds(interval);
            }
            None => {
                let what = "no complete look".to_owned();
                coverage.gaps.push(Gap {
                    from: due,
                    to: until.min(coverage.horizon),
                    what,
                    reason: "source-gap",
                    entry: None,
                });
                due = due.plus_seconds(interval);
            }
        }
    }
}
