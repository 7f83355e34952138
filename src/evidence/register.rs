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
    #[serde(skip_serializing_if = "RecordState::is_absent")]
    pub technical_documentation: RecordState,
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

/// Whether a record is there, and which fields it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RecordState {
    /// The register does not say.
    #[default]
    Absent,
    /// The register says that there is none.
    None,
    /// A record, with the fields it gives.
    Given(Record),
}

impl RecordState {
    fn is_absent(&self) -> bool {
        *self == RecordState::Absent
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
        self.uri.is_some() && self.sha256.is_some() && self.date.is_some() && self.approver.is_some()
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
