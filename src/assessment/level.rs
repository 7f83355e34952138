//! Risk levels: what was stated, where, and what follows. Actledger does not classify systems.

use super::facts::{Facts, Seen};
use crate::act::Level;
use crate::evidence::Time;
use crate::evidence::register::Decision;

/// A level that somebody wrote down.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Where: register, decision, tag, annotation, object tag.
    pub source: &'static str,
    /// As written.
    pub raw: String,
    /// The level; none when the value is none.
    pub level: Option<Level>,
    /// The entry.
    pub entry: u64,
}

/// The levels of one system.
#[derive(Clone, Debug)]
pub struct Levels {
    /// The decision's level, else the strictest stated, else unclassified.
    pub effective: Level,
    /// The level of the decision.
    pub decided: Option<Level>,
    /// The entry of the decision.
    pub decision: Option<u64>,
    /// Every statement.
    pub stated: Vec<Statement>,
}

impl Levels {
    /// From statements and, where there is one, the decision.
    pub fn of(mut stated: Vec<Statement>, decision: Option<&Seen<Decision>>) -> Levels {
        let decided = decision.and_then(|d| Level::stated(&d.value.level));
        if let Some(d) = decision {
            let (raw, level) = (d.value.level.clone(), decided);
            stated.push(Statement { source: "decision", raw, level, entry: d.seq });
        }
        let strictest = stated.iter().filter_map(|s| s.level).min();
        let effective = decided.or(strictest).unwrap_or(Level::Unclassified);
        Levels { effective, decided, decision: decision.map(|d| d.seq), stated }
    }

    /// `decided`, `stated` or `none`.
    pub fn basis(&self) -> &'static str {
        match (self.decided, self.effective) {
            (Some(_), _) => "decided",
            (None, Level::Unclassified) => "none",
            (None, _) => "stated",
        }
    }

    /// Whether two statements name different levels.
    pub fn disputed(&self) -> bool {
        let mut levels: Vec<Level> = self.stated.iter().filter_map(|s| s.level).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len() > 1
    }
}

/// The decision on a system that stands in the register at a time.
pub(super) fn decision<'a>(facts: &'a Facts, id: &str, at: Time) -> Option<&'a Seen<Decision>> {
    facts.decisions.at(at).map(|(_, d)| d).find(|d| d.value.system == id)
}
