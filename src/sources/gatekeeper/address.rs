//! Addresses of nodes, and of pods that have one of their own: what flow logs show of a cluster.

use super::object::Object;
use super::workload::{Related, has_run, place};
use crate::evidence::gatekeeper::Address;
use serde_json::Value;

/// Where it stands in its subject, and the addresses of a node or pod.
pub(super) fn address(
    cluster: &str,
    of: &Object,
    object: &Value,
    related: &Related,
) -> Option<(String, Address)> {
    match of.kind.as_str() {
        "Node" => Some((format!("-/Node/{}", of.name), node(&of.name, object))),
        "Pod" => Some((of.shown(), pod(cluster, of, object, related)?)),
        _ => None,
    }
}

/// Whether an object is a pod that has run, so that its addresses are others' now.
pub(super) fn has_ended(of: &Object) -> bool {
    of.kind == "Pod" && {
        let pod = of.value();
        has_run(&pod) && pod["spec"]["hostNetwork"] != true
    }
}

fn node(name: &str, object: &Value) -> Address {
    let addresses = object["status"]["addresses"].as_array().into_iter().flatten();
    let internal = addresses.filter(|a| a["type"] == "InternalIP").filter_map(|a| a["address"].as_str());
    let instance = object["spec"]["providerID"].as_str().and_then(|p| p.rsplit('/').next());
    Address {
        node: name.to_owned(),
        addresses: internal.map(str::to_owned).collect(),
        instance: instance.filter(|i| i.starts_with("i-")).map(str::to_owned),
        ..Address::default()
    }
}

/// A pod that runs with addresses of its own; one in the network of its node has none.
fn pod(cluster: &str, of: &Object, object: &Value, related: &Related) -> Option<Address> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let all = status["podIPs"].as_array().into_iter().flatten().filter_map(|a| a["ip"].as_str());
    let mut addresses: Vec<String> = all.map(str::to_owned).collect();
    if addresses.is_empty() {
        addresses.extend(status["podIP"].as_str().map(str::to_owned));
    }
    if has_run(object) || addresses.is_empty() || spec["hostNetwork"] == true {
        return None;
    }
    let (namespace, kind, name) = related.workload(&place(of));
    Some(Address {
        node: spec["nodeName"].as_str().unwrap_or_default().to_owned(),
        addresses,
        workload: Some(format!("k8s:{cluster}/{namespace}/{kind}/{name}")),
        started: status["startTime"].as_str().and_then(|t| t.parse().ok()),
        ..Address::default()
    })
}
