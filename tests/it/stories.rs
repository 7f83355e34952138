//! Whole stories of an auditor, in a real browser with a real driver.

use crate::pages::Served;
use crate::service::{fresh, wait_for_report};
use crate::support::{World, lived_copy, project, stderr, stdout, verify_py};
use actledger::ledger::tree;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const AUTH: &str = "auth = \"token\"\n";

/// What somebody with a token of some role sees in a story, and where its pictures are.
fn told((world, served): (&World, &Served), folder: &Path, story: &str, role: &[&str]) -> (Value, PathBuf) {
    let token = stdout(&world.run(&[&["token", "add", "ada"], role].concat())).trim().to_owned();
    let out =
        std::env::var("ACTLEDGER_LOOKS").map_or(folder.to_owned(), |looks| Path::new(&looks).join(story));
    std::fs::create_dir_all(&out).unwrap();
    let done = Command::new("python")
        .arg(project().join("tests/support/story.py"))
        .args([story, &format!("http://{}", served.address())])
        .arg(&out)
        .arg(&token)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    let seen: Value = serde_json::from_str(stdout(&done).trim()).unwrap();
    for what in ["asked to sign in", "signed out", "is out"] {
        assert_eq!(seen[what], true, "{what}: {seen}");
    }
    assert_eq!(seen["console"], serde_json::json!([]), "{seen}");
    (seen, out)
}

#[test]
fn an_auditor_draws_a_sample_on_a_telephone_and_opens_a_case() {
    let world = lived_copy();
    let served = Served::start(&world, AUTH);
    let folder = tempfile::tempdir().unwrap();
    let (seen, _) = told((&world, &served), folder.path(), "sample", &[]);
    // One account for each of the two clusters.
    assert_eq!(seen["adds up"], 2, "{seen}");
    let out = world.path("sample.json");
    let asked = ["population", "kubernetes.workload", "--sample", "3", "--seed", "ada, 2026", "--out"];
    assert!(world.run(&[&asked[..], &[out.to_str().unwrap()]].concat()).status.success());
    let drawn: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let seqs: Vec<&Value> = drawn["entries"].as_array().unwrap().iter().map(|e| &e["seq"]).collect();
    assert_eq!(seen["drawn"], serde_json::json!(seqs), "{seen}");
    assert!(seen["case"] == *seqs[0] && seen["what it does not show"] == true, "{seen}");
    assert_eq!(seen["sideways"], false, "{seen}");
}

#[test]
fn somebody_of_a_team_sees_its_systems_and_no_door_to_others() {
    let world = lived_copy();
    let served = Served::start(&world, AUTH);
    let folder = tempfile::tempdir().unwrap();
    let (seen, _) = told((&world, &served), folder.path(), "team", &["--role", "team", "--team", "nlp-team"]);
    let systems = seen["systems"].as_array().unwrap();
    assert!(!systems.is_empty() && !systems.contains(&Value::from("footfall-analytics")), "{seen}");
    assert!(seen["own page"] == true && seen["archive"] == false && seen["export"] == false, "{seen}");
    assert!(seen["of others"].as_str().unwrap().contains("There is no such page"), "{seen}");
}

#[test]
fn an_operator_sees_how_the_service_is_and_begins_a_pass() {
    let (world, served) = fresh(AUTH);
    wait_for_report(&served);
    let folder = tempfile::tempdir().unwrap();
    let (seen, _) = told((&world, &served), folder.path(), "operator", &["--role", "operator"]);
    assert!(seen["begun"].as_str().unwrap().contains("Status of the service"), "{seen}");
    assert!(seen["systems"].as_str().unwrap().contains("not for who is signed in as operator"), "{seen}");
}

#[test]
fn an_auditor_goes_from_the_worst_system_to_its_raw_record_and_takes_the_proof_home() {
    let world = lived_copy();
    let served = Served::start(&world, AUTH);
    let folder = tempfile::tempdir().unwrap();
    let (seen, out) = told((&world, &served), folder.path(), "worst", &[]);
    for what in ["control page names the system", "past"] {
        assert_eq!(seen[what], true, "{what}: {seen}");
    }
    assert_eq!(seen["filled in"], seen["system"]);
    // The bytes on the page are those that the leaf is over, and the leaf is that of the record.
    let canonical = seen["canonical"].as_str().unwrap();
    let leaf = actledger::evidence::hex(&tree::leaf(canonical.as_bytes()));
    assert!(seen["leaves"].as_array().unwrap().contains(&Value::from(leaf.clone())), "{seen}");
    assert_eq!(seen["as json"], Value::from(leaf));
    // What was taken home verifies without us, and holds that entry.
    let bundle = out.join(seen["bundle"].as_str().unwrap());
    let checked = verify_py(&bundle, &[]);
    assert!(checked.status.success(), "{}", stdout(&checked));
    let script =
        "import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read('entries.ndjson').decode())";
    let entries = stdout(&Command::new("python").args(["-c", script]).arg(&bundle).output().unwrap());
    let held = format!("{{\"seq\":{},\"entry\":{canonical}}}", seen["entry"]);
    assert!(entries.lines().any(|line| line == held), "the entry is not in the bundle");
}
