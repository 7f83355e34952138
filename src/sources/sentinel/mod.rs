//! HCP Terraform and Sentinel, from documents as the API returns them, one file per request path.
//!
//! Documents are known by their JSON:API type; the path tells what a document does not say, its run for example.

mod checks;
mod evaluations;
mod outcomes;
mod overrides;
mod plan;
mod sets;
mod workspaces;

use super::Gathered;
use crate::config::Source;
use crate::evidence::sentinel::{Cost, DELETED, Origin, PlanRead, Run};
use crate::evidence::{Evidence, Kind, Private, Time};
use plan::Plan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;

/// Seconds that HCP Terraform keeps its audit trail.
const TRAIL: i64 = 14 * 86_400;

/// Parser of one look.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    out: Gathered,
    docs: Docs,
    listed_sets: bool,
    listed_workspaces: bool,
    /// Whether policy sets and workspaces are only there for others to be read beside.
    sets_are_told: bool,
    next_pages: Vec<(String, String)>,
    pages: std::collections::BTreeSet<String>,
}

/// Everything of one look, by type and id, with the path each came from.
#[derive(Default)]
pub(super) struct Docs {
    by_type: BTreeMap<String, BTreeMap<String, (Value, String)>>,
    plans: BTreeMap<String, Plan>,
    /// Texts of policies, by id.
    texts: BTreeMap<String, String>,
    /// Documents of a run that the token does not see, and that could not be read.
    denied: BTreeMap<String, Vec<String>>,
    unread: BTreeMap<String, Vec<String>>,
    trail: Vec<Value>,
    /// Since when the audit trail tells everything.
    trail_from: Option<Time>,
    paths: Vec<String>,
    deleted: Vec<String>,
}

impl Docs {
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = (&String, &Value, &str)> {
        self.by_type.get(kind).into_iter().flatten().map(|(id, (doc, path))| (id, doc, path.as_str()))
    }
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.find(kind, id).map(|(doc, _)| doc)
    }
    /// A document, and the path that gave it.
    pub(super) fn find(&self, kind: &str, id: &str) -> Option<(&Value, &str)> {
        self.by_type.get(kind)?.get(id).map(|(doc, path)| (doc, path.as_str()))
    }
    /// Name of a workspace, or its id.
    pub(super) fn workspace(&self, id: &str) -> String {
        let name = self.get("workspaces", id).and_then(|w| w["attributes"]["name"].as_str());
        name.unwrap_or(id).to_owned()
    }
    /// Name of the workspace of a run, where the look holds the run.
    pub(super) fn workspace_of_run(&self, run: &str) -> String {
        self.get("runs", run)
            .map(|r| self.workspace(related(r, "workspace").unwrap_or_default()))
            .unwrap_or_default()
    }
    pub(super) fn read_path(&self, ending: &str) -> bool {
        self.paths.iter().any(|p| p.ends_with(ending))
    }
}

/// Id of a related document.
pub(super) fn related<'v>(doc: &'v Value, name: &str) -> Option<&'v str> {
    doc["relationships"][name]["data"]["id"].as_str()
}

