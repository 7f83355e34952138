//! Flow logs: sums per interface and hour over all delivered objects, rows of watched ports, the inventory.

use super::{Seen, States, push, read};
use crate::evidence::flow_logs::{
    Direction, FlowLogConfiguration, FlowObject, FlowRow, FlowSelection, FlowWindow, Initiator,
    NetworkInterface, Side, Traffic,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What one interface had in one hour, summed over objects and windows.
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
    /// Whether some of it was read before all traffic of the interface was selected: it is kept in totals only.
    pub totals_only: bool,
    parts: Vec<Part>,
}

/// What one entry told of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    seq: u64,
    counts: [u32; 3],
    blind: bool,
    totals_only: bool,
}

impl HourSum {
    /// Entries that told it.
    pub fn entries(&self) -> impl Iterator<Item = u64> {
        self.parts.iter().map(|p| p.seq)
    }

    fn add(&mut self, part: Part) {
        self.parts.push(part);
        let [ok, nodata, skipdata] = part.counts.map(u64::from);
        self.ok += ok;
        self.nodata += nodata;
        self.skipdata += skipdata;
        self.blind |= part.blind;
        self.totals_only |= part.totals_only;
    }

    /// Takes back what an entry told. Whether anything is left.
    fn forget(&mut self, seq: u64) -> bool {
        let parts = std::mem::take(self).parts;
        parts.into_iter().filter(|p| p.seq != seq).for_each(|p| self.add(p));
        !self.parts.is_empty()
    }
}

/// A delivered object or window: of when it tells, and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Sequence number of the entry.
    pub seq: u64,
    /// Start of its first record.
    pub from: Time,
    /// End of its last record.
    pub to: Time,
    /// When S3 got it.
    pub came: Option<Time>,
}

impl Arrival {
    /// Seconds from its last record to its delivery.
    pub fn delay(&self) -> Option<i64> {
        Some((self.came?.seconds() - self.to.seconds()).max(0))
    }
}

/// An interface that held an address of a node.
#[derive(Clone, Debug)]
pub struct Holder {
    /// `eni-…`
    pub interface: String,
    /// Start of the first record that showed it.
    pub from: Time,
    /// End of the last one.
    pub to: Time,
}

/// Accepted traffic of one object from an interface to one class of peers in one hour.
pub struct Egress {
    /// Start of the hour.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// The address on our side.
    pub address: String,
    /// Class of the peers.
    pub peer: String,
    /// The service port.
    pub port: u16,
    /// Whether the records show that our side opened the connections; none where they do not tell.
    pub ours: Option<bool>,
    /// Records from our side.
    pub flows: u64,
    /// Bytes from our side.
    pub bytes: u64,
}

/// Rows of what goes out, further than the own networks.
fn egress(rows: &[FlowRow]) -> impl Iterator<Item = Egress> {
    let outward = |r: &&FlowRow| {
        r.accepted == Some(true)
            && r.direction == Direction::Out
            && !["own", "private"].contains(&r.peer.as_str())
    };
    rows.iter().filter(outward).map(|r| {
        let ours = match (r.initiator, r.service) {
            (Initiator::Unknown, _) => None,
            (Initiator::Peer, service) => Some(service == Side::Peer),
            (Initiator::Port, service) => Some(service == Side::Ours),
        };
        let (interface, address, peer) = (r.interface.clone(), r.address.clone(), r.peer.clone());
        Egress { hour: r.hour, interface, address, peer, port: r.port, ours, flows: r.flows, bytes: r.bytes }
    })
}

/// Accepted TCP records of one object between a service port of ours and one class of peers in one hour.
pub struct PortUse {
    /// Start of the hour.
    pub hour: Time,
    /// `eni-…`
    pub interface: String,
    /// The address on our side.
    pub address: String,
    /// The service port.
    pub port: u16,
    /// Class of the peers.
    pub peer: String,
    /// Whether they may connect; none for a port that is not watched.
    pub allowed: Option<bool>,
    /// Who opened the connections.
    pub initiator: Initiator,
    /// Records from the peers to the port.
    pub connections: u64,
    /// Bytes from the port to the peers.
    pub bytes_out: u64,
}

/// Rows of our service ports, both directions together.
fn uses(rows: Vec<FlowRow>) -> impl Iterator<Item = PortUse> {
    const TCP: u8 = 6;
    let mut uses: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for row in rows {
        if row.accepted != Some(true) || row.protocol != TCP || row.service != Side::Ours {
            continue;
        }
        let place = (row.hour, row.interface, row.address, row.port, row.peer, row.allowed, row.initiator);
        let sums = uses.entry(place).or_default();
        match row.direction {
            Direction::In => sums.0 += row.flows,
            Direction::Out => sums.1 = sums.1.saturating_add(row.bytes),
        }
    }
    uses.into_iter().map(
        |((hour, interface, address, port, peer, allowed, initiator), (connections, bytes_out))| PortUse {
            hour,
            interface,
            address,
            port,
            peer,
            allowed,
            initiator,
            connections,
            bytes_out,
        },
    )
}

