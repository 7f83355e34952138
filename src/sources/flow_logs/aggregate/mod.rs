//! The one place where records are summed: per interface and hour, and, of what is selected, per service and class of
//! peer. What it says can be said in SQL as well: `GROUP BY` the members of a row.

mod holder;
mod key;
mod written;

pub(super) use written::Written;

use super::record::{LogStatus, Record};
use super::selection::Selection;
use crate::evidence::Time;
use crate::evidence::flow_logs::{Direction, Other, RecordCounts, Side};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use holder::Holder;
use key::{Key, Marks, Sum, initiator, opens};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

/// Most groups that are held while an object is read; records of further ones are summed as the rest is.
const MAX_GROUPS: usize = 1 << 20;
const HOUR: i64 = 3600;
const TCP: u8 = 6;
const PEERS: usize = 5;
/// Interfaces that are remembered by their names, a power of two.
const SLOTS: usize = 4_096;

/// Running sums of one object.
pub(super) struct Aggregate<'a> {
    selection: &'a Selection,
    pub counts: RecordCounts,
    span: Option<(i64, i64)>,
    interfaces: Numbers<Box<[u8]>>,
    /// Numbers of interfaces that were seen lately.
    recent: Vec<u32>,
    /// What is known of each interface, by its number.
    known: Vec<Known>,
    addresses: Numbers<IpAddr>,
    hours: HashMap<u64, [u64; 3], FixedState>,
    places: HashTable<u32>,
    groups: Vec<(Key, Sum)>,
    peers: BTreeMap<u32, Vec<IpAddr>>,
    other: Other,
}

/// Length, first and last bytes of a name, which tell those apart that have 16 to 24, as AWS gives them (`eni-` and 17
/// digits).
type Ends = (u8, [u64; 3]);

/// An interface: whether all its traffic is selected, which address it holds, and the hour of its last record with what it
/// had in it so far.
struct Known {
    ends: Ends,
    selected: bool,
    holder: Holder,
    hour: u64,
    counts: [u64; 3],
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

impl<T: Eq + Hash> Numbers<T> {
    fn of(&mut self, value: T) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(value).or_insert(next)
    }
}

impl<T> Numbers<T> {
    fn in_order(&self) -> impl Iterator<Item = &T> {
        let mut all: Vec<_> = self.numbers.iter().collect();
        all.sort_unstable_by_key(|(_, n)| **n);
        all.into_iter().map(|(value, _)| value)
    }
}

