//! Accepted traffic of flow logs as rules read it, by interface. What rows share from hour to hour stands once.

use super::{once, push_tight};
use crate::evidence::Time;
use crate::evidence::flow_logs::{Direction, FlowRow, Initiator, Side};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What rows share from hour to hour.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `eni-…`
    pub interface: String,
    /// The address on our side.
    pub address: String,
    /// The service port.
    pub port: u16,
    /// Class of the peers.
    pub peer: String,
    /// Whether the peers of a port of ours may connect; none for a port that is not watched.
    pub allowed: Option<bool>,
    /// Who opened the connections.
    pub initiator: Initiator,
    /// On whose side the service port is.
    pub service: Side,
}

impl Place {
    fn of(row: &FlowRow) -> Place {
        let FlowRow { interface, address, peer, .. } = row;
        let [interface, address, peer] = [interface, address, peer].map(String::clone);
        let (initiator, service) = (row.initiator, row.service);
        Place { interface, address, port: row.port, peer, allowed: row.allowed, initiator, service }
    }

    /// Whether our side opened the connections; none where the records do not tell.
    pub fn is_opened_by_us(&self) -> Option<bool> {
        match (self.initiator, self.service) {
            (Initiator::Unknown, _) => None,
            (Initiator::Peer, service) => Some(service == Side::Peer),
            (Initiator::Port, service) => Some(service == Side::Ours),
        }
    }
}

/// Accepted records of one object or window at one place in one hour.
#[derive(Clone, Debug)]
pub struct Row {
    /// Sequence number of the entry.
    pub seq: u64,
    /// Start of the hour.
    pub hour: Time,
    /// Where.
    pub place: Rc<Place>,
    /// Records of the one direction that is asked for: to a service port of ours; of what goes out, from our side.
    pub records: u64,
    /// Bytes from our side.
    pub bytes: u64,
}

/// Hour, place, records and bytes of a row to be.
type Sum = (Time, Place, u64, u64);

/// TCP traffic of our service ports, both directions together.
pub(super) fn ports(rows: &[FlowRow]) -> impl Iterator<Item = Sum> {
    const TCP: u8 = 6;
    let mut sums: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    let ours = |r: &&FlowRow| r.accepted == Some(true) && r.protocol == TCP && r.service == Side::Ours;
    for row in rows.iter().filter(ours) {
        let (records, bytes) = sums.entry((row.hour, Place::of(row))).or_default();
        match row.direction {
            Direction::In => *records += row.flows,
            Direction::Out => *bytes = bytes.saturating_add(row.bytes),
        }
    }
    sums.into_iter().map(|((hour, place), (records, bytes))| (hour, place, records, bytes))
}

/// What goes out, further than the own networks.
pub(super) fn egress(rows: &[FlowRow]) -> impl Iterator<Item = Sum> {
    let outward = |r: &&FlowRow| {
        r.accepted == Some(true)
            && r.direction == Direction::Out
            && !["own", "private"].contains(&r.peer.as_str())
    };
    rows.iter().filter(outward).map(|r| (r.hour, Place::of(r), r.flows, r.bytes))
}

/// Rows of one kind by source.
#[derive(Default)]
pub struct Rows {
    sources: BTreeMap<String, OfSource>,
    places: BTreeSet<Rc<Place>>,
}

#[derive(Default)]
struct OfSource {
    /// By interface, in the order of the entries.
    rows: BTreeMap<String, Vec<Row>>,
    /// Interfaces that showed an address.
    shown: BTreeMap<String, BTreeSet<String>>,
}

impl Rows {
    /// Adds what the last entry tells.
    pub(super) fn add(&mut self, source: &str, seq: u64, sums: impl Iterator<Item = Sum>) {
        for (hour, place, records, bytes) in sums {
            let place = once(&mut self.places, place);
            let here = self.sources.entry(source.to_owned()).or_default();
            here.shown.entry(place.address.clone()).or_default().insert(place.interface.clone());
            let rows = here.rows.entry(place.interface.clone()).or_default();
            push_tight(rows, Row { seq, hour, place, records, bytes });
        }
    }

    /// Takes back what an entry told of interfaces.
    pub(super) fn forget(&mut self, source: &str, interfaces: &BTreeSet<Rc<str>>, seq: u64) {
        let Some(here) = self.sources.get_mut(source) else { return };
        for name in interfaces {
            let Some(rows) = here.rows.get_mut(&**name) else { continue };
            let from = rows.partition_point(|r| r.seq < seq);
            let told = rows[from..].iter().take_while(|r| r.seq == seq).count();
            rows.drain(from..from + told);
        }
    }

    /// Rows of an interface, in the order of the entries.
    pub fn of(&self, source: &str, interface: &str) -> &[Row] {
        self.sources.get(source).and_then(|of| of.rows.get(interface)).map_or(&[], Vec::as_slice)
    }

    /// Interfaces that showed an address.
    pub fn interfaces(&self, source: &str, address: &str) -> impl Iterator<Item = &str> {
        let shown = self.sources.get(source).and_then(|of| of.shown.get(address));
        shown.into_iter().flatten().map(String::as_str)
    }
}
