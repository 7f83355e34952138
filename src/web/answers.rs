//! Answers from the view model: each page as HTML or JSON, lists also as CSV, files, and what did not change once.

use super::access::{Class, Viewer};
use super::past::{self, Missing};
use super::snapshot::View;
use super::{Site, Snapshot, failed};
use crate::assessment::RULES;
use crate::evidence::{Time, sha256_hex};
use crate::jobs::AsOf;
use crate::report::html::{self, Page, Reader, Seen};
use crate::report::listing::Query;
use crate::report::tables::{Order, Table};
use crate::report::{Zone, csv, json};
use axum::Json;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use percent_encoding::percent_decode_str;
use std::convert::Infallible;
use std::sync::Arc;

/// The form of a page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Html,
    Json,
}

impl Form {
    /// JSON where it stands before HTML among what is accepted; HTML where neither is named.
    pub(super) fn accepted(headers: &HeaderMap) -> Form {
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

/// A sentence in place of a page: who asked gets it in the form they read.
#[derive(Clone)]
pub(super) struct Said(pub String);

pub(super) fn said(status: StatusCode, text: &str) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    response.extensions_mut().insert(Said(text.to_owned()));
    response
}

pub(super) fn not_found() -> Response {
    said(StatusCode::NOT_FOUND, "There is no such page in this report.")
}

pub(super) fn refused(why: &str) -> Response {
    said(StatusCode::BAD_REQUEST, &format!("This cannot be asked: {why}."))
}

/// A part of a query, decoded; none when it is not there.
pub(super) fn asked_for(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value.replace('+', " ")).next()?;
    Some(percent_decode_str(&value).decode_utf8_lossy().into_owned()).filter(|v| !v.is_empty())
}

/// The report that answers, as who asks may see it: of the last assessment, or of the one that `as_of` names.
pub(super) struct Shown {
    pub view: Arc<View>,
    pub seen: Seen,
    /// The order of its table.
    pub sort: String,
}

impl FromRequestParts<Site> for Shown {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Shown, Response> {
        let viewer = parts.extensions.get::<Viewer>().cloned().ok_or_else(not_found)?;
        let zone = Zone::named(&site.desk.config.timezone);
        // Two days are asked for of changes alone.
        let spans = parts.uri.path().starts_with("/changes");
        let time = |name| asked_for(&parts.uri, name).filter(|_| spans).unwrap_or_default();
        let as_of = asked_for(&parts.uri, "as_of").map(|text| past::as_of(&text, &zone)).transpose();
        let as_of = as_of.map_err(|why| refused(&format!("as_of {why}")))?;
        let (from, to) = zone.between(&time("from"), &time("to")).map_err(|why| refused(&why))?;
        let (view, seen) = shown(site, &viewer, as_of.or_else(|| to.map(AsOf::Time)), from).await?;
        Ok(Shown { view, seen, sort: asked_for(&parts.uri, "sort").unwrap_or_default() })
    }
}

async fn shown(
    site: &Site,
    viewer: &Viewer,
    asked: Option<AsOf>,
    from: Option<Time>,
) -> Result<(Arc<View>, Seen), Response> {
    let reader = if viewer.team().is_some() { Reader::Team } else { Reader::Auditor };
    let is_signed_in = viewer.is_session;
    let present = site.get();
    let ready = match &*present {
        Snapshot::Ready(ready) => ready,
        other => return Err(unready(other, viewer)),
    };
    let none = || {
        let team = viewer.team().unwrap_or_default();
        said(StatusCode::NOT_FOUND, &format!("Team {team} has no system in this report."))
    };
    if asked.is_none() && from.is_none() {
        let view = ready.seen_by(viewer.team()).ok_or_else(none)?;
        return Ok((view, Seen { as_of: None, reader, is_signed_in }));
    }
    let asked = asked.unwrap_or(AsOf::Size(ready.whole.report.as_of.size));
    let (size, made) = site.past.get(&site.desk, asked, from).await.map_err(missing)?;
    let view = made.seen_by(viewer.team()).ok_or_else(none)?;
    let as_of = (size != ready.whole.report.as_of.size).then_some(size);
    Ok((view, Seen { as_of, reader, is_signed_in }))
}

/// Why there is no report. What does not hold may be of another team.
pub(super) fn unready(snapshot: &Snapshot, viewer: &Viewer) -> Response {
    match snapshot {
        Snapshot::Broken { .. } if viewer.team().is_some() => {
            said(StatusCode::SERVICE_UNAVAILABLE, "The record does not verify. Nothing is said from it.")
        }
        Snapshot::Broken { page } => (StatusCode::SERVICE_UNAVAILABLE, Html(page.clone())).into_response(),
        _ => said(StatusCode::SERVICE_UNAVAILABLE, "No assessment was made yet."),
    }
}

fn missing(why: Missing) -> Response {
    match why {
        Missing::Later => {
            let text = "This report is being made from the record, which is checked again for it. The page asks again by itself.";
            let mut response = said(StatusCode::ACCEPTED, text);
            response.headers_mut().insert("refresh", HeaderValue::from_static("5"));
            response
        }
        Missing::Busy => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many reports of the past are being made; ask again later.",
        ),
        Missing::NoSuch(why) => said(StatusCode::NOT_FOUND, &format!("There is no such report: {why}.")),
        Missing::Failed(why) => failed(&why),
    }
}

pub(super) fn made(page: Result<String, askama::Error>) -> Response {
    page.map_or_else(|e| failed(&e), |text| Html(text).into_response())
}

