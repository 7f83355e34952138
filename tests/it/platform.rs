//! What lies under deploy/: permissions as the table in code says, Terraform, manifests, units and rules as their own checkers read them.

use crate::support::{project, stderr, stdout, tools};
use actledger::sources::permissions::{self, Permission, VERBS};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

fn deploy(place: &str) -> PathBuf {
    project().join("deploy").join(place)
}

/// A program of the environment that `make test` makes for checkers.
fn checker(name: &str) -> Command {
    Command::new(tools().join("checks/bin").join(name))
}

fn passes(done: &Output) {
    assert!(done.status.success(), "{}{}", stdout(done), stderr(done));
}

const HEAD: &str = "\
<!-- Made from src/sources/permissions.rs by tests/it/platform.rs: change the table, not this page. -->

# What the service has to be allowed

Nothing here writes to what is watched; the archive alone is written to. What is not granted is a gap in the coverage of the report, with
what was refused, and the rest is read: leave out what you do not want to give. `actledger check` tries all of it. The module
`deploy/terraform/modules/daemon` grants the part in AWS, `deploy/kubernetes/rbac.yaml` the one in a cluster; tests hold both to this table.
";

fn table(out: &mut String, title: &str, first: &str, rows: &[Permission]) {
    let _ = write!(
        out,
        "\n## {title}\n\n| for | {first} | on | what for | lost without it |\n| --- | --- | --- | --- | --- |\n"
    );
    for p in rows {
        let _ = writeln!(out, "| {} | `{}` | {} | {} | {} |", p.part, p.action, p.on, p.purpose, p.lost);
    }
}

#[test]
fn the_page_of_permissions_is_what_the_table_says() {
    let mut page = HEAD.to_owned();
    table(&mut page, "AWS", "action", &permissions::aws());
    table(&mut page, "Kubernetes", &format!("resource ({})", VERBS.join(", ")), &permissions::kubernetes());
    table(&mut page, "HCP Terraform", "permission", &permissions::hcp_terraform());
    let path = project().join("docs/permissions.md");
    if std::env::var("ACTLEDGER_STORIES").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/permissions.md is not made from this table");
}

/// Terraform files of a folder as python-hcl2 reads them.
fn terraform(folder: &str) -> Value {
    let script = "import glob, hcl2, json, sys
def plain(v):
    if isinstance(v, dict): return {plain(k): plain(x) for k, x in v.items()}
    if isinstance(v, list): return [plain(x) for x in v]
    return v.strip('\"') if isinstance(v, str) else v
print(json.dumps([plain(hcl2.load(open(f))) for f in sorted(glob.glob(sys.argv[1] + '/*.tf'))]))";
    let done = Command::new("python").args(["-c", script]).arg(deploy(folder)).output().unwrap();
    passes(&done);
    serde_json::from_str(&stdout(&done)).unwrap()
}

/// Strings in a value.
fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => [text.clone()].into(),
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        Value::Object(all) => all.values().flat_map(strings).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn the_role_in_aws_may_do_what_the_table_says_and_nothing_else() {
    let files = terraform("terraform/modules/daemon");
    let documents = files.as_array().unwrap().iter().flat_map(|f| f["data"].as_array().into_iter().flatten());
    let mut granted = BTreeSet::new();
    for document in documents.filter_map(|d| d["aws_iam_policy_document"].as_object()) {
        for (_, body) in document.iter().filter(|(name, _)| *name != "trust") {
            let statements = body["statement"].as_array().unwrap();
            assert!(statements.iter().all(|s| !strings(&s["resources"]).is_empty()), "{body}");
            granted.extend(statements.iter().flat_map(|s| strings(&s["actions"])));
        }
    }
    let told: BTreeSet<String> = permissions::aws().into_iter().map(|p| p.action).collect();
    assert_eq!(granted, told);
    assert!(told.iter().all(|action| !action.contains('*')));
}

#[test]
fn the_role_in_a_cluster_may_do_what_the_table_says_and_nothing_else() {
    let text = std::fs::read_to_string(deploy("kubernetes/rbac.yaml")).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let role = documents.iter().find(|d| d["kind"] == "ClusterRole").unwrap();
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        assert_eq!(rule["verbs"], serde_json::json!(VERBS));
        for group in strings(&rule["apiGroups"]) {
            let named =
                |resource: String| if group.is_empty() { resource } else { format!("{resource}.{group}") };
            granted.extend(strings(&rule["resources"]).into_iter().map(named));
        }
    }
    let told: BTreeSet<String> = permissions::kubernetes().into_iter().map(|p| p.action).collect();
    assert_eq!(granted, told);
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
    for folder in [
        "modules/network",
        "modules/cluster",
        "modules/storage",
        "modules/daemon",
        "examples/platform",
        "examples/daemon-only",
    ] {
        assert!(!strings(&terraform(&format!("terraform/{folder}"))).is_empty(), "{folder}");
    }
}

