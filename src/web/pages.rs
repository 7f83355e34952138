//! What the pages show: the report of the last assessment, and single entries checked against its root.

use crate::jobs::{self, AsOf, Desk, JobError, Judged, resolve};
use crate::ledger::entry::blob_references;
use crate::ledger::{tree, verify};
use crate::report::html::{self, EntryView};
use crate::report::{Report, Scope};
use crate::store::{Reader, Store};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that pages are made from.
pub enum Snapshot {
    /// Nothing was assessed yet.
    Empty,
    /// The last assessment.
    Ready {
        /// The view model.
        report: Box<Report>,
        /// Files as they are handed out.
        files: BTreeMap<String, Vec<u8>>,
    },
    /// The record does not verify: one page stands for all.
    Broken {
        /// What does not hold.
        first_bad: String,
        /// The page.
        page: String,
    },
}

impl Snapshot {
    /// The pages of an assessment.
    ///
    /// # Errors
    /// The store's reason; an output that cannot be made.
    pub fn of(desk: &Desk, store: &Store, judged: &Judged) -> Result<Snapshot, JobError> {
        let whole = Scope::default();
        let formats = ["html", "pdf", "json"].map(str::to_owned);
        let files = jobs::files(desk, store, judged, &whole, &formats)?;
        Ok(Snapshot::Ready { report: Box::new(judged.report(store, &whole)?), files })
    }
}

/// Checks the record and makes the pages of its last assessment.
///
/// # Errors
/// The store's reason; an output that cannot be made. A broken record is a snapshot.
pub fn load(desk: &Desk, store: &Store) -> Result<Snapshot, JobError> {
    let size = match resolve(desk, store, &AsOf::Latest) {
        Ok(size) => size,
        Err(JobError::AsOf(_)) => return Ok(Snapshot::Empty),
        Err(e) => return Err(e),
    };
    match Judged::of(desk, store, size) {
        Ok(judged) => Snapshot::of(desk, store, &judged),
        Err(JobError::Broken(b)) => {
            let page = html::broken(&b.0.first_bad, &b.0.what, b.0.intact_up_to)
                .map_err(|e| JobError::Render(e.to_string()))?;
            Ok(Snapshot::Broken { first_bad: b.0.first_bad, page })
        }
        Err(e) => Err(e),
    }
}

/// The page of an entry below the as-of. Its bytes are read anew and checked against the root before they are shown.
pub(super) fn entry(snapshot: &Snapshot, ledger: &Path, seq: u64) -> Result<Option<String>, JobError> {
    let Snapshot::Ready { report, .. } = snapshot else { return Ok(None) };
    let size = report.as_of.size;
    if seq >= size {
        return Ok(None);
    }
    let reader = Reader::open(ledger)?;
    let bytes = reader.bytes(seq)?;
    let (leaf, proof) = (tree::leaf(&bytes), reader.inclusion(seq, size)?);
    let root = tree::root_of_inclusion(leaf, seq, size, &proof);
    if root.map(|r| verify::root_base64(&r)).as_ref() != Some(&report.as_of.root) {
        return Err(JobError::Render(format!("entry {seq} does not fit the root of the last assessment")));
    }
    let placed = reader.entry(seq)?;
    let mut blobs = Vec::new();
    for sha256 in blob_references(&placed.entry.payload) {
        if let Some(blob) = reader.blob(sha256)? {
            if crate::evidence::sha256_hex(&blob.bytes) != sha256 {
                return Err(JobError::Render(format!("blob {sha256} of entry {seq} has other bytes")));
            }
            let text: String = String::from_utf8_lossy(&blob.bytes).chars().take(20_000).collect();
            blobs.push((format!("sha256:{sha256}, {} bytes", blob.bytes.len()), text));
        }
    }
    let proof: Vec<String> = proof.iter().map(|h| STANDARD.encode(h)).collect();
    let e = &placed.entry;
    let view = EntryView {
        seq,
        kind: e.kind.name(),
        subject: &e.subject,
        source: &e.source,
        occurred: e.occurred_at,
        recorded: e.recorded_at,
        canonical: &String::from_utf8_lossy(&bytes),
        blobs: &blobs,
        leaf: &crate::evidence::hex(&leaf),
        proof: &proof,
    };
    html::entry(report, &view).map(Some).map_err(|e| JobError::Render(e.to_string()))
}
