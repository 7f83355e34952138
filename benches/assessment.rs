//! A large estate judged: 1,000 systems, a million entries, 30 days. The night checks every entry, folds them into facts, builds
//! state.db anew and judges, in a process of its own; CPU is its user and system time. What the judging alone costs, once
//! everything is folded, stands below it.
//!
//!     cargo bench --bench assessment            ACTLEDGER_BENCH_SYSTEMS=1000
#![expect(clippy::print_stdout, reason = "the table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on says so by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "passes are measured by other benches")]

mod measure;
mod passes;

use actledger::assessment::{self, Facts};
use actledger::clock::Clock;
use actledger::config::Config;
use actledger::evidence::flow_logs::{
    Direction, FlowObject, FlowRow, HourRow, Initiator, RecordCounts, Side, Traffic,
};
use actledger::evidence::record::AssessmentRun;
use actledger::evidence::{Evidence, Kind, Time};
use actledger::jobs::{self, AsOf, Desk};
use actledger::report::{Scope, html, pdf};
use measure::{measured, own_peak};
use nix::sys::resource::UsageWho;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Entries of one system in the days of the window.
const OF_ONE: usize = 1_000;
const DAYS: i64 = 30;
const CONFIG: &str = "register = 'systems.toml'
schedule = { ingest = '0 0 * * *' }
[[flow_logs]]
name = 'network'
location = 'file:network'
[[gatekeeper]]
name = 'cluster'
location = 'file:cluster'
[[sentinel]]
name = 'terraform'
location = 'file:terraform'
organization = 'example'
[[model_artifacts]]
name = 'artifacts'
location = 'file:artifacts'
[network]
own = ['10.0.0.0/8']
";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(i) = arguments.iter().position(|a| a == "assess") {
        return assess(Path::new(&arguments[i + 1]));
    }
    if let Some(i) = arguments.iter().position(|a| a == "judge") {
        return judge(Path::new(&arguments[i + 1]));
    }
    if let Some(i) = arguments.iter().position(|a| a == "report") {
        return report(Path::new(&arguments[i + 1]));
    }
    let systems = std::env::var("ACTLEDGER_BENCH_SYSTEMS").map_or(1_000, |n| n.parse().unwrap());
    println!(
        "| systems | entries | what | CPU s | wall s | MiB | transitions | goal |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    for (systems, goals) in [(systems / 10, ["", ""]), (systems, ["60 s on two cores, 500 MiB", "5 s"])] {
        let dir = passes::estate(CONFIG);
        let desk = desk(dir.path());
        let entries = fill(&desk, systems);
        row("assess", dir.path(), systems, entries, "from nothing", goals[0]);
        reports(dir.path(), systems);
        let entries = entries + change(&desk, systems);
        row("judge", dir.path(), systems, entries, "1 % changed: judging alone", goals[1]);
        row("assess", dir.path(), systems, entries, "a night later, 1 % changed", goals[1]);
    }
}

fn at(day: i64, hour: i64) -> Time {
    let first: Time = "2026-10-21T00:00:00Z".parse().unwrap();
    first.plus_seconds(day * 86_400 + hour * 3600)
}

fn desk(dir: &Path) -> Desk {
    let text = std::fs::read_to_string(dir.join("actledger.toml")).unwrap();
    let mut desk = Desk::lay(Config::parse(&text, "actledger.toml", dir).unwrap()).unwrap();
    desk.clock = Clock::at(at(0, 0));
    desk
}

fn assess(dir: &Path) {
    let mut desk = desk(dir);
    let mut store = desk.store().unwrap();
    let last = store.reader().last_recorded().unwrap().unwrap();
    desk.clock = Clock::at(last.plus_seconds(1800));
    let status = jobs::assess(&desk, &mut store, true).unwrap();
    println!("{} {}", own_peak(), status.changes);
}

