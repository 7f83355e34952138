//! A large cluster behind an API server on a real socket: the first list, a pass without changes, and the evaluation of every
//! constraint over every workload that it matches. Each pass is a process of its own; CPU is its user and system time.
//!
//!     cargo bench --bench cluster            ACTLEDGER_BENCH_WORKLOADS=20000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "the server serves the tests as well")]

#[path = "../tests/support/asked.rs"]
mod asked;
#[path = "../tests/support/kube_api.rs"]
mod kube_api;
mod measure;
mod passes;

use actledger::sources::kubernetes::{RESOURCES, When};
use kube_api::{KubeApi, kubeconfig};
use passes::row;
use serde_json::{Value, json};

const CONSTRAINTS: usize = 200;
const SPACES: usize = 40;
const GROUP: &str = "/apis/constraints.gatekeeper.sh/v1beta1";
const CREATED: &str = "2026-01-01T00:00:00Z";
const AUDIT: &str = "2026-11-01T00:00:00Z";

fn main() {
    if passes::made("inferenceservices") {
        return;
    }
    let workloads = std::env::var("ACTLEDGER_BENCH_WORKLOADS").map_or(20_000, |n| n.parse().unwrap());
    println!("{workloads} workloads, {CONSTRAINTS} constraints\n");
    println!("| | CPU s | wall s | MiB | entries | goal |\n| --- | --- | --- | --- | --- | --- |");
    // Each constraint matches one namespace, all of whose workloads violate it.
    let api = cluster(workloads, 1);
    let dir = estate(&api);
    row("first list", dir.path(), "60 s of one core, 300 MiB");
    row("pass without changes", dir.path(), "5 s, 0 entries");
    // Each constraint matches a quarter of the namespaces.
    for share in [SPACES / 4, SPACES] {
        let api = cluster(workloads, share);
        let name = format!("{} evaluations", CONSTRAINTS * workloads * share / SPACES);
        row(&name, estate(&api).path(), "60 s on two cores, with the list");
    }
}

fn estate(api: &KubeApi) -> tempfile::TempDir {
    let dir =
        passes::estate("[[gatekeeper]]\nname = 'ml'\nlocation = 'kube:test'\nkubeconfig = 'kubeconfig'\n");
    kubeconfig(&api.url, &dir.path().join("kubeconfig"));
    dir
}

/// Workloads in equal parts in every namespace; each constraint matches some namespaces.
fn cluster(workloads: usize, share: usize) -> KubeApi {
    let api = KubeApi::start();
    for r in RESOURCES.iter().filter(|r| r.when != When::Served) {
        api.list(&r.path(), r.kind, &version(r.group, r.version), Vec::new());
    }
    let system = json!({ "metadata": { "name": "kube-system", "uid": "0f7c", "resourceVersion": "1" } });
    let spaces = (0..SPACES).map(|s| json!({ "metadata": { "name": format!("team-{s}"), "uid": format!("n-{s}"), "resourceVersion": "1", "labels": {} } }));
    api.list("/api/v1/namespaces", "Namespace", "v1", std::iter::once(system).chain(spaces).collect());
    api.list("/apis/apps/v1/deployments", "Deployment", "apps/v1", (0..workloads).map(deployment).collect());
    let version = "templates.gatekeeper.sh/v1";
    api.list(
        &format!("/apis/{version}/constrainttemplates"),
        "ConstraintTemplate",
        version,
        vec![template()],
    );
    let constraints = (0..CONSTRAINTS).map(|c| constraint(c, workloads, share)).collect();
    api.list(
        &format!("{GROUP}/requiredlabels"),
        "RequiredLabels",
        "constraints.gatekeeper.sh/v1beta1",
        constraints,
    );
    api.list("/api/v1/events", "Event", "v1", Vec::new());
    api.reply(GROUP, json!({ "resources": [{ "name": "requiredlabels", "kind": "RequiredLabels" }] }));
    api
}

fn version(group: &str, version: &str) -> String {
    if group.is_empty() { version.into() } else { format!("{group}/{version}") }
}

