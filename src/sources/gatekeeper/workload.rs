//! Workloads: labels, images and GPUs of objects that run pods, and when a model version began.

use super::{WORKLOADS, name};
use crate::evidence::gatekeeper::Workload;
use crate::evidence::{Outside, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const VERSION: &str = "model-version";
const TOOLS: [&str; 3] =
    ["kubectl.kubernetes.io/", "deployment.kubernetes.io/", "autoscaling.alpha.kubernetes.io/"];

/// What else of the look tells about a workload.
pub(super) struct Related {
    starts: Starts,
    owners: Owners,
    digests: Digests,
}

/// Per owner of a ReplicaSet: the creation time of the first with each model version.
type Starts = BTreeMap<Place, BTreeMap<String, Time>>;
/// What owns an object that is owned.
type Owners = BTreeMap<Place, Place>;
/// Images that run, by digest, per workload.
type Digests = BTreeMap<Place, BTreeSet<String>>;
/// Namespace, kind and name.
type Place = (String, String, String);

impl Related {
    /// Of these objects.
    pub(super) fn of<'o>(objects: impl Iterator<Item = &'o super::Object> + Clone) -> Related {
        let owned = objects.clone().filter_map(|(_, kind, o)| {
            let (owner_kind, owner_name) = owner(o)?;
            Some((place(kind, o), (namespace(o).to_owned(), owner_kind.to_owned(), owner_name.to_owned())))
        });
        let mut related = Related { starts: Starts::new(), owners: owned.collect(), digests: Digests::new() };
        for (_, kind, object) in objects {
            match kind.as_str() {
                "ReplicaSet" | "ControllerRevision" => related.start(kind, object),
                "Pod" => related.run(object),
                _ => {}
            }
        }
        related
    }

    fn start(&mut self, kind: &str, object: &Value) {
        let template = &object["spec"]["template"]["metadata"]["labels"][VERSION];
        let version = template.as_str().or(object["metadata"]["labels"][VERSION].as_str());
        let created = object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse::<Time>().ok());
        let (Some(version), Some(created), Some(owner)) =
            (version, created, self.owners.get(&place(kind, object)))
        else {
            return;
        };
        let starts = self.starts.entry(owner.clone()).or_default();
        let first = starts.entry(version.to_owned()).or_insert(created);
        *first = created.min(*first);
    }

    fn run(&mut self, pod: &Value) {
        let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
        let images = statuses.filter_map(|s| s["imageID"].as_str()).filter(|i| i.contains("@sha256:"));
        let images: Vec<&str> = images.map(|i| i.rsplit("://").next().unwrap_or(i)).collect();
        if !images.is_empty() {
            let digests = self.digests.entry(self.workload(pod)).or_default();
            digests.extend(images.into_iter().map(str::to_owned));
        }
    }

    /// The object that a pod runs for: its owner's owner, where there is one (Deployment, CronJob).
    pub(super) fn workload(&self, pod: &Value) -> Place {
        let own = place("Pod", pod);
        let owner = self.owners.get(&own).unwrap_or(&own);
        self.owners.get(owner).unwrap_or(owner).clone()
    }
}

fn place(kind: &str, object: &Value) -> Place {
    (namespace(object).to_owned(), kind.to_owned(), name(object).to_owned())
}

/// The workload that an object is, where it is one: one of the kinds, or a ReplicaSet or Pod that nothing owns.
pub(super) fn workload(kind: &str, object: &Value, related: &Related) -> Option<Workload> {
    let bare = ["ReplicaSet", "Pod"].contains(&kind) && owner(object).is_none();
    if !WORKLOADS.contains(&kind) && !bare {
        return None;
    }
    let spec = &object["spec"];
    let template = match kind {
        "CronJob" => &spec["jobTemplate"]["spec"]["template"],
        "InferenceService" => &spec["predictor"],
        "Pod" => object,
        _ => &spec["template"],
    };
    let containers = || template["spec"]["containers"].as_array().into_iter().flatten();
    let own_template = kind != "Pod" && template.get("metadata").is_some();
    let place = place(kind, object);
    Some(Workload {
        gone: false,
        kind: kind.to_owned(),
        labels: Outside::of(object["metadata"].get("labels")),
        annotations: annotations(object),
        template_labels: own_template.then(|| Outside::of(template["metadata"].get("labels"))),
        template_annotations: if own_template { annotations(template) } else { Outside::default() },
        replicas: replicas(kind, object),
        images: containers().filter_map(|c| c["image"].as_str()).map(str::to_owned).collect(),
        gpus: containers().map(gpus).sum(),
        created: object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse().ok()),
        version_starts: related.starts.get(&place).cloned().unwrap_or_default(),
        image_digests: related.digests.get(&place).cloned().unwrap_or_default(),
        namespace: place.0,
        name: place.2,
    })
}

fn replicas(kind: &str, object: &Value) -> i64 {
    match kind {
        "DaemonSet" => object["status"]["desiredNumberScheduled"].as_i64().unwrap_or(1),
        "CronJob" => i64::from(!object["spec"]["suspend"].as_bool().unwrap_or(false)),
        "Job" => object["status"]["active"].as_i64().unwrap_or(0),
        "Pod" => i64::from(!["Succeeded", "Failed"].iter().any(|p| object["status"]["phase"] == *p)),
        _ => object["spec"]["replicas"].as_i64().unwrap_or(1),
    }
}

fn annotations(object: &Value) -> Outside {
    let mut all = Outside::of(object["metadata"].get("annotations"));
    all.0.retain(|name, _| !TOOLS.iter().any(|t| name.starts_with(t)));
    all
}

/// Extended resources of GPUs: `nvidia.com/gpu`, `amd.com/gpu`, `aws.amazon.com/neuron` and their like.
fn gpus(container: &Value) -> i64 {
    let limits = &container["resources"]["limits"];
    let requests = &container["resources"]["requests"];
    let all = limits.as_object().into_iter().flatten().chain(requests.as_object().into_iter().flatten());
    let gpu = all.filter(|(n, _)| n.contains("/gpu") || n.contains("/neuron") || n.contains("/mig-"));
    let count = |v: &Value| v.as_i64().or_else(|| v.as_str()?.parse().ok());
    gpu.filter_map(|(_, v)| count(v)).max().unwrap_or(0)
}

pub(super) fn owner(object: &Value) -> Option<(&str, &str)> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find_map(|o| Some((o["kind"].as_str()?, o["name"].as_str()?)))
}

pub(super) fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}
