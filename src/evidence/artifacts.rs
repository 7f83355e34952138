//! What S3 states of model artifacts.

use super::{Outside, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One version of one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Version {
    /// A complete listing no longer shows it.
    pub gone: bool,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id; `null` when written without versioning.
    pub version_id: String,
    /// ETag without quotes. Never a hash of the content.
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored: Option<Time>,
    /// Storage class.
    pub storage_class: String,
}

impl Version {
    /// Its subject.
    pub fn subject(&self) -> String {
        subject(&self.bucket, &self.key, &self.version_id)
    }
}

/// What a listing does not say of a version. Some of it changes without a new version: how long it is locked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// A complete listing no longer shows the version.
    pub gone: bool,
    /// ETag of the bytes that this is about, without quotes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub etag: String,
    /// Whether S3 was asked for checksums, and answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub attributes: bool,
    /// Checksum of the whole object in the form `SHA256:base64`, where S3 states one.
    pub checksum: Option<String>,
    /// Checksum over checksums of parts: it says nothing of an object that is divided otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_of_parts: Option<String>,
    /// Parts in which it was uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// Whether S3 was asked for what follows (HeadObject), and answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub headers: bool,
    /// Metadata that whoever stored it wrote.
    #[serde(skip_serializing_if = "Outside::is_empty")]
    pub metadata: Outside,
    /// How it is encrypted: `AES256`, `aws:kms`, or as it came; empty when not stated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub encryption: String,
    /// The key of that encryption, where one is named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kms_key: String,
    /// Object Lock: until when it cannot be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Whether it is held without an end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub legal_hold: bool,
    /// Calls that the credentials may not make for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

/// A detail beside the version that it is of, as it stands in the ledger.
#[derive(Serialize)]
pub struct DetailOf<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Key.
    pub key: &'a str,
    /// Version id.
    pub version_id: &'a str,
    /// What is said of it.
    #[serde(flatten)]
    pub detail: &'a Detail,
}

impl Detail {
    /// SHA-256 of the whole object in lower-case hex, as `sha256sum` prints it, where S3 states one.
    pub fn sha256(&self) -> Option<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let stated = self.checksum.as_ref()?.strip_prefix("SHA256:")?;
        STANDARD.decode(stated).ok().map(|bytes| super::hex(&bytes))
    }
}

/// SHA-256 of a version's bytes, as this program computed it from them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hash {
    /// A complete listing no longer shows the version.
    pub gone: bool,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id.
    pub version_id: String,
    /// ETag of the bytes that were read, without quotes.
    pub etag: String,
    /// How many they are.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

impl Hash {
    /// The same in the form of a [`Detail`]'s checksum.
    pub fn checksum(&self) -> Option<String> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        super::unhex(&self.sha256).map(|bytes| format!("SHA256:{}", STANDARD.encode(bytes)))
    }
}

/// What a manifest among the files of a model version names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// A complete listing no longer shows the version.
    pub gone: bool,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id.
    pub version_id: String,
    /// Names of files, in their order; none where it could not be read.
    pub files: Option<Vec<String>>,
}

/// Object Lock of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// GOVERNANCE, which some may lift, or COMPLIANCE, which nobody can.
    pub mode: String,
    /// Until when.
    pub until: Time,
}

/// The subject of a version or of what is said of it.
pub fn subject(bucket: &str, key: &str, version_id: &str) -> String {
    format!("s3:{bucket}/{key}?versionId={version_id}")
}

/// Bucket, key and version id of a subject.
pub fn place(subject: &str) -> Option<(&str, &str, &str)> {
    let (object, version_id) = subject.strip_prefix("s3:")?.rsplit_once("?versionId=")?;
    let (bucket, key) = object.split_once('/')?;
    Some((bucket, key, version_id))
}

/// A delete marker: the object is hidden, and can be shown again by removing the marker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteMarker {
    /// A complete listing no longer shows it.
    pub gone: bool,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id of the marker.
    pub version_id: String,
    /// Whether it is the latest version of the key: then the object is hidden.
    pub latest: bool,
    /// When it was set.
    pub set: Option<Time>,
}

/// Tags of one version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tags {
    /// No longer listed.
    pub gone: bool,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Version id the tags belong to.
    pub version_id: String,
    /// The tags.
    pub tags: Outside,
}

/// Settings of a bucket, as `aws s3api` prints them: an empty object where nothing is set. A member is null when it was not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// No longer listed.
    pub gone: bool,
    /// Its name.
    pub bucket: String,
    /// `Enabled`, `Suspended`, or `Never` when the reply is empty.
    pub versioning: Option<String>,
    /// Default encryption, as stated.
    pub encryption: Option<Value>,
    /// Public access block, as stated.
    pub public_access_block: Option<Value>,
    /// Object Lock, as stated.
    pub object_lock: Option<Value>,
    /// Lifecycle rules, as stated.
    pub lifecycle: Option<Value>,
    /// Rules of replication, as stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Value>,
    /// Where access is logged, as stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Value>,
}
