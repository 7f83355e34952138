//! What a plan says: resources with their tags, instance types and encryption. Values beyond these are not kept.

use super::super::Gathered;
use super::docs::{Docs, related};
use super::host;
use crate::config::Source;
use crate::evidence::sentinel::{
    COMPUTE, ComputeChange, Encryption, ModelResource, PlanRead, Resource, TaggedResources,
};
use crate::evidence::{Evidence, Kind, Outside, Time, json, sha256_hex};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Formatter;
use std::io::{BufReader, Read};

/// What is kept of a plan: its managed resources. Plans grow to hundreds of megabytes; one resource is held at a time.
#[derive(Deserialize)]
pub(super) struct Plan {
    /// Stands in every plan that is not redacted.
    format_version: Option<String>,
    /// None where there is no such list.
    #[serde(default, deserialize_with = "changes")]
    resource_changes: Option<Vec<Change>>,
}

/// A managed resource that a plan names.
struct Change {
    address: String,
    kind: String,
    /// Whether it is created or updated.
    is_touched: bool,
    /// Whether it is deleted, and not made anew.
    is_deleted: bool,
    tags: Option<Outside>,
    unknown_tags: Vec<String>,
    instance_types: Vec<String>,
    /// Whether an instance type is known only after apply.
    unknown_type: bool,
    encryption: Option<Encryption>,
}

/// Reads resources one by one.
fn changes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Change>>, D::Error> {
    struct Each;
    impl<'de> Visitor<'de> for Each {
        type Value = Option<Vec<Change>>;
        fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of resource changes")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(change) = items.next_element::<Value>()? {
                found.extend(Change::of(&change));
            }
            Ok(Some(found))
        }
    }
    from.deserialize_any(Each)
}

impl Change {
    /// None of what is only read.
    fn of(change: &Value) -> Option<Change> {
        let actions: Vec<&str> =
            change["change"]["actions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (tags, unknown_tags) = tags(change);
        let (instance_types, unknown_type) = types(change);
        (change["mode"] != "data").then(|| Change {
            address: change["address"].as_str().unwrap_or_default().to_owned(),
            kind: kind(change).to_owned(),
            is_touched: actions.iter().any(|a| ["create", "update"].contains(a)),
            is_deleted: actions == ["delete"],
            tags,
            unknown_tags,
            instance_types,
            unknown_type,
            encryption: encryption(change),
        })
    }

    /// Whether it carries the tag Model-Type, or may once it is there.
    fn is_model(&self) -> bool {
        self.tags.as_ref().is_some_and(|t| t.get("Model-Type").is_some())
            || self.unknown_tags.iter().any(|u| u == "Model-Type" || u == "*")
    }
}

impl Plan {
    /// Of JSON as `terraform show -json` prints it, or as HCP Terraform redacts it.
    pub(super) fn read(json: impl Read) -> serde_json::Result<Plan> {
        let plan: Plan = serde_json::from_reader(BufReader::new(json))?;
        if plan.format_version.is_none() && plan.resource_changes.is_none() {
            return Err(serde::de::Error::custom("it has neither format_version nor resource_changes"));
        }
        Ok(plan)
    }

    fn changes(&self) -> &[Change] {
        self.resource_changes.as_deref().unwrap_or_default()
    }

    /// What rules about a run read of its plan.
    pub(super) fn summary(&self) -> PlanRead {
        let touched = || self.changes().iter().filter(|c| c.is_touched);
        let compute = touched().filter(|c| COMPUTE.contains(&c.kind.as_str())).map(|c| ComputeChange {
            address: c.address.clone(),
            instance_types: c.instance_types.clone(),
            unknown: c.unknown_type,
        });
        let models = touched().filter(|c| c.is_model()).map(|c| ModelResource {
            address: c.address.clone(),
            tags: c.tags.clone().unwrap_or_default(),
            unknown_tags: c.unknown_tags.clone(),
        });
        PlanRead {
            state: "read".into(),
            compute: compute.collect(),
            models: models.collect(),
            tagged: self.tagged(),
            resources: i64::try_from(self.changes().len()).unwrap_or(i64::MAX),
        }
    }

