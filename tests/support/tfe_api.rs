//! HCP Terraform on a real socket: documents that lead to each other, lists in pages, two kinds of tokens, its rate limits.
//! What it says has the form of the documented replies; what goes wrong, a test says.

use super::asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::spawn;
use std::time::{Duration, Instant};

pub(crate) const TOKEN: &str = "a-team-token";
pub(crate) const AUDIT_TOKEN: &str = "an-audit-token";

#[derive(Default)]
struct World {
    /// Documents by type and id.
    documents: BTreeMap<(String, String), Value>,
    /// Lists by path below `/api/v2/`: type and id of each item.
    lists: BTreeMap<String, VecDeque<(String, String)>>,
    /// Plans in JSON, by id.
    plans: BTreeMap<String, String>,
    trail: Vec<Value>,
    /// Status and body of paths that go wrong.
    faults: BTreeMap<String, (u16, String)>,
    /// Requests that are still answered; then every connection ends without a word.
    answers: Option<u64>,
    requests: Vec<String>,
    /// When lists of runs were asked for, and how often that may be in a minute.
    run_lists: Vec<Instant>,
    most_run_lists: usize,
}

/// The server, as long as the program lives.
#[derive(Clone)]
pub(crate) struct TfeApi {
    /// `http://HOST:PORT`
    pub(crate) url: String,
    world: Arc<Mutex<World>>,
}

impl TfeApi {
    /// An organization `o` that has nothing. Lists of runs may be asked for so often a minute.
    pub(crate) fn start(run_lists: usize) -> TfeApi {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = TfeApi { url, world: Arc::default() };
        api.world().most_run_lists = run_lists;
        api.put(document("organizations", "o", json!({ "name": "o" }), json!({})));
        for list in ["policy-sets", "workspaces", "runs"] {
            api.list(&format!("organizations/o/{list}"), &[]);
        }
        let serving = api.clone();
        spawn(move || {
            for connection in listener.incoming() {
                let serving = serving.clone();
                spawn(move || serving.serve(&connection.unwrap()));
            }
        });
        api
    }

    /// Puts a document in place.
    pub(crate) fn put(&self, document: Value) {
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        self.world().documents.insert((text("type"), text("id")), document);
    }

    /// Puts documents in place, and a list of them at a path.
    pub(crate) fn list(&self, path: &str, documents: &[Value]) {
        documents.iter().for_each(|d| self.put(d.clone()));
        let place =
            |d: &Value| (d["type"].as_str().unwrap().to_owned(), d["id"].as_str().unwrap().to_owned());
        self.world().lists.insert(path.to_owned(), documents.iter().map(place).collect());
    }

    /// Puts a run at the head of the list of runs.
    pub(crate) fn run(&self, run: Value) {
        let id = run["id"].as_str().unwrap().to_owned();
        let is_known = self.world().documents.contains_key(&("runs".to_owned(), id.clone()));
        self.put(run);
        let mut world = self.world();
        let runs = world.lists.get_mut("organizations/o/runs").unwrap();
        if !is_known {
            runs.push_front(("runs".into(), id));
        }
    }

    /// Puts a run at the end of the list of runs: it was there before the others.
    pub(crate) fn older_run(&self, run: Value) {
        let id = run["id"].as_str().unwrap().to_owned();
        self.put(run);
        self.world().lists.get_mut("organizations/o/runs").unwrap().push_back(("runs".into(), id));
    }

    /// Takes a run away.
    pub(crate) fn delete_run(&self, id: &str) {
        let mut world = self.world();
        world.documents.remove(&("runs".to_owned(), id.to_owned()));
        world.lists.get_mut("organizations/o/runs").unwrap().retain(|(_, known)| known != id);
    }

    pub(crate) fn plan(&self, id: &str, json: String) {
        self.world().plans.insert(id.to_owned(), json);
    }

    pub(crate) fn trail(&self, event: Value) {
        self.world().trail.push(event);
    }

    /// Lets something go wrong with a path, or no longer.
    pub(crate) fn fault(&self, path: &str, fault: Option<(u16, &str)>) {
        let mut world = self.world();
        world.faults.remove(path);
        world.faults.extend(fault.map(|(status, body)| (path.to_owned(), (status, body.to_owned()))));
    }

