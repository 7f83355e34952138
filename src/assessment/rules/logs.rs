//! Whether the places that the register names for a system's own logs are set to keep them. VPC flow logs are no such logs.

use super::super::dates::day;
use super::super::facts::Seen;
use super::super::findings::Case;
use super::super::lifecycle::{Kept, kept_below};
use super::Judged;
use super::buckets::{is_refused, settings};
use crate::evidence::Time;
use crate::evidence::artifacts::{Bucket, subject};

/// Arts 19(1) and 26(6).
pub(super) fn kept(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let store = system.register.log_store.as_ref();
    let reason = store.and_then(|s| s.none.as_deref()).map(str::trim).filter(|r| !r.is_empty());
    let judged = match (store.map(|s| s.places.as_slice()).unwrap_or_default(), reason) {
        ([], Some(reason)) => vec![Judged::line(&system.id, 1).note(format!("no logs of its own: {reason}"))],
        ([], None) => vec![Judged::line(&system.id, 2).note("the register names no log store")],
        (places, _) => places.iter().map(|place| judge(case, place)).collect(),
    };
    judged.into_iter().map(|j| j.evidence(system.registered)).collect()
}

fn judge(case: &Case<'_>, place: &str) -> Judged {
    let days = case.catalogue.defaults.six_months_days;
    let Some((bucket, prefix)) = place.strip_prefix("s3://").map(|p| p.split_once('/').unwrap_or((p, "")))
    else {
        return Judged::line(place, 5).note("its settings are not collected");
    };
    let is_fresh =
        |source: &str| case.estate.coverage.get(source).is_some_and(|c| !c.stale && c.off.is_none());
    let Some(state) = settings(case, bucket).filter(|state| is_fresh(&state.source)) else {
        let denied = is_refused(case, "GetBucketLifecycleConfiguration", bucket);
        let note = if denied { "its settings may not be read" } else { "no source reads its settings" };
        return Judged::line(place, if denied { 4 } else { 5 }).note(note);
    };
    let Some(lifecycle) = state.value.lifecycle.as_ref() else {
        let denied = is_refused(case, "GetBucketLifecycleConfiguration", bucket);
        let line = if denied { 4 } else { 5 };
        return Judged::line(place, line).note("its lifecycle rules were not read").evidence([state.seq]);
    };
    let kept = kept_below(lifecycle, prefix);
    let old = oldest(case, bucket, prefix, state);
    let is_old = old.plus_days(days) <= case.estate.at;
    let since = format!("holds something of {}", day(old));
    let (line, note) = match kept {
        Kept::Days(n, rule) if n < days => {
            (3, format!("rule {rule} deletes after {n} days; the limit is {days}"))
        }
        Kept::May(rule) => (8, format!("rule {rule} deletes on a day of its own, or what its filter takes")),
        _ if !is_old => {
            (6, format!("the oldest that is known of it is of {}, younger than {days} days", day(old)))
        }
        Kept::Days(n, _) => (7, format!("set to be kept {n} days; {since}")),
        Kept::Unlimited => (7, format!("no rule deletes; {since}")),
    };
    Judged::line(place, line).note(note).evidence([state.seq])
}

/// The earliest time at which the store is known to have held something, or its settings were read.
fn oldest(case: &Case<'_>, bucket: &str, prefix: &str, state: &Seen<Bucket>) -> Time {
    let looked = case.facts.buckets.get(&format!("s3:{bucket}")).and_then(|h| h.first()).map(|s| s.at);
    let beginning = subject(bucket, prefix, "");
    let beginning = beginning.split('?').next().unwrap_or_default();
    let stored = case.facts.versions.there(beginning, case.estate.at).filter_map(|v| v.value.stored).min();
    looked.into_iter().chain(stored).min().unwrap_or(state.at)
}
