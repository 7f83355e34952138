//! What parsers need from the config.

use super::flow_logs::Selection;
use super::kubernetes::Changes;
use crate::config::Source;
use crate::evidence::Time;
use crate::evidence::gatekeeper::Config;
use crate::evidence::record::SourceRun;
use std::sync::Arc;

/// What parsers need from the config.
pub struct Context<'a> {
    /// The configured source.
    pub source: &'a Source,
    /// What flow logs are read for.
    pub selection: Selection,
    /// Its digest.
    pub selected: String,
    /// The cluster that the source showed before: uid of its namespace kube-system.
    pub cluster: Option<String>,
    /// What the last look at a cluster said.
    pub before: Option<SourceRun>,
    /// What the last look said of its Gatekeeper's Config.
    pub config: Option<Config>,
    /// Where the pass before left off, as it wrote it down.
    pub look: String,
    /// Runs that are read again.
    pub runs: Unsettled,
    /// What notifications said of runs.
    pub notices: Vec<Notice>,
    /// Names of files that name the other files of a model version.
    pub manifests: Vec<String>,
    /// Where the watches of a cluster leave its changes.
    pub changes: Option<Arc<Changes>>,
}

impl<'a> Context<'a> {
    /// A source, and what its flow logs are read for.
    pub fn new(source: &'a Source, selection: Selection) -> Context<'a> {
        let selected = selection.digest();
        Context {
            source,
            selection,
            selected,
            cluster: None,
            before: None,
            config: None,
            look: String::new(),
            runs: Unsettled::default(),
            notices: Vec::new(),
            manifests: Vec::new(),
            changes: None,
        }
    }
}

/// Runs of which the record does not have everything.
#[derive(Default)]
pub struct Unsettled {
    /// Those that were not final.
    pub open: Vec<String>,
    /// Those of which a document could not be read.
    pub lacking: Vec<String>,
    /// Those of which the token did not see a document.
    pub denied: Vec<String>,
}

/// What a notification said of a run: it is believed where nothing else tells who did what.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// `run-…`
    pub run: String,
    /// When the run was changed.
    pub at: Time,
    /// Name of the user who changed it.
    pub by: String,
}
