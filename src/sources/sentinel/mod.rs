//! HCP Terraform and Sentinel, from documents as the API returns them, one file per request path.
//!
//! Documents are known by their JSON:API type; the path tells what a document does not say, its run for example.

mod overrides;
mod plan;
mod policies;

use super::Gathered;
use crate::config::Source;
use crate::evidence::sentinel::{Cost, PlanRead, Run};
use crate::evidence::{Evidence, Kind, Private, Time};
use serde_json::Value;
use std::collections::BTreeMap;

/// Parser of one look.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    out: Gathered,
    docs: Docs,
    listed_sets: bool,
    next_pages: Vec<(String, String)>,
    pages: std::collections::BTreeSet<String>,
}

/// Everything of one look, by type and id, with the path each came from.
#[derive(Default)]
pub(super) struct Docs {
    by_type: BTreeMap<String, BTreeMap<String, (Value, String)>>,
    plans: BTreeMap<String, Value>,
    denied: BTreeMap<String, String>,
    trail: Vec<Value>,
    paths: Vec<String>,
}

impl Docs {
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = (&String, &Value, &str)> {
        self.by_type.get(kind).into_iter().flatten().map(|(id, (doc, path))| (id, doc, path.as_str()))
    }
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.by_type.get(kind)?.get(id).map(|(doc, _)| doc)
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
        let Some(mut doc) = self.out.json(path, bytes) else { return };
        self.docs.paths.push(path.to_owned());
        if doc["resource_changes"].is_array() || doc["format_version"].is_string() {
            self.out.keep(1);
            let plan = path_part(path, "plans").or(path_part(path, "runs")).unwrap_or_default().to_owned();
            self.docs.plans.insert(plan, doc);
            return;
        }
        if let Some(errors) = doc["errors"].as_array() {
            let first = errors.first().cloned().unwrap_or_default();
            let status = first["status"].as_str().map_or_else(|| first["status"].to_string(), str::to_owned);
            let what = format!("the API answered {status}: {}", first["title"].as_str().unwrap_or_default());
            if let Some(plan) = path_part(path, "plans").or(path_part(path, "runs")) {
                self.docs.denied.insert(plan.to_owned(), what.clone());
            }
            self.out.refuse(path, what);
            return;
        }
        let next = doc["links"]["next"].as_str().or(doc["pagination"]["next_page"].as_str());
        if let Some(next) = next {
            self.next_pages.push((path.to_owned(), next.to_owned()));
        }
        self.listed_sets |= path.ends_with("policy-sets.json") && next.is_none();
        self.pages.extend(doc["links"]["self"].as_str().map(str::to_owned));
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
        self.docs.by_type.entry(kind).or_default().entry(id).or_insert((doc, path.to_owned()));
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
        policies::outcomes(&mut self.out, self.source, &self.docs, self.at);
        policies::sets(&mut self.out, self.source, &self.docs, self.at);
        overrides::read(&mut self.out, self.source, &self.docs, self.at);
        if self.listed_sets {
            self.out.listed_whole(Kind::SentinelPolicySet);
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
        let stages = [("check", "policy-checks"), ("evaluation", "task-stages")];
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
            cost: related(doc, "cost-estimate").and_then(|c| self.docs.get("cost-estimates", c)).map(cost),
            plan: self.plan(id, doc),
            warnings: overrides::warnings(&self.docs, id),
        }
    }

    fn plan(&self, run: &str, doc: &Value) -> PlanRead {
        let id = related(doc, "plan").unwrap_or_default();
        match self.docs.plans.get(id).or(self.docs.plans.get(run)) {
            Some(json) => plan::summary(json),
            None if self.docs.denied.contains_key(id) || self.docs.denied.contains_key(run) => {
                PlanRead { state: "denied".into(), ..PlanRead::default() }
            }
            None => PlanRead { state: "absent".into(), ..PlanRead::default() },
        }
    }
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
    format!("app.terraform.io/{}", source.organization.as_deref().unwrap_or(&source.name))
}
