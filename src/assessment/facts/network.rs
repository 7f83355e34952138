//! Flow logs: what they tell of hours, rows of watched ports, the inventory of interfaces.

use super::delivered::Delivered;
use super::{States, push, read};
use crate::evidence::flow_logs::{
    FlowLogConfiguration, FlowObject, FlowSelection, FlowWindow, NetworkInterface, Traffic,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;
use std::collections::BTreeMap;

/// What flow logs show.
#[derive(Default)]
pub struct NetworkFacts {
    /// Interfaces.
    pub interfaces: States<NetworkInterface>,
    /// Flow logs.
    pub configurations: States<FlowLogConfiguration>,
    /// What was delivered, by source.
    sources: BTreeMap<String, Delivered>,
    /// What was delivered of a source that nothing tells of.
    nothing: Delivered,
    is_settled: bool,
}

impl NetworkFacts {
    pub(super) fn fold(&mut self, placed: &Placed) {
        if self.is_settled {
            return;
        }
        match placed.entry.kind {
            Kind::FlowLogConfiguration => push(&mut self.configurations, placed),
            Kind::NetworkInterface => push(&mut self.interfaces, placed),
            Kind::FlowLogSelection => {
                if let (Some(seen), Some(source)) =
                    (read::<FlowSelection>(placed), placed.entry.subject.strip_prefix("selection:"))
                {
                    self.source(source).select(seen.at, seen.value);
                }
            }
            Kind::FlowLogObject => {
                if let Some(FlowObject { unread, modified, traffic, .. }) = read(placed).map(|s| s.value) {
                    self.add(placed, modified, unread, traffic);
                }
            }
            Kind::FlowLogWindow => {
                if let Some(FlowWindow { from, traffic, .. }) = read(placed).map(|s| s.value) {
                    let unread = (traffic.records.quarantined > 0).then_some((from, from));
                    self.add(placed, None, unread, traffic);
                }
            }
            _ => {}
        }
    }

    pub(super) fn settle(&mut self) {
        self.is_settled = true;
        self.sources.values_mut().for_each(Delivered::settle);
    }

    fn source(&mut self, source: &str) -> &mut Delivered {
        self.sources.entry(source.to_owned()).or_default()
    }

    fn add(&mut self, placed: &Placed, came: Option<Time>, unread: Option<(Time, Time)>, traffic: Traffic) {
        let Placed { seq, entry, .. } = placed;
        self.source(&entry.source).add(*seq, &entry.subject, came, unread, traffic);
    }

    /// What was delivered of a source.
    pub fn of(&self, source: &str) -> &Delivered {
        self.sources.get(source).unwrap_or(&self.nothing)
    }
}
