//! The catalogue's types. The file is `eu-ai-act.toml`; it is part of the program and always parses (a test says so).

use super::Level;
use super::control::{Control, SourceKind};
use super::pack::Pack;
use super::timetable::{Date, Law, NoEvidence};
use crate::evidence::Time;
use serde::Deserialize;
use std::collections::BTreeMap;

const TEXT: &str = include_str!("eu-ai-act.toml");

/// The whole catalogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Version of the catalogue.
    pub version: String,
    /// The text of the law that it was made from.
    pub law: Law,
    /// Dates on which parts of the Act begin to apply.
    pub timetable: Vec<Date>,
    /// Numbers of the verdict model.
    pub defaults: Defaults,
    /// Policies, tags, labels, registries and ports of the governed platform.
    pub pack: Pack,
    /// The controls, in the order of reports.
    #[serde(rename = "control")]
    pub controls: Vec<Control>,
    /// Articles for which no source of ours has evidence.
    pub no_evidence: Vec<NoEvidence>,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub sha256: String,
}

/// Numbers of the verdict model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Days that event controls look back.
    pub window_days: i64,
    /// Two clocks that differ by less agree.
    pub clock_skew_seconds: i64,
    /// Longest that an exception may run.
    pub exception_max_days: i64,
    /// Days until a violation that is older than its constraint has to be put right.
    pub grace_days: i64,
    /// Days in which a change of a gate has to be written down.
    pub record_days: i64,
    /// Days in which overrides of one policy are counted, and how many there may be.
    pub habit_days: i64,
    /// See `habit_days`.
    pub max_overrides: u64,
    /// Levels whose artifact buckets need a managed key of KMS as their default encryption.
    pub require_kms_for: Vec<Level>,
    /// Keys that may be that default; none: any.
    pub allowed_keys: Vec<String>,
    /// Six months as a number of days (Arts 19(1), 26(6)).
    pub six_months_days: i64,
    /// Days that the training of those who oversee a system may lie back.
    pub training_max_age_days: i64,
    /// Days that the measures for AI literacy may lie back.
    pub literacy_max_age_days: i64,
    /// Days until a corrective action is planned, by severity.
    pub days_to_plan: BTreeMap<String, i64>,
    /// Days until a finding is put right, by severity.
    pub days_to_close: BTreeMap<String, i64>,
    /// Days until a serious incident is reported, by category (Art. 73(2) to (4)).
    pub incident_days: BTreeMap<String, i64>,
    /// Years that technical documentation is kept, from when a system is put into service (Art. 18(1)).
    pub retention_years: i64,
    /// Seconds of delivery delay per source kind.
    pub delay: BTreeMap<SourceKind, i64>,
    /// Seconds after which a source is stale, back from its horizon.
    pub stale: BTreeMap<SourceKind, i64>,
}

impl Catalogue {
    /// The catalogue of this program.
    ///
    /// # Panics
    /// Never in a released program: a test parses the same text.
    #[expect(clippy::expect_used, reason = "the text is compiled in and parsed by a test")]
    pub fn built_in() -> Catalogue {
        let mut catalogue: Catalogue = toml::from_str(TEXT).expect("the built-in catalogue parses");
        catalogue.sha256 = crate::evidence::sha256_hex(TEXT.as_bytes());
        catalogue
    }

    /// The text of the catalogue as a table.
    pub(super) fn table() -> toml::Table {
        toml::from_str(TEXT).unwrap_or_default()
    }

    /// A date of the timetable by its id.
    pub fn date(&self, id: &str) -> Option<Time> {
        self.timetable.iter().find(|d| d.id == id)?.date.parse().ok()
    }

    /// A control by its id.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.iter().find(|c| c.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Status;

    #[test]
    fn the_catalogue_parses_and_every_rule_ends_without_a_pass() {
        let catalogue = Catalogue::built_in();
        for control in &catalogue.controls {
            let last = control.rule.last().expect("a rule has lines");
            assert_eq!(last.when, "otherwise", "{}", control.id);
            assert_ne!(last.status, Status::Satisfied, "{}", control.id);
            for line in control.rule.iter().chain(&control.no_units) {
                let reasoned = matches!(line.status, Status::NotAssessed | Status::NotApplicable);
                assert_eq!(!line.reason.is_empty(), reasoned, "{}: {}", control.id, line.when);
            }
        }
        for reference in catalogue.controls.iter().flat_map(|c| &c.references) {
            let legacy = reference.legacy.iter().flat_map(|l| [&l.placed_before, &l.from]);
            for id in reference.from.values().chain(&reference.formally_from).chain(legacy) {
                assert!(catalogue.date(id).is_some(), "{} has no date {id}", reference.article);
            }
        }
        for policy in &catalogue.pack.policies {
            assert!(catalogue.control(&policy.control).is_some());
        }
    }
}
