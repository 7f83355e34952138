//! Model artifacts in a bucket of S3: every version that is there, what changed since the last pass, and what is gone.

mod details;
mod listing;
mod posture;
mod tally;

use super::{Session, s3};
use crate::config::bucket;
use crate::evidence::artifacts::{DeleteMarker, Version, place, subject};
use crate::evidence::{Evidence, Kind, Time};
use crate::sources::live::{Record, Start, Step};
use crate::sources::{Context, Gathered};
use details::{REQUESTS, Read, Refused, Told};
use futures_util::StreamExt;
use listing::{Item, Listing, Place, Stored};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};
use tally::Tally;

/// New entries of a step, and its longest time.
const STEP: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(300);
/// A listing that another pass left is taken up for so long, in seconds; then one begins anew.
const TAKEN_UP: i64 = 86_400;
/// Versions that are known in one part of a listing.
const PART: usize = 20_000;
/// Versions whose details are read in one go, and most of those that are read once more in a pass.
const CHUNK: usize = 1_000;
const AGAIN: usize = 5_000;
/// Requests of a pass for what a listing does not say, where the config does not say it; how many are under way at once.
const BUDGET: u64 = 6_000;
const AT_ONCE: usize = 8;
/// Kinds of states that a listing shows to be there.
const KINDS: [Kind; 4] =
    [Kind::ArtifactVersion, Kind::ArtifactDeleteMarker, Kind::ArtifactDetail, Kind::ArtifactTags];

/// Where a pass leaves off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// The listing that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    listing: Option<Tally>,
    /// Whether versions may be there of which no details were read.
    lacks: bool,
    /// Whether reading some of them failed since the search for such versions began.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    /// Subjects of the last versions whose details were looked for, and read once more.
    #[serde(skip_serializing_if = "String::is_empty")]
    sought: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    again: String,
}

/// A pass over a bucket.
pub struct Pass<'a> {
    context: &'a Context<'a>,
    session: Session,
    place: Place,
    now: Time,
    cursor: Cursor,
    tally: Tally,
    listing: Option<Listing>,
    /// Pages of the listing that the tally has.
    turned: u64,
    /// Versions of the key that is being listed.
    open: Vec<Item>,
    /// Versions of keys that were listed, and up to which key the record was compared with them.
    closed: Vec<Item>,
    compared: String,
    /// Subjects that the listing no longer shows, and that are not told yet.
    gone: VecDeque<(Kind, String)>,
    budget: u64,
    begun: bool,
    is_listed: bool,
    /// Whether details were looked for of all versions that have none.
    is_sought: bool,
}

