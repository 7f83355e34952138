//! Reports as they were issued, by the digests that were written down then.

use super::answers::{Form, Shown, handed_out, made, not_found, said};
use super::{Site, blocking, failed};
use crate::evidence::Kind;
use crate::evidence::record::ReportIssued;
use crate::jobs;
use crate::report::Zone;
use crate::report::html::{self, IssuedRow};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn list(State(site): State<Site>, shown: Shown, form: Form) -> Response {
    let desk = Arc::clone(&site.desk);
    let below = shown.view.report.as_of.size;
    let read = move || {
        let issued = desk.store()?.own::<ReportIssued>(Kind::ReportIssued)?;
        // What was issued of an as-of is written after it.
        Ok(issued.into_iter().rev().filter(|(_, _, issued)| issued.as_of <= below).collect::<Vec<_>>())
    };
    let issued = match blocking(read).await {
        Ok(issued) => issued,
        Err(e) => return failed(&e),
    };
    let zone = Zone::named(&site.desk.config.timezone);
    let row = |(seq, _, issued): &(u64, crate::evidence::Time, ReportIssued)| IssuedRow {
        seq: *seq,
        as_of: issued.as_of,
        at: zone.minute(issued.at),
        files: issued.files.iter().map(|(name, digest)| (name.clone(), digest.clone())).collect(),
    };
    let rows: Vec<IssuedRow> = issued.iter().map(row).collect();
    match form {
        Form::Json => Json(json!({ "reports": rows })).into_response(),
        Form::Html => made(html::archive(&shown.view.report, &rows, shown.seen)),
    }
}

pub(super) async fn file(State(site): State<Site>, Path((as_of, name)): Path<(u64, String)>) -> Response {
    if jobs::format_of(&name).is_none() {
        return not_found();
    }
    let (desk, asked) = (Arc::clone(&site.desk), name.clone());
    match blocking(move || jobs::kept(&desk, &desk.store()?, as_of, &asked)).await {
        Ok(Some(bytes)) => handed_out(&name, bytes.into()),
        Ok(None) => said(
            StatusCode::NOT_FOUND,
            "No report of that size was issued, or its file is not kept as it was issued any more.",
        ),
        Err(e) => failed(&e),
    }
}
