//! An organization that refuses, breaks, moves while it is read, or says the same in other forms.

use crate::cluster::entries;
use crate::organization::{NOW, check, estate, pass_at, plan, run, statuses, world};
use crate::support::World;
use crate::support::tfe_api::{TfeApi, document, one};
use actledger::evidence::Time;
use actledger::sources::Notice;
use serde_json::{Value, json};

const LATER: &str = "2026-11-23T10:15:00Z";
const EVENING: &str = "2026-11-23T17:00:00Z";

/// The last that was told of a run.
fn last(world: &World, run: &str) -> Value {
    entries(world, "sentinel.run").into_iter().rfind(|(_, p)| p["run"] == run).unwrap().1
}

/// How often a part of a path was asked for since the last time.
fn asked(api: &TfeApi, part: &str) -> usize {
    api.requests().iter().filter(|r| r.contains(part)).count()
}

fn no_checks() -> Value {
    json!({ "policy-checks": { "data": [] } })
}

#[test]
fn what_an_older_run_says_later_hides_nothing_of_a_newer_one() {
    let api = TfeApi::start(30);
    let world = world(&api);
    let planned = |id: &str, kind: &str, at: &str| {
        let change = json!({ "address": "aws_instance.a", "mode": "managed", "type": "aws_instance",
            "change": { "actions": ["update"], "after": { "instance_type": kind }, "after_unknown": {} } });
        api.plan(
            &format!("plan-{id}"),
            json!({ "format_version": "1.2", "resource_changes": [change] }).to_string(),
        );
        api.list(&format!("runs/{id}/run-events"), &[]);
        run(id, "applied", at, no_checks())
    };
    api.run(planned("run-2", "p4d.24xlarge", "2026-11-20T10:05:00Z"));
    pass_at(&world, NOW);
    // It came late into the list.
    api.older_run(planned("run-1", "t3.small", "2026-11-20T10:00:00Z"));
    pass_at(&world, LATER);
    api.run(planned("run-3", "t3.small", "2026-11-23T10:20:00Z"));
    pass_at(&world, "2026-11-23T10:30:00Z");
    let store = world.desk().store().unwrap();
    let mut told = Vec::new();
    let reader = store.reader();
    for seq in 0..reader.size().unwrap() {
        let entry = reader.entry(seq).unwrap().entry;
        if entry.kind == actledger::evidence::Kind::TerraformResource {
            told.push((entry.occurred_at.to_string(), entry.payload["instance_types"][0].clone()));
        }
    }
    told.sort_by_key(|(at, _)| at.clone());
    let kinds: Vec<&str> = told.iter().map(|(_, kind)| kind.as_str().unwrap()).collect();
    assert_eq!(kinds, ["t3.small", "p4d.24xlarge", "t3.small"]);
}

#[test]
fn documents_that_always_fail_end_no_pass_and_are_asked_for_again_later() {
    let api = estate();
    let world = world(&api);
    for n in 5..10 {
        let id = format!("run-{n}");
        api.fault(&format!("plans/plan-{id}/json-output-redacted"), Some((500, "out of order")));
        api.list(&format!("runs/{id}/run-events"), &[]);
        api.run(run(&id, "applied", &format!("2026-11-22T1{n}:00:00Z").replace("1", "0"), no_checks()));
    }
    let first = pass_at(&world, NOW);
    assert_eq!(first.failed, None, "the API answers other requests");
    assert!(first.not_seen.iter().any(|g| g.contains("plan-run-7") && g.contains("500: out of order")));
    assert_eq!(last(&world, "run-1")["plan"]["state"], "read", "what comes after is read");
    let unread = last(&world, "run-7");
    assert_eq!((&unread["unread"], &unread["plan"]["state"]), (&json!(["plan"]), &json!("unread")));
    api.requests();
    pass_at(&world, LATER);
    assert_eq!(asked(&api, "plans/plan-run-7"), 3, "the next pass tries once more, three times");
    pass_at(&world, "2026-11-23T10:30:00Z");
    assert_eq!(asked(&api, "plans/plan-run"), 0, "then every six hours");
    for n in 5..10 {
        api.fault(&format!("plans/plan-run-{n}/json-output-redacted"), None);
        api.plan(&format!("plan-run-{n}"), plan("aws_instance.late"));
    }
    assert_eq!(pass_at(&world, EVENING).not_seen.len(), 0);
    assert_eq!(
        (last(&world, "run-7")["plan"]["state"].clone(), asked(&api, "plans/plan-run")),
        (json!("read"), 5)
    );
    pass_at(&world, "2026-11-24T17:00:00Z");
    assert_eq!(asked(&api, "plans/plan-run"), 0, "nothing lacks any more");
}

