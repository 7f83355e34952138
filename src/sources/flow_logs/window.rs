//! When the windows of a log group are read. Records come late and in no order, so each window is counted when it is
//! half an hour old, and again until it is six hours old; what changed is a revision.

use crate::evidence::Time;

/// Seconds of a window.
pub const WINDOW: i64 = 300;
/// Seconds after its end at which a window is counted.
const AGES: [i64; 4] = [1_800, 3_600, 10_800, 21_600];

/// Windows that are to be counted after one time and up to another: their starts, and the last time at which each is due,
/// in the order of that. What is read up to such a time, is read for good: it is the cursor.
pub fn due(after: Time, upto: Time) -> Vec<(Time, Time)> {
    let first = (after.seconds() - AGES[AGES.len() - 1] - WINDOW).div_euclid(WINDOW);
    let starts = (first..=upto.seconds().div_euclid(WINDOW)).map(|n| n * WINDOW);
    let last = |start: i64| {
        let times = AGES.iter().map(|age| Time::from_seconds(start + WINDOW + age));
        times.rev().find(|t| *t > after && *t <= upto)
    };
    let mut due: Vec<_> = starts.filter_map(|s| Some((Time::from_seconds(s), last(s)?))).collect();
    due.sort_by_key(|(start, due)| (*due, *start));
    due
}

/// The start of the first window that may have been due after a cursor: all before it were read by then as often as they are.
pub fn behind(cursor: Time) -> Time {
    cursor.plus_seconds(-WINDOW - AGES[AGES.len() - 1])
}

/// The time after which the windows from `from` on are due for the first time.
pub fn before(from: Time) -> Time {
    from.plus_seconds(WINDOW + AGES[0] - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_window_is_counted_at_each_age_whenever_passes_come() {
        let at = Time::from_seconds;
        let mut counted = BTreeMap::<Time, Vec<Time>>::new();
        let mut cursor = at(900_000);
        for now in (900_000..950_000).step_by(900) {
            for (start, due) in due(cursor, at(now)) {
                counted.entry(start).or_default().push(due);
            }
            cursor = at(now);
        }
        assert_eq!(counted[&at(909_000)], AGES.map(|age| at(909_300 + age)));
        assert!(counted.range(at(909_000)..at(920_000)).all(|(_, times)| times.len() == 4));
        // After a long pause each is counted once, and a pass that breaks off goes on where it was.
        let all = due(at(900_000), at(990_000));
        let again = due(all[10].1, at(990_000));
        assert_eq!(all.iter().filter(|(s, _)| *s == at(930_000)).count(), 1);
        assert!(all[11..].iter().all(|w| again.contains(w)));
    }

    #[test]
    fn a_first_pass_begins_with_the_first_window() {
        let from = Time::from_seconds(900_000);
        let starts: Vec<_> = due(before(from), from.plus_seconds(2_100)).into_iter().map(|w| w.0).collect();
        assert!(starts.contains(&from));
    }
}
