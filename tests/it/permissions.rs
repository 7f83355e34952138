//! What the program may do: one table, which Terraform, RBAC and the manual say again, and what it asks servers for in all tests.

use crate::platform::{deploy, strings, terraform};
use crate::support::project;
use actledger::sources::permissions::{self, Permission};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

const HEAD: &str = "\
<!-- Made from src/sources/permissions.rs by tests/it/permissions.rs: change the table, not this page. -->

# What the service has to be allowed

Nothing here writes to what is watched; the archive alone is written to. What is not granted is a gap in the coverage of the report, with
what was refused, and the rest is read: leave out what you do not want to give. `actledger check` tries what a pass begins with; the plans of runs,
watching, and writing to the archive, which would leave something there, it does not try. The module `deploy/terraform/modules/daemon` grants the part in AWS,
`deploy/kubernetes/rbac.yaml` the one in a cluster; tests hold both to this table, and `make test` the table, by the names of its actions,
to what the program asks servers for in all tests.
";

fn table(out: &mut String, title: &str, first: &str, rows: &[Permission]) {
    let _ = write!(
        out,
        "\n## {title}\n\n| for | {first} | on | what for | lost without it |\n| --- | --- | --- | --- | --- |\n"
    );
    for p in rows {
        let verbs = if p.verbs.is_empty() { String::new() } else { format!(" ({})", p.verbs.join(", ")) };
        let _ =
            writeln!(out, "| {} | `{}`{verbs} | {} | {} | {} |", p.part, p.action, p.on, p.purpose, p.lost);
    }
}

#[test]
fn the_page_of_permissions_is_what_the_table_says() {
    let mut page = HEAD.to_owned();
    table(&mut page, "AWS", "action", &permissions::aws());
    table(&mut page, "Kubernetes", "resource (verbs)", &permissions::kubernetes());
    table(&mut page, "HCP Terraform", "permission", &permissions::hcp_terraform());
    let path = project().join("docs/permissions.md");
    if std::env::var("ACTLEDGER_STORIES").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/permissions.md is not made from this table");
}

/// Actions of the table for a part, without those on keys.
fn actions(part: &str) -> BTreeSet<String> {
    let of_part = permissions::aws().into_iter().filter(|p| p.part == part && p.on != "key");
    of_part.map(|p| p.action).collect()
}

#[test]
fn the_role_in_aws_may_do_what_the_table_says_and_nothing_else() {
    let files = terraform("modules/daemon");
    let documents = files.iter().find_map(|f| f["data"]["aws_iam_policy_document"].as_object()).unwrap();
    let granted = |name: &str| -> BTreeSet<String> {
        let statements = match &documents[name]["statement"] {
            Value::Array(many) => many.clone(),
            one => vec![one.clone()],
        };
        assert!(statements.iter().all(|s| !strings(&s["resources"]).is_empty()), "{name}");
        statements.iter().flat_map(|s| strings(&s["actions"])).collect()
    };
    let of_keys = permissions::aws().into_iter().filter(|p| p.on == "key").map(|p| p.action).collect();
    let parts = [
        ("flow_logs_s3", actions("flow logs in S3")),
        ("flow_logs_cloudwatch", actions("flow logs in CloudWatch Logs")),
        ("inventory", actions("inventory of interfaces")),
        ("artifacts", actions("model artifacts in S3")),
        ("archive", actions("archive")),
        ("roles", actions("role_arn")),
        ("keys", of_keys),
    ];
    for (document, told) in &parts {
        assert_eq!(granted(document), *told, "{document}");
        assert!(told.iter().all(|action| !action.contains('*')), "{told:?}");
    }
    // No further document, but for who may take the role on.
    assert_eq!(documents.len(), parts.len() + 1, "{:?}", documents.keys());
    let told: usize = parts.iter().map(|(_, told)| told.len()).sum();
    let rows = permissions::aws().into_iter().map(|p| (if p.on == "key" { "" } else { p.part }, p.action));
    assert_eq!(told, rows.collect::<BTreeSet<_>>().len(), "a part of the table has no document");
}

/// Verbs and resources, one by one.
pub(crate) fn verbs() -> BTreeSet<String> {
    let each = |p: &Permission| p.verbs.iter().map(|v| format!("{v} {}", p.action)).collect::<Vec<_>>();
    permissions::kubernetes().iter().flat_map(each).collect()
}

#[test]
fn the_role_in_a_cluster_may_do_what_the_table_says_and_nothing_else() {
    let text = std::fs::read_to_string(deploy("kubernetes/rbac.yaml")).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let role = documents.iter().find(|d| d["kind"] == "ClusterRole").unwrap();
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in strings(&rule["apiGroups"]) {
            let end = if group.is_empty() { String::new() } else { format!(".{group}") };
            for resource in strings(&rule["resources"]) {
                granted.extend(strings(&rule["verbs"]).iter().map(|verb| format!("{verb} {resource}{end}")));
            }
        }
    }
    assert_eq!(granted, verbs());
}

#[test]
#[ignore = "make test runs it after all others, on what servers were asked for in them"]
fn what_the_whole_suite_asks_for_is_what_the_table_grants() {
    let folder =
        std::env::var_os("ACTLEDGER_ASKED").expect("make test names the folder of what was asked for");
    let asked = |name: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let named = |all: Vec<Permission>| all.into_iter().map(|p| p.action).collect::<BTreeSet<String>>();
    assert_eq!(asked("aws"), named(permissions::aws()));
    assert_eq!(asked("hcp_terraform"), named(permissions::hcp_terraform()));
    assert_eq!(asked("kubernetes"), verbs());
    std::fs::write(std::path::Path::new(&folder).join("compared"), "").unwrap();
}
