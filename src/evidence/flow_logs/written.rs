//! How traffic stands in an entry: names once, and numbers in their order.
//!
//! ```text
//! interfaces  ["eni-a", "eni-b"]                            sorted; the same list in many entries is one blob
//! hours       [[1790000000, [70, 3], [], []]]               start; per interface: with traffic, without, lost
//! nodes       [[1, "10.0.0.9"]]                             number of the interface, address of a node that it holds
//! rows        [[[0, 1, "10.0.0.9", "in", "own", 6, 6006, "ours", "peer", true, true], [4, "40", "1600", 10, 59, []]]]
//! ```
//!
//! A row is its place (numbers of the hour and of the interface, then the members of `FlowRow` up to `allowed`) and its
//! sums: records, packets, bytes, first and last second of the hour, sealed peers. Counters that may pass 2^53 are text. A
//! list without any number but 0 is empty.

use super::{Direction, FlowRow, HourRow, Initiator, Other, RecordCounts, Side, Traffic};
use crate::evidence::{Private, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Written {
    format: Vec<String>,
    records: RecordCounts,
    #[serde(default)]
    faults: BTreeMap<String, u64>,
    span: Option<(Time, Time)>,
    #[serde(default)]
    selection: String,
    #[serde(default)]
    interfaces: Vec<String>,
    hours: Vec<Hour>,
    #[serde(default)]
    rows: Vec<(Place, Sums)>,
    #[serde(default)]
    other: Other,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<(usize, String)>,
}

/// Start, and per interface records with traffic, without, lost.
type Hour = (i64, Vec<u64>, Vec<u64>, Vec<u64>);
type Place = (usize, usize, String, Direction, String, u8, u16, Side, Initiator, Option<bool>, Option<bool>);
type Sums = (u64, String, String, i64, i64, Vec<Private>);

impl From<Traffic> for Written {
    fn from(t: Traffic) -> Written {
        let Traffic { format, records, faults, span, selection, hours, rows, other, nodes } = t;
        let mut names: Vec<&str> = hours.iter().flat_map(|h| &h.interfaces).map(|i| i.0.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let numbers: HashMap<&str, usize> = names.iter().enumerate().map(|(i, n)| (*n, i)).collect();
        let number = |name: &str| numbers.get(name).copied().unwrap_or(usize::MAX);
        let interfaces: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let hour = |time: Time| hours.iter().position(|h| h.hour == time).unwrap_or(usize::MAX);
        let row = |r: FlowRow| {
            let at = r.hour.seconds();
            let place =
                (hour(r.hour), number(&r.interface), r.address, r.direction, r.peer, r.protocol, r.port);
            let (a, b, c, d, e, f, g) = place;
            let place = (a, b, c, d, e, f, g, r.service, r.initiator, r.accepted, r.allowed);
            let (first, last) = (r.first.seconds() - at, r.last.seconds() - at);
            (place, (r.flows, r.packets.to_string(), r.bytes.to_string(), first, last, r.peers))
        };
        let rows = rows.into_iter().map(row).collect();
        let hours = hours.iter().map(|h| written_hour(h, interfaces.len(), &number)).collect();
        let nodes = nodes.into_iter().map(|(name, address)| (number(&name), address)).collect();
        Written { format, records, faults, span, selection, interfaces, hours, rows, other, nodes }
    }
}

fn written_hour(h: &HourRow, interfaces: usize, number: &dyn Fn(&str) -> usize) -> Hour {
    let mut lists = [vec![0; interfaces], vec![0; interfaces], vec![0; interfaces]];
    for (name, ok, nodata, skipdata) in &h.interfaces {
        for (list, n) in lists.iter_mut().zip([ok, nodata, skipdata]) {
            list[number(name)] = *n;
        }
    }
    let [ok, nodata, skipdata] = lists.map(|l| if l.iter().all(|n| *n == 0) { Vec::new() } else { l });
    (h.hour.seconds(), ok, nodata, skipdata)
}

impl From<Written> for Traffic {
    fn from(w: Written) -> Traffic {
        let hours = w.hours.iter().map(|h| hour_row(h, &w.interfaces)).collect();
        let rows = w.rows.into_iter().filter_map(|row| flow_row(row, &w.hours, &w.interfaces)).collect();
        let node = |(i, address): (usize, String)| Some((w.interfaces.get(i)?.clone(), address));
        let nodes = w.nodes.into_iter().filter_map(node).collect();
        let Written { format, records, faults, span, selection, other, .. } = w;
        Traffic { format, records, faults, span, selection, hours, rows, other, nodes }
    }
}

fn hour_row((start, ok, nodata, skipdata): &Hour, interfaces: &[String]) -> HourRow {
    let n = |list: &[u64], i: usize| list.get(i).copied().unwrap_or(0);
    let told =
        interfaces.iter().enumerate().map(|(i, name)| (name.clone(), n(ok, i), n(nodata, i), n(skipdata, i)));
    let interfaces = told.filter(|(_, a, b, c)| a + b + c > 0).collect();
    HourRow { hour: Time::from_seconds(*start), interfaces }
}

fn flow_row((place, sums): (Place, Sums), hours: &[Hour], interfaces: &[String]) -> Option<FlowRow> {
    let (hour, interface, address, direction, peer, protocol, port, service, initiator, accepted, allowed) =
        place;
    let (flows, packets, bytes, first, last, peers) = sums;
    let start = hours.get(hour)?.0;
    let at = |offset: i64| Time::from_seconds(start + offset);
    Some(FlowRow {
        hour: at(0),
        interface: interfaces.get(interface)?.clone(),
        address,
        direction,
        peer,
        protocol,
        port,
        service,
        initiator,
        accepted,
        allowed,
        flows,
        packets: packets.parse().unwrap_or(u64::MAX),
        bytes: bytes.parse().unwrap_or(u64::MAX),
        first: at(first),
        last: at(last),
        peers,
    })
}
