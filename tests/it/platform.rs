//! What lies under deploy/: Terraform, manifests, units and rules, as their own checkers read them.

use crate::support::{files, node_modules, project, stderr, stdout, tools};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn deploy(place: &str) -> PathBuf {
    project().join("deploy").join(place)
}

/// A program of the environment that `make test` makes for checkers.
fn checker(name: &str) -> Command {
    Command::new(tools().join("checks/bin").join(name))
}

fn passes(done: &Output) {
    assert!(done.status.success(), "{}{}", stdout(done), stderr(done));
}

/// Terraform files of a folder as `hcl-rs` reads them; expressions are text.
pub(crate) fn terraform(folder: &str) -> Vec<Value> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        hcl::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    files(&deploy("terraform").join(folder), "tf").iter().map(read).collect()
}

/// Strings in a value.
pub(crate) fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => [text.clone()].into(),
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        Value::Object(all) => all.values().flat_map(strings).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn checkov_finds_nothing_in_terraform_that_is_not_explained_beside_it() {
    let done = checker("checkov")
        .args(["--framework", "terraform", "--skip-download", "--download-external-modules", "false"])
        .args(["--compact", "-o", "json", "-d"])
        .arg(deploy("terraform"))
        .output()
        .unwrap();
    let said: Value = serde_json::from_str(&stdout(&done)).unwrap();
    assert_eq!(
        (&said["summary"]["failed"], &said["summary"]["parsing_errors"]),
        (&0.into(), &0.into()),
        "{said:#}"
    );
    assert!(said["summary"]["passed"].as_u64().unwrap() > 200, "{}", said["summary"]);
    for skipped in said["results"]["skipped_checks"].as_array().unwrap() {
        let why = skipped["check_result"]["suppress_comment"].as_str().unwrap_or_default();
        assert!(why.len() > 30, "{skipped}");
    }
}

#[test]
fn terraform_is_read_by_hcl_and_written_as_its_own_formatter_writes_it() {
    let all = files(&deploy("terraform"), "tf");
    let folders: BTreeSet<&Path> = all.iter().filter_map(|path| path.parent()).collect();
    assert_eq!(folders.len(), 7, "{folders:?}");
    for folder in folders {
        let blocks = terraform(folder.strip_prefix(deploy("terraform")).unwrap().to_str().unwrap());
        let folder = folder.display();
        assert!(blocks.iter().any(|b| b.get("resource").or(b.get("module")).is_some()), "{folder}");
        // What a variable takes, and what it is for.
        for (name, variable) in blocks.iter().flat_map(|b| b["variable"].as_object().into_iter().flatten()) {
            assert!(variable["type"].is_string() && variable["description"].is_string(), "{folder}: {name}");
        }
    }
    let script = project().join("tests/support/format.js");
    passes(&Command::new("node").arg(script).arg(node_modules()).args(&all).output().unwrap());
}

#[test]
fn flow_logs_of_the_network_are_kept_for_six_months_in_a_format_that_tells_pods_apart() {
    let text: BTreeSet<String> = terraform("modules/network").iter().flat_map(strings).collect();
    let format = text.iter().find(|t| t.contains("${log-status}") && !t.contains('\n')).unwrap();
    for field in [
        "pkt-srcaddr",
        "pkt-dstaddr",
        "flow-direction",
        "tcp-flags",
        "interface-id",
        "action",
        "start",
        "end",
    ] {
        assert!(format.contains(&format!("${{{field}}}")), "{field}: {format}");
    }
    // Those in the bucket, which is the service of AWS that delivers them, for this account alone.
    let storage = std::fs::read_to_string(deploy("terraform/modules/storage/variables.tf")).unwrap();
    let after = storage.split("variable \"flow_log_days\"").nth(1).unwrap();
    assert!(after.split("variable").next().unwrap().contains("var.flow_log_days >= 184"), "{after}");
    let storage = terraform("modules/storage");
    let of_storage = storage.iter().find(|f| f.get("locals").is_some()).unwrap();
    assert_eq!(of_storage["locals"]["buckets"]["flow-logs"]["kept_days"], "${var.flow_log_days}");
    let policy = &of_storage["data"]["aws_iam_policy_document"]["bucket"]["dynamic"]["statement"];
    let delivery = policy.as_array().unwrap().iter().map(|s| &s["content"]);
    let delivery = delivery.map(strings).find(|s| s.contains("delivery.logs.amazonaws.com")).unwrap();
    assert!(["aws:SourceAccount", "aws:SourceArn"].iter().all(|c| delivery.contains(*c)), "{delivery:?}");
    for (file, variable) in [("network", "flow_log_days"), ("cluster", "log_days")] {
        let text =
            std::fs::read_to_string(deploy(&format!("terraform/modules/{file}/variables.tf"))).unwrap();
        let after = text.split(&format!("variable \"{variable}\"")).nth(1).unwrap();
        let days: Vec<u64> =
            after.split(['[', ']']).nth(1).unwrap().split(", ").map(|d| d.parse().unwrap()).collect();
        assert!(days.iter().all(|d| *d >= 184), "{file}: {days:?}");
    }
}

