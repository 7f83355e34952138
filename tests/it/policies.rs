//! Whether runs passed their gate, what our own evaluation says of it, and how the gate became weaker: an organization judged at
//! chosen times.

use crate::organization::{check, run, world};
use crate::support::tfe_api::{TfeApi, document, one};
use crate::support::{World, judged, unit_of};
use actledger::clock::Clock;
use actledger::jobs::{self, Desk, IngestStatus};
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
        let status = self.look_with_gaps(at);
        assert!(status.sources[0].not_seen.is_empty(), "{status:?}");
    }

    fn look_with_gaps(&mut self, at: &str) -> IngestStatus {
        self.desk.clock = Clock::at(at.parse().unwrap());
        let mut store = self.desk.store().unwrap();
        let status = jobs::ingest(&self.desk, &mut store, &[], &|_, _, _| {}).unwrap();
        assert!(!status.failed(), "{status:?}");
        status
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

#[test]
fn what_could_not_be_read_is_not_what_was_not_run() {
    let mut weeks = Weeks::begin();
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, json!([]), None);
    weeks.applied("run-2", "2026-12-01T10:01:00Z", PASSED, json!([]), None);
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    weeks.api.fault("runs/run-1/policy-checks", Some((404, &denied)));
    weeks.api.fault("runs/run-2/policy-checks", Some((500, "out of order")));
    weeks.look_with_gaps("2026-12-01T12:00:00Z");
    for run in ["run-1", "run-2"] {
        let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", run);
        assert!(
            status == "not-assessed" && note.contains("has no outcome, and nothing shows whether it applies"),
            "{run}: {status} {note}"
        );
    }
    // That a run is gone later takes nothing back of what it was.
    weeks.api.fault("runs/run-2/policy-checks", None);
    weeks.api.delete_run("run-2");
    weeks.look_with_gaps("2026-12-01T19:00:00Z");
    assert_eq!(weeks.of("hard-mandatory-not-bypassed", "run-2").0, "not-assessed");
}

#[test]
fn a_set_applies_by_project_and_not_where_it_leaves_a_workspace_out() {
    let mut weeks = Weeks::begin();
    let of_project = || json!({ "projects": { "data": [{ "type": "projects", "id": "prj-ml" }] } });
    weeks.set(json!({ "global": false }), &[0, 1, 2, 3], of_project());
    let workspace = |project: &str| {
        document(
            "workspaces",
            "ws-1",
            json!({ "name": "ml-train" }),
            json!({ "project": one("projects", project) }),
        )
    };
    weeks.api.list("organizations/o/workspaces", &[workspace("prj-ml")]);
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, json!([]), None);
    weeks.api.list("runs/run-1/policy-checks", &[]);
    weeks.look("2026-12-01T12:00:00Z");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-1");
    assert!(status == "not-satisfied" && note.contains("applies to the workspace and was not run"), "{note}");
    let exempt = |weeks: &Weeks| {
        let found = judged(&weeks.desk, "scoring", "exemptions-written-down");
        found.iter().any(|(unit, ..)| unit == "workspace/ml-train")
    };
    assert!(!exempt(&weeks));
    // From then on it leaves the workspace out; the run before is judged by what was then.
    let mut excluded = of_project();
    excluded["workspace-exclusions"] = json!({ "data": [{ "type": "workspaces", "id": "ws-1" }] });
    weeks.set(json!({ "global": false }), &[0, 1, 2, 3], excluded);
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-1");
    assert!(status == "not-satisfied" && note.contains("applies to the workspace and was not run"), "{note}");
    assert!(exempt(&weeks));
    let (_, _, note) =
        weeks.of("policy-weakened-with-review", "ai-resource-tagging 2026-12-02T12:00:00.000Z");
    assert!(note.contains("no longer applies to workspace ml-train"), "{note}");
}

