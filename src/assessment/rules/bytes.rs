//! Rule about the bytes behind a model version: those of the first day, as long as it is deployed.

use super::super::deployments::Deployment;
use super::super::estate::System;
use super::super::facts::{Seen, Version};
use super::super::findings::Case;
use super::artifacts::{first_and_more, looks, set};
use super::{Judged, many, utc};
use crate::act::Level;
use crate::evidence::Time;
use crate::evidence::artifacts::Detail;
use std::collections::BTreeSet;

/// What is known of the bytes of a version.
#[derive(Clone, PartialEq)]
enum Sum {
    /// Checksums of the whole object, `SHA256:…`.
    Whole(BTreeSet<String>),
    /// One over parts, with their number.
    OfParts(String),
    /// S3 states none.
    Absent,
    Denied,
    /// Nobody asked yet.
    Unread,
}

impl Sum {
    /// Whether two versions have the same bytes; none when their checksums do not tell it.
    fn same(&self, other: &Sum) -> Option<bool> {
        match (self, other) {
            (Sum::Whole(a), Sum::Whole(b)) => {
                let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
                let of_one_kind = pairs.filter(|(a, b)| a.split(':').next() == b.split(':').next());
                // One that differs tells it, however many weaker ones agree.
                of_one_kind.map(|(a, b)| a == b).reduce(|all, one| all && one)
            }
            // Another checksum over parts may be another division.
            (Sum::OfParts(a), Sum::OfParts(b)) if a == b => Some(true),
            _ => None,
        }
    }
}

/// A change of a set while it was deployed.
struct Change {
    entry: u64,
    what: String,
}

/// Whether every set kept its bytes.
pub(super) fn unchanged(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let current = system.deployed.iter().filter(|(_, d)| d.is_recent(case.estate.window));
    current.filter_map(|(version, d)| of_version(case, system, version, d)).collect()
}

fn of_version(case: &Case<'_>, system: &System, version: &str, d: &Deployment) -> Option<Judged> {
    let (from, to) = (d.start.unwrap_or(case.estate.window), d.end.unwrap_or(case.estate.at));
    let files = set(case, system, version, from);
    let (mut changes, mut sums, mut is_open) = (Vec::new(), Vec::new(), false);
    for ((_, key), versions) in &files {
        let (standing, mut later) = divided(case, versions, from, to);
        later.extend(beneath(case, versions, standing, from, to));
        sums.extend(standing.into_iter().chain(later.iter().copied()).map(|v| sum(case, &v.value)));
        for version in later {
            match change(case, key, standing, version) {
                Ok(change) => changes.extend(change),
                Err(()) => is_open = true,
            }
        }
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
    } else if is_open || sums.contains(&Sum::Unread) {
        8
    } else {
        7
    };
    let note = match line {
        1 => first_and_more(changes.iter().map(|c| &c.what)),
        2 | 3 => "S3 states no checksum of some files".into(),
        4 => "checksums may not be read".into(),
        8 => "checksums of some files were not read yet, or cannot be compared".into(),
        _ => {
            let (files, looks) = (many(files.len() as u64, "file"), many(complete as u64, "look"));
            format!("{files} with checksums, listed at {looks}")
        }
    };
    let sums_of = |v: &&Seen<Version>| {
        let computed = case.facts.hash(&v.value, case.estate.at).map(|h| h.seq);
        [detail(case, &v.value).map(|(entry, _)| entry), computed]
    };
    let details = files.values().flatten().flat_map(sums_of).flatten();
    let judged = Judged::line(version, line).note(note).evidence(changes.iter().map(|c| c.entry));
    let judged = judged.evidence(d.entries.iter().copied()).evidence(details);
    (!files.is_empty()).then_some(judged)
}

/// The version of a key that stood when the deployment began, and those that came during it.
fn divided<'a>(
    case: &Case<'a>,
    versions: &[&'a Seen<Version>],
    from: Time,
    to: Time,
) -> (Option<&'a Seen<Version>>, Vec<&'a Seen<Version>>) {
    let begin = from.plus_seconds(case.catalogue.defaults.clock_skew_seconds);
    // An upload in parts dates from its beginning: what a look did not show came after it.
    let is_later = |v: &&&Seen<Version>| {
        let looks = case.looks(&v.source).filter(|l| l.value.complete);
        let mut times = looks.filter_map(|l| l.value.looked_at);
        v.value.stored.unwrap_or(v.at) > begin || times.any(|t| t >= begin && t < v.at)
    };
    let standing = versions.iter().rfind(|v| !is_later(v)).copied();
    let later = versions.iter().filter(|v| is_later(v) && v.value.stored.unwrap_or(v.at) <= to);
    (standing, later.copied().collect())
}

