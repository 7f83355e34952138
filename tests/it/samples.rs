//! Real samples that others wrote, read where they lie: `ACTLEDGER_SAMPLES` names the folder. They are never copied.

use crate::artifacts;
use crate::cluster::entries;
use crate::support::Server;
use actledger::act::SourceKind;
use actledger::config::{Network, Source};
use actledger::evidence::Time;
use actledger::sources::flow_logs::Selection;
use actledger::sources::{Context, Gathered, gather};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files that may be refused whole, and why.
const JUSTIFIED: [(&str, &str); 25] = [
    (".bad.", "malformed on purpose"),
    ("README.md", "a text about the samples"),
    ("vpcflow/cwl-", "a reply of CloudWatch Logs, which is asked for and not delivered"),
    ("vpcflow/lambda-", "an event that S3 or CloudWatch sends, no delivered object"),
    ("vpcflow/otel-cw-", "a CloudWatch subscription: log groups are read window by window"),
    ("vpcflow/opensearch-real-s3-keys", "a list of keys, no delivered object"),
    (".yaml", "YAML: a file source takes what kubectl prints with -o json"),
    (".jsonl", "a watch stream or a log: the live client reads these"),
    (".txt", "text for people"),
    (".bin", "protobuf: asked for with -o json it is JSON"),
    (".log", "the printout of a run"),
    (".xml", "the wire form: a file source takes what the AWS command line prints"),
    ("gatekeeper/export-msg", "Gatekeeper's export, which comes with the Gatekeeper issue"),
    ("gatekeeper/audit-log", "a line of Gatekeeper's log, which comes with the Gatekeeper issue"),
    ("gatekeeper/sapcc-doop-report", "the report of another tool"),
    ("kubernetes/index.json", "the index of the recordings"),
    ("version", "the version of an API server"),
    ("-table.json", "a table for people, asked for without -o json"),
    ("s3/ls-object-tagging-errors", "replies that are errors only"),
    ("s3/ls-tagging-validation", "replies that are errors only"),
    ("tfe/webhook-", "a webhook, which comes with the Sentinel issue"),
    ("tfe/derived-webhook-", "signatures of webhooks"),
    ("tfe/run-task-", "a message to a run task"),
    ("tfe/openapi-", "the description of an API"),
    ("tfe/pagination-", "a fragment of a document"),
];

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for dir in ["vpcflow", "gatekeeper", "kubernetes", "tfe", "s3"] {
        found.extend(std::fs::read_dir(root.join(dir)).into_iter().flatten().map(|f| f.unwrap().path()));
    }
    found.sort();
    found
}

fn kind(dir: &str) -> SourceKind {
    match dir {
        "vpcflow" => SourceKind::FlowLogs,
        "tfe" => SourceKind::Sentinel,
        "s3" => SourceKind::ModelArtifacts,
        _ => SourceKind::Gatekeeper,
    }
}

/// Replies in a recorded file, named after their call; a file that is a reply stands for itself.
fn replies(dir: &str, name: &str, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let parsed: Option<Value> = serde_json::from_slice(&bytes).ok().filter(|_| dir == "s3");
    let mut found = Vec::new();
    if let Some(value) = &parsed {
        collect(value, &mut found);
    }
    if found.is_empty() { vec![(name.to_owned(), bytes)] } else { found }
}

fn collect(value: &Value, found: &mut Vec<(String, Vec<u8>)>) {
    let Some(object) = value.as_object() else {
        value.as_array().into_iter().flatten().for_each(|v| collect(v, found));
        return;
    };
    let has = |k: &str| object.contains_key(k);
    let n = found.len();
    let call = if has("Versions") || has("DeleteMarkers") {
        format!("bucket-{n}/list-object-versions.json")
    } else if has("TagSet") {
        format!("bucket-{n}/get-object-tagging/key.json")
    } else if has("ObjectSize") || has("Checksum") {
        format!("bucket-{n}/get-object-attributes/key.json")
    } else if has("Retention") {
        format!("bucket-{n}/get-object-retention/key.json")
    } else if has("LegalHold") {
        format!("bucket-{n}/get-object-legal-hold/key.json")
    } else if has("ObjectLockConfiguration") {
        format!("bucket-{n}/get-object-lock-configuration.json")
    } else if object.get("Status").is_some_and(Value::is_string) {
        format!("bucket-{n}/get-bucket-versioning.json")
    } else {
        object.values().for_each(|v| collect(v, found));
        return;
    };
    found.push((call, serde_json::to_vec(value).unwrap()));
}

