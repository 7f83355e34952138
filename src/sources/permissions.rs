//! What the program asks of others, and what it has to be granted for that: the one table that the permissions under `deploy/` and
//! `docs/permissions.md` are made from.

use super::kubernetes::{RESOURCES, Resource, When};

/// Something that is granted.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The part of the config for which it is needed.
    pub part: &'static str,
    /// As the other side names it: an IAM action, a resource of a cluster, a permission of a token.
    pub action: String,
    /// Verbs on that resource, as RBAC names them; none elsewhere.
    pub verbs: &'static [&'static str],
    /// What it is granted on.
    pub on: &'static str,
    /// What for.
    pub purpose: &'static str,
    /// What is lost without it.
    pub lost: &'static str,
}

/// What is listed in each pass is watched between them.
const WATCHED: &[&str] = &["list", "watch"];
/// What only our own evaluation needs.
const LISTED: &[&str] = &["list"];
/// One namespace is read by its name: its uid is what tells clusters apart.
const NAMED: &[&str] = &["get", "list", "watch"];

type Row = (&'static str, &'static str, &'static str, &'static str);

/// A part of the config with what it needs in AWS (Service Authorization Reference).
const AWS: [(&str, &[Row]); 6] = [
    (
        "flow logs in S3",
        &[
            ("s3:ListBucket", "bucket", "finding what was delivered", "all flow logs"),
            ("s3:GetObject", "objects", "reading what was delivered", "each object, as a gap with its name"),
            (
                "s3:GetObjectVersion",
                "objects",
                "`verify --refetch` in a bucket with versions",
                "the comparison with the bytes of then",
            ),
            ("kms:Decrypt", "key", "objects that are encrypted with a key", "these objects"),
        ],
    ),
    (
        "flow logs in CloudWatch Logs",
        &[
            ("logs:FilterLogEvents", "log group", "reading records", "all flow logs"),
            ("logs:DescribeLogGroups", "log group", "since when the group keeps events", "all flow logs"),
        ],
    ),
    (
        "inventory of interfaces",
        &[
            (
                "ec2:DescribeNetworkInterfaces",
                "everything",
                "which interfaces should have records",
                "flow-logs-audit-trail: nobody knows what is missing",
            ),
            (
                "ec2:DescribeFlowLogs",
                "everything",
                "which format and destination flow logs have",
                "the format of what was not delivered",
            ),
        ],
    ),
    (
        "model artifacts in S3",
        &[
            ("s3:ListBucketVersions", "bucket", "every version and delete marker", "all model artifacts"),
            ("s3:GetBucketVersioning", "bucket", "whether versions are kept", "artifact-versioning-enabled"),
            ("s3:GetEncryptionConfiguration", "bucket", "default encryption", "artifact-bucket-protected"),
            ("s3:GetBucketPublicAccessBlock", "bucket", "public access", "artifact-bucket-protected"),
            (
                "s3:GetBucketObjectLockConfiguration",
                "bucket",
                "locks by default",
                "technical-documentation-kept",
            ),
            (
                "s3:GetLifecycleConfiguration",
                "bucket",
                "what is deleted by itself",
                "log-retention-six-months",
            ),
            ("s3:GetReplicationConfiguration", "bucket", "whether copies lie elsewhere", "that setting"),
            ("s3:GetBucketLogging", "bucket", "whether access is logged", "that setting"),
            (
                "s3:GetObjectVersion",
                "objects",
                "manifests; the bytes with `--hash`",
                "which files belong together; digests of our own",
            ),
            (
                "s3:GetObjectVersionAttributes",
                "objects",
                "checksums, together with s3:GetObjectVersion",
                "deployed-version-has-artifact, where S3 states none",
            ),
            ("s3:GetObjectVersionTagging", "objects", "tags of a version", "levels that tags state"),
            (
                "s3:GetObjectRetention",
                "objects",
                "until when a version is locked",
                "technical-documentation-kept",
            ),
            ("s3:GetObjectLegalHold", "objects", "whether it is held", "technical-documentation-kept"),
            ("kms:Decrypt", "key", "manifests and bytes that are encrypted with a key", "these files"),
        ],
    ),
    (
        "archive",
        &[
            (
                "s3:PutObject",
                "objects",
                "checkpoints, entries and reports that lie elsewhere",
                "an outside witness",
            ),
            ("s3:PutObjectRetention", "objects", "locking them", "the lock: whoever may delete can"),
            ("s3:GetObject", "objects", "reading every lock back", "the proof that it is locked"),
            ("s3:GetObjectRetention", "objects", "reading every lock back", "the proof that it is locked"),
            (
                "s3:GetObjectVersion",
                "objects",
                "reading back the lock of the very version",
                "the proof that it is locked",
            ),
            (
                "kms:Decrypt",
                "key",
                "reading back what is encrypted with a key",
                "the proof that it is locked",
            ),
            (
                "kms:GenerateDataKey",
                "key",
                "writing to a bucket that is encrypted with a key",
                "the archive there",
            ),
        ],
    ),
    ("role_arn", &[("sts:AssumeRole", "role", "what another account owns", "all sources with that role")]),
];

