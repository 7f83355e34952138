//! Which interfaces should speak, where nobody lists them: those of a cluster's nodes.

use crate::support::{World, sqlite, stderr, stdout};
use actledger::evidence::Time;
use serde_json::{Value, json};

const CONFIG: &str = "[[flow_logs]]\nname = \"vpc\"\nlocation = \"file:looks\"\n\
    [[gatekeeper]]\nname = \"ml\"\nlocation = \"file:cluster\"\nflow_logs = \"vpc\"\n";
const REGISTER: &str = "[[system]]\nid = \"credit\"\nteam = \"lending\"\nrisk_level = \"high\"\nrole = \"deployer\"\n\
    annex = \"III.5(b)\"\nselect = [{ network = { address = \"10.0.1.5\" } }]\n";

fn folder(world: &World, of: &str, at: Time) -> std::path::PathBuf {
    let folder = world.path(of).join(at.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string());
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
    assert_eq!(
        (seen, expected % 2, expected >= 14),
        (7, 0, true),
        "two nodes, one of which speaks: {coverage:#}"
    );
    assert!(
        coverage.to_string().contains("node ip-10-0-1-6 is in the inventory and in no record"),
        "{coverage:#}"
    );
    let system = report["systems"].as_array().unwrap().iter().find(|s| s["id"] == "credit").unwrap();
    let finding = system["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["control"] == "flow-logs-audit-trail")
        .unwrap();
    assert!(finding["counts"]["satisfied"].as_u64().unwrap() >= 6, "{finding:#}");
    assert!(finding.to_string().contains(&format!("eni-a {}", ago(5))), "{finding:#}");
    run("verify");
}
