//! What a watch tells between two passes, and what it does not.

use crate::cluster::{DEPLOYMENTS, entries, named, pass, server, world};
use crate::support::kube_api::{Fault, KubeApi};
use crate::support::{World, until};
use actledger::jobs::{Desk, SourceStatus};
use actledger::sources::kubernetes::Watches;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::runtime::{Builder, Runtime};

const NAMESPACES: &str = "/api/v1/namespaces";
const CONFIGS: &str = "/apis/config.gatekeeper.sh/v1alpha1/configs";
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
/// Resources that are always listed, kinds of constraints, reasons of events.
const WATCHES: usize = 13 + 3 + 2;

/// A daemon's desk with its watches, until it is dropped.
pub(crate) struct Watching {
    pub(crate) desk: Desk,
    _runtime: Runtime,
}

impl Watching {
    /// Once every watch has begun.
    pub(crate) fn begin(api: &KubeApi, world: &World) -> Watching {
        let (kserve, version) = ("/apis/serving.kserve.io", "serving.kserve.io/v1beta1");
        api.list(&format!("{kserve}/v1beta1/inferenceservices"), "InferenceService", version, Vec::new());
        api.requests();
        let desk = world.desk();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let source = std::sync::Arc::new(desk.config.gatekeeper[0].clone());
        let watches = Watches { source, changes: desk.changes["ml"].clone(), clock: desk.clock.clone() };
        runtime.spawn(watches.run());
        until("every watch", 30, || api.watches(None) == WATCHES);
        Watching { desk, _runtime: runtime }
    }

    /// Once so many changes wait.
    pub(crate) fn waits_for(&self, changes: usize) {
        until(&format!("{changes} changes"), 30, || self.desk.changes["ml"].count() == changes);
    }

    pub(crate) fn ingest(&self) -> SourceStatus {
        let mut store = self.desk.store().unwrap();
        let done = actledger::jobs::ingest(&self.desk, &mut store, &["ml".into()], &|_, _, _| {}).unwrap();
        done.sources[0].clone()
    }
}

/// States of a subject that ends so, without the first so many entries of a kind: whether each is gone.
fn gone_of(world: &World, kind: &str, skip: usize, subject: &str) -> Vec<bool> {
    let told = entries(world, kind).split_off(skip);
    let of = told.iter().filter(|(s, _)| s.ends_with(subject));
    of.map(|(_, p)| p["gone"] == true).collect()
}

#[test]
fn what_comes_and_goes_between_two_passes_is_in_the_record_and_a_span_without_a_watch_is_named() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let watching = Watching::begin(&api, &world);
    let label = |all: &mut Vec<Value>, value: &str| all[5]["metadata"]["labels"]["experiment"] = json!(value);
    for value in ["a", "b", "c"] {
        api.change(DEPLOYMENTS, |all| label(all, value));
    }
    // A namespace is exempt for a moment, and a workload runs in between.
    let exempt = |all: &mut Vec<Value>, on: bool| {
        let space = named(all, "ml-production");
        let label = if on { json!("yes") } else { Value::Null };
        all[space]["metadata"]["labels"]["admission.gatekeeper.sh/ignore"] = label;
    };
    api.change(NAMESPACES, |all| exempt(all, true));
    let passing = json!({ "metadata": { "name": "passing", "namespace": "ml-production", "labels": {} }, "spec": { "replicas": 1, "template": { "spec": { "containers": [] } } } });
    api.change(DEPLOYMENTS, |all| all.push(passing));
    watching.waits_for(5);
    assert_eq!(watching.desk.changed(), ["ml"]);
    api.change(NAMESPACES, |all| exempt(all, false));
    api.change(DEPLOYMENTS, |all| all.retain(|d| d["metadata"]["name"] != "passing"));
    watching.waits_for(7);
    let before = entries(&world, "kubernetes.workload").len();
    let status = watching.ingest();
    assert_eq!(status.entries, 3 + 2 + 2, "{status:?}");
    let told = entries(&world, "kubernetes.workload").split_off(before);
    let labels: Vec<_> = told.iter().filter_map(|(_, p)| p["labels"]["experiment"].as_str()).collect();
    assert_eq!(labels, ["a", "b", "c"]);
    let of_passing = gone_of(&world, "kubernetes.workload", before, "ml-production/Deployment/passing");
    assert_eq!(of_passing, [false, true]);
    assert_eq!((watching.ingest().entries, watching.desk.changed().len()), (0, 0));
    // The server forgets: whatever happened meanwhile is not known, and that is said.
    api.requests();
    let now = api.compact();
    until("every watch begun anew", 30, || api.watches(Some(now)) == WATCHES);
    let said = watching.ingest().not_seen;
    let lost = said.iter().filter(|g| g.starts_with("what came and went between ") && g.contains("410"));
    let lost: Vec<&String> = lost.collect();
    assert!(
        lost.len() == 1
            && lost[0].contains("deployments, events, inferenceservices, jobs, k8srequiredlabels"),
        "{said:#?}"
    );
}

