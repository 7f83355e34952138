//! How the service is: for probes, for operators, and what operators may begin.

use super::access::{Need, Viewer};
use super::{Site, Snapshot, answers, blocking, failed};
use crate::config::cron;
use crate::jobs::{self, JobError, Service};
use crate::report::Zone;
use crate::report::html::{self, HowItIs, Reader, Seen, SourceRow};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How late a report or a mail is told as late.
const LATE_SECONDS: i64 = 6 * 3_600;

/// How long what was read is told again: whoever asks often makes no work.
const FRESH: Duration = Duration::from_secs(3);

/// How it was when it was last read.
#[derive(Default)]
pub(super) struct Now(Mutex<Option<(Instant, Arc<Service>)>>);

pub(super) fn read(site: &Site) -> Result<Arc<Service>, JobError> {
    let mut held = site.service.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, service)) = held.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        return Ok(Arc::clone(service));
    }
    let service = Arc::new(jobs::service(&site.desk, &site.desk.store()?)?);
    *held = Some((Instant::now(), Arc::clone(&service)));
    Ok(service)
}

/// Each source's last run, the next runs, coverage and errors, mails that wait.
pub(super) async fn status(State(site): State<Site>, Extension(viewer): Extension<Viewer>) -> Response {
    let reader = if viewer.may(Need::Whole) { Reader::Auditor } else { Reader::Operator };
    let reading = site.clone();
    let service = match blocking(move || read(&reading)).await {
        Ok(service) => service,
        Err(e) => return failed(&e),
    };
    let seen = Seen { as_of: None, reader, is_signed_in: viewer.is_session };
    match &*site.get() {
        Snapshot::Ready(ready) => {
            let status = told(&site, &service, viewer.may(Need::Operate));
            answers::made(html::status(&ready.whole.report, &status, seen))
        }
        other => answers::unready(other, &viewer),
    }
}

fn told(site: &Site, service: &Service, may_begin: bool) -> HowItIs {
    let config = &site.desk.config;
    let zone = Zone::named(&config.timezone);
    let next = |expression: &str| {
        if config.demo.is_some() {
            return "none: this is a demonstration".to_owned();
        }
        let next = cron::next(expression, &config.timezone, site.desk.clock.now());
        next.map_or_else(|| "never".into(), |t| zone.minute(t))
    };
    let row = |s: &jobs::SourceNow| SourceRow {
        name: s.name.clone(),
        read: s.last.as_ref().map_or_else(|| "never".into(), |(at, _)| zone.minute(*at)),
        what: s.last.as_ref().map_or_else(String::new, |(_, run)| run.read.clone()),
        entries: s.last.as_ref().map_or(0, |(_, run)| run.entries),
        state: s.told(),
    };
    HowItIs {
        ingest: next(&config.schedule.ingest),
        report: next(&config.schedule.report),
        size: service.size,
        issued: service.issued.map_or_else(|| "none".into(), |t| zone.minute(t)),
        waiting: service.waiting,
        oldest: service.oldest.map(|t| zone.minute(t)),
        sources: service.sources.iter().map(row).collect(),
        may_begin: may_begin && config.demo.is_none(),
    }
}

/// Whether the process lives and the record holds.
pub(super) async fn health(State(site): State<Site>) -> Response {
    match &*site.get() {
        Snapshot::Ready(ready) => {
            format!("ok, as of entry {}\n", ready.whole.report.as_of.size).into_response()
        }
        Snapshot::Empty => "ok, no assessment yet\n".into_response(),
        Snapshot::Broken { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "the record does not verify\n").into_response()
        }
    }
}

/// Whether pages can be asked for. What is late is told and takes no page away: people are told of it by mail and on the pages.
pub(super) async fn ready(State(site): State<Site>) -> Response {
    let assessed = match &*site.get() {
        Snapshot::Ready(_) => Ok("assessment ok"),
        Snapshot::Empty => Err("assessment none yet"),
        Snapshot::Broken { .. } => Err("record does not verify"),
    };
    let reading = site.clone();
    let read = blocking(move || read(&reading)).await;
    let mut text = format!("{}\n", assessed.unwrap_or_else(|why| why));
    let now = site.desk.clock.now();
    let late = |t: crate::evidence::Time| now.seconds() - t.seconds() > LATE_SECONDS;
    let is_read = match read {
        Ok(s) => {
            let config = &site.desk.config;
            let due = s.issued.and_then(|t| cron::next(&config.schedule.report, &config.timezone, t));
            let is_late = due.is_some_and(late) && config.demo.is_none();
            let incomplete = s
                .sources
                .iter()
                .filter(|s| s.off.is_none() && !s.last.as_ref().is_some_and(|l| l.1.complete))
                .count();
            let word = |is_late| if is_late { "late" } else { "ok" };
            let _ = writeln!(text, "ledger ok, {} entries", s.size);
            let _ = writeln!(text, "report {}", word(is_late));
            let _ =
                writeln!(text, "sources {} of {} complete", s.sources.len() - incomplete, s.sources.len());
            let _ = writeln!(text, "mails {}, {} waiting", word(s.oldest.is_some_and(late)), s.waiting);
            true
        }
        Err(_) => {
            text.push_str("ledger cannot be read\n");
            false
        }
    };
    let status = if assessed.is_ok() && is_read { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

/// Makes a pass over all sources due: it begins within a minute.
pub(super) async fn ingest(State(site): State<Site>) -> Response {
    if site.desk.config.demo.is_some() {
        return answers::said(
            StatusCode::CONFLICT,
            "A demonstration has lived through its nights and reads nothing more.",
        );
    }
    for (_, source) in site.desk.config.sources().filter(|(_, s)| s.collect) {
        site.desk.hints.add(&source.name, Vec::new());
    }
    Redirect::to("/status").into_response()
}
