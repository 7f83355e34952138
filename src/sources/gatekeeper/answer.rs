//! What violates a constraint, or why that cannot be said.

use crate::evidence::gatekeeper::Lacks;
use crate::reperformance::rego::Outcome;
use std::collections::{BTreeMap, BTreeSet};

/// Longest message that a constraint's status holds, in bytes; longer ones are cut and end in three points.
const MESSAGE: usize = 256;

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
    /// The rule cannot be evaluated here.
    pub(super) fn rule(text: impl Into<String>) -> Why {
        Why { lacks: Lacks::Rule, text: text.into() }
    }

    /// The look does not show all that it is evaluated over.
    pub(super) fn inputs(text: impl Into<String>) -> Why {
        Why { lacks: Lacks::Inputs, text: text.into() }
    }
}

/// Adds what an object does to a constraint.
pub(super) fn add(answer: &mut Answer, object: &str, outcome: Result<Outcome, Why>) {
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
pub(super) fn joined((one, other): (Answer, Answer)) -> Answer {
    let (mut one, other) = (one?, other?);
    one.matched += other.matched;
    one.violations += other.violations;
    one.violators.extend(other.violators);
    Ok(one)
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
