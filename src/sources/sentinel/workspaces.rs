//! Workspaces, as an organization lists them.

use super::super::Gathered;
use super::{Docs, host, is_own, related};
use crate::config::Source;
use crate::evidence::sentinel::{Origin, Workspace};
use crate::evidence::{Evidence, Kind, Time};

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
