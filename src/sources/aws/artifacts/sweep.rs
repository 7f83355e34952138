//! Details beside a listing: of what is new, of versions that have none, and of others once more.

use super::details::{REQUESTS, Read, Refused, Told};
use super::{Pass, STEP};
use crate::evidence::artifacts::{DetailOf, place, subject};
use crate::evidence::{Evidence, Kind};
use crate::sources::Gathered;
use crate::sources::live::Record;
use futures_util::StreamExt;
use std::collections::BTreeSet;

/// Versions whose details are read in one go, and most of those that are read once more in a pass.
const CHUNK: usize = 1_000;
const AGAIN: usize = 5_000;
/// How many versions are asked for at once.
const AT_ONCE: usize = 8;

impl Pass<'_> {
    /// Reads details of versions as far as the requests of this pass go.
    pub(super) fn detail(
        &mut self,
        record: &dyn Record,
        versions: Vec<(String, String)>,
        out: &mut Gathered,
    ) -> Result<(), String> {
        let most = usize::try_from(self.budget / REQUESTS).unwrap_or(usize::MAX);
        self.cursor.lacks |= versions.len() > most;
        // What was said of a version "null" is not said of one that took its place: it has no details again.
        for (key, version_id) in versions.iter().skip(most).filter(|(_, version_id)| version_id == "null") {
            self.forget(record, subject(&self.place.bucket, key, version_id), out)?;
        }
        let place = &self.place;
        let asked = versions.into_iter().take(most).map(|(key, version)| async move {
            let read = place.detail(&key, &version).await;
            (key, version, read)
        });
        let replies: Vec<_> =
            self.session.runtime.block_on(futures_util::stream::iter(asked).buffered(AT_ONCE).collect());
        self.budget = self.budget.saturating_sub(REQUESTS * replies.len() as u64);
        for (key, version, read) in replies {
            self.took(record, &key, &version, read, out)?;
        }
        Ok(())
    }

    /// Says that what is known of a version is not known any more.
    fn forget(&self, record: &dyn Record, subject: String, out: &mut Gathered) -> Result<(), String> {
        let known = record.state(Kind::ArtifactDetail, &subject)?;
        if known.is_some_and(|known| known["gone"] != true) {
            let name = &self.context.source.name;
            out.evidence.push(Evidence::gone(Kind::ArtifactDetail, name, subject, self.now));
        }
        Ok(())
    }

    fn took(
        &mut self,
        record: &dyn Record,
        key: &str,
        version_id: &str,
        read: Read,
        out: &mut Gathered,
    ) -> Result<(), String> {
        let bucket = self.place.bucket.as_str();
        let subject = subject(bucket, key, version_id);
        let (name, at) = (self.context.source.name.as_str(), self.now);
        match read {
            Read::Told(told) => {
                let Told { detail, tags, manifest, unread, refused } = *told;
                for Refused { call, why, is_of_object } in refused {
                    let is_told = out.gaps.iter().any(|gap| gap.starts_with(&format!("{call} ")));
                    if is_of_object {
                        out.fault(&subject, call, why);
                    } else if !is_told {
                        out.gap(format!("{why}; not in the record: what {call} tells"));
                    }
                }
                let detail = DetailOf { bucket, key, version_id, detail: &detail };
                out.evidence.push(Evidence::state(Kind::ArtifactDetail, name, subject.clone(), at, &detail));
                if let Some(why) = unread {
                    out.fault(&subject, "manifest", why);
                }
                let tags =
                    tags.map(|tags| Evidence::state(Kind::ArtifactTags, name, subject.clone(), at, &tags));
                let manifest =
                    manifest.map(|m| Evidence::state(Kind::ArtifactManifest, name, subject, at, &m));
                out.evidence.extend(tags.into_iter().chain(manifest));
            }
            Read::Vanished => out.fault(&subject, "", "went between the listing and its details".into()),
            Read::Failed(why) => {
                if subject.ends_with("?versionId=null") {
                    self.forget(record, subject, out)?;
                }
                self.cursor.failed = true;
                out.gap(why);
            }
        }
        Ok(())
    }

    /// Details beside the listing, as far as the requests of this pass go: of versions that have none, then of some once more, as tags
    /// and locks change without a new version. Tells whether it is done.
    pub(super) fn sweep(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<bool, String> {
        while self.budget >= REQUESTS {
            if out.evidence.len() >= STEP {
                return Ok(false);
            }
            if self.cursor.lacks && !self.is_sought {
                self.lacking(record, out)?;
            } else {
                self.once_more(record, out)?;
                break;
            }
        }
        if self.cursor.sought.is_empty() {
            self.cursor.lacks |= std::mem::take(&mut self.cursor.failed);
        }
        Ok(true)
    }

    /// Details of versions that have none, a part of the bucket at a time.
    fn lacking(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<(), String> {
        let begin = self.beginning(&self.place.prefix);
        let from = format!("{}\0", self.cursor.sought).max(begin);
        let versions = record.present(Kind::ArtifactVersion, &from, &self.end(), super::PART)?;
        let last = versions.last().cloned().unwrap_or_default();
        let known = record.present(Kind::ArtifactDetail, &from, &format!("{last}\0"), usize::MAX)?;
        let known: BTreeSet<&String> = known.iter().collect();
        let told: BTreeSet<&str> = told(out).collect();
        let lacks = |s: &&String| !known.contains(s) && !told.contains(s.as_str());
        let most = usize::try_from(self.budget / REQUESTS).unwrap_or(usize::MAX).min(CHUNK);
        let lacking: Vec<String> = versions.iter().filter(lacks).take(most).cloned().collect();
        let is_all = lacking.len() < most;
        self.is_sought = is_all && versions.len() < super::PART;
        self.cursor.sought = if is_all { last } else { lacking.last().cloned().unwrap_or_default() };
        self.detail(record, lacking.iter().filter_map(|s| owned(s)).collect(), out)?;
        if self.is_sought {
            self.cursor.sought.clear();
            self.cursor.lacks = std::mem::take(&mut self.cursor.failed);
        }
        Ok(())
    }

    /// Details of some versions once more, in turns.
    fn once_more(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<(), String> {
        let most = usize::try_from(self.budget / REQUESTS).unwrap_or(usize::MAX).min(AGAIN);
        let from = format!("{}\0", self.cursor.again).max(self.beginning(&self.place.prefix));
        let versions = record.present(Kind::ArtifactDetail, &from, &self.end(), most)?;
        self.cursor.again = versions.last().cloned().filter(|_| versions.len() == most).unwrap_or_default();
        let told: BTreeSet<&str> = told(out).collect();
        let again = versions.iter().filter(|s| !told.contains(s.as_str())).filter_map(|s| owned(s)).collect();
        self.detail(record, again, out)
    }
}

/// Subjects whose details a step tells, or that it tells to be gone.
fn told(out: &Gathered) -> impl Iterator<Item = &str> {
    let is_told = |e: &&Evidence| {
        e.kind == Kind::ArtifactDetail || e.kind == Kind::ArtifactVersion && e.payload["gone"] == true
    };
    out.evidence.iter().filter(is_told).map(|e| e.subject.as_str())
}

/// Key and version id of a subject.
fn owned(subject: &str) -> Option<(String, String)> {
    place(subject).map(|(_, key, version_id)| (key.to_owned(), version_id.to_owned()))
}
