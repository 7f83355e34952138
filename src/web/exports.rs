//! Evidence on demand: a bundle is made in the background, one at a time, handed out in parts as often as asked, and kept for a
//! day. What is handed out is the same as `actledger export` writes, and its entry says who asked for what.

use super::access::Viewer;
use super::answers::{Form, Shown, made, not_found, said};
use super::{Site, failed, past};
use crate::clock::Randomness;
use crate::evidence::{DAY, Time, hex, sha256_hex};
use crate::jobs::{self, AsOf, JobError, Request};
use crate::report::Zone;
use crate::report::html::{self, ExportRow, Wish};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// How many wait or are made at once, of everybody.
const WAITING: usize = 10;
/// How many are kept, of everybody: the oldest goes first.
const KEPT: usize = 20;
/// How long one is kept.
const KEPT_SECONDS: i64 = DAY;

/// How far one is.
#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Waiting,
    Making(&'static str),
    Ready { sha256: String, bytes: u64, entries: u64, as_of: u64 },
    Failed(String),
}

#[derive(Clone, Debug)]
struct Wished {
    id: String,
    holder: String,
    asked: String,
    at: Time,
    state: Stage,
}

/// All that are kept.
pub(super) struct Exports {
    all: Mutex<Vec<Wished>>,
    folder: PathBuf,
}

/// One at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Exports {
    /// An empty folder beside the ledger, of a name that is ours alone: what an earlier process made is known to nobody any more.
    ///
    /// # Errors
    /// The folder cannot be made or emptied.
    pub(super) fn begin(ledger: &std::path::Path) -> Result<Exports, JobError> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = ledger.with_extension("web-exports");
        let failed = |e| JobError::Io(format!("cannot empty {}", folder.display()), e);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        Ok(Exports { all: Mutex::default(), folder })
    }

    fn file(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.zip"))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Wished>) -> T) -> T {
        f(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes away what was kept long enough.
    pub(super) fn forget(&self, now: Time) {
        let is_over = |w: &Wished| now.seconds() - w.at.seconds() > KEPT_SECONDS;
        let over: Vec<Wished> = self.with(|all| {
            let mut many = all.len().saturating_sub(KEPT);
            let is_out = |w: &mut Wished| {
                let is_out = !w.is_open() && (is_over(w) || many > 0);
                many -= usize::from(is_out && many > 0);
                is_out
            };
            all.extract_if(.., is_out).collect()
        });
        for wished in over {
            let _ = std::fs::remove_file(self.file(&wished.id));
        }
    }

    fn set(&self, id: &str, state: Stage) {
        self.with(|all| all.iter_mut().filter(|w| w.id == id).for_each(|w| w.state = state.clone()));
    }

    /// One's own.
    fn of(&self, viewer: &Viewer) -> Vec<Wished> {
        self.with(|all| all.iter().rev().filter(|w| w.holder == viewer.holder).cloned().collect())
    }
}

impl Wished {
    fn is_open(&self) -> bool {
        matches!(self.state, Stage::Waiting | Stage::Making(_))
    }

    fn row(&self, zone: &Zone) -> ExportRow {
        let state = match &self.state {
            Stage::Waiting => "waits for its turn".to_owned(),
            Stage::Making(step) => format!("is being made: {step}"),
            Stage::Ready { entries, as_of, bytes, .. } => {
                format!("{entries} entries, as of entry {as_of}, {bytes} bytes")
            }
            Stage::Failed(why) => why.clone(),
        };
        let sha256 = match &self.state {
            Stage::Ready { sha256, .. } => Some(sha256.clone()),
            _ => None,
        };
        let ends = zone.minute(self.at.plus_seconds(KEPT_SECONDS));
        ExportRow {
            id: self.id.clone(),
            asked: self.asked.clone(),
            at: zone.minute(self.at),
            ends,
            state,
            sha256,
        }
    }
}

/// The page on which one is asked for, with those that are kept.
pub(super) async fn list(
    State(site): State<Site>,
    Extension(viewer): Extension<Viewer>,
    shown: Shown,
    axum::extract::Query(wish): axum::extract::Query<Wish>,
    form: Form,
) -> Response {
    site.exports.forget(site.desk.clock.now());
    let zone = Zone::named(&site.desk.config.timezone);
    let own = site.exports.of(&viewer);
    let rows: Vec<ExportRow> = own.iter().map(|w| w.row(&zone)).collect();
    match form {
        Form::Json => Json(json!({ "exports": rows })).into_response(),
        Form::Html => made(html::exports(&shown.view.report, &wish, &rows, shown.seen)),
    }
}

/// Puts one among those that wait.
pub(super) async fn wish(
    State(site): State<Site>,
    Extension(viewer): Extension<Viewer>,
    shown: Shown,
    axum::Form(wish): axum::Form<Wish>,
) -> Response {
    let (as_of, request) = match understood(&site, &viewer, &shown, &wish) {
        Ok(understood) => understood,
        Err(why) => return said(StatusCode::BAD_REQUEST, &format!("This cannot be exported: {why}.")),
    };
    let id = match Randomness::System.bytes("export") {
        Ok(random) => hex(&random[..8]),
        Err(e) => return failed(&e),
    };
    let (now, asked) = (site.desk.clock.now(), wish.told());
    site.exports.forget(now);
    let wished = Wished { id: id.clone(), holder: viewer.holder, asked, at: now, state: Stage::Waiting };
    let has_place = site.exports.with(|all| {
        let has_place = all.iter().filter(|w| w.is_open()).count() < WAITING;
        if has_place {
            all.push(wished);
        }
        has_place
    });
    if !has_place {
        let why = format!("{WAITING} exports wait already; ask again when one of them is made.");
        return said(StatusCode::SERVICE_UNAVAILABLE, &why);
    }
    let leads_to = format!("/exports/{id}");
    tokio::task::spawn_blocking(move || make(&site, &id, &as_of, &request));
    Redirect::to(&leads_to).into_response()
}

fn understood(site: &Site, viewer: &Viewer, shown: &Shown, wish: &Wish) -> Result<(AsOf, Request), String> {
    let zone = Zone::named(&site.desk.config.timezone);
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (from, to) = zone.between(&wish.from, &wish.to)?;
    let report = &shown.view.report;
    let (systems, controls) = (filled(&wish.system), filled(&wish.control));
    if let Some(id) = systems.as_ref().filter(|id| !report.systems.iter().any(|s| s.id == **id)) {
        return Err(format!("no system is named {id:?}"));
    }
    if let Some(id) = controls.as_ref().filter(|id| site.desk.catalogue.control(id).is_none()) {
        return Err(format!("no control is named {id:?}"));
    }
    let as_of = filled(&wish.as_of).map(|text| past::as_of(&text, &zone)).transpose()?;
    let as_of = as_of.unwrap_or(AsOf::Size(report.as_of.size));
    let (systems, controls) = (systems.into_iter().collect(), controls.into_iter().collect());
    let viewer = Some(viewer.name.clone().unwrap_or_else(|| "somebody on this machine".into()));
    Ok((as_of, Request { from, to, systems, controls, redact: wish.is_redacted(), viewer }))
}

fn make(site: &Site, id: &str, as_of: &AsOf, request: &Request) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let step = |step| site.exports.set(id, Stage::Making(step));
    let work = || {
        site.desk.store().and_then(|mut store| {
            let exported = jobs::export(&site.desk, &mut store, as_of, request, &step)?;
            let path = site.exports.file(id);
            let failed = |e| JobError::Io(format!("cannot write {}", path.display()), e);
            jobs::put(&path, &exported.bytes).map_err(failed)?;
            Ok(exported)
        })
    };
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.unwrap_or_else(|_| Err(JobError::Render("it ended in a panic".into())));
    let state = match done {
        Ok(e) => Stage::Ready {
            sha256: sha256_hex(&e.bytes),
            bytes: e.bytes.len() as u64,
            entries: e.entries,
            as_of: e.as_of,
        },
        Err(e @ JobError::AsOf(_)) => Stage::Failed(format!("was not made: {e}")),
        Err(e) => {
            tracing::error!(error = &e as &dyn std::error::Error, id, "an export could not be made");
            Stage::Failed(format!("could not be made; the log of the service says why, under {id}"))
        }
    };
    site.exports.set(id, state);
}

