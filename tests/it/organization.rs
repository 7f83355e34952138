//! An organization in HCP Terraform read live, from an API on a real socket.

use crate::cluster::{entries, pass};
use crate::pages::Served;
use crate::support::tfe_api::{AUDIT_TOKEN, TOKEN, TfeApi, document, one};
use crate::support::{World, stdout};
use actledger::clock::Clock;
use actledger::evidence::Time;
use actledger::jobs::SourceStatus;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha512;
use std::collections::BTreeSet;

/// A ledger whose one source is the organization.
pub(crate) fn world(api: &TfeApi) -> World {
    let world = World::init(&format!(
        "[[sentinel]]\nname = \"tf\"\nlocation = \"{}\"\norganization = \"o\"\ntoken_file = \"token\"\naudit_token_file = \"audit\"\ntimeout_seconds = 2\nrun_lists_per_minute = 6000\n",
        api.url
    ));
    std::fs::write(world.path("token"), TOKEN).unwrap();
    std::fs::write(world.path("audit"), format!("{AUDIT_TOKEN}\n")).unwrap();
    world
}

/// A pass at a time.
pub(crate) fn pass_at(world: &World, now: &str) -> SourceStatus {
    let mut desk = world.desk();
    desk.clock = Clock::at(now.parse::<Time>().unwrap());
    let mut store = desk.store().unwrap();
    let done = actledger::jobs::ingest(&desk, &mut store, &["tf".into()], &|_, _, _| {}).unwrap();
    done.sources[0].clone()
}

