//! Versions of states, which tell of applies that no run explains.

use super::session::{Reply, Session, documents};
use super::{PAGE, Pass, WORKSPACES};
use crate::evidence::{DAY, Time};
use crate::sources::http::Refusal;
use crate::sources::live::{Record, Step};
use serde_json::{Value, json};

/// Pages of one workspace's list that are read, and how far back: as far as runs are listed.
const PAGES: usize = 20;
const YEAR: i64 = 365 * DAY;

/// Workspaces of a list whose current state is not in the record.
pub(super) fn changed(replies: &[Reply], record: &dyn Record) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for workspace in documents(replies, "data") {
        let state = workspace["relationships"]["current-state-version"]["data"]["id"].as_str();
        if let Some(state) = state.filter(|s| !s.is_empty())
            && record.delivered(state)?.is_none()
        {
            let name = json!({ "name": workspace["attributes"]["name"] });
            found.push(json!({ "type": "workspaces", "id": workspace["id"], "attributes": name }));
        }
    }
    Ok(found)
}

impl Pass<'_> {
    /// Versions of the states of workspaces whose state is another one than the record has.
    pub(super) fn states(&mut self, record: &dyn Record) -> Result<Step, String> {
        let mut look = self.look();
        let left = self.changed.split_off(self.changed.len().min(PAGE));
        let workspaces = std::mem::replace(&mut self.changed, left);
        look.parser.beside("workspaces", json!({ "data": workspaces }));
        let since = self.since.unwrap_or(self.now.plus_seconds(-YEAR));
        let targets = workspaces.iter().filter_map(|w| Some(of_workspace(w["id"].as_str()?)));
        let heads = self.session.heads(targets.collect());
        for (workspace, (target, head)) in workspaces.iter().zip(heads) {
            let (target, head) = match head {
                // The path that is documented, for one that is not served by all.
                Err(Refusal::NotServed(_) | Refusal::Failed(_)) => {
                    let target = self.listed(workspace);
                    let head = self.session.get(&target);
                    (target, head)
                }
                head => (target, head),
            };
            match head.and_then(|head| rest(&self.session, &target, head, since, record)) {
                Ok((replies, is_whole)) => {
                    let path = format!("workspaces/{}/state-versions", text(&workspace["id"]));
                    look.take(replies.into_iter().map(|r| Reply { path: path.clone(), ..r }).collect());
                    if !is_whole {
                        let of = text(&workspace["attributes"]["name"]);
                        look.gathered.gap(format!(
                            "states of workspace {of}: the newest {PAGES} pages alone were read"
                        ));
                    }
                }
                Err(refusal) => {
                    if matches!(refusal, Refusal::Failed(_)) {
                        // The next list of workspaces asks again.
                        self.cursor.workspaces = Some(self.now.plus_seconds(-WORKSPACES));
                    }
                    look.lacks(refusal, "states that were written without a run");
                }
            }
        }
        Ok(self.took(look))
    }

    fn listed(&self, workspace: &Value) -> String {
        let name = text(&workspace["attributes"]["name"]);
        format!(
            "state-versions?filter%5Bworkspace%5D%5Bname%5D={name}&filter%5Borganization%5D%5Bname%5D={}&page%5Bsize%5D=100",
            self.session.organization
        )
    }
}

fn of_workspace(id: &str) -> String {
    format!("workspaces/{id}/state-versions?page%5Bsize%5D=100")
}

/// Pages down to a version that is known or older than is asked for, and whether that was reached.
fn rest(
    session: &Session,
    target: &str,
    head: Reply,
    since: Time,
    record: &dyn Record,
) -> Result<(Vec<Reply>, bool), Refusal> {
    let mut replies = vec![head];
    for _ in 1..PAGES {
        let Some(page) = replies.last().and_then(|last| next(last, since, record)) else {
            return Ok((replies, true));
        };
        replies.push(session.get(&format!("{target}&page%5Bnumber%5D={page}"))?);
    }
    Ok((replies, false))
}

/// The page after this one, unless this one holds a version that is known or older than is asked for.
fn next(page: &Reply, since: Time, record: &dyn Record) -> Option<u64> {
    let created = |v: &Value| v["attributes"]["created-at"].as_str()?.parse::<Time>().ok();
    let is_reached = |v: &Value| {
        created(v).is_some_and(|t| t < since) || record.delivered(text(&v["id"])).is_ok_and(|k| k.is_some())
    };
    let next = page.body["meta"]["pagination"]["next-page"].as_u64()?;
    (!documents(std::slice::from_ref(page), "data").any(is_reached)).then_some(next)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
