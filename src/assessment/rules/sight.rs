//! What flow logs can show of a system in an hour: its interfaces, and the pods that run for it.

use super::super::coverage::Unread;
use super::super::facts::{Delivered, Place, Row, Rows, Sum, View};
use super::super::findings::Case;
use super::super::inventory::{Interface, Pod};
use super::utc;
use crate::evidence::Time;
use std::collections::BTreeSet;

/// Interfaces and pods of a system.
pub(in super::super) struct Ours<'a> {
    /// Those that were deleted within the window included.
    pub interfaces: Vec<&'a Interface>,
    /// Each with the pods of other workloads that held one of its addresses.
    pods: Vec<(&'a Pod, Vec<&'a Pod>)>,
    /// Whether something of it runs in a cluster.
    runs: bool,
}

impl<'a> Ours<'a> {
    pub(in super::super) fn of(case: &Case<'a>) -> Ours<'a> {
        let Some(system) = case.system else {
            return Ours { interfaces: Vec::new(), pods: Vec::new(), runs: false };
        };
        let recent = |until: Option<Time>| until.is_none_or(|u| u > case.estate.window);
        let is_it = |i: &Interface, (source, name): &(String, String)| *name == i.name && *source == i.source;
        let tied = |i: &&Interface| system.interfaces.iter().any(|known| is_it(i, known));
        let others = |pod: &Pod| case.estate.pods.iter().filter(|o| o.is_other(pod)).collect();
        let pods = case.estate.pods.iter().filter(|p| system.workloads.contains(&p.workload));
        let workloads = system.workloads.iter().filter_map(|w| case.facts.cluster.workloads.get(w));
        Ours {
            interfaces: case.estate.interfaces.iter().filter(tied).filter(|i| recent(i.until)).collect(),
            pods: pods.filter(|p| recent(p.until)).map(|p| (p, others(p))).collect(),
            runs: workloads.flatten().any(|w| !w.gone && w.value.replicas > 0),
        }
    }

    /// What holds of a system of which no address is known: `line` where an inventory tells that there is none, the one
    /// after it where nobody knows.
    pub(in super::super) fn without(&self, case: &Case<'_>, line: usize) -> Option<(usize, Option<u64>)> {
        if !self.interfaces.is_empty() || !self.pods.is_empty() {
            return None;
        }
        let listed = case.estate.interfaces.iter().find(|i| i.node.is_none() && i.until.is_none());
        let listed = listed.map(|i| i.seq);
        let known = listed.is_some() && !self.runs;
        Some((if known { line } else { line + 1 }, listed))
    }

    /// Hours of the window that any source of these was read for.
    pub(super) fn hours(&self, case: &Case<'_>) -> Vec<Time> {
        let sources =
            self.interfaces.iter().map(|i| &i.source).chain(self.pods.iter().map(|(p, _)| &p.source));
        let mut all: Vec<Time> = sources.flat_map(|source| hours(case, source)).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Rows that are traffic of the system, in the order of the entries.
    pub(in super::super) fn rows<'f>(&self, case: &Case<'f>, which: fn(&Delivered) -> &Rows) -> Vec<Row<'f>> {
        let network = &case.facts.network;
        let of_pod = |pod: &'a Pod| {
            let rows = which(network.of(&pod.source));
            let interfaces = pod.addresses.iter().flat_map(|address| rows.interfaces(address));
            interfaces.map(|name| (pod.source.as_str(), name))
        };
        let of_pods = self.pods.iter().flat_map(|(pod, _)| of_pod(pod));
        let own = self.interfaces.iter().map(|i| (i.source.as_str(), i.name.as_str()));
        let places: BTreeSet<(&str, &str)> = own.chain(of_pods).collect();
        let of = |(source, name)| {
            let delivered = network.of(source);
            delivered.rows(which(delivered), name).filter(move |row| self.holds(source, row))
        };
        let mut found: Vec<Row<'f>> = places.into_iter().flat_map(of).collect();
        found.sort_by_key(|row| (row.seq, row.hour));
        found
    }

    /// Whether a row is traffic of the system. What two pods held within its hour is of neither.
    fn holds(&self, source: &str, row: &Row<'_>) -> bool {
        let Place { interface, address, .. } = row.place;
        let holds = |(pod, others): &(&Pod, Vec<&Pod>)| {
            let here = |p: &Pod| p.source == source && p.addresses.contains(address) && p.overlaps(row.hour);
            here(pod) && !others.iter().any(|o| here(o))
        };
        self.interfaces.iter().any(|i| i.source == source && i.name == *interface)
            || self.pods.iter().any(holds)
    }
}

