//! A constraint template evaluated here, with the results that Gatekeeper has: regorus behind what makes it read, calculate
//! and print as OPA does. What is not surely the same is not said: a result is Gatekeeper's, or there is a reason why none is.

mod builtins;
mod check;
mod doubt;
mod format;
mod negation;
mod pattern;
mod print;
mod source;
#[cfg(test)]
mod tests;
mod walk;

use doubt::Doubt;
use regorus::unstable::{Module, Parser};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Source, Value};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

/// Longest evaluation of one object.
const TIME: Duration = Duration::from_secs(1);
/// Longest text of a template, in bytes.
const LONGEST: usize = 256 * 1024;

/// A template that can be evaluated.
pub struct Template {
    engine: Engine,
    rule: String,
    doubt: Doubt,
}

/// What an object does to a constraint.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its violations: message, and details as canonical text. None when it complies.
    Violations(BTreeSet<(String, String)>),
    /// The rule gives several values where one is due: Gatekeeper says that as a violation of every constraint of the kind.
    Conflict,
    /// Why the result may not be Gatekeeper's.
    Unknown(String),
}

impl Template {
    /// A template from the `spec.targets` of a ConstraintTemplate.
    ///
    /// # Errors
    /// Why it cannot be re-performed.
    pub fn new(targets: &Json) -> Result<Template, String> {
        let (texts, v1) = texts(targets)?;
        if texts.iter().map(|t| t.len()).sum::<usize>() > LONGEST {
            return Err(format!("is longer than {LONGEST} bytes"));
        }
        let sources = texts
            .iter()
            .map(|text| Ok((source::repaired(text)?, *text)))
            .collect::<Result<Vec<_>, String>>()?;
        let modules = sources.iter().map(|(text, _)| parsed(text, v1)).collect::<Result<Vec<_>, String>>()?;
        check::check(&modules)?;
        let mut engine = Engine::new();
        engine.set_rego_v0(!v1);
        engine.set_strict_builtin_errors(false);
        engine.set_gather_prints(true);
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: TIME,
            check_interval: NonZeroU32::MIN,
        });
        for (i, (module, (text, _))) in modules.iter().zip(&sources).enumerate() {
            let text = negation::rewritten(module, text, check::global_names(module))?;
            engine.add_policy(format!("template/{i}"), text).map_err(|e| shown(&e))?;
        }
        let doubt = Doubt::default();
        builtins::add(&mut engine, &doubt)?;
        let rule = format!("{}.violation", modules.first().map(check::package).unwrap_or_default());
        Ok(Template { engine, rule, doubt })
    }

    /// What an object, put as a review, does to a constraint's parameters.
    pub fn evaluate(&mut self, review: &Value, parameters: &Value) -> Outcome {
        let input: BTreeMap<Value, Value> =
            [("parameters".into(), parameters.clone()), ("review".into(), review.clone())].into();
        self.engine.set_input(input.into());
        let result = self.engine.eval_rule(self.rule.clone());
        if let Some(why) = self.doubt.take() {
            return Outcome::Unknown(why);
        }
        match result {
            Ok(Value::Undefined) => Outcome::Violations(BTreeSet::new()),
            Ok(Value::Set(all)) => {
                let all = all.iter().map(violation).collect::<Option<_>>();
                all.map_or_else(
                    || Outcome::Unknown("a violation without a message".into()),
                    Outcome::Violations,
                )
            }
            Ok(_) => Outcome::Unknown("violation is no set".into()),
            Err(e) if is_conflict(&e.to_string()) => Outcome::Conflict,
            Err(e) => Outcome::Unknown(shown(&e)),
        }
    }
}

fn violation(value: &Value) -> Option<(String, String)> {
    let fields = value.as_object().ok()?;
    let message = fields.get(&"msg".into())?.as_string().ok()?.to_string();
    let details = fields.get(&"details".into()).map_or_else(|| Ok("{}".into()), |d| d.to_json_str());
    Some((message, details.ok()?))
}

fn is_conflict(error: &str) -> bool {
    error.contains("multiple outputs") || error.contains("conflicts with")
}