/// How an object or window saw an hour.
#[derive(Clone, Debug)]
pub struct View {
    /// Its entry.
    pub seq: u64,
    /// Whether its format shows the addresses of packets: those of pods, behind that of their node.
    pub shows_pods: bool,
    /// Whether AWS lost records.
    pub lost: bool,
    /// Addresses of pods whose traffic it kept; none where it did not keep all of it.
    kept: Option<Rc<BTreeSet<String>>>,
}

impl View {
    /// Whether all traffic of these addresses was kept.
    pub fn keeps(&self, addresses: &[String]) -> bool {
        self.kept.as_ref().is_some_and(|kept| addresses.iter().all(|a| kept.contains(a)))
    }
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
    /// Hours of which objects or windows were not read, or not whole, by source; with the entries that tell so.
    pub unread: BTreeMap<String, BTreeMap<Time, BTreeSet<u64>>>,
    /// When records were first searched for the interface that holds an address of a node, by source and address.
    sought: BTreeMap<(String, String), Time>,
    /// Interfaces that held an address of a node, by source and address.
    holders: BTreeMap<String, BTreeMap<String, Vec<Holder>>>,
    /// When the first record begins, by source.
    begins: BTreeMap<String, Time>,
    /// What was delivered, by source, in the order of the entries.
    pub arrivals: BTreeMap<String, BTreeMap<u64, Arrival>>,
    /// Accepted TCP traffic of service ports on our side, by entry.
    ports: BTreeMap<u64, Vec<Seen<PortUse>>>,
    /// Accepted traffic to public addresses, by entry.
    egress: BTreeMap<u64, Vec<Seen<Egress>>>,
    /// Interfaces by source all of whose traffic is kept, as of the last selection.
    selected: BTreeMap<String, BTreeSet<String>>,
    /// Pods by source all of whose traffic is kept, as of the last selection.
    pods: BTreeMap<String, Rc<BTreeSet<String>>>,
    /// How each hour was seen, by source.
    views: BTreeMap<String, BTreeMap<Time, Vec<View>>>,
    /// The entry that told an object or window last, by source and subject.
    told: BTreeMap<(String, String), Told>,
}

/// An entry, and the hours that it told of.
#[derive(Clone, Debug)]
struct Told {
    seq: u64,
    hours: Vec<Time>,
    unread: Vec<Time>,
}

impl NetworkFacts {
    pub(super) fn fold(&mut self, placed: &Placed) {
        match placed.entry.kind {
            Kind::FlowLogConfiguration => push(&mut self.configurations, placed),
            Kind::NetworkInterface => push(&mut self.interfaces, placed),
            Kind::FlowLogSelection => {
                if let (Some(seen), Some(source)) =
                    (read::<FlowSelection>(placed), placed.entry.subject.strip_prefix("selection:"))
                {
                    let interfaces = seen.value.interfaces.into_iter().map(|(i, _)| i).collect();
                    self.selected.insert(source.to_owned(), interfaces);
                    for node in seen.value.nodes {
                        self.sought.entry((source.to_owned(), node)).or_insert(seen.at);
                    }
                    self.pods.insert(source.to_owned(), Rc::new(seen.value.pods.into_iter().collect()));
                }
            }
            Kind::FlowLogObject => {
                if let Some(FlowObject { revision, unread, modified, traffic, .. }) =
                    read(placed).map(|s| s.value)
                {
                    self.arrived(placed, modified, traffic.span);
                    self.delivered(placed, revision, unread, traffic);
                }
            }
            Kind::FlowLogWindow => {
                if let Some(FlowWindow { revision, from, traffic, .. }) = read(placed).map(|s| s.value) {
                    let unread = (traffic.records.quarantined > 0).then_some((from, from));
                    self.arrived(placed, None, traffic.span);
                    self.delivered(placed, revision, unread, traffic);
                }
            }
            _ => {}
        }
    }

    /// Accepted TCP traffic of service ports on our side: of watched ones, and of all where all of an interface is kept.
    pub fn ports(&self) -> impl Iterator<Item = &Seen<PortUse>> {
        self.ports.values().flatten()
    }

    /// Accepted traffic to public addresses.
    pub fn egress(&self) -> impl Iterator<Item = &Seen<Egress>> {
        self.egress.values().flatten()
    }

    fn arrived(&mut self, placed: &Placed, came: Option<Time>, span: Option<(Time, Time)>) {
        if let Some((from, to)) = span {
            let arrivals = self.arrivals.entry(placed.entry.source.clone()).or_default();
            arrivals.insert(placed.seq, Arrival { seq: placed.seq, from, to, came });
        }
    }

    /// Notes that an interface held an address.
    fn held(&mut self, source: &str, interface: &str, address: &str, (from, to): (Time, Time)) {
        let holders =
            self.holders.entry(source.to_owned()).or_default().entry(address.to_owned()).or_default();
        match holders.iter_mut().find(|h| h.interface == interface) {
            Some(holder) => (holder.from, holder.to) = (holder.from.min(from), holder.to.max(to)),
            None => holders.push(Holder { interface: interface.to_owned(), from, to }),
        }
    }

