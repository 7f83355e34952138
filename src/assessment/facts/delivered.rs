//! What was delivered of the flow logs of one source, and what it tells of hours.

use super::flows::{self, Row, Rows};
use super::hours::{Hour, Hours, Sum, Told};
use super::push_tight;
use crate::evidence::flow_logs::{FlowSelection, Traffic};
use crate::evidence::{Time, short_digest};
use std::collections::{BTreeMap, BTreeSet};

/// A delivered object or window: of when it tells, and when it came. A large estate has a million, so each takes 32 bytes.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Sequence number of the entry that told it last.
    pub seq: u64,
    /// Start of its first record.
    from: Time,
    /// Seconds from there to the end of its last one; [`NONE`] where none could be read.
    length: u32,
    /// Seconds from its last record to its delivery; [`NONE`] where nothing tells when it came.
    delay: u32,
    /// First and last of the hours that it counts; of what counts none, the last before the first.
    hours: (Hour, Hour),
}

/// Seconds that are not known.
const NONE: u32 = u32::MAX;

impl Arrival {
    /// What an entry counted, and when it came.
    pub fn of(seq: u64, came: Option<Time>, traffic: &Traffic) -> Arrival {
        let seconds = |from: Time, to: Time| {
            u32::try_from((to.seconds() - from.seconds()).max(0)).unwrap_or(NONE).min(NONE - 1)
        };
        let hours = || traffic.hours.iter().map(|row| Hour::from(row.hour));
        Arrival {
            seq,
            from: traffic.span.map(|(from, _)| from).unwrap_or_default(),
            length: traffic.span.map_or(NONE, |(from, to)| seconds(from, to)),
            delay: traffic.span.zip(came).map_or(NONE, |((_, to), came)| seconds(to, came)),
            hours: hours().min().zip(hours().max()).unwrap_or(Hour::NONE),
        }
    }

    /// Start of its first record and end of its last one; none where none could be read.
    pub fn span(&self) -> Option<(Time, Time)> {
        (self.length != NONE).then(|| (self.from, self.from.plus_seconds(self.length.into())))
    }

    /// Seconds from its last record to its delivery; none where nothing tells when it came.
    pub fn delay(&self) -> Option<u32> {
        Some(self.delay).filter(|delay| *delay != NONE)
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
#[derive(Clone, Copy, Debug)]
pub struct View<'f> {
    /// Its entry.
    pub seq: u64,
    /// Whether its format shows the addresses of packets: those of pods, behind that of their node.
    pub shows_pods: bool,
    /// Whether AWS lost records.
    pub lost: bool,
    /// Addresses of pods whose traffic it kept; none where it did not keep all of it.
    kept: Option<&'f BTreeSet<String>>,
}

impl View<'_> {
    /// Whether all traffic of these addresses was kept.
    pub fn keeps(&self, addresses: &[String]) -> bool {
        self.kept.is_some_and(|kept| addresses.iter().all(|a| kept.contains(a)))
    }
}

/// A view as it is stored: of a large estate there are millions.
#[derive(Clone, Copy, Debug)]
struct StoredView {
    arrival: u32,
    /// The selection of pods, counted from the first. None where not all was kept, and beyond 65,536 selections: it then counts
    /// as not kept.
    kept: Option<u16>,
    shows_pods: bool,
    lost: bool,
}

