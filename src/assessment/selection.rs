//! Of which interfaces flow logs are kept as rows: those of systems. What is selected is an entry, so that a reader of
//! the rows knows what was looked for.

use super::estate::Estate;
use super::facts::Facts;
use crate::evidence::flow_logs::FlowSelection;
use crate::evidence::{Evidence, Kind, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Interfaces of systems by source of flow logs, with the addresses that the inventory tells, as states: one that did not
/// change is not written again.
pub fn states(facts: &Facts, estate: &Estate, at: Time) -> Vec<Evidence> {
    let known: BTreeMap<_, _> = facts
        .network
        .spans(estate.at)
        .map(|s| ((&s.interface.source, &s.interface.value.interface), &s.interface.value.addresses))
        .collect();
    let ours: BTreeSet<_> = estate.systems.values().flat_map(|s| &s.interfaces).collect();
    let mut all: BTreeMap<&String, FlowSelection> = BTreeMap::new();
    for (source, interface) in ours {
        let addresses = known.get(&(source, interface)).map_or(Vec::new(), |a| a.to_vec());
        all.entry(source).or_default().interfaces.push((interface.clone(), addresses));
    }
    let state = |(source, selection): (&String, FlowSelection)| {
        Evidence::state(Kind::FlowLogSelection, "actledger", subject(source), at, &selection)
    };
    all.into_iter().map(state).collect()
}

/// What the selection of a source is called.
pub fn subject(source: &str) -> String {
    format!("selection:{source}")
}
