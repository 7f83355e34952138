//! The register: files that people keep in their git, read as one look.

use super::gone::gone;
use super::{SourceStatus, failed, run_of};
use crate::act::SourceKind;
use crate::config::Paths;
use crate::evidence::record::Counts;
use crate::evidence::register::Revision;
use crate::evidence::{Evidence, Kind, Private, Time, sha256_hex};
use crate::jobs::{Desk, JobError};
use crate::ledger::Entry;
use crate::register::{Register, evidence};
use crate::sources::Gathered;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// Reads the register's files. An unchanged register is looked at again, not written again.
pub(super) fn register(desk: &Desk, store: &mut Store) -> Result<SourceStatus, JobError> {
    let mut status = SourceStatus { source: "register".into(), looks: 1, ..SourceStatus::default() };
    let now = desk.clock.now();
    let paths = register_paths(desk.config.register.as_ref());
    let (register, files, text) = match read_register(&desk.config.base, &paths) {
        Ok(read) => read,
        Err(why) => return failed(desk, store, SourceKind::Register, status, why),
    };
    let sha256 = sha256_hex(text.as_bytes());
    let look = format!("sha256-{}", &sha256[..16]);
    let unchanged = store.state().cursor("register")?.as_ref() == Some(&look);
    let items = evidence(&register, now);
    let n = items.len() as u64;
    status.counts = Counts { read: n, kept: n, ..Counts::default() };
    status.read = if unchanged {
        format!("{} unchanged", files.join(", "))
    } else {
        format!("{}, {n} items", files.join(", "))
    };
    if unchanged && !register_look_is_old(store, now)? {
        return Ok(status);
    }
    let mut g = Gathered {
        evidence: items,
        read: status.read.clone(),
        files: files.len() as u64,
        ..Gathered::default()
    };
    g.keep(n);
    g.replies.clone_from(&sha256);
    for kind in
        Kind::ALL.iter().filter(|k| k.name().starts_with("register.") && **k != Kind::RegisterRevision)
    {
        g.listed_whole(*kind);
    }
    let commit = repository(&desk.config.base, &paths);
    let revision =
        Revision { files, sha256, text: Some(Private::of(text)), commit, attestation: "unattested".into() };
    let mut batch =
        vec![Evidence::state(Kind::RegisterRevision, "register", "register:files".into(), now, &revision)];
    batch.extend(gone(store, "register", &g, now)?);
    batch.extend(g.evidence.clone());
    let run = run_of(SourceKind::Register, &look, Some(now), &g);
    let appended = store.append_look(&desk.writer(), "register", batch, run)?;
    status.entries = appended.entries - 1;
    Ok(status)
}

/// An unchanged register is written down as looked at once an hour, not at each pass.
fn register_look_is_old(store: &Store, now: Time) -> Result<bool, JobError> {
    let old = |e: &Entry| e.recorded_at < now.plus_seconds(-3600);
    let look = |e: &Entry| e.kind == Kind::SourceRun && e.source == "register";
    let last = store.reader().rfind(u64::MAX, |e| old(e) || look(e))?;
    Ok(last.is_none_or(|p| old(&p.entry)))
}

fn register_paths(paths: Option<&Paths>) -> Vec<PathBuf> {
    match paths {
        None => Vec::new(),
        Some(Paths::One(p)) => expand(p),
        Some(Paths::Many(list)) => list.iter().flat_map(|p| expand(p)).collect(),
    }
}

/// A `*` in the last part of a path stands for any text.
fn expand(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (Some((start, end)), Some(dir)) = (name.split_once('*'), path.parent()) else {
        return vec![path.to_owned()];
    };
    let items = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|i| i.path());
    let fits = |p: &PathBuf| {
        let n = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        n.starts_with(start) && n.ends_with(end)
    };
    let mut found: Vec<PathBuf> = items.filter(fits).collect();
    found.sort();
    found
}

/// Parses the register without writing anything.
///
/// # Errors
/// A file that cannot be read or parsed, located.
pub fn register_now(desk: &Desk) -> Result<Register, String> {
    let paths = register_paths(desk.config.register.as_ref());
    read_register(&desk.config.base, &paths).map(|(register, _, _)| register)
}

fn read_register(base: &Path, paths: &[PathBuf]) -> Result<(Register, Vec<String>, String), String> {
    let (mut register, mut names, mut all) = (Register::default(), Vec::new(), String::new());
    if paths.is_empty() {
        return Err("the register names no file that is there".into());
    }
    for path in paths {
        let name = path.strip_prefix(base).unwrap_or(path).display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
        let parsed = Register::parse(&text, &name).map_err(|e| e.to_string())?;
        register.extend(parsed, &name).map_err(|e| e.to_string())?;
        names.push(name);
        all.push_str(&text);
    }
    Ok((register, names, all))
}

/// The commit that last touched the files, where git is there and knows them. Never in a demonstration's folder that
/// is no work tree of its own: a report would change with every commit of somebody else.
fn repository(base: &Path, paths: &[PathBuf]) -> Option<String> {
    if !base.join(".git").exists() {
        return None;
    }
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(base)
        .args(["log", "-1", "--format=%H", "--"])
        .args(paths)
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!commit.is_empty()).then_some(commit)
}
