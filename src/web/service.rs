//! How the service is: for probes, for operators.

use super::access::Viewer;
use super::{Site, Snapshot, access::Need, answers};
use crate::config::cron;
use crate::report::Zone;
use crate::report::html::{self, Reader, Seen};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Whether the service works, and when it does what next.
pub(super) async fn status(State(site): State<Site>, Extension(viewer): Extension<Viewer>) -> Response {
    let config = &site.desk.config;
    let next = |expression: &str| {
        if config.demo.is_some() {
            return "none: this is a demonstration".to_owned();
        }
        let next = cron::next(expression, &config.timezone, site.desk.clock.now());
        next.map_or_else(|| "never".into(), |t| Zone::named(&config.timezone).minute(t))
    };
    let (ingest, report) = (next(&config.schedule.ingest), next(&config.schedule.report));
    let reader = if viewer.may(Need::Whole) { Reader::Auditor } else { Reader::Operator };
    match &*site.get() {
        Snapshot::Ready(ready) => {
            let seen = Seen { as_of: None, reader };
            answers::made(html::status(&ready.whole.report, &ingest, &report, seen))
        }
        other => answers::unready(other),
    }
}

/// Whether the process lives and the record holds.
pub(super) async fn health(State(site): State<Site>) -> Response {
    match &*site.get() {
        Snapshot::Ready(ready) => {
            format!("ok, as of entry {}\n", ready.whole.report.as_of.size).into_response()
        }
        Snapshot::Empty => "ok, no assessment yet\n".into_response(),
        Snapshot::Broken { first_bad, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the record does not verify: {first_bad}\n"))
                .into_response()
        }
    }
}
