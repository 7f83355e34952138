//! The catalogue's types. The file is `eu-ai-act.toml`; it is part of the program and always parses (a test says so).

use super::{Level, Role, Route};
use serde::{Deserialize, Serialize};
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
    pub timeline: Vec<Date>,
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

/// The law that was used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// The regulation.
    pub base: String,
    /// What amended it.
    pub amended_by: String,
    /// Day on which its state was checked.
    pub status_checked: String,
    /// Art. 40.
    pub presumption_of_conformity: String,
    /// What is not settled.
    pub open_points: Vec<String>,
}

/// One date of the timetable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Date {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// What begins to apply.
    pub what: String,
    /// Article.
    pub basis: String,
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
    /// Years that technical documentation is kept, from when a system is put into service (Art. 18(1)).
    pub retention_years: i64,
    /// Seconds of delivery delay per source kind.
    pub delay: BTreeMap<SourceKind, i64>,
    /// Seconds after which a source is stale, back from its horizon.
    pub stale: BTreeMap<SourceKind, i64>,
}

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

/// An article that a control is evidence for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The article.
    pub article: String,
    /// On whom it falls.
    pub role: Role,
    /// Levels it binds.
    pub levels: Vec<Level>,
    /// Routes it binds.
    pub route: Vec<Route>,
    /// Date from which it applies, per route.
    pub from: BTreeMap<Route, String>,
    /// What to add.
    #[serde(default)]
    pub note: String,
    /// Another date for what was there before.
    pub legacy: Option<Legacy>,
}

/// A later date for systems placed before a day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legacy {
    /// Placed before this day …
    pub placed_before: String,
    /// … it applies from this one.
    pub from: String,
    /// Article.
    pub basis: String,
}

/// An article outside our sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoEvidence {
    /// The article.
    pub article: String,
    /// On whom it falls: provider, deployer or gpai-provider.
    pub role: String,
    /// Why we show nothing.
    pub why: String,
}

/// Policies, tags, labels, registries and ports of the governed platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Tags that resources carry.
    pub required_tags: RequiredTags,
    /// One of these is on every model resource.
    pub experiment_tags: Vec<String>,
    /// On model resources in production.
    pub production_tags: Vec<String>,
    /// On model resources whose level is high.
    pub high_risk_tags: Vec<String>,
    /// Labels on workload and pod template.
    pub required_labels: Vec<String>,
    /// Annotation that names the registry.
    pub registry_annotation: String,
    /// Annotation that states the level.
    pub risk_annotation: String,
    /// Tag that states the level.
    pub risk_tag: String,
    /// Label that names the system.
    pub system_label: String,
    /// Tag that names the system.
    pub system_tag: String,
    /// Label that names the environment.
    pub production_label: String,
    /// Tag that names the environment.
    pub production_tag: String,
    /// Values that are not production.
    pub non_production: Vec<String>,
    /// Values that are staging.
    pub staging: Vec<String>,
    /// Instance types that may be used.
    pub allowed_instance_types: Vec<String>,
    /// GPU types that somebody approved.
    pub approved_gpu: Vec<String>,
    /// Families of instance types with a GPU or accelerator.
    pub gpu_families: Vec<String>,
    /// Decimal; most that a workspace may cost a month.
    pub max_monthly_cost: String,
    /// Decimal; the same for workspaces with AI resources.
    pub ml_monthly_cost: String,
    /// Values that say nothing.
    pub placeholders: Vec<String>,
    /// Shortest text that counts as a reason.
    pub min_reason_chars: i64,
    /// Days in which the register may still give a reason for an override.
    pub override_reason_days: i64,
    /// Names of files that list others of their set.
    pub manifest_names: Vec<String>,
    /// Required policies.
    pub policies: Vec<Policy>,
    /// Required constraints.
    pub constraints: Vec<Constraint>,
    /// Approved model registries.
    pub registries: Vec<Registry>,
    /// Watched ports.
    pub ports: Vec<Port>,
}

