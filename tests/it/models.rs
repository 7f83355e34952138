//! Which stored model runs where, whether it stays, and the papers beside it: looks in folders, judged at chosen times.

use crate::support::{World, assessed, unit_of};
use actledger::clock::Clock;
use actledger::jobs::{self, Desk};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SOURCES: &str =
    "[[gatekeeper]]\nname = \"cluster\"\nlocation = \"file:cluster\"\n[act]\nprofile = \"full\"\n";
const REGISTER: &str = "[[system]]\nid = \"scoring\"\nrisk_level = \"high\"\nrole = \"provider\"\nannex = \"III.5(b)\"\nput_into_service = 2026-11-01\n";

/// Two systems on one cluster and in one bucket; each test changes one thing.
struct Story {
    world: World,
    files: Vec<Value>,
    details: Vec<(String, Value)>,
    settings: Vec<(&'static str, Value)>,
    reference: &'static str,
    register: String,
    source: &'static str,
    /// What the bucket lists two days later, and says of it.
    later: Option<Listing>,
}

/// Versions that a look lists, and replies about them.
type Listing = (Vec<Value>, Vec<(String, Value)>);

impl Story {
    fn new() -> Story {
        let mut story = Story {
            world: World::init(""),
            files: Vec::new(),
            details: Vec::new(),
            settings: vec![("get-bucket-lifecycle-configuration", json!({ "Rules": [] }))],
            reference: "s3://models/models/scoring/v1/",
            register: REGISTER.into(),
            source: "",
            later: None,
        };
        story.file("models/scoring/v1/model.onnx", "bytes of scoring", json!({}));
        story.file("models/other/v7/model.onnx", "bytes of other", json!({}));
        story
    }

    /// A file with its bytes, and what HeadObject says of it besides.
    fn file(&mut self, key: &str, bytes: &str, head: Value) {
        let version = format!("id-of-{}", key.replace('/', "-"));
        let etag = format!("\"{:x}\"", key.len());
        self.files.push(json!({ "Key": key, "VersionId": version, "IsLatest": true, "LastModified": "2026-10-30T00:00:00Z",
            "ETag": etag, "Size": bytes.len(), "StorageClass": "STANDARD" }));
        let sum = STANDARD.encode(Sha256::digest(bytes));
        let attributes = json!({ "VersionId": version, "Checksum": { "ChecksumSHA256": sum, "ChecksumType": "FULL_OBJECT" } });
        self.details.push((format!("get-object-attributes/{key}"), attributes));
        let mut said = json!({ "VersionId": version, "ETag": etag });
        said.as_object_mut().unwrap().extend(head.as_object().unwrap().clone());
        self.details.push((format!("head-object/{key}"), said));
    }

