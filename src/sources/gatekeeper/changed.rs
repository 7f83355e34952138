//! States between two looks, as a watch told them. What a constraint lists is said by a whole look alone.

use super::object::Object;
use super::workload::Related;
use super::{CONSTRAINTS, Parser, WEBHOOKS, address, constraint, facts};
use crate::evidence::gatekeeper::Config;
use crate::evidence::{Evidence, Kind, Nature, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What a watch told: when, whether it is gone, what.
pub(super) type Told = (Time, bool, Object);

impl Parser<'_> {
    /// States between the look before and this one, of which these are the objects.
    pub(super) fn changed(&mut self, cluster: &str, changes: &[Told], objects: &[Object]) {
        let all = || objects.iter().chain(changes.iter().map(|(.., object)| object));
        if changes.is_empty() {
            return;
        }
        let (now, related, hooks) = (self.at, Related::of(all()), hooks(cluster, all()));
        for (at, gone, object) in changes {
            self.at = *at;
            let first = self.out.evidence.len();
            self.changed_object(cluster, object, &related);
            if *gone {
                let told = self.out.evidence.split_off(first);
                let states = told.into_iter().filter(|e| e.kind.nature() == Nature::State);
                states.for_each(|e| self.gone(e.kind, e.subject));
            } else if let Some(hooks) = hooks.get(&object.name).filter(|_| object.kind == WEBHOOKS) {
                let here: BTreeSet<String> =
                    self.out.evidence[first..].iter().map(|e| e.subject.clone()).collect();
                hooks.difference(&here).for_each(|gone| self.gone(Kind::KubernetesWebhook, gone.clone()));
            }
        }
        self.at = now;
    }

    fn changed_object(&mut self, cluster: &str, object: &Object, related: &Related) {
        if object.group == CONSTRAINTS {
            self.constraint(cluster, &constraint::constraint(&object.kind, &object.value()));
        } else if facts::is_config(object) {
            self.configs(cluster, std::slice::from_ref(object), None);
        }
        self.facts(cluster, object, related);
        if address::has_ended(object) {
            self.gone(Kind::KubernetesAddress, format!("k8s:{cluster}/{}", object.shown()));
        }
    }

    fn gone(&mut self, kind: Kind, subject: String) {
        self.out.evidence.push(Evidence::gone(kind, &self.source.name, subject, self.at));
    }

    /// When a Config that kept namespaces from the audit was seen to be no longer there; none where there is one.
    pub(super) fn config_deleted(&self, objects: &[Object], changes: &[Told]) -> Option<Time> {
        if objects.iter().any(facts::is_config) {
            return None;
        }
        let narrows = |object: &Object| !facts::excluded(std::slice::from_ref(object), "audit").is_empty();
        let told = changes.iter().rfind(|(.., object)| narrows(object)).map(|(at, ..)| *at);
        let known = |c: &Config| if c.audit_excluded.is_empty() { c.deleted } else { Some(self.at) };
        told.max(self.config.and_then(known))
    }
}

/// Subjects of all hooks that a configuration had at some time, by its name: one may be taken out and put back.
fn hooks<'o>(cluster: &str, all: impl Iterator<Item = &'o Object>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for object in all.filter(|o| o.kind == WEBHOOKS) {
        let subjects = facts::webhooks(&object.name, &object.value());
        let subjects = subjects.iter().map(|hook| facts::hook_subject(cluster, hook));
        found.entry(object.name.clone()).or_default().extend(subjects);
    }
    found
}
