//! Rule about the bytes behind a model version: those of the first day, as long as it is deployed.

use super::super::estate::System;
use super::super::facts::Seen;
use super::super::findings::Case;
use super::artifacts::{Deployment, deployments, looks, set};
use super::{Judged, utc};
use crate::act::Level;
use crate::evidence::Time;
use crate::evidence::artifacts::{Version, subject};

/// What is known of the bytes of a version.
#[derive(Clone, PartialEq)]
enum Sum {
    /// A checksum of the whole object, or one over parts with their number.
    Stated(String),
    /// S3 states none.
    Absent,
    Denied,
    /// Nobody asked yet.
    Unread,
}

/// A change of a set while it was deployed.
struct Change {
    entry: u64,
    what: String,
}

/// Whether every set kept its bytes.
pub(super) fn unchanged(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let current = deployments(case, system).into_iter();
    let current = current.filter(|(_, d)| d.end.is_none_or(|e| e >= case.estate.window));
    current.filter_map(|(version, d)| of_version(case, system, &version, &d)).collect()
}

fn of_version(case: &Case<'_>, system: &System, version: &str, d: &Deployment) -> Option<Judged> {
    let (from, to) = (d.start.unwrap_or(case.estate.window), d.end.unwrap_or(case.estate.at));
    let files = set(case, system, version, from);
    let (mut changes, mut sums) = (Vec::new(), Vec::new());
    for (key, versions) in &files {
        let (standing, later) = divided(case, versions, from, to);
        sums.extend(standing.map(|s| sum(case, &s.value)));
        changes.extend(later.iter().filter_map(|l| change(case, key, standing, l)));
    }
    let (complete, whole) = looks(case, from.max(case.estate.window), to);
    let strict =
        system.levels.as_ref().is_none_or(|l| [Level::High, Level::Unclassified].contains(&l.effective));
    let line = if !changes.is_empty() {
        1
    } else if sums.contains(&Sum::Absent) {
        if strict { 2 } else { 3 }
    } else if sums.contains(&Sum::Denied) {
        4
    } else if complete == 0 || !whole {
        5
    } else if d.start.is_none() {
        6
    } else if sums.contains(&Sum::Unread) {
        8
    } else {
        7
    };
    let note = match line {
        1 => changes.iter().map(|c| c.what.as_str()).collect::<Vec<_>>().join("; "),
        2 | 3 => "S3 states no checksum of some files".into(),
        4 => "checksums may not be read".into(),
        8 => "checksums of some files were not read yet".into(),
        _ => format!("{} files with their checksums, listed at {complete} looks", files.len()),
    };
    let details = files.values().flatten().filter_map(|v| Some(detail(case, &v.value)?.0));
    let judged = Judged::line(version, line).note(note).evidence(changes.iter().map(|c| c.entry));
    let judged = judged.evidence(d.entries.iter().copied()).evidence(details);
    (!files.is_empty()).then_some(judged)
}

/// The version of a key that stood when the deployment began, and those that were stored during it.
fn divided<'v, 'a>(
    case: &Case<'_>,
    versions: &'v [&'a Seen<Version>],
    from: Time,
    to: Time,
) -> (Option<&'a Seen<Version>>, Vec<&'v &'a Seen<Version>>) {
    let begin = from.plus_seconds(case.catalogue.defaults.clock_skew_seconds);
    let stored = |v: &Seen<Version>| v.value.stored.unwrap_or(v.at);
    let standing = versions.iter().rfind(|v| stored(v) <= begin).copied();
    let later = versions.iter().filter(|v| stored(v) > begin && stored(v) <= to);
    (standing, later.collect())
}

/// What a version that was stored during a deployment changed; none where its bytes are those that stood.
fn change(
    case: &Case<'_>,
    key: &str,
    standing: Option<&Seen<Version>>,
    later: &Seen<Version>,
) -> Option<Change> {
    let when = utc(later.value.stored.unwrap_or(later.at));
    let what = match standing {
        None => format!("{key} came on {when}"),
        Some(_) if later.value.version_id == "null" => {
            format!("{key} was written on {when} without a version")
        }
        Some(s) => match (sum(case, &s.value), sum(case, &later.value)) {
            (Sum::Stated(a), Sum::Stated(b)) if a == b => return None,
            (Sum::Stated(_), Sum::Stated(_)) => format!("{key} has other bytes since {when}"),
            _ if s.value.size != later.value.size => {
                format!("{key} has {} bytes since {when}, before {}", later.value.size, s.value.size)
            }
            // The same size and no checksums: the sum that lacks decides.
            _ => return None,
        },
    };
    Some(Change { entry: later.seq, what })
}

fn sum(case: &Case<'_>, version: &Version) -> Sum {
    let Some((_, detail)) = detail(case, version) else { return Sum::Unread };
    let of_parts = || Some(format!("{} of {} parts", detail.checksum_of_parts.as_ref()?, detail.parts?));
    match detail.checksum.clone().or_else(of_parts) {
        Some(sum) => Sum::Stated(sum),
        None if detail.denied.iter().any(|call| call == "GetObjectAttributes") => Sum::Denied,
        None => Sum::Absent,
    }
}

/// Details of a version, with the entry that says so.
fn detail<'a>(case: &Case<'a>, version: &Version) -> Option<(u64, &'a crate::evidence::artifacts::Detail)> {
    let subject = subject(&version.bucket, &version.key, &version.version_id);
    let history = case.facts.details.0.get(&subject)?;
    // Details of what is gone are still those of what was there.
    history.iter().rfind(|s| !s.gone && s.at <= case.estate.at).map(|s| (s.seq, &s.value))
}