    /// Answers so many requests more, or as many as come.
    pub(crate) fn answers(&self, requests: Option<u64>) {
        self.world().answers = requests;
    }

    /// What was asked since the last time.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.world().requests)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn serve(&self, connection: &TcpStream) {
        let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
        while let Some(Ok(request)) = lines.next() {
            let mut token = String::new();
            while let Some(Ok(header)) = lines.next().filter(|l| l.as_ref().is_ok_and(|l| !l.is_empty())) {
                if let Some((_, said)) = header.split_once("earer ") {
                    token = said.to_owned();
                }
            }
            let mut words = request.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let Some(reply) = self.world().answer(method, target, &token) else { return };
            let (mut connection, body) = (connection, reply.body.as_bytes());
            let head = format!(
                "HTTP/1.1 {} X\r\nContent-Type: application/vnd.api+json\r\n{}Content-Length: {}\r\n\r\n",
                reply.status,
                reply.header,
                body.len()
            );
            if connection.write_all(&[head.as_bytes(), body].concat()).is_err() {
                return;
            }
        }
    }
}

/// A document of the API.
pub(crate) fn document(kind: &str, id: &str, attributes: Value, relationships: Value) -> Value {
    json!({ "type": kind, "id": id, "attributes": attributes, "relationships": relationships })
}

/// A relationship to one document.
pub(crate) fn one(kind: &str, id: &str) -> Value {
    json!({ "data": { "type": kind, "id": id } })
}

struct Reply {
    status: u16,
    header: String,
    body: String,
}

fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, header: String::new(), body: body.to_string() }
}

fn error(status: u16, title: &str) -> Reply {
    reply(status, json!({ "errors": [{ "status": status.to_string(), "title": title }] }))
}

/// What a token has to be allowed for a path (HCP Terraform, "Permissions model" and the pages of the API); nothing where every
/// member of the organization may.
fn permission(path: &str) -> &str {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["organization", "audit-trail"] => "organization: audit trail",
        ["organizations", _] | ["users", _] => "",
        ["organizations", _, "workspaces"] => "organization: view all workspaces",
        ["organizations", _, "policy-sets"] | ["policies", _, "download"] => "organization: manage policies",
        ["organizations", _, "runs"]
        | ["runs" | "task-stages" | "policy-evaluations" | "policy-checks", ..] => "workspace: read runs",
        ["plans", _, "json-output-redacted"] => "workspace: read runs",
        ["workspaces", _, "state-versions"] | ["state-versions"] => "workspace: read state versions",
        _ => path,
    }
}

