//! A cluster and its Gatekeeper, from lists as `kubectl get … -o json` prints them.

mod address;
mod constraint;
mod inputs;
mod object;
mod population;
mod reperform;
mod workload;

use super::{Context, Gathered};
use crate::config::Source;
use crate::evidence::gatekeeper::{Admission, AuditRow, Config, Constraint, Namespace, Template, Webhook};
use crate::evidence::record::SourceRun;
use crate::evidence::{Evidence, Kind, Nature, Outside, Private, Time, outside_json};
pub use object::Object;
use object::group;
use population::{Population, Posed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use workload::Related;

/// Group of the templates.
const TEMPLATES: &str = "templates.gatekeeper.sh";
/// Group of the kinds that templates make.
pub const CONSTRAINTS: &str = "constraints.gatekeeper.sh";
/// Kinds of objects that say something by themselves, beside workloads.
const TOLD: [&str; 7] = [
    "ConstraintTemplate",
    "Namespace",
    "Event",
    "ValidatingWebhookConfiguration",
    "Node",
    "Pod",
    "ReplicaSet",
];
const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "InferenceService"];

/// Reasons of the events that Gatekeeper's webhook leaves (Gatekeeper docs, "Admission events"); audit events repeat what the
/// listing says.
pub const ADMISSIONS: [&str; 3] = ["FailedAdmission", "WarningAdmission", "DryrunViolation"];