/// Judges what a pass folded, and finds what changed since the last time.
fn judge(dir: &Path) {
    let desk = desk(dir);
    let store = desk.store().unwrap();
    let mut facts = Facts::default();
    store.verified(u64::MAX, |placed| facts.fold(placed)).unwrap().unwrap();
    // What cannot be read would be left out, and cost nothing.
    let objects = facts.network.of("network").arrivals.len();
    let (systems, runs) = (facts.systems.0.len(), facts.terraform.runs.len());
    let told = (facts.versions.0.len(), facts.cluster.workloads.0.len(), facts.terraform.resources.0.len());
    assert!(
        told.0 >= 120 * systems && told.1 == systems && told.2 == 2 * systems && runs >= 5 * systems,
        "{told:?}"
    );
    assert!(objects >= 600 * systems, "{objects} objects");
    let at = store.reader().last_recorded().unwrap().unwrap().plus_seconds(1800);
    let last = facts.own.runs.last().unwrap().value.clone();
    let run = AssessmentRun { at, size: facts.size, ..last };
    let mut changes = 0;
    let m = measured(UsageWho::RUSAGE_SELF, || {
        let judged = assessment::assess(&facts, &desk.catalogue, &run);
        changes = assessment::changes::between(&facts, &desk.catalogue, &run, &judged).count();
    });
    println!("{} {changes} {} {}", own_peak(), m.cpu, m.wall);
}

/// Makes the forms of the last report, one after the other: what each took, and how much memory the process had at most by then.
fn report(dir: &Path) {
    let mut desk = desk(dir);
    let store = desk.store().unwrap();
    desk.clock = Clock::at(store.reader().last_recorded().unwrap().unwrap());
    let as_of = jobs::resolve(&desk, &store, &AsOf::Latest).unwrap();
    let tell = |what: &str, cpu: f64, wall: f64, size: usize| {
        println!("{what}\t{cpu:.1}\t{wall:.1}\t{}\t{size}", own_peak() / 1024);
    };
    let mut made = None;
    let m = measured(UsageWho::RUSAGE_SELF, || {
        made = Some(jobs::view(&desk, &store, as_of, &Scope::default()).unwrap());
    });
    let report = made.unwrap();
    let findings: usize = report.systems.iter().map(|s| s.findings.len()).sum();
    tell(&format!("record checked and folded, judged, model ({findings} findings)"), m.cpu, m.wall, findings);
    let mut size = 0;
    let m = measured(UsageWho::RUSAGE_SELF, || {
        size = html::document(&report).unwrap().values().map(String::len).sum();
    });
    tell("HTML set", m.cpu, m.wall, size);
    let mut manuscript = None;
    let m = measured(UsageWho::RUSAGE_SELF, || manuscript = Some(pdf::manuscript(&report).unwrap()));
    let manuscript = manuscript.unwrap();
    let shown = manuscript.report["systems"].as_array().unwrap().len();
    std::fs::write(dir.join("manuscript.json"), serde_json::to_vec(&manuscript).unwrap()).unwrap();
    tell("what the PDF shows", m.cpu, m.wall, shown);
    // The same systems and rows as a page, for a browser.
    let mut same = report;
    same.systems.sort_by_key(|s| std::cmp::Reverse(s.open));
    same.systems.truncate(shown);
    same.wanted.truncate(150);
    same.changes.truncate(150);
    // The PDF tells counts of a control, and not its thousand systems.
    same.controls.iter_mut().for_each(|c| c.findings.clear());
    std::fs::write(dir.join("same.html"), &html::document(&same).unwrap()["report.html"]).unwrap();
}

/// The forms of a report, and its PDF by typst and by Chromium, each in a process of its own.
fn reports(dir: &Path, systems: usize) {
    let program = std::env::current_exe().unwrap();
    let done = Command::new(program).arg("report").arg(dir).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for line in String::from_utf8(done.stdout).unwrap().lines() {
        let told: Vec<&str> = line.split('\t').collect();
        println!(
            "| {systems} | {} | report: {} | {} | {} | {} | | |",
            told[4], told[0], told[1], told[2], told[3]
        );
    }
    let set = |what: &str, command: &mut Command, pdf: &Path| {
        let m = measured(UsageWho::RUSAGE_CHILDREN, || assert!(command.status().unwrap().success()));
        let size = std::fs::metadata(pdf).unwrap().len();
        println!("| {systems} | {size} | PDF by {what} | {:.1} | {:.1} | | | |", m.cpu, m.wall);
        m.wall
    };
    let (typst, chromium) = (dir.join("typst.pdf"), dir.join("chromium.pdf"));
    let input = std::fs::File::open(dir.join("manuscript.json")).unwrap();
    let mut ours = Command::new(env!("CARGO_BIN_EXE_actledger"));
    ours.arg(jobs::SET_PDF).stdin(input).stdout(std::fs::File::create(&typst).unwrap());
    let ours = set("typst", &mut ours, &typst);
    let mut theirs = Command::new("chromium");
    theirs.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]);
    theirs.arg(format!("--user-data-dir={}", dir.join("profile").display()));
    theirs
        .arg(format!("--print-to-pdf={}", chromium.display()))
        .arg(format!("file://{}", dir.join("same.html").display()));
    theirs.stderr(std::process::Stdio::null());
    let theirs = set("Chromium, of the same as HTML", &mut theirs, &chromium);
    println!("| {systems} | | Chromium takes {:.1} times as long as typst | | | | | 3 |", theirs / ours);
}

