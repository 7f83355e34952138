//! Where connections of a system go: public networks, hour by hour, against what the register declares.

use super::super::facts::Row;
use super::super::findings::Case;
use super::sight::{Ours, Sight};
use super::{Judged, many, utc};
use crate::config::Network;
use crate::evidence::Time;
use ipnet::IpNet;
use std::collections::BTreeMap;

pub(super) fn declared(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let Some(egress) = &system.register.egress else {
        let note = "the register says nothing of its egress, not even an empty list";
        return vec![Judged::line("every hour", 1).note(note).evidence(system.registered)];
    };
    let ours = Ours::of(case);
    if let Some((line, listed)) = ours.without(case, 3) {
        return vec![Judged::line("every hour", line).evidence(listed)];
    }
    let mut rows: BTreeMap<Time, Vec<Row<'_>>> = BTreeMap::new();
    for row in ours.rows(case, |d| &d.egress) {
        if row.place.is_opened_by_us() != Some(false) && !is_declared(case, egress, &row.place.peer) {
            rows.entry(row.hour).or_default().push(row);
        }
    }
    let beyond = |hour: &Time| rows.get(hour).map_or(&[][..], Vec::as_slice);
    ours.hours(case).into_iter().map(|hour| judge(case, &ours, hour, beyond(&hour))).collect()
}

/// Whether a class of peers lies within what is declared, by its network or by its name. A named range that is private is
/// no public address.
fn is_declared(case: &Case<'_>, egress: &[String], peer: &str) -> bool {
    let range = case.estate.config.ranges.get(peer);
    let network = range.map_or(peer.trim_start_matches("public "), String::as_str);
    let network: Option<IpNet> = network.parse().ok();
    let private = range.is_some() && network.is_some_and(|n| Network::is_private(n.addr()));
    let within = |declared: &String| {
        declared == peer || declared.parse::<IpNet>().is_ok_and(|d| network.is_some_and(|n| d.contains(&n)))
    };
    private || egress.iter().any(within)
}

fn judge(case: &Case<'_>, ours: &Ours<'_>, hour: Time, beyond: &[Row<'_>]) -> Judged {
    let opened = |known: bool| beyond.iter().filter(move |r| r.place.is_opened_by_us().is_some() == known);
    let sight = Sight::of(case, ours, hour);
    let line = if opened(true).next().is_some() {
        2
    } else if sight.absent {
        3
    } else if sight.blind {
        5
    } else if sight.missing.is_some() || sight.totals_only {
        6
    } else if sight.lost {
        7
    } else if opened(false).next().is_some() {
        8
    } else {
        9
    };
    let (entries, note) = match line {
        2 | 8 => (opened(line == 2).map(|r| r.seq).collect(), told(hour, opened(line == 2))),
        _ => (sight.entries.clone(), why(line, hour, sight.missing)),
    };
    let mut judged = Judged::line(hour.to_string(), line).note(note);
    judged.public = line == 2;
    judged.evidence(entries).happened(hour)
}

fn told<'r>(hour: Time, rows: impl Iterator<Item = &'r Row<'r>>) -> String {
    let row = |r: &Row<'_>| {
        let network = r.place.peer.trim_start_matches("public ");
        let (kib, port, n) = (r.bytes / 1024, r.place.port, many(r.records, "record"));
        format!("{n} to port {port} in {network} in the hour from {}, {kib} KiB out", utc(hour))
    };
    rows.map(row).collect::<Vec<_>>().join("; ")
}

fn why(line: usize, hour: Time, missing: Option<String>) -> String {
    let hour = utc(hour);
    match line {
        5 => "the format of the flow log does not show ports, addresses or action".into(),
        6 => missing.unwrap_or_else(|| format!(
            "kept in total only in the hour from {hour}: read before the system's interfaces were selected; ingest --again reads it once more"
        )),
        7 => format!("AWS lost records (SKIPDATA) in the hour from {hour}"),
        _ => String::new(),
    }
}