    /// A manifest among the files of what runs, as it was downloaded or not.
    fn manifest(mut self, bytes: Option<&str>) -> Told {
        self.file("models/scoring/v1/manifest.json", bytes.unwrap_or("{}"), json!({}));
        if let Some(bytes) = bytes {
            let path = self
                .world
                .path("artifacts/20261110T050000Z/models/get-object/models/scoring/v1/manifest.json");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        self.told()
    }

    fn document(&mut self, key: &str, bytes: &str, head: Value, more: &str) -> String {
        self.file(key, bytes, head);
        let (version, sum) =
            (format!("id-of-{}", key.replace('/', "-")), format!("{:x}", Sha256::digest(bytes)));
        format!(
            "{{ uri = \"s3://models/{key}\", version_id = \"{version}\", sha256 = \"{sum}\", date = 2026-10-20, approver = \"Ada\"{more} }}"
        )
    }

    fn write(&self, path: String, value: &Value) {
        let path = self.world.path(&path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, value.to_string()).unwrap();
    }

    /// Two days later the model of what runs is listed as these versions: id, day on which it was stored, size, checksum.
    fn model_later(mut self, versions: &[(&str, &str, u64, Value)]) -> Told {
        let key = "models/scoring/v1/model.onnx";
        let mut files = self.files.clone();
        files.retain(|f| f["Key"] != key);
        let mut details = Vec::new();
        for (i, (id, day, size, checksum)) in versions.iter().enumerate() {
            files.push(json!({ "Key": key, "VersionId": id, "IsLatest": i == 0, "LastModified": format!("{day}T00:00:00Z"),
                "ETag": format!("\"{id}\""), "Size": size, "StorageClass": "STANDARD" }));
            let parts = checksum["Parts"].as_u64();
            let reply =
                json!({ "VersionId": id, "Checksum": checksum, "ObjectParts": { "TotalPartsCount": parts } });
            details.push((format!("get-object-attributes-{i}/{key}"), reply));
        }
        self.later = Some((files, details));
        self.told()
    }

    fn look(&self, at: &str, (files, details): &Listing) {
        let bucket = format!("artifacts/{at}/models");
        self.write(format!("{bucket}/list-object-versions.json"), &json!({ "Versions": files }));
        for (call, reply) in &self.settings {
            self.write(format!("{bucket}/{call}.json"), reply);
        }
        for (call, reply) in details {
            self.write(format!("{bucket}/{call}.json"), reply);
        }
    }

    /// The cluster is looked at on 10 November, the bucket then and later, and everything is judged when both can be.
    fn told(self) -> Told {
        let look = |source: &str| format!("{source}/20261110T050000Z");
        self.look("20261110T050000Z", &(self.files.clone(), self.details.clone()));
        if let Some(later) = &self.later {
            self.look("20261112T050000Z", later);
        }
        let workload = |name: &str, version: &str, reference: &str| {
            let labels = json!({ "ai-system": name, "app": name, "model-version": version, "ml-team": "t" });
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "ml", "labels": labels,
                "annotations": { "model-registry-url": reference }, "creationTimestamp": "2026-11-01T00:00:00Z" }, "spec": { "replicas": 1 } })
        };
        let set = |name: &str, version: &str| {
            json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": format!("{name}-1"), "namespace": "ml",
                "labels": { "model-version": version }, "creationTimestamp": "2026-11-01T00:00:00Z",
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": name }] },
                "spec": { "template": { "metadata": { "labels": { "model-version": version } } } } })
        };
        let list = |items: Value| json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let here = look("cluster");
        let deployments = json!([
            workload("scoring", "v1", self.reference),
            workload("other", "v7", "mlflow://models/other/v7")
        ]);
        self.write(format!("{here}/workloads.json"), &list(deployments));
        self.write(
            format!("{here}/replicasets.json"),
            &list(json!([set("scoring", "v1"), set("other", "v7")])),
        );
        for empty in ["constraints", "constrainttemplates", "namespaces", "webhooks", "nodes"] {
            self.write(format!("{here}/{empty}.json"), &list(json!([])));
        }
        let text = std::fs::read_to_string(self.world.config()).unwrap();
        let artifacts = format!(
            "[[model_artifacts]]\nname = \"bucket\"\nlocation = \"file:artifacts\"\n{}\n",
            self.source
        );
        std::fs::write(self.world.config(), text + SOURCES + &artifacts).unwrap();
        std::fs::write(
            self.world.path("systems.toml"),
            format!("{}[[system]]\nid = \"other\"\n", self.register),
        )
        .unwrap();
        let mut desk = self.world.desk();
        let judged = if self.later.is_some() { "2026-11-12T05:40:00Z" } else { "2026-11-10T05:40:00Z" };
        desk.clock = Clock::at(judged.parse().unwrap());
        let mut store = desk.store().unwrap();
        let status = jobs::ingest(&desk, &mut store, &[], &|_, _, _| {}).unwrap();
        assert!(!status.failed(), "{status:?}");
        Told { desk, _world: self.world }
    }
}

struct Told {
    desk: Desk,
    _world: World,
}

impl Told {
    /// Status and note of the unit whose id ends so.
    fn of(&self, control: &str, unit: &str) -> (&'static str, String) {
        let (status, _, note) = unit_of(&self.desk, "scoring", control, unit);
        (status, note)
    }
    fn kept(&self) -> (&'static str, String) {
        self.of("artifact-kept-while-deployed", "v1")
    }
    fn unchanged(&self) -> (&'static str, String) {
        self.of("artifact-unchanged-while-deployed", "v1")
    }
    fn reference(&self) -> (&'static str, String) {
        self.of("artifact-of-one-system", "Deployment/scoring")
    }
}

