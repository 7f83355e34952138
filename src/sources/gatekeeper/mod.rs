//! A cluster and its Gatekeeper, from lists as `kubectl get … -o json` prints them.

mod address;
mod answer;
mod changed;
mod constraint;
mod evaluation;
mod facts;
mod inputs;
mod listed;
mod object;
mod population;
mod reperform;
mod workload;

use super::{Context, Gathered};
use crate::config::Source;
use crate::evidence::gatekeeper::{AuditRow, Config, Constraint, Namespace};
use crate::evidence::record::SourceRun;
use crate::evidence::{Evidence, Kind, Outside, Time};
use changed::Told;
use evaluation::Posed;
pub use facts::ADMISSIONS;
use inputs::Inputs;
use listed::Listed;
pub use object::Object;
use population::Population;
use serde_json::Value;
use workload::Related;

/// Group of the templates.
const TEMPLATES: &str = "templates.gatekeeper.sh";
/// Group of the kinds that templates make.
pub const CONSTRAINTS: &str = "constraints.gatekeeper.sh";
/// Kind of the webhooks.
const WEBHOOKS: &str = "ValidatingWebhookConfiguration";
/// Kinds of objects that say something by themselves, beside workloads.
const TOLD: [&str; 7] = ["ConstraintTemplate", "Namespace", "Event", WEBHOOKS, "Node", "Pod", "ReplicaSet"];
const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "InferenceService"];

/// Parser of one look. Objects are joined at the end: a ReplicaSet tells when its Deployment's version began.
pub struct Parser<'a> {
    source: &'a Source,
    at: Time,
    /// The cluster, where it is known without the look.
    cluster: Option<String>,
    /// What the look before showed.
    before: Option<&'a SourceRun>,
    /// What it said of Gatekeeper's Config.
    config: Option<&'a Config>,
    out: Gathered,
    objects: Vec<Object>,
    /// What a watch told before the look, oldest first.
    changes: Vec<Told>,
    listed: Listed,
}

impl<'a> Parser<'a> {
    /// A parser of a look taken at a time.
    pub fn new(context: &'a Context<'a>, at: Time) -> Parser<'a> {
        let Context { source, cluster, before, config, .. } = context;
        Parser {
            source,
            at,
            cluster: cluster.clone(),
            before: before.as_ref(),
            config: config.as_ref(),
            out: Gathered::default(),
            objects: Vec::new(),
            changes: Vec::new(),
            listed: Listed::default(),
        }
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

