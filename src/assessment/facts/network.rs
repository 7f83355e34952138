//! Flow logs: sums per interface and hour over all delivered objects, rows of watched ports, the inventory.

use super::{Seen, States, push, read};
use crate::evidence::flow_logs::{
    Direction, FlowLogConfiguration, FlowObject, FlowRow, Initiator, NetworkInterface, Side,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;
use std::collections::BTreeMap;

/// What one interface had in one hour, summed over objects.
#[derive(Clone, Debug, Default)]
pub struct HourSum {
    /// Records with traffic.
    pub ok: u64,
    /// Records without.
    pub nodata: u64,
    /// Records lost.
    pub skipdata: u64,
    /// Whether a record's format leaves out what a connection is told by.
    pub blind: bool,
    /// Entries that told it.
    pub entries: Vec<u64>,
}

/// When an interface was there.
pub struct Span<'f> {
    /// The last state that showed it.
    pub interface: &'f Seen<NetworkInterface>,
    /// Since when, as AWS or our looks tell.
    pub from: Time,
    /// When a complete look no longer showed it.
    pub until: Option<Time>,
}

impl Span<'_> {
    /// Whether it was there from the first minute of an hour to the last.
    pub fn covers(&self, hour: Time) -> bool {
        self.from <= hour && self.until.is_none_or(|u| hour.plus_seconds(3600) <= u)
    }
}

/// Accepted TCP records of one object between a watched port of ours and one class of peers in one hour.
pub struct PortUse {
    /// Start of the hour.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// The watched port.
    pub port: u16,
    /// Class of the peers.
    pub peer: String,
    /// Whether they may connect.
    pub allowed: bool,
    /// Who opened the connections.
    pub initiator: Initiator,
    /// Records from the peers to the port.
    pub connections: u64,
    /// Bytes from the port to the peers.
    pub bytes_out: u64,
}

/// Rows of watched ports, both directions together.
fn uses(rows: Vec<FlowRow>) -> impl Iterator<Item = PortUse> {
    const TCP: u8 = 6;
    let mut uses: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let Some(allowed) = row.allowed else { continue };
        if row.accepted != Some(true) || row.protocol != TCP || row.service != Side::Ours {
            continue;
        }
        let place = (row.hour, row.interface, row.address, row.port, row.peer, allowed, row.initiator);
        let sums = uses.entry(place).or_default();
        match row.direction {
            Direction::In => sums.0 += row.flows,
            Direction::Out => sums.1 = sums.1.saturating_add(row.bytes),
        }
    }
    uses.into_iter().map(
        |((hour, interface, _, port, peer, allowed, initiator), (connections, bytes_out))| PortUse {
            hour,
            interface,
            port,
            peer,
            allowed,
            initiator,
            connections,
            bytes_out,
        },
    )
}

/// What flow logs show.
#[derive(Default)]
pub struct NetworkFacts {
    /// Interfaces.
    pub interfaces: States<NetworkInterface>,
    /// Flow logs.
    pub configurations: States<FlowLogConfiguration>,
    /// Sums by source, hour and interface.
    pub hours: BTreeMap<String, BTreeMap<Time, BTreeMap<String, HourSum>>>,
    /// Accepted TCP traffic of watched ports on our side.
    pub ports: Vec<Seen<PortUse>>,
    /// Objects and records read, per source.
    pub objects: BTreeMap<String, (u64, u64)>,
}

impl NetworkFacts {
    pub(super) fn fold(&mut self, placed: &Placed) {
        match placed.entry.kind {
            Kind::FlowLogConfiguration => push(&mut self.configurations, placed),
            Kind::NetworkInterface => push(&mut self.interfaces, placed),
            Kind::FlowLogObject => {
                if let Some(seen) = read::<FlowObject>(placed) {
                    self.object(seen);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, seen: Seen<FlowObject>) {
        let Seen { seq, at, source, value, .. } = seen;
        let read = self.objects.entry(source.clone()).or_default();
        read.0 += 1;
        read.1 += value.records.ok + value.records.nodata + value.records.skipdata;
        let has = |name: &str| value.format.iter().any(|f| f == name);
        let ends = (has("srcaddr") || has("pkt-srcaddr")) && (has("dstaddr") || has("pkt-dstaddr"));
        let blind = !(ends && ["action", "protocol", "srcport", "dstport"].into_iter().all(has));
        let hours = self.hours.entry(source.clone()).or_default();
        for row in value.hours {
            let sums = hours.entry(row.hour).or_default();
            for (interface, ok, nodata, skipdata) in row.interfaces {
                let sum = sums.entry(interface).or_default();
                sum.ok += ok;
                sum.nodata += nodata;
                sum.skipdata += skipdata;
                sum.blind |= blind;
                sum.entries.push(seq);
            }
        }
        let uses = uses(value.rows);
        self.ports.extend(uses.map(|value| Seen { seq, at, source: source.clone(), gone: false, value }));
    }

    /// Interfaces that were there at some time up to `at`: the last state that showed each, since when and until when.
    pub fn spans(&self, at: Time) -> impl Iterator<Item = Span<'_>> {
        self.interfaces.0.values().filter_map(move |history| {
            let known = || history.iter().filter(|s| s.at <= at);
            let shown = known().rfind(|s| !s.gone)?;
            let first = known().find(|s| !s.gone).map_or(shown.at, |s| s.at);
            let until = known().find(|s| s.gone && s.at > shown.at).map(|s| s.at);
            let from = shown.value.attached.map_or(first, |a| a.min(first));
            Some(Span { interface: shown, from, until })
        })
    }

    /// First hour that any object of a source tells of.
    pub fn begin(&self, source: &str) -> Option<Time> {
        self.hours.get(source)?.keys().next().copied()
    }
}