/// How far one is.
pub(super) async fn one(
    State(site): State<Site>,
    Extension(viewer): Extension<Viewer>,
    shown: Shown,
    Path(id): Path<String>,
    form: Form,
) -> Response {
    let Some(wished) = site.exports.of(&viewer).into_iter().find(|w| w.id == id) else { return not_found() };
    let row = wished.row(&Zone::named(&site.desk.config.timezone));
    let mut response = match form {
        Form::Json => Json(&row).into_response(),
        Form::Html => made(html::export(&shown.view.report, &row, wished.is_open(), shown.seen)),
    };
    if wished.is_open() {
        response.headers_mut().insert("refresh", HeaderValue::from_static("2"));
    }
    response
}

/// The bundle; a part of it where that is asked for (RFC 9110, 14.2), so that what was cut off goes on.
pub(super) async fn bundle(
    State(site): State<Site>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<String>,
    mut request: axum::extract::Request,
) -> Response {
    let own = site.exports.of(&viewer).into_iter().find(|w| w.id == id);
    let Some(Stage::Ready { as_of, sha256, .. }) = own.map(|w| w.state) else { return not_found() };
    // A part of another file than the one that was begun is none (RFC 9110, 13.1.5).
    let tag = format!("\"{sha256}\"");
    if request.headers().get(header::IF_RANGE).is_some_and(|given| given.as_bytes() != tag.as_bytes()) {
        request.headers_mut().remove(header::RANGE);
    }
    let served = ServeFile::new(site.exports.file(&id)).oneshot(request).await;
    let mut response = match served {
        Ok(response) => response.map(axum::body::Body::new),
        Err(never) => match never {},
    };
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"actledger-{as_of}-{}.zip\"", &id[..6])),
        (header::ETAG, tag),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
