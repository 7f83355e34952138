//! Making reports: of an earlier assessment, and the nightly one with everything that goes with it.

use super::assess::judge;
use super::judged::Judged;
use super::{Desk, IngestStatus, JobError, ingest, pages, press};
use crate::evidence::record::ReportIssued;
use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use crate::ledger::note::NoteError;
use crate::ledger::{Checkpoint, Entry, Verifier};
use crate::report::{Report, Scope, csv, html, json};
use crate::store::Store;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which assessment a report is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum AsOf {
    /// The last one.
    Latest,
    /// The last one whose checkpoint is not over this size.
    Size(u64),
    /// The last one judged not after this time.
    Time(Time),
    /// The last one not over a signed checkpoint.
    Checkpoint(String),
}

/// A report in its forms.
pub struct Rendered {
    /// The view model.
    pub report: Report,
    /// Checkpoint note over the as-of.
    pub note: String,
    /// File name to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Why forms that were asked for are not among them.
    pub lacks: Vec<String>,
}

/// File name to bytes, and what is missing.
pub type Forms = (BTreeMap<String, Vec<u8>>, Vec<String>);

/// A report that was issued and kept.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Where it lies.
    pub folder: PathBuf,
    /// Size of its as-of.
    pub as_of: u64,
}

/// The forms of a report as they were issued.
pub struct AsIssued {
    /// File name to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
    /// When every entry below the as-of was verified.
    pub verified_at: Time,
}

/// What a night came to.
pub struct ReportStatus {
    /// The pass over the sources.
    pub ingest: IngestStatus,
    /// The report.
    pub issued: Issued,
    /// Mails that were queued.
    pub queued: u64,
    /// What they and the pages are made from.
    pub judged: Judged,
}

/// Size of the as-of that answers a question.
///
/// # Errors
/// No assessment by then, or a checkpoint that this key did not sign or that is no prefix of this ledger.
pub fn resolve(desk: &Desk, store: &Store, as_of: &AsOf) -> Result<u64, JobError> {
    let reader = store.reader();
    let limit = match as_of {
        AsOf::Size(n) => *n,
        AsOf::Latest | AsOf::Time(_) => reader.size()?,
        AsOf::Checkpoint(text) => {
            let origin = desk.signer.verifier().name();
            let found = Checkpoint::find(origin, text)
                .ok_or_else(|| JobError::AsOf(format!("no checkpoint of {origin} in it")))?;
            let wrong = |e: NoteError| JobError::AsOf(e.to_string());
            // Any key of this ledger, in its span: that the entries lead from one to the next is checked with them.
            let size = Checkpoint::unchecked(&found).map_err(wrong)?.size.min(reader.size()?);
            let key = Verifier::parse(&reader.last_key(size)?).map_err(wrong)?;
            let said = key.open(&found).and_then(Checkpoint::parse).map_err(wrong)?;
            if said.size > reader.size()? || reader.root_at(said.size)? != said.root {
                return Err(JobError::AsOf("the checkpoint is no prefix of this ledger".into()));
            }
            said.size
        }
    };
    let early = |t: Time| !matches!(as_of, AsOf::Time(limit) if t > *limit);
    let found = reader.rfind(limit, |e| e.kind == Kind::AssessmentRun && early(e.occurred_at))?;
    let none = || JobError::AsOf("no assessment was made by then: run `actledger assess`".into());
    found.map(|p| p.seq + 1).ok_or_else(none)
}

/// The view model of an as-of, from a record that is checked on the way.
///
/// # Errors
/// See [`Judged::of`].
pub fn view(desk: &Desk, store: &Store, size: u64, scope: &Scope) -> Result<Report, JobError> {
    Judged::of(desk, store, size)?.report(store, scope)
}

/// Forms of a report, each with the name of its file.
const FORMS: [(&str, &str); 6] = [
    ("html", "report.html"),
    ("pdf", "report.pdf"),
    ("json", "report.json"),
    ("csv", "report.csv"),
    ("oscal", "report.oscal.json"),
    ("ocsf", "report.ocsf.ndjson"),
];

/// The form that a file of a report is of; that of `html` for the pages beside it.
pub fn format_of(file: &str) -> Option<&'static str> {
    if file.starts_with(html::PAGES) {
        return Some("html");
    }
    FORMS.iter().find(|(_, name)| *name == file).map(|(format, _)| *format)
}

/// Makes the asked forms of a report: html, pdf, json, csv, oscal, ocsf.
///
/// # Errors
/// The store's reason; a form that cannot be made.
pub fn render(
    desk: &Desk,
    store: &Store,
    judged: &Judged,
    scope: &Scope,
    formats: &[String],
) -> Result<Rendered, JobError> {
    let report = judged.report(store, scope)?;
    let note = report.integrity.checkpoint.clone();
    let (files, lacks) = forms(desk, &report, formats)?;
    Ok(Rendered { report, note, files, lacks })
}

/// The asked forms of a view model, by file name, and why some that were asked for are not among them.
///
/// # Errors
/// A form that cannot be made.
pub fn forms(desk: &Desk, report: &Report, formats: &[String]) -> Result<Forms, JobError> {
    let (mut files, mut lacks) = (BTreeMap::new(), Vec::new());
    for format in formats {
        let bytes = match format.as_str() {
            "html" => {
                let pages = html::document(report).map_err(|e| JobError::Render(e.to_string()))?;
                files.extend(pages.into_iter().map(|(name, page)| (name, page.into_bytes())));
                files.extend(pages::sums(&files));
                continue;
            }
            // A PDF that cannot be set holds up no report and no mail.
            "pdf" => match press::set(desk, report) {
                Ok(bytes) => bytes,
                Err(e) => {
                    tracing::error!(error = &e as &dyn std::error::Error, "there is no PDF of this report");
                    lacks.push(e.to_string());
                    continue;
                }
            },
            "json" => json::bytes(report),
            "csv" => csv::render(report).into_bytes(),
            "oscal" => crate::export::oscal::render(report).into_bytes(),
            "ocsf" => crate::export::ocsf::render(report).into_bytes(),
            _ => Vec::new(),
        };
        let name = FORMS.iter().find(|(form, _)| form == format).map(|(_, name)| (*name).to_owned());
        let name = name.ok_or_else(|| JobError::Render(format!("no such format: {format}")))?;
        files.insert(name, bytes);
    }
    Ok((files, lacks))
}

