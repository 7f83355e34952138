//! Model artifacts in buckets: on moto, behind a network that can fail, and in a bucket of many versions.

use crate::cluster::entries;
use crate::delivery::Aws;
use crate::support::s3_versions::S3Versions;
use crate::support::{AWS, World, stderr, stdout};
use actledger::evidence::hex;
use actledger::evidence::record::Fault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn world(url: &str, location: &str, more: &str) -> World {
    World::init(&format!(
        "[[model_artifacts]]\nname = \"models\"\nlocation = \"{location}\"\nregion = \"eu-central-1\"\nendpoint = \"{url}\"\n{more}\n"
    ))
}

/// What a pass says of the source.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    entries: u64,
    not_seen: Vec<String>,
    pub(crate) failed: Option<String>,
    faults: Vec<Fault>,
}

pub(crate) fn pass(world: &World) -> Status {
    ingest(world, &[])
}

fn ingest(world: &World, more: &[&str]) -> Status {
    let done = world.run_with(&AWS, &[&["ingest", "models", "--json"], more].concat());
    let said = format!("{}{}", stdout(&done), stderr(&done));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{said}"));
    serde_json::from_value(told["sources"][0].clone()).unwrap_or_else(|_| panic!("{said}"))
}

/// The last listing that came to its end, as the record has it.
pub(crate) fn listing(world: &World) -> Value {
    let runs = entries(world, "source.run").into_iter().map(|(_, p)| p);
    runs.rev().find_map(|p| p["listings"].get(0).cloned()).unwrap()
}

/// What the record says is there now, by key and version id: entity tag and size, or null.
pub(crate) fn there(world: &World) -> BTreeMap<(String, String), Value> {
    let mut there = BTreeMap::new();
    for kind in ["artifact.version", "artifact.delete_marker"] {
        for (subject, p) in entries(world, kind) {
            let (object, version) = subject.split_once("?versionId=").unwrap();
            let place = (object.split_once('/').unwrap().1.to_owned(), version.to_owned());
            match p["gone"] == true {
                true => there.remove(&place),
                false => there.insert(place, json!([p["etag"], p["size"]])),
            };
        }
    }
    there
}

/// The digest of a listing, computed from the record alone.
pub(crate) fn digest(there: &BTreeMap<(String, String), Value>) -> String {
    there.iter().fold(String::new(), |before, ((key, version), stored)| {
        let line = json!([key, version, stored[0], stored[1]]);
        hex(&Sha256::new().chain_update(before).chain_update(line.to_string()).finalize())
    })
}

/// What moto has, by key and version id.
fn stored(aws: &Aws) -> BTreeSet<(String, String)> {
    let told = aws.boto(
        "p = s3.get_paginator('list_object_versions').paginate(Bucket='flow', PaginationConfig={'PageSize': 1000})\n\
         print(json.dumps([[v['Key'], v['VersionId']] for page in p for v in page.get('Versions', []) + page.get('DeleteMarkers', [])]))",
    );
    serde_json::from_str::<Vec<(String, String)>>(told.trim()).unwrap().into_iter().collect()
}

/// A bucket with versions, delete markers, keys that begin like others, and some that XML cannot hold.
fn estate() -> Aws {
    let aws = Aws::start();
    aws.boto(
        "keys = ['models/a/v1/model.bin', 'models/a/v1/model.bin.sha', 'models/a/v1/model.bin!x', 'models/a/v1/a b+c&ä.bin', 'models/b/v2/w.bin', 'other/x']\n\
         for k in keys:\n  s3.put_object(Bucket='flow', Key=k, Body=b'one')\n\
         s3.put_object(Bucket='flow', Key='models/a/v1/model.bin', Body=b'two')\n\
         s3.put_object(Bucket='flow', Key='models/c/v1/x.bin', Body=b'gone')\n\
         s3.delete_object(Bucket='flow', Key='models/c/v1/x.bin')\n\
         for n in range(9):\n  s3.put_object(Bucket='flow', Key=f'models/d/v{n}/part.bin', Body=b'part')",
    );
    aws
}

fn url(aws: &Aws) -> String {
    format!("http://127.0.0.1:{}", aws.server.port)
}

