//! Which artifact set a stored file belongs to, by the layout of its source, and which files belong to none.

use super::estate::{System, last_shown};
use super::facts::Facts;
use crate::config::Layout;
use crate::evidence::Time;
use crate::evidence::record::AssessmentConfig;
use crate::evidence::register::{Record, RecordState};
use std::collections::{BTreeMap, BTreeSet};

/// Keys that are printed of those outside of a layout.
const PRINTED: usize = 20;

/// Where a set lies, and what its keys say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub bucket: String,
    pub system: String,
    pub version: String,
    /// Beginning of the keys of its files; ends in `/`.
    pub prefix: String,
}

/// A set that is listed, or was.
#[derive(Default)]
pub(super) struct Set {
    /// The last entries of its first files, at most 20.
    pub entries: Vec<u64>,
    /// Whether some of it was there at some time in the window.
    pub is_recent: bool,
    pub source: String,
}

/// Files of a source that fit its layout in no way and are no document of the register.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    /// How many keys.
    pub count: u64,
    /// The first of them: `s3://BUCKET/KEY`, and the entry that shows it.
    pub keys: Vec<(String, u64)>,
}

/// Every set, and per source what lies outside of its layout.
pub(super) fn sets(
    facts: &Facts,
    config: &AssessmentConfig,
    at: Time,
    window: Time,
) -> (BTreeMap<Place, Set>, BTreeMap<String, Strays>) {
    let layouts: BTreeMap<&str, Layout> = config
        .sources
        .iter()
        .map(|(name, s)| (name.as_str(), Layout::of(s.pattern.as_deref(), &s.location)))
        .collect();
    let (default, documents) = (Layout::of(None, ""), documents(facts, at));
    let (mut sets, mut strays) = (BTreeMap::<Place, Set>::new(), BTreeMap::<String, Strays>::new());
    let mut last_stray = String::new();
    for history in facts.versions.0.values() {
        let Some((seen, is_recent)) = last_shown(history, at, window) else { continue };
        let (bucket, key) = (&seen.value.bucket, &seen.value.key);
        let layout = layouts.get(seen.source.as_str()).unwrap_or(&default);
        if let Some(placed) = layout.place(key) {
            let (system, version) = (placed.system.to_owned(), placed.version.to_owned());
            let place = Place { bucket: bucket.clone(), system, version, prefix: placed.prefix.to_owned() };
            let set = sets.entry(place).or_default();
            set.is_recent |= is_recent;
            set.source.clone_from(&seen.source);
            if set.entries.len() < PRINTED {
                set.entries.push(seen.seq);
            }
            continue;
        }
        let uri = format!("s3://{bucket}/{key}");
        let is_listed = history.iter().rfind(|s| s.at <= at).is_some_and(|s| !s.gone);
        if is_listed && uri != last_stray && !key.ends_with('/') && !documents.contains(&uri) {
            let strays = strays.entry(seen.source.clone()).or_default();
            strays.count += 1;
            last_stray.clone_from(&uri);
            if strays.keys.len() < PRINTED {
                strays.keys.push((uri, seen.seq));
            }
        }
    }
    (sets, strays)
}

/// Documents that the register names.
fn documents(facts: &Facts, at: Time) -> BTreeSet<String> {
    let of = |state: &RecordState| match state {
        RecordState::Given(Record { uri, .. }) => uri.clone(),
        RecordState::Absent | RecordState::None => None,
    };
    let systems = facts.systems.at(at).flat_map(|(_, s)| {
        let s = &s.value;
        let records = s.art50.iter().map(|a| &a.record);
        records.chain([&s.not_high_assessment, &s.technical_documentation]).filter_map(of).collect::<Vec<_>>()
    });
    let assessments = facts.risk_assessments.at(at).filter_map(|(_, r)| of(&r.value.record));
    systems.chain(assessments).collect()
}

/// A set of one system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetId {
    pub system: String,
    pub bucket: String,
    pub prefix: String,
}

/// The largest file of a set: what two sets with one model have in common.
#[derive(Clone, Debug)]
pub(super) struct Largest {
    pub key: String,
    pub checksums: BTreeSet<String>,
    /// The entry that shows it.
    pub seq: u64,
}

/// Sets, and those with the same bytes.
#[derive(Default)]
pub(super) struct Shared {
    pub largest: BTreeMap<SetId, Largest>,
    pub by_checksum: BTreeMap<String, BTreeSet<SetId>>,
}

impl Shared {
    /// Compares the sets of all systems.
    pub(super) fn of(facts: &Facts, systems: &BTreeMap<String, System>, at: Time) -> Shared {
        let mut shared = Shared::default();
        for (system, (bucket, prefix)) in
            systems.iter().flat_map(|(id, s)| s.artifacts.values().flatten().map(move |place| (id, place)))
        {
            let beginning = format!("s3:{bucket}/{prefix}");
            let files = facts
                .versions
                .below(&beginning)
                .filter_map(|(_, h)| h.iter().rfind(|s| s.at <= at && !s.gone));
            let Some(largest) = files.max_by_key(|s| (s.value.size, s.value.stored)) else { continue };
            let checksums = facts.checksums(&largest.value, at);
            let set = SetId { system: system.clone(), bucket: bucket.clone(), prefix: prefix.clone() };
            for sum in &checksums {
                shared.by_checksum.entry(sum.clone()).or_default().insert(set.clone());
            }
            shared
                .largest
                .insert(set, Largest { key: largest.value.key.clone(), checksums, seq: largest.seq });
        }
        shared
    }
}
