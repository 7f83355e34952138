//! Rules about flow logs: hour by hour, interface by interface. Accepted, never "reached".

use super::super::coverage::Unread;
use super::super::facts::{HourSum, PortUse, Seen};
use super::super::findings::Case;
use super::super::inventory::Interface;
use super::{Judged, utc};
use crate::evidence::Time;
use crate::evidence::flow_logs::Initiator;
use std::collections::BTreeMap;

/// Whole hours of the window that the record of a source holds, up to its horizon.
fn hours<'a>(case: &Case<'a>, source: &str) -> &'a [Time] {
    case.estate.coverage.get(source).map_or(&[], |c| &c.hours)
}

/// Interfaces of the system, those that were deleted within the window included.
pub(super) fn interfaces<'a>(case: &Case<'a>) -> Vec<&'a Interface> {
    let Some(system) = case.system else { return Vec::new() };
    let ours = |i: &&Interface| system.interfaces.contains(&(i.source.clone(), i.name.clone()));
    let recent = |i: &&Interface| i.until.is_none_or(|u| u > case.estate.window);
    case.estate.interfaces.iter().filter(ours).filter(recent).collect()
}

fn sum<'a>(case: &Case<'a>, i: &Interface, hour: Time) -> Option<&'a HourSum> {
    case.facts.network.hours.get(&i.source)?.get(&hour)?.get(&i.name)
}

/// Whether a flow log over all traffic covers an interface; none when no flow log was listed, or nothing tells the VPC.
fn covered(case: &Case<'_>, i: &Interface) -> Option<bool> {
    let logs = case.facts.network.configurations.at(case.estate.at).map(|(_, c)| c);
    let logs: Vec<_> = logs.filter(|c| c.source == i.source).map(|c| &c.value).collect();
    let over = |r: &String| *r == i.vpc || *r == i.subnet || *r == i.name;
    (!logs.is_empty() && !i.vpc.is_empty())
        .then(|| logs.iter().any(|c| over(&c.resource) && c.traffic == "ALL"))
}

pub(super) fn audit_trail(case: &Case<'_>) -> Vec<Judged> {
    let mut judged = Vec::new();
    for i in interfaces(case) {
        let covered = covered(case, i);
        for hour in hours(case, &i.source).iter().copied().filter(|h| i.covers(*h)) {
            let sum = sum(case, i, hour);
            let unread = case.estate.unread(&i.source, hour);
            let line = match sum {
                _ if covered == Some(false) => 1,
                _ if unread.is_some() => 2,
                Some(s) if s.skipdata > 0 => 3,
                None => 4,
                Some(s) if s.ok + s.nodata > 0 => 5,
                Some(_) => 6,
            };
            let note = match line {
                1 => "no flow log over all traffic covers it".to_owned(),
                2 => unread.map_or_else(String::new, |u| not_read(u, hour)),
                3 => format!("AWS lost records (SKIPDATA) in the hour from {}", utc(hour)),
                4 => format!("others have records, this interface has none in the hour from {}", utc(hour)),
                _ => String::new(),
            };
            let told = sum.into_iter().flat_map(HourSum::entries);
            let entries: Vec<u64> = told.chain(unread.and_then(|u| u.entry)).collect();
            let unit = format!("{} {hour}", i.name);
            judged
                .push(Judged::line(unit, line).note(note).evidence(entries).evidence([i.seq]).happened(hour));
        }
    }
    judged
}

fn not_read(unread: &Unread, hour: Time) -> String {
    format!("{} in the hour from {}", unread.why, utc(hour))
}

pub(super) fn segmentation(case: &Case<'_>) -> Vec<Judged> {
    let ours = interfaces(case);
    if ours.is_empty() {
        return vec![without(case, 2)];
    }
    let mut rows: BTreeMap<Time, Vec<&Seen<PortUse>>> = BTreeMap::new();
    for row in case.facts.network.ports() {
        if is_of(&ours, &row.source, &row.value.interface) {
            rows.entry(row.value.hour).or_default().push(row);
        }
    }
    all_hours(case, &ours)
        .into_iter()
        .map(|hour| segment(case, &ours, hour, rows.get(&hour).map_or(&[], Vec::as_slice)))
        .collect()
}

/// A system without any interface: `line` where an inventory tells so, the one after it where none was read.
pub(super) fn without(case: &Case<'_>, line: usize) -> Judged {
    let listed = case.estate.interfaces.iter().find(|i| i.until.is_none()).map(|i| i.seq);
    Judged::line("every hour", if listed.is_some() { line } else { line + 1 }).evidence(listed)
}