/// Parser of one look. Objects are joined at the end: a ReplicaSet tells when its Deployment's version began.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    /// The cluster, where it is known without the look.
    cluster: Option<String>,
    /// What the look before showed.
    before: Option<&'a SourceRun>,
    out: Gathered,
    objects: Vec<Object>,
    /// What a watch told before the look, oldest first: when, whether it is gone, what.
    changes: Vec<(Time, bool, Object)>,
    listed: BTreeMap<String, bool>,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(context: &'a Context<'a>, at: Time) -> Parser<'a> {
        let (source, cluster, before) = (context.source, context.cluster.clone(), context.before.as_ref());
        let (objects, changes, listed) = (Vec::new(), Vec::new(), BTreeMap::new());
        Parser { source, at, cluster, before, out: Gathered::default(), objects, changes, listed }
    }

    /// Of the cluster with this uid of its namespace kube-system.
    pub fn of(self, uid: &str) -> Parser<'a> {
        Parser { cluster: Some(uid.to_owned()), ..self }
    }

    /// Takes one reply.
    pub fn file(&mut self, path: &str, bytes: &[u8]) {
        if !path.ends_with(".json") {
            self.out
                .refuse(path, "is no reply in JSON: `kubectl get … -o json > NAME.json` writes one".into());
            return;
        }
        if let Some(reply) = self.out.json(path, bytes) {
            self.reply(path, reply);
        }
    }

    /// Takes one reply that was read already.
    pub fn reply(&mut self, path: &str, mut reply: Value) {
        let kind = reply["kind"].as_str().unwrap_or_default().to_owned();
        match (reply["items"].take(), kind.as_str()) {
            (_, "Status") => self.status(path, &reply),
            (_, "Table") => self.out.refuse(path, "is a table for people: ask with -o json".into()),
            (Value::Array(items), _) => self.list(path, &reply, items, &kind),
            (_, "") => {
                self.out.refuse(path, "has neither items nor a kind: it is no reply of a cluster".into())
            }
            _ => self.object(path, String::new(), Object::of(reply, &kind, &Value::Null)),
        }
    }

    /// Says that a kind was not listed, or not to its end, and why.
    pub fn unlisted(&mut self, kind: &str, why: String) {
        self.out.gap(why);
        self.listed.insert(kind.to_owned(), false);
    }

    fn status(&mut self, path: &str, reply: &Value) {
        let (code, message) = (&reply["code"], reply["message"].as_str().unwrap_or_default());
        self.out.refuse(path, format!("the cluster answered {code}: {message}"));
    }

    fn list(&mut self, path: &str, reply: &Value, items: Vec<Value>, list_kind: &str) {
        let kind = list_kind.strip_suffix("List").unwrap_or(list_kind);
        let next = reply["metadata"]["continue"].as_str().is_some_and(|c| !c.is_empty());
        if next {
            let left = &reply["metadata"]["remainingItemCount"];
            self.out.gap(format!("{path}: the listing goes on ({left} more) and the next page is not there"));
        }
        let version = &reply["apiVersion"];
        let items = items.into_iter().map(|item| Object::of(item, kind, version)).collect();
        self.listed(path, kind, version, items, !next);
    }

    /// Takes the items of a list, of which `kind` and `version` are what an empty one is of, and whether they are all there are.
    pub fn listed(
        &mut self,
        path: &str,
        kind: &str,
        version: &Value,
        items: Vec<Result<Object, &'static str>>,
        is_whole: bool,
    ) {
        for name in listed_kinds(path, kind, version, &items) {
            *self.listed.entry(name).or_insert(true) &= is_whole;
        }
        for (i, item) in items.into_iter().enumerate() {
            self.object(path, format!("items[{i}]"), item);
        }
    }

    fn object(&mut self, path: &str, place: String, object: Result<Object, &'static str>) {
        match object {
            Ok(object) => {
                // What is in no entry of its own is still what constraints match.
                self.out.keep(1);
                self.objects.push(object);
            }
            Err(why) => self.out.quarantine(path, place, why.into()),
        }
    }

    /// Takes an object as a watch told it before the look.
    pub fn change(&mut self, at: Time, gone: bool, object: Value) {
        if let Ok(object) = Object::of(object, "", &Value::Null) {
            self.out.keep(1);
            self.changes.push((at.min(self.at), gone, object));
        }
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        let cluster = self.cluster();
        let (objects, changes) = (std::mem::take(&mut self.objects), std::mem::take(&mut self.changes));
        self.constraint_kinds(&objects);
        let related = Related::of(objects.iter().chain(changes.iter().map(|(.., object)| object)));
        self.changed(&cluster, &changes, &related);
        let inputs = inputs::digest(&cluster, &objects, &self.listed);
        let same = self.before.filter(|before| before.inputs.is_some() && before.inputs == inputs);
        if let Some(before) = same {
            (self.out.inputs, self.out.truncated) = (inputs, before.truncated.clone());
        } else {
            let rows = self.constraints(&cluster, &objects);
            self.out.inputs = inputs.filter(|_| inputs::is_settled(&rows));
            if self.is_whole("constraint") {
                constraint::audit(&mut self.out, self.source, &cluster, self.at, rows);
            }
        }
        if self.is_whole("Config") {
            self.configs(&cluster, &objects);
        }
        self.completeness(same.is_some());
        let constraints = objects.iter().filter(|o| o.group == CONSTRAINTS).count();
        self.out.audits = constraint::audits(objects.iter().filter(|o| o.group == CONSTRAINTS));
        for object in objects {
            self.facts(&cluster, &object, &related);
        }
        let workloads = self.count(Kind::KubernetesWorkload);
        self.out.read = format!("1 look, {constraints} constraints, {workloads} workloads");
        self.out
    }

    /// What one object says by itself.
    fn facts(&mut self, cluster: &str, of: &Object, related: &Related) {
        if !TOLD.contains(&of.kind.as_str()) && !WORKLOADS.contains(&of.kind.as_str()) {
            return;
        }
        let object = of.value();
        match of.kind.as_str() {
            "ConstraintTemplate" => self.template(cluster, &of.name, &object),
            "Namespace" => self.namespace(cluster, &of.name, &object),
            "Event" => self.event(cluster, &object),
            "ValidatingWebhookConfiguration" => self.webhook(cluster, &of.name, &object),
            _ => {}
        }
        if let Some(workload) = workload::workload(of, &object, related) {
            self.state(Kind::KubernetesWorkload, format!("k8s:{cluster}/{}", of.shown()), &workload);
        }
        if let Some((place, address)) = address::address(cluster, of, &object, related) {
            self.state(Kind::KubernetesAddress, format!("k8s:{cluster}/{place}"), &address);
        }
    }

    /// States between the look before and this one. What a constraint lists is said by a whole look alone.
    fn changed(&mut self, cluster: &str, changes: &[(Time, bool, Object)], related: &Related) {
        let now = self.at;
        for (at, gone, object) in changes {
            self.at = *at;
            let first = self.out.evidence.len();
            if object.group == CONSTRAINTS {
                self.constraint(cluster, &constraint::constraint(&object.kind, &object.value()));
            } else if object.kind == "Config" {
                self.configs(cluster, std::slice::from_ref(object));
            }
            self.facts(cluster, object, related);
            if *gone {
                let told = self.out.evidence.split_off(first);
                let states = told.into_iter().filter(|e| e.kind.nature() == Nature::State);
                let gone = states.map(|e| Evidence::gone(e.kind, &self.source.name, e.subject, *at));
                self.out.evidence.extend(gone);
            }
        }
        self.at = now;
    }

    /// Lists of each constraint kind that the templates made are a list of all constraints, but for kinds that were not
    /// listed to their end.
    fn constraint_kinds(&mut self, objects: &[Object]) {
        let templates = objects.iter().filter(|o| o.kind == "ConstraintTemplate").map(Object::value);
        let all = templates.filter(|t| t["status"]["created"] == true).all(|t| {
            let kind = t["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default();
            self.listed.contains_key(&format!("constraint {kind}"))
        });
        if all && self.is_whole("ConstraintTemplate") {
            self.listed.entry("constraint".into()).or_insert(true);
        }
    }

    /// Constraints, what violates them, and what our own evaluation says; gives the rows of the audit.
    fn constraints(&mut self, cluster: &str, objects: &[Object]) -> Vec<AuditRow> {
        let listed = self.listed.clone();
        let population = Population::new(objects, &listed);
        self.out.objects = population.index.keys().cloned().collect();
        self.out.kinds = population.whole.iter().map(|kind| (*kind).to_owned()).collect();
        let of_group: Vec<_> = objects.iter().filter(|o| o.group == CONSTRAINTS).collect();
        let all: Vec<_> = of_group.iter().map(|o| Posed::of(&o.kind, &o.value())).collect();
        let mut rows = Vec::new();
        for ((answer, posed), object) in population.evaluate(&all).into_iter().zip(&all).zip(of_group) {
            let payload = &posed.payload;
            let mut audited =
                constraint::audited(payload, &object.value(), population.template(&payload.kind));
            let performed = reperform::compared(&population, answer, payload, &audited);
            audited.row.reperformed = Some(performed.stated.clone());
            self.constraint(cluster, payload);
            let place = (self.source, cluster, self.at);
            constraint::violations(&mut self.out, place, payload, &audited, performed);
            rows.push(audited.row);
        }
        rows
    }

    fn count(&self, kind: Kind) -> usize {
        self.out.evidence.iter().filter(|e| e.kind == kind).count()
    }

    /// uid of the namespace kube-system, else that of the look before, else the name that the config gives.
    fn cluster(&self) -> String {
        let system = self.objects.iter().find(|o| o.kind == "Namespace" && o.name == "kube-system");
        let uid = system.map(Object::value).and_then(|o| o["metadata"]["uid"].as_str().map(str::to_owned));
        let uid = uid.as_deref().or(self.cluster.as_deref());
        uid.or(self.source.cluster.as_deref()).unwrap_or(&self.source.name).to_owned()
    }

    fn is_whole(&self, name: &str) -> bool {
        self.listed.get(name).copied().unwrap_or(false)
    }

    /// Which kinds the look lists whole. Constraints that are as the look before showed them are not told again.
    fn completeness(&mut self, is_same: bool) {
        let workloads = if self.listed.contains_key("workloads") { "workloads" } else { "Deployment" };
        let kinds = [
            (Kind::GatekeeperConstraint, "constraint"),
            (Kind::GatekeeperViolation, "constraint"),
            (Kind::GatekeeperTemplate, "ConstraintTemplate"),
            (Kind::KubernetesNamespace, "Namespace"),
            (Kind::KubernetesWebhook, "ValidatingWebhookConfiguration"),
            (Kind::KubernetesWorkload, workloads),
        ];
        let told = |(kind, _): &(Kind, _)| {
            !is_same || ![Kind::GatekeeperConstraint, Kind::GatekeeperViolation].contains(kind)
        };
        for (kind, list) in kinds.into_iter().filter(told) {
            if self.is_whole(list) {
                self.out.listed_whole(kind);
                let open = self.open(kind);
                self.out.complete.entry(kind).or_default().extend(open);
            } else if !self.listed.contains_key(list) {
                self.out.gap(format!("no list of {list} in the look"));
            }
        }
        self.addresses();
    }

    /// Nodes and pods are listed each for itself; without a list of nodes nothing tells where pods are.
    fn addresses(&mut self) {
        let open: Vec<_> = ["Node", "Pod"].into_iter().filter(|name| !self.is_whole(name)).collect();
        if !self.listed.contains_key("Node") {
            self.out.gap("no list of Node in the look");
        }
        if open.len() < 2 {
            let open = open.into_iter().map(|name| format!("/{name}/"));
            self.out.complete.entry(Kind::KubernetesAddress).or_default().extend(open);
        }
    }

    /// Parts of subjects of a kind that stay as they were: workloads and constraints of kinds that the look does not list whole.
    fn open(&self, kind: Kind) -> Vec<String> {
        let broken = self.listed.iter().filter(|(_, whole)| !**whole);
        let constraints = broken.filter_map(|(name, _)| name.strip_prefix("constraint "));
        match kind {
            Kind::GatekeeperConstraint => constraints.map(|k| format!("/-/{k}/")).collect(),
            Kind::GatekeeperViolation => constraints.map(|k| format!("#{k}/")).collect(),
            Kind::KubernetesWorkload if !self.listed.contains_key("workloads") => {
                let others = WORKLOADS.iter().chain(&["ReplicaSet", "Pod"]).filter(|k| !self.is_whole(k));
                others.map(|k| format!("/{k}/")).collect()
            }
            _ => Vec::new(),
        }
    }

    fn state(&mut self, kind: Kind, subject: String, payload: &impl serde::Serialize) {
        self.out.evidence.push(Evidence::state(kind, &self.source.name, subject, self.at, payload));
    }

    fn constraint(&mut self, cluster: &str, payload: &Constraint) {
        let subject = format!("k8s:{cluster}/-/{}/{}", payload.kind, payload.name);
        self.state(Kind::GatekeeperConstraint, subject, payload);
    }

    fn template(&mut self, cluster: &str, name: &str, object: &Value) {
        let kind = object["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let pods = object["status"]["byPod"].as_array().into_iter().flatten();
        let errors = pods.flat_map(|p| p["errors"].as_array().into_iter().flatten());
        let payload = Template {
            gone: false,
            kind,
            created: object["status"]["created"].as_bool().unwrap_or(false),
            text: outside_json(&object["spec"]["targets"]).to_string(),
            errors: errors.filter_map(|e| e["message"].as_str()).map(str::to_owned).collect(),
        };
        let subject = format!("k8s:{cluster}/-/ConstraintTemplate/{name}");
        self.state(Kind::GatekeeperTemplate, subject, &payload);
    }

    fn namespace(&mut self, cluster: &str, name: &str, object: &Value) {
        let (name, labels) = (name.to_owned(), Outside::of(object["metadata"].get("labels")));
        let subject = format!("k8s:{cluster}/-/Namespace/{name}");
        self.state(Kind::KubernetesNamespace, subject, &Namespace { gone: false, name, labels });
    }

    /// Namespaces that Gatekeeper's Config keeps from the webhook.
    fn configs(&mut self, cluster: &str, objects: &[Object]) {
        let excluded = excluded(objects, "webhook");
        let subject = format!("k8s:{cluster}/-/Config/config");
        self.state(Kind::GatekeeperConfig, subject, &Config { gone: false, excluded });
    }

    fn webhook(&mut self, cluster: &str, name: &str, object: &Value) {
        for hook in object["webhooks"].as_array().into_iter().flatten() {
            let hook_name = hook["name"].as_str().unwrap_or_default();
            if !hook_name.ends_with("gatekeeper.sh") {
                continue;
            }
            let payload = Webhook {
                gone: false,
                configuration: name.to_owned(),
                name: hook_name.to_owned(),
                failure_policy: hook["failurePolicy"].as_str().unwrap_or_default().to_owned(),
                namespace_selector: outside_json(&hook["namespaceSelector"]),
                rules: outside_json(&hook["rules"]),
                object_selector: outside_json(&filled(&hook["objectSelector"])),
                match_conditions: outside_json(&filled(&hook["matchConditions"])),
                timeout_seconds: hook["timeoutSeconds"].as_i64(),
            };
            let subject = format!("k8s:{cluster}/-/ValidatingWebhook/{name}/{hook_name}");
            self.state(Kind::KubernetesWebhook, subject, &payload);
        }
    }

    /// Admission events only: audit events repeat what the listing says.
    fn event(&mut self, cluster: &str, object: &Value) {
        let reason = object["reason"].as_str().unwrap_or_default();
        let notes = &object["metadata"]["annotations"];
        let note = |key: &str| notes[key].as_str().unwrap_or_default();
        let count = object["count"].as_i64().unwrap_or(1);
        let message = object["message"].as_str().unwrap_or_default();
        if ADMISSIONS.contains(&reason) && message.starts_with("(combined from similar events)") {
            self.out.gap(format!(
                "the cluster merged {count} events {reason} into one that tells neither object nor user"
            ));
        }
        if note("process") != "admission" {
            return;
        }
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
fn excluded(objects: &[Object], process: &str) -> Vec<String> {
    let configs = objects.iter().filter(|o| o.group == "config.gatekeeper.sh" && o.kind == "Config");
    let rules = configs.flat_map(|o| o.value()["spec"]["match"].as_array().cloned().unwrap_or_default());
    let texts = |v: &Value| -> Vec<String> {
        v.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let of_process = rules.filter(|r| texts(&r["processes"]).iter().any(|p| p == "*" || p == process));
    let mut excluded: Vec<String> = of_process.flat_map(|r| texts(&r["excludedNamespaces"])).collect();
    excluded.sort();
    excluded
}

/// Which kinds a list is a listing of: an empty `List` tells it only by its file name.
fn listed_kinds(
    path: &str,
    kind: &str,
    version: &Value,
    items: &[Result<Object, &'static str>],
) -> Vec<String> {
    let file = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let of = |group: &str, item: &str| {
        if group == CONSTRAINTS { one_constraint(kind, item) } else { item.to_owned() }
    };
    let of_items: BTreeSet<_> = items.iter().flatten().map(|o| (o.group.as_str(), o.kind.as_str())).collect();
    let mut kinds: Vec<String> = of_items.into_iter().map(|(group, item)| of(group, item)).collect();
    if !kind.is_empty() && kind != "List" {
        kinds.push(of(group(version), kind));
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

/// A selector or list that selects something.
fn filled(value: &Value) -> Value {
    let empty =
        value.as_object().is_some_and(|o| o.is_empty()) || value.as_array().is_some_and(Vec::is_empty);
    if empty { Value::Null } else { value.clone() }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}