impl World {
    fn answer(&mut self, method: &str, target: &str, token: &str) -> Option<Reply> {
        if let Some(left) = &mut self.answers {
            *left = left.checked_sub(1)?;
        }
        if let Some(id) = target.strip_prefix("/archive/") {
            self.requests.push(format!("{method} {target}"));
            return Some(reply(200, &self.plans[id]));
        }
        let target = target.strip_prefix("/api/v2/").unwrap_or(target).to_owned();
        self.requests.push(format!("{method} {target}"));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let parameters: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|p| p.split_once('='))
            .map(|(name, value)| (name.replace("%5B", "[").replace("%5D", "]"), value.to_owned()))
            .collect();
        asked::note("hcp_terraform", permission(path));
        if parameters.get("include").is_some_and(|all| all.split(',').any(|i| i == "projects")) {
            asked::note("hcp_terraform", "organization: view all projects");
        }
        if let Some((status, body)) = self.faults.get(path) {
            return Some(reply(*status, body));
        }
        let of_trail = path == "organization/audit-trail";
        Some(match token {
            _ if method != "GET" => error(405, "only reading"),
            TOKEN if of_trail => error(403, "audit trails need an audit or organization token"),
            AUDIT_TOKEN if !of_trail => error(404, "not found"),
            TOKEN | AUDIT_TOKEN => self.found(path, &parameters),
            _ => error(401, "unauthorized"),
        })
    }

    fn found(&mut self, path: &str, parameters: &BTreeMap<String, String>) -> Reply {
        if path == "organization/audit-trail" {
            return self.trail_page(parameters);
        }
        if path.ends_with("/runs") {
            let now = Instant::now();
            self.run_lists.retain(|t| now.duration_since(*t) < Duration::from_secs(60));
            if self.run_lists.len() >= self.most_run_lists {
                let header = "x-ratelimit-limit: 30\r\nx-ratelimit-reset: 1.0\r\n".to_owned();
                return Reply { header, ..error(429, "Too many requests") };
            }
            self.run_lists.push(now);
        }
        if let Some(id) = path.strip_prefix("plans/").and_then(|p| p.strip_suffix("/json-output-redacted")) {
            return match self.plans.contains_key(id) {
                true => Reply { header: format!("Location: /archive/{id}\r\n"), ..reply(307, "") },
                false => error(404, "not found"),
            };
        }
        if let Some(id) = path.strip_prefix("policies/").and_then(|p| p.strip_suffix("/download")) {
            return match self.documents.get(&("policies".to_owned(), id.to_owned())) {
                Some(policy) => {
                    reply(200, policy["attributes"]["text"].as_str().unwrap_or("main = rule { true }\n"))
                }
                None => error(404, "not found"),
            };
        }
        let include = parameters.get("include").map(String::as_str).unwrap_or_default();
        if let Some(list) = self.lists.get(path) {
            let number =
                |name: &str, default: usize| parameters.get(name).map_or(default, |n| n.parse().unwrap());
            let (page, size) = (number("page[number]", 1), number("page[size]", 20).min(100));
            let pages = list.len().div_ceil(size).max(1);
            let items: Vec<&Value> =
                list.iter().skip((page - 1) * size).take(size).map(|place| &self.documents[place]).collect();
            let next = (page < pages).then_some(page + 1);
            let pagination = json!({ "current-page": page, "page-size": size, "next-page": next, "total-count": list.len() });
            let included = self.included(&items, include);
            return reply(
                200,
                json!({ "data": items, "included": included, "meta": { "pagination": pagination } }),
            );
        }
        let (kind, id) = path.rsplit_once('/').unwrap_or((path, ""));
        match self.documents.get(&(kind.to_owned(), id.to_owned())) {
            Some(found) => reply(200, json!({ "data": found, "included": self.included(&[found], include) })),
            None => error(404, "not found"),
        }
    }

    /// Documents that others lead to, by names of relationships with underscores, and dots for the way.
    fn included(&self, items: &[&Value], include: &str) -> Vec<Value> {
        let mut found: BTreeMap<(String, String), Value> = BTreeMap::new();
        for way in include.split(',').filter(|w| !w.is_empty()) {
            let mut from: Vec<Value> = items.iter().map(|i| (*i).clone()).collect();
            for name in way.split('.') {
                let lead = |d: &Value| match &d["relationships"][name.replace('_', "-")]["data"] {
                    Value::Array(many) => many.clone(),
                    Value::Null => Vec::new(),
                    one => vec![one.clone()],
                };
                let places = from.iter().flat_map(lead);
                let places = places
                    .map(|p| (p["type"].as_str().unwrap().to_owned(), p["id"].as_str().unwrap().to_owned()));
                from = places.filter_map(|p| self.documents.get(&p).cloned()).collect();
                let keyed = from.iter().map(|d| ((d["type"].to_string(), d["id"].to_string()), d.clone()));
                found.extend(keyed);
            }
        }
        found.into_values().collect()
    }

    fn trail_page(&self, parameters: &BTreeMap<String, String>) -> Reply {
        let since = parameters.get("since").map(String::as_str).unwrap_or_default();
        let page: usize = parameters.get("page[number]").map_or(1, |n| n.parse().unwrap());
        let all: Vec<&Value> =
            self.trail.iter().filter(|e| e["timestamp"].as_str().unwrap() >= since).collect();
        let pages = all.len().div_ceil(1000).max(1);
        let items: Vec<&&Value> = all.iter().skip((page - 1) * 1000).take(1000).collect();
        let next = (page < pages).then_some(page + 1);
        let pagination = json!({ "current_page": page, "next_page": next, "total_pages": pages, "total_count": all.len() });
        reply(200, json!({ "data": items, "pagination": pagination }))
    }
}
