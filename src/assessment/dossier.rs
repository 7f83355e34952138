//! What a dossier tells beside verdicts: whom a system talked with, and what a version passed on its way into production.

use super::estate::{Estate, System};
use super::facts::{Facts, Row, Seen};
use super::findings::Case;
use super::rules::{Ours, scope};
use crate::act::Catalogue;
use crate::evidence::Time;
use crate::evidence::gatekeeper::{Constraint, Workload};
use crate::evidence::sentinel::Run;
use std::collections::{BTreeMap, BTreeSet};

/// Accepted traffic of a system with one class of peers over one port, as far as flow logs were kept in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Whether it is to a port of the system; else from it to public addresses.
    pub inbound: bool,
    /// Name of a range of the config, or `own`, `private`, `public` with the network.
    pub peer: String,
    /// The service port.
    pub port: u16,
    /// Records.
    pub records: u64,
    /// Hours that have any.
    pub hours: BTreeSet<Time>,
    /// The last entry that tells of it.
    pub entry: u64,
}

/// What rules look at, for a question that is none of a control: which one stands in it does not matter.
fn case<'a>(
    facts: &'a Facts,
    catalogue: &'a Catalogue,
    estate: &'a Estate,
    system: &'a System,
) -> Option<Case<'a>> {
    let control = catalogue.controls.first()?;
    Some(Case { facts, estate, catalogue, control, system: Some(system), judged: &[] })
}

/// Peers of a system in the window, those with the most records first; none where no address of it is known.
pub fn peers(facts: &Facts, catalogue: &Catalogue, estate: &Estate, system: &System) -> Option<Vec<Peer>> {
    let case = case(facts, catalogue, estate, system)?;
    let ours = Ours::of(&case);
    if ours.without(&case, 0).is_some() {
        return None;
    }
    let (inwards, outwards) = (ours.rows(&case, |d| &d.ports), ours.rows(&case, |d| &d.egress));
    let recent = |row: &Row<'_>| row.hour >= estate.window;
    // Answers to what came in are no traffic of their own.
    let outwards = outwards.into_iter().filter(|row| row.place.is_opened_by_us() != Some(false));
    let rows = inwards.into_iter().map(|r| (true, r)).chain(outwards.map(|r| (false, r)));
    let mut found: BTreeMap<(bool, &str, u16), Peer> = BTreeMap::new();
    for (inbound, row) in rows.filter(|(_, row)| recent(row)) {
        let (peer, port) = (row.place.peer.as_str(), row.place.port);
        let new =
            || Peer { inbound, peer: peer.to_owned(), port, records: 0, hours: BTreeSet::new(), entry: 0 };
        let sum = found.entry((inbound, peer, port)).or_insert_with(new);
        sum.records += row.records;
        sum.hours.insert(row.hour);
        sum.entry = sum.entry.max(row.seq);
    }
    let mut peers: Vec<Peer> = found.into_values().collect();
    peers.sort_by_key(|p| std::cmp::Reverse(p.records));
    Some(peers)
}

/// What let a version of a workload through.
#[derive(Clone, Debug)]
pub struct Passed<'f> {
    /// The state of the workload that showed the version first.
    pub workload: &'f Seen<Workload>,
    /// The last run that had been applied in the workspaces of the system.
    pub run: Option<&'f Seen<Run>>,
    /// Constraints that denied at admission then, and have the workload in their match scope.
    pub constraints: Vec<&'f Seen<Constraint>>,
}

/// What let through the version that an entry shows first and that started at a time; none where the entry is no state of a
/// workload of the system.
pub fn passed<'f>(
    facts: &'f Facts,
    catalogue: &'f Catalogue,
    estate: &'f Estate,
    system: &'f System,
    (entry, start): (u64, Time),
) -> Option<Passed<'f>> {
    let case = case(facts, catalogue, estate, system)?;
    let mut states = system.workloads.iter().filter_map(|w| facts.cluster.workloads.get(w)).flatten();
    let workload = states.find(|w| w.seq == entry)?;
    let before = |r: &&Seen<Run>| r.value.applied.unwrap_or(r.at) <= start;
    let runs = facts.terraform.applied(&system.workspaces).into_iter().map(|(_, run)| run);
    let all = facts.cluster.constraints.at(start).map(|(_, c)| c);
    let denies = |c: &&Seen<Constraint>| {
        c.source == workload.source
            && c.value.effective_action == "deny"
            && scope(&case, &c.value, workload) == Some(true)
    };
    Some(Passed { workload, run: runs.rev().find(before), constraints: all.filter(denies).collect() })
}