#[test]
fn flow_logs_of_the_network_are_kept_for_six_months_in_a_format_that_tells_pods_apart() {
    let text = strings(&terraform("terraform/modules/network"));
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
            .args(["-k", "1.34", "--strict"])
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
    // Every metric that a rule asks for is one that the service tells.
    let (rules, code) = (
        std::fs::read_to_string(rules).unwrap(),
        std::fs::read_to_string(project().join("src/web/metrics.rs")).unwrap(),
    );
    let asked =
        rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("actledger_"));
    let unknown: Vec<&str> = asked.filter(|name| !code.contains(&format!("\"{name}\""))).collect();
    assert!(unknown.is_empty() && rules.contains("actledger_certificate_expires"), "{unknown:?}");
}

/// What each call of the SDK needs (Service Authorization Reference).
const CALLS: [(&str, &[&str]); 21] = [
    ("list_objects_v2", &["s3:ListBucket"]),
    ("get_object", &["s3:GetObject", "s3:GetObjectVersion"]),
    ("head_object", &["s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectLegalHold"]),
    ("put_object", &["s3:PutObject", "s3:PutObjectRetention"]),
    ("list_object_versions", &["s3:ListBucketVersions"]),
    ("get_object_tagging", &["s3:GetObjectVersionTagging"]),
    ("get_object_attributes", &["s3:GetObjectVersionAttributes"]),
    ("get_bucket_versioning", &["s3:GetBucketVersioning"]),
    ("get_bucket_encryption", &["s3:GetEncryptionConfiguration"]),
    ("get_public_access_block", &["s3:GetBucketPublicAccessBlock"]),
    ("get_object_lock_configuration", &["s3:GetBucketObjectLockConfiguration"]),
    ("get_bucket_lifecycle_configuration", &["s3:GetLifecycleConfiguration"]),
    ("get_bucket_replication", &["s3:GetReplicationConfiguration"]),
    ("get_bucket_logging", &["s3:GetBucketLogging"]),
    ("filter_log_events", &["logs:FilterLogEvents"]),
    ("describe_log_groups", &["logs:DescribeLogGroups"]),
    ("describe_network_interfaces", &["ec2:DescribeNetworkInterfaces"]),
    ("describe_flow_logs", &["ec2:DescribeFlowLogs"]),
    ("get_caller_identity", &[]),
    ("kms", &["kms:Decrypt", "kms:GenerateDataKey"]),
    ("AssumeRoleProvider", &["sts:AssumeRole"]),
];

/// Rust files below a folder.
fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    all.flat_map(|path| if path.is_dir() { sources(path) } else { vec![path] }).collect()
}

#[test]
fn what_is_called_in_aws_is_what_the_table_grants() {
    let files = ["sources", "anchors", "jobs"].map(|folder| sources(project().join("src").join(folder)));
    let code: String = files.concat().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let called = |name: &str| {
        code.contains(&format!(".{name}()")) || name == "AssumeRoleProvider" && code.contains(name)
    };
    // S3 asks for keys itself, where an object has one.
    let needed = CALLS.iter().filter(|(name, _)| called(name) || *name == "kms");
    let needed: BTreeSet<&str> = needed.flat_map(|(_, actions)| actions.iter().copied()).collect();
    let told: Vec<String> = permissions::aws().into_iter().map(|p| p.action).collect();
    assert_eq!(needed, told.iter().map(String::as_str).collect());
    // A call of the SDK that is not among them: they have no arguments, and a bucket, a group or a filter comes next.
    let words = ["list_", "get_", "head_", "put_", "describe_", "filter_", "delete_", "create_", "copy_"];
    for (at, _) in code.match_indices("()") {
        let name = code[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        let next = code[at + 2..].trim_start();
        let is_call = words.iter().any(|w| name.starts_with(w))
            && [".bucket(", ".log_group", ".set_log_group", ".set_", ".into_paginator", ".send()"]
                .iter()
                .any(|n| next.starts_with(n));
        assert!(
            !is_call || CALLS.iter().any(|(known, _)| *known == name),
            "{name} is called, and nothing grants it"
        );
    }
}

#[test]
fn what_the_platform_prints_for_the_config_is_one_that_the_program_takes() {
    let text = std::fs::read_to_string(deploy("terraform/examples/platform/main.tf")).unwrap();
    let next = text.split("<<-TEXT").nth(1).and_then(|t| t.split("\n  TEXT").next()).unwrap();
    let mut told = String::new();
    for (i, part) in next.split("${").enumerate() {
        told.push_str(if i == 0 { part } else { part.split_once('}').unwrap().1 });
        told.push_str(if i + 1 < next.split("${").count() { "x" } else { "" });
    }
    let init = std::fs::read_to_string(project().join("src/cli/init/actledger.toml")).unwrap();
    let config = format!("{init}\n{}", told.replace("region = \"x\"", "region = \"eu-central-1\""));
    if let Err(e) = actledger::config::Config::parse(&config, "actledger.toml", &deploy("kubernetes")) {
        panic!("{e}\n{told}");
    }
}

#[test]
fn the_image_is_built_with_a_compiler_that_the_project_takes() {
    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let wanted = manifest.split("rust-version = \"").nth(1).and_then(|t| t.split('"').next()).unwrap();
    let image = std::fs::read_to_string(deploy("Dockerfile")).unwrap();
    assert!(image.contains(&format!("FROM rust:{wanted}-")), "rust-version is {wanted}");
}
