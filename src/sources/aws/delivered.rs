//! Flow logs that AWS puts into a bucket: every object that was not read before, day by day, late ones included.
//!
//! The cursor is a day (UTC): all before it are closed, and are listed no more. A day is closed when it is over and no
//! object came to it for some hours.

use super::Session;
use super::s3::{Bucket, Fetched, Listed, Unfetched};
use crate::config::{Source, bucket};
use crate::evidence::flow_logs::FlowObject;
use crate::evidence::{DAY, Time, sha256_hex};
use crate::sources::flow_logs::{Parser, Place, is_delivered, is_organisation, service};
use crate::sources::{Context, Record, Start, Step};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::task::JoinHandle;

/// Objects of one step, at most: what is read is committed that often.
const STEP_OBJECTS: usize = 64;
/// Bytes of the objects of one step, at most; a bigger object is a step of its own.
const STEP_BYTES: u64 = 96 << 20;
/// Places that are listed at the same time, objects and bytes that are fetched ahead, at most; a bigger object comes alone.
const AHEAD: usize = 8;
const AHEAD_BYTES: u64 = 64 << 20;
/// Days that are listed in one step, at most.
const STEP_DAYS: usize = 31;
/// An object that cannot be fetched is tried for a week; then its day is closed without it.
const TRIED: i64 = 7 * DAY;
/// AWS has had flow logs since June 2015.
const BEGINNING: i64 = 1_433_116_800;

/// A pass over the flow logs of a bucket.
pub struct Objects<'a> {
    session: Rc<Session>,
    bucket: Bucket,
    prefix: String,
    context: &'a Context<'a>,
    start: Start,
    places: Vec<Place>,
    /// The first day that is listed.
    from: Time,
    /// The day that is listed next.
    day: Time,
    /// The first day that stays open.
    open: Option<Time>,
    queue: VecDeque<Wanted>,
    requests: Vec<String>,
}

/// An object that is to be read.
struct Wanted {
    listed: Listed,
    day: Time,
    revision: u64,
    /// Whether what the ledger says of it stays as it is when it cannot be fetched.
    told: bool,
}

type Coming = JoinHandle<Result<(Fetched, String), Unfetched>>;