#[test]
fn what_a_token_did_not_see_is_read_once_it_does() {
    let api = estate();
    let world = world(&api);
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    for id in ["run-1", "run-2"] {
        api.fault(&format!("plans/plan-{id}/json-output-redacted"), Some((404, &denied)));
    }
    pass_at(&world, NOW);
    api.requests();
    pass_at(&world, LATER);
    assert!(asked(&api, "json-output") <= 1, "one of them is tried, not all");
    for id in ["run-1", "run-2"] {
        api.fault(&format!("plans/plan-{id}/json-output-redacted"), None);
    }
    pass_at(&world, EVENING);
    for id in ["run-1", "run-2"] {
        let run = last(&world, id);
        assert_eq!((&run["plan"]["state"], &run["denied"]), (&json!("read"), &Value::Null));
    }
}

#[test]
fn what_is_no_plan_is_none_with_nothing_in_it() {
    let api = estate();
    api.plan("plan-run-1", json!({ "message": "try again" }).to_string());
    api.plan("plan-run-2", String::new());
    let world = world(&api);
    let said = pass_at(&world, NOW).not_seen.join("\n");
    assert!(
        said.contains("runs/run-1/plan.json: is no plan: it has neither format_version nor resource_changes"),
        "{said}"
    );
    assert!(said.contains("plans/plan-run-2/json-output-redacted: the answer is empty"), "{said}");
    assert_eq!(
        (last(&world, "run-1")["plan"]["state"].clone(), last(&world, "run-2")["plan"]["state"].clone()),
        (json!("unread"), json!("unread"))
    );
    for id in ["run-1", "run-2"] {
        api.plan(&format!("plan-{id}"), plan("aws_instance.a"));
    }
    assert_eq!(pass_at(&world, LATER).not_seen.len(), 0);
    assert_eq!(last(&world, "run-1")["plan"]["resources"], 1);
}

#[test]
fn a_token_that_sees_no_policy_sets_reads_runs_and_knows_no_levels() {
    let api = estate();
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    api.fault("organizations/o/policy-sets", Some((404, &denied)));
    let world = world(&api);
    let status = pass_at(&world, NOW);
    assert_eq!(status.failed, None);
    assert!(status.not_seen[0].contains("not in the record: policy sets: levels"), "{status:?}");
    let levels: Vec<Value> =
        entries(&world, "sentinel.outcome").into_iter().map(|(_, p)| p["level"].clone()).collect();
    assert!(levels.len() == 6 && levels.iter().all(|l| l == ""), "{levels:?}");
    // A server that is out of order is another thing: the levels of what is read now would stay unknown.
    api.fault("organizations/o/policy-sets", Some((500, "out of order")));
    assert!(pass_at(&world, LATER).failed.unwrap().contains("500: out of order"));
}

#[test]
fn a_token_that_is_refused_in_the_middle_ends_the_pass_and_denies_nothing() {
    let api = estate();
    api.fault("runs/run-3/policy-checks", Some((401, "unauthorized")));
    let world = world(&api);
    let failed = pass_at(&world, NOW).failed.unwrap();
    assert!(failed.contains("runs/run-3/policy-checks: 401"), "{failed}");
    api.fault("runs/run-3/policy-checks", None);
    assert_eq!(pass_at(&world, LATER).not_seen.len(), 0);
    assert!(entries(&world, "sentinel.run").iter().all(|(_, p)| p["denied"].is_null()));
}

