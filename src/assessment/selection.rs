//! What flow logs are read for beside watched ports: all traffic of the interfaces and pods of systems, and which interfaces
//! hold the addresses of nodes. It is an entry, so that a reader of the rows knows what was looked for.

use super::estate::Estate;
use super::inventory::{Interface, sought};
use crate::evidence::flow_logs::FlowSelection;
use crate::evidence::{Evidence, Kind, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Interfaces of systems by source of flow logs, with the addresses that the inventory tells, as states: one that did not
/// change is not written again.
pub fn states(estate: &Estate, at: Time) -> Vec<Evidence> {
    let place = |i: &Interface| (i.source.clone(), i.name.clone());
    let known: BTreeMap<_, _> = estate.interfaces.iter().map(|i| (place(i), &i.addresses)).collect();
    let ours: BTreeSet<_> = estate.systems.values().flat_map(|s| &s.interfaces).collect();
    let mut all: BTreeMap<&String, FlowSelection> = BTreeMap::new();
    for place @ (source, interface) in ours {
        let addresses = known.get(place).map_or(Vec::new(), |a| a.to_vec());
        all.entry(source).or_default().interfaces.push((interface.clone(), addresses));
    }
    let workloads: BTreeSet<_> = estate.systems.values().flat_map(|s| &s.workloads).collect();
    for pod in estate.pods.iter().filter(|p| p.until.is_none() && workloads.contains(&p.workload)) {
        all.entry(&pod.source).or_default().pods.extend(pod.addresses.iter().cloned());
    }
    for (source, address) in sought(&estate.interfaces) {
        all.entry(source).or_default().nodes.push(address.clone());
    }
    let state = |(source, mut selection): (&String, FlowSelection)| {
        selection.nodes.sort_unstable();
        selection.pods.sort_unstable();
        Evidence::state(Kind::FlowLogSelection, "actledger", subject(source), at, &selection)
    };
    all.into_iter().map(state).collect()
}

/// What the selection of a source is called.
pub fn subject(source: &str) -> String {
    format!("selection:{source}")
}
