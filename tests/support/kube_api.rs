//! An API server on a real socket: lists in pages, as the API concepts of Kubernetes describe them. What it serves was
//! recorded from a real one, or a test makes it; what goes wrong, a test says.

use super::asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// What goes wrong with a path.
#[derive(Clone)]
pub(crate) enum Fault {
    /// A status with a body.
    Status(u16, String),
    /// Nothing ever comes.
    Stall,
    /// Half of the body, then the end of the connection.
    Half,
    /// It may be listed and not watched.
    Unwatched,
    /// Each page is of another time, in so many lists.
    Changing(usize),
    /// The second page is asked for too late, in so many lists.
    Expired(usize),
}

#[derive(Default)]
struct World {
    /// Kind and version of a list and its objects, by path.
    lists: BTreeMap<String, (Value, Vec<Value>)>,
    /// Other replies, by path.
    replies: BTreeMap<String, Value>,
    faults: BTreeMap<String, Fault>,
    /// Most objects of a page.
    page: usize,
    version: u64,
    /// What watches tell, by path: version and line.
    told: BTreeMap<String, Vec<(u64, String)>>,
    /// Versions up to this one are forgotten.
    compacted: u64,
    requests: Vec<String>,
    /// What clients said of themselves.
    tokens: BTreeSet<String>,
}

/// The server, as long as the program lives.
pub(crate) struct KubeApi {
    /// `http://HOST:PORT`
    pub(crate) url: String,
    world: Arc<Mutex<World>>,
}

