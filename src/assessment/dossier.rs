//! What a dossier tells beside verdicts: whom a system talked with, and what a version passed on its way into production.

use super::admission::AdmissionControl;
use super::deployments::Ran;
use super::estate::{Estate, System};
use super::facts::{Facts, Row, RunFacts, Seen};
use super::findings::Case;
use super::rules::Ours;
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

/// Peers of a system in the window, those with the most records first; none where no address of it is known.
pub fn peers(facts: &Facts, catalogue: &Catalogue, estate: &Estate, system: &System) -> Option<Vec<Peer>> {
    // What rules look at, for a question that is none of a control: which one stands in it does not matter.
    let control = catalogue.controls.first()?;
    let case = Case { facts, estate, catalogue, control, system: Some(system), judged: &[] };
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
    pub workload: Option<&'f Seen<Workload>>,
    /// The last run that had been applied in the workspaces of the system, with what it found.
    pub run: Option<(&'f RunFacts, &'f Seen<Run>)>,
    /// Constraints that denied at admission then and had the workload in their match scope.
    pub constraints: Vec<Asked<'f>>,
}

/// A constraint that could have stopped a workload.
#[derive(Clone, Debug)]
pub struct Asked<'f> {
    /// It.
    pub constraint: &'f Seen<Constraint>,
    /// Whether it is certain that the webhook asked it.
    pub is_certain: bool,
    /// Whether an audit found that the workload broke it while it ran.
    pub is_broken: bool,
}

/// What let through a version that a workload of the system ran.
pub fn passed<'f>(facts: &'f Facts, system: &'f System, ran: &Ran) -> Passed<'f> {
    let start = ran.span.start.unwrap_or(Time::from_seconds(0));
    let mut states = facts.cluster.workloads.get(&ran.workload).into_iter().flatten();
    let workload = states.find(|w| ran.span.entries.first() == Some(&w.seq));
    let before = |(_, r): &(&RunFacts, &Seen<Run>)| r.value.applied.unwrap_or(r.at) <= start;
    let run = facts.terraform.applied(&system.workspaces).into_iter().rev().find(before);
    let is_broken = |c: &Constraint| {
        let violated = format!("{}#{}/{}", ran.workload, c.kind, c.name);
        let mut found = facts.cluster.violations.get(&violated).into_iter().flatten();
        found.any(|v| !v.gone && v.at >= ran.span.seen && ran.span.end.is_none_or(|end| v.at < end))
    };
    let denying = workload.map(|w| AdmissionControl { facts, at: start }.denying(w)).unwrap_or_default();
    let asked = |(constraint, is_certain): (&'f Seen<Constraint>, bool)| Asked {
        constraint,
        is_certain,
        is_broken: is_broken(&constraint.value),
    };
    Passed { workload, run, constraints: denying.into_iter().map(asked).collect() }
}
