//! Accepted traffic of flow logs as rules read it, by interface. What rows share from hour to hour stands once.

use super::delivered::Arrival;
use super::hours::Hour;
use super::push_tight;
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
#[derive(Clone, Copy, Debug)]
pub struct Row<'f> {
    /// Sequence number of the entry.
    pub seq: u64,
    /// Start of the hour.
    pub hour: Time,
    /// Where.
    pub place: &'f Place,
    /// Records of the one direction that is asked for: to a service port of ours; of what goes out, from our side.
    pub records: u64,
    /// Bytes from our side.
    pub bytes: u64,
}

/// A row as it is stored: of a large estate there are millions.
#[derive(Clone, Copy, Debug)]
struct Stored {
    hour: Hour,
    /// The number of what told it among the arrivals of the source.
    arrival: u32,
    /// The number of its place.
    place: u32,
    /// Four billion at most.
    records: u32,
    bytes: u64,
}

/// Hour, place, records and bytes of a row to be.
type New = (Time, Place, u64, u64);

/// TCP traffic of our service ports, both directions together.
pub(super) fn ports(rows: &[FlowRow]) -> impl Iterator<Item = New> {
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
pub(super) fn egress(rows: &[FlowRow]) -> impl Iterator<Item = New> {
    let outward = |r: &&FlowRow| {
        r.accepted == Some(true)
            && r.direction == Direction::Out
            && !["own", "private"].contains(&r.peer.as_str())
    };
    rows.iter().filter(outward).map(|r| (r.hour, Place::of(r), r.flows, r.bytes))
}

/// Rows of one kind and one source.
#[derive(Debug, Default)]
pub struct Rows {
    /// By interface, in the order in which they were told.
    rows: BTreeMap<String, Vec<Stored>>,
    /// Interfaces that showed an address.
    shown: BTreeMap<String, BTreeSet<String>>,
    /// Places by their number.
    places: Vec<Rc<Place>>,
    /// The number of each.
    numbers: BTreeMap<Rc<Place>, u32>,
}

impl Rows {
    /// Adds what an arrival tells.
    pub(super) fn add(&mut self, arrival: u32, rows: impl Iterator<Item = New>) {
        for (hour, place, records, bytes) in rows {
            let rows = self.rows.entry(place.interface.clone()).or_default();
            let (hour, records) = (Hour::from(hour), u32::try_from(records).unwrap_or(u32::MAX));
            let next = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
            let place = match self.numbers.get(&place) {
                Some(known) => *known,
                None => {
                    let shown = self.shown.entry(place.address.clone()).or_default();
                    shown.insert(place.interface.clone());
                    let place = Rc::new(place);
                    self.places.push(place.clone());
                    *self.numbers.entry(place).or_insert(next)
                }
            };
            push_tight(rows, Stored { hour, arrival, place, records, bytes });
        }
    }

    /// Takes back what an arrival told of interfaces.
    pub(super) fn forget(&mut self, interfaces: &BTreeSet<String>, arrival: u32) {
        for name in interfaces {
            if let Some(rows) = self.rows.get_mut(name) {
                rows.retain(|row| row.arrival != arrival);
            }
        }
    }

    /// Rows of an interface, in the order in which what told them came.
    pub(super) fn of<'f>(
        &'f self,
        interface: &str,
        arrivals: &'f [Arrival],
    ) -> impl Iterator<Item = Row<'f>> {
        let row = |stored: &Stored| {
            let Stored { hour, arrival, place, records, bytes } = *stored;
            let (seq, place) = (arrivals.get(arrival as usize)?.seq, self.places.get(place as usize)?);
            Some(Row { seq, hour: hour.start(), place, records: records.into(), bytes })
        };
        self.rows.get(interface).into_iter().flatten().filter_map(row)
    }

    /// Interfaces that showed an address.
    pub fn interfaces(&self, address: &str) -> impl Iterator<Item = &str> {
        self.shown.get(address).into_iter().flatten().map(String::as_str)
    }
}
