//! What changed, as mail and PDF tell it: by kind, changes of one system together.

use super::model::{Change, Report};
use serde::Serialize;

/// Changes of one kind: of what, and what was seen.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    /// The kind, for people.
    pub title: &'static str,
    /// What stands before its lines in a text.
    pub sign: char,
    /// Each with its system and numbers, and what was seen.
    pub lines: Vec<(String, String)>,
}

/// What changed, by kind; changes of one system stand together.
pub(super) fn sections(r: &Report) -> Vec<Section> {
    let kinds = [
        ("New since the last report", "new", '+'),
        ("More of what was open", "more", '+'),
        ("Reopened", "reopened", '*'),
        ("Resolved", "resolved", '-'),
        ("Resolved in part", "fewer", '-'),
        ("No longer known", "unknown", '?'),
        ("No longer assessed", "not assessed", '?'),
    ];
    let always = ["new", "resolved"];
    let lines = |what: &str| {
        let mut systems: Vec<(String, Vec<&Change>)> = Vec::new();
        for c in r.changes.iter().filter(|c| c.what == what) {
            match systems.iter_mut().find(|(system, _)| *system == c.of()) {
                Some((_, changes)) => changes.push(c),
                None => systems.push((c.of(), vec![c])),
            }
        }
        systems.into_iter().map(|(system, changes)| of_system(&system, &changes)).collect::<Vec<_>>()
    };
    let told = kinds.into_iter().map(|(title, what, sign)| (title, sign, what, lines(what)));
    let told = told.filter(|(_, _, what, lines)| !lines.is_empty() || always.contains(what));
    told.map(|(title, sign, _, lines)| Section { title, sign, lines }).collect()
}

/// Changes of one system: its name with their numbers, and what the first three of them say.
fn of_system(system: &str, changes: &[&Change]) -> (String, String) {
    const SAID: usize = 3;
    let numbers: Vec<String> = changes.iter().take(8).map(|c| format!("#{}", c.number)).collect();
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
