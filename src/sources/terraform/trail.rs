//! The audit trail, which HCP Terraform keeps for 14 days and Terraform Enterprise does not have. It tells who overrode.

use super::Refusal;
use super::cursor::Cursor;
use super::look::Look;
use super::session::{Reply, Session};
use crate::evidence::{DAY, Time};
use crate::sources::sentinel::{is_override, named_run};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds that events stay, and in which one may come late.
const KEPT: i64 = 14 * DAY;
const OVERLAP: i64 = 3_600;

/// What the trail tells of overrides.
pub(super) struct Overrides {
    /// Since when it was read.
    pub from: Time,
    /// Runs that it names.
    pub runs: Vec<String>,
    /// Its events, as if they were all there are, and who they name.
    pub told: Vec<Reply>,
}

/// Reads what is new; none where it cannot be read.
pub(super) fn read(session: &Session, look: &mut Look<'_>, cursor: &Cursor, now: Time) -> Option<Overrides> {
    if !session.has_audit_token() {
        return None;
    }
    let oldest = now.plus_seconds(-KEPT);
    let since = cursor.trail.map_or(oldest, |t| t.plus_seconds(-OVERLAP));
    if since < oldest {
        let lost = "events of the audit trail, which HCP Terraform keeps for 14 days";
        look.gathered
            .gap(format!("between {since} and {oldest} nothing was read: {lost}, are gone for that span"));
    }
    let from = since.max(oldest);
    match session.all(&format!("organization/audit-trail?since={from}")) {
        Ok(mut replies) => {
            let events = replies.iter_mut().flat_map(|r| r.body["data"].as_array_mut().map(std::mem::take));
            let events: Vec<Value> = events.flatten().collect();
            look.note(&replies);
            look.gathered.keep(events.len() as u64);
            // The parser is given those of overrides alone.
            let overrides = with_runs(session, look, events.into_iter().filter(is_override).collect());
            let path = replies.swap_remove(0).path;
            let mut told = who(session, look, &overrides);
            let runs = overrides.iter().filter_map(named_run).map(str::to_owned).collect();
            told.push(Reply { path, body: json!({ "data": overrides }), sha256: String::new() });
            Some(Overrides { from, runs, told })
        }
        Err(refusal) => {
            look.lacks(refusal, "who let policies through; HCP Terraform forgets it after 14 days");
            None
        }
    }
}

/// Events, each with its run: where one names none, what was overridden leads there, a stage of it at most between.
fn with_runs(session: &Session, look: &mut Look<'_>, mut events: Vec<Value>) -> Vec<Value> {
    let unnamed = events.iter().filter(|e| named_run(e).is_none());
    let mut ways: BTreeMap<String, String> = unnamed.filter_map(place).map(|p| (p.clone(), p)).collect();
    let mut runs: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..2 {
        let asked = session.several(ways.keys().cloned().collect());
        let mut next = BTreeMap::new();
        for (target, replies) in asked {
            let (from, found) = (ways[&target].clone(), replies.as_ref().ok().and_then(|r| r.first()));
            let relationships = found.map(|r| &r.body["data"]["relationships"]);
            let leads = |name: &str| relationships?[name]["data"]["id"].as_str().map(str::to_owned);
            if let Some(run) = leads("run") {
                runs.insert(from, run);
            } else if let Some(stage) = leads("policy-attachable") {
                next.insert(format!("task-stages/{stage}"), from);
            }
        }
        ways = next;
    }
    for event in &mut events {
        let run = named_run(event).map(str::to_owned).or_else(|| runs.get(&place(event)?).cloned());
        match run {
            Some(run) => name_run(event, &run),
            None => look.gathered.gap(format!(
                "the audit trail tells an override of {}, and of which run it is, nothing tells",
                event["resource"]["id"]
            )),
        }
    }
    events
}

/// Where the API has what an event is about.
fn place(event: &Value) -> Option<String> {
    let (kind, id) = (event["resource"]["type"].as_str()?, event["resource"]["id"].as_str()?);
    Some(format!("{}s/{id}", kind.replace('_', "-")))
}

fn name_run(event: &mut Value, run: &str) {
    if let Some(resource) = event.get_mut("resource").and_then(Value::as_object_mut) {
        let mut meta = resource.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
        meta.insert("run".into(), run.into());
        resource.insert("meta".into(), meta.into());
    }
}

/// The accounts that events name: whether one is of a person, it says itself.
fn who(session: &Session, look: &mut Look<'_>, events: &[Value]) -> Vec<Reply> {
    let auth = |event: &Value| {
        let auth = &event["auth"];
        auth["impersonator_id"].as_str().or(auth["accessor_id"].as_str()).map(|id| format!("users/{id}"))
    };
    let accounts: BTreeSet<String> = events.iter().filter_map(auth).collect();
    let mut found = Vec::new();
    for (account, replies) in session.several(accounts.into_iter().collect()) {
        match replies {
            Ok(replies) => found.extend(replies),
            // One that was deleted stays unknown.
            Err(Refusal::NotServed(_)) => {}
            Err(refusal) => {
                // Gaps are open to everybody: they name no account.
                let why = refusal.why().replace(&account, "users/…");
                look.gathered.gap(format!(
                    "{why}; not in the record: whether a person or a service let a policy through"
                ));
            }
        }
    }
    found
}

/// Whether the trail can be read, in words.
pub(super) fn waiting(session: &Session, now: Time) -> Result<String, String> {
    if !session.has_audit_token() {
        return Ok(
            "no audit_token_file: who let a policy through is told by run events and comments alone".into()
        );
    }
    let trail = session.get(&format!("organization/audit-trail?since={now}"));
    trail.map(|_| "the audit trail is read".into()).map_err(Refusal::why)
}
