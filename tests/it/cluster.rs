//! A cluster read live, from an API server on a real socket that serves what a real one replied.

use crate::support::kube_api::{Fault, KubeApi, kubeconfig, permission};
use crate::support::{World, project, sqlite, stderr, stdout, tls};
use actledger::sources::gatekeeper::CONSTRAINTS;
use actledger::sources::kubernetes::{RESOURCES, When};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CONFIG: &str = "[[gatekeeper]]\nname = \"ml\"\nlocation = \"kube:test\"\nkubeconfig = \"kubeconfig\"\ntimeout_seconds = 1\n";

pub(crate) fn recorded(name: &str) -> Value {
    let bytes = std::fs::read(project().join("tests/data/kubernetes").join(name)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn items(names: &[&str]) -> Vec<Value> {
    names.iter().flat_map(|name| recorded(name)["items"].as_array().unwrap().clone()).collect()
}

/// A server with what was recorded; what was not has no objects.
pub(crate) fn server() -> KubeApi {
    let api = KubeApi::start();
    for r in RESOURCES.iter().filter(|r| r.when != When::Served) {
        api.list(&r.path(), r.kind, &format!("{}/{}", r.group, r.version), Vec::new());
    }
    let list = |path: &str, kind: &str, version: &str, items| api.list(path, kind, version, items);
    let pages = [
        "deployments-limit20-page1.json",
        "deployments-limit20-page2.json",
        "deployments-limit20-page3.json",
    ];
    list("/apis/apps/v1/deployments", "Deployment", "apps/v1", items(&pages));
    list("/apis/apps/v1/replicasets", "ReplicaSet", "apps/v1", items(&["replicasets-ml-staging.json"]));
    list("/api/v1/namespaces", "Namespace", "v1", items(&["namespaces.json"]));
    list("/api/v1/services", "Service", "v1", items(&["services-all.json"]));
    list("/api/v1/pods", "Pod", "v1", items(&["pods-running.json"]));
    list("/api/v1/events", "Event", "v1", items(&["events-denied-fieldselector.json"]));
    let templates = items(&["constrainttemplates-v1.json"]);
    list(TEMPLATES, "ConstraintTemplate", "templates.gatekeeper.sh/v1", templates);
    let constraints = "constraints.gatekeeper.sh/v1beta1";
    for (plural, kind) in [("k8srequiredlabels", "K8sRequiredLabels"), ("mlmodelregistry", "MLModelRegistry")]
    {
        let items = items(&[&format!("constraints-{plural}.json")]);
        list(&format!("/apis/{constraints}/{plural}"), kind, constraints, items);
    }
    api.reply(&format!("/apis/{constraints}"), recorded("apis-constraints.gatekeeper.sh-v1beta1.json"));
    let webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let version = "admissionregistration.k8s.io/v1";
    list(webhooks, "ValidatingWebhookConfiguration", version, vec![recorded("webhook-configuration.json")]);
    api.reply("/version", recorded("version.json"));
    api.pages_of(20);
    api
}

pub(crate) const TEMPLATES: &str = "/apis/templates.gatekeeper.sh/v1/constrainttemplates";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
const PODS: &str = "/api/v1/pods";
const CONFIGS: &str = "/apis/config.gatekeeper.sh/v1alpha1/configs";

pub(crate) fn world(api: &KubeApi) -> World {
    let world = World::init(CONFIG);
    kubeconfig(&api.url, &world.path("kubeconfig"));
    world
}

/// A pass, and what it said of the source.
pub(crate) fn pass(world: &World) -> Value {
    let done = world.run(&["ingest", "--json"]);
    let said = stdout(&done);
    let status: Value =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{}", stderr(&done)));
    status["sources"][0].clone()
}

pub(crate) fn not_seen(status: &Value) -> Vec<String> {
    status["not_seen"].as_array().unwrap().iter().map(|g| g.as_str().unwrap().to_owned()).collect()
}

/// Payloads of a kind with their subjects, in the order of the ledger.
pub(crate) fn entries(world: &World, kind: &str) -> Vec<(String, Value)> {
    let rows = sqlite(
        &world.ledger(),
        &format!(
            "SELECT CAST(bytes AS TEXT) FROM entry WHERE CAST(bytes AS TEXT) LIKE '%\"kind\":\"{kind}\"%' ORDER BY seq"
        ),
    );
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (entry["subject"].as_str().unwrap().to_owned(), entry["payload"].clone())
    };
    rows.lines().map(entry).collect()
}

fn gone(world: &World, kind: &str) -> Vec<String> {
    entries(world, kind).into_iter().filter(|(_, p)| p["gone"] == true).map(|(s, _)| s).collect()
}

#[test]
fn a_live_cluster_is_read_whole_and_a_pass_without_changes_adds_the_run_alone() {
    let api = server();
    let world = world(&api);
    let status = pass(&world);
    assert_eq!(
        not_seen(&status),
        [
            "MLModelRegistry/prod-model-registry lists 20 of 35 violations; our own evaluation has all of them",
            "K8sRequiredLabels/ml-deployments-must-have-labels lists 20 of 34 violations; our own evaluation has all of them"
        ],
        "{status:#}"
    );
    assert_eq!(entries(&world, "kubernetes.workload").len(), 51);
    let again = pass(&world);
    assert_eq!(again["entries"], 0, "{again:#}");
    let runs = entries(&world, "source.run").into_iter().filter(|(subject, _)| subject == "source:ml");
    assert_eq!(runs.count(), 2);
}

#[test]
fn what_the_role_does_not_grant_is_a_gap_and_nothing_is_gone_for_it() {
    let api = server();
    // A kind of constraints whose name begins like a list of workloads.
    let group = "/apis/constraints.gatekeeper.sh/v1beta1";
    api.list(
        &format!("{group}/workloadlabels"),
        "WorkloadLabels",
        "constraints.gatekeeper.sh/v1beta1",
        Vec::new(),
    );
    let mut kinds = recorded("apis-constraints.gatekeeper.sh-v1beta1.json");
    let kind = json!({ "name": "workloadlabels", "kind": "WorkloadLabels" });
    kinds["resources"].as_array_mut().unwrap().push(kind);
    api.reply(group, kinds);
    let world = world(&api);
    let whole = not_seen(&pass(&world));
    let denied = recorded("forbidden-403-events.json").to_string();
    let paths =
        [DEPLOYMENTS, PODS, TEMPLATES, CONFIGS, "/apis/constraints.gatekeeper.sh/v1beta1/k8srequiredlabels"];
    for path in paths {
        api.fault(path, Fault::Status(403, denied.clone()));
        let status = pass(&world);
        let name = path.rsplit('/').next().unwrap();
        let gap = not_seen(&status)
            .into_iter()
            .find(|g| g.contains(&format!("GET {path}: 403: events is forbidden")));
        assert!(
            gap.as_ref().is_some_and(|g| g.contains(&format!("the role needs list on {name}"))),
            "{status:#}"
        );
        for kind in
            ["kubernetes.workload", "gatekeeper.violation", "gatekeeper.constraint", "kubernetes.address"]
        {
            assert_eq!(gone(&world, kind), [""; 0], "{path} is denied, and {kind} is gone");
        }
        assert_eq!(not_seen(&pass(&world)), not_seen(&status), "it is said by every pass");
        api.fault(path, None);
    }
    assert_eq!(not_seen(&pass(&world)), whole, "what is granted again is no gap");
}

#[test]
fn a_cluster_that_does_not_say_who_it_is_or_does_not_answer_fails_the_source() {
    let api = server();
    let world = world(&api);
    pass(&world);
    api.fault("/api/v1/namespaces/kube-system", Fault::Status(401, "{\"message\":\"Unauthorized\"}".into()));
    let failed = pass(&world)["failed"].as_str().unwrap().to_owned();
    assert_eq!(failed, "GET /api/v1/namespaces/kube-system: 401: Unauthorized");
    std::fs::write(world.path("kubeconfig"), "clusters: []").unwrap();
    let failed = pass(&world)["failed"].as_str().unwrap().to_owned();
    assert!(failed.contains("kubeconfig") && failed.contains("test"), "{failed}");
    kubeconfig("http://127.0.0.1:9", &world.path("kubeconfig"));
    let failed = pass(&world)["failed"].as_str().unwrap().to_owned();
    assert!(failed.contains("refused") && failed.contains("3 attempts"), "{failed}");
    for kind in ["kubernetes.workload", "kubernetes.namespace"] {
        assert_eq!(gone(&world, kind), [""; 0]);
    }
}

#[test]
fn a_list_that_expires_or_changes_while_it_is_read_is_begun_anew() {
    let api = server();
    let world = world(&api);
    let whole = not_seen(&pass(&world));
    for fault in [Fault::Expired(2), Fault::Changing(2)] {
        api.fault(DEPLOYMENTS, fault);
        let status = pass(&world);
        assert_eq!((not_seen(&status), &status["entries"]), (whole.clone(), &json!(0)));
    }
    for (fault, why) in
        [(Fault::Expired(3), "410: The provided continue"), (Fault::Changing(3), "changed between its pages")]
    {
        api.fault(DEPLOYMENTS, fault);
        let status = pass(&world);
        assert!(not_seen(&status).iter().any(|g| g.contains(why)), "{status:#}");
        assert_eq!(gone(&world, "kubernetes.workload"), [""; 0]);
    }
}

#[test]
fn an_api_server_that_stalls_breaks_off_or_answers_with_a_page_is_said_and_the_rest_is_read() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let html = "<html><body>Sign in</body></html>";
    for (fault, why) in [
        (Fault::Stall, "no whole answer within 1 s (3 attempts)"),
        (Fault::Half, "the answer broke off"),
        (Fault::Status(200, html.into()), "the answer is no JSON"),
        (Fault::Status(200, "{\"kind\":\"PodList\"}".into()), "the answer is no list"),
        (Fault::Status(200, "[1]".into()), "the answer is no list"),
        (Fault::Status(503, html.into()), "503: <html><body>Sign in</body></html> (3 attempts)"),
        (Fault::Status(404, "404 page not found\n".into()), "404: 404 page not found"),
    ] {
        api.fault(PODS, fault);
        let status = pass(&world);
        let said = not_seen(&status);
        assert!(
            said.iter().any(|g| g.contains(&format!("GET {PODS}: ")) && g.contains(why)),
            "{why}: {said:#?}"
        );
        assert_eq!((&status["failed"], &status["entries"]), (&Value::Null, &json!(0)), "{status:#}");
    }
}