/// The version that lay beneath the one that stood, where that one was deleted while it was deployed: then it shows again.
fn beneath<'a>(
    case: &Case<'a>,
    versions: &[&'a Seen<Version>],
    standing: Option<&'a Seen<Version>>,
    from: Time,
    to: Time,
) -> Option<&'a Seen<Version>> {
    let standing = standing?;
    let gone = |v: &Version| {
        let history = case.facts.versions.get(v.subject());
        history.and_then(|h| h.iter().find(|s| s.gone && s.at > from && s.at <= to))
    };
    gone(&standing.value)?;
    let is_before = |v: &&&Seen<Version>| v.value.stored < standing.value.stored;
    versions.iter().rfind(|v| is_before(v) && gone(&v.value).is_none()).copied()
}

/// What a version that shows during a deployment changed; none where its bytes are those that stood. The error: nothing tells it.
fn change(
    case: &Case<'_>,
    key: &str,
    standing: Option<&Seen<Version>>,
    later: &Seen<Version>,
) -> Result<Option<Change>, ()> {
    let when = utc(later.value.stored.unwrap_or(later.at));
    let change = |what: String| Ok(Some(Change { entry: later.seq, what }));
    let Some(stood) = standing else { return change(format!("{key} came on {when}")) };
    if later.value.stored < stood.value.stored {
        return match sum(case, &stood.value).same(&sum(case, &later.value)) {
            Some(true) => Ok(None),
            Some(false) => {
                change(format!("{key} shows the bytes of {when} again: the version that stood is gone"))
            }
            None => Err(()),
        };
    }
    if later.value.version_id() == "null" {
        return change(format!("{key} was written on {when} without a version"));
    }
    match sum(case, &stood.value).same(&sum(case, &later.value)) {
        Some(true) => Ok(None),
        Some(false) => change(format!("{key} has other bytes since {when}")),
        None if stood.value.size != later.value.size => {
            change(format!("{key} has {} bytes since {when}, before {}", later.value.size, stood.value.size))
        }
        None => Err(()),
    }
}

fn sum(case: &Case<'_>, version: &Version) -> Sum {
    let computed = case.facts.hash(version, case.estate.at).and_then(|h| h.value.checksum());
    // A version "null" is written over, and its details are of what was there before.
    let is_same = |d: &&Detail| d.etag.is_empty() || *d.etag == *version.etag;
    let detail = detail(case, version).map(|(_, detail)| detail).filter(is_same);
    let whole: BTreeSet<String> =
        detail.and_then(|d| d.checksum.clone()).into_iter().chain(computed).collect();
    match detail {
        _ if !whole.is_empty() => Sum::Whole(whole),
        None => Sum::Unread,
        Some(d) => match (&d.checksum_of_parts, d.parts) {
            (Some(sum), Some(parts)) => Sum::OfParts(format!("{sum} of {parts} parts")),
            _ if !d.attributes => Sum::Denied,
            _ => Sum::Absent,
        },
    }
}

/// Details of a version with what was asked of its checksum, and the entry that says so.
fn detail<'a>(case: &Case<'a>, version: &Version) -> Option<(u64, &'a Detail)> {
    let history = case.facts.details.get(version.subject())?;
    let tells = |d: &Detail| d.attributes || d.denied.iter().any(|call| call == "GetObjectAttributes");
    // Details of what is gone are still those of what was there.
    let told = history.iter().rfind(|s| !s.gone && s.at <= case.estate.at && tells(&s.value));
    told.map(|s| (s.seq, &s.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_checksum_that_differs_outweighs_a_weaker_one_that_agrees() {
        let whole = |sums: &[&str]| Sum::Whole(sums.iter().map(|s| (*s).to_owned()).collect());
        let both = whole(&["CRC32:a", "SHA256:x"]);
        assert_eq!(both.same(&whole(&["CRC32:a", "SHA256:y"])), Some(false));
        assert_eq!(both.same(&whole(&["CRC32:a"])), Some(true));
        assert_eq!(both.same(&whole(&["SHA1:x"])), None);
        assert_eq!(both.same(&Sum::OfParts("x of 2 parts".into())), None);
    }
}
