//! Runs with what their policies said and who let them through; resources as last applied; policy sets.

use super::{Seen, States, push, push_tight, read};
use crate::evidence::sentinel::{
    DELETED, Outcome, Override, Policy, PolicySet, Resource, Run, StateVersion, Workspace,
};
use crate::evidence::{Kind, Time};
use crate::ledger::entry::Placed;
use std::collections::{BTreeMap, BTreeSet};

/// One run.
#[derive(Debug, Default)]
pub struct RunFacts {
    /// The run as last read.
    pub run: Option<Seen<Run>>,
    /// What policies said.
    pub outcomes: Vec<Seen<Outcome>>,
    /// Overrides by stage: what is known of each, and the entry that told it.
    pub overrides: BTreeMap<String, Seen<Override>>,
}

/// What HCP Terraform shows.
#[derive(Default)]
pub struct Terraform {
    /// Runs by id.
    pub runs: BTreeMap<String, RunFacts>,
    /// Applied runs of each workspace: when, and the id.
    applied: BTreeMap<String, BTreeSet<(Option<Time>, String)>>,
    /// Versions of states, by id.
    pub states: BTreeMap<String, Seen<StateVersion>>,
    /// Versions of states that name no run.
    loose: BTreeSet<String>,
    /// Workspaces.
    pub workspaces: States<Workspace>,
    /// Names of workspaces by id. Where a look could not list them, runs and resources go by the id.
    names: BTreeMap<String, String>,
    /// What workspaces are called by, names and ids.
    told_as: BTreeSet<String>,
    /// Projects of each workspace, by name, with the time since when it was seen there.
    projects: BTreeMap<String, Vec<(Time, String)>>,
    /// Policies with their text.
    pub policies: States<Policy>,
    /// Policy sets.
    pub sets: States<PolicySet>,
    /// Resources.
    pub resources: States<Resource>,
    /// Subjects of the resources that a workspace ever had.
    subjects: BTreeMap<String, BTreeSet<String>>,
}

impl Terraform {
    pub(super) fn fold(&mut self, placed: &Placed) {
        match placed.entry.kind {
            Kind::SentinelRun => {
                if let Some(mut seen) = read::<Run>(placed) {
                    self.name(&mut seen.value.workspace);
                    self.run(seen);
                }
            }
            Kind::SentinelOutcome => {
                if let Some(seen) = read::<Outcome>(placed) {
                    let id = seen.value.run.clone();
                    push_tight(&mut self.runs.entry(id).or_default().outcomes, seen);
                }
            }
            Kind::SentinelOverride => {
                if let Some(seen) = read::<Override>(placed) {
                    let overrides = &mut self.runs.entry(seen.value.run.clone()).or_default().overrides;
                    // What an earlier look knew and a later one no longer does, is kept.
                    let told = |o: &Override| (o.actor.is_some(), o.reason_chars, o.looked_in.len());
                    let known = overrides.get(&seen.value.stage);
                    if known.is_none_or(|k| told(&k.value) <= told(&seen.value)) {
                        overrides.insert(seen.value.stage.clone(), seen);
                    }
                }
            }
            Kind::SentinelPolicySet => {
                if let Some(mut seen) = read::<PolicySet>(placed) {
                    let named = seen.value.workspaces.iter_mut().chain(&mut seen.value.excluded);
                    named.for_each(|workspace| self.name(workspace));
                    push_tight(self.sets.0.entry(placed.entry.subject.as_str().into()).or_default(), seen);
                }
            }
            Kind::SentinelPolicy => push(&mut self.policies, placed),
            Kind::TerraformStateVersion => {
                if let Some(mut seen) = read::<StateVersion>(placed) {
                    self.name(&mut seen.value.workspace);
                    if seen.value.run.is_empty() {
                        self.loose.insert(seen.value.id.clone());
                    }
                    self.states.insert(seen.value.id.clone(), seen);
                }
            }
            Kind::TerraformWorkspace => {
                if let Some(seen) = read::<Workspace>(placed).filter(|w| !w.gone) {
                    let id = placed.entry.subject.rsplit('/').next().unwrap_or_default();
                    self.learn(id, &seen.value.name);
                    if !seen.value.project.is_empty() {
                        self.projects.entry(seen.value.name).or_default().push((seen.at, seen.value.project));
                    }
                }
                push(&mut self.workspaces, placed);
            }
            Kind::TerraformResource => {
                if let Some(seen) = read::<Resource>(placed) {
                    self.resource(&placed.entry.subject, seen);
                }
            }
            _ => {}
        }
    }

    /// Puts a workspace's name in the place of its id, where it is known.
    fn name(&mut self, workspace: &mut String) {
        match self.names.get(workspace.as_str()) {
            Some(name) => workspace.clone_from(name),
            None => drop(self.told_as.insert(workspace.clone())),
        }
    }

