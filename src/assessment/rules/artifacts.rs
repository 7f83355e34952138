//! Rules that tie model versions in production to stored files.

use super::super::deployments::Deployment;
use super::super::estate::{System, model_version};
use super::super::facts::{Look, Seen, Version};
use super::super::findings::Case;
use super::cluster::in_production;
use super::{Judged, many, utc};
use crate::act::SourceKind;
use crate::evidence::Time;
use crate::evidence::gatekeeper::Workload;
use std::collections::{BTreeMap, BTreeSet};

/// Workloads of the system that run in production now.
pub(super) fn serving<'a>(case: &Case<'a>, system: &System) -> Vec<(&'a str, &'a Seen<Workload>)> {
    let at = |s: &Seen<Workload>| case.estate.horizon(&s.source);
    let present = case.facts.cluster.workloads.at(case.estate.at);
    let ours = present.filter(|(subject, w)| system.workloads.contains(*subject) && w.at <= at(w));
    ours.filter(|(_, w)| w.value.replicas > 0 && in_production(case, w)).collect()
}

/// The earliest of put_into_service, the first version start in production and the first endpoint; none when it lies before our first look, and the
/// register does not say a day before it.
pub(super) fn in_use_since(system: &System) -> Option<Time> {
    let starts = system.in_production().filter_map(|d| d.start);
    let known = starts.chain(system.register.put_into_service).min();
    // What has no known start was there at its first look already.
    let seen = system.in_production().filter(|d| d.start.is_none()).map(|d| d.seen).min();
    match (known, seen) {
        (known, None) => known,
        (known, Some(seen)) => known.filter(|t| system.register.put_into_service.is_some() && *t <= seen),
    }
}

/// Files of an artifact set by bucket and key, with all their versions, oldest first.
pub(super) type Files<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Seen<Version>>>;

/// Files of an artifact set that were still there at a time.
pub(super) fn set<'a>(case: &Case<'a>, system: &System, version: &str, from: Time) -> Files<'a> {
    let mut files = Files::new();
    for (bucket, prefix) in system.artifacts.get(version).into_iter().flatten() {
        for (_, history) in case.facts.versions.below(&format!("s3:{bucket}/{prefix}")) {
            // What was removed before is no part of it; a version "null" may come again.
            let removed = history.iter().rposition(|s| s.gone && s.at <= from).map_or(0, |i| i + 1);
            for state in history[removed..].iter().filter(|s| !s.gone && s.at <= case.estate.at) {
                let (bucket, key) = (state.value.bucket(), state.value.key());
                // A key that ends so is a folder, as consoles make them.
                if !key.ends_with('/') {
                    files.entry((bucket, key)).or_default().push(state);
                }
            }
        }
    }
    files.values_mut().for_each(|v| v.sort_by_key(|s| s.value.stored));
    files
}

/// Whether a source lists a place, and has listed it whole at some time.
pub(super) fn lists(case: &Case<'_>, bucket: &str, key: &str) -> bool {
    let covers = |source: &str| {
        let location =
            case.estate.config.sources.get(source).map(|s| s.location.as_str()).unwrap_or_default();
        match crate::config::bucket(location) {
            Some((name, prefix)) => name == bucket && key.starts_with(&prefix),
            // A folder of looks may hold any bucket.
            None => {
                let beginning = format!("s3:{bucket}/");
                let mut histories = case.facts.versions.below(&beginning).map(|(_, h)| h);
                histories.any(|history| history.iter().any(|s| s.source == source && s.at <= case.estate.at))
            }
        }
    };
    let is_whole = |source: &str| case.looks(source).any(|l| l.value.complete);
    case.estate.sources(SourceKind::ModelArtifacts).any(|c| is_whole(&c.source) && covers(&c.source))
}

