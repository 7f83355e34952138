//! `actledger ledger succeed`: a new ledger that says which one it follows, why, and what was lost.

use super::{CliError, Ended, output};
use crate::evidence::record::Predecessor;
use crate::jobs::Desk;
use crate::ledger::{Broken, Checkpoint, Verification, Verifier};
use crate::store::{Fold, Reader, Store, state_path};
use anyhow::Context;
use std::path::{Path, PathBuf};

/// What is left of the ledger that ended.
struct Left {
    /// Entries that hold.
    size: u64,
    predecessor: Predecessor,
    broken: Option<Broken>,
}

pub(super) fn run(desk: &Desk, file: &Path, reason: &str) -> Result<Ended, CliError> {
    if desk.config.demo.is_some() {
        return Err(CliError::Usage(
            "a demonstration is made anew by deleting its ledger and state.db".into(),
        ));
    }
    let path = &desk.config.ledger.path;
    let _locks = ["daemon", "ingest", "report"]
        .map(|job| desk.lock(job))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let left = if path.exists() { Some(left(path)?) } else { None };
    let bytes = std::fs::read(file);
    let bytes = bytes.map_err(|e| CliError::Usage(format!("cannot read {}: {e}", file.display())))?;
    let predecessor = match (bytes.starts_with(b"SQLite format 3"), left) {
        (true, Some(left)) => left.itself()?,
        (true, None) => self::left(file)?.itself()?,
        (false, left) => known(desk, &String::from_utf8_lossy(&bytes), left)?,
    };
    // The new one is whole before the old one is put aside.
    let next = path.with_extension("next.db");
    for part in files_of(&next).into_iter().filter(|p| p.exists()) {
        std::fs::remove_file(&part).with_context(|| format!("cannot remove {}", part.display()))?;
    }
    let new = Store::succeed(&next, &desk.writer(), reason, predecessor.clone())?;
    new.empty_log()?;
    drop(new);
    if let Some(ended) = set_aside(path)? {
        output::line(format!(
            "the ledger that ended is kept as {}: keep it, it is evidence, with its private values",
            ended.display()
        ));
    }
    for (from, to) in files_of(&next).into_iter().zip(files_of(path)) {
        std::fs::rename(&from, &to)
            .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))?;
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

/// The ledger and the tables derived from it.
fn files_of(ledger: &Path) -> [PathBuf; 2] {
    [state_path(ledger), ledger.to_owned()]
}

impl Left {
    /// The ledger that ended is its own last word: all of it must hold.
    fn itself(self) -> Result<Predecessor, CliError> {
        match self.broken {
            None => Ok(self.predecessor),
            Some(b) => Err(CliError::Usage(format!(
                "{} {}: give a text with its last checkpoint, a saved mail, as --predecessor",
                b.first_bad, b.what
            ))),
        }
    }
}

/// A ledger file that ended. One that does not verify holds as far as its last good checkpoint.
fn left(path: &Path) -> Result<Left, CliError> {
    let reader = Reader::open(path)?;
    let (size, note, broken) = match reader.verify(None, Fold::Nothing, |_| {})? {
        Verification::Intact(i) => (i.checkpoint.size, i.note.clone(), None),
        Verification::Broken(b) => {
            let note = reader.checkpoint(b.intact_up_to)?.map(|(_, n)| n).unwrap_or_default();
            (b.intact_up_to, note, Some(b))
        }
    };
    let last = match size {
        0 => None,
        n => Some(reader.entry(n - 1)?.entry.recorded_at),
    };
    let public_key = reader.last_key(size)?;
    let predecessor = Predecessor { checkpoint: note, public_key, lost_from: None, last_recorded: last };
    Ok(Left { size, predecessor, broken })
}

/// The last checkpoint that is known from outside, against what is left.
fn known(desk: &Desk, text: &str, left: Option<Left>) -> Result<Predecessor, CliError> {
    let refuse = |what: String| CliError::Usage(format!("--predecessor cannot be used: {what}"));
    let ours = desk.signer.verifier();
    let note = Checkpoint::find(ours.name(), text)
        .ok_or_else(|| refuse(format!("no checkpoint of {} is in it", ours.name())))?;
    let size = Checkpoint::unchecked(&note).map_err(|e| refuse(e.to_string()))?.size;
    let Some(Left { size: kept, predecessor, .. }) = left else {
        ours.open(&note).map_err(|e| refuse(e.to_string()))?;
        let (checkpoint, public_key) = (note, ours.vkey());
        return Ok(Predecessor { checkpoint, public_key, lost_from: Some(0), last_recorded: None });
    };
    if size <= kept {
        return Ok(predecessor);
    }
    let key = Verifier::parse(&predecessor.public_key).map_err(|e| refuse(e.to_string()))?;
    key.open(&note).or_else(|_| ours.open(&note)).map_err(|e| refuse(e.to_string()))?;
    let public_key = if key.open(&note).is_ok() { key.vkey() } else { ours.vkey() };
    Ok(Predecessor { checkpoint: note, public_key, lost_from: Some(kept), ..predecessor })
}

/// Renames the ledger that ended, once everything that was committed is in the one file.
fn set_aside(path: &Path) -> Result<Option<PathBuf>, CliError> {
    if !path.exists() {
        return Ok(None);
    }
    let store = Store::open(path)?;
    let size = store.reader().size()?;
    store.empty_log()?;
    drop(store);
    let ended = (0..).map(|n| match n {
        0 => path.with_extension(format!("ended-{size}.db")),
        n => path.with_extension(format!("ended-{size}-{n}.db")),
    });
    let ended = ended.into_iter().find(|p| !p.exists()).unwrap_or_default();
    std::fs::rename(path, &ended)
        .with_context(|| format!("cannot keep the old ledger as {}", ended.display()))?;
    Ok(Some(ended))
}
