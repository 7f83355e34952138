//! What the register declares, item by item. Names of people are sealed; what rules need of them is clear.

use super::{Private, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One state of the register's files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Revision {
    /// File names, relative to the config.
    pub files: Vec<String>,
    /// SHA-256 of the files' text, in order.
    pub sha256: String,
    /// The text itself, sealed: it names people.
    pub text: Option<Private>,
    /// Commit that last touched the files, where they lie in a git work tree.
    pub commit: Option<String>,
    /// `unattested`: who wrote it is stated, not evidenced.
    pub attestation: String,
}

/// A system as the register describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct System {
    /// No longer in the register.
    pub gone: bool,
    /// Its id.
    pub id: String,
    /// One sentence for people.
    pub description: String,
    /// The team that answers for it.
    pub team: String,
    /// Role that answers for it.
    pub owner: String,
    /// Level as stated, raw.
    pub risk_level: Option<String>,
    /// Annex point, or `none`.
    pub annex: Option<String>,
    /// provider, deployer or both.
    pub role: Option<String>,
    /// First use, as declared.
    pub put_into_service: Option<Time>,
    /// Whether it profiles people.
    pub profiles_people: Option<bool>,
    /// Shared infrastructure, no AI system of its own.
    pub shared: bool,
    /// Selectors as written.
    pub select: Vec<Value>,
    /// Discovered systems that it takes over.
    pub adopts: Vec<String>,
    /// Old name.
    pub was: Option<String>,
    /// Ports on which it serves.
    pub serving_ports: Vec<u16>,
    /// Public networks, or named ranges of the config, that it may open connections to; none when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<Vec<String>>,
    /// What it says of Art. 50, per paragraph.
    pub art50: Vec<Art50>,
    /// The file of Art. 6(4): on record, declared none, or silent.
    pub not_high_assessment: RecordState,
    /// The technical documentation of Art. 11 and Annex IV.
    #[serde(skip_serializing_if = "Said::is_absent")]
    pub technical_documentation: RecordState,
    /// Whether it is used at the workplace (Art. 26(7)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workplace: Option<bool>,
    /// Whether it takes decisions about people, or helps to (Art. 26(11)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decides_about_people: Option<bool>,
    /// Whether it is meant for public authorities (Art. 111(2)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_public_authorities: Option<bool>,
    /// The papers that precede a high-risk system (Arts 43, 47 to 49).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conformity: Option<Conformity>,
    /// Registration of an Annex III system held not to be high-risk (Art. 49(2)).
    #[serde(skip_serializing_if = "Said::is_absent")]
    pub art49_2: Said<Registration>,
    /// The assessment of the impact on fundamental rights (Art. 27).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fria: Option<Fria>,
    /// How the workers were told (Art. 26(7)).
    #[serde(skip_serializing_if = "Said::is_absent")]
    pub workers_informed: Said<Informed>,
    /// How the people concerned are told (Art. 26(11)).
    #[serde(skip_serializing_if = "Said::is_absent")]
    pub people_informed: Said<Informed>,
    /// Own changes to a system of another provider (Art. 25(1)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification: Option<Modification>,
    /// Where the system's own logs lie (Arts 19(1), 26(6)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_store: Option<LogStore>,
    /// Where serious incidents are written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_log: Option<String>,
    /// The last compliance review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The general-purpose model in it (Art. 53).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpai: Option<Gpai>,
}

/// The papers that precede a high-risk system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conformity {
    /// Art. 43.
    pub assessment: RecordState,
    /// Art. 47.
    pub declaration: RecordState,
    /// Art. 48.
    pub ce_marking: RecordState,
    /// Art. 49(1).
    pub registration: Said<Registration>,
}

/// An entry in the EU database, or a national one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registration {
    /// Its number.
    pub number: Option<String>,
    /// Its date.
    pub date: Option<Time>,
}

