//! The audit trail, which HCP Terraform keeps for 14 days and Terraform Enterprise does not have. It tells who overrode.

use super::cursor::Cursor;
use super::session::{Reply, Session};
use super::{Look, Refusal};
use crate::evidence::Time;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Seconds that events stay, and in which one may come late.
const KEPT: i64 = 14 * 86_400;
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
            let runs = events.iter().filter_map(overridden).map(str::to_owned).collect();
            // The parser is given those of overrides alone.
            look.note(&replies);
            look.gathered.keep(events.len() as u64);
            let overrides: Vec<Value> = events.into_iter().filter(|e| overridden(e).is_some()).collect();
            let path = replies.swap_remove(0).path;
            let mut told = who(session, look, &overrides);
            told.push(Reply { path, body: json!({ "data": overrides }), sha256: String::new() });
            Some(Overrides { from, runs, told })
        }
        Err(refusal) => {
            look.lacks(refusal, "who let policies through; HCP Terraform forgets it after 14 days");
            None
        }
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
    for (_, replies) in session.several(accounts.into_iter().collect()) {
        match replies {
            Ok(replies) => found.extend(replies),
            // One that was deleted stays unknown.
            Err(Refusal::NotServed(_)) => {}
            Err(refusal) => look.lacks(refusal, "whether a person or a service let a policy through"),
        }
    }
    found
}

/// The run of an event that tells of an override.
fn overridden(event: &Value) -> Option<&str> {
    let (resource, meta) = (&event["resource"], &event["resource"]["meta"]);
    let is_override = resource["action"].as_str().is_some_and(|a| a.starts_with("overrid"));
    [&meta["run"], &meta["run_id"]].into_iter().find_map(Value::as_str).filter(|_| is_override)
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
