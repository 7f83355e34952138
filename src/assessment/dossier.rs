//! What a dossier tells beside verdicts: whom a system talked with, and what a version passed on its way into production.

use super::admission::AdmissionControl;
use super::deployments::Ran;
use super::estate::{Estate, System};
use super::facts::{Facts, Row, RunFacts, Seen};
use super::findings::Case;
use super::rules::Ours;
use crate::act::Catalogue;
use crate::evidence::Time;
use crate::evidence::gatekeeper::{Constraint, Violation, Workload};
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
    pub workload: &'f Seen<Workload>,
    /// The last run that had been applied in the workspaces of the system, with what it found.
    pub run: Option<(&'f RunFacts, &'f Seen<Run>)>,
    /// Constraints that were set to deny and had the workload in their match scope.
    pub constraints: Vec<Asked<'f>>,
}

/// A constraint that could have stopped a workload.
#[derive(Clone, Debug)]
pub struct Asked<'f> {
    /// It.
    pub constraint: &'f Seen<Constraint>,
    /// Whether it is certain that the webhook was set to ask it.
    pub is_certain: bool,
    /// What an audit found, where the workload broke it while this ran.
    pub broken: Option<&'f Seen<Violation>>,
}

/// What let through a version that a workload of the system ran. Where no more is known of its start than the look that shows it,
/// those constraints count that stood before that look.
pub fn passed<'f>(facts: &'f Facts, system: &'f System, ran: &Ran) -> Option<Passed<'f>> {
    let begin = ran.begin();
    let mut states = facts.cluster.workloads.get(&ran.workload)?.iter();
    let workload = states.find(|w| ran.span.entries.first() == Some(&w.seq))?;
    let before = |(_, r): &(&RunFacts, &Seen<Run>)| r.value.applied.unwrap_or(r.at) <= begin;
    let run = facts.terraform.applied(&system.workspaces).into_iter().rev().find(before);
    let at = if ran.is_stated { begin } else { begin.plus_millis(-1) };
    let asked = |(constraint, is_certain): (&'f Seen<Constraint>, bool)| Asked {
        constraint,
        is_certain,
        broken: broken(facts, ran, &constraint.value),
    };
    let constraints = AdmissionControl { facts, at }.denying(workload).into_iter().map(asked).collect();
    Some(Passed { workload, run, constraints })
}

/// A violation that was found while a version ran, or that had not ended when it began.
fn broken<'f>(facts: &'f Facts, ran: &Ran, c: &Constraint) -> Option<&'f Seen<Violation>> {
    let history = facts.cluster.violations.get(&format!("{}#{}/{}", ran.workload, c.kind, c.name))?;
    let of_before = history.iter().rposition(|v| v.at < ran.span.seen).unwrap_or(0);
    let before_end = |v: &&Seen<Violation>| ran.span.end.is_none_or(|end| v.at < end);
    history[of_before..].iter().rev().find(|v| !v.gone && before_end(v))
}
