//! What policies said in evaluations: those of task stages (OPA, Sentinel on agents) and those of Terraform's own policies.

use super::docs::{Docs, path_part, related};
use super::outcomes::Said;
use crate::sources::Gathered;
use serde_json::Value;
use std::collections::BTreeSet;

/// Names of one shape of evaluation.
pub(super) struct Shape {
    pub evaluations: &'static str,
    outcomes: &'static str,
    evaluation: &'static str,
    stage: &'static str,
}

/// Both shapes.
pub(super) const SHAPES: [Shape; 2] = [
    Shape {
        evaluations: "policy-evaluations",
        outcomes: "policy-set-outcomes",
        evaluation: "policy-evaluation",
        stage: "evaluation",
    },
    Shape {
        evaluations: "tf-policy-evaluations",
        outcomes: "tf-policy-set-outcomes",
        evaluation: "tf-policy-evaluation",
        stage: "tf-evaluation",
    },
];

impl Shape {
    /// Outcomes of policy sets with the evaluation that each is of.
    fn sets<'d>(&'d self, docs: &'d Docs) -> impl Iterator<Item = (&'d String, &'d Value, &'d str)> {
        let of = |set: &'d Value, path: &'d str| {
            related(set, self.evaluation).or(path_part(path, self.evaluations)).unwrap_or_default()
        };
        docs.all(self.outcomes).map(move |(id, set, path)| (id, set, of(set, path)))
    }

    /// What policies of an evaluation said that did not pass.
    pub(super) fn failed(&self, docs: &Docs, evaluation: &str) -> Vec<String> {
        let sets = self.sets(docs).filter(|(.., of)| *of == evaluation);
        let items = sets.flat_map(|(_, set, _)| items(set)).filter(|i| i["status"] != "passed");
        items.filter_map(|i| i["policy_name"].as_str()).map(str::to_owned).collect()
    }

    fn said(&self, docs: &Docs) -> Vec<Said> {
        let mut said = Vec::new();
        for (id, set, evaluation) in self.sets(docs) {
            let whole = docs.get(self.evaluations, evaluation);
            let attributes = &set["attributes"];
            for item in items(set) {
                let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
                let printed = [&item["output"], &item["diagnostics"]].into_iter().find(|v| !v.is_null());
                let level = text("enforcement_level");
                said.push(Said {
                    document: id.clone(),
                    run: run_of(docs, evaluation),
                    set: attributes["policy-set-name"].as_str().unwrap_or_default().to_owned(),
                    policy: text("policy_name"),
                    status: text("status"),
                    // Sentinel's two mandatory levels are one here: which one is declared, this does not tell.
                    declared: if level == "mandatory" { String::new() } else { level.replace('_', "-") },
                    ran_at: level.replace('_', "-"),
                    overridable: attributes["overridable"].as_bool(),
                    stage: self.stage,
                    stage_status: whole.map(status).unwrap_or_default(),
                    description: text("description"),
                    output: printed.map(Value::to_string).unwrap_or_default(),
                });
            }
        }
        said
    }

    /// Evaluations whose outcomes were not read, and outcomes whose evaluation was not.
    fn gaps(&self, docs: &Docs, out: &mut Gathered) {
        let gap = |out: &mut Gathered, what: String| out.gap(format!("{what} was not read"));
        let told: BTreeSet<&str> = self.sets(docs).map(|(.., of)| of).collect();
        for (id, evaluation, path) in docs.all(self.evaluations) {
            if !told.contains(id.as_str()) {
                out.gap(format!("outcomes of policy evaluation {id} were not read"));
            } else if run_of(docs, id).is_empty() {
                gap(out, format!("task stage {} of policy evaluation {id}", stage_of((evaluation, path))));
            }
        }
        let lost = told.iter().filter(|of| docs.get(self.evaluations, of).is_none());
        lost.for_each(|of| gap(out, format!("policy evaluation {of}")));
    }
}

/// Every policy of every evaluation.
pub(super) fn read(docs: &Docs, out: &mut Gathered) -> Vec<Said> {
    SHAPES.iter().for_each(|shape| shape.gaps(docs, out));
    for (id, stage, _) in docs.all("task-stages") {
        let evaluations =
            stage["relationships"]["policy-evaluations"]["data"].as_array().into_iter().flatten();
        let unread = evaluations.filter_map(|e| e["id"].as_str());
        for evaluation in unread.filter(|e| docs.get("policy-evaluations", e).is_none()) {
            out.gap(format!("policy evaluation {evaluation} of task stage {id} was not read"));
        }
    }
    SHAPES.iter().flat_map(|shape| shape.said(docs)).collect()
}

fn items(set: &Value) -> impl Iterator<Item = &Value> {
    set["attributes"]["outcomes"].as_array().into_iter().flatten()
}

fn status(doc: &Value) -> String {
    doc["attributes"]["status"].as_str().unwrap_or_default().to_owned()
}

/// The run of an evaluation, through its task stage.
pub(super) fn run_of(docs: &Docs, evaluation: &str) -> String {
    if let Some(found) = docs.find("tf-policy-evaluations", evaluation) {
        return stated(found);
    }
    docs.find("policy-evaluations", evaluation).map(|e| run_of_stage(docs, stage_of(e))).unwrap_or_default()
}

/// The task stage of an evaluation.
fn stage_of<'d>((doc, path): (&'d Value, &'d str)) -> &'d str {
    related(doc, "policy-attachable").or(path_part(path, "task-stages")).unwrap_or_default()
}

/// The run of a task stage.
pub(super) fn run_of_stage(docs: &Docs, stage: &str) -> String {
    docs.find("task-stages", stage).map(stated).unwrap_or_default()
}

/// The run that a document names, else its path.
fn stated((doc, path): (&Value, &str)) -> String {
    related(doc, "run").or(path_part(path, "runs")).unwrap_or_default().to_owned()
}