pub(crate) fn run(id: &str, status: &str, created: &str, more: Value) -> Value {
    let mut attributes =
        json!({ "status": status, "created-at": created, "source": "tfe-api", "status-timestamps": {} });
    if status == "applied" {
        attributes["status-timestamps"]["applied-at"] = json!(created);
    }
    let mut relationships = json!({
        "workspace": one("workspaces", "ws-1"),
        "created-by": one("users", "user-1"),
        "plan": one("plans", &format!("plan-{id}")),
        "policy-checks": { "links": { "related": "x" } },
        "task-stages": { "data": [] },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        relationships[name] = value.clone();
    }
    document("runs", id, attributes, relationships)
}

/// A policy check with one policy of each name, and what it says.
pub(crate) fn check(id: &str, run: &str, status: &str, policies: &[(&str, bool)]) -> Value {
    let failed = policies.iter().filter(|(_, passed)| !passed).count();
    let sentinel: Vec<Value> = policies
        .iter()
        .map(|(name, passed)| json!({ "policy": format!("rules/{name}"), "result": passed }))
        .collect();
    let kind = if status == "hard_failed" { "hard-failed" } else { "soft-failed" };
    let mut result = json!({ "result": failed == 0, "passed": policies.len() - failed, "sentinel": { "data": { "rules": { "policies": sentinel } } } });
    result[kind] = json!(failed);
    let stamps =
        if status == "overridden" { json!({ "overridden-at": "2026-11-20T10:05:00Z" }) } else { json!({}) };
    let attributes = json!({ "status": status, "result": result, "status-timestamps": stamps, "actions": { "is-overridable": true } });
    document("policy-checks", id, attributes, json!({ "run": one("runs", run) }))
}

pub(crate) fn plan(address: &str) -> String {
    let change = json!({ "address": address, "mode": "managed", "type": "aws_instance",
        "change": { "actions": ["create"], "after": { "instance_type": "p4d.24xlarge", "tags": { "Owner": "x" } }, "after_unknown": {} } });
    json!({ "format_version": "1.2", "resource_changes": [change] }).to_string()
}

/// Two policies, a workspace, a run that passed, one that was let through, one that failed, one under way.
pub(crate) fn estate() -> TfeApi {
    let api = TfeApi::start(30);
    let policy = |id: &str, name: &str, level: &str| {
        document("policies", id, json!({ "name": name, "enforcement-level": level }), json!({}))
    };
    api.put(policy("pol-1", "gpu", "hard-mandatory"));
    api.put(policy("pol-2", "cost", "soft-mandatory"));
    let many = |kind: &str, ids: &[&str]| json!({ "data": ids.iter().map(|id| json!({ "type": kind, "id": id })).collect::<Vec<_>>() });
    let workspace =
        document("workspaces", "ws-1", json!({ "name": "ml-train", "execution-mode": "remote" }), json!({}));
    let set = json!({ "name": "rules", "kind": "sentinel", "global": true, "overridable": false });
    let holds = json!({ "policies": many("policies", &["pol-1", "pol-2"]), "workspaces": many("workspaces", &["ws-1"]) });
    api.list("organizations/o/workspaces", &[workspace]);
    api.list("organizations/o/policy-sets", &[document("policy-sets", "polset-1", set, holds)]);
    for user in ["user-1", "user-2"] {
        api.put(document("users", user, json!({ "username": user, "is-service-account": false }), json!({})));
    }
    let passed = [("gpu", true), ("cost", true)];
    let let_through = [("gpu", true), ("cost", false)];
    for (id, status, created, checked, policies) in [
        ("run-1", "applied", "2026-11-19T10:00:00Z", "passed", passed),
        ("run-2", "applied", "2026-11-20T10:00:00Z", "overridden", let_through),
        ("run-3", "errored", "2026-11-21T10:00:00Z", "hard_failed", [("gpu", false), ("cost", true)]),
    ] {
        api.list(
            &format!("runs/{id}/policy-checks"),
            &[check(&format!("polchk-{id}"), id, checked, &policies)],
        );
        api.list(&format!("runs/{id}/run-events"), &[]);
        api.list(&format!("runs/{id}/comments"), &[]);
        api.plan(&format!("plan-{id}"), plan(&format!("aws_instance.{id}")));
        api.run(run(id, status, created, json!({})));
    }
    api.run(run("run-4", "planning", "2026-11-22T10:00:00Z", json!({})));
    api.trail(json!({ "id": "event-1", "timestamp": "2026-11-20T10:05:00Z", "type": "Resource",
        "auth": { "accessor_id": "user-2", "type": "Client" },
        "resource": { "type": "policy_check", "id": "polchk-run-2", "action": "overridden", "meta": { "run": "run-2", "comment": "Agreed with finance for the training in December" } } }));
    api
}

pub(crate) const NOW: &str = "2026-11-23T10:00:00Z";

/// Statuses of runs as they were told, in the order of the ledger.
pub(crate) fn statuses(world: &World) -> Vec<String> {
    let told = entries(world, "sentinel.run").into_iter();
    told.map(|(_, p)| format!("{} {}", p["run"].as_str().unwrap(), p["status"].as_str().unwrap())).collect()
}

#[test]
fn an_organization_is_read_newest_first_and_a_pass_without_changes_adds_the_run_alone() {
    let api = estate();
    let world = world(&api);
    let status = pass_at(&world, NOW);
    assert_eq!((status.not_seen.as_slice(), &status.failed), (&[][..], &None), "{status:?}");
    assert_eq!(statuses(&world), ["run-2 applied", "run-1 applied", "run-3 errored", "run-4 planning"]);
    let outcomes: BTreeSet<String> = entries(&world, "sentinel.outcome")
        .into_iter()
        .map(|(_, p)| {
            let text = |name: &str| p[name].as_str().unwrap_or("-");
            let [run, policy, status, level, ran_at] =
                ["run", "policy", "status", "level", "ran_at"].map(text);
            format!("{run} {policy} {status} {level} {ran_at} {}", text("stage_status"))
        })
        .collect();
    let expected = [
        "run-1 cost passed soft-mandatory - passed",
        "run-1 gpu passed hard-mandatory - passed",
        "run-2 cost failed soft-mandatory soft-mandatory overridden",
        "run-2 gpu passed hard-mandatory - overridden",
        "run-3 cost passed soft-mandatory - hard_failed",
        "run-3 gpu failed hard-mandatory hard-mandatory hard_failed",
    ];
    assert_eq!(outcomes, expected.map(str::to_owned).into());
    let (_, over) = entries(&world, "sentinel.override").pop().unwrap();
    assert_eq!(
        (&over["actor_kind"], &over["actor_is_author"]),
        (&json!("person"), &json!(false)),
        "{over:#}"
    );
    assert_eq!(
        (&over["actor_from"], &over["reason_from"]),
        (&json!(["audit-trail"]), &json!(["audit-trail"]))
    );
    assert_eq!(over["looked_in"], json!(["audit-trail", "run-events", "run-comments"]));
    let resources = entries(&world, "terraform.resource");
    assert_eq!(resources.len(), 2, "of applied runs alone");
    assert!(resources[0].0.contains("/o/ml-train/aws_instance.run-"), "{}", resources[0].0);
    assert_eq!(entries(&world, "terraform.workspace")[0].1["name"], "ml-train");
    api.requests();
    let again = pass_at(&world, "2026-11-23T11:00:00Z");
    assert_eq!((again.entries, again.not_seen.len()), (0, 0), "{again:?}");
    let asked = api.requests();
    assert_eq!(asked.len(), 4, "sets, the trail, the run under way, a page of runs: {asked:#?}");
}

#[test]
fn a_run_under_way_is_read_again_until_it_is_final_and_one_that_is_gone_is_said() {
    let api = estate();
    let world = world(&api);
    pass_at(&world, NOW);
    let checked = check("polchk-run-4", "run-4", "advisory_someday", &[("gpu", true)]);
    api.list("runs/run-4/policy-checks", &[checked]);
    api.list("runs/run-4/run-events", &[]);
    api.plan("plan-run-4", plan("aws_instance.four"));
    api.run(run("run-4", "applied", "2026-11-22T10:00:00Z", json!({})));
    api.run(run("run-5", "a_state_of_next_year", "2026-11-23T10:30:00Z", json!({})));
    let status = pass_at(&world, "2026-11-23T11:00:00Z");
    assert_eq!(status.not_seen.len(), 0, "{status:?}");
    assert_eq!(statuses(&world)[4..], ["run-4 applied", "run-5 a_state_of_next_year"]);
    let (_, outcome) = entries(&world, "sentinel.outcome").pop().unwrap();
    assert_eq!(outcome["stage_status"], "advisory_someday", "what nobody knows is kept as it came");
    api.delete_run("run-5");
    let status = pass_at(&world, "2026-11-23T12:00:00Z");
    assert!(
        status.not_seen[0].contains("runs/run-5: 404") && status.not_seen[0].contains("deleted"),
        "{status:?}"
    );
    assert_eq!(statuses(&world)[6..], ["run-5 deleted"]);
    let quiet = pass_at(&world, "2026-11-23T13:00:00Z");
    assert_eq!((quiet.entries, quiet.not_seen.len()), (0, 0), "{quiet:?}");
}

#[test]
fn what_a_token_may_not_is_said_with_what_is_missing_for_it() {
    let api = estate();
    let world = world(&api);
    std::fs::write(world.path("audit"), TOKEN).unwrap();
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    api.fault("plans/plan-run-1/json-output-redacted", Some((404, &denied)));
    let status = pass_at(&world, NOW);
    let said = status.not_seen.join("\n");
    assert!(
        said.contains("organization/audit-trail: 403: audit trails need an audit or organization token"),
        "{said}"
    );
    assert!(said.contains("not in the record: who let policies through"), "{said}");
    assert!(said.contains("plans/plan-run-1/json-output-redacted: 404: not found"), "{said}");
    let runs = entries(&world, "sentinel.run");
    let of = |id: &str| runs.iter().find(|(_, p)| p["run"] == id).unwrap().1.clone();
    assert_eq!(
        (&of("run-1")["plan"]["state"], &of("run-2")["plan"]["state"]),
        (&json!("denied"), &json!("read"))
    );
    let (_, over) = entries(&world, "sentinel.override").pop().unwrap();
    assert_eq!(
        over["looked_in"],
        json!(["run-events", "run-comments"]),
        "who let it through is open, not nobody"
    );
    // The trail is read as soon as its token is right, and the run that it names once more.
    std::fs::write(world.path("audit"), AUDIT_TOKEN).unwrap();
    assert_eq!(pass_at(&world, "2026-11-23T11:00:00Z").not_seen.len(), 0);
    let (_, over) = entries(&world, "sentinel.override").pop().unwrap();
    assert_eq!(over["actor_from"], json!(["audit-trail"]));
    std::fs::write(world.path("token"), "expired").unwrap();
    let failed = pass(&world)["failed"].as_str().unwrap().to_owned();
    assert_eq!(failed, "GET organizations/o/policy-sets: 401: unauthorized");
    let checked = stdout(&world.run(&["check"]));
    assert!(checked.contains("organizations/o: 401: unauthorized"), "{checked}");
}

#[test]
fn what_nobody_read_for_two_weeks_is_a_lost_span() {
    let api = estate();
    let world = world(&api);
    pass_at(&world, NOW);
    assert_eq!(pass_at(&world, "2026-12-06T10:00:00Z").not_seen.len(), 0);
    let said = pass_at(&world, "2026-12-21T10:00:00Z").not_seen;
    let span = "between 2026-12-06T09:00:00.000Z and 2026-12-07T10:00:00.000Z nothing was read";
    assert!(said.len() == 1 && said[0].starts_with(span) && said[0].contains("14 days"), "{said:?}");
    assert_eq!(pass_at(&world, "2026-12-21T11:00:00Z").not_seen.len(), 0, "the span is told once");
}

#[test]
fn a_pass_that_ends_at_any_request_is_completed_by_the_next_without_doubles() {
    let told = |world: &World| {
        let kinds = [
            "sentinel.run",
            "sentinel.outcome",
            "sentinel.override",
            "sentinel.policy_set",
            "terraform.workspace",
            "terraform.resource",
        ];
        let mut told = Vec::new();
        for kind in kinds {
            for (subject, mut p) in entries(world, kind) {
                // Salts of private values are of each ledger.
                for private in ["author", "actor", "comment"] {
                    p[private] = p[private].is_object().into();
                }
                // Each has a port of its own.
                let subject = subject.split_once("/o/").unwrap().1;
                told.push(format!("{kind} {subject} {p}"));
            }
        }
        told.sort();
        told
    };
    let api = estate();
    let whole = world(&api);
    pass_at(&whole, NOW);
    let requests = api.requests().len() as u64;
    let expected = told(&whole);
    assert!(requests > 10 && expected.len() > 10, "{requests} requests, {expected:#?}");
    let cut = |n: u64| {
        let api = estate();
        let world = world(&api);
        api.answers(Some(n));
        let broken = pass_at(&world, NOW);
        assert!(broken.failed.is_some() || !broken.not_seen.is_empty(), "{n}: {broken:?}");
        api.answers(None);
        pass_at(&world, "2026-11-23T10:15:00Z");
        let mut told = told(&world);
        // What was read in part says so, and is told again when it is whole.
        told.retain(|line| !line.contains("\"unread\":["));
        let doubles = |line: &&String| told.iter().filter(|l| l == line).count() > 1;
        assert_eq!(told.iter().filter(doubles).count(), 0);
        let missing: Vec<_> = expected.iter().filter(|line| !told.contains(line)).collect();
        assert!(missing.is_empty(), "after {n} requests: {missing:#?} of {told:#?}");
    };
    std::thread::scope(|scope| {
        for part in 0..8 {
            scope.spawn(move || (part..requests).step_by(8).for_each(cut));
        }
    });
}

#[test]
fn a_signed_notification_makes_the_daemon_read_the_run_and_any_other_does_not() {
    let api = estate();
    let world = world(&api);
    let text = std::fs::read_to_string(world.config()).unwrap();
    let (text, sources) = text.split_once("[web]").unwrap();
    let sources = sources.split_once("[[sentinel]]").unwrap().1;
    let text = text.replace("*/15 * * * *\"", "0 0 1 1 *\"\nwatch_minutes = 0");
    let text = format!("{text}\n[[sentinel]]\nwebhook_token_file = \"hook\"{sources}");
    std::fs::write(world.config(), text).unwrap();
    std::fs::write(world.path("hook"), "s3kr3t-token\n").unwrap();
    let served = Served::start(&world, "");
    let within = |what: &str, holds: &dyn Fn() -> bool| {
        let held = (0..400).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            holds()
        });
        assert!(held, "{what} did not come about in 80 s");
    };
    within("a first report", &|| served.get("/healthz", "").contains("as of entry"));
    api.run(run("run-9", "discarded", "2026-11-23T12:00:00Z", json!({ "policy-checks": { "data": [] } })));
    let body =
        json!({ "payload_version": 1, "run_id": "run-9", "notifications": [{ "trigger": "run:completed" }] })
            .to_string();
    let mac =
        Hmac::<Sha512>::new_from_slice(b"s3kr3t-token").unwrap().chain_update(&body).finalize().into_bytes();
    let signed: String = mac.iter().map(|b| format!("{b:02x}")).collect();
    let post = |name: &str, signature: &str| {
        let header = format!("X-TFE-Notification-Signature: {signature}\r\n");
        served.ask("POST", &format!("/webhooks/terraform/{name}"), &header, &body)
    };
    assert!(post("tf", &signed.replace('a', "b")).starts_with("HTTP/1.1 401"));
    assert!(post("other", &signed).starts_with("HTTP/1.1 404"));
    assert!(served.get("/webhooks/terraform/tf", "").starts_with("HTTP/1.1 405"));
    let sealed = statuses(&world);
    assert!(!sealed.iter().any(|s| s.starts_with("run-9")), "{sealed:?}");
    assert!(post("tf", &signed).starts_with("HTTP/1.1 204"));
    within("the run", &|| statuses(&world).iter().any(|s| s == "run-9 discarded"));
}

