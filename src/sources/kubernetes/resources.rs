//! What is read of a cluster, by name: `deploy/kubernetes/rbac.yaml` grants these and no others.

/// A resource that is listed whole.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Plural name, as it stands in paths and in RBAC rules.
    pub plural: &'static str,
    /// Kind of its objects.
    pub kind: &'static str,
    /// When it is listed.
    pub when: When,
}

/// When a resource is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In each pass; a cluster without it lacks something that the record needs.
    Always,
    /// In each pass, where the cluster has it; one without it has no such objects.
    Served,
    /// Where a constraint matches its kind: only our own evaluation needs it.
    Matched,
}

/// Version under which constraints are read. Discovery tells their kinds; each is a resource named like its kind in lower case.
pub const CONSTRAINTS_VERSION: &str = "v1beta1";

const fn always(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { group, version, plural, kind, when: When::Always }
}

/// All of them but constraints and events.
pub const RESOURCES: [Resource; 19] = [
    always("", "v1", "namespaces", "Namespace"),
    always("", "v1", "nodes", "Node"),
    always("templates.gatekeeper.sh", "v1", "constrainttemplates", "ConstraintTemplate"),
    always("config.gatekeeper.sh", "v1alpha1", "configs", "Config"),
    always(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
    ),
    always("apps", "v1", "deployments", "Deployment"),
    always("apps", "v1", "statefulsets", "StatefulSet"),
    always("apps", "v1", "daemonsets", "DaemonSet"),
    always("apps", "v1", "replicasets", "ReplicaSet"),
    always("batch", "v1", "jobs", "Job"),
    always("batch", "v1", "cronjobs", "CronJob"),
    Resource {
        when: When::Served,
        ..always("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
    },
    always("", "v1", "pods", "Pod"),
    Resource { when: When::Matched, ..always("", "v1", "replicationcontrollers", "ReplicationController") },
    Resource { when: When::Matched, ..always("", "v1", "services", "Service") },
    Resource { when: When::Matched, ..always("", "v1", "serviceaccounts", "ServiceAccount") },
    Resource { when: When::Matched, ..always("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim") },
    Resource { when: When::Matched, ..always("networking.k8s.io", "v1", "ingresses", "Ingress") },
    Resource { when: When::Matched, ..always("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy") },
];

/// Path of all events.
pub(super) const EVENTS: &str = "/api/v1/events";

impl Resource {
    /// Path of its list, over all namespaces.
    pub fn path(&self) -> String {
        path(self.group, self.version, self.plural)
    }

    /// Its name as RBAC and `kubectl` write it.
    pub fn name(&self) -> String {
        if self.group.is_empty() { self.plural.into() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// Path of a list (Kubernetes API concepts, "Resource URIs").
pub(super) fn path(group: &str, version: &str, plural: &str) -> String {
    if group.is_empty() {
        format!("/api/{version}/{plural}")
    } else {
        format!("/apis/{group}/{version}/{plural}")
    }
}
