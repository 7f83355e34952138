//! A copy of the ledger while it is written to, verified before it counts as made.

use super::{Fold, Reader, Store, StoreError, schema, sql};
use crate::ledger::{Broken, Intact, Verification};
use rusqlite::backup::{Backup, StepResult};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All pages in one step: a step reads one view of the file while others write, and a copy of several would begin anew
/// after each of their commits.
const ALL_PAGES: i32 = -1;

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A copy never replaces a file.
    #[error("{0} is there already; nothing was copied")]
    There(PathBuf),
    /// The copy does not verify, and so neither does the ledger.
    #[error("the copy does not verify and was not kept: {} {}", .0.first_bad, .0.what)]
    Broken(Box<Broken>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Copies the ledger into a new file by SQLite's online backup, verifies the copy, and only then gives it its name.
    ///
    /// # Errors
    /// See [`BackupError`]; no file of that name is there then.
    pub fn backup(&self, to: &Path) -> Result<Intact, BackupError> {
        if to.exists() {
            return Err(BackupError::There(to.to_owned()));
        }
        let name = to.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let part = to.with_file_name(format!("{name}.part"));
        let made = self.copy(&part).and_then(|()| self.check_copy(&part));
        let kept = made.and_then(|intact| {
            let failed = |e| StoreError::Io(format!("cannot name the copy {}", to.display()), e);
            std::fs::File::open(&part).and_then(|f| f.sync_all()).map_err(failed)?;
            std::fs::rename(&part, to).map_err(failed)?;
            Ok(intact)
        });
        if kept.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        kept
    }

    fn copy(&self, part: &Path) -> Result<(), BackupError> {
        let failed = || sql(format!("copying to {}", part.display()));
        let _ = std::fs::remove_file(part);
        let mut target = schema::open_plain(part)?;
        let copy = Backup::new(&self.ledger, &mut target).map_err(failed())?;
        while copy.step(ALL_PAGES).map_err(failed())? != StepResult::Done {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(copy);
        // One file, without a log beside it.
        target.pragma_update(None, "journal_mode", "DELETE").map_err(failed())?;
        Ok(())
    }

    fn check_copy(&self, part: &Path) -> Result<Intact, BackupError> {
        match Reader::open(part)?.verify(None, Fold::Nothing, |_| {})? {
            Verification::Intact(intact) => Ok(*intact),
            Verification::Broken(broken) => Err(BackupError::Broken(Box::new(broken))),
        }
    }
}
