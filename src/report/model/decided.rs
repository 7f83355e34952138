//! What somebody decided or has to decide, and what changed.

use crate::evidence::Time;
use serde::Serialize;

/// Something that somebody has to decide.
#[derive(Clone, Debug, Serialize)]
pub struct Wanted {
    /// `overdue`, a date, or how long it has been open: `new`, `day 29`.
    pub when: String,
    /// Days for which it has been open.
    pub open_days: u64,
    /// Whether the day by which it was to be done is over.
    pub overdue: bool,
    /// By when: of the corrective action, of the house, or the day from which the duty applies.
    pub by: Option<Time>,
    /// For people.
    pub by_local: String,
    /// Numbers of the findings.
    pub numbers: Vec<u64>,
    /// The system, or `estate`; several when the same thing was seen of them.
    pub systems: Vec<String>,
    /// Their levels, the strictest first.
    pub level: String,
    /// critical, high, medium, low.
    pub severity: String,
    /// What was seen.
    pub what: String,
    /// Who acts.
    pub who: String,
    /// What to do.
    pub action: String,
    /// duty in force, duty to come (date), house rule.
    pub duty: String,
    /// Control.
    pub control: String,
}

/// An accepted deviation, an override, an exemption.
#[derive(Clone, Debug, Serialize)]
pub struct Exception {
    /// exception, override, exemption.
    pub what: &'static str,
    /// The control.
    pub control: String,
    /// The system.
    pub system: String,
    /// The thing.
    pub thing: String,
    /// Who: role or alias.
    pub who: String,
    /// Why, or that nothing says why.
    pub why: String,
    /// Until when.
    pub until: String,
    /// in force, expired, not written down, accountable, not accountable.
    pub state: String,
    /// Entry.
    pub entry: Option<u64>,
}

/// A decision on a level in the register.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// The system.
    pub system: String,
    /// The level.
    pub level: String,
    /// Annex point.
    pub annex: String,
    /// Who, as an alias.
    pub approver: String,
    /// When.
    pub date: String,
    /// Why.
    pub reason: String,
    /// To be looked at again by.
    pub review_by: String,
    /// Entry.
    pub entry: u64,
}

/// A finding whose status changed in the period.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// new, more (of a finding that was open), reopened, resolved, fewer (units of a finding that stays open), unknown, other,
    /// not assessed.
    pub what: &'static str,
    /// Number of the finding.
    pub number: u64,
    /// Control.
    pub control: String,
    /// System.
    pub system: String,
    /// Units that changed so.
    pub units: Vec<String>,
    /// Why.
    pub cause: String,
    /// In a sentence.
    pub note: String,
    /// Entries of the transitions.
    pub entries: Vec<u64>,
}

/// What a kind of change is called where it is told.
#[derive(Clone, Copy, Debug)]
pub struct ChangeKind {
    /// The word of the JSON form.
    pub what: &'static str,
    /// Of one change.
    pub title: &'static str,
    /// Behind a number.
    pub counted: &'static str,
    /// Over a list.
    pub heading: &'static str,
    /// Before a line of a text.
    pub sign: char,
    /// Whether it is told also where there is none.
    pub always: bool,
}

/// Kinds of change, in the order in which they are told.
pub const CHANGE_KINDS: [ChangeKind; 8] = [
    kind(("new", "new"), "new", "New since the last report", '+'),
    kind(("more", "more of the same"), "with more of the same", "More of what was open", '+'),
    kind(("reopened", "reopened"), "reopened", "Reopened", '*'),
    kind(("resolved", "resolved"), "resolved", "Resolved", '-'),
    kind(("fewer", "resolved in part"), "resolved in part", "Resolved in part", '-'),
    kind(("unknown", "no longer known"), "no longer known", "No longer known", '?'),
    kind(("not assessed", "newly not assessed"), "newly not assessed", "Newly not assessed", '?'),
    kind(("other", "other"), "changed by a rule or a setting", "Changed by a rule or a setting", '~'),
];

const fn kind(
    (what, title): (&'static str, &'static str),
    counted: &'static str,
    heading: &'static str,
    sign: char,
) -> ChangeKind {
    ChangeKind {
        what,
        title,
        counted,
        heading,
        sign,
        always: matches!(what.as_bytes(), b"new" | b"resolved"),
    }
}
