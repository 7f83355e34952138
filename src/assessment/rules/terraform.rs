//! Rules about runs, their policies and what was last applied.

use super::super::estate::ai_resource;
use super::super::facts::{RunFacts, Seen};
use super::super::findings::{Case, Excepted};
use super::{Judged, many};
use crate::evidence::sentinel::{Encryption, Outcome, Override, PolicySet, Resource, Run};
use crate::evidence::{DAY, Time};
use crate::reperformance::{CostVerdict, cost, deployment_tags, is_model_resource, required_tags};
use std::collections::BTreeMap;

pub(super) type Applied<'a> = (&'a RunFacts, &'a Seen<Run>);

/// Applied runs of the system's workspaces up to the horizon, oldest first.
pub(super) fn applied<'a>(case: &Case<'a>) -> Vec<Applied<'a>> {
    let Some(system) = case.system else { return Vec::new() };
    let mut runs = case.facts.terraform.applied(&system.workspaces);
    runs.retain(|(_, r)| r.value.applied.unwrap_or(r.at) <= case.estate.horizon(&r.source));
    runs
}

pub(super) fn in_window<'a>(case: &Case<'a>) -> Vec<Applied<'a>> {
    let mut runs = applied(case);
    runs.retain(|(_, r)| r.value.applied.unwrap_or(r.at) >= case.estate.window);
    runs
}

/// The last applied run of each workspace of the system.
fn last_applied<'a>(case: &Case<'a>) -> BTreeMap<&'a str, Applied<'a>> {
    applied(case).into_iter().map(|a| (a.1.value.workspace.as_str(), a)).collect()
}

/// What the policy of the pack that this control reads said on a run.
fn outcome<'a>(case: &Case<'_>, run: &'a RunFacts) -> Option<&'a Seen<Outcome>> {
    let policy = case.catalogue.pack.policies.iter().find(|p| p.control == case.control.id)?;
    // The same policy may stand in two sets: the worst outcome counts.
    let ours = run.outcomes.iter().filter(|o| o.value.policy == policy.name);
    ours.max_by_key(|o| (o.value.status != "passed", o.seq))
}

fn bad(outcome: Option<&Seen<Outcome>>) -> bool {
    outcome.is_some_and(|o| o.value.failed())
}

/// Policy sets of its organization as they were when a run was applied; of a run before the first look at them, as they were seen
/// within a day.
fn sets_of<'a>(case: &Case<'a>, run: &Seen<Run>, at: Time) -> Vec<&'a Seen<PolicySet>> {
    let sets_at = |time| {
        let sets = case.facts.terraform.sets.at(time).map(|(_, s)| s);
        sets.filter(|s| s.source == run.source).collect::<Vec<_>>()
    };
    let then = sets_at(at);
    if then.is_empty() { sets_at(at.plus_days(1)) } else { then }
}

/// Whether a policy applied to the workspace of a run; none when nothing shows it.
pub(super) fn attached(case: &Case<'_>, policy: &str, run: &Seen<Run>) -> Option<bool> {
    let at = run.value.applied.unwrap_or(run.at);
    let sets = sets_of(case, run, at);
    let is_attached = sets.iter().any(|s| applies(case, &s.value, policy, (&run.value.workspace, at)));
    (is_attached || !sets.is_empty() && !sets.iter().any(|s| is_open(&s.value))).then_some(is_attached)
}

/// Whether a set may hold any policy: one of a repository does not name them.
pub(super) fn is_open(set: &PolicySet) -> bool {
    set.origin.is_some() && set.policies.is_empty()
}

/// Whether the policy that this control reads applied to the workspace of a run.
fn is_attached(case: &Case<'_>, run: &Seen<Run>) -> Option<bool> {
    let policy = &case.catalogue.pack.policies.iter().find(|p| p.control == case.control.id)?.name;
    attached(case, policy, run)
}

