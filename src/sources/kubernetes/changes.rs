//! What watches tell between two passes: a queue with an end. A pass takes what is older than its lists and lets go of it when
//! it was committed. A change that finds the queue full is lost, and the pass says since when.

use crate::evidence::Time;
use crate::sources::gatekeeper::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes of changes that wait, as text.
const FULL: usize = 64 << 20;

/// One object that was changed or deleted.
#[derive(Clone, Debug)]
pub struct Change {
    /// When the watch told it.
    pub at: Time,
    /// Whether it is no longer there.
    pub gone: bool,
    /// The object, without `managedFields`.
    pub object: Object,
}

/// A span of which a watch tells nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// What was watched: a path, or changes of all.
    pub what: String,
    /// The last time that it was seen.
    pub from: Time,
    /// When it was seen again.
    pub to: Time,
    /// Why.
    pub why: String,
}

/// Spans without a watch in one line; none where there are none.
pub(super) fn unwatched(lost: &[Lost]) -> Option<String> {
    let (from, to) = (lost.iter().map(|l| l.from).min()?, lost.iter().map(|l| l.to).max()?);
    let what: BTreeSet<&str> = lost.iter().map(|l| l.what.rsplit('/').next().unwrap_or(&l.what)).collect();
    let why: BTreeSet<&str> = lost.iter().map(|l| l.why.as_str()).collect();
    let [what, why] = [what, why].map(|all| all.into_iter().collect::<Vec<_>>().join(", "));
    Some(format!("what came and went between {from} and {to} was not watched: {what} ({why})"))
}

/// Resource versions of the lists of a pass, by kind.
pub(super) type Versions = BTreeMap<String, u64>;

/// Changes of one cluster that no pass has written down.
#[derive(Default)]
pub struct Changes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    changes: Vec<Change>,
    bytes: usize,
    lost: Vec<Lost>,
    /// What may be listed and not watched, since when that is not in the record, and why.
    refused: BTreeMap<String, (Time, String)>,
    /// What the pass that runs has taken.
    taken: Versions,
    /// Digest of what matters of each object, so that a status that moves on is no change.
    seen: HashMap<u64, u64>,
}

impl Changes {
    /// Adds what a watch told, unless it is no more than a status that moved on, or an event that expired.
    pub fn push(&self, at: Time, gone: bool, value: Value) {
        let matters = mattering(&value);
        let Ok(object) = Object::of(value, "", &Value::Null) else { return };
        let mut waiting = self.waiting();
        let place = hashed(object.shown());
        let known = if gone { waiting.seen.remove(&place) } else { waiting.seen.insert(place, matters) };
        if gone && object.kind == "Event" || !gone && known == Some(matters) {
            return;
        }
        if waiting.bytes + object.bytes() > FULL {
            let (what, why) = ("changes".into(), format!("more than {FULL} bytes of changes waited"));
            let from = waiting.changes.first().map_or(at, |first| first.at);
            waiting.lose(Lost { what, from, to: at, why });
            (waiting.changes, waiting.bytes) = (Vec::new(), 0);
        }
        waiting.bytes += object.bytes();
        waiting.changes.push(Change { at, gone, object });
    }

    /// Notes a span of which nothing is known.
    pub fn lose(&self, lost: Lost) {
        self.waiting().lose(lost);
    }

    /// Notes that something may not be watched. It makes no pass due, as nobody knows whether anything happened.
    pub fn refuse(&self, what: &str, at: Time, why: String) {
        self.waiting().refused.entry(what.to_owned()).or_insert((at, why));
    }

    /// Notes that something is watched, which may not have been allowed before.
    pub fn watched(&self, what: &str, at: Time) {
        let mut waiting = self.waiting();
        if let Some((from, why)) = waiting.refused.remove(what) {
            waiting.lose(Lost { what: what.to_owned(), from, to: at, why });
        }
    }

    /// Everything that is older than the lists of a pass, and what was lost up to now. It waits until the pass was committed.
    pub(super) fn take(&self, versions: Versions, now: Time) -> (Vec<Change>, Vec<Lost>) {
        let mut waiting = self.waiting();
        let taken = waiting.changes.iter().filter(|c| is_before(c, &versions)).cloned().collect();
        waiting.taken = versions;
        let lost = |(what, (from, why)): (&String, &(Time, String))| Lost {
            what: what.clone(),
            from: *from,
            to: now,
            why: why.clone(),
        };
        let refused = waiting.refused.iter().map(lost);
        (taken, waiting.lost.iter().cloned().chain(refused).collect())
    }