/// The first of several things, and how many more there are.
pub(super) fn first_and_more<'t>(what: impl IntoIterator<Item = &'t String>) -> String {
    let mut what = what.into_iter();
    let Some(first) = what.next() else { return String::new() };
    match what.count() {
        0 => first.clone(),
        more => format!("{first}; and {more} more"),
    }
}

/// Looks of the artifact sources that fall into a span: how many, and whether all were complete.
pub(super) fn looks(case: &Case<'_>, from: Time, to: Time) -> (usize, bool) {
    let sources = case.estate.sources(SourceKind::ModelArtifacts);
    let looks = sources.flat_map(|c| case.looks(&c.source));
    let within: Vec<&Look> =
        looks.filter(|l| l.value.looked_at.is_some_and(|t| t >= from && t <= to)).collect();
    // A step of a pass that goes on is no gap.
    let lacks = |l: &&Look| !(l.value.complete || l.value.gaps.is_empty() && l.value.error.is_none());
    (within.iter().filter(|l| l.value.complete).count(), !within.iter().any(lacks))
}

pub(super) fn deleted(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let current = system.deployed.iter().filter(|(_, d)| d.is_recent(case.estate.window));
    current.map(|(version, d)| deleted_version(case, system, version, d)).collect()
}

fn deleted_version(case: &Case<'_>, system: &System, version: &str, d: &Deployment) -> Judged {
    let to = d.end.unwrap_or(case.estate.at);
    let from = d.start.unwrap_or(case.estate.window);
    let files = set(case, system, version, from);
    let mut hits: Vec<(u64, String)> = Vec::new();
    for (bucket, prefix) in system.artifacts.get(version).into_iter().flatten() {
        let beginning = format!("s3:{bucket}/{prefix}");
        for (_, history) in case.facts.markers.below(&beginning) {
            let Some(marker) = history.iter().find(|s| !s.gone && s.at <= case.estate.at) else { continue };
            let m = &marker.value;
            let set_at = m.set.unwrap_or(marker.at);
            let taken_away = history.iter().find(|s| s.gone || !s.value.latest).map(|s| s.at);
            let overlaps = set_at <= to && taken_away.is_none_or(|t| t > from);
            if files.contains_key(&(m.bucket.as_str(), m.key.as_str())) && m.latest && overlaps {
                hits.push((marker.seq, format!("{} hidden by a delete marker of {}", m.key, utc(set_at))));
            }
        }
        for (_, history) in case.facts.versions.below(&beginning) {
            let Some(shown) = history.iter().find(|s| !s.gone) else { continue };
            let gone = history.iter().find(|s| s.gone && s.at >= from && s.at <= to);
            let v = &shown.value;
            if let Some(g) = gone.filter(|_| files.contains_key(&(v.bucket(), v.key()))) {
                hits.push((g.seq, format!("{} version {} gone", v.key(), v.version_id())));
            }
        }
    }
    let (complete, whole) = looks(case, from.max(case.estate.window), to);
    let line = if !hits.is_empty() {
        1
    } else if files.is_empty() {
        2
    } else if complete == 0 || !whole {
        3
    } else if d.start.is_none() {
        4
    } else {
        5
    };
    let note = match line {
        1 => first_and_more(hits.iter().map(|(_, n)| n)),
        2 => "no stored files of this version were ever seen".into(),
        _ => {
            format!("{}, listed at {}", many(files.len() as u64, "file"), many(complete as u64, "look"))
        }
    };
    let listed = files.values().flatten().map(|s| s.seq);
    Judged::line(version, line)
        .note(note)
        .evidence(hits.iter().map(|(s, _)| *s))
        .evidence(d.entries.iter().copied())
        .evidence(listed)
}

