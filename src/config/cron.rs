//! What a five-field cron expression means in a zone. Nothing here waits, and nothing knows the time.

use crate::evidence::Time;
use croner::Cron;
use jiff::tz::TimeZone;
use std::str::FromStr;

/// Local times that are tried: more than a clock that is set back can repeat.
const TRIES: usize = 1_000;

/// The first time after `after` at which an expression fires, in a zone. None for an expression that never fires.
///
/// One that names its hours fires at each local time once: a clock change neither skips a night nor makes one twice. One whose
/// hours begin with `*` fires by the clock on the wall, in the hour that comes twice as well.
pub fn next(expression: &str, zone: &str, after: Time) -> Option<Time> {
    let cron = Cron::from_str(expression).ok()?;
    let zone = jiff::tz::TimeZone::get(zone).ok()?;
    let any_hour = expression.split_whitespace().nth(1).is_some_and(|hours| hours.starts_with('*'));
    if any_hour { by_the_clock(&cron, &zone, after) } else { once(&cron, &zone, after) }
}

/// The expression knows local calendar time only: it is asked in a calendar without changes, then placed in the zone.
fn once(cron: &Cron, zone: &TimeZone, after: Time) -> Option<Time> {
    let mut civil = chrono_of(after.timestamp().to_zoned(zone.clone()).datetime())?;
    for _ in 0..TRIES {
        civil = cron.find_next_occurrence(&civil, false).ok()?;
        let placed = zone.to_ambiguous_timestamp(jiff_of(civil)?).compatible().ok()?;
        if Time::from(placed) > after {
            return Some(placed.into());
        }
    }
    None
}

/// Asked from one clock change to the next, each with its own offset.
fn by_the_clock(cron: &Cron, zone: &TimeZone, after: Time) -> Option<Time> {
    let mut since = after.timestamp();
    let (mut asked, mut offset) = (since, zone.to_offset(since));
    for _ in 0..TRIES {
        let found = cron.find_next_occurrence(&chrono_of(offset.to_datetime(asked))?, false).ok()?;
        let found = offset.to_timestamp(jiff_of(found)?).ok()?;
        match zone.following(since).next() {
            Some(change) if change.timestamp() <= found => {
                (since, offset) = (change.timestamp(), change.offset());
                asked = since.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
            }
            _ => return Some(found.into()),
        }
    }
    None
}

/// Seconds between two firings of an expression: the longest of a week's.
pub fn interval(expression: &str, zone: &str) -> i64 {
    let mut at = Time::from_seconds(1_767_225_600); // 1 January 2026: no clock change near it.
    let mut longest = 60;
    let end = at.plus_days(8);
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

    /// Firings in a span, in UTC.
    fn firings(expression: &str, from: &str, to: &str) -> Vec<String> {
        let (mut at, to): (Time, Time) = (from.parse().unwrap(), to.parse().unwrap());
        let mut fired = Vec::new();
        while let Some(t) = next(expression, "Europe/Berlin", at).filter(|t| *t <= to) {
            fired.push(t.to_string()[5..16].to_owned());
            at = t;
        }
        fired
    }

    #[test]
    fn firings_around_both_clock_changes_of_a_year() {
        let spring = |e| firings(e, "2026-03-28T22:59:00Z", "2026-03-30T02:00:00Z");
        let autumn = |e| firings(e, "2026-10-24T22:59:00Z", "2026-10-26T03:00:00Z");
        // 02:30 is left out in spring, and comes twice in autumn.
        assert_eq!(spring("30 2 * * *"), ["03-29T01:30", "03-30T00:30"]);
        assert_eq!(autumn("30 2 * * *"), ["10-25T00:30", "10-26T01:30"]);
        assert_eq!(spring("0 5 * * *"), ["03-29T03:00"]);
        assert_eq!(autumn("0 5 * * *"), ["10-25T04:00"]);
        let hours = |all: Vec<String>| all.iter().take(4).map(|t| t[6..].to_owned()).collect::<Vec<_>>();
        assert_eq!(hours(spring("15 * * * *")), ["23:15", "00:15", "01:15", "02:15"]);
        assert_eq!(hours(autumn("15 * * * *")), ["23:15", "00:15", "01:15", "02:15"]);
        // As many quarters of an hour as pass, and every five minutes of a named hour once.
        assert_eq!((spring("*/15 * * * *").len(), autumn("*/15 * * * *").len()), (27 * 4 + 1, 28 * 4 + 1));
        assert_eq!(autumn("*/5 2 * * *").len(), 24);
        let second_fold = "2026-10-25T01:00:00Z".parse().unwrap();
        let after = |e| next(e, "Europe/Berlin", second_fold).unwrap().to_string()[5..16].to_owned();
        assert_eq!(
            (after("*/5 * * * *"), after("*/5 2 * * *")),
            ("10-25T01:05".into(), "10-26T01:00".into())
        );
    }

    #[test]
    fn intervals() {
        assert_eq!(interval("*/15 * * * *", "UTC"), 900);
        assert_eq!(interval("0 5 * * *", "Europe/Berlin"), 86_400);
        assert_eq!(interval("0 5 * * 1", "UTC"), 7 * 86_400);
    }
}
