//! What a plan says: resources with their tags, instance types and encryption. Values beyond these are not kept.

use super::super::Gathered;
use super::{Docs, host, related};
use crate::config::Source;
use crate::evidence::sentinel::{COMPUTE, ComputeChange, Encryption, ModelResource, PlanRead, Resource};
use crate::evidence::{Evidence, Kind, Outside, Time};
use serde_json::Value;

/// What rules about a run read of its plan.
pub(super) fn summary(plan: &Value) -> PlanRead {
    let managed: Vec<&Value> = changes(plan).collect();
    let touched = |c: &&&Value| actions(c).any(|a| a == "create" || a == "update");
    let compute = managed.iter().filter(touched).filter(|c| COMPUTE.contains(&kind(c)));
    let models = managed.iter().filter(touched).filter(|c| {
        let tags = tags(c);
        tags.0.is_some_and(|t| t.get("Model-Type").is_some())
            || tags.1.iter().any(|u| u == "Model-Type" || u == "*")
    });
    PlanRead {
        state: "read".into(),
        compute: compute.map(|c| compute_change(c)).collect(),
        models: models
            .map(|c| {
                let (tags, unknown_tags) = tags(c);
                ModelResource { address: address(c), tags: tags.unwrap_or_default(), unknown_tags }
            })
            .collect(),
        resources: i64::try_from(managed.len()).unwrap_or(i64::MAX),
    }
}

/// Every managed resource of an applied plan as a state; a targeted plan leaves the others as they were.
pub(super) fn resources(out: &mut Gathered, source: &Source, docs: &Docs, run: &str, at: Time) {
    let Some(doc) = docs.get("runs", run) else { return };
    let plan = related(doc, "plan").and_then(|p| docs.plans.get(p)).or(docs.plans.get(run));
    let workspace = docs.workspace(related(doc, "workspace").unwrap_or_default());
    let applied = doc["attributes"]["status-timestamps"]["applied-at"].as_str().and_then(|t| t.parse().ok());
    for change in plan.into_iter().flat_map(changes) {
        let (tags, unknown_tags) = tags(change);
        let resource = Resource {
            gone: actions(change).eq(["delete"]),
            workspace: workspace.clone(),
            address: address(change),
            r#type: kind(change).to_owned(),
            tags,
            unknown_tags,
            instance_types: compute_change(change).instance_types,
            encryption: encryption(change),
        };
        let subject = format!("tfe:{}/{workspace}/{}", host(source), resource.address);
        let at = applied.unwrap_or(at);
        out.evidence.push(Evidence::state(Kind::TerraformResource, &source.name, subject, at, &resource));
    }
}

fn changes(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["resource_changes"].as_array().into_iter().flatten().filter(|c| c["mode"] != "data")
}