impl<'a> Aggregate<'a> {
    pub(super) fn new(selection: &'a Selection) -> Aggregate<'a> {
        Aggregate {
            selection,
            counts: RecordCounts::default(),
            span: None,
            interfaces: Numbers::default(),
            recent: vec![0; SLOTS],
            known: Vec::new(),
            addresses: Numbers::default(),
            hours: HashMap::default(),
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
        let end = record.end.unwrap_or(start).max(start);
        self.span = Some(self.span.map_or((start, end), |(a, b)| (a.min(start), b.max(end))));
        let interface = self.interface(record.interface);
        let hour = (start / HOUR) as u64;
        let hour_and_interface = hour << 32 | u64::from(interface);
        let known = &mut self.known[interface as usize];
        if known.hour != hour {
            settle(&mut self.hours, interface, known);
            known.hour = hour;
        }
        known.counts[place] += 1;
        if record.status == LogStatus::Ok {
            if !self.selection.nodes.is_empty() {
                known.holder = known.holder.with(record);
            }
            self.flow(record, hour_and_interface, (start, end));
        } else if record.ends().0.is_some() {
            self.counts.odd += 1;
        }
    }

    fn interface(&mut self, name: &[u8]) -> u32 {
        let Some(ends) = ends(name) else { return self.named(name, Ends::default()) };
        let slot = slot(ends);
        let number = self.recent[slot];
        if self.known.get(number as usize).is_some_and(|k| k.ends == ends) {
            return number;
        }
        self.recent[slot] = self.named(name, ends);
        self.recent[slot]
    }

    /// The number of an interface; a new one gets the next.
    fn named(&mut self, name: &[u8], ends: Ends) -> u32 {
        if let Some(number) = self.interfaces.numbers.get(name) {
            return *number;
        }
        let selected = str::from_utf8(name).is_ok_and(|n| self.selection.interfaces.contains_key(n));
        self.known.push(Known { ends, selected, holder: Holder::default(), hour: 0, counts: [0; 3] });
        self.interfaces.of(name.into())
    }

    fn flow(&mut self, r: &Record<'_>, hour_and_interface: u64, (start, end): (i64, i64)) {
        let selection = self.selection;
        let whole = self.known[(hour_and_interface & 0xFFFF_FFFF) as usize].selected;
        let Some(sides) = Sides::of(selection, r, whole) else { return };
        let Sides { ours, peer, port, inward, service, both_watched } = sides;
        let watched = service == Side::Ours && selection.watches(port) && selection.is_ours(ours);
        if !(watched || whole || selection.addresses.contains(&ours)) {
            return;
        }
        let marks = Marks {
            direction: if inward { Direction::In } else { Direction::Out },
            service,
            initiator: initiator(r.tcp_flags, inward == (service == Side::Ours), both_watched),
            accepted: r.accepted,
            allowed: (watched && r.protocol == Some(TCP)).then(|| selection.network.allows(port, peer)),
        };
        let key = Key {
            hour_and_interface,
            peer: selection.peer(peer),
            address: self.addresses.of(ours),
            port,
            protocol: r.protocol.unwrap_or(0),
            marks: marks.packed(),
        };
        self.sum(key, Sum::of(r, start, end), peer);
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
}

/// Adds what an interface had in its last hour to the sums.
fn settle(hours: &mut HashMap<u64, [u64; 3], FixedState>, interface: u32, known: &mut Known) {
    let counts = std::mem::take(&mut known.counts);
    if counts != [0; 3] {
        let all = hours.entry(known.hour << 32 | u64::from(interface)).or_default();
        all.iter_mut().zip(counts).for_each(|(a, n)| *a += n);
    }
}

/// The ends of a name of 16 to 24 bytes.
#[inline]
fn ends(name: &[u8]) -> Option<Ends> {
    let (first, (middle, last)) = (name.first_chunk()?, name.last_chunk::<16>()?.split_at(8));
    let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    let words = [u64::from_le_bytes(*first), word(middle), word(last)];
    u8::try_from(name.len()).ok().filter(|len| *len <= 24).map(|len| (len, words))
}

/// Where an interface is remembered.
#[inline]
fn slot((_, [_, middle, last]): Ends) -> usize {
    let mixed = (middle ^ last).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 52) as usize % SLOTS
}

/// Who is who in a record.
struct Sides {
    ours: IpAddr,
    peer: IpAddr,
    port: u16,
    inward: bool,
    service: Side,
    both_watched: bool,
}

impl Sides {
    /// Tells the sides apart, unless nothing of the record can be selected. `whole` says that all traffic of the interface
    /// is.
    fn of(selection: &Selection, r: &Record<'_>, whole: bool) -> Option<Sides> {
        let (Some(source), Some(destination)) = r.ends() else { return None };
        let (from, to) = (r.source_port.unwrap_or(0), r.destination_port.unwrap_or(0));
        let watched = (selection.watches(from), selection.watches(to));
        let known = || selection.addresses.contains(&source) || selection.addresses.contains(&destination);
        if !(watched.0 || watched.1 || whole || known()) {
            return None;
        }
        let to_service = match watched {
            (true, false) => false,
            (false, true) => true,
            _ => opens(r.tcp_flags).unwrap_or(to <= from),
        };
        let name = if whole { str::from_utf8(r.interface).ok() } else { None };
        let inward = r.egress.map(|e| !e).or_else(|| selection.inward(name, source, destination));
        // Of two addresses of our own, the one with the service is looked at.
        let inward = inward.unwrap_or(to_service);
        let (ours, peer) = if inward { (destination, source) } else { (source, destination) };
        let service = if to_service == inward { Side::Ours } else { Side::Peer };
        let port = if to_service { to } else { from };
        Some(Sides { ours, peer, port, inward, service, both_watched: watched.0 && watched.1 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Format;
    use super::super::lines::Lines;
    use super::written::MAX_ROWS;
    use super::*;
    use crate::config::Network;

    fn rows(selection: &Selection, text: &str) -> Written {
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
        let Written { hours, rows, .. } = rows(&Selection::new(network(), &[6006]), FOUR);
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
        assert!(rows.iter().all(|r| r.peer == "public 198.51.100.0/24"
            && r.initiator == crate::evidence::flow_logs::Initiator::Peer));
        assert_eq!(hours[0].interfaces, [("eni-1".to_owned(), 4, 0, 0)]);
    }

    #[test]
    fn all_traffic_of_a_known_interface_is_kept_and_seen_from_its_own_side() {
        let mut selection = Selection::new(network(), &[]);
        let here = ["10.0.0.9".parse().unwrap()].into();
        selection.interfaces.insert("eni-1".to_owned(), here);
        let Written { rows, .. } = rows(
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
        let Written { hours, rows, other, .. } =
            rows(&selection, &(0..MAX_ROWS + 10).map(line).collect::<String>());
        assert_eq!((rows.len(), hours[0].interfaces.len()), (MAX_ROWS, MAX_ROWS + 10));
        assert_eq!(
            (other.rows, other.flows, other.packets, other.bytes),
            (10, 10, 20, 45),
            "the smallest ones"
        );
    }
}
