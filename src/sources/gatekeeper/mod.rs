//! A cluster and its Gatekeeper, from lists as `kubectl get … -o json` prints them.

mod address;
mod constraint;
mod reperform;
mod workload;

use super::Gathered;
use crate::config::Source;
use crate::evidence::gatekeeper::{Admission, AuditRow, Config, Namespace, Template, Webhook};
use crate::evidence::{Evidence, Kind, Outside, Private, Time, outside_json};
use serde_json::Value;
use std::collections::BTreeMap;

const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "InferenceService"];

/// Group, kind and text of every object of a look.
type Objects = [(String, String, Value)];

/// Parser of one look. Objects are joined at the end: a ReplicaSet tells when its Deployment's version began.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    out: Gathered,
    objects: Vec<(String, String, Value)>,
    listed: BTreeMap<String, bool>,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(source: &'a Source, at: Time) -> Parser<'a> {
        Parser { source, at, out: Gathered::default(), objects: Vec::new(), listed: BTreeMap::new() }
    }

    /// Takes one reply.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if !path.ends_with(".json") {
            self.out
                .refuse(path, "is no reply in JSON: `kubectl get … -o json > NAME.json` writes one".into());
            return;
        }
        let Some(reply) = self.out.json(path, bytes) else { return };
        let kind = reply["kind"].as_str().unwrap_or_default().to_owned();
        match (&reply["items"], kind.as_str()) {
            (_, "Status") => self.status(path, &reply),
            (_, "Table") => self.out.refuse(path, "is a table for people: ask with -o json".into()),
            (Value::Array(items), _) => self.list(path, &reply, items, &kind),
            (_, "") => {
                self.out.refuse(path, "has neither items nor a kind: it is no reply of a cluster".into())
            }
            _ => self.object(path, String::new(), reply, &kind),
        }
    }

    fn status(&mut self, path: &str, reply: &Value) {
        let (code, message) = (&reply["code"], reply["message"].as_str().unwrap_or_default());
        self.out.refuse(path, format!("the cluster answered {code}: {message}"));
    }

    fn list(&mut self, path: &str, reply: &Value, items: &[Value], list_kind: &str) {
        let kind = list_kind.strip_suffix("List").unwrap_or(list_kind);
        let next = reply["metadata"]["continue"].as_str().is_some_and(|c| !c.is_empty());
        if next {
            let left = &reply["metadata"]["remainingItemCount"];
            self.out.gap(format!("{path}: the listing goes on ({left} more) and the next page is not there"));
        }
        for name in listed_kinds(path, kind, reply, items) {
            let whole = self.listed.entry(name).or_insert(true);
            *whole &= !next;
        }
        for (i, item) in items.iter().enumerate() {
            let mut item = item.clone();
            if item["apiVersion"].is_null() && item.is_object() {
                item["apiVersion"] = reply["apiVersion"].clone();
            }
            self.object(path, format!("items[{i}]"), item, kind);
        }
    }

    fn object(&mut self, path: &str, place: String, mut object: Value, kind: &str) {
        if object["metadata"]["name"].as_str().is_none() {
            self.out.quarantine(path, place, "has no metadata.name: it is no object of a cluster".into());
            return;
        }
        if object["kind"].as_str().is_none() {
            object["kind"] = Value::String(kind.to_owned());
        }
        let (group, kind) =
            (group(&object).to_owned(), object["kind"].as_str().unwrap_or_default().to_owned());
        // What is in no entry of its own is still what constraints match.
        if group.is_empty() && kind == "Secret" {
            self.out.quarantine(path, place, "is a Secret, which is not read".into());
        } else {
            self.out.keep(1);
            self.objects.push((group, kind, object));
        }
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        let cluster = self.cluster();
        let objects = std::mem::take(&mut self.objects);
        self.constraint_kinds(&objects);
        let audited = self.constraints(&cluster, &objects);
        for (_, kind, object) in &objects {
            match kind.as_str() {
                "ConstraintTemplate" => self.template(&cluster, object),
                "Namespace" => self.namespace(&cluster, object),
                "Event" => self.event(&cluster, object),
                "ValidatingWebhookConfiguration" => self.webhook(&cluster, object),
                _ => {}
            }
        }
        workload::read(&mut self.out, self.source, &cluster, self.at, &objects);
        address::read(&mut self.out, self.source, &cluster, self.at, &objects);
        if self.listed.contains_key("Config") {
            self.configs(&cluster, &objects);
        }
        if self.listed.contains_key("constraint") {
            constraint::audit(&mut self.out, self.source, &cluster, self.at, audited);
        }
        self.completeness();
        let (constraints, workloads) =
            (self.count(Kind::GatekeeperConstraint), self.count(Kind::KubernetesWorkload));
        self.out.read = format!("1 look, {constraints} constraints, {workloads} workloads");
        self.out
    }

    /// Lists of each constraint kind that the templates made are a list of all constraints.
    fn constraint_kinds(&mut self, objects: &Objects) {
        let templates = objects
            .iter()
            .filter(|(_, kind, t)| kind == "ConstraintTemplate" && t["status"]["created"] == true);
        let kinds = templates.filter_map(|(_, _, t)| t["spec"]["crd"]["spec"]["names"]["kind"].as_str());
        let lists: Option<Vec<bool>> =
            kinds.map(|k| self.listed.get(&format!("constraint {k}")).copied()).collect();
        let of_templates = self.listed.get("ConstraintTemplate").copied();
        if let (Some(true), Some(lists)) = (of_templates, lists) {
            self.listed.entry("constraint".into()).or_insert(lists.into_iter().all(|whole| whole));
        }
    }

    /// Constraints, what violates them, and what our own evaluation says; gives the rows of the audit.
    fn constraints(&mut self, cluster: &str, objects: &Objects) -> Vec<AuditRow> {
        let listed = self.listed.clone();
        let mut population = reperform::Population::new(objects, &listed);
        let mut rows = Vec::new();
        for (_, kind, object) in objects.iter().filter(|(group, ..)| group == "constraints.gatekeeper.sh") {
            let payload = constraint::constraint(kind, object);
            let mut audited = constraint::audited(&payload, &object["status"]);
            let performed = population.perform(&payload, object, &audited);
            audited.row.reperformed = Some(performed.stated.clone());
            self.state(
                Kind::GatekeeperConstraint,
                format!("k8s:{cluster}/-/{kind}/{}", payload.name),
                &payload,
            );
            constraint::violations(
                &mut self.out,
                self.source,
                cluster,
                self.at,
                &payload,
                &audited,
                performed,
            );
            rows.push(audited.row);
        }
        rows
    }

    fn count(&self, kind: Kind) -> usize {
        self.out.evidence.iter().filter(|e| e.kind == kind).count()
    }

    /// uid of the namespace kube-system, else the name that the config gives.
    fn cluster(&self) -> String {
        let system =
            self.objects.iter().find(|(_, k, o)| k == "Namespace" && o["metadata"]["name"] == "kube-system");
        let uid = system.and_then(|(_, _, o)| o["metadata"]["uid"].as_str());
        uid.or(self.source.cluster.as_deref()).unwrap_or(&self.source.name).to_owned()
    }

    fn completeness(&mut self) {
        let listed = self.listed.clone();
        let whole = |names: &[&str]| names.iter().all(|n| listed.get(*n).copied().unwrap_or(false));
        let kinds = [
            (Kind::GatekeeperConstraint, &["constraint"][..]),
            (Kind::GatekeeperViolation, &["constraint"]),
            (Kind::GatekeeperTemplate, &["ConstraintTemplate"]),
            (Kind::KubernetesNamespace, &["Namespace"]),
            (Kind::KubernetesWebhook, &["ValidatingWebhookConfiguration"]),
            (
                Kind::KubernetesWorkload,
                if self.listed.contains_key("workloads") { &["workloads"][..] } else { &["Deployment"] },
            ),
        ];
        for (kind, needs) in kinds {
            if whole(needs) {
                self.out.listed_whole(kind);
                if kind == Kind::KubernetesWorkload {
                    self.leave_open();
                }
            } else if !self.listed.contains_key(needs[0]) {
                self.out.gap(format!("no list of {} in the look", needs[0]));
            }
        }
        self.addresses();
    }

    /// Nodes and pods are listed each for itself; without a list of nodes nothing tells where pods are.
    fn addresses(&mut self) {
        let whole = |name: &str| self.listed.get(name).copied().unwrap_or(false);
        let open: Vec<_> = ["Node", "Pod"].into_iter().filter(|name| !whole(name)).collect();
        if !self.listed.contains_key("Node") {
            self.out.gap("no list of Node in the look");
        }
        if open.len() < 2 {
            let open = open.into_iter().map(|name| format!("/{name}/"));
            self.out.complete.entry(Kind::KubernetesAddress).or_default().extend(open);
        }
    }

    /// Kinds of workloads that no list of this look names stay as they were.
    fn leave_open(&mut self) {
        let listed = |k: &&str| !self.listed.contains_key("workloads") && !self.listed.contains_key(*k);
        let others = WORKLOADS.iter().chain(&["ReplicaSet", "Pod"]).filter(|k| listed(k));
        let open: Vec<String> = others.map(|k| format!("/{k}/")).collect();
        self.out.complete.entry(Kind::KubernetesWorkload).or_default().extend(open);
    }

    fn state(&mut self, kind: Kind, subject: String, payload: &impl serde::Serialize) {
        self.out.evidence.push(Evidence::state(kind, &self.source.name, subject, self.at, payload));
    }

    fn template(&mut self, cluster: &str, object: &Value) {
        let kind = object["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let created = object["status"]["created"].as_bool().unwrap_or(false);
        let text = outside_json(&object["spec"]["targets"]).to_string();
        let subject = format!("k8s:{cluster}/-/ConstraintTemplate/{}", name(object));
        self.state(Kind::GatekeeperTemplate, subject, &Template { gone: false, kind, created, text });
    }

    fn namespace(&mut self, cluster: &str, object: &Value) {
        let (name, labels) = (name(object).to_owned(), Outside::of(object["metadata"].get("labels")));
        let subject = format!("k8s:{cluster}/-/Namespace/{name}");
        self.state(Kind::KubernetesNamespace, subject, &Namespace { gone: false, name, labels });
    }

    /// Namespaces that Gatekeeper's Config keeps from the webhook.
    fn configs(&mut self, cluster: &str, objects: &[(String, String, Value)]) {
        let excluded = excluded(objects, "webhook");
        let subject = format!("k8s:{cluster}/-/Config/config");
        self.state(Kind::GatekeeperConfig, subject, &Config { gone: false, excluded });
    }

    fn webhook(&mut self, cluster: &str, object: &Value) {
        for hook in object["webhooks"].as_array().into_iter().flatten() {
            let hook_name = hook["name"].as_str().unwrap_or_default();
            if !hook_name.ends_with("gatekeeper.sh") {
                continue;
            }
            let payload = Webhook {
                gone: false,
                configuration: name(object).to_owned(),
                name: hook_name.to_owned(),
                failure_policy: hook["failurePolicy"].as_str().unwrap_or_default().to_owned(),
                namespace_selector: outside_json(&hook["namespaceSelector"]),
                rules: outside_json(&hook["rules"]),
            };
            let subject = format!("k8s:{cluster}/-/ValidatingWebhook/{}/{hook_name}", name(object));
            self.state(Kind::KubernetesWebhook, subject, &payload);
        }
    }

    /// Admission events only: audit events repeat what the listing says.
    fn event(&mut self, cluster: &str, object: &Value) {
        let reason = object["reason"].as_str().unwrap_or_default();
        let notes = &object["metadata"]["annotations"];
        let note = |key: &str| notes[key].as_str().unwrap_or_default();
        if note("process") != "admission" {
            return;
        }
        let count = object["count"].as_i64().unwrap_or(1);
        let payload = Admission {
            reason: reason.to_owned(),
            constraint: format!("{}/{}", note("constraint_kind"), note("constraint_name")),
            object: format!(
                "{}/{}/{}",
                note("resource_namespace"),
                note("resource_kind"),
                note("resource_name")
            ),
            user: notes["request_username"].as_str().filter(|u| !u.is_empty()).map(Private::of),
            count,
        };
        let last = object["lastTimestamp"].as_str().or(object["eventTime"].as_str());
        let at = last.and_then(|t| t.parse().ok()).unwrap_or(self.at);
        let key = format!("{}@{count}", object["metadata"]["uid"].as_str().unwrap_or_else(|| name(object)));
        let subject = format!("k8s:{cluster}/{}", payload.object);
        self.out.evidence.push(Evidence::event(
            Kind::GatekeeperAdmission,
            &self.source.name,
            key,
            subject,
            at,
            &payload,
        ));
    }
}

