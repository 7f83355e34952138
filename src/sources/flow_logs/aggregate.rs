//! The one place where records are summed: per interface and hour, and, of what is selected, per service and class of
//! peer. What it says can be said in SQL as well: `GROUP BY` the members of a row.

use super::record::{LogStatus, Record};
use super::selection::{Peer, Selection};
use crate::evidence::flow_logs::{Direction, FlowRow, HourRow, Initiator, Other, RecordCounts, Side};
use crate::evidence::{Private, Time};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::net::IpAddr;

/// Most rows of one object; the rest is summed.
const MAX_ROWS: usize = 5_000;
/// Most groups that are held while an object is read; records of further ones are summed as the rest is.
const MAX_GROUPS: usize = 1 << 20;
const HOUR: i64 = 3600;
const TCP: u8 = 6;
const SYN: u16 = 2;
const ACK: u16 = 16;
const PEERS: usize = 5;

/// What rows are told apart by, in three words.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Hours since 1970, and the number of the interface.
    hour_and_interface: u64,
    peer: Peer,
    /// Number of the address on our side.
    address: u32,
    port: u16,
    protocol: u8,
    /// What [`Marks`] holds, packed.
    marks: u8,
}

/// What of a row is one of a few.
#[derive(Clone, Copy)]
struct Marks {
    direction: Direction,
    service: Side,
    initiator: Initiator,
    accepted: Option<bool>,
    allowed: Option<bool>,
}

#[derive(Clone, Copy)]
struct Sum {
    packets: u64,
    bytes: u64,
    flows: u32,
    /// Seconds after the beginning of the hour.
    first: u32,
    last: u32,
}

/// Running sums of one object.
pub(super) struct Aggregate<'a> {
    selection: &'a Selection,
    pub counts: RecordCounts,
    span: Option<(i64, i64)>,
    interfaces: Numbers<Box<[u8]>>,
    /// Whether all traffic of an interface is selected, by its number.
    selected: Vec<bool>,
    addresses: Numbers<IpAddr>,
    hours: HashMap<u64, [u64; 3], FixedState>,
    /// The hour and interface of the record before, which is often that of the next.
    latest: (u64, [u64; 3]),
    places: HashTable<u32>,
    groups: Vec<(Key, Sum)>,
    peers: BTreeMap<u32, Vec<IpAddr>>,
    other: Other,
}

/// Numbers for values, in the order in which they come.
struct Numbers<T> {
    numbers: HashMap<T, u32, FixedState>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Numbers { numbers: HashMap::default() }
    }
}

impl<T: Eq + std::hash::Hash + Clone> Numbers<T> {
    fn in_order(&self) -> Vec<T> {
        let mut all: Vec<_> = self.numbers.iter().collect();
        all.sort_unstable_by_key(|(_, n)| **n);
        all.into_iter().map(|(value, _)| value.clone()).collect()
    }
}

