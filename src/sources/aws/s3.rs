//! A bucket: what lies below a prefix, and the bytes of an object as they were listed.

use super::{told, why};
use crate::config::Access;
use crate::evidence::Time;
use crate::sources::pages::Pages;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::ChecksumMode;
use std::time::Duration;

/// Objects larger than this are not fetched. AWS closes a flow-log object at 75 MB of text.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;
/// How often the body of an object is asked for: what breaks off in the middle, the SDK does not repeat.
const BODIES: u32 = 3;
/// The slowest that a body may come, in bytes a second, beside a minute for whatever its size.
const SLOWEST: u64 = 65_536;

/// What S3 says of the request or of who asks, and not of the object.
pub(super) const PASSING: [&str; 9] = [
    "ExpiredToken",
    "InvalidToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestExpired",
    "SlowDown",
    "TooManyRequests",
];

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    /// Its name.
    pub name: String,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its entity tag: another one means other bytes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it came.
    pub modified: Option<Time>,
}

/// The bytes of an object.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// All of them.
    pub bytes: Vec<u8>,
    /// The version that they are, in a bucket that keeps versions.
    pub version_id: Option<String>,
}

/// Why an object was not fetched.
#[derive(Clone, Debug)]
pub struct Unfetched {
    /// In words.
    pub why: String,
    /// Whether S3 said so of this object, and will say so again; else the network, the service or the credentials failed.
    pub is_final: bool,
}

/// A client; an S3 that is not AWS's has its buckets in the path.
pub fn client(config: &SdkConfig, access: &Access<'_>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config);
    if let Some(endpoint) = access.endpoint {
        builder = builder.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(builder.build())
}

impl Bucket {
    /// A bucket by its name.
    pub fn new(config: &SdkConfig, access: &Access<'_>, name: &str) -> Bucket {
        Bucket { client: client(config, access), name: name.to_owned() }
    }

    /// Names of the folders right below a prefix, each with its closing slash.
    ///
    /// # Errors
    /// See [`Bucket::list`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, String> {
        Ok(self.pages(prefix, Some("/")).await?.1)
    }

    /// The first objects below a prefix, in the order of the keys: a page of them.
    ///
    /// # Errors
    /// See [`Bucket::list`].
    pub async fn first(&self, prefix: &str) -> Result<Vec<Listed>, String> {
        Ok(self.page(prefix, None, None).await?.contents().iter().filter_map(listed).collect())
    }

    /// Every object below a prefix, in the order of the keys.
    ///
    /// # Errors
    /// The listing is refused, broken off or without end.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, String> {
        Ok(self.pages(prefix, None).await?.0)
    }

    async fn pages(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
    ) -> Result<(Vec<Listed>, Vec<String>), String> {
        let (mut objects, mut folders, mut token) = (Vec::new(), Vec::new(), None);
        let mut pages = Pages::of(&self.asked(prefix));
        loop {
            let page = self.page(prefix, delimiter, token).await?;
            objects.extend(page.contents().iter().filter_map(listed));
            folders.extend(page.common_prefixes().iter().filter_map(|p| p.prefix().map(str::to_owned)));
            token = pages.next(page.next_continuation_token())?;
            if token.is_none() {
                return Ok((objects, folders));
            }
        }
    }

    async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, String> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let request = request.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token);
        request.send().await.map_err(|e| why(&self.asked(prefix), &e))
    }

    fn asked(&self, prefix: &str) -> String {
        format!("ListObjectsV2 s3://{}/{prefix}", self.name)
    }

    /// Fetches what was listed, or one version of it.
    ///
    /// # Errors
    /// The object is another one by now, is refused, or its bytes do not come whole.
    pub async fn get(&self, listed: &Listed, version: Option<&str>) -> Result<Fetched, Unfetched> {
        let asked = format!("GetObject s3://{}/{}", self.name, listed.key);
        if listed.size > MAX_OBJECT_BYTES {
            let why = format!("{asked}: {} bytes, more than the limit of {MAX_OBJECT_BYTES}", listed.size);
            return Err(Unfetched { why, is_final: true });
        }
        let mut last = String::new();
        for _ in 0..BODIES {
            let request = self.client.get_object().bucket(&self.name).key(&listed.key);
            let request =
                request.checksum_mode(ChecksumMode::Enabled).set_version_id(version.map(str::to_owned));
            let request = request.set_if_match((!listed.etag.is_empty()).then(|| listed.etag.clone()));
            let reply = request.send().await.map_err(|e| unfetched(&asked, &e))?;
            match body(reply, listed.size).await {
                Ok(fetched) => return Ok(fetched),
                Err(why) => last = why,
            }
        }
        Err(Unfetched { why: format!("{asked}: {last} ({BODIES} times)"), is_final: false })
    }
}

fn unfetched(asked: &str, error: &SdkError<GetObjectError>) -> Unfetched {
    if error.raw_response().is_some_and(|r| r.status().as_u16() == 412) {
        let why = format!("{asked}: replaced between listing and fetching; the next pass reads the new one");
        return Unfetched { why, is_final: true };
    }
    let refused = error.raw_response().is_some_and(|r| r.status().is_client_error());
    let is_final = refused && !error.code().is_some_and(|code| PASSING.contains(&code));
    Unfetched { why: why(asked, error), is_final }
}

/// Reads a body to its end; the SDK compares the checksum that S3 sends with it.
async fn body(reply: GetObjectOutput, size: u64) -> Result<Fetched, String> {
    let version_id = reply.version_id().filter(|v| *v != "null").map(str::to_owned);
    let patience = Duration::from_secs(60 + size / SLOWEST);
    let read = tokio::time::timeout(patience, reply.body.collect()).await;
    let bytes = read.map_err(|_| format!("the body did not come within {} s", patience.as_secs()))?;
    let bytes = bytes.map_err(|e| told(&e))?.to_vec();
    if bytes.len() as u64 != size {
        return Err(format!("{} bytes came where {size} were listed", bytes.len()));
    }
    Ok(Fetched { bytes, version_id })
}

fn listed(object: &aws_sdk_s3::types::Object) -> Option<Listed> {
    Some(Listed {
        key: object.key()?.to_owned(),
        etag: object.e_tag().unwrap_or_default().to_owned(),
        size: object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        modified: object.last_modified().map(|t| Time::from_seconds(t.secs())),
    })
}
