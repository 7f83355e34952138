//! Who let a failed policy through, and why: audit trail first, then run events, then comments on the run.

use super::super::Gathered;
use super::docs::{Docs, path_part, related};
use super::evaluations::{SHAPES, run_of};
use super::{checks, host};
use crate::config::Source;
use crate::evidence::sentinel::Override;
use crate::evidence::{Evidence, Kind, Private, Time};
use crate::sources::Notice;
use serde_json::Value;
use std::collections::BTreeMap;

/// Milliseconds within which two things happened at once: replies tell seconds.
const NEAR: i64 = 2_000;
/// The same for events of the trail, which are written down elsewhere.
const TRAIL_NEAR: i64 = 30_000;

/// `person`, or `service` for a token, a team or the system itself; empty when the look holds no such user.
pub(super) fn actor_kind(docs: &Docs, user: &str) -> String {
    let attributes = docs.get("users", user).map(|u| &u["attributes"]);
    let name = attributes.and_then(|a| a["username"].as_str()).unwrap_or(user);
    let service = attributes.is_some_and(|a| a["is-service-account"] == true)
        || name.starts_with("api-org-")
        || name.starts_with("api-team");
    match attributes {
        _ if service => "service".into(),
        Some(_) => "person".into(),
        None => String::new(),
    }
}

/// Changes by which policies ran weaker than configured, as run events tell.
pub(super) fn warnings(docs: &Docs, run: &str) -> Vec<String> {
    let weak = ["changed_policy_enforcements", "changed_task_enforcements", "ignored_policy_sets"];
    let events = docs.all("run-events").filter(|(_, _, path)| path_part(path, "runs") == Some(run));
    let of = |e: &Value| {
        let a = &e["attributes"];
        let action = a["action"].as_str().filter(|x| weak.contains(x))?;
        Some(format!("{action}: {}", a["description"].as_str().unwrap_or_default()))
    };
    events.filter_map(|(_, e, _)| of(e)).collect()
}

/// Who confirmed or discarded a run, as run events tell.
pub(super) fn confirmed_by<'d>(docs: &'d Docs, run: &str) -> Option<&'d str> {
    let mut events = docs.all("run-events").filter(|(_, _, path)| path_part(path, "runs") == Some(run));
    let decides =
        |e: &&Value| ["confirmed", "discarded"].map(Some).contains(&e["attributes"]["action"].as_str());
    events.find_map(|(_, e, _)| related(Some(e).filter(decides)?, "actor"))
}

pub(super) fn read(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    for (id, check, path) in
        docs.all("policy-checks").filter(|(_, c, _)| c["attributes"]["status"] == "overridden")
    {
        let run = related(check, "run").or(path_part(path, "runs")).unwrap_or_default();
        let when =
            check["attributes"]["status-timestamps"]["overridden-at"].as_str().and_then(|t| t.parse().ok());
        let failed = checks::policies(check)
            .into_iter()
            .filter(|(_, _, s)| s != "passed")
            .map(|(_, p, _)| p)
            .collect();
        push(out, source, docs, at, accountability(docs, id, run, when, failed));
    }
    for shape in &SHAPES {
        // Evaluations are let through with their task stage, all that failed at once.
        let mut stages: BTreeMap<&str, (String, Option<Time>, Vec<String>)> = BTreeMap::new();
        let all = docs.all(shape.evaluations);
        for (id, evaluation, path) in all.filter(|(_, e, _)| e["attributes"]["status"] == "overridden") {
            let stage = related(evaluation, "policy-attachable").or(path_part(path, "task-stages"));
            let stamps = &evaluation["attributes"]["status-timestamps"];
            let when: Option<Time> = stamps["overridden-at"].as_str().and_then(|t| t.parse().ok());
            let run = || (run_of(docs, id), when, Vec::new());
            let found = stages.entry(stage.unwrap_or(id)).or_insert_with(run);
            found.1 = [found.1, when].into_iter().flatten().min();
            found.2.extend(shape.failed(docs, id));
        }
        for (stage, (run, when, failed)) in stages {
            push(out, source, docs, at, accountability(docs, stage, &run, when, failed));
        }
    }
}

fn push(out: &mut Gathered, source: &Source, docs: &Docs, at: Time, mut found: Override) {
    found.workspace = docs.workspace_of_run(&found.run);
    // A later look may know more of the same override: that is a new entry, and the fold keeps what is known.
    let known = crate::evidence::sha256_hex(crate::evidence::json(&found).to_string().as_bytes());
    let key = format!("{}/{}", found.stage, &known[..12]);
    let subject = format!("tfe:{}/{}/{}/{}", host(source), found.workspace, found.run, found.stage);
    let at = found.at.unwrap_or(at);
    out.evidence.push(Evidence::event(Kind::SentinelOverride, &source.name, key, subject, at, &found));
}

