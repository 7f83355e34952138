//! What belongs to a system.

use serde::{Deserialize, Serialize};

/// One selector: every member that is given must match; `*` at the end of a text matches any rest.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