pub(super) fn stored(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let kinds = [SourceKind::Gatekeeper, SourceKind::ModelArtifacts];
    let stale = kinds.iter().flat_map(|k| case.estate.sources(*k)).any(|c| c.stale && c.off.is_none());
    let judge = |(subject, w): (&str, &Seen<Workload>)| {
        let Some(version) = model_version(&w.value) else {
            return Judged::line(subject, 1).evidence([w.seq]);
        };
        let start = system.deployed.get(version).and_then(|d| d.start);
        let files = set(case, system, version, start.unwrap_or(case.estate.window));
        let (lacking, is_unread, manifests) = named(case, &files);
        let oldest = files.values().filter_map(|v| v.first()?.value.stored).max();
        let skew = case.catalogue.defaults.clock_skew_seconds;
        let line = if stale {
            2
        } else if files.is_empty() {
            3
        } else if lacking.is_some() {
            4
        } else if contradictory(case, system, version, &files) {
            5
        } else if start.is_none() {
            6
        } else if oldest.zip(start).is_some_and(|(stored, start)| stored > start.plus_seconds(skew)) {
            7
        } else if is_unread || oldest.is_none() {
            9
        } else {
            8
        };
        let stored = many(files.len() as u64, "file");
        let note = match line {
            3 => format!(
                "{version} runs; no files under …/{}/{version}/ were ever listed",
                system.id.rsplit(':').next().unwrap_or(&system.id)
            ),
            4 => format!("{version}: the manifest names {}, which is not there", lacking.unwrap_or_default()),
            7 => format!("{version} ran before its files were stored"),
            2 => format!("{version}: its files were not listed of late"),
            5 => format!("{version}: its sets hold a file of one name with different bytes"),
            6 => format!("{version}: {stored}; not known since when it runs"),
            9 if is_unread => format!("{version}: {stored}; what the manifest names was not read"),
            _ => format!("{version}: {stored}, there before it ran"),
        };
        let listed = files.values().flatten().map(|s| s.seq);
        Judged::line(subject, line).note(note).evidence([w.seq]).evidence(manifests).evidence(listed)
    };
    serving(case, system).into_iter().map(judge).collect()
}

/// A file that a manifest of the set names and that is not in it, whether a manifest was not read, and the entries that show them.
fn named(case: &Case<'_>, files: &Files<'_>) -> (Option<String>, bool, Vec<u64>) {
    let (mut lacking, mut is_unread, mut entries) = (None, false, Vec::new());
    for ((bucket, key), versions) in files {
        let (folder, name) = key.rsplit_once('/').unwrap_or_default();
        let is_manifest = case.catalogue.pack.manifest_names.iter().any(|m| m == name);
        let Some(latest) = versions.last().filter(|_| is_manifest) else { continue };
        let manifest = case.facts.manifests.of(latest.value.subject(), case.estate.at);
        entries.extend(manifest.map(|m| m.seq));
        let Some(names) = manifest.and_then(|m| m.value.files.as_ref()) else {
            is_unread = true;
            continue;
        };
        let is_there = |name: &&String| {
            let there = |key: &str| files.contains_key(&(*bucket, key));
            there(name) || there(&format!("{folder}/{name}"))
        };
        lacking = lacking.or(names.iter().find(|name| !is_there(name)).cloned());
    }
    (lacking, is_unread, entries)
}

/// Whether two sets of one version hold different bytes under one name.
fn contradictory(case: &Case<'_>, system: &System, version: &str, files: &Files<'_>) -> bool {
    let places: Vec<_> = system.artifacts.get(version).into_iter().flatten().collect();
    let mut sums: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for ((bucket, key), versions) in files {
        let prefix = places.iter().find(|(b, prefix)| b == bucket && key.starts_with(prefix.as_str()));
        let Some(name) = prefix.map(|(_, prefix)| &key[prefix.len()..]) else { continue };
        let known = versions.last().map(|v| case.facts.checksums(&v.value, case.estate.at));
        for sum in known.into_iter().flatten() {
            if let Some((kind, sum)) = sum.split_once(':') {
                sums.entry((name, kind.to_owned())).or_default().insert(sum.to_owned());
            }
        }
    }
    sums.values().any(|s| s.len() > 1)
}
