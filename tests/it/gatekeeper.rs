//! The cluster and its Gatekeeper, from what a real API server replied (`tests/data/kubernetes`).

use crate::support::project;
use actledger::act::SourceKind;
use actledger::config::Source;
use actledger::evidence::gatekeeper::{Audit, AuditRow, Reperformed, Verdict, Violation};
use actledger::evidence::{Kind, Time};
use actledger::sources::flow_logs::Selection;
use actledger::sources::{Context, Gathered, gather};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

fn reply(name: &str) -> Value {
    let bytes = std::fs::read(project().join("tests/data/kubernetes").join(name)).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The replies of a look, pages put together, each under the name that `kubectl` users give it.
fn look() -> BTreeMap<&'static str, Value> {
    let mut deployments = reply("deployments-limit20-page1.json");
    for page in ["deployments-limit20-page2.json", "deployments-limit20-page3.json"] {
        let items = reply(page)["items"].as_array().unwrap().clone();
        deployments["items"].as_array_mut().unwrap().extend(items);
    }
    deployments["metadata"] = json!({});
    [
        ("deployments.json", deployments),
        // The same objects once more.
        (
            "deployments-1.json",
            json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {},
            "items": reply("deployments-limit20-page1.json")["items"]}),
        ),
        ("configs.json", json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []})),
        ("namespaces.json", reply("namespaces.json")),
        ("services.json", reply("services-all.json")),
        ("constrainttemplates.json", reply("constrainttemplates-v1.json")),
        ("k8srequiredlabels.json", reply("constraints-k8srequiredlabels.json")),
        ("mlmodelregistry.json", reply("constraints-mlmodelregistry.json")),
    ]
    .into()
}

fn read(look: &BTreeMap<&'static str, Value>) -> Gathered {
    let source: Source = toml::from_str("name = 'cluster'\nlocation = 'file:x'").unwrap();
    let context = Context::new(&source, Selection::default());
    let at: Time = "2026-11-22T12:08:17Z".parse().unwrap();
    let files =
        look.iter().map(|(name, value)| ((*name).to_owned(), Ok(Cow::Owned(value.to_string().into_bytes()))));
    gather(SourceKind::Gatekeeper, &context, Some(at), at, files)
}

fn payloads<T: serde::de::DeserializeOwned>(gathered: &Gathered, kind: Kind) -> Vec<T> {
    let all = gathered.evidence.iter().filter(|e| e.kind == kind);
    all.map(|e| serde_json::from_value(e.payload.clone()).unwrap()).collect()
}

fn rows(gathered: &Gathered) -> BTreeMap<String, (AuditRow, Reperformed)> {
    let [audit]: [Audit; 1] = payloads(gathered, Kind::GatekeeperAudit).try_into().unwrap();
    let row = |r: AuditRow| (r.name.clone(), (r.clone(), r.reperformed.unwrap()));
    audit.constraints.into_iter().map(row).collect()
}

#[test]
fn reperformance_agrees_with_gatekeeper_on_every_recorded_constraint() {
    let gathered = read(&look());
    let rows = rows(&gathered);
    assert!(
        gathered.complete.contains_key(&Kind::GatekeeperConstraint),
        "every kind of constraint is listed"
    );
    for (name, (row, ours)) in &rows {
        assert_eq!(ours.verdict, Verdict::Reproduced, "{name}: {}", ours.why);
        assert_eq!(ours.violations, row.total.map(|t| t as u64), "{name}");
    }
    println!("re-performance agrees on {0} of {0} recorded constraints", rows.len());
    assert_eq!(rows.len(), 6);
    let matched = |name: &str| rows[name].1.matched.unwrap();
    assert_eq!((matched("namespaces-must-have-owner"), matched("services-must-have-team")), (9, 1));
}

#[test]
fn what_gatekeeper_does_not_list_is_completed() {
    let gathered = read(&look());
    let violations: Vec<Violation> = payloads(&gathered, Kind::GatekeeperViolation);
    for (name, total, unlisted) in [
        ("K8sRequiredLabels/ml-deployments-must-have-labels", 34, 14),
        ("MLModelRegistry/prod-model-registry", 35, 15),
    ] {
        let of_it: Vec<_> = violations.iter().filter(|v| v.constraint == name).collect();
        let messages: usize = of_it.iter().map(|v| v.messages.len()).sum();
        assert_eq!((messages, of_it.iter().filter(|v| v.reperformed).count()), (total, unlisted), "{name}");
    }
    let notes = &gathered.truncated;
    assert!(
        notes.len() == 2 && notes.iter().all(|t| t.ends_with("our own evaluation has all of them")),
        "{notes:?}"
    );
    assert!(gathered.complete[&Kind::GatekeeperViolation].is_empty(), "every violation was looked for");
}

