//! What Gatekeeper has at the door of a cluster at a time: constraints, its webhook, and what is exempt from both.

use super::facts::{Facts, Seen};
use crate::evidence::gatekeeper::{Config, Constraint, Namespace, Webhook, Workload};
use crate::evidence::{Outside, Time};
use crate::reperformance::{Object, covered_by_webhook, in_match_scope, selector_matches, wildcard};

/// Label of a namespace that Gatekeeper leaves alone.
pub(super) const IGNORE: &str = "admission.gatekeeper.sh/ignore";

/// Gatekeeper as it was set up at a time, in every cluster.
#[derive(Clone, Copy)]
pub(super) struct AdmissionControl<'a> {
    pub facts: &'a Facts,
    pub at: Time,
}

impl<'a> AdmissionControl<'a> {
    /// Constraints of a cluster.
    pub(super) fn constraints(self, source: &str) -> impl Iterator<Item = &'a Seen<Constraint>> {
        self.facts.cluster.constraints.at(self.at).map(|(_, c)| c).filter(move |c| c.source == source)
    }

    /// Those of one kind.
    pub(super) fn of_kind(self, source: &str, kind: &str) -> Vec<&'a Seen<Constraint>> {
        self.constraints(source).filter(|c| c.value.kind == kind).collect()
    }

    /// The webhook that asks constraints.
    pub(super) fn webhook(self, source: &str) -> Option<&'a Seen<Webhook>> {
        let mut all = self.facts.cluster.webhooks.at(self.at).map(|(_, w)| w);
        all.find(|w| w.source == source && w.value.name == "validation.gatekeeper.sh")
    }

    /// What Gatekeeper's Config leaves out; none when the looks do not list configs.
    pub(super) fn config(self, source: &str) -> Option<&'a Seen<Config>> {
        // Of a cluster that was built anew, the last one.
        let all = self.facts.cluster.configs.at(self.at).map(|(_, c)| c);
        all.filter(|c| c.source == source).max_by_key(|c| c.seq)
    }

    /// The namespace of a workload; of one that came later with the workload, as it was seen first.
    fn namespace(self, w: &Seen<Workload>) -> Option<&'a Seen<Namespace>> {
        let at = |time| self.facts.cluster.namespace(&w.source, &w.value.namespace, time);
        at(self.at).or_else(|| at(w.at).filter(|_| w.at > self.at))
    }

    /// Why a namespace is exempt, where it is.
    pub(super) fn exempt(self, source: &str, namespace: &Seen<Namespace>) -> Option<String> {
        let Namespace { name, labels, .. } = &namespace.value;
        if labels.get(IGNORE).is_some() {
            return Some(format!("namespace {name} is exempt: it carries the label {IGNORE}"));
        }
        if self.is_excluded(source, name) {
            return Some(format!("namespace {name} is exempt: Gatekeeper's Config leaves it out"));
        }
        let hook = self.webhook(source)?;
        let selected = selector_matches(&hook.value.namespace_selector, labels);
        (!selected)
            .then(|| format!("namespace {name} is exempt: the webhook's namespaceSelector leaves it out"))
    }

    /// Whether Gatekeeper's Config keeps a namespace from the webhook.
    fn is_excluded(self, source: &str, name: &str) -> bool {
        let excluded = self.config(source).map(|c| c.value.excluded.as_slice()).unwrap_or_default();
        excluded.iter().any(|p| wildcard(p, name))
    }

    /// Whether a constraint has a workload in its match scope; none when labels of a namespace decide that were not read.
    pub(super) fn scope(self, c: &Constraint, w: &Seen<Workload>) -> Option<bool> {
        in_match_scope(&c.r#match, &object(w, self.namespace(w).map(|n| &n.value.labels)))
    }

    /// The same, where it is certain.
    pub(super) fn selects(self, c: &Constraint, w: &Seen<Workload>) -> bool {
        self.scope(c, w) == Some(true)
    }

    /// Whether the webhook is asked about a workload; none where that cannot be told.
    pub(super) fn reaches(self, w: &Seen<Workload>) -> Option<bool> {
        let labels = self.namespace(w).map(|n| &n.value.labels);
        covered_by_webhook(&self.webhook(&w.source)?.value, &object(w, labels))
    }

    /// Constraints that were set to deny a workload that breaks them, each with whether it is certain that the webhook was set to
    /// ask them.
    pub(super) fn denying(self, w: &Seen<Workload>) -> Vec<(&'a Seen<Constraint>, bool)> {
        let (source, space, reached) = (w.source.as_str(), self.namespace(w), self.reaches(w));
        let is_exempt = self.is_excluded(source, &w.value.namespace)
            || space.is_some_and(|space| self.exempt(source, space).is_some());
        if self.webhook(source).is_none() || is_exempt || reached == Some(false) {
            return Vec::new();
        }
        let is_certain = space.is_some() && self.config(source).is_some() && reached == Some(true);
        let all = self.constraints(source).filter(|c| c.value.effective_action == "deny");
        all.filter(|c| self.selects(&c.value, w)).map(|c| (c, is_certain)).collect()
    }

    /// Whether Gatekeeper's Config keeps a workload from the audit.
    pub(super) fn is_unaudited(self, w: &Seen<Workload>) -> bool {
        let excluded = self.config(&w.source).map(|c| c.value.audit_excluded.as_slice()).unwrap_or_default();
        excluded.iter().any(|p| wildcard(p, &w.value.namespace))
    }
}