#[test]
fn the_client_only_reads_and_only_what_its_role_grants() {
    let api = server();
    // A constraint that matches whatever is listed for constraints alone.
    api.change(&format!("/apis/{CONSTRAINTS}/v1beta1/k8srequiredlabels"), |all| {
        let kinds: Vec<&str> = RESOURCES.iter().filter(|r| r.when == When::Matched).map(|r| r.kind).collect();
        all[0]["spec"]["match"]["kinds"] = json!([{ "apiGroups": ["*"], "kinds": kinds }]);
    });
    let world = world(&api);
    pass(&world);
    let check = stdout(&world.run(&["check"]));
    assert!(check.lines().any(|l| l.contains("gatekeeper") && l.contains(" ok ")), "{check}");
    let asked: BTreeSet<String> =
        api.requests().iter().map(|r| permission(r)).filter(|p| !p.is_empty()).collect();
    // A pass watches nothing; `serve` does, between two of them.
    let of_passes = crate::permissions::verbs().into_iter().filter(|v| !v.starts_with("watch "));
    assert_eq!(asked, of_passes.collect());
}

#[test]
fn a_template_that_is_deleted_takes_its_constraints_along_and_they_are_gone() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let group = "/apis/constraints.gatekeeper.sh/v1beta1";
    api.take_away(&format!("{group}/mlmodelregistry"));
    api.change(TEMPLATES, |all| all.retain(|t| t["metadata"]["name"] != "mlmodelregistry"));
    let mut kinds = recorded("apis-constraints.gatekeeper.sh-v1beta1.json");
    kinds["resources"]
        .as_array_mut()
        .unwrap()
        .retain(|r| !r["name"].as_str().unwrap().starts_with("mlmodelregistry"));
    api.reply(group, kinds);
    pass(&world);
    let short = |all: Vec<String>| {
        all.into_iter().map(|s| s.split_once("/").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        short(gone(&world, "gatekeeper.constraint")),
        ["-/MLModelRegistry/prod-model-registry", "-/MLModelRegistry/staging-model-registry-warn"]
    );
    assert_eq!(short(gone(&world, "gatekeeper.template")), ["-/ConstraintTemplate/mlmodelregistry"]);
    let ended = entries(&world, "gatekeeper.violation").into_iter().filter(|(_, p)| p["gone"] == true);
    let ended: Vec<Value> = ended.map(|(_, p)| p["ending"].clone()).collect();
    assert!(ended.len() == 40 && ended.iter().all(|e| e == "rule-changed"), "{ended:?}");
}

