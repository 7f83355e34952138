//! Times for people: in the organisation's zone, in one form everywhere.

use crate::evidence::Time;
use jiff::tz::TimeZone;

/// The zone of a report.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// A zone by its IANA name; UTC when there is no such zone.
    pub fn named(name: &str) -> Zone {
        Zone(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }
    fn format(&self, t: Time, form: &str) -> String {
        t.timestamp().to_zoned(self.0.clone()).strftime(form).to_string()
    }
    /// The first moment of a day, `2026-11-22`, and the first one after it.
    ///
    /// # Errors
    /// What is no day.
    pub fn of_day(&self, text: &str) -> Result<(Time, Time), String> {
        let day = text.trim().parse::<jiff::civil::Date>().ok();
        let begin = |day: jiff::civil::Date| day.to_zoned(self.0.clone()).ok().map(|t| t.timestamp().into());
        let both = day.and_then(|day| Some((begin(day)?, begin(day.tomorrow().ok()?)?)));
        both.ok_or_else(|| format!("{text:?} is no day; write 2026-11-22"))
    }
    /// `22 Nov 2026`
    pub fn day(&self, t: Time) -> String {
        self.format(t, "%-d %b %Y")
    }
    /// `22 Nov`
    pub fn short_day(&self, t: Time) -> String {
        self.format(t, "%-d %b")
    }
    /// `22 Nov 2026 05:30`
    pub fn minute(&self, t: Time) -> String {
        self.format(t, "%-d %b %Y %H:%M")
    }
    /// `18 Nov 04:00`
    pub fn short_minute(&self, t: Time) -> String {
        self.format(t, "%-d %b %H:%M")
    }
    /// `05:00`
    pub fn clock(&self, t: Time) -> String {
        self.format(t, "%H:%M")
    }
    /// `18 Nov 04:00-05:00`, or both ends in full when they lie on two days.
    pub fn span(&self, from: Time, to: Time) -> String {
        if from == to {
            self.short_minute(from)
        } else if self.day(from) == self.day(to) {
            format!("{}-{}", self.short_minute(from), self.clock(to))
        } else {
            format!("{} to {}", self.short_minute(from), self.short_minute(to))
        }
    }
}
