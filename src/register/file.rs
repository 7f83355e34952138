//! The form of the register's files. No field has a default that answers a question: an absent field says nothing.

use super::fields::{
    AiLiteracy, Art50, Conformity, Fria, Gpai, Informed, Located, LogStore, Modification, Oversight, Person,
    Record, Registration, Review, Said, When,
};
use super::remarks::{Mention, Remark, mentions, remarks, unknown};
use super::selector::Selector;
use crate::act::Catalogue;
use serde::{Deserialize, Serialize};

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
    /// `[organization]`
    pub organization: Option<Organization>,
    /// `[[system]]`
    #[serde(default, rename = "system")]
    pub systems: Vec<System>,
    /// `[[decision]]`
    #[serde(default, rename = "decision")]
    pub decisions: Vec<Decision>,
    /// `[[change]]`
    #[serde(default, rename = "change")]
    pub changes: Vec<Change>,
    /// `[[exception]]`
    #[serde(default, rename = "exception")]
    pub exceptions: Vec<Exception>,
    /// `[[override_reason]]`
    #[serde(default, rename = "override_reason")]
    pub override_reasons: Vec<OverrideReason>,
    /// `[[policy_change]]`
    #[serde(default, rename = "policy_change")]
    pub policy_changes: Vec<PolicyChange>,
    /// `[[corrective_action]]`
    #[serde(default, rename = "corrective_action")]
    pub corrective_actions: Vec<CorrectiveAction>,
    /// `[[incident]]`
    #[serde(default, rename = "incident")]
    pub incidents: Vec<Incident>,
    #[serde(skip)]
    remarks: Vec<Remark>,
    #[serde(skip)]
    mentions: Vec<Mention>,
}

/// `[organization]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// Measures for AI literacy (Art. 4).
    #[serde(default)]
    pub ai_literacy: Said<AiLiteracy>,
}

/// `[[system]]`
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    pub risk_level: Option<Located>,
    /// Annex point, or `none`.
    pub annex: Option<Located>,
    /// provider, deployer or both.
    pub role: Option<Located>,
    /// First use.
    pub put_into_service: Option<When>,
    /// Whether it profiles people.
    pub profiles_people: Option<bool>,
    /// Whether it is used at the workplace.
    pub workplace: Option<bool>,
    /// Whether it takes decisions about people, or helps to.
    pub decides_about_people: Option<bool>,
    /// Whether it is meant for public authorities.
    pub for_public_authorities: Option<bool>,
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
    /// The risk assessment (Art. 9).
    #[serde(default, skip_serializing)]
    pub risk_assessment: Said<Record>,
    /// The file of Art. 6(4).
    #[serde(default)]
    pub not_high_assessment: Said<Record>,
    /// The technical documentation of Art. 11 and Annex IV.
    #[serde(default)]
    pub technical_documentation: Said<Record>,
    /// What is said of Art. 50.
    #[serde(default)]
    pub art50: Vec<Art50>,
    /// The papers that precede a high-risk system.
    pub conformity: Option<Conformity>,
    /// Registration of an Annex III system held not to be high-risk.
    #[serde(default)]
    pub art49_2: Said<Registration>,
    /// Who oversees it.
    #[serde(default, skip_serializing)]
    pub oversight: Said<Oversight>,
    /// The assessment of the impact on fundamental rights.
    pub fria: Option<Fria>,
    /// How the workers were told.
    #[serde(default)]
    pub workers_informed: Said<Informed>,
    /// How the people concerned are told.
    #[serde(default)]
    pub people_informed: Said<Informed>,
    /// Own changes to a system of another provider.
    pub modification: Option<Modification>,
    /// Where its own logs lie.
    pub log_store: Option<LogStore>,
    /// Where serious incidents are written down.
    pub incident_log: Option<String>,
    /// The last compliance review.
    pub review: Option<Review>,
    /// The general-purpose model in it.
    pub gpai: Option<Gpai>,
}

/// `[[decision]]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The system.
    pub system: Located,
    /// The level.
    pub level: Located,
    /// Annex point, or `none`.
    pub annex: Option<Located>,
    /// provider, deployer or both.
    pub role: Option<Located>,
    /// Who decided.
    pub approver: Option<Person>,
    /// When.
    pub date: Option<When>,
    /// Why.
    pub reason: Option<String>,
    /// Until when to look at it again.
    pub review_by: Option<When>,
}

/// `[[change]]`: what changed with a model version, and who looked at it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The system.
    pub system: Located,
    /// The model version.
    pub version: String,
    /// When it was looked at.
    pub date: Option<When>,
    /// Who approved it.
    pub approver: Option<Person>,
    /// Whether it is a substantial modification.
    pub substantial: Option<bool>,
    /// Whether the first conformity assessment foresaw it.
    pub predetermined: Option<bool>,
    /// Names of the records that still hold.
    #[serde(default)]
    pub still_holds: Vec<Located>,
}