/// What a token of HCP Terraform has to be allowed (HCP Terraform, "Permissions model").
const HCP_TERRAFORM: [Row; 6] = [
    (
        "organization: view all workspaces",
        "team or user token",
        "workspaces, and which have no policies",
        "names of workspaces",
    ),
    (
        "organization: view all projects",
        "team or user token",
        "which policy sets apply to which workspaces",
        "gates by project",
    ),
    (
        "organization: manage policies",
        "team or user token",
        "policy sets, policies, commits in force",
        "declared levels",
    ),
    (
        "workspace: read runs",
        "team or user token",
        "runs, checks, evaluations, events, comments; plans in their redacted form",
        "each run, as a gap",
    ),
    (
        "workspace: read state versions",
        "team or user token",
        "applies that no run explains",
        "a state version without a run",
    ),
    (
        "organization: audit trail",
        "audit token",
        "who let a policy through",
        "override-accountable, where run events do not tell it",
    ),
];

/// Everything, by part of the config.
pub fn aws() -> Vec<Permission> {
    let of = |(part, rows): &(&'static str, &[Row])| -> Vec<Permission> {
        rows.iter().map(|row| permission(part, row)).collect()
    };
    AWS.iter().flat_map(of).collect()
}

fn permission(part: &'static str, &(action, on, purpose, lost): &Row) -> Permission {
    Permission { part, action: action.to_owned(), verbs: &[], on, purpose, lost }
}

/// Resources of a cluster, as RBAC names them.
pub fn kubernetes() -> Vec<Permission> {
    let of = |r: &Resource| {
        let (purpose, lost) = match (r.when, r.kind) {
            (When::Matched, _) => (
                "our own evaluation of constraints that match them",
                "gate-reperformed, for these constraints",
            ),
            (_, "Namespace") => ("which cluster it is, what it leaves out", "the whole cluster"),
            (_, "Node") => (
                "addresses, and what the machines are",
                "flow-logs-audit-trail where nodes are the inventory",
            ),
            (_, "ConstraintTemplate" | "Config") => {
                ("the gate and what it leaves out", "constraint-enforced, gate-reperformed")
            }
            (_, "ValidatingWebhookConfiguration") => {
                ("whether requests reach the gate", "webhook-fails-closed, admission-bypass")
            }
            _ => ("what runs", "what runs, as a gap with the resource"),
        };
        let verbs = match (r.when, r.kind) {
            (When::Matched, _) => LISTED,
            (_, "Namespace") => NAMED,
            _ => WATCHED,
        };
        of_cluster(r.name(), verbs, purpose, lost)
    };
    let constraints = of_cluster(
        "*.constraints.gatekeeper.sh".to_owned(),
        WATCHED,
        "constraints and their violations: each template makes a kind of its own",
        "all findings of Gatekeeper",
    );
    let (purpose, lost) = ("denials, which leave no other trace", "admission-bypass: what was denied");
    let events = of_cluster("events".to_owned(), WATCHED, purpose, lost);
    RESOURCES.iter().map(of).chain([constraints, events]).collect()
}

fn of_cluster(
    action: String,
    verbs: &'static [&'static str],
    purpose: &'static str,
    lost: &'static str,
) -> Permission {
    Permission { part: "clusters", action, verbs, on: "the cluster", purpose, lost }
}

/// What tokens of HCP Terraform are allowed.
pub fn hcp_terraform() -> Vec<Permission> {
    HCP_TERRAFORM.iter().map(|row| permission("HCP Terraform", row)).collect()
}
