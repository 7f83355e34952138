//! What every output of a report says. The JSON form is an interface: members are added, never renamed.

mod counted;
mod coverage;
mod decided;
mod finding;
mod integrity;
mod system;

pub use counted::{LevelRow, NO_TEAM, TeamRow, Totals, Trend, Trends};
pub use coverage::{Coverage, Day, Gap, Look, Missing, OutsideLayout, Stray};
pub use decided::{CHANGE_KINDS, Change, ChangeKind, Decision, Exception, Wanted};
pub use finding::{
    Accepted, Considered, Control, ControlRow, Deadline, Evidence, Finding, HouseRule, Unit, Unprovided,
};
pub use integrity::{Anchor, Integrity};
pub use system::{
    Article, ArtifactSet, Bar, File, Gate, Lane, Network, Peer, Ran, RiskLevel, Run, Stated, System,
    Timeline, Workload,
};

use crate::evidence::Time;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a report of everything is about.
pub const WHOLE: &str = "whole estate";

/// A whole report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it was made from.
    pub as_of: AsOf,
    /// What it covers.
    pub period: Period,
    /// Name of the organisation.
    pub organization: String,
    /// Version of the program.
    pub version: String,
    /// Zone of local times.
    pub timezone: String,
    /// Whether every page says so.
    pub demonstration: bool,
    /// Only these systems, as asked; empty for the whole estate.
    pub scope: Vec<String>,
    /// The same in words: [`WHOLE`], `team risk: scoring, pricing`.
    pub about: String,
    /// Was the record altered?
    pub integrity: Integrity,
    /// Did we see everything?
    pub coverage: Vec<Coverage>,
    /// What do the checks say?
    pub totals: Totals,
    /// The same by level.
    pub levels: Vec<LevelRow>,
    /// The same by team.
    pub teams: Vec<TeamRow>,
    /// What the last nights came to.
    pub trends: Trends,
    /// Sentences of the first page.
    pub opening: Vec<String>,
    /// What somebody has to decide.
    pub wanted: Vec<Wanted>,
    /// Per system.
    pub systems: Vec<System>,
    /// Controls for which nobody provides evidence for any system: told once.
    pub unprovided: Vec<Unprovided>,
    /// Findings of the estate.
    pub estate_findings: Vec<Finding>,
    /// Who accepted what is not?
    pub exceptions: Vec<Exception>,
    /// Decisions on levels in the register.
    pub decisions: Vec<Decision>,
    /// What changed in the period.
    pub changes: Vec<Change>,
    /// What was read since, of periods that a report had told of before: in a line each.
    pub restated: Vec<String>,
    /// Mails of earlier nights that did not arrive, in a sentence each.
    pub mails: Vec<String>,
    /// What was not seen, in a line each.
    pub not_seen: Vec<String>,
    /// The same by source, with what it means.
    pub missing: Vec<Missing>,
    /// Controls that were asked.
    pub controls: Vec<Control>,
    /// The law that was used.
    pub law: Law,
}

impl Report {
    /// Findings of all systems, then those of the estate.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.systems.iter().flat_map(|s| &s.findings).chain(&self.estate_findings)
    }

    /// Whether it is of some systems only.
    pub fn is_partial(&self) -> bool {
        self.about != WHOLE
    }

    /// Sources of which something is missing.
    pub fn gaps(&self) -> usize {
        self.missing.iter().filter(|m| !m.what.is_empty()).count()
    }

    /// How exceptions stand, in numbers: `2 exceptions in force, 1 override not accountable`.
    pub fn hygiene(&self) -> String {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for e in &self.exceptions {
            let state = e.state.split([':', ';', '(']).next().unwrap_or_default().trim_end();
            *counts.entry((e.what, state)).or_default() += 1;
        }
        let told = counts.iter().map(|((what, state), n)| {
            let many = if *n == 1 { "" } else { "s" };
            format!("{n} {what}{many} {state}")
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Changes of a kind.
    pub fn changed_so(&self, what: &str) -> usize {
        self.changes.iter().filter(|c| c.what == what).count()
    }

    /// What changed, in numbers.
    pub fn changed(&self) -> String {
        let told = CHANGE_KINDS.iter().map(|kind| (self.changed_so(kind.what), kind));
        let told = told.filter(|(n, kind)| *n > 0 || kind.always);
        let told: Vec<String> = told.map(|(n, kind)| format!("{n} {}", kind.counted)).collect();
        let changed: BTreeSet<u64> = self.changes.iter().map(|c| c.number).collect();
        let unchanged = self
            .findings()
            .filter(|f| f.open())
            .filter(|f| f.number.is_none_or(|n| !changed.contains(&n)))
            .count();
        format!("{}; {unchanged} open findings unchanged.", told.join(", "))
    }
}

/// What a report was made from.
#[derive(Clone, Debug, Serialize)]
pub struct AsOf {
    /// Entries; the last one is an `assessment.run`.
    pub size: u64,
    /// Root over them, base64.
    pub root: String,
    /// The time judged from.
    pub at: Time,
    /// The same for people.
    pub at_local: String,
}

/// What a report covers.
#[derive(Clone, Debug, Serialize)]
pub struct Period {
    /// `at` of the previous scheduled report; start of the record for the first.
    pub from: Time,
    /// Its own `at`.
    pub to: Time,
    /// For people.
    pub from_local: String,
    /// For people.
    pub to_local: String,
    /// Whether there is no earlier report to compare with.
    pub first: bool,
    /// Nights that it stands for: more than one after nights without a report.
    pub nights: u64,
    /// Whether somebody asked for this start: it need not be that of a report.
    pub asked: bool,
    /// Start of the window that event controls look back on, for people.
    pub window_local: String,
}

/// The law that was used.
#[derive(Clone, Debug, Serialize)]
pub struct Law {
    /// The regulation as amended.
    pub text: String,
    /// Day of the timetable.
    pub checked: String,
    /// Version and SHA-256 of the catalogue.
    pub catalogue: String,
    /// Art. 40.
    pub presumption: String,
    /// The next date.
    pub next: String,
    /// Every date of the next year: day, what, basis.
    pub dates: Vec<(String, String, String)>,
    /// Articles for which no source of ours has evidence.
    pub no_evidence: Vec<(String, String)>,
    /// Dates and parameters that the organisation set otherwise.
    pub own: Vec<String>,
}
