//! The tables of passes: reading never waits, and writing waits beside the requests, not in their way.

use crate::store::{Access, Pass, StoreError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections to the passes.
#[derive(Clone)]
pub(in crate::web) struct Passes {
    reading: Arc<Mutex<Access>>,
    writing: Arc<Mutex<Access>>,
}

impl Passes {
    /// Opens them beside a ledger.
    ///
    /// # Errors
    /// SQLite's reason.
    pub(in crate::web) fn open(ledger: &Path) -> Result<Passes, StoreError> {
        let open = || Ok::<_, StoreError>(Arc::new(Mutex::new(Access::open(ledger)?)));
        Ok(Passes { reading: open()?, writing: open()? })
    }

    /// The pass of a secret, by its digest: one row by its key.
    pub(super) fn pass(&self, sha256: &str) -> Result<Option<Pass>, StoreError> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).pass(sha256)
    }

    /// Writes.
    pub(super) async fn write(
        &self,
        work: impl FnOnce(&Access) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let writing = Arc::clone(&self.writing);
        let done = tokio::task::spawn_blocking(move || {
            work(&writing.lock().unwrap_or_else(PoisonError::into_inner))
        });
        let failed = |e: tokio::task::JoinError| StoreError::Io("writing a pass".into(), e.into());
        done.await.map_err(failed)?
    }
}
