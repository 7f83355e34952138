//! Counting a population in one pass that checks the whole record.

use super::assess::ours;
use super::{BrokenRecord, Desk, JobError};
use crate::ledger::verify::{Verification, root_base64};
use crate::report::population::{Count, Drawing, Population};
use crate::store::Store;

/// Counts a population below a size, in one pass that checks the whole record.
///
/// # Errors
/// The record does not verify, or another key signed it; the store's reason.
pub fn population(desk: &Desk, store: &Store, size: u64, asked: &Drawing) -> Result<Population, JobError> {
    let reader = store.reader();
    let root = root_base64(&reader.root_at(size)?);
    let mut count = Count::over(asked, &root);
    let checked = reader.verify_each(|seq, header, leaf| {
        if seq < size {
            count.meets(seq, header, leaf);
        }
    })?;
    match checked {
        Verification::Broken(broken) => return Err(JobError::Broken(BrokenRecord(broken))),
        Verification::Intact(intact) => ours(desk, &intact)?,
    }
    Ok(count.told(size, root))
}
