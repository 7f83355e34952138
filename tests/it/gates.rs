//! What got past the gates, and whether they looked: a cluster over weeks, judged at chosen times.

use crate::cluster::{DEPLOYMENTS, TEMPLATES, audited, edited_and_seen, named, server, world};
use crate::support::kube_api::KubeApi;
use crate::support::{World, unit_of};
use actledger::clock::Clock;
use actledger::jobs::{self, Desk};
use serde_json::{Value, json};

const REGISTER: &str = "[[system]]\nid = \"scoring\"\nteam = \"fraud\"\nrisk_level = \"high\"\nrole = \"deployer\"\n\
    select = [{ kubernetes = { namespace = \"ml-production\" } }]\n";
const LABELS: &str = "/apis/constraints.gatekeeper.sh/v1beta1/k8srequiredlabels";
const REGISTRIES: &str = "/apis/constraints.gatekeeper.sh/v1beta1/mlmodelregistry";

struct Weeks {
    api: KubeApi,
    desk: Desk,
    _world: World,
}

impl Weeks {
    /// A first look at the recorded cluster, on the first of December.
    fn begin() -> Weeks {
        let api = server();
        let world = world(&api);
        std::fs::write(world.path("systems.toml"), REGISTER).unwrap();
        let text = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), text + "[act]\nprofile = \"full\"\n").unwrap();
        let mut weeks = Weeks { desk: world.desk(), api, _world: world };
        weeks.look("2026-12-01T00:00:00Z");
        weeks
    }

    fn look(&mut self, at: &str) {
        self.desk.clock = Clock::at(at.parse().unwrap());
        let mut store = self.desk.store().unwrap();
        let status = jobs::ingest(&self.desk, &mut store, &[], &|_, _, _| {}).unwrap();
        assert!(!status.failed(), "{status:?}");
    }

    /// What is said of the unit whose id ends so.
    fn of(&self, control: &str, unit: &str) -> (&'static str, String, String) {
        unit_of(&self.desk, "scoring", control, unit)
    }
}

fn change(api: &KubeApi, list: &str, name: &str, change: impl FnOnce(&mut Value)) {
    api.change(list, |all| {
        let i = named(all, name);
        change(&mut all[i]);
    });
}

/// A Deployment in `ml-production` with its labels and without an annotation.
fn bare(name: &str, created: &str) -> Value {
    let managed = json!([{ "manager": "kubectl", "operation": "Apply", "time": created }]);
    json!({ "metadata": { "name": name, "namespace": "ml-production", "uid": name, "resourceVersion": "1", "creationTimestamp": created, "labels": { "ml-team": "fraud", "model-version": "1.0" },
            "managedFields": managed },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [] } } } })
}

/// Adds a violation to what a constraint lists, as an audit at a time would.
fn finds(constraint: &mut Value, name: &str, at: &str) {
    let status = &mut constraint["status"];
    let total = status["totalViolations"].as_i64().unwrap();
    (status["totalViolations"], status["auditTimestamp"]) = (json!(total + 1), json!(at));
    let violation = json!({ "group": "apps", "version": "v1", "kind": "Deployment", "namespace": "ml-production", "name": name,
        "message": "x", "enforcementAction": "deny" });
    let list = status["violations"].as_array_mut().unwrap();
    list.insert(0, violation);
    list.truncate(20);
}

