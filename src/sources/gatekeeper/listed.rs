//! Which kinds of objects a look lists, and whether to their end: what was not listed is not gone.

use super::super::Gathered;
use super::facts::made_kind;
use super::object::{Object, group};
use super::{CONSTRAINTS, WEBHOOKS, WORKLOADS};
use crate::evidence::Kind;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds by name, and whether their list was read to its end. `constraint KIND` is a kind of constraints, `constraint` all of
/// them, `workloads` all kinds of workloads.
#[derive(Clone, Default, Serialize)]
pub(super) struct Listed {
    kinds: BTreeMap<String, bool>,
    /// API groups of the kinds: other groups have kinds of the same name.
    groups: BTreeSet<(String, String)>,
}

impl Listed {
    /// Takes a list of a kind.
    pub(super) fn add(
        &mut self,
        path: &str,
        kind: &str,
        version: &Value,
        items: &[Result<Object, &'static str>],
        is_whole: bool,
    ) {
        let of_items = items.iter().flatten().map(|o| (o.group.clone(), o.kind.clone()));
        self.groups.extend(of_items.chain([(group(version).to_owned(), kind.to_owned())]));
        for name in listed_kinds(path, kind, version, items) {
            *self.kinds.entry(name).or_insert(true) &= is_whole;
        }
    }

    /// Says that a kind was not listed, or not to its end.
    pub(super) fn lacks(&mut self, kind: &str) {
        self.kinds.insert(kind.to_owned(), false);
    }

    /// Lists of each constraint kind that the templates made are a list of all constraints, but for kinds that were not
    /// listed to their end.
    pub(super) fn join_constraints(&mut self, objects: &[Object]) {
        let templates = objects.iter().filter(|o| o.kind == "ConstraintTemplate").map(Object::value);
        let mut made = templates.filter(|t| t["status"]["created"] == true);
        let all = made.all(|t| self.kinds.contains_key(&format!("constraint {}", made_kind(&t))));
        if all && self.is_whole("ConstraintTemplate") {
            self.kinds.entry("constraint".into()).or_insert(true);
        }
    }

    /// Whether a kind was listed to its end.
    pub(super) fn is_whole(&self, kind: &str) -> bool {
        self.kinds.get(kind).copied().unwrap_or(false)
    }

    /// Whether the look lists every object of a kind of a group. Events are listed by their reason.
    pub(super) fn is_whole_of(&self, group: &str, kind: &str) -> bool {
        let is_known = group == "*" || self.groups.contains(&(group.to_owned(), kind.to_owned()));
        kind != "Event"
            && self.whole().contains(kind)
            && (is_known || !self.groups.iter().any(|(_, k)| k == kind))
    }

    /// Kinds that were listed to their end.
    pub(super) fn whole(&self) -> BTreeSet<&str> {
        let mut whole: BTreeSet<&str> =
            self.kinds.iter().filter(|(_, w)| **w).map(|(kind, _)| kind.as_str()).collect();
        if whole.contains("workloads") {
            whole.extend(WORKLOADS);
        }
        whole
    }

    /// Tells which kinds of evidence the look shows whole, and what it should have listed. Constraints that are as the look
    /// before showed them are not told again.
    pub(super) fn tell(&self, out: &mut Gathered, is_same: bool) {
        let workloads = if self.kinds.contains_key("workloads") { "workloads" } else { "Deployment" };
        let kinds = [
            (Kind::GatekeeperConstraint, "constraint"),
            (Kind::GatekeeperViolation, "constraint"),
            (Kind::GatekeeperTemplate, "ConstraintTemplate"),
            (Kind::KubernetesNamespace, "Namespace"),
            (Kind::KubernetesWebhook, WEBHOOKS),
            (Kind::KubernetesWorkload, workloads),
        ];
        for (kind, list) in kinds {
            if !self.kinds.contains_key(list) {
                out.gap(format!("no list of {list} in the look"));
            } else if self.is_whole(list) && !(is_same && list == "constraint") {
                out.listed_whole(kind);
                out.complete.entry(kind).or_default().extend(self.open(kind));
            }
        }
        self.tell_addresses(out);
    }

    /// Nodes and pods are listed each for itself; without a list of nodes nothing tells where pods are.
    fn tell_addresses(&self, out: &mut Gathered) {
        let open: Vec<_> = ["Node", "Pod"].into_iter().filter(|name| !self.is_whole(name)).collect();
        if !self.kinds.contains_key("Node") {
            out.gap("no list of Node in the look");
        }
        if open.len() < 2 {
            let open = open.into_iter().map(|name| format!("/{name}/"));
            out.complete.entry(Kind::KubernetesAddress).or_default().extend(open);
        }
    }

    /// Parts of subjects of a kind that stay as they were: workloads and constraints of kinds that were not listed to their end.
    fn open(&self, kind: Kind) -> Vec<String> {
        let broken = self.kinds.iter().filter(|(_, whole)| !**whole);
        let constraints = broken.filter_map(|(name, _)| name.strip_prefix("constraint "));
        match kind {
            Kind::GatekeeperConstraint => constraints.map(|k| format!("/-/{k}/")).collect(),
            Kind::GatekeeperViolation => constraints.map(|k| format!("#{k}/")).collect(),
            Kind::KubernetesWorkload if !self.kinds.contains_key("workloads") => {
                let others = WORKLOADS.iter().chain(&["ReplicaSet", "Pod"]).filter(|k| !self.is_whole(k));
                others.map(|k| format!("/{k}/")).collect()
            }
            _ => Vec::new(),
        }
    }
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
        return kinds;
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
        ("webhook", WEBHOOKS),
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
