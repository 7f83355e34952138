//! `actledger ledger`

use super::args::Ledger;
use super::{CliError, Ended, history, keys, output, succeed};
use crate::evidence::record::{ExportMade, LedgerBackup};
use crate::evidence::{Evidence, Kind, Time, hex};
use crate::jobs::{Desk, JobError};
use crate::ledger::Intact;
use crate::ledger::header::Header;
use crate::ledger::private::Erasures;
use crate::store::{Reader, Store, StoreError};
use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(super) fn run(desk: &Desk, command: &Ledger) -> Result<Ended, CliError> {
    match command {
        Ledger::Info(o) => info(desk, o.json),
        Ledger::Show { seq } => show(desk, *seq),
        Ledger::History { system, on, json } => history::run(desk, system, on.as_deref(), *json),
        Ledger::Checkpoint => {
            let store = Store::open(&desk.config.ledger.path)?;
            let note = store.reader().last_checkpoint()?.map(|(_, n)| n).unwrap_or_default();
            output::raw(note.as_bytes());
            Ok(Ended::Well)
        }
        Ledger::Backup { file } => backup(desk, file),
        Ledger::Rebuild => {
            let differs = Store::open(&desk.config.ledger.path)?.rebuild_state()?;
            differs.iter().for_each(|d| output::line(format!("differed: {d}")));
            output::line("state.db is built from the entries");
            Ok(Ended::Well)
        }
        Ledger::RotateKey { next: Some(next) } => keys::hand_over(desk, next),
        Ledger::RotateKey { next: None } => keys::rotate(desk),
        Ledger::Succeed { predecessor, reason } => succeed::run(desk, predecessor, reason),
        Ledger::ErasePrivate { before, value, reason } => {
            erase(desk, before.as_deref(), value.as_deref(), reason.as_deref())
        }
    }
}

fn info(desk: &Desk, json: bool) -> Result<Ended, CliError> {
    let store = Store::open(&desk.config.ledger.path)?;
    store.catch_up()?;
    let reader = store.reader();
    let (size, note) = reader.last_checkpoint()?.unwrap_or_default();
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

/// The entry, its proof, and which checkpoint covers it. Nothing else of the ledger is read.
fn show(desk: &Desk, seq: u64) -> Result<Ended, CliError> {
    let store = Store::open(&desk.config.ledger.path)?;
    let reader = store.reader();
    let size = reader.size()?;
    if seq >= size {
        return Err(CliError::Usage(format!(
            "there is no entry {seq}: the last one is {}",
            size.saturating_sub(1)
        )));
    }
    let proved = reader.proved(seq, desk.signer.verifier())?;
    output::raw(&proved.bytes);
    output::line("");
    private(&reader, seq, &proved.bytes)?;
    output::line(format!("\nleaf  {}", hex(&proved.leaf)));
    proved.path.iter().for_each(|hash| output::line(format!("path  {}", STANDARD.encode(hash))));
    output::line(format!(
        "The path (RFC 6962, base64, from the leaf up) leads from leaf {seq} to this root:\n"
    ));
    output::line(&proved.note);
    if let Some((size, note)) = reader.covering(seq)? {
        let root = note.lines().nth(2).unwrap_or_default();
        output::line(format!("It was first covered by the checkpoint of size {size}, root {root}."));
    }
    Ok(Ended::Well)
}

/// Its private values, once they give their commitments; one that was erased names the entry that says so.
fn private(reader: &Reader<'_>, seq: u64, bytes: &[u8]) -> Result<(), CliError> {
    let header = Header::read(bytes).ok_or(StoreError::Unreadable(seq))?;
    let (openings, erasures) = (reader.openings(seq)?, Erasures::of(&reader.erasures()?));
    for sealed in header.sealed {
        let open = openings.iter().find(|o| o.commitment == sealed.commitment);
        let said = match (open, erasures.by(seq, &sealed.commitment)) {
            (Some(o), _) if o.recomputed() == sealed.commitment => o.value.clone(),
            (Some(_), _) => "does not give its commitment: run actledger verify".into(),
            (None, Some(by)) => format!("erased (entry {by})"),
            (None, None) => "missing: run actledger verify".into(),
        };
        output::line(format!("private  {}  {said}", sealed.commitment));
    }
    Ok(())
}

fn backup(desk: &Desk, file: &Path) -> Result<Ended, CliError> {
    let mut store = desk.store()?;
    if file.exists() {
        return Err(CliError::Usage(predates(&store, file)?));
    }
    let (intact, copy) = if file == Path::new("-") {
        let (intact, copy) = unnamed(desk, &store)?;
        (intact, Some(copy))
    } else {
        (copied(&store, file)?, None)
    };
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (size, root, openings) = (intact.checkpoint.size, intact.checkpoint.root_base64(), intact.openings);
    let (payload, now) = (LedgerBackup { file: name.clone(), size, root, openings }, desk.clock.now());
    let key = format!("{name} {now}");
    let entry = Evidence::event(Kind::LedgerBackup, "actledger", key, "ledger:backup".into(), now, &payload);
    store.append(&desk.writer(), vec![entry])?;
    let said = |to: &str| {
        format!(
            "{size} entries copied to {to} and verified, {openings} private values among them.\nErasures from now on do not reach this copy: `ledger erase-private` names it."
        )
    };
    match copy {
        // A container has no other way out.
        Some(mut copy) => {
            let mut to = std::io::stdout().lock();
            let taken = std::io::copy(&mut copy, &mut to).and_then(|_| to.flush());
            taken.context("the copy was not taken to its end")?;
            output::note(said("stdout"));
        }
        None => output::line(said(&file.display().to_string())),
    }
    Ok(Ended::Well)
}

fn copied(store: &Store, file: &Path) -> Result<Intact, CliError> {
    Ok(store.backup(file).context("the backup was not made")?)
}

/// A copy on the disk of the ledger, which has no name any more once it was verified: nothing of it stays there.
fn unnamed(desk: &Desk, store: &Store) -> Result<(Intact, File), CliError> {
    let path = desk.config.ledger.path.with_extension("copy");
    let _ = std::fs::remove_file(&path);
    let intact = copied(store, &path)?;
    let file = File::open(&path).context("cannot read the copy")?;
    std::fs::remove_file(&path).context("cannot take the name of the copy away")?;
    Ok((intact, file))
}

/// What to say of a file that is there: it is not written over, and it may hold what was erased since.
fn predates(store: &Store, file: &Path) -> Result<String, CliError> {
    let there = format!("{} is there already; nothing was copied", file.display());
    let Ok(copy) = Reader::open(file) else { return Ok(there) };
    let size = copy.size()?;
    let later: Vec<u64> = store.reader().erasures()?.into_keys().filter(|s| *s >= size).collect();
    if later.is_empty() {
        return Ok(there);
    }
    let names: Vec<String> = later.iter().map(|s| format!("entry {s}")).collect();
    Ok(format!("{there}. It ends at size {size} and predates the erasures of {}", names.join(", ")))
}

/// Longer values that hold an erased one: they stay, and are named.
fn inside(reader: &Reader<'_>, value: Option<&str>) -> Result<Vec<String>, CliError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let holding = reader.openings_holding(value)?;
    let entries: Vec<String> = holding.into_iter().map(|seq| seq.to_string()).collect();
    Ok(if entries.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "it stands inside longer private values of the entries {}: --before reaches them",
            entries.join(", ")
        )]
    })
}

