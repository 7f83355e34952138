//! Which interfaces should speak, where nobody lists them: those of a cluster's nodes.

use crate::support::{World, sqlite, stderr, stdout};
use actledger::evidence::Time;
use serde_json::{Value, json};

const CONFIG: &str = "[[flow_logs]]\nname = \"vpc\"\nlocation = \"file:looks\"\n\
    [[gatekeeper]]\nname = \"ml\"\nlocation = \"file:cluster\"\nflow_logs = \"vpc\"\n";
const REGISTER: &str = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\nrole = \"deployer\"\n\
    annex = \"III.5(b)\"\nselect = [{ network = { address = \"10.0.1.5\" } }]\n\
    [[system]]\nid = \"vision\"\nteam = \"x\"\nrisk_level = \"high\"\nselect = [{ network = { interface = \"eni-z\" } }]\n";

fn folder(world: &World, of: &str, at: Time) -> std::path::PathBuf {
    let folder = world.path(of).join(at.look_name());
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A look at a cluster with these nodes.
fn cluster(world: &World, at: Time, nodes: &[&str]) {
    let node = |address: &&str| {
        json!({ "metadata": { "name": format!("ip-{}", address.replace('.', "-")) }, "spec": { "providerID": "aws:///x/i-1" },
            "status": { "addresses": [{ "type": "InternalIP", "address": address }] } })
    };
    let items: Vec<Value> = nodes.iter().map(node).collect();
    let list = json!({ "apiVersion": "v1", "kind": "NodeList", "items": items });
    std::fs::write(folder(world, "cluster", at).join("nodes.json"), list.to_string()).unwrap();
}

/// Records of an hour: the node 10.0.1.5 behind `eni-a`, and another interface that talks to it alone.
fn hour(at: Time) -> String {
    let line = |eni: &str, from: &str, to: &str| {
        let start = at.seconds() + 60;
        format!("2 111122223333 {eni} {from} {to} 40000 443 6 1 40 {start} {} ACCEPT OK\n", start + 50)
    };
    [
        line("eni-a", "10.0.1.5", "10.0.9.9"),
        line("eni-a", "10.0.9.8", "10.0.1.5"),
        line("eni-b", "10.0.9.9", "10.0.1.5"),
    ]
    .concat()
}

#[test]
fn the_nodes_of_a_cluster_tell_which_interfaces_should_speak() {
    let world = World::init(CONFIG);
    std::fs::write(world.path("systems.toml"), REGISTER).unwrap();
    let now = actledger::clock::Clock::System.now().hour();
    let ago = |hours: i64| now.plus_seconds(-3_600 * hours);
    let records = |at: Time, hours: &[i64]| {
        let text: String = hours.iter().map(|h| hour(ago(*h))).collect();
        std::fs::write(folder(&world, "looks", at).join(format!("{}.log", at.seconds())), text).unwrap();
    };
    let nodes = ["10.0.1.5", "10.0.1.6"];
    cluster(&world, ago(9), &nodes);
    records(ago(9), &[10]);
    let run = |command: &str| {
        let done = world.run(&[command]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    };
    run("ingest");
    run("assess");
    // One that came and went between two assessments: nobody searched for it.
    cluster(&world, ago(5), &["10.0.1.5", "10.0.1.6", "10.0.1.7"]);
    cluster(&world, ago(1), &nodes);
    records(ago(1), &[9, 8, 7, 6, 5, 4, 3]);
    run("ingest");
    let told = sqlite(
        &world.ledger(),
        "SELECT json_extract(CAST(bytes AS TEXT), '$.payload.nodes') FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"kind\":\"flow_log.object\"%'",
    );
    assert_eq!(
        told.lines().last(),
        Some("[[0,\"10.0.1.5\"]]"),
        "the interface that speaks to one node is none: {told}"
    );
    let done = world.run(&["report", "--format", "json", "--out", "r"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let report: Value = serde_json::from_slice(&std::fs::read(world.path("r/report.json")).unwrap()).unwrap();
    let coverage = report["coverage"].as_array().unwrap().iter().find(|c| c["source"] == "vpc").unwrap();
    let (expected, seen) = (coverage["expected"].as_u64().unwrap(), coverage["seen"].as_u64().unwrap());
    // The others are expected since records are searched for them: since the assessment.
    assert!(seen == 7 && (7..=9).contains(&expected), "{coverage:#}");
    assert!(!coverage["gaps"].to_string().contains("ip-10-0-1"), "{coverage:#}");
    let finding = |system: &str, control: &str| {
        let system = report["systems"].as_array().unwrap().iter().find(|s| s["id"] == system).unwrap();
        system["findings"].as_array().unwrap().iter().find(|f| f["control"] == control).unwrap().clone()
    };
    // Nodes are no inventory of all there is.
    let other = finding("vision", "ml-port-segmentation");
    assert_eq!(
        (&other["status"], &other["reason"]),
        (&json!("not-assessed"), &json!("inventory-unknown")),
        "{other:#}"
    );
    let finding = finding("credit", "flow-logs-audit-trail");
    assert!(finding["counts"]["satisfied"].as_u64().unwrap() >= 6, "{finding:#}");
    assert!(finding.to_string().contains(&format!("eni-a {}", ago(5))), "{finding:#}");
    run("verify");
}

/// Lists of a cluster in which the Deployment `api` of the system runs as a pod, and `web` of nobody as another.
fn with_pods(world: &World, at: Time) {
    let meta = |name: &str, owner: Value| json!({ "name": name, "namespace": "ml", "ownerReferences": [owner], "labels": {} });
    let owned = |kind: &str, name: &str, of: &str, status: Value| {
        let owner_kind = if kind == "Pod" { "ReplicaSet" } else { "Deployment" };
        let group = if kind == "Pod" { "v1" } else { "apps/v1" };
        json!({ "apiVersion": group, "kind": kind, "metadata": meta(name, json!({ "kind": owner_kind, "name": of })),
            "spec": { "nodeName": "ip-10-0-1-5" }, "status": status })
    };
    let running = |address: &str| json!({ "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }], "startTime": "2026-01-01T00:00:00Z" });
    let deployment = |name: &str, system: &str| {
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "ml", "labels": { "ai-system": system } },
            "spec": { "replicas": 1, "template": { "metadata": { "labels": { "model-version": "v1" } }, "spec": { "containers": [] } } } })
    };
    let lists = [
        ("workloads.json", vec![deployment("api", "credit"), deployment("web", "")]),
        (
            "replicasets.json",
            vec![
                owned("ReplicaSet", "api-7", "api", json!({})),
                owned("ReplicaSet", "web-9", "web", json!({})),
            ],
        ),
        (
            "pods.json",
            vec![
                owned("Pod", "api-7-x", "api-7", running("10.0.5.7")),
                owned("Pod", "web-9-y", "web-9", running("10.0.5.8")),
            ],
        ),
    ];
    for (file, items) in lists {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        std::fs::write(folder(world, "cluster", at).join(file), list.to_string()).unwrap();
    }
}

#[test]
fn what_a_pod_does_behind_its_node_is_its_systems() {
    let world = World::init(&format!("{CONFIG}[act]\nprofile = \"full\"\n"));
    let register = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\negress = [\"203.0.113.0/24\"]\n";
    std::fs::write(world.path("systems.toml"), register).unwrap();
    let now = actledger::clock::Clock::System.now().hour();
    let ago = |hours: i64| now.plus_seconds(-3_600 * hours);
    // The node's address on the interface's side, the pod's in the packet.
    let out = |pod: &str, to: &str, hours: i64| {
        let start = ago(hours).seconds() + 60;
        format!("eni-a 10.0.1.5 {to} 40000 443 6 9 9000 {start} {} ACCEPT OK {pod} {to} 2\n", start + 50)
    };
    let header = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status pkt-srcaddr pkt-dstaddr tcp-flags\n";
    let records = |at: Time, text: String| {
        std::fs::write(folder(&world, "looks", at).join(format!("{}.log", at.seconds())), text).unwrap();
    };
    let run = |command: &str| {
        let done = world.run(&[command]);
        assert_eq!(done.status.code(), Some(0), "{}{}", stdout(&done), stderr(&done));
    };
    with_pods(&world, ago(12));
    cluster(&world, ago(12), &["10.0.1.5"]);
    records(
        ago(10),
        format!("{header}{}{}", out("10.0.5.7", "203.0.113.9", 13), out("10.0.5.7", "203.0.113.9", 12)),
    );
    run("ingest");
    run("assess");
    with_pods(&world, ago(1));
    cluster(&world, ago(1), &["10.0.1.5"]);
    let later = [
        out("10.0.5.7", "203.0.113.9", 7),
        out("10.0.5.7", "198.51.100.7", 6),
        out("10.0.5.8", "198.51.100.7", 5),
        out("10.0.1.5", "198.51.100.7", 4),
    ];
    records(ago(1), format!("{header}{}", later.concat()));
    let judged = || {
        run("ingest");
        let done = world.run(&["report", "--format", "json", "--out", "r"]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let report: Value =
            serde_json::from_slice(&std::fs::read(world.path("r/report.json")).unwrap()).unwrap();
        let system = report["systems"].as_array().unwrap().iter().find(|s| s["id"] == "credit").unwrap();
        system["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["control"] == "egress-declared")
            .unwrap()
            .clone()
    };
    let unit = |finding: &Value, hours: i64| {
        let id = ago(hours).to_string();
        let units = finding["units"].as_array().unwrap();
        let unit =
            units.iter().find(|u| u["id"] == id.as_str()).unwrap_or_else(|| panic!("{id}: {finding:#}"));
        (unit["status"].as_str().unwrap().to_owned(), unit["reason"].as_str().unwrap_or_default().to_owned())
    };
    let finding = judged();
    let told = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
    assert_eq!(unit(&finding, 6), told("not-satisfied", ""), "{finding:#}");
    assert_eq!(unit(&finding, 7), told("satisfied", ""), "{finding:#}");
    assert_eq!(unit(&finding, 5), told("satisfied", ""), "another pod of the same node");
    assert_eq!(unit(&finding, 4), told("satisfied", ""), "the node itself");
    assert_eq!(unit(&finding, 12), told("not-assessed", "source-gap"), "kept in total only");
    // Records that do not show packets cannot tell a pod from its node.
    let start = ago(3).seconds() + 60;
    let line = format!(
        "2 111122223333 eni-a 10.0.1.5 198.51.100.7 40000 443 6 9 9000 {start} {} ACCEPT OK\n",
        start + 50
    );
    records(ago(0), line);
    let finding = judged();
    assert_eq!(unit(&finding, 3), told("not-assessed", "format"), "{finding:#}");
    assert_eq!(unit(&finding, 6), told("not-satisfied", ""), "{finding:#}");
}
