//! What must hold of verdicts whatever the evidence is: tried on the estate of the stories, and on stories of all controls.

use crate::support::assessed_at;
use crate::support::stories::{LOOKS, SOURCES, Story, stories};
use actledger::act::{Catalogue, Status};
use actledger::assessment::metrics::metrics;
use actledger::assessment::{Assessment, Finding};
use actledger::evidence::Time;
use actledger::jobs::{self, Desk};
use std::collections::BTreeMap;

/// What an assessment says, without the numbers of entries: control, system and unit to status, reason and note.
type Said = BTreeMap<(String, String, String), (Status, String, String)>;

fn said(judged: &Assessment) -> Said {
    let units = judged.findings.iter().flat_map(|f| f.units.iter().map(move |u| (f, u)));
    units
        .map(|(f, u)| {
            let place = (f.control.clone(), f.system.clone().unwrap_or_default(), u.id.clone());
            (place, (u.status, u.reason.clone(), without_aliases(&u.note)))
        })
        .collect()
}

/// People are numbered in the order in which the ledger met them.
fn without_aliases(note: &str) -> String {
    let mut parts = note.split("P-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "P-" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn nights(desk: &Desk) -> Vec<Time> {
    jobs::demo_nights(&desk.config).unwrap()
}

fn ingest(desk: &Desk, sources: &[&str]) {
    let names: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
    jobs::ingest(desk, &mut desk.store().unwrap(), &names, &|_, _, _| {}).unwrap();
}

/// Numbers that look random and are the same in each run (Knuth, MMIX).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
    fn shuffled<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        (1..items.len()).rev().for_each(|i| items.swap(i, self.below(i + 1)));
        items
    }
}

/// A story of every second control or so, of those that change one fact.
fn some_stories(dice: &mut Dice, n: usize) -> Vec<Story> {
    let controls = Catalogue::built_in().controls;
    let all: Vec<Story> = controls.iter().flat_map(|c| stories(&c.id)).filter(|s| !s.nightly).collect();
    dice.shuffled(all).into_iter().take(n).collect()
}

#[test]
fn the_order_of_passes_and_sources_changes_no_verdict() {
    let mut dice = Dice(7);
    let names = ["register", "network", "cluster", "terraform", "artifacts"];
    for story in [Story::quiet()].into_iter().chain(some_stories(&mut dice, 24)) {
        let world = story.world();
        let desk = world.desk();
        let last = *nights(&desk).last().unwrap();
        ingest(&desk, &[]);
        let at_once = said(&assessed_at(&desk, last));
        let again = story.world();
        let desk = again.desk();
        for night in nights(&desk) {
            desk.clock.set(night);
            for name in dice.shuffled(names.to_vec()) {
                if desk.config.register.is_some() || name != "register" {
                    ingest(&desk, &[name]);
                }
            }
        }
        let bit_by_bit = said(&assessed_at(&desk, last));
        assert_eq!(differences(&at_once, &bit_by_bit), Vec::<String>::new(), "{}", story.tells);
    }
}

fn differences(a: &Said, b: &Said) -> Vec<String> {
    let places: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    places
        .into_iter()
        .filter(|p| a.get(*p) != b.get(*p))
        .map(|p| format!("{p:?}: {:?}, {:?}", a.get(p), b.get(p)))
        .collect()
}

#[test]
fn a_verdict_as_of_a_time_does_not_depend_on_later_entries() {
    let mut dice = Dice(11);
    for story in [Story::quiet()].into_iter().chain(some_stories(&mut dice, 24)) {
        let world = story.world();
        let desk = world.desk();
        let mut then = Vec::new();
        for night in nights(&desk) {
            desk.clock.set(night);
            ingest(&desk, &[]);
            then.push((night, said(&assessed_at(&desk, night))));
        }
        for (night, before) in then {
            let later = said(&assessed_at(&desk, night));
            assert_eq!(differences(&before, &later), Vec::<String>::new(), "{} at {night}", story.tells);
        }
    }
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    let world = Story::quiet().world();
    let desk = world.desk();
    ingest(&desk, &[]);
    let last = *nights(&desk).last().unwrap();
    let bytes = || format!("{:?}", assessed_at(&desk, last).findings);
    assert_eq!(bytes(), bytes());
}

