//! Flow logs: sums per interface and hour over all delivered objects, rows of watched ports, the inventory.

use super::flows::{self, Rows};
use super::{States, once, push, push_tight, read};
use crate::evidence::flow_logs::{
    FlowLogConfiguration, FlowObject, FlowSelection, FlowWindow, NetworkInterface, Traffic,
};
use crate::evidence::{Kind, Time, short_digest};
use crate::ledger::entry::Placed;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What one interface had in one hour, over objects and windows.
#[derive(Clone, Debug, Default)]
pub struct HourSum(Vec<Part>);

/// What one entry told of it.
#[derive(Clone, Copy, Debug)]
struct Part {
    seq: u64,
    lost: u32,
    spoke: bool,
    blind: bool,
    totals_only: bool,
}

impl HourSum {
    /// Entries that told it.
    pub fn entries(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|p| p.seq)
    }

    /// Whether there is a record of it, with traffic or without.
    pub fn spoke(&self) -> bool {
        self.0.iter().any(|p| p.spoke)
    }

    /// Records lost.
    pub fn lost(&self) -> u64 {
        self.0.iter().map(|p| u64::from(p.lost)).sum()
    }

    /// Whether a record's format leaves out what a connection is told by.
    pub fn is_blind(&self) -> bool {
        self.0.iter().any(|p| p.blind)
    }

    /// Whether some of it was read before all traffic of the interface was selected: it is kept in totals only.
    pub fn is_totals_only(&self) -> bool {
        self.0.iter().any(|p| p.totals_only)
    }

    /// Takes back what an entry told. Whether anything is left.
    fn forget(&mut self, seq: u64) -> bool {
        self.0.retain(|p| p.seq != seq);
        !self.0.is_empty()
    }
}

/// A delivered object or window: of when it tells, and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Sequence number of the entry that told it last.
    pub seq: u64,
    /// Start of its first record and end of its last one; none where none could be read.
    pub span: Option<(Time, Time)>,
    /// When S3 got it.
    pub came: Option<Time>,
    /// First and last of the hours that it counts.
    pub hours: Option<(Time, Time)>,
}