fn erase(
    desk: &Desk,
    before: Option<&str>,
    value: Option<&str>,
    reason: Option<&str>,
) -> Result<Ended, CliError> {
    let mut store = desk.store()?;
    let kept_until = desk.clock.now().plus_days(-desk.config.private.keep_days);
    let time = |t: &str| {
        t.parse::<Time>()
            .map_err(|_| CliError::Usage(format!("--before {t}: a day (2026-11-22) or a time (RFC 3339)")))
    };
    let limit = match (before, value) {
        (Some(t), _) => Some(time(t)?),
        (None, Some(_)) => None,
        (None, None) => Some(kept_until),
    };
    let reader = store.reader();
    let below = limit.map_or_else(|| reader.size(), |t| reader.first_recorded(t))?;
    let old = reader.first_recorded(kept_until)?;
    let mut which = match value {
        Some(value) => reader.openings_of(value)?,
        None => reader.openings_below(below)?,
    };
    which.retain(|(seq, _)| *seq < below);
    let inside = inside(&reader, value)?;
    if which.is_empty() {
        drop(reader);
        // What an earlier run erased may still stand in old pages.
        store.scrub()?;
        output::line("no such value is kept");
        inside.iter().for_each(output::line);
        return Ok(Ended::Well);
    }
    let young = which.iter().filter(|(seq, _)| *seq >= old).count();
    let Some(reason) = reason.or((young == 0).then_some("kept long enough")) else {
        let days = desk.config.private.keep_days;
        return Err(CliError::Usage(format!(
            "{young} of these values are younger than [private] keep_days = {days}: say why, with --reason; nothing was erased"
        )));
    };
    drop(reader);
    let (below, named) = if value.is_some() { (0, which) } else { (below, Vec::new()) };
    let erased = store.erase(&desk.writer(), below, &named, reason)?;
    output::line(format!("{erased} private values erased; their places stay proved"));
    inside.iter().for_each(output::line);
    let years = "Who has this ledger can still compare a guess with its references while other values of the same year are kept: the year's pseudonym key goes with the last of them.";
    output::line(years);
    copies(&store)?.iter().for_each(output::line);
    Ok(Ended::Well)
}

/// Copies that an erasure does not reach: backups and exports that hold private values.
fn copies(store: &Store) -> Result<Vec<String>, CliError> {
    let backups =
        store.own::<LedgerBackup>(Kind::LedgerBackup)?.into_iter().filter(|(_, _, b)| b.openings > 0);
    let backups = backups.map(|(_, _, b)| {
        let LedgerBackup { file, size, .. } = b;
        format!("still in the backup {file}, made at size {size}: destroy it, or keep it with care")
    });
    let exports = store.own::<ExportMade>(Kind::ExportMade)?.into_iter().filter(|(_, _, e)| !e.redacted);
    let exports = exports.map(|(seq, at, e)| {
        format!("still in the export of {at} (entry {seq}), if it holds one of these entries: it is not redacted, its manifest has the SHA-256 {}", e.manifest)
    });
    Ok(backups.chain(exports).collect())
}