#[test]
fn a_reply_without_data_is_no_empty_list() {
    let api = estate();
    api.fault("runs/run-1/policy-checks", Some((200, "{\"meta\":{}}")));
    let world = world(&api);
    let said = pass_at(&world, NOW).not_seen.join("\n");
    assert!(said.contains("runs/run-1/policy-checks: the answer has no data"), "{said}");
    assert_eq!(last(&world, "run-1")["unread"], json!(["policy-checks"]));
    api.fault("runs/run-1/policy-checks", None);
    pass_at(&world, LATER);
    assert_eq!(last(&world, "run-1")["unread"], Value::Null);
    assert_eq!(entries(&world, "sentinel.outcome").len(), 6);
}

#[test]
fn who_overrode_is_known_whatever_the_form_of_the_event_and_before_the_run_is_final() {
    let api = estate();
    // An event without a run; one whose run is an object; an override of a run that waits to be applied.
    let event = |id: &str, what: &str, meta: Value| {
        json!({ "id": id, "timestamp": "2026-11-21T10:05:00Z", "type": "Resource", "auth": { "accessor_id": "user-2", "type": "Client" },
            "resource": { "type": "policy_check", "id": what, "action": "override", "meta": meta } })
    };
    for (n, meta) in
        [(5, Value::Null), (6, json!({ "run": { "id": "run-6" } })), (7, json!({ "run_id": "run-7" }))]
    {
        let (id, checked) = (format!("run-{n}"), format!("polchk-run-{n}"));
        let status = if n == 7 { "policy_checked" } else { "applied" };
        let found = check(&checked, &id, "overridden", &[("gpu", true), ("cost", false)]);
        api.list(&format!("runs/{id}/policy-checks"), &[found]);
        api.list(&format!("runs/{id}/run-events"), &[]);
        api.list(&format!("runs/{id}/comments"), &[]);
        api.plan(&format!("plan-{id}"), plan("aws_instance.x"));
        api.run(run(&id, status, "2026-11-21T10:00:00Z", json!({})));
        api.trail(event(&format!("event-{n}"), &checked, meta));
    }
    api.trail(event("event-8", "polchk-gone", Value::Null));
    let world = world(&api);
    let said = pass_at(&world, NOW).not_seen;
    assert!(
        said.len() == 1
            && said[0].contains("an override of \"polchk-gone\", and of which run it is, nothing tells"),
        "{said:?}"
    );
    let by = || -> Vec<String> {
        let told = entries(&world, "sentinel.override").into_iter();
        let named =
            told.filter(|(_, p)| p["actor_from"] == json!(["audit-trail"]) && p["access"] == "Client");
        named.map(|(_, p)| p["run"].as_str().unwrap().to_owned()).collect()
    };
    let mut runs = by();
    runs.sort();
    assert_eq!(runs, ["run-2", "run-5", "run-6", "run-7"]);
    assert_eq!(pass_at(&world, LATER).not_seen.len(), 0, "told once");
    // The run is applied when the trail tells nothing any more.
    api.run(run("run-7", "applied", "2026-11-21T10:00:00Z", json!({})));
    pass_at(&world, "2026-12-20T10:00:00Z");
    assert_eq!(last(&world, "run-7")["status"], "applied");
    assert!(by().contains(&"run-7".to_owned()));
}