fn read(dir: &str, name: &str, bytes: Vec<u8>) -> Gathered {
    let text = "name = 'samples'\nlocation = 'file:x'";
    let source: Source = toml::from_str(text).unwrap();
    let (network, ports) = (Network::default(), [5000, 6006]);
    let selection = Selection::new(network, &ports);
    let context = Context::new(&source, selection);
    let at: Time = "2026-11-22T12:00:00Z".parse().unwrap();
    let files = replies(dir, name, bytes).into_iter().map(|(n, b)| (n, Ok(Cow::Owned(b))));
    gather(kind(dir), &context, Some(at), at, files)
}

#[test]
fn real_samples_are_read() {
    let Ok(root) = std::env::var("ACTLEDGER_SAMPLES") else {
        println!("0 samples read: ACTLEDGER_SAMPLES names no folder");
        return;
    };
    let (mut table, mut unjustified, mut kept) = (Vec::new(), Vec::new(), 0);
    let all = files(Path::new(&root));
    for path in &all {
        let dir = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let gathered = read(&dir, &name, std::fs::read(path).unwrap());
        let c = gathered.counts;
        assert_eq!(c.read, c.kept + c.quarantined + c.refused, "{dir}/{name}");
        kept += u64::from(c.kept > 0);
        let whole = c.refused > 0 && c.kept == 0 && c.quarantined == 0;
        let error_reply = gathered.faults.iter().any(|f| f.what.contains("answered"));
        let long = format!("{dir}/{name}");
        let why = match JUSTIFIED.iter().find(|(p, _)| long.contains(p)) {
            _ if !whole => "",
            _ if error_reply => "an error reply, told as such",
            Some((_, why)) => why,
            None => {
                unjustified.push(format!("{long}: {:?}", gathered.faults));
                "NOT JUSTIFIED"
            }
        };
        table.push(format!(
            "{long:<70} {:>6} = {:>6} + {:>4} + {:>3}  {why}",
            c.read, c.kept, c.quarantined, c.refused
        ));
    }
    println!("{:<70} {:>6} = {:>6} + {:>4} + {:>3}", "file", "read", "kept", "quar", "ref");
    table.iter().for_each(|row| println!("{row}"));
    println!("{} samples read, {kept} of them with something to keep", all.len());
    assert!(!all.is_empty(), "no sample was read from {root}");
    assert!(kept * 2 > all.len() as u64 / 2, "hardly anything was kept");
    assert!(unjustified.is_empty(), "{unjustified:#?}");
}

/// Recorded listings of S3 through the live client: the record holds what another parser finds in them.
#[test]
fn real_samples_are_read_from_a_socket() {
    let Ok(root) = std::env::var("ACTLEDGER_SAMPLES") else {
        println!("0 samples read: ACTLEDGER_SAMPLES names no folder");
        return;
    };
    let attributes = "smithy-get-object-attributes-response-root.xml";
    let s3 = Path::new(&root).join("s3");
    let all = files(Path::new(&root)).into_iter().filter(|p| p.starts_with(&s3));
    let listings: Vec<PathBuf> =
        all.filter(|p| p.extension().is_some_and(|e| e == "xml") && !p.ends_with(attributes)).collect();
    for path in &listings {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(path, folder.path().join("listing.xml")).unwrap();
        std::fs::copy(s3.join(attributes), folder.path().join("attributes.xml")).unwrap();
        let server = Server::start("replay_s3.py", folder.path());
        let expected: Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("expected.json")).unwrap()).unwrap();
        let bucket = expected["bucket"].as_str().unwrap();
        let url = format!("http://127.0.0.1:{}", server.port);
        let world = artifacts::world(&url, &format!("s3://{bucket}"), "");
        let status = artifacts::pass(&world);
        println!("{:<50} {status:?}", path.file_name().unwrap().to_string_lossy());
        if path.ends_with("botocore-error-list-objects.xml") {
            assert!(status.failed.unwrap().contains("AccessDenied"));
            continue;
        }
        assert_eq!(status.failed, None);
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        let listed = expected["there"].as_array().unwrap().iter();
        let listed: BTreeMap<_, _> =
            listed.map(|e| ((text(&e[0]), text(&e[1])), json!([e[2], e[3]]))).collect();
        assert_eq!(artifacts::there(&world), listed);
        assert_eq!(artifacts::listing(&world)["digest"], artifacts::digest(&listed));
        let versions = listed.values().filter(|v| !v[0].is_null()).count();
        let sums = entries(&world, "artifact.detail");
        assert_eq!(sums.len(), versions);
        assert!(sums.iter().all(|(_, p)| p["checksum"] == "SHA1:e1AsOh9IyGCa4hLN+2Od7jlnP14="), "{sums:?}");
        if let Some(marker) = expected["markers"][0].as_str() {
            let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
            assert!(asked.contains(&format!("key-marker={marker}")), "{asked}");
        }
    }
    println!("{} samples read from a socket", listings.len());
    assert_eq!(listings.len(), 4);
}
