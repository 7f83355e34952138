//! What flow logs tell of interfaces and hours. A large estate has millions of it, so each takes eight bytes.

use super::delivered::Arrival;
use super::push_tight;
use crate::evidence::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// An hour, counted since 1970; what is before is hour 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour(u32);

impl Hour {
    /// From and to of no hour.
    pub(super) const NONE: (Hour, Hour) = (Hour(1), Hour(0));

    /// When it begins.
    pub(super) fn start(self) -> Time {
        Time::from_seconds(i64::from(self.0) * 3600)
    }
}

impl From<Time> for Hour {
    fn from(time: Time) -> Hour {
        Hour(u32::try_from(time.seconds().div_euclid(3600)).unwrap_or(0))
    }
}

/// What an object or window told of an interface in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// There is a record, with traffic or without.
    pub spoke: bool,
    /// AWS lost records.
    pub lost: bool,
    /// The format leaves out what a connection is told by.
    pub blind: bool,
    /// It was read before all traffic of the interface was selected: it is kept in totals only.
    pub totals_only: bool,
}

/// The same with the hour and the number of the object among the arrivals of its source. From the highest bit on: the hour (28
/// bits, beyond the year 9999), the arrival (32 bits), what was told (4 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part(u64);

const TOLD_BITS: u32 = 4;
const HOUR_FROM: u32 = u32::BITS + TOLD_BITS;

impl Part {
    fn new(Hour(hour): Hour, arrival: u32, told: Told) -> Part {
        let Told { spoke, lost, blind, totals_only } = told;
        let told = [spoke, lost, blind, totals_only].iter().fold(0, |bits, is| bits << 1 | u64::from(*is));
        Part(u64::from(hour) << HOUR_FROM | u64::from(arrival) << TOLD_BITS | told)
    }

    fn hour(self) -> u64 {
        self.0 >> HOUR_FROM
    }

    fn arrival(self) -> u32 {
        (self.0 >> TOLD_BITS & u64::from(u32::MAX)) as u32
    }

    fn told(self) -> Told {
        let is = |bit: u32| self.0 >> bit & 1 == 1;
        Told { spoke: is(3), lost: is(2), blind: is(1), totals_only: is(0) }
    }
}

/// Where parts of hours stand in a list in order.
fn span(parts: &[Part], (Hour(first), Hour(last)): (Hour, Hour)) -> Range<usize> {
    let from = parts.partition_point(|p| p.hour() < u64::from(first));
    from..from + parts[from..].partition_point(|p| p.hour() <= u64::from(last))
}

/// What the objects of a source told, by interface.
#[derive(Debug, Default)]
pub(super) struct Hours(BTreeMap<String, Vec<Part>>);

impl Hours {
    /// Adds what an arrival told of an interface in an hour.
    pub(super) fn add(&mut self, interface: String, hour: Hour, arrival: u32, told: Told) {
        let parts = self.0.entry(interface).or_default();
        let part = Part::new(hour, arrival, told);
        push_tight(parts, part);
        // What comes late moves to its hour.
        let before = parts.partition_point(|p| *p < part);
        parts[before..].rotate_right(1);
    }

    /// Takes back what an arrival told of hours, from the first to the last. Interfaces that it told of.
    pub(super) fn forget(&mut self, hours: (Hour, Hour), arrival: u32) -> BTreeSet<String> {
        let mut of = |(interface, parts): (&String, &mut Vec<Part>)| {
            let told = parts.extract_if(span(parts, hours), |p| p.arrival() == arrival).count();
            (told > 0).then(|| interface.clone())
        };
        self.0.iter_mut().filter_map(&mut of).collect()
    }

    /// What an interface had from one hour to another; none where nothing tells of it.
    pub(super) fn of<'f>(
        &'f self,
        interface: &str,
        hours: (Hour, Hour),
        arrivals: &'f [Arrival],
    ) -> Option<Sum<'f>> {
        let parts = self.0.get(interface)?;
        let parts = &parts[span(parts, hours)];
        (!parts.is_empty()).then_some(Sum { parts, arrivals })
    }
}

/// What one interface had in one hour or several, over objects and windows.
#[derive(Clone, Copy, Debug)]
pub struct Sum<'f> {
    parts: &'f [Part],
    arrivals: &'f [Arrival],
}

impl<'f> Sum<'f> {
    /// Entries that told it, in their order.
    pub fn entries(&self) -> impl Iterator<Item = u64> + use<'f> {
        let seq = |part: &Part| Some(self.arrivals.get(part.arrival() as usize)?.seq);
        let mut entries: Vec<u64> = self.parts.iter().filter_map(seq).collect();
        entries.sort_unstable();
        entries.into_iter()
    }

    fn any(&self, is: impl Fn(Told) -> bool) -> bool {
        self.parts.iter().any(|part| is(part.told()))
    }

    /// Whether there is a record of it, with traffic or without.
    pub fn spoke(&self) -> bool {
        self.any(|told| told.spoke)
    }

    /// Whether AWS lost records.
    pub fn is_lost(&self) -> bool {
        self.any(|told| told.lost)
    }

    /// Whether a record's format leaves out what a connection is told by.
    pub fn is_blind(&self) -> bool {
        self.any(|told| told.blind)
    }

    /// Whether some of it was read before all traffic of the interface was selected: it is kept in totals only.
    pub fn is_totals_only(&self) -> bool {
        self.any(|told| told.totals_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_holds_what_it_is_made_of_at_its_limits() {
        let end: Time = "9999-12-30T21:00:00Z".parse().unwrap();
        for (hour, arrival) in [(end, u32::MAX), (end, 0), (Time::from_seconds(0), u32::MAX)] {
            let told = [Told::default(), Told { spoke: true, ..Told::default() }];
            let all = Told { spoke: true, lost: true, blind: true, totals_only: true };
            for told in told.into_iter().chain([all, Told { totals_only: true, ..Told::default() }]) {
                let part = Part::new(hour.into(), arrival, told);
                assert_eq!(
                    (part.hour(), part.arrival(), part.told()),
                    (Hour::from(hour).0.into(), arrival, told)
                );
            }
        }
        assert_eq!(Hour::from(end).start(), end);
    }

    #[test]
    fn what_comes_late_stands_in_its_hour_and_is_taken_back_from_it() {
        let (mut hours, hour) = (Hours::default(), |n: u32| Hour(500_000 + n));
        for (n, arrival) in [(3, 0), (1, 1), (2, 2), (1, 3), (3, 4), (1, 2)] {
            hours.add("eni-1".into(), hour(n), arrival, Told::default());
        }
        let of = |hours: &Hours, first, last| {
            let parts = hours.0["eni-1"].as_slice();
            parts[span(parts, (hour(first), hour(last)))].iter().map(|p| p.arrival()).collect::<Vec<_>>()
        };
        assert_eq!((of(&hours, 1, 1), of(&hours, 2, 3)), (vec![1, 2, 3], vec![2, 0, 4]));
        assert_eq!(hours.forget((hour(1), hour(2)), 2), BTreeSet::from(["eni-1".to_owned()]));
        assert_eq!((of(&hours, 1, 1), of(&hours, 2, 2), of(&hours, 3, 9)), (vec![1, 3], vec![], vec![0, 4]));
        assert!(
            hours.forget(Hour::NONE, 1).is_empty() && hours.of("eni-1", (hour(2), hour(2)), &[]).is_none()
        );
    }
}
