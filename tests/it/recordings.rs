//! What was recorded from a real API server with a real Gatekeeper, replayed in the order of its time, against a ledger that
//! people read. `ACTLEDGER_SNAPSHOT=write` writes what is then read line by line.

use crate::cluster::{DEPLOYMENTS, TEMPLATES, entries, items, pass, recorded, server, world};
use crate::support::kube_api::{Fault, KubeApi};
use crate::support::{World, project, sqlite, until};
use crate::watches::Watching;
use actledger::evidence::sha256_hex;
use actledger::jobs::SourceStatus;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EVENTS: &str = "/api/v1/events";
const GROUP: &str = "/apis/constraints.gatekeeper.sh/v1beta1";
const LABELS: &str = "/apis/constraints.gatekeeper.sh/v1beta1/k8srequiredlabels";
const REGISTRY: &str = "/apis/constraints.gatekeeper.sh/v1beta1/mlmodelregistry";

fn lines(name: &str) -> String {
    std::fs::read_to_string(project().join("tests/data/kubernetes").join(name)).unwrap()
}

/// Compares with a file, line by line.
fn snapshot(name: &str, text: &str) {
    let file = project().join("tests/data/kubernetes").join(name);
    if std::env::var_os("ACTLEDGER_SNAPSHOT").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    for (i, (got, expected)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, expected, "{name} line {}", i + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}");
}

/// An entry in a line: long texts by their digest, without the salt of what is private.
fn line(kind: &str, subject: &str, mut payload: Value) -> String {
    if kind == "gatekeeper.template" && payload["text"].is_string() {
        payload["text"] = json!(sha256_hex(payload["text"].to_string().as_bytes()));
    }
    if kind == "gatekeeper.admission" {
        payload["user"] = payload["user"].is_object().into();
    }
    format!("{kind} {subject} {payload}\n")
}

/// The ledger of a first pass.
#[test]
fn the_recorded_cluster_gives_the_expected_ledger() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let kinds = [
        "gatekeeper.template",
        "gatekeeper.constraint",
        "gatekeeper.config",
        "gatekeeper.audit",
        "gatekeeper.violation",
        "gatekeeper.admission",
        "kubernetes.webhook",
        "kubernetes.namespace",
        "kubernetes.workload",
        "kubernetes.address",
    ];
    let told =
        |kind: &&str| entries(&world, kind).into_iter().map(|(s, p)| line(kind, &s, p)).collect::<String>();
    snapshot("ledger.txt", &kinds.iter().map(told).collect::<String>());
}

/// The listing ends after 20, the events of the audit do not: they name what our own evaluation adds to the listing.
#[test]
fn completed_lists_are_those_of_the_audit_s_own_events() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let events = items(&["events-gatekeeper-system.json"]);
    let audited = events.iter().filter(|e| e["reason"] == "AuditViolation").map(|e| {
        let note = |key: &str| e["metadata"]["annotations"][key].as_str().unwrap_or_default();
        let object = ["resource_namespace", "resource_kind", "resource_name"].map(note).join("/");
        format!("{object}#{}/{}", note("constraint_kind"), note("constraint_name"))
    });
    // Three objects are younger than the lists.
    let younger = ["/kubectl-warned#", "/stage-warned#", "/Namespace/orphan#"];
    let audited: BTreeSet<String> = audited.filter(|v| !younger.iter().any(|y| v.contains(y))).collect();
    let ours = entries(&world, "gatekeeper.violation");
    assert_eq!(ours.iter().filter(|(_, p)| p["reperformed"] == true).count(), 29);
    let ours = ours.into_iter().map(|(subject, _)| subject.split_once('/').unwrap().1.to_owned());
    assert_eq!(ours.collect::<BTreeSet<_>>(), audited);
}

/// What happened to the recorded cluster, step by step: what each pass said and wrote.
struct History<'a> {
    world: &'a World,
    watching: Watching,
    told: String,
    entries: usize,
}

