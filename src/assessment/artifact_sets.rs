//! Which artifact set a stored file belongs to, by the layout of its source, and which files belong to none.

use super::estate::{System, last_shown};
use super::facts::Facts;
use crate::config::Layout;
use crate::evidence::Time;
use crate::evidence::record::AssessmentConfig;
use crate::evidence::register::{Record, RecordState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
        let (bucket, key) = (seen.value.bucket(), seen.value.key());
        let layout = layouts.get(seen.source.as_str()).unwrap_or(&default);
        if let Some(placed) = layout.place(key) {
            let (system, version) = (placed.system.to_owned(), placed.version.to_owned());
            let place =
                Place { bucket: bucket.to_owned(), system, version, prefix: placed.prefix.to_owned() };
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
    pub size: u64,
    pub checksums: BTreeSet<String>,
    /// The entry that shows it.
    pub seq: u64,
}

/// Sets with files that are there, and what leads to them.
#[derive(Default)]
pub(super) struct Shared {
    pub largest: BTreeMap<Arc<SetId>, Largest>,
    /// By size and checksum of the largest file, and by its size alone.
    by_bytes: BTreeMap<(u64, String), Vec<Arc<SetId>>>,
    by_size: BTreeMap<u64, Vec<Arc<SetId>>>,
    by_place: BTreeMap<(String, String), Vec<Arc<SetId>>>,
    /// By the names of system and model version in the keys.
    by_names: BTreeMap<(String, String), Vec<Arc<SetId>>>,
}

impl Shared {
    /// Compares the sets of all systems.
    pub(super) fn of(
        facts: &Facts,
        systems: &BTreeMap<String, System>,
        sets: &BTreeMap<Place, Set>,
        at: Time,
    ) -> Shared {
        let named = |p: &Place| ((p.bucket.clone(), p.prefix.clone()), (p.system.clone(), p.version.clone()));
        let names: BTreeMap<(String, String), (String, String)> = sets.keys().map(named).collect();
        let places = |(id, s): (&String, &System)| {
            s.artifacts.values().flatten().map(|place| (id.clone(), place.clone())).collect::<Vec<_>>()
        };
        let mut shared = Shared::default();
        for (system, place) in systems.iter().flat_map(places) {
            let Some(largest) = largest(facts, &place, at) else { continue };
            let (bucket, prefix) = place.clone();
            let set = Arc::new(SetId { system, bucket, prefix });
            for sum in &largest.checksums {
                shared.by_bytes.entry((largest.size, sum.clone())).or_default().push(set.clone());
            }
            if let Some(names) = names.get(&place) {
                shared.by_names.entry(names.clone()).or_default().push(set.clone());
            }
            shared.by_size.entry(largest.size).or_default().push(set.clone());
            shared.by_place.entry(place).or_default().push(set.clone());
            shared.largest.insert(set, largest);
        }
        shared.in_order();
        shared
    }

    /// Each set once in each list.
    fn in_order(&mut self) {
        let named = self.by_place.values_mut().chain(self.by_names.values_mut());
        for list in self.by_bytes.values_mut().chain(self.by_size.values_mut()).chain(named) {
            list.sort();
            list.dedup();
        }
    }

    /// Sets of other systems with the same place, or the same largest file.
    pub(super) fn others(&self, set: &SetId) -> Vec<&SetId> {
        let place = (set.bucket.clone(), set.prefix.clone());
        let largest = self.largest.get(set).filter(|l| l.size > 0);
        let keys = largest.into_iter().flat_map(|l| l.checksums.iter().map(|sum| (l.size, sum.clone())));
        let same = keys.filter_map(|key| self.by_bytes.get(&key)).chain(self.by_place.get(&place)).flatten();
        same.map(Arc::as_ref).filter(|other| other.system != set.system).collect()
    }

    /// Whether the largest file of another system's set may be the same one: they have one size, and no checksums of one kind.
    pub(super) fn is_open(&self, set: &SetId) -> bool {
        let Some(largest) = self.largest.get(set) else { return true };
        let kinds = |l: &Largest| {
            l.checksums.iter().map(|c| c.split(':').next().map(str::to_owned)).collect::<BTreeSet<_>>()
        };
        let same = self.by_size.get(&largest.size).into_iter().flatten().filter(|o| o.system != set.system);
        let mut same = same.filter_map(|other| self.largest.get(other));
        largest.checksums.is_empty()
            || largest.size > 0 && same.any(|other| kinds(other).is_disjoint(&kinds(largest)))
    }

    /// Sets of a place in a bucket, whether it is one of their files or their folder.
    pub(super) fn at(&self, bucket: &str, key: &str) -> impl Iterator<Item = &SetId> {
        let folder = format!("{}/", key.trim_end_matches('/'));
        let ends: Vec<usize> = folder.char_indices().filter(|(_, c)| *c == '/').map(|(i, _)| i + 1).collect();
        let bucket = bucket.to_owned();
        let of = move |end: usize| self.by_place.get(&(bucket.clone(), folder[..end].to_owned()));
        ends.into_iter().filter_map(of).flatten().map(Arc::as_ref)
    }

    /// Sets whose names of system and model version follow each other somewhere in a path.
    pub(super) fn named(&self, path: &[&str]) -> impl Iterator<Item = &SetId> {
        let pairs = path.iter().enumerate().flat_map(|(i, a)| path[i + 1..].iter().map(|b| (*a, *b)));
        let pairs: Vec<(String, String)> =
            pairs.take(1_000).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        pairs.into_iter().filter_map(|names| self.by_names.get(&names)).flatten().map(Arc::as_ref)
    }
}

fn largest(facts: &Facts, (bucket, prefix): &(String, String), at: Time) -> Option<Largest> {
    let beginning = format!("s3:{bucket}/{prefix}");
    let file = facts.versions.there(&beginning, at).max_by_key(|s| (s.value.size, s.value.stored))?;
    let checksums = facts.checksums(&file.value, at);
    Some(Largest { key: file.value.key().to_owned(), size: file.value.size, checksums, seq: file.seq })
}