/// Patterns of the namespaces that Gatekeeper's Config keeps from a process, `webhook` or `audit` (Gatekeeper docs,
/// "Exempting namespaces").
fn excluded(objects: &Objects, process: &str) -> Vec<String> {
    let configs =
        objects.iter().filter(|(group, kind, _)| group == "config.gatekeeper.sh" && kind == "Config");
    let rules = configs.flat_map(|(_, _, o)| o["spec"]["match"].as_array().into_iter().flatten());
    let texts = |v: &Value| -> Vec<String> {
        v.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let of_process = rules.filter(|r| texts(&r["processes"]).iter().any(|p| p == "*" || p == process));
    let mut excluded: Vec<String> = of_process.flat_map(|r| texts(&r["excludedNamespaces"])).collect();
    excluded.sort();
    excluded
}

/// Which kinds a list is a listing of: an empty `List` tells it only by its file name.
fn listed_kinds(path: &str, kind: &str, reply: &Value, items: &[Value]) -> Vec<String> {
    let file = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let mut kinds: Vec<String> = items
        .iter()
        .map(|i| {
            let of_item = i["kind"].as_str().unwrap_or(kind);
            let group = group(i);
            let group = if group.is_empty() { group_of(&reply["apiVersion"]) } else { group };
            if group == "constraints.gatekeeper.sh" {
                one_constraint(kind, of_item)
            } else {
                of_item.to_owned()
            }
        })
        .collect();
    if !kind.is_empty() && kind != "List" {
        let constraint = group_of(&reply["apiVersion"]) == "constraints.gatekeeper.sh";
        kinds.push(if constraint { one_constraint(kind, kind) } else { kind.to_owned() });
    }
    let names = [
        ("constrainttemplate", "ConstraintTemplate"),
        ("constraint", "constraint"),
        ("config", "Config"),
        ("namespace", "Namespace"),
        ("node", "Node"),
        ("pod", "Pod"),
        ("workload", "workloads"),
        ("deployment", "Deployment"),
        ("webhook", "ValidatingWebhookConfiguration"),
    ];
    kinds.extend(names.iter().find(|(n, _)| file.starts_with(n)).map(|(_, k)| (*k).to_owned()));
    kinds.sort();
    kinds.dedup();
    kinds
}

/// A list of one constraint kind says nothing of the others; a mixed `List` is of all of them.
fn one_constraint(list: &str, item: &str) -> String {
    if list == "List" || list.is_empty() { "constraint".to_owned() } else { format!("constraint {item}") }
}

fn group(object: &Value) -> &str {
    group_of(&object["apiVersion"])
}

fn group_of(api_version: &Value) -> &str {
    api_version.as_str().and_then(|v| v.split_once('/')).map_or("", |(g, _)| g)
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
