//! Workloads: labels, images and GPUs of objects that run pods, and when a model version began.

use super::super::Gathered;
use super::{Objects, WORKLOADS, name};
use crate::config::Source;
use crate::evidence::gatekeeper::Workload;
use crate::evidence::{Evidence, Kind, Outside, Time};
use serde_json::Value;
use std::collections::BTreeMap;

const VERSION: &str = "model-version";
const TOOLS: [&str; 3] =
    ["kubectl.kubernetes.io/", "deployment.kubernetes.io/", "autoscaling.alpha.kubernetes.io/"];

pub(super) fn read(out: &mut Gathered, source: &Source, cluster: &str, at: Time, objects: &Objects) {
    let starts = version_starts(objects);
    for (_, kind, object) in objects {
        let bare = ["ReplicaSet", "Pod"].contains(&kind.as_str()) && owner(object).is_none();
        if !WORKLOADS.contains(&kind.as_str()) && !bare {
            continue;
        }
        let workload = workload(kind, object, &starts);
        let subject = format!("k8s:{cluster}/{}/{kind}/{}", workload.namespace, workload.name);
        out.evidence.push(Evidence::state(Kind::KubernetesWorkload, &source.name, subject, at, &workload));
    }
}

type Starts = BTreeMap<(String, String, String), BTreeMap<String, Time>>;

/// Per owner of a ReplicaSet: the creation time of the first with each model version.
fn version_starts(objects: &Objects) -> Starts {
    let mut starts = Starts::new();
    for (_, kind, object) in objects {
        if kind != "ReplicaSet" && kind != "ControllerRevision" {
            continue;
        }
        let template = &object["spec"]["template"]["metadata"]["labels"][VERSION];
        let version = template.as_str().or(object["metadata"]["labels"][VERSION].as_str());
        let created = object["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse::<Time>().ok());
        let (Some(version), Some(created), Some(owner)) = (version, created, owner(object)) else { continue };
        let (owner_kind, owner_name) = owner;
        let place = (namespace(object).to_owned(), owner_kind.to_owned(), owner_name.to_owned());
        let first = starts.entry(place).or_default().entry(version.to_owned()).or_insert(created);
        *first = created.min(*first);
    }
    starts
}

fn workload(kind: &str, object: &Value, starts: &Starts) -> Workload {
    let spec = &object["spec"];
    let template = match kind {
        "CronJob" => &spec["jobTemplate"]["spec"]["template"],
        "InferenceService" => &spec["predictor"],
        "Pod" => object,
        _ => &spec["template"],
    };
    let (ns, own) = (namespace(object).to_owned(), name(object).to_owned());
    let containers = || template["spec"]["containers"].as_array().into_iter().flatten();
    let own_template = kind != "Pod" && template.get("metadata").is_some();
    Workload {
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
        version_starts: starts.get(&(ns.clone(), kind.to_owned(), own.clone())).cloned().unwrap_or_default(),
        namespace: ns,
        name: own,
    }
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
