//! Of which interfaces flow logs are kept as rows: those of systems. What is selected is an entry, so that a reader of
//! the rows knows what was looked for.

use super::estate::Estate;
use super::facts::Facts;
use crate::evidence::flow_logs::FlowSelection;
use crate::evidence::{Evidence, Kind, Time};
use std::collections::BTreeMap;

/// Interfaces of systems by source of flow logs, with the addresses that the inventory tells.
pub fn selections(facts: &Facts, estate: &Estate) -> BTreeMap<String, FlowSelection> {
    let systems = estate.systems.values().flat_map(|s| &s.interfaces);
    let known: BTreeMap<_, _> = facts
        .network
        .spans(estate.at)
        .map(|s| ((s.interface.source.as_str(), s.interface.value.interface.as_str()), &s.interface.value))
        .collect();
    let mut all: BTreeMap<String, FlowSelection> = BTreeMap::new();
    for (source, interface) in systems {
        let addresses = known.get(&(source.as_str(), interface.as_str())).map(|i| i.addresses.clone());
        let selection = all.entry(source.clone()).or_default();
        selection.interfaces.push((interface.clone(), addresses.unwrap_or_default()));
    }
    for selection in all.values_mut() {
        selection.interfaces.sort();
        selection.interfaces.dedup();
    }
    all
}

/// The selections as states; one that did not change is not written again.
pub fn states(facts: &Facts, estate: &Estate, at: Time) -> Vec<Evidence> {
    let state = |(source, selection): (String, FlowSelection)| {
        Evidence::state(Kind::FlowLogSelection, "actledger", subject(&source), at, &selection)
    };
    selections(facts, estate).into_iter().map(state).collect()
}

/// What the selection of a source is called.
pub fn subject(source: &str) -> String {
    format!("selection:{source}")
}
