//! The one place where records are summed: per interface and hour, and per watched port and class of peer.

use super::record::{LogStatus, Record};
use crate::config::Network;
use crate::evidence::flow_logs::{Initiator, InterfaceHour, PortRow, RecordCounts};
use crate::evidence::{Private, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Most rows of one object; the rest is counted.
const MAX_ROWS: usize = 5_000;
const TCP: u8 = 6;
const SYN: u16 = 2;
const ACK: u16 = 16;
const PEERS: usize = 5;

type Place = (i64, String, Option<IpAddr>, u16, String, bool, Initiator);

#[derive(Default)]
struct Traffic {
    connections: u64,
    bytes_in: u64,
    bytes_out: u64,
    peers: BTreeSet<IpAddr>,
}

/// Running sums of one object.
pub(super) struct Aggregate<'a> {
    network: &'a Network,
    ports: &'a [u16],
    pub counts: RecordCounts,
    pub span: Option<(Time, Time)>,
    hours: BTreeMap<(i64, String), (u64, u64, u64)>,
    rows: BTreeMap<Place, Traffic>,
}

impl<'a> Aggregate<'a> {
    pub(super) fn new(network: &'a Network, ports: &'a [u16]) -> Aggregate<'a> {
        let (counts, span) = (RecordCounts::default(), None);
        Aggregate { network, ports, counts, span, hours: BTreeMap::new(), rows: BTreeMap::new() }
    }

    pub(super) fn total(&self) -> u64 {
        let c = &self.counts;
        c.ok + c.nodata + c.skipdata + c.transit_gateway
    }

    pub(super) fn add(&mut self, record: &Record) {
        match record.status {
            LogStatus::Ok => self.counts.ok += 1,
            LogStatus::NoData => self.counts.nodata += 1,
            LogStatus::SkipData => self.counts.skipdata += 1,
            LogStatus::TransitGateway => self.counts.transit_gateway += 1,
        }
        let Some(start) = record.start else { return };
        let (from, to) = (Time::from_seconds(start), Time::from_seconds(record.end.unwrap_or(start)));
        self.span = Some(self.span.map_or((from, to), |(a, b)| (a.min(from), b.max(to))));
        let hour = start.div_euclid(3600);
        let sums = self.hours.entry((hour, record.interface.clone())).or_default();
        match record.status {
            LogStatus::Ok => sums.0 += 1,
            LogStatus::NoData => sums.1 += 1,
            LogStatus::SkipData => sums.2 += 1,
            LogStatus::TransitGateway => {}
        }
        if record.accepted && record.protocol == Some(TCP) && record.status == LogStatus::Ok {
            self.watch(hour, record);
        }
    }

    fn watch(&mut self, hour: i64, r: &Record) {
        let (Some(source), Some(destination)) = (r.source, r.destination) else { return };
        let (Some(from), Some(to)) = (r.source_port, r.destination_port) else { return };
        let (to_port, from_port) = (self.ports.contains(&to), self.ports.contains(&from));
        let inward = match (to_port, from_port) {
            (false, false) => return,
            (true, false) => true,
            (false, true) => false,
            (true, true) => self.is_ours(destination),
        };
        let (address, peer, port) =
            if inward { (destination, source, to) } else { (source, destination, from) };
        if !self.is_ours(address) {
            return;
        }
        let initiator = initiator(r.tcp_flags, inward, to_port && from_port);
        let (class, allowed) = (self.network.class(peer), self.network.allows(port, peer));
        let place = (hour, r.interface.clone(), Some(address), port, class.clone(), allowed, initiator);
        let traffic = self.rows.entry(place).or_default();
        if inward {
            traffic.connections += 1;
            traffic.bytes_in = traffic.bytes_in.saturating_add(r.bytes);
        } else {
            traffic.bytes_out = traffic.bytes_out.saturating_add(r.bytes);
        }
        if class != "own" && traffic.peers.len() < PEERS {
            traffic.peers.insert(peer);
        }
    }

    /// Without own networks in the config, private addresses count as ours.
    fn is_ours(&self, address: IpAddr) -> bool {
        let class = self.network.class(address);
        class == "own" || self.network.own.is_empty() && class == "private"
    }

    pub(super) fn hours(&self) -> Vec<InterfaceHour> {
        let row =
            |((hour, interface), (ok, nodata, skipdata)): (&(i64, String), &(u64, u64, u64))| InterfaceHour {
                hour: Time::from_seconds(hour * 3600),
                interface: interface.clone(),
                ok: *ok,
                nodata: *nodata,
                skipdata: *skipdata,
            };
        self.hours.iter().map(row).take(MAX_ROWS).collect()
    }

    pub(super) fn other_rows(&self) -> u64 {
        (self.hours.len().saturating_sub(MAX_ROWS) + self.rows.len().saturating_sub(MAX_ROWS)) as u64
    }

    /// Rows whose peer is not allowed come first, so that a limit never hides one.
    pub(super) fn accepted(&self) -> Vec<PortRow> {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|(place, _)| (place.5, place.0));
        let row = |(place, t): (&Place, &Traffic)| PortRow {
            hour: Time::from_seconds(place.0 * 3600),
            interface: place.1.clone(),
            address: place.2.map(|a| a.to_string()),
            port: place.3,
            peer: place.4.clone(),
            allowed: place.5,
            initiator: place.6,
            connections: t.connections,
            bytes_in: t.bytes_in.to_string(),
            bytes_out: t.bytes_out.to_string(),
            peers: t.peers.iter().map(|p| Private::of(p.to_string())).collect(),
        };
        rows.into_iter().map(row).take(MAX_ROWS).collect()
    }
}