fn row(what_runs: &str, dir: &Path, systems: usize, entries: usize, what: &str, goal: &str) {
    let mut said = String::new();
    let m = measured(UsageWho::RUSAGE_CHILDREN, || {
        let program = std::env::current_exe().unwrap();
        let done = Command::new(program).arg(what_runs).arg(dir).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        said = String::from_utf8(done.stdout).unwrap();
    });
    let said: Vec<&str> = said.split_whitespace().collect();
    let number = |i: usize| said.get(i).map(|n| n.parse::<f64>().unwrap());
    let (cpu, wall) = (number(2).unwrap_or(m.cpu), number(3).unwrap_or(m.wall));
    let (peak, changes) = (number(0).unwrap() / 1024.0, said[1]);
    println!("| {systems} | {entries} | {what} | {cpu:.1} | {wall:.1} | {peak:.0} | {changes} | {goal} |");
}

/// Thirty days of an estate, day by day.
fn fill(desk: &Desk, systems: usize) -> usize {
    let mut store = desk.store().unwrap();
    let mut written = 0;
    for day in 0..DAYS {
        desk.clock.set(at(day + 1, 0));
        let mut batch = Vec::new();
        if day == 0 {
            batch.extend(common(day));
            (0..systems).for_each(|s| batch.extend(declared(s)));
        }
        (0..systems).for_each(|s| batch.extend(of_day(s, day)));
        batch.extend(objects(systems, day));
        batch.extend(looks(day));
        for part in batch.chunks(20_000) {
            written += usize::try_from(store.append(&desk.writer(), part.to_vec()).unwrap().entries).unwrap();
        }
    }
    written
}

/// The night after: every hundredth system has a new model version, a run and its share of flow logs.
fn change(desk: &Desk, systems: usize) -> usize {
    let mut store = desk.store().unwrap();
    desk.clock.set(at(DAYS + 1, 0));
    let mut batch: Vec<Evidence> = (0..systems).step_by(100).flat_map(|s| of_day(s, DAYS)).collect();
    batch.extend(objects(systems, DAYS).into_iter().step_by(100));
    batch.extend(looks(DAYS));
    usize::try_from(store.append(&desk.writer(), batch).unwrap().entries).unwrap()
}

fn state(kind: Kind, source: &str, subject: String, day: i64, payload: Value) -> Evidence {
    Evidence::state(kind, source, subject, at(day, 23), &payload)
}

fn name(system: usize) -> String {
    format!("system-{system:05}")
}

/// What is there once: constraints, their templates, the webhook, the bucket, the flow log.
fn common(day: i64) -> Vec<Evidence> {
    let constraint = |kind: &str| {
        let payload = json!({ "kind": kind, "name": "all", "uid": "u", "generation": 1, "action": "deny", "effective_action": "deny",
            "match": { "kinds": [{ "apiGroups": ["apps"], "kinds": ["Deployment"] }] }, "parameters": {}, "by_pod": [] });
        state(Kind::GatekeeperConstraint, "cluster", format!("k8s:c/-/{kind}/all"), day, payload)
    };
    let bucket = json!({ "bucket": "models", "versioning": "Enabled", "lifecycle": { "Rules": [] } });
    let log = json!({ "id": "fl-1", "resource": "vpc-1", "traffic": "ALL" });
    vec![
        constraint("K8sRequiredLabels"),
        constraint("MLModelRegistry"),
        state(Kind::ArtifactBucket, "artifacts", "s3:models".into(), day, bucket),
        state(Kind::FlowLogConfiguration, "network", "aws:1:r:fl-1".into(), day, log),
    ]
}

