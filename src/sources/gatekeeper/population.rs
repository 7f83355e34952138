//! The objects of a look and its templates, evaluated for all constraints at once: object by object, on every core.

use super::{Objects, excluded, group, name, workload};
use crate::evidence::Outside;
use crate::evidence::gatekeeper::Constraint;
use crate::reperformance::rego::{Outcome, Template, parameters, review};
use crate::reperformance::{Object, in_match_scope, wildcard};
use regorus::Value as Rego;
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;

/// Longest message that a constraint's status holds, in bytes; longer ones are cut and end in three points.
const MESSAGE: usize = 256;
/// Fewest objects for which a thread of its own pays.
const SHARE: usize = 500;

/// The look, as constraints see it.
pub(super) struct Population<'a> {
    /// What the audit looks at: Gatekeeper's Config may leave namespaces out.
    objects: Vec<&'a Value>,
    /// Objects by `NAMESPACE/KIND/NAME`.
    pub index: BTreeMap<String, &'a Value>,
    namespaces: BTreeMap<&'a str, Outside>,
    templates: BTreeMap<&'a str, &'a Value>,
    /// Kinds that were listed whole.
    pub whole: BTreeSet<&'a str>,
}

/// What violates a constraint.
#[derive(Default)]
pub(super) struct Found {
    /// Objects that it matches.
    pub matched: u64,
    /// Violations that they have.
    pub violations: u64,
    /// `NAMESPACE/KIND/NAME` of each violator, with its messages as Gatekeeper would list them.
    pub violators: BTreeMap<String, BTreeSet<String>>,
}

/// What violates a constraint, or why that cannot be said.
pub(super) type Answer = Result<Found, String>;

/// A constraint, ready to be asked: its place among all, and what it asks.
struct Asked<'a> {
    place: usize,
    r#match: &'a Value,
    parameters: Result<Rego, String>,
}

/// Constraints by their kind.
type Kinds<'a> = BTreeMap<&'a str, Vec<Asked<'a>>>;

impl<'a> Population<'a> {
    /// From the objects of a look, and the kinds that it lists whole or not.
    pub(super) fn new(objects: &'a Objects, listed: &'a BTreeMap<String, bool>) -> Population<'a> {
        let of_kind = |wanted: &'static str| {
            objects.iter().filter(move |(_, kind, _)| kind == wanted).map(|(_, _, o)| o)
        };
        let templates = of_kind("ConstraintTemplate").map(|t| {
            let kind = t["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default();
            (kind, t)
        });
        let mut whole: BTreeSet<&str> =
            listed.iter().filter(|(_, whole)| **whole).map(|(kind, _)| kind.as_str()).collect();
        if whole.contains("workloads") {
            whole.extend(super::WORKLOADS);
        }
        // A list of a namespace and one of the cluster show the same objects.
        let mut seen = BTreeSet::new();
        let once = objects
            .iter()
            .filter(|(group, kind, o)| seen.insert((group, kind, workload::namespace(o), name(o))));
        let excluded = excluded(objects, "audit");
        let audited = once.filter(|(group, kind, o)| {
            let is_namespace = group.is_empty() && kind == "Namespace";
            let space = if is_namespace { name(o) } else { workload::namespace(o) };
            !excluded.iter().any(|pattern| wildcard(pattern, space))
        });
        Population {
            objects: audited.map(|(_, _, object)| object).collect(),
            index: objects.iter().map(|(_, _, object)| (shown(object), object)).collect(),
            namespaces: of_kind("Namespace").map(|n| (name(n), labels(n))).collect(),
            templates: templates.collect(),
            whole,
        }
    }

    /// An answer for each constraint.
    pub(super) fn evaluate(&self, constraints: &[(Constraint, &Value)]) -> Vec<Answer> {
        let mut kinds = Kinds::new();
        for (place, (constraint, object)) in constraints.iter().enumerate() {
            let parameters = parameters(&object["spec"]["parameters"]);
            let asked = Asked { place, r#match: &constraint.r#match, parameters };
            kinds.entry(&constraint.kind).or_default().push(asked);
        }
        let answers = self.in_shares(&kinds, constraints.len());
        let partial = constraints.iter().map(|(constraint, _)| self.lists(&constraint.r#match));
        partial.zip(answers).map(|(lists, answer)| lists.and(answer)).collect()
    }

    /// Answers from every core, each of which takes a share of the objects.
    fn in_shares(&self, kinds: &Kinds<'_>, all: usize) -> Vec<Answer> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut shares = self.objects.chunks(self.objects.len().div_ceil(cores).max(SHARE));
        let first = shares.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares.map(|share| scope.spawn(|| self.share(share, kinds, all))).collect();
            let broken = |_| (0..all).map(|_| Err("its evaluation broke off".into())).collect();
            others.into_iter().fold(self.share(first, kinds, all), |answers, thread| {
                answers.into_iter().zip(thread.join().unwrap_or_else(broken)).map(joined).collect()
            })
        })
    }

    fn share(&self, objects: &[&Value], kinds: &Kinds<'_>, all: usize) -> Vec<Answer> {
        let mut answers: Vec<Answer> = (0..all).map(|_| Ok(Found::default())).collect();
        let mut engines = Vec::new();
        for (kind, asked) in kinds {
            match self.engine(kind) {
                Ok(template) => engines.push((template, asked)),
                Err(why) => asked.iter().for_each(|a| answers[a.place] = Err(why.clone())),
            }
        }
        for object in objects {
            let (name, labels) = (shown(object), labels(object));
            let reviewed = Reviewed { object, name, labels, review: OnceCell::new() };
            for (template, asked) in &mut engines {
                self.put(&reviewed, template, asked, &mut answers);
            }
        }
        answers
    }

    /// Puts an object to the constraints of a kind. Gatekeeper evaluates those that match it together: when one of them gives
    /// several values, each has one violation, which says so; and when we do not know of one, we know of none.
    fn put(&self, of: &Reviewed<'_>, template: &mut Template, asked: &[Asked<'_>], answers: &mut [Answer]) {
        let mut outcomes = Vec::new();
        for Asked { place, r#match, parameters } in asked {
            let outcome = match (self.matches(r#match, of), &answers[*place]) {
                (Ok(false), _) => continue,
                (Err(why), _) => Outcome::Unknown(why),
                (_, Err(why)) => Outcome::Unknown(why.clone()),
                (Ok(true), Ok(_)) => of.outcome(template, parameters),
            };
            outcomes.push((*place, outcome));
        }
        let for_all = |is: fn(&Outcome) -> bool| outcomes.iter().map(|(_, o)| o).find(|o| is(o)).cloned();
        let together = for_all(|o| matches!(o, Outcome::Unknown(_)))
            .or_else(|| for_all(|o| matches!(o, Outcome::Conflict)));
        for (place, outcome) in outcomes {
            let outcome =
                together.clone().filter(|_| !matches!(outcome, Outcome::Unknown(_))).unwrap_or(outcome);
            add(&mut answers[place], &of.name, outcome);
        }
    }

    /// The template that made a kind of constraints.
    pub(super) fn template(&self, kind: &str) -> Option<&'a Value> {
        self.templates.get(kind).copied()
    }

    fn engine(&self, kind: &str) -> Result<Template, String> {
        let targets = in_force(self.template(kind).ok_or("its template is not in the look")?)?;
        Template::new(targets).map_err(|why| format!("its template {why}"))
    }

    fn matches(&self, r#match: &Value, of: &Reviewed<'_>) -> Result<bool, String> {
        let space = workload::namespace(of.object);
        let object = Object {
            group: group(of.object),
            kind: of.object["kind"].as_str().unwrap_or_default(),
            namespace: space,
            name: name(of.object),
            labels: &of.labels,
            namespace_labels: self.namespaces.get(space),
        };
        in_match_scope(r#match, &object).ok_or_else(|| format!("the look does not list namespace {space}"))
    }

    /// Whether the look lists every object that a match can select.
    fn lists(&self, r#match: &Value) -> Result<(), String> {
        let kinds = r#match["kinds"].as_array().map_or(&[][..], Vec::as_slice);
        let every: Vec<&str> = kinds
            .iter()
            .flat_map(|k| k["kinds"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let open = kinds.iter().any(|k| k["kinds"].as_array().is_none_or(Vec::is_empty));
        if kinds.is_empty() || open || every.contains(&"*") {
            return Err("it matches objects of every kind, and the look lists some".into());
        }
        match every.iter().find(|kind| !self.whole.contains(*kind)) {
            Some(kind) => Err(format!("the look has no whole list of {kind}")),
            None => Ok(()),
        }
    }
}

/// An object, with its review once it was needed.
struct Reviewed<'a> {
    object: &'a Value,
    /// `NAMESPACE/KIND/NAME`
    name: String,
    labels: Outside,
    review: OnceCell<Result<Rego, String>>,
}

impl Reviewed<'_> {
    fn outcome(&self, template: &mut Template, parameters: &Result<Rego, String>) -> Outcome {
        let outcome = match (self.review.get_or_init(|| review(self.object)), parameters) {
            (Ok(review), Ok(parameters)) => template.evaluate(review, parameters),
            (Err(why), _) | (_, Err(why)) => Outcome::Unknown(why.clone()),
        };
        match outcome {
            Outcome::Unknown(why) => Outcome::Unknown(format!("{why} ({})", self.name)),
            known => known,
        }
    }
}

