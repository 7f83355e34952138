//! What HCP Terraform and Sentinel state.

use super::{Outside, Private, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run as it stood when it was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// `run-…`
    pub run: String,
    /// Name of the workspace, or its id where no name was read.
    pub workspace: String,
    /// Status as stated.
    pub status: String,
    /// When it was created.
    pub created: Option<Time>,
    /// When it reached `applied`.
    pub applied: Option<Time>,
    /// Whether it destroys.
    pub destroy: bool,
    /// Whether it was planned with `-target`.
    pub targeted: bool,
    /// Who created it.
    pub author: Option<Private>,
    /// `person`, `service`, or empty when not stated.
    pub author_kind: String,
    /// How its policies ran: `check`, `evaluation`, both, or none.
    pub stages: Vec<String>,
    /// Its cost estimate.
    pub cost: Option<Cost>,
    /// What its plan says.
    pub plan: PlanRead,
    /// Documents of the run that could not be read, and are asked for again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Documents of the run that the token does not see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// Who confirmed or discarded it, as run events tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<Private>,
    /// Where it came from: tfe-ui, tfe-api, tfe-configuration-version, terraform, terraform+cloud, or as it came.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trigger: String,
    /// Its configuration: repository, branch and commit, where it comes from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Origin>,
    /// Number of the pull request that its configuration is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// When it reached which state, by the API's names (`planned-at`, `policy-checked-at`, `confirmed-at`, …).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub times: BTreeMap<String, Time>,
    /// Changes that weakened policies on this run, as run events tell (`changed_policy_enforcements`, …).
    pub warnings: Vec<String>,
}

/// Whether a run of a status is read again, as its mark; of some, documents could not be read or were denied. One that is not
/// found may only be hidden from the token.
pub fn mark(status: &str, lacks: bool, is_denied: bool) -> &'static str {
    match (is_final(status), lacks, is_denied || status == DELETED) {
        (false, ..) => OPEN,
        (true, true, _) => LACKING,
        (true, false, true) => DENIED,
        (true, false, false) => SETTLED,
    }
}

/// Whether a run goes no further (HCP Terraform API, "Run states"): one of an unknown state may.
pub fn is_final(status: &str) -> bool {
    let states = [
        "policy_soft_failed",
        "planned_and_finished",
        "applied",
        "discarded",
        "errored",
        "canceled",
        "force_canceled",
        DELETED,
    ];
    states.contains(&status)
}

/// Status of a run that the API no longer has.
pub const DELETED: &str = "deleted";
/// Mark of a run that is final and of which nothing lacks.
pub const SETTLED: &str = "settled";
/// Mark of a run that is not final: it is read again.
pub const OPEN: &str = "open";
/// Mark of a final one of which a document could not be read.
pub const LACKING: &str = "lacking";
/// Mark of a final one of which the token does not see a document.
pub const DENIED: &str = "denied";
/// Mark of a workspace that is no longer listed.
pub const GONE: &str = "gone";

/// A cost estimate; amounts are decimal strings as stated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// `finished` or not.
    pub status: String,
    /// Proposed monthly cost.
    pub monthly: Option<String>,
    /// Change of the monthly cost.
    pub delta: Option<String>,
    /// Resources with a price.
    pub priced: i64,
}

/// What was read of a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanRead {
    /// `read`, `denied`, `unread` where it could not be read, `too long`, or `absent`.
    pub state: String,
    /// Compute resources that the plan creates or changes.
    pub compute: Vec<ComputeChange>,
    /// Resources with the tag Model-Type that the plan creates or changes.
    pub models: Vec<ModelResource>,
    /// Resources that can carry tags and that the plan creates or changes, those alike together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tagged: Vec<TaggedResources>,
    /// Managed resources in the plan.
    pub resources: i64,
}

/// Resources of a plan with the same type, tags and instance types.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaggedResources {
    /// Address of the first.
    pub address: String,
    /// How many.
    pub count: u64,
    /// Terraform type.
    pub r#type: String,
    /// Their tags.
    pub tags: Outside,
    /// Tags that are known only after apply; `*` for all.
    pub unknown_tags: Vec<String>,
    /// Instance types.
    pub instance_types: Vec<String>,
}