/// How many things of a kind a plan holds, where it was read.
fn planned(run: &Seen<Run>, n: usize, what: &str) -> String {
    match run.value.plan.state.as_str() {
        "read" => many(n as u64, what),
        "denied" => "the plan may not be read".into(),
        "too long" => "the plan is longer than what is read".into(),
        _ => "the plan was not read".into(),
    }
}

/// What a policy said, and at which level it runs.
fn told(outcome: Option<&Seen<Outcome>>) -> String {
    let Some(Outcome { status, level, .. }) = outcome.map(|o| &o.value) else {
        return "no outcome of the policy".into();
    };
    let level = if level.is_empty() { "at a level that is not known" } else { level };
    format!("the policy {status}, {level}")
}

fn entries(run: &Seen<Run>, outcome: Option<&Seen<Outcome>>) -> Vec<u64> {
    outcome.map(|o| o.seq).into_iter().chain([run.seq]).collect()
}

/// Workspaces of the system that a policy set excludes, or to which a required policy does not apply.
pub(super) fn exemptions(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let (terraform, at) = (&case.facts.terraform, case.estate.at);
    let all: Vec<_> = terraform.sets.at(at).map(|(_, s)| s).collect();
    let judge = |workspace: &String| {
        let organizations: Vec<&String> = terraform
            .workspaces
            .at(at)
            .filter(|(_, w)| w.value.name == *workspace)
            .map(|(_, w)| &w.source)
            .collect();
        let is_ours = |s: &&&Seen<PolicySet>| organizations.is_empty() || organizations.contains(&&s.source);
        let sets: Vec<&Seen<PolicySet>> = all.iter().filter(is_ours).copied().collect();
        let excluded = sets.iter().find(|s| s.value.excluded.contains(workspace));
        let applies = |policy: &str| sets.iter().any(|s| applies(case, &s.value, policy, (workspace, at)));
        // A set of a repository does not name its policies: any of them may be in it.
        let any_open = sets.iter().any(|s| is_open(&s.value));
        let missing = case.catalogue.pack.policies.iter().find(|p| !any_open && !applies(&p.name));
        let why = match (excluded, missing) {
            (Some(set), _) => {
                format!("workspace {workspace} is left out of the policy set {}", set.value.name)
            }
            (None, Some(policy)) => {
                format!("the required policy {} does not apply to workspace {workspace}", policy.name)
            }
            (None, None) => return None,
        };
        let thing = format!("workspace/{workspace}");
        let (line, found) = super::cluster::written_down(case, &system.id, &thing);
        let shown = excluded.map(|s| s.seq).or(sets.first().map(|s| s.seq));
        Some(Judged::line(thing, line).note(why).evidence(shown).evidence(found.map(|f| f.seq)))
    };
    // Without any look at policy sets nothing can be said of them.
    if all.is_empty() { Vec::new() } else { system.workspaces.iter().filter_map(judge).collect() }
}

/// Whether a policy set applies a policy to a workspace at a time.
pub(super) fn applies(case: &Case<'_>, set: &PolicySet, policy: &str, place: (&String, Time)) -> bool {
    set.policies.iter().any(|(name, _)| name == policy) && reaches(case, set, place)
}

/// Whether a policy set applies to a workspace at a time: to all, by its name, or by its project.
pub(super) fn reaches(case: &Case<'_>, set: &PolicySet, (workspace, at): (&String, Time)) -> bool {
    let project = case.facts.terraform.project(workspace, at);
    let of_project = project.is_some_and(|p| set.projects.iter().any(|known| known == p));
    let is_named = set.workspaces.contains(workspace) || of_project;
    !set.excluded.contains(workspace) && (set.global || is_named)
}

