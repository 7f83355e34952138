//! The page of an entry: its bytes are read anew and checked against the root of the report before they are shown.

use super::Site;
use super::answers::{Form, Shown, made, not_found};
use super::snapshot::View;
use crate::jobs::JobError;
use crate::ledger::entry::blob_references;
use crate::ledger::{tree, verify};
use crate::report::html::{self, EntryView, Seen};
use crate::store::Reader;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::Arc;

/// Characters of a blob that are shown.
const SHOWN: usize = 20_000;

pub(super) async fn page(
    State(site): State<Site>,
    shown: Shown,
    Path(seq): Path<u64>,
    _form: Form,
) -> Response {
    let (view, seen) = (Arc::clone(&shown.view), shown.seen);
    let ledger = site.desk.config.ledger.path.clone();
    let read = tokio::task::spawn_blocking(move || entry(&view, seen, &ledger, seq)).await;
    match read.map_err(|e| JobError::Render(e.to_string())) {
        Ok(Ok(Some(page))) => made(Ok(page)),
        Ok(Ok(None)) => not_found(),
        Ok(Err(e)) | Err(e) => super::failed(&e),
    }
}

fn entry(view: &View, seen: Seen, ledger: &std::path::Path, seq: u64) -> Result<Option<String>, JobError> {
    let (report, size) = (&view.report, view.report.as_of.size);
    if seq >= size {
        return Ok(None);
    }
    let reader = Reader::open(ledger)?;
    let bytes = reader.bytes(seq)?;
    let (leaf, proof) = (tree::leaf(&bytes), reader.inclusion(seq, size)?);
    let root = tree::root_of_inclusion(leaf, seq, size, &proof);
    if root.map(|r| verify::root_base64(&r)).as_ref() != Some(&report.as_of.root) {
        return Err(JobError::Render(format!("entry {seq} does not fit the root of the report")));
    }
    let placed = reader.entry(seq)?;
    if !view.shows(seq, placed.entry.kind) {
        return Ok(None);
    }
    let mut blobs = Vec::new();
    for sha256 in blob_references(&placed.entry.payload) {
        if let Some(blob) = reader.blob(sha256)? {
            if crate::evidence::sha256_hex(&blob.bytes) != sha256 {
                return Err(JobError::Render(format!("blob {sha256} of entry {seq} has other bytes")));
            }
            let text: String = String::from_utf8_lossy(&blob.bytes).chars().take(SHOWN).collect();
            blobs.push((format!("sha256:{sha256}, {} bytes", blob.bytes.len()), text));
        }
    }
    let proof: Vec<String> = proof.iter().map(|h| STANDARD.encode(h)).collect();
    let e = &placed.entry;
    let entry = EntryView {
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
    html::entry(report, &entry, seen).map(Some).map_err(|e| JobError::Render(e.to_string()))
}
