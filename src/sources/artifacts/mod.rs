//! S3 model artifacts, from replies as the AWS command line prints them: `BUCKET/list-object-versions.json`,
//! `BUCKET/get-bucket-versioning.json`, `BUCKET/get-object-tagging/KEY.json` and so on. What a bucket says live comes as evidence.

pub mod manifest;

use super::Gathered;
use crate::config::Source;
use crate::evidence::artifacts::{
    Bucket, DeleteMarker, Detail, DetailOf, Manifest, Retention, Tags, Version, subject,
};
use crate::evidence::{Evidence, Kind, Outside, Time, outside_json};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Parser of one look.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    out: Gathered,
    buckets: BTreeMap<String, Bucket>,
    /// By bucket, key and version id.
    details: BTreeMap<(String, String, String), Detail>,
    /// Latest version of each key that is listed.
    latest: BTreeMap<(String, String), String>,
    versions: Vec<Version>,
    /// Bucket, key and what is named.
    manifests: Vec<(String, String, Option<Vec<String>>)>,
    markers: u64,
    unfinished: BTreeSet<String>,
    listed: BTreeSet<String>,
    listings: u64,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(source: &'a Source, at: Time) -> Parser<'a> {
        let (out, buckets, details) = (Gathered::default(), BTreeMap::new(), BTreeMap::new());
        Parser {
            source,
            at,
            out,
            buckets,
            details,
            latest: BTreeMap::new(),
            versions: Vec::new(),
            manifests: Vec::new(),
            markers: 0,
            unfinished: BTreeSet::new(),
            listed: BTreeSet::new(),
            listings: 0,
        }
    }

    /// Takes one reply.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if !path.ends_with(".json") && !path.contains("/get-object/") {
            self.out.refuse(path, "is no reply of `aws s3api … --output json`".into());
            return;
        }
        let Some(call) = Call::of(path) else {
            self.out.refuse(
                path,
                "is named after no call that is read, for example BUCKET/list-object-versions.json".into(),
            );
            return;
        };
        if call.name == "get-object" {
            self.manifest(path, &call, bytes);
            return;
        }
        let Some(reply) = self.out.json(path, bytes) else { return };
        if let Some(code) = reply["Error"]["Code"].as_str() {
            self.out.refuse(
                path,
                format!("S3 answered {code}: {}", reply["Error"]["Message"].as_str().unwrap_or_default()),
            );
            return;
        }
        let bucket = reply["Name"].as_str().map_or_else(|| call.bucket.clone(), str::to_owned);
        let bucket = if bucket.is_empty() { self.source.name.clone() } else { bucket };
        match call.name {
            "list-object-versions" => self.listing(path, &bucket, &reply),
            "get-object-tagging" => self.tagging(path, &bucket, &call.key, &reply),
            "get-object-attributes" => self.attributes(path, &bucket, &call.key, &reply),
            "head-object" => self.head(&bucket, &call.key, &reply),
            "get-object-retention" => self.retention(path, &bucket, &call.key, &reply),
            "get-object-legal-hold" => {
                let hold = reply["LegalHold"]["Status"] == "ON";
                self.of(&bucket, &call.key, &reply).legal_hold = hold;
            }
            setting => self.setting(setting, &bucket, &reply),
        }
    }

    fn listing(&mut self, path: &str, bucket: &str, reply: &Value) {
        self.listings += 1;
        for (list, marker) in [("Versions", false), ("DeleteMarkers", true)] {
            for (i, item) in reply[list].as_array().into_iter().flatten().enumerate() {
                match (item["Key"].as_str(), item["VersionId"].as_str()) {
                    (Some(key), Some(version)) if marker => self.marker(bucket, key, version, item),
                    (Some(key), Some(version)) => self.version(bucket, key, version, item),
                    _ => {
                        self.out.quarantine(path, format!("{list}[{i}]"), "has no Key or no VersionId".into())
                    }
                }
            }
        }
        let last_page = !reply["IsTruncated"].as_bool().unwrap_or(false);
        match last_page {
            true => self.unfinished.remove(bucket),
            false => self.unfinished.insert(bucket.to_owned()),
        };
        self.listed.insert(bucket.to_owned());
    }

    fn version(&mut self, bucket: &str, key: &str, version_id: &str, item: &Value) {
        self.out.keep(1);
        if item["IsLatest"] == true {
            self.latest.insert((bucket.to_owned(), key.to_owned()), version_id.to_owned());
        }
        self.versions.push(Version {
            gone: false,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            etag: item["ETag"].as_str().unwrap_or_default().trim_matches('"').to_owned(),
            size: item["Size"].as_u64().unwrap_or(0),
            stored: item["LastModified"].as_str().and_then(|t| t.parse().ok()),
            storage_class: item["StorageClass"].as_str().unwrap_or_default().to_owned(),
        });
    }

    fn marker(&mut self, bucket: &str, key: &str, version_id: &str, item: &Value) {
        self.out.keep(1);
        self.markers += 1;
        let payload = DeleteMarker {
            gone: false,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            latest: item["IsLatest"].as_bool().unwrap_or(false),
            set: item["LastModified"].as_str().and_then(|t| t.parse().ok()),
        };
        self.state(Kind::ArtifactDeleteMarker, subject(bucket, key, version_id), &payload);
    }

    fn tagging(&mut self, path: &str, bucket: &str, key: &str, reply: &Value) {
        let Some(set) = reply["TagSet"].as_array() else {
            self.out.quarantine(path, "TagSet", "is missing: it is no reply of get-object-tagging".into());
            return;
        };
        self.out.keep(1);
        let pairs =
            set.iter().filter_map(|t| Some((t["Key"].as_str()?.to_owned(), t["Value"].as_str()?.to_owned())));
        let version_id = reply["VersionId"].as_str().unwrap_or("null").to_owned();
        let tags = pairs.collect::<Outside>();
        let at = subject(bucket, key, &version_id);
        let payload = Tags { gone: false, bucket: bucket.to_owned(), key: key.to_owned(), version_id, tags };
        self.state(Kind::ArtifactTags, at, &payload);
    }

    /// Full-object checksums only: one over parts is no checksum of the file.
    fn attributes(&mut self, path: &str, bucket: &str, key: &str, reply: &Value) {
        let checksum = &reply["Checksum"];
        if !checksum.is_object() && reply["ETag"].is_null() {
            self.out.quarantine(
                path,
                "",
                "holds neither Checksum nor ETag: it is no reply of get-object-attributes".into(),
            );
            return;
        }
        let known = ["SHA256", "SHA512", "SHA1", "CRC64NVME", "CRC32C", "CRC32"];
        let found =
            known.iter().find_map(|a| Some(format!("{a}:{}", checksum[format!("Checksum{a}")].as_str()?)));
        let is_of_parts = checksum["ChecksumType"] == "COMPOSITE";
        let parts = reply["ObjectParts"]["TotalPartsCount"].as_u64();
        let detail = self.of(bucket, key, reply);
        (detail.parts, detail.attributes) = (parts, true);
        *(if is_of_parts { &mut detail.checksum_of_parts } else { &mut detail.checksum }) = found;
    }

    /// A manifest as it was downloaded; `BUCKET/get-object/KEY`, of the latest version of the key.
    fn manifest(&mut self, path: &str, call: &Call, bytes: &[u8]) {
        self.out.keep(1);
        let named = manifest::names(bytes);
        if let Err(why) = &named {
            self.out.fault(path, "manifest", why.clone());
        }
        self.manifests.push((call.bucket.clone(), call.key.clone(), named.ok()));
    }

    fn head(&mut self, bucket: &str, key: &str, reply: &Value) {
        let text = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
        let until = reply["ObjectLockRetainUntilDate"].as_str().and_then(|t| t.parse().ok());
        let mode = reply["ObjectLockMode"].as_str().map(str::to_owned);
        let detail = self.of(bucket, key, reply);
        detail.headers = true;
        detail.metadata = Outside::of(reply.get("Metadata"));
        (detail.encryption, detail.kms_key) = (text("ServerSideEncryption"), text("SSEKMSKeyId"));
        detail.retention = mode.zip(until).map(|(mode, until)| Retention { mode, until });
        detail.legal_hold = reply["ObjectLockLegalHoldStatus"] == "ON";
    }

    fn retention(&mut self, path: &str, bucket: &str, key: &str, reply: &Value) {
        let stated = &reply["Retention"];
        let until = stated["RetainUntilDate"].as_str().and_then(|t| t.parse().ok());
        let Some((mode, until)) = stated["Mode"].as_str().map(str::to_owned).zip(until) else {
            self.out.quarantine(path, "Retention", "has no Mode or no RetainUntilDate that is a time".into());
            return;
        };
        let detail = self.of(bucket, key, reply);
        (detail.headers, detail.retention) = (true, Some(Retention { mode, until }));
    }

    /// What is known of the version that a reply is about.
    fn of(&mut self, bucket: &str, key: &str, reply: &Value) -> &mut Detail {
        self.out.keep(1);
        // Some replies name no version: then they are of the latest one.
        let version_id = reply["VersionId"].as_str().unwrap_or_default().to_owned();
        let place = (bucket.to_owned(), key.to_owned(), version_id);
        self.details.entry(place).or_default()
    }

    fn setting(&mut self, call: &str, bucket: &str, reply: &Value) {
        self.out.keep(1);
        let state = self
            .buckets
            .entry(bucket.to_owned())
            .or_insert_with(|| Bucket { bucket: bucket.to_owned(), ..Bucket::default() });
        let stated = Some(outside_json(reply));
        match call {
            "get-bucket-versioning" => {
                state.versioning = Some(reply["Status"].as_str().unwrap_or("Never").to_owned())
            }
            "get-bucket-encryption" => state.encryption = stated,
            "get-public-access-block" => state.public_access_block = stated,
            "get-object-lock-configuration" => state.object_lock = stated,
            "get-bucket-replication" => state.replication = stated,
            "get-bucket-logging" => state.logging = stated,
            _ => state.lifecycle = stated,
        }
    }

    fn state(&mut self, kind: Kind, subject: String, payload: &impl serde::Serialize) {
        self.out.evidence.push(Evidence::state(kind, &self.source.name, subject, self.at, payload));
    }

    /// Details of versions; those that name none are of the latest one that the look lists.
    fn details(&mut self) {
        let mut all: BTreeMap<(String, String, String), Detail> = BTreeMap::new();
        for ((bucket, key, named), detail) in std::mem::take(&mut self.details) {
            let latest = self.latest.get(&(bucket.clone(), key.clone())).map_or("null", String::as_str);
            let version_id = if named.is_empty() { latest.to_owned() } else { named };
            let known = all.entry((bucket, key, version_id)).or_insert_with(|| detail.clone());
            if *known != detail {
                known.retention = known.retention.take().or(detail.retention);
                known.legal_hold |= detail.legal_hold;
                known.checksum = known.checksum.take().or(detail.checksum);
                known.attributes |= detail.attributes;
                known.headers |= detail.headers;
            }
        }
        for ((bucket, key, version_id), detail) in all {
            let at = subject(&bucket, &key, &version_id);
            let detail = DetailOf { bucket: &bucket, key: &key, version_id: &version_id, detail: &detail };
            self.state(Kind::ArtifactDetail, at, &detail);
        }
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        for version in std::mem::take(&mut self.versions) {
            let at = subject(&version.bucket, &version.key, &version.version_id);
            self.state(Kind::ArtifactVersion, at, &version);
        }
        self.details();
        for (bucket, key, files) in std::mem::take(&mut self.manifests) {
            let latest =
                self.latest.get(&(bucket.clone(), key.clone())).map_or("null", String::as_str).to_owned();
            let at = subject(&bucket, &key, &latest);
            let payload = Manifest { gone: false, bucket, key, version_id: latest, files };
            self.state(Kind::ArtifactManifest, at, &payload);
        }
        for (name, bucket) in std::mem::take(&mut self.buckets) {
            self.state(Kind::ArtifactBucket, format!("s3:{name}"), &bucket);
        }
        match (self.listings, self.unfinished.is_empty()) {
            (0, _) => self.out.gap("no list-object-versions.json in the look"),
            (_, false) => self.out.gap("the listing of versions is truncated and the next page is not there"),
            _ => {
                // Only buckets that this look lists can show that something is no longer there.
                for kind in [Kind::ArtifactVersion, Kind::ArtifactDeleteMarker] {
                    self.out.listed_only(kind, self.listed.iter().map(|b| format!("s3:{b}/")));
                }
            }
        }
        let versions = self.out.evidence.iter().filter(|e| e.kind == Kind::ArtifactVersion).count();
        self.out.read =
            format!("{} listing, {versions} versions, {} delete markers", self.listings, self.markers);
        self.out
    }
}

struct Call {
    bucket: String,
    name: &'static str,
    key: String,
}

impl Call {
    fn of(path: &str) -> Option<Call> {
        let calls = [
            "list-object-versions",
            "get-object-tagging",
            "get-object-attributes",
            "get-object-retention",
            "get-object-legal-hold",
            "head-object",
            "get-bucket-versioning",
            "get-bucket-encryption",
            "get-public-access-block",
            "get-object-lock-configuration",
            "get-bucket-lifecycle-configuration",
            "get-bucket-replication",
            "get-bucket-logging",
            "get-object",
        ];
        // What was downloaded has the name of its key.
        let stem = if path.contains("/get-object/") { path } else { path.strip_suffix(".json")? };
        let parts: Vec<&str> = stem.split('/').collect();
        let (i, name) = parts.iter().enumerate().find_map(|(i, p)| {
            let name = calls.iter().find(|c| {
                p.strip_prefix(**c)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-') && **c != "get-object")
            })?;
            Some((i, *name))
        })?;
        Some(Call { bucket: parts[..i].join("/"), name, key: parts[i + 1..].join("/") })
    }
}
