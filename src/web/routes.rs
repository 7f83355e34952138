//! All routes, each with what it needs of who asks: the router is made from this table, and so is the table of roles in the tests.

use super::access::{self, Class, Need, Viewer};
use super::answers::{self, Asked, Form, Said, Shown};
use super::{PageOf, Site, archive, entry, exports, metrics, population, service, webhooks};
use crate::report::html::{self, Page, Wish};
use crate::report::tables::{TABLES, Table};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json, Router};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tower_http::timeout::TimeoutLayer;

/// Bytes of what is sent to us, at most.
const BODY: usize = 1 << 20;
/// Time for an answer to begin.
const ANSWER: Duration = Duration::from_secs(60);

/// A route.
struct Route {
    method: &'static str,
    path: String,
    need: Need,
    /// What looking at it counts as; none where nothing of the record is shown.
    class: Option<Class>,
    answer: MethodRouter<Site>,
}

fn shown(path: &str, need: Need, class: Class, answer: MethodRouter<Site>) -> Route {
    Route { method: "GET", path: path.to_owned(), need, class: Some(class), answer }
}

fn open(method: &'static str, path: &str, need: Need, answer: MethodRouter<Site>) -> Route {
    Route { method, path: path.to_owned(), need, class: None, answer }
}

/// Every page is JSON too: with `.json` after its path, or where `Accept` asks for that.
fn pages() -> Vec<Route> {
    let all = [
        ("/", Page::First),
        ("/decisions", Page::Decisions),
        ("/systems", Page::Systems),
        ("/controls", Page::Controls),
        ("/sources", Page::Sources),
        ("/exceptions", Page::Exceptions),
        ("/integrity", Page::Integrity),
        ("/changes", Page::Changes),
    ];
    let one: [(&str, PageOf); 3] =
        [("/systems/{id}", Page::System), ("/controls/{id}", Page::Control), ("/sources/{id}", Page::Source)];
    let mut routes = Vec::new();
    for (path, page) in all {
        let name = if path == "/" { "/first.json".to_owned() } else { format!("{path}.json") };
        let as_json = page.clone();
        let either = get(move |s: Shown, form: Form| answers::page(s, page.clone(), form));
        routes.push(shown(path, Need::Read, Class::Pages, either));
        let json = get(move |s: Shown| answers::page(s, as_json.clone(), Form::Json));
        routes.push(shown(&name, Need::Read, Class::Pages, json));
    }
    for (path, page) in one {
        let answer = get(move |s: Shown, Path(id): Path<String>, form: Form| answers::one(s, page, id, form));
        routes.push(shown(path, Need::Read, Class::Pages, answer));
    }
    routes
}

fn files() -> Vec<Route> {
    let names =
        ["report.html", "report.pdf", "report.json", "report.csv", "report.oscal.json", "report.ocsf.ndjson"];
    let file = |name: &'static str| {
        let answer = get(move |site: State<Site>, s: Shown| answers::file(site, s, name.to_owned()));
        shown(&format!("/{name}"), Need::Read, Class::Files, answer)
    };
    let table = |table: &'static Table| {
        let answer = get(move |s: Shown| answers::table(s, table));
        shown(&format!("/{}.csv", table.name), Need::Read, Class::Files, answer)
    };
    names.into_iter().map(file).chain(TABLES.iter().map(table)).collect()
}