/// Objects and windows of one source.
#[derive(Debug, Default)]
pub struct Delivered {
    /// In the order of the entries that told each first.
    pub arrivals: Vec<Arrival>,
    /// The number of each among them, by the digest of its subject.
    numbers: BTreeMap<[u8; 16], u32>,
    /// When the first record begins that any of them holds, or may have held.
    pub begin: Option<Time>,
    /// Hours of which something was not read, with the entries that tell so.
    pub unread: BTreeMap<Time, BTreeSet<u64>>,
    /// Accepted TCP traffic of service ports on our side: of watched ones, and of all where all of an interface is kept.
    pub ports: Rows,
    /// Accepted traffic to public addresses.
    pub egress: Rows,
    hours: Hours,
    views: BTreeMap<Hour, Vec<StoredView>>,
    /// Records that AWS lost by hour and interface, as each arrival told it.
    lost: BTreeMap<(Time, String), BTreeMap<u32, u64>>,
    /// Interfaces all of whose traffic is kept, as of the last selection.
    interfaces: BTreeSet<String>,
    /// Pods all of whose traffic is kept, as of each selection.
    pods: Vec<BTreeSet<String>>,
    /// When records were first searched for the interface that holds an address of a node.
    sought: BTreeMap<String, Time>,
    /// Interfaces that held an address of a node.
    holders: BTreeMap<String, Vec<Holder>>,
}

impl Delivered {
    /// What is kept as rows from now on.
    pub(super) fn select(&mut self, at: Time, selection: FlowSelection) {
        self.interfaces = selection.interfaces.into_iter().map(|(i, _)| i).collect();
        for node in selection.nodes {
            self.sought.entry(node).or_insert(at);
        }
        let pods = selection.pods.into_iter().collect();
        if self.pods.last() != Some(&pods) {
            self.pods.push(pods);
        }
    }

    /// Adds an object or window. A revision stands in the place of what was told before, which is taken back.
    pub(super) fn add(
        &mut self,
        seq: u64,
        subject: &str,
        came: Option<Time>,
        unread: Option<(Time, Time)>,
        traffic: Traffic,
    ) {
        let new = Arrival::of(seq, came, &traffic);
        let next = u32::try_from(self.arrivals.len()).unwrap_or(u32::MAX);
        let arrival = *self.numbers.entry(short_digest([subject])).or_insert(next);
        match self.arrivals.get_mut(arrival as usize) {
            Some(before) => {
                let before = std::mem::replace(before, new);
                self.forget(&before, arrival);
            }
            None => push_tight(&mut self.arrivals, new),
        }
        let begin = traffic.span.into_iter().chain(unread).map(|(from, _)| from).min();
        self.begin = self.begin.into_iter().chain(begin).min();
        if let Some(span) = traffic.span {
            traffic.nodes.iter().for_each(|(interface, address)| self.hold(interface, address, span));
        }
        for hour in unread.into_iter().flat_map(|(from, to)| hours_of(from, to)) {
            self.unread.entry(hour).or_default().insert(seq);
        }
        self.ports.add(arrival, flows::ports(&traffic.rows));
        self.egress.add(arrival, flows::egress(&traffic.rows));
        self.count(arrival, traffic);
    }

    /// Gives up what only verdicts are worked out from: how hours were seen. Rows stay.
    pub(super) fn settle(&mut self) {
        (self.numbers, self.hours, self.views) = Default::default();
    }

    /// Notes that an interface held an address.
    fn hold(&mut self, interface: &str, address: &str, (from, to): (Time, Time)) {
        let holders = self.holders.entry(address.to_owned()).or_default();
        match holders.iter_mut().find(|h| h.interface == interface) {
            Some(holder) => (holder.from, holder.to) = (holder.from.min(from), holder.to.max(to)),
            None => holders.push(Holder { interface: interface.to_owned(), from, to }),
        }
    }

