//! What a control is: the question, whom it is asked of, and the decision list that answers it.

use super::timetable::Reference;
use super::{Level, Role};
use serde::{Deserialize, Serialize};

/// The four kinds of source, and the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// VPC flow logs.
    FlowLogs,
    /// A cluster and its Gatekeeper.
    Gatekeeper,
    /// HCP Terraform and Sentinel.
    Sentinel,
    /// S3 model artifacts.
    ModelArtifacts,
    /// systems.toml.
    Register,
}

impl SourceKind {
    /// The name in config, entries and reports.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::FlowLogs => "flow_logs",
            SourceKind::Gatekeeper => "gatekeeper",
            SourceKind::Sentinel => "sentinel",
            SourceKind::ModelArtifacts => "model_artifacts",
            SourceKind::Register => "register",
        }
    }
}

/// One checkable requirement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Its id.
    pub id: String,
    /// What is so when it is satisfied.
    pub title: String,
    /// The question that an auditor asks.
    pub question: String,
    /// Whether an article asks, or the house.
    pub kind: ControlKind,
    /// How near it comes to the duty.
    pub weight: Weight,
    /// critical, high, medium, low.
    pub severity: String,
    /// The severity instead, when a public address is involved.
    pub severity_when_public: Option<String>,
    /// core or full.
    pub profile: String,
    /// Asked of each system, or once.
    pub subject: Subject,
    /// Levels it is asked of.
    pub levels: Vec<Level>,
    /// Asked only where the register sets this flag: `gpai`.
    pub flag: Option<String>,
    /// Roles it is asked of.
    pub roles: Vec<Role>,
    /// Sources without which it cannot be judged.
    pub needed: Vec<SourceKind>,
    /// One of these is needed as well.
    pub any_of: Vec<SourceKind>,
    /// Sources that add to it.
    pub optional: Vec<SourceKind>,
    /// What is counted.
    pub unit: String,
    /// Throughout the window, or as of its end.
    pub tested: Tested,
    /// Basis that a satisfied verdict usually has.
    pub basis: String,
    /// What raises the basis.
    pub basis_note: Option<String>,
    /// Who made it a rule of the house.
    pub set_by: Option<String>,
    /// At which level it is enforced.
    pub enforced_at: Option<String>,
    /// The rule in one line.
    pub short: String,
    /// How to mend it.
    pub remediation: String,
    /// What it does not show.
    pub limit: String,
    /// The decision list.
    pub rule: Vec<Line>,
    /// What holds when nothing was found to judge.
    #[serde(default)]
    pub no_units: Vec<Line>,
    /// Articles that it is evidence for.
    #[serde(default)]
    pub references: Vec<Reference>,
}

/// One line of a decision list: the first that holds decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When it holds.
    pub when: String,
    /// The status it gives.
    pub status: Status,
    /// Code of the reason, for the two statuses that need one.
    #[serde(default)]
    pub reason: String,
}

/// What a control says of a unit. The strictest first: that is how units roll up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The rule does not hold.
    NotSatisfied,
    /// It was not possible to tell.
    NotAssessed,
    /// The rule holds.
    Satisfied,
    /// The question does not arise.
    NotApplicable,
}

impl Status {
    /// The name in entries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Status::NotSatisfied => "not-satisfied",
            Status::NotAssessed => "not-assessed",
            Status::Satisfied => "satisfied",
            Status::NotApplicable => "not-applicable",
        }
    }

    /// The words for people, with a sign, so that colour never tells it alone.
    pub fn marked(self) -> &'static str {
        match self {
            Status::NotSatisfied => "\u{2717} not satisfied",
            Status::NotAssessed => "? not assessed",
            Status::Satisfied => "\u{2713} satisfied",
            Status::NotApplicable => "\u{2013} not applicable",
        }
    }
}

/// Whether an article asks the question, or the organisation's own rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    /// An article.
    Act,
    /// The house.
    House,
}

/// How near a control comes to a duty of the Act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Evidence for the very duty.
    Direct,
    /// Helps to show it.
    Supporting,
    /// No article asks for it.
    Organisational,
}

/// What a control is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Each system.
    System,
    /// All of them at once.
    Estate,
}

/// What span a verdict speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tested {
    /// Everything in the window.
    Throughout,
    /// The last complete look.
    AsOf,
}

impl Control {
    /// Whether its units are spans of time, given by the clock and not found in a source.
    pub fn counts_hours(&self) -> bool {
        ["hour", "interface-hour"].contains(&self.unit.as_str())
    }
}
