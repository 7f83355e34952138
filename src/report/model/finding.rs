//! What the checks say: findings with their units, and controls.

use crate::act::{ControlKind, Status, Tested};
use crate::assessment::Counts;
use crate::evidence::{Time, hex};
use crate::ledger::Hash;
use serde::{Serialize, Serializer};

/// One control for one system.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Number that people use; none while it was never anything but satisfied.
    pub number: Option<u64>,
    /// The control.
    pub control: String,
    /// Its title.
    pub title: String,
    /// The system; empty for the estate.
    pub system: String,
    /// act or house.
    pub kind: ControlKind,
    /// critical, high, medium, low.
    pub severity: String,
    /// Status.
    pub status: Status,
    /// Reason code.
    pub reason: String,
    /// seen, declared or re-performed.
    pub basis: &'static str,
    /// throughout or as-of.
    pub tested: Tested,
    /// in-force, to-come or null.
    pub legal_state: Option<&'static str>,
    /// From when the duty applies.
    pub applies_from: Option<Time>,
    /// duty in force, duty to come (date), house rule (since when, set by whom).
    pub duty: String,
    /// Articles that may bind, as the register does not give the role or the Annex point that decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may_bind: Vec<String>,
    /// Of a control of kind house.
    pub house_rule: Option<HouseRule>,
    /// By when it is to be put right, where a clock runs.
    pub deadline: Option<Deadline>,
    /// Articles that bind.
    pub references: Vec<String>,
    /// Whether all that is not satisfied was accepted.
    pub excepted: bool,
    /// Whether nobody provides evidence for it, here or for any other system: it is told once for all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unprovided: bool,
    /// Units by status.
    pub counts: Counts,
    /// What was seen, in a sentence.
    pub summary: String,
    /// How to mend it.
    pub remediation: String,
    /// What it does not show.
    pub limit: String,
    /// Units not satisfied or not assessed, and at most 20 of the others.
    pub units: Vec<Unit>,
}

impl Finding {
    /// Not satisfied, and not accepted.
    pub fn open(&self) -> bool {
        self.status == Status::NotSatisfied && !self.excepted
    }
}

/// A control for which nobody provides evidence, with all systems that it is asked of.
#[derive(Clone, Debug, Serialize)]
pub struct Unprovided {
    /// The control.
    pub control: String,
    /// Its title.
    pub title: String,
    /// How many systems it is asked of.
    pub systems: u64,
    /// What is missing.
    pub why: String,
    /// duty in force, duty to come, house rule: as for the first of them.
    pub duty: String,
    /// Articles that bind the first of them.
    pub references: Vec<String>,
    /// How to mend it.
    pub remediation: String,
}

/// By when a finding is to be put right.
#[derive(Clone, Debug, Serialize)]
pub struct Deadline {
    /// Last day: that of the corrective action, else that of the house.
    pub day: Time,
    /// Role that owns it, or the team of the system.
    pub owner: String,
    /// Entry of the corrective action.
    pub action: Option<u64>,
    /// Whether the day is over.
    pub overdue: bool,
    /// The same in a sentence.
    pub told: String,
}

/// Who made a rule of the house, and since when.
#[derive(Clone, Debug, Serialize)]
pub struct HouseRule {
    /// When an entry first showed it.
    pub since: Time,
    /// The policy set, the constraint or the catalogue.
    pub set_by: String,
    /// The level at which it is enforced.
    pub level: String,
}

/// One thing that a control judged.
#[derive(Clone, Debug, Serialize)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// Status.
    pub status: Status,
    /// Reason code.
    pub reason: String,
    /// new, persisting, resolved, reopened, unknown; empty for what was never open.
    pub lifecycle: &'static str,
    /// Why it came to its status.
    pub cause: String,
    /// First time that it was not satisfied.
    pub first_seen: Option<Time>,
    /// Since when it has its status.
    pub since: Option<Time>,
    /// Until when, for what is over.
    pub until: Option<Time>,
    /// What was seen.
    pub note: String,
    /// Of what is not satisfied or not assessed: the line of the control's decision list that held, with its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<(usize, String)>,
    /// Who accepted it.
    pub excepted: Option<Accepted>,
    /// Entries that decide.
    pub evidence: Vec<Evidence>,
    /// How much was looked at.
    pub considered: Considered,
}

/// Who accepted a unit.
#[derive(Clone, Debug, Serialize)]
pub struct Accepted {
    /// exception, override or decision.
    pub how: &'static str,
    /// Its entry.
    pub entry: u64,
    /// Until when, for people.
    pub until: String,
}

/// An entry and its leaf hash.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Sequence number.
    pub seq: u64,
    /// Its leaf hash; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub leaf: Hash,
}

fn as_hex<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex(hash))
}

/// What a verdict rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Considered {
    /// Complete looks of the needed sources within the window.
    pub looks: u64,
    /// Entries cited.
    pub count: u64,
    /// SHA-256 over their leaf hashes as hex, in order, one a line; hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub digest: Hash,
}

/// A control that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Its id.
    pub id: String,
    /// What is so when it is satisfied.
    pub title: String,
    /// The question.
    pub question: String,
    /// act or house.
    pub kind: ControlKind,
    /// Kinds of source that it is judged from: those it needs, then those that add to it.
    pub sources: Vec<&'static str>,
    /// What is counted.
    pub unit: String,
    /// throughout or as-of.
    pub tested: Tested,
    /// What it does not show.
    pub limit: String,
    /// How to mend it.
    pub remediation: String,
    /// The decision list, for people.
    pub rule: Vec<String>,
    /// Articles.
    pub references: Vec<String>,
    /// Findings by status.
    pub counts: Counts,
    /// (system, its anchor, status, units) of each finding.
    pub findings: Vec<ControlRow>,
}

/// One finding on a control's page.
#[derive(Clone, Debug, Serialize)]
pub struct ControlRow {
    /// The system for people, or `estate`.
    pub system: String,
    /// Its anchor.
    pub anchor: String,
    /// Status.
    pub status: Status,
    /// Whether accepted.
    pub excepted: bool,
    /// Units by status.
    pub counts: Counts,
    /// What was seen.
    pub summary: String,
}