    /// Notes the name of a workspace, also of what went by its id before.
    fn learn(&mut self, id: &str, name: &str) {
        if self.names.insert(id.to_owned(), name.to_owned()).is_some() || !self.told_as.remove(id) {
            return;
        }
        let sets = self.sets.0.values_mut().flatten();
        let named = sets.flat_map(|s| s.value.workspaces.iter_mut().chain(&mut s.value.excluded));
        named.filter(|workspace| *workspace == id).for_each(|workspace| name.clone_into(workspace));
        for run in self.runs.values_mut().filter_map(|r| r.run.as_mut()).filter(|r| r.value.workspace == id) {
            name.clone_into(&mut run.value.workspace);
        }
        for state in self.states.values_mut().filter(|s| s.value.workspace == id) {
            name.clone_into(&mut state.value.workspace);
        }
        if let Some(applied) = self.applied.remove(id) {
            self.applied.entry(name.to_owned()).or_default().extend(applied);
        }
        for subject in self.subjects.remove(id).into_iter().flatten() {
            let history = self.resources.0.remove(subject.as_str()).into_iter().flatten();
            history.for_each(|seen| self.resource(&subject, seen));
        }
    }

    /// Runs are read newest first: what is told later may be older.
    fn resource(&mut self, subject: &str, mut seen: Seen<Resource>) {
        let id = seen.value.workspace.clone();
        self.name(&mut seen.value.workspace);
        let name = &seen.value.workspace;
        let subject = match id == *name {
            true => subject.to_owned(),
            false => subject.replacen(&format!("/{id}/"), &format!("/{name}/"), 1),
        };
        self.subjects.entry(name.clone()).or_default().insert(subject.clone());
        let history = self.resources.0.entry(subject.into()).or_default();
        push_tight(history, seen);
        history.sort_by_key(|seen| seen.at);
    }

    /// That the API no longer shows a run takes nothing back of what it was.
    fn run(&mut self, seen: Seen<Run>) {
        let known = &mut self.runs.entry(seen.value.run.clone()).or_default().run;
        if seen.value.status == DELETED && known.is_some() {
            return;
        }
        let place = |run: &Run| (run.applied, run.run.clone());
        if let Some(before) = known.as_ref().map(|k| &k.value) {
            self.applied.entry(before.workspace.clone()).or_default().remove(&place(before));
        }
        if seen.value.status == "applied" {
            self.applied.entry(seen.value.workspace.clone()).or_default().insert(place(&seen.value));
        }
        *known = Some(seen);
    }

    /// The project that a workspace was in; before it was first seen, the one in which it was then.
    pub fn project(&self, workspace: &str, time: Time) -> Option<&str> {
        let seen = self.projects.get(workspace)?;
        let then = seen.iter().rfind(|(at, _)| *at <= time).or(seen.first());
        then.map(|(_, project)| project.as_str())
    }

    /// Resources of a workspace at a time. What a later run left as it was, was there before.
    pub fn resources_of(&self, workspace: &str, time: Time) -> impl Iterator<Item = &Resource> {
        let then = move |history: &[Seen<Resource>]| -> Option<usize> {
            let is_untouched = history.first().is_some_and(|first| first.value.untouched);
            history.iter().rposition(|s| s.at <= time).or(is_untouched.then_some(0))
        };
        let subjects = self.subjects.get(workspace).into_iter().flatten();
        let histories = subjects.filter_map(|subject| self.resources.get(subject));
        let resources = histories.filter_map(move |history| history.get(then(history)?));
        resources.filter(move |r| !r.gone && r.value.workspace == workspace).map(|r| &r.value)
    }

    /// Versions of states that no run explains.
    pub fn unexplained(&self) -> impl Iterator<Item = &Seen<StateVersion>> {
        let states = self.loose.iter().filter_map(|id| self.states.get(id));
        states.filter(|state| state.value.run.is_empty())
    }

    /// Workspaces with applied runs.
    pub fn workspaces_applied(&self) -> impl Iterator<Item = &String> {
        self.applied.keys()
    }

    /// Applied runs of workspaces, oldest first.
    pub fn applied<'t>(
        &'t self,
        workspaces: impl IntoIterator<Item = &'t String>,
    ) -> Vec<(&'t RunFacts, &'t Seen<Run>)> {
        let of = |workspace| self.applied.get(workspace).into_iter().flatten();
        let mut places: Vec<_> = workspaces.into_iter().flat_map(of).collect();
        places.sort();
        let runs = places.into_iter().filter_map(|(_, run)| self.runs.get(run));
        runs.filter_map(|r| Some((r, r.run.as_ref()?))).collect()
    }
}