/// A compute resource in a plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ComputeChange {
    /// Address in the plan.
    pub address: String,
    /// Instance types that it asks for.
    pub instance_types: Vec<String>,
    /// Whether a type is known only after apply.
    pub unknown: bool,
}

/// A resource in a plan that carries the tag Model-Type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelResource {
    /// Address in the plan.
    pub address: String,
    /// Its tags.
    pub tags: Outside,
    /// Tags that are known only after apply; `*` for all.
    pub unknown_tags: Vec<String>,
}

/// What a policy said on a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// `run-…`
    pub run: String,
    /// Name of the workspace.
    pub workspace: String,
    /// Name of the policy.
    pub policy: String,
    /// Name of the policy set, where stated.
    pub policy_set: String,
    /// passed, failed, errored, or as it came.
    pub status: String,
    /// Level that its policy set declares: advisory, soft-mandatory, hard-mandatory, mandatory; empty when not stated.
    pub level: String,
    /// Level at which it ran, as a check tells by its counts and an evaluation by what it states; both mandatory levels of
    /// Sentinel are `mandatory` in an evaluation. Empty when neither does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ran_at: String,
    /// Whether a failure could be overridden there; null when not stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overridable: Option<bool>,
    /// `check`, `evaluation`, or `tf-evaluation` of a Terraform policy.
    pub stage: String,
    /// Status of the check or evaluation as a whole.
    pub stage_status: String,
    /// What the policy is said to be about.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it printed, as JSON whose shape is the policy's own; sealed, as it may name anybody. Beyond 16 KiB cut, with its
    /// length and digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Private>,
    /// The check, or the outcome of a policy set, that says so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub document: String,
}

impl Outcome {
    /// Whether the policy failed, or broke while it was evaluated.
    pub fn failed(&self) -> bool {
        ["failed", "errored"].contains(&self.status.as_str())
    }

    /// Whether it is known to have run at a level that lets runs go on.
    pub fn ran_weak(&self) -> bool {
        let known = [&self.ran_at, &self.level].into_iter().find(|l| !l.is_empty());
        known.is_some_and(|l| !["hard-mandatory", "mandatory"].contains(&l.as_str()))
    }
}

/// An act by which a failed policy was let through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Override {
    /// `run-…`
    pub run: String,
    /// Name of the workspace.
    pub workspace: String,
    /// The policy check or task stage.
    pub stage: String,
    /// Policies that had failed.
    pub policies: Vec<String>,
    /// When.
    pub at: Option<Time>,
    /// Who.
    pub actor: Option<Private>,
    /// `person`, `service`, or empty when nobody is named.
    pub actor_kind: String,
    /// Whether who overrode also created the run; null when either is unknown.
    pub actor_is_author: Option<bool>,
    /// The comment, sealed: people are named in comments.
    pub comment: Option<Private>,
    /// Length of the longest reason found, in characters after trimming.
    pub reason_chars: i64,
    /// Where a reason was found: `audit-trail`, `run-comment`.
    pub reason_from: Vec<String>,
    /// Where the actor was found.
    pub actor_from: Vec<String>,
    /// Where was looked: `audit-trail`, `run-events`, `run-comments`, `webhook`.
    pub looked_in: Vec<String>,
    /// How who overrode was let in, as the audit trail states it: Client, Impersonated, System. The API tells no permission of an
    /// override beyond that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access: String,
}

/// How strictly a level stops a run; none of one that we do not know. What is mandatory in an evaluation may be overridable for its
/// whole set, which the set tells.
pub fn strictness(level: &str) -> Option<u8> {
    match level {
        "advisory" => Some(0),
        "soft-mandatory" | "mandatory-overridable" => Some(1),
        "mandatory" | "hard-mandatory" => Some(2),
        _ => None,
    }
}