impl<'a> Aggregate<'a> {
    pub(super) fn new(selection: &'a Selection) -> Aggregate<'a> {
        Aggregate {
            selection,
            counts: RecordCounts::default(),
            span: None,
            interfaces: Numbers::default(),
            selected: Vec::new(),
            addresses: Numbers::default(),
            hours: HashMap::default(),
            latest: (u64::MAX, [0; 3]),
            places: HashTable::new(),
            groups: Vec::new(),
            peers: BTreeMap::new(),
            other: Other::default(),
        }
    }

    pub(super) fn add(&mut self, record: &Record<'_>) {
        let place = match record.status {
            LogStatus::Ok => {
                self.counts.ok += 1;
                0
            }
            LogStatus::NoData => {
                self.counts.nodata += 1;
                1
            }
            LogStatus::SkipData => {
                self.counts.skipdata += 1;
                2
            }
            LogStatus::TransitGateway => {
                self.counts.transit_gateway += 1;
                return;
            }
        };
        let Some(start) = record.start else { return };
        let end = record.end.unwrap_or(start);
        self.span = Some(self.span.map_or((start, end), |(a, b)| (a.min(start), b.max(end))));
        let interface = self.interface(record.interface);
        let hour_and_interface = ((start / HOUR) as u64) << 32 | u64::from(interface);
        if self.latest.0 != hour_and_interface {
            self.settle();
            self.latest.0 = hour_and_interface;
        }
        self.latest.1[place] += 1;
        if record.status == LogStatus::Ok {
            self.flow(record, hour_and_interface, (start, end));
        } else if record.source.is_some() {
            self.counts.odd += 1;
        }
    }

    /// Adds the sums of the latest hour and interface to the others.
    fn settle(&mut self) {
        let (key, sums) = std::mem::replace(&mut self.latest, (u64::MAX, [0; 3]));
        if key != u64::MAX {
            let all = self.hours.entry(key).or_default();
            all.iter_mut().zip(sums).for_each(|(a, n)| *a += n);
        }
    }

    fn interface(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.interfaces.numbers.get(name) {
            return *number;
        }
        let number = self.selected.len() as u32;
        self.interfaces.numbers.insert(name.into(), number);
        self.selected.push(str::from_utf8(name).is_ok_and(|n| self.selection.interfaces.contains_key(n)));
        number
    }

    fn flow(&mut self, r: &Record<'_>, hour_and_interface: u64, (start, end): (i64, i64)) {
        let (Some(source), Some(destination)) = (r.source, r.destination) else { return };
        let selection = self.selection;
        let interface = self.selected[(hour_and_interface & 0xFFFF_FFFF) as usize];
        let (from, to) = (r.source_port.unwrap_or(0), r.destination_port.unwrap_or(0));
        let watched = (selection.watches(from), selection.watches(to));
        let known = || selection.addresses.contains(&source) || selection.addresses.contains(&destination);
        if !(watched.0 || watched.1 || interface || known()) {
            return;
        }
        let to_service = match watched {
            (true, false) => false,
            (false, true) => true,
            _ => match r.tcp_flags {
                Some(f) if f & SYN != 0 => f & ACK == 0,
                _ => to <= from,
            },
        };
        let name = if interface { str::from_utf8(r.interface).ok() } else { None };
        let inward = r.egress.map(|e| !e).or_else(|| selection.inward(name, source, destination));
        // Of two addresses of our own, the one with the service is looked at.
        let inward = inward.unwrap_or(to_service);
        let (ours, peer) = if inward { (destination, source) } else { (source, destination) };
        let service = if to_service == inward { Side::Ours } else { Side::Peer };
        let port = if to_service { to } else { from };
        let watch = service == Side::Ours && selection.watches(port) && selection.is_ours(ours);
        if !(watch || interface || selection.addresses.contains(&ours)) {
            return;
        }
        let both = watched.0 && watched.1;
        let marks = Marks {
            direction: if inward { Direction::In } else { Direction::Out },
            service,
            initiator: initiator(r.tcp_flags, inward == (service == Side::Ours), both),
            accepted: r.accepted,
            allowed: (watch && r.protocol == Some(TCP)).then(|| selection.network.allows(port, peer)),
        };
        let key = Key {
            hour_and_interface,
            peer: selection.peer(peer),
            address: number(&mut self.addresses.numbers, ours),
            port,
            protocol: r.protocol.unwrap_or(0),
            marks: marks.packed(),
        };
        let offset = |t: i64| u32::try_from(t - start / HOUR * HOUR).unwrap_or(u32::MAX);
        let sum =
            Sum { packets: r.packets, bytes: r.bytes, flows: 1, first: offset(start), last: offset(end) };
        self.sum(key, sum, peer);
    }

    fn sum(&mut self, key: Key, sum: Sum, peer: IpAddr) {
        let Aggregate { places, groups, .. } = self;
        let state = FixedState::default();
        let hash = state.hash_one(key);
        let found = places.find(hash, |i| groups[*i as usize].0 == key).copied();
        let place = match found {
            Some(place) => {
                groups[place as usize].1.add(&sum);
                place
            }
            None if groups.len() >= MAX_GROUPS => {
                self.other.add(1, sum.flows.into(), sum.packets, sum.bytes);
                return;
            }
            None => {
                let place = groups.len() as u32;
                groups.push((key, sum));
                places.insert_unique(hash, place, |i| state.hash_one(groups[*i as usize].0));
                place
            }
        };
        if self.selection.keeps_addresses && key.peer.is_foreign() {
            let peers = self.peers.entry(place).or_default();
            if peers.len() < PEERS && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
    }

    /// Earliest start and latest end.
    pub(super) fn span(&self) -> Option<(Time, Time)> {
        self.span.map(|(from, to)| (Time::from_seconds(from), Time::from_seconds(to)))
    }

    /// The sums, as they are written down: hours, rows, and what did not fit into the rows.
    pub(super) fn finish(mut self) -> (Vec<HourRow>, Vec<FlowRow>, Other) {
        self.settle();
        let names: Vec<String> =
            self.interfaces.in_order().iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
        let name = |key: u64| names[(key & 0xFFFF_FFFF) as usize].clone();
        let mut hours: BTreeMap<i64, Vec<(String, u64, u64, u64)>> = BTreeMap::new();
        for (key, [ok, nodata, skipdata]) in &self.hours {
            let row = (name(*key), *ok, *nodata, *skipdata);
            hours.entry((key >> 32) as i64 * HOUR).or_default().push(row);
        }
        let hours = hours.into_iter().map(|(hour, mut interfaces)| {
            interfaces.sort_unstable();
            HourRow { hour: Time::from_seconds(hour), interfaces }
        });
        let addresses = self.addresses.in_order();
        let row = |(i, (key, sum)): (usize, &(Key, Sum))| {
            let marks = Marks::unpacked(key.marks);
            let hour = (key.hour_and_interface >> 32) as i64 * HOUR;
            FlowRow {
                hour: Time::from_seconds(hour),
                interface: name(key.hour_and_interface),
                address: addresses[key.address as usize].to_string(),
                direction: marks.direction,
                peer: self.selection.peer_name(key.peer),
                protocol: key.protocol,
                port: key.port,
                service: marks.service,
                initiator: marks.initiator,
                accepted: marks.accepted,
                allowed: marks.allowed,
                flows: sum.flows.into(),
                packets: sum.packets,
                bytes: sum.bytes,
                first: Time::from_seconds(hour + i64::from(sum.first)),
                last: Time::from_seconds(hour + i64::from(sum.last)),
                peers: self
                    .peers
                    .get(&(i as u32))
                    .into_iter()
                    .flatten()
                    .map(|p| Private::of(p.to_string()))
                    .collect(),
            }
        };
        // What is not allowed comes first, then what is watched, then the biggest: a limit never hides a breach.
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        let rank = |i: &usize| {
            let (key, sum) = &self.groups[*i];
            let allowed = Marks::unpacked(key.marks).allowed;
            (allowed.is_none(), allowed.unwrap_or(true), std::cmp::Reverse(sum.bytes))
        };
        order.sort_by_key(rank);
        let mut other = self.other;
        for i in order.iter().skip(MAX_ROWS) {
            let sum = &self.groups[*i].1;
            other.add(1, sum.flows.into(), sum.packets, sum.bytes);
        }
        order.truncate(MAX_ROWS);
        let mut rows: Vec<FlowRow> = order.into_iter().map(|i| row((i, &self.groups[i]))).collect();
        rows.sort_by(|a, b| a.place().cmp(&b.place()));
        (hours.collect(), rows, other)
    }
}

fn number(numbers: &mut HashMap<IpAddr, u32, FixedState>, address: IpAddr) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry(address).or_insert(next)
}

impl Sum {
    fn add(&mut self, other: &Sum) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.flows = self.flows.saturating_add(other.flows);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Marks {
    fn packed(self) -> u8 {
        let three = |o: Option<bool>| o.map_or(2, u8::from);
        let of_three = [self.initiator as u8, three(self.accepted), three(self.allowed)];
        of_three.iter().fold((self.direction as u8) << 1 | self.service as u8, |all, n| all * 3 + n)
    }

    fn unpacked(packed: u8) -> Marks {
        let of_three = |n: u8| (n < 2).then_some(n == 1);
        Marks {
            allowed: of_three(packed % 3),
            accepted: of_three(packed / 3 % 3),
            initiator: [Initiator::Peer, Initiator::Port, Initiator::Unknown][usize::from(packed / 9 % 3)],
            service: [Side::Ours, Side::Peer][usize::from(packed / 27 % 2)],
            direction: [Direction::In, Direction::Out][usize::from(packed / 54)],
        }
    }
}

/// Who opened the connection: the side that sent SYN without ACK; without flags, the side without the service port.
/// `to_service` says whether the record goes to the service.
fn initiator(flags: Option<u16>, to_service: bool, both_watched: bool) -> Initiator {
    match flags {
        Some(f) if f & SYN != 0 => {
            let sender_opened = f & ACK == 0;
            if sender_opened == to_service { Initiator::Peer } else { Initiator::Port }
        }
        Some(_) => Initiator::Unknown,
        None if both_watched => Initiator::Unknown,
        None => Initiator::Peer,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Format;
    use super::super::lines::Lines;
    use super::*;
    use crate::config::Network;

    fn rows(selection: &Selection, text: &str) -> (Vec<HourRow>, Vec<FlowRow>, Other) {
        let mut sums = Aggregate::new(selection);
        let mut lines = Lines::new(Format::configured(None), &mut sums);
        lines.feed(text.as_bytes());
        let (_, faults, _) = lines.finish();
        assert!(faults.kinds.is_empty(), "{faults:?}");
        sums.finish()
    }

    fn network() -> Network {
        Network { own: vec!["10.0.0.0/16".parse().unwrap()], ..Network::default() }
    }

    const FOUR: &str = "\
2 1 eni-1 198.51.100.7 10.0.0.9 51000 6006 6 10 840 1418530010 1418530070 ACCEPT OK
2 1 eni-1 10.0.0.9 198.51.100.7 6006 51000 6 30 9000 1418530010 1418530070 ACCEPT OK
2 1 eni-1 198.51.100.8 10.0.0.9 51000 6006 6 1 40 1418530010 1418530070 REJECT OK
2 1 eni-1 10.0.0.9 93.184.216.34 51000 6006 6 1 40 1418530010 1418530070 ACCEPT OK
";

    #[test]
    fn a_connection_from_the_internet_is_a_row_for_each_direction() {
        let (hours, rows, _) = rows(&Selection::new(network(), &[6006]), FOUR);
        let told: Vec<_> =
            rows.iter().map(|r| (r.direction, r.accepted, r.flows, r.bytes, r.allowed)).collect();
        assert_eq!(
            told,
            [
                (Direction::In, Some(false), 1, 40, Some(false)),
                (Direction::In, Some(true), 1, 840, Some(false)),
                (Direction::Out, Some(true), 1, 9000, Some(false)),
            ],
            "what goes out to somebody else's port is no use of ours"
        );
        assert!(rows.iter().all(|r| r.peer == "public 198.51.100.0/24" && r.initiator == Initiator::Peer));
        assert_eq!(hours[0].interfaces, [("eni-1".to_owned(), 4, 0, 0)]);
    }

    #[test]
    fn all_traffic_of_a_known_interface_is_kept_and_seen_from_its_own_side() {
        let mut selection = Selection::new(network(), &[]);
        let here = ["10.0.0.9".parse().unwrap()].into();
        selection.interfaces.insert("eni-1".to_owned(), here);
        let (_, rows, _) = rows(
            &selection,
            &format!(
                "{FOUR}2 1 eni-1 10.0.0.9 10.0.0.5 40000 443 6 1 52 1418533600 1418533659 ACCEPT OK\n2 1 eni-2 10.0.0.7 10.0.0.5 40000 443 6 1 52 1418533600 1418533659 ACCEPT OK\n"
            ),
        );
        assert_eq!(rows.len(), 5, "{rows:#?}");
        let last = rows.last().unwrap();
        assert_eq!((last.direction, last.service, last.port), (Direction::Out, Side::Peer, 443));
        assert_eq!((last.peer.as_str(), last.allowed), ("own", None));
        assert_eq!(last.last.seconds() - last.first.seconds(), 59);
    }

    #[test]
    fn what_does_not_fit_is_summed() {
        let selection = Selection::new(network(), &[6006]);
        let line = |n: usize| {
            format!("2 1 eni-{n} 198.51.100.7 10.0.0.9 51000 6006 6 2 {n} 1418530010 1418530070 ACCEPT OK\n")
        };
        let (hours, rows, other) = rows(&selection, &(0..MAX_ROWS + 10).map(line).collect::<String>());
        assert_eq!((rows.len(), hours[0].interfaces.len()), (MAX_ROWS, MAX_ROWS + 10));
        assert_eq!(
            (other.rows, other.flows, other.packets, other.bytes),
            (10, 10, 20, 45),
            "the smallest ones"
        );
    }

    #[test]
    fn marks_come_back_as_they_were() {
        for packed in 0..108 {
            assert_eq!(Marks::unpacked(packed).packed(), packed);
        }
    }

    #[test]
    fn flags_tell_who_opened() {
        assert_eq!(initiator(Some(2), true, false), Initiator::Peer);
        assert_eq!(initiator(Some(2), false, false), Initiator::Port);
        assert_eq!(initiator(Some(18), false, false), Initiator::Peer);
        assert_eq!(initiator(Some(0), true, false), Initiator::Unknown);
    }
}
