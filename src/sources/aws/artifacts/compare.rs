//! What was listed beside what the record says is there: what is new or another one, and what is gone.

use super::listing::{Item, Stored};
use super::{Pass, STEP};
use crate::evidence::artifacts::{DeleteMarker, Version, place, subject};
use crate::evidence::{Evidence, Kind};
use crate::sources::Gathered;
use crate::sources::live::Record;
use std::collections::{HashSet, VecDeque};

/// Kinds of states that a listing shows to be there.
const KINDS: [Kind; 6] = [
    Kind::ArtifactVersion,
    Kind::ArtifactDeleteMarker,
    Kind::ArtifactDetail,
    Kind::ArtifactTags,
    Kind::ArtifactHash,
    Kind::ArtifactManifest,
];

/// A part of the keys that was listed, and how far the record was looked through for what is no longer there.
#[derive(Default)]
pub(super) struct Span {
    /// Between which keys, the first one left out; no last one for all that follow.
    from: String,
    to: Option<String>,
    /// Subjects that were listed: versions, and delete markers.
    versions: HashSet<String>,
    markers: HashSet<String>,
    /// Where the record has still to be looked at.
    left: VecDeque<(Kind, String, String)>,
    /// What is gone and not told yet.
    gone: VecDeque<(Kind, String)>,
}

impl Span {
    /// Whether all that is gone was told.
    pub(super) fn is_told(&self) -> bool {
        self.left.is_empty() && self.gone.is_empty()
    }
}

impl Pass<'_> {
    /// Writes what is new or another one of the keys that were listed since the last time.
    pub(super) fn compare(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<(), String> {
        let (mut versions, mut markers, mut new) = (HashSet::new(), HashSet::new(), Vec::new());
        let items = std::mem::take(&mut self.closed);
        let evidence: Vec<Evidence> = items.iter().map(|item| self.evidence(item)).collect();
        let known = record.hold(&evidence)?;
        for ((item, evidence), is_known) in items.into_iter().zip(evidence).zip(known) {
            let listed = if item.stored.is_some() { &mut versions } else { &mut markers };
            listed.insert(evidence.subject.clone());
            if !is_known {
                if item.stored.is_some() {
                    new.push((item.key, item.version_id));
                }
                out.evidence.push(evidence);
            }
        }
        let from = std::mem::replace(&mut self.compared, self.tally.after.clone());
        let to = (!self.is_listed).then(|| self.compared.clone());
        let left =
            if to.as_ref() == Some(&from) { VecDeque::new() } else { self.ranges(&from, to.as_deref()) };
        self.span = Span { from, to, versions, markers, left, gone: VecDeque::new() };
        self.detail(record, new, out)
    }

    /// Where the record has subjects of keys in a span.
    fn ranges(&self, from: &str, to: Option<&str>) -> VecDeque<(Kind, String, String)> {
        let begin = self.beginning(if from.is_empty() { &self.place.prefix } else { from });
        let end = to.map_or_else(|| self.end(), |to| self.beginning(&format!("{to}?versionId>")));
        let mut ranges = vec![(begin, end)];
        // Where a key goes on after the end of another with what stands before "?", its subject does not stand where its key does.
        let to = to.unwrap_or_default();
        let beginnings = to.char_indices().map(|(i, _)| &to[..i]).filter(|key| *key > from);
        ranges.extend(beginnings.map(|key| {
            (self.beginning(&format!("{key}?versionId=")), self.beginning(&format!("{key}?versionId>")))
        }));
        let of_kind = |kind| ranges.iter().map(move |(from, to)| (kind, from.clone(), to.clone()));
        KINDS.into_iter().flat_map(of_kind).collect()
    }

    /// Tells what of a span is gone, as far as there is room in the step.
    pub(super) fn tell_gone(&mut self, record: &dyn Record, out: &mut Gathered) -> Result<(), String> {
        while !self.span.is_told() && out.evidence.len() < STEP {
            if self.span.gone.is_empty()
                && let Some(range) = self.span.left.pop_front()
            {
                self.look(record, range)?;
            }
            let room = STEP.saturating_sub(out.evidence.len()).min(self.span.gone.len());
            let (name, now) = (&self.context.source.name, self.now);
            let told = self.span.gone.drain(..room);
            out.evidence.extend(told.map(|(kind, subject)| Evidence::gone(kind, name, subject, now)));
        }
        Ok(())
    }

    /// Looks at some subjects of the record, and notes those that were not listed.
    fn look(&mut self, record: &dyn Record, (kind, from, to): (Kind, String, String)) -> Result<(), String> {
        let present = record.present(kind, &from, &to, STEP)?;
        if let Some(last) = present.last().filter(|_| present.len() == STEP) {
            self.span.left.push_front((kind, format!("{last}\0"), to));
        }
        let is_of_span = |subject: &str| {
            place(subject).is_some_and(|(_, key, _)| {
                let is_before_end = self.span.to.as_deref().is_none_or(|to| key <= to);
                key > self.span.from.as_str() && is_before_end && key.starts_with(&self.place.prefix)
            })
        };
        // A delete marker "null" takes the place of a version "null".
        let is_marker = kind == Kind::ArtifactDeleteMarker;
        let listed = if is_marker { &self.span.markers } else { &self.span.versions };
        let gone = present.into_iter().filter(|s| is_of_span(s) && !listed.contains(s));
        let gone: Vec<(Kind, String)> = gone.map(|subject| (kind, subject)).collect();
        self.span.gone.extend(gone);
        Ok(())
    }

    fn evidence(&self, item: &Item) -> Evidence {
        let (bucket, key, version_id) =
            (self.place.bucket.clone(), item.key.clone(), item.version_id.clone());
        let subject = subject(&bucket, &key, &version_id);
        let name = &self.context.source.name;
        match &item.stored {
            Some(Stored { etag, size, storage_class }) => {
                let (etag, storage_class) = (etag.clone(), storage_class.clone());
                let stored = item.modified;
                let payload = Version {
                    gone: false,
                    bucket,
                    key,
                    version_id,
                    etag,
                    size: *size,
                    stored,
                    storage_class,
                };
                Evidence::state(Kind::ArtifactVersion, name, subject, self.now, &payload)
            }
            None => {
                let (latest, set) = (item.is_latest, item.modified);
                let payload = DeleteMarker { gone: false, bucket, key, version_id, latest, set };
                Evidence::state(Kind::ArtifactDeleteMarker, name, subject, self.now, &payload)
            }
        }
    }
}
