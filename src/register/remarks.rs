//! What fits the form of the register and is still no statement: a level that is none, a control that nobody knows.

use super::fields::Located;
use super::file::Register;
use crate::act::{Catalogue, Level, Role, Route};
use std::fmt;

/// Records of a system that a change may name under `still_holds`.
pub(super) const RECORDS: [&str; 10] = [
    "art50",
    "risk_assessment",
    "technical_documentation",
    "not_high_assessment",
    "conformity",
    "fria",
    "gpai.technical_documentation",
    "gpai.downstream_information",
    "gpai.copyright_policy",
    "gpai.training_summary",
];
/// Categories of a serious incident.
pub(super) const CATEGORIES: [&str; 4] = ["death", "widespread", "critical-infrastructure", "other"];

/// Something odd, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The file.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is odd.
    pub what: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A system or a control that an item names: whether it is there shows only when all files are read.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    place: Remark,
    names: Named,
}

#[derive(Clone, Debug)]
enum Named {
    System(String),
    Control(String),
    /// What a decision says of a system's role or Annex point.
    Decided {
        system: String,
        field: &'static str,
        value: String,
    },
}

/// What is odd in one file.
pub(super) fn remarks(register: &Register, text: &str, file: &str) -> Vec<Remark> {
    let mut found = Vec::new();
    let mut ask = |field: &str, said: Option<&Located>, is_one: fn(&str) -> bool, known: &str| {
        if let Some(said) = said.filter(|s| !is_one(s.get_ref())) {
            let what = format!("{field} = {:?} is none of {known}", said.get_ref());
            found.push(Remark { what, ..place(said, text, file) });
        }
    };
    let levels = "prohibited, high, limited, minimal";
    let annexes = "III.4(a) and its like, I.A, I.B, 5(1)(a) and its like, none";
    for s in &register.systems {
        ask("risk_level", s.risk_level.as_ref(), is_level, levels);
        ask("annex", s.annex.as_ref(), is_annex, annexes);
        ask("role", s.role.as_ref(), is_role, "provider, deployer, both");
    }
    for d in &register.decisions {
        ask("level", Some(&d.level), is_level, levels);
        ask("annex", d.annex.as_ref(), is_annex, annexes);
        ask("role", d.role.as_ref(), is_role, "provider, deployer, both");
    }
    for i in &register.incidents {
        ask("category", i.category.as_ref(), |c| CATEGORIES.contains(&c), &CATEGORIES.join(", "));
    }
    for record in register.changes.iter().flat_map(|c| &c.still_holds) {
        ask("still_holds", Some(record), |r| RECORDS.contains(&r), &RECORDS.join(", "));
    }
    found
}

fn is_level(text: &str) -> bool {
    Level::stated(text).is_some()
}
fn is_annex(text: &str) -> bool {
    Route::of_annex_point(text).is_some() || text.trim().starts_with("5(1)")
}
fn is_role(text: &str) -> bool {
    Role::stated(text).is_some()
}

/// Systems and controls that the items of one file name.
pub(super) fn mentions(register: &Register, text: &str, file: &str) -> Vec<Mention> {
    let decided = register.decisions.iter().map(|d| &d.system);
    let changed = register.changes.iter().map(|c| &c.system);
    let excepted = register.exceptions.iter().filter_map(|e| e.system.as_ref());
    let struck = register.incidents.iter().map(|i| &i.system);
    let said = register.decisions.iter().flat_map(|d| {
        let fields = [("role", d.role.as_ref()), ("annex", d.annex.as_ref())];
        let decided = |(field, value): (&'static str, Option<&Located>)| {
            let (at, system) = (value?.clone(), d.system.get_ref().clone());
            let value = at.get_ref().clone();
            Some((at, Named::Decided { system, field, value }))
        };
        fields.into_iter().filter_map(decided)
    });
    let system = |s: &Located| (s.clone(), Named::System(s.get_ref().clone()));
    let control = |c: &Located| (c.clone(), Named::Control(c.get_ref().clone()));
    let systems = decided.chain(changed).chain(excepted).chain(struck).map(system);
    let controls = register.exceptions.iter().map(|e| control(&e.control));
    systems
        .chain(controls)
        .chain(said)
        .map(|(at, names)| Mention { place: place(&at, text, file), names })
        .collect()
}

/// Names that stand for nothing, once all files are read. A discovered system is known to the ledger only.
pub(super) fn unknown<'m>(
    register: &'m Register,
    mentions: &'m [Mention],
    catalogue: &'m Catalogue,
) -> impl Iterator<Item = Remark> + 'm {
    let is_known = |id: &str| id.starts_with("discovered:") || register.systems.iter().any(|s| s.id == id);
    mentions.iter().filter_map(move |m| {
        let what = match &m.names {
            Named::System(id) if !id.is_empty() && !is_known(id) => format!("no [[system]] has id = {id:?}"),
            Named::Control(id) if catalogue.control(id).is_none() => {
                format!("control = {id:?} is not in the catalogue")
            }
            Named::Decided { system, field, value } => differs(register, system, field, value)?,
            _ => return None,
        };
        Some(Remark { what, ..m.place.clone() })
    })
}

/// What a system's own entry says otherwise than its decision, which counts.
fn differs(register: &Register, system: &str, field: &str, decided: &str) -> Option<String> {
    let own = register.systems.iter().find(|s| s.id == system)?;
    let said = if field == "role" { own.role.as_ref() } else { own.annex.as_ref() }?.get_ref();
    let is_other = !said.trim().eq_ignore_ascii_case(decided.trim());
    is_other.then(|| {
        format!("{field} = {decided:?} is decided, and the [[system]] says {said:?}; the decision counts")
    })
}

fn place(said: &Located, text: &str, file: &str) -> Remark {
    let before = text.get(..said.span().start).unwrap_or(text);
    Remark { file: file.to_owned(), line: 1 + before.matches('\n').count(), what: String::new() }
}