#[test]
fn a_long_list_of_runs_is_taken_up_at_the_page_where_it_was_left() {
    let api = estate();
    for n in 0..950 {
        let id = format!("run-long-{n:04}");
        let created = Time::from_seconds(1_790_000_000 + 60 * n).to_string();
        api.run(run(&id, "discarded", &created, json!({ "policy-checks": { "data": [] } })));
    }
    let world = world(&api);
    // Workspaces, sets and their two policies, the trail and whom it names, the run that it names with its documents, six pages of ten.
    api.answers(Some(3 + 2 + 1 + 1 + 5 + 6));
    let first = pass_at(&world, NOW);
    assert!(first.failed.is_some(), "{first:?}");
    assert!(statuses(&world).len() >= 500, "the newest are in the record: {}", statuses(&world).len());
    api.answers(None);
    api.requests();
    let second = pass_at(&world, "2026-11-23T10:15:00Z");
    assert_eq!((&second.failed, second.not_seen.len()), (&None, 0), "{second:?}");
    let runs: BTreeSet<String> = statuses(&world).into_iter().collect();
    assert_eq!((runs.len(), statuses(&world).len()), (954, 954));
    let asked = api.requests();
    let pages = asked.iter().filter(|r| r.contains("organizations/o/runs")).count();
    assert!(pages <= 6 + 10, "{asked:#?}: the rest, and a long list is looked through once more");
}
