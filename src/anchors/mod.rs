//! Outside witnesses of checkpoints: an S3 bucket with Object Lock, an RFC 3161 time-stamp authority. Each is optional,
//! and none is ever in the way of collecting evidence.

pub mod archive;
pub mod timestamp;

use std::future::Future;

/// Why an anchor could not be made, or is not believed.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The config names something that cannot be used.
    #[error("{key}: {what}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The other side could not be reached, or refused.
    #[error("{0}")]
    Outside(String),
    /// What it answered is not what was asked for.
    #[error("the answer is not believed: {0}")]
    Answer(String),
    /// What it answered was signed by somebody whom the config does not name.
    #[error(
        "no certificate of timestamp.ca_file (it may hold several) vouches at that time for who signed it: {0}"
    )]
    Authority(String),
    /// No runtime to wait in.
    #[error("cannot wait for the network")]
    Runtime(#[source] std::io::Error),
}

/// Waits for something from a thread that is not one of the runtime's own.
fn wait<T>(work: impl Future<Output = Result<T, AnchorError>>) -> Result<T, AnchorError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(AnchorError::Runtime)?.block_on(work)
}