/// `[[exception]]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The system; absent for all of them, and for the estate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<Located>,
    /// The control.
    pub control: Located,
    /// The unit; absent for all of them.
    #[serde(default)]
    pub thing: String,
    /// Role that owns it.
    pub owner: Option<String>,
    /// Who asked.
    pub requester: Option<Person>,
    /// Why.
    pub reason: Option<String>,
    /// Who approved.
    pub approver: Option<Person>,
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
    pub requester: Option<Person>,
    /// Who approved it.
    pub approver: Option<Person>,
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
    pub person: Option<Person>,
    /// Why.
    pub reason: String,
    /// When this was written down.
    pub recorded: Option<When>,
}

/// `[[corrective_action]]`: who puts right what is not satisfied, and by when.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectiveAction {
    /// `#17`, or control and system: `spend-limit scoring`.
    pub finding: String,
    /// Role that owns it.
    pub owner: Option<String>,
    /// Last day.
    pub due: Option<When>,
    /// Who approved a later day than the house allows.
    pub approver: Option<Person>,
    /// Ticket.
    pub ticket: Option<String>,
}

/// `[[incident]]`: a serious incident (Art. 3(49)).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// The system.
    pub system: Located,
    /// When the organisation became aware of it.
    pub aware: Option<When>,
    /// death, widespread, critical-infrastructure or other.
    pub category: Option<Located>,
    /// When it was reported to the authority.
    pub reported: Option<When>,
    /// When the provider was told.
    pub told_provider: Option<When>,
}

impl Register {
    /// Parses one file.
    ///
    /// # Errors
    /// See [`RegisterError`].
    pub fn parse(text: &str, file: &str) -> Result<Register, RegisterError> {
        let mut register: Register = toml::from_str(text).map_err(|e| RegisterError::Form {
            file: file.into(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        register.remarks = remarks(&register, text, file);
        register.mentions = mentions(&register, text, file);
        Ok(register)
    }

    /// Adds the items of another file.
    ///
    /// # Errors
    /// A system, a decision or an `[organization]` that is there already.
    pub fn extend(&mut self, other: Register, file: &str) -> Result<(), RegisterError> {
        let clash = |what: String| Err(RegisterError::Clash { file: file.into(), what });
        if self.organization.is_some() && other.organization.is_some() {
            return clash("a second [organization]: one file holds it".into());
        }
        self.organization = self.organization.take().or(other.organization);
        self.systems.extend(other.systems);
        self.decisions.extend(other.decisions);
        self.changes.extend(other.changes);
        self.exceptions.extend(other.exceptions);
        self.override_reasons.extend(other.override_reasons);
        self.policy_changes.extend(other.policy_changes);
        self.corrective_actions.extend(other.corrective_actions);
        self.incidents.extend(other.incidents);
        self.remarks.extend(other.remarks);
        self.mentions.extend(other.mentions);
        match self.doubled() {
            Some(what) => clash(what),
            None => Ok(()),
        }
    }

    /// Two items that speak of one thing: which of them holds, nobody could say.
    fn doubled(&self) -> Option<String> {
        let two = |table: &str, what: &str, id: Option<String>| {
            id.map(|id| format!("two [[{table}]] {what} {id:?}: the file holds the one in force"))
        };
        let text = |t: &Located| t.get_ref().clone();
        let systems = twice(self.systems.iter().map(|s| s.id.clone()));
        let decisions = twice(self.decisions.iter().map(|d| text(&d.system)));
        let changes = twice(self.changes.iter().map(|c| format!("{} {}", c.system.get_ref(), c.version)));
        let actions = twice(self.corrective_actions.iter().map(|a| a.finding.clone()));
        let exceptions = twice(self.exceptions.iter().map(|e| {
            let system = e.system.as_ref().map_or("", |s| s.get_ref());
            format!("{} {system} {}", e.control.get_ref(), e.thing)
        }));
        two("system", "have id =", systems)
            .or_else(|| two("decision", "are about system =", decisions))
            .or_else(|| two("change", "are about", changes))
            .or_else(|| two("corrective_action", "are about finding =", actions))
            .or_else(|| two("exception", "are about", exceptions))
    }

    /// What fits the form and says nothing that a rule can use, each with file and line.
    pub fn remarks(&self, catalogue: &Catalogue) -> Vec<Remark> {
        let mut found = self.remarks.clone();
        found.extend(unknown(self, &self.mentions, catalogue));
        found.sort();
        found
    }
}

fn twice(mut ids: impl Iterator<Item = String>) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    ids.find(|id| !seen.insert(id.clone()))
}
