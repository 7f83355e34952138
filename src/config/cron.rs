//! What a five-field cron expression means in a zone. Nothing here waits, and nothing knows the time.

use crate::evidence::Time;
use croner::Cron;
use std::str::FromStr;

/// The first time after `after` at which an expression fires, in a zone. None for an expression that never fires.
///
/// Minutes are tried in local time, so that a clock change neither skips a night nor makes one twice.
pub fn next(expression: &str, zone: &str, after: Time) -> Option<Time> {
    let cron = Cron::from_str(expression).ok()?;
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let start = after.timestamp().to_zoned(zone.clone()).datetime();
    // The expression knows local calendar time only: it is asked in a calendar without changes, then placed in the zone.
    let mut civil = chrono_of(start)?;
    for _ in 0..10 {
        civil = cron.find_next_occurrence(&civil, false).ok()?;
        let local = jiff_of(civil)?;
        let placed = zone.to_ambiguous_timestamp(local).compatible().ok()?;
        if Time::from(placed) > after {
            return Some(placed.into());
        }
    }
    None
}

/// Seconds between two firings of an expression: the longest of a week's.
pub fn interval(expression: &str, zone: &str) -> i64 {
    let mut at = Time::from_seconds(1_767_225_600); // 1 January 2026: no clock change near it.
    let mut longest = 60;
    let end = at.plus_seconds(8 * 86_400);
    let mut last: Option<Time> = None;
    while at < end {
        let Some(fired) = next(expression, zone, at) else { break };
        if let Some(last) = last {
            longest = longest.max(fired.seconds() - last.seconds());
        }
        (last, at) = (Some(fired), fired);
        if fired.seconds() - end.seconds() > 0 {
            break;
        }
    }
    longest
}

type Calendar = chrono::DateTime<chrono::Utc>;

fn chrono_of(t: jiff::civil::DateTime) -> Option<Calendar> {
    let utc = t.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Calendar::from_timestamp(utc.timestamp().as_second(), 0)
}

fn jiff_of(t: Calendar) -> Option<jiff::civil::DateTime> {
    let stamp = jiff::Timestamp::from_second(t.timestamp()).ok()?;
    Some(stamp.to_zoned(jiff::tz::TimeZone::UTC).datetime())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_night_once_across_a_clock_change() {
        let mut at: Time = "2026-10-23T00:00:00Z".parse().unwrap();
        let mut fired = Vec::new();
        for _ in 0..4 {
            at = next("30 5 * * *", "Europe/Berlin", at).unwrap();
            fired.push(at.to_string());
        }
        let expected = [
            "2026-10-23T03:30:00.000Z",
            "2026-10-24T03:30:00.000Z",
            "2026-10-25T04:30:00.000Z",
            "2026-10-26T04:30:00.000Z",
        ];
        assert_eq!(fired, expected);
        // A time that the change leaves out in spring is taken at the next that there is.
        let spring = next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(spring.to_string(), "2026-03-29T01:30:00.000Z");
    }

    #[test]
    fn intervals() {
        assert_eq!(interval("*/15 * * * *", "UTC"), 900);
        assert_eq!(interval("0 5 * * *", "Europe/Berlin"), 86_400);
        assert_eq!(interval("0 5 * * 1", "UTC"), 7 * 86_400);
    }
}
