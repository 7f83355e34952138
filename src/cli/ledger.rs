//! `actledger ledger`

use super::args::Ledger;
use super::{CliError, Ended, keys, output};
use crate::evidence::record::LedgerKey;
use crate::evidence::{Evidence, Kind, Time, hex};
use crate::jobs::{Desk, JobError};
use crate::ledger::{Verification, tree};
use crate::store::Store;
use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};

pub(super) fn run(desk: &Desk, command: &Ledger) -> Result<Ended, CliError> {
    match command {
        Ledger::Info(o) => info(desk, o.json),
        Ledger::Show { seq } => show(desk, *seq),
        Ledger::Checkpoint => {
            let store = Store::open(&desk.config.ledger.path)?;
            let note = store.reader().checkpoint(i64::MAX as u64)?.map(|(_, n)| n).unwrap_or_default();
            output::raw(note.as_bytes());
            Ok(Ended::Well)
        }
        Ledger::Backup { file } => {
            Store::open(&desk.config.ledger.path)?.backup(file)?;
            output::line(format!(
                "copied to {}; check it: actledger verify --ledger {}",
                file.display(),
                file.display()
            ));
            Ok(Ended::Well)
        }
        Ledger::Rebuild => {
            let differs = Store::open(&desk.config.ledger.path)?.rebuild_state()?;
            differs.iter().for_each(|d| output::line(format!("differed: {d}")));
            output::line("state.db is built from the entries");
            Ok(Ended::Well)
        }
        Ledger::RotateKey => rotate(desk),
        Ledger::ErasePrivate { before, value, reason } => {
            erase(desk, before.as_deref(), value.as_deref(), reason)
        }
    }
}

fn info(desk: &Desk, json: bool) -> Result<Ended, CliError> {
    let store = Store::open(&desk.config.ledger.path)?;
    let reader = store.reader();
    let (size, note) = reader.checkpoint(i64::MAX as u64)?.unwrap_or_default();
    let root = note.lines().nth(2).unwrap_or_default();
    let names = desk.config.sources().map(|(_, s)| s.name.clone()).chain(["register".to_owned()]);
    let cursors: Vec<(String, Option<String>)> =
        names.map(|n| Ok((n.clone(), store.state().cursor(&n)?))).collect::<Result<_, JobError>>()?;
    let key = desk.signer.verifier().vkey();
    let last = reader.last_recorded()?.map(|t| t.to_string()).unwrap_or_default();
    if json {
        let cursors: std::collections::BTreeMap<_, _> = cursors.into_iter().collect();
        output::json(
            &serde_json::json!({ "path": desk.config.ledger.path, "size": size, "root": root, "key": key,
            "last_recorded": last, "cursors": cursors }),
        );
        return Ok(Ended::Well);
    }
    let mut rows = vec![
        vec!["ledger".to_owned(), desk.config.ledger.path.display().to_string()],
        vec!["size".to_owned(), size.to_string()],
        vec!["root".to_owned(), root.to_owned()],
        vec!["key".to_owned(), key],
        vec!["last entry".to_owned(), last],
    ];
    rows.extend(
        cursors
            .into_iter()
            .map(|(n, c)| vec![format!("source {n}"), c.unwrap_or_else(|| "never read".into())]),
    );
    output::table(&rows);
    Ok(Ended::Well)
}

/// The entry, its proof, and which checkpoint covers it; from a record that was checked.
fn show(desk: &Desk, seq: u64) -> Result<Ended, CliError> {
    let store = Store::open(&desk.config.ledger.path)?;
    let reader = store.reader();
    let (result, leaves) = reader.verify(None, 0, |_| {})?;
    if let Verification::Broken(b) = result {
        return Err(JobError::Broken(crate::jobs::BrokenRecord(b)).into());
    }
    let index = usize::try_from(seq).ok().filter(|i| *i < leaves.len());
    let Some(index) = index else {
        return Err(CliError::Usage(format!(
            "there is no entry {seq}: the last one is {}",
            leaves.len().saturating_sub(1)
        )));
    };
    let bytes = reader.bytes(seq)?;
    output::raw(&bytes);
    output::line("");
    output::line(format!("\nleaf  {}", hex(&leaves[index])));
    for hash in tree::inclusion(&leaves, index) {
        output::line(format!("path  {}", STANDARD.encode(hash)));
    }
    output::line(format!(
        "The path (RFC 6962, base64, from the leaf up) leads from leaf {seq} to this root:\n"
    ));
    if let Some((_, note)) = reader.checkpoint(leaves.len() as u64)? {
        output::line(note);
    }
    if let Some((size, note)) = reader.covering(seq)? {
        let root = note.lines().nth(2).unwrap_or_default().to_owned();
        output::line(format!("It was first covered by the checkpoint of size {size}, root {root}."));
    }
    Ok(Ended::Well)
}

fn rotate(desk: &Desk) -> Result<Ended, CliError> {
    if desk.config.demo.is_some() {
        return Err(CliError::Usage("a demonstration's key comes from its seed and is not rotated".into()));
    }
    let mut store = desk.store()?;
    let secret = desk.randomness.bytes("rotated key").context("no random bytes")?;
    let path = &desk.config.ledger.signing_key;
    let old = path.with_extension(format!("key.until-{}", desk.clock.now().seconds()));
    let next = path.with_extension("key.next");
    let vkey = keys::write(&next, &desk.config.ledger.origin, &secret)?;
    let payload = LedgerKey { public_key: vkey.clone() };
    let now = desk.clock.now();
    let entry =
        Evidence::event(Kind::LedgerKey, "actledger", vkey.clone(), "ledger:key".into(), now, &payload);
    store.append(&desk.writer(), vec![entry])?;
    std::fs::rename(path, &old).with_context(|| format!("cannot keep the old key as {}", old.display()))?;
    std::fs::rename(&next, path).with_context(|| format!("cannot put the new key at {}", path.display()))?;
    output::line(format!(
        "the next checkpoint is signed by\n{vkey}\nthe old key is kept as {}",
        old.display()
    ));
    Ok(Ended::Well)
}

fn erase(desk: &Desk, before: Option<&str>, value: Option<&str>, reason: &str) -> Result<Ended, CliError> {
    let mut store = desk.store()?;
    let reader = store.reader();
    let limit: Option<Time> = before
        .map(|t| {
            t.parse().map_err(|_| {
                CliError::Usage(format!("--before {t}: a day (2026-11-22) or a time (RFC 3339)"))
            })
        })
        .transpose()?;
    let limit = match (limit, value) {
        (None, None) => Some(desk.clock.now().plus_seconds(-86_400 * desk.config.private.keep_days)),
        (limit, _) => limit,
    };
    let mut which = match value {
        Some(value) => reader.openings_of(value)?,
        None => reader.openings_below(i64::MAX as u64)?,
    };
    if let Some(limit) = limit {
        let mut kept = Vec::new();
        for (seq, opening) in which {
            if reader.entry(seq)?.entry.recorded_at < limit {
                kept.push((seq, opening));
            }
        }
        which = kept;
    }
    drop(reader);
    if which.is_empty() {
        output::line("no such value is kept");
        return Ok(Ended::Well);
    }
    let erased = store.erase(&desk.writer(), &which, reason)?;
    output::line(format!("{erased} private values erased for good; their places stay proved"));
    Ok(Ended::Well)
}
