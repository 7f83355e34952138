//! The objects of a look and its templates, evaluated for all constraints at once: object by object, on every core.

use super::constraint::constraint;
use super::excluded;
use super::object::Object;
use crate::evidence::Outside;
use crate::evidence::gatekeeper::{Constraint, Lacks};
use crate::reperformance::rego::{Outcome, Template, parameters, review};
use crate::reperformance::{self, in_match_scope, kinds_fit, wildcard};
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
    objects: Vec<&'a Object>,
    /// Objects by `NAMESPACE/KIND/NAME`.
    pub index: BTreeMap<String, &'a Object>,
    namespaces: BTreeMap<&'a str, Outside>,
    /// Templates by the kind that they made.
    templates: BTreeMap<String, Value>,
    /// Kinds that were listed whole.
    pub whole: BTreeSet<&'a str>,
    /// Why Gatekeeper may have looked at less than the cluster.
    pub narrower: Option<&'static str>,
}

/// What violates a constraint.
#[derive(Default)]
pub(super) struct Found {
    /// Objects that it matches.
    pub matched: u64,
    /// Violations that they have.
    pub violations: u64,
    /// `NAMESPACE/KIND/NAME` of each violator, with its messages as Gatekeeper would list them.
    pub violators: BTreeMap<String, Vec<String>>,
}

/// What violates a constraint, or why that cannot be said.
pub(super) type Answer = Result<Found, Why>;

/// Why it cannot be said.
#[derive(Clone, Debug)]
pub(super) struct Why {
    pub lacks: Lacks,
    pub text: String,
}

impl Why {
    fn rule(text: impl Into<String>) -> Why {
        Why { lacks: Lacks::Rule, text: text.into() }
    }

    fn inputs(text: impl Into<String>) -> Why {
        Why { lacks: Lacks::Inputs, text: text.into() }
    }
}

/// A constraint, ready to be put.
pub(super) struct Posed {
    /// As it is written down.
    pub payload: Constraint,
    parameters: Result<Rego, String>,
}

impl Posed {
    /// From its object.
    pub(super) fn of(kind: &str, object: &Value) -> Posed {
        let parameters = parameters(&object["spec"]["parameters"]);
        Posed { payload: constraint(kind, object), parameters }
    }
}

