//! What is done, each a function without input: ingest, assess, report, mail. Doing one twice does no harm; the next
//! run repairs. The command line and the daemon call the same ones.

mod anchor;
mod assess;
mod desk;
mod export;
mod hints;
mod ingest;
mod issued;
mod judged;
mod letter;
mod outbox;
mod pages;
mod population;
mod press;
mod refetch;
mod report;
mod service;
mod trouble;
mod whole;

pub use anchor::{AnchorStatus, anchor, authorities};
pub use assess::{AssessStatus, assess, intact};
pub use desk::{Desk, DeskError, demo_nights, read_key};
pub use export::{Exported, Request, export};
pub use hints::Hints;
pub use ingest::{
    IngestStatus, SourceStatus, Tried, ingest, ingest_again, ingest_hashing, register_now, tried,
};
pub use judged::Judged;
pub use letter::{compose, plain};
pub use outbox::{MailStatus, Which, flush};
pub use population::population;
pub use press::{SUBCOMMAND as SET_PDF, confine};
pub use refetch::{Refetched, refetch};
pub use report::{
    AsIssued, AsOf, Forms, Issued, Rendered, ReportStatus, as_issued, format_of, forms, kept, nightly,
    render, resolve, view,
};

pub use service::{Service, SourceNow, service};
pub use trouble::{Trouble, tell};
pub use whole::put;

use crate::ledger::Broken;
use crate::store::StoreError;

/// Why a job could not be done at all. A source that fails is no such reason: it is in the status.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The record does not verify; nothing was appended.
    #[error("the record does not verify: {0}")]
    Broken(BrokenRecord),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of our own.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// An output could not be made.
    #[error("{0}")]
    Render(String),
    /// No assessment answers an as-of.
    #[error("{0}")]
    AsOf(String),
    /// Mail could not be made or sent.
    #[error(transparent)]
    Mail(#[from] crate::mail::MailError),
    /// An outside witness.
    #[error(transparent)]
    Anchor(#[from] crate::anchors::AnchorError),
    /// Another process does this job now.
    #[error("another process is running this job: {0} is locked")]
    Locked(std::path::PathBuf),
}

/// What does not hold.
#[derive(Clone, Debug)]
pub struct BrokenRecord(pub Broken);

impl std::fmt::Display for BrokenRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}; intact up to size {}", self.0.first_bad, self.0.what, self.0.intact_up_to)
    }
}