    fn count(&mut self, arrival: u32, traffic: Traffic) {
        let has = |name: &str| traffic.format.iter().any(|f| f == name);
        let ends = (has("srcaddr") || has("pkt-srcaddr")) && (has("dstaddr") || has("pkt-dstaddr"));
        let sees = ends && ["action", "protocol", "srcport", "dstport"].into_iter().all(has);
        let shows_pods = has("pkt-srcaddr") && has("pkt-dstaddr");
        let is_all = traffic.other.rows == 0;
        let pods = self.pods.len().checked_sub(1).filter(|_| is_all).and_then(|n| u16::try_from(n).ok());
        for row in traffic.hours {
            let lost = row.interfaces.iter().any(|(_, _, _, skipdata)| *skipdata > 0);
            let view = StoredView { arrival, kept: pods, shows_pods, lost };
            push_tight(self.views.entry(row.hour.into()).or_default(), view);
            for (interface, ok, nodata, skipdata) in row.interfaces {
                let is_kept = is_all && self.interfaces.contains(&interface);
                let told = Told {
                    spoke: ok + nodata > 0,
                    lost: skipdata > 0,
                    blind: !sees,
                    totals_only: ok > 0 && !is_kept,
                };
                if told.lost {
                    let lost = self.lost.entry((row.hour, interface.clone())).or_default();
                    *lost.entry(arrival).or_default() += skipdata;
                }
                self.hours.add(interface, row.hour.into(), arrival, told);
            }
        }
    }

    /// Takes back what was told.
    fn forget(&mut self, before: &Arrival, arrival: u32) {
        let seq = before.seq;
        self.unread.retain(|_, entries| !entries.remove(&seq) || !entries.is_empty());
        self.lost.retain(|_, told| told.remove(&arrival).is_none() || !told.is_empty());
        let told = |hour: &Hour| before.hours.0 <= *hour && *hour <= before.hours.1;
        self.views.retain(|hour, views| {
            if told(hour) {
                views.retain(|v| v.arrival != arrival);
            }
            !views.is_empty()
        });
        let interfaces = self.hours.forget(before.hours, arrival);
        [&mut self.ports, &mut self.egress].into_iter().for_each(|rows| rows.forget(&interfaces, arrival));
    }

    /// What an interface had in an hour; none where nothing tells of it.
    pub fn in_hour(&self, interface: &str, hour: Time) -> Option<Sum<'_>> {
        self.between(interface, (hour, hour))
    }

    /// What an interface had from one hour to another; none where nothing tells of it.
    pub fn between(&self, interface: &str, (first, last): (Time, Time)) -> Option<Sum<'_>> {
        self.hours.of(interface, (first.into(), last.into()), &self.arrivals)
    }

    /// Rows of an interface among some of these, in the order in which what told them came.
    pub fn rows<'f>(&'f self, rows: &'f Rows, interface: &str) -> impl Iterator<Item = Row<'f>> {
        rows.of(interface, &self.arrivals)
    }

    /// How an hour was seen.
    pub fn views(&self, hour: Time) -> impl Iterator<Item = View<'_>> {
        self.views.get(&hour.into()).into_iter().flatten().filter_map(|view| {
            let StoredView { arrival, kept, shows_pods, lost } = *view;
            let kept = kept.and_then(|n| self.pods.get(usize::from(n)));
            Some(View { seq: self.arrivals.get(arrival as usize)?.seq, shows_pods, lost, kept })
        })
    }

    /// Whether anything tells of an hour.
    pub fn has(&self, hour: Time) -> bool {
        self.views.contains_key(&hour.into())
    }

    /// Records that AWS lost: hour, interface, how many, and the first entry that tells it.
    pub fn lost(&self) -> impl Iterator<Item = (Time, &str, u64, Option<u64>)> {
        self.lost.iter().map(|((hour, interface), told)| {
            let first = told.keys().filter_map(|n| Some(self.arrivals.get(*n as usize)?.seq)).min();
            (*hour, interface.as_str(), told.values().sum(), first)
        })
    }

    /// Since when records are searched for the interface that holds an address of a node.
    pub fn sought(&self, address: &str) -> Option<Time> {
        self.sought.get(address).copied()
    }

    /// Interfaces that held an address, as records showed it.
    pub fn holders(&self, address: &str) -> &[Holder] {
        self.holders.get(address).map_or(&[], Vec::as_slice)
    }
}

/// The hours of a span.
fn hours_of(from: Time, to: Time) -> Vec<Time> {
    std::iter::successors(Some(from.hour()), |h| Some(h.plus_seconds(3600)))
        .take_while(|h| *h <= to)
        .collect()
}