#[test]
fn levels_are_those_of_the_set_and_of_the_time_of_the_run() {
    let mut weeks = Weeks::begin();
    // The same policy is advisory in a set of another name, and was changed after the second run.
    let mut other = policy(7, "gpu-instance-control", "advisory");
    other["attributes"]["updated-at"] = json!("2026-11-01T00:00:00Z");
    weeks.api.put(other);
    let mut ours = policy(0, "gpu-instance-control", "hard-mandatory");
    ours["attributes"]["updated-at"] = json!("2026-12-01T11:00:00Z");
    weeks.api.put(ours);
    let failed = [false, true, true, true];
    weeks.applied("run-1", "2026-12-01T10:00:00Z", failed, json!([]), None);
    weeks.applied("run-2", "2026-12-01T11:30:00Z", failed, json!([]), None);
    weeks.look("2026-12-01T12:00:00Z");
    let told = crate::cluster::entries(&weeks.world, "sentinel.outcome").into_iter();
    let mut levels: Vec<(String, String)> = told
        .filter(|(_, p)| p["policy"] == "gpu-instance-control")
        .map(|(_, p)| (p["run"].as_str().unwrap().to_owned(), p["level"].as_str().unwrap().to_owned()))
        .collect();
    levels.sort();
    let expected = [("run-1", ""), ("run-2", "hard-mandatory")].map(|(r, l)| (r.to_owned(), l.to_owned()));
    assert_eq!(levels, expected, "what it was before its last change, nobody tells");
}

#[test]
fn a_policy_that_moves_to_a_set_as_strict_is_no_weakening_and_a_commit_that_nobody_read_may_be() {
    let mut weeks = Weeks::begin();
    weeks.look("2026-12-01T12:00:00Z");
    let set = |id: &str, name: &str, policies: &[usize], more: Value| {
        let held: Vec<Value> =
            policies.iter().map(|i| json!({ "type": "policies", "id": format!("pol-{i}") })).collect();
        let mut attributes =
            json!({ "name": name, "kind": "sentinel", "global": true, "overridable": false });
        attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let version = format!("polsetver-{id}");
        document(
            "policy-sets",
            id,
            attributes,
            json!({ "policies": { "data": held }, "current-version": one("policy-set-versions", &version) }),
        )
    };
    weeks.api.list(
        "organizations/o/policy-sets",
        &[set("polset-1", "rules", &[1, 2, 3], json!({})), set("polset-2", "more", &[0], json!({}))],
    );
    weeks.look("2026-12-02T12:00:00Z");
    let control = "policy-weakened-with-review";
    let units = |weeks: &Weeks| -> Vec<String> {
        judged(&weeks.desk, "scoring", control).into_iter().map(|(unit, ..)| unit).collect()
    };
    assert_eq!(units(&weeks), ["nothing"]);
    let of_repository = |commit: &str| {
        weeks.api.put(document(
            "policy-set-versions",
            "polsetver-polset-3",
            json!({ "ingress-attributes": { "commit-sha": commit } }),
            json!({}),
        ));
        set("polset-3", "vcs", &[], json!({ "vcs-repo": { "identifier": "o/policies", "branch": "main" } }))
    };
    let sets = [set("polset-1", "rules", &[1, 2, 3], json!({})), set("polset-2", "more", &[0], json!({}))];
    weeks.api.list("organizations/o/policy-sets", &[&sets[..], &[of_repository("c0ffee")]].concat());
    let api = weeks.api.clone();
    weeks.look("2026-12-03T12:00:00Z");
    api.put(document(
        "policy-set-versions",
        "polsetver-polset-3",
        json!({ "ingress-attributes": { "commit-sha": "decaf" } }),
        json!({}),
    ));
    weeks.look("2026-12-04T12:00:00Z");
    let (status, reason, note) = weeks.of(control, "set/vcs 2026-12-04T12:00:00.000Z");
    assert_eq!((status, reason.as_str()), ("not-assessed", "value-unknown"));
    assert_eq!(
        note,
        "policies of the set vcs changed by commit decaf of o/policies, seen 2026-12-04 12:00 UTC"
    );
    assert_eq!(units(&weeks).len(), 1);
}