/// The last line of an error of regorus: those before it show the place.
fn shown(error: &impl ToString) -> String {
    let text = error.to_string();
    text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

fn parsed(text: &str, v1: bool) -> Result<Module, String> {
    let source = Source::from_contents("template".into(), text.to_owned()).map_err(|e| shown(&e))?;
    let mut parser = Parser::new(&source).map_err(|e| shown(&e))?;
    if v1 {
        parser.enable_rego_v1().map_err(|e| shown(&e))?;
    }
    parser.parse().map_err(|e| shown(&e))
}

/// The texts of a template, the rule first, then its libraries; and whether they are of Rego v1.
fn texts(targets: &Json) -> Result<(Vec<&str>, bool), String> {
    let [target] = targets.as_array().map_or(&[][..], Vec::as_slice) else {
        return Err("has not one target".into());
    };
    let code = target["code"].as_array().map_or(&[][..], Vec::as_slice);
    if code.iter().any(|c| c["engine"] == "K8sNativeValidation") {
        return Err("is written in CEL (K8sNativeValidation)".into());
    }
    let of_rego = code.iter().find(|c| c["engine"] == "Rego").map(|c| &c["source"]);
    let (source, v1) = of_rego.map_or((target, false), |s| (s, s["version"] == "v1"));
    let rule = source["rego"].as_str().ok_or("holds no Rego")?;
    let libraries = source["libs"].as_array().into_iter().flatten().filter_map(Json::as_str);
    Ok((std::iter::once(rule).chain(libraries).collect(), v1))
}

/// Whole numbers from here on are floats in a review: Gatekeeper passes it through `float64`.
const FLOATS_FROM: u64 = 1_000_000;
/// Whole numbers beyond do not come through a float as they are.
const EXACT: u64 = 1 << 53;

/// The review of an object, as Gatekeeper's audit makes it.
///
/// # Errors
/// Why the object cannot be put as it is.
pub fn review(object: &Json) -> Result<Value, String> {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let text = |v: &Json| Value::from(v.as_str().unwrap_or_default());
    let names = |group: &str, version: &str, last: &str, name: Value| -> Value {
        BTreeMap::from([
            ("group".into(), group.into()),
            ("version".into(), version.into()),
            (last.into(), name),
        ])
        .into()
    };
    let metadata = &object["metadata"];
    let mut fields: BTreeMap<Value, Value> = [
        ("uid", "".into()),
        ("kind", names(group, version, "kind", text(&object["kind"]))),
        ("resource", names("", "", "resource", "".into())),
        ("name", text(&metadata["name"])),
        ("operation", "".into()),
        ("userInfo", Value::new_object()),
        ("object", value(object, true)?),
        ("oldObject", Value::Null),
        ("options", Value::Null),
    ]
    .into_iter()
    .map(|(name, value)| (Value::from(name), value))
    .collect();
    if metadata["namespace"].as_str().is_some_and(|n| !n.is_empty()) {
        fields.insert("namespace".into(), text(&metadata["namespace"]));
    }
    Ok(fields.into())
}

/// Parameters of a constraint; an object when there are none.
///
/// # Errors
/// Why they cannot be put as they are.
pub fn parameters(parameters: &Json) -> Result<Value, String> {
    if parameters.is_null() { Ok(Value::new_object()) } else { value(parameters, false) }
}

fn value(json: &Json, in_review: bool) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(b) => (*b).into(),
        Json::String(text) => text.as_str().into(),
        Json::Number(n) => number(n, in_review)?,
        Json::Array(all) => all.iter().map(|v| value(v, in_review)).collect::<Result<Vec<_>, _>>()?.into(),
        Json::Object(fields) => {
            let field = |(name, v): (&String, &Json)| Ok((Value::from(name.as_str()), value(v, in_review)?));
            fields.iter().map(field).collect::<Result<BTreeMap<_, _>, String>>()?.into()
        }
    })
}

fn number(n: &serde_json::Number, in_review: bool) -> Result<Value, String> {
    match (n.as_i64(), n.as_f64()) {
        (Some(whole), _) if whole.unsigned_abs() > EXACT => Err(format!("holds the number {n}, beyond 2^53")),
        (Some(whole), _) if in_review && whole.unsigned_abs() >= FLOATS_FROM => Ok((whole as f64).into()),
        (Some(whole), _) => Ok(whole.into()),
        (None, Some(float)) if float.abs() <= EXACT as f64 => Ok(float.into()),
        _ => Err(format!("holds the number {n}, beyond 2^53")),
    }
}
