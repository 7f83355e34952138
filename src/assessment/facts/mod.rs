//! What the entries say, folded one by one. Nothing here judges; the order of the entries is the only input.

mod cluster;
mod delivered;
mod flows;
mod hours;
mod network;
mod own;
mod terraform;
mod versions;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::folded;

pub use cluster::Cluster;
pub use delivered::{Arrival, Delivered, Holder, View};
pub use flows::{Place, Row, Rows};
pub use hours::Sum;
pub use network::NetworkFacts;
pub use own::{Look, Own, UnitState};
pub use terraform::{RunFacts, Terraform};
pub use versions::Version;

use crate::evidence::register::{
    Change, CorrectiveAction, Decision, Exception, Incident, Organization, Oversight, Revision,
    RiskAssessment, Statement, System,
};
use crate::evidence::{Kind, Outside, Private, Time, artifacts};
use crate::ledger::Entry;
use crate::ledger::entry::Placed;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::rc::Rc;

/// A payload with its place in the ledger.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// Sequence number of the entry.
    pub seq: u64,
    /// When it happened or was looked at.
    pub at: Time,
    /// Configured source.
    pub source: String,
    /// Whether a complete look no longer showed it.
    pub gone: bool,
    /// The payload.
    pub value: T,
}

impl<T> Seen<T> {
    /// Something that an entry tells, which is there.
    pub(super) fn of(placed: &Placed, value: T) -> Seen<T> {
        let e = &placed.entry;
        Seen { seq: placed.seq, at: e.occurred_at, source: e.source.clone(), gone: false, value }
    }
}

/// All states of each subject, oldest first.
#[derive(Clone, Debug)]
pub struct States<T>(pub BTreeMap<Rc<str>, Vec<Seen<T>>>);

impl<T> Default for States<T> {
    fn default() -> Self {
        States(BTreeMap::new())
    }
}

impl<T> States<T> {
    /// The state of each subject at a time, those gone left out.
    pub fn at(&self, time: Time) -> impl Iterator<Item = (&str, &Seen<T>)> {
        self.0.iter().filter_map(move |(subject, history)| {
            let last = history.iter().rev().find(|s| s.at <= time)?;
            (!last.gone).then_some((&**subject, last))
        })
    }
    /// The state of each subject that begins so, those gone left out.
    pub fn there<'s, 'b>(
        &'s self,
        beginning: &'b str,
        time: Time,
    ) -> impl Iterator<Item = &'s Seen<T>> + use<'s, 'b, T> {
        let last = move |history: &'s [Seen<T>]| history.iter().rfind(|s| s.at <= time);
        self.below(beginning).filter_map(move |(_, history)| last(history)).filter(|s| !s.gone)
    }
    /// Histories of the subjects that begin so.
    pub fn below<'s, 'b>(
        &'s self,
        beginning: &'b str,
    ) -> impl Iterator<Item = (&'s str, &'s [Seen<T>])> + use<'s, 'b, T> {
        let from = self.0.range::<str, _>((Bound::Included(beginning), Bound::Unbounded));
        from.take_while(move |(subject, _)| subject.starts_with(beginning)).map(|(s, h)| (&**s, h.as_slice()))
    }
    /// The history of a subject.
    pub fn get(&self, subject: &str) -> Option<&[Seen<T>]> {
        self.0.get(subject).map(Vec::as_slice)
    }
    /// The last state of a subject at a time, gone or not.
    pub fn of(&self, subject: &str, time: Time) -> Option<&Seen<T>> {
        self.get(subject)?.iter().rev().find(|s| s.at <= time)
    }
}

/// Everything that rules read.
#[derive(Default)]
pub struct Facts {
    /// Entries folded.
    pub size: u64,
    /// Clusters and their Gatekeeper.
    pub cluster: Cluster,
    /// Runs, policies, resources.
    pub terraform: Terraform,
    /// Flow logs and interfaces.
    pub network: NetworkFacts,
    /// Object versions.
    pub versions: States<Version>,
    /// What a listing does not say of object versions.
    pub details: States<artifacts::Detail>,
    /// What manifests name.
    pub manifests: States<artifacts::Manifest>,
    /// What was computed from the bytes of model artifacts.
    pub hashes: States<artifacts::Hash>,
    /// Delete markers.
    pub markers: States<artifacts::DeleteMarker>,
    /// Object tags.
    pub object_tags: States<artifacts::Tags>,
    /// Bucket settings.
    pub buckets: States<artifacts::Bucket>,
    /// Register files.
    pub revisions: States<Revision>,
    /// Systems of the register.
    pub systems: States<System>,
    /// Decisions on levels.
    pub decisions: States<Decision>,
    /// Risk assessments.
    pub risk_assessments: States<RiskAssessment>,
    /// Exceptions.
    pub exceptions: States<Exception>,
    /// Other statements.
    pub statements: States<Statement>,
    /// Who oversees systems.
    pub oversight: States<Oversight>,
    /// Changes with model versions.
    pub changes: States<Change>,
    /// Who puts right what is not satisfied.
    pub corrective_actions: States<CorrectiveAction>,
    /// Serious incidents.
    pub incidents: States<Incident>,
    /// What is said of the organisation as a whole.
    pub organization: States<Organization>,
    /// Acts of our own.
    pub own: Own,
    /// Aliases of people, by reference, in the order in which they appear.
    pub aliases: BTreeMap<String, usize>,
}