/// Tags that resources carry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredTags {
    /// Every taggable resource.
    pub all: Vec<String>,
    /// AI resources as well.
    pub ai: Vec<String>,
}

/// A required Sentinel policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its enforcement level.
    pub level: String,
    /// The control that reads it.
    pub control: String,
}

/// A required Gatekeeper constraint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Its kind.
    pub kind: String,
    /// The control that reads it.
    pub control: String,
}

/// An approved model registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Its name.
    pub name: String,
    /// URL schemes of its own.
    pub schemes: Vec<String>,
    /// Hosts, reached by https.
    pub hosts: Vec<String>,
    /// Beginning of its ARNs.
    pub arn_prefix: Option<String>,
}

/// A watched port.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// What listens there.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl Control {
    /// Whether its units are spans of time, given by the clock and not found in a source.
    pub fn counts_hours(&self) -> bool {
        ["hour", "interface-hour"].contains(&self.unit.as_str())
    }
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

    /// A control by its id.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.iter().find(|c| c.id == id)
    }
}

impl Pack {
    /// Whether a value says nothing, after trimming and case-folding.
    pub fn is_placeholder(&self, value: &str) -> bool {
        let value = value.trim().to_lowercase();
        self.placeholders.contains(&value)
    }

    /// Whether an environment value means production. Missing and unknown values do.
    pub fn is_production(&self, environment: Option<&str>) -> bool {
        !environment.is_some_and(|e| self.non_production.contains(&e.trim().to_lowercase()))
    }

    /// Whether an environment value means staging.
    pub fn is_staging(&self, environment: Option<&str>) -> bool {
        environment.is_some_and(|e| self.staging.contains(&e.trim().to_lowercase()))
    }

    /// Whether an instance type has a GPU or accelerator: its family is letters and a digit of `gpu_families`.
    pub fn is_gpu(&self, instance_type: &str) -> bool {
        let name = instance_type.trim_start_matches("ml.");
        let family: String = name.chars().take_while(char::is_ascii_lowercase).collect();
        name[family.len()..].starts_with(|c: char| c.is_ascii_digit()) && self.gpu_families.contains(&family)
    }

    /// Whether an instance type may be used.
    pub fn is_allowed(&self, instance_type: &str) -> bool {
        let mut allowed = self.allowed_instance_types.iter().chain(&self.approved_gpu);
        allowed.any(|a| a == instance_type)
    }

    /// Whether a registry reference is approved: its scheme, its host by https, or the beginning of its ARN.
    pub fn approves_registry(&self, reference: &str) -> bool {
        let reference = reference.trim().to_lowercase();
        let (scheme, rest) = reference.split_once("://").unwrap_or(("", ""));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        self.registries.iter().any(|r| {
            r.schemes.iter().any(|s| s == scheme && !rest.is_empty())
                || scheme == "https" && r.hosts.iter().any(|h| h == host)
                || r.arn_prefix.as_ref().is_some_and(|p| reference.starts_with(p))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for policy in &catalogue.pack.policies {
            assert!(catalogue.control(&policy.control).is_some());
        }
    }

    #[test]
    fn the_pack_reads_values_as_written() {
        let pack = Catalogue::built_in().pack;
        assert!(pack.is_gpu("p4d.24xlarge") && pack.is_gpu("ml.g5.xlarge") && pack.is_gpu("trn1.2xlarge"));
        assert!(!pack.is_gpu("t3.micro") && !pack.is_gpu("m5.large") && !pack.is_gpu("r6g.large"));
        assert!(
            pack.approves_registry("mlflow://models/x/1")
                && pack.approves_registry("ARN:aws:sagemaker:eu:1:m/x")
        );
        assert!(pack.approves_registry("https://mlflow.internal/models"));
        assert!(!pack.approves_registry("https://mlflow.internal.evil.example/models"));
        assert!(!pack.approves_registry("https://u@evil.example/mlflow.internal"));
        assert!(!pack.approves_registry("mlflow:"));
        assert!(
            pack.is_production(None)
                && pack.is_production(Some("prod"))
                && !pack.is_production(Some(" Dev "))
        );
    }
}
