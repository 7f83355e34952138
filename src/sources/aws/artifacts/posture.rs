//! Settings of a bucket, in the words of `aws s3api`: what is not set is an empty object, what may not be read is null.

use super::super::why;
use super::listing::Place;
use crate::evidence::artifacts::Bucket;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{LifecycleRule, LifecycleRuleFilter, ServerSideEncryptionRule};
use serde_json::{Map, Value, json};
use std::fmt::Debug;

/// Codes by which S3 says that something is not set.
const NOT_SET: [&str; 5] = [
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchPublicAccessBlockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "NoSuchLifecycleConfiguration",
    "ReplicationConfigurationNotFoundError",
];

/// What was asked of a bucket and not answered.
type Gaps = Vec<String>;

impl Place {
    /// Every setting that says how artifacts are kept, and what could not be read.
    pub(super) async fn posture(&self) -> (Bucket, Gaps) {
        let (mut gaps, client, name) = (Vec::new(), &self.client, &self.bucket);
        let versioning = client.get_bucket_versioning().bucket(name).send().await;
        let versioning = self.taken(
            "GetBucketVersioning",
            versioning,
            &mut gaps,
            |v| json!({ "Status": v.status().map_or("Never", |s| s.as_str()) }),
        );
        let encryption = client.get_bucket_encryption().bucket(name).send().await;
        let encryption = self.taken("GetBucketEncryption", encryption, &mut gaps, |e| {
            let rules = e.server_side_encryption_configuration().map(|c| c.rules()).unwrap_or_default();
            let rules: Vec<Value> = rules.iter().map(encryption_rule).collect();
            json!({ "ServerSideEncryptionConfiguration": { "Rules": rules } })
        });
        let access = client.get_public_access_block().bucket(name).send().await;
        let access = self.taken("GetPublicAccessBlock", access, &mut gaps, |a| {
            let Some(c) = a.public_access_block_configuration() else { return json!({}) };
            json!({ "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": c.block_public_acls(), "IgnorePublicAcls": c.ignore_public_acls(),
                "BlockPublicPolicy": c.block_public_policy(), "RestrictPublicBuckets": c.restrict_public_buckets() } })
        });
        let lock = client.get_object_lock_configuration().bucket(name).send().await;
        let lock = self.taken("GetObjectLockConfiguration", lock, &mut gaps, |l| {
            let Some(c) = l.object_lock_configuration() else { return json!({}) };
            let default = c.rule().and_then(|r| r.default_retention());
            json!({ "ObjectLockConfiguration": {
                "ObjectLockEnabled": c.object_lock_enabled().map(|e| e.as_str()),
                "Rule": default.map(|d| json!({ "DefaultRetention": {
                    "Mode": d.mode().map(|m| m.as_str()), "Days": d.days(), "Years": d.years() } })) } })
        });
        let lifecycle = client.get_bucket_lifecycle_configuration().bucket(name).send().await;
        let lifecycle = self.taken(
            "GetBucketLifecycleConfiguration",
            lifecycle,
            &mut gaps,
            |l| json!({ "Rules": l.rules().iter().map(lifecycle_rule).collect::<Vec<_>>() }),
        );
        let replication = client.get_bucket_replication().bucket(name).send().await;
        let replication = self.taken("GetBucketReplication", replication, &mut gaps, |r| {
            let rules = r.replication_configuration().map(|c| c.rules()).unwrap_or_default();
            let rule = |r: &aws_sdk_s3::types::ReplicationRule| {
                json!({ "ID": r.id(), "Status": r.status().as_str(),
                    "Destination": { "Bucket": r.destination().map(|d| d.bucket()) } })
            };
            json!({ "ReplicationConfiguration": { "Rules": rules.iter().map(rule).collect::<Vec<_>>() } })
        });
        let logging = client.get_bucket_logging().bucket(name).send().await;
        let logging = self.taken("GetBucketLogging", logging, &mut gaps, |l| {
            let Some(l) = l.logging_enabled() else { return json!({}) };
            json!({ "LoggingEnabled": { "TargetBucket": l.target_bucket(), "TargetPrefix": l.target_prefix() } })
        });
        let bucket = Bucket {
            gone: false,
            bucket: name.clone(),
            versioning: versioning.and_then(|v| v["Status"].as_str().map(str::to_owned)),
            encryption,
            public_access_block: access,
            object_lock: lock,
            lifecycle,
            replication,
            logging,
        };
        (bucket, gaps)
    }

    /// What a reply says; an empty object where nothing is set, none where it may not be read.
    fn taken<T, E, R>(
        &self,
        call: &str,
        reply: Result<T, SdkError<E, R>>,
        gaps: &mut Gaps,
        says: impl FnOnce(&T) -> Value,
    ) -> Option<Value>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: Debug + Send + Sync + 'static,
    {
        match reply {
            Ok(reply) => Some(without_nulls(says(&reply))),
            Err(e) if e.code().is_some_and(|code| NOT_SET.contains(&code)) => Some(json!({})),
            Err(e) => {
                gaps.push(why(&format!("{call} s3://{}", self.bucket), &e));
                None
            }
        }
    }
}

fn encryption_rule(rule: &ServerSideEncryptionRule) -> Value {
    let default = rule.apply_server_side_encryption_by_default();
    json!({
        "ApplyServerSideEncryptionByDefault": default.map(|d| json!({
            "SSEAlgorithm": d.sse_algorithm().as_str(), "KMSMasterKeyID": d.kms_master_key_id() })),
        "BucketKeyEnabled": rule.bucket_key_enabled(),
    })
}

fn lifecycle_rule(rule: &LifecycleRule) -> Value {
    let date = |t: &aws_sdk_s3::primitives::DateTime| t.to_string();
    let transitions = rule.transitions().iter().map(
        |t| json!({ "Days": t.days(), "StorageClass": t.storage_class().map(|c| c.as_str()), "Date": t.date().map(date) }),
    );
    json!({
        "ID": rule.id(),
        "Status": rule.status().as_str(),
        "Filter": rule.filter().map(filter),
        "Expiration": rule.expiration().map(|e| json!({ "Days": e.days(), "Date": e.date().map(date),
            "ExpiredObjectDeleteMarker": e.expired_object_delete_marker() })),
        "NoncurrentVersionExpiration": rule.noncurrent_version_expiration().map(|e| json!({
            "NoncurrentDays": e.noncurrent_days(), "NewerNoncurrentVersions": e.newer_noncurrent_versions() })),
        "Transitions": transitions.collect::<Vec<_>>(),
    })
}

fn filter(filter: &LifecycleRuleFilter) -> Value {
    let tag = |t: &aws_sdk_s3::types::Tag| json!({ "Key": t.key(), "Value": t.value() });
    let both = filter.and().map(|and| {
        json!({ "Prefix": and.prefix(), "Tags": and.tags().iter().map(tag).collect::<Vec<_>>(),
            "ObjectSizeGreaterThan": and.object_size_greater_than(), "ObjectSizeLessThan": and.object_size_less_than() })
    });
    json!({ "Prefix": filter.prefix(), "Tag": filter.tag().map(tag), "And": both,
        "ObjectSizeGreaterThan": filter.object_size_greater_than(), "ObjectSizeLessThan": filter.object_size_less_than() })
}

/// Members that are not stated are not there, as in `aws s3api`.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k, without_nulls(v))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
