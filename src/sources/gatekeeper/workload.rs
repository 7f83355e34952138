//! Workloads: labels, images and GPUs of objects that run pods, and when a model version began.

use super::WORKLOADS;
use super::object::Object;
use crate::evidence::gatekeeper::Workload;
use crate::evidence::{Outside, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const VERSION: &str = "model-version";
const TOOLS: [&str; 3] =
    ["kubectl.kubernetes.io/", "deployment.kubernetes.io/", "autoscaling.alpha.kubernetes.io/"];

/// Kinds whose owners matter.
const OWNED: [&str; 4] = ["Pod", "ReplicaSet", "ControllerRevision", "Job"];

/// What else of the look tells about a workload.
#[derive(Default)]
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
pub(super) type Place = (String, String, String);

impl Related {
    /// Of these objects.
    pub(super) fn of<'o>(objects: impl Iterator<Item = &'o Object>) -> Related {
        let (mut related, mut begun) = (Related::default(), Vec::new());
        for object in objects.filter(|o| OWNED.contains(&o.kind.as_str())) {
            let value = object.value();
            if let Some((kind, name)) = owner(&value) {
                let owner = (object.namespace.clone(), kind.to_owned(), name.to_owned());
                related.owners.insert(place(object), owner);
            }
            match object.kind.as_str() {
                "Pod" => begun.extend(images(&value).map(|images| (place(object), images))),
                _ => related.start(&place(object), &value),
            }
        }
        for (pod, images) in begun {
            related.digests.entry(related.workload(&pod)).or_default().extend(images);
        }
        related
    }

    fn start(&mut self, place: &Place, object: &Value) {
        let template = &object["spec"]["template"]["metadata"]["labels"][VERSION];
        let version = template.as_str().or(object["metadata"]["labels"][VERSION].as_str());
        let created = object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse::<Time>().ok());
        if let (Some(version), Some(created), Some(owner)) = (version, created, self.owners.get(place)) {
            let starts = self.starts.entry(owner.clone()).or_default();
            let first = starts.entry(version.to_owned()).or_insert(created);
            *first = created.min(*first);
        }
    }

    /// The object that a pod runs for: its owner's owner, where there is one (Deployment, CronJob).
    pub(super) fn workload(&self, pod: &Place) -> Place {
        let owner = self.owners.get(pod).unwrap_or(pod);
        self.owners.get(owner).unwrap_or(owner).clone()
    }
}

/// Images that a pod runs, by digest; none while it runs none.
fn images(pod: &Value) -> Option<Vec<String>> {
    let statuses = pod["status"]["containerStatuses"].as_array()?;
    let images = statuses.iter().filter_map(|s| s["imageID"].as_str()).filter(|i| i.contains("@sha256:"));
    let images: Vec<String> = images.map(|i| i.rsplit("://").next().unwrap_or(i).to_owned()).collect();
    Some(images).filter(|images| !images.is_empty())
}

/// Where an object stands.
pub(super) fn place(object: &Object) -> Place {
    (object.namespace.clone(), object.kind.clone(), object.name.clone())
}

/// The workload that an object is, where it is one: one of the kinds, or a ReplicaSet or Pod that nothing owns.
pub(super) fn workload(of: &Object, object: &Value, related: &Related) -> Option<Workload> {
    let kind = of.kind.as_str();
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
    let place = place(of);
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
        generation: object["metadata"]["generation"].as_i64(),
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
        "Pod" => i64::from(!has_run(object)),
        _ => object["spec"]["replicas"].as_i64().unwrap_or(1),
    }
}

/// Whether a pod runs no more.
pub(super) fn has_run(pod: &Value) -> bool {
    ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
}

fn annotations(object: &Value) -> Outside {
    let all = Outside::of(object["metadata"].get("annotations"));
    let of_people = all.iter().filter(|(name, _)| !TOOLS.iter().any(|t| name.starts_with(t)));
    of_people.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
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

fn owner(object: &Value) -> Option<(&str, &str)> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find_map(|o| Some((o["kind"].as_str()?, o["name"].as_str()?)))
}