    /// Adds what an object or window counted; a revision stands in the place of what was told before.
    fn delivered(&mut self, placed: &Placed, revision: u64, unread: Option<(Time, Time)>, traffic: Traffic) {
        let (seq, source) = (placed.seq, placed.entry.source.clone());
        if let Some(begin) = traffic.span.into_iter().chain(unread).map(|(from, _)| from).min() {
            let first = self.begins.entry(source.clone()).or_insert(begin);
            *first = begin.min(*first);
        }
        if let Some(span) = traffic.span {
            traffic
                .nodes
                .iter()
                .for_each(|(interface, address)| self.held(&source, interface, address, span));
        }
        let unread = unread.map_or_else(Vec::new, |(from, to)| hours_of(from, to));
        let told =
            Told { seq, hours: traffic.hours.iter().map(|h| h.hour).collect(), unread: unread.clone() };
        let before = self.told.insert((source.clone(), placed.entry.subject.clone()), told);
        if let Some(before) = before.filter(|_| revision > 0) {
            self.forget(&source, &before);
        }
        let not_read = self.unread.entry(source.clone()).or_default();
        for hour in unread {
            not_read.entry(hour).or_default().insert(seq);
        }
        let has = |name: &str| traffic.format.iter().any(|f| f == name);
        let ends = (has("srcaddr") || has("pkt-srcaddr")) && (has("dstaddr") || has("pkt-dstaddr"));
        let blind = !(ends && ["action", "protocol", "srcport", "dstport"].into_iter().all(has));
        let selected = self.selected.get(&source).filter(|_| traffic.other.rows == 0);
        let shows_pods = has("pkt-srcaddr") && has("pkt-dstaddr");
        let kept = self.pods.get(&source).filter(|_| traffic.other.rows == 0).cloned();
        let views = self.views.entry(source.clone()).or_default();
        let hours = self.hours.entry(source.clone()).or_default();
        for row in traffic.hours {
            let lost = row.interfaces.iter().any(|(_, _, _, skipdata)| *skipdata > 0);
            views.entry(row.hour).or_default().push(View { seq, shows_pods, lost, kept: kept.clone() });
            let sums = hours.entry(row.hour).or_default();
            for (interface, ok, nodata, skipdata) in row.interfaces {
                let counts = [ok, nodata, skipdata].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
                let totals_only = ok > 0 && !selected.is_some_and(|s| s.contains(&interface));
                sums.entry(interface).or_default().add(Part { seq, counts, blind, totals_only });
            }
        }
        self.egress.insert(seq, egress(&traffic.rows).map(|e| Seen::of(placed, e)).collect());
        self.ports.insert(seq, uses(traffic.rows).map(|u| Seen::of(placed, u)).collect());
    }

    /// Takes back what an entry told.
    fn forget(&mut self, source: &str, told: &Told) {
        self.ports.remove(&told.seq);
        self.arrivals.entry(source.to_owned()).or_default().remove(&told.seq);
        self.egress.remove(&told.seq);
        let not_read = self.unread.entry(source.to_owned()).or_default();
        for hour in &told.unread {
            if let Entry::Occupied(mut entries) = not_read.entry(*hour) {
                entries.get_mut().remove(&told.seq);
                if entries.get().is_empty() {
                    entries.remove();
                }
            }
        }
        if let Some(views) = self.views.get_mut(source) {
            let gone = |hour: &Time| {
                views.get_mut(hour).into_iter().for_each(|all| all.retain(|v| v.seq != told.seq))
            };
            told.hours.iter().for_each(gone);
        }
        let Some(hours) = self.hours.get_mut(source) else { return };
        for hour in &told.hours {
            let Some(sums) = hours.get_mut(hour) else { continue };
            sums.retain(|_, sum| sum.forget(told.seq));
            if sums.is_empty() {
                hours.remove(hour);
            }
        }
    }

    /// How an hour of a source was seen.
    pub fn views(&self, source: &str, hour: Time) -> impl Iterator<Item = &View> {
        self.views.get(source).and_then(|hours| hours.get(&hour)).into_iter().flatten()
    }

    /// Since when records are searched for the interface that holds an address of a node.
    pub fn sought(&self, source: &str, address: &str) -> Option<Time> {
        self.sought.get(&(source.to_owned(), address.to_owned())).copied()
    }

    /// Interfaces that held an address, as records of a source showed it.
    pub fn holders(&self, source: &str, address: &str) -> impl Iterator<Item = &Holder> {
        self.holders.get(source).and_then(|of| of.get(address)).into_iter().flatten()
    }

    /// When the first record begins that any object of a source holds, or may have held.
    pub fn begin(&self, source: &str) -> Option<Time> {
        self.begins.get(source).copied()
    }
}

/// The hours of a span.
fn hours_of(from: Time, to: Time) -> Vec<Time> {
    std::iter::successors(Some(from.hour()), |h| Some(h.plus_seconds(3600)))
        .take_while(|h| *h <= to)
        .collect()
}
