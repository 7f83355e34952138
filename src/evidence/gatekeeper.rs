//! What a cluster and its Gatekeeper state.

use super::{Outside, Private, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A constraint: what it asks, where, and which pods enforce it. Audit results stand in [`Audit`] and [`Violation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Constraint {
    /// No longer listed.
    pub gone: bool,
    /// Kind that the template made.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// uid of the object.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// `enforcementAction` as written; `deny` where it is absent.
    pub action: String,
    /// The action at admission: the same, or for `scoped` the one at `validation.gatekeeper.sh`.
    pub effective_action: String,
    /// `spec.match`, names escaped.
    pub r#match: Value,
    /// `spec.parameters`, names escaped.
    pub parameters: Value,
    /// What its pods report.
    pub by_pod: Vec<PodStatus>,
    /// When it was created, as the cluster states it.
    pub created: Option<Time>,
}

/// What one Gatekeeper pod reports of a constraint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// Name of the pod.
    pub id: String,
    /// `audit`, `webhook`, …
    pub operations: Vec<String>,
    /// Whether it enforces the constraint.
    pub enforced: bool,
    /// The generation it speaks of.
    pub observed_generation: i64,
    /// Errors it states, those of `vap.k8s.io` left out: they say nothing of the webhook.
    pub errors: Vec<String>,
}

/// A constraint template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// No longer listed.
    pub gone: bool,
    /// The constraint kind it makes.
    pub kind: String,
    /// Whether Gatekeeper created the kind.
    pub created: bool,
    /// `spec.targets` as JSON text: the rule itself.
    pub text: String,
    /// Errors that its pods report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// The last audit of one cluster: totals and how much of them was listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// No longer listed.
    pub gone: bool,
    /// One row per constraint.
    pub constraints: Vec<AuditRow>,
}

/// What the last audit says of one constraint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditRow {
    /// Kind of the constraint.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Violations in all; null when it was never audited or the shape is older than the member.
    pub total: Option<i64>,
    /// Distinct violations listed.
    pub listed: i64,
    /// What our own evaluation gives; none in entries of versions that did not evaluate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reperformed: Option<Reperformed>,
    /// SHA-256 of what the audit asked (template, match, parameters); none when nothing shows that it asked what stands there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Our own evaluation of a constraint over the objects of a look, beside what Gatekeeper states.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reperformed {
    /// Whether both say the same.
    pub verdict: Verdict,
    /// Why not; empty when they do.
    pub why: String,
    /// Of what is not reproducible: what is lacking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<Lacks>,
    /// Objects that the constraint matches; none when it could not be evaluated.
    pub matched: Option<u64>,
    /// Violations that they have.
    pub violations: Option<u64>,
}

/// Three answers: a difference is never guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every violator that Gatekeeper lists is ours, and it counts as many violations as we do.
    Reproduced,
    /// Of objects that did not change since the audit, both say different things.
    Differs,
    /// Not evaluated, or nothing to compare with.
    #[default]
    NotReproducible,
}

/// What re-performance lacks where it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lacks {
    /// A rule that can be evaluated here: CEL, external data, a function whose result may not be OPA's.
    Rule,
    /// Objects, namespaces or the template: the look does not list them whole.
    Inputs,
    /// An audit of the same rule and the same objects, to compare with.
    Audit,
}

impl AuditRow {
    /// Whether more violations exist than are listed.
    pub fn truncated(&self) -> bool {
        self.total.is_some_and(|t| t > self.listed)
    }
}

/// One object that violates one constraint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Violation {
    /// A complete listing no longer shows it.
    pub gone: bool,
    /// `KIND/NAME` of the constraint.
    pub constraint: String,
    /// `NAMESPACE/KIND/NAME` of the object; the namespace may be empty.
    pub object: String,
    /// Actions stated.
    pub action: String,
    /// Messages, sorted.
    pub messages: Vec<String>,
    /// Gatekeeper's list does not reach it: our own evaluation, which gives all that the list has, shows it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reperformed: bool,
    /// How it ended, once it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// How a violation ended. Only a complete listing of an audit ends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The object is there, and the same rule no longer names it.
    Fixed,
    /// The object is no longer there.
    Deleted,
    /// Another rule was asked: constraint or template changed, or the constraint is no longer there.
    RuleChanged,
    /// Nothing shows which of these.
    Unknown,
}

/// A request that was denied, warned about or only noted, as a cluster event tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Admission {
    /// FailedAdmission, WarningAdmission, DryrunViolation.
    pub reason: String,
    /// `KIND/NAME` of the constraint.
    pub constraint: String,
    /// `NAMESPACE/KIND/NAME` of the object.
    pub object: String,
    /// Who tried.
    pub user: Option<Private>,
    /// How often, as the event counts.
    pub count: i64,
}

/// The validating webhook of Gatekeeper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhook {
    /// No longer listed.
    pub gone: bool,
    /// Name of the configuration object.
    pub configuration: String,
    /// Name of the entry.
    pub name: String,
    /// `Fail` or `Ignore`.
    pub failure_policy: String,
    /// `namespaceSelector`, names escaped.
    pub namespace_selector: Value,
    /// `rules`: what reaches it.
    pub rules: Value,
    /// `objectSelector`, names escaped; none where it selects everything.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub object_selector: Value,
    /// `matchConditions`: CEL expressions that let a request reach it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub match_conditions: Value,
    /// Seconds after which `failure_policy` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
}

/// What Gatekeeper's Config leaves out; there when the look listed configs, even where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// No longer listed.
    pub gone: bool,
    /// Namespaces that the webhook skips, with Gatekeeper's wildcards.
    pub excluded: Vec<String>,
    /// Namespaces that the audit skips.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audit_excluded: Vec<String>,
    /// When one that kept namespaces from the audit was seen to be no longer there; none where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// No longer listed.
    pub gone: bool,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Outside,
}

/// A workload: a Deployment, StatefulSet, DaemonSet, Job, CronJob, InferenceService, or a bare ReplicaSet or Pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// No longer listed.
    pub gone: bool,
    /// Kind of the object.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Labels of the object.
    pub labels: Outside,
    /// Annotations of the object, those of the tools that write them left out.
    pub annotations: Outside,
    /// Labels of the pod template; null where the kind has none.
    pub template_labels: Option<Outside>,
    /// Annotations of the pod template.
    pub template_annotations: Outside,
    /// Replicas asked for.
    pub replicas: i64,
    /// Images of its containers.
    pub images: Vec<String>,
    /// GPUs requested by one pod.
    pub gpus: i64,
    /// When the object was created.
    pub created: Option<Time>,
    /// Its generation, which changes with its specification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Model version of each ReplicaSet, and when the first with it was created.
    pub version_starts: BTreeMap<String, Time>,
    /// Images that its pods run, `REPOSITORY@sha256:…`, as their nodes state.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub image_digests: BTreeSet<String>,
}

/// Addresses of the cluster: a node's, or a pod's of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// No longer listed.
    pub gone: bool,
    /// Name of the node.
    pub node: String,
    /// Its internal addresses, or those of the pod.
    pub addresses: Vec<String>,
    /// Its instance, from `spec.providerID`.
    pub instance: Option<String>,
    /// Of a pod: subject of the workload that it runs for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Of a pod: when it was started, as the cluster states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,
}
