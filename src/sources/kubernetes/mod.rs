//! Transport to a cluster: lists of named resources, read in pages and only read. What comes back goes to the parser of
//! Gatekeeper's looks.

mod changes;
mod list;
mod resources;
mod session;
mod watch;

pub use changes::{Change, Changes, Lost};
pub use resources::{CONSTRAINTS_VERSION, RESOURCES, Resource, When};
pub use watch::Watches;

use super::Context;
use super::gatekeeper::{ADMISSIONS, CONSTRAINTS, Parser};
use super::http::Refusal;
use super::live::{Start, Step};
use crate::evidence::Time;
use changes::Versions;
use list::List;
use resources::{EVENTS, path};
use serde_json::Value;
use session::Session;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A pass over a cluster: one step.
pub struct Cluster<'a> {
    context: &'a Context<'a>,
    now: Time,
    limit: Duration,
    session: Session,
}

impl<'a> Cluster<'a> {
    /// Finds the credentials.
    ///
    /// # Errors
    /// There are none.
    pub fn open(context: &'a Context<'a>, start: Start) -> Result<Cluster<'a>, String> {
        let Start { now, limit, .. } = start;
        Ok(Cluster { context, now, limit, session: Session::open(context.source)? })
    }

    /// Lists all that is read. A resource that may not be listed is a gap, and the rest is read.
    ///
    /// # Errors
    /// The server is not reached, or does not tell which cluster it is.
    pub fn step(&mut self) -> Result<Step, String> {
        let uid = uid(&self.session)?;
        let mut look = Look {
            session: &self.session,
            parser: Parser::new(self.context, self.now).of(&uid),
            requests: Vec::new(),
            digests: Vec::new(),
            matched: BTreeSet::new(),
            versions: Versions::new(),
            until: Instant::now() + self.limit,
        };
        look.constraints();
        for resource in RESOURCES {
            if resource.when != When::Matched || look.matched.contains(resource.kind) {
                look.resource(&resource);
            }
        }
        look.events();
        let versions = std::mem::take(&mut look.versions);
        let (told, lost) =
            self.context.changes.as_ref().map(|c| c.take(versions, self.now)).unwrap_or_default();
        for Change { at, gone, object } in told {
            look.parser.change(at, gone, object);
        }
        let mut gathered = look.parser.finish();
        gathered.requests = look.requests;
        gathered.unwatched.extend(changes::unwatched(&lost));
        gathered.replied(look.digests);
        Ok(Step { look: self.now.to_string(), gathered, last: true })
    }

    /// Reaches the server, and says what a pass would read.
    ///
    /// # Errors
    /// It is not reached.
    pub fn waiting(self) -> Result<String, String> {
        let version = json(&self.session, "/version").map_err(Refusal::why)?;
        let version = version["gitVersion"].as_str().unwrap_or("of no version");
        uid(&self.session)?;
        let kinds = match discovered(&self.session) {
            Err(Refusal::NotServed(_)) => 0,
            kinds => kinds.map_err(Refusal::why)?.len(),
        };
        Ok(format!("{} answers, Kubernetes {version}, {kinds} kinds of constraints", self.session.address()))
    }
}

/// What one pass reads.
struct Look<'a> {
    session: &'a Session,
    parser: Parser<'a>,
    requests: Vec<String>,
    digests: Vec<String>,
    /// Kinds that constraints name.
    matched: BTreeSet<&'static str>,
    versions: Versions,
    /// When the pass has taken its time.
    until: Instant,
}

impl Look<'_> {
    /// Every kind that templates made. Without such kinds there are no constraints.
    fn constraints(&mut self) {
        match discovered(self.session) {
            Ok(kinds) => {
                for (plural, kind) in kinds {
                    let list = self.list(&path(CONSTRAINTS, CONSTRAINTS_VERSION, &plural), None);
                    let named = |r: &&Resource| list.items.iter().flatten().any(|c| c.may_hold(r.kind));
                    self.matched.extend(RESOURCES.iter().filter(named).map(|r| r.kind));
                    self.take(&format!("constraint {kind}"), &format!("{plural}.{CONSTRAINTS}"), list);
                }
            }
            Err(Refusal::NotServed(_)) => {}
            Err(refusal) => self.parser.unlisted("constraint", refusal.why()),
        }
    }

    fn resource(&mut self, resource: &Resource) {
        let list = self.list(&resource.path(), None);
        match list.broken {
            Some(Refusal::NotServed(_)) if resource.when == When::Served && self.lacks_group(resource) => {
                self.parser.listed(&resource.path(), resource.kind, &Value::Null, Vec::new(), true);
            }
            _ => self.take(resource.kind, &resource.name(), list),
        }
    }

    /// Whether the server has no such group, and so none of its objects.
    fn lacks_group(&self, resource: &Resource) -> bool {
        let group = json(self.session, &format!("/apis/{}", resource.group));
        matches!(group, Err(Refusal::NotServed(_)))
    }

    /// Requests that the webhook denied, warned about or noted.
    fn events(&mut self) {
        for reason in ADMISSIONS {
            let list = self.list(EVENTS, Some(&format!("reason={reason}")));
            self.take("Event", "events", list);
        }
    }

    fn list(&mut self, path: &str, fields: Option<&str>) -> List {
        if Instant::now() > self.until {
            return List::late(path);
        }
        let mut list = List::read(self.session, path, fields);
        self.requests.push(format!("GET {path}: {} items", list.items.len()));
        self.digests.append(&mut list.digests);
        list
    }

    /// Hands a list to the parser, as far as it was read.
    fn take(&mut self, kind: &str, name: &str, mut list: List) {
        let broken = list.broken.take();
        if broken.is_none() || !list.items.is_empty() {
            let List { path, kind, version, items, at, .. } = list;
            // Of several lists of one kind, the oldest.
            if let Some(at) = at.as_str().and_then(|at| at.parse().ok()) {
                let known = self.versions.entry(kind.clone()).or_insert(at);
                *known = at.min(*known);
            }
            self.parser.listed(&path, &kind, &version, items, broken.is_none());
        }
        if let Some(refusal) = broken {
            let denied = matches!(refusal, Refusal::Unknown(_) | Refusal::Denied(_));
            let role = if denied { format!("; the role needs list on {name}") } else { String::new() };
            self.parser.unlisted(kind, refusal.why() + &role);
        }
    }
}

/// uid of the namespace kube-system: what names a cluster.
fn uid(session: &Session) -> Result<String, String> {
    let system = json(session, "/api/v1/namespaces/kube-system").map_err(Refusal::why)?;
    let uid = system["metadata"]["uid"].as_str().map(str::to_owned);
    uid.ok_or_else(|| "namespace kube-system has no uid, and nothing else tells a cluster".into())
}

/// Plural name and kind of each kind of constraints that discovery tells.
fn constraint_kinds(found: &Value) -> Vec<(String, String)> {
    let resources = found["resources"].as_array().into_iter().flatten();
    let kind = |r: &Value| Some((r["name"].as_str()?.to_owned(), r["kind"].as_str()?.to_owned()));
    resources.filter_map(kind).filter(|(name, _)| !name.contains('/')).collect()
}

fn discovered(session: &Session) -> Result<Vec<(String, String)>, Refusal> {
    let found = json(session, &format!("/apis/{CONSTRAINTS}/{CONSTRAINTS_VERSION}"));
    found.map(|found| constraint_kinds(&found))
}

fn json(session: &Session, path: &str) -> Result<Value, Refusal> {
    Ok(session.get(path, path)?.0)
}
