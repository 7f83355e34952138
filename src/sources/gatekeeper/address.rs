//! Addresses of nodes, and of pods that have one of their own: what flow logs show of a cluster.

use super::super::Gathered;
use super::workload::{namespace, owner};
use super::{Objects, name};
use crate::config::Source;
use crate::evidence::gatekeeper::Address;
use crate::evidence::{Evidence, Kind, Time};
use serde_json::Value;

pub(super) fn read(out: &mut Gathered, source: &Source, cluster: &str, at: Time, objects: &Objects) {
    for (_, kind, object) in objects {
        let (place, address) = match kind.as_str() {
            "Node" => (format!("-/Node/{}", name(object)), Some(node(object))),
            "Pod" => (format!("{}/Pod/{}", namespace(object), name(object)), pod(cluster, object, objects)),
            _ => continue,
        };
        if let Some(address) = address {
            let subject = format!("k8s:{cluster}/{place}");
            out.evidence.push(Evidence::state(Kind::KubernetesAddress, &source.name, subject, at, &address));
        }
    }
}

fn node(object: &Value) -> Address {
    let addresses = object["status"]["addresses"].as_array().into_iter().flatten();
    let internal = addresses.filter(|a| a["type"] == "InternalIP").filter_map(|a| a["address"].as_str());
    let instance = object["spec"]["providerID"].as_str().and_then(|p| p.rsplit('/').next());
    Address {
        node: name(object).to_owned(),
        addresses: internal.map(str::to_owned).collect(),
        instance: instance.filter(|i| i.starts_with("i-")).map(str::to_owned),
        ..Address::default()
    }
}

/// A pod that runs with addresses of its own; one in the network of its node has none.
fn pod(cluster: &str, object: &Value, objects: &Objects) -> Option<Address> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let ended = ["Succeeded", "Failed"].iter().any(|phase| status["phase"] == *phase);
    let all = status["podIPs"].as_array().into_iter().flatten().filter_map(|a| a["ip"].as_str());
    let mut addresses: Vec<String> = all.map(str::to_owned).collect();
    if addresses.is_empty() {
        addresses.extend(status["podIP"].as_str().map(str::to_owned));
    }
    if ended || addresses.is_empty() || spec["hostNetwork"] == true {
        return None;
    }
    let (kind, owner) = workload(object, objects);
    Some(Address {
        node: spec["nodeName"].as_str().unwrap_or_default().to_owned(),
        addresses,
        workload: Some(format!("k8s:{cluster}/{}/{kind}/{owner}", namespace(object))),
        started: status["startTime"].as_str().and_then(|t| t.parse().ok()),
        ..Address::default()
    })
}

/// Kind and name of the object that a pod runs for: its owner's owner, where there is one (Deployment, CronJob).
fn workload<'o>(object: &'o Value, objects: &'o Objects) -> (&'o str, &'o str) {
    let Some((kind, own)) = owner(object) else { return ("Pod", name(object)) };
    let is_owner = |o: &&Value| name(o) == own && namespace(o) == namespace(object);
    let between = objects.iter().filter(|(_, k, _)| k == kind).map(|(_, _, o)| o).find(is_owner);
    between.and_then(owner).unwrap_or((kind, own))
}