/// What the register says of one system, and its interface.
fn declared(s: usize) -> Vec<Evidence> {
    let (id, subject) = (name(s), format!("system:{}", name(s)));
    let levels = ["high", "limited", "minimal"];
    let level = levels[s % 3];
    let system = json!({ "id": id, "team": format!("team-{}", s % 40), "risk_level": level, "role": "both", "annex": "III.4(a)", "put_into_service": at(0, 0),
        "select": [{ "kubernetes": { "app": id } }, { "terraform": { "workspace": format!("{id}-infra") } }], "serving_ports": [8443] });
    let decision = json!({ "system": id, "level": level, "annex": "III.4(a)", "role": "both", "date": at(0, 0), "reason": "r", "review_by": at(300, 0) });
    let interface = json!({ "interface": format!("eni-{s}"), "vpc": "vpc-1", "subnet": "subnet-1", "instance": format!("i-{s}"),
        "addresses": [address(s)], "tags": { "AI-System": id }, "attached": at(-90, 0) });
    vec![
        state(Kind::RegisterSystem, "register", subject.clone(), 0, system),
        state(Kind::RegisterDecision, "register", subject, 0, decision),
        state(Kind::NetworkInterface, "network", format!("aws:1:r:eni-{s}"), 0, interface),
    ]
}

/// One day of one system: a workload that changes, files, a run every sixth day.
fn of_day(s: usize, day: i64) -> Vec<Evidence> {
    let id = name(s);
    let version = format!("v{}", day / 3);
    let labels = json!({ "app": id, "model-version": version, "ml-team": "t", "environment": "production" });
    let workload = json!({ "kind": "Deployment", "namespace": "ml", "name": id, "labels": labels, "template_labels": labels,
        "annotations": { "model-registry-url": format!("mlflow://models/{id}/{version}"), "eu-ai-act-risk": "high" },
        "replicas": 1 + day % 2, "created": at(0, 0), "generation": day + 1 });
    let mut all =
        vec![state(Kind::KubernetesWorkload, "cluster", format!("k8s:c/ml/Deployment/{id}"), day, workload)];
    for file in 0..4 {
        let key = format!("models/{id}/v{}/part-{file}-{day}.bin", day / 3 + 1);
        let (bucket, etag) = ("models", format!("{s}-{day}-{file}"));
        let subject = format!("s3:models/{key}?versionId=id-{day}");
        let v = json!({ "bucket": bucket, "key": key, "version_id": format!("id-{day}"), "etag": etag, "size": 1_000_000 + s, "stored": at(day, 1), "storage_class": "STANDARD" });
        let d = json!({ "bucket": bucket, "key": key, "version_id": format!("id-{day}"), "etag": etag, "attributes": true, "checksum": format!("SHA256:{etag}") });
        all.push(state(Kind::ArtifactVersion, "artifacts", subject.clone(), day, v));
        all.push(state(Kind::ArtifactDetail, "artifacts", subject, day, d));
    }
    if day % 6 == 0 {
        all.extend(run(&id, day));
    }
    all
}

