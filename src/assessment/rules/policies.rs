//! Rules about the gate of runs: whether each was passed, what our own evaluation says of it, how often it was let through.

use super::super::facts::{RunFacts, Seen};
use super::super::findings::{Basis, Case};
use super::terraform::{Applied, applied, attached, in_window, limit};
use super::{Judged, many, utc};
use crate::act::Policy;
use crate::evidence::sentinel::{Outcome, Run, StateVersion, strictness};
use crate::reperformance::{Judgement, Settings, judgement};
use std::collections::BTreeMap;

/// The last that a policy said on a run, by set, policy and way of running. Checks that do not name their policies are of
/// others each.
fn last(run: &RunFacts) -> Vec<&Seen<Outcome>> {
    let mut last: BTreeMap<_, &Seen<Outcome>> = BTreeMap::new();
    for o in &run.outcomes {
        let of = Some(&o.value.document).filter(|_| o.value.policy == "*");
        last.insert((&o.value.policy_set, &o.value.policy, &o.value.stage, of), o);
    }
    last.into_values().collect()
}

fn of_policy<'a>(outcomes: &[&'a Seen<Outcome>], name: &str) -> Vec<&'a Seen<Outcome>> {
    outcomes.iter().filter(|o| o.value.policy == name).copied().collect()
}

/// Whether a failure stops the run: as it ran, else as it is declared.
fn is_hard(o: &Outcome) -> bool {
    let ran_weaker = ["advisory", "soft-mandatory"].contains(&o.ran_at.as_str());
    o.ran_at == "hard-mandatory" || o.level == "hard-mandatory" && !ran_weaker
}

/// Whether an outcome is known to have run below the level that the pack asks for.
fn ran_below(o: &Outcome, asked: &Policy) -> bool {
    let asked = strictness(&asked.level);
    let is_below = |level: &&String| strictness(level).is_some_and(|level| Some(level) < asked);
    [&o.ran_at, &o.level].iter().any(is_below)
}

/// What policy checks and evaluations say of themselves (HCP Terraform, API documentation); empty where nothing is stated.
const STAGES: [&str; 13] = [
    "",
    "pending",
    "queued",
    "running",
    "passed",
    "failed",
    "soft_failed",
    "hard_failed",
    "overridden",
    "errored",
    "canceled",
    "unreachable",
    "completed",
];

/// Whether every applied run passed the gate.
pub(super) fn not_bypassed(case: &Case<'_>) -> Vec<Judged> {
    let runs = in_window(case).into_iter().map(|run| of_run(case, run));
    runs.chain(unexplained(case)).collect()
}

fn of_run(case: &Case<'_>, (facts, run): Applied<'_>) -> Judged {
    let outcomes = last(facts);
    let required = &case.catalogue.pack.policies;
    let missing = required.iter().filter(|p| of_policy(&outcomes, &p.name).is_empty());
    let missing: Vec<_> = missing.map(|p| (p, attached(case, &p.name, run))).collect();
    let find = |holds: &dyn Fn(&Outcome) -> bool| outcomes.iter().find(|o| holds(&o.value)).copied();
    let broken = |o: &Outcome| ["errored", "unreachable", "canceled"].contains(&o.stage_status.as_str());
    let below = required.iter().find_map(|p| {
        of_policy(&outcomes, &p.name).into_iter().find(|o| ran_below(&o.value, p)).map(|o| (p, o))
    });
    let known = ["passed", "failed", "errored"];
    let is_strange =
        |o: &Outcome| !known.contains(&o.status.as_str()) || !STAGES.contains(&o.stage_status.as_str());
    // A check that does not name its policies may hold any of them.
    let unnamed = outcomes.iter().any(|o| o.value.policy == "*");
    // What could not be read may hold any of them as well.
    let unread = lacking(&run.value).find(|d| !["run-events", "comments"].contains(d));
    let skipped = missing.iter().find(|(_, applies)| *applies == Some(true) && !unnamed && unread.is_none());
    let (line, note, shown) = if let Some(o) = find(&|o| is_hard(o) && o.failed()) {
        (
            2,
            format!("{} is hard-mandatory and {}, and the run was applied", o.value.policy, o.value.status),
            Some(o),
        )
    } else if let Some(o) = find(&broken) {
        (3, format!("its policy {} is {}", o.value.stage, o.value.stage_status), Some(o))
    } else if let Some((policy, _)) = skipped {
        (3, format!("{} applies to the workspace and was not run", policy.name), None)
    } else if let Some((policy, _)) =
        missing.iter().find(|(_, applies)| *applies == Some(false) && unread.is_none())
    {
        (4, format!("{} does not apply to the workspace", policy.name), None)
    } else if let Some((policy, o)) = below {
        let level = [&o.value.ran_at, &o.value.level].into_iter().find(|l| !l.is_empty());
        let level = level.map_or("a lower level", String::as_str);
        (5, format!("{} ran at {level}; the policy pack asks for {}", policy.name, policy.level), Some(o))
    } else if let Some((policy, _)) = missing.first() {
        (6, format!("{} has no outcome, and nothing shows whether it applies", policy.name), None)
    } else if let Some(o) = find(&|o| o.failed() && o.level.is_empty()) {
        (7, format!("{} {}, at a level that is not known", o.value.policy, o.value.status), Some(o))
    } else if let Some(o) = find(&is_strange) {
        let Outcome { policy, status, stage, stage_status, .. } = &o.value;
        (8, format!("{policy} says “{status}”, and its policy {stage} “{stage_status}”"), Some(o))
    } else if let Some(document) = unread {
        (10, format!("its {document} were not read, and may hold other policies"), None)
    } else {
        (9, format!("{} said what they had to say", many(outcomes.len() as u64, "policy outcome")), None)
    };
    let shown: Vec<u64> = shown.map_or_else(|| outcomes.iter().map(|o| o.seq).collect(), |o| vec![o.seq]);
    let judged = Judged::line(&run.value.run, line).note(note).evidence([run.seq]).evidence(shown);
    judged.happened(run.value.applied.unwrap_or(run.at))
}