impl KubeApi {
    /// One that has nothing.
    pub(crate) fn start() -> KubeApi {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World { page: 500, version: 1, ..World::default() }));
        let serving = Arc::clone(&world);
        spawn(move || {
            for connection in listener.incoming() {
                let world = Arc::clone(&serving);
                spawn(move || serve(connection.unwrap(), &world));
            }
        });
        KubeApi { url, world }
    }

    /// Serves a list.
    pub(crate) fn list(&self, path: &str, kind: &str, api_version: &str, items: Vec<Value>) {
        let head = json!({ "kind": format!("{kind}List"), "apiVersion": api_version });
        self.world().lists.insert(path.to_owned(), (head, items));
    }

    /// Changes a list in place. Every object that is another one then has a version of its own, and watches are told of it.
    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let mut world = self.world();
        let World { lists, told, version, .. } = &mut *world;
        let (head, items) = lists.get_mut(path).unwrap();
        let before = items.clone();
        change(items);
        let place = |o: &Value| (o["metadata"]["namespace"].clone(), o["metadata"]["name"].clone());
        let find = |all: &[Value], o: &Value| all.iter().find(|x| place(x) == place(o)).cloned();
        let mut tell = |sort: &str, object: &mut Value| {
            *version += 1;
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            let mut object = object.clone();
            object["kind"] = json!(head["kind"].as_str().unwrap().trim_end_matches("List"));
            object["apiVersion"] = head["apiVersion"].clone();
            let line = json!({ "type": sort, "object": object }).to_string();
            let lines = told.entry(path.to_owned()).or_default();
            lines.push((*version, line));
            // Watches are never so far behind; a server forgets as well.
            lines.drain(..lines.len().saturating_sub(500));
        };
        for object in items.iter_mut() {
            match find(&before, object) {
                None => tell("ADDED", object),
                Some(old) if old != *object => tell("MODIFIED", object),
                Some(_) => {}
            }
        }
        before.into_iter().filter(|o| find(items, o).is_none()).for_each(|mut o| tell("DELETED", &mut o));
    }

    /// Lets watches of a list tell what a recorded watch told, line by line, and the list show what that left.
    pub(crate) fn replay(&self, path: &str, recorded: &str) {
        let mut world = self.world();
        for line in recorded.lines() {
            let told: Value = serde_json::from_str(line).unwrap();
            let object = &told["object"];
            let version = object["metadata"]["resourceVersion"].as_str().map(|v| v.parse().unwrap());
            world.version = version.unwrap_or(world.version + 1);
            let version = world.version;
            world.told.entry(path.to_owned()).or_default().push((version, line.to_owned()));
            let (_, items) = world.lists.get_mut(path).unwrap();
            let sort = told["type"].as_str().unwrap();
            if ["ADDED", "MODIFIED", "DELETED"].contains(&sort) {
                items.retain(|o| o["metadata"]["uid"] != object["metadata"]["uid"]);
            }
            if ["ADDED", "MODIFIED"].contains(&sort) {
                items.push(object.clone());
            }
        }
    }

    /// Shows objects as they were recorded, in place of those of their name; watches are not told.
    pub(crate) fn show(&self, path: &str, objects: Vec<Value>) {
        let mut world = self.world();
        let (_, items) = world.lists.get_mut(path).unwrap();
        for object in objects {
            items.retain(|o| o["metadata"]["name"] != object["metadata"]["name"]);
            items.push(object);
        }
    }

    /// No longer shows an object; watches are not told.
    pub(crate) fn forget(&self, path: &str, name: &str) {
        self.world().lists.get_mut(path).unwrap().1.retain(|o| o["metadata"]["name"] != name);
    }

    /// Says that its lists are of this version, as those that were recorded.
    pub(crate) fn is_at(&self, version: u64) {
        self.world().version = version;
    }

    /// Forgets what happened before the version that it gives: watches that are behind have to begin anew.
    pub(crate) fn compact(&self) -> u64 {
        let mut world = self.world();
        world.version += 1;
        world.compacted = world.version;
        world.told.clear();
        world.version
    }

    /// How many watches were begun since the requests were last read, from a version on if one is given.
    pub(crate) fn watches(&self, from: Option<u64>) -> usize {
        let from = from.map(|version| format!("resourceVersion={version}")).unwrap_or_default();
        self.world().requests.iter().filter(|r| r.contains("watch=true") && r.contains(&from)).count()
    }

    /// Serves a reply as it is.
    pub(crate) fn reply(&self, path: &str, reply: Value) {
        self.world().replies.insert(path.to_owned(), reply);
    }

    /// Takes a list or reply away.
    pub(crate) fn take_away(&self, path: &str) {
        self.world().lists.remove(path);
        self.world().replies.remove(path);
    }

    /// Lets something go wrong with a path, or no longer.
    pub(crate) fn fault(&self, path: &str, fault: impl Into<Option<Fault>>) {
        let mut world = self.world();
        world.faults.remove(path);
        world.faults.extend(fault.into().map(|fault| (path.to_owned(), fault)));
    }

    /// Serves pages of at most so many objects.
    pub(crate) fn pages_of(&self, objects: usize) {
        self.world().page = objects;
    }

    /// What was asked since the last time: method and target.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.world().requests)
    }

    /// Bearer tokens that came.
    pub(crate) fn tokens(&self) -> BTreeSet<String> {
        self.world().tokens.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

/// Writes a kubeconfig whose context `test` leads to a server.
pub(crate) fn kubeconfig(url: &str, path: &Path) {
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{ name: c, cluster: {{ server: \"{url}\" }} }}]\n\
         users: [{{ name: u, user: {{ token: secret }} }}]\ncontexts: [{{ name: test, context: {{ cluster: c, user: u }} }}]\n"
    );
    std::fs::write(path, text).unwrap();
}

/// One connection, request after request.
fn serve(connection: TcpStream, world: &Mutex<World>) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    while let Some(Ok(request)) = lines.next() {
        while let Some(Ok(header)) = lines.next().filter(|line| line.as_ref().is_ok_and(|l| !l.is_empty())) {
            if let Some((_, token)) = header.split_once("earer ") {
                world.lock().unwrap().tokens.insert(token.to_owned());
            }
        }
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        if answer(&connection, world, method, target).is_none() {
            return;
        }
    }
}

/// Verb and resource of a request, as the API server looks for them in rules of RBAC (Kubernetes, "Authorization overview");
/// nothing where every account may, the request itself where it is not one for reading.
pub(crate) fn permission(request: &str) -> String {
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let Some(path) = path.strip_prefix("GET ") else { return request.to_owned() };
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        // Discovery is granted to every account (ClusterRole system:discovery).
        ["version" | "api" | "apis"] | ["apis", _] | ["api", _] | ["apis", _, _] => return String::new(),
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return request.to_owned(),
    };
    let (resource, name) = match rest {
        ["namespaces", _, resource, name @ ..] => (*resource, name),
        [resource, name @ ..] => (*resource, name),
        [] => return request.to_owned(),
    };
    let verb = match name {
        [] if query.contains("watch=true") => "watch",
        [] => "list",
        _ => "get",
    };
    // Each template makes a resource of its own here.
    let resource = if group == "constraints.gatekeeper.sh" { "*" } else { resource };
    format!("{verb} {resource}{}{group}", if group.is_empty() { "" } else { "." })
}

/// Writes an answer; none ends the connection.
fn answer(mut to: &TcpStream, world: &Mutex<World>, method: &str, target: &str) -> Option<()> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fault = {
        let mut world = world.lock().unwrap();
        let request = format!("{method} {target}");
        asked::note("kubernetes", &permission(&request));
        world.requests.push(request);
        world.faults.get(path).cloned()
    };
    let (code, body) = match fault {
        Some(Fault::Stall) => {
            sleep(Duration::from_secs(600));
            return None;
        }
        Some(Fault::Half) => {
            write!(to, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{{\"kind\":").ok()?;
            to.shutdown(std::net::Shutdown::Both).ok()?;
            return None;
        }
        Some(Fault::Status(code, body)) => (code, body),
        Some(Fault::Unwatched) if query.contains("watch=true") => {
            (403, status(403, "Forbidden", "cannot watch resource"))
        }
        _ if method != "GET" => (405, status(405, "MethodNotAllowed", "only reading")),
        _ if query.contains("watch=true") => return watch(to, world, path, query),
        fault => world.lock().unwrap().reply_to(path, query, fault),
    };
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    to.write_all(&[head.as_bytes(), body.as_bytes()].concat()).ok()
}

/// Tells changes as they come, and now and then a bookmark; 410 to one that is behind.
fn watch(mut to: &TcpStream, world: &Mutex<World>, path: &str, query: &str) -> Option<()> {
    let mut from: u64 = parameter(query, "resourceVersion")?.parse().ok()?;
    let reason = parameter(query, "fieldSelector").map(|s| s.replace("reason=", "\"reason\":\"") + "\"");
    write!(to, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        .ok()?;
    let mut send = |line: String| write!(to, "{:x}\r\n{line}\n\r\n", line.len() + 1).ok();
    if from < world.lock().unwrap().compacted {
        let gone: Value = serde_json::from_str(&status(410, "Expired", "too old resource version")).unwrap();
        send(json!({ "type": "ERROR", "object": gone }).to_string())?;
        return to.write_all(b"0\r\n\r\n").ok();
    }
    for round in 1.. {
        let (lines, now, compacted) = {
            let world = world.lock().unwrap();
            let told = world.told.get(path).map_or(&[][..], Vec::as_slice);
            let new = told.iter().filter(|(version, _)| *version > from).map(|(_, line)| line.clone());
            (new.collect::<Vec<_>>(), world.version, world.compacted)
        };
        if from < compacted {
            return None;
        }
        for line in lines.into_iter().filter(|l| reason.as_ref().is_none_or(|r| l.contains(r))) {
            send(line)?;
        }
        from = now;
        if round % 20 == 0 {
            let mark = json!({ "kind": "X", "apiVersion": "v1", "metadata": { "resourceVersion": now.to_string() } });
            send(json!({ "type": "BOOKMARK", "object": mark }).to_string())?;
        }
        sleep(Duration::from_millis(20));
    }
    None
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let found = query.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name);
    found.map(|(_, value)| value.replace("%3D", "="))
}

fn status(code: u16, reason: &str, message: &str) -> String {
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code })
        .to_string()
}

