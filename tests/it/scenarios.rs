//! The stories of each control: what is changed in an estate of which everything is on record, and what the control then says.
//!
//! `ACTLEDGER_STORIES=write cargo test --test it scenarios` writes the snapshots beside the stories.

use crate::support::stories::{Story, folder, stories};
use actledger::act::{Catalogue, Control, Line, Status};
use actledger::assessment::{Assessment, Finding, Unit};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Units of a finding that a snapshot shows.
const UNITS: usize = 6;

/// A line of a decision list that no story reaches, with the reason why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreached {
    control: String,
    when: String,
    why: String,
}

/// What the stories of one control came to.
#[derive(Default)]
struct Told {
    snapshot: String,
    /// Lines of the decision list that held for some unit, by their condition.
    reached: BTreeSet<String>,
    wrong: Vec<String>,
}

#[test]
fn every_control_says_what_its_stories_tell() {
    let catalogue = Catalogue::built_in();
    let quiet = Story::quiet().judged();
    let (controls, told) = (Mutex::new(catalogue.controls.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|s| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            s.spawn(|| {
                while let Some(control) = { controls.lock().unwrap().next() } {
                    let done = tell(control, &quiet);
                    told.lock().unwrap().insert(control.id.as_str(), done);
                }
            });
        }
    });
    let told = told.into_inner().unwrap();
    let mut wrong: Vec<String> = told.values().flat_map(|t| t.wrong.clone()).collect();
    wrong.extend(told.iter().filter_map(|(control, t)| snapshot(control, &t.snapshot)));
    wrong.extend(reach(&catalogue, &told));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn tell(control: &Control, quiet: &Assessment) -> Told {
    let mut told = Told::default();
    let mut said: BTreeMap<(String, String), Status> = BTreeMap::new();
    let mut flipped = BTreeSet::new();
    for story in stories(&control.id) {
        let judged = if story.change.is_empty() && !story.nightly { None } else { Some(story.judged()) };
        let judged = judged.as_ref().unwrap_or(quiet);
        let Some(finding) = story.finding(judged, &control.id) else {
            let asked: Vec<&String> = judged.estate.systems.keys().collect();
            told.wrong.push(format!("{}: {:?}: not asked, of {asked:?}", control.id, story.tells));
            continue;
        };
        let because = finding.units.first().map(|u| u.reason.as_str()).unwrap_or_default();
        let right =
            finding.status.name() == story.is && (story.because.is_empty() || story.because == because);
        if !right {
            let is = format!("{} {because}: {}", finding.status.name(), first(finding));
            told.wrong.push(format!(
                "{}: {:?} is {is}, not {} {}",
                control.id, story.tells, story.is, story.because
            ));
        }
        told.reached.extend(finding.units.iter().filter_map(|u| Some(line(control, u)?.when.clone())));
        told.snapshot += &show(&story, finding);
        // The estate as it is stands for every story that changes nothing.
        let name = |tells: &str| (story.system.clone(), tells.to_owned());
        let is_quiet = story.change.is_empty() && !story.nightly;
        let here = name(if is_quiet { "" } else { &story.tells });
        let before = name(story.after.as_deref().unwrap_or_default());
        let as_it_is = || story.finding(quiet, &control.id).map(|f| f.status);
        let was = said.get(&before).copied().or_else(|| story.after.is_none().then(as_it_is)?);
        if story.own_changes == 1 && was.is_some_and(|was| was != finding.status) {
            flipped.extend([before, here.clone()]);
        }
        said.insert(here, finding.status);
    }
    let satisfied = said.iter().filter(|(_, status)| **status == Status::Satisfied);
    for ((system, tells), _) in satisfied.filter(|(story, _)| !flipped.contains(*story)) {
        told.wrong.push(format!("{}: {system}: no one fact takes {tells:?} from satisfied", control.id));
    }
    told
}

/// The line of a decision list that a unit stands for.
fn line<'c>(control: &'c Control, unit: &Unit) -> Option<&'c Line> {
    match unit.line {
        Some(number) => control.rule.get(number - 1),
        None if unit.id == "nothing" => control.no_units.iter().find(|l| l.reason == unit.reason),
        None => None,
    }
}

fn first(finding: &Finding) -> String {
    finding.units.first().map(|u| format!("{} {}", u.id, u.note)).unwrap_or_default()
}

/// A story as text and as JSON.
fn show(story: &Story, finding: &Finding) -> String {
    let c = &finding.counts;
    let counts = format!(
        "{} satisfied, {} not satisfied, {} not assessed, {} not applicable",
        c.satisfied, c.not_satisfied, c.not_assessed, c.not_applicable
    );
    let head = format!("## {}\n\n{}: {} ({counts})\n", story.tells, story.system, finding.status.name());
    let unit = |u: &Unit| {
        let reason = if u.reason.is_empty() { String::new() } else { format!(" ({})", u.reason) };
        format!("- {}: {}{reason}; {}\n", u.id, u.status.name(), u.note)
    };
    let units: String = finding.units.iter().take(UNITS).map(unit).collect();
    let as_json = |u: &Unit| {
        json!({ "id": u.id, "status": u.status, "reason": u.reason, "note": u.note, "basis": u.basis.name(),
        "excepted": u.excepted.as_ref().map(|e| e.how), "entries": u.evidence.len() })
    };
    let units_json: Vec<Value> = finding.units.iter().take(UNITS).map(as_json).collect();
    let whole = json!({ "status": finding.status, "reason": finding.reason, "basis": finding.basis.name(), "excepted": finding.excepted,
        "counts": finding.counts, "legal_state": finding.law.state, "applies_from": finding.law.from, "references": finding.law.references,
        "units": units_json });
    format!("{head}{units}\n{whole}\n\n")
}

fn snapshot(control: &str, text: &str) -> Option<String> {
    let path = folder().join(format!("{control}.txt"));
    if std::env::var("ACTLEDGER_STORIES").is_ok_and(|v| v == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    (kept != text).then(|| format!("{control}: the snapshot {} tells something else", path.display()))
}

/// Every line of every rule is reached by a story, or listed with the reason why it cannot be.
fn reach(catalogue: &Catalogue, told: &BTreeMap<&str, Told>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Listed {
        unreached: Vec<Unreached>,
    }
    let text = std::fs::read_to_string(folder().join("unreached.toml")).unwrap();
    let listed: Listed = toml::from_str(&text).unwrap();
    let listed: BTreeSet<(String, String)> = listed
        .unreached
        .into_iter()
        .inspect(|u| assert!(!u.why.is_empty()))
        .map(|u| (u.control, u.when))
        .collect();
    let mut missing = BTreeSet::new();
    for control in &catalogue.controls {
        let lines = control.rule.iter().filter(|l| l.when != "otherwise").chain(&control.no_units);
        let unreached = lines.filter(|l| !told[control.id.as_str()].reached.contains(&l.when));
        missing.extend(unreached.map(|l| (control.id.clone(), l.when.clone())));
    }
    let say = |(control, when): &(String, String), what: &str| format!("{control}: {when:?} {what}");
    let wrong = missing.difference(&listed).map(|l| say(l, "is reached by no story"));
    wrong
        .chain(listed.difference(&missing).map(|l| say(l, "is listed as unreached, and is reached")))
        .collect()
}