impl History<'_> {
    /// A pass, once so many changes wait.
    fn step(&mut self, what: &str, changes: usize) -> SourceStatus {
        self.watching.waits_for(changes);
        let status = self.watching.ingest();
        self.told += &format!("\n{what}\n");
        // Spans without a watch are of the time of the test.
        let said = status.not_seen.iter().filter(|g| !g.starts_with("what came and went"));
        said.for_each(|gap| self.told += &format!("  not seen: {gap}\n"));
        let query = "SELECT CAST(bytes AS TEXT) FROM entry ORDER BY seq";
        let rows = sqlite(&self.world.ledger(), query);
        let rows: Vec<Value> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        for entry in &rows[self.entries..] {
            let text = |field: &str| entry[field].as_str().unwrap();
            if text("source") == "ml" && text("kind") != "source.run" {
                let subject = text("subject").split_once('/').unwrap().1;
                self.told += &("  ".to_owned() + &line(text("kind"), subject, entry["payload"].clone()));
            }
        }
        self.entries = rows.len();
        status
    }
}

#[test]
fn what_happened_to_the_recorded_cluster_gives_the_expected_history() {
    let api = server();
    api.is_at(1434);
    let world = world(&api);
    pass(&world);
    let watching = Watching::begin(&api, &world);
    let mut history = History { world: &world, watching, told: String::new(), entries: 0 };
    let show = |api: &KubeApi, path: &str, names: &[&str]| {
        api.show(path, names.iter().map(|name| recorded(name)).collect());
    };
    history.step("12:08:17 the first look", 0);
    history.told.clear();
    history.step("12:08:17 once more", 0);

    show(&api, DEPLOYMENTS, &["allowed-create-201.json", "warned-create-201.json"]);
    show(&api, "/api/v1/namespaces", &["dryrun-constraint-namespace-201.json"]);
    api.forget(DEPLOYMENTS, "model-24");
    api.show(EVENTS, items(&["events-gatekeeper-system.json"]));
    api.is_at(2549);
    history.step("12:10:08 requests were denied, warned about and noted; one violator was deleted", 0);

    api.replay(REGISTRY, &lines("watch-mlmodelregistry-bookmarks.jsonl"));
    history.step(
        "12:10:43 four audits; a constraint was annotated, another made and deleted between two looks",
        5,
    );

    api.replay(EVENTS, &lines("watch-events.jsonl"));
    api.show(LABELS, items(&["list-exact-old-rv-200.json"]));
    history.step("12:11:09 one more audit, one more denied request", 2);

    api.requests();
    api.replay(REGISTRY, &lines("gone-410-watch.jsonl"));
    until("a watch begun anew", 30, || api.watches(None) == 1);
    let said = history.step("12:11:23 the watch was told 410", 0).not_seen;
    assert!(said.iter().any(|g| g.contains("was not watched: mlmodelregistry (410: ")), "{said:#?}");

    show(&api, REGISTRY, &["constraint-message-cut-mid-rune.json"]);
    history.step("12:12:40 messages cut within a character", 0);

    show(&api, REGISTRY, &["constraint-edited-while-audit-down.json"]);
    show(&api, LABELS, &["constraint-never-audited-no-status.json"]);
    history.step("12:12:56 a constraint edited and one made while the audit was down", 0);

    show(&api, REGISTRY, &["constraint-after-audit-restart.json"]);
    history.step("12:13:10 the audit runs again", 0);

    show(&api, REGISTRY, &["constraint-just-edited-audit-up.json"]);
    history.step("12:13:10 edited once more, a moment ago", 0);

    show(&api, REGISTRY, &["constraint-new-audit-pod.json"]);
    api.show(TEMPLATES, items(&["constrainttemplates-new-audit-pod.json"]));
    api.forget(REGISTRY, "staging-model-registry-warn");
    history.step("12:13:32 a new pod audits; a constraint was deleted", 0);

    api.replay(REGISTRY, &lines("watch-while-template-deleted.jsonl"));
    api.take_away(REGISTRY);
    api.reply(GROUP, recorded("apis-constraints-after-template-deleted.json"));
    api.forget(TEMPLATES, "mlmodelregistry");
    history.step("12:19:48 a template was deleted", 2);

    api.take_away(LABELS);
    api.fault(GROUP, Fault::Status(404, "404 page not found\n".into()));
    ["k8srequiredlabels", "mlbrokentemplate"].iter().for_each(|name| api.forget(TEMPLATES, name));
    history.step("12:19:54 no template is left, and no group of constraints", 0);
    snapshot("history.txt", &history.told);
}