/// Constraints by their kind, each with its place among all.
type Kinds<'a> = BTreeMap<&'a str, Vec<(usize, &'a Posed)>>;

impl<'a> Population<'a> {
    /// From the objects of a look, and the kinds that it lists whole or not.
    pub(super) fn new(objects: &'a [Object], listed: &'a BTreeMap<String, bool>) -> Population<'a> {
        let of_kind = |wanted: &'static str| objects.iter().filter(move |o| o.kind == wanted);
        let templates = of_kind("ConstraintTemplate").map(Object::value).map(|t| {
            let kind = t["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default();
            (kind.to_owned(), t)
        });
        let mut whole: BTreeSet<&str> =
            listed.iter().filter(|(_, whole)| **whole).map(|(kind, _)| kind.as_str()).collect();
        if whole.contains("workloads") {
            whole.extend(super::WORKLOADS);
        }
        // A list of a namespace and one of the cluster show the same objects.
        let mut seen = BTreeSet::new();
        let once = objects.iter().filter(|o| seen.insert((&o.group, &o.kind, &o.namespace, &o.name)));
        let excluded = excluded(objects, "audit");
        let audited = once.filter(|o| !excluded.iter().any(|pattern| wildcard(pattern, o.within())));
        let narrower = match whole.contains("Config") {
            false => Some("Gatekeeper's Config, which may keep objects from the audit, was not read"),
            true if objects.iter().any(audits_cache) => {
                Some("Gatekeeper audits its cache and not the cluster")
            }
            true => None,
        };
        Population {
            narrower,
            objects: audited.collect(),
            index: objects.iter().map(|o| (o.shown(), o)).collect(),
            namespaces: of_kind("Namespace").map(|n| (n.name.as_str(), labels(&n.value()))).collect(),
            templates: templates.collect(),
            whole,
        }
    }

    /// An answer for each constraint.
    pub(super) fn evaluate(&self, constraints: &[Posed]) -> Vec<Answer> {
        let mut kinds = Kinds::new();
        for (place, posed) in constraints.iter().enumerate() {
            kinds.entry(&posed.payload.kind).or_default().push((place, posed));
        }
        let answers = self.in_shares(&kinds, constraints.len());
        let partial = constraints.iter().map(|posed| self.lists(&posed.payload.r#match));
        partial.zip(answers).map(|(lists, answer)| lists.and(answer)).collect()
    }

    /// Answers from every core, each of which takes a share of the objects.
    fn in_shares(&self, kinds: &Kinds<'_>, all: usize) -> Vec<Answer> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut shares = self.objects.chunks(self.objects.len().div_ceil(cores).max(SHARE));
        let first = shares.next().unwrap_or_default();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares.map(|share| scope.spawn(|| self.share(share, kinds, all))).collect();
            let broken = |_| (0..all).map(|_| Err(Why::rule("its evaluation broke off"))).collect();
            others.into_iter().fold(self.share(first, kinds, all), |answers, thread| {
                answers.into_iter().zip(thread.join().unwrap_or_else(broken)).map(joined).collect()
            })
        })
    }

    fn share(&self, objects: &[&Object], kinds: &Kinds<'_>, all: usize) -> Vec<Answer> {
        let mut answers: Vec<Answer> = (0..all).map(|_| Ok(Found::default())).collect();
        let mut engines = Vec::new();
        for (kind, posed) in kinds {
            match self.engine(kind) {
                Ok(template) => engines.push((template, posed)),
                Err(why) => posed.iter().for_each(|(place, _)| answers[*place] = Err(why.clone())),
            }
        }
        let matched = |o: &Object| {
            engines
                .iter()
                .any(|(_, posed)| posed.iter().any(|(_, p)| kinds_fit(&p.payload.r#match, &o.group, &o.kind)))
        };
        // Most kinds of a cluster are no constraint's business.
        let mut known = BTreeMap::new();
        let objects: Vec<_> = objects
            .iter()
            .filter(|o| *known.entry((&o.group, &o.kind)).or_insert_with(|| matched(o)))
            .collect();
        for object in objects {
            let reviewed = Reviewed::of(object);
            for (template, posed) in &mut engines {
                self.put(&reviewed, template, posed, &mut answers);
            }
        }
        answers
    }

    /// Puts an object to the constraints of a kind. Gatekeeper evaluates those that match it together: when one of them gives
    /// several values, each has one violation, which says so; and when we do not know of one, we know of none.
    fn put(
        &self,
        of: &Reviewed<'_>,
        template: &mut Template,
        posed: &[(usize, &Posed)],
        answers: &mut [Answer],
    ) {
        let mut outcomes = Vec::new();
        for (place, posed) in posed {
            let outcome = match (self.matches(&posed.payload.r#match, of), &answers[*place]) {
                (Ok(false), _) => continue,
                (Err(why), _) => Err(why),
                (_, Err(why)) => Err(why.clone()),
                (Ok(true), Ok(_)) => of.outcome(template, &posed.parameters),
            };
            outcomes.push((*place, outcome));
        }
        let unknown = outcomes.iter().find_map(|(_, outcome)| outcome.as_ref().err()).cloned();
        let conflict = outcomes.iter().any(|(_, outcome)| matches!(outcome, Ok(Outcome::Conflict)));
        for (place, outcome) in outcomes {
            let outcome = match (&unknown, conflict) {
                (Some(why), _) => outcome.and(Err(why.clone())),
                (None, true) => Ok(Outcome::Conflict),
                (None, false) => outcome,
            };
            add(&mut answers[place], &of.shown, outcome);
        }
    }

    /// The template that made a kind of constraints.
    pub(super) fn template(&self, kind: &str) -> Option<&Value> {
        self.templates.get(kind)
    }

    fn engine(&self, kind: &str) -> Result<Template, Why> {
        let template = self.template(kind).ok_or_else(|| Why::inputs("its template is not in the look"))?;
        Template::new(in_force(template)?).map_err(|why| Why::rule(format!("its template {why}")))
    }

    fn matches(&self, r#match: &Value, of: &Reviewed<'_>) -> Result<bool, Why> {
        let Object { group, kind, namespace, name, .. } = of.object;
        let namespace_labels = self.namespaces.get(namespace.as_str());
        let object =
            reperformance::Object { group, kind, namespace, name, labels: &of.labels, namespace_labels };
        in_match_scope(r#match, &object)
            .ok_or_else(|| Why::inputs(format!("the look does not list namespace {namespace}")))
    }

    /// Whether the look lists every object that a match can select.
    fn lists(&self, r#match: &Value) -> Result<(), Why> {
        let kinds = r#match["kinds"].as_array().map_or(&[][..], Vec::as_slice);
        let every: Vec<&str> = kinds
            .iter()
            .flat_map(|k| k["kinds"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let open = kinds.iter().any(|k| k["kinds"].as_array().is_none_or(Vec::is_empty));
        if kinds.is_empty() || open || every.contains(&"*") {
            return Err(Why::inputs("it matches objects of every kind, and the look lists some"));
        }
        match every.iter().find(|kind| !self.whole.contains(*kind)) {
            Some(kind) => Err(Why::inputs(format!("the look has no whole list of {kind}"))),
            None => Ok(()),
        }
    }
}

/// An object, with its review once it was needed.
struct Reviewed<'a> {
    object: &'a Object,
    value: Value,
    shown: String,
    labels: Outside,
    review: OnceCell<Result<Rego, String>>,
}

impl Reviewed<'_> {
    fn of(object: &Object) -> Reviewed<'_> {
        let (value, shown) = (object.value(), object.shown());
        Reviewed { object, shown, labels: labels(&value), value, review: OnceCell::new() }
    }

    fn outcome(&self, template: &mut Template, parameters: &Result<Rego, String>) -> Result<Outcome, Why> {
        let outcome = match (self.review.get_or_init(|| review(&self.value)), parameters) {
            (Ok(review), Ok(parameters)) => template.evaluate(review, parameters),
            (Err(why), _) | (_, Err(why)) => Outcome::Unknown(why.clone()),
        };
        match outcome {
            Outcome::Unknown(why) => Err(Why::rule(format!("{why} ({})", self.shown))),
            known => Ok(known),
        }
    }
}

/// Adds what an object does to a constraint.
fn add(answer: &mut Answer, object: &str, outcome: Result<Outcome, Why>) {
    let Ok(found) = answer else { return };
    let messages = match outcome {
        Err(why) => {
            *answer = Err(why);
            return;
        }
        Ok(Outcome::Violations(all)) => {
            found.violations += all.len() as u64;
            all.into_iter().map(|(message, _)| cut(&message)).collect()
        }
        Ok(_) => {
            found.violations += 1;
            BTreeSet::from(["eval_conflict_error".to_owned()])
        }
    };
    found.matched += 1;
    if !messages.is_empty() {
        found.violators.insert(object.to_owned(), messages.into_iter().collect());
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
fn in_force(object: &Value) -> Result<&Value, Why> {
    let pods = object["status"]["byPod"].as_array().into_iter().flatten();
    let errors = pods.flat_map(|p| p["errors"].as_array().into_iter().flatten());
    if object["status"]["created"] != true || errors.count() > 0 {
        return Err(Why::rule("its template is not in force"));
    }
    Ok(&object["spec"]["targets"])
}

/// Whether an object is a Gatekeeper that audits what it keeps in its cache (Gatekeeper docs, "Audit").
fn audits_cache(object: &Object) -> bool {
    const FLAG: &str = "--audit-from-cache";
    let value =
        if object.kind == "Deployment" && object.may_hold(FLAG) { object.value() } else { return false };
    let containers = value["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    let arguments =
        containers.flat_map(|c| c["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
    arguments.into_iter().any(|a| a.strip_prefix(FLAG).is_some_and(|rest| !rest.contains("false")))
}

fn labels(object: &Value) -> Outside {
    Outside::of(object["metadata"].get("labels"))
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