pub(super) fn gpu_instances(case: &Case<'_>) -> Vec<Judged> {
    let pack = &case.catalogue.pack;
    let judge = |(facts, run): Applied<'_>| {
        let plan = &run.value.plan;
        if plan.state == "read" && plan.compute.is_empty() {
            return None;
        }
        let types: Vec<&String> = plan.compute.iter().flat_map(|c| &c.instance_types).collect();
        let wrong: Vec<&str> = types.iter().filter(|t| !pack.is_allowed(t)).map(|t| t.as_str()).collect();
        let said = outcome(case, facts);
        let line = if !wrong.is_empty() {
            1
        } else if bad(said) {
            2
        } else if said.is_some_and(|o| o.value.ran_weak()) {
            3
        } else if said.is_none() {
            if is_attached(case, run) == Some(false) { 4 } else { 5 }
        } else if said.is_some_and(|o| o.value.level != "hard-mandatory") {
            6
        } else if plan.state == "denied" {
            7
        } else if plan.state != "read" {
            8
        } else if plan.compute.iter().any(|c| c.unknown) {
            9
        } else if said.is_some_and(|o| o.value.status == "passed") {
            10
        } else {
            11
        };
        let note = match wrong.is_empty() {
            true => format!("{}; {}", planned(run, plan.compute.len(), "compute resource"), told(said)),
            false => format!("not allowed: {}", wrong.join(", ")),
        };
        let judged = Judged::line(&run.value.run, line).note(note).evidence(entries(run, said));
        Some(judged.happened(run.value.applied.unwrap_or(run.at)))
    };
    in_window(case).into_iter().filter_map(judge).collect()
}

pub(super) fn spend_limit(case: &Case<'_>) -> Vec<Judged> {
    let judge = |(facts, run): Applied<'_>| {
        let r = &run.value;
        let limit = limit(case, run);
        let said = outcome(case, facts);
        let verdict = r.cost.as_ref().map(|c| cost(c, limit));
        let sees_cost = r.stages.iter().any(|s| s == "check");
        let line = match verdict {
            Some(CostVerdict::Above) => 1,
            _ if bad(said) => 2,
            None if r.denied.iter().any(|d| d == "cost-estimate") => 3,
            None => 4,
            Some(CostVerdict::Unfinished) => 5,
            _ if !sees_cost => 5,
            Some(CostVerdict::NothingPriced) => 6,
            Some(CostVerdict::NotNumbers) => 7,
            Some(CostVerdict::Within) => 8,
        };
        let monthly = r.cost.as_ref().and_then(|c| c.monthly.as_deref()).unwrap_or("no amount");
        let note = match line {
            2 => format!(
                "{} let it through; {monthly} USD a month estimated, limit {limit}",
                said.map_or("the policy", |o| o.value.policy.as_str())
            ),
            3 => "the estimate may not be read".into(),
            4 => "the estimate was not read".into(),
            5 if sees_cost => "the estimate did not finish".into(),
            5 => "its policies ran as evaluations, which see no cost".into(),
            6 => "nothing that has a price was changed".into(),
            7 => format!("the estimate says {monthly:?}, the limit {limit:?}"),
            _ => format!("{monthly} USD a month estimated, limit {limit}"),
        };
        let mut judged = Judged::line(&r.run, line).note(note);
        judged = judged.evidence(entries(run, said)).happened(r.applied.unwrap_or(run.at));
        if line <= 2 {
            let policy = said.map(|o| o.value.policy.as_str()).unwrap_or_default();
            let ours = |o: &&Seen<Override>| o.value.policies.iter().any(|p| p == policy || p == "*");
            let over = facts.overrides.values().filter(ours).find(|o| accountable(case, run, o).0 == 7);
            judged.excepted = over.map(|o| Excepted { entry: o.seq, how: "override", until: None });
            judged.evidence.extend(facts.overrides.values().map(|o| o.seq));
        }
        judged
    };
    in_window(case).into_iter().map(judge).collect()
}

/// The lower limit holds for workspaces with AI resources, as they were once the run was applied.
pub(super) fn limit<'c>(case: &Case<'c>, run: &Seen<Run>) -> &'c str {
    let at = run.value.applied.unwrap_or(run.at);
    let mut resources = case.facts.terraform.resources_of(&run.value.workspace, at);
    let ai = resources.any(|r| ai_resource(r, case.catalogue).is_some());
    let pack = &case.catalogue.pack;
    if ai { &pack.ml_monthly_cost } else { &pack.max_monthly_cost }
}

