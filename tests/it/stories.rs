//! Whole stories of an auditor, in a real browser with a real driver.

use crate::pages::Served;
use crate::support::{lived_copy, project, stderr, stdout, verify_py};
use actledger::ledger::tree;
use serde_json::Value;
use std::process::Command;

#[test]
fn an_auditor_goes_from_the_worst_system_to_its_raw_record_and_takes_the_proof_home() {
    let world = lived_copy();
    let token = stdout(&world.run(&["token", "add", "ada"])).trim().to_owned();
    let served = Served::start(&world, "auth = \"token\"\n");
    let folder = tempfile::tempdir().unwrap();
    let looks = std::env::var("ACTLEDGER_LOOKS").ok().map(std::path::PathBuf::from);
    let out = looks.as_deref().unwrap_or(folder.path());
    let done = Command::new("python")
        .arg(project().join("tests/support/story.py"))
        .arg(format!("http://{}", served.address()))
        .arg(out)
        .arg(&token)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), stderr(&done));
    let seen: Value = serde_json::from_str(stdout(&done).trim()).unwrap();
    for what in ["asked to sign in", "control page names the system", "past", "signed out", "is out"] {
        assert_eq!(seen[what], true, "{what}: {seen}");
    }
    assert_eq!(seen["console"], serde_json::json!([]), "{seen}");
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