#[test]
fn runs_that_moved_past_a_long_scan_are_found_by_the_one_that_checks() {
    let api = estate();
    for n in 0..1_150 {
        let created = Time::from_seconds(1_790_000_000 + 60 * n).to_string();
        api.run(run(&format!("run-long-{n:04}"), "discarded", &created, no_checks()));
    }
    let world = world(&api);
    api.answers(Some(13 + 4));
    assert!(pass_at(&world, NOW).failed.is_some());
    // A workspace is deleted, and with it two pages and a half of runs that were read.
    for n in 850..1_110 {
        api.delete_run(&format!("run-long-{n:04}"));
    }
    api.answers(None);
    assert_eq!(pass_at(&world, LATER).failed, None);
    let told = statuses(&world);
    let missing: Vec<String> =
        (0..850).map(|n| format!("run-long-{n:04} discarded")).filter(|line| !told.contains(line)).collect();
    assert_eq!(missing, [""; 0]);
    let old = run("run-hidden", "discarded", "2026-09-01T10:00:00Z", no_checks());
    api.older_run(old);
    pass_at(&world, EVENING);
    assert!(!statuses(&world).contains(&"run-hidden discarded".to_owned()), "below everything that is new");
    // A workspace that the token sees from now on, older than what was read.
    let workspace = |id: &str, created: &str| {
        document("workspaces", id, json!({ "name": id, "created-at": created }), json!({}))
    };
    api.list(
        "organizations/o/workspaces",
        &[workspace("ws-1", "2026-01-01T00:00:00Z"), workspace("ws-2", "2026-02-01T00:00:00Z")],
    );
    pass_at(&world, "2026-11-24T01:00:00Z");
    assert!(statuses(&world).contains(&"run-hidden discarded".to_owned()));
}

#[test]
fn a_source_under_another_name_reads_on_what_was_open() {
    let api = estate();
    let world = world(&api);
    pass_at(&world, NOW);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("name = \"tf\"", "name = \"hcp\"\nwas = \"tf\"")).unwrap();
    api.run(run("run-4", "discarded", "2026-11-22T10:00:00Z", no_checks()));
    let mut desk = world.desk();
    desk.clock = actledger::clock::Clock::at(LATER.parse().unwrap());
    let mut store = desk.store().unwrap();
    actledger::jobs::ingest(&desk, &mut store, &["hcp".into()], &|_, _, _| {}).unwrap();
    drop(store);
    assert_eq!(statuses(&world).last().unwrap(), "run-4 discarded");
    assert_eq!(statuses(&world).len(), 5, "runs that were read are not read again");
}

#[test]
fn versions_of_states_are_read_at_the_documented_path_where_the_other_is_not_served() {
    let api = estate();
    let current = json!({ "current-state-version": one("state-versions", "sv-250") });
    api.list(
        "organizations/o/workspaces",
        &[document("workspaces", "ws-1", json!({ "name": "ml-train" }), current)],
    );
    let version = |n: i64| {
        let at = Time::from_seconds(1_795_000_000 + n).to_string();
        document(
            "state-versions",
            &format!("sv-{n}"),
            json!({ "created-at": at }),
            json!({ "workspace": one("workspaces", "ws-1") }),
        )
    };
    let versions: Vec<Value> = (1..=250).rev().map(version).collect();
    api.list("state-versions", &versions);
    let world = world(&api);
    assert_eq!(pass_at(&world, NOW).not_seen, [""; 0]);
    let told = entries(&world, "terraform.state_version");
    assert_eq!((told.len(), told[0].1["workspace"].as_str()), (250, Some("ml-train")));
    assert_eq!(asked(&api, "state-versions?filter%5Bworkspace%5D%5Bname%5D=ml-train"), 3);
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    api.fault("state-versions", Some((404, &denied)));
    let current = json!({ "current-state-version": one("state-versions", "sv-251") });
    api.list(
        "organizations/o/workspaces",
        &[document("workspaces", "ws-1", json!({ "name": "ml-train" }), current)],
    );
    let said = pass_at(&world, EVENING).not_seen;
    assert!(said[0].contains("not in the record: states that were written without a run"), "{said:?}");
    api.requests();
    pass_at(&world, "2026-11-23T17:15:00Z");
    assert_eq!(asked(&api, "organizations/o/workspaces"), 0, "what is denied does not list everything anew");
}