/// Adds what an object does to a constraint.
fn add(answer: &mut Answer, object: &str, outcome: Outcome) {
    let Ok(found) = answer else { return };
    match outcome {
        Outcome::Unknown(why) => *answer = Err(why),
        Outcome::Violations(all) => {
            found.matched += 1;
            found.violations += all.len() as u64;
            if !all.is_empty() {
                let messages = all.into_iter().map(|(message, _)| cut(&message)).collect();
                found.violators.insert(object.to_owned(), messages);
            }
        }
        Outcome::Conflict => {
            found.matched += 1;
            found.violations += 1;
            found.violators.insert(object.to_owned(), BTreeSet::from(["eval_conflict_error".to_owned()]));
        }
    }
}

/// Answers for two shares of the objects.
fn joined((one, other): (Answer, Answer)) -> Answer {
    let (mut one, other) = (one?, other?);
    one.matched += other.matched;
    one.violations += other.violations;
    one.violators.extend(other.violators);
    Ok(one)
}

/// The rules of a template that Gatekeeper has in force.
fn in_force(object: &Value) -> Result<&Value, String> {
    let pods = object["status"]["byPod"].as_array().into_iter().flatten();
    let errors = pods.flat_map(|p| p["errors"].as_array().into_iter().flatten());
    if object["status"]["created"] != true || errors.count() > 0 {
        return Err("its template is not in force".into());
    }
    Ok(&object["spec"]["targets"])
}

fn labels(object: &Value) -> Outside {
    Outside::of(object["metadata"].get("labels"))
}

/// `NAMESPACE/KIND/NAME`
fn shown(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    format!("{}/{kind}/{}", super::workload::namespace(object), name(object))
}

/// A message as a constraint's status holds it: cut at bytes, and what is left of a character is U+FFFD for each byte.
fn cut(message: &str) -> String {
    if message.len() <= MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MESSAGE - 3);
    let rest = "\u{fffd}".repeat(MESSAGE - 3 - end);
    format!("{}{rest}...", &message[..end])
}
