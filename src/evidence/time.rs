//! Points in time as the ledger writes them: RFC 3339, UTC, milliseconds.

use jiff::{SignedDuration, Timestamp};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Seconds of 24 hours.
pub const DAY: i64 = 86_400;

/// A point in time, cut to milliseconds: those since 1970, within jiff's range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// From milliseconds since 1970; out of jiff's range gives the nearest end.
    pub fn from_millis(ms: i64) -> Time {
        Time(ms.clamp(Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond()))
    }
    /// From seconds since 1970.
    pub fn from_seconds(s: i64) -> Time {
        Time::from_millis(s.saturating_mul(1000))
    }
    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// This many seconds later (earlier when negative).
    pub fn plus_seconds(self, s: i64) -> Time {
        Time::from_millis(self.millis().saturating_add(s.saturating_mul(1000)))
    }
    /// This many times 24 hours later.
    pub fn plus_days(self, days: i64) -> Time {
        self.plus_seconds(days.saturating_mul(DAY))
    }
    /// This many milliseconds later.
    pub fn plus_millis(self, ms: i64) -> Time {
        Time::from_millis(self.millis().saturating_add(ms))
    }
    /// The same day and time this many years later, in UTC; 29 February becomes 28 February where there is none.
    pub fn plus_years(self, years: i64) -> Time {
        let now = self.timestamp().to_zoned(jiff::tz::TimeZone::UTC);
        let later = now.checked_add(jiff::Span::new().years(years));
        later.map_or(Timestamp::MAX, |t| t.timestamp()).into()
    }
    /// The start of the clock hour in UTC.
    pub fn hour(self) -> Time {
        Time::from_seconds(self.seconds().div_euclid(3600) * 3600)
    }
    /// The span from an earlier time.
    pub fn since(self, earlier: Time) -> SignedDuration {
        SignedDuration::from_millis(self.0 - earlier.0)
    }
    /// As jiff's own type.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or_default()
    }

    /// How a look that is taken at this time is called: `20261119T053000Z`.
    pub fn look_name(self) -> String {
        self.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string()
    }
    /// The name of a look folder: `20261119T053000Z`.
    pub fn from_look_name(name: &str) -> Option<Time> {
        let b = name.as_bytes();
        if b.len() != 16 || b[8] != b'T' || b[15] != b'Z' || !name.is_ascii() {
            return None;
        }
        let text = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &name[0..4],
            &name[4..6],
            &name[6..8],
            &name[9..11],
            &name[11..13],
            &name[13..15]
        );
        text.parse().ok()
    }
}

impl From<Timestamp> for Time {
    fn from(t: Timestamp) -> Time {
        Time::from_millis(t.as_millisecond())
    }
}

impl FromStr for Time {
    type Err = jiff::Error;
    /// Any RFC 3339 time, or a plain date (its midnight in UTC).
    fn from_str(s: &str) -> Result<Time, jiff::Error> {
        match s.parse::<Timestamp>() {
            Ok(t) => Ok(t.into()),
            Err(error) => match s.parse::<jiff::civil::Date>() {
                Ok(date) => Ok(date.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().into()),
                Err(_) => Err(error),
            },
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Time, D::Error> {
        d.deserialize_str(Text)
    }
}

/// Reads a time from the text as it lies there.
struct Text;

impl Visitor<'_> for Text {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time of RFC 3339")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_always_stand() {
        let t: Time = "2026-11-19T15:42:07Z".parse().unwrap();
        assert_eq!(t.to_string(), "2026-11-19T15:42:07.000Z");
        assert_eq!(
            "2026-11-19T16:42:07.5+01:00".parse::<Time>().unwrap().to_string(),
            "2026-11-19T15:42:07.500Z"
        );
        assert_eq!(Time::from_look_name("20261119T154207Z"), Some(t));
        assert_eq!(t.look_name(), "20261119T154207Z");
        assert_eq!(Time::from_look_name("2026-11-19"), None);
        assert_eq!(t.hour().to_string(), "2026-11-19T15:00:00.000Z");
    }
}