#[test]
fn a_notification_tells_who_overrode_where_nothing_else_does() {
    let api = estate();
    let world = world(&api);
    std::fs::remove_file(world.path("audit")).unwrap();
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("audit_token_file = \"audit\"\n", "")).unwrap();
    let mut desk = world.desk();
    desk.clock = actledger::clock::Clock::at(NOW.parse().unwrap());
    let said = |at: &str, by: &str| Notice { run: "run-2".into(), at: at.parse().unwrap(), by: by.into() };
    desk.hints
        .add("tf", vec![said("2026-11-20T10:04:00Z", "user-2"), said("2026-11-20T10:05:01Z", "user-1")]);
    let mut store = desk.store().unwrap();
    actledger::jobs::ingest(&desk, &mut store, &["tf".into()], &|_, _, _| {}).unwrap();
    drop(store);
    let (_, over) = entries(&world, "sentinel.override").pop().unwrap();
    assert_eq!((&over["actor_from"], &over["actor_kind"]), (&json!(["webhook"]), &json!("person")));
    assert_eq!(over["actor_is_author"], true, "whoever changed the run in that second also made it");
    assert_eq!(over["looked_in"], json!(["run-events", "run-comments", "webhook"]));
}

#[test]
fn a_run_with_many_warnings_is_an_entry_like_any_other() {
    let api = estate();
    let event = |n: usize| {
        let description = format!("Policy set {n} {}", "is weaker than it was configured ".repeat(4));
        document(
            "run-events",
            &format!("re-{n}"),
            json!({ "action": "changed_policy_enforcements", "description": description }),
            json!({}),
        )
    };
    api.list("runs/run-1/run-events", &(0..100).map(event).collect::<Vec<_>>());
    let world = world(&api);
    assert_eq!(pass_at(&world, NOW).failed, None);
    assert_eq!(pass_at(&world, LATER).failed, None, "its list is kept apart, and the record is read on");
}

#[test]
fn what_was_hidden_for_a_while_is_read_once_it_is_seen_again() {
    let api = estate();
    let world = world(&api);
    let workspace = |id: &str| {
        document("workspaces", id, json!({ "name": id, "created-at": "2026-01-01T00:00:00Z" }), json!({}))
    };
    let list = |ids: &[&str]| {
        api.list("organizations/o/workspaces", &ids.iter().map(|id| workspace(id)).collect::<Vec<_>>());
    };
    list(&["ws-1", "ws-2"]);
    pass_at(&world, NOW);
    // For a day the token sees neither the workspace nor its run, which goes on meanwhile.
    let hidden = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    list(&["ws-1"]);
    api.fault("runs/run-4", Some((404, &hidden)));
    pass_at(&world, "2026-11-24T10:00:00Z");
    assert_eq!(last(&world, "run-4")["status"], "deleted");
    api.older_run(run("run-between", "discarded", "2026-11-24T09:00:00Z", no_checks()));
    api.run(run("run-new", "discarded", "2026-11-25T09:00:00Z", no_checks()));
    assert_eq!(pass_at(&world, "2026-11-25T10:00:00Z").not_seen, [""; 0], "it is said once");
    api.fault("runs/run-4", None);
    api.run(run("run-4", "discarded", "2026-11-22T10:00:00Z", no_checks()));
    list(&["ws-1", "ws-2"]);
    pass_at(&world, "2026-11-26T10:00:00Z");
    assert_eq!(last(&world, "run-4")["status"], "discarded");
    assert!(statuses(&world).contains(&"run-between discarded".to_owned()));
}

#[test]
fn policies_are_not_gone_for_a_token_that_does_not_see_them() {
    let api = estate();
    let world = world(&api);
    pass_at(&world, NOW);
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    api.fault("organizations/o/policy-sets", Some((404, &denied)));
    pass_at(&world, EVENING);
    for kind in ["sentinel.policy", "sentinel.policy_set"] {
        assert!(entries(&world, kind).iter().all(|(_, p)| p["gone"] != true), "{kind}");
    }
}

