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

/// A model version in production on one workload, without a break.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The version.
    pub version: String,
    /// Subject of the workload.
    pub workload: String,
    /// When.
    pub span: Deployment,
    /// Whether the cluster states its start; else it is the first look that shows it.
    pub is_stated: bool,
    /// When the version started first, as the cluster states it: before this span, where it came back.
    first: Option<Time>,
}

impl Ran {
    /// When it ran at the latest.
    pub fn begin(&self) -> Time {
        self.span.start.unwrap_or(self.span.seen)
    }
}

/// Versions with what lies between their first start and their last end, on whichever workload.
pub(super) fn by_version(ran: &[Ran]) -> BTreeMap<String, Deployment> {
    let mut of_workloads: BTreeMap<(&str, &str), Deployment> = BTreeMap::new();
    for Ran { version, workload, span, first, .. } in ran {
        let start = first.or(span.start);
        let one = of_workloads.entry((version, workload));
        let d = one.or_insert_with(|| Deployment { start, entries: Vec::new(), ..span.clone() });
        d.start = d.start.or(*first);
        d.end = span.end;
        d.entries.extend(&span.entries);
    }
    let mut found: BTreeMap<String, Deployment> = BTreeMap::new();
    for ((version, _), one) in of_workloads {
        match found.get_mut(version) {
            None => {
                found.insert(version.to_owned(), one);
            }
            Some(d) => {
                d.start = d.start.zip(one.start).map(|(a, b)| a.min(b));
                d.seen = d.seen.min(one.seen);
                d.end = d.end.zip(one.end).map(|(a, b)| a.max(b));
                d.entries.extend(one.entries);
            }
        }
    }
    found
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

    /// What ran in production on some workloads, by its start; of one workload one after the other.
    pub(super) fn ran(&self, workloads: &BTreeSet<String>) -> Vec<Ran> {
        let all = workloads.iter().filter_map(|w| Some((w, self.facts.cluster.workloads.get(w)?)));
        let mut ran: Vec<Ran> = all.flat_map(|(subject, history)| self.of_one(subject, history)).collect();
        ran.sort_by_key(|r| (r.begin(), r.span.seen));
        ran
    }

    fn of_one(&self, workload: &str, history: &'a [Seen<Workload>]) -> Vec<Ran> {
        let mut ran: Vec<Ran> = Vec::new();
        let mut before: Option<Time> = None;
        for state in history.iter().filter(|s| s.at <= self.at) {
            let version = self.running_version(state);
            let running = ran.last_mut().filter(|r| r.span.end.is_none());
            // What is stated to start after it was seen is another start.
            let stated = |seen: Time, version: &str| {
                state.value.version_starts.get(version).copied().filter(|start| *start <= seen)
            };
            let last = before.replace(state.at);
            match (running, version) {
                (Some(r), Some(version)) if r.version == version => {
                    // One that ran at the first look already has no start but one that the cluster states.
                    let stated = stated(r.span.seen, version);
                    r.first = r.first.or(stated);
                    if r.span.start.is_none() {
                        (r.span.start, r.is_stated) = (stated, stated.is_some());
                    }
                    r.span.entries.push(state.seq);
                    continue;
                }
                (Some(r), _) => r.span.end = Some(state.at),
                _ => {}
            }
            let Some(version) = version else { continue };
            let first = stated(state.at, version);
            // A version that came back, or that ran elsewhere first, started before this workload was seen without it.
            let own = first.filter(|start| last.is_none_or(|last| *start >= last));
            let start = own.or(last.map(|_| state.at));
            let span = Deployment { start, seen: state.at, end: None, entries: vec![state.seq] };
            let (version, workload) = (version.to_owned(), workload.to_owned());
            ran.push(Ran { version, workload, span, is_stated: own.is_some(), first });
        }
        ran
    }

    fn running_version(&self, state: &'a Seen<Workload>) -> Option<&'a str> {
        let w = &state.value;
        (!state.gone && w.replicas > 0 && self.holds(state)).then(|| model_version(w)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::folded;
    use super::*;
    use crate::act::Catalogue;
    use crate::evidence::{Evidence, Kind, Outside};

    fn hour(n: i64) -> Time {
        Time::from_seconds(1_790_000_000).hour().plus_seconds(3_600 * n)
    }

    /// A look that shows a workload with a version, whose ReplicaSets the cluster knows since some hours.
    fn shown(name: &str, version: &str, at: i64, starts: &[(&str, i64)]) -> Evidence {
        let workload = Workload {
            kind: "Deployment".into(),
            namespace: "ml".into(),
            name: name.into(),
            labels: Outside::from_iter([("model-version".into(), version.into())]),
            replicas: 1,
            version_starts: starts.iter().map(|(v, t)| ((*v).to_owned(), hour(*t))).collect(),
            ..Workload::default()
        };
        Evidence::state(Kind::KubernetesWorkload, "ml", format!("k8s:c/{name}"), hour(at), &workload)
    }

    fn ran(evidence: Vec<Evidence>) -> Vec<Ran> {
        let (facts, catalogue) = (folded(evidence), Catalogue::built_in());
        let workloads = facts.cluster.workloads.0.keys().map(|w| w.to_string()).collect();
        Production { facts: &facts, pack: &catalogue.pack, at: hour(99) }.ran(&workloads)
    }

    fn told(ran: &[Ran]) -> Vec<(&str, Option<Time>, Option<Time>)> {
        ran.iter().map(|r| (r.version.as_str(), r.span.start, r.span.end)).collect()
    }

    #[test]
    fn a_version_that_comes_back_has_two_spans_and_its_replica_set_tells_the_start_of_the_first() {
        let starts = [("v1", 1), ("v2", 4)];
        let ran = ran(vec![
            shown("api", "v1", 2, &starts[..1]),
            shown("api", "v2", 5, &starts),
            shown("api", "v1", 9, &starts),
        ]);
        let expected = [
            ("v1", Some(hour(1)), Some(hour(5))),
            ("v2", Some(hour(4)), Some(hour(9))),
            ("v1", Some(hour(9)), None),
        ];
        assert_eq!(told(&ran), expected);
        assert_eq!(ran.iter().map(|r| r.is_stated).collect::<Vec<_>>(), [true, true, false]);
        let whole = by_version(&ran);
        assert_eq!((whole["v1"].start, whole["v1"].end), (Some(hour(1)), None));
    }

    #[test]
    fn a_version_of_before_our_time_that_comes_back_runs_from_the_look_that_shows_it() {
        let starts = [("v0", -9), ("v1", 1)];
        let ran = ran(vec![shown("api", "v1", 2, &starts), shown("api", "v0", 5, &starts)]);
        let expected = [("v1", Some(hour(1)), Some(hour(5))), ("v0", Some(hour(5)), None)];
        assert_eq!(told(&ran), expected);
        assert_eq!(by_version(&ran)["v0"].start, Some(hour(-9)), "the version is older than this span");
    }

    #[test]
    fn each_workload_has_a_span_of_its_own_and_what_ran_at_the_first_look_has_no_start() {
        let ran = ran(vec![
            shown("api", "v1", 2, &[]),
            shown("batch", "v1", 3, &[("v1", 3)]),
            shown("api", "v2", 5, &[]),
        ]);
        let expected =
            [("v1", None, Some(hour(5))), ("v1", Some(hour(3)), None), ("v2", Some(hour(5)), None)];
        assert_eq!(told(&ran), expected);
        assert_eq!((by_version(&ran)["v1"].start, by_version(&ran)["v1"].end), (None, None));
    }
}
