//! Answers from the view model: each page as HTML or JSON, the list of findings also as CSV, and what did not change once.

use super::{Site, Snapshot, failed, not_found};
use crate::assessment::RULES;
use crate::evidence::sha256_hex;
use crate::report::html::{self, Page};
use crate::report::listing::Query;
use crate::report::{Report, csv, json};
use axum::Json;
use axum::extract::{FromRequestParts, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use std::convert::Infallible;

/// The form of a page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Html,
    Json,
}

impl Form {
    /// JSON where it stands before HTML among what is accepted; HTML where neither is named.
    fn accepted(headers: &HeaderMap) -> Form {
        let accepted = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let place = |what: &str| accepted.find(what).unwrap_or(usize::MAX);
        if place("application/json") < place("text/html") { Form::Json } else { Form::Html }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Form, Infallible> {
        Ok(Form::accepted(&parts.headers))
    }
}

/// Answers from the last assessment, or says why there is none.
fn ready(site: &Site, answer: impl FnOnce(&Report) -> Response) -> Response {
    match &*site.get() {
        Snapshot::Broken { page, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Html(page.clone())).into_response()
        }
        Snapshot::Empty => (StatusCode::SERVICE_UNAVAILABLE, "No assessment was made yet.\n").into_response(),
        Snapshot::Ready { report, .. } => answer(report),
    }
}

pub(super) async fn page(State(site): State<Site>, page: Page, form: Form) -> Response {
    ready(&site, |report| match form {
        Form::Json => json::page(report, &page).map_or_else(not_found, |said| Json(said).into_response()),
        Form::Html => match html::page(report, &page) {
            Ok(Some(text)) => Html(text).into_response(),
            Ok(None) => not_found(),
            Err(e) => failed(&e),
        },
    })
}

/// The page of one thing, by its id; `.json` after it asks for that form.
pub(super) async fn one(site: State<Site>, of: super::PageOf, id: String, form: Form) -> Response {
    match id.strip_suffix(".json") {
        Some(id) => page(site, of(id.to_owned()), Form::Json).await,
        None => page(site, of(id), form).await,
    }
}

/// What a query asks for, or why that cannot be answered.
fn asked(query: RawQuery) -> Result<Query, String> {
    let uri =
        format!("/?{}", query.0.unwrap_or_default()).parse().map_err(|_| "it is no address".to_owned())?;
    let known = "team, level, status, control, system, text, sort and after can be told, each once";
    let axum::extract::Query(asked): axum::extract::Query<Query> =
        axum::extract::Query::try_from_uri(&uri).map_err(|_| known.to_owned())?;
    asked.fault().map_or(Ok(asked), Err)
}

fn refused(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("This cannot be asked: {why}.\n")).into_response()
}

pub(super) async fn findings(State(site): State<Site>, query: RawQuery, form: Form) -> Response {
    let asked = match asked(query) {
        Ok(asked) => asked,
        Err(why) => return refused(&why),
    };
    ready(&site, |report| match form {
        Form::Json => Json(json::findings(report, &asked)).into_response(),
        Form::Html => match html::findings(report, &asked) {
            Ok(text) => Html(text).into_response(),
            Err(e) => failed(&e),
        },
    })
}

/// All findings that are asked for, a row per unit.
pub(super) async fn findings_csv(State(site): State<Site>, query: RawQuery) -> Response {
    let asked = match asked(query) {
        Ok(asked) => asked,
        Err(why) => return refused(&why),
    };
    ready(&site, |report| {
        let text = csv::findings(asked.rows(report).into_iter().map(|row| row.finding));
        let head = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"findings.csv\""),
        ];
        (head, text).into_response()
    })
}

/// Answers 304 to who has what is asked for already: the same as-of, address, form and version of the program (RFC 9110, 8.8.3).
pub(super) async fn unchanged(State(site): State<Site>, request: Request, next: Next) -> Response {
    let Snapshot::Ready { report, .. } = &*site.get() else { return next.run(request).await };
    let form = Form::accepted(request.headers());
    let digest =
        sha256_hex(format!("{}\n{}\n{form:?}\n{RULES}", report.as_of.root, request.uri()).as_bytes());
    let tag = format!("\"{}\"", &digest[..32]);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let has_it =
        known.is_some_and(|known| known.split(',').any(|k| k.trim().trim_start_matches("W/") == tag));
    // What the time of day changes is made anew.
    let is_status = request.uri().path() == "/status";
    if has_it && !is_status {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut response = next.run(request).await;
    if response.status().is_success()
        && !is_status
        && let Ok(tag) = HeaderValue::from_str(&tag)
    {
        response.headers_mut().insert(header::ETAG, tag);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    }
    response
}