/// Members of a payload that name people.
const PEOPLE: [&str; 8] =
    ["actor", "approver", "author", "people", "person", "requester", "reviewer", "user"];

/// Reads a payload; one that has another shape is left out here and stays in the ledger.
pub(super) fn read<T: DeserializeOwned>(placed: &Placed) -> Option<Seen<T>> {
    let e = &placed.entry;
    let value = T::deserialize(&e.payload).ok()?;
    let gone = e.payload.get("gone").and_then(serde_json::Value::as_bool).unwrap_or(false);
    Some(Seen { gone, ..Seen::of(placed, value) })
}

/// Adds a state to its subject's history.
pub(super) fn push<T: DeserializeOwned>(states: &mut States<T>, placed: &Placed) {
    push_as(states, placed.entry.subject.as_str().into(), placed, |value| value);
}

/// Adds a state to the history of a subject in the form in which rules read it.
fn push_as<T: DeserializeOwned, U>(
    states: &mut States<U>,
    subject: Rc<str>,
    placed: &Placed,
    form: impl FnOnce(T) -> U,
) {
    if let Some(Seen { seq, at, source, gone, value }) = read(placed) {
        let seen = Seen { seq, at, source, gone, value: form(value) };
        push_tight(states.0.entry(subject).or_default(), seen);
    }
}

/// Adds to one of many short lists, which grow by an eighth: room for four where one stands is most of the memory.
fn push_tight<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 8).max(1));
    }
    list.push(item);
}

impl Facts {
    /// Gives up what only verdicts are worked out from, most of what flow logs take: for reports of an assessment that is made.
    /// What comes of the network later is left out: no verdict knows it.
    pub fn settle(&mut self) {
        self.network.settle();
    }

    /// Tags of a version, where they were read.
    pub fn tags(&self, version: &Version, at: Time) -> Option<&Outside> {
        let tags = self.object_tags.of(version.subject(), at);
        tags.filter(|t| !t.gone).map(|t| &t.value.tags)
    }

    /// What a listing does not say of a version, as it was known at a time.
    pub fn detail(&self, version: &Version, at: Time) -> Option<&Seen<artifacts::Detail>> {
        let detail = self.details.of(version.subject(), at);
        // A version "null" is written over: what was said of its bytes before is not said of these.
        detail.filter(|d| d.value.etag.is_empty() || *d.value.etag == *version.etag)
    }

    /// The SHA-256 that was computed from a version's bytes, as it was known at a time; of what is gone, that of what was there.
    pub fn hash(&self, version: &Version, at: Time) -> Option<&Seen<artifacts::Hash>> {
        let history = self.hashes.get(version.subject())?;
        history.iter().rfind(|s| !s.gone && s.at <= at && *s.value.etag == *version.etag)
    }

    /// Checksums of a whole object, those that S3 states and ours: `SHA256:base64`.
    pub fn checksums(&self, version: &Version, at: Time) -> BTreeSet<String> {
        let stated = self.detail(version, at).and_then(|d| d.value.checksum.clone());
        stated.into_iter().chain(self.hash(version, at).and_then(|h| h.value.checksum())).collect()
    }

    /// Whether a delete marker lies over a key.
    pub fn is_hidden(&self, bucket: &str, key: &str, at: Time) -> bool {
        self.markers.there(&artifacts::subject(bucket, key, ""), at).any(|marker| marker.value.latest)
    }

    /// The subject of what is said of a version: it stands once.
    fn subject(&self, placed: &Placed) -> Rc<str> {
        let known = self.versions.0.get_key_value(placed.entry.subject.as_str());
        known.map_or_else(|| placed.entry.subject.as_str().into(), |(subject, _)| subject.clone())
    }

