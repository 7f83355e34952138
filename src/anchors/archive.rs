//! Copies in an S3 bucket with Object Lock in compliance mode: until the date is over nobody can delete or shorten them,
//! not even the account's owner. Nothing personal goes there: entries hold commitments, and openings are not copied.

use super::{AnchorError, wait};
use crate::config::Archive as Settings;
use crate::evidence::Time;
use crate::evidence::record::ArchivedObject;
use crate::sources::aws::{self, s3};
use crate::sources::told;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectLockMode};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// Bytes to be kept under a name.
pub struct Copy {
    /// Name below the prefix.
    pub name: String,
    /// Media type.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Puts copies into the bucket, each locked until `retain_until`, and reads back that they are.
///
/// # Errors
/// The bucket cannot be reached or refuses; it has no Object Lock, or states another date.
pub fn keep(
    settings: &Settings,
    copies: Vec<Copy>,
    retain_until: Time,
) -> Result<Vec<ArchivedObject>, AnchorError> {
    let (bucket, prefix) = settings.place().ok_or_else(|| AnchorError::Config {
        key: "archive.location",
        what: format!("{:?} is not s3://BUCKET/PREFIX", settings.location),
    })?;
    wait(async {
        let access = settings.access();
        let client = s3::client(&aws::config(&access).await, &access);
        let mut kept = Vec::new();
        for copy in copies {
            let key = format!("{prefix}{}", copy.name);
            kept.push(put(&client, bucket, key, copy, retain_until).await?);
        }
        Ok(kept)
    })
}

async fn put(
    client: &Client,
    bucket: &str,
    key: String,
    copy: Copy,
    retain_until: Time,
) -> Result<ArchivedObject, AnchorError> {
    let digest = Sha256::digest(&copy.bytes);
    // What an attempt that broke off has put there is locked and stays: it is not put again.
    let enough = retain_until.plus_days(-1);
    if let Ok(Some(kept)) = locked(client, bucket, &key, None, &digest).await
        && kept.retain_until >= enough
    {
        return Ok(kept);
    }
    let answer = client
        .put_object()
        .bucket(bucket)
        .key(&key)
        .content_type(copy.media_type)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .checksum_sha256(STANDARD.encode(digest))
        .object_lock_mode(ObjectLockMode::Compliance)
        .object_lock_retain_until_date(DateTime::from_secs(retain_until.seconds()))
        .body(ByteStream::from(copy.bytes))
        .send()
        .await
        .map_err(|e| refused("PutObject", bucket, &key, e))?;
    let Some(version_id) = answer.version_id().filter(|v| *v != "null").map(str::to_owned) else {
        return Err(AnchorError::Answer(format!(
            "bucket {bucket} keeps no versions, so nothing in it is locked"
        )));
    };
    let kept = locked(client, bucket, &key, Some(version_id), &digest).await?;
    kept.filter(|k| k.retain_until.seconds() >= retain_until.seconds()).ok_or_else(|| {
        AnchorError::Answer(format!("{key} is not locked in compliance mode until {retain_until}"))
    })
}

/// A version, the latest unless one is named, when it has these bytes and is locked in compliance mode.
async fn locked(
    client: &Client,
    bucket: &str,
    key: &str,
    version: Option<String>,
    digest: &[u8],
) -> Result<Option<ArchivedObject>, AnchorError> {
    let head = client.head_object().bucket(bucket).key(key).set_version_id(version);
    let said = head.checksum_mode(ChecksumMode::Enabled).send().await;
    let said = said.map_err(|e| refused("HeadObject", bucket, key, e))?;
    let until = said.object_lock_retain_until_date().map(|t| Time::from_seconds(t.secs()));
    let fits = said.object_lock_mode() == Some(&ObjectLockMode::Compliance)
        && said.checksum_sha256() == Some(STANDARD.encode(digest).as_str());
    Ok(until.zip(said.version_id()).filter(|_| fits).map(|(retain_until, version)| ArchivedObject {
        key: key.to_owned(),
        version_id: version.to_owned(),
        sha256: crate::evidence::hex(digest),
        retain_until,
    }))
}

fn refused<E: std::error::Error + 'static, R: std::fmt::Debug + 'static>(
    what: &str,
    bucket: &str,
    key: &str,
    error: SdkError<E, R>,
) -> AnchorError {
    AnchorError::Outside(format!("{what} s3://{bucket}/{key}: {}", told(&error)))
}