pub(super) fn deployment_rules(case: &Case<'_>) -> Vec<Judged> {
    let pack = &case.catalogue.pack;
    let judge = |(workspace, (facts, run)): (&str, Applied<'_>)| {
        let plan = &run.value.plan;
        let models: Vec<_> = plan.models.iter().filter(|m| is_model_resource(m)).collect();
        let (missing, later): (Vec<_>, Vec<_>) = models.iter().map(|m| deployment_tags(pack, m)).unzip();
        let missing: Vec<String> = missing.into_iter().flatten().collect();
        let said = outcome(case, facts);
        let line = if bad(said) {
            1
        } else if !missing.is_empty() {
            2
        } else if said.is_none() {
            if is_attached(case, run) == Some(false) { 3 } else { 4 }
        } else if plan.state == "denied" {
            5
        } else if plan.state != "read" {
            6
        } else if models.is_empty() {
            if run.value.targeted { 7 } else { 8 }
        } else if later.iter().any(|l| !l.is_empty()) {
            9
        } else if said.is_some_and(|o| o.value.status == "passed") {
            10
        } else {
            11
        };
        let note = match missing.is_empty() {
            true => {
                format!("{}: {}; {}", run.value.run, planned(run, models.len(), "model resource"), told(said))
            }
            false => format!("{}: no tag {}", run.value.run, missing.join(", ")),
        };
        Judged::line(workspace, line).note(note).evidence(entries(run, said))
    };
    last_applied(case).into_iter().map(judge).collect()
}

/// Resources of the system as last applied, with the last run of their workspace.
fn resources<'a>(case: &Case<'a>) -> Vec<(&'a Seen<Resource>, Option<Applied<'a>>)> {
    let Some(system) = case.system else { return Vec::new() };
    let last = last_applied(case);
    let present =
        |subject: &String| case.facts.terraform.resources.of(subject, case.estate.at).filter(|r| !r.gone);
    let ours = system.resources.iter().filter_map(present);
    ours.map(|r| (r, last.get(r.value.workspace.as_str()).copied())).collect()
}

/// Workspaces whose last applied plan was not read.
fn unread_workspaces<'a>(case: &Case<'a>) -> impl Iterator<Item = (&'a str, Applied<'a>)> {
    last_applied(case).into_iter().filter(|(_, (_, run))| run.value.plan.state != "read")
}

pub(super) fn resource_tags(case: &Case<'_>) -> Vec<Judged> {
    let pack = &case.catalogue.pack;
    let of_workspace = |(workspace, (facts, run)): (&str, Applied<'_>)| {
        let said = outcome(case, facts);
        let line = if bad(said) {
            1
        } else if run.value.plan.state == "denied" {
            2
        } else {
            3
        };
        let note = format!("{}: {}; {}", run.value.run, planned(run, 0, "resource"), told(said));
        Judged::line(workspace, line).note(note).evidence(entries(run, said))
    };
    let of_resource = |(seen, last): (&Seen<Resource>, Option<Applied<'_>>)| {
        let r = &seen.value;
        let tags = r.tags.as_ref()?;
        let (missing, later) =
            required_tags(pack, tags, &r.unknown_tags, ai_resource(r, case.catalogue).is_some());
        let line = if left_out(seen, last) {
            4
        } else if !missing.is_empty() {
            5
        } else if !later.is_empty() {
            6
        } else {
            7
        };
        let note = match line {
            4 => OLDER.into(),
            5 => format!("no tag {}", missing.join(", ")),
            6 => format!("known only once it is applied: {}", later.join(", ")),
            _ => "carries every required tag".into(),
        };
        Some(resource_line(seen, last, line).note(note))
    };
    let workspaces = unread_workspaces(case).map(of_workspace);
    workspaces.chain(resources(case).into_iter().filter_map(of_resource)).collect()
}

/// What is judged of a resource: its address in its workspace, its state and the last run.
fn resource_line(seen: &Seen<Resource>, last: Option<Applied<'_>>, line: usize) -> Judged {
    let unit = format!("{}/{}", seen.value.workspace, seen.value.address);
    Judged::line(unit, line).evidence([seen.seq]).evidence(last.map(|(_, run)| run.seq))
}