/// The nightly job: ingest, assess, report, queue mail.
///
/// # Errors
/// The record does not verify; the store's reason; an output that cannot be made.
pub fn nightly(
    desk: &Desk,
    store: &mut Store,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<ReportStatus, JobError> {
    let _lock = desk.lock("report")?;
    super::intact(desk, store)?;
    let status = ingest(desk, store, &[], progress)?;
    let judged = judge(desk, store, true)?;
    let formats = ["html", "pdf", "json"].map(str::to_owned);
    let rendered = render(desk, store, &judged, &Scope::default(), &formats)?;
    let (issued, entry) = keep(desk, &rendered)?;
    // A night that is done has its mails queued: both are one commit.
    let mails = super::outbox::queued(desk, &rendered.report);
    let queued = mails.len() as u64;
    store.append(&desk.writer(), std::iter::once(entry).chain(mails))?;
    super::anchor(desk, store, true)?;
    Ok(ReportStatus { ingest: status, issued, queued, judged })
}

/// Forms of a report: as issued where they are kept unchanged, else made again.
///
/// # Errors
/// See [`render`].
pub(super) fn files(
    desk: &Desk,
    store: &Store,
    judged: &Judged,
    scope: &Scope,
    formats: &[String],
) -> Result<BTreeMap<String, Vec<u8>>, JobError> {
    let is_whole = *scope == Scope::default();
    let issued = if is_whole { issued(desk, store, judged.size())? } else { None };
    let kept = |issued: &ReportIssued| {
        formats.iter().filter_map(|f| pages::kept(desk, issued, f)).flatten().collect()
    };
    let mut files: BTreeMap<String, Vec<u8>> = issued.as_ref().map(kept).unwrap_or_default();
    let is_missing = |format: &&String| !files.keys().any(|name| format_of(name) == Some(format));
    let missing: Vec<String> = formats.iter().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        files.extend(render(desk, store, judged, scope, &missing)?.files);
    }
    Ok(files)
}

/// A file of the whole report, where it is kept as it was issued.
///
/// # Errors
/// The store's reason; an entry that is not under the signed checkpoint.
pub fn kept(desk: &Desk, store: &Store, size: u64, name: &str) -> Result<Option<Vec<u8>>, JobError> {
    Ok(issued(desk, store, size)?.and_then(|issued| pages::one(desk, &issued, name)))
}

/// The entry of the report that was issued of an as-of, proved to be under the signed checkpoint.
fn issued(desk: &Desk, store: &Store, as_of: u64) -> Result<Option<ReportIssued>, JobError> {
    store.catch_up()?;
    for seq in store.state().own_events(Kind::ReportIssued)?.into_iter().rev() {
        let proved = store.reader().proved(seq, desk.signer.verifier())?;
        let entry: Option<Entry> = serde_json::from_slice(&proved.bytes).ok();
        let issued = entry.and_then(|e| serde_json::from_value::<ReportIssued>(e.payload).ok());
        if let Some(issued) = issued.filter(|i| i.as_of == as_of) {
            return Ok(Some(issued));
        }
    }
    Ok(None)
}

/// The asked forms of the whole report as it was issued; none when one of them is not kept. Nothing but that entry and
/// the files is read.
///
/// # Errors
/// The store's reason; an entry that is not under the signed checkpoint.
pub fn as_issued(
    desk: &Desk,
    store: &Store,
    size: u64,
    formats: &[String],
) -> Result<Option<AsIssued>, JobError> {
    let Some(issued) = issued(desk, store, size)? else { return Ok(None) };
    let kept: Option<Vec<_>> = formats.iter().map(|format| pages::kept(desk, &issued, format)).collect();
    Ok(kept.map(|kept| AsIssued { files: kept.into_iter().flatten().collect(), verified_at: issued.at }))
}

pub(super) fn folder(desk: &Desk, at: Time, as_of: u64) -> PathBuf {
    desk.config.reports_dir.join(folder_name(at, as_of))
}

/// What the folder of an issued report is called.
pub(super) fn folder_name(at: Time, as_of: u64) -> String {
    format!("{}-{as_of}", at.to_string()[..10].replace('-', ""))
}

/// Keeps a report as issued, by digest. What is to be written down of it comes back.
fn keep(desk: &Desk, rendered: &Rendered) -> Result<(Issued, Evidence), JobError> {
    let (at, as_of) = (rendered.report.as_of.at, rendered.report.as_of.size);
    let folder = folder(desk, at, as_of);
    let failed = |e| JobError::Io(format!("cannot write the report to {}", folder.display()), e);
    for (name, bytes) in &rendered.files {
        super::put(&folder.join(name), bytes).map_err(failed)?;
    }
    let told = rendered.files.iter().filter(|(name, _)| !pages::is_in_sums(name));
    let files = told.map(|(n, b)| (n.clone(), sha256_hex(b))).collect();
    let payload = ReportIssued { as_of, at, scheduled: true, files };
    let entry =
        Evidence::event(Kind::ReportIssued, "actledger", format!("{as_of}"), "report".into(), at, &payload);
    Ok((Issued { folder, as_of }, entry))
}