/// What matching needs of a workload, with the labels of its namespace.
fn object<'a>(w: &'a Seen<Workload>, labels: Option<&'a Outside>) -> Object<'a> {
    let group = match w.value.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => "apps",
        "Job" | "CronJob" => "batch",
        "InferenceService" => "serving.kserve.io",
        _ => "",
    };
    let Workload { kind, namespace, name, .. } = &w.value;
    Object { group, kind, namespace, name, labels: &w.value.labels, namespace_labels: labels }
}

#[cfg(test)]
mod tests {
    use super::super::facts::folded;
    use super::*;
    use crate::evidence::{Evidence, Kind};
    use serde_json::{Value, json};

    fn hour(n: i64) -> Time {
        Time::from_seconds(1_790_000_000).hour().plus_seconds(3_600 * n)
    }

    fn state(kind: Kind, name: &str, at: i64, payload: &impl serde::Serialize) -> Evidence {
        Evidence::state(kind, "ml", format!("k8s:c/{name}"), hour(at), payload)
    }

    fn namespace(at: i64, labels: &[&str]) -> Evidence {
        let labels = labels.iter().map(|l| ((*l).to_owned(), String::new())).collect();
        let space = Namespace { name: "prod".into(), labels, ..Namespace::default() };
        state(Kind::KubernetesNamespace, "prod", at, &space)
    }

    fn webhook(at: i64, conditions: Value) -> Evidence {
        let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "operations": ["CREATE", "UPDATE"]}]);
        let name = "validation.gatekeeper.sh".to_owned();
        let hook = Webhook { name, rules, match_conditions: conditions, ..Webhook::default() };
        state(Kind::KubernetesWebhook, "hook", at, &hook)
    }

    fn config(at: i64) -> Evidence {
        state(Kind::GatekeeperConfig, "config", at, &Config::default())
    }

    fn constraint(at: i64, action: &str) -> Evidence {
        let effective_action = action.to_owned();
        let constraint = Constraint { name: "labels".into(), effective_action, ..Constraint::default() };
        state(Kind::GatekeeperConstraint, "labels", at, &constraint)
    }

    fn workload(at: i64) -> Evidence {
        let (kind, namespace) = ("Deployment".into(), "prod".into());
        state(Kind::KubernetesWorkload, "api", at, &Workload { kind, namespace, ..Workload::default() })
    }

    /// How many constraints denied at an hour, and whether it is certain that they were asked.
    fn denied(facts: &Facts, at: i64) -> Vec<bool> {
        let at = hour(at);
        let workload = &facts.cluster.workloads.get("k8s:c/api").unwrap()[0];
        AdmissionControl { facts, at }.denying(workload).into_iter().map(|(_, certain)| certain).collect()
    }

    #[test]
    fn a_constraint_stood_in_the_way_when_it_denied_the_webhook_asked_it_and_nothing_was_exempt() {
        let facts = folded(vec![
            constraint(0, "dryrun"),
            config(0),
            namespace(0, &[]),
            workload(0),
            constraint(1, "deny"),
            webhook(2, Value::Null),
            namespace(3, &[IGNORE]),
            namespace(4, &[]),
            webhook(5, json!([{"name": "x", "expression": "true"}])),
        ]);
        let at = |hour| denied(&facts, hour);
        assert_eq!(
            [at(0), at(1), at(2), at(3), at(4), at(5)],
            [vec![], vec![], vec![true], vec![], vec![true], vec![false]]
        );
    }

    #[test]
    fn nothing_is_certain_where_no_config_was_read() {
        let facts =
            folded(vec![constraint(0, "deny"), webhook(0, Value::Null), namespace(0, &[]), workload(0)]);
        assert_eq!(denied(&facts, 1), [false]);
    }

    #[test]
    fn a_namespace_that_came_with_its_workload_is_taken_as_it_was_seen_first() {
        let facts = folded(vec![
            constraint(0, "deny"),
            config(0),
            webhook(0, Value::Null),
            namespace(3, &[IGNORE]),
            workload(3),
            namespace(4, &[]),
        ]);
        assert_eq!((denied(&facts, 2), denied(&facts, 4)), (vec![], vec![true]));
    }
}