impl Arrival {
    /// Seconds from its last record to its delivery.
    pub fn delay(&self) -> Option<i64> {
        Some((self.came?.seconds() - self.span?.1.seconds()).max(0))
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
    pub hours: BTreeMap<String, BTreeMap<Time, BTreeMap<Rc<str>, HourSum>>>,
    /// Names of interfaces, each once.
    names: BTreeSet<Rc<str>>,
    /// Hours of which objects or windows were not read, or not whole, by source; with the entries that tell so.
    pub unread: BTreeMap<String, BTreeMap<Time, BTreeSet<u64>>>,
    /// When records were first searched for the interface that holds an address of a node, by source and address.
    sought: BTreeMap<(String, String), Time>,
    /// Interfaces that held an address of a node, by source and address.
    holders: BTreeMap<String, BTreeMap<String, Vec<Holder>>>,
    /// When the first record begins, by source.
    begins: BTreeMap<String, Time>,
    /// What was delivered, by source, in the order of the entries that told it first.
    pub arrivals: BTreeMap<String, Vec<Arrival>>,
    /// Accepted TCP traffic of service ports on our side: of watched ones, and of all where all of an interface is kept.
    pub ports: Rows,
    /// Accepted traffic to public addresses.
    pub egress: Rows,
    /// Interfaces by source all of whose traffic is kept, as of the last selection.
    selected: BTreeMap<String, BTreeSet<String>>,
    /// Pods by source all of whose traffic is kept, as of the last selection.
    pods: BTreeMap<String, Rc<BTreeSet<String>>>,
    /// How each hour was seen, by source.
    views: BTreeMap<String, BTreeMap<Time, Vec<View>>>,
    /// Where an object or window stands among the arrivals of its source, by a digest of source and subject.
    told: BTreeMap<[u8; 16], u32>,
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
                if let Some(FlowObject { unread, modified, traffic, .. }) = read(placed).map(|s| s.value) {
                    self.delivered(placed, modified, unread, traffic);
                }
            }
            Kind::FlowLogWindow => {
                if let Some(FlowWindow { from, traffic, .. }) = read(placed).map(|s| s.value) {
                    let unread = (traffic.records.quarantined > 0).then_some((from, from));
                    self.delivered(placed, None, unread, traffic);
                }
            }
            _ => {}
        }
    }

    /// Notes what was delivered; a revision stands in the place of what was told before, which is taken back.
    fn arrived(&mut self, source: &str, subject: &str, arrival: Arrival) {
        let arrivals = self.arrivals.entry(source.to_owned()).or_default();
        let next = u32::try_from(arrivals.len()).unwrap_or(u32::MAX);
        let place = *self.told.entry(short_digest([source, subject])).or_insert(next);
        match arrivals.get_mut(place as usize) {
            Some(before) => {
                let before = std::mem::replace(before, arrival);
                self.forget(source, &before);
            }
            None => push_tight(arrivals, arrival),
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

    /// Adds what an object or window counted.
    fn delivered(
        &mut self,
        placed: &Placed,
        came: Option<Time>,
        unread: Option<(Time, Time)>,
        traffic: Traffic,
    ) {
        let (seq, source) = (placed.seq, placed.entry.source.as_str());
        let told = || traffic.hours.iter().map(|row| row.hour);
        let hours = told().min().zip(told().max());
        self.arrived(source, &placed.entry.subject, Arrival { seq, span: traffic.span, came, hours });
        if let Some(begin) = traffic.span.into_iter().chain(unread).map(|(from, _)| from).min() {
            let first = self.begins.entry(source.to_owned()).or_insert(begin);
            *first = begin.min(*first);
        }
        if let Some(span) = traffic.span {
            traffic.nodes.iter().for_each(|(interface, address)| self.held(source, interface, address, span));
        }
        let not_read = self.unread.entry(source.to_owned()).or_default();
        for hour in unread.into_iter().flat_map(|(from, to)| hours_of(from, to)) {
            not_read.entry(hour).or_default().insert(seq);
        }
        self.egress.add(source, seq, flows::egress(&traffic.rows));
        self.ports.add(source, seq, flows::ports(&traffic.rows));
        self.counted(source, seq, traffic);
    }

    fn counted(&mut self, source: &str, seq: u64, traffic: Traffic) {
        let has = |name: &str| traffic.format.iter().any(|f| f == name);
        let ends = (has("srcaddr") || has("pkt-srcaddr")) && (has("dstaddr") || has("pkt-dstaddr"));
        let blind = !(ends && ["action", "protocol", "srcport", "dstport"].into_iter().all(has));
        let selected = self.selected.get(source).filter(|_| traffic.other.rows == 0);
        let shows_pods = has("pkt-srcaddr") && has("pkt-dstaddr");
        let kept = self.pods.get(source).filter(|_| traffic.other.rows == 0).cloned();
        let (views, hours) = (
            self.views.entry(source.to_owned()).or_default(),
            self.hours.entry(source.to_owned()).or_default(),
        );
        for row in traffic.hours {
            let lost = row.interfaces.iter().any(|(_, _, _, skipdata)| *skipdata > 0);
            let view = View { seq, shows_pods, lost, kept: kept.clone() };
            push_tight(views.entry(row.hour).or_default(), view);
            let sums = hours.entry(row.hour).or_default();
            for (interface, ok, nodata, skipdata) in row.interfaces {
                let name: Rc<str> = once(&mut self.names, interface);
                let totals_only = ok > 0 && !selected.is_some_and(|s| s.contains(&*name));
                let (spoke, lost) = (ok + nodata > 0, u32::try_from(skipdata).unwrap_or(u32::MAX));
                let part = Part { seq, lost, spoke, blind, totals_only };
                push_tight(&mut sums.entry(name).or_default().0, part);
            }
        }
    }

    /// Takes back what an entry told.
    fn forget(&mut self, source: &str, told: &Arrival) {
        let seq = told.seq;
        let unread = self.unread.entry(source.to_owned()).or_default();
        unread.retain(|_, entries| !entries.remove(&seq) || !entries.is_empty());
        let Some((first, last)) = told.hours else { return };
        for (_, views) in self.views.entry(source.to_owned()).or_default().range_mut(first..=last) {
            views.retain(|v| v.seq != seq);
        }
        let (mut spoke, mut empty) = (BTreeSet::new(), Vec::new());
        let hours = self.hours.entry(source.to_owned()).or_default();
        for (hour, sums) in hours.range_mut(first..=last) {
            sums.retain(|name, sum| {
                spoke.extend(sum.entries().any(|told| told == seq).then(|| name.clone()));
                sum.forget(seq)
            });
            empty.extend(sums.is_empty().then_some(*hour));
        }
        empty.iter().for_each(|hour| drop(hours.remove(hour)));
        [&mut self.ports, &mut self.egress].into_iter().for_each(|rows| rows.forget(source, &spoke, seq));
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