    /// Adds one entry.
    pub fn fold(&mut self, placed: &Placed) {
        self.size = placed.seq + 1;
        self.note_people(&placed.entry);
        match placed.entry.kind {
            Kind::ArtifactVersion => {
                let subject = self.subject(placed);
                push_as(&mut self.versions, subject.clone(), placed, |v| Version::of(subject, v));
            }
            Kind::ArtifactDeleteMarker => push(&mut self.markers, placed),
            Kind::ArtifactDetail => {
                let subject = self.subject(placed);
                push_as(&mut self.details, subject, placed, |detail| detail);
            }
            Kind::ArtifactManifest => push(&mut self.manifests, placed),
            Kind::ArtifactHash => push(&mut self.hashes, placed),
            Kind::ArtifactTags => push(&mut self.object_tags, placed),
            Kind::ArtifactBucket => push(&mut self.buckets, placed),
            Kind::RegisterRevision => push(&mut self.revisions, placed),
            Kind::RegisterSystem => push(&mut self.systems, placed),
            Kind::RegisterDecision => push(&mut self.decisions, placed),
            Kind::RegisterRiskAssessment => push(&mut self.risk_assessments, placed),
            Kind::RegisterException => push(&mut self.exceptions, placed),
            Kind::RegisterStatement => push(&mut self.statements, placed),
            Kind::RegisterOversight => push(&mut self.oversight, placed),
            Kind::RegisterChange => push(&mut self.changes, placed),
            Kind::RegisterCorrectiveAction => push(&mut self.corrective_actions, placed),
            Kind::RegisterIncident => push(&mut self.incidents, placed),
            Kind::RegisterOrganization => push(&mut self.organization, placed),
            Kind::GatekeeperTemplate
            | Kind::GatekeeperConstraint
            | Kind::GatekeeperConfig
            | Kind::GatekeeperAudit
            | Kind::GatekeeperViolation
            | Kind::GatekeeperAdmission
            | Kind::KubernetesWebhook
            | Kind::KubernetesNamespace
            | Kind::KubernetesWorkload
            | Kind::KubernetesAddress => self.cluster.fold(placed),
            Kind::SentinelRun
            | Kind::SentinelOutcome
            | Kind::SentinelOverride
            | Kind::SentinelPolicySet
            | Kind::SentinelPolicy
            | Kind::TerraformWorkspace
            | Kind::TerraformStateVersion
            | Kind::TerraformResource => self.terraform.fold(placed),
            Kind::FlowLogConfiguration
            | Kind::FlowLogObject
            | Kind::FlowLogSelection
            | Kind::FlowLogWindow
            | Kind::NetworkInterface => self.network.fold(placed),
            Kind::LedgerOpened
            | Kind::LedgerKey
            | Kind::LedgerVerified
            | Kind::LedgerBackup
            | Kind::AnchorMade
            | Kind::AnchorFailed
            | Kind::PrivateKey
            | Kind::PrivateErased
            | Kind::DaemonStarted
            | Kind::ConfigChanged
            | Kind::SourceRun
            | Kind::AssessmentRiskLevel
            | Kind::AssessmentFinding
            | Kind::AssessmentRun
            | Kind::ReportIssued
            | Kind::MailQueued
            | Kind::MailSent
            | Kind::ExportMade
            | Kind::AccessViewed => self.own.fold(placed),
        }
    }

    /// Aliases follow the order of the entries, so that P-07 stays P-07 in one ledger. Addresses have none.
    fn note_people(&mut self, entry: &Entry) {
        for (name, value) in entry.payload.as_object().into_iter().flatten() {
            let reference = value["ref"].as_str().filter(|_| PEOPLE.contains(&name.as_str()));
            match reference {
                Some(reference) => self.note(reference),
                // Only the register names people within its tables.
                None if entry.kind.name().starts_with("register.") => self.note_below(name, value),
                None => {}
            }
        }
    }

    fn note_below(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(members) => match value["ref"].as_str() {
                Some(reference) if PEOPLE.contains(&name) => self.note(reference),
                Some(_) => {}
                None => members.iter().for_each(|(name, value)| self.note_below(name, value)),
            },
            Value::Array(items) => items.iter().for_each(|item| self.note_below(name, item)),
            _ => {}
        }
    }

    fn note(&mut self, reference: &str) {
        let next = self.aliases.len() + 1;
        self.aliases.entry(reference.to_owned()).or_insert(next);
    }

    /// How reports name a person.
    pub fn alias(&self, person: &Private) -> String {
        let number = person.reference().and_then(|r| self.aliases.get(r));
        number.map_or_else(|| "a person".into(), |n| format!("P-{n:02}"))
    }
}