#[test]
fn one_decision_speaks_of_one_weakening() {
    let mut weeks = Weeks::begin();
    weeks.look("2026-12-01T12:00:00Z");
    weeks.api.put(policy(0, "gpu-instance-control", "soft-mandatory"));
    weeks.look("2026-12-02T12:00:00Z");
    weeks.api.put(policy(0, "gpu-instance-control", "advisory"));
    weeks.look("2026-12-04T12:00:00Z");
    let decided = |date: &str| {
        format!(
            "[[policy_change]]\ngate = \"gpu-instance-control\"\nrequester = \"Ada\"\napprover = \"Ben\"\ndate = {date}\nreason = \"A trial\"\n"
        )
    };
    let control = "policy-weakened-with-review";
    let judge = |weeks: &Weeks| {
        ["2026-12-02", "2026-12-04"]
            .map(|day| weeks.of(control, &format!("gpu-instance-control {day}T12:00:00.000Z")).0)
    };
    std::fs::write(weeks.world.path("systems.toml"), REGISTER.to_owned() + &decided("2026-12-03")).unwrap();
    weeks.look("2026-12-05T12:00:00Z");
    assert_eq!(
        judge(&weeks),
        ["satisfied", "not-satisfied"],
        "the first is decided, a day late; the second is not"
    );
    std::fs::write(
        weeks.world.path("systems.toml"),
        REGISTER.to_owned() + &decided("2026-12-03") + &decided("2026-12-06"),
    )
    .unwrap();
    weeks.look("2026-12-07T12:00:00Z");
    assert_eq!(judge(&weeks), ["satisfied", "satisfied"]);
}

#[test]
fn overrides_of_checks_that_name_no_policy_may_be_of_any() {
    let mut weeks = Weeks::begin();
    weeks.look("2026-08-01T12:00:00Z");
    let opaque = |id: &str, run: &str| {
        document(
            "policy-checks",
            id,
            json!({ "status": "overridden", "result": { "result": false, "soft-failed": 1 },
            "status-timestamps": { "overridden-at": "2026-11-20T10:05:00Z" } }),
            json!({ "run": one("runs", run) }),
        )
    };
    for n in 1..=3 {
        let id = format!("run-{n}");
        weeks.applied(&id, &format!("2026-11-20T1{n}:00:00Z"), PASSED, json!([]), None);
        let checks = [opaque(&format!("polchk-a{n}"), &id), opaque(&format!("polchk-b{n}"), &id)];
        weeks.api.list(&format!("runs/{id}/policy-checks"), &checks);
        weeks.api.list(&format!("runs/{id}/comments"), &[]);
    }
    weeks.look_with_gaps("2026-11-21T12:00:00Z");
    weeks.look("2026-11-21T13:00:00Z");
    let (status, reason, note) = weeks.of("override-not-habitual", "*");
    assert_eq!((status, reason.as_str()), ("not-assessed", "value-unknown"), "{note}");
    assert_eq!(note, "6 overrides of policies that their checks do not name in 90 days");
}

#[test]
fn a_stage_that_was_not_read_may_hold_a_failure() {
    let mut weeks = Weeks::begin();
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, json!([]), finished("99.5"));
    let checks = json!({ "task-stages": { "links": { "related": "x" } }, "cost-estimate": one("cost-estimates", "ce-run-1") });
    weeks.api.run(run("run-1", "applied", "2026-12-01T10:00:00Z", checks));
    let denied = json!({ "errors": [{ "status": 404, "title": "not found" }] }).to_string();
    weeks.api.fault("runs/run-1/task-stages", Some((404, &denied)));
    weeks.look_with_gaps("2026-12-01T12:00:00Z");
    let (status, _, note) = weeks.of("hard-mandatory-not-bypassed", "run-1");
    assert_eq!(
        (status, note.as_str()),
        ("not-assessed", "its task-stages were not read, and may hold other policies")
    );
}

#[test]
fn resources_that_a_later_run_left_as_they_were_were_there_before() {
    let mut weeks = Weeks::begin();
    // The newer run is read first, and alone tells of the resource that both found.
    let mut found = resource("aws_instance.gpu", "aws_instance", json!({ "instance_type": "p4d.24xlarge" }));
    found["change"]["actions"] = json!(["no-op"]);
    weeks.applied("run-2", "2026-12-01T10:05:00Z", PASSED, json!([found.clone()]), finished("99.5"));
    weeks.look("2026-12-01T10:06:00Z");
    weeks.applied("run-1", "2026-12-01T10:00:00Z", PASSED, json!([found]), finished("9000"));
    weeks.look("2026-12-01T12:00:00Z");
    let (status, _, note) = weeks.of("spend-limit", "run-1");
    assert_eq!((status, note.as_str()), ("not-satisfied", "9000 USD a month estimated, limit 8000"));
}