#[test]
fn what_runs_is_stored_and_stays() {
    let told = Story::new().told();
    assert_eq!(told.kept().0, "satisfied");
    assert_eq!(told.of("artifact-of-one-system", "models/scoring/v1/").0, "satisfied");
    let (status, note) = told.reference();
    assert_eq!((status, note.contains("leads to models/scoring/v1/")), ("satisfied", true), "{note}");
    assert_eq!(told.of("deployed-version-has-artifact", "Deployment/scoring").0, "satisfied");
}

#[test]
fn a_set_is_whole_when_it_has_what_its_manifest_names() {
    let with = |bytes| Story::new().manifest(bytes).of("deployed-version-has-artifact", "Deployment/scoring");
    assert_eq!(with(Some(r#"{"files": [{"path": "model.onnx"}]}"#)).0, "satisfied");
    let (status, note) = with(Some(r#"{"files": ["model.onnx", "vocabulary.txt"]}"#));
    assert_eq!(
        (status, note.as_str()),
        ("not-satisfied", "v1: the manifest names vocabulary.txt, which is not there")
    );
    let (status, note) = with(None);
    assert_eq!((status, note.contains("was not read")), ("not-assessed", true), "{note}");
    assert_eq!(with(Some(r#"{"model": "x"}"#)).0, "not-assessed");
}

#[test]
fn files_of_one_name_in_two_folders_are_no_contradiction_and_in_two_sets_they_are() {
    let mut story = Story::new();
    story.file("models/scoring/v1/unet/config.json", "one", json!({}));
    story.file("models/scoring/v1/vae/config.json", "other", json!({}));
    assert_eq!(story.told().of("deployed-version-has-artifact", "Deployment/scoring").0, "satisfied");
    let mut story = Story::new();
    story.file("copies/scoring/v1/model.onnx", "other bytes", json!({}));
    assert_eq!(story.told().of("deployed-version-has-artifact", "Deployment/scoring").0, "not-satisfied");
}

#[test]
fn a_folder_object_is_no_file() {
    let mut story = Story::new();
    story.files.push(json!({ "Key": "models/scoring/v1/", "VersionId": "folder", "IsLatest": true, "LastModified": "2026-10-30T00:00:00Z",
        "ETag": "\"f\"", "Size": 0, "StorageClass": "STANDARD" }));
    assert_eq!(story.told().unchanged().0, "satisfied");
}

#[test]
fn a_rule_that_hides_what_runs_is_found() {
    let mut story = Story::new();
    let rule = json!({ "ID": "old", "Status": "Enabled", "Filter": { "Prefix": "models/scoring/" }, "Expiration": { "Days": 90 } });
    story.settings = vec![("get-bucket-lifecycle-configuration", json!({ "Rules": [rule] }))];
    let (status, note) = story.told().kept();
    let said = "rule \"old\" would hide models/scoring/v1/model.onnx on 2027-01-28";
    assert_eq!((status, note.as_str()), ("not-satisfied", said));
    let mut story = Story::new();
    story.settings.clear();
    assert_eq!(story.told().kept().0, "not-assessed", "nobody read the rules");
    // Whether a rule is about files with a tag, only their tags tell.
    let tagged = |tags: Option<Value>| {
        let mut story = Story::new();
        let rule = json!({ "ID": "old", "Status": "Enabled", "Filter": { "Tag": { "Key": "keep", "Value": "no" } }, "Expiration": { "Days": 90 } });
        story.settings = vec![("get-bucket-lifecycle-configuration", json!({ "Rules": [rule] }))];
        let reply = tags.map(|set| json!({ "VersionId": FIRST, "TagSet": set }));
        story.details.extend(reply.map(|r| ("get-object-tagging/models/scoring/v1/model.onnx".into(), r)));
        story.told().kept().0
    };
    assert_eq!(tagged(None), "not-assessed");
    assert_eq!(tagged(Some(json!([]))), "satisfied");
    assert_eq!(tagged(Some(json!([{ "Key": "keep", "Value": "no" }]))), "not-satisfied");
}

#[test]
fn a_version_that_runs_longer_than_its_lock_is_found() {
    let lock = |until: &str| json!({ "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until });
    let with = |head: Value| {
        let mut story = Story::new();
        story.file("models/scoring/v1/tokenizer.json", "small", head);
        story.told().kept()
    };
    let (status, note) = with(lock("2026-11-09T00:00:00Z"));
    let said = "the lock of models/scoring/v1/tokenizer.json ended on 2026-11-09";
    assert_eq!((status, note.as_str()), ("not-satisfied", said));
    assert_eq!(with(lock("2026-11-11T00:00:00Z")).0, "satisfied");
    let mut held = lock("2026-11-09T00:00:00Z");
    held["ObjectLockLegalHoldStatus"] = json!("ON");
    assert_eq!(with(held).0, "satisfied");
    let mut story = Story::new();
    story.details.retain(|(call, _)| !call.starts_with("head-object/models/scoring"));
    assert_eq!(story.told().kept().0, "not-assessed", "nobody asked");
}

#[test]
fn one_model_in_two_systems_is_found() {
    let mut story = Story::new();
    story.file("models/other/v7/copy.onnx", "bytes of scoring", json!({}));
    let (status, note) = story.told().of("artifact-of-one-system", "models/scoring/v1/");
    assert_eq!(
        (status, note.contains("stands in models/other/v7/ of other as well")),
        ("not-satisfied", true),
        "{note}"
    );
    // Taken away, as the remedy says.
    let mut story = Story::new();
    story.file("models/other/v7/copy.onnx", "bytes of scoring", json!({}));
    story.later = Some((story.files[..2].to_vec(), Vec::new()));
    assert_eq!(story.told().of("artifact-of-one-system", "models/scoring/v1/").0, "satisfied");
    // One size, and nothing to compare: nobody can say.
    let mut story = Story::new();
    story.file("models/other/v7/copy.onnx", "bytes of nobody!", json!({}));
    story.details.retain(|(call, _)| !call.starts_with("get-object-attributes/models/other"));
    assert_eq!(story.told().of("artifact-of-one-system", "models/scoring/v1/").0, "not-assessed");
    let mut story = Story::new();
    story.file("models/scoring/v0/model.onnx", "bytes of before", json!({}));
    let told = story.told();
    let (status, note) = told.of("artifact-of-one-system", "models/scoring/v0/");
    assert_eq!((status, note.as_str()), ("not-applicable", "never seen in production"));
}

#[test]
fn a_registry_reference_leads_to_files_or_not() {
    let with = |reference| {
        let mut story = Story::new();
        story.reference = reference;
        story.told().reference()
    };
    let (status, note) = with("s3://models/models/scoring/v1/no-such-file");
    assert_eq!((status, note.contains("leads to no file")), ("not-satisfied", true), "{note}");
    assert_eq!(with("s3://models/models/scoring/").0, "not-assessed", "a folder above");
    let (status, note) = with("s3://models/models/scoring/v2/model.onnx");
    assert_eq!(
        (status, note.contains("leads to no file that was ever listed")),
        ("not-satisfied", true),
        "{note}"
    );
    let (status, note) = with("https://models.s3.eu-central-1.amazonaws.com/models/other/v7/model.onnx");
    assert_eq!(
        (status, note.contains("leads to models/other/v7/ of other")),
        ("not-satisfied", true),
        "{note}"
    );
    assert_eq!(with("s3://elsewhere/models/scoring/v1/").0, "not-assessed");
    assert_eq!(with("mlflow://models/scoring/v1").0, "satisfied");
}

#[test]
fn keys_that_fit_no_layout_are_listed_as_such() {
    let told = |pattern| {
        let mut story = Story::new();
        story.source = pattern;
        story.file("scratch/final.onnx", "?", json!({}));
        let record = story.document("papers/risk.pdf", "risk", json!({}), "");
        story.register += &format!("risk_assessment = {record}\n");
        story.told()
    };
    let strays = |told: &Told| assessed(&told.desk).estate.strays.remove("bucket").unwrap_or_default();
    let default = strays(&told(""));
    assert_eq!((default.count, default.keys[0].0.as_str()), (1, "s3://models/scratch/final.onnx"));
    let told = told("pattern = \"models/<system>/<model-version>/onnx/<file>\"");
    let own = strays(&told);
    assert_eq!(own.count, 3, "{own:?}");
    assert_eq!(told.of("deployed-version-has-artifact", "Deployment/scoring").0, "not-satisfied");
}

#[test]
fn technical_documentation_holds_for_what_runs_and_is_kept_for_ten_years() {
    let with = |lock: Value, more: &str| {
        let mut story = Story::new();
        let record = story.document("papers/technical.pdf", "annex iv", lock, more);
        story.register += &format!("technical_documentation = {record}\n");
        let told = story.told();
        let unit = |name| told.of("technical-documentation-kept", name);
        (unit("documentation"), unit("keeping"))
    };
    let lock = |until: &str| json!({ "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until });
    let holds = ", model_versions = [\"v1\"]";
    let (documentation, keeping) = with(lock("2036-11-01T00:00:00Z"), holds);
    assert_eq!((documentation.0, keeping.0), ("satisfied", "satisfied"), "{documentation:?} {keeping:?}");
    let (documentation, keeping) = with(lock("2036-10-31T00:00:00Z"), "");
    assert_eq!((documentation.0, keeping.0), ("not-satisfied", "not-satisfied"));
    assert!(documentation.1.contains("v1 runs"), "{documentation:?}");
    assert!(keeping.1.contains("is set to be kept until 2036-10-31"), "{keeping:?}");
    let (_, keeping) = with(json!({}), holds);
    assert_eq!((keeping.0, keeping.1.contains("no lock")), ("not-assessed", true));
    let unit = |story: Story| story.told().of("technical-documentation-kept", "documentation").0;
    assert_eq!(unit(Story::new()), "not-assessed");
    let mut story = Story::new();
    story.register += "technical_documentation = \"none\"\n";
    assert_eq!(unit(story), "not-satisfied");
    let mut story = Story::new();
    let record = story.document("papers/technical.pdf", "annex iv", json!({}), holds);
    story.register += &format!("technical_documentation = {}\n", record.replace(".pdf\"", ".doc\""));
    assert_eq!(unit(story), "not-satisfied", "the bucket shows no such file");
}

#[test]
fn a_risk_assessment_is_confirmed_by_its_bytes() {
    let with = |change: fn(String) -> String| {
        let mut story = Story::new();
        let record = story.document("papers/risk.pdf", "risk", json!({}), "");
        story.register += &format!("risk_assessment = {}\n", change(record));
        story.told().of("risk-assessment-before-deployment", "scoring")
    };
    let (status, note) = with(|record| record);
    assert_eq!(
        (status, note.contains("S3 shows these bytes, stored 2026-10-30")),
        ("satisfied", true),
        "{note}"
    );
    let (status, note) = with(|record| record.replace("sha256 = \"", "sha256 = \"0"));
    assert_eq!((status, note.contains("S3 shows other bytes")), ("not-satisfied", true), "{note}");
    let (status, note) = with(|record| record.replace("s3://models/", "s3://elsewhere/"));
    assert_eq!(
        (status, note.contains("not compared")),
        ("satisfied", true),
        "declared, as its bucket is not read: {note}"
    );
    let (status, note) = with(|record| record.replace("papers/risk", "papers/none"));
    assert_eq!((status, note.contains("does not show it")), ("not-satisfied", true), "{note}");
    let mut story = Story::new();
    story.file("papers/scoring/risk.pdf", "risk", json!({}));
    let tags = json!({ "VersionId": "id-of-papers-scoring-risk.pdf", "TagSet": [{ "Key": "evidence-type", "Value": "risk-assessment" }] });
    story.details.push(("get-object-tagging/papers/scoring/risk.pdf".into(), tags));
    let (status, note) = story.told().of("risk-assessment-before-deployment", "scoring");
    let found = note.contains("tagged as one, and not registered: s3://models/papers/scoring/risk.pdf");
    assert_eq!((status, found), ("not-satisfied", true), "{note}");
}

#[test]
fn a_tag_that_states_another_level_is_found() {
    let mut story = Story::new();
    let tags = json!({ "VersionId": "id-of-models-scoring-v1-model.onnx", "TagSet": [{ "Key": "AI-Risk-Level", "Value": "minimal" }] });
    story.details.push(("get-object-tagging/models/scoring/v1/model.onnx".into(), tags));
    let (status, note) = story.told().of("risk-level-consistent", "scoring");
    assert_eq!((status, note.as_str()), ("not-satisfied", "object tag says minimal, register says high"));
}

/// The version of the model that is listed first.
const FIRST: &str = "id-of-models-scoring-v1-model.onnx";

fn sha256(bytes: &str) -> Value {
    json!({ "ChecksumSHA256": STANDARD.encode(Sha256::digest(bytes)), "ChecksumType": "FULL_OBJECT" })
}

#[test]
fn the_bytes_behind_a_version_are_those_of_the_first_day_or_not() {
    let same = (FIRST, "2026-10-30", 16, sha256("bytes of scoring"));
    let later = |checksum: Value, size| {
        Story::new().model_later(&[("second", "2026-11-11", size, checksum), same.clone()]).unchanged()
    };
    assert_eq!(later(sha256("bytes of scoring"), 16).0, "satisfied", "the same bytes once more");
    let (status, note) = later(sha256("bytes of others!"), 16);
    assert_eq!(
        (status, note.contains("has other bytes since 2026-11-11")),
        ("not-satisfied", true),
        "{note}"
    );
    // A checksum of another kind tells nothing, unless the size does.
    let crc = json!({ "ChecksumCRC32": "AAAAAA==", "ChecksumType": "FULL_OBJECT" });
    assert_eq!(later(crc.clone(), 16).0, "not-assessed");
    assert_eq!(later(crc, 17).0, "not-satisfied");
    let (status, note) = later(json!({}), 16);
    assert_eq!(
        (status, note.contains("states no checksum")),
        ("not-satisfied", true),
        "high asks for one: {note}"
    );
}

#[test]
fn uploads_in_parts_are_the_same_only_with_the_same_parts() {
    let of_parts = |sum: &str, parts: u64| json!({ "ChecksumSHA256": format!("{sum}-{parts}"), "ChecksumType": "COMPOSITE", "Parts": parts });
    let with = |second: Value| {
        let mut story = Story::new();
        story.details.retain(|(call, _)| !call.starts_with("get-object-attributes/models/scoring"));
        let first = json!({ "VersionId": FIRST, "Checksum": of_parts("x", 2), "ObjectParts": { "TotalPartsCount": 2 } });
        story.details.push(("get-object-attributes/models/scoring/v1/model.onnx".into(), first));
        let same = (FIRST, "2026-10-30", 16, of_parts("x", 2));
        story.model_later(&[("second", "2026-11-11", 16, second), same]).unchanged().0
    };
    assert_eq!(with(of_parts("x", 2)), "satisfied");
    assert_eq!(with(of_parts("y", 2)), "not-assessed", "it may be divided otherwise");
    assert_eq!(with(of_parts("x", 3)), "not-assessed");
}

#[test]
fn an_upload_that_began_before_came_after_the_look_that_did_not_show_it() {
    let same = (FIRST, "2026-10-30", 16, sha256("bytes of scoring"));
    let told = Story::new().model_later(&[("second", "2026-10-31", 16, sha256("bytes of others!")), same]);
    assert_eq!(told.unchanged().0, "not-satisfied", "an upload in parts dates from its beginning");
}

#[test]
fn older_bytes_that_show_again_are_found() {
    let mut story = Story::new();
    let old = json!({ "Key": "models/scoring/v1/model.onnx", "VersionId": "old", "IsLatest": false, "LastModified": "2026-10-01T00:00:00Z",
        "ETag": "\"old\"", "Size": 16, "StorageClass": "STANDARD" });
    story.files.push(old);
    let of_old = json!({ "VersionId": "old", "Checksum": sha256("bytes of before!") });
    story.details.push(("get-object-attributes-2/models/scoring/v1/model.onnx".into(), of_old));
    let told = story.model_later(&[("old", "2026-10-01", 16, sha256("bytes of before!"))]);
    let (status, note) = told.unchanged();
    assert_eq!(
        (status, note.contains("shows the bytes of 2026-10-01 00:00 UTC again")),
        ("not-satisfied", true),
        "{note}"
    );
    let (status, note) = told.of("artifact-deleted-while-deployed", "v1");
    assert_eq!((status, note.contains("gone")), ("not-satisfied", true), "{note}");
}

#[test]
fn a_reply_about_a_lock_that_names_no_version_is_of_the_latest_one() {
    let mut story = Story::new();
    let lock =
        json!({ "Retention": { "Mode": "GOVERNANCE", "RetainUntilDate": "2026-11-09T00:00:00+00:00" } });
    story.details.push(("get-object-retention/models/scoring/v1/model.onnx".into(), lock));
    let (status, note) = story.told().kept();
    assert_eq!((status, note.contains("model.onnx ended on 2026-11-09")), ("not-satisfied", true), "{note}");
}