    fn reply(&mut self, path: &str, mut reply: Value) {
        let kind = reply["kind"].as_str().unwrap_or_default().to_owned();
        let items = reply.get_mut("items").map(Value::take).unwrap_or_default();
        match (items, kind.as_str()) {
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
        self.listed.lacks(kind);
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
        self.listed.add(path, kind, version, &items, is_whole);
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
    pub fn change(&mut self, at: Time, gone: bool, object: Object) {
        self.out.keep(1);
        self.changes.push((at.min(self.at), gone, object));
    }

    /// What the look gave.
    pub fn finish(mut self) -> Gathered {
        let cluster = self.cluster();
        let (objects, changes) = (std::mem::take(&mut self.objects), std::mem::take(&mut self.changes));
        self.listed.join_constraints(&objects);
        let related = Related::of(objects.iter());
        self.changed(&cluster, &changes, &objects);
        let deleted = self.config_deleted(&objects, &changes);
        let passed = self.out.evidence.len();
        let Inputs { digest, audits } = Inputs::of(&cluster, &objects, &self.listed);
        self.out.audits = audits;
        let was_told = changes.iter().any(|(.., object)| object.group == CONSTRAINTS);
        let same = self.before.filter(|b| !was_told && b.inputs.is_some() && b.inputs == digest);
        if let Some(before) = same {
            (self.out.inputs, self.out.truncated) = (digest, before.truncated.clone());
        } else {
            let rows = self.constraints(&cluster, &objects, deleted);
            self.out.inputs = digest.filter(|_| inputs::is_settled(&rows));
            if self.listed.is_whole("constraint") {
                constraint::audit(&mut self.out, self.source, &cluster, self.at, rows);
            }
        }
        if self.listed.is_whole("Config") {
            self.configs(&cluster, &objects, deleted);
        }
        self.listed.tell(&mut self.out, same.is_some());
        let constraints = objects.iter().filter(|o| o.group == CONSTRAINTS).count();
        for object in objects {
            self.facts(&cluster, &object, &related);
        }
        let workloads =
            self.out.evidence[passed..].iter().filter(|e| e.kind == Kind::KubernetesWorkload).count();
        self.out.read = format!("1 look, {constraints} constraints, {workloads} workloads");
        self.out
    }

    /// What one object says by itself.
    fn facts(&mut self, cluster: &str, of: &Object, related: &Related) {
        if !TOLD.contains(&of.kind.as_str()) && !WORKLOADS.contains(&of.kind.as_str()) {
            return;
        }
        let object = of.value();
        let place = format!("k8s:{cluster}/-/{}/{}", of.kind, of.name);
        match of.kind.as_str() {
            "ConstraintTemplate" => self.state(Kind::GatekeeperTemplate, place, &facts::template(&object)),
            "Namespace" => {
                let (name, labels) = (of.name.clone(), Outside::of(object["metadata"].get("labels")));
                self.state(Kind::KubernetesNamespace, place, &Namespace { gone: false, name, labels });
            }
            "Event" => self.event(cluster, of, &object),
            WEBHOOKS => {
                for hook in facts::webhooks(&of.name, &object) {
                    self.state(Kind::KubernetesWebhook, facts::hook_subject(cluster, &hook), &hook);
                }
            }
            _ => {}
        }
        if let Some(workload) = workload::workload(of, &object, related) {
            self.state(Kind::KubernetesWorkload, format!("k8s:{cluster}/{}", of.shown()), &workload);
        }
        if let Some((place, address)) = address::address(cluster, of, &object, related) {
            self.state(Kind::KubernetesAddress, format!("k8s:{cluster}/{place}"), &address);
        }
    }

    /// Constraints, what violates them, and what our own evaluation says; gives the rows of the audit.
    fn constraints(
        &mut self,
        cluster: &str,
        objects: &[Object],
        config_deleted: Option<Time>,
    ) -> Vec<AuditRow> {
        let listed = self.listed.clone();
        let population = Population::new(objects, &listed, config_deleted);
        self.out.objects = population.index.keys().cloned().collect();
        self.out.kinds = listed.whole().into_iter().map(str::to_owned).collect();
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

    /// uid of the namespace kube-system, else that of the look before, else the name that the config gives.
    fn cluster(&self) -> String {
        let system = self.objects.iter().find(|o| o.kind == "Namespace" && o.name == "kube-system");
        let uid = system.map(Object::value).and_then(|o| o["metadata"]["uid"].as_str().map(str::to_owned));
        let uid = uid.as_deref().or(self.cluster.as_deref());
        uid.or(self.source.cluster.as_deref()).unwrap_or(&self.source.name).to_owned()
    }

    fn state(&mut self, kind: Kind, subject: String, payload: &impl serde::Serialize) {
        self.out.evidence.push(Evidence::state(kind, &self.source.name, subject, self.at, payload));
    }

    fn constraint(&mut self, cluster: &str, payload: &Constraint) {
        let subject = format!("k8s:{cluster}/-/{}/{}", payload.kind, payload.name);
        self.state(Kind::GatekeeperConstraint, subject, payload);
    }

    /// Namespaces that Gatekeeper's Config keeps from the webhook and from the audit.
    fn configs(&mut self, cluster: &str, objects: &[Object], deleted: Option<Time>) {
        let (excluded, audit_excluded) =
            (facts::excluded(objects, "webhook"), facts::excluded(objects, "audit"));
        let subject = format!("k8s:{cluster}/-/Config/config");
        self.state(
            Kind::GatekeeperConfig,
            subject,
            &Config { gone: false, excluded, audit_excluded, deleted },
        );
    }

    /// A request, at the time when it happened last.
    fn event(&mut self, cluster: &str, of: &Object, event: &Value) {
        if let Some(lost) = facts::merged(event) {
            self.out.gap(lost);
        }
        if let Some(payload) = facts::admission(event) {
            let last = event["lastTimestamp"].as_str().or(event["eventTime"].as_str());
            let at = last.and_then(|t| t.parse().ok()).unwrap_or(self.at);
            let uid = event["metadata"]["uid"].as_str().unwrap_or(&of.name);
            let (key, subject) =
                (format!("{uid}@{}", payload.count), format!("k8s:{cluster}/{}", payload.object));
            let source = &self.source.name;
            let told = Evidence::event(Kind::GatekeeperAdmission, source, key, subject, at, &payload);
            self.out.evidence.push(told);
        }
    }
}
