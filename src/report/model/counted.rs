//! Counts: of everything, by level and team, night by night.

use crate::assessment::Counts;
use crate::evidence::Time;
use serde::Serialize;

/// Totals over all findings.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// All findings.
    pub checks: u64,
    /// By status.
    pub counts: Counts,
    /// Satisfied because the register says so.
    pub declared: u64,
    /// Satisfied because we evaluated the rule ourselves.
    pub re_performed: u64,
    /// Not satisfied and accepted.
    pub accepted: u64,
    /// Not satisfied and open.
    pub open: u64,
    /// Of the open: a duty in force.
    pub in_force: u64,
    /// Of the open: a duty to come.
    pub to_come: u64,
    /// Of the open: a rule of the house only.
    pub house: u64,
    /// Systems.
    pub systems: u64,
    /// Of them not in the register.
    pub unregistered: u64,
}

/// One level of the first page.
#[derive(Clone, Debug, Serialize)]
pub struct LevelRow {
    /// The level.
    pub level: &'static str,
    /// Systems that have it.
    pub systems: u64,
    /// Their open findings.
    pub open: u64,
    /// Their accepted findings.
    pub accepted: u64,
    /// Their findings that could not be assessed.
    pub not_assessed: u64,
    /// From when the Act asks something of it.
    pub first_date: String,
}

/// In the place of a team where there is none.
pub const NO_TEAM: &str = "no team";

/// One team.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TeamRow {
    /// The team, or [`NO_TEAM`].
    pub team: String,
    /// Its systems.
    pub systems: u64,
    /// Of them high-risk.
    pub high: u64,
    /// Their findings by status.
    pub counts: Counts,
    /// Of these, accepted.
    pub accepted: u64,
    /// Of these, open.
    pub open: u64,
}

/// Open and not assessed findings of one level, team or control, night by night.
#[derive(Clone, Debug, Serialize)]
pub struct Trend {
    /// `level`, `team` or `control`.
    pub of: String,
    /// Which one.
    pub name: String,
    /// Not satisfied and not accepted.
    pub open: Vec<u64>,
    /// Not assessed.
    pub not_assessed: Vec<u64>,
}

/// What the last nights came to, the oldest first.
#[derive(Clone, Debug, Serialize)]
pub struct Trends {
    /// When each was judged.
    pub nights: Vec<Time>,
    /// Of levels, teams and controls.
    pub rows: Vec<Trend>,
}

impl Trend {
    /// The number of this night.
    pub fn now(&self, numbers: &[u64]) -> u64 {
        numbers.last().copied().unwrap_or_default()
    }

    /// The number of so many nights ago; `-` where the record is younger.
    pub fn ago(&self, numbers: &[u64], nights: usize) -> String {
        let then = numbers.len().checked_sub(nights).and_then(|i| numbers.get(i));
        then.map_or_else(|| "-".into(), u64::to_string)
    }
}
