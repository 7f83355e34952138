//! What a listing does not say of a version: checksums, tags, metadata, encryption, and how long it is locked.

use super::super::s3::PASSING;
use super::super::why;
use super::listing::Place;
use crate::evidence::Time;
use crate::evidence::artifacts::{Detail, Manifest, Retention, Tags};
use crate::sources::artifacts::manifest::{MOST_BYTES, names};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object_attributes::GetObjectAttributesOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{Checksum, ChecksumType, ObjectAttributes, ObjectLockLegalHoldStatus};
use std::time::Duration;

/// Requests that a version takes; a manifest is fetched as well.
pub(super) const REQUESTS: u64 = 3;
/// How long a manifest may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was read of a version.
pub(super) enum Read {
    /// What is said of it.
    Told(Box<Told>),
    /// It went between the listing and this.
    Vanished,
    /// Why it cannot be read now.
    Failed(String),
}

/// Details of a version, its tags where they may be read, and what may not.
pub(super) struct Told {
    pub detail: Detail,
    pub tags: Option<Tags>,
    /// What it names, where it is a manifest.
    pub manifest: Option<Manifest>,
    /// Why a manifest tells nothing.
    pub unread: Option<String>,
    pub refused: Vec<Refused>,
}

/// A call that S3 does not answer for a version.
pub(super) struct Refused {
    pub call: &'static str,
    pub why: String,
    /// Whether it is the object that cannot be asked so, and not the credentials that may not.
    pub is_of_object: bool,
}

/// Why a call gave nothing.
pub(super) enum Lack {
    Denied(String),
    Refused(String),
    Vanished,
    Failed(String),
}

/// What a call gave; none where it is refused, which is noted. The error is what is said of the version instead of its details.
fn answered<T>(
    call: &'static str,
    reply: Result<T, Lack>,
    refused: &mut Vec<Refused>,
) -> Result<Option<T>, Read> {
    let (why, is_of_object) = match reply {
        Ok(reply) => return Ok(Some(reply)),
        Err(Lack::Vanished) => return Err(Read::Vanished),
        Err(Lack::Failed(why)) => return Err(Read::Failed(why)),
        Err(Lack::Denied(why)) => (why, false),
        Err(Lack::Refused(why)) => (why, true),
    };
    refused.push(Refused { call, why, is_of_object });
    Ok(None)
}

impl Place {
    /// Everything of a version.
    pub(super) async fn detail(&self, key: &str, version_id: &str) -> Read {
        self.whole(key, version_id).await.unwrap_or_else(|read| read)
    }

    async fn whole(&self, key: &str, version_id: &str) -> Result<Read, Read> {
        let (attributes, head, tags) = tokio::join!(
            self.attributes(key, version_id),
            self.head(key, version_id),
            self.tags(key, version_id)
        );
        let mut detail = Detail::default();
        let mut refused = Vec::new();
        if let Some(reply) = answered("GetObjectAttributes", attributes, &mut refused)? {
            checksums(&mut detail, &reply);
        }
        if let Some(reply) = answered("HeadObject", head, &mut refused)? {
            headers(&mut detail, &reply);
        }
        let tags = answered("GetObjectTagging", tags, &mut refused)?;
        let named = if self.is_manifest(key) { Some(self.names(key, version_id).await?) } else { None };
        detail.denied = refused.iter().map(|r| r.call.to_owned()).collect();
        let unread = named.as_ref().and_then(|named| named.as_ref().err().cloned());
        let manifest = named.map(|named| Manifest {
            gone: false,
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            files: named.ok(),
        });
        Ok(Read::Told(Box::new(Told { detail, tags, manifest, unread, refused })))
    }

    async fn attributes(&self, key: &str, version_id: &str) -> Result<GetObjectAttributesOutput, Lack> {
        let request =
            self.client.get_object_attributes().bucket(&self.bucket).key(key).version_id(version_id);
        let asked = [ObjectAttributes::Checksum, ObjectAttributes::ObjectParts];
        let reply = request.set_object_attributes(Some(asked.to_vec())).send().await;
        reply.map_err(|e| lack(&self.of("GetObjectAttributes", key), &e))
    }

    async fn head(&self, key: &str, version_id: &str) -> Result<HeadObjectOutput, Lack> {
        let request = self.client.head_object().bucket(&self.bucket).key(key).version_id(version_id);
        request.send().await.map_err(|e| lack(&self.of("HeadObject", key), &e))
    }

    async fn tags(&self, key: &str, version_id: &str) -> Result<Tags, Lack> {
        let request = self.client.get_object_tagging().bucket(&self.bucket).key(key).version_id(version_id);
        let reply = request.send().await.map_err(|e| lack(&self.of("GetObjectTagging", key), &e))?;
        let pairs = reply.tag_set().iter().map(|t| (t.key().to_owned(), t.value().to_owned()));
        Ok(Tags {
            gone: false,
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            tags: pairs.collect(),
        })
    }