fn actions(change: &Value) -> impl Iterator<Item = &str> {
    change["change"]["actions"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn kind(change: &Value) -> &str {
    change["type"].as_str().unwrap_or_default()
}

fn address(change: &Value) -> String {
    change["address"].as_str().unwrap_or_default().to_owned()
}

/// `tags_all`, else `tags`; and which of them are known only after apply.
fn tags(change: &Value) -> (Option<Outside>, Vec<String>) {
    let (after, unknown) = (&change["change"]["after"], &change["change"]["after_unknown"]);
    let name = ["tags_all", "tags"].into_iter().find(|n| !after[*n].is_null() || !unknown[*n].is_null());
    let taggable = after.get("tags").is_some() || after.get("tags_all").is_some();
    let Some(name) = name else { return (taggable.then(Outside::default), Vec::new()) };
    let unknown = match &unknown[name] {
        Value::Bool(true) => vec!["*".to_owned()],
        Value::Object(o) => o.iter().filter(|(_, v)| **v == true).map(|(k, _)| k.clone()).collect(),
        _ => Vec::new(),
    };
    (Some(Outside::of(after.get(name))), unknown)
}

fn compute_change(change: &Value) -> ComputeChange {
    let (after, unknown) = (&change["change"]["after"], &change["change"]["after_unknown"]);
    let mut types = Vec::new();
    collect_types(after, &mut types);
    let mut later = Vec::new();
    collect_unknown(unknown, &mut later);
    types.sort();
    types.dedup();
    ComputeChange { address: address(change), instance_types: types, unknown: !later.is_empty() }
}

fn is_type_member(name: &str) -> bool {
    name == "instance_type" || name == "instance_types"
}

fn collect_types(value: &Value, found: &mut Vec<String>) {
    each_member(value, &mut |name, member| {
        if is_type_member(name) {
            let list = member.as_array().map_or(std::slice::from_ref(member), Vec::as_slice);
            found.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    });
}

fn collect_unknown(value: &Value, found: &mut Vec<String>) {
    each_member(value, &mut |name, member| {
        let list = member.as_array().map_or(std::slice::from_ref(member), Vec::as_slice);
        if is_type_member(name) && list.iter().any(|v| *v == true) {
            found.push(name.to_owned());
        }
    });
}

fn each_member<'v>(value: &'v Value, f: &mut impl FnMut(&'v str, &'v Value)) {
    match value {
        Value::Object(o) => o.iter().for_each(|(name, member)| {
            f(name, member);
            each_member(member, f);
        }),
        Value::Array(items) => items.iter().for_each(|i| each_member(i, f)),
        _ => {}
    }
}

/// What the plan says of encryption at rest; an absent attribute says nothing.
fn encryption(change: &Value) -> Option<Encryption> {
    let (after, unknown) = (&change["change"]["after"], &change["change"]["after_unknown"]);
    let flag = |v: &Value| match v.as_bool().or_else(|| v.as_str()?.parse().ok()) {
        Some(true) => Encryption::On,
        Some(false) => Encryption::Off,
        None => Encryption::Unknown,
    };
    let key = |name: &str| {
        if after[name].as_str().is_some_and(|k| !k.is_empty()) { Encryption::On } else { Encryption::Unknown }
    };
    match kind(change) {
        "aws_eks_cluster" => Some(eks(&after["encryption_config"], &unknown["encryption_config"])),
        "aws_ebs_volume" => Some(flag(&after["encrypted"])),
        "aws_launch_template" => {
            let volumes = after["block_device_mappings"].as_array().into_iter().flatten();
            let flags = volumes
                .flat_map(|v| v["ebs"].as_array().into_iter().flatten())
                .map(|e| flag(&e["encrypted"]));
            flags.max_by_key(|e| {
                [Encryption::On, Encryption::Unknown, Encryption::Off].iter().position(|x| x == e)
            })
        }
        "aws_efs_file_system" => match flag(&after["encrypted"]) {
            Encryption::On => Some(key("kms_key_id")),
            other => Some(other),
        },
        "aws_fsx_lustre_file_system" | "aws_sagemaker_notebook_instance" => Some(key("kms_key_id")),
        "aws_sagemaker_endpoint_configuration" => Some(key("kms_key_arn")),
        _ => None,
    }
}

fn eks(config: &Value, unknown: &Value) -> Encryption {
    let Some(first) = config.as_array().and_then(|c| c.first()) else { return Encryption::Unknown };
    let secrets = first["resources"].as_array().is_some_and(|r| r.iter().any(|v| v == "secrets"));
    let key = first["provider"].as_array().and_then(|p| p.first()).is_some_and(|p| p["key_arn"].is_string());
    match (secrets, key) {
        (false, _) if *unknown == true || unknown[0]["resources"] == true => Encryption::Unknown,
        (false, _) => Encryption::Off,
        (true, true) => Encryption::On,
        (true, false) => Encryption::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(kind: &str, after: Value, unknown: Value) -> Value {
        json!({"address": "a.b", "mode": "managed", "type": kind,
               "change": {"actions": ["create"], "after": after, "after_unknown": unknown}})
    }

    #[test]
    fn tags_types_and_what_is_known_only_later() {
        let c = change(
            "aws_instance",
            json!({"instance_type": "p4d.24xlarge", "tags": null, "tags_all": {"Model-Type": "llm"}}),
            json!({}),
        );
        assert_eq!(tags(&c).0.unwrap().get("Model-Type"), Some("llm"));
        assert_eq!(compute_change(&c).instance_types, ["p4d.24xlarge"]);
        let c =
            change("aws_instance", json!({"tags": null}), json!({"instance_type": true, "tags_all": true}));
        assert_eq!((tags(&c).1, compute_change(&c).unknown), (vec!["*".to_owned()], true));
        let plan = json!({"resource_changes": [c]});
        assert_eq!((summary(&plan).compute.len(), summary(&plan).models.len()), (1, 1));
    }

    #[test]
    fn encryption_as_the_plan_says() {
        let eks =
            |c: Value| encryption(&change("aws_eks_cluster", json!({"encryption_config": c}), json!({})));
        let key = json!([{"key_arn": "arn:aws:kms:x"}]);
        assert_eq!(eks(json!([{"resources": ["secrets"], "provider": key}])), Some(Encryption::On));
        assert_eq!(eks(json!([{"resources": [], "provider": key}])), Some(Encryption::Off));
        assert_eq!(eks(json!([])), Some(Encryption::Unknown));
        assert_eq!(
            encryption(&change("aws_ebs_volume", json!({"encrypted": false}), json!({}))),
            Some(Encryption::Off)
        );
        assert_eq!(encryption(&change("aws_s3_bucket", json!({}), json!({}))), None);
    }
}
