//! Runs of an organization: those that are asked for by their id, and the pages of their list.

use super::details;
use super::look::Look;
use super::session::documents;
use super::{PAGE, Pass};
use crate::evidence::sentinel::is_final;
use crate::evidence::{DAY, Time};
use crate::sources::http::Refusal;
use crate::sources::live::{Record, Step};
use serde_json::Value;
use std::collections::BTreeSet;

/// Seconds for which a run that cannot be read holds the audit trail back, so that it is read beside.
const HOLDS: i64 = 7 * DAY;

impl Pass<'_> {
    /// Runs that are read by their id, a page of them at a time.
    pub(super) fn by_id(&mut self) -> Result<Step, String> {
        let mut look = self.look();
        let left = self.open.split_off(self.open.len().min(PAGE));
        let ids = std::mem::replace(&mut self.open, left);
        let targets = ids.iter().map(|id| format!("runs/{id}?{}", details::INCLUDED)).collect();
        let (mut runs, before) = (Vec::new(), &self.context.runs.denied);
        for (id, (_, reply)) in ids.iter().zip(self.session.several(targets)) {
            match reply {
                Ok(replies) => {
                    runs.extend(replies.iter().map(|r| r.body["data"].clone()));
                    look.take(replies);
                    self.done.insert(id.clone());
                }
                Err(Refusal::NotServed(why)) => {
                    look.parser.deleted(id);
                    look.denied.insert(id.clone());
                    self.done.insert(id.clone());
                    if !before.contains(id) {
                        let what = "the run was deleted, or the token no longer sees it";
                        look.gathered.gap(format!("{why}; {what}"));
                    }
                }
                Err(refusal) => look.lacks_of_run(&self.session, id, "runs", refusal)?,
            }
        }
        self.details(&mut look, &runs)?;
        let holds = look.unread.iter().any(|(run, what)| what != "plan" && self.named.contains(run));
        self.trail_is_done &= !holds || self.trail_is_old();
        self.try_denied(&look);
        self.plan_retry();
        self.pass_trail();
        Ok(self.took(look))
    }

    fn trail_is_old(&self) -> bool {
        self.cursor.trail.is_some_and(|t| self.now.since(t).as_secs() > HOLDS)
    }

    /// Everything of runs that are final, and of those that the trail names: it may be gone once they are.
    fn details(&mut self, look: &mut Look<'_>, runs: &[Value]) -> Result<(), String> {
        let is_due = |run: &&Value| {
            is_final(details::status(run)) || run["id"].as_str().is_some_and(|id| self.named.contains(id))
        };
        look.runs(&self.session, &runs.iter().filter(is_due).collect::<Vec<_>>())?;
        let before = &self.context.runs.lacking;
        self.lacks_more |= look.unread.iter().any(|(run, _)| !before.contains(run));
        Ok(())
    }

    /// Once the token sees everything of one run of which it did not, all such runs are read again.
    fn try_denied(&mut self, look: &Look<'_>) {
        let is_seen = |id: &String| self.done.contains(id) && !look.denied.contains(id);
        if self.probe.take_if(|id| is_seen(id)).is_some() {
            let others = self.context.runs.denied.iter().filter(|id| !self.done.contains(*id));
            self.open.extend(others.cloned());
        }
    }

    /// A page of the list of runs.
    pub(super) fn page(&mut self, record: &dyn Record) -> Result<Step, String> {
        let mut look = self.look();
        let page = self.cursor.scans.first().map_or(1, |scan| scan.page);
        let target = format!(
            "organizations/{}/runs?page%5Bsize%5D={PAGE}&page%5Bnumber%5D={page}&{}",
            self.session.organization,
            details::INCLUDED
        );
        let mut reply = self.session.get(&target).map_err(Refusal::why)?;
        let created = |run: &Value| run["attributes"]["created-at"].as_str()?.parse::<Time>().ok();
        let times: BTreeSet<Time> =
            documents(std::slice::from_ref(&reply), "data").filter_map(created).collect();
        let is_last = reply.body["meta"]["pagination"]["next-page"].is_null();
        let mut new = Vec::new();
        for run in reply.body["data"].as_array().cloned().unwrap_or_default() {
            let id = run["id"].as_str().unwrap_or_default().to_owned();
            if record.delivered(&id)?.is_none() && self.done.insert(id) {
                new.push(run);
            }
        }
        reply.body["data"] = new.clone().into();
        look.take(vec![reply]);
        self.details(&mut look, &new)?;
        self.plan_retry();
        self.cursor.turned(times.last().copied().zip(times.first().copied()), is_last);
        Ok(self.took(look))
    }
}