    fn is_manifest(&self, key: &str) -> bool {
        key.rsplit('/').next().is_some_and(|name| self.manifests.iter().any(|m| m == name))
    }

    /// What a manifest names, or why it tells nothing: a file that cannot be fetched is no gap of the listing.
    async fn names(&self, key: &str, version_id: &str) -> Result<Result<Vec<String>, String>, Read> {
        match self.fetched(key, version_id).await {
            Ok(Ok(bytes)) => Ok(names(&bytes)),
            Ok(Err(why)) | Err(Lack::Denied(why) | Lack::Refused(why)) => Ok(Err(why)),
            Err(Lack::Vanished) => Err(Read::Vanished),
            Err(Lack::Failed(why)) => Err(Read::Failed(why)),
        }
    }

    /// The bytes of a small file, or why it is not read.
    async fn fetched(&self, key: &str, version_id: &str) -> Result<Result<Vec<u8>, String>, Lack> {
        let asked = self.of("GetObject", key);
        let request = self.client.get_object().bucket(&self.bucket).key(key).version_id(version_id);
        let reply = request.send().await.map_err(|e| lack(&asked, &e))?;
        let size = reply.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX);
        if size > MOST_BYTES {
            return Ok(Err(format!("has {size} bytes, more than the limit of {MOST_BYTES}")));
        }
        let late = |_| Lack::Failed(format!("{asked}: did not come within {} s", PATIENCE.as_secs()));
        let body = tokio::time::timeout(PATIENCE, reply.body.collect()).await.map_err(late)?;
        Ok(Ok(body.map_err(|e| Lack::Failed(format!("{asked}: broke off: {e}")))?.to_vec()))
    }

    fn of(&self, call: &str, key: &str) -> String {
        format!("{call} s3://{}/{key}", self.bucket)
    }
}

pub(super) fn lack<E>(asked: &str, error: &SdkError<E>) -> Lack
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = error.raw_response().map(|r| r.status().as_u16());
    match (status, error.code().unwrap_or_default()) {
        (_, code) if PASSING.contains(&code) => Lack::Failed(why(asked, error)),
        // Archived: it is the object that is out of reach.
        (Some(403), "InvalidObjectState") => Lack::Refused(why(asked, error)),
        // A reply to HEAD has no body that says more.
        (Some(403), _) => Lack::Denied(why(asked, error)),
        (Some(404 | 405), _) => Lack::Vanished,
        (Some(400..500), _) => Lack::Refused(why(asked, error)),
        _ => Lack::Failed(why(asked, error)),
    }
}

/// The checksum of the whole object, or of its parts: one over parts says nothing of another division.
fn checksums(detail: &mut Detail, reply: &GetObjectAttributesOutput) {
    detail.attributes = true;
    detail.parts =
        reply.object_parts().and_then(|p| p.total_parts_count()).and_then(|n| u64::try_from(n).ok());
    let Some(stated) = reply.checksum() else { return };
    let checksum = strongest(stated).map(|(name, sum)| format!("{name}:{sum}"));
    let is_of_parts = stated.checksum_type() == Some(&ChecksumType::Composite)
        || checksum
            .as_ref()
            .is_some_and(|c| c.rsplit_once('-').is_some_and(|(_, n)| n.parse::<u64>().is_ok()));
    *(if is_of_parts { &mut detail.checksum_of_parts } else { &mut detail.checksum }) = checksum;
}

fn strongest(stated: &Checksum) -> Option<(&'static str, &str)> {
    let all = [
        ("SHA256", stated.checksum_sha256()),
        ("SHA1", stated.checksum_sha1()),
        ("CRC64NVME", stated.checksum_crc64_nvme()),
        ("CRC32C", stated.checksum_crc32_c()),
        ("CRC32", stated.checksum_crc32()),
    ];
    all.into_iter().find_map(|(name, sum)| Some((name, sum?)))
}

fn headers(detail: &mut Detail, reply: &HeadObjectOutput) {
    detail.headers = true;
    detail.etag = reply.e_tag().unwrap_or_default().trim_matches('"').to_owned();
    let metadata = reply.metadata().into_iter().flatten();
    detail.metadata = metadata.map(|(k, v)| (k.clone(), v.clone())).collect();
    detail.encryption = reply.server_side_encryption().map(|e| e.as_str().to_owned()).unwrap_or_default();
    detail.kms_key = reply.ssekms_key_id().unwrap_or_default().to_owned();
    let until = reply.object_lock_retain_until_date().and_then(|t| t.to_millis().ok());
    let mode = reply.object_lock_mode().map(|m| m.as_str().to_owned());
    detail.retention =
        mode.zip(until).map(|(mode, until)| Retention { mode, until: Time::from_millis(until) });
    detail.legal_hold = reply.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
}
