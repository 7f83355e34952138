//! Policy sets: where they apply, what they hold, and at which level they declare it.

use super::super::Gathered;
use super::docs::Docs;
use super::host;
use crate::config::Source;
use crate::evidence::sentinel::{Origin, Policy, PolicySet};
use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Levels that are declared for policies, each with the time since when the policy has stood unchanged.
pub(super) struct Levels {
    /// By name of the policy, whatever the set.
    by_policy: BTreeMap<String, BTreeSet<Declared>>,
    /// By names of set and policy.
    by_set: BTreeMap<(String, String), Declared>,
    /// Names of the sets that were read.
    sets: BTreeSet<String>,
}

/// A level, and since when.
type Declared = (String, Option<Time>);

impl Levels {
    /// As the list of policies states them.
    pub(super) fn of(docs: &Docs) -> Levels {
        let mut levels =
            Levels { by_policy: BTreeMap::new(), by_set: BTreeMap::new(), sets: BTreeSet::new() };
        for (_, policy, _) in docs.all("policies") {
            if let Some(level) = declared(policy) {
                levels.by_policy.entry(text(&policy["attributes"]["name"])).or_default().insert(level);
            }
        }
        for (_, set, _) in docs.all("policy-sets") {
            let name = text(&set["attributes"]["name"]);
            for policy in ids(set, "policies").iter().filter_map(|id| docs.get("policies", id)) {
                let place = (name.clone(), text(&policy["attributes"]["name"]));
                levels.by_set.extend(declared(policy).map(|level| (place, level)));
            }
            levels.sets.insert(name);
        }
        levels
    }

    /// The level of a policy in a set; of a set that was not read, the one that all policies of its name have. None where the
    /// policy was changed since: it may have been another.
    pub(super) fn declared(&self, set: &str, policy: &str, at: Option<Time>) -> Option<String> {
        let of_set = self.by_set.get(&(set.to_owned(), policy.to_owned()));
        let only =
            || self.by_policy.get(policy).filter(|all| all.len() == 1 && !self.sets.contains(set))?.first();
        let (level, since) = of_set.or_else(only)?;
        let is_later = since.zip(at).is_some_and(|(since, at)| since > at);
        (!is_later).then(|| level.clone())
    }
}

fn declared(policy: &Value) -> Option<Declared> {
    let since = policy["attributes"]["updated-at"].as_str().and_then(|t| t.parse().ok());
    Some((level(policy)?, since))
}

/// The level that a policy declares.
fn level(policy: &Value) -> Option<String> {
    let attributes = &policy["attributes"];
    let stated = attributes["enforcement-level"].as_str().or(attributes["enforce"][0]["mode"].as_str());
    stated.map(str::to_owned)
}

/// Policies of a set with their level; an id stands for one that was not read.
fn held(docs: &Docs, set: &Value) -> Vec<(String, String)> {
    let known = |id: &String| match docs.get("policies", id) {
        Some(policy) => (text(&policy["attributes"]["name"]), level(policy).unwrap_or_default()),
        None => (id.clone(), String::new()),
    };
    ids(set, "policies").iter().map(known).collect()
}

fn ids(set: &Value, name: &str) -> Vec<String> {
    let list = set["relationships"][name]["data"].as_array().into_iter().flatten();
    list.filter_map(|d| d["id"].as_str()).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The repository of a set, and the commit of its version that is in force.
fn origin(docs: &Docs, set: &Value) -> Option<Origin> {
    let (repository, version) =
        (&set["attributes"]["vcs-repo"], &set["relationships"]["current-version"]["data"]["id"]);
    let version = version.as_str().and_then(|v| docs.get("policy-set-versions", v));
    let ingress = version.map(|v| &v["attributes"]["ingress-attributes"]["commit-sha"]);
    let named = repository["identifier"].as_str().filter(|name| !name.is_empty())?;
    Some(Origin {
        repository: named.to_owned(),
        branch: text(&repository["branch"]),
        path: text(&set["attributes"]["policies-path"]),
        commit: ingress.map(text).unwrap_or_default(),
    })
}

pub(super) fn read(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    for (id, set, _) in docs.all("policy-sets") {
        let attributes = &set["attributes"];
        let is = |name: &str| attributes[name].as_bool().unwrap_or(false);
        let workspaces = |name: &str| ids(set, name).iter().map(|w| docs.workspace(w)).collect();
        let payload = PolicySet {
            gone: false,
            id: id.clone(),
            name: text(&attributes["name"]),
            global: is("global"),
            overridable: is("overridable"),
            engine: text(&attributes["kind"]),
            agent: is("agent-enabled"),
            origin: origin(docs, set),
            policies: held(docs, set),
            workspaces: workspaces("workspaces"),
            projects: ids(set, "projects"),
            excluded: workspaces("workspace-exclusions"),
        };
        let subject = format!("tfe:{}/policy-sets/{id}", host(source));
        out.evidence.push(Evidence::state(Kind::SentinelPolicySet, &source.name, subject, at, &payload));
    }
}

/// Policies whose text was read.
pub(super) fn policies(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    for (id, content) in &docs.texts {
        let document = docs.get("policies", id);
        let payload = Policy {
            gone: false,
            id: id.clone(),
            name: document.map(|d| text(&d["attributes"]["name"])).unwrap_or_default(),
            level: document.and_then(level).unwrap_or_default(),
            sha256: sha256_hex(content.as_bytes()),
            text: content.clone(),
        };
        let subject = format!("tfe:{}/policies/{id}", host(source));
        out.evidence.push(Evidence::state(Kind::SentinelPolicy, &source.name, subject, at, &payload));
    }
}
