//! Evidence on demand: the entries that were asked for, proofs, openings, the report, in one ZIP.

use super::report::{Scope, render};
use super::{AsOf, Desk, JobError, resolve};
use crate::evidence::record::ExportMade;
use crate::evidence::{Evidence, Kind, Time};
use crate::export::bundle::{self, Contents};
use crate::ledger::entry::blob_references;
use crate::report::Report;
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// From this time on, as recorded.
    pub from: Option<Time>,
    /// Up to this time.
    pub to: Option<Time>,
    /// Evidence of these systems.
    pub systems: Vec<String>,
    /// Evidence of these controls.
    pub controls: Vec<String>,
    /// Private values withheld.
    pub redact: bool,
}

/// What was handed out.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The ZIP.
    pub bytes: Vec<u8>,
    /// Size of the as-of.
    pub as_of: u64,
    /// Entries in it.
    pub entries: u64,
}

/// Makes a bundle, and writes down that it was made.
///
/// # Errors
/// The record does not verify; no assessment by then; the store's reason.
pub fn export(desk: &Desk, store: &mut Store, as_of: &AsOf, request: &Request) -> Result<Exported, JobError> {
    let size = resolve(desk, store, as_of)?;
    let formats = ["html", "pdf", "json", "csv"].map(str::to_owned);
    let rendered =
        render(desk, store, size, &Scope { systems: request.systems.clone(), from: request.from }, &formats)?;
    let (chosen, contiguous) = choose(store, &rendered.report, size, request)?;
    let leaves = &rendered.leaves[..usize::try_from(size).unwrap_or(usize::MAX).min(rendered.leaves.len())];
    let reader = store.reader();
    let (mut entries, mut blobs, mut openings) = (Vec::new(), BTreeMap::new(), Vec::new());
    for seq in &chosen {
        entries.push((*seq, reader.bytes(*seq)?));
        for sha256 in blob_references(&reader.entry(*seq)?.entry.payload) {
            if let Some(blob) = reader.blob(sha256)? {
                blobs.insert(blob.sha256, blob.bytes);
            }
        }
        openings.extend(reader.openings(*seq)?.into_iter().map(|o| (*seq, o)));
    }
    let mut reports = rendered.files;
    if let Some(csv) = reports.remove("report.csv") {
        reports.insert("findings.csv".into(), csv);
    }
    let contents = Contents {
        entries,
        leaves,
        blobs,
        openings: (!request.redact).then_some(openings),
        checkpoint: rendered.note,
        first_key: rendered.report.integrity.key.clone(),
        reports,
        scope: scope(&rendered.report, request),
        contiguous,
    };
    let (bytes, manifest) =
        bundle::write(&contents, &desk.signer).map_err(|e| JobError::Render(e.to_string()))?;
    let entries = chosen.len() as u64;
    let payload = ExportMade { as_of: size, entries, redacted: request.redact, manifest: manifest.clone() };
    let now = desk.clock.now();
    let entry = Evidence::event(
        Kind::ExportMade,
        "actledger",
        format!("{manifest} {now}"),
        "export".into(),
        now,
        &payload,
    );
    store.append(&desk.writer(), vec![entry])?;
    Ok(Exported { bytes, as_of: size, entries })
}

/// Sequence numbers that go in, and whether they are a contiguous range beside entry 0 and changes of key.
fn choose(
    store: &Store,
    report: &Report,
    size: u64,
    request: &Request,
) -> Result<(BTreeSet<u64>, bool), JobError> {
    let picked = !request.systems.is_empty() || !request.controls.is_empty();
    if !picked && request.from.is_none() && request.to.is_none() {
        return Ok(((0..size).collect(), true));
    }
    let mut chosen = BTreeSet::new();
    let reader = store.reader();
    reader.each(0, size, |p| {
        let t = p.entry.recorded_at;
        let within = request.from.is_none_or(|f| t >= f) && request.to.is_none_or(|e| t <= e);
        if p.seq == 0 || p.entry.kind == Kind::LedgerKey || within && !picked {
            chosen.insert(p.seq);
        }
        Ok(())
    })?;
    if picked {
        chosen.extend(cited(report, request));
        chosen.insert(size.saturating_sub(1));
    }
    Ok((chosen, !picked))
}

/// Entries that the findings of the asked systems and controls cite, and those of the systems themselves.
fn cited(report: &Report, request: &Request) -> BTreeSet<u64> {
    let system = |id: &str| request.systems.is_empty() || request.systems.iter().any(|s| s == id);
    let control = |id: &str| request.controls.is_empty() || request.controls.iter().any(|c| c == id);
    let findings = report
        .systems
        .iter()
        .filter(|s| system(&s.id))
        .flat_map(|s| &s.findings)
        .chain(&report.estate_findings);
    let units = findings.filter(|f| control(&f.control)).flat_map(|f| &f.units);
    let mut chosen: BTreeSet<u64> = units.flat_map(|u| u.evidence.iter().map(|e| e.seq)).collect();
    for s in report.systems.iter().filter(|s| system(&s.id)) {
        chosen.extend(s.entry);
        chosen.extend(s.risk_level.stated.iter().map(|x| x.entry));
        chosen.extend(s.runs.iter().map(|r| r.entry));
        chosen.extend(s.workloads.iter().map(|w| w.entry));
    }
    chosen
}

fn scope(report: &Report, request: &Request) -> String {
    let mut parts =
        vec![format!("{}, as of entry {} ({})", report.organization, report.as_of.size, report.as_of.at)];
    if report.demonstration {
        parts.push("a demonstration: every name and every fact is made up".into());
    }
    if !request.systems.is_empty() {
        parts.push(format!("systems: {}", request.systems.join(", ")));
    }
    if !request.controls.is_empty() {
        parts.push(format!("controls: {}", request.controls.join(", ")));
    }
    if let Some(from) = request.from {
        parts.push(format!("recorded from {from}"));
    }
    if let Some(to) = request.to {
        parts.push(format!("recorded up to {to}"));
    }
    parts.join("; ")
}