/// Who opened the connection: the side that sent SYN without ACK; without flags, the side without the watched port.
fn initiator(flags: Option<u16>, inward: bool, both_watched: bool) -> Initiator {
    match flags {
        Some(f) if f & SYN != 0 => {
            let sender_opened = f & ACK == 0;
            if sender_opened == inward { Initiator::Peer } else { Initiator::Port }
        }
        Some(_) => Initiator::Unknown,
        None if both_watched => Initiator::Unknown,
        None => Initiator::Peer,
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Format;
    use super::*;

    #[test]
    fn a_connection_from_the_internet_is_one_row_with_both_directions() {
        let network = Network { own: vec!["10.0.0.0/16".parse().unwrap()], ..Network::default() };
        let mut sums = Aggregate::new(&network, &[6006]);
        let format = Format::configured(None);
        for line in [
            "2 1 eni-1 198.51.100.7 10.0.0.9 51000 6006 6 10 840 1418530010 1418530070 ACCEPT OK",
            "2 1 eni-1 10.0.0.9 198.51.100.7 6006 51000 6 30 9000 1418530010 1418530070 ACCEPT OK",
            "2 1 eni-1 198.51.100.8 10.0.0.9 51000 6006 6 1 40 1418530010 1418530070 REJECT OK",
            "2 1 eni-1 10.0.0.9 93.184.216.34 51000 6006 6 1 40 1418530010 1418530070 ACCEPT OK",
        ] {
            sums.add(&format.record(line.as_bytes()).unwrap());
        }
        let rows = sums.accepted();
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (rows[0].connections, rows[0].bytes_in.as_str(), rows[0].bytes_out.as_str()),
            (1, "840", "9000")
        );
        assert_eq!(
            (rows[0].peer.as_str(), rows[0].allowed, rows[0].initiator),
            ("public", false, Initiator::Peer)
        );
        assert_eq!(sums.hours()[0].ok, 4);
    }

    #[test]
    fn flags_tell_who_opened() {
        assert_eq!(initiator(Some(2), true, false), Initiator::Peer);
        assert_eq!(initiator(Some(2), false, false), Initiator::Port);
        assert_eq!(initiator(Some(18), false, false), Initiator::Peer);
        assert_eq!(initiator(Some(0), true, false), Initiator::Unknown);
    }
}
