//! Copies in the archive of reports as they were issued, each with a redacted bundle of the entries since the one before.

use super::anchor::{archived, last, record};
use super::pages::file;
use super::{AnchorStatus, Desk, JobError, export};
use crate::anchors::AnchorError;
use crate::anchors::archive::Copy;
use crate::config::Archive;
use crate::evidence::Kind;
use crate::evidence::record::{AnchorMade, ReportIssued};
use crate::store::{Store, StoreError};

/// What these copies are called among the anchors.
const ANCHOR: &str = "reports";

/// Copies what was issued since the last copy; at first, the last report alone.
///
/// # Errors
/// The store's reason. An archive that fails is in the status, and asked again by the next job.
pub(super) fn copy(
    desk: &Desk,
    store: &mut Store,
    settings: &Archive,
    status: &mut AnchorStatus,
) -> Result<(), JobError> {
    let mut from = last(store, ANCHOR, &settings.location)?.map(|made| made.size);
    let mut issued = issued(store)?;
    issued.retain(|report| from.is_none_or(|from| report.as_of > from));
    let begin = if from.is_none() { issued.len().saturating_sub(1) } else { 0 };
    from = from.or(begin.checked_sub(1).map(|before| issued[before].as_of));
    for report in &issued[begin..] {
        let made = copies(desk, store, settings, report, from.unwrap_or(0)).map_err(|e| match e {
            // A copy that cannot be made stops nothing else.
            JobError::Render(_) | JobError::AsOf(_) | JobError::Io(..) => {
                AnchorError::Outside(e.to_string()).into()
            }
            e => e,
        });
        let failed = made.is_err();
        record(desk, store, ANCHOR, made, status)?;
        if failed {
            break;
        }
        from = Some(report.as_of);
    }
    Ok(())
}

/// Reports that were issued, the oldest first.
fn issued(store: &Store) -> Result<Vec<ReportIssued>, StoreError> {
    let mut issued = Vec::new();
    for seq in store.state().own_events(Kind::ReportIssued)? {
        issued.extend(serde_json::from_value(store.reader().entry(seq)?.entry.payload).ok());
    }
    Ok(issued)
}

fn copies(
    desk: &Desk,
    store: &Store,
    settings: &Archive,
    report: &ReportIssued,
    from: u64,
) -> Result<AnchorMade, JobError> {
    let size = report.as_of;
    let (mut copies, mut lacks) = (Vec::new(), Vec::new());
    for name in report.files.keys().filter(|_| settings.holds("report")) {
        // A file that is not as it was issued any more is no copy of it.
        match file(desk, report, name) {
            Some(bytes) => {
                let place = format!("reports/{size:012}/{name}");
                copies.push(Copy { name: place, media_type: media_type(name), bytes });
            }
            None => lacks.push(name.clone()),
        }
        // The pages of a large report stay where it was issued; their digests and the whole as JSON are copied.
        if name.ends_with("SHA256SUMS") {
            lacks.push(name.trim_end_matches("SHA256SUMS").to_owned());
        }
    }
    if settings.holds("bundle") {
        let bytes = export::redacted(desk, store, size, from)?;
        let name = format!("bundles/{from:012}-{size:012}.zip");
        copies.push(Copy { name, media_type: "application/zip", bytes });
    }
    let (_, note) = store.reader().checkpoint(size)?.unwrap_or_default();
    let made = archived(desk, settings, ANCHOR, (size, &note), copies)?;
    Ok(AnchorMade { lacks, ..made })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("pdf") => "application/pdf",
        Some(name) if name.ends_with("SHA256SUMS") => "text/plain; charset=utf-8",
        _ => "application/json",
    }
}
