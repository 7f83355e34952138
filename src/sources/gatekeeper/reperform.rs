//! Constraints evaluated anew over the objects of a look: what each of them matches, what violates it, and whether that is
//! what Gatekeeper lists. Gatekeeper's list ends after twenty; this one does not.

use super::constraint::Audited;
use super::{Objects, group, name};
use crate::evidence::gatekeeper::{Constraint, Reperformed, Verdict};
use crate::evidence::{Outside, Time};
use crate::reperformance::rego::{Outcome, Template, parameters, review};
use crate::reperformance::{Object, in_match_scope, wildcard};
use regorus::Value as Rego;
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// Longest message that a constraint's status holds, in bytes; longer ones are cut and end in three points.
const MESSAGE: usize = 256;

/// What re-performance gives for one constraint.
#[derive(Default)]
pub(super) struct Performed {
    /// What is written down.
    pub stated: Reperformed,
    /// `NAMESPACE/KIND/NAME` of each violator, with its messages as Gatekeeper would list them.
    pub violators: BTreeMap<String, BTreeSet<String>>,
}

/// An object of the look, with its review once it was needed.
struct Reviewed<'a> {
    object: &'a Value,
    labels: Outside,
    review: OnceCell<Result<Rego, String>>,
}

/// The look, as constraints see it.
pub(super) struct Population<'a> {
    /// What the audit looks at: Gatekeeper's Config may leave namespaces out.
    objects: Vec<Reviewed<'a>>,
    /// Objects by `NAMESPACE/KIND/NAME`.
    index: BTreeMap<String, &'a Value>,
    namespaces: BTreeMap<&'a str, Outside>,
    templates: BTreeMap<&'a str, Result<Template, String>>,
    /// Kinds that were listed whole.
    whole: BTreeSet<&'a str>,
}