/// A version of a workspace's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateVersion {
    /// `sv-…`
    pub id: String,
    /// Name of the workspace.
    pub workspace: String,
    /// When it was written.
    pub created: Option<Time>,
    /// The run that wrote it; empty where somebody wrote it from outside.
    pub run: String,
    /// Who wrote it.
    pub author: Option<Private>,
}

/// A workspace, as the organization lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workspace {
    /// No longer listed.
    pub gone: bool,
    /// `ws-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// `prj-…` of the project that it is in.
    pub project: String,
    /// remote, agent or local: plans of a local one are not run in HCP Terraform, and no policy sees them.
    pub execution: String,
    /// Whether runs are applied without a confirmation.
    pub auto_apply: bool,
    /// Where its configuration comes from.
    pub origin: Option<Origin>,
}

/// A policy set and where it applies. One that comes from a repository names its policies in its version alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicySet {
    /// No longer listed.
    pub gone: bool,
    /// `polset-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it applies to every workspace.
    pub global: bool,
    /// Whether its mandatory policies can be overridden, hard-mandatory ones included.
    pub overridable: bool,
    /// sentinel, opa, or as it came; empty when not stated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub engine: String,
    /// Whether it runs as policy evaluations, which see no cost estimate; else as checks.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
    /// Where it comes from: the repository, branch and path, and the commit that is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Policies in it, with their enforcement level where stated.
    pub policies: Vec<(String, String)>,
    /// Workspaces it is attached to, by name or id.
    pub workspaces: Vec<String>,
    /// Projects whose workspaces it is attached to, by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Workspaces it leaves out.
    pub excluded: Vec<String>,
}

/// A policy that is managed in the organization, with its text. Those of a repository are at the commit of their set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// No longer in a policy set.
    pub gone: bool,
    /// `pol-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Level that it declares.
    pub level: String,
    /// SHA-256 of its text.
    pub sha256: String,
    /// Its text.
    pub text: String,
}

/// Where a policy set comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// `OWNER/REPOSITORY`
    pub repository: String,
    /// Branch; empty for the default one.
    pub branch: String,
    /// Folder within it.
    pub path: String,
    /// Commit of the version that is in force; empty when not stated.
    pub commit: String,
}

/// A resource as the last applied plan of its workspace shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// The last applied plan destroyed it.
    pub gone: bool,
    /// Name of the workspace.
    pub workspace: String,
    /// Address in the plan.
    pub address: String,
    /// Terraform type.
    pub r#type: String,
    /// `tags_all`, else `tags`; null when the resource cannot carry tags.
    pub tags: Option<Outside>,
    /// Whether the tags, or some of them, are known only after apply: `*` or names.
    pub unknown_tags: Vec<String>,
    /// Instance types.
    pub instance_types: Vec<String>,
    /// Whether the run left it as it was: it was there before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untouched: bool,
    /// What the plan says of encryption; null when the resource is of no kind that we judge.
    pub encryption: Option<Encryption>,
}

/// Terraform types that run something.
pub const COMPUTE: [&str; 16] = [
    "aws_instance",
    "aws_spot_instance_request",
    "aws_launch_template",
    "aws_launch_configuration",
    "aws_autoscaling_group",
    "aws_ec2_fleet",
    "aws_spot_fleet_request",
    "aws_eks_node_group",
    "aws_sagemaker_notebook_instance",
    "aws_sagemaker_endpoint_configuration",
    "aws_sagemaker_app",
    "aws_batch_compute_environment",
    "aws_ecs_capacity_provider",
    "aws_emr_cluster",
    "aws_emr_instance_group",
    "aws_emr_instance_fleet",
];

impl Resource {
    /// Whether it runs something.
    pub fn is_compute(&self) -> bool {
        COMPUTE.contains(&self.r#type.as_str()) || self.r#type == "aws_sagemaker_endpoint"
    }
}

/// What a plan says of encryption at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// Set on, with a key where one is asked for.
    On,
    /// Set off, or an EKS cluster encrypted without its secrets.
    Off,
    /// Absent or known only after apply.
    Unknown,
}