/// Where an object stands in its list.
pub(crate) fn named(items: &[Value], name: &str) -> usize {
    items.iter().position(|o| o["metadata"]["name"] == name).unwrap()
}

/// Gives a constraint its second generation, which all pods have seen.
pub(crate) fn edited_and_seen(constraint: &mut Value) {
    constraint["metadata"]["generation"] = json!(2);
    let pods = constraint["status"]["byPod"].as_array_mut().unwrap();
    pods.iter_mut().for_each(|p| p["observedGeneration"] = json!(2));
}

/// Lets a later audit say that a constraint has only these of its violations.
pub(crate) fn audited(constraint: &mut Value, keeps: impl Fn(&Value) -> bool) {
    let status = &mut constraint["status"];
    status["auditTimestamp"] = json!("2026-11-22T13:00:00Z");
    let violations = status["violations"].as_array_mut().unwrap();
    violations.retain(|v| keeps(v));
    let left = violations.len();
    status["totalViolations"] = json!(left);
}

#[test]
fn a_violation_ends_fixed_with_its_object_or_with_its_rule_and_never_because_nobody_looked() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let constraints = "/apis/constraints.gatekeeper.sh/v1beta1/k8srequiredlabels";
    // The objects change first; until Gatekeeper audits again, nothing is fixed.
    api.change("/api/v1/namespaces", |spaces| {
        let fixed = named(spaces, "ml-production-eu");
        spaces[fixed]["metadata"]["labels"]["owner"] = json!("ml-platform");
        let deleted = named(spaces, "ml-staging");
        spaces.remove(deleted);
    });
    pass(&world);
    assert_eq!(gone(&world, "gatekeeper.violation"), [""; 0]);
    api.change(constraints, |all| {
        let of_spaces = named(all, "namespaces-must-have-owner");
        audited(&mut all[of_spaces], |v| v["name"] != "ml-production-eu" && v["name"] != "ml-staging");
        // Edited, and audited since.
        let of_staging = named(all, "staging-cost-center-scoped");
        let c = &mut all[of_staging];
        c["spec"]["parameters"]["labels"] = json!([]);
        edited_and_seen(c);
        audited(c, |_| false);
    });
    pass(&world);
    let ended: Vec<(String, Value)> = entries(&world, "gatekeeper.violation")
        .into_iter()
        .filter(|(_, p)| p["gone"] == true)
        .map(|(s, p)| (s.split_once('/').unwrap().1.to_owned(), p["ending"].clone()))
        .collect();
    let of_candidate = |n| {
        (
            format!("ml-staging/Deployment/candidate-{n}#K8sRequiredLabels/staging-cost-center-scoped"),
            json!("rule-changed"),
        )
    };
    let of_space = |name: &str, ending: &str| {
        (format!("/Namespace/{name}#K8sRequiredLabels/namespaces-must-have-owner"), json!(ending))
    };
    let spaces = [of_space("ml-production-eu", "fixed"), of_space("ml-staging", "deleted")];
    let expected: Vec<_> = spaces.into_iter().chain((1..=5).map(of_candidate)).collect();
    assert_eq!(ended, expected);
}

