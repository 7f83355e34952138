//! `actledger ledger succeed`: a new ledger that says which one it follows, why, and what was lost.

use super::{CliError, Ended, output};
use crate::evidence::record::Predecessor;
use crate::jobs::{BrokenRecord, Desk, JobError};
use crate::ledger::{Checkpoint, Intact, Verification, Verifier};
use crate::store::{Fold, Reader, Store, state_path};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// What is left of the ledger that ended.
struct Left {
    intact: Intact,
    predecessor: Predecessor,
}

pub(super) fn run(desk: &Desk, file: &Path, reason: &str) -> Result<Ended, CliError> {
    if desk.config.demo.is_some() {
        return Err(CliError::Usage("a demonstration is made anew by deleting its ledger".into()));
    }
    let path = &desk.config.ledger.path;
    let _lock = desk.lock("report")?;
    let left = if path.exists() { Some(left(path)?) } else { None };
    let predecessor = match (std::fs::read(file), left) {
        (Err(e), _) => return Err(CliError::Usage(format!("cannot read {}: {e}", file.display()))),
        (Ok(bytes), Some(left)) if bytes.starts_with(b"SQLite format 3") => left.predecessor,
        (Ok(bytes), None) if bytes.starts_with(b"SQLite format 3") => self::left(file)?.predecessor,
        (Ok(bytes), left) => known(desk, &String::from_utf8_lossy(&bytes), left)?,
    };
    let ended = set_aside(path)?;
    Store::succeed(path, &desk.writer(), reason, predecessor.clone())?;
    if let Some(ended) = ended {
        output::line(format!(
            "the ledger that ended is kept as {}: keep it, it is evidence",
            ended.display()
        ));
    }
    let size = Checkpoint::unchecked(&predecessor.checkpoint).map(|c| c.size).unwrap_or_default();
    match predecessor.lost_from {
        Some(from) => {
            output::line(format!("entries {from} to {} are lost; entry 0 says so", size.saturating_sub(1)))
        }
        None => output::line("no entry is lost"),
    }
    output::line(format!("a new ledger is at {}; it follows the one of size {size}", path.display()));
    Ok(Ended::Well)
}

/// A ledger file that ended: it must verify, else nobody can say what it was.
fn left(path: &Path) -> Result<Left, CliError> {
    let reader = Reader::open(path)?;
    let intact = match reader.verify(None, Fold::Nothing, |_| {})? {
        Verification::Intact(intact) => *intact,
        Verification::Broken(b) => return Err(JobError::Broken(BrokenRecord(b)).into()),
    };
    let public_key = intact.signer().map(Verifier::vkey).unwrap_or_default();
    let last_recorded = reader.last_recorded()?;
    let predecessor =
        Predecessor { checkpoint: intact.note.clone(), public_key, lost_from: None, last_recorded };
    Ok(Left { intact, predecessor })
}

/// The last checkpoint that is known from outside, against what is left.
fn known(desk: &Desk, text: &str, left: Option<Left>) -> Result<Predecessor, CliError> {
    let refuse = |what: String| CliError::Usage(format!("--predecessor cannot be used: {what}"));
    let ours = desk.signer.verifier();
    let note = Checkpoint::find(ours.name(), text)
        .ok_or_else(|| refuse(format!("no checkpoint of {} is in it", ours.name())))?;
    let size = Checkpoint::unchecked(&note).map_err(|e| refuse(e.to_string()))?.size;
    let Some(Left { intact, predecessor }) = left else {
        ours.open(&note).map_err(|e| refuse(e.to_string()))?;
        let (checkpoint, public_key) = (note, ours.vkey());
        return Ok(Predecessor { checkpoint, public_key, lost_from: Some(0), last_recorded: None });
    };
    if size <= intact.checkpoint.size {
        return Ok(predecessor);
    }
    let key = intact.signer().unwrap_or(ours);
    key.open(&note).map_err(|e| refuse(e.to_string()))?;
    Ok(Predecessor { checkpoint: note, lost_from: Some(intact.checkpoint.size), ..predecessor })
}

/// Renames the ledger that ended, and takes its derived tables away.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, CliError> {
    if !path.exists() {
        return Ok(None);
    }
    // Closing the last connection empties the write-ahead log into the file.
    let size = Store::open(path)?.reader().size()?;
    let ended = path.with_extension(format!("ended-{size}.db"));
    std::fs::rename(path, &ended)
        .with_context(|| format!("cannot keep the old ledger as {}", ended.display()))?;
    let state = state_path(path);
    if state.exists() {
        std::fs::remove_file(&state).with_context(|| format!("cannot remove {}", state.display()))?;
    }
    Ok(Some(ended))
}
