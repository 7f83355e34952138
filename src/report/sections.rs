//! What changed, as mail and PDF tell it: by kind, changes of one system together.

use super::model::{CHANGE_KINDS, Change, ChangeKind, Report};
use serde::Serialize;
use std::collections::BTreeMap;

/// Changes of one kind: of what, and what was seen.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    /// The kind, for people.
    pub title: &'static str,
    /// What stands before its lines in a text.
    pub sign: char,
    /// Findings that they tell of.
    pub count: usize,
    /// Each with its system and numbers, and what was seen.
    pub lines: Vec<(String, String)>,
}

/// What changed, by kind; changes of one system stand together.
pub(super) fn sections(r: &Report) -> Vec<Section> {
    let section = |kind: &ChangeKind| {
        let changes = || r.changes.iter().filter(|c| c.what == kind.what);
        let (mut order, mut systems) = (Vec::new(), BTreeMap::<&str, Vec<&Change>>::new());
        for c in changes() {
            let of = systems.entry(c.system.as_str()).or_default();
            if of.is_empty() {
                order.push(c.system.as_str());
            }
            of.push(c);
        }
        let lines = order.iter().map(|system| of_system(&systems[system])).collect();
        Section { title: kind.heading, sign: kind.sign, count: changes().count(), lines }
    };
    let told = CHANGE_KINDS.iter().map(|kind| (kind, section(kind)));
    told.filter(|(kind, section)| section.count > 0 || kind.always).map(|(_, section)| section).collect()
}

/// Changes of one system: its name with their numbers, and what the first three of them say.
fn of_system(changes: &[&Change]) -> (String, String) {
    const SAID: usize = 3;
    const NUMBERS: usize = 8;
    let mut numbers: Vec<String> = changes.iter().take(NUMBERS).map(|c| format!("#{}", c.number)).collect();
    numbers.extend(changes.get(NUMBERS).map(|_| "…".to_owned()));
    let system = changes.first().map(|c| c.of()).unwrap_or_default();
    let mut notes: Vec<String> = Vec::new();
    for c in changes {
        if !notes.contains(&c.told()) {
            notes.push(c.told());
        }
    }
    let more = match notes.len().saturating_sub(SAID) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    notes.truncate(SAID);
    (format!("{system} ({})", numbers.join(" ")), format!("{}{more}", notes.join("; ")))
}
