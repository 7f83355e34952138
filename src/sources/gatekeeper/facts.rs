//! What templates, webhooks, events and Gatekeeper's Config say by themselves.

use super::object::Object;
use crate::evidence::gatekeeper::{Admission, Template, Webhook};
use crate::evidence::{Private, outside_json};
use crate::reperformance::texts;
use serde_json::Value;

/// Reasons of the events that Gatekeeper's webhook leaves (Gatekeeper docs, "Admission events"); audit events repeat what the
/// listing says.
pub const ADMISSIONS: [&str; 3] = ["FailedAdmission", "WarningAdmission", "DryrunViolation"];

/// Whether an object is Gatekeeper's Config.
pub(super) fn is_config(object: &Object) -> bool {
    object.group == "config.gatekeeper.sh" && object.kind == "Config"
}

/// The kind of constraints that a template makes.
pub(super) fn made_kind(template: &Value) -> &str {
    template["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default()
}

/// Errors that Gatekeeper's pods report of a template.
pub(super) fn pod_errors(template: &Value) -> impl Iterator<Item = &Value> {
    let pods = template["status"]["byPod"].as_array().into_iter().flatten();
    pods.flat_map(|p| p["errors"].as_array().into_iter().flatten())
}

/// A template.
pub(super) fn template(object: &Value) -> Template {
    Template {
        gone: false,
        kind: made_kind(object).to_owned(),
        created: object["status"]["created"].as_bool().unwrap_or(false),
        text: outside_json(&object["spec"]["targets"]).to_string(),
        errors: pod_errors(object).filter_map(|e| e["message"].as_str()).map(str::to_owned).collect(),
    }
}

/// The subject of a webhook.
pub(super) fn hook_subject(cluster: &str, hook: &Webhook) -> String {
    format!("k8s:{cluster}/-/ValidatingWebhook/{}/{}", hook.configuration, hook.name)
}

/// Gatekeeper's entries of a webhook configuration.
pub(super) fn webhooks(configuration: &str, object: &Value) -> Vec<Webhook> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let hooks = object["webhooks"].as_array().into_iter().flatten();
    let of_gatekeeper = hooks.filter(|h| h["name"].as_str().is_some_and(|n| n.ends_with("gatekeeper.sh")));
    let webhook = |hook: &Value| Webhook {
        gone: false,
        configuration: configuration.to_owned(),
        name: text(&hook["name"]),
        failure_policy: text(&hook["failurePolicy"]),
        namespace_selector: outside_json(&hook["namespaceSelector"]),
        rules: outside_json(&hook["rules"]),
        object_selector: outside_json(&filled(&hook["objectSelector"])),
        match_conditions: outside_json(&filled(&hook["matchConditions"])),
        timeout_seconds: hook["timeoutSeconds"].as_i64(),
    };
    of_gatekeeper.map(webhook).collect()
}

/// A selector or list that selects something.
fn filled(value: &Value) -> Value {
    let empty =
        value.as_object().is_some_and(|o| o.is_empty()) || value.as_array().is_some_and(Vec::is_empty);
    if empty { Value::Null } else { value.clone() }
}

/// What an event tells of a request; none of one that the webhook did not leave.
pub(super) fn admission(event: &Value) -> Option<Admission> {
    let notes = &event["metadata"]["annotations"];
    let note = |key: &str| notes[key].as_str().unwrap_or_default();
    (note("process") == "admission").then(|| Admission {
        reason: event["reason"].as_str().unwrap_or_default().to_owned(),
        constraint: format!("{}/{}", note("constraint_kind"), note("constraint_name")),
        object: format!("{}/{}/{}", note("resource_namespace"), note("resource_kind"), note("resource_name")),
        user: notes["request_username"].as_str().filter(|u| !u.is_empty()).map(Private::of),
        count: event["count"].as_i64().unwrap_or(1),
    })
}

/// What is lost where the cluster merged events of requests: it keeps neither objects nor users of them.
pub(super) fn merged(event: &Value) -> Option<String> {
    let reason = event["reason"].as_str().filter(|reason| ADMISSIONS.contains(reason))?;
    let is_merged = event["message"].as_str()?.starts_with("(combined from similar events)");
    let count = event["count"].as_i64().unwrap_or(1);
    is_merged.then(|| {
        format!("the cluster merged {count} events {reason} into one that tells neither object nor user")
    })
}

/// Patterns of the namespaces that Gatekeeper's Config keeps from a process, `webhook` or `audit` (Gatekeeper docs,
/// "Exempting namespaces").
pub(super) fn excluded(objects: &[Object], process: &str) -> Vec<String> {
    let configs = objects.iter().filter(|o| is_config(o));
    let rules = configs.flat_map(|o| o.value()["spec"]["match"].as_array().cloned().unwrap_or_default());
    let of_process = rules.filter(|r| texts(&r["processes"]).any(|p| p == "*" || p == process));
    let spaces =
        of_process.flat_map(|r| texts(&r["excludedNamespaces"]).map(str::to_owned).collect::<Vec<_>>());
    let mut excluded: Vec<String> = spaces.collect();
    excluded.sort();
    excluded
}
