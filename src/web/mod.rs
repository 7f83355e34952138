//! The pages: read-only, from the last assessment of a record that was checked. No script, nothing from outside. What comes in
//! is a notification at most, which makes a pass due.

mod answers;
mod auth;
mod pages;
mod webhooks;

pub use auth::{mac, token_sha256};
pub use pages::{Snapshot, load};
pub use webhooks::Webhooks;

use answers::Form;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use std::sync::{Arc, RwLock};

use crate::clock::Clock;
use crate::config::cron;
use crate::report::Zone;
use crate::report::html::{self, Page};

/// What the pages are served from; the daemon puts a new one in place after each assessment.
#[derive(Clone)]
pub struct Site {
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    tokens: Option<Arc<Vec<String>>>,
    ledger: std::path::PathBuf,
    webhooks: Arc<Webhooks>,
    plan: Option<Arc<Plan>>,
}

/// When jobs run next, for the status page.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Five-field cron of passes over the sources.
    pub ingest: String,
    /// Of the nightly report.
    pub report: String,
    /// The zone of both.
    pub timezone: String,
    /// The time.
    pub clock: Clock,
}

impl Site {
    /// A site over a snapshot. With tokens, every page but health asks for one of them (SHA-256, hex).
    pub fn new(snapshot: Snapshot, ledger: std::path::PathBuf, tokens: Option<Vec<String>>) -> Site {
        let snapshot = Arc::new(RwLock::new(Arc::new(snapshot)));
        Site { snapshot, tokens: tokens.map(Arc::new), ledger, webhooks: Arc::default(), plan: None }
    }

    /// With notifications that make passes due.
    pub fn with_webhooks(self, webhooks: Webhooks) -> Site {
        Site { webhooks: Arc::new(webhooks), ..self }
    }

    /// With what the status page says of the next runs.
    pub fn with_plan(self, plan: Plan) -> Site {
        Site { plan: Some(Arc::new(plan)), ..self }
    }

    /// Serves another snapshot from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        if let Ok(mut held) = self.snapshot.write() {
            *held = Arc::new(snapshot);
        }
    }

    fn get(&self) -> Arc<Snapshot> {
        match self.snapshot.read() {
            Ok(held) => Arc::clone(&held),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }
}

/// The page of a thing with an id.
type PageOf = fn(String) -> Page;

/// All routes. Every page is JSON too: with `.json` after its path, or where `Accept` asks for that.
pub fn router(site: Site) -> Router {
    let pages = [
        ("/", Page::First),
        ("/decisions", Page::Decisions),
        ("/systems", Page::Systems),
        ("/controls", Page::Controls),
        ("/sources", Page::Sources),
        ("/exceptions", Page::Exceptions),
        ("/integrity", Page::Integrity),
    ];
    let one: [(&str, PageOf); 3] =
        [("/systems/{id}", Page::System), ("/controls/{id}", Page::Control), ("/sources/{id}", Page::Source)];
    let mut routes = Router::new();
    for (path, page) in pages {
        let name = if path == "/" { "/first.json".to_owned() } else { format!("{path}.json") };
        let as_json = page.clone();
        routes = routes
            .route(path, get(move |s: State<Site>, form: Form| answers::page(s, page.clone(), form)))
            .route(&name, get(move |s: State<Site>| answers::page(s, as_json.clone(), Form::Json)));
    }
    for (path, page) in one {
        let answer =
            move |s: State<Site>, Path(id): Path<String>, form: Form| answers::one(s, page, id, form);
        routes = routes.route(path, get(answer));
    }
    routes
        .route("/findings", get(answers::findings))
        .route("/findings.json", get(|s: State<Site>, q: RawQuery| answers::findings(s, q, Form::Json)))
        .route("/findings.csv", get(answers::findings_csv))
        .route("/status", get(status))
        .route("/entries/{seq}", get(entry))
        .route("/pages/{name}", get(beside))
        .route("/report.html", get(|s: State<Site>| file(s, "report.html", "text/html; charset=utf-8")))
        .route("/report.pdf", get(|s: State<Site>| file(s, "report.pdf", "application/pdf")))
        .route("/report.json", get(|s: State<Site>| file(s, "report.json", "application/json")))
        .layer(middleware::from_fn_with_state(site.clone(), answers::unchanged))
        .layer(middleware::from_fn_with_state(site.clone(), auth::guard))
        .route("/healthz", get(health))
        .route("/webhooks/terraform/{source}", post(webhooks::receive))
        .layer(middleware::map_response(headers))
        .with_state(site)
}

/// Nothing but our own inline style may be loaded, no page may be framed.
async fn headers(mut response: Response) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    let set = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    for (name, value) in set {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether the service works, and when it does what next.
async fn status(State(site): State<Site>) -> Response {
    let next = |expression: fn(&Plan) -> &String| {
        let Some(p) = &site.plan else { return "none: this is a demonstration".to_owned() };
        let next = cron::next(expression(p), &p.timezone, p.clock.now());
        next.map_or_else(|| "never".into(), |t| Zone::named(&p.timezone).minute(t))
    };
    let (ingest, report) = (next(|p| &p.ingest), next(|p| &p.report));
    match &*site.get() {
        Snapshot::Ready { report: r, .. } => match html::status(r, &ingest, &report) {
            Ok(text) => Html(text).into_response(),
            Err(e) => failed(&e),
        },
        _ => answers::page(State(site), Page::First, Form::Html).await,
    }
}

/// A page of the document of a large estate.
async fn beside(State(site): State<Site>, Path(name): Path<String>) -> Response {
    match &*site.get() {
        Snapshot::Ready { files, .. } => match files.get(&format!("{}/{name}", html::PAGES)) {
            Some(bytes) if name.ends_with(".html") => {
                ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], bytes.clone()).into_response()
            }
            _ => not_found(),
        },
        _ => not_found(),
    }
}

async fn entry(State(site): State<Site>, Path(seq): Path<u64>) -> Response {
    let snapshot = site.get();
    let ledger = site.ledger.clone();
    match tokio::task::spawn_blocking(move || pages::entry(&snapshot, &ledger, seq)).await {
        Ok(Ok(Some(text))) => Html(text).into_response(),
        Ok(Ok(None)) => not_found(),
        Ok(Err(e)) => failed(&e),
        Err(e) => failed(&e),
    }
}

async fn file(State(site): State<Site>, name: &'static str, media_type: &'static str) -> Response {
    match &*site.get() {
        Snapshot::Ready { files, .. } => match files.get(name) {
            Some(bytes) => {
                let mut response = ([(header::CONTENT_TYPE, media_type)], bytes.clone()).into_response();
                // The document of a large estate has a script: the search of its index.
                let policy = format!("{}; frame-ancestors 'none'", html::search_policy());
                if name.ends_with(".html")
                    && let Ok(policy) = HeaderValue::from_str(&policy)
                {
                    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                }
                response
            }
            None => not_found(),
        },
        Snapshot::Broken { page, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, Html(page.clone())).into_response()
        }
        Snapshot::Empty => not_found(),
    }
}

async fn health(State(site): State<Site>) -> Response {
    match &*site.get() {
        Snapshot::Ready { report, .. } => format!("ok, as of entry {}\n", report.as_of.size).into_response(),
        Snapshot::Empty => "ok, no assessment yet\n".into_response(),
        Snapshot::Broken { first_bad, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the record does not verify: {first_bad}\n"))
                .into_response()
        }
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page in the last report.\n").into_response()
}

/// Internals stay in the log.
fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a page could not be made");
    (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be made; the log says why.\n").into_response()
}