/// What the register says of the assessment of Art. 27.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fria {
    /// Whether Art. 27 applies.
    pub applies: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// The assessment.
    pub record: RecordState,
    /// When the market surveillance authority was notified (Art. 27(3)).
    pub notified: Option<Time>,
    /// An earlier assessment that covers it (Art. 27(2)).
    pub covered_by: Option<String>,
}

/// Since when people are told, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Informed {
    /// Since when.
    pub date: Option<Time>,
    /// In which way.
    pub how: Option<String>,
}

/// Own changes to a system of another provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Modification {
    /// Whether name, model or purpose were changed.
    pub own: Option<bool>,
    /// What that makes of us, written down.
    pub assessment: RecordState,
    /// Whether it makes us the provider.
    pub makes_provider: Option<bool>,
}

/// Where the system's own logs lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogStore {
    /// `s3://bucket/prefix`, `cloudwatch:LOG-GROUP`.
    pub places: Vec<String>,
    /// Why there is none.
    pub none: Option<String>,
}

/// A compliance review.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Review {
    /// When it was held.
    pub date: Option<Time>,
    /// Who held it.
    pub reviewer: Option<Private>,
    /// Where its record lies.
    pub uri: Option<String>,
    /// SHA-256 of the record.
    pub sha256: Option<String>,
}

/// The general-purpose model in a system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpai {
    /// Whether we are its provider.
    pub provider: Option<bool>,
    /// Whether it has systemic risk (Art. 51).
    pub systemic: Option<bool>,
    /// Why it counts as free and open-source (Art. 53(2)).
    pub open_source: Option<String>,
    /// Art. 53(1)(a).
    pub technical_documentation: RecordState,
    /// Art. 53(1)(b).
    pub downstream_information: RecordState,
    /// Art. 53(1)(c).
    pub copyright_policy: RecordState,
    /// Art. 53(1)(d).
    pub training_summary: RecordState,
}

/// Who oversees a system (Art. 26(2)).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Oversight {
    /// No longer in the register.
    pub gone: bool,
    /// The system.
    pub system: String,
    /// People or groups; none when the register says that there is nobody.
    pub people: Vec<Private>,
    /// When they were trained.
    pub trained: Option<Time>,
}

/// What changed with a model version, and who looked at it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// No longer in the register.
    pub gone: bool,
    /// The system.
    pub system: String,
    /// The model version.
    pub version: String,
    /// When it was looked at.
    pub date: Option<Time>,
    /// Who approved it.
    pub approver: Option<Private>,
    /// Whether it is a substantial modification (Art. 3(23)).
    pub substantial: Option<bool>,
    /// Whether the first conformity assessment foresaw it (Art. 43(4)).
    pub predetermined: Option<bool>,
    /// Names of the records that still hold.
    pub still_holds: Vec<String>,
}

/// Who puts right what is not satisfied, and by when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorrectiveAction {
    /// No longer in the register.
    pub gone: bool,
    /// The finding: `#17`, or control and system.
    pub finding: String,
    /// Role that owns it.
    pub owner: Option<String>,
    /// Last day.
    pub due: Option<Time>,
    /// Who approved a later day than the house allows.
    pub approver: Option<Private>,
    /// Ticket.
    pub ticket: Option<String>,
}

/// A serious incident (Art. 3(49)).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    /// No longer in the register.
    pub gone: bool,
    /// The system.
    pub system: String,
    /// When the organisation became aware of it.
    pub aware: Option<Time>,
    /// `death`, `widespread`, `critical-infrastructure` or `other`.
    pub category: Option<String>,
    /// When it was reported to the authority.
    pub reported: Option<Time>,
    /// When the provider was told.
    pub told_provider: Option<Time>,
}

/// What the register says of the organisation as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Organization {
    /// No longer in the register.
    pub gone: bool,
    /// Measures for AI literacy (Art. 4).
    pub ai_literacy: Said<AiLiteracy>,
}