/// Documents of a run that are not in the record, beside its plan and its cost estimate.
fn lacking(run: &Run) -> impl Iterator<Item = &str> {
    [&run.unread, &run.denied]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .filter(|d| !["plan", "cost-estimate"].contains(d))
}

/// State versions that no run explains: somebody wrote state from outside.
fn unexplained(case: &Case<'_>) -> Vec<Judged> {
    let Some(system) = case.system else { return Vec::new() };
    let all = case.facts.terraform.unexplained();
    let ours = all.filter(|s| system.workspaces.contains(&s.value.workspace));
    let judge = |s: &Seen<StateVersion>| {
        let at = s.value.created.unwrap_or(s.at);
        let note =
            format!("a state of workspace {} was written {} without a run", s.value.workspace, utc(at));
        Judged::line(&s.value.id, 1).note(note).evidence([s.seq]).happened(at)
    };
    ours.filter(|s| s.value.created.unwrap_or(s.at) >= case.estate.window).map(judge).collect()
}

/// How often each policy was let through for the system.
pub(super) fn not_habitual(case: &Case<'_>) -> Vec<Judged> {
    let days = case.catalogue.defaults.habit_days;
    let from = case.estate.at.plus_days(-days);
    let runs = applied(case);
    let mut found: BTreeMap<&str, Vec<(u64, &Seen<Run>)>> = BTreeMap::new();
    for (facts, run) in &runs {
        for o in facts.overrides.values().filter(|o| o.value.at.unwrap_or(o.at) >= from) {
            o.value.policies.iter().for_each(|p| found.entry(p).or_default().push((o.seq, run)));
        }
    }
    let is_read = !runs
        .iter()
        .any(|(_, r)| r.value.applied.unwrap_or(r.at) >= from && lacking(&r.value).next().is_some());
    // Checks that do not name their policies may have let any of them through.
    let unnamed = found.get("*").map_or(0, Vec::len) as u64;
    let judge = |(policy, overrides): (&&str, &Vec<(u64, &Seen<Run>)>)| {
        let sources = || overrides.iter().map(|(_, run)| &run.source);
        let began_later =
            |source: &String| case.looks(source).find_map(|l| l.value.looked_at).is_none_or(|t| t > from);
        let is_open = |source: &String| case.looks(source).next_back().is_none_or(|l| !l.value.complete);
        let (count, most) = (overrides.len() as u64, case.catalogue.defaults.max_overrides);
        let others = if *policy == "*" { 0 } else { unnamed };
        let line = if count > most && *policy != "*" {
            1
        } else if sources().any(began_later) {
            2
        } else if !is_read || sources().any(is_open) {
            3
        } else if count + others <= most {
            4
        } else {
            5
        };
        let named = if *policy == "*" { " of policies that their checks do not name" } else { "" };
        let note = format!("{}{named} in {days} days", many(count, "override"));
        Judged::line(*policy, line).note(note).evidence(overrides.iter().map(|(seq, _)| *seq))
    };
    found.iter().map(judge).collect()
}

