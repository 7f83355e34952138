//! SHA-256 of the bytes themselves, on request: they are streamed, and nothing of them is kept.

use super::details::{Lack, lack};
use super::listing::Place;
use super::{LONGEST, Pass, STEP};
use crate::evidence::artifacts::{Detail, Hash, Version};
use crate::evidence::{Evidence, Kind, hex};
use crate::sources::Gathered;
use crate::sources::live::Record;
use futures_util::future::join_all;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Files that are looked for in one go, and how many of them are read at once.
const CHUNK: usize = 16;
const AT_ONCE: usize = 4;
/// Bytes that a file may have, where the config does not say it.
const LARGEST: u64 = 1 << 30;
/// How often a file that breaks off is read on, and how long no byte may come.
const TIMES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

impl Pass<'_> {
    /// Computes the SHA-256 of versions of which the record does not have it. Tells whether it is done.
    pub(super) fn hash(
        &mut self,
        record: &dyn Record,
        out: &mut Gathered,
        started: Instant,
    ) -> Result<bool, String> {
        while let Some(after) = self.hashed.clone() {
            // What this step found is in the record after its commit.
            if started.elapsed() > LONGEST
                || out.evidence.len() >= STEP
                || after.is_empty() && !out.evidence.is_empty()
            {
                return Ok(false);
            }
            let from = format!("{after}\0").max(self.beginning(&self.place.prefix));
            let versions = record.present(Kind::ArtifactVersion, &from, &self.end(), CHUNK)?;
            self.hashed = versions.last().cloned().filter(|_| versions.len() == CHUNK);
            let end = format!("{}\0", versions.last().map_or("", String::as_str));
            let hashed: BTreeSet<String> =
                record.present(Kind::ArtifactHash, &from, &end, CHUNK)?.into_iter().collect();
            let mut due = Vec::new();
            for subject in &versions {
                // A version "null" is written over.
                if !hashed.contains(subject) || subject.ends_with("?versionId=null") {
                    due.extend(self.due(record, subject)?);
                }
            }
            for some in due.chunks(AT_ONCE) {
                let read = some.iter().map(|v| self.place.sha256(v));
                let read = self.session.runtime.block_on(join_all(read));
                for (version, sum) in some.iter().zip(read) {
                    self.summed(record, version, sum, out)?;
                }
            }
        }
        Ok(true)
    }

    /// A version of which the record has no hash, and that is not too large.
    fn due(&self, record: &dyn Record, subject: &str) -> Result<Option<Version>, String> {
        let largest = self.context.source.hash_up_to.unwrap_or(LARGEST);
        let version: Option<Version> = state(record, Kind::ArtifactVersion, subject)?;
        let known: Option<Hash> = state(record, Kind::ArtifactHash, subject)?;
        let is_known = |v: &Version| known.as_ref().is_some_and(|known| !known.gone && known.etag == v.etag);
        Ok(version.filter(|v| v.size <= largest && !is_known(v)))
    }

    fn summed(
        &self,
        record: &dyn Record,
        version: &Version,
        sum: Result<String, Lack>,
        out: &mut Gathered,
    ) -> Result<(), String> {
        let subject = version.subject();
        match sum {
            Ok(sha256) => {
                let detail: Option<Detail> = state(record, Kind::ArtifactDetail, &subject)?;
                if let Some(stated) = detail.and_then(|d| d.sha256()).filter(|stated| *stated != sha256) {
                    out.fault(&subject, "SHA-256", format!("the bytes have {sha256}, S3 states {stated}"));
                }
                let Version { bucket, key, version_id, etag, size, .. } = version.clone();
                let hash = Hash { gone: false, bucket, key, version_id, etag, size, sha256 };
                let name = &self.context.source.name;
                out.evidence.push(Evidence::state(Kind::ArtifactHash, name, subject, self.now, &hash));
            }
            // A hash that is not there is no gap of the listing.
            Err(Lack::Denied(why) | Lack::Failed(why) | Lack::Refused(why)) => {
                out.fault(&subject, "SHA-256", why);
            }
            Err(Lack::Vanished) => out.fault(&subject, "", "went before its bytes were read".into()),
        }
        Ok(())
    }
}

/// The state of a subject as the record has it.
fn state<T: DeserializeOwned>(record: &dyn Record, kind: Kind, subject: &str) -> Result<Option<T>, String> {
    Ok(record.state(kind, subject)?.and_then(|payload| serde_json::from_value(payload).ok()))
}

impl Place {
    /// SHA-256 of a version's bytes in lower-case hex. One that breaks off is read on where it did.
    async fn sha256(&self, version: &Version) -> Result<String, Lack> {
        let asked = format!("GetObject s3://{}/{}", self.bucket, version.key);
        let (mut hash, mut done, mut last) = (Sha256::new(), 0, String::new());
        for _ in 0..TIMES {
            if done >= version.size && !last.is_empty() {
                // All bytes came, and something was wrong with them.
                (hash, done) = (Sha256::new(), 0);
            }
            match self.read_on(&asked, version, &mut hash, &mut done).await {
                Ok(()) if done == version.size => return Ok(hex(&hash.finalize())),
                Ok(()) => last = format!("{done} of {} bytes came", version.size),
                Err(Lack::Failed(why)) => last = why,
                Err(lack) => return Err(lack),
            }
        }
        Err(Lack::Failed(format!("{asked}: {last} ({TIMES} times)")))
    }

    async fn read_on(
        &self,
        asked: &str,
        version: &Version,
        hash: &mut Sha256,
        done: &mut u64,
    ) -> Result<(), Lack> {
        let request =
            self.client.get_object().bucket(&self.bucket).key(&version.key).version_id(&version.version_id);
        let request = request.set_range((*done > 0).then(|| format!("bytes={done}-")));
        let request =
            request.set_if_match((!version.etag.is_empty()).then(|| format!("\"{}\"", version.etag)));
        let mut body = request.send().await.map_err(|e| lack(asked, &e))?.body;
        loop {
            let chunk = tokio::time::timeout(PATIENCE, body.next()).await;
            let chunk =
                chunk.map_err(|_| Lack::Failed(format!("no byte came for {} s", PATIENCE.as_secs())))?;
            let Some(chunk) = chunk else { return Ok(()) };
            let bytes = chunk.map_err(|e| Lack::Failed(format!("broke off after {done} bytes: {e}")))?;
            *done += bytes.len() as u64;
            if *done > version.size {
                return Err(Lack::Refused(format!(
                    "{asked}: has more bytes than the listing says, {}",
                    version.size
                )));
            }
            hash.update(&bytes);
        }
    }
}
