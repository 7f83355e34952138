//! The stories of each control: what is changed in an estate of which everything is on record, and what the control then says.
//!
//! `ACTLEDGER_STORIES=write cargo test --test it scenarios` writes the snapshots beside the stories.

use crate::support::stories::{Story, folder, stories};
use actledger::act::{Catalogue, Control, Status};
use actledger::assessment::{Assessment, Finding, Unit};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Units of a finding that a snapshot shows.
const UNITS: usize = 6;

/// A status and the reason that a unit has it for.
type Outcome = (Status, String);

/// What a rule allows and no story reaches, with the reason why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreached {
    control: String,
    status: Status,
    #[serde(default)]
    because: String,
    why: String,
}

/// What the stories of one control came to.
struct Told {
    snapshot: String,
    reached: BTreeSet<Outcome>,
    /// Whether one fact more, or less, takes a satisfied story to another status.
    flips: bool,
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
    let mut told =
        Told { snapshot: String::new(), reached: BTreeSet::new(), flips: false, wrong: Vec::new() };
    let mut said: BTreeMap<String, Status> = BTreeMap::new();
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
        told.reached.extend(finding.units.iter().map(|u| (u.status, u.reason.clone())));
        let before = match &story.after {
            Some(other) => said.get(other).copied(),
            None => story.finding(quiet, &control.id).map(|f| f.status),
        };
        let is_flip = before == Some(Status::Satisfied) && finding.status != Status::Satisfied;
        told.flips |= is_flip && story.own_changes == 1;
        said.insert(story.tells.clone(), finding.status);
        told.snapshot += &show(&story, finding);
    }
    told
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

/// What every rule allows is reached by a story, or listed with the reason why it cannot be.
fn reach(catalogue: &Catalogue, told: &BTreeMap<&str, Told>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Listed {
        unreached: Vec<Unreached>,
    }
    let text = std::fs::read_to_string(folder().join("unreached.toml")).unwrap();
    let listed: Listed = toml::from_str(&text).unwrap();
    let listed: BTreeSet<(String, Outcome)> = listed
        .unreached
        .into_iter()
        .inspect(|u| assert!(!u.why.is_empty()))
        .map(|u| (u.control, (u.status, u.because)))
        .collect();
    let mut missing = BTreeSet::new();
    let mut wrong = Vec::new();
    for control in &catalogue.controls {
        let Some(told) = told.get(control.id.as_str()) else { continue };
        let lines = control.rule.iter().filter(|l| l.when != "otherwise").chain(&control.no_units);
        let allowed: BTreeSet<Outcome> = lines.map(|l| (l.status, l.reason.clone())).collect();
        missing.extend(allowed.difference(&told.reached).map(|o| (control.id.clone(), o.clone())));
        if !told.flips {
            wrong.push(format!("{}: no story takes it from satisfied by one fact", control.id));
        }
    }
    let say = |(control, (status, because)): &(String, Outcome), what: &str| {
        format!("{control}: {} {because} {what}", status.name())
    };
    wrong.extend(missing.difference(&listed).map(|o| say(o, "is reached by no story")));
    wrong.extend(listed.difference(&missing).map(|o| say(o, "is listed as unreached, and is reached")));
    wrong
}
