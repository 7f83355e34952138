//! What came late: objects that were delivered after their hours could be judged, or read after a report of their hours.
//! Neither is a gap: both are in the record now.

use super::super::facts::{Arrival, Delivered, Seen};
use super::Gap;
use crate::evidence::Time;
use crate::evidence::record::ReportIssued;
use std::collections::BTreeMap;

/// Reason code of what restates a report.
pub const RESTATED: &str = "restated";

/// How long AWS took to deliver, in words: of the objects of the window that tell when they came.
pub(super) fn delivery(delivered: &Delivered, window: Time) -> Option<String> {
    let mut delays: Vec<u32> = arrivals(delivered, window).filter_map(|a| a.delay()).collect();
    delays.sort_unstable();
    let within = |hundredth: usize| delays.get((delays.len().max(1) - 1) * hundredth / 100).copied();
    let (half, most) = (within(50)?, within(99)?);
    Some(format!(
        "half of the objects came within {}, 99 of 100 within {}",
        told(half.into()),
        told(most.into())
    ))
}

/// What came later than `delay` seconds after its last record, and what restates a scheduled report.
pub(super) fn late(
    delivered: &Delivered,
    reports: &[Seen<ReportIssued>],
    window: Time,
    delay: i64,
) -> Vec<Gap> {
    let late = arrivals(delivered, window).filter(|a| a.delay().is_some_and(|d| i64::from(d) > delay));
    let late: Vec<&Arrival> = late.collect();
    let longest = late.iter().max_by_key(|a| a.delay());
    let mut found: Vec<Gap> = longest
        .map(|longest| {
            let (n, after) = (objects(late.len()), told(longest.delay().unwrap_or(0).into()));
            let what = format!(
                "{n} came more than {} after their last record, the latest after {after}",
                told(delay)
            );
            gap(&late, what, longest.seq)
        })
        .into_iter()
        .collect();
    let mut restated: BTreeMap<u64, Vec<&Arrival>> = BTreeMap::new();
    for arrival in arrivals(delivered, window) {
        let Some((from, _)) = arrival.span() else { continue };
        let judged = |at: Time| at.plus_seconds(-delay) >= from.hour().plus_seconds(3_600);
        let mut reports = reports.iter().rev().filter(|r| r.value.scheduled);
        if let Some(report) = reports.find(|r| r.value.as_of <= arrival.seq && judged(r.value.at)) {
            restated.entry(report.seq).or_default().push(arrival);
        }
    }
    for (report, arrivals) in restated {
        let n = objects(arrivals.len());
        let what = format!("{n} read after the report of their hours (entry {report})");
        let last = arrivals.iter().map(|a| a.seq).max().unwrap_or_default();
        found.push(Gap { reason: RESTATED, ..gap(&arrivals, what, last) });
    }
    found
}

fn arrivals(delivered: &Delivered, window: Time) -> impl Iterator<Item = &Arrival> {
    delivered.arrivals.iter().filter(move |a| a.span().is_some_and(|(_, to)| to >= window))
}

fn gap(arrivals: &[&Arrival], what: String, entry: u64) -> Gap {
    let spans = || arrivals.iter().filter_map(|a| a.span());
    let from = spans().map(|(from, _)| from).min().unwrap_or_default();
    let to = spans().map(|(_, to)| to).max().unwrap_or_default();
    Gap { from, to, what, reason: "late", entry: Some(entry) }
}

fn objects(n: usize) -> String {
    if n == 1 { "1 object".into() } else { format!("{n} objects") }
}

fn told(seconds: i64) -> String {
    let minutes = seconds / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::flow_logs::Traffic;

    fn at(hour: i64) -> Time {
        Time::from_seconds(1_790_000_000).hour().plus_seconds(hour * 3_600)
    }

    #[test]
    fn what_comes_late_is_told_with_the_report_that_it_restates() {
        let arrival = |(seq, hour, after)| {
            let (from, to) = (at(hour), at(hour).plus_seconds(600));
            let traffic = Traffic { span: Some((from, to)), ..Traffic::default() };
            Arrival::of(seq, Some(to.plus_seconds(after)), &traffic)
        };
        let mut delivered = Delivered::default();
        let arrivals = [(1, 0, 300), (2, 1, 360), (3, 2, 11_400), (12, 3, 480), (13, 9, 300)];
        delivered.arrivals = arrivals.map(arrival).into();
        let value = ReportIssued { as_of: 10, at: at(8), scheduled: true, files: BTreeMap::new() };
        let (source, gone) = ("actledger".into(), false);
        let report = Seen { seq: 11, at: at(8), source, gone, value };
        let late = late(&delivered, &[report], at(0), 2_700);
        let told: Vec<_> = late.iter().map(|g| (g.what.as_str(), g.from, g.entry)).collect();
        assert_eq!(
            told,
            [
                (
                    "1 object came more than 45 min after their last record, the latest after 3 h 10 min",
                    at(2),
                    Some(3)
                ),
                ("1 object read after the report of their hours (entry 11)", at(3), Some(12)),
            ]
        );
        let delivery = delivery(&delivered, at(0)).unwrap();
        assert_eq!(delivery, "half of the objects came within 6 min, 99 of 100 within 8 min");
        assert_eq!(super::delivery(&delivered, at(10)), None, "what nothing tells is not told");
    }
}
