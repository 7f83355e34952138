//! Flow logs in a CloudWatch Logs group, window by window. The cursor is the time up to which what is due was read.

use super::{Session, why};
use crate::evidence::flow_logs::FlowWindow;
use crate::evidence::{Time, hex};
use crate::sources::flow_logs::Parser;
use crate::sources::flow_logs::window::{WINDOW, before, behind, due};
use crate::sources::pages::Pages;
use crate::sources::{Context, Record, Start, Step};
use aws_sdk_cloudwatchlogs::Client;
use sha2::{Digest, Sha256};
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use tokio::task::JoinHandle;

/// Windows of one step, at most: an hour.
const STEP: usize = 12;
/// Windows that are read ahead.
const AHEAD: usize = 3;
/// Events of a page, the most that the service gives.
const PAGE: i32 = 10_000;

/// A pass over the flow logs of a log group.
pub struct Windows<'a> {
    session: Rc<Session>,
    client: Client,
    group: String,
    region: String,
    context: &'a Context<'a>,
    start: Start,
    due: VecDeque<(Time, Time)>,
    /// Since when windows are read.
    from: Time,
    /// Up to when all that was due is read.
    upto: Time,
}

/// The events of a window, each once.
struct Read {
    text: Vec<u8>,
    events: u64,
    digest: String,
    pages: usize,
}

impl<'a> Windows<'a> {
    /// Finds the log group, and what is due.
    ///
    /// # Errors
    /// There is no such group, or it may not be read.
    pub fn open(session: Rc<Session>, context: &'a Context<'a>, start: Start) -> Result<Windows<'a>, String> {
        let group = context.source.location.strip_prefix("cloudwatch:").unwrap_or_default().to_owned();
        let region = session.config.region().map(ToString::to_string).unwrap_or_default();
        let mut builder = aws_sdk_cloudwatchlogs::config::Builder::from(&session.config);
        builder.set_endpoint_url(session.endpoint.clone());
        let client = Client::from_conf(builder.build());
        let (made, kept_since) = session.runtime.block_on(bounds(&client, &group, start.now))?;
        let since = start.from().unwrap_or(made).max(kept_since);
        let from_start = start.again || start.cursor.is_none();
        // A cursor is a time at which windows were due.
        let (upto, from) =
            if from_start { (before(since), since) } else { (since, behind(since).max(kept_since)) };
        let mut due = due(upto, start.now);
        due.retain(|(window, _)| !from_start || *window >= since.plus_seconds(-WINDOW));
        // What the group no longer keeps would only take back what was counted.
        due.retain(|(window, _)| *window >= kept_since);
        Ok(Windows { session, client, group, region, context, start, due: due.into(), from, upto })
    }

    /// What a pass would read.
    pub fn waiting(self) -> String {
        format!("{} windows of five minutes to read", self.due.len())
    }

    /// Reads the next windows.
    ///
    /// # Errors
    /// One cannot be read; those before it, which were committed, stay.
    pub fn step(&mut self, record: &dyn Record) -> Result<Step, String> {
        let mut parser = Parser::new(self.context, self.start.now);
        let (mut replies, mut requests) = (Vec::new(), Vec::new());
        let mut coming = VecDeque::<((Time, Time), JoinHandle<Result<Read, String>>)>::new();
        let mut left = STEP;
        let (mut trouble, mut unread) = (None, None::<Time>);
        loop {
            while left > 0 && coming.len() < AHEAD && trouble.is_none() {
                let Some(next) = self.due.pop_front() else { break };
                left -= 1;
                let work = read(self.client.clone(), self.group.clone(), next.0);
                coming.push_back((next, self.session.runtime.spawn(work)));
            }
            let Some(((window, due), fetch)) = coming.pop_front() else { break };
            match self.session.runtime.block_on(fetch).map_err(|e| e.to_string()).and_then(|f| f) {
                Ok(read) if trouble.is_none() => {
                    requests.push(format!(
                        "FilterLogEvents {} from {window}: {} pages, {} events",
                        self.group, read.pages, read.events
                    ));
                    replies.push(format!("{window} {}", read.digest));
                    self.take(&mut parser, window, read, record)?;
                    self.upto = due;
                }
                Ok(_) => unread = unread.min(Some(window)).or(Some(window)),
                Err(why) => {
                    trouble = trouble.or(Some(why));
                    unread = unread.min(Some(window)).or(Some(window));
                }
            }
        }
        // Windows that are due at the same time as the last one, and were not read, are due for the next pass.
        if trouble.is_some() || self.due.front().is_some_and(|(_, due)| *due == self.upto) {
            self.upto = self.upto.plus_seconds(-1);
        }
        let unread = self.due.iter().map(|(window, _)| *window).chain(unread).min();
        // What is read is committed; the window that is not is the next pass's first.
        let mut gathered = parser.finish();
        if let Some(why) = trouble {
            if replies.is_empty() {
                return Err(why);
            }
            self.due.clear();
            gathered.gap(why);
        } else if self.due.is_empty() {
            self.upto = self.start.now;
        }
        (gathered.from, gathered.through) = (Some(self.from), Some(unread.unwrap_or(self.start.now)));
        gathered.replied(replies);
        gathered.requests = requests;
        Ok(Step { look: self.upto.to_string(), gathered, last: self.due.is_empty() })
    }

    /// Counts a window, unless it is as it was.
    fn take(
        &self,
        parser: &mut Parser<'_>,
        from: Time,
        read: Read,
        record: &dyn Record,
    ) -> Result<(), String> {
        let Read { text, events, digest, .. } = read;
        let subject = format!("logs:{}:{}@{from}", self.region, self.group);
        let revision = match record.delivered(&subject)? {
            None if events == 0 => return Ok(()),
            Some(_) if events == 0 => {
                parser.gap(format!("{} from {from}: no events any more; what was counted stays", self.group));
                return Ok(());
            }
            None => 0,
            Some(k) => match k.next(&digest, self.start.selection(self.context)) {
                Some(revision) => revision,
                None => {
                    parser.known(events);
                    return Ok(());
                }
            },
        };
        let group = self.group.clone();
        parser.window(
            subject,
            FlowWindow { group, from, events, digest, revision, ..FlowWindow::default() },
            &text,
        );
        Ok(())
    }
}

