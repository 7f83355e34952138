//! Flow logs count interface-hours: interfaces of the inventory, whole hours, each read through or not.

use super::super::facts::{Delivered, Facts, Look};
use super::super::inventory::Interface;
use super::{Coverage, Gap, HOUR, Input};
use crate::evidence::Time;
use crate::evidence::flow_logs::FlowLogConfiguration;
use std::collections::BTreeMap;

/// Why an hour was not read through.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// In words.
    pub why: &'static str,
    /// The entry that tells it, where one does.
    pub entry: Option<u64>,
}

/// Seconds after the beginning of a pass's first day by which all records are in objects of that day or later ones: an object
/// is named by the start of five minutes, and may hold what began five minutes earlier or later (AWS, "Flow log files").
const SPREAD: i64 = 600;

/// Spans in which every record was read, or has an entry that says why not; in order, none touching another.
pub(super) fn read_through(told: &[&Look], delay: i64) -> Vec<(Time, Time)> {
    let span = |l: &&Look| Some((l.value.from.unwrap_or_default(), l.value.through?));
    let mut all: Vec<_> = told.iter().filter_map(span).collect();
    all.sort_unstable();
    let mut spans: Vec<(Time, Time)> = Vec::new();
    for (from, to) in all {
        match spans.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => spans.push((from, to)),
        }
    }
    spans.into_iter().map(|(from, to)| (from.plus_seconds(SPREAD), to.plus_seconds(-delay))).collect()
}

/// Judges the hours of a source up to the horizon. `read` are the spans that were read through.
pub(super) fn judge(input: &Input<'_>, coverage: &mut Coverage, window: Time, read: &[(Time, Time)]) {
    let facts = input.facts;
    coverage.unit = "interface-hours";
    let delivered = facts.network.of(&coverage.source);
    let Some(begin) = delivered.begin else { return };
    let begin = read.first().map_or(begin, |(from, _)| begin.max(*from));
    coverage.begin = Some(begin);
    let mut hour = span_start(begin, window);
    let interfaces: Vec<_> = input.interfaces.iter().filter(|i| i.source == coverage.source).collect();
    let mut spoke: Vec<Option<(Time, bool)>> = vec![None; interfaces.len()];
    while hour.plus_seconds(HOUR) <= coverage.horizon {
        let unread = unread(delivered, hour, read);
        coverage.hours.push(hour);
        let whole = unread.is_none();
        coverage.unread.extend(unread.map(|why| (hour, why)));
        for (interface, seen) in interfaces.iter().zip(&mut spoke).filter(|(i, _)| i.covers(hour)) {
            coverage.expected += 1;
            let speaks = delivered.in_hour(&interface.name, hour).is_some();
            coverage.seen += u64::from(speaks && whole);
            let (first, ever) = seen.unwrap_or((hour, false));
            *seen = Some((first, ever || speaks));
        }
        hour = hour.plus_seconds(HOUR);
    }
    for (from, interface, n, entry) in
        delivered.lost().filter(|(h, ..)| coverage.hours.binary_search(h).is_ok())
    {
        let (to, what) = (from.plus_seconds(HOUR), format!("{interface}: {n} SKIPDATA, records lost by AWS"));
        coverage.gaps.push(Gap { from, to, what, reason: "records-lost", entry });
    }
    unheard(facts, coverage, &interfaces, &spoke);
    coverage.gaps.extend(joined(&coverage.unread));
}

/// Why an hour was not read through, if it was not.
fn unread(delivered: &Delivered, hour: Time, read: &[(Time, Time)]) -> Option<Unread> {
    if let Some(entries) = delivered.unread.get(&hour) {
        return Some(Unread { why: PART, entry: entries.first().copied() });
    }
    if !read.iter().any(|(from, to)| *from <= hour && hour.plus_seconds(HOUR) <= *to) {
        return Some(Unread { why: "not read to its end", entry: None });
    }
    (!delivered.has(hour)).then_some(Unread { why: super::NO_RECORD, entry: None })
}

const PART: &str = "records were delivered that could not be read";

