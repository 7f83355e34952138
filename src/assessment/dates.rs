//! Days: dates without a time are compared by the calendar day, in UTC.

use crate::evidence::Time;

/// The calendar day of a time.
pub(super) fn day(t: Time) -> String {
    t.to_string().chars().take(10).collect()
}

/// The day of a date that may be absent.
pub(super) fn day_or_dash(date: Option<Time>) -> String {
    date.map_or_else(|| "-".into(), day)
}

/// Whether a date lies on a later day than another.
pub(super) fn is_later(date: Time, than: Time) -> bool {
    day(date) > day(than)
}

/// Whether a date has come and is at most so many days old.
pub(super) fn is_current(date: Time, at: Time, max_days: i64) -> bool {
    !is_later(date, at) && !is_over(date.plus_days(max_days), at)
}

/// Whether the last day of something is over.
pub(super) fn is_over(last: Time, at: Time) -> bool {
    is_later(at, last)
}
