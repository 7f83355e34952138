//! Whether runs passed their gate, what our own evaluation says of it, and how the gate became weaker: an organization judged at
//! chosen times.

use crate::organization::{check, run, world};
use crate::support::tfe_api::{TfeApi, document, one};
use crate::support::{World, judged, unit_of};
use actledger::clock::Clock;
use actledger::jobs::{self, Desk};
use serde_json::{Value, json};

const REGISTER: &str = "[[system]]\nid = \"scoring\"\nteam = \"fraud\"\nrisk_level = \"high\"\nrole = \"deployer\"\n\
    select = [{ terraform = { workspace = \"ml-train\" } }]\n";
const POLICIES: [(&str, &str); 4] = [
    ("gpu-instance-control", "hard-mandatory"),
    ("ai-resource-tagging", "hard-mandatory"),
    ("ai-spending-limits", "soft-mandatory"),
    ("model-deployment-rules", "advisory"),
];

struct Weeks {
    api: TfeApi,
    desk: Desk,
    world: World,
}

impl Weeks {
    /// An organization with the four policies in one set, on the first of December.
    fn begin() -> Weeks {
        let api = TfeApi::start(30);
        let world = world(&api);
        std::fs::write(world.path("systems.toml"), REGISTER).unwrap();
        let text = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), text + "[act]\nprofile = \"full\"\n").unwrap();
        for (i, (name, level)) in POLICIES.iter().enumerate() {
            api.put(policy(i, name, level));
        }
        api.put(document(
            "users",
            "user-1",
            json!({ "username": "ada", "is-service-account": false }),
            json!({}),
        ));
        let weeks = Weeks { desk: world.desk(), api, world };
        weeks.set(json!({}), &[0, 1, 2, 3], json!({}));
        weeks.workspace(None);
        weeks
    }

    fn set(&self, attributes: Value, policies: &[usize], relationships: Value) {
        let mut all = json!({ "name": "rules", "kind": "sentinel", "global": true, "overridable": false });
        all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        let held: Vec<Value> =
            policies.iter().map(|i| json!({ "type": "policies", "id": format!("pol-{i}") })).collect();
        let mut related = json!({ "policies": { "data": held } });
        related.as_object_mut().unwrap().extend(relationships.as_object().unwrap().clone());
        self.api.list("organizations/o/policy-sets", &[document("policy-sets", "polset-1", all, related)]);
    }

    fn workspace(&self, state: Option<&str>) {
        let current = json!({ "current-state-version": { "data": state.map(|id| json!({ "type": "state-versions", "id": id })) } });
        let workspace = document("workspaces", "ws-1", json!({ "name": "ml-train" }), current);
        self.api.list("organizations/o/workspaces", &[workspace]);
    }

    /// An applied run with what each policy said, a plan and an estimate.
    fn applied(&self, id: &str, at: &str, said: [bool; 4], plan: Value, estimate: Option<Value>) {
        let policies: Vec<(&str, bool)> = POLICIES.iter().map(|(name, _)| *name).zip(said).collect();
        let status = match said {
            [true, true, true, true] => "passed",
            [true, true, ..] => "soft_failed",
            _ => "hard_failed",
        };
        self.api.list(
            &format!("runs/{id}/policy-checks"),
            &[check(&format!("polchk-{id}"), id, status, &policies)],
        );
        self.api.list(&format!("runs/{id}/run-events"), &[]);
        self.api.plan(
            &format!("plan-{id}"),
            json!({ "format_version": "1.2", "resource_changes": plan }).to_string(),
        );
        let mut more = json!({});
        if let Some(attributes) = estimate {
            let estimate = format!("ce-{id}");
            self.api.put(document("cost-estimates", &estimate, attributes, json!({})));
            more["cost-estimate"] = one("cost-estimates", &estimate);
        }
        self.api.run(run(id, "applied", at, more));
    }

    fn look(&mut self, at: &str) {
        self.desk.clock = Clock::at(at.parse().unwrap());
        let mut store = self.desk.store().unwrap();
        let status = jobs::ingest(&self.desk, &mut store, &[], &|_, _, _| {}).unwrap();
        assert!(!status.failed() && status.sources[0].not_seen.is_empty(), "{status:?}");
    }

    fn of(&self, control: &str, unit: &str) -> (&'static str, String, String) {
        unit_of(&self.desk, "scoring", control, unit)
    }
}

fn policy(i: usize, name: &str, level: &str) -> Value {
    document("policies", &format!("pol-{i}"), json!({ "name": name, "enforcement-level": level }), json!({}))
}