/// About 2.5 KB, as Deployments are.
fn deployment(i: usize) -> Value {
    let (name, space) = (format!("model-{i:06}"), format!("team-{}", i % SPACES));
    let fields = json!({ "f:metadata": { "f:labels": { "f:app": {}, "f:ml-team": {}, "f:model-version": {} } }, "f:spec": { "f:replicas": {}, "f:template": { "f:spec": { "f:containers": {} } } } });
    let env: Vec<Value> = (0..12)
        .map(|n| json!({ "name": format!("SETTING_{n}"), "value": format!("value {n} of {name}") }))
        .collect();
    json!({ "metadata": { "name": name, "namespace": space, "uid": format!("u-{i}"), "resourceVersion": i.to_string(), "generation": 1,
            "creationTimestamp": CREATED, "labels": { "app": name, "ml-team": space, "model-version": "v1" },
            "annotations": { "model-registry-url": format!("https://mlflow.example.internal/{name}"), "deployment.kubernetes.io/revision": "1" },
            "managedFields": [{ "manager": "kubectl", "operation": "Apply", "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": fields }] },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": name } }, "template": { "metadata": { "labels": { "app": name, "model-version": "v1" } },
            "spec": { "containers": [{ "name": "serve", "image": "registry.example.internal/ml/serve:1.0", "env": env,
                "resources": { "limits": { "cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1" }, "requests": { "cpu": "2", "memory": "8Gi" } } }] } } },
        "status": { "replicas": 2, "readyReplicas": 2, "conditions": [{ "type": "Available", "status": "True", "lastUpdateTime": CREATED }] } })
}

/// The rule of the Gatekeeper library that is used most.
fn template() -> Value {
    let rego = r#"package requiredlabels
violation[{"msg": msg, "details": {"missing_labels": missing}}] {
  provided := {label | input.review.object.metadata.labels[label]}
  required := {label | label := input.parameters.labels[_].key}
  missing := required - provided
  count(missing) > 0
  msg := sprintf("you must provide labels: %v", [missing])
}"#;
    json!({ "metadata": { "name": "requiredlabels", "uid": "t", "resourceVersion": "1", "generation": 1, "creationTimestamp": CREATED },
        "spec": { "crd": { "spec": { "names": { "kind": "RequiredLabels" } } }, "targets": [{ "target": "admission.k8s.gatekeeper.sh", "rego": rego }] },
        "status": { "created": true, "byPod": pods() } })
}

fn pods() -> Value {
    json!([{ "id": "gatekeeper-audit-1", "observedGeneration": 1, "operations": ["audit"], "enforced": true }])
}

/// One that matches a single namespace is violated by all there, and all are listed, as `--constraint-violations-limit` allows;
/// others are not violated.
fn constraint(c: usize, workloads: usize, share: usize) -> Value {
    let names: Vec<String> = (0..share).map(|s| format!("team-{}", (c + s) % SPACES)).collect();
    let key = if share == 1 { format!("owner-{c}") } else { "ml-team".to_owned() };
    let violators = (0..workloads).filter(|i| share == 1 && i % SPACES == c % SPACES);
    let violation = |i: usize| {
        json!({ "group": "apps", "version": "v1", "kind": "Deployment", "namespace": names[0], "name": format!("model-{i:06}"),
            "message": format!("you must provide labels: {{\"{key}\"}}"), "enforcementAction": "deny" })
    };
    let listed: Vec<Value> = violators.map(violation).collect();
    json!({ "apiVersion": "constraints.gatekeeper.sh/v1beta1", "kind": "RequiredLabels",
        "metadata": { "name": format!("owner-{c:03}"), "uid": format!("c-{c}"), "generation": 1, "creationTimestamp": CREATED },
        "spec": { "enforcementAction": "deny", "match": { "kinds": [{ "apiGroups": ["apps"], "kinds": ["Deployment"] }], "namespaces": names },
            "parameters": { "labels": [{ "key": key }] } },
        "status": { "auditTimestamp": AUDIT, "totalViolations": listed.len(), "violations": listed, "byPod": pods() } })
}