impl<'a> Objects<'a> {
    /// Finds the accounts and regions of the bucket.
    ///
    /// # Errors
    /// The bucket cannot be listed, or holds no flow logs below the prefix.
    pub fn open(session: Rc<Session>, context: &'a Context<'a>, start: Start) -> Result<Objects<'a>, String> {
        let source = context.source;
        let (name, prefix) = bucket(&source.location).ok_or("is not s3://BUCKET/PREFIX")?;
        let bucket = Bucket::new(&session.config, &source.access(), name);
        let (places, first) = session.runtime.block_on(async {
            let places = places(&bucket, &prefix).await?;
            let first = if start.from().is_none() { earliest(&bucket, &places).await? } else { None };
            Ok::<_, String>((places, first))
        })?;
        let day = midnight(start.from().or(first).unwrap_or(start.now)).max(Time::from_seconds(BEGINNING));
        let requests =
            vec![format!("ListObjectsV2 s3://{name}/{prefix}: {} accounts and regions", places.len())];
        let (queue, open) = (VecDeque::new(), None);
        Ok(Objects { session, bucket, prefix, context, start, places, from: day, day, open, queue, requests })
    }

    /// Objects that wait, of the days that are open: what a pass would read.
    ///
    /// # Errors
    /// A day cannot be listed.
    pub fn waiting(mut self, record: &dyn Record) -> Result<String, String> {
        let (mut objects, mut bytes) = (0, 0);
        let first = self.day;
        while self.day <= self.start.now {
            self.list(record)?;
            objects += self.queue.len();
            bytes += self.queue.drain(..).map(|w| w.listed.size).sum::<u64>();
        }
        let (places, mib) = (self.places.len(), bytes >> 20);
        let day = &first.to_string()[..10];
        Ok(format!("{places} accounts and regions; {objects} objects to read since {day}, {mib} MiB"))
    }

    /// Reads the next objects.
    ///
    /// # Errors
    /// A day cannot be listed, or the service cannot be reached. An object that cannot be fetched is in the step: an entry
    /// says so, and its day stays open.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        self.fill(record)?;
        let mut parser = Parser::new(self.context, self.start.now);
        let (mut replies, mut lost) = (Vec::new(), Vec::new());
        let (mut coming, mut count, mut bytes) = (VecDeque::<(Wanted, Coming)>::new(), 0, 0);
        loop {
            while count < STEP_OBJECTS && self.has_room(&coming, bytes) {
                let Some(wanted) = self.queue.pop_front() else { break };
                (count, bytes) = (count + 1, bytes + wanted.listed.size);
                let fetch = self.session.runtime.spawn(fetch(self.bucket.clone(), wanted.listed.clone()));
                coming.push_back((wanted, fetch));
            }
            let Some((wanted, fetch)) = coming.pop_front() else { break };
            let died = |e: tokio::task::JoinError| Unfetched { why: e.to_string(), is_final: false };
            match self.session.runtime.block_on(fetch).map_err(died).and_then(|f| f) {
                Ok((Fetched { bytes, version_id }, sha256)) => {
                    replies.push(format!("{} {sha256}", wanted.listed.key));
                    let (subject, object) = self.told(wanted, Some(version_id));
                    parser.object(subject, object, &bytes, &sha256);
                }
                Err(unfetched) => lost.push((wanted, unfetched)),
            }
        }
        if let Some((_, Unfetched { why, .. })) = lost.first()
            && replies.is_empty()
            && lost.len() >= AHEAD
            && lost.iter().all(|(_, u)| !u.is_final)
        {
            return Err(why.clone());
        }
        lost.into_iter().for_each(|(wanted, unfetched)| self.lost(&mut parser, wanted, unfetched.why));
        if count > 0 {
            self.requests.push(format!("GetObject: {count} objects, {bytes} bytes"));
        }
        let mut gathered = parser.finish();
        gathered.replied(replies);
        let listed = self.fill(record);
        gathered.requests = std::mem::take(&mut self.requests);
        let last = listed.is_ok() && self.queue.is_empty() && self.day > self.start.now;
        let day = self.queue.front().map_or(self.day, |w| w.day);
        (gathered.from, gathered.through) = (Some(self.from), Some(if last { self.start.now } else { day }));
        let look = self.open.map_or(day, |open| open.min(day)).to_string()[..10].to_owned();
        Ok(Step { look, gathered, last })
    }

    /// Whether one more object may be fetched ahead, and belongs to this step.
    fn has_room(&self, coming: &VecDeque<(Wanted, Coming)>, bytes: u64) -> bool {
        let Some(next) = self.queue.front() else { return false };
        let ahead: u64 = coming.iter().map(|(w, _)| w.listed.size).sum();
        let room = coming.is_empty() || coming.len() < AHEAD && ahead + next.listed.size <= AHEAD_BYTES;
        room && (bytes == 0 || bytes + next.listed.size <= STEP_BYTES)
    }

    /// Lists days until there is something to read, or no day is left, or enough were listed for a step.
    fn fill(&mut self, record: &dyn Record) -> Result<(), String> {
        for _ in 0..STEP_DAYS {
            if self.queue.is_empty() && self.day <= self.start.now {
                self.list(record)?;
            }
        }
        Ok(())
    }

    /// Notes an object that could not be fetched.
    fn lost(&mut self, parser: &mut Parser<'_>, wanted: Wanted, why: String) {
        let is_young = wanted.listed.modified.is_none_or(|t| t > self.start.now.plus_seconds(-TRIED));
        if is_young || !wanted.told {
            self.stays_open(wanted.day);
        }
        if wanted.told {
            return parser.refuse(self.name(&wanted.listed.key), why);
        }
        let (subject, object) = self.told(wanted, None);
        parser.unread(subject, object, why);
    }

    /// Lists the next day, and queues what of it was not read before.
    fn list(&mut self, record: &dyn Record) -> Result<(), String> {
        let day = self.day;
        let objects = self.objects(day)?;
        let quiet =
            self.start.now.plus_seconds(-3600 * i64::from(self.context.source.quiet_hours.unwrap_or(24)));
        let new = objects.iter().any(|o| o.modified.is_none_or(|t| t > quiet));
        if new || day.plus_days(1) > quiet {
            self.stays_open(day);
        }
        let (all, before) = (objects.len(), self.queue.len());
        for listed in objects.into_iter().filter(|o| is_delivered(&o.key)) {
            let before = record.delivered(&self.subject(&listed.key))?;
            let told = before.as_ref().is_some_and(|k| k.mark.is_empty() || k.mark == listed.etag);
            let revision =
                before.map_or(Some(0), |k| k.next(&listed.etag, self.start.selection(self.context)));
            if let Some(revision) = revision {
                self.queue.push_back(Wanted { listed, day, revision, told });
            }
        }
        let (date, new) = (&day.to_string()[..10], self.queue.len() - before);
        self.requests.push(format!("ListObjectsV2 day {date}: {all} objects, {new} to read"));
        self.day = day.plus_days(1);
        Ok(())
    }

    /// The objects of a day, of all places; some places are listed at the same time.
    fn objects(&self, day: Time) -> Result<Vec<Listed>, String> {
        let mut objects = Vec::new();
        for some in self.places.chunks(AHEAD) {
            let list = |place: &Place| {
                let (bucket, prefix) = (self.bucket.clone(), place.day(day));
                self.session.runtime.spawn(async move { bucket.list(&prefix).await })
            };
            let coming: Vec<_> = some.iter().map(list).collect();
            for listing in coming {
                objects.extend(self.session.runtime.block_on(listing).map_err(|e| e.to_string())??);
            }
        }
        Ok(objects)
    }

    fn stays_open(&mut self, day: Time) {
        self.open = Some(self.open.map_or(day, |open| open.min(day)));
    }

    fn name<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(&self.prefix).unwrap_or(key)
    }

    fn subject(&self, key: &str) -> String {
        format!("s3:{}/{key}", self.bucket.name)
    }

    /// What is known of an object beside its bytes: the version that was fetched, if it was.
    fn told(&self, wanted: Wanted, fetched: Option<Option<String>>) -> (String, FlowObject) {
        let Wanted { listed: Listed { key, etag, size, modified }, revision, .. } = wanted;
        let (subject, object) = (self.subject(&key), self.name(&key).to_owned());
        // Without the tag of what was read, the next pass reads it.
        let (etag, version_id) = fetched.map_or((None, None), |version| (Some(etag), version));
        (subject, FlowObject { object, size, version_id, etag, modified, revision, ..FlowObject::default() })
    }
}