pub(super) async fn page(shown: Shown, page: Page, form: Form) -> Response {
    let report = &shown.view.report;
    match form {
        Form::Json if !shown.sort.is_empty() => refused("JSON is not sorted; the page and its CSV take sort"),
        Form::Json => json::page(report, &page).map_or_else(not_found, |said| Json(said).into_response()),
        Form::Html => match Order::of(report, &page, shown.sort) {
            Err(why) => refused(&why),
            Ok(order) => match html::page(report, &page, &order, shown.seen) {
                Ok(None) => not_found(),
                Ok(Some(text)) => Html(text).into_response(),
                Err(e) => failed(&e),
            },
        },
    }
}

/// The page of one thing, by its id; `.json` after it asks for that form.
pub(super) async fn one(shown: Shown, of: super::PageOf, id: String, form: Form) -> Response {
    match id.strip_suffix(".json") {
        Some(id) => page(shown, of(id.to_owned()), Form::Json).await,
        None => page(shown, of(id), form).await,
    }
}

/// What a query asks for.
pub(super) struct Asked(Query);

impl FromRequestParts<Site> for Asked {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Asked, Response> {
        let known = "team, level, status, control, system, source, from, to, text, sort, after and as_of can be told, each once";
        let asked: Result<axum::extract::Query<Query>, _> = axum::extract::Query::try_from_uri(&parts.uri);
        let axum::extract::Query(asked) = asked.map_err(|_| refused(known))?;
        match asked.fault(&Zone::named(&site.desk.config.timezone)) {
            Some(why) => Err(refused(&why)),
            None => Ok(Asked(asked)),
        }
    }
}

pub(super) async fn findings(shown: Shown, Asked(query): Asked, form: Form) -> Response {
    let report = &shown.view.report;
    match form {
        Form::Json => Json(json::findings(report, &query)).into_response(),
        Form::Html => made(html::findings(report, &query, shown.seen)),
    }
}

/// All findings that are asked for, a row per unit.
pub(super) async fn findings_csv(shown: Shown, Asked(query): Asked) -> Response {
    let text = csv::findings(query.rows(&shown.view.report).into_iter().map(|row| row.finding));
    attached("findings.csv", text.into())
}

/// A table of a page, all of its rows.
pub(super) async fn table(shown: Shown, table: &'static Table) -> Response {
    match csv::table(table, &shown.view.report, &shown.sort) {
        Ok(text) => attached(&format!("{}.csv", table.name), text.into()),
        Err(why) => refused(&why),
    }
}

/// A file with its type, to be kept.
pub(super) fn attached(name: &str, bytes: axum::body::Bytes) -> Response {
    let head = [
        (header::CONTENT_TYPE, media_type(name).to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (head, bytes).into_response()
}

pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("pdf") => "application/pdf",
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("ndjson") => "application/x-ndjson",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

/// A file of the report, or a page of the document of a large estate. One is made at a time.
pub(super) async fn file(State(site): State<Site>, shown: Shown, name: String) -> Response {
    if let Some(bytes) = shown.view.held(&name) {
        return handed_out(&name, bytes);
    }
    let (desk, view) = (Arc::clone(&site.desk), Arc::clone(&shown.view));
    let asked = name.clone();
    match site.in_turn(move || view.file(&desk, &asked)).await {
        Ok(Some(bytes)) => handed_out(&name, bytes),
        Ok(None) => not_found(),
        Err(response) => response,
    }
}

/// A file with its type; the document of a large estate has a script: the search of its index.
pub(super) fn handed_out(name: &str, bytes: axum::body::Bytes) -> Response {
    let mut response = ([(header::CONTENT_TYPE, media_type(name))], bytes).into_response();
    let policy = format!("{}; frame-ancestors 'none'", html::search_policy());
    if name.ends_with(".html")
        && let Ok(policy) = HeaderValue::from_str(&policy)
    {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

pub(super) async fn beside(site: State<Site>, shown: Shown, Path(name): Path<String>) -> Response {
    if !html::has_page(&shown.view.report, &name) {
        return not_found();
    }
    file(site, shown, format!("{}/{name}", html::PAGES)).await
}

/// Answers 304 to who has what is asked for already: the same last as-of, address, form, rights and version of the program (RFC 9110,
/// 8.8.3).
pub(super) async fn unchanged(State(site): State<Site>, request: Request, next: Next) -> Response {
    let root = match &*site.get() {
        Snapshot::Ready(ready) => ready.whole.report.as_of.root.clone(),
        _ => return next.run(request).await,
    };
    // What can be erased is kept by nobody, and made anew.
    if super::entry::opens(request.uri()) {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return response;
    }
    let form = Form::accepted(request.headers());
    let team = request.extensions().get::<Viewer>().and_then(Viewer::team).map(str::to_owned);
    let digest = sha256_hex(format!("{root}\n{}\n{form:?}\n{team:?}\n{RULES}", request.uri()).as_bytes());
    let tag = format!("\"{}\"", &digest[..32]);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let has_it =
        known.is_some_and(|known| known.split(',').any(|k| k.trim().trim_start_matches("W/") == tag));
    if has_it {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK
        && let Ok(tag) = HeaderValue::from_str(&tag)
    {
        response.headers_mut().insert(header::ETAG, tag);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    }
    response
}

/// Notes that somebody looked, when they were shown what they asked for.
pub(super) async fn noted(
    State((site, class)): State<(Site, Class)>,
    request: Request,
    next: Next,
) -> Response {
    let viewer = request.extensions().get::<Viewer>().cloned();
    let opens = class == Class::Entries && super::entry::opens(request.uri());
    let class = if opens { Class::PrivateValues } else { class };
    let response = next.run(request).await;
    let was_shown =
        matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(viewer) = viewer.filter(|_| was_shown) {
        site.viewed.note(&viewer, class, site.desk.clock.now());
    }
    response
}
