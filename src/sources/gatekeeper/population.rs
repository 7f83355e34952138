//! The look, as constraints see it: objects, namespaces, templates.

use super::answer::Why;
use super::facts::{excluded, is_config, made_kind, pod_errors};
use super::listed::Listed;
use super::object::Object;
use crate::evidence::gatekeeper::Lacks;
use crate::evidence::{Outside, Time};
use crate::reperformance::rego::Template;
use crate::reperformance::{self, in_match_scope, texts, wildcard};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Beginning of what is said of a template that cannot be evaluated.
pub(super) const TEMPLATE: &str = "its template";
const EVERY: &str = "it matches objects of every kind, and the look lists some";

/// The look, as constraints see it.
pub(super) struct Population<'a> {
    /// What the audit looks at: Gatekeeper's Config may leave namespaces out.
    pub objects: Vec<&'a Object>,
    /// Objects by `NAMESPACE/KIND/NAME`.
    pub index: BTreeMap<String, &'a Object>,
    namespaces: BTreeMap<&'a str, Outside>,
    /// Templates by the kind that they made.
    templates: BTreeMap<String, Value>,
    listed: &'a Listed,
    /// Why Gatekeeper may have looked at less than the cluster.
    narrower: Option<&'static str>,
    /// When its Config was changed or deleted last; none where there was none.
    config: Option<Option<Time>>,
}

impl<'a> Population<'a> {
    /// From the objects of a look, the kinds that it lists whole or not, and when a Config was deleted.
    pub(super) fn new(objects: &'a [Object], listed: &'a Listed, deleted: Option<Time>) -> Population<'a> {
        let of_kind = |wanted: &'static str| objects.iter().filter(move |o| o.kind == wanted);
        let templates = of_kind("ConstraintTemplate").map(Object::value);
        let templates = templates.map(|t| (made_kind(&t).to_owned(), t));
        // A list of a namespace and one of the cluster show the same objects.
        let mut seen = BTreeSet::new();
        let once = objects.iter().filter(|o| seen.insert((&o.group, &o.kind, &o.namespace, &o.name)));
        let excluded = excluded(objects, "audit");
        let audited = once.filter(|o| !excluded.iter().any(|pattern| wildcard(pattern, o.within())));
        let narrower = if !listed.is_whole("Config") {
            Some("Gatekeeper's Config, which may keep objects from the audit, was not read")
        } else if !listed.is_whole_of("apps", "Deployment") {
            Some("Gatekeeper's own Deployment, which may audit a cache, was not read")
        } else {
            objects.iter().any(audits_cache).then_some("Gatekeeper audits its cache and not the cluster")
        };
        let configs = objects.iter().filter(|o| is_config(o));
        Population {
            narrower,
            config: configs.map(|c| c.changed).max().or(deleted.map(Some)),
            objects: audited.collect(),
            index: objects.iter().map(|o| (o.shown(), o)).collect(),
            namespaces: of_kind("Namespace").map(|n| (n.name.as_str(), labels(&n.value()))).collect(),
            templates: templates.collect(),
            listed,
        }
    }

    /// Why an audit of a time may have looked at other objects than these, and what is lacking.
    pub(super) fn unlike(&self, audited: Option<Time>) -> Option<(&'static str, Lacks)> {
        let is_later = |config: &Option<Time>| config.zip(audited).is_none_or(|(config, at)| config >= at);
        let later = self.config.filter(is_later).map(|_| "Gatekeeper's Config may be later than its audit");
        self.narrower.map(|why| (why, Lacks::Inputs)).or(later.map(|why| (why, Lacks::Audit)))
    }

    /// The template that made a kind of constraints.
    pub(super) fn template(&self, kind: &str) -> Option<&Value> {
        self.templates.get(kind)
    }

    /// What evaluates constraints of a kind.
    pub(super) fn engine(&self, kind: &str) -> Result<Template, Why> {
        let template = self.template(kind).ok_or_else(|| Why::inputs("its template is not in the look"))?;
        Template::new(in_force(template)?).map_err(|why| Why::rule(format!("{TEMPLATE} {why}")))
    }

    /// Whether a match selects an object with these labels.
    pub(super) fn matches(&self, r#match: &Value, of: &Object, labels: &Outside) -> Result<bool, Why> {
        let Object { group, kind, namespace, name, .. } = of;
        let namespace_labels = self.namespaces.get(namespace.as_str());
        let object = reperformance::Object { group, kind, namespace, name, labels, namespace_labels };
        in_match_scope(r#match, &object)
            .ok_or_else(|| Why::inputs(format!("the look does not list namespace {namespace}")))
    }

    /// Whether the look lists every object that a match can select.
    pub(super) fn lists(&self, r#match: &Value) -> Result<(), Why> {
        let kinds = r#match["kinds"].as_array().map_or(&[][..], Vec::as_slice);
        for selected in kinds {
            let [groups, names] =
                ["apiGroups", "kinds"].map(|list| texts(&selected[list]).collect::<Vec<_>>());
            if names.is_empty() || names.contains(&"*") {
                return Err(Why::inputs(EVERY));
            }
            let groups = if groups.is_empty() { vec!["*"] } else { groups };
            let pairs = groups.iter().flat_map(|group| names.iter().map(move |kind| (group, kind)));
            if let Some((_, kind)) = pairs.into_iter().find(|(g, k)| !self.listed.is_whole_of(g, k)) {
                return Err(Why::inputs(format!("the look has no whole list of {kind}")));
            }
        }
        if kinds.is_empty() { Err(Why::inputs(EVERY)) } else { Ok(()) }
    }
}

/// The rules of a template that Gatekeeper has in force.
fn in_force(object: &Value) -> Result<&Value, Why> {
    if object["status"]["created"] != true || pod_errors(object).next().is_some() {
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
    let arguments = containers
        .flat_map(|c| [&c["command"], &c["args"]])
        .flat_map(|list| list.as_array().into_iter().flatten().filter_map(Value::as_str));
    arguments.into_iter().any(|a| a.strip_prefix(FLAG).is_some_and(|rest| !rest.contains("false")))
}

/// Labels of an object.
pub(super) fn labels(object: &Value) -> Outside {
    Outside::of(object["metadata"].get("labels"))
}
