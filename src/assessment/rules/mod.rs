//! One function a control: for each unit, the number of the line of its decision list that holds.
//!
//! The lines, their status and reason are data (`act/eu-ai-act.toml`); a function only says which one, what was seen,
//! and which entries show it. To add a control: a catalogue entry, a function, a line in `judge`, a scenario.

mod artifacts;
mod buckets;
mod bytes;
mod changed;
mod clocks;
mod cluster;
mod documents;
mod egress;
mod gates;
mod kept;
mod logs;
mod network;
mod origin;
mod papers;
mod people;
mod policies;
mod prohibited;
mod register;
mod sight;
mod terraform;
mod violators;
mod weakened;

pub(super) use sight::Ours;

use super::findings::{Basis, Case, Excepted};
use crate::evidence::{Time, shortened};

/// Most characters of a note, and of one word of it.
const NOTE: usize = 4_000;
const WORD: usize = 300;

/// What a rule says of one unit.
pub(super) struct Judged {
    pub unit: String,
    pub line: usize,
    pub note: String,
    pub evidence: Vec<u64>,
    pub basis: Option<Basis>,
    pub excepted: Option<Excepted>,
    pub happened: Option<Time>,
    pub article: Option<String>,
    pub public: bool,
}

impl Judged {
    /// Line `line` of the decision list, counted from 1, holds for a unit.
    pub(super) fn line(unit: impl Into<String>, line: usize) -> Judged {
        Judged {
            unit: unit.into(),
            line,
            note: String::new(),
            evidence: Vec::new(),
            basis: None,
            excepted: None,
            happened: None,
            article: None,
            public: false,
        }
    }
    /// What was seen. Values from outside may be of any length, an annotation of 256 KiB: their entry has them whole.
    fn note(mut self, note: impl Into<String>) -> Judged {
        let words: Vec<String> = note.into().split(' ').map(|word| shortened(word, WORD)).collect();
        self.note = shortened(&words.join(" "), NOTE);
        self
    }
    fn evidence(mut self, entries: impl IntoIterator<Item = u64>) -> Judged {
        self.evidence.extend(entries);
        self
    }
    fn happened(mut self, at: Time) -> Judged {
        self.happened = Some(at);
        self
    }
    fn basis(mut self, basis: Basis) -> Judged {
        self.basis = Some(basis);
        self
    }
}

/// A time in a sentence of evidence: UTC, to the minute.
fn utc(t: Time) -> String {
    t.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A number of things, in words.
fn many(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Units of two gates.
fn both(mut of_cluster: Vec<Judged>, of_runs: Vec<Judged>) -> Vec<Judged> {
    of_cluster.extend(of_runs);
    of_cluster
}

/// Which line of `no_units` holds, counted from 0, where a control found nothing to judge.
pub(super) fn line_of_nothing(case: &Case<'_>) -> usize {
    if case.control.id == "flow-logs-audit-trail" { network::line_of_nothing(case) } else { 0 }
}

/// Asks the rule of the case's control. A control without one has no units.
pub(super) fn judge(case: &Case<'_>) -> Vec<Judged> {
    match case.control.id.as_str() {
        "prohibited-not-running" => prohibited::not_running(case),
        "risk-level-declared" => register::level_declared(case),
        "risk-level-consistent" => register::level_consistent(case),
        "risk-assessment-before-deployment" => documents::risk_assessment(case),
        "technical-documentation-kept" => documents::technical_documentation(case),
        "transparency-notice-recorded" => register::transparency(case),
        "unregistered-ai-workload" => register::unregistered(case),
        "gpu-instance-control" => terraform::gpu_instances(case),
        "ai-resource-tags" => terraform::resource_tags(case),
        "cluster-encryption" => terraform::encryption(case),
        "spend-limit" => terraform::spend_limit(case),
        "model-deployment-rules" => terraform::deployment_rules(case),
        "override-accountable" => terraform::overrides(case),
        "k8s-required-labels" => cluster::required_labels(case),
        "model-registry-approved" => cluster::registry(case),
        "constraint-enforced" => cluster::enforced(case),
        "webhook-fails-closed" => cluster::fails_closed(case),
        "admission-bypass" => violators::bypass(case),
        "preexisting-violation-aged" => violators::aged(case),
        "exemptions-written-down" => cluster::exemptions(case),
        "hard-mandatory-not-bypassed" => policies::not_bypassed(case),
        "override-not-habitual" => policies::not_habitual(case),
        "policy-weakened-with-review" => weakened::with_review(case),
        "gate-reperformed" => both(gates::reperformed(case), policies::reperformed(case)),
        "gate-not-vacuous" => both(gates::not_vacuous(case), policies::not_vacuous(case)),
        "artifact-versioning-enabled" => buckets::versioning(case),
        "artifact-bucket-protected" => buckets::protected(case),
        "artifact-unchanged-while-deployed" => bytes::unchanged(case),
        "artifact-deleted-while-deployed" => artifacts::deleted(case),
        "artifact-kept-while-deployed" => kept::kept(case),
        "artifact-of-one-system" => origin::of_one_system(case),
        "deployed-version-has-artifact" => artifacts::stored(case),
        "flow-logs-audit-trail" => network::audit_trail(case),
        "ml-port-segmentation" => network::segmentation(case),
        "egress-declared" => egress::declared(case),
        "annex-iii-exception-registered" => papers::exception_registered(case),
        "conformity-records-present" => papers::conformity(case),
        "fria-before-first-use" => papers::fundamental_rights(case),
        "own-modification-assessed" => papers::own_modification(case),
        "gpai-documentation-present" => papers::general_purpose(case),
        "human-oversight-assigned" => people::overseen(case),
        "workers-informed" => people::workers(case),
        "affected-people-informed" => people::people_concerned(case),
        "ai-literacy-measures" => people::literacy(case),
        "change-reviewed" => changed::reviewed(case),
        "log-retention-six-months" => logs::kept(case),
        "compliance-review-current" => clocks::reviewed(case),
        "incident-report-deadline" => clocks::incidents(case),
        "corrective-action-timely" => clocks::corrected(case),
        _ => Vec::new(),
    }
}