/// When the group was made, and since when it keeps events: starts of windows.
async fn bounds(client: &Client, group: &str, now: Time) -> Result<(Time, Time), String> {
    let asked = format!("DescribeLogGroups {group}");
    let reply = client.describe_log_groups().log_group_name_prefix(group).send().await;
    let reply = reply.map_err(|e| why(&asked, &e))?;
    let found = reply.log_groups().iter().find(|g| g.log_group_name() == Some(group));
    let found = found.ok_or_else(|| format!("{asked}: there is no such log group"))?;
    let made = Time::from_millis(found.creation_time().unwrap_or(0));
    let kept = found.retention_in_days().map(|d| now.plus_days(-i64::from(d)));
    let window = |t: Time| Time::from_seconds(t.seconds().div_euclid(WINDOW) * WINDOW);
    Ok((window(made), kept.map_or(Time::from_seconds(0), |k| window(k).plus_seconds(WINDOW))))
}

/// Every event of a window, to the real end of the listing.
async fn read(client: Client, group: String, from: Time) -> Result<Read, String> {
    let asked = format!("FilterLogEvents {group} from {from}");
    let (mut text, mut ids, mut sum) = (Vec::new(), HashSet::new(), 0_u128);
    let (mut token, mut pages) = (None, Pages::of(&asked));
    loop {
        let request = client.filter_log_events().log_group_name(&group).limit(PAGE);
        let request = request.start_time(from.millis()).end_time(from.plus_seconds(WINDOW).millis() - 1);
        let reply = request.set_next_token(token).send().await.map_err(|e| why(&asked, &e))?;
        for event in reply.events() {
            let message = event.message().unwrap_or_default().as_bytes();
            if ids.insert(event.event_id().unwrap_or_default().to_owned()) {
                text.extend_from_slice(message);
                text.push(b'\n');
                let digest: [u8; 32] = Sha256::digest(message).into();
                sum = sum.wrapping_add(digest.first_chunk::<16>().map_or(0, |c| u128::from_be_bytes(*c)));
            }
        }
        token = pages.next(reply.next_token())?;
        if token.is_none() {
            let (events, digest) = (ids.len() as u64, hex(&sum.to_be_bytes()));
            return Ok(Read { text, events, digest, pages: pages.count() });
        }
    }
}
