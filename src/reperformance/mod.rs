//! Evaluating constraint templates, a constraint's match and the pack's Sentinel policies ourselves, on the inputs that a
//! source gave.
//!
//! What is here says yes or no of recorded facts; it knows nothing of systems, verdicts or reports.

mod matching;
mod policies;
pub mod rego;

pub use matching::{
    Object, covered_by_webhook, in_match_scope, kinds_fit, selector_matches, texts, wildcard,
};
pub use policies::{
    Amount, CostVerdict, Judgement, Settings, ai_mark, cost, deployment_tags, is_model_resource, judgement,
    required_tags,
};
