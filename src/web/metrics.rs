//! Figures for Prometheus, in its text format: how the service is, and how it answers.

use super::{Site, Snapshot, blocking, failed, service};
use crate::evidence::Time;
use crate::jobs::{JobError, Service};
use crate::report::Report;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cms::cert::x509::Certificate;
use der::Decode;
use prometheus::{
    Error, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Upper ends of the classes of answering times, in seconds.
const SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 5.0, 30.0];

/// How requests were answered since the start.
pub(super) struct Answered {
    count: IntCounterVec,
    seconds: HistogramVec,
}

impl Answered {
    pub(super) fn begin() -> Result<Answered, JobError> {
        let failed = |e: Error| JobError::Render(format!("metrics: {e}"));
        let count = Opts::new("actledger_http_requests_total", "Requests answered, by route and status.");
        let seconds = HistogramOpts::new(
            "actledger_http_request_seconds",
            "Time until the head of the answer, by route.",
        );
        Ok(Answered {
            count: IntCounterVec::new(count, &["route", "status"]).map_err(failed)?,
            seconds: HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["route"]).map_err(failed)?,
        })
    }
}

/// Counts an answer under the path of its route.
pub(super) async fn counted(
    State((site, route)): State<(Site, Arc<str>)>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let response = next.run(request).await;
    site.answered.count.with_label_values(&[&*route, response.status().as_str()]).inc();
    site.answered.seconds.with_label_values(&[&*route]).observe(begin.elapsed().as_secs_f64());
    response
}

pub(super) async fn page(State(site): State<Site>) -> Response {
    match blocking(move || text(&site)).await {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(e) => failed(&e),
    }
}

fn text(site: &Site) -> Result<String, JobError> {
    let service = service::read(site)?;
    let failed = |e: Error| JobError::Render(format!("metrics: {e}"));
    let all = Registry::new();
    all.register(Box::new(site.answered.count.clone())).map_err(failed)?;
    all.register(Box::new(site.answered.seconds.clone())).map_err(failed)?;
    let snapshot = site.get();
    let figures = Figures(&all);
    figures.of_service(&service).map_err(failed)?;
    let intact = match &*snapshot {
        Snapshot::Broken { .. } => 0.0,
        _ => 1.0,
    };
    if let Some(ends) = site.desk.config.web.certificate.as_deref().and_then(expires) {
        let help = "When the certificate of the pages ends, in seconds since 1970.";
        figures
            .one("actledger_certificate_expires_timestamp_seconds", help, Figures::time(ends))
            .map_err(failed)?;
    }
    figures
        .one(
            "actledger_record_intact",
            "1 while the record verified when it was last checked, 0 when it did not.",
            intact,
        )
        .map_err(failed)?;
    if let Snapshot::Ready(ready) = &*snapshot {
        figures.of_report(&ready.whole.report).map_err(failed)?;
    }
    TextEncoder::new().encode_to_string(&all.gather()).map_err(failed)
}

/// When a certificate in a file ends; none where it does not read as one.
fn expires(path: &Path) -> Option<Time> {
    let pem = CertificateDer::from_pem_file(path).ok()?;
    let validity = Certificate::from_der(&pem).ok()?.tbs_certificate.validity;
    i64::try_from(validity.not_after.to_unix_duration().as_secs()).ok().map(Time::from_seconds)
}

struct Figures<'a>(&'a Registry);

impl Figures<'_> {
    #[expect(clippy::cast_precision_loss, reason = "Prometheus has floats alone: exact up to 2^53")]
    fn number(n: u64) -> f64 {
        n as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact")]
    fn time(t: Time) -> f64 {
        t.seconds() as f64
    }

    fn one(&self, name: &str, help: &str, value: f64) -> Result<(), Error> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.0.register(Box::new(gauge))
    }

    fn many(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn of_service(&self, s: &Service) -> Result<(), Error> {
        self.one("actledger_ledger_entries", "Entries of the record.", Self::number(s.size))?;
        self.one("actledger_mails_waiting", "Mails that were queued and not sent.", Self::number(s.waiting))?;
        if let Some(oldest) = s.oldest {
            let help = "The night of the oldest mail that waits, in seconds since 1970.";
            self.one("actledger_mail_oldest_timestamp_seconds", help, Self::time(oldest))?;
        }
        if let Some(issued) = s.issued {
            let help = "When the last report was issued, in seconds since 1970.";
            self.one("actledger_report_issued_timestamp_seconds", help, Self::time(issued))?;
        }
        let labels = ["source", "kind"];
        let read = "When a source was last read, in seconds since 1970.";
        let read = self.many("actledger_source_read_timestamp_seconds", read, &labels)?;
        let complete = "1 when the last look at a source came to its end, 0 when it did not.";
        let complete = self.many("actledger_source_complete", complete, &labels)?;
        let faults = self.many("actledger_source_faults", "Faults of the last look at a source.", &labels)?;
        for source in s.sources.iter().filter(|s| s.off.is_none()) {
            let labels = [source.name.as_str(), source.kind.name()];
            let is_complete = source.last.as_ref().is_some_and(|(_, run)| run.complete);
            complete.with_label_values(&labels).set(if is_complete { 1.0 } else { 0.0 });
            if let Some((at, run)) = &source.last {
                read.with_label_values(&labels).set(Self::time(*at));
                faults.with_label_values(&labels).set(Self::number(run.fault_count));
            }
        }
        Ok(())
    }

    fn of_report(&self, r: &Report) -> Result<(), Error> {
        let help = "The time that the last assessment judged from, in seconds since 1970.";
        self.one("actledger_as_of_timestamp_seconds", help, Self::time(r.as_of.at))?;
        let help = "Coverage of a source in the last report, by what was expected and what was seen, in its own unit.";
        let coverage = IntGaugeVec::new(Opts::new("actledger_coverage", help), &["source", "what", "unit"])?;
        self.0.register(Box::new(coverage.clone()))?;
        for c in &r.coverage {
            let units = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            for (what, n) in [("expected", c.expected), ("seen", c.seen)] {
                coverage.with_label_values(&[c.source.as_str(), what, c.unit.as_str()]).set(units(n));
            }
        }
        let help = "Findings of the last report by status; open are those not satisfied and not accepted.";
        let findings = self.many("actledger_findings", help, &["status"])?;
        let counts = &r.totals.counts;
        for (status, n) in [
            ("satisfied", counts.satisfied),
            ("not-satisfied", counts.not_satisfied),
            ("not-assessed", counts.not_assessed),
            ("not-applicable", counts.not_applicable),
            ("open", r.totals.open),
        ] {
            findings.with_label_values(&[status]).set(Self::number(n));
        }
        Ok(())
    }
}