/// A resource with every tag that is asked for.
fn resource(address: &str, kind: &str, more: Value) -> Value {
    let mut after = json!({ "tags_all": { "Environment": "dev", "Project": "p", "Owner": "o", "ML-Team": "t", "Model-Type": "none",
        "AI-System": "scoring", "AI-Risk-Level": "high", "Compliance-Review": "2026-11-01" } });
    after.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "address": address, "mode": "managed", "type": kind, "change": { "actions": ["create"], "after": after, "after_unknown": {} } })
}

fn finished(monthly: &str) -> Option<Value> {
    Some(
        json!({ "status": "finished", "proposed-monthly-cost": monthly, "delta-monthly-cost": "1.0", "matched-resources-count": 1 }),
    )
}

const PASSED: [bool; 4] = [true; 4];

#[test]
fn a_run_that_passed_and_judged_all_is_satisfied_by_our_own_evaluation_as_well() {
    let mut weeks = Weeks::begin();
    let plan = json!([resource("aws_instance.a", "aws_instance", json!({ "instance_type": "t3.small" }))]);
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, plan, finished("99.5"));
    weeks.look("2026-12-01T12:00:00Z");
    assert_eq!(weeks.of("hard-mandatory-not-bypassed", "run-1").0, "satisfied");
    for (name, _) in &POLICIES[..3] {
        let unit = format!("{name} run-1");
        assert_eq!(weeks.of("gate-reperformed", &unit).0, "satisfied", "{name}");
        assert_eq!(weeks.of("gate-not-vacuous", &unit).0, "satisfied", "{name}");
    }
    let (status, reason, note) = weeks.of("gate-not-vacuous", "model-deployment-rules run-1");
    assert_eq!((status, reason.as_str()), ("not-applicable", "nothing-to-check"), "{note}");
}

#[test]
fn the_holes_of_policies_in_the_wild_are_no_passes() {
    let mut weeks = Weeks::begin();
    // A check that sees aws_instance alone, a tag that nobody asks for, no estimate at all.
    let mut untagged = resource("aws_s3_bucket.b", "aws_s3_bucket", json!({}));
    untagged["change"]["after"]["tags_all"].as_object_mut().unwrap().remove("Owner");
    let gpu = resource(
        "aws_eks_node_group.gpu",
        "aws_eks_node_group",
        json!({ "instance_types": ["p4d.24xlarge"] }),
    );
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, json!([gpu, untagged]), None);
    // A comparison of text with a number; a finished estimate above the limit.
    weeks.applied("run-2", "2026-12-01T11:00:00Z", PASSED, json!([]), finished("a lot"));
    weeks.applied("run-3", "2026-12-01T11:30:00Z", PASSED, json!([]), finished("123456.78"));
    weeks.look("2026-12-01T12:00:00Z");
    for (unit, says) in [
        ("gpu-instance-control run-1", "aws_eks_node_group.gpu asks for p4d.24xlarge, which is not allowed"),
        ("ai-resource-tagging run-1", "aws_s3_bucket.b has no tag Owner"),
        ("ai-spending-limits run-3", "123456.78 a month estimated, limit"),
    ] {
        for control in ["gate-reperformed", "gate-not-vacuous"] {
            let (status, _, note) = weeks.of(control, unit);
            assert!(status == "not-satisfied" && note.contains(says), "{control} {unit}: {status} {note}");
        }
    }
    let (status, _, note) = weeks.of("gate-not-vacuous", "ai-spending-limits run-1");
    assert!(status == "not-satisfied" && note.contains("without a finished estimate"), "{status} {note}");
    let (status, _, note) = weeks.of("gate-reperformed", "ai-spending-limits run-2");
    assert!(status == "not-assessed" && note.contains("which is no number"), "{status} {note}");
}