#[test]
fn a_program_may_give_the_token_and_each_context_is_a_cluster_of_its_own() {
    let (api, other) = (server(), server());
    let world = World::init(&format!(
        "{CONFIG}[[gatekeeper]]\nname = \"b\"\nlocation = \"kube:other\"\nkubeconfig = \"kubeconfig\"\n"
    ));
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-a-program"}}"#;
    let exec = json!({ "apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [credential], "interactiveMode": "Never" });
    let config = json!({ "apiVersion": "v1", "kind": "Config",
        "clusters": [{ "name": "c", "cluster": { "server": api.url } }, { "name": "d", "cluster": { "server": other.url } }],
        "users": [{ "name": "u", "user": { "exec": exec } }, { "name": "v", "user": { "token": "its-own" } }],
        "contexts": [{ "name": "test", "context": { "cluster": "c", "user": "u" } }, { "name": "other", "context": { "cluster": "d", "user": "v" } }] });
    std::fs::write(world.path("kubeconfig"), config.to_string()).unwrap();
    other.change("/api/v1/namespaces", |all| {
        let system = named(all, "kube-system");
        all[system]["metadata"]["uid"] = json!("another-cluster");
    });
    pass(&world);
    assert_eq!(
        (api.tokens(), other.tokens()),
        (BTreeSet::from(["from-a-program".into()]), BTreeSet::from(["its-own".into()]))
    );
    let subjects = entries(&world, "kubernetes.workload")
        .into_iter()
        .map(|(s, _)| s.split('/').next().unwrap().to_owned());
    assert_eq!(subjects.collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn a_server_is_read_over_tls_and_one_whose_certificate_nobody_vouches_for_is_not() {
    let api = server();
    let world = world(&api);
    let url = tls::in_front_of(api.url.trim_start_matches("http://"), &world.path(""));
    let trusting = |authority: &str| {
        let text = std::fs::read_to_string(world.path("kubeconfig")).unwrap();
        let (from, to) = (text.find("server: ").unwrap(), text.find(" } }]").unwrap());
        let server = format!("server: \"{url}\"{authority}");
        std::fs::write(world.path("kubeconfig"), text.replace(&text[from..to], &server)).unwrap();
    };
    trusting("");
    let failed = pass(&world)["failed"].as_str().unwrap().to_owned();
    assert!(failed.contains("certificate"), "{failed}");
    trusting(&format!(", certificate-authority: \"{}\"", world.path("server.crt").display()));
    let status = pass(&world);
    assert_eq!((&status["failed"], entries(&world, "kubernetes.workload").len()), (&Value::Null, 51));
}

#[test]
fn objects_that_nobody_expects_are_kept_and_nothing_else_is_lost_for_them() {
    let api = server();
    let world = world(&api);
    let strange = "<script>alert(1)</script>\u{7}\u{202e}";
    let labels = "/apis/constraints.gatekeeper.sh/v1beta1/k8srequiredlabels";
    api.change(labels, |all| {
        // Never audited; of an API before totals; a message of a megabyte; one cut within a character.
        let mut blank = all[0].clone();
        blank["metadata"]["name"] = json!("blank");
        blank.as_object_mut().unwrap().remove("status");
        let mut old = all[0].clone();
        old["metadata"]["name"] = json!("old");
        old["status"] = json!({ "violations": [{ "kind": "Deployment", "name": "x", "namespace": "ml-production", "message": "old" }] });
        let mut long = all[0].clone();
        long["metadata"]["name"] = json!("long");
        let message = "é".repeat(1 << 19);
        long["status"]["violations"] = json!([
            { "kind": "Deployment", "name": "long", "namespace": "ml-production", "message": message },
            { "kind": "Deployment", "name": "cut", "namespace": "ml-production", "message": "cut \u{fffd}..." },
        ]);
        all.extend([blank, old, long]);
    });
    api.change(DEPLOYMENTS, |all| {
        let mut odd = all[7].clone();
        odd["metadata"]["name"] = json!("odd");
        odd["metadata"]["annotations"] = json!({ "note": strange, "huge": "x".repeat(300_000) });
        all.extend([odd, json!({ "spec": {} })]);
    });
    let status = pass(&world);
    assert_eq!(status["counts"]["quarantined"], 1, "{status:#}");
    let faults = status["faults"].as_array().unwrap();
    assert!(faults.iter().any(|f| f["file"] == DEPLOYMENTS && f["place"] == "items[52]"), "{faults:#?}");
    let workloads = entries(&world, "kubernetes.workload");
    assert_eq!(workloads.len(), 52);
    let odd = workloads.iter().find(|(s, _)| s.ends_with("/odd")).unwrap();
    assert!(odd.1["annotations"]["$blob"].is_string(), "what is long is kept beside its entry");
    let audit = &entries(&world, "gatekeeper.audit")[0].1["constraints"];
    let of = |name: &str| audit.as_array().unwrap().iter().find(|r| r["name"] == name).unwrap().clone();
    assert_eq!(
        (&of("blank")["total"], &of("old")["total"], &of("old")["listed"]),
        (&Value::Null, &Value::Null, &json!(1))
    );
    assert_eq!(of("blank")["reperformed"]["why"], "Gatekeeper has not audited it");
    let violations = entries(&world, "gatekeeper.violation");
    let messages = |name: &str| {
        let found = violations
            .iter()
            .find(|(s, _)| s.contains(&format!("/Deployment/{name}#K8sRequiredLabels/long")));
        found.unwrap().1["messages"].clone()
    };
    assert_eq!(messages("cut"), json!(["cut \u{fffd}..."]));
    assert_eq!(messages("long")["size"], 1_048_580, "{}", messages("long"));
    let done = world.run(&["report", "--format", "html", "--out", "r"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let html = std::fs::read_to_string(world.path("r/report.html")).unwrap();
    assert!(!html.contains("<script>alert"));
}
