//! The documents of one look, which lead to each other by type and id.

use super::plan::Plan;
use crate::evidence::Time;
use crate::sources::Notice;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything of one look, by type and id, with the path each came from.
#[derive(Default)]
pub(super) struct Docs {
    pub by_type: BTreeMap<String, BTreeMap<String, (Value, String)>>,
    pub plans: BTreeMap<String, Plan>,
    /// Texts of policies, by id.
    pub texts: BTreeMap<String, String>,
    /// Documents of a run that the token does not see, and that could not be read.
    pub denied: BTreeMap<String, Vec<String>>,
    pub unread: BTreeMap<String, Vec<String>>,
    /// Runs whose plan is longer than is read.
    pub too_long: BTreeSet<String>,
    pub trail: Vec<Value>,
    /// Since when the audit trail tells everything.
    pub trail_from: Option<Time>,
    /// What notifications said of runs.
    pub notices: Vec<Notice>,
    pub paths: Vec<String>,
    pub deleted: Vec<String>,
}

impl Docs {
    /// Documents of a type: id, document, and the path that gave it.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = (&String, &Value, &str)> {
        self.by_type.get(kind).into_iter().flatten().map(|(id, (doc, path))| (id, doc, path.as_str()))
    }

    /// A document.
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

    /// What entries of runs tell if it lacks: an id and what stands under it; an empty text for everything.
    pub(super) fn told_by_runs(&self) -> BTreeSet<(&str, &str)> {
        let mut told = BTreeSet::new();
        for (id, run, _) in self.all("runs") {
            told.insert((id.as_str(), ""));
            told.extend(
                ["plan", "cost-estimate"].into_iter().filter_map(|part| Some((related(run, part)?, part))),
            );
        }
        told
    }

    /// Whether a document with such a path was read.
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

/// Whether a path is one of documents of a type.
pub(super) fn is_own(path: &str, kind: &str) -> bool {
    path.split('/').any(|part| part.trim_end_matches(".json") == kind)
}
