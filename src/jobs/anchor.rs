//! Giving outside witnesses what is new: entries and checkpoint to the archive, each night's checkpoint to be stamped.
//! One that is down is written down as such, and tried again by the next job.

use super::{Desk, JobError, issued};
use crate::anchors::AnchorError;
use crate::anchors::archive::{self, Copy};
use crate::anchors::timestamp::{self, Authorities};
use crate::config;
use crate::evidence::record::{AnchorFailed, AnchorMade};
use crate::evidence::{Evidence, Kind, sha256_hex};
use crate::export::bundle::entry_line;
use crate::ledger::entry::Placed;
use crate::store::{Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Entries in one archived object, at most.
const ENTRIES_PER_OBJECT: u64 = 10_000;

/// What became of the anchors.
#[derive(Clone, Debug, Default)]
pub struct AnchorStatus {
    /// Checkpoints that a witness holds now.
    pub made: Vec<AnchorMade>,
    /// Anchors that could not be reached: which, and why.
    pub failed: Vec<AnchorFailed>,
}

/// Brings the configured anchors up to date. With `stamp`, the last checkpoint is time-stamped; without it, only when
/// the last attempt failed.
///
/// # Errors
/// The store's reason. An anchor that fails is in the status.
pub fn anchor(desk: &Desk, store: &mut Store, stamp: bool) -> Result<AnchorStatus, JobError> {
    let mut status = AnchorStatus::default();
    if let Some(settings) = &desk.config.archive {
        let from = last(store, "archive", &settings.location)?.map_or(0, |a| a.size);
        if worth_archiving(store, from)? {
            let made = archive_from(desk, store, settings, from);
            record(desk, store, "archive", made, &mut status)?;
        }
        if !settings.content.is_empty() && !is_down(store, "archive")? {
            issued::copy(desk, store, settings, &mut status)?;
        }
    }
    if let Some(settings) = &desk.config.timestamp
        && (stamp || is_down(store, "timestamp")?)
    {
        let made = stamped(desk, store, settings);
        record(desk, store, "timestamp", made, &mut status)?;
    }
    Ok(status)
}

fn subject(anchor: &str) -> String {
    format!("anchor:{anchor}")
}

/// Whether the last attempt failed.
fn is_down(store: &Store, anchor: &str) -> Result<bool, StoreError> {
    Ok(store.state().present("actledger", Kind::AnchorFailed)?.contains(&subject(anchor)))
}

/// The last checkpoint that an anchor holds at a place; another bucket gets everything from the start.
pub(super) fn last(store: &Store, anchor: &str, location: &str) -> Result<Option<AnchorMade>, StoreError> {
    for seq in store.state().own_events(Kind::AnchorMade)?.into_iter().rev() {
        let reader = store.reader();
        let payload = reader.with_blobs(reader.entry(seq)?.entry)?.payload;
        match serde_json::from_value::<AnchorMade>(payload) {
            Ok(made) if made.anchor == anchor && made.location == location => return Ok(Some(made)),
            _ => {}
        }
    }
    Ok(None)
}

/// Whether anything but the anchors' own entries came since.
fn worth_archiving(store: &Store, from: u64) -> Result<bool, StoreError> {
    let reader = store.reader();
    let own = |p: &Placed| matches!(p.entry.kind, Kind::AnchorMade | Kind::AnchorFailed);
    for seq in from..reader.size()? {
        if !own(&reader.entry(seq)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) type Made = Result<AnchorMade, JobError>;

fn archive_from(desk: &Desk, store: &Store, settings: &config::Archive, from: u64) -> Made {
    let reader = store.reader();
    let (size, note) = reader.last_checkpoint()?.unwrap_or_default();
    let mut copies = Vec::new();
    for start in (from..size).step_by(usize::try_from(ENTRIES_PER_OBJECT).unwrap_or(usize::MAX)) {
        let end = size.min(start + ENTRIES_PER_OBJECT);
        let mut bytes = Vec::new();
        for seq in start..end {
            entry_line(&mut bytes, seq, &reader.bytes(seq)?);
        }
        let name = format!("entries/{start:012}-{end:012}.ndjson");
        copies.push(Copy { name, media_type: "application/x-ndjson", bytes });
    }
    // The checkpoint last: where it lies, the entries below it lie as well.
    let name = format!("checkpoints/{size:012}.txt");
    copies.push(Copy { name, media_type: "text/plain; charset=utf-8", bytes: note.clone().into_bytes() });
    archived(desk, settings, "archive", (size, &note), copies)
}

/// Keeps copies in the archive, and says which checkpoint they belong to.
pub(super) fn archived(
    desk: &Desk,
    settings: &config::Archive,
    anchor: &str,
    (size, note): (u64, &str),
    copies: Vec<Copy>,
) -> Made {
    let retain_until = desk.clock.now().plus_days(settings.retention_days);
    let objects = archive::keep(settings, copies, retain_until)?;
    let (anchor, location) = (anchor.to_owned(), settings.location.clone());
    let checkpoint = sha256_hex(note.as_bytes());
    Ok(AnchorMade {
        anchor,
        location,
        size,
        checkpoint,
        objects,
        lacks: Vec::new(),
        token: None,
        stamped_at: None,
    })
}

fn stamped(desk: &Desk, store: &Store, settings: &config::Timestamp) -> Made {
    let (size, note) = store.reader().last_checkpoint()?.unwrap_or_default();
    let random = desk.randomness.bytes(&format!("nonce {size}"));
    let random = random.map_err(|e| JobError::Io("no random bytes for a nonce".into(), e))?;
    let nonce = std::array::from_fn(|i| random[i]);
    let authorities = authorities(settings)?;
    let stamp = timestamp::stamp(&settings.url, &note, nonce, &authorities, desk.clock.now())?;
    let (anchor, location) = ("timestamp".to_owned(), settings.url.clone());
    let (checkpoint, token) = (sha256_hex(note.as_bytes()), Some(STANDARD.encode(&stamp.token)));
    Ok(AnchorMade {
        anchor,
        location,
        size,
        checkpoint,
        objects: Vec::new(),
        lacks: Vec::new(),
        token,
        stamped_at: Some(stamp.at),
    })
}

/// The authorities of the config.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn authorities(settings: &config::Timestamp) -> Result<Authorities, AnchorError> {
    let what = |e: std::io::Error| format!("{}: {e}", settings.ca_file.display());
    let pem = std::fs::read(&settings.ca_file)
        .map_err(|e| AnchorError::Config { key: "timestamp.ca_file", what: what(e) })?;
    Authorities::parse(&pem)
}

/// Writes down what an anchor holds now, or that it could not be reached; the store's own errors go on.
pub(super) fn record(
    desk: &Desk,
    store: &mut Store,
    anchor: &str,
    made: Made,
    status: &mut AnchorStatus,
) -> Result<(), JobError> {
    let now = desk.clock.now();
    let mut batch = Vec::new();
    match made {
        Ok(made) => {
            let key = format!("{anchor} {} {}", made.location, made.size);
            batch.push(Evidence::event(Kind::AnchorMade, "actledger", key, subject(anchor), now, &made));
            if is_down(store, anchor)? {
                batch.push(Evidence::gone(Kind::AnchorFailed, "actledger", subject(anchor), now));
            }
            status.made.push(made);
        }
        Err(JobError::Anchor(e)) => {
            let failed = AnchorFailed { anchor: anchor.to_owned(), error: e.to_string() };
            batch.push(Evidence::state(Kind::AnchorFailed, "actledger", subject(anchor), now, &failed));
            tracing::warn!(anchor, error = %e, "no outside copy was made; the next job tries again");
            status.failed.push(failed);
        }
        Err(e) => return Err(e),
    }
    store.append(&desk.writer(), batch)?;
    Ok(())
}