/// Whether an interface is one of these.
pub(super) fn is_of(ours: &[&Interface], source: &str, interface: &str) -> bool {
    ours.iter().any(|i| i.source == source && i.name == interface)
}

/// Hours of the window that any source of these interfaces was read for.
pub(super) fn all_hours(case: &Case<'_>, ours: &[&Interface]) -> Vec<Time> {
    let mut all: Vec<Time> = ours.iter().flat_map(|i| hours(case, &i.source)).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// How much of an hour was seen of the interfaces that were there.
pub(super) struct Sight<'a> {
    /// Whether none was there from its first minute to its last.
    pub absent: bool,
    /// Whether a format does not show what is asked.
    pub blind: bool,
    /// Why what was seen is not all: an hour was not read through, or an interface has no record in it.
    pub missing: Option<String>,
    /// Whether AWS lost some.
    pub lost: bool,
    /// Whether some of it is kept in totals only.
    pub totals_only: bool,
    unread: Option<u64>,
    sums: Vec<&'a HourSum>,
}

impl<'a> Sight<'a> {
    pub(super) fn of(case: &Case<'a>, ours: &[&Interface], hour: Time) -> Sight<'a> {
        let used: Vec<_> = ours.iter().filter(|i| i.covers(hour)).collect();
        let sums: Vec<_> = used.iter().map(|i| sum(case, i, hour)).collect();
        let any = |has: fn(&HourSum) -> bool| sums.iter().flatten().any(|s| has(s));
        let unread = used.iter().find_map(|i| case.estate.unread(&i.source, hour));
        let silent = sums.iter().any(Option::is_none) || used.iter().any(|i| covered(case, i) == Some(false));
        let no_record = || format!("an interface of the system has no record in the hour from {}", utc(hour));
        Sight {
            absent: used.is_empty(),
            blind: any(|s| s.blind),
            missing: unread.map(|u| not_read(u, hour)).or_else(|| silent.then(no_record)),
            unread: unread.and_then(|u| u.entry),
            lost: any(|s| s.skipdata > 0),
            totals_only: any(|s| s.totals_only),
            sums: sums.into_iter().flatten().collect(),
        }
    }

    /// Entries that told it.
    pub(super) fn entries(&self) -> Vec<u64> {
        self.sums.iter().flat_map(|s| s.entries()).chain(self.unread).collect()
    }
}

fn segment(case: &Case<'_>, ours: &[&Interface], hour: Time, rows: &[&Seen<PortUse>]) -> Judged {
    let hits = |who: Initiator| {
        rows.iter().filter(move |r| r.value.allowed == Some(false) && r.value.initiator == who)
    };
    let sight = Sight::of(case, ours, hour);
    let line = if hits(Initiator::Peer).next().is_some() {
        1
    } else if sight.absent {
        2
    } else if sight.blind {
        4
    } else if sight.missing.is_some() {
        5
    } else if sight.lost {
        6
    } else if hits(Initiator::Unknown).next().is_some() {
        7
    } else {
        8
    };
    let shown = if line == 1 { Initiator::Peer } else { Initiator::Unknown };
    let entries: Vec<u64> = match line {
        1 | 7 => hits(shown).map(|r| r.seq).collect(),
        _ => sight.entries(),
    };
    let mut judged =
        Judged::line(hour.to_string(), line).note(told(line, hour, hits(shown), sight.missing.as_deref()));
    judged.public = line == 1 && hits(shown).any(|r| r.value.peer.starts_with("public "));
    judged.evidence(entries).happened(hour)
}

fn told<'r>(
    line: usize,
    hour: Time,
    hits: impl Iterator<Item = &'r &'r Seen<PortUse>>,
    missing: Option<&str>,
) -> String {
    match line {
        1 | 7 => {
            let row = |r: &&Seen<PortUse>| {
                let v = &r.value;
                let kib = v.bytes_out / 1024;
                let peers = match v.peer.strip_prefix("public ") {
                    Some(network) => format!("public addresses in {network}"),
                    None => format!("{} addresses", v.peer),
                };
                let (port, n) = (v.port, v.connections);
                format!(
                    "port {port} accepted {n} connections from {peers} in the hour from {}, {kib} KiB out",
                    utc(hour)
                )
            };
            hits.map(row).collect::<Vec<_>>().join("; ")
        }
        4 => "the format of the flow log does not show ports, addresses or action".into(),
        5 => missing.unwrap_or_default().to_owned(),
        6 => format!("AWS lost records (SKIPDATA) in the hour from {}", utc(hour)),
        _ => String::new(),
    }
}