/// Fetches objects of a source that were read once.
pub struct Refetch {
    session: Session,
    bucket: Bucket,
}

impl Refetch {
    /// Makes a client.
    ///
    /// # Errors
    /// The source is no bucket, or there is nothing to wait in.
    pub fn of(source: &Source) -> Result<Refetch, String> {
        let (name, _) = bucket(&source.location).ok_or("its source is no bucket any more")?;
        let access = source.access();
        let session = Session::open(&access)?;
        Ok(Refetch { bucket: Bucket::new(&session.config, &access, name), session })
    }

    /// The bytes of an object: of the same version, or, where the bucket keeps none, with the same tag.
    ///
    /// # Errors
    /// It is not there any more, is another one, or cannot be fetched.
    pub fn bytes(&self, subject: &str, object: &FlowObject) -> Result<Vec<u8>, String> {
        let key = subject.strip_prefix(&format!("s3:{}/", self.bucket.name));
        let key = key.ok_or("its source is another bucket now")?.to_owned();
        let etag = object.etag.clone().filter(|_| object.version_id.is_none()).unwrap_or_default();
        let listed = Listed { key, etag, size: object.size, modified: object.modified };
        let fetched = self.session.runtime.block_on(self.bucket.get(&listed, object.version_id.as_deref()));
        Ok(fetched.map_err(|u| u.why)?.bytes)
    }
}

async fn fetch(bucket: Bucket, listed: Listed) -> Result<(Fetched, String), Unfetched> {
    let fetched = bucket.get(&listed, None).await?;
    let sha256 = sha256_hex(&fetched.bytes);
    Ok((fetched, sha256))
}

fn midnight(t: Time) -> Time {
    Time::from_seconds(t.seconds().div_euclid(DAY) * DAY)
}

/// Accounts and regions below the prefix, which ends above or in `AWSLogs/`.
async fn places(bucket: &Bucket, prefix: &str) -> Result<Vec<Place>, String> {
    let root = if prefix.ends_with("AWSLogs/") { prefix.to_owned() } else { format!("{prefix}AWSLogs/") };
    let mut places = Vec::new();
    let mut accounts: VecDeque<String> = bucket.folders(&root).await?.into();
    while let Some(folder) = accounts.pop_front() {
        if is_organisation(&folder) {
            accounts.extend(bucket.folders(&folder).await?);
        } else {
            places.extend(bucket.folders(&service(&folder)).await?.into_iter().map(Place::of));
        }
    }
    if places.is_empty() {
        return Err(format!("s3://{}/{root} holds no vpcflowlogs of any account", bucket.name));
    }
    Ok(places)
}

/// The first day that any place has an object of.
async fn earliest(bucket: &Bucket, places: &[Place]) -> Result<Option<Time>, String> {
    let mut first: Option<Time> = None;
    for place in places {
        let objects = bucket.first(&place.prefix).await?;
        // Other files may lie there as well; flow logs are there since 2015.
        let day = objects.iter().filter_map(|o| place.day_of(&o.key)).find(|day| day.seconds() >= BEGINNING);
        first = first.into_iter().chain(day).min();
    }
    Ok(first)
}