/// Part of a path after a folder name: `runs/run-x/comments.json` gives `run-x`.
pub(super) fn path_part<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let mut parts = path.split('/');
    parts.find(|p| *p == folder)?;
    parts.next().map(|p| p.strip_suffix(".json").unwrap_or(p))
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(source: &'a Source, at: Time) -> Parser<'a> {
        Parser {
            source,
            at,
            out: Gathered::default(),
            docs: Docs::default(),
            listed_sets: false,
            listed_workspaces: false,
            sets_are_told: false,
            next_pages: Vec::new(),
            pages: Default::default(),
        }
    }

    /// Takes one document.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if !path.ends_with(".json") {
            self.out.refuse(path, "is no document of the API: its replies are JSON".into());
            return;
        }
        if path.contains("/json-output") && is_plan(bytes) {
            return self.plan(path, bytes);
        }
        let Some(doc) = self.out.json(path, bytes) else { return };
        if doc["resource_changes"].is_array() || doc["format_version"].is_string() {
            return self.plan(path, bytes);
        }
        self.docs.paths.push(path.to_owned());
        if let Some(errors) = doc["errors"].as_array() {
            let first = errors.first().cloned().unwrap_or_default();
            let status = first["status"].as_str().map_or_else(|| first["status"].to_string(), str::to_owned);
            let what = format!("the API answered {status}: {}", first["title"].as_str().unwrap_or_default());
            if let Some(of) = path_part(path, "plans").or(path_part(path, "runs")) {
                let what = path.trim_end_matches(".json").rsplit('/').next().unwrap_or_default();
                let of_plan = ["plan", of].contains(&what) || what.starts_with("json-output");
                self.denied(of, if of_plan { "plan" } else { what });
            }
            self.out.refuse(path, what);
            return;
        }
        let next = doc["links"]["next"].as_str().or(doc["pagination"]["next_page"].as_str());
        if let Some(next) = next {
            self.next_pages.push((path.to_owned(), next.to_owned()));
        }
        self.listed_sets |= path.ends_with("policy-sets.json") && next.is_none();
        self.listed_workspaces |= path.ends_with("workspaces.json") && next.is_none();
        if path.ends_with("organization/audit-trail.json") {
            self.docs.trail_from = Some(self.at.plus_seconds(-TRAIL));
        }
        self.pages.extend(doc["links"]["self"].as_str().map(str::to_owned));
        self.document(path, doc);
    }

    /// Takes a plan, which may be long.
    pub fn plan(&mut self, path: &str, json: impl Read) {
        match Plan::read(json) {
            Ok(plan) => {
                self.out.keep(1);
                let of = path_part(path, "plans").or(path_part(path, "runs")).unwrap_or_default().to_owned();
                self.docs.plans.insert(of, plan);
            }
            Err(e) => self.out.refuse(path, format!("is no plan: {e}")),
        }
    }

    /// With an audit trail that tells everything since a time.
    pub fn with_trail_from(mut self, from: Option<Time>) -> Parser<'a> {
        self.docs.trail_from = from;
        self
    }

    /// Takes a reply of a live source, which has read all pages.
    pub fn reply(&mut self, path: &str, doc: Value) {
        let path = format!("{path}.json");
        self.docs.paths.push(path.clone());
        self.document(&path, doc);
    }

    /// Takes a reply that was told before, and beside which runs are read.
    pub fn beside(&mut self, path: &str, doc: Value) {
        let counts = self.out.counts;
        self.reply(path, doc);
        self.out.counts = counts;
        self.sets_are_told = true;
    }

    /// Takes the text of a policy.
    pub fn policy(&mut self, id: &str, text: String) {
        self.out.keep(1);
        self.docs.texts.insert(id.to_owned(), text);
    }

    /// Says that the text of every policy was read.
    pub fn policies_are_whole(&mut self) {
        self.out.listed_whole(Kind::SentinelPolicy);
    }

    /// Says that every policy set was listed.
    pub fn sets_are_whole(&mut self) {
        self.listed_sets = true;
    }

    /// Says that every workspace was listed.
    pub fn workspaces_are_whole(&mut self) {
        self.listed_workspaces = true;
    }

    /// Says that the API no longer has a run, or does not show it any more.
    pub fn deleted(&mut self, run: &str) {
        self.docs.deleted.push(run.to_owned());
    }

    /// Says that the token does not see a document of a run.
    pub fn denied(&mut self, run: &str, what: &str) {
        self.docs.denied.entry(run.to_owned()).or_default().push(what.to_owned());
    }

    /// Says that a document of a run could not be read.
    pub fn unread(&mut self, run: &str, what: &str) {
        self.docs.unread.entry(run.to_owned()).or_default().push(what.to_owned());
    }

    /// The run that a path is of, through what was read: `runs/run-x`, `policy-evaluations/poleval-x`.
    pub fn run_of(&self, path: &str) -> String {
        let id = path.rsplit('/').next().unwrap_or(path);
        if path.starts_with("runs/") { id.to_owned() } else { evaluations::run_of(&self.docs, id) }
    }

    /// Takes the documents of a reply, and those that are included.
    fn document(&mut self, path: &str, mut doc: Value) {
        let included = doc.get_mut("included").map(Value::take);
        match doc.get_mut("data").map(Value::take) {
            Some(Value::Array(items)) => {
                items.into_iter().enumerate().for_each(|(i, d)| self.doc(path, i, d))
            }
            Some(item @ Value::Object(_)) => self.doc(path, 0, item),
            _ => self.out.refuse(path, "has no data: it is no document of the API".into()),
        }
        let others = included.and_then(|v| if let Value::Array(list) = v { Some(list) } else { None });
        others.into_iter().flatten().enumerate().for_each(|(i, d)| self.doc(path, i, d));
    }

    fn doc(&mut self, path: &str, i: usize, doc: Value) {
        let place = format!("data[{i}]");
        if doc["resource"].is_object() && doc["timestamp"].is_string() {
            self.out.keep(1);
            self.docs.trail.push(doc);
            return;
        }
        let (Some(kind), Some(id)) = (doc["type"].as_str(), doc["id"].as_str()) else {
            self.out.quarantine(path, place, "has no type or no id".into());
            return;
        };
        self.out.keep(1);
        let (kind, id) = (kind.to_owned(), id.to_owned());
        // The same document is included in many; a list that moves while it is read shows a run twice.
        let repeats = ["runs", "policy-checks"].contains(&kind.as_str());
        let known = self.docs.by_type.entry(kind.clone()).or_default();
        if repeats && known.get(&id).is_some_and(|(known, _)| known["attributes"] != doc["attributes"]) {
            let what = format!("{id} is there twice, with other contents; the first is taken");
            self.out.gap(format!("{path}: {what}"));
            self.out.fault(path, place, what);
        }
        // What is included may be cut down; a reply about its own kind is whole.
        match known.entry(id) {
            Entry::Occupied(mut known) if is_own(path, &kind) && !is_own(&known.get().1, &kind) => {
                known.insert((doc, path.to_owned()));
            }
            entry => {
                entry.or_insert((doc, path.to_owned()));
            }
        }
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        for (path, next) in std::mem::take(&mut self.next_pages) {
            if !self.pages.contains(&next) {
                self.out.gap(format!("{path}: the listing goes on and the next page is not there"));
            }
        }
        let runs: Vec<(String, Value)> =
            self.docs.all("runs").map(|(id, doc, _)| (id.clone(), doc.clone())).collect();
        let mut applied: Vec<(Option<Time>, String)> = Vec::new();
        for (id, doc) in &runs {
            let run = self.run(id, doc);
            if run.status == "applied" {
                applied.push((run.applied, id.clone()));
            }
            self.push_run(&run);
        }
        applied.sort();
        for (_, id) in applied {
            plan::resources(&mut self.out, self.source, &self.docs, &id, self.at);
        }
        for run in std::mem::take(&mut self.docs.deleted) {
            self.push_run(&Run { run, status: DELETED.into(), ..Run::default() });
        }
        outcomes::read(&mut self.out, self.source, &self.docs, self.at);
        if !self.sets_are_told {
            sets::read(&mut self.out, self.source, &self.docs, self.at);
            sets::policies(&mut self.out, self.source, &self.docs, self.at);
            workspaces::read(&mut self.out, self.source, &self.docs, self.at);
        }
        workspaces::states(&mut self.out, self.source, &self.docs, self.at);
        overrides::read(&mut self.out, self.source, &self.docs, self.at);
        if self.listed_sets {
            self.out.listed_whole(Kind::SentinelPolicySet);
        }
        if self.listed_workspaces {
            self.out.listed_whole(Kind::TerraformWorkspace);
        }
        let count = |kind| self.out.evidence.iter().filter(|e| e.kind == kind).count();
        let (outcomes, overrides) = (count(Kind::SentinelOutcome), count(Kind::SentinelOverride));
        self.out.read = format!("{} runs, {outcomes} policy outcomes, {overrides} overrides", runs.len());
        self.out
    }

    fn push_run(&mut self, run: &Run) {
        // A plan or an estimate that is read later is a new entry, and the fold takes the latest.
        let known = crate::evidence::sha256_hex(crate::evidence::json(run).to_string().as_bytes());
        let key = format!("{}/{}/{}", run.run, run.status, &known[..12]);
        let subject = format!("tfe:{}/{}/{}", self.host(), run.workspace, run.run);
        let at = run.applied.or(run.created).unwrap_or(self.at);
        self.out.evidence.push(Evidence::event(Kind::SentinelRun, &self.source.name, key, subject, at, run));
    }

    fn host(&self) -> String {
        host(self.source)
    }

    fn run(&self, id: &str, doc: &Value) -> Run {
        let a = &doc["attributes"];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let time = |v: &Value| v.as_str().and_then(|t| t.parse::<Time>().ok());
        let author = related(doc, "created-by");
        let of_run = |kind: &'static str, folder: &'static str| {
            let mut docs = self.docs.all(kind);
            docs.any(|(_, d, p)| related(d, "run") == Some(id) || path_part(p, folder) == Some(id))
        };
        let stages = [
            ("check", "policy-checks"),
            ("evaluation", "task-stages"),
            ("tf-evaluation", "tf-policy-evaluations"),
        ];
        Run {
            run: id.to_owned(),
            workspace: self.docs.workspace(related(doc, "workspace").unwrap_or_default()),
            status: text(&a["status"]),
            created: time(&a["created-at"]),
            applied: time(&a["status-timestamps"]["applied-at"]),
            destroy: a["is-destroy"].as_bool().unwrap_or(false),
            targeted: a["target-addrs"].as_array().is_some_and(|t| !t.is_empty()),
            author: author.map(Private::of),
            author_kind: author.map(|u| overrides::actor_kind(&self.docs, u)).unwrap_or_default(),
            stages: stages.iter().filter(|(_, k)| of_run(k, "runs")).map(|(s, _)| (*s).to_owned()).collect(),
            cost: self.estimate(id, doc).map(cost),
            plan: self.plan_of(id, doc),
            unread: self.docs.unread.get(id).cloned().unwrap_or_default(),
            denied: self.docs.denied.get(id).cloned().unwrap_or_default(),
            confirmed_by: overrides::confirmed_by(&self.docs, id).map(Private::of),
            trigger: text(&a["source"]),
            configuration: self.ingress(doc).map(configuration),
            pull_request: self.ingress(doc).and_then(|i| i["pull-request-number"].as_u64()),
            times: times(&a["status-timestamps"]),
            warnings: overrides::warnings(&self.docs, id),
        }
    }

    /// The cost estimate that a run names, else the one that was asked for by the run.
    fn estimate(&self, run: &str, doc: &Value) -> Option<&Value> {
        let of_run = || {
            let mut all = self.docs.all("cost-estimates");
            all.find(|(.., path)| path_part(path, "runs") == Some(run)).map(|(_, doc, _)| doc)
        };
        related(doc, "cost-estimate").and_then(|c| self.docs.get("cost-estimates", c)).or_else(of_run)
    }

    /// Whether the token does not see the plan of a run, or a plan.
    fn is_denied(&self, of: &str) -> bool {
        self.docs.denied.get(of).is_some_and(|what| what.iter().any(|w| w == "plan"))
    }

    /// What is said of where the configuration of a run comes from.
    fn ingress(&self, doc: &Value) -> Option<&Value> {
        let version = self.docs.get("configuration-versions", related(doc, "configuration-version")?)?;
        Some(&self.docs.get("ingress-attributes", related(version, "ingress-attributes")?)?["attributes"])
    }

    fn plan_of(&self, run: &str, doc: &Value) -> PlanRead {
        let id = related(doc, "plan").unwrap_or_default();
        match self.docs.plans.get(id).or(self.docs.plans.get(run)) {
            Some(plan) => plan.summary(),
            None if [id, run].iter().any(|of| self.is_denied(of)) => {
                PlanRead { state: "denied".into(), ..PlanRead::default() }
            }
            None => PlanRead { state: "absent".into(), ..PlanRead::default() },
        }
    }
}