#[test]
fn every_version_is_an_entry_once_and_a_pass_without_changes_adds_one() {
    let aws = estate();
    let world = world(&url(&aws), "s3://flow/models", "");
    let status = pass(&world);
    assert_eq!((&status.failed, status.not_seen.as_slice()), (&None, &[][..]), "{status:?}");
    let ours =
        || stored(&aws).into_iter().filter(|(key, _)| key.starts_with("models/")).collect::<BTreeSet<_>>();
    let told: BTreeSet<_> = there(&world).into_keys().collect();
    assert_eq!(told, ours());
    let listed = listing(&world);
    assert_eq!(listed["digest"], digest(&there(&world)), "nothing else was there");
    assert_eq!(
        (&listed["versions"], &listed["markers"], &listed["place"]),
        (&json!(16), &json!(1), &json!("s3://flow/models/"))
    );
    let again = pass(&world);
    assert_eq!((again.entries, again.not_seen.len()), (0, 0), "{again:?}");
    assert_eq!(listing(&world)["digest"], listed["digest"]);
    // A version and a whole key go, a marker is set, a key that begins like another comes.
    aws.boto(
        "v = s3.list_object_versions(Bucket='flow', Prefix='models/a/v1/model.bin', MaxKeys=100)['Versions']\n\
         old = [x for x in v if x['Key'] == 'models/a/v1/model.bin' and not x['IsLatest']][0]\n\
         s3.delete_object(Bucket='flow', Key=old['Key'], VersionId=old['VersionId'])\n\
         bang = [x for x in v if x['Key'] == 'models/a/v1/model.bin!x'][0]\n\
         s3.delete_object(Bucket='flow', Key=bang['Key'], VersionId=bang['VersionId'])\n\
         s3.delete_object(Bucket='flow', Key='models/b/v2/w.bin')\n\
         s3.put_object(Bucket='flow', Key='models/a/v1/model', Body=b'new')",
    );
    let changed = pass(&world);
    assert_eq!(changed.failed, None);
    assert_eq!(there(&world).into_keys().collect::<BTreeSet<_>>(), ours());
    assert_eq!(listing(&world)["digest"], digest(&there(&world)));
    let gone = entries(&world, "artifact.version").into_iter().filter(|(_, p)| p["gone"] == true).count();
    assert_eq!(gone, 2);
    // Two versions gone with their details and tags, a marker, a version with its details and tags.
    assert_eq!(changed.entries, 2 * 3 + 1 + 3, "{changed:?}");
}

