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
    /// Full-object checksum in the form `SHA256:base64`, where S3 states one.
    pub checksum: Option<String>,
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

/// Settings of a bucket. A member is null when its reply was not there.
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
}
