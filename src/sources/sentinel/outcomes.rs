//! What policies said on runs, in one shape, whatever the document said it in.

use super::super::Gathered;
use super::docs::Docs;
use super::sets::Levels;
use super::{checks, evaluations, host};
use crate::config::Source;
use crate::evidence::sentinel::Outcome;
use crate::evidence::{Evidence, Kind, Private, Time, sha256_hex};

/// Longest output that is kept whole, in bytes: an entry holds 64 KiB.
const LONGEST: usize = 16 << 10;

/// What one policy said.
#[derive(Default)]
pub(super) struct Said {
    /// Id of the check, or of the outcome of the policy set.
    pub document: String,
    pub run: String,
    pub set: String,
    pub policy: String,
    pub status: String,
    /// The level that is declared, where the document tells it.
    pub declared: String,
    pub ran_at: String,
    pub overridable: Option<bool>,
    pub stage: &'static str,
    pub stage_status: String,
    pub description: String,
    pub output: String,
}

pub(super) fn read(out: &mut Gathered, source: &Source, docs: &Docs, at: Time) {
    let levels = Levels::of(docs);
    let said = checks::read(docs).into_iter().chain(evaluations::read(docs, out));
    for said in said.collect::<Vec<_>>() {
        let ran = applied_at(docs, &said.run);
        let at = ran.unwrap_or(at);
        let key = format!("{}/{}/{}/{}", said.document, said.set, said.policy, said.stage_status);
        let outcome = Outcome {
            workspace: docs.workspace_of_run(&said.run),
            level: Some(said.declared)
                .filter(|stated| !stated.is_empty())
                .or_else(|| levels.declared(&said.set, &said.policy, ran))
                .unwrap_or_default(),
            run: said.run,
            policy: said.policy,
            policy_set: said.set,
            status: said.status,
            ran_at: said.ran_at,
            overridable: said.overridable,
            stage: said.stage.into(),
            stage_status: said.stage_status,
            description: said.description,
            output: Some(said.output).filter(|o| !o.is_empty()).map(|o| Private::of(cut(o))),
            document: said.document,
        };
        let subject =
            format!("tfe:{}/{}/{}/{}", host(source), outcome.workspace, outcome.run, outcome.policy);
        out.evidence.push(Evidence::event(Kind::SentinelOutcome, &source.name, key, subject, at, &outcome));
    }
}

/// What a policy printed; of what is longer, its beginning and its digest.
fn cut(output: String) -> String {
    if output.len() <= LONGEST {
        return output;
    }
    let digest = sha256_hex(output.as_bytes());
    let kept = &output[..output.floor_char_boundary(LONGEST)];
    format!("{kept}… (cut; {} bytes, SHA-256 {digest})", output.len())
}

fn applied_at(docs: &Docs, run: &str) -> Option<Time> {
    let attributes = &docs.get("runs", run)?["attributes"];
    let at = attributes["status-timestamps"]["applied-at"].as_str();
    at.or(attributes["created-at"].as_str())?.parse().ok()
}
