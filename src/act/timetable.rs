//! The law that was used: its text, the dates from which parts of it apply, and the articles that controls refer to.

use super::{Level, Role, Route};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The law that was used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// The regulation.
    pub base: String,
    /// What amended it.
    pub amended_by: String,
    /// Day on which its state was checked.
    pub status_checked: String,
    /// What was read.
    pub sources: String,
    /// Art. 40.
    pub presumption_of_conformity: String,
    /// What is not settled.
    pub open_points: Vec<String>,
}

/// One date of the timetable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Date {
    /// What references name it by.
    pub id: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// What begins to apply.
    pub what: String,
    /// Article.
    pub basis: String,
    /// Whether the organisation set it otherwise.
    #[serde(default)]
    pub is_own: bool,
}

/// An article that a control is evidence for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The article.
    pub article: String,
    /// On whom it falls.
    pub role: Role,
    /// Levels it binds.
    pub levels: Vec<Level>,
    /// Routes it binds.
    pub route: Vec<Route>,
    /// From when it applies, per route: an id of the timetable.
    pub from: BTreeMap<Route, String>,
    /// From when it formally applies, where it is not settled that it bites before: an id of the timetable.
    pub formally_from: Option<String>,
    /// What to add.
    #[serde(default)]
    pub note: String,
    /// Another date for what was there before.
    pub legacy: Option<Legacy>,
}

/// A later date for systems placed before a day; both are ids of the timetable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legacy {
    /// Placed before this day …
    pub placed_before: String,
    /// … it applies from this one.
    pub from: String,
    /// Article.
    pub basis: String,
}

/// An article outside our sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoEvidence {
    /// The article.
    pub article: String,
    /// On whom it falls: provider, deployer or gpai-provider.
    pub role: String,
    /// Why we show nothing.
    pub why: String,
}