#[test]
fn what_came_after_its_constraint_and_violates_it_got_past_the_gate() {
    let mut weeks = Weeks::begin();
    // What was there before our first look: nobody knows which was first.
    let (status, reason, note) = weeks.of("admission-bypass", "ml-production/Deployment/model-01");
    assert_eq!((status, reason.as_str()), ("not-assessed", "unknown-history"), "{note}");
    let clean = weeks.of("admission-bypass", "ml-production/Deployment/fraud-scorer");
    assert_eq!(clean.0, "satisfied", "{clean:?}");
    // One that came later, and violates from the first. The list of Gatekeeper ends before it; our evaluation has it.
    weeks.api.change(DEPLOYMENTS, |all| all.push(bare("zz-stray", "2026-12-02T10:00:00Z")));
    change(&weeks.api, REGISTRIES, "prod-model-registry", |c| {
        c["status"]["totalViolations"] = json!(36);
        c["status"]["auditTimestamp"] = json!("2026-12-02T11:00:00Z");
    });
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) = weeks.of("admission-bypass", "ml-production/Deployment/zz-stray");
    assert_eq!(status, "not-satisfied", "{note}");
    assert!(
        note.contains("MLModelRegistry/prod-model-registry, which denied before our first look"),
        "{note}"
    );
    assert!(note.ends_with("Gatekeeper's list ends before it, our own evaluation has it"), "{note}");
    // One that conformed when it came, and lost its annotation later.
    let conforming = json!({ "model-registry-url": "https://mlflow.example.internal/#/models/x" });
    weeks.api.change(DEPLOYMENTS, |all| {
        let mut good = bare("zz-turned", "2026-12-03T10:00:00Z");
        good["metadata"]["annotations"] = conforming;
        all.push(good);
    });
    weeks.look("2026-12-03T12:00:00Z");
    assert_eq!(weeks.of("admission-bypass", "zz-turned").0, "satisfied");
    change(&weeks.api, DEPLOYMENTS, "zz-turned", |d| d["metadata"]["annotations"] = json!({}));
    change(&weeks.api, REGISTRIES, "prod-model-registry", |c| {
        c["status"]["totalViolations"] = json!(37);
        c["status"]["auditTimestamp"] = json!("2026-12-04T11:00:00Z");
    });
    weeks.look("2026-12-04T12:00:00Z");
    let (status, _, note) = weeks.of("admission-bypass", "zz-turned");
    assert_eq!(status, "satisfied", "{note}");
    assert!(note.contains("violates MLModelRegistry/prod-model-registry"), "{note}");
}

#[test]
fn a_list_that_nobody_completes_proves_nothing_of_those_it_does_not_name() {
    let mut weeks = Weeks::begin();
    // The rule is one that is not evaluated here, and its list ends after twenty.
    let cel = json!([{ "target": "admission.k8s.gatekeeper.sh", "code": [{ "engine": "K8sNativeValidation", "source": {} }] }]);
    change(&weeks.api, TEMPLATES, "mlmodelregistry", |t| t["spec"]["targets"] = cel);
    weeks.look("2026-12-02T12:00:00Z");
    for control in ["admission-bypass", "preexisting-violation-aged"] {
        let (status, reason, note) = weeks.of(control, "ml-production/Deployment/fraud-scorer");
        assert_eq!((status, reason.as_str()), ("not-assessed", "truncated"), "{note}");
    }
    let (status, reason, note) = weeks.of("gate-reperformed", "MLModelRegistry/prod-model-registry ml");
    assert_eq!((status, reason.as_str()), ("not-assessed", "not-reperformable"), "{note}");
    assert!(note.contains("CEL"), "{note}");
}