/// Changes one member of the first item with a name.
fn changed(file: &'static str, name: &str, pointer: &str, value: Value) -> BTreeMap<&'static str, Value> {
    let mut look = look();
    let items = look.get_mut(file).unwrap()["items"].as_array_mut().unwrap();
    let item = items.iter_mut().find(|i| i["metadata"]["name"] == name).unwrap();
    *item.pointer_mut(pointer).unwrap() = value;
    look
}

#[test]
fn a_label_a_match_and_a_parameter_each_make_a_difference() {
    let cases = [
        (
            "namespaces.json",
            "kube-public",
            "/metadata/labels",
            json!({"owner": "x"}),
            "namespaces-must-have-owner",
        ),
        (
            "k8srequiredlabels.json",
            "staging-cost-center-scoped",
            "/spec/match/namespaces",
            json!(["ml-production"]),
            "staging-cost-center-scoped",
        ),
        (
            "mlmodelregistry.json",
            "staging-model-registry-warn",
            "/spec/parameters/approvedPrefixes",
            json!([""]),
            "staging-model-registry-warn",
        ),
    ];
    for (file, item, pointer, value, constraint) in cases {
        let rows = rows(&read(&changed(file, item, pointer, value)));
        let (_, ours) = &rows[constraint];
        assert_eq!(ours.verdict, Verdict::Differs, "{constraint}: {}", ours.why);
        assert!(ours.why.contains("Gatekeeper"), "{}", ours.why);
        println!("{constraint}: {}", ours.why);
    }
}

#[test]
fn what_cannot_be_compared_is_no_difference() {
    let late = json!([{"manager": "kubectl", "time": "2026-11-22T12:08:10Z"}]);
    let mut changed_late =
        changed("namespaces.json", "kube-public", "/metadata/labels", json!({"owner": "x"}));
    let items = changed_late.get_mut("namespaces.json").unwrap()["items"].as_array_mut().unwrap();
    items.iter_mut().find(|i| i["metadata"]["name"] == "kube-public").unwrap()["metadata"]["managedFields"] =
        late;
    // Gatekeeper's pod has seen the edit, and has not audited since (`constraint-just-edited-audit-up.json`).
    let mut edited = look();
    let kind = edited.get_mut("mlmodelregistry.json").unwrap();
    for constraint in kind["items"].as_array_mut().unwrap() {
        constraint["metadata"]["generation"] = json!(3);
        let pods = constraint["status"]["byPod"].as_array_mut().unwrap();
        pods.iter_mut().for_each(|p| p["observedGeneration"] = json!(3));
        let edit = json!({"manager": "recorder", "operation": "Update", "time": "2026-11-22T12:08:10Z"});
        constraint["metadata"]["managedFields"].as_array_mut().unwrap().push(edit);
        constraint["spec"]["parameters"]["approvedPrefixes"] = json!([]);
    }
    // A namespace that Gatekeeper lists and that conforms: with a Config that nobody read, or an audit of a cache.
    let mut without_config =
        changed("namespaces.json", "kube-public", "/metadata/labels", json!({"owner": "x"}));
    let mut of_cache = without_config.clone();
    without_config.remove("configs.json");
    let deployments = of_cache.get_mut("deployments.json").unwrap()["items"].as_array_mut().unwrap();
    let audit = deployments.iter_mut().find(|d| d["metadata"]["name"] == "gatekeeper-audit").unwrap();
    audit["spec"]["template"]["spec"]["containers"][0]["args"] =
        json!(["--operation=audit", "--audit-from-cache=true"]);
    let mut without_services = look();
    without_services.remove("services.json");
    let cases = [
        (changed_late, "namespaces-must-have-owner", "objects may have changed since its audit"),
        (
            without_config,
            "namespaces-must-have-owner",
            "Config, which may keep objects from the audit, was not read; of /Namespace/kube-public",
        ),
        (of_cache, "namespaces-must-have-owner", "Gatekeeper audits its cache and not the cluster"),
        (edited, "staging-model-registry-warn", "of constraint and template as they are now"),
        (without_services, "services-must-have-team", "no whole list of Service"),
        (
            changed("mlmodelregistry.json", "prod-model-registry", "/metadata/generation", json!(2)),
            "prod-model-registry",
            "of constraint and template as they are now",
        ),
        (
            changed("mlmodelregistry.json", "prod-model-registry", "/spec/match", json!({})),
            "prod-model-registry",
            "objects of every kind",
        ),
        (
            changed("mlmodelregistry.json", "prod-model-registry", "/status", json!({})),
            "prod-model-registry",
            "has not audited it",
        ),
        (
            changed("constrainttemplates.json", "mlmodelregistry", "/status/created", json!(false)),
            "prod-model-registry",
            "its template is not in force",
        ),
        (
            changed(
                "constrainttemplates.json",
                "mlmodelregistry",
                "/spec/targets/0/rego",
                json!("package a\nviolation[{\"msg\": m}] { m := f(1) }"),
            ),
            "prod-model-registry",
            "its template calls f",
        ),
    ];
    for (look, constraint, why) in cases {
        let gathered = read(&look);
        let (_, ours) = &rows(&gathered)[constraint];
        assert_eq!(ours.verdict, Verdict::NotReproducible, "{why}");
        assert!(ours.why.contains(why), "{why}: {}", ours.why);
    }
}

#[test]
fn what_gatekeepers_config_keeps_from_the_audit_is_not_evaluated() {
    let config = |process: &str| {
        let mut look = look();
        let rules = json!([{"processes": [process], "excludedNamespaces": ["research", "kube-*"]}]);
        let config = json!({"apiVersion": "config.gatekeeper.sh/v1alpha1", "kind": "Config",
            "metadata": {"name": "config", "namespace": "gatekeeper-system"}, "spec": {"match": rules}});
        look.insert("configs.json", json!({"kind": "List", "apiVersion": "v1", "items": [config]}));
        rows(&read(&look))["namespaces-must-have-owner"].1.clone()
    };
    assert_eq!((config("audit").matched, config("*").matched), (Some(5), Some(5)));
    let of_webhook = config("webhook");
    assert_eq!((of_webhook.matched, of_webhook.verdict), (Some(9), Verdict::Reproduced));
}
