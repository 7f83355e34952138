//! Did we see everything? Per source: what was expected, what was seen, what is missing and why. Never a verdict.

mod hours;
mod late;

pub use hours::Unread;
pub use late::RESTATED;

use super::facts::{Facts, Look};
use super::inventory::Interface;
use crate::act::{Catalogue, SourceKind};
use crate::evidence::Time;
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

/// What is missing of an hour in which no interface has a record.
pub const NO_RECORD: &str = "no record of any interface";

/// Reason of a gap between two looks: what each of them shows is judged all the same.
pub const UNWATCHED: &str = "unwatched";

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
    /// Whole hours of a flow log up to the horizon, from the first one that can have been read through.
    pub hours: Vec<Time>,
    /// Those of them that were not read through.
    pub unread: BTreeMap<Time, Unread>,
}

/// Coverage of all sources.
pub type All = BTreeMap<String, Coverage>;

/// What coverage is worked out from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Everything that was seen.
    pub facts: &'a Facts,
    /// Delays and limits.
    pub catalogue: &'a Catalogue,
    /// The configured sources.
    pub config: &'a AssessmentConfig,
    /// Interfaces that should speak.
    pub interfaces: &'a [Interface],
    /// The time judged from.
    pub at: Time,
}

impl Input<'_> {
    /// Works out the coverage of every configured source since a time.
    pub fn since(&self, window: Time) -> All {
        let of = |(name, source): (&String, &SourceConfig)| {
            Some((name.clone(), self.one(name, kind_of(&source.kind)?, source, window)))
        };
        self.config.sources.iter().filter_map(of).collect()
    }

    fn one(&self, name: &str, kind: SourceKind, source: &SourceConfig, window: Time) -> Coverage {
        let Input { facts, catalogue, config, at, .. } = *self;
        let delay = catalogue.defaults.delay.get(&kind).copied().unwrap_or(0);
        let limit =
            catalogue.defaults.stale.get(&kind).copied().unwrap_or(HOUR).max(2 * config.ingest_interval);
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
            hours: Vec::new(),
            unread: BTreeMap::new(),
        };
        match kind {
            SourceKind::FlowLogs => {
                let delivered = facts.network.of(name);
                hours::judge(self, &mut coverage, window, &hours::read_through(&told, delay));
                coverage.delivery = late::delivery(delivered, window);
                coverage.late = late::late(delivered, &facts.own.reports, window, delay);
            }
            SourceKind::Sentinel => runs(facts, &mut coverage, window),
            _ => passes(&mut coverage, &told, config.ingest_interval, window),
        }
        for look in told.iter().filter(|l| l.at >= window) {
            let run = &look.value;
            let seen_not = run.gaps.iter().chain(&run.error).map(|what| (what, reason(what)));
            let unwatched = run.unwatched.iter().map(|what| (what, UNWATCHED));
            coverage.gaps.extend(seen_not.chain(unwatched).map(|(what, reason)| Gap {
                from: look.at,
                to: look.at,
                what: what.clone(),
                reason,
                entry: Some(look.seq),
            }));
        }
        coverage.gaps.sort_by_key(|g| (g.from, g.to));
        coverage
    }
}

/// Why something was not seen, by what is said of it: AWS denies, an API server's role lacks a rule.
fn reason(said: &str) -> &'static str {
    if said.contains("denied") || said.contains("the role needs") { "source-denied" } else { "source-gap" }
}

fn kind_of(name: &str) -> Option<SourceKind> {
    use SourceKind::{FlowLogs, Gatekeeper, ModelArtifacts, Register, Sentinel};
    [FlowLogs, Gatekeeper, Sentinel, ModelArtifacts, Register].into_iter().find(|k| k.name() == name)
}

/// Sentinel counts applied runs: seen are those whose plan and policy outcomes were read.
fn runs(facts: &Facts, coverage: &mut Coverage, window: Time) {
    coverage.unit = "applied runs";
    let terraform = &facts.terraform;
    for (run, seen) in terraform.applied(terraform.workspaces_applied()) {
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