fn run(id: &str, day: i64) -> Vec<Evidence> {
    let (workspace, run) = (format!("{id}-infra"), format!("run-{id}-{day}"));
    let payload = json!({ "run": run, "workspace": workspace, "status": "applied", "created": at(day, 1), "applied": at(day, 2), "author_kind": "person",
        "stages": ["check"], "plan": { "state": "read" }, "cost": { "status": "finished", "monthly": "900.00" } });
    let event = |kind, key: String, payload: &Value| {
        Evidence::event(kind, "terraform", key, format!("tfe:h/o/{workspace}/{run}"), at(day, 2), payload)
    };
    let mut all = vec![event(Kind::SentinelRun, run.clone(), &payload)];
    for policy in
        ["gpu-instance-control", "ai-resource-tagging", "ai-spending-limits", "model-deployment-rules"]
    {
        let outcome = json!({ "run": run, "workspace": workspace, "policy": policy, "policy_set": "p", "status": "passed", "level": "hard-mandatory", "stage": "check", "stage_status": "passed" });
        all.push(event(Kind::SentinelOutcome, format!("{run}/{policy}"), &outcome));
    }
    let tags = json!({ "Environment": "production", "Project": id, "Owner": "o", "ML-Team": "t", "Model-Type": "classifier", "AI-System": id, "AI-Risk-Level": "high", "Compliance-Review": "2026-10-01" });
    for n in 0..2 {
        let resource = json!({ "workspace": workspace, "address": format!("aws_instance.n{n}"), "type": "aws_instance", "tags": tags, "instance_types": ["t3.medium"], "encryption": null });
        let (key, subject) = (format!("{run}/{n}"), format!("tfe:h/o/{workspace}/aws_instance.n{n}"));
        all.push(Evidence::event(Kind::TerraformResource, "terraform", key, subject, at(day, 2), &resource));
    }
    all
}

/// The fields of flow logs, version 2.
const FORMAT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

fn flows(system: usize, hour: Time) -> FlowRow {
    FlowRow {
        hour,
        interface: format!("eni-{system}"),
        address: address(system),
        direction: Direction::In,
        peer: "own".into(),
        protocol: 6,
        port: 8443,
        service: Side::Ours,
        initiator: Initiator::Peer,
        accepted: Some(true),
        allowed: None,
        flows: 9,
        packets: 90,
        bytes: 9000,
        first: hour,
        last: hour,
        peers: Vec::new(),
    }
}

fn address(s: usize) -> String {
    format!("10.{}.{}.{}", s / 65_536, s / 256 % 256, s % 256)
}

/// Delivered objects of flow logs: what is left of the entries, each with an hour of ten interfaces and a row for two of them.
fn objects(systems: usize, day: i64) -> Vec<Evidence> {
    let others = 9 * DAYS as usize + 5 * 7 + 3;
    let count = systems * (OF_ONE - others) / DAYS as usize;
    let object = |n: usize| {
        let hour = at(day, (n % 24) as i64);
        let first = n / 24 * 10 % systems.max(1);
        let ten: Vec<usize> = (0..10).map(|i| (first + i) % systems).collect();
        let interfaces = ten.iter().map(|s| (format!("eni-{s}"), 60, 0, 0)).collect();
        let name = format!("AWSLogs/1/vpcflowlogs/r/{day}/{n}.log.gz");
        let traffic = Traffic {
            format: FORMAT.split(' ').map(str::to_owned).collect(),
            records: RecordCounts { ok: 600, ..RecordCounts::default() },
            span: Some((hour, hour.plus_seconds(3599))),
            hours: vec![HourRow { hour, interfaces }],
            rows: ten.iter().take(2).map(|s| flows(*s, hour)).collect(),
            ..Traffic::default()
        };
        let (object, sha256) = (name.clone(), format!("{n:064x}"));
        let payload = FlowObject { object, sha256, size: 40_000, traffic, ..FlowObject::default() };
        Evidence::event(
            Kind::FlowLogObject,
            "network",
            name.clone(),
            format!("s3:logs/{name}"),
            hour,
            &payload,
        )
    };
    (0..count).map(object).collect()
}

/// The complete looks of a day.
fn looks(day: i64) -> Vec<Evidence> {
    let kinds = [
        ("network", "flow_logs"),
        ("cluster", "gatekeeper"),
        ("terraform", "sentinel"),
        ("artifacts", "model_artifacts"),
        ("register", "register"),
    ];
    let look = |(source, kind): (&str, &str)| {
        let t = at(day + 1, 0);
        let payload = json!({ "source_kind": kind, "look": t.look_name(), "looked_at": t, "entries": 0, "counts": { "read": 0, "kept": 0, "quarantined": 0, "refused": 0 },
            "complete": true, "through": if kind == "flow_logs" { json!(t) } else { Value::Null }, "gaps": [], "truncated": [], "faults": [], "fault_count": 0, "error": null, "replies": "", "files": 1, "read": "", "version": "bench" });
        Evidence::event(Kind::SourceRun, source, t.look_name(), format!("source:{source}"), t, &payload)
    };
    kinds.into_iter().map(look).collect()
}