#[test]
fn what_a_listing_does_not_say_is_read_of_each_version() {
    let aws = Aws::start();
    aws.boto(
        "s3.create_bucket(Bucket='held', CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'}, ObjectLockEnabledForBucket=True)\n\
         s3.put_object(Bucket='held', Key='models/a/v1/m.bin', Body=b'bytes', ChecksumAlgorithm='SHA256', Metadata={'framework': 'onnx'}, Tagging='AI-System=scoring', ObjectLockMode='COMPLIANCE', ObjectLockRetainUntilDate='2036-01-01T00:00:00Z')\n\
         s3.put_object_legal_hold(Bucket='held', Key='models/a/v1/m.bin', LegalHold={'Status': 'ON'})\n\
         s3.put_public_access_block(Bucket='held', PublicAccessBlockConfiguration={'BlockPublicAcls': True, 'IgnorePublicAcls': True, 'BlockPublicPolicy': True, 'RestrictPublicBuckets': True})\n\
         s3.put_bucket_lifecycle_configuration(Bucket='held', LifecycleConfiguration={'Rules': [{'ID': 'old', 'Status': 'Enabled', 'Filter': {'Prefix': 'models/'}, 'NoncurrentVersionExpiration': {'NoncurrentDays': 30}}]})",
    );
    let world = world(&url(&aws), "s3://held", "");
    let status = pass(&world);
    assert_eq!(status.not_seen, [""; 0]);
    let (_, detail) = entries(&world, "artifact.detail").pop().unwrap();
    let sum = STANDARD.encode(Sha256::digest(b"bytes"));
    assert_eq!(detail["checksum"], format!("SHA256:{sum}"), "{detail:#}");
    assert_eq!((&detail["metadata"]["framework"], &detail["legal_hold"]), (&json!("onnx"), &json!(true)));
    assert_eq!(detail["retention"], json!({ "mode": "COMPLIANCE", "until": "2036-01-01T00:00:00.000Z" }));
    assert_eq!(entries(&world, "artifact.tags")[0].1["tags"]["AI-System"], "scoring");
    let (_, bucket) = entries(&world, "artifact.bucket").pop().unwrap();
    assert_eq!((&bucket["versioning"], &bucket["encryption"]["Rules"]), (&json!("Enabled"), &Value::Null));
    assert_eq!(bucket["public_access_block"]["PublicAccessBlockConfiguration"]["BlockPublicAcls"], true);
    assert_eq!(bucket["lifecycle"]["Rules"][0]["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
    assert_eq!(bucket["replication"], json!({}), "none is set");
    // Locks and tags change without a new version: what is left of the budget finds it.
    aws.boto(
        "s3.put_object_tagging(Bucket='held', Key='models/a/v1/m.bin', Tagging={'TagSet': [{'Key': 'AI-System', 'Value': 'other'}]})\n\
         s3.put_object_retention(Bucket='held', Key='models/a/v1/m.bin', Retention={'Mode': 'COMPLIANCE', 'RetainUntilDate': '2040-01-01T00:00:00Z'})",
    );
    assert_eq!(pass(&world).entries, 2);
    assert_eq!(entries(&world, "artifact.detail")[1].1["retention"]["until"], "2040-01-01T00:00:00.000Z");
    assert_eq!(entries(&world, "artifact.tags")[1].1["tags"]["AI-System"], "other");
}

#[test]
fn manifests_tell_which_files_belong_together() {
    let aws = Aws::start();
    aws.boto(
        "put = lambda v, body: s3.put_object(Bucket='flow', Key=f'models/a/{v}/manifest.json', Body=body)\n\
         put('v1', b'{\"files\": [\"m.bin\", {\"path\": \"vocabulary.txt\"}]}')\n\
         put('v2', b'no JSON')\n\
         put('v3', b' ' * (1 << 20) + b'[\"m.bin\"]')",
    );
    let world = world(&url(&aws), "s3://flow/models", "");
    let status = pass(&world);
    let named: Vec<Value> =
        entries(&world, "artifact.manifest").into_iter().map(|(_, p)| p["files"].clone()).collect();
    assert_eq!(named, [json!(["m.bin", "vocabulary.txt"]), Value::Null, Value::Null]);
    let fault =
        |key: &str, what: &str| status.faults.iter().any(|f| f.file.contains(key) && f.what.contains(what));
    assert!(fault("/a/v2/", "is no JSON") && fault("/a/v3/", "more than the limit"), "{status:?}");
    assert_eq!(pass(&world).entries, 0);
}

#[test]
fn what_goes_wrong_is_said_and_located_and_the_rest_is_read() {
    let aws = estate();
    let world = world(&url(&aws), "s3://flow/models", "");
    // A page is cut, one is refused for haste: both are asked for again.
    aws.faults("1 cut versions&key-marker=models\n1 slow versions\n");
    assert_eq!(pass(&world).failed, None);
    assert_eq!(there(&world).len(), 17);
    aws.faults("9 stuck key-marker=models");
    let failed = pass(&world).failed.unwrap();
    assert!(
        failed.contains("ListObjectVersions s3://flow/models/ after \"")
            && failed.contains("the next page begins where this one does"),
        "{failed}"
    );
    aws.boto("s3.put_object(Bucket='flow', Key='models/e/v1/new.bin', Body=b'new')");
    aws.faults("9 denied tagging\n1 denied lifecycle\n");
    let status = pass(&world);
    let said = status.not_seen.join("\n");
    assert!(said.contains("GetBucketLifecycleConfiguration s3://flow: denied: AccessDenied"), "{said}");
    assert!(
        said.contains("GetObjectTagging s3://flow/models/")
            && said.contains("not in the record: what GetObjectTagging tells"),
        "{said}"
    );
    assert_eq!(status.not_seen.iter().filter(|g| g.contains("GetObjectTagging")).count(), 1, "said once");
    let (_, detail) =
        entries(&world, "artifact.detail").into_iter().rfind(|(s, _)| s.contains("/e/v1/new.bin")).unwrap();
    assert_eq!(detail["denied"], json!(["GetObjectTagging"]));
    // One that goes between the listing and its details is no gap.
    aws.faults("");
    aws.boto("s3.put_object(Bucket='flow', Key='models/f/v1/new.bin', Body=b'new')");
    aws.faults("9 vanished f/v1/new.bin");
    let status = pass(&world);
    assert_eq!(status.not_seen, [""; 0]);
    assert!(
        status
            .faults
            .iter()
            .any(|f| f.file.contains("models/f/v1/new.bin") && f.what.contains("went between")),
        "{:?}",
        status.faults
    );
}

#[test]
fn a_listing_that_was_killed_is_taken_up_and_nothing_is_told_twice() {
    let server = S3Versions::start(24_000);
    let world = world(&server.url, "s3://models/models", "detail_requests = 30");
    // Seven settings, a page, the folders, and 21 pages with details of ten versions.
    server.answers(Some(7 + 2 + 21 + 30));
    let first = pass(&world);
    assert!(first.failed.is_some(), "{first:?}");
    let told = entries(&world, "artifact.version").len();
    assert!(told > 9_000, "{told}");
    server.answers(None);
    server.asked();
    assert_eq!(pass(&world).failed, None);
    let (listed, _) = server.asked();
    assert!(listed < 20, "{listed} pages: what was committed is not listed again");
    let versions = entries(&world, "artifact.version");
    assert_eq!((versions.len(), there(&world).len()), (24_000, 24_000));
    assert_eq!(listing(&world)["digest"], digest(&there(&world)));
    let begun = entries(&world, "source.run").remove(0).1["looked_at"].clone();
    assert_eq!(listing(&world)["from"], begun, "when it began");
    assert_eq!(entries(&world, "artifact.detail").len(), 20, "as far as the requests go");
    // The tail of the bucket goes.
    server.hold(23_000);
    let gone = pass(&world);
    assert_eq!((there(&world).len(), gone.entries), (23_000, 1_000 + 10 * 2));
}

#[test]
fn details_that_failed_are_read_by_the_next_pass_and_what_cannot_be_asked_is_no_gap() {
    let aws = estate();
    let world = world(&url(&aws), "s3://flow/models", "");
    pass(&world);
    aws.boto("s3.put_object(Bucket='flow', Key='models/e/v1/new.bin', Body=b'new')");
    aws.faults("99 500 e/v1/new.bin");
    let status = pass(&world);
    assert!(status.not_seen.iter().any(|g| g.contains("models/e/v1/new.bin")), "{status:?}");
    let of_new = || {
        entries(&world, "artifact.detail").into_iter().filter(|(s, _)| s.contains("/e/v1/new.bin")).count()
    };
    assert_eq!(of_new(), 0);
    aws.faults("");
    assert_eq!((pass(&world).not_seen.len(), of_new()), (0, 1), "though nothing is new in the listing");
    // An object that is encrypted with its owner's key cannot be asked.
    aws.boto("s3.put_object(Bucket='flow', Key='models/g/v1/own.bin', Body=b'own')");
    aws.faults("99 invalid g/v1/own.bin");
    let status = pass(&world);
    assert_eq!((status.not_seen.len(), &status.failed), (0, &None), "{status:?}");
    assert!(
        status.faults.iter().any(|f| f.file.contains("/g/v1/own.bin") && f.what.contains("InvalidRequest")),
        "{status:?}"
    );
    assert_eq!(pass(&world).entries, 0);
}

#[test]
fn the_bytes_themselves_are_hashed_on_request() {
    let aws = estate();
    aws.boto("s3.put_object(Bucket='flow', Key='models/d/v1/large.bin', Body=b'x' * 300000)");
    let world = world(&url(&aws), "s3://flow/models", "hash_up_to = 300000");
    pass(&world);
    let hashes = || {
        let all = entries(&world, "artifact.hash").into_iter();
        let (gone, there): (Vec<_>, Vec<_>) = all.partition(|(_, p)| p["gone"] == true);
        there.len() - gone.len()
    };
    assert_eq!(hashes(), 0, "nobody asked");
    // One breaks off on its way, one is refused for good, one goes.
    let fetch = "\\S+x-id=GetObject[ &]";
    aws.faults(&format!("1 cut v1/large{fetch}\n99 denied d/v2/{fetch}\n1 vanished d/v3/{fetch}"));
    let status = ingest(&world, &["--hash"]);
    assert!(status.not_seen.is_empty(), "a hash that is not there is no gap: {status:?}");
    assert!(
        status.faults.iter().any(|f| f.file.contains("models/d/v2") && f.what.contains("denied")),
        "{status:?}"
    );
    assert!(status.faults.iter().any(|f| f.file.contains("models/d/v3")), "{status:?}");
    let large =
        entries(&world, "artifact.hash").into_iter().find(|(s, _)| s.contains("large.bin")).unwrap().1;
    let sum = hex(&Sha256::digest(vec![b'x'; 300_000]));
    assert_eq!((&large["sha256"], &large["size"]), (&json!(sum), &json!(300_000)));
    aws.faults("");
    let again = ingest(&world, &["--hash"]);
    assert_eq!((again.entries, hashes()), (2, 17), "what failed, and nothing twice");
    // What is too large is left; what goes takes its hash with it.
    aws.boto(
        "s3.put_object(Bucket='flow', Key='models/d/v1/larger.bin', Body=b'x' * 300001)\n\
         v = s3.list_object_versions(Bucket='flow', Prefix='models/d/v1/large.bin', MaxKeys=100)['Versions'][0]\n\
         s3.delete_object(Bucket='flow', Key=v['Key'], VersionId=v['VersionId'])",
    );
    ingest(&world, &["--hash"]);
    assert_eq!(hashes(), 16);
    assert_eq!(pass(&world).entries, 0, "an ordinary pass leaves hashes as they are");
}

#[test]
fn a_delete_marker_takes_the_place_of_a_version_null() {
    let aws = Aws::start();
    aws.boto(
        "s3.create_bucket(Bucket='old', CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})\n\
         s3.put_object(Bucket='old', Key='models/a/v1/m.bin', Body=b'bytes')",
    );
    let world = world(&url(&aws), "s3://old", "");
    pass(&world);
    assert_eq!(there(&world).keys().map(|(_, v)| v.as_str()).collect::<Vec<_>>(), ["null"]);
    assert_eq!(entries(&world, "artifact.bucket")[0].1["versioning"], "Never");
    // moto does not replace it: a server that does is told what S3 says.
    aws.faults("9 replaced-null versions");
    pass(&world);
    let last = |kind: &str| entries(&world, kind).pop().unwrap().1;
    assert_eq!(
        (&last("artifact.version")["gone"], &last("artifact.delete_marker")["latest"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(last("artifact.detail")["gone"], true);
    assert_eq!(
        listing(&world)["digest"],
        digest(&there(&world).into_iter().filter(|(_, v)| v[0].is_null()).collect())
    );
}

#[test]
fn what_is_gone_is_told_also_by_a_pass_that_had_no_time_for_it() {
    let server = S3Versions::start(24_000);
    let world = world(&server.url, "s3://models/models", "detail_requests = 0");
    pass(&world);
    server.hold(2);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("[schedule]", "[schedule]\npass_minutes = 0")).unwrap();
    // Each pass has the time of one step.
    let passes: Vec<Status> = (0..9).map(|_| pass(&world)).collect();
    assert!(passes.iter().all(|p| p.entries <= 10_000), "{passes:?}");
    assert_eq!(passes.iter().map(|p| p.entries).sum::<u64>(), 23_998);
    assert_eq!(there(&world).len(), 2);
    assert_eq!(listing(&world)["digest"], digest(&there(&world)));
}

#[test]
fn a_listing_of_another_place_is_not_taken_up() {
    let server = S3Versions::start(24_000);
    let world = world(&server.url, "s3://models/models", "detail_requests = 0");
    server.answers(Some(7 + 2 + 21));
    assert!(pass(&world).failed.is_some());
    server.answers(None);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("s3://models/models", "s3://models")).unwrap();
    server.asked();
    pass(&world);
    assert!(server.asked().0 >= 24, "from the first key");
}
