//! Rule about what is set up to take files away while their version runs: expiry rules, and locks that end.

use super::super::dates::day;
use super::super::deployments::Deployment;
use super::super::estate::System;
use super::super::facts::{Seen, Version};
use super::super::findings::Case;
use super::super::lifecycle::{Expiry, Stored, expiry};
use super::artifacts::{first_and_more, set};
use super::buckets::settings;
use super::{Judged, many};
use crate::evidence::artifacts::subject;

/// Whether nothing is set up that takes a file of a version in production away.
pub(super) fn kept(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let running = system.deployed.iter().filter(|(_, d)| d.end.is_none());
    running.filter_map(|(version, d)| of_version(case, system, version, d)).collect()
}

fn of_version(case: &Case<'_>, system: &System, version: &str, d: &Deployment) -> Option<Judged> {
    let at = case.estate.at;
    let files = set(case, system, version, d.start.unwrap_or(case.estate.window));
    let is_there =
        |v: &&Seen<Version>| case.facts.versions.of(v.value.subject(), at).is_some_and(|s| !s.gone);
    let latest: Vec<&Seen<Version>> =
        files.values().filter_map(|versions| versions.iter().copied().rfind(is_there)).collect();
    let (open, hidden): (Vec<Hit>, Vec<Hit>) =
        latest.iter().filter_map(|file| hidden(case, file)).partition(|hit| hit.is_open);
    let unlocked: Vec<Hit> = latest.iter().filter_map(|file| unlocked(case, file)).collect();
    let is_read = |file: &&Seen<Version>| {
        settings(case, file.value.bucket()).is_some_and(|b| b.value.lifecycle.is_some())
    };
    let is_known =
        |file: &&Seen<Version>| case.facts.detail(&file.value, at).is_some_and(|d| d.value.headers);
    let line = match () {
        () if !hidden.is_empty() => 1,
        () if !unlocked.is_empty() => 2,
        () if !latest.iter().all(is_read) => 3,
        () if !latest.iter().all(is_known) => 4,
        () if !open.is_empty() => 6,
        () => 5,
    };
    let note = match line {
        1 => first_and_more(hidden.iter().map(|h| &h.what)),
        2 => first_and_more(unlocked.iter().map(|h| &h.what)),
        3 => "the lifecycle rules of the bucket were not read".into(),
        4 => "whether some files are locked was not read".into(),
        6 => format!(
            "{}, if their tags are as it says: they were not read",
            first_and_more(open.iter().map(|h| &h.what))
        ),
        _ => {
            let files = many(latest.len() as u64, "file");
            format!("{files}: no rule would delete or hide any, and no lock ended")
        }
    };
    let judged =
        Judged::line(version, line).note(note).evidence(hidden.iter().chain(&unlocked).map(|h| h.entry));
    let judged = judged.evidence(d.entries.iter().copied()).evidence(latest.iter().map(|v| v.seq));
    (!latest.is_empty()).then_some(judged)
}

/// What takes a file away, and the entry that shows it.
struct Hit {
    is_open: bool,
    entry: u64,
    what: String,
}

fn hidden(case: &Case<'_>, file: &Seen<Version>) -> Option<Hit> {
    let expiry = expires(case, file)?;
    let when = expiry.at.map_or_else(String::new, |at| format!(" on {}", day(at)));
    let what = format!("rule {} would hide {}{when}", expiry.rule, file.value.key());
    Some(Hit { entry: settings(case, file.value.bucket())?.seq, what, is_open: expiry.is_open })
}

fn unlocked(case: &Case<'_>, file: &Seen<Version>) -> Option<Hit> {
    let detail = case.facts.detail(&file.value, case.estate.at).filter(|d| !d.value.legal_hold)?;
    let lock = detail.value.retention.as_ref().filter(|lock| lock.until < case.estate.at)?;
    Some(Hit {
        is_open: false,
        entry: detail.seq,
        what: format!("the lock of {} ended on {}", file.value.key(), day(lock.until)),
    })
}

/// The rule of its bucket that would hide a file.
pub(super) fn expires(case: &Case<'_>, file: &Seen<Version>) -> Option<Expiry> {
    let (v, at) = (&file.value, case.estate.at);
    let of_key = subject(v.bucket(), v.key(), "");
    let over = case.facts.versions.there(&of_key, at).filter(|o| o.value.stored > v.stored);
    let noncurrent = over.filter_map(|o| o.value.stored).min();
    let tags = case.facts.tags(v, case.estate.at);
    let stored = Stored { key: v.key(), size: v.size, tags, since: v.stored, noncurrent };
    expiry(settings(case, v.bucket())?.value.lifecycle.as_ref()?, &stored)
}
