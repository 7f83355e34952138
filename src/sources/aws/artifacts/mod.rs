//! Model artifacts in a bucket of S3: every version that is there, what changed since the last pass, and what is gone.

mod compare;
mod details;
mod hashes;
mod listing;
mod posture;
mod sweep;
mod tally;

use super::{Session, s3};
use crate::config::bucket;
use crate::evidence::artifacts::place;
use crate::evidence::{DAY, Evidence, Kind, Time};
use crate::sources::live::{Record, Start, Step};
use crate::sources::{Context, Gathered};
use compare::Span;
use details::Read;
use listing::{Item, Listing, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tally::Tally;

/// New entries of a step, and its longest time.
const STEP: usize = 10_000;
const LONGEST: Duration = Duration::from_secs(300);
/// A listing that another pass left is taken up for so long, in seconds; then one begins anew.
const TAKEN_UP: i64 = DAY;
/// Versions that are known in one part of a listing.
const PART: usize = 20_000;
/// Requests of a pass for what a listing does not say, where the config does not say it.
const BUDGET: u64 = 6_000;

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
    /// What of the record is no longer there.
    span: Span,
    /// The listing up to where all that is gone was told: what another pass goes on from.
    told: Tally,
    budget: u64,
    begun: bool,
    is_listed: bool,
    /// Whether details were looked for of all versions that have none.
    is_sought: bool,
    is_swept: bool,
    /// The last version whose bytes were looked for; none once all were, or nobody asked.
    hashed: Option<String>,
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
        let place = Place { client, bucket: name.to_owned(), prefix, manifests: context.manifests.clone() };
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
            listing: None,
            turned: 0,
            open: Vec::new(),
            closed: Vec::new(),
            budget: context.source.detail_requests.unwrap_or(BUDGET),
            span: Span::default(),
            told: tally.clone(),
            tally,
            begun: false,
            is_listed: false,
            is_sought: false,
            is_swept: false,
            hashed: start.hash.then(String::new),
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
        while !self.is_read() && out.evidence.len() < STEP && started.elapsed() < LONGEST {
            if self.span.is_told() {
                self.is_listed = self.read(&mut out)?;
                self.compare(record, &mut out)?;
            }
            self.tell_gone(record, &mut out)?;
            if self.span.is_told() {
                self.told.clone_from(&self.tally);
            }
        }
        self.is_swept = self.is_swept || self.is_read() && self.sweep(record, &mut out)?;
        let is_done = self.is_swept && self.hash(record, &mut out, started)?;
        // One that is at its end is found so again, should the rest of the pass break off.
        self.cursor.listing = (!is_done).then(|| self.told.clone());
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

    fn is_read(&self) -> bool {
        self.is_listed && self.span.is_told()
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
        let count = first.map_or(0, |items| items.len());
        let more = if count >= 1_000 { " and more" } else { "" };
        Ok(format!("s3://{}/{} shows {count} versions{more}", self.place.bucket, self.place.prefix))
    }

    /// Settings of the bucket that cannot be read, and what cannot be asked of its first version.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    pub fn tried(&self) -> Result<Gathered, String> {
        let first = self.session.runtime.block_on(Listing::new(self.place.clone(), "", &[]).next())?;
        let (_, gaps) = self.session.runtime.block_on(self.place.posture());
        let mut tried = Gathered { gaps, ..Gathered::default() };
        let version = first.iter().flatten().find(|item| item.stored.is_some());
        match version.map(|v| self.session.runtime.block_on(self.place.detail(&v.key, &v.version_id))) {
            Some(Read::Told(told)) => {
                let refused = told.refused.into_iter().filter(|r| !r.is_of_object).map(|r| r.why);
                refused.chain(told.unread).for_each(|why| tried.gap(why));
            }
            Some(Read::Failed(why)) => tried.gap(why),
            Some(Read::Vanished) | None => {}
        }
        Ok(tried)
    }
}
