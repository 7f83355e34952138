//! A large organization behind an API on a real socket: the first import, a pass with ten new runs, and a plan of 200 MB. Requests
//! are compared with the fewest that pages and documents allow.
//!
//!     cargo bench --bench organization            ACTLEDGER_BENCH_RUNS=200000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "the server serves the tests as well")]

#[path = "../tests/support/asked.rs"]
mod asked;
mod measure;
mod passes;
#[path = "../tests/support/tfe_api.rs"]
mod tfe_api;

use passes::row;
use serde_json::{Value, json};
use tfe_api::{AUDIT_TOKEN, TOKEN, TfeApi, document, one};

const WORKSPACES: usize = 5_000;
/// One run in so many was applied, with a policy check.
const APPLIED: usize = 10;

fn main() {
    if passes::made("no gap at all") {
        return;
    }
    let runs = std::env::var("ACTLEDGER_BENCH_RUNS").map_or(200_000, |n| n.parse().unwrap());
    println!("{WORKSPACES} workspaces, {runs} runs, one in {APPLIED} applied\n");
    println!("| | CPU s | wall s | MiB | entries | goal |\n| --- | --- | --- | --- | --- | --- |");
    let api = organization(runs);
    let dir = passes::estate(&format!(
        "[schedule]\npass_minutes = 600\n[[sentinel]]\nname = 'tf'\nlocation = '{}'\norganization = 'o'\ntoken_file = 'token'\naudit_token_file = 'audit'\nrequests_per_second = 1000000\nrun_lists_per_minute = 6000000\n",
        api.url
    ));
    std::fs::write(dir.path().join("token"), TOKEN).unwrap();
    std::fs::write(dir.path().join("audit"), AUDIT_TOKEN).unwrap();
    row("first import", dir.path(), "200 MiB");
    let asked = api.requests();
    let lists = asked.iter().filter(|r| r.contains("organizations/o/runs")).count();
    row("pass without changes", dir.path(), "0 entries");
    api.requests();
    (0..10).for_each(|n| add(&api, runs + n, 0, &small_plan()));
    row("pass with ten new runs", dir.path(), "100 requests");
    let steady = api.requests().len();
    add(&api, runs + 10, 0, &large_plan());
    row("a run with a plan of 200 MB", dir.path(), "200 MiB");
    // Pages of workspaces, sets, the text of the policy, trail, pages of runs; states of workspaces; check, events, plan and where it lies of what was applied.
    let fewest = WORKSPACES.div_ceil(100) + 3 + runs.div_ceil(100) + WORKSPACES + runs / APPLIED * 4;
    let minutes = |requests: usize, a_minute: usize| requests as f64 / a_minute as f64;
    println!(
        "\nfirst import: {} requests, the fewest {fewest}: {:.3}",
        asked.len(),
        asked.len() as f64 / fewest as f64
    );
    println!(
        "within the limits of HCP Terraform: {:.0} min for {lists} lists of runs at 30 a minute, {:.0} min for the rest at 25 a second",
        minutes(lists, 30),
        minutes(asked.len() - lists, 25 * 60)
    );
    println!("pass with ten new runs: {steady} requests");
}

fn organization(runs: usize) -> TfeApi {
    let api = TfeApi::start(usize::MAX);
    let workspace = |w: usize| {
        let state = json!({ "current-state-version": one("state-versions", &format!("sv-{w}")) });
        document(
            "workspaces",
            &format!("ws-{w}"),
            json!({ "name": format!("workspace-{w}"), "execution-mode": "remote" }),
            state,
        )
    };
    api.list("organizations/o/workspaces", &(0..WORKSPACES).map(workspace).collect::<Vec<_>>());
    for w in 0..WORKSPACES {
        let by = json!({ "run": one("runs", &format!("run-{w}")) });
        let state = document(
            "state-versions",
            &format!("sv-{w}"),
            json!({ "created-at": "2026-01-01T00:00:00Z" }),
            by,
        );
        api.list(&format!("workspaces/ws-{w}/state-versions"), &[state]);
    }
    api.put(document(
        "policies",
        "pol-1",
        json!({ "name": "cost", "enforcement-level": "soft-mandatory" }),
        json!({}),
    ));
    let holds = json!({ "policies": { "data": [{ "type": "policies", "id": "pol-1" }] } });
    api.list(
        "organizations/o/policy-sets",
        &[document("policy-sets", "polset-1", json!({ "name": "rules", "global": true }), holds)],
    );
    api.put(document("users", "user-1", json!({ "username": "ada" }), json!({})));
    let plan = small_plan();
    (0..runs).for_each(|n| add(&api, n, n % APPLIED, &plan));
    api
}

/// A run that was applied where `kind` is 0; any other had nothing to change.
fn add(api: &TfeApi, n: usize, kind: usize, plan: &str) {
    let (id, workspace) = (format!("run-{n}"), format!("ws-{}", n % WORKSPACES));
    let created = format!(
        "2026-{:02}-{:02}T{:02}:{:02}:00Z",
        1 + n / 24_000 % 10,
        1 + n / 900 % 27,
        n / 60 % 24,
        n % 60
    );
    let created =
        if n < 200_000 { created } else { format!("2026-11-25T{:02}:{:02}:00Z", n / 60 % 24, n % 60) };
    let status = if kind == 0 { "applied" } else { "planned_and_finished" };
    let checks = if kind == 0 { json!({ "links": {} }) } else { json!({ "data": [] }) };
    let related = json!({ "workspace": one("workspaces", &workspace), "created-by": one("users", "user-1"),
        "plan": one("plans", &format!("plan-{n}")), "policy-checks": checks, "task-stages": { "data": [] } });
    let stamps = json!({ "applied-at": created });
    let attributes =
        json!({ "status": status, "created-at": created, "source": "tfe-api", "status-timestamps": stamps });
    if kind == 0 {
        let policies = json!([{ "policy": "rules/cost", "result": true }]);
        let result = json!({ "result": true, "passed": 1, "sentinel": { "data": { "rules": { "policies": policies } } } });
        let check = document(
            "policy-checks",
            &format!("polchk-{n}"),
            json!({ "status": "passed", "result": result }),
            json!({ "run": one("runs", &id) }),
        );
        api.list(&format!("runs/{id}/policy-checks"), &[check]);
        api.list(&format!("runs/{id}/run-events"), &[]);
        api.plan(&format!("plan-{n}"), plan.to_owned());
    }
    api.run(document("runs", &id, attributes, related));
}

fn change(i: usize) -> Value {
    let after = json!({ "instance_type": "t3.small", "user_data": "x".repeat(1_500), "tags": { "Owner": "o", "Project": "p" } });
    json!({ "address": format!("aws_instance.a{i}"), "mode": "managed", "type": "aws_instance",
        "change": { "actions": ["create"], "after": after, "after_unknown": {} } })
}

fn small_plan() -> String {
    json!({ "format_version": "1.2", "resource_changes": [change(0)] }).to_string()
}

/// Few resources that change, and a state and configuration of 200 MB around them.
fn large_plan() -> String {
    let state: Vec<Value> = (0..100_000)
        .map(|i| json!({ "address": format!("aws_instance.s{i}"), "values": "y".repeat(1_900) }))
        .collect();
    let changes: Vec<Value> = (0..5_000).map(change).collect();
    json!({ "format_version": "1.2", "prior_state": state, "resource_changes": changes }).to_string()
}
