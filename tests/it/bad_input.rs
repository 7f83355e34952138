//! Bad input of every kind: a located message, a count, a gap where one arises, and nothing good is lost.

use crate::support::{World, sqlite, stderr, stdout};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const CONFIG: &str = r#"
organization = "Test"
[ledger]
path = "var/ledger.db"
origin = "test.example/main"
[network]
own = ["10.0.0.0/8"]
[[KIND]]
name = "source"
location = "file:looks"
[demo]
seed = 1
"#;

const LOOK: &str = "looks/20261101T050000Z";
const GOOD: &str =
    "2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 8443 6 10 840 1793500000 1793500050 ACCEPT OK\n";

fn world(kind: &str, files: &[(&str, &[u8])]) -> World {
    let world = World::with_config(&CONFIG.replace("KIND", kind));
    std::fs::create_dir_all(world.path(LOOK)).unwrap();
    for (name, bytes) in files {
        let path = world.path(LOOK).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    world
}

/// Exit code, the source's status, and everything that was printed.
fn ingest(world: &World) -> (Option<i32>, Value, String) {
    let done = world.run(&["ingest", "--json"]);
    let status: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", stderr(&done)));
    let source = status["sources"][0].clone();
    let c = &source["counts"];
    let n = |name: &str| c[name].as_u64().unwrap();
    assert_eq!(n("read"), n("kept") + n("quarantined") + n("refused"), "{source}");
    (done.status.code(), source, stdout(&done) + &stderr(&done))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn fault(source: &Value, file: &str, place: &str, what: &str) {
    let faults = source["faults"].as_array().unwrap();
    let fits = |f: &&Value| {
        f["file"].as_str().unwrap().contains(file)
            && f["place"].as_str().unwrap().contains(place)
            && f["what"].as_str().unwrap().contains(what)
    };
    assert!(faults.iter().any(|f| fits(&f)), "no fault {file} {place} {what} in {faults:#?}");
}

#[test]
fn a_truncated_gzip_keeps_the_lines_before_the_end() {
    let lines: String = (0..4000).map(|i| GOOD.replace("40000", &(40000 + i).to_string())).collect();
    let whole = gzip(&lines);
    let w = world("flow_logs", &[("a.log.gz", &whole[..whole.len() / 2]), ("b.log", GOOD.as_bytes())]);
    let (code, source, _) = ingest(&w);
    assert_eq!(code, Some(0));
    fault(&source, "a.log.gz", "line", "ends early");
    assert!(source["counts"]["kept"].as_u64().unwrap() > 1000, "{source}");
    assert!(source["not_seen"].to_string().contains("cut short"), "a gap in coverage");
}

#[test]
fn a_line_with_too_few_fields_is_located() {
    let text = format!("{GOOD}2 111122223333 eni-1\n{GOOD}");
    let (code, source, _) = ingest(&world("flow_logs", &[("a.log", text.as_bytes())]));
    assert_eq!(
        (code, source["counts"]["kept"].as_u64(), source["counts"]["quarantined"].as_u64()),
        (Some(0), Some(2), Some(1))
    );
    fault(&source, "a.log", "line 2", "3 fields where the format has 14");
}

#[test]
fn an_unknown_status_quarantines_its_line_alone() {
    let text = format!("{GOOD}{}", GOOD.replace("OK\n", "PERHAPS\n"));
    let (_, source, _) = ingest(&world("flow_logs", &[("a.log", text.as_bytes())]));
    fault(&source, "a.log", "line 2", "PERHAPS");
    assert_eq!(source["counts"]["kept"], 1);
}

const PODS: &str = r#"{"kind":"List","apiVersion":"v1","items":[{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","namespace":"n","labels":{"model-version":"v1"}},"spec":{"replicas":1}}]}"#;

#[test]
fn json_cut_in_half_is_refused_and_the_rest_is_kept() {
    let half = &PODS.as_bytes()[..PODS.len() / 2];
    let w = world("gatekeeper", &[("broken.json", half), ("workloads.json", PODS.as_bytes())]);
    let (code, source, _) = ingest(&w);
    assert_eq!(code, Some(0));
    fault(&source, "broken.json", "", "is no JSON");
    assert_eq!((source["counts"]["kept"].as_u64(), source["counts"]["refused"].as_u64()), (Some(1), Some(1)));
    assert!(source["not_seen"].to_string().contains("broken.json"));
    assert_eq!(
        sqlite(
            &w.ledger(),
            "SELECT count(*) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%kubernetes.workload%'"
        )
        .trim(),
        "1"
    );
}

#[test]
fn a_label_that_is_not_utf8_is_kept_as_bytes() {
    let mut bytes = PODS.replace("v1\"}", "v@\"}").into_bytes();
    let at = bytes.iter().position(|b| *b == b'@').unwrap();
    bytes[at] = 0xFF;
    let w = world("gatekeeper", &[("workloads.json", &bytes)]);
    let (code, source, _) = ingest(&w);
    assert_eq!(code, Some(0));
    fault(&source, "workloads.json", &format!("byte {at}"), "not UTF-8");
    assert_eq!(source["counts"]["kept"], 1);
    let kept = sqlite(
        &w.ledger(),
        "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%kubernetes.workload%'",
    );
    assert!(kept.contains("{\"$bytes\":\"dv8=\"}"), "{kept}");
    assert_eq!(w.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn an_unknown_enum_value_is_kept_as_it_came() {
    let run = r#"{"data":{"id":"run-1","type":"runs","attributes":{"status":"pondering","created-at":"2026-11-01T01:00:00Z"},"relationships":{}}}"#;
    let w = world("sentinel", &[("runs/run-1.json", run.as_bytes())]);
    let (code, source, _) = ingest(&w);
    assert_eq!((code, source["counts"]["kept"].as_u64()), (Some(0), Some(1)));
    assert_eq!(
        sqlite(&w.ledger(), "SELECT count(*) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%pondering%'").trim(),
        "1"
    );
}

#[test]
fn a_file_of_the_wrong_kind_is_refused_and_a_source_of_only_such_fails() {
    let good = ("a.log", GOOD.as_bytes());
    let (code, source, _) = ingest(&world("flow_logs", &[("photo.png", b"\x89PNG\0\0"), good]));
    assert_eq!(code, Some(0));
    fault(&source, "photo.png", "", "is no flow-log file");
    let (code, source, _) = ingest(&world("flow_logs", &[("photo.png", b"\x89PNG\0\0")]));
    assert_eq!(code, Some(1), "{source}");
    assert!(source["failed"].is_string());
    let (code, source, _) = ingest(&world("flow_logs", &[("a.log", b"\0\x01\x02binary")]));
    assert_eq!(code, Some(1));
    fault(&source, "a.log", "", "no text");
}

#[test]
fn an_empty_folder_and_a_missing_one_are_failures_that_are_written_down() {
    let w = World::with_config(&CONFIG.replace("KIND", "flow_logs").replace("[demo]\nseed = 1\n", ""));
    assert_eq!(w.run(&["ingest"]).status.code(), Some(2), "no key yet");
    for (folder, word) in [(None, "No such file"), (Some("looks"), "empty")] {
        let w = World::with_config(&CONFIG.replace("KIND", "flow_logs").replace("[demo]\nseed = 1\n", ""));
        std::fs::create_dir_all(w.path("keys")).unwrap();
        let key = std::process::Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519"])
            .output()
            .unwrap();
        std::fs::write(w.path("keys/ledger.key"), key.stdout).unwrap();
        std::fs::set_permissions(w.path("keys/ledger.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some(f) = folder {
            std::fs::create_dir_all(w.path(f)).unwrap();
        }
        let (code, source, _) = ingest(&w);
        assert_eq!(code, Some(1));
        assert!(source["failed"].as_str().unwrap().contains(word), "{source}");
        let written = sqlite(
            &w.ledger(),
            "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%source.run%'",
        );
        assert!(written.contains(word), "the failed collection is evidence: {written}");
    }
}

#[test]
fn a_look_folder_that_is_empty_is_a_gap() {
    let (code, source, _) = ingest(&world("flow_logs", &[]));
    assert_eq!(code, Some(1));
    assert!(source["not_seen"].to_string().contains("no file"), "{source}");
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let w = world("flow_logs", &[("a.log", GOOD.as_bytes()), ("b.log", GOOD.as_bytes())]);
    let secret = w.path(LOOK).join("b.log");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&secret).is_ok() {
        // The superuser reads everything: a folder in place of a file cannot be read by anyone.
        std::fs::remove_file(&secret).unwrap();
        std::os::unix::fs::symlink("/nonexistent/b.log", &secret).unwrap();
    }
    let (code, source, _) = ingest(&w);
    assert_eq!(code, Some(0));
    fault(&source, "b.log", "", "cannot be read");
    assert_eq!((source["counts"]["kept"].as_u64(), source["counts"]["refused"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn a_config_that_cannot_be_is_refused_with_its_key() {
    let cases = [
        ("organization = 'X'\ncolour = 'red'", "colour"),
        ("timezone = 'UTC'", "organization"),
        ("organization = 'X'\ntimezone = 'Mars/Olympus'", "timezone"),
        ("organization = 'X'\n[schedule]\nreport = '99 99 * * *'", "schedule.report"),
        ("organization = 'X'\n[[flow_logs]]\nname = 'a'\nlocation = 'ftp://x'", "flow_logs.location"),
        (
            "organization = 'X'\n[[mail]]\nto = ['a@b']\ncontent = 'checkpoint'\nattach = ['pdf']\n[smtp]\nurl = 'folder:x'\nfrom = 'a@b'",
            "mail.attach",
        ),
        ("organization = 'X'\n[[mail]]\nto = ['nobody']\n[smtp]\nurl = 'folder:x'\nfrom = 'a@b'", "mail.to"),
    ];
    for (text, key) in cases {
        let done = World::with_config(text).run(&["ingest"]);
        assert_eq!(done.status.code(), Some(2), "{text}");
        assert!(stderr(&done).contains(key), "{key} is not named: {}", stderr(&done));
    }
    let none =
        crate::support::actledger(Path::new("/nonexistent/actledger.toml")).arg("ingest").output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("/nonexistent/actledger.toml"));
}

#[test]
fn a_register_that_does_not_parse_is_a_failed_source_and_nothing_else_stops() {
    let mut config = CONFIG.replace("KIND", "flow_logs");
    config =
        config.replace("organization = \"Test\"", "organization = \"Test\"\nregister = \"systems.toml\"");
    let w = World::with_config(&config);
    std::fs::create_dir_all(w.path(LOOK)).unwrap();
    std::fs::write(w.path(LOOK).join("a.log"), GOOD).unwrap();
    std::fs::write(w.path("systems.toml"), "[[system]]\nid = 'a'\nrisk = 'high'\n").unwrap();
    let done = w.run(&["ingest"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(stdout(&done).contains("line 3"), "{}", stdout(&done));
    assert!(
        sqlite(&w.ledger(), "SELECT count(*) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%flow_log.object%'")
            .trim()
            == "1"
    );
}

#[test]
fn a_number_that_no_reader_keeps_sets_one_item_aside() {
    let look = r#"{"Versions":[
        {"Key":"models/a/v1/big.bin","VersionId":"1","Size":9007199254740993,"LastModified":"2026-10-01T00:00:00Z"},
        {"Key":"models/a/v1/small.bin","VersionId":"2","Size":5,"LastModified":"2026-10-01T00:00:00Z"}]}"#;
    let w = world("model_artifacts", &[("bucket/list-object-versions.json", look.as_bytes())]);
    let (code, source, _) = ingest(&w);
    assert_eq!(code, Some(0));
    assert_eq!(
        (source["counts"]["kept"].as_u64(), source["counts"]["quarantined"].as_u64()),
        (Some(1), Some(1))
    );
    fault(&source, "", "big.bin", "2^53");
}

#[test]
fn a_bucket_that_is_not_listed_loses_nothing() {
    let look = |bucket: &str| format!("{bucket}/list-object-versions.json");
    let one = r#"{"Versions":[{"Key":"models/a/v1/m.bin","VersionId":"1","Size":5,"LastModified":"2026-10-01T00:00:00Z"}]}"#;
    let w = world("model_artifacts", &[(&look("a"), one.as_bytes()), (&look("z"), one.as_bytes())]);
    ingest(&w);
    let later = w.path("looks/20261102T050000Z/z");
    std::fs::create_dir_all(&later).unwrap();
    std::fs::write(later.join("list-object-versions.json"), r#"{"Versions":[]}"#).unwrap();
    ingest(&w);
    let gone = sqlite(
        &w.ledger(),
        "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"gone\":true}%'",
    );
    assert!(gone.contains("s3:z/") && !gone.contains("s3:a/"), "{gone}");
}