fn accountability(docs: &Docs, stage: &str, run: &str, at: Option<Time>, policies: Vec<String>) -> Override {
    let mut found = Override {
        run: run.to_owned(),
        stage: stage.to_owned(),
        policies,
        at,
        looked_in: looked_in(docs, run, at),
        ..Override::default()
    };
    let mut actor: Option<String> = None;
    if let Some(event) = trail_event(docs, stage, run, at) {
        let auth = &event["auth"];
        found.access = auth["type"].as_str().unwrap_or_default().to_owned();
        let person = auth["impersonator_id"].as_str().or(auth["accessor_id"].as_str());
        if let Some(person) = person {
            found.actor_kind =
                if auth["type"] == "System" { "service".into() } else { actor_kind(docs, person) };
            actor = Some(person.to_owned());
            found.actor_from.push("audit-trail".into());
        }
        let resource = &event["resource"];
        let comment = resource["meta"]["comment"].as_str().or(event["comment"].as_str());
        reason(&mut found, comment, "audit-trail");
    }
    if let Some((event, user)) = override_event(docs, run, at)
        && actor.is_none()
    {
        found.actor_kind = actor_kind(docs, user);
        actor = Some(user.to_owned());
        found.actor_from.push("run-events".into());
        let comment = related(event, "comment").and_then(|c| docs.get("comments", c));
        reason(&mut found, comment.and_then(|c| c["attributes"]["body"].as_str()), "run-events");
    }
    if let Some(user) = notified(docs, run, at).filter(|_| actor.is_none()) {
        found.actor_kind = actor_kind(docs, &user);
        actor = Some(user);
        found.actor_from.push("webhook".into());
        found.looked_in.push("webhook".into());
    }
    for (_, comment, _) in docs.all("comments").filter(|(_, _, p)| path_part(p, "runs") == Some(run)) {
        let by = related(comment, "run-event")
            .and_then(|e| docs.get("run-events", e))
            .and_then(|e| related(e, "actor"));
        if by.is_some() && by == actor.as_deref() {
            reason(&mut found, comment["attributes"]["body"].as_str(), "run-comment");
        }
    }
    let author = docs.get("runs", run).and_then(|r| related(r, "created-by"));
    found.actor_is_author = actor.as_deref().zip(author).map(|(a, b)| a == b);
    found.actor = actor.map(Private::of);
    found
}

/// The event of the trail that tells of an override: of its stage, else of its run at that time, as a run may be let through twice.
fn trail_event<'d>(docs: &'d Docs, stage: &str, run: &str, at: Option<Time>) -> Option<&'d Value> {
    let events = || docs.trail.iter().filter(|e| is_override(e));
    let of_stage = events().find(|e| e["resource"]["id"] == stage);
    let when = |e: &Value| e["timestamp"].as_str().and_then(|t| t.parse::<Time>().ok());
    let of_run = || events().filter(|e| named_run(e) == Some(run)).min_by_key(|e| distance(when(e), at));
    of_stage.or_else(|| of_run().filter(|e| distance(when(e), at) <= TRAIL_NEAR))
}

/// Who changed a run at the time of an override, as a notification says: the id of the user, or the name where that was not read.
fn notified(docs: &Docs, run: &str, at: Option<Time>) -> Option<String> {
    at?;
    let of_run = docs.notices.iter().filter(|n| n.run == run);
    let away = |n: &&Notice| distance(Some(n.at), at);
    let name = &of_run.min_by_key(away).filter(|n| away(n) <= NEAR)?.by;
    let is_named = |user: &Value| user["attributes"]["username"] == **name;
    let known = docs.all("users").find(|(_, user, _)| is_named(user));
    Some(known.map_or_else(|| name.clone(), |(id, ..)| id.clone()))
}

/// Milliseconds between when something happened and an override; none where nobody tells when that was.
fn distance(when: Option<Time>, at: Option<Time>) -> i64 {
    let Some(at) = at else { return 0 };
    when.map_or(i64::MAX, |when| (when.millis() - at.millis()).abs())
}

/// Where was looked for who and why. The audit trail tells nothing of what is older than its events.
fn looked_in(docs: &Docs, run: &str, at: Option<Time>) -> Vec<String> {
    let in_trail = docs.trail_from.zip(at).is_some_and(|(from, at)| at >= from);
    let places = [
        ("run-events", format!("runs/{run}/run-events.json")),
        ("run-comments", format!("runs/{run}/comments.json")),
    ];
    let read = places.into_iter().filter(|(_, path)| docs.read_path(path)).map(|(name, _)| name);
    in_trail.then_some("audit-trail").into_iter().chain(read).map(str::to_owned).collect()
}

/// Whether an event of the audit trail tells that somebody let a policy through.
pub(in super::super) fn is_override(event: &Value) -> bool {
    let resource = &event["resource"];
    let kinds = ["policy_check", "policy_evaluation", "tf_policy_evaluation", "task_stage"];
    let kind = resource["type"].as_str().is_some_and(|t| kinds.contains(&t));
    kind && resource["action"].as_str().is_some_and(|a| a.starts_with("overrid"))
}

/// The run that an event of the audit trail names. Where it stands in the event is not published.
pub(in super::super) fn named_run(event: &Value) -> Option<&str> {
    let meta = &event["resource"]["meta"];
    [&meta["run"], &meta["run"]["id"], &meta["run_id"]].into_iter().find_map(Value::as_str)
}

/// The value that run events use for an override is not published: an action that names one, or one at its very time.
fn override_event<'d>(docs: &'d Docs, run: &str, at: Option<Time>) -> Option<(&'d Value, &'d str)> {
    let events = docs.all("run-events").filter(|(_, _, p)| path_part(p, "runs") == Some(run));
    let when = |e: &Value| e["attributes"]["created-at"].as_str().and_then(|t| t.parse::<Time>().ok());
    let away = |e: &Value| distance(when(e), at);
    let fits = |e: &Value| {
        let is_named = e["attributes"]["action"].as_str().is_some_and(|x| x.contains("overrid"));
        away(e) <= NEAR && (is_named || at.is_some() && related(e, "comment").is_some())
    };
    let found = events.map(|(_, e, _)| e).filter(|e| fits(e) && related(e, "actor").is_some());
    let event = found.min_by_key(|e| away(e))?;
    Some((event, related(event, "actor")?))
}

fn reason(found: &mut Override, text: Option<&str>, from: &str) {
    let Some(text) = text.map(str::trim).filter(|t| !t.is_empty()) else { return };
    let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if chars > found.reason_chars {
        found.reason_chars = chars;
        found.comment = Some(Private::of(text));
    }
    found.reason_from.push(from.to_owned());
}
