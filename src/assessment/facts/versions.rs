//! Versions of stored files as rules read them. A large estate has many: what their subject says stands there alone.

use crate::evidence::Time;
use crate::evidence::artifacts;
use std::rc::Rc;

/// One version of one object.
#[derive(Clone, Debug)]
pub struct Version {
    subject: Rc<str>,
    /// Bytes of the bucket's name within the subject: what lies in folders is called by a path.
    bucket_bytes: u32,
    /// ETag without quotes. Never a hash of the content.
    pub etag: Box<str>,
    /// Size in bytes.
    pub size: u64,
    /// When it was stored.
    pub stored: Option<Time>,
}

impl Version {
    pub(super) fn of(subject: Rc<str>, version: artifacts::Version) -> Version {
        let artifacts::Version { bucket, etag, size, stored, .. } = version;
        let bucket_bytes = u32::try_from(bucket.len()).unwrap_or(u32::MAX);
        Version { subject, bucket_bytes, etag: etag.into(), size, stored }
    }

    /// The subject as `artifacts::subject` makes it, in its parts; one of another form has none.
    fn parts(&self) -> (&str, &str, &str) {
        let parts = || {
            let (object, version_id) = self.subject.strip_prefix("s3:")?.rsplit_once("?versionId=")?;
            let (bucket, key) = object.split_at_checked(self.bucket_bytes as usize)?;
            Some((bucket, key.strip_prefix('/')?, version_id))
        };
        parts().unwrap_or_default()
    }

    /// Its subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Bucket.
    pub fn bucket(&self) -> &str {
        self.parts().0
    }

    /// Key.
    pub fn key(&self) -> &str {
        self.parts().1
    }

    /// Version id; `null` when written without versioning.
    pub fn version_id(&self) -> &str {
        self.parts().2
    }
}