/// A required policy on an applied run, and what we say of it ourselves.
struct Gate<'a> {
    policy: &'a Policy,
    run: &'a Seen<Run>,
    outcome: &'a Seen<Outcome>,
    ours: Judgement,
}

impl Gate<'_> {
    fn judged(&self, line: usize, note: impl Into<String>) -> Judged {
        let unit = format!("{} {}", self.policy.name, self.run.value.run);
        let judged = Judged::line(unit, line).note(note).evidence([self.run.seq, self.outcome.seq]);
        judged.basis(Basis::ReEvaluated).happened(self.run.value.applied.unwrap_or(self.run.at))
    }

    fn says(&self) -> &str {
        &self.outcome.value.status
    }
}

/// Every required policy with an outcome, on every applied run of the window.
fn gates<'a>(case: &Case<'a>) -> Vec<Gate<'a>> {
    let pack = &case.catalogue.pack;
    let of_run = |(facts, run): Applied<'a>| {
        let (outcomes, limit) = (last(facts), limit(case, run));
        let gate = |policy: &'a Policy| {
            let outcome =
                of_policy(&outcomes, &policy.name).into_iter().max_by_key(|o| (o.value.failed(), o.seq))?;
            let settings = Settings { limit: limit.to_owned(), ..Settings::default() };
            let ours = judgement(pack, &policy.control, &run.value, &settings)?;
            Some(Gate { policy, run, outcome, ours })
        };
        pack.policies.iter().filter_map(gate).collect::<Vec<_>>()
    };
    in_window(case).into_iter().flat_map(of_run).collect()
}

/// Whether our own evaluation of each policy says what Sentinel said.
pub(super) fn reperformed(case: &Case<'_>) -> Vec<Judged> {
    let judge = |gate: Gate<'_>| {
        let says = gate.says();
        match (&gate.ours, says) {
            (Judgement::Open(why), _) if gate.run.value.plan.state != "read" => gate.judged(2, why.clone()),
            (Judgement::Fails(why), "failed") => gate.judged(4, format!("both say that it fails: {why}")),
            (Judgement::Passes | Judgement::Nothing, "passed") => gate.judged(4, "both say that it passes"),
            (Judgement::Fails(why), "passed") => {
                gate.judged(3, format!("Sentinel says passed; by our own evaluation {why}"))
            }
            (Judgement::Passes | Judgement::Nothing, "failed") => {
                gate.judged(3, "Sentinel says failed; our own evaluation finds nothing against it")
            }
            (Judgement::Open(why), _) => gate.judged(5, why.clone()),
            _ => gate.judged(5, format!("Sentinel says “{says}”")),
        }
    };
    gates(case).into_iter().map(judge).collect()
}

/// Whether a policy that passed had something to judge, and judged it.
pub(super) fn not_vacuous(case: &Case<'_>) -> Vec<Judged> {
    let judge = |gate: Gate<'_>| {
        let is_spending = gate.policy.control == "spend-limit";
        let estimated = gate.run.value.cost.as_ref().is_some_and(|c| c.status == "finished");
        // Evaluations see no cost estimate, whatever the run has.
        if is_spending && (!estimated || gate.outcome.value.stage != "check") {
            let why = if estimated {
                "in an evaluation, which sees no estimate"
            } else {
                "without a finished estimate"
            };
            return gate.judged(1, format!("it passed {why}"));
        }
        match &gate.ours {
            Judgement::Fails(why) => gate.judged(2, format!("it passed, and {why}")),
            Judgement::Open(why) if gate.run.value.plan.state != "read" => gate.judged(4, why.clone()),
            Judgement::Open(why) => gate.judged(7, why.clone()),
            Judgement::Nothing => gate.judged(5, "nothing in the run is what it judges"),
            Judgement::Passes => gate.judged(6, "it judged what it has to, and so do we"),
        }
    };
    gates(case).into_iter().filter(|gate| gate.says() == "passed").map(judge).collect()
}
