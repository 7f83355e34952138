//! Times for people: in the organisation's zone, in one form everywhere.

use crate::evidence::Time;
use jiff::tz::TimeZone;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// From and to; none where it is open.
pub type Span = (Option<Time>, Option<Time>);

/// Whether a time is in a span, ends included.
pub(super) fn is_within(at: Time, (from, to): Span) -> bool {
    from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to)
}

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
    /// A time (RFC 3339), or where a day begins or ends; none for what is neither.
    pub fn time(&self, text: &str, end: bool) -> Option<Time> {
        match self.of_day(text) {
            Ok((_, next)) if end => Some(next.plus_millis(-1)),
            Ok((begin, _)) => Some(begin),
            Err(_) => text.trim().parse().ok(),
        }
    }
    /// A span: from the beginning of a day, or a time, to the end of a day, or a time. What is empty is open.
    ///
    /// # Errors
    /// What is neither a day nor a time; a span that ends before it begins.
    pub fn between(&self, from: &str, to: &str) -> Result<Span, String> {
        let time = |name: &str, text: &str, end| {
            let neither = || format!("{name} {text:?} is no day (2026-11-22) and no time (RFC 3339)");
            let text = Some(text.trim()).filter(|text| !text.is_empty());
            text.map(|text| self.time(text, end).ok_or_else(neither)).transpose()
        };
        match (time("from", from, false)?, time("to", to, true)?) {
            (Some(from), Some(to)) if from >= to => Err("from is not before to".into()),
            both => Ok(both),
        }
    }
    /// A sentence of a rule, which knows no zone, with its times as the house writes them: `2026-11-19 20:00 UTC` and days alone.
    pub fn in_text(&self, text: &str) -> String {
        static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r"(^|[\s(])(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d) UTC)?([\s),.;:]|$)").ok()
        });
        let Some(times) = TIMES.as_ref() else { return text.to_owned() };
        let told = |c: &Captures<'_>| {
            let part = |i| c.get(i).map_or("", |m| m.as_str());
            let time = match c.get(3) {
                Some(clock) => format!("{}T{}:00Z", part(2), clock.as_str()).parse().map(|t| self.minute(t)),
                // A day alone is a day wherever one is.
                None => format!("{}T00:00:00Z", part(2)).parse().map(|t| Zone(TimeZone::UTC).day(t)),
            };
            format!("{}{}{}", part(1), time.unwrap_or_else(|_| part(2).to_owned()), part(4))
        };
        times.replace_all(text, told).into_owned()
    }
    /// The days of a span: where each begins and ends.
    pub fn days(&self, from: Time, to: Time) -> Vec<(Time, Time)> {
        let mut day = from.timestamp().to_zoned(self.0.clone()).date();
        let begin =
            |day: jiff::civil::Date| day.to_zoned(self.0.clone()).ok().map(|t| Time::from(t.timestamp()));
        let mut days = Vec::new();
        while let Some((a, Some(b))) = begin(day).zip(day.tomorrow().ok().map(begin))
            && a < to
        {
            days.push((a, b));
            day = day.tomorrow().unwrap_or(day);
        }
        days
    }
    /// `22 Nov 2026`
    pub fn day(&self, t: Time) -> String {
        self.format(t, "%-d %b %Y")
    }
    /// `2026-11-22`
    pub fn iso_day(&self, t: Time) -> String {
        self.format(t, "%Y-%m-%d")
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

#[cfg(test)]
mod tests {
    use super::Zone;

    #[test]
    fn sentences_of_rules_tell_times_of_the_house() {
        let told = |text| Zone::named("Europe/Berlin").in_text(text);
        assert_eq!(told("since 2026-11-19 23:30 UTC, and"), "since 20 Nov 2026 00:30, and");
        assert_eq!(told("in use since 2026-09-13, no"), "in use since 13 Sep 2026, no");
        assert_eq!(told("(2026-10-24 03:00 UTC)"), "(24 Oct 2026 05:00)");
        let keys = "s3://b/2026-11-20/x-2026-11-20.onnx and date=2026-11-20";
        assert_eq!(told(keys), keys, "keys stay as they are");
    }
}
