//! Workspaces, as an organization lists them, and the versions of their states.

use super::super::Gathered;
use super::docs::{Docs, is_own, path_part, related};
use super::host;
use crate::config::Source;
use crate::evidence::sentinel::{Origin, StateVersion, Workspace};
use crate::evidence::{Evidence, Kind, Private, Time};

pub(super) fn read(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    for (id, document, path) in docs.all("workspaces") {
        // One that is included with a run may be cut down to its name.
        if !is_own(path, "workspaces") {
            continue;
        }
        let attributes = &document["attributes"];
        let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
        let repository = &attributes["vcs-repo"];
        let named = repository["identifier"].as_str().filter(|name| !name.is_empty());
        let payload = Workspace {
            gone: false,
            id: id.clone(),
            name: text("name"),
            project: related(document, "project").unwrap_or_default().to_owned(),
            execution: text("execution-mode"),
            auto_apply: attributes["auto-apply"].as_bool().unwrap_or(false),
            origin: named.map(|name| Origin {
                repository: name.to_owned(),
                branch: repository["branch"].as_str().unwrap_or_default().to_owned(),
                path: text("working-directory"),
                commit: String::new(),
            }),
        };
        let subject = format!("tfe:{}/workspaces/{id}", host(source));
        out.evidence.push(Evidence::state(Kind::TerraformWorkspace, &source.name, subject, at, &payload));
    }
}

/// Versions of states, each with the run that wrote it.
pub(super) fn states(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    for (id, document, path) in docs.all("state-versions") {
        let workspace = related(document, "workspace").or(path_part(path, "workspaces")).unwrap_or_default();
        let payload = StateVersion {
            id: id.clone(),
            workspace: docs.workspace(workspace),
            created: document["attributes"]["created-at"].as_str().and_then(|t| t.parse().ok()),
            run: related(document, "run").unwrap_or_default().to_owned(),
            author: related(document, "created-by").map(Private::of),
        };
        let subject = format!("tfe:{}/{}/{id}", host(source), payload.workspace);
        let (kind, at) = (Kind::TerraformStateVersion, payload.created.unwrap_or(at));
        out.evidence.push(Evidence::event(kind, &source.name, id.clone(), subject, at, &payload));
    }
}