#[test]
fn what_is_not_satisfied_stays_so_whatever_else_is_wrong() {
    let (mut dice, mut tried) = (Dice(13), 0);
    for control in Catalogue::built_in().controls {
        let wrong = |s: &Story| s.is == "not-satisfied" && !s.nightly && s.after.is_none();
        let wrong: Vec<Story> = stories(&control.id).into_iter().filter(wrong).collect();
        let pairs = wrong.iter().enumerate().flat_map(|(i, a)| wrong[i + 1..].iter().map(move |b| (a, b)));
        let both = pairs.filter(|(a, b)| a.system == b.system).filter_map(|(a, b)| a.with(b));
        for both in dice.shuffled(both.collect()).into_iter().take(3) {
            let judged = both.judged();
            let finding = both.finding(&judged, &control.id).unwrap();
            assert_eq!(finding.status, Status::NotSatisfied, "{}: {}", control.id, both.tells);
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried} pairs");
}

/// By definition the last complete look is judged for as long as its source is not stale, so the last look stays here, and of
/// it whatever is no object of flow logs.
#[test]
fn nothing_gets_better_because_less_was_seen() {
    let mut dice = Dice(17);
    for story in [Story::quiet()].into_iter().chain(some_stories(&mut dice, 60)) {
        let (mut before, mut less) = (story.judged(), story.clone());
        for source in SOURCES {
            for (i, look) in LOOKS.iter().enumerate().skip(1) {
                let is_last = i + 1 == LOOKS.len();
                let mut documents = story.documents(source, i);
                documents.retain(|d| !is_last || d.contains("AWSLogs/"));
                match dice.below(4) {
                    0 if !is_last => less = less.without_look(source, look),
                    1 if !documents.is_empty() => {
                        less = less.without_document(&documents[dice.below(documents.len())], look);
                    }
                    _ => {}
                }
            }
        }
        let mut now = less.judged();
        // It asks of each open finding: where less is open, it asks less.
        let derived = |f: &Finding| f.control == "corrective-action-timely";
        [&mut before, &mut now].into_iter().for_each(|judged| judged.findings.retain(|f| !derived(f)));
        let better = [better(&before, &now), better_numbers(&before, &now)].concat();
        assert!(better.is_empty(), "{}, without {}:\n{}", story.tells, less.leaves(), better.join("\n"));
    }
}

/// Units and findings that are better than before: a unit stays, or is not assessed; one that is new is not satisfied by that; a
/// finding that was not satisfied is none that is satisfied, or not applicable.
fn better(before: &Assessment, now: &Assessment) -> Vec<String> {
    let findings = |j: &Assessment| -> BTreeMap<String, Status> {
        j.findings.iter().map(|f| (f.key(), f.status)).collect()
    };
    let (were, whole) = (findings(before), said(before));
    let mended = findings(now).into_iter().filter(|(finding, status)| {
        let was = were.get(finding).copied();
        was == Some(Status::NotSatisfied) && [Status::Satisfied, Status::NotApplicable].contains(status)
    });
    let units = said(now).into_iter().filter(|(place, (status, ..))| match whole.get(place) {
        Some((was, ..)) => status != was && *status != Status::NotAssessed,
        // What is named by the look that showed it has another name where that look is missing.
        None => *status == Status::Satisfied && place.0 != "policy-weakened-with-review",
    });
    let units = units.map(|(place, said)| format!("{place:?}: {said:?}, before {:?}", whole.get(&place)));
    mended.map(|(finding, status)| format!("{finding} is {status:?}")).chain(units).collect()
}

/// Counts of levels, teams and controls that are better than before.
fn better_numbers(before: &Assessment, now: &Assessment) -> Vec<String> {
    let were = metrics(before);
    let all = metrics(now).into_iter().filter_map(|m| {
        let was = were.iter().find(|w| (&w.of, &w.name) == (&m.of, &m.name)).cloned().unwrap_or_default();
        let is_better = m.satisfied > was.satisfied
            || m.not_satisfied + m.not_assessed < was.not_satisfied + was.not_assessed;
        is_better.then(|| format!("{m:?}, before {was:?}"))
    });
    all.collect()
}
