//! The policy pack: tags, labels, registries, ports and numbers of the governed platform.

use super::Level;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    /// Tag that states the day of the last compliance review.
    pub review_tag: String,
    /// Days that a compliance review may lie back, by level.
    pub review_max_age_days: BTreeMap<Level, i64>,
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
    use crate::act::Catalogue;

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