    /// What is created or changed and can carry tags, alike together.
    fn tagged(&self) -> Vec<TaggedResources> {
        let (mut found, mut places) = (Vec::<TaggedResources>::new(), HashMap::new());
        for c in self.changes().iter().filter(|c| c.is_touched) {
            let Some(tags) = &c.tags else { continue };
            let alike = (&c.kind, tags, &c.unknown_tags, &c.instance_types);
            let place = *places.entry(alike).or_insert(found.len());
            match found.get_mut(place) {
                Some(known) => known.count += 1,
                None => found.push(TaggedResources {
                    address: c.address.clone(),
                    count: 1,
                    r#type: c.kind.clone(),
                    tags: tags.clone(),
                    unknown_tags: c.unknown_tags.clone(),
                    instance_types: c.instance_types.clone(),
                }),
            }
        }
        found
    }
}

/// Every managed resource of an applied plan as it leaves it; a targeted plan leaves the others as they were. What a run changed
/// is told of that run; what it found as it was, once: runs are read newest first, and an older one says nothing of what is now.
pub(super) fn resources(out: &mut Gathered, source: &Source, docs: &Docs, run: &str, at: Time) {
    let Some(doc) = docs.get("runs", run) else { return };
    let plan = related(doc, "plan").and_then(|p| docs.plans.get(p)).or(docs.plans.get(run));
    let workspace = docs.workspace(related(doc, "workspace").unwrap_or_default());
    let applied = doc["attributes"]["status-timestamps"]["applied-at"].as_str().and_then(|t| t.parse().ok());
    for change in plan.into_iter().flat_map(Plan::changes) {
        let resource = Resource {
            gone: change.is_deleted,
            untouched: !change.is_touched && !change.is_deleted,
            workspace: workspace.clone(),
            address: change.address.clone(),
            r#type: change.kind.clone(),
            tags: change.tags.clone(),
            unknown_tags: change.unknown_tags.clone(),
            instance_types: change.instance_types.clone(),
            encryption: change.encryption,
        };
        let subject = format!("tfe:{}/{workspace}/{}", host(source), resource.address);
        let found = || sha256_hex(json(&resource).to_string().as_bytes());
        let told = if resource.untouched { found() } else { run.to_owned() };
        let (key, at) = (format!("{subject}@{told}"), applied.unwrap_or(at));
        out.evidence.push(Evidence::event(
            Kind::TerraformResource,
            &source.name,
            key,
            subject,
            at,
            &resource,
        ));
    }
}

fn kind(change: &Value) -> &str {
    change["type"].as_str().unwrap_or_default()
}

/// `tags_all`, else `tags`; and which of them are known only after apply.
fn tags(change: &Value) -> (Option<Outside>, Vec<String>) {
    let [after, unknown, sensitive] =
        ["after", "after_unknown", "after_sensitive"].map(|part| &change["change"][part]);
    if kind(change) == "aws_autoscaling_group" && !after.is_null() {
        let said = |part: &Value| by_key(&after["tag"], &part["tag"]);
        return known(said(after), &said(unknown), &said(sensitive));
    }
    let name = ["tags_all", "tags"].into_iter().find(|n| !after[*n].is_null() || !unknown[*n].is_null());
    let taggable = after.get("tags").is_some() || after.get("tags_all").is_some();
    let Some(name) = name else { return (taggable.then(Outside::default), Vec::new()) };
    known(after[name].clone(), &unknown[name], &sensitive[name])
}

fn known(mut told: Value, unknown: &Value, sensitive: &Value) -> (Option<Outside>, Vec<String>) {
    let unknown = match unknown {
        Value::Bool(true) => vec!["*".to_owned()],
        Value::Object(o) => o.iter().filter(|(_, v)| **v == true).map(|(k, _)| k.clone()).collect(),
        _ => Vec::new(),
    };
    hide(&mut told, sensitive);
    (Some(Outside::of(Some(&told))), unknown)
}

/// Blocks of an autoscaling group, one for each tag, as other resources have their tags: what is said of each value by its key. What is
/// said of them all, or of a key, is said of every tag. No default of the provider reaches them.
fn by_key(blocks: &Value, said: &Value) -> Value {
    if listed(said).iter().any(|b| *b == true || b["key"] == true) {
        return true.into();
    }
    let keys = listed(blocks).iter().map(|b| b["key"].as_str());
    let each = keys.zip(listed(said)).filter_map(|(key, b)| Some((key?.to_owned(), b["value"].clone())));
    Value::Object(each.collect())
}

/// Takes the values that a plan marks as sensitive out of tags.
fn hide(tags: &mut Value, sensitive: &Value) {
    for (name, value) in tags.as_object_mut().into_iter().flatten() {
        if *sensitive == true || sensitive[name.as_str()] == true {
            *value = "(sensitive)".into();
        }
    }
}

/// Instance types that a resource asks for, and whether one is known only after apply.
fn types(change: &Value) -> (Vec<String>, bool) {
    let (after, unknown) = (&change["change"]["after"], &change["change"]["after_unknown"]);
    let mut types = Vec::new();
    collect_types(after, &mut types);
    types.sort();
    types.dedup();
    (types, is_unknown(unknown) || is_left_open(after))
}

fn is_type_member(name: &str) -> bool {
    ["instance_type", "instance_types", "allowed_instance_types"].contains(&name)
}

fn collect_types(value: &Value, found: &mut Vec<String>) {
    each_member(value, &mut |name, member| {
        if is_type_member(name) {
            found.extend(listed(member).iter().filter_map(Value::as_str).map(str::to_owned));
        }
    });
}

/// Blocks that may hold an instance type: where such a block is not known, neither are its types.
const TYPE_BLOCKS: [&str; 11] = [
    "mixed_instances_policy",
    "override",
    "overrides",
    "launch_template_config",
    "launch_specification",
    "instance_requirements",
    "production_variants",
    "shadow_production_variants",
    "compute_resources",
    "managed_instances_provider",
    "instance_launch_template",
];

fn listed(member: &Value) -> &[Value] {
    member.as_array().map_or(std::slice::from_ref(member), Vec::as_slice)
}

fn is_unknown(unknown: &Value) -> bool {
    let mut found = false;
    each_member(unknown, &mut |name, member| {
        let may_hold = is_type_member(name) || TYPE_BLOCKS.contains(&name);
        found |= may_hold && listed(member).iter().any(|v| *v == true);
    });
    found
}

/// Whether AWS chooses a type by what is required, out of all that there are.
fn is_left_open(after: &Value) -> bool {
    let mut found = false;
    each_member(after, &mut |name, member| {
        let names_none = |one: &Value| {
            let mut types = Vec::new();
            collect_types(one, &mut types);
            types.is_empty()
        };
        let blocks = member.as_array().map_or(&[][..], Vec::as_slice);
        found |= name == "instance_requirements" && blocks.iter().any(names_none);
    });
    found
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
        assert_eq!(types(&c).0, ["p4d.24xlarge"]);
        let c =
            change("aws_instance", json!({"tags": null}), json!({"instance_type": true, "tags_all": true}));
        assert_eq!((tags(&c).1, types(&c).1), (vec!["*".to_owned()], true));
        let plan = json!({"format_version": "1.2", "resource_changes": [c]}).to_string();
        let summary = Plan::read(plan.as_bytes()).unwrap().summary();
        assert_eq!((summary.compute.len(), summary.models.len()), (1, 1));
        assert!(Plan::read(&b"{\"message\": \"not found\"}"[..]).is_err(), "JSON, and no plan");
        let mut secret =
            change("aws_instance", json!({"tags_all": {"Owner": "x", "Key": "s3cr3t"}}), json!({}));
        secret["change"]["after_sensitive"] = json!({"tags_all": {"Key": true}});
        assert_eq!(tags(&secret).0.unwrap().get("Key"), Some("(sensitive)"));
    }

    #[test]
    fn tags_in_blocks() {
        let group = |after: Value, unknown: Value| change("aws_autoscaling_group", after, unknown);
        let after = json!({"tag": [{"key": "Owner", "value": "x"}, {"key": "Project", "value": null}, {"value": "y"}]});
        let mut c = group(after.clone(), json!({"tag": [{}, {"value": true}, {}]}));
        let (told, unknown) = tags(&c);
        assert_eq!(
            (told.unwrap().iter().collect::<Vec<_>>(), unknown),
            (vec![("Owner", "x")], vec!["Project".into()])
        );
        c["change"]["after_sensitive"] = json!({"tag": [{"value": true}]});
        assert_eq!(tags(&c).0.unwrap().get("Owner"), Some("(sensitive)"));
        for late in [json!({"tag": true}), json!({"tag": [{}, {}, {"key": true}]})] {
            assert_eq!(tags(&group(after.clone(), late)).1, ["*"]);
        }
        // None is a group without tags, not one that cannot have any.
        assert_eq!(tags(&group(json!({"name": "g"}), json!({}))), (Some(Outside::default()), Vec::new()));
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
