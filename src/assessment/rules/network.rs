//! Rules about flow logs: hour by hour, interface by interface. Accepted, never "reached".

use super::super::facts::{Row, Sum};
use super::super::findings::Case;
use super::sight::{Ours, Sight, covered, hours, not_read, sum};
use super::{Judged, many, utc};
use crate::evidence::Time;
use crate::evidence::flow_logs::Initiator;
use std::collections::BTreeMap;

pub(super) fn audit_trail(case: &Case<'_>) -> Vec<Judged> {
    let mut judged = Vec::new();
    for i in Ours::of(case).interfaces {
        let covered = covered(case, i);
        for hour in hours(case, &i.source).iter().copied().filter(|h| i.covers(*h)) {
            let sum = sum(case, i, hour);
            let unread = case.estate.unread(&i.source, hour);
            let line = match sum {
                _ if covered == Some(false) => 1,
                _ if unread.is_some() => 2,
                Some(s) if s.is_lost() => 3,
                None => 4,
                Some(s) if s.spoke() => 5,
                Some(_) => 6,
            };
            let note = match line {
                1 => "no flow log over all traffic covers it".to_owned(),
                2 => unread.map_or_else(String::new, |u| not_read(u, hour)),
                3 => format!("AWS lost records (SKIPDATA) in the hour from {}", utc(hour)),
                4 => format!("others have records, this interface has none in the hour from {}", utc(hour)),
                _ => String::new(),
            };
            let told = sum.iter().flat_map(Sum::entries);
            let entries: Vec<u64> = told.chain(unread.and_then(|u| u.entry)).collect();
            let unit = format!("{} {hour}", i.name);
            judged
                .push(Judged::line(unit, line).note(note).evidence(entries).evidence([i.seq]).happened(hour));
        }
    }
    judged
}

/// Whether an inventory tells that the system has no interface, or nobody knows.
pub(super) fn line_of_nothing(case: &Case<'_>) -> usize {
    Ours::of(case).without(case, 0).map_or(1, |(line, _)| line)
}

pub(super) fn segmentation(case: &Case<'_>) -> Vec<Judged> {
    let ours = Ours::of(case);
    if let Some((line, listed)) = ours.without(case, 2) {
        return vec![Judged::line("every hour", line).evidence(listed)];
    }
    let mut rows: BTreeMap<Time, Vec<Row<'_>>> = BTreeMap::new();
    for row in ours.rows(case, |d| &d.ports) {
        rows.entry(row.hour).or_default().push(row);
    }
    let of = |hour: &Time| rows.get(hour).map_or(&[][..], Vec::as_slice);
    ours.hours(case).into_iter().map(|hour| segment(case, &ours, hour, of(&hour))).collect()
}

fn segment(case: &Case<'_>, ours: &Ours<'_>, hour: Time, rows: &[Row<'_>]) -> Judged {
    let hits = |who: Initiator| {
        rows.iter().filter(move |r| r.place.allowed == Some(false) && r.place.initiator == who)
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
        _ => sight.entries.clone(),
    };
    let mut judged =
        Judged::line(hour.to_string(), line).note(told(line, hour, hits(shown), sight.missing.as_deref()));
    judged.public = line == 1 && hits(shown).any(|r| r.place.peer.starts_with("public "));
    judged.evidence(entries).happened(hour)
}

fn told<'r>(
    line: usize,
    hour: Time,
    hits: impl Iterator<Item = &'r Row<'r>>,
    missing: Option<&str>,
) -> String {
    match line {
        1 | 7 => {
            let row = |r: &Row<'_>| {
                let (port, n, kib) = (r.place.port, many(r.records, "connection"), r.bytes / 1024);
                let peers = match r.place.peer.strip_prefix("public ") {
                    Some(network) => format!("public addresses in {network}"),
                    None => format!("{} addresses", r.place.peer),
                };
                format!("port {port} accepted {n} from {peers} in the hour from {}, {kib} KiB out", utc(hour))
            };
            hits.map(row).collect::<Vec<_>>().join("; ")
        }
        4 => "the format of the flow log does not show ports, addresses or action".into(),
        5 => missing.unwrap_or_default().to_owned(),
        6 => format!("AWS lost records (SKIPDATA) in the hour from {}", utc(hour)),
        _ => String::new(),
    }
}