    /// Lets go of what the last pass took, which was of this time.
    pub fn committed(&self, at: Time) {
        let mut waiting = self.waiting();
        waiting.refused.values_mut().for_each(|(from, _)| *from = at);
        let versions = std::mem::take(&mut waiting.taken);
        waiting.changes.retain(|c| !is_before(c, &versions));
        waiting.bytes = waiting.changes.iter().map(|c| c.object.bytes()).sum();
        waiting.lost.clear();
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.waiting().changes.len()
    }

    /// Whether something waits, which makes a pass due.
    pub fn is_waiting(&self) -> bool {
        let waiting = self.waiting();
        !waiting.changes.is_empty() || !waiting.lost.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// One span for each thing that is watched: what is lost again makes it longer.
    fn lose(&mut self, lost: Lost) {
        match self.lost.iter_mut().find(|known| known.what == lost.what) {
            Some(known) => known.to = known.to.max(lost.to),
            None => self.lost.push(lost),
        }
    }
}

/// Whether a list shows a change: versions of one cluster grow. A kind that was not listed is told by the watch alone.
fn is_before(change: &Change, versions: &Versions) -> bool {
    let version = change.object.version.as_ref().and_then(|v| v.rsplit(' ').next()?.parse::<u64>().ok());
    version.zip(versions.get(&change.object.kind)).is_none_or(|(version, listed)| version <= *listed)
}

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What is more than a status, but for addresses, images and the end of a pod; of an event how often it happened.
fn mattering(object: &Value) -> u64 {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    if object["kind"] == "Event" {
        return hashed(
            [&object["count"], &object["lastTimestamp"], &object["eventTime"]].map(Value::to_string),
        );
    }
    let rest = object.as_object().into_iter().flatten();
    let rest = rest.filter(|(name, _)| !["metadata", "status"].contains(&name.as_str()));
    let rest: Vec<String> = rest.map(|(name, value)| format!("{name} {value}")).collect();
    let of_status = ["addresses", "podIPs", "phase"].map(|field| status[field].to_string());
    let images = status["containerStatuses"].as_array().into_iter().flatten();
    let images: Vec<&str> = images.filter_map(|s| s["imageID"].as_str()).collect();
    let of_metadata = ["labels", "annotations"].map(|field| metadata[field].to_string());
    hashed((rest, of_metadata, of_status, images))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn push(changes: &Changes, version: i64, label: &str, status: i64) {
        let metadata = json!({ "name": "a", "uid": "u", "resourceVersion": version.to_string(), "labels": { "v": label } });
        let object = json!({ "kind": "Deployment", "metadata": metadata, "status": { "n": status } });
        changes.push(Time::from_seconds(version), false, object);
    }

    #[test]
    fn a_status_that_moves_on_is_no_change_and_what_a_list_does_not_show_waits() {
        let changes = Changes::default();
        for (version, label, status) in [(1, "1", 1), (2, "1", 2), (3, "2", 2)] {
            push(&changes, version, label, status);
        }
        let listed = Versions::from([("Deployment".to_owned(), 2)]);
        for _ in 0..2 {
            let (taken, lost) = changes.take(listed.clone(), Time::from_seconds(9));
            assert_eq!(
                (taken.len(), lost.len(), changes.count()),
                (1, 0, 2),
                "not committed: it is taken again"
            );
        }
        changes.committed(Time::from_seconds(9));
        assert_eq!(changes.count(), 1);
    }

    #[test]
    fn a_full_queue_says_since_when() {
        let changes = Changes::default();
        push(&changes, 3, "2", 0);
        push(&changes, 4, &"x".repeat(FULL - 250), 0);
        push(&changes, 5, "3", 0);
        let (taken, lost) = changes.take(Versions::new(), Time::from_seconds(9));
        assert_eq!((taken.len(), taken[0].at), (1, Time::from_seconds(5)));
        assert!(lost[0].why.contains("67108864 bytes"), "{lost:?}");
        assert_eq!((lost[0].from, lost[0].to), (Time::from_seconds(3), Time::from_seconds(5)));
    }
}