/// Where a configuration comes from.
fn configuration(ingress: &Value) -> Origin {
    let text = |name: &str| ingress[name].as_str().unwrap_or_default().to_owned();
    Origin {
        repository: text("identifier"),
        branch: text("branch"),
        path: String::new(),
        commit: text("commit-sha"),
    }
}

/// When a run reached which state.
fn times(stamps: &Value) -> BTreeMap<String, Time> {
    let told = stamps.as_object().into_iter().flatten();
    told.filter_map(|(name, at)| Some((name.clone(), at.as_str()?.parse().ok()?))).collect()
}

fn cost(doc: &Value) -> Cost {
    let a = &doc["attributes"];
    Cost {
        status: a["status"].as_str().unwrap_or_default().to_owned(),
        monthly: a["proposed-monthly-cost"].as_str().map(str::to_owned),
        delta: a["delta-monthly-cost"].as_str().map(str::to_owned),
        priced: a["matched-resources-count"].as_i64().unwrap_or(0),
    }
}

/// `HOST/ORGANISATION`, as far as the config tells them.
pub(super) fn host(source: &Source) -> String {
    let address = source.location.parse::<http::Uri>().ok().filter(|a| a.scheme().is_some());
    let host = address.as_ref().and_then(|a| Some(a.authority()?.as_str())).unwrap_or("app.terraform.io");
    format!("{host}/{}", source.organization.as_deref().unwrap_or(&source.name))
}

/// Whether a path is one of documents of a type.
pub(super) fn is_own(path: &str, kind: &str) -> bool {
    path.split('/').any(|part| part.trim_end_matches(".json") == kind)
}

/// Whether bytes begin as a plan in JSON does, and not as a reply that refuses one.
fn is_plan(bytes: &[u8]) -> bool {
    let begin = &bytes[..bytes.len().min(200)];
    !["\"errors\"", "\"data\""].iter().any(|name| memchr::memmem::find(begin, name.as_bytes()).is_some())
}