#[test]
fn a_run_that_was_applied_past_its_gate_is_found() {
    let mut weeks = Weeks::begin();
    let failed = [false, true, true, true];
    weeks.applied("run-1", "2026-12-01T10:00:00Z", failed, json!([]), None);
    // A stage that broke, one that nobody ran, one whose level is lower than the pack's, a value of next year.
    weeks.applied("run-2", "2026-12-01T10:01:00Z", PASSED, json!([]), None);
    let policies: Vec<(&str, bool)> = POLICIES.iter().map(|(name, _)| (*name, true)).collect();
    weeks.api.list("runs/run-2/policy-checks", &[check("polchk-run-2", "run-2", "unreachable", &policies)]);
    weeks.applied("run-3", "2026-12-01T10:02:00Z", PASSED, json!([]), None);
    weeks.api.list("runs/run-3/policy-checks", &[check("polchk-run-3", "run-3", "passed", &policies[..3])]);
    weeks.look("2026-12-01T12:00:00Z");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-1");
    assert!(
        status == "not-satisfied" && note.contains("gpu-instance-control is hard-mandatory and failed"),
        "{note}"
    );
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-2");
    assert!(status == "not-satisfied" && note.contains("unreachable"), "{note}");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-3");
    assert!(
        status == "not-satisfied"
            && note.contains("model-deployment-rules applies to the workspace and was not run"),
        "{note}"
    );
    // A state that nobody's run wrote.
    let written = json!({ "created-at": "2026-12-02T03:04:00Z" });
    let by_hand =
        document("state-versions", "sv-2", written.clone(), json!({ "created-by": one("users", "user-1") }));
    let by_run = document("state-versions", "sv-1", written, json!({ "run": one("runs", "run-3") }));
    weeks.api.list("workspaces/ws-1/state-versions", &[by_hand, by_run]);
    weeks.workspace(Some("sv-2"));
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "sv-2");
    assert_eq!(
        (status, note.as_str()),
        ("not-satisfied", "a state of workspace ml-train was written 2026-12-02 03:04 UTC without a run")
    );
    assert!(
        judged(&weeks.desk, "scoring", "hard-mandatory-not-bypassed").iter().all(|(id, ..)| id != "sv-1")
    );
}

#[test]
fn a_gate_that_became_weaker_needs_a_decision_of_somebody_else_within_a_week() {
    let mut weeks = Weeks::begin();
    weeks.look("2026-12-01T12:00:00Z");
    let api = weeks.api.clone();
    let origin = |commit: &str| {
        api.put(document(
            "policy-set-versions",
            "polsetver-1",
            json!({ "ingress-attributes": { "commit-sha": commit } }),
            json!({}),
        ));
        json!({ "current-version": one("policy-set-versions", "polsetver-1") })
    };
    let repository = json!({ "vcs-repo": { "identifier": "o/policies", "branch": "main" } });
    // Lowered, taken out; then made overridable.
    weeks.api.put(policy(0, "gpu-instance-control", "advisory"));
    weeks.set(repository.clone(), &[0, 1, 2], origin("c0ffee"));
    weeks.look("2026-12-02T12:00:00Z");
    let mut overridable = repository;
    overridable["overridable"] = json!(true);
    weeks.set(overridable, &[0, 1, 2], origin("c0ffee"));
    weeks.look("2026-12-10T12:00:00Z");
    let control = "policy-weakened-with-review";
    let (status, _, note) = weeks.of(control, "gpu-instance-control 2026-12-02T12:00:00.000Z");
    assert_eq!(status, "not-satisfied");
    assert_eq!(
        note,
        "gpu-instance-control was lowered from hard-mandatory to advisory by commit c0ffee of o/policies, seen 2026-12-02 12:00 UTC"
    );
    let (_, _, note) = weeks.of(control, "model-deployment-rules 2026-12-02T12:00:00.000Z");
    assert!(note.contains("was taken out of the policy set rules"), "{note}");
    let (_, _, note) = weeks.of(control, "ai-resource-tagging 2026-12-10T12:00:00.000Z");
    assert!(note.contains("became overridable"), "{note}");
    // Whether another text asks for less, nobody can tell.
    let mut other = policy(1, "ai-resource-tagging", "hard-mandatory");
    other["attributes"]["text"] = json!("main = rule { 1 is 1 }\n");
    weeks.api.put(other);
    weeks.look("2026-12-10T20:00:00Z");
    let (status, reason, note) = weeks.of(control, "ai-resource-tagging 2026-12-10T20:00:00.000Z");
    assert_eq!((status, reason.as_str()), ("not-assessed", "value-unknown"), "{note}");
    // In time; by who asked for it; too late.
    let decided = |gate: &str, approver: &str, date: &str| {
        format!(
            "[[policy_change]]\ngate = \"{gate}\"\nrequester = \"Ada\"\napprover = \"{approver}\"\ndate = {date}\nreason = \"A trial\"\n"
        )
    };
    let text = REGISTER.to_owned()
        + &decided("gpu-instance-control", "Ben", "2026-12-01")
        + &decided("ai-resource-tagging", "ada", "2026-12-10")
        + &decided("model-deployment-rules", "Ben", "2026-12-10");
    std::fs::write(weeks.world.path("systems.toml"), text).unwrap();
    weeks.look("2026-12-11T12:00:00Z");
    for (unit, status) in [
        ("gpu-instance-control 2026-12-02T12:00:00.000Z", "satisfied"),
        ("ai-resource-tagging 2026-12-10T12:00:00.000Z", "not-satisfied"),
        ("model-deployment-rules 2026-12-02T12:00:00.000Z", "not-satisfied"),
    ] {
        let said = weeks.of(control, unit);
        assert_eq!(said.0, status, "{unit}: {said:?}");
    }
}
