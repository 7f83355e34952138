//! When a job is due: from the expression, the zone, and the last time that the ledger shows. A cron only wakes; missed
//! nights are made up by one run, and a job never runs twice at once (its lock file says so).

use crate::config::cron;
use crate::evidence::{Kind, Time};
use crate::store::{Reader, StoreError};

/// Firings that are counted; of more than so many nobody wants to know the number.
const MANY: u64 = 1_000;

/// Whether something is due now: it fired since it last ran.
pub fn due(expression: &str, zone: &str, last: Option<Time>, now: Time) -> bool {
    match last {
        None => true,
        Some(last) => cron::next(expression, zone, last).is_some_and(|t| t <= now),
    }
}

/// How often something fired since it last ran, and when for the last time: a night that is made up stands for so many.
/// What never ran is due once, now.
pub fn fired(expression: &str, zone: &str, last: Option<Time>, now: Time) -> (u64, Option<Time>) {
    let Some(last) = last else { return (1, Some(now)) };
    let (mut count, mut latest, mut at) = (0, None, last);
    while let Some(t) = cron::next(expression, zone, at).filter(|t| *t <= now && count < MANY) {
        (count, latest, at) = (count + 1, Some(t), t);
    }
    (count, latest)
}

/// Whether a pass that a watch makes due may run: the last one was long enough ago.
pub fn due_by_watch(minutes: u64, last: Option<Time>, now: Time) -> bool {
    last.is_none_or(|last| {
        now.seconds() - last.seconds() >= 60 * i64::try_from(minutes).unwrap_or(i64::MAX / 60)
    })
}

/// When the last scheduled assessment was judged.
///
/// # Errors
/// The store's reason.
pub fn last_report(reader: &Reader<'_>) -> Result<Option<Time>, StoreError> {
    let found = reader.rfind(u64::MAX, |e| e.kind == Kind::ReportIssued && e.payload["scheduled"] == true)?;
    Ok(found.map(|p| p.entry.recorded_at))
}

/// When a source was last looked at.
///
/// # Errors
/// The store's reason.
pub fn last_ingest(reader: &Reader<'_>) -> Result<Option<Time>, StoreError> {
    let found = reader.rfind(u64::MAX, |e| e.kind == Kind::SourceRun)?;
    Ok(found.map(|p| p.entry.recorded_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_night_is_made_up_once() {
        let t = |s: &str| s.parse::<Time>().unwrap();
        let at = |last: &str, now: &str| due("30 5 * * *", "UTC", Some(t(last)), t(now));
        assert!(!at("2026-11-22T05:30:00Z", "2026-11-22T23:00:00Z"));
        assert!(at("2026-11-20T05:30:00Z", "2026-11-22T23:00:00Z"));
        assert!(due("30 5 * * *", "UTC", None, t("2026-11-22T00:00:00Z")));
        let fired = |last| fired("30 5 * * *", "UTC", Some(t(last)), t("2026-11-22T23:00:00Z"));
        assert_eq!(fired("2026-11-19T05:30:00Z"), (3, Some(t("2026-11-22T05:30:00Z"))));
        assert_eq!(fired("2026-11-22T05:30:01Z"), (0, None));
    }
}
