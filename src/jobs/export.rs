//! Evidence on demand: the entries that were asked for, proofs, openings, the report, in one ZIP.

use super::report::{Rendered, render};
use super::{AsOf, Desk, JobError, Judged, resolve};
use crate::evidence::record::{AnchorMade, ExportMade};
use crate::evidence::{Evidence, Kind, Private, Time};
use crate::export::bundle::{self, Contents, Inclusion, Kept, KeyChange, Proofs, Stamp, base64_all};
use crate::ledger::header::{Header, sealed_in};
use crate::ledger::private::Erasures;
use crate::ledger::verify::root_base64;
use crate::ledger::{Checkpoint, Hash};
use crate::report::{Report, Scope};
use crate::store::{Reader, Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD};
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
    /// Who asks on the pages; none on the command line.
    pub viewer: Option<String>,
}

impl Request {
    /// What is asked for, as it is written down; none for everything.
    fn told(&self) -> Option<String> {
        let time = |word: &str, t: Option<Time>| t.map(|t| format!("{word} {t}"));
        let named =
            |what: &str, all: &[String]| all.iter().map(|x| format!("{what} {x}")).collect::<Vec<_>>();
        let mut parts = named("system", &self.systems);
        parts.extend(named("control", &self.controls));
        parts.extend(time("from", self.from).into_iter().chain(time("to", self.to)));
        (!parts.is_empty()).then(|| parts.join(", "))
    }
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

/// Makes a bundle, and writes down that it was made. `step` hears what is done next.
///
/// # Errors
/// The record does not verify; no assessment by then; the store's reason.
pub fn export(
    desk: &Desk,
    store: &mut Store,
    as_of: &AsOf,
    request: &Request,
    step: &dyn Fn(&'static str),
) -> Result<Exported, JobError> {
    step("the record is checked");
    let size = resolve(desk, store, as_of)?;
    let formats = ["html", "pdf", "json", "csv"].map(str::to_owned);
    let scope = Scope { systems: request.systems.clone(), from: request.from, team: None };
    let judged = Judged::of(desk, store, size)?;
    step("the report is made");
    let rendered = render(desk, store, &judged, &scope, &formats)?;
    step("entries and their proofs are read");
    let chosen = choose(store, &rendered.report, size, request)?;
    let contents = contents(&store.reader(), rendered, &chosen, request)?;
    let entries = contents.entries.len() as u64;
    step("it is packed and signed");
    let (bytes, manifest) =
        bundle::write(contents, &desk.signer).map_err(|e| JobError::Render(e.to_string()))?;
    let payload = ExportMade {
        as_of: size,
        entries,
        redacted: request.redact,
        manifest: manifest.clone(),
        viewer: request.viewer.clone().map(Private::of),
        asked: request.told(),
    };
    let (key, now) = (format!("{manifest} {}", desk.clock.now()), desk.clock.now());
    let entry = Evidence::event(Kind::ExportMade, "actledger", key, "export".into(), now, &payload);
    store.append(&desk.writer(), vec![entry])?;
    Ok(Exported { bytes, as_of: size, entries })
}

/// A bundle of an as-of with the entries from a number on, private values withheld.
///
/// # Errors
/// The record does not verify; the store's reason.
pub(super) fn redacted(desk: &Desk, store: &Store, as_of: u64, from: u64) -> Result<Vec<u8>, JobError> {
    let formats = ["html", "pdf", "json", "csv"].map(str::to_owned);
    let judged = Judged::of(desk, store, as_of)?;
    let rendered = render(desk, store, &judged, &Scope::default(), &formats)?;
    let request = Request { redact: true, ..Request::default() };
    let contents = contents(&store.reader(), rendered, &Chosen::Range(from, as_of), &request)?;
    let (bytes, _) = bundle::write(contents, &desk.signer).map_err(|e| JobError::Render(e.to_string()))?;
    Ok(bytes)
}

/// What goes into a bundle: everything or a range below a size, or what was picked.
enum Chosen {
    Range(u64, u64),
    Picked(BTreeSet<u64>),
}

fn choose(store: &Store, report: &Report, size: u64, request: &Request) -> Result<Chosen, JobError> {
    if request.systems.is_empty() && request.controls.is_empty() {
        let reader = store.reader();
        let from = request.from.map_or(Ok(0), |t| reader.first_recorded(t))?.min(size);
        let to = request.to.map_or(Ok(size), |t| reader.first_recorded(t.plus_millis(1)))?.clamp(from, size);
        return Ok(Chosen::Range(from, to));
    }
    let mut picked = cited(report, request);
    picked.insert(size.saturating_sub(1));
    Ok(Chosen::Picked(picked))
}

fn contents(
    reader: &Reader<'_>,
    rendered: Rendered,
    chosen: &Chosen,
    request: &Request,
) -> Result<Contents, JobError> {
    let own = OwnEntries::read(reader)?;
    let Rendered { report, note, files: mut reports, lacks } = rendered;
    if !lacks.is_empty() {
        return Err(JobError::Render(lacks.join("; ")));
    }
    let as_of = report.as_of.size;
    // The bundle is signed by the key of today: a change of key after the as-of belongs to it, with its checkpoint.
    let (size, note) =
        own.keys.last().filter(|(_, size, _)| *size > as_of).map_or((as_of, note), |k| (k.1, k.2.clone()));
    let checkpoint = Checkpoint::unchecked(&note).map_err(|e| JobError::Render(e.to_string()))?;
    let mut seqs: BTreeSet<u64> = match chosen {
        Chosen::Range(from, to) => (*from..*to).collect(),
        Chosen::Picked(picked) => picked.clone(),
    };
    seqs.extend(own.keys.iter().map(|(seq, _, _)| *seq).chain([0]));
    let proofs = match chosen {
        Chosen::Range(0, to) if *to == size => None,
        Chosen::Range(from, to) => Some(prove(reader, size, &seqs, Some((*from, *to)))?),
        Chosen::Picked(_) => Some(prove(reader, size, &seqs, None)?),
    };
    let change = |(seq, over, note): &(u64, u64, String)| {
        let entry = reader.entry(*seq)?.entry;
        let public_key = entry.payload["public_key"].as_str().unwrap_or_default().to_owned();
        let consistency = base64_all(&reader.consistency(*over, size)?);
        Ok(KeyChange { seq: *seq, public_key, checkpoint: note.clone(), consistency })
    };
    let keys = own.keys.iter().map(change).collect::<Result<_, StoreError>>()?;
    let (mut entries, mut blobs, mut openings) = (Vec::new(), BTreeMap::new(), Vec::new());
    for seq in seqs {
        let bytes = reader.bytes(seq)?;
        openings.extend(own.private(reader, seq, &bytes, &mut blobs)?);
        entries.push((seq, bytes));
    }
    if let Some(csv) = reports.remove("report.csv") {
        reports.insert("findings.csv".into(), csv);
    }
    let stamps = own.stamps(reader, size)?;
    let (first_key, scope) = (report.integrity.key.clone(), scope(&report, request));
    let openings = (!request.redact).then_some(openings);
    Ok(Contents {
        entries,
        checkpoint,
        note,
        proofs,
        keys,
        stamps,
        blobs,
        openings,
        first_key,
        reports,
        scope,
    })
}

fn prove(
    reader: &Reader<'_>,
    size: u64,
    seqs: &BTreeSet<u64>,
    range: Option<(u64, u64)>,
) -> Result<Proofs, JobError> {
    let base64 =
        |cover: Vec<(u32, Hash)>| cover.into_iter().map(|(h, hash)| (h, root_base64(&hash))).collect();
    let outside = seqs.iter().filter(|s| !range.is_some_and(|(from, to)| (from..to).contains(*s)));
    let one = |seq: &u64| Ok(Inclusion { seq: *seq, path: base64_all(&reader.inclusion(*seq, size)?) });
    let proofs = outside.map(one).collect::<Result<_, StoreError>>()?;
    let (left, right) = match range {
        Some((from, to)) => (base64(reader.cover(0, from)?), base64(reader.cover(to, size)?)),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Proofs { size, range, left, right, proofs })
}

/// Entries of our own that a bundle depends on, whatever was asked for.
struct OwnEntries {
    /// Changes of key: the entry, the size of the checkpoint over it, its note.
    keys: Vec<(u64, u64, String)>,
    erasures: Erasures,
    anchors: Vec<AnchorMade>,
}

impl OwnEntries {
    fn read(reader: &Reader<'_>) -> Result<OwnEntries, JobError> {
        let mut own =
            OwnEntries { keys: Vec::new(), erasures: Erasures::of(&reader.erasures()?), anchors: Vec::new() };
        reader.each(0, reader.size()?, |p| {
            match p.entry.kind {
                Kind::LedgerKey => {
                    let (size, note) = reader.covering(p.seq)?.unwrap_or_default();
                    own.keys.push((p.seq, size, note));
                }
                Kind::AnchorMade => own.anchors.extend(serde_json::from_value(p.entry.payload).ok()),
                _ => {}
            }
            Ok(())
        })?;
        Ok(own)
    }

    /// Private values of an entry and the blobs that it names.
    fn private(
        &self,
        reader: &Reader<'_>,
        seq: u64,
        bytes: &[u8],
        blobs: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<Vec<(u64, Kept)>, JobError> {
        let header = Header::read(bytes).ok_or(StoreError::Unreadable(seq))?;
        let mut sealed = header.sealed;
        for named in header.blobs {
            if let Some(blob) = reader.blob(named.sha256)? {
                sealed.extend(
                    (named.form == "json").then(|| sealed_in(&blob.bytes)).flatten().unwrap_or_default(),
                );
                blobs.insert(blob.sha256, blob.bytes);
            }
        }
        let mut kept: Vec<(u64, Kept)> =
            reader.openings(seq)?.into_iter().map(|o| (seq, Kept::Open(o))).collect();
        let open: BTreeSet<String> = kept
            .iter()
            .filter(|&(_, k)| matches!(k, Kept::Open(_)))
            .map(|(_, k)| k.commitment().to_owned())
            .collect();
        for s in sealed.into_iter().filter(|s| !open.contains(&s.commitment)) {
            let by = self.erasures.by(seq, &s.commitment).unwrap_or_default();
            kept.push((seq, Kept::Erased(s.commitment, by)));
        }
        Ok(kept)
    }

    /// Time-stamps of checkpoints up to a size.
    fn stamps(&self, reader: &Reader<'_>, size: u64) -> Result<Vec<Stamp>, JobError> {
        let mut found = Vec::new();
        for anchor in self.anchors.iter().filter(|a| a.size <= size) {
            let token = anchor.token.as_ref().and_then(|t| STANDARD.decode(t).ok());
            if let (Some(token), Some((_, note))) = (token, reader.checkpoint(anchor.size)?) {
                let consistency = base64_all(&reader.consistency(anchor.size, size)?);
                found.push(Stamp { size: anchor.size, consistency, note, token });
            }
        }
        Ok(found)
    }
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
