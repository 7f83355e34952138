//! What watches tell between two passes: a queue with an end, which a pass empties. A change that finds it full is lost, and
//! the pass says since when.

use crate::evidence::Time;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes of changes that wait, as text.
const FULL: usize = 64 << 20;

/// One object that was changed or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When the watch told it.
    pub at: Time,
    /// Whether it is no longer there.
    pub gone: bool,
    /// The object, without `managedFields`.
    pub object: Value,
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

/// Changes of one cluster that no pass has read.
#[derive(Default)]
pub struct Changes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    changes: Vec<Change>,
    bytes: usize,
    lost: Vec<Lost>,
    /// Digest of what matters of each object, so that a status that moves on is no change.
    seen: HashMap<u64, u64>,
}

impl Changes {
    /// Adds what a watch told, unless it is no more than a status that moved on.
    pub fn push(&self, change: Change) {
        let mut waiting = self.waiting();
        let (object, mattering) = (identity(&change.object), mattering(&change.object));
        let known =
            if change.gone { waiting.seen.remove(&object) } else { waiting.seen.insert(object, mattering) };
        if !change.gone && known == Some(mattering) {
            return;
        }
        let bytes = change.object.to_string().len();
        if waiting.bytes + bytes > FULL {
            let (what, why) = ("changes".into(), format!("more than {FULL} bytes of changes waited"));
            let from = waiting.changes.first().map_or(change.at, |first| first.at);
            waiting.lost.push(Lost { what, from, to: change.at, why });
            waiting.changes.clear();
            waiting.bytes = 0;
        }
        waiting.bytes += bytes;
        waiting.changes.push(change);
    }

    /// Notes a span of which nothing is known.
    pub fn lose(&self, lost: Lost) {
        self.waiting().lost.push(lost);
    }

    /// Everything up to a time, and what was lost.
    pub fn take(&self, until: Time) -> (Vec<Change>, Vec<Lost>) {
        let mut waiting = self.waiting();
        let all = std::mem::take(&mut waiting.changes);
        let (taken, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|c| c.at <= until);
        waiting.bytes = left.iter().map(|c| c.object.to_string().len()).sum();
        waiting.changes = left;
        (taken, std::mem::take(&mut waiting.lost))
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

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn identity(object: &Value) -> u64 {
    let metadata = &object["metadata"];
    hashed([&object["kind"], &metadata["namespace"], &metadata["name"]].map(Value::to_string))
}

/// What is more than a status, but for addresses and the end of a pod; of an event all of it.
fn mattering(object: &Value) -> u64 {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    if object["kind"] == "Event" {
        return hashed(
            [&object["count"], &object["lastTimestamp"], &object["eventTime"]].map(Value::to_string),
        );
    }
    let mut rest = object.clone();
    if let Some(fields) = rest.as_object_mut() {
        fields.remove("metadata");
        fields.remove("status");
    }
    let of_status = ["addresses", "podIPs", "phase", "containerStatuses"].map(|field| match field {
        "containerStatuses" => images(&status[field]),
        field => status[field].to_string(),
    });
    hashed((rest.to_string(), metadata["labels"].to_string(), metadata["annotations"].to_string(), of_status))
}

/// Images that run, by digest.
fn images(statuses: &Value) -> String {
    let all = statuses.as_array().into_iter().flatten().filter_map(|s| s["imageID"].as_str());
    all.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(second: i64, label: &str, status: i64) -> Change {
        let object = json!({ "kind": "Deployment", "metadata": { "name": "a", "labels": { "v": label } }, "status": { "n": status } });
        Change { at: Time::from_seconds(second), gone: false, object }
    }

    #[test]
    fn a_status_that_moves_on_is_no_change_and_a_full_queue_says_since_when() {
        let changes = Changes::default();
        for change in [change(1, "1", 1), change(2, "1", 2), change(3, "2", 2)] {
            changes.push(change);
        }
        let (taken, lost) = changes.take(Time::from_seconds(2));
        assert_eq!((taken.len(), lost.len(), changes.is_waiting()), (1, 0, true));
        changes.push(change(4, &"x".repeat(FULL - 200), 0));
        changes.push(change(5, "3", 0));
        let (taken, lost) = changes.take(Time::from_seconds(9));
        assert_eq!(taken, [change(5, "3", 0)]);
        assert!(lost[0].why.contains("67108864 bytes"), "{lost:?}");
        assert_eq!((lost[0].from, lost[0].to), (Time::from_seconds(3), Time::from_seconds(5)));
    }
}
