//! The sums of an object, as they are written down.

use super::key::{Key, Marks, Sum};
use super::{Aggregate, HOUR, Known, settle};
use crate::evidence::flow_logs::{FlowRow, HourRow, Other};
use crate::evidence::{Private, Time};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Most rows of one object; the rest is summed.
pub(super) const MAX_ROWS: usize = 5_000;

/// What an object becomes.
pub(in super::super) struct Written {
    pub hours: Vec<HourRow>,
    pub rows: Vec<FlowRow>,
    pub other: Other,
    pub nodes: Vec<(String, String)>,
}

/// Names for the numbers that were given while reading.
struct Names {
    interfaces: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    fn interface(&self, hour_and_interface: u64) -> &str {
        &self.interfaces[(hour_and_interface & 0xFFFF_FFFF) as usize]
    }
}

fn hour(hour_and_interface: u64) -> i64 {
    (hour_and_interface >> 32) as i64 * HOUR
}

impl Aggregate<'_> {
    /// Ends the object.
    pub(in super::super) fn finish(mut self) -> Written {
        for (interface, known) in (0..).zip(&mut self.known) {
            settle(&mut self.hours, interface, known);
        }
        let interfaces = self.interfaces.in_order().map(|n| String::from_utf8_lossy(n).into_owned());
        let names = Names {
            interfaces: interfaces.collect(),
            addresses: self.addresses.in_order().copied().collect(),
        };
        let (kept, other) = self.ranked();
        let mut rows: Vec<FlowRow> = kept.into_iter().map(|i| self.row(i, &names)).collect();
        rows.sort_by(|a, b| a.place().cmp(&b.place()));
        Written { hours: self.hours(&names), rows, other, nodes: self.nodes(&names) }
    }

    /// Interfaces that hold an address of a node.
    fn nodes(&self, names: &Names) -> Vec<(String, String)> {
        let node = |known: &Known| known.holder.address().filter(|a| self.selection.nodes.contains(a));
        let all = names.interfaces.iter().zip(&self.known);
        let mut nodes: Vec<_> =
            all.filter_map(|(name, known)| Some((name.clone(), node(known)?.to_string()))).collect();
        nodes.sort_unstable();
        nodes
    }

    fn hours(&self, names: &Names) -> Vec<HourRow> {
        let mut hours: BTreeMap<i64, Vec<(String, u64, u64, u64)>> = BTreeMap::new();
        for (key, [ok, nodata, skipdata]) in &self.hours {
            let row = (names.interface(*key).to_owned(), *ok, *nodata, *skipdata);
            hours.entry(hour(*key)).or_default().push(row);
        }
        let row = |(hour, mut interfaces): (i64, Vec<_>)| {
            interfaces.sort_unstable();
            HourRow { hour: Time::from_seconds(hour), interfaces }
        };
        hours.into_iter().map(row).collect()
    }

    /// The groups that are kept, and the sum of the others. What is not allowed comes first, then what is watched, then
    /// the biggest: a limit never hides what should not be.
    fn ranked(&self) -> (Vec<usize>, Other) {
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|i| {
            let (key, sum) = &self.groups[*i];
            let allowed = Marks::unpacked(key.marks).allowed;
            (allowed.is_none(), allowed.unwrap_or(true), Reverse(sum.bytes))
        });
        let mut other = self.other;
        for i in order.iter().skip(MAX_ROWS) {
            let Sum { flows, packets, bytes, .. } = self.groups[*i].1;
            other.add(1, flows.into(), packets, bytes);
        }
        order.truncate(MAX_ROWS);
        (order, other)
    }

    fn row(&self, place: usize, names: &Names) -> FlowRow {
        let (Key { hour_and_interface, peer, address, port, protocol, marks }, sum) = self.groups[place];
        let (marks, hour) = (Marks::unpacked(marks), hour(hour_and_interface));
        let at = |offset: u32| Time::from_seconds(hour + i64::from(offset));
        let peers = self.peers.get(&(place as u32)).into_iter().flatten();
        FlowRow {
            hour: at(0),
            interface: names.interface(hour_and_interface).to_owned(),
            address: names.addresses[address as usize].to_string(),
            direction: marks.direction,
            peer: self.selection.peer_name(peer),
            protocol,
            port,
            service: marks.service,
            initiator: marks.initiator,
            accepted: marks.accepted,
            allowed: marks.allowed,
            flows: sum.flows.into(),
            packets: sum.packets,
            bytes: sum.bytes,
            first: at(sum.first),
            last: at(sum.last),
            peers: peers.map(|p| Private::of(p.to_string())).collect(),
        }
    }
}
