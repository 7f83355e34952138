//! Formats that others read, read by others.

use crate::support::{World, lived_copy, node_modules, project, stdout};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The reports of a world in both formats.
fn made(world: &World, as_of: &[&str], out: &str) -> (PathBuf, PathBuf) {
    let mut arguments = vec!["report", "--format", "oscal,ocsf", "--out", out];
    arguments.extend(as_of);
    let done = world.run(&arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (world.path(out).join("report.oscal.json"), world.path(out).join("report.ocsf.ndjson"))
}

fn reader(of: &str, file: &Path) -> String {
    let script = project().join("tests/support/formats.py");
    let done = Command::new("python").arg(script).arg(of).arg(file).output().unwrap();
    assert!(done.status.success(), "{}{}", stdout(&done), String::from_utf8_lossy(&done.stderr));
    stdout(&done)
}

#[test]
fn trestle_and_ocsf_models_take_what_we_write() {
    let world = lived_copy();
    let (oscal, ocsf) = made(&world, &[], "now");
    assert!(reader("oscal", &oscal).contains("VALID"));
    assert!(reader("ocsf", &ocsf).contains("events"));
    // An estate without systems and evidence is a document too.
    let empty = World { dir: tempfile::tempdir().unwrap() };
    assert_eq!(empty.run(&["init"]).status.code(), Some(0));
    let (oscal, ocsf) = made(&empty, &[], "now");
    assert!(reader("oscal", &oscal).contains("VALID"));
    reader("ocsf", &ocsf);
}

/// Ids that are given, and those that are referred to.
fn references(value: &Value, ids: &mut Vec<String>, refs: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "uuid" => ids.push(text.clone()),
                    Value::String(text) if name.ends_with("-uuid") => refs.push(text.clone()),
                    Value::String(text) if name == "href" && text.starts_with('#') => {
                        refs.push(text[1..].into())
                    }
                    Value::Array(all) if name.ends_with("-uuids") => {
                        refs.extend(all.iter().map(|v| v.as_str().unwrap().to_owned()));
                    }
                    _ => {}
                }
                references(value, ids, refs);
            }
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, ids, refs)),
        _ => {}
    }
}

#[test]
fn ids_are_unique_lead_somewhere_and_stay_from_export_to_export() {
    let world = lived_copy();
    let read = |path: &Path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    let (now, _) = made(&world, &[], "now");
    let (then, _) = made(&world, &["--as-of", "2026-11-10"], "then");
    let (now, then) = (read(&now), read(&then));
    for document in [&now, &then] {
        let (mut ids, mut refs) = (Vec::new(), Vec::new());
        references(document, &mut ids, &mut refs);
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "an id is given twice");
        assert!(refs.len() > 500 && refs.iter().all(|r| unique.contains(r)), "a reference leads nowhere");
        assert!(ids.iter().all(|id| id.as_bytes()[14] == b'5'), "not of version 5");
    }
    let findings = |d: &Value| d["assessment-results"]["results"][0]["findings"].as_array().unwrap().clone();
    let key = |f: &Value| (f["target"]["target-id"].to_string(), f["description"].to_string());
    let (before, after) = (findings(&then), findings(&now));
    let same =
        before.iter().filter(|b| after.iter().any(|a| key(a) == key(b) && a["uuid"] == b["uuid"])).count();
    let kept = before.iter().filter(|b| after.iter().any(|a| key(a) == key(b))).count();
    assert!(same > 100 && same == kept, "{same} of {kept} findings kept their ids");
}

#[test]
fn every_verdict_is_told_in_each_format_as_what_it_is() {
    let world = lived_copy();
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let done = world.run(&["report", "--as-of", "99999999", "--format", "json,oscal,ocsf", "--out", folder]);
    assert!(done.status.success());
    let text = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
    let report: Value = serde_json::from_str(&text("report.json")).unwrap();
    let oscal: Value = serde_json::from_str(&text("report.oscal.json")).unwrap();
    let events: Vec<Value> =
        text("report.ocsf.ndjson").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let counts = &report["totals"]["counts"];
    let n = |name: &str| counts[name].as_u64().unwrap() as usize;
    let result = &oscal["assessment-results"]["results"][0];
    let findings = result["findings"].as_array().unwrap();
    let of_state = |state: &str| findings.iter().filter(|f| f["target"]["status"]["state"] == state).count();
    assert_eq!(of_state("satisfied"), n("satisfied"));
    assert_eq!(of_state("not-satisfied"), n("not_satisfied") + n("not_assessed"));
    let other = findings.iter().filter(|f| f["target"]["status"]["reason"] == "other").count();
    assert_eq!(other, n("not_assessed"), "what could not be assessed says so");
    assert_eq!(result["risks"].as_array().unwrap().len(), n("not_satisfied"));
    let by = |id: u64| events.iter().filter(|e| e["compliance"]["status_id"] == id).count();
    assert_eq!((by(1), by(2), by(3), by(99)), (n("satisfied"), n("not_assessed"), n("not_satisfied"), 0));
}

/// The schemas that NIST and OCSF publish, where a folder of samples has them.
#[test]
fn real_samples_are_read_schemas_take_what_we_write() {
    let Ok(root) = std::env::var("ACTLEDGER_SAMPLES") else {
        println!("0 samples read: ACTLEDGER_SAMPLES names no folder");
        return;
    };
    let root = Path::new(&root);
    let world = lived_copy();
    let (oscal, ocsf) = made(&world, &[], "now");
    let ajv = |schema: &str, files: &[&Path]| {
        let script = project().join("tests/support/ajv.js");
        let schema = root.join("schemas").join(schema);
        let done =
            Command::new("node").arg(script).arg(node_modules()).arg(schema).args(files).output().unwrap();
        println!("{schema}: {}", stdout(&done).trim(), schema = files[0].display());
        assert!(done.status.success(), "{}{}", stdout(&done), String::from_utf8_lossy(&done.stderr));
    };
    // What others wrote goes in with ours.
    let examples = root.join("examples");
    ajv(
        "oscal_assessment-results_schema-1.2.1.json",
        &[&examples.join("oscal-assessment-results.json"), &oscal],
    );
    ajv("ocsf-2003-1.8.0.schema.json", &[&examples.join("ocsf-compliance-finding.json"), &ocsf]);
    let refs = root.join("../tools/oscal_refs.py");
    let done = Command::new("python").arg(refs).arg(&oscal).output().unwrap();
    println!("{}", stdout(&done).trim());
    assert!(done.status.success(), "{}{}", stdout(&done), String::from_utf8_lossy(&done.stderr));
}
