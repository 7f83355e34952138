//! The form of the register's files. No field has a default that answers a question: an absent field says nothing.

use crate::evidence::Time;
use serde::{Deserialize, Deserializer};

/// Why a register is refused.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Not the form; the message has line and column.
    #[error("{file}: {message}")]
    Form {
        /// The file.
        file: String,
        /// The parser's message.
        message: String,
    },
    /// An item that clashes with another.
    #[error("{file}: {what}")]
    Clash {
        /// The file.
        file: String,
        /// What clashes, and with what.
        what: String,
    },
}

/// All files of the register together.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// `[[system]]`
    #[serde(default, rename = "system")]
    pub systems: Vec<System>,
    /// `[[decision]]`
    #[serde(default, rename = "decision")]
    pub decisions: Vec<Decision>,
    /// `[[exception]]`
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
    /// `[[override_reason]]`
    #[serde(default, rename = "override_reason")]
    pub override_reasons: Vec<OverrideReason>,
    /// `[[policy_change]]`
    #[serde(default, rename = "policy_change")]
    pub policy_changes: Vec<PolicyChange>,
}

/// A day or a time as TOML writes it; a day is its midnight in UTC.
#[derive(Clone, Copy, Debug)]
pub struct When(pub Time);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<When, D::Error> {
        let written = toml::value::Datetime::deserialize(d)?;
        written.to_string().parse().map(When).map_err(serde::de::Error::custom)
    }
}

/// A record, or the word `none`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum RecordField {
    /// `"none"`
    Word(None),
    /// `{ uri, sha256, version_id, date, approver, model_versions }`
    Record(RecordTable),
}

/// The word `none`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum None {
    /// `none`
    None,
}

/// A document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTable {
    /// Where it lies.
    pub uri: Option<String>,
    /// SHA-256 of its bytes.
    pub sha256: Option<String>,
    /// S3 version id.
    pub version_id: Option<String>,
    /// Its date.
    pub date: Option<When>,
    /// Who approved it.
    pub approver: Option<String>,
    /// Model versions that it holds for.
    #[serde(default)]
    pub model_versions: Vec<String>,
}

/// `[[system]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its id.
    pub id: String,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// The team that answers for it.
    #[serde(default)]
    pub team: String,
    /// Role that answers for it.
    #[serde(default)]
    pub owner: String,
    /// Level as stated.
    pub risk_level: Option<String>,
    /// Annex point, or `none`.
    pub annex: Option<String>,
    /// provider, deployer or both.
    pub role: Option<String>,
    /// First use.
    pub put_into_service: Option<When>,
    /// Whether it profiles people.
    pub profiles_people: Option<bool>,
    /// Shared infrastructure.
    #[serde(default)]
    pub shared: bool,
    /// What belongs to it.
    #[serde(default)]
    pub select: Vec<Selector>,
    /// Discovered systems that it takes over.
    #[serde(default)]
    pub adopts: Vec<String>,
    /// Old name.
    pub was: Option<String>,
    /// Ports on which it serves.
    #[serde(default)]
    pub serving_ports: Vec<u16>,
    /// Public networks, or named ranges of the config, that it may open connections to; an empty list says none.
    pub egress: Option<Vec<String>>,
    /// The risk assessment.
    pub risk_assessment: Option<RecordField>,
    /// The file of Art. 6(4).
    pub not_high_assessment: Option<RecordField>,
    /// The technical documentation of Art. 11 and Annex IV.
    pub technical_documentation: Option<RecordField>,
    /// What is said of Art. 50.
    #[serde(default)]
    pub art50: Vec<Art50>,
}

/// One selector: every member that is given must match; `*` at the end of a text matches any rest.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Selector {
    /// Workloads.
    Kubernetes {
        /// Name or uid of the cluster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
        /// Namespace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        namespace: Option<String>,
        /// Label `app`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app: Option<String>,
        /// Name of the workload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Workspaces and resources.
    Terraform {
        /// Workspace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workspace: Option<String>,
        /// Address of a resource.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Artifact sets.
    S3 {
        /// Bucket.
        bucket: String,
        /// Beginning of the key.
        prefix: String,
    },
    /// Network interfaces.
    Network {
        /// `eni-…`
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        /// Private address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
}

/// One paragraph of Art. 50.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Art50 {
    /// 1 to 4.
    pub paragraph: i64,
    /// Whether it applies.
    pub applies: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
    /// The notice or marking.
    pub record: Option<RecordField>,
    /// Since when it is there.
    pub since: Option<When>,
}

/// `[[decision]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The system.
    pub system: String,
    /// The level.
    pub level: String,
    /// Annex point, or `none`.
    pub annex: Option<String>,
    /// provider, deployer or both.
    pub role: Option<String>,
    /// Who decided.
    pub approver: Option<String>,
    /// When.
    pub date: Option<When>,
    /// Why.
    pub reason: Option<String>,
    /// Until when to look at it again.
    pub review_by: Option<When>,
}

/// `[[exception]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The system; absent for the estate.
    #[serde(default)]
    pub system: String,
    /// The control.
    pub control: String,
    /// The unit; absent for all of them.
    #[serde(default)]
    pub thing: String,
    /// Role that owns it.
    pub owner: Option<String>,
    /// Who asked.
    pub requester: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who approved.
    pub approver: Option<String>,
    /// Last day.
    pub expires: Option<When>,
    /// Ticket.
    pub ticket: Option<String>,
}

/// `[[policy_change]]`: who agreed that a gate became weaker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    /// The policy, `KIND/NAME` of the constraint, or `namespace/NAME` of one that became exempt.
    pub gate: String,
    /// What changes.
    pub change: Option<String>,
    /// Who asked for it.
    pub requester: Option<String>,
    /// Who approved it.
    pub approver: Option<String>,
    /// When.
    pub date: Option<When>,
    /// Why.
    pub reason: Option<String>,
}

/// `[[override_reason]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideReason {
    /// The run.
    pub run: String,
    /// The policy.
    pub policy: Option<String>,
    /// Who overrode.
    pub person: Option<String>,
    /// Why.
    pub reason: String,
    /// When this was written down.
    pub recorded: Option<When>,
}

impl Register {
    /// Parses one file.
    ///
    /// # Errors
    /// See [`RegisterError`].
    pub fn parse(text: &str, file: &str) -> Result<Register, RegisterError> {
        toml::from_str(text).map_err(|e| RegisterError::Form {
            file: file.into(),
            message: e.to_string().trim_end().to_owned(),
        })
    }

    /// Adds the items of another file.
    ///
    /// # Errors
    /// A system or a decision that is there already.
    pub fn extend(&mut self, other: Register, file: &str) -> Result<(), RegisterError> {
        self.systems.extend(other.systems);
        self.decisions.extend(other.decisions);
        self.exceptions.extend(other.exceptions);
        self.override_reasons.extend(other.override_reasons);
        self.policy_changes.extend(other.policy_changes);
        let clash = |what: String| Err(RegisterError::Clash { file: file.into(), what });
        if let Some(id) = twice(self.systems.iter().map(|s| s.id.as_str())) {
            return clash(format!("two [[system]] have id = {id:?}"));
        }
        if let Some(id) = twice(self.decisions.iter().map(|d| d.system.as_str())) {
            return clash(format!(
                "two [[decision]] are about system = {id:?}: the file holds the one in force"
            ));
        }
        Ok(())
    }
}

fn twice<'a>(ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    ids.into_iter().find(|id| !seen.insert(*id)).map(str::to_owned)
}
