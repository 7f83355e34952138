//! Constraints evaluated over the objects of a look: object by object, on every core.

use super::answer::{Answer, Found, Why, add, joined};
use super::constraint::constraint;
use super::object::Object;
use super::population::{Population, labels};
use crate::evidence::Outside;
use crate::evidence::gatekeeper::Constraint;
use crate::reperformance::kinds_fit;
use crate::reperformance::rego::{Outcome, Template, parameters, review};
use regorus::Value as Rego;
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::num::NonZero;

/// Fewest objects for which a thread of its own pays.
const SHARE: usize = 500;

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

impl Population<'_> {
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
            let outcome =
                match (self.matches(&posed.payload.r#match, of.object, &of.labels), &answers[*place]) {
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