#[test]
fn what_may_be_listed_and_not_watched_is_told_by_every_pass() {
    let api = server();
    let world = world(&api);
    pass(&world);
    api.fault(DEPLOYMENTS, Fault::Unwatched);
    let watching = Watching::begin(&api, &world);
    let refused = |said: &[String]| {
        let why = "was not watched: deployments (403";
        said.iter().any(|g| g.contains(why) && g.contains("the role needs watch on deployments"))
    };
    until("a refusal", 30, || refused(&watching.ingest().not_seen));
    assert_eq!((watching.desk.changed().len(), watching.ingest().entries), (0, 0), "it makes no pass due");
    assert!(refused(&watching.ingest().not_seen));
}

#[test]
fn a_hook_that_is_taken_out_and_put_back_between_two_passes_is_in_the_record() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let watching = Watching::begin(&api, &world);
    let before = entries(&world, "kubernetes.webhook").len();
    let mut hooks = Value::Null;
    api.change(WEBHOOKS, |all| hooks = std::mem::replace(&mut all[0]["webhooks"], json!([])));
    api.change(WEBHOOKS, |all| all[0]["webhooks"] = hooks);
    watching.waits_for(2);
    watching.ingest();
    assert_eq!(gone_of(&world, "kubernetes.webhook", before, "/validation.gatekeeper.sh"), [true, false]);
}

#[test]
fn what_a_config_kept_from_the_audit_makes_no_difference_before_the_next_audit() {
    let api = server();
    let world = world(&api);
    let config = json!({ "metadata": { "name": "config", "uid": "c", "resourceVersion": "1" }, "spec": { "match": [{ "excludedNamespaces": ["ml-staging"], "processes": ["audit"] }] } });
    let constraints = "/apis/constraints.gatekeeper.sh/v1beta1/mlmodelregistry";
    // As Gatekeeper audits without that namespace.
    api.change(CONFIGS, |all| all.push(config.clone()));
    let warn = "staging-model-registry-warn";
    let without = |time: &str| {
        api.change(constraints, |all| {
            let warn = named(all, warn);
            let status = &mut all[warn]["status"];
            (status["violations"], status["totalViolations"]) = (json!([]), json!(0));
            status["auditTimestamp"] = json!(time);
        });
    };
    without("2026-11-22T13:00:00Z");
    pass(&world);
    let verdict = || {
        let audit = entries(&world, "gatekeeper.audit").pop().unwrap().1;
        let row =
            audit["constraints"].as_array().unwrap().iter().find(|r| r["name"] == warn).unwrap().clone();
        (row["reperformed"]["verdict"].clone(), row["reperformed"]["why"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdict().0, "reproduced");
    api.change(CONFIGS, Vec::clear);
    let later = "Gatekeeper's Config may be later than its audit";
    for _ in 0..2 {
        pass(&world);
        let (is, why) = verdict();
        assert!(is == "not-reproducible" && why.contains(later), "{is} {why}");
    }
    // An audit after that looked at all, and yet finds nothing.
    without("2099-01-01T00:00:00Z");
    pass(&world);
    assert_eq!(verdict().0, "differs", "{}", verdict().1);
    // One that comes and goes between two passes is the same.
    let watching = Watching::begin(&api, &world);
    without("2026-11-22T13:00:00Z");
    api.change(CONFIGS, |all| all.push(config));
    api.change(CONFIGS, Vec::clear);
    // The constraint as it is, which the watch sees for the first time, and the Config.
    watching.waits_for(3);
    watching.ingest();
    let (is, why) = verdict();
    assert!(is == "not-reproducible" && why.contains(later), "{is} {why}");
}

/// Of a `make soak`: as many changes as an hour has seconds, while passes run.
#[test]
#[ignore = "make soak: an hour's changes"]
fn three_thousand_six_hundred_changes_are_in_the_record_and_none_is_kept_in_memory() {
    let api = server();
    let world = world(&api);
    pass(&world);
    let watching = Watching::begin(&api, &world);
    let ingest = || {
        let status = watching.ingest();
        assert!(!status.not_seen.iter().any(|g| g.contains("not watched")), "{status:?}");
    };
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = entries(&world, "kubernetes.workload").len();
    let mut early = 0;
    for n in 0..3_600 {
        api.change(DEPLOYMENTS, |all| all[n % 40]["metadata"]["labels"]["experiment"] = json!(n.to_string()));
        if n % 100 == 99 {
            ingest();
        }
        if n == 599 {
            early = resident();
        }
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    ingest();
    let late = resident();
    let told = entries(&world, "kubernetes.workload").split_off(before);
    let seen: BTreeSet<u64> =
        told.iter().filter_map(|(_, p)| p["labels"]["experiment"].as_str()?.parse().ok()).collect();
    assert_eq!(seen, (0..3_600).collect());
    println!("3600 changes in {} entries; {early} KiB after 600, {late} KiB at the end", told.len());
    assert!(late < early + 20 * 1024, "{early} KiB after 600 changes, {late} KiB after all");
}
