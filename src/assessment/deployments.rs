//! Which model versions of a system were in production, and when.

use super::estate::{label, model_version};
use super::facts::{Facts, Seen};
use crate::act::Pack;
use crate::evidence::Time;
use crate::evidence::gatekeeper::Workload;
use crate::evidence::sentinel::Resource;
use std::collections::{BTreeMap, BTreeSet};

/// The span in which a model version is in production.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Version start; none when it lies before our first look and the cluster does not state it.
    pub start: Option<Time>,
    /// First look that shows it.
    pub seen: Time,
    /// First look that no longer shows it.
    pub end: Option<Time>,
    /// Entries that show it.
    pub entries: Vec<u64>,
}

impl Deployment {
    /// Whether it ran at some time since the beginning of a window.
    pub fn is_recent(&self, window: Time) -> bool {
        self.end.is_none_or(|end| end >= window)
    }
}

/// What tells whether a workload is in production.
#[derive(Clone, Copy)]
pub(super) struct Production<'a> {
    pub facts: &'a Facts,
    pub pack: &'a Pack,
    pub at: Time,
}

impl<'a> Production<'a> {
    /// The environment of a workload: its own label, else that of its namespace.
    pub(super) fn environment(&self, w: &'a Seen<Workload>) -> Option<&'a str> {
        let namespace = || self.facts.cluster.namespace(&w.source, &w.value.namespace, self.at);
        let name = &self.pack.production_label;
        label(&w.value, name).or_else(|| namespace()?.value.labels.get(name))
    }

    /// Every workload is in production unless its environment says otherwise.
    pub(super) fn holds(&self, w: &'a Seen<Workload>) -> bool {
        self.pack.is_production(self.environment(w))
    }

    /// SageMaker endpoints in production that an applied run created, until one that destroyed them. One that the first plan left
    /// as it was is there since a time that is not known.
    pub(super) fn endpoints(&self, resources: &BTreeSet<String>) -> Vec<Deployment> {
        let serves = |r: &Resource| {
            let environment = r.tags.as_ref().and_then(|tags| tags.get(&self.pack.production_tag));
            r.r#type == "aws_sagemaker_endpoint" && self.pack.is_production(environment)
        };
        let span = |history: &[Seen<Resource>]| {
            let mut shown = history.iter().filter(|s| s.at <= self.at);
            let end = shown.clone().next_back().filter(|s| s.gone).map(|s| s.at);
            let first = shown.find(|s| !s.gone && serves(&s.value))?;
            let start = (!first.value.untouched).then_some(first.at);
            Some(Deployment { start, seen: first.at, end, entries: vec![first.seq] })
        };
        let histories = resources.iter().filter_map(|s| self.facts.terraform.resources.get(s));
        histories.filter_map(span).collect()
    }

    /// Model versions of workloads that ran in production, with their span.
    pub(super) fn deployments(&self, workloads: &BTreeSet<String>) -> BTreeMap<String, Deployment> {
        let mut found: BTreeMap<String, Deployment> = BTreeMap::new();
        for history in workloads.iter().filter_map(|s| self.facts.cluster.workloads.get(s)) {
            for (version, one) in self.spans(history) {
                match found.get_mut(&version) {
                    None => {
                        found.insert(version, one);
                    }
                    // Of several workloads with one version, the earliest start and the latest end count.
                    Some(d) => {
                        d.start = d.start.zip(one.start).map(|(a, b)| a.min(b));
                        d.seen = d.seen.min(one.seen);
                        d.end = d.end.zip(one.end).map(|(a, b)| a.max(b));
                        d.entries.extend(one.entries);
                    }
                }
            }
        }
        found
    }

    /// Model versions of one workload, with the span from their first start to their last end.
    fn spans(&self, history: &'a [Seen<Workload>]) -> BTreeMap<String, Deployment> {
        let mut found: BTreeMap<String, Deployment> = BTreeMap::new();
        let first = history.first().map(|s| s.seq);
        let mut running: Option<String> = None;
        for state in history.iter().filter(|s| s.at <= self.at) {
            let version = self.running_version(state).map(str::to_owned);
            if version != running {
                if let Some(d) = running.as_ref().and_then(|old| found.get_mut(old)) {
                    d.end = Some(state.at);
                }
                running.clone_from(&version);
            }
            if let Some(version) = version {
                let stated = state.value.version_starts.get(&version).copied();
                let start = stated.or((Some(state.seq) != first).then_some(state.at));
                let d = found.entry(version).or_insert(Deployment {
                    start,
                    seen: state.at,
                    end: None,
                    entries: Vec::new(),
                });
                // A version that ran at the first look already has no start but one that the cluster states.
                d.start = d.start.or(stated);
                d.end = None;
                d.entries.push(state.seq);
            }
        }
        found
    }

    fn running_version(&self, state: &'a Seen<Workload>) -> Option<&'a str> {
        let w = &state.value;
        (!state.gone && w.replicas > 0 && self.holds(state)).then(|| model_version(w)).flatten()
    }
}