/// What is said of a resource that the last, targeted plan left out.
const OLDER: &str = "the last plan was a targeted one that left it out";

/// A targeted plan says nothing of a resource whose state is older than it.
fn left_out(seen: &Seen<Resource>, last: Option<Applied<'_>>) -> bool {
    last.is_some_and(|(_, run)| run.value.targeted && seen.at < run.value.applied.unwrap_or(run.at))
}

pub(super) fn encryption(case: &Case<'_>) -> Vec<Judged> {
    let of_workspace = |(workspace, (_, run)): (&str, Applied<'_>)| {
        let line = if run.value.plan.state == "denied" { 1 } else { 2 };
        let note = format!("{}: {}", run.value.run, planned(run, 0, "resource"));
        Judged::line(workspace, line).note(note).evidence([run.seq])
    };
    let of_resource = |(seen, last): (&Seen<Resource>, Option<Applied<'_>>)| {
        let r = &seen.value;
        let line = match r.encryption? {
            _ if left_out(seen, last) => 3,
            Encryption::Off => 4,
            Encryption::Unknown => 5,
            Encryption::On => 6,
        };
        let note = match line {
            3 => OLDER,
            4 => "the plan sets encryption off",
            5 => "the plan does not say",
            _ => "the plan sets encryption on",
        };
        Some(resource_line(seen, last, line).note(note))
    };
    let workspaces = unread_workspaces(case).map(of_workspace);
    workspaces.chain(resources(case).into_iter().filter_map(of_resource)).collect()
}

pub(super) fn overrides(case: &Case<'_>) -> Vec<Judged> {
    let judge = |run: &Seen<Run>, o: &Seen<Override>| {
        let (line, note, statement) = accountable(case, run, o);
        let id = format!("{}/{}", o.value.run, o.value.stage);
        let judged = Judged::line(id, line).note(note).evidence([o.seq, run.seq]).evidence(statement);
        judged.happened(o.value.at.unwrap_or(o.at))
    };
    in_window(case).iter().flat_map(|(facts, run)| facts.overrides.values().map(|o| judge(run, o))).collect()
}

/// Who let a policy through and why: the line of override-accountable, a sentence, the entry of a later reason.
fn accountable(case: &Case<'_>, run: &Seen<Run>, over: &Seen<Override>) -> (usize, String, Option<u64>) {
    let (o, pack) = (&over.value, &case.catalogue.pack);
    let statement = case.facts.statements.at(case.estate.at).map(|(_, s)| s).find(|s| {
        let recorded = s.value.recorded.unwrap_or(s.at).since(o.at.unwrap_or(over.at)).as_secs();
        s.value.what == "override_reason"
            && s.value.about == o.run
            && s.value.reason_chars >= pack.min_reason_chars
            && recorded <= DAY * pack.override_reason_days
    });
    let reason = o.reason_chars >= pack.min_reason_chars || statement.is_some();
    let looked = |place: &str| o.looked_in.iter().any(|l| l == place);
    let all_read = looked("audit-trail") && looked("run-comments");
    let line = if o.actor_kind == "service" {
        1
    } else if o.actor_is_author == Some(true) {
        2
    } else if !reason && all_read {
        3
    } else if o.actor.is_none() {
        4
    } else if !reason {
        5
    } else if run.value.author_kind != "person" || o.actor_is_author.is_none() {
        6
    } else if o.actor_kind != "person" {
        8
    } else {
        7
    };
    let who = o.actor.as_ref().map_or_else(|| "nobody named".into(), |a| case.facts.alias(a));
    let why = match (statement, reason) {
        (Some(_), _) => "a reason recorded later in the register",
        (None, true) => "a reason is given",
        (None, false) => "no reason found",
    };
    let same = if o.actor_is_author == Some(true) { ", who also started the run" } else { "" };
    (line, format!("{} let through by {who}{same}; {why}", o.policies.join(", ")), statement.map(|s| s.seq))
}