impl<'a> Population<'a> {
    /// From the objects of a look, and the kinds that it lists whole or not.
    pub(super) fn new(objects: &'a Objects, listed: &'a BTreeMap<String, bool>) -> Population<'a> {
        let of_kind = |wanted: &'static str| {
            objects.iter().filter(move |(_, kind, _)| kind == wanted).map(|(_, _, o)| o)
        };
        let labels = |o: &Value| Outside::of(o["metadata"].get("labels"));
        let templates = of_kind("ConstraintTemplate").map(|t| {
            let kind = t["spec"]["crd"]["spec"]["names"]["kind"].as_str().unwrap_or_default();
            (kind, template(t))
        });
        let mut whole: BTreeSet<&str> =
            listed.iter().filter(|(_, whole)| **whole).map(|(kind, _)| kind.as_str()).collect();
        if whole.contains("workloads") {
            whole.extend(super::WORKLOADS);
        }
        let reviewed = |(_, _, object): &'a (String, String, Value)| Reviewed {
            object,
            labels: labels(object),
            review: OnceCell::new(),
        };
        // A list of a namespace and one of the cluster show the same objects.
        let mut seen = BTreeSet::new();
        let once = objects
            .iter()
            .filter(|(group, kind, o)| seen.insert((group, kind, super::workload::namespace(o), name(o))));
        let excluded = super::excluded(objects, "audit");
        let audited = once.filter(|(group, kind, o)| {
            let is_namespace = group.is_empty() && kind == "Namespace";
            let space = if is_namespace { name(o) } else { super::workload::namespace(o) };
            !excluded.iter().any(|pattern| wildcard(pattern, space))
        });
        Population {
            objects: audited.map(reviewed).collect(),
            index: objects.iter().map(|(_, _, object)| (shown(object), object)).collect(),
            namespaces: of_kind("Namespace").map(|n| (name(n), labels(n))).collect(),
            templates: templates.collect(),
            whole,
        }
    }

    /// Evaluates one constraint and compares.
    pub(super) fn perform(
        &mut self,
        constraint: &Constraint,
        object: &Value,
        audited: &Audited,
    ) -> Performed {
        match self.evaluate(constraint, object) {
            Ok(found) => self.compared(found, constraint, object, audited),
            Err(why) => {
                Performed { stated: Reperformed { why, ..Reperformed::default() }, ..Performed::default() }
            }
        }
    }

    /// Compares with what Gatekeeper says, as far as both speak of the same constraint and the same objects.
    fn compared(
        &self,
        found: Found,
        constraint: &Constraint,
        object: &Value,
        audited: &Audited,
    ) -> Performed {
        let at = object["status"]["auditTimestamp"].as_str().and_then(|t| t.parse().ok());
        let (verdict, why) = match (audited.row.total, at) {
            (Some(total), Some(at)) if is_current(object) => {
                let by_namespace = !constraint.r#match["namespaceSelector"].is_null();
                Comparison { population: self, found: &found, audited, at, by_namespace }.verdict(total)
            }
            (Some(_), Some(_)) => {
                (Verdict::NotReproducible, "Gatekeeper's audit is not of the constraint as it is now".into())
            }
            _ => (Verdict::NotReproducible, "Gatekeeper has not audited it".into()),
        };
        let stated =
            Reperformed { verdict, why, matched: Some(found.matched), violations: Some(found.violations) };
        Performed { stated, violators: found.violators }
    }

    fn evaluate(&mut self, constraint: &Constraint, object: &Value) -> Result<Found, String> {
        self.lists(&constraint.r#match)?;
        let template =
            self.templates.get_mut(constraint.kind.as_str()).ok_or("its template is not in the look")?;
        let template = template.as_mut().map_err(|why| format!("its template {why}"))?;
        let parameters = parameters(&object["spec"]["parameters"])?;
        let mut found = Found::default();
        for reviewed in &self.objects {
            if !matches(&constraint.r#match, reviewed, &self.namespaces)? {
                continue;
            }
            found.matched += 1;
            let shown = shown(reviewed.object);
            let review = reviewed.review.get_or_init(|| review(reviewed.object));
            let review = review.as_ref().map_err(|why| format!("{shown} {why}"))?;
            match template.evaluate(review, &parameters) {
                Outcome::Violations(all) if all.is_empty() => {}
                Outcome::Violations(all) => {
                    found.violations += all.len() as u64;
                    let messages = all.into_iter().map(|(message, _)| cut(&message)).collect();
                    found.violators.insert(shown, messages);
                }
                Outcome::Conflict => return Err(format!("its rule gives several values for {shown}")),
                Outcome::Unknown(why) => return Err(format!("{why} ({shown})")),
            }
        }
        Ok(found)
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

/// What violates a constraint.
#[derive(Default)]
struct Found {
    matched: u64,
    violations: u64,
    violators: BTreeMap<String, BTreeSet<String>>,
}

/// A template that Gatekeeper has in force.
fn template(object: &Value) -> Result<Template, String> {
    let pods = object["status"]["byPod"].as_array().into_iter().flatten();
    let errors = pods.flat_map(|p| p["errors"].as_array().into_iter().flatten());
    if object["status"]["created"] != true || errors.count() > 0 {
        return Err("is not in force".into());
    }
    Template::new(&object["spec"]["targets"])
}

fn matches(r#match: &Value, of: &Reviewed<'_>, namespaces: &BTreeMap<&str, Outside>) -> Result<bool, String> {
    let space = super::workload::namespace(of.object);
    let object = Object {
        group: group(of.object),
        kind: of.object["kind"].as_str().unwrap_or_default(),
        namespace: space,
        name: name(of.object),
        labels: &of.labels,
        namespace_labels: namespaces.get(space),
    };
    in_match_scope(r#match, &object).ok_or_else(|| format!("the look does not list namespace {space}"))
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

/// When an object was changed last, where it tells: `kubectl get` leaves that out unless asked.
fn changed(object: &Value) -> Option<Time> {
    let fields = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    fields.filter_map(|f| f["time"].as_str()?.parse().ok()).max()
}

/// The generation that Gatekeeper's audit speaks of is the one that is there.
fn is_current(constraint: &Value) -> bool {
    let pods = constraint["status"]["byPod"].as_array().into_iter().flatten();
    let mut audits = pods
        .filter(|p| p["operations"].as_array().is_some_and(|o| o.iter().any(|o| o == "audit")))
        .peekable();
    audits.peek().is_some() && audits.all(|p| p["observedGeneration"] == constraint["metadata"]["generation"])
}

/// What an audit and our evaluation say of one constraint.
struct Comparison<'p, 'a> {
    population: &'p Population<'a>,
    found: &'p Found,
    audited: &'p Audited,
    /// When the audit began.
    at: Time,
    /// Whether labels of namespaces decide what is matched.
    by_namespace: bool,
}

impl Comparison<'_, '_> {
    /// Whether an object is as the audit saw it.
    fn is_settled(&self, object: &str) -> bool {
        let settled =
            |o: &str| self.population.index.get(o).and_then(|o| changed(o)).is_some_and(|t| t < self.at);
        let space = object.split('/').next().unwrap_or_default();
        settled(object) && (!self.by_namespace || space.is_empty() || settled(&format!("/Namespace/{space}")))
    }

    fn verdict(&self, total: i64) -> (Verdict, String) {
        let (found, listed) = (self.found, &self.audited.listed);
        let ours = i64::try_from(found.violations).unwrap_or(i64::MAX);
        // What a message says is not compared: a yes or no for each object is (catalogue, "agrees").
        let differing: Vec<_> =
            listed.iter().filter(|(object, _)| !found.violators.contains_key(*object)).collect();
        if differing.is_empty() && ours == total {
            return (Verdict::Reproduced, String::new());
        }
        if let Some((object, messages)) = differing.iter().find(|(object, _)| self.is_settled(object)) {
            let said = messages.first().map_or("", String::as_str);
            let why = format!("of {object} Gatekeeper says “{said}”, our evaluation nothing against it");
            return (Verdict::Differs, why);
        }
        let unlisted: Vec<_> =
            found.violators.keys().filter(|object| !listed.contains_key(*object)).collect();
        match unlisted.first() {
            Some(object)
                if differing.is_empty() && ours > total && unlisted.iter().all(|o| self.is_settled(o)) =>
            {
                let why =
                    format!("Gatekeeper has {total} violations, our evaluation {ours}, among them {object}");
                (Verdict::Differs, why)
            }
            _ => {
                let why = format!(
                    "Gatekeeper had {total} violations, our evaluation has {ours}: objects may have changed since its audit"
                );
                (Verdict::NotReproducible, why)
            }
        }
    }
}