impl<'a> Pass<'a> {
    /// Finds out where things lie.
    ///
    /// # Errors
    /// There is nothing to wait in.
    pub fn open(context: &'a Context<'a>, start: Start) -> Result<Pass<'a>, String> {
        let session = Session::open(&context.source.access())?;
        let (name, prefix) = bucket(&context.source.location).unwrap_or_default();
        let client = s3::client(&session.config, &context.source.access());
        let place = Place { client, bucket: name.to_owned(), prefix };
        let mut cursor: Cursor = serde_json::from_str(&context.look).unwrap_or_default();
        let here = format!("s3://{}/{}", place.bucket, place.prefix);
        let is_fresh = |t: &Tally| t.begun.is_some_and(|at| start.now.since(at).as_secs() < TAKEN_UP);
        let tally = cursor.listing.take().filter(|t| t.place == here && is_fresh(t));
        let tally = tally.unwrap_or_else(|| Tally::begin(here, start.now));
        Ok(Pass {
            context,
            session,
            place,
            now: start.now,
            cursor,
            compared: tally.after.clone(),
            tally,
            listing: None,
            turned: 0,
            open: Vec::new(),
            closed: Vec::new(),
            budget: context.source.detail_requests.unwrap_or(BUDGET),
            gone: VecDeque::new(),
            begun: false,
            is_listed: false,
            is_sought: false,
        })
    }

    /// Reads the next step.
    ///
    /// # Errors
    /// The bucket cannot be listed on.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        let (mut out, started) = (Gathered::default(), Instant::now());
        if !std::mem::replace(&mut self.begun, true) {
            self.posture(&mut out);
            let bounds = self.bounds(record)?;
            self.listing = Some(Listing::new(self.place.clone(), &self.tally.after, &bounds));
        }
        let is_read = |pass: &Self| pass.is_listed && pass.gone.is_empty();
        while !is_read(self) && out.evidence.len() < STEP && started.elapsed() < LONGEST {
            if self.gone.is_empty() {
                self.is_listed = self.read(&mut out)?;
                self.compare(record, &mut out)?;
            }
            self.tell_gone(&mut out);
        }
        let is_done = is_read(self) && self.sweep(record, &mut out)?;
        // One that is at its end is found so again, should the rest of the pass break off.
        self.cursor.listing = (!is_done).then(|| self.tally.clone());
        if is_done {
            let listing = self.tally.listing();
            out.read = format!("{} versions, {} delete markers", listing.versions, listing.markers);
            out.listings.push(listing);
        } else {
            out.read = format!("versions up to \"{}\"", self.tally.after);
        }
        out.identity.clone_from(&self.session.identity);
        let look = serde_json::to_string(&self.cursor).unwrap_or_default();
        Ok(Step { look, gathered: out, last: is_done })
    }

    /// Tells some of what is gone.
    fn tell_gone(&mut self, out: &mut Gathered) {
        let room = STEP.saturating_sub(out.evidence.len()).min(self.gone.len());
        let name = &self.context.source.name;
        let told = self.gone.drain(..room);
        out.evidence.extend(told.map(|(kind, subject)| Evidence::gone(kind, name, subject, self.now)));
    }

    fn posture(&self, out: &mut Gathered) {
        let (state, gaps) = self.session.runtime.block_on(self.place.posture());
        gaps.into_iter().for_each(|gap| out.gap(format!("{gap}; not in the record: this setting")));
        let (name, at) = (format!("s3:{}", self.place.bucket), self.now);
        out.evidence.push(Evidence::state(Kind::ArtifactBucket, &self.context.source.name, name, at, &state));
    }

    /// Keys at which a listing is divided: those of versions that are known.
    fn bounds(&self, record: &dyn Record) -> Result<Vec<String>, String> {
        let end = self.end();
        let (mut from, mut bounds) = (self.beginning(&self.place.prefix), BTreeSet::new());
        loop {
            let known = record.present(Kind::ArtifactVersion, &from, &end, PART)?;
            let Some(last) = known.last().filter(|_| known.len() == PART) else { break };
            bounds.extend(place(last).map(|(_, key, _)| key.to_owned()));
            from = format!("{last}\0");
        }
        Ok(bounds.into_iter().collect())
    }

    fn beginning(&self, key: &str) -> String {
        format!("s3:{}/{key}", self.place.bucket)
    }

    /// Reads on, and tells whether that was the end.
    fn read(&mut self, out: &mut Gathered) -> Result<bool, String> {
        let Some(listing) = &mut self.listing else { return Ok(true) };
        let items = self.session.runtime.block_on(listing.next())?;
        self.tally.turn(listing.pages() - self.turned);
        self.turned = listing.pages();
        let is_end = items.is_none();
        for item in items.into_iter().flatten() {
            out.keep(1);
            if self.open.first().is_some_and(|first| first.key != item.key) {
                self.close();
            }
            self.open.push(item);
        }
        if is_end {
            self.close();
        }
        Ok(is_end)
    }

    fn close(&mut self) {
        self.tally.close(&mut self.open);
        self.closed.append(&mut self.open);
    }

    /// Compares what was listed with the record: what is new or another one, and what is gone.
    fn compare(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<(), String> {
        let (mut listed, mut new) = (BTreeSet::new(), Vec::new());
        for item in std::mem::take(&mut self.closed) {
            let evidence = self.evidence(&item);
            if !record.holds(&evidence)? {
                if item.stored.is_some() {
                    new.push((item.key, item.version_id));
                }
                out.evidence.push(evidence.clone());
            }
            listed.insert((item.stored.is_none(), evidence.subject));
        }
        for (kind, subject) in self.shown(record, self.is_listed)? {
            // A delete marker "null" takes the place of a version "null".
            let place = (kind == Kind::ArtifactDeleteMarker, subject);
            if !listed.contains(&place) {
                self.gone.push_back((kind, place.1));
            }
        }
        self.compared.clone_from(&self.tally.after);
        self.detail(new, out);
        Ok(())
    }

    fn evidence(&self, item: &Item) -> Evidence {
        let (bucket, key, version_id) =
            (self.place.bucket.clone(), item.key.clone(), item.version_id.clone());
        let subject = subject(&bucket, &key, &version_id);
        let name = &self.context.source.name;
        match &item.stored {
            Some(Stored { etag, size, storage_class }) => {
                let (etag, storage_class) = (etag.clone(), storage_class.clone());
                let stored = item.modified;
                let payload = Version {
                    gone: false,
                    bucket,
                    key,
                    version_id,
                    etag,
                    size: *size,
                    stored,
                    storage_class,
                };
                Evidence::state(Kind::ArtifactVersion, name, subject, self.now, &payload)
            }
            None => {
                let (latest, set) = (item.is_latest, item.modified);
                let payload = DeleteMarker { gone: false, bucket, key, version_id, latest, set };
                Evidence::state(Kind::ArtifactDeleteMarker, name, subject, self.now, &payload)
            }
        }
    }

    /// Subjects of the record whose keys were listed since the last time, or lie behind the last key.
    fn shown(&self, record: &dyn Record, is_end: bool) -> Result<Vec<(Kind, String)>, String> {
        let (from, to) = (&self.compared, &self.tally.after);
        if from == to && !is_end {
            return Ok(Vec::new());
        }
        let begin = self.beginning(if from.is_empty() { &self.place.prefix } else { from });
        let mut ranges = vec![if is_end {
            (begin, self.end())
        } else {
            (begin, self.beginning(&format!("{to}?versionId>")))
        }];
        // Where a key goes on after the end of another with what stands before "?", its subject does not stand where its key does.
        let beginnings = to.char_indices().map(|(i, _)| &to[..i]).filter(|key| *key > from.as_str());
        ranges.extend(beginnings.map(|key| {
            (self.beginning(&format!("{key}?versionId=")), self.beginning(&format!("{key}?versionId>")))
        }));
        let mut found = BTreeSet::new();
        for kind in KINDS {
            for (from, to) in &ranges {
                found.extend(record.present(kind, from, to, usize::MAX)?.into_iter().map(|s| (kind, s)));
            }
        }
        let is_listed = |subject: &str| {
            place(subject).is_some_and(|(_, key, _)| {
                let is_between = key > from.as_str() && (is_end || key <= to.as_str());
                is_between && key.starts_with(&self.place.prefix)
            })
        };
        Ok(found.into_iter().filter(|(_, subject)| is_listed(subject)).collect())
    }

    /// Reads details of versions as far as the requests of this pass go.
    fn detail(&mut self, versions: Vec<(String, String)>, out: &mut Gathered) {
        let most = usize::try_from(self.budget / REQUESTS).unwrap_or(usize::MAX);
        self.cursor.lacks |= versions.len() > most;
        let place = &self.place;
        let asked = versions.into_iter().take(most).map(|(key, version)| async move {
            let read = place.detail(&key, &version).await;
            (key, version, read)
        });
        let replies: Vec<_> =
            self.session.runtime.block_on(futures_util::stream::iter(asked).buffered(AT_ONCE).collect());
        self.budget = self.budget.saturating_sub(REQUESTS * replies.len() as u64);
        for (key, version, read) in replies {
            self.took(subject(&self.place.bucket, &key, &version), read, out);
        }
    }

    fn took(&mut self, subject: String, read: Read, out: &mut Gathered) {
        let (name, at) = (&self.context.source.name, self.now);
        match read {
            Read::Told(told) => {
                let Told { detail, tags, refused } = *told;
                for Refused { call, why, is_of_object } in refused {
                    let is_told = out.gaps.iter().any(|gap| gap.starts_with(call));
                    if is_of_object {
                        out.fault(&subject, call, why);
                    } else if !is_told {
                        out.gap(format!("{why}; not in the record: what {call} tells"));
                    }
                }
                out.evidence.push(Evidence::state(Kind::ArtifactDetail, name, subject.clone(), at, &detail));
                let tags = tags.map(|tags| Evidence::state(Kind::ArtifactTags, name, subject, at, &tags));
                out.evidence.extend(tags);
            }
            Read::Vanished => out.fault(&subject, "", "went between the listing and its details".into()),
            Read::Failed(why) => {
                self.cursor.failed = true;
                out.gap(why);
            }
        }
    }

    /// Details beside the listing, as far as the requests of this pass go: of versions that have none, then of some once more, as tags
    /// and locks change without a new version. Tells whether it is done.
    fn sweep(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<bool, String> {
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
        let versions = record.present(Kind::ArtifactVersion, &from, &self.end(), PART)?;
        let last = versions.last().cloned().unwrap_or_default();
        let known = record.present(Kind::ArtifactDetail, &from, &format!("{last}\0"), usize::MAX)?;
        let known: BTreeSet<&String> = known.iter().collect();
        let told: BTreeSet<&str> = told(out).collect();
        let lacks = |s: &&String| !known.contains(s) && !told.contains(s.as_str());
        let most = usize::try_from(self.budget / REQUESTS).unwrap_or(usize::MAX).min(CHUNK);
        let lacking: Vec<String> = versions.iter().filter(lacks).take(most).cloned().collect();
        let is_all = lacking.len() < most;
        self.is_sought = is_all && versions.len() < PART;
        self.cursor.sought = if is_all { last } else { lacking.last().cloned().unwrap_or_default() };
        self.detail(lacking.iter().filter_map(|s| owned(s)).collect(), out);
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
        self.detail(again, out);
        Ok(())
    }

    /// Behind every subject of the place.
    fn end(&self) -> String {
        self.beginning(&format!("{}\u{10ffff}", self.place.prefix))
    }

    /// What a pass would read, in words.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    pub fn waiting(self) -> Result<String, String> {
        let mut listing = Listing::new(self.place.clone(), "", &[]);
        let first = self.session.runtime.block_on(listing.next())?;
        let (_, gaps) = self.session.runtime.block_on(self.place.posture());
        let count = first.map_or(0, |items| items.len());
        let more = if count >= 1_000 { " and more" } else { "" };
        let denied = gaps.iter().map(|gap| format!("; {gap}")).collect::<String>();
        Ok(format!("s3://{}/{} shows {count} versions{more}{denied}", self.place.bucket, self.place.prefix))
    }
}

/// Subjects whose details a step tells, or tells to be gone.
fn told(out: &Gathered) -> impl Iterator<Item = &str> {
    out.evidence.iter().filter(|e| e.kind == Kind::ArtifactDetail).map(|e| e.subject.as_str())
}

/// Key and version id of a subject.
fn owned(subject: &str) -> Option<(String, String)> {
    place(subject).map(|(_, key, version_id)| (key.to_owned(), version_id.to_owned()))
}