#[test]
fn a_workload_older_than_its_constraint_has_thirty_days() {
    let mut weeks = Weeks::begin();
    // The constraint asks for more since the second of December: an audit of it finds what was well before.
    change(&weeks.api, LABELS, "ml-deployments-must-have-labels", |c| {
        c["spec"]["parameters"]["labels"] = json!([{ "key": "cost-center" }]);
        let edit = json!({ "manager": "kubectl", "operation": "Update", "time": "2026-12-02T09:00:00Z" });
        c["metadata"]["managedFields"].as_array_mut().unwrap().push(edit);
        edited_and_seen(c);
        audited(c, |_| false);
        c["status"]["totalViolations"] = json!(0);
        for name in ["fraud-scorer", "model-01"] {
            finds(c, name, "2026-12-02T11:00:00Z");
        }
        c["status"]["totalViolations"] = json!(44);
    });
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) = weeks.of("preexisting-violation-aged", "ml-production/Deployment/fraud-scorer");
    assert_eq!(status, "satisfied", "{note}");
    assert!(note.contains("which denies since 2026-12-02 12:00 UTC"), "{note}");
    assert_eq!(weeks.of("admission-bypass", "ml-production/Deployment/fraud-scorer").0, "satisfied");
    weeks.look("2027-01-02T12:00:00Z");
    let (status, _, note) = weeks.of("preexisting-violation-aged", "ml-production/Deployment/fraud-scorer");
    assert_eq!(status, "not-satisfied", "{note}");
    // It is put right, and an audit later no longer lists it.
    change(&weeks.api, DEPLOYMENTS, "fraud-scorer", |d| {
        d["metadata"]["labels"]["cost-center"] = json!("4711");
    });
    change(&weeks.api, LABELS, "ml-deployments-must-have-labels", |c| {
        audited(c, |v| v["name"] != "fraud-scorer");
        let status = &mut c["status"];
        (status["totalViolations"], status["auditTimestamp"]) = (json!(43), json!("2027-01-03T11:00:00Z"));
    });
    weeks.look("2027-01-03T12:00:00Z");
    let (status, _, note) = weeks.of("preexisting-violation-aged", "ml-production/Deployment/fraud-scorer");
    assert_eq!(status, "satisfied", "{note}");
    let how = "that of K8sRequiredLabels/ml-deployments-must-have-labels was fixed (2027-01-03 12:00 UTC)";
    assert!(note.contains(how), "{note}");
}

#[test]
fn a_gate_that_says_something_else_is_a_finding_with_both_sides() {
    let mut weeks = Weeks::begin();
    let (status, _, note) = weeks.of("gate-reperformed", "MLModelRegistry/prod-model-registry ml");
    assert_eq!(
        (status, note.as_str()),
        ("satisfied", "41 objects in its match scope, 35 violations; both say so")
    );
    // The rule lists a workload that conforms, and that nobody changed since.
    change(&weeks.api, REGISTRIES, "prod-model-registry", |c| {
        finds(c, "fraud-scorer", "2026-12-02T11:00:00Z")
    });
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) = weeks.of("gate-reperformed", "MLModelRegistry/prod-model-registry ml");
    assert_eq!(status, "not-satisfied", "{note}");
    assert!(
        note.contains("ml-production/Deployment/fraud-scorer Gatekeeper says “x”, our evaluation nothing"),
        "{note}"
    );
}

#[test]
fn a_gate_that_finds_nothing_because_it_does_not_look_is_vacuous() {
    let mut weeks = Weeks::begin();
    let silent = |c: &mut Value| {
        audited(c, |_| false);
        c["status"]["totalViolations"] = json!(0);
        c["status"]["auditTimestamp"] = json!("2026-12-02T11:00:00Z");
        c["status"].as_object_mut().unwrap().remove("violations");
    };
    // A rule that cannot fire: a workload without the label passes.
    let rego = "package k8srequiredlabels\nviolation[{\"msg\": \"no team\"}] {\n  input.review.object.metadata.labels[\"ml-team\"] == \"none\"\n}\n";
    change(&weeks.api, TEMPLATES, "k8srequiredlabels", |t| {
        t["spec"]["targets"][0] = json!({ "target": "admission.k8s.gatekeeper.sh", "rego": rego })
    });
    change(&weeks.api, LABELS, "ml-deployments-must-have-labels", silent);
    // A match that leaves the system out.
    change(&weeks.api, REGISTRIES, "prod-model-registry", |c| {
        c["spec"]["match"]["namespaceSelector"] = json!({ "matchLabels": { "environment": "prod" } });
        silent(c);
    });
    weeks.look("2026-12-02T12:00:00Z");
    let (status, _, note) =
        weeks.of("gate-not-vacuous", "K8sRequiredLabels/ml-deployments-must-have-labels ml");
    assert!(status == "not-satisfied" && note.contains("and the rule lets it pass"), "{status} {note}");
    let (status, _, note) = weeks.of("gate-not-vacuous", "MLModelRegistry/prod-model-registry ml");
    assert!(
        status == "not-satisfied" && note.contains("is in the match scope of no MLModelRegistry"),
        "{status} {note}"
    );
}
