//! Did we see everything?

use crate::evidence::Time;
use serde::Serialize;

/// Did we see everything, for one source.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Configured name.
    pub source: String,
    /// flow_logs, gatekeeper, sentinel, model_artifacts or register.
    pub kind: &'static str,
    /// What is counted.
    pub unit: String,
    /// How many should be there.
    pub expected: u64,
    /// How many are.
    pub seen: u64,
    /// The time up to which it can be judged.
    pub horizon: Time,
    /// For people.
    pub horizon_local: String,
    /// Since when we look, for people.
    pub begin_local: String,
    /// Whether nothing complete was read within its limit.
    pub stale: bool,
    /// Why it is not collected.
    pub off: Option<String>,
    /// Where it was read.
    pub location: String,
    /// How long AWS took to deliver flow logs.
    pub delivery: Option<String>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// What came late, or was read after a report of its hours.
    pub late: Vec<Gap>,
    /// Listings that are shorter than the total they state.
    pub truncated: Vec<String>,
    /// Stored files that fit no layout; null where none does not.
    pub outside_layout: Option<OutsideLayout>,
    /// Looks in the window.
    pub looks: Vec<Look>,
    /// What was seen on each day of the window.
    pub calendar: Vec<Day>,
}

/// One day of a source, in the zone of the house.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    /// Where it begins.
    pub begin: Time,
    /// For people.
    pub day: String,
    /// seen, part or none.
    pub state: &'static str,
}

/// Stored files of which nobody can say which model version they are.
#[derive(Clone, Debug, Serialize)]
pub struct OutsideLayout {
    /// The layout.
    pub layout: String,
    /// How many keys.
    pub count: u64,
    /// The first of them.
    pub keys: Vec<Stray>,
}

/// A stored file that fits no layout.
#[derive(Clone, Debug, Serialize)]
pub struct Stray {
    /// `s3://BUCKET/KEY`
    pub uri: String,
    /// The entry that shows it.
    pub entry: u64,
}

/// One thing that is missing.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// For people.
    pub when: String,
    /// What is missing.
    pub what: String,
    /// Reason code.
    pub reason: &'static str,
    /// Entry that tells it.
    pub entry: Option<u64>,
}

/// One collection.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    /// Entry of its `source.run`.
    pub entry: u64,
    /// For people.
    pub when: String,
    /// What was read.
    pub read: String,
    /// New entries.
    pub entries: u64,
    /// Items left out.
    pub skipped: u64,
    /// Whether everything asked for was read.
    pub complete: bool,
    /// What is wrong, located.
    pub faults: Vec<String>,
}

/// What was not seen of one source, and what that means.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// Configured name; for a kind of which no source is configured, the kind.
    pub source: String,
    /// What is counted.
    pub unit: String,
    /// How many should be there.
    pub expected: u64,
    /// How many are.
    pub seen: u64,
    /// What is missing, in a line each; empty where nothing is known to be.
    pub what: Vec<String>,
    /// What could not be assessed for it, in a sentence; empty where nothing.
    pub effect: String,
}