fn routes() -> Vec<Route> {
    let json = get(|s: Shown, q: Asked| answers::findings(s, q, Form::Json));
    let mut all = pages();
    all.extend(files());
    all.extend([
        shown("/findings", Need::Read, Class::Pages, get(answers::findings)),
        shown("/findings.json", Need::Read, Class::Pages, json),
        shown("/findings.csv", Need::Read, Class::Files, get(answers::findings_csv)),
        shown("/pages/{name}", Need::Read, Class::Files, get(answers::beside)),
        shown("/entries/{seq}", Need::Read, Class::Entries, get(entry::page)),
        open("GET", "/exports", Need::Whole, get(exports::list)),
        open(
            "GET",
            "/exports.json",
            Need::Whole,
            get(|site: State<Site>, v: Extension<Viewer>, s: Shown, q: Query<Wish>| {
                exports::list(site, v, s, q, Form::Json)
            }),
        ),
        open("POST", "/exports", Need::Whole, post(exports::wish)),
        open("GET", "/exports/{id}", Need::Whole, get(exports::one)),
        Route {
            class: Some(Class::Exports),
            ..open("GET", "/exports/{id}/bundle.zip", Need::Whole, get(exports::bundle))
        },
        shown("/population", Need::Whole, Class::Entries, get(population::page)),
        shown(
            "/population.json",
            Need::Whole,
            Class::Entries,
            get(|site: State<Site>, s: Shown, q: population::Asked| population::page(site, s, q, Form::Json)),
        ),
        shown("/population.csv", Need::Whole, Class::Entries, get(population::file)),
        shown("/reports", Need::Whole, Class::Pages, get(archive::list)),
        shown(
            "/reports.json",
            Need::Whole,
            Class::Pages,
            get(|site: State<Site>, s: Shown| archive::list(site, s, Form::Json)),
        ),
        shown("/reports/{as_of}/{*name}", Need::Whole, Class::Files, get(archive::file)),
        open("GET", "/status", Need::Service, get(service::status)),
        open("GET", "/healthz", Need::Nothing, get(service::health)),
        open("GET", "/readyz", Need::Nothing, get(service::ready)),
        open("GET", "/metrics", Need::Service, get(metrics::page)),
        open("POST", "/jobs/ingest", Need::Operate, post(service::ingest)),
        open("GET", "/login", Need::Nothing, get(access::form)),
        open("POST", "/login", Need::Nothing, post(access::begin)),
        open("GET", "/oidc/login", Need::Nothing, get(access::to_provider)),
        open("GET", "/oidc/callback", Need::Nothing, get(access::from_provider)),
        open("POST", "/logout", Need::Nothing, post(access::leave)),
        open("POST", "/webhooks/terraform/{source}", Need::Nothing, post(webhooks::receive)),
    ]);
    all
}

/// Method, path and need of every route.
pub fn table() -> Vec<(&'static str, String, Need)> {
    routes().into_iter().map(|r| (r.method, r.path, r.need)).collect()
}

/// The router over a site.
pub fn router(site: Site) -> Router {
    let mut router = Router::new();
    for Route { path, need, class, mut answer, .. } in routes() {
        if let Some(class) = class {
            // A bundle has a tag of its own, which goes with its parts.
            if class != Class::Exports {
                answer = answer.layer(middleware::from_fn_with_state(site.clone(), answers::unchanged));
            }
            answer = answer.layer(middleware::from_fn_with_state((site.clone(), class), answers::noted));
        }
        let guard = middleware::from_fn_with_state((site.clone(), need), access::guard);
        let route: Arc<str> = path.as_str().into();
        let counted = middleware::from_fn_with_state((site.clone(), route), metrics::counted);
        router = router.route(&path, answer.layer(guard).layer(counted));
    }
    router
        .fallback(async || answers::not_found())
        .method_not_allowed_fallback(async || {
            answers::said(StatusCode::METHOD_NOT_ALLOWED, "This is not done here.")
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER))
        .layer(middleware::from_fn_with_state(site.clone(), access::limited))
        .layer(middleware::from_fn_with_state(site.clone(), dressed))
        .with_state(site)
}

/// Gives a sentence in place of a page the form that was asked for, and every reply its headers: nothing but our own inline style
/// may be loaded, no page may be framed.
async fn dressed(State(site): State<Site>, request: Request, next: Next) -> Response {
    let form = Form::accepted(request.headers());
    let path = request.uri().path().to_owned();
    let accepts_html = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accepted| accepted.contains("text/html"));
    let mut response = next.run(request).await;
    if let Some(Said(text)) = response.extensions().get::<Said>().cloned() {
        let (parts, plain) = response.into_parts();
        let body = if form == Form::Json || path.ends_with(".json") {
            Some(Json(json!({ "error": text })).into_response())
        } else if accepts_html {
            html::notice(&text).ok().map(|page| Html(page).into_response())
        } else {
            None
        };
        response = Response::from_parts(parts, plain);
        if let Some(body) = body {
            let content_type = body.headers().get(header::CONTENT_TYPE).cloned();
            *response.body_mut() = body.into_body();
            response.headers_mut().remove(header::CONTENT_LENGTH);
            content_type.map(|value| response.headers_mut().insert(header::CONTENT_TYPE, value));
        }
    }
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let set = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    if site.is_secure() {
        // Browsers ask over TLS alone for a year from then on (RFC 6797).
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    for (name, value) in set {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
