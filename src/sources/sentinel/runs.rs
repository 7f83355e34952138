//! Runs: how far they went, who began them, and what was read of their plan and cost.

use super::super::Gathered;
use super::docs::{Docs, path_part, related};
use super::{host, overrides};
use crate::config::Source;
use crate::evidence::sentinel::{Cost, DELETED, Origin, PlanRead, Run};
use crate::evidence::{Evidence, Kind, Private, Time, json, sha256_hex};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every run of a look, and the ids of those that were applied, oldest first.
pub(super) fn read(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) -> Vec<String> {
    let mut applied: Vec<(Option<Time>, String)> = Vec::new();
    for (id, doc, _) in docs.all("runs") {
        let run = run(docs, id, doc);
        if run.status == "applied" {
            applied.push((run.applied, id.clone()));
        }
        push(out, source, &run, at);
    }
    for run in &docs.deleted {
        push(out, source, &Run { run: run.clone(), status: DELETED.into(), ..Run::default() }, at);
    }
    applied.sort();
    applied.into_iter().map(|(_, id)| id).collect()
}

fn push(out: &mut Gathered, source: &Source, run: &Run, at: Time) {
    // A plan or an estimate that is read later is a new entry, and the fold takes the latest.
    let known = sha256_hex(json(run).to_string().as_bytes());
    let key = format!("{}/{}/{}", run.run, run.status, &known[..12]);
    let subject = format!("tfe:{}/{}/{}", host(source), run.workspace, run.run);
    let at = run.applied.or(run.created).unwrap_or(at);
    out.evidence.push(Evidence::event(Kind::SentinelRun, &source.name, key, subject, at, run));
}

fn run(docs: &Docs, id: &str, doc: &Value) -> Run {
    let a = &doc["attributes"];
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let time = |v: &Value| v.as_str().and_then(|t| t.parse::<Time>().ok());
    let author = related(doc, "created-by");
    let of_run = |kind: &'static str, folder: &'static str| {
        let mut docs = docs.all(kind);
        docs.any(|(_, d, p)| related(d, "run") == Some(id) || path_part(p, folder) == Some(id))
    };
    let stages = [
        ("check", "policy-checks"),
        ("evaluation", "task-stages"),
        ("tf-evaluation", "tf-policy-evaluations"),
    ];
    let ingress = ingress(docs, doc);
    Run {
        run: id.to_owned(),
        workspace: docs.workspace(related(doc, "workspace").unwrap_or_default()),
        status: text(&a["status"]),
        created: time(&a["created-at"]),
        applied: time(&a["status-timestamps"]["applied-at"]),
        destroy: a["is-destroy"].as_bool().unwrap_or(false),
        targeted: a["target-addrs"].as_array().is_some_and(|t| !t.is_empty()),
        author: author.map(Private::of),
        author_kind: author.map(|u| overrides::actor_kind(docs, u)).unwrap_or_default(),
        stages: stages.iter().filter(|(_, k)| of_run(k, "runs")).map(|(s, _)| (*s).to_owned()).collect(),
        cost: estimate(docs, id, doc).map(cost),
        plan: plan(docs, id, doc),
        unread: lacking(&docs.unread, id, doc),
        denied: lacking(&docs.denied, id, doc),
        confirmed_by: overrides::confirmed_by(docs, id).map(Private::of),
        trigger: text(&a["source"]),
        configuration: ingress.map(configuration),
        pull_request: ingress.and_then(|i| i["pull-request-number"].as_u64()),
        times: times(&a["status-timestamps"]),
        warnings: overrides::warnings(docs, id),
    }
}

/// What lacks of a run, its cost estimate included.
fn lacking(documents: &BTreeMap<String, Vec<String>>, id: &str, doc: &Value) -> Vec<String> {
    let of_cost = related(doc, "cost-estimate").and_then(|cost| documents.get(cost));
    documents.get(id).into_iter().chain(of_cost).flatten().cloned().collect()
}

/// The cost estimate that a run names, else the one that was asked for by the run.
fn estimate<'d>(docs: &'d Docs, run: &str, doc: &Value) -> Option<&'d Value> {
    let of_run = || {
        let mut all = docs.all("cost-estimates");
        all.find(|(.., path)| path_part(path, "runs") == Some(run)).map(|(_, doc, _)| doc)
    };
    related(doc, "cost-estimate").and_then(|c| docs.get("cost-estimates", c)).or_else(of_run)
}

/// What is said of where the configuration of a run comes from.
fn ingress<'d>(docs: &'d Docs, run: &Value) -> Option<&'d Value> {
    let version = docs.get("configuration-versions", related(run, "configuration-version")?)?;
    Some(&docs.get("ingress-attributes", related(version, "ingress-attributes")?)?["attributes"])
}

fn plan(docs: &Docs, run: &str, doc: &Value) -> PlanRead {
    let ids = [related(doc, "plan").unwrap_or_default(), run];
    let lacks = |of: &BTreeMap<String, Vec<String>>| {
        ids.iter().any(|id| of.get(*id).is_some_and(|what| what.iter().any(|w| w == "plan")))
    };
    if let Some(plan) = ids.iter().find_map(|id| docs.plans.get(*id)) {
        return plan.summary();
    }
    let state = if lacks(&docs.denied) {
        "denied"
    } else if docs.too_long.contains(run) {
        "too long"
    } else if lacks(&docs.unread) {
        "unread"
    } else {
        "absent"
    };
    PlanRead { state: state.into(), ..PlanRead::default() }
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