impl World {
    fn reply_to(&mut self, path: &str, query: &str, fault: Option<Fault>) -> (u16, String) {
        if let Some(reply) = self.replies.get(path) {
            return (200, reply.to_string());
        }
        if self.lists.contains_key(path) {
            return self.page_of(path, query, fault);
        }
        let single = path.rsplit_once('/').and_then(|(list, name)| Some((self.lists.get(list)?, name)));
        match single.and_then(|((_, items), name)| items.iter().find(|o| o["metadata"]["name"] == name)) {
            Some(object) => (200, object.to_string()),
            None => (404, "404 page not found\n".into()),
        }
    }

    /// A page of a list. The token tells the version of the list and where the page begins.
    fn page_of(&mut self, path: &str, query: &str, fault: Option<Fault>) -> (u16, String) {
        let (version, from) = match parameter(query, "continue") {
            None => (self.version, 0),
            Some(token) => {
                let (version, from) = token.split_once('-').unwrap();
                (version.parse().unwrap(), from.parse().unwrap())
            }
        };
        if from > 0 && self.strikes(path, &fault, |f| matches!(f, Fault::Expired(_))) {
            return (410, status(410, "Expired", "The provided continue parameter is too old"));
        }
        let shown = if from > 0 && self.strikes(path, &fault, |f| matches!(f, Fault::Changing(_))) {
            version + 1
        } else {
            version
        };
        let (head, items) = &self.lists[path];
        let reason =
            parameter(query, "fieldSelector").and_then(|s| Some(s.strip_prefix("reason=")?.to_owned()));
        let selected: Vec<&Value> =
            items.iter().filter(|o| reason.as_ref().is_none_or(|r| o["reason"] == *r)).collect();
        let limit = parameter(query, "limit").map_or(usize::MAX, |l| l.parse().unwrap()).min(self.page);
        let page: Vec<&Value> = selected.iter().skip(from).take(limit).copied().collect();
        let left = selected.len() - from - page.len();
        let mut metadata = json!({ "resourceVersion": shown.to_string() });
        if left > 0 {
            metadata["continue"] = json!(format!("{version}-{}", from + page.len()));
            metadata["remainingItemCount"] = json!(left);
        }
        let reply = json!({ "kind": head["kind"], "apiVersion": head["apiVersion"], "metadata": metadata, "items": page });
        (200, reply.to_string())
    }

    /// Whether a fault of this sort happens now; it happens so many times.
    fn strikes(&mut self, path: &str, fault: &Option<Fault>, is: fn(&Fault) -> bool) -> bool {
        let left = match fault {
            Some(f @ (Fault::Expired(n) | Fault::Changing(n))) if is(f) => *n,
            _ => 0,
        };
        let next = if matches!(fault, Some(Fault::Expired(_))) { Fault::Expired } else { Fault::Changing };
        if left > 0 {
            self.faults.insert(path.to_owned(), next(left - 1));
        }
        left > 0
    }
}