/// Measures for AI literacy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AiLiteracy {
    /// What is done.
    pub measures: Option<String>,
    /// For whom.
    pub audience: Option<String>,
    /// When it was last looked at.
    pub date: Option<Time>,
    /// Role that owns it.
    pub owner: Option<String>,
}

/// What the register says of one paragraph of Art. 50.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Art50 {
    /// 1 to 4.
    pub paragraph: i64,
    /// Whether it applies.
    pub applies: Option<bool>,
    /// Whether a reason is given.
    pub reason: Option<String>,
    /// The record.
    pub record: RecordState,
    /// Since when the notice or marking is there.
    pub since: Option<Time>,
}

/// Whether a text says something.
pub fn is_said(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|t| !t.trim().is_empty())
}

/// What the register says of a field that may also be `none`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Said<T> {
    /// The register does not say.
    #[default]
    Absent,
    /// The register says that there is none.
    None,
    /// What it says.
    Given(T),
}

/// Whether a record is there, and which fields it holds.
pub type RecordState = Said<Record>;

impl<T> Said<T> {
    fn is_absent(&self) -> bool {
        matches!(self, Said::Absent)
    }
    /// What is said, where something is.
    pub fn given(&self) -> Option<&T> {
        match self {
            Said::Given(said) => Some(said),
            _ => None,
        }
    }
}

/// A document that the register names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Where it lies.
    pub uri: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Option<String>,
    /// S3 version id.
    pub version_id: Option<String>,
    /// Its date.
    pub date: Option<Time>,
    /// Who approved it.
    pub approver: Option<Private>,
    /// Model versions that it holds for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_versions: Vec<String>,
}

impl Record {
    /// Whether uri, sha256, date and approver are all given.
    pub fn complete(&self) -> bool {
        is_said(&self.uri) && is_said(&self.sha256) && self.date.is_some() && self.approver.is_some()
    }
}

/// The risk assessment of a system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskAssessment {
    /// No longer in the register.
    pub gone: bool,
    /// The system.
    pub system: String,
    /// The record.
    pub record: RecordState,
}

/// A decision on a system's level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decision {
    /// No longer in the register.
    pub gone: bool,
    /// The system.
    pub system: String,
    /// Level as written.
    pub level: String,
    /// Annex point, or `none`.
    pub annex: Option<String>,
    /// provider, deployer or both.
    pub role: Option<String>,
    /// Who decided.
    pub approver: Option<Private>,
    /// When.
    pub date: Option<Time>,
    /// Why.
    pub reason: Option<String>,
    /// Until when it is to be looked at again.
    pub review_by: Option<Time>,
}

/// An accepted deviation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exception {
    /// No longer in the register.
    pub gone: bool,
    /// The system; empty for the estate.
    pub system: String,
    /// The control.
    pub control: String,
    /// The thing: a unit's id, or empty for all units.
    pub thing: String,
    /// Role that owns it.
    pub owner: Option<String>,
    /// Who asked for it.
    pub requester: Option<Private>,
    /// Who approved it.
    pub approver: Option<Private>,
    /// Whether both are one person; null when either is not named.
    pub approver_is_requester: Option<bool>,
    /// Why.
    pub reason: Option<String>,
    /// Last day on which it holds.
    pub expires: Option<Time>,
    /// Ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// Anything else that the register states: a reason recorded later for an override, for example.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statement {
    /// No longer in the register.
    pub gone: bool,
    /// Name of the table: `override_reason`, …
    pub what: String,
    /// The run, the gate, the finding it speaks of.
    pub about: String,
    /// Who is named.
    pub person: Option<Private>,
    /// Length of the reason in characters after trimming.
    pub reason_chars: i64,
    /// The reason, sealed.
    pub reason: Option<Private>,
    /// When it was recorded, as stated.
    pub recorded: Option<Time>,
    /// Of a decision on a gate: whether who approved also asked for it; null when either is not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver_is_requester: Option<bool>,
}
