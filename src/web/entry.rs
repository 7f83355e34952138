//! The page of an entry: its bytes are read anew and checked against the root of the report before they are shown.

use super::access::{Need, Viewer};
use super::answers::{Form, Shown, asked_for, made, not_found, said};
use super::{Site, blocking, failed};
use crate::evidence::Time;
use crate::jobs::JobError;
use crate::ledger::entry::blob_references;
use crate::ledger::header::Header;
use crate::ledger::{tree, verify};
use crate::report::exhibit::{Exhibit, Read, exhibit};
use crate::report::{Report, html, json};
use crate::store::{Reader, StoreError};
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::path::PathBuf;

/// Characters of a blob that are shown.
const SHOWN: usize = 20_000;
/// Entries to either side among which those of the same thing, and the collection, are looked for.
const AROUND: u64 = 1_000;
/// Of the same thing, to either side.
const NEIGHBOURS: usize = 3;

/// Whether private values are asked for.
pub(super) fn opens(uri: &Uri) -> bool {
    asked_for(uri, "private").as_deref() == Some("open")
}

pub(super) async fn page(
    State(site): State<Site>,
    Extension(viewer): Extension<Viewer>,
    shown: Shown,
    Path(name): Path<String>,
    uri: Uri,
    form: Form,
) -> Response {
    let form = if name.ends_with(".json") { Form::Json } else { form };
    let Ok(seq) = name.trim_end_matches(".json").parse() else { return not_found() };
    let opened = opens(&uri);
    if opened && !viewer.may(Need::Whole) {
        return said(StatusCode::FORBIDDEN, "Private values are shown to auditors alone.");
    }
    let ledger = site.desk.config.ledger.path.clone();
    let page = blocking(move || {
        let show = |report: &Report, e: &Exhibit<'_>| match form {
            Form::Json => Json(json::entry(report, e)).into_response(),
            Form::Html => made(html::entry(report, e, opened, shown.seen)),
        };
        with(&shown, ledger, seq, opened, show)
    });
    match page.await {
        Ok(page) => page.unwrap_or_else(not_found),
        Err(e) => failed(&e),
    }
}

/// Reads and checks an entry, and shows what there is to say of it; none when it is not to be shown.
fn with<T>(
    shown: &Shown,
    ledger: PathBuf,
    seq: u64,
    opened: bool,
    show: impl FnOnce(&Report, &Exhibit<'_>) -> T,
) -> Result<Option<T>, JobError> {
    let (view, report, size) = (&shown.view, &shown.view.report, shown.view.report.as_of.size);
    if seq >= size {
        return Ok(None);
    }
    let reader = Reader::open(&ledger)?;
    let bytes = reader.bytes(seq)?;
    let (leaf, proof) = (tree::leaf(&bytes), reader.inclusion(seq, size)?);
    let root = tree::root_of_inclusion(leaf, seq, size, &proof);
    if root.map(|r| verify::root_base64(&r)).as_ref() != Some(&report.as_of.root) {
        return Err(JobError::Render(format!("entry {seq} does not fit the root of the report")));
    }
    let entry = reader.entry(seq)?.entry;
    if !view.shows(seq, entry.kind.name()) {
        return Ok(None);
    }
    let around = Around::of(&reader, seq, size, &entry.source, &entry.subject)?;
    let collection = around.collection.map(|seq| reader.entry(seq)).transpose()?;
    let run = |placed: crate::ledger::entry::Placed| {
        let run = reader.with_blobs(placed.entry)?;
        Ok::<_, StoreError>(serde_json::from_value(run.payload).ok().map(|run| (placed.seq, run)))
    };
    let read = Read {
        seq,
        entry: &entry,
        canonical: &String::from_utf8_lossy(&bytes),
        leaf: crate::evidence::hex(&leaf),
        proof: proof.iter().map(|h| STANDARD.encode(h)).collect(),
        blobs: blobs(&reader, seq, &entry.payload)?,
        // What a team is not shown, it is not told of either.
        collection: collection
            .filter(|p| view.shows(p.seq, p.entry.kind.name()))
            .map(run)
            .transpose()?
            .flatten(),
        around: around.neighbours.into_iter().filter(|(seq, kind, _)| view.shows(*seq, kind)).collect(),
        openings: opened.then(|| reader.openings(seq)).transpose()?,
        outside: view.outside.over(seq),
    };
    Ok(Some(show(report, &exhibit(report, &read, &view.aliases))))
}

fn blobs(
    reader: &Reader<'_>,
    seq: u64,
    payload: &serde_json::Value,
) -> Result<Vec<(String, String)>, JobError> {
    let mut blobs = Vec::new();
    for sha256 in blob_references(payload) {
        if let Some(blob) = reader.blob(sha256)? {
            if crate::evidence::sha256_hex(&blob.bytes) != sha256 {
                return Err(JobError::Render(format!("blob {sha256} of entry {seq} has other bytes")));
            }
            let text: String = String::from_utf8_lossy(&blob.bytes).chars().take(SHOWN).collect();
            blobs.push((format!("sha256:{sha256}, {} bytes", blob.bytes.len()), text));
        }
    }
    Ok(blobs)
}

/// What lies around an entry.
struct Around {
    collection: Option<u64>,
    neighbours: Vec<(u64, &'static str, Time)>,
}

impl Around {
    fn of(
        reader: &Reader<'_>,
        seq: u64,
        size: u64,
        source: &str,
        subject: &str,
    ) -> Result<Around, StoreError> {
        let (from, to) = (seq.saturating_sub(AROUND), size.min(seq + AROUND + 1));
        let (mut collection, mut before, mut after) = (None, Vec::new(), Vec::new());
        reader.each_row(from, to, |at, bytes| {
            let Some(header) = Header::read(bytes) else { return Ok(()) };
            if at >= seq && collection.is_none() && header.kind == "source.run" && header.source == source {
                collection = Some(at);
            }
            if at != seq && thing(&header.subject) == thing(subject) && after.len() < NEIGHBOURS {
                if at < seq { &mut before } else { &mut after }.push(at);
            }
            Ok(())
        })?;
        before.drain(..before.len().saturating_sub(NEIGHBOURS));
        let mut neighbours = Vec::new();
        for at in before.into_iter().chain(after) {
            let entry = reader.entry(at)?.entry;
            neighbours.push((at, entry.kind.name(), entry.occurred_at));
        }
        Ok(Around { collection: collection.filter(|at| *at != seq), neighbours })
    }
}

/// What a subject is of: all of a run, all versions of a key.
fn thing(subject: &str) -> &str {
    let of_run = subject.find("/run-").map(|at| {
        let rest = &subject[at + 1..];
        at + 1 + rest.find('/').unwrap_or(rest.len())
    });
    let of_key = subject.find("?versionId=");
    &subject[..of_run.or(of_key).unwrap_or(subject.len())]
}

#[cfg(test)]
mod tests {
    use super::thing;

    #[test]
    fn what_is_said_of_one_run_or_one_key_stands_together() {
        assert_eq!(thing("tfe:h/o/w/run-1/polchk-2"), thing("tfe:h/o/w/run-1"));
        assert_eq!(thing("s3:b/k?versionId=1"), thing("s3:b/k?versionId=2"));
        assert_ne!(thing("tfe:h/o/w/run-1"), thing("tfe:h/o/w/run-12"));
    }
}