/// Whole hours of the window that the record of a source holds, up to its horizon.
pub(super) fn hours<'a>(case: &Case<'a>, source: &str) -> &'a [Time] {
    case.estate.coverage.get(source).map_or(&[], |c| &c.hours)
}

/// What an interface had in an hour.
pub(super) fn sum<'a>(case: &Case<'a>, i: &Interface, hour: Time) -> Option<Sum<'a>> {
    case.facts.network.of(&i.source).in_hour(&i.name, hour)
}

/// Whether a flow log over all traffic covers an interface, or, where nothing tells its VPC, may cover it; none when no flow
/// log was listed.
pub(super) fn covered(case: &Case<'_>, i: &Interface) -> Option<bool> {
    let logs = case.facts.network.configurations.at(case.estate.at).map(|(_, c)| c);
    let logs: Vec<_> = logs.filter(|c| c.source == i.source).map(|c| &c.value).collect();
    let over = |r: &String| i.vpc.is_empty() || *r == i.vpc || *r == i.subnet || *r == i.name;
    (!logs.is_empty()).then(|| logs.iter().any(|c| over(&c.resource) && c.traffic == "ALL"))
}

/// Why an hour was not read through, in words.
pub(super) fn not_read(unread: &Unread, hour: Time) -> String {
    format!("{} in the hour from {}", unread.why, utc(hour))
}

/// How much of an hour was seen of the interfaces and pods that were there.
pub(super) struct Sight {
    /// Whether none was there.
    pub absent: bool,
    /// Whether a format does not show what is asked.
    pub blind: bool,
    /// Why what was seen is not all: an hour was not read through, or an interface has no record in it.
    pub missing: Option<String>,
    /// Whether AWS lost some.
    pub lost: bool,
    /// Whether some of it is kept in totals only.
    pub totals_only: bool,
    /// Entries that told it; those that show interfaces and pods where none did.
    pub entries: Vec<u64>,
}

impl Sight {
    pub(super) fn of<'a>(case: &Case<'a>, ours: &Ours<'_>, hour: Time) -> Sight {
        let interfaces: Vec<_> = ours.interfaces.iter().filter(|i| i.covers(hour)).collect();
        let sums: Vec<_> = interfaces.iter().map(|i| sum(case, i, hour)).collect();
        let pods: Vec<_> = ours.pods.iter().filter(|(p, _)| p.overlaps(hour)).collect();
        let views: Vec<(&Pod, View<'_>)> = pods
            .iter()
            .flat_map(|(p, _)| case.facts.network.of(&p.source).views(hour).map(move |v| (*p, v)))
            .collect();
        let any = |has: fn(&Sum<'a>) -> bool| sums.iter().flatten().any(has);
        let mut sources = interfaces.iter().map(|i| &i.source).chain(pods.iter().map(|(p, _)| &p.source));
        let unread = sources.find_map(|source| case.estate.unread(source, hour));
        let silent =
            sums.iter().any(Option::is_none) || interfaces.iter().any(|i| covered(case, i) == Some(false));
        let shared = pods.iter().any(|(_, others)| others.iter().any(|o| o.overlaps(hour)));
        let why = if silent {
            Some("an interface of the system has no record")
        } else {
            shared.then_some("an address of the system was given to another workload")
        };
        let told = sums.iter().flatten().flat_map(|s| s.entries()).chain(views.iter().map(|(_, v)| v.seq));
        let mut entries: Vec<u64> = told.chain(unread.and_then(|u| u.entry)).collect();
        if entries.is_empty() {
            // Of an hour without a record, what should have had one.
            entries.extend(interfaces.iter().map(|i| i.seq).chain(pods.iter().map(|(p, _)| p.seq)));
        }
        Sight {
            absent: interfaces.is_empty() && pods.is_empty(),
            blind: any(Sum::is_blind) || views.iter().any(|(_, v)| !v.shows_pods),
            missing: unread
                .map(|u| not_read(u, hour))
                .or_else(|| why.map(|why| format!("{why} in the hour from {}", utc(hour)))),
            lost: any(Sum::is_lost) || views.iter().any(|(_, v)| v.lost),
            totals_only: any(Sum::is_totals_only) || views.iter().any(|(p, v)| !v.keeps(&p.addresses)),
            entries,
        }
    }
}
