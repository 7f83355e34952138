//! What parsers need from the config.

use super::flow_logs::Selection;
use crate::config::Source;

/// What parsers need from the config.
pub struct Context<'a> {
    /// The configured source.
    pub source: &'a Source,
    /// What flow logs are read for.
    pub selection: Selection,
    /// Its digest.
    pub selected: String,
}

impl<'a> Context<'a> {
    /// A source, and what its flow logs are read for.
    pub fn new(source: &'a Source, selection: Selection) -> Context<'a> {
        let selected = selection.digest();
        Context { source, selection, selected }
    }
}