#[test]
fn what_always_fails_comes_after_what_is_new() {
    let api = estate();
    api.fault("plans/plan-run-1/json-output-redacted", Some((500, "out of order")));
    let world = world(&api);
    pass_at(&world, NOW);
    api.run(run("run-5", "discarded", "2026-11-23T10:10:00Z", no_checks()));
    api.requests();
    pass_at(&world, LATER);
    let asked = api.requests();
    let place = |part: &str| asked.iter().position(|r| r.contains(part)).unwrap();
    assert!(place("organizations/o/runs") < place("runs/run-1?"), "{asked:#?}");
}

#[test]
fn two_overrides_of_one_run_are_of_those_who_made_them() {
    let api = estate();
    let stage = |id: &str| {
        document(
            "task-stages",
            id,
            json!({ "status": "passed" }),
            json!({ "run": one("runs", "run-5"), "policy-evaluations": { "data": [{ "type": "policy-evaluations", "id": format!("poleval-{id}") }] } }),
        )
    };
    let evaluation = |id: &str, at: &str| {
        document(
            "policy-evaluations",
            &format!("poleval-{id}"),
            json!({ "status": "overridden", "status-timestamps": { "overridden-at": at } }),
            json!({ "policy-attachable": one("task-stages", id) }),
        )
    };
    let acts = [("ts-1", "2026-11-21T10:05:00Z", "user-1"), ("ts-2", "2026-11-22T10:05:00Z", "user-2")];
    for (id, at, user) in acts {
        // The evaluation is not included: it is asked for by its stage.
        api.list(&format!("task-stages/{id}/policy-evaluations"), &[evaluation(id, at)]);
        api.list(&format!("policy-evaluations/poleval-{id}/policy-set-outcomes"), &[]);
        api.trail(json!({ "id": id, "timestamp": at, "type": "Resource", "auth": { "accessor_id": user, "type": "Client" },
            "resource": { "type": "policy_evaluation", "id": format!("poleval-{id}"), "action": "override", "meta": { "run": "run-5" } } }));
    }
    api.list("runs/run-5/task-stages", &acts.map(|(id, ..)| stage(id)));
    api.list("runs/run-5/run-events", &[]);
    api.list("runs/run-5/comments", &[]);
    api.plan("plan-run-5", plan("aws_instance.x"));
    let more = json!({ "policy-checks": { "data": [] }, "task-stages": { "links": { "related": "x" } } });
    api.run(run("run-5", "applied", "2026-11-21T10:00:00Z", more));
    let world = world(&api);
    pass_at(&world, NOW);
    let by = |world: &World| -> Vec<(String, bool)> {
        let told = entries(world, "sentinel.override").into_iter().filter(|(_, p)| p["run"] == "run-5");
        let mut told: Vec<_> = told
            .map(|(_, p)| (p["stage"].as_str().unwrap().to_owned(), p["actor_is_author"] == true))
            .collect();
        told.sort();
        told
    };
    assert_eq!(by(&world), [("ts-1".to_owned(), true), ("ts-2".to_owned(), false)]);
}

#[test]
fn a_renamed_source_asks_for_old_marks_once() {
    let api = estate();
    api.fault("plans/plan-run-1/json-output-redacted", Some((500, "out of order")));
    let world = world(&api);
    pass_at(&world, NOW);
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), text.replace("name = \"tf\"", "name = \"hcp\"\nwas = \"tf\"")).unwrap();
    api.fault("plans/plan-run-1/json-output-redacted", None);
    let mut desk = world.desk();
    let mut store = desk.store().unwrap();
    for (at, times) in [(LATER, 1), ("2026-11-23T10:30:00Z", 0), (EVENING, 0)] {
        api.requests();
        desk.clock = actledger::clock::Clock::at(at.parse().unwrap());
        actledger::jobs::ingest(&desk, &mut store, &["hcp".into()], &|_, _, _| {}).unwrap();
        assert_eq!(asked(&api, "runs/run-1?"), times, "{at}");
    }
}
