//! Watches: one for each resource, from where its list ends now, as long as the program runs. They fill a queue; a pass reads
//! it through the parser.

use super::changes::{Changes, Lost};
use super::constraint_kinds;
use super::resources::{CONSTRAINTS_VERSION, EVENTS, RESOURCES, When, path};
use super::session::Server;
use crate::clock::Clock;
use crate::config::Source;
use crate::evidence::Time;
use crate::sources::gatekeeper::{ADMISSIONS, CONSTRAINTS};
use crate::sources::http::Refusal;
use crate::sources::told;
use futures_util::TryStreamExt;
use kube::api::{ListParams, WatchParams};
use kube::core::{Request, WatchEvent};
use serde_json::Value;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// Seconds after which the server ends a watch, and how much longer a connection may be silent.
const WATCH: u32 = 240;
const GRACE: u64 = 30;
/// How long is waited before a watch is begun again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often new kinds of constraints are looked for, and what could not be watched is tried again.
const ROUND: Duration = Duration::from_secs(60);

/// What the watches of one cluster share.
#[derive(Clone)]
pub struct Watches {
    /// The cluster.
    pub source: Arc<Source>,
    /// Where changes wait.
    pub changes: Arc<Changes>,
    /// The time.
    pub clock: Clock,
}

impl Watches {
    /// Watches until it is dropped.
    pub async fn run(self) {
        let (mut running, mut tasks) = (BTreeMap::<_, AbortHandle>::new(), JoinSet::new());
        loop {
            match Server::of(&self.source).await {
                Ok(server) => {
                    running.retain(|_, task| !task.is_finished());
                    for place in paths(&server).await {
                        running.entry(place).or_insert_with_key(|place| {
                            let (of, server) = (self.clone(), server.clone());
                            tasks.spawn(Watch { of, server, place: place.clone() }.run())
                        });
                    }
                }
                Err(why) => tracing::warn!(source = self.source.name, %why, "cannot watch"),
            }
            while tasks.try_join_next().is_some() {}
            tokio::time::sleep(ROUND).await;
        }
    }
}

/// A path, and the fields that select.
type Place = (String, Option<String>);

/// All that is watched: each resource that is always listed, each kind of constraints, events by their reason.
async fn paths(server: &Server) -> Vec<Place> {
    let resources = RESOURCES.iter().filter(|r| r.when != When::Matched).map(|r| (r.path(), None));
    let events = ADMISSIONS.iter().map(|reason| (EVENTS.to_owned(), Some(format!("reason={reason}"))));
    let group = format!("/apis/{CONSTRAINTS}/{CONSTRAINTS_VERSION}");
    let kinds =
        server.get(&group, &group).await.map(|(found, _)| constraint_kinds(&found)).unwrap_or_default();
    let kinds = kinds.into_iter().map(|(plural, _)| (path(CONSTRAINTS, CONSTRAINTS_VERSION, &plural), None));
    resources.chain(events).chain(kinds).collect()
}

struct Watch {
    of: Watches,
    server: Server,
    place: Place,
}

impl Watch {
    /// Watches until the server says that it may not, or has no such thing.
    async fn run(self) {
        let mut lost: Option<(Time, String)> = None;
        loop {
            match self.version().await {
                Ok(version) => {
                    self.lose(lost);
                    match self.follow(version).await {
                        (at, End::Refused(why)) => {
                            let name = self.place.0.rsplit('/').next().unwrap_or_default();
                            let why = format!("{why}; the role needs watch on {name}");
                            return self.of.changes.refuse(&self.place.0, at, why);
                        }
                        (from, End::Lost(why) | End::Broken(why)) => lost = Some((from, why)),
                    }
                }
                Err(Refusal::Unknown(_) | Refusal::Denied(_) | Refusal::NotServed(_)) => {
                    return self.lose(lost);
                }
                Err(refusal) => lost = lost.or(Some((self.of.clock.now(), refusal.why()))),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Says since when nothing is known.
    fn lose(&self, lost: Option<(Time, String)>) {
        if let Some((from, why)) = lost {
            let (what, to) = (self.place.0.clone(), self.of.clock.now());
            self.of.changes.lose(Lost { what, from, to, why });
        }
    }

    /// Where the list ends now.
    async fn version(&self) -> Result<String, Refusal> {
        let (path, fields) = &self.place;
        let params = ListParams { field_selector: fields.clone(), ..ListParams::default() }.limit(1);
        let asked = Request::new(path).list(&params).map_err(|e| Refusal::Failed(e.to_string()))?;
        let (list, _) = self.server.get(path, &asked.uri().to_string()).await?;
        Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned())
    }

    /// Follows changes from a version on, over as many connections as it takes, until the server no longer has them. Gives
    /// the last time that it was well, and why it ended.
    async fn follow(&self, mut version: String) -> (Time, End) {
        let mut well = self.of.clock.now();
        loop {
            match self.connection(&mut version, &mut well).await {
                Ok(()) => {}
                Err(end @ (End::Lost(_) | End::Refused(_))) => return (well, end),
                Err(End::Broken(why)) => {
                    tracing::info!(source = self.of.source.name, path = self.place.0, %why, "a watch goes on");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn connection(&self, version: &mut String, well: &mut Time) -> Result<(), End> {
        let params =
            WatchParams { field_selector: self.place.1.clone(), ..WatchParams::default() }.timeout(WATCH);
        let asked =
            Request::new(&self.place.0).watch(&params, version).map_err(|e| End::Lost(e.to_string()))?;
        let silence = Duration::from_secs(u64::from(WATCH) + GRACE);
        let begun = tokio::time::timeout(silence, self.server.client.request_events::<Value>(asked)).await;
        let mut events = pin!(begun.map_err(|_| End::Broken("silence".into()))?.map_err(End::of)?);
        self.of.changes.watched(&self.place.0, self.of.clock.now());
        loop {
            let next = tokio::time::timeout(silence, events.try_next()).await;
            let event = next.map_err(|_| End::Broken("silence".into()))?.map_err(End::of)?;
            let (gone, mut object) = match event {
                None => return Ok(()),
                Some(WatchEvent::Error(status)) => return Err(End::of(kube::Error::Api(status))),
                Some(WatchEvent::Bookmark(mark)) => {
                    (*version, *well) = (mark.metadata.resource_version, self.of.clock.now());
                    continue;
                }
                Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => (false, object),
                Some(WatchEvent::Deleted(object)) => (true, object),
            };
            *well = self.of.clock.now();
            if let Some(last) = object["metadata"]["resourceVersion"].as_str() {
                last.clone_into(version);
            }
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            self.of.changes.push(*well, gone, object);
        }
    }
}

/// Why a connection ended.
enum End {
    /// What came since is lost: 410, or an answer that cannot be read.
    Lost(String),
    /// The next one goes on where it broke.
    Broken(String),
    /// 401 and 403: the role lets list and not watch.
    Refused(String),
}

impl End {
    fn of(error: kube::Error) -> End {
        let why = told(&error);
        match error {
            kube::Error::Api(status) => {
                let why = format!("{}: {}", status.code, status.message);
                match status.code {
                    401 | 403 => End::Refused(why),
                    429 | 500.. => End::Broken(why),
                    _ => End::Lost(why),
                }
            }
            kube::Error::SerdeError(_) => End::Lost(why),
            _ => End::Broken(why),
        }
    }
}