#[test]
fn manifests_are_what_kubernetes_takes_and_pods_are_restricted() {
    let files =
        ["rbac.yaml", "storage-class.yaml", "service.yaml", "statefulset.yaml", "network-policy.yaml"];
    for file in files {
        let done = checker("kubernetes-validate")
            .args(["-k", "1.35", "--strict"])
            .arg(deploy("kubernetes").join(file))
            .output();
        passes(&done.unwrap());
    }
    let kustomization = std::fs::read_to_string(deploy("kubernetes/kustomization.yaml")).unwrap();
    assert!(files.iter().all(|f| kustomization.contains(f)), "{kustomization}");
    let text = std::fs::read_to_string(deploy("kubernetes/statefulset.yaml")).unwrap();
    let set: Value = serde_saphyr::from_str(&text).unwrap();
    // Pod Security Standards, "Restricted".
    let pod = &set["spec"]["template"]["spec"];
    let (of_pod, of_container) = (&pod["securityContext"], &pod["containers"][0]["securityContext"]);
    assert!(of_pod["runAsNonRoot"] == true && of_pod["seccompProfile"]["type"] == "RuntimeDefault");
    assert!(
        of_container["allowPrivilegeEscalation"] == false && of_container["readOnlyRootFilesystem"] == true
    );
    assert_eq!(of_container["capabilities"]["drop"], serde_json::json!(["ALL"]));
    // The config of a cluster is one that the program takes.
    let config = std::fs::read_to_string(deploy("kubernetes/actledger.toml")).unwrap();
    let dir = deploy("kubernetes");
    if let Err(e) = actledger::config::Config::parse(&config, "actledger.toml", &dir) {
        panic!("{e}");
    }
    assert_eq!(
        std::fs::read_to_string(deploy("kubernetes/systems.toml")).unwrap(),
        std::fs::read_to_string(project().join("src/cli/init/systems.toml")).unwrap()
    );
}

#[test]
fn the_unit_is_hardened_the_image_is_linted_and_the_rules_are_read() {
    let unit = deploy("systemd/actledger.service");
    let said = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
    // The program is not installed where this runs.
    let other =
        stderr(&said).lines().filter(|l| l.contains("actledger") && !l.contains("is not executable")).count();
    assert_eq!(other, 0, "{}", stderr(&said));
    let said =
        Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(&unit).output().unwrap();
    let text = stdout(&said);
    let score = text
        .lines()
        .rev()
        .find_map(|l| l.split("actledger.service: ").nth(1))
        .unwrap_or_else(|| panic!("{text}"));
    println!("systemd-analyze security: {score}");
    assert!(score.split(' ').next().unwrap().parse::<f64>().unwrap() <= 1.5, "{score}");
    passes(&checker("hadolint").arg(deploy("Dockerfile")).output().unwrap());
    let rules = deploy("monitoring/alerts.yaml");
    passes(&Command::new("promtool").args(["check", "rules"]).arg(&rules).output().unwrap());
    let cases = project().join("tests/data/alerts.test.yaml");
    passes(&Command::new("promtool").args(["test", "rules"]).arg(&cases).output().unwrap());
    // Every metric that a rule asks for is one that the service tells.
    let (rules, code) = (
        std::fs::read_to_string(rules).unwrap(),
        std::fs::read_to_string(project().join("src/web/metrics.rs")).unwrap(),
    );
    let asked =
        rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("actledger_"));
    let unknown: Vec<&str> = asked.filter(|name| !code.contains(&format!("\"{name}\""))).collect();
    assert!(unknown.is_empty() && rules.contains("actledger_certificate_expires"), "{unknown:?}");
    // Every alert is tried.
    let cases = std::fs::read_to_string(cases).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).collect();
    let tried = |alert: &&str| cases.contains(&format!("alertname: {alert}\n        exp_alerts"));
    assert!(alerts.len() >= 8 && alerts.iter().all(tried), "{alerts:?}");
}

/// What the platform prints for the config of the service, with values in the place of expressions.
pub(crate) fn printed(value: impl Fn(&str) -> String) -> String {
    let text = std::fs::read_to_string(deploy("terraform/examples/platform/main.tf")).unwrap();
    let next = text.split("<<-TEXT").nth(1).and_then(|t| t.split("\n  TEXT").next()).unwrap();
    let mut parts = next.split("${");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |told, part| {
        let (expression, rest) = part.split_once('}').unwrap();
        told + &value(expression) + rest
    })
}

#[test]
fn the_image_is_built_with_a_compiler_that_the_project_takes() {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let wanted = manifest.split("rust-version = \"").nth(1).and_then(|t| t.split('"').next()).unwrap();
    let image = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    assert!(image.contains(&format!("FROM rust:{wanted}-")), "rust-version is {wanted}");
}
