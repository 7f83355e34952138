//! HCP Terraform and Sentinel, from documents as the API returns them, one file per request path.
//!
//! Documents are known by their JSON:API type; the path tells what a document does not say, its run for example.

mod checks;
mod docs;
mod evaluations;
mod outcomes;
mod overrides;
mod plan;
mod runs;
mod sets;
mod workspaces;

pub(super) use overrides::{is_override, named_run};

use super::{Gathered, Notice};
use crate::config::Source;
use crate::evidence::sentinel::PlanRead;
use crate::evidence::{DAY, Kind, Time};
use docs::{Docs, is_own, path_part};
use plan::Plan;
use serde_json::Value;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::io::Read;

/// Seconds that HCP Terraform keeps its audit trail.
const TRAIL: i64 = 14 * DAY;

/// What rules about a run read of its plan, from JSON as `terraform show -json` prints it.
///
/// # Errors
/// It is no plan.
pub fn read_plan(json: impl Read) -> serde_json::Result<PlanRead> {
    Plan::read(json).map(|plan| plan.summary())
}

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
    pages: BTreeSet<String>,
    /// Documents that were refused, by path, and why.
    refused: Vec<(String, String)>,
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
            pages: BTreeSet::new(),
            refused: Vec::new(),
        }
    }

    /// Takes one document.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if !path.ends_with(".json") {
            self.out.refuse(path, "is no document of the API: its replies are JSON".into());
            return;
        }
        if path.contains("/json-output") && is_plan(bytes) {
            return self.plan_of_look(path, bytes);
        }
        let Some(doc) = self.out.json(path, bytes) else { return };
        if doc["resource_changes"].is_array() || doc["format_version"].is_string() {
            return self.plan_of_look(path, bytes);
        }
        self.docs.paths.push(path.to_owned());
        if let Some(errors) = doc["errors"].as_array() {
            let first = errors.first().cloned().unwrap_or_default();
            let status = first["status"].as_str().map_or_else(|| first["status"].to_string(), str::to_owned);
            let what = format!("the API answered {status}: {}", first["title"].as_str().unwrap_or_default());
            let is_passing = status == "429" || status.starts_with('5');
            for (of, what) in of_run(path) {
                if is_passing { self.unread(of, what) } else { self.denied(of, what) }
            }
            self.refused.push((path.to_owned(), what));
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

    fn plan_of_look(&mut self, path: &str, bytes: &[u8]) {
        if let Err(why) = self.read_plan(path, bytes) {
            self.refused.push((path.to_owned(), why));
        }
    }

    /// Takes a plan, which may be long, and says whether it is one. What is none is a gap of this pass: a later one asks again.
    pub fn plan(&mut self, path: &str, json: impl Read) -> bool {
        let read = self.read_plan(path, json);
        if let Err(why) = &read {
            self.out.refuse(path, why.clone());
        }
        read.is_ok()
    }

    fn read_plan(&mut self, path: &str, json: impl Read) -> Result<(), String> {
        let of = path_part(path, "plans").or(path_part(path, "runs")).unwrap_or_default().to_owned();
        match Plan::read(json) {
            Ok(plan) => {
                self.out.keep(1);
                self.docs.plans.insert(of, plan);
                Ok(())
            }
            Err(e) => {
                self.unread(&of, "plan");
                Err(format!("is no plan: {e}"))
            }
        }
    }

    /// Says that a plan is longer than what is read.
    pub fn too_long(&mut self, run: &str) {
        self.docs.too_long.insert(run.to_owned());
    }

    /// With an audit trail that tells everything since a time.
    pub fn with_trail_from(mut self, from: Option<Time>) -> Parser<'a> {
        self.docs.trail_from = from;
        self
    }

    /// With what notifications said of runs.
    pub fn with_notices(mut self, notices: Vec<Notice>) -> Parser<'a> {
        self.docs.notices = notices;
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

    /// The run that a path is of, through what was read: `runs/run-x`, `task-stages/ts-x`, `policy-evaluations/poleval-x`.
    pub fn run_of(&self, path: &str) -> String {
        let (kind, id) = path.split_once('/').unwrap_or_default();
        match kind {
            "runs" => id.to_owned(),
            "task-stages" => evaluations::run_of_stage(&self.docs, id),
            _ => evaluations::run_of(&self.docs, id),
        }
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
        // What lacks of a run that the look shows, the entry of the run tells.
        let told = self.docs.told_by_runs();
        for (path, why) in &self.refused {
            if of_run(path).iter().any(|(of, what)| told.contains(&(*of, "")) || told.contains(&(*of, *what)))
            {
                self.out.refuse_told(path, why.clone());
            } else {
                self.out.refuse(path, why.clone());
            }
        }
        for id in runs::read(&mut self.out, self.source, &self.docs, self.at) {
            plan::resources(&mut self.out, self.source, &self.docs, &id, self.at);
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
        let [runs, outcomes, overrides] =
            [Kind::SentinelRun, Kind::SentinelOutcome, Kind::SentinelOverride].map(count);
        self.out.read = format!("{runs} runs, {outcomes} policy outcomes, {overrides} overrides");
        self.out
    }
}

/// The run, plan or cost estimate that a path is of, and what of a run stands there.
fn of_run(path: &str) -> Vec<(&str, &str)> {
    let cost = path_part(path, "cost-estimates").map(|cost| (cost, "cost-estimate"));
    let of = path_part(path, "plans").or(path_part(path, "runs")).map(|of| {
        let what = path.trim_end_matches(".json").rsplit('/').next().unwrap_or_default();
        let of_plan = ["plan", of].contains(&what) || what.starts_with("json-output");
        (of, if of_plan { "plan" } else { what })
    });
    cost.into_iter().chain(of).collect()
}

/// `HOST/ORGANISATION`, as far as the config tells them.
pub(super) fn host(source: &Source) -> String {
    let address = source.location.parse::<http::Uri>().ok().filter(|a| a.scheme().is_some());
    let host = address.as_ref().and_then(|a| Some(a.authority()?.as_str())).unwrap_or("app.terraform.io");
    format!("{host}/{}", source.organization.as_deref().unwrap_or(&source.name))
}

/// Whether bytes begin as a plan in JSON does, and not as a reply that refuses one.
fn is_plan(bytes: &[u8]) -> bool {
    let begin = &bytes[..bytes.len().min(200)];
    !["\"errors\"", "\"data\""].iter().any(|name| memchr::memmem::find(begin, name.as_bytes()).is_some())
}
