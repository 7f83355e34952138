//! Copies in an S3 bucket with Object Lock in compliance mode: until the date is over nobody can delete or shorten them,
//! not even the account's owner. Nothing personal goes there: entries hold commitments, and openings are not copied.

use super::{AnchorError, told, wait};
use crate::config::Archive as Settings;
use crate::evidence::Time;
use crate::evidence::record::ArchivedObject;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ObjectLockMode};
use aws_smithy_http_client::{Builder, tls};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a connection and a whole call may take: a bucket that hangs is one that is down.
const CONNECT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(60);

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
        let client = connect(settings).await;
        let mut kept = Vec::new();
        for copy in copies {
            let key = format!("{prefix}{}", copy.name);
            kept.push(put(&client, bucket, key, copy, retain_until).await?);
        }
        Ok(kept)
    })
}

async fn connect(settings: &Settings) -> Client {
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let patience = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(OPERATION).build();
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(patience);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = assumed(settings, loader.load().await).await;
    let mut builder = aws_sdk_s3::config::Builder::from(&config);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(builder.build())
}

/// Takes on a role, where the bucket belongs to another account.
async fn assumed(settings: &Settings, config: SdkConfig) -> SdkConfig {
    let Some(role) = &settings.role_arn else { return config };
    let mut provider = AssumeRoleProvider::builder(role).session_name("actledger").configure(&config);
    if let Some(id) = &settings.external_id {
        provider = provider.external_id(id);
    }
    let credentials = aws_sdk_s3::config::SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(credentials).build()
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
    let enough = retain_until.plus_seconds(-86_400);
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