/// Interfaces of the inventory that no record names, and flow logs that do not show all traffic or do not arrive.
fn unheard(
    facts: &Facts,
    coverage: &mut Coverage,
    interfaces: &[&Interface],
    spoke: &[Option<(Time, bool)>],
) {
    let to = coverage.horizon;
    if interfaces.is_empty() && !coverage.hours.is_empty() {
        let what = "no inventory of interfaces: those that are silent are not known".to_owned();
        let (from, reason) = (coverage.hours[0], "inventory-unknown");
        coverage.gaps.push(Gap { from, to, what, reason, entry: None });
    }
    let mut gap = |from: Time, what: String, entry: u64| {
        coverage.gaps.push(Gap { from, to, what, reason: "source-gap", entry: Some(entry) });
    };
    for (interface, seen) in interfaces.iter().zip(spoke) {
        if let Some((first, false)) = seen {
            let what = match &interface.node {
                Some(node) if interface.name.is_empty() => {
                    let addresses = interface.addresses.join(", ");
                    format!("node {node} ({addresses}): no record tells its interface")
                }
                _ => format!("{} is in the inventory and in no record", interface.name),
            };
            gap(*first, what, interface.seq);
        }
    }
    for (_, log) in facts.network.configurations.at(to).filter(|(_, c)| c.source == coverage.source) {
        let FlowLogConfiguration { id, resource, traffic, delivery, error, .. } = &log.value;
        if traffic != "ALL" {
            gap(log.at, format!("{id} of {resource} records {traffic} traffic only"), log.seq);
        }
        if delivery.as_deref() == Some("FAILED") {
            let why = error.as_deref().unwrap_or("no reason given");
            gap(log.at, format!("{id} of {resource} is not delivered: {why}"), log.seq);
        }
    }
}

/// First whole hour that is in the window and in the record.
fn span_start(begin: Time, window: Time) -> Time {
    let from = begin.max(window);
    if from.hour() == from { from } else { from.hour().plus_seconds(HOUR) }
}

/// Hours in a row that are unread for the same reason, as gaps.
fn joined(hours: &BTreeMap<Time, Unread>) -> Vec<Gap> {
    let mut found: Vec<Gap> = Vec::new();
    for (hour, Unread { why, entry }) in hours {
        let to = hour.plus_seconds(HOUR);
        match found.last_mut() {
            Some(gap) if gap.to == *hour && gap.what == *why => gap.to = to,
            _ => {
                let (what, entry) = ((*why).to_owned(), *entry);
                found.push(Gap { from: *hour, to, what, reason: "source-gap", entry });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::Seen;
    use super::*;
    use crate::evidence::record::SourceRun;

    #[test]
    fn what_was_read_once_more_before_the_first_pass_leaves_a_hole_where_it_broke_off() {
        let at = |hour: i64| Time::from_seconds(1_790_000_000).hour().plus_seconds(hour * HOUR);
        let look = |from: Option<i64>, through: Option<i64>| {
            let value = SourceRun { from: from.map(at), through: through.map(at), ..SourceRun::default() };
            Seen { seq: 1, at: at(0), source: "vpc".into(), gone: false, value }
        };
        let spans = |looks: &[Look]| {
            let spans = read_through(&looks.iter().collect::<Vec<_>>(), 0);
            let hours = |t: Time| (t.seconds() - at(0).seconds()) as f64 / HOUR as f64;
            spans.into_iter().map(|(a, b)| ((hours(a) * 6.0) as i64, hours(b) as i64)).collect::<Vec<_>>()
        };
        let passes = [look(Some(48), Some(72)), look(Some(60), Some(80)), look(None, None)];
        assert_eq!(spans(&passes), [(48 * 6 + 1, 80)]);
        let again = [passes.as_slice(), &[look(Some(0), Some(24))]].concat();
        assert_eq!(spans(&again), [(1, 24), (48 * 6 + 1, 80)]);
        let whole = [again.as_slice(), &[look(Some(24), Some(48))]].concat();
        assert_eq!(spans(&whole), [(1, 80)]);
    }
}
