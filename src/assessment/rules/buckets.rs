//! Rules about buckets that hold artifacts: whether they keep versions, and who could reach into them.

use super::super::facts::Seen;
use super::super::findings::Case;
use super::{Judged, many};
use crate::act::Level;
use crate::evidence::artifacts::Bucket;
use serde_json::Value;
use std::collections::BTreeSet;

/// The flags of a public access block.
const FLAGS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// Buckets with artifacts of the system, each with its settings where they were read.
fn buckets<'a>(case: &Case<'a>) -> Vec<(&'a str, Option<&'a Seen<Bucket>>)> {
    let Some(system) = case.system else { return Vec::new() };
    let names: BTreeSet<&str> = system.artifacts.values().flatten().map(|(b, _)| b.as_str()).collect();
    names.into_iter().map(|name| (name, settings(case, name))).collect()
}

/// Settings of a bucket, where they were read.
pub(super) fn settings<'a>(case: &Case<'a>, bucket: &str) -> Option<&'a Seen<Bucket>> {
    case.facts.buckets.of(&format!("s3:{bucket}"), case.estate.at).filter(|b| !b.gone)
}

/// Whether the last look of some source was refused a setting of a bucket.
pub(super) fn is_refused(case: &Case<'_>, call: &str, bucket: &str) -> bool {
    let asked = format!("{call} s3://{bucket}");
    let is_of_it = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "-._".contains(c));
    let refused =
        |gap: &String| gap.strip_prefix(&asked).is_some_and(is_of_it) && gap.contains("AccessDenied");
    let mut last = case.facts.own.looks.keys().filter_map(|source| case.looks(source).next_back());
    last.any(|look| look.value.gaps.iter().any(refused))
}

/// Whether buckets keep versions, and no file stands outside of them.
pub(super) fn versioning(case: &Case<'_>) -> Vec<Judged> {
    let judge = |(bucket, state): (&str, Option<&Seen<Bucket>>)| {
        let prefixes = || {
            case.system.into_iter().flat_map(|s| s.artifacts.values().flatten()).filter(|(b, _)| b == bucket)
        };
        let null = prefixes().find_map(|(_, prefix)| {
            let beginning = format!("s3:{bucket}/{prefix}");
            let mut there = case.facts.versions.there(&beginning, case.estate.at);
            there.find(|v| v.value.version_id() == "null")
        });
        let setting = state.and_then(|s| s.value.versioning.as_deref());
        let line = match (setting, null) {
            (Some("Suspended" | "Never"), _) => 1,
            (_, Some(_)) => 2,
            (Some("Enabled"), None) => 4,
            (None, None) if is_refused(case, "GetBucketVersioning", bucket) => 3,
            _ => 5,
        };
        let history = state.into_iter().flat_map(|b| case.looks(&b.source));
        let looks = history.filter(|l| l.value.complete).count();
        let looks = many(looks as u64, "complete look");
        let note = match null.filter(|_| line == 2) {
            Some(v) => format!("{} was stored without a version", v.value.key()),
            None => format!("versioning {}, {looks}", setting.unwrap_or("not read")),
        };
        Judged::line(bucket, line).note(note).evidence(state.map(|s| s.seq)).evidence(null.map(|n| n.seq))
    };
    buckets(case).into_iter().map(judge).collect()
}

/// Whether buckets block public access and encrypt as the level asks for.
pub(super) fn protected(case: &Case<'_>) -> Vec<Judged> {
    let defaults = &case.catalogue.defaults;
    let level = case.system.and_then(|s| s.levels.as_ref()).map_or(Level::Unclassified, |l| l.effective);
    let needs_key = defaults.require_kms_for.contains(&level);
    let judge = |(bucket, state): (&str, Option<&Seen<Bucket>>)| {
        let read = |of: fn(&Bucket) -> &Option<Value>| state.and_then(|s| of(&s.value).as_ref());
        let (access, encryption) = (read(|b| &b.public_access_block), read(|b| &b.encryption));
        let flags = access.map(|a| &a["PublicAccessBlockConfiguration"]);
        let open = FLAGS.iter().find(|flag| flags.is_some_and(|f| f[**flag] != true));
        let default = encryption.map(
            |e| &e["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"],
        );
        let (kind, key) = (
            default.and_then(|d| d["SSEAlgorithm"].as_str()),
            default.and_then(|d| d["KMSMasterKeyID"].as_str()),
        );
        let has_key = kind.is_some_and(|k| k.starts_with("aws:kms"));
        let is_allowed = defaults.allowed_keys.is_empty()
            || key.is_some_and(|k| defaults.allowed_keys.iter().any(|a| a == k));
        let (line, note) = if encryption.is_some() && needs_key && !has_key {
            (
                2,
                format!(
                    "the default encryption is {}; {} asks for a managed key",
                    kind.unwrap_or("not set"),
                    level.name()
                ),
            )
        } else if encryption.is_some() && !is_allowed {
            (3, format!("the default key is {}, which is not allowed", key.unwrap_or("AWS's own")))
        } else if access.is_none() || encryption.is_none() {
            let calls = ["GetPublicAccessBlock", "GetBucketEncryption"];
            let refused = calls.into_iter().any(|call| is_refused(case, call, bucket));
            (if refused { 4 } else { 7 }, "public access block or encryption was not read".into())
        } else if let Some(flag) = open {
            (5, format!("{flag} is not set at the bucket; the account's setting is not read"))
        } else {
            (6, format!("public access blocked, default encryption {}", kind.unwrap_or("of S3")))
        };
        Judged::line(bucket, line).note(note).evidence(state.map(|s| s.seq))
    };
    buckets(case).into_iter().map(judge).collect()
}
