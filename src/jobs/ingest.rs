//! One pass over the sources: each new look becomes one batch, its evidence and its cursor in one transaction.

use super::{Desk, JobError};
use crate::act::SourceKind;
use crate::config::{Paths, Source};
use crate::evidence::flow_logs::FlowSelection;
use crate::evidence::record::{Counts, Fault, SourceRun};
use crate::evidence::{Evidence, Kind, Private, Time, sha256_hex};
use crate::ledger::entry::{FORMAT, MAX_BYTES, check_form, take_blobs};
use crate::ledger::{Entry, canonical};
use crate::register::{Register, evidence};
use crate::sources::flow_logs::Selection;
use crate::sources::{Context, Gathered, files, gather};
use crate::store::Store;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a pass did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IngestStatus {
    /// Per source, in the order of the config, the register last.
    pub sources: Vec<SourceStatus>,
    /// Entries written.
    pub entries: u64,
    /// Size of the ledger now.
    pub size: u64,
}

/// What a pass did with one source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub source: String,
    /// What was read.
    pub read: String,
    /// Looks read.
    pub looks: u64,
    /// New entries of evidence.
    pub entries: u64,
    /// read = kept + quarantined + refused.
    pub counts: Counts,
    /// Located faults, at most 100 a look.
    pub faults: Vec<Fault>,
    /// What was not seen.
    pub not_seen: Vec<String>,
    /// Why the source failed as a whole.
    pub failed: Option<String>,
    /// Lines of `not_seen` that are not about a look.
    #[serde(skip)]
    waiting: usize,
}

impl IngestStatus {
    /// Whether a source failed as a whole.
    pub fn failed(&self) -> bool {
        self.sources.iter().any(|s| s.failed.is_some())
    }
}

/// Reads what is new of every source, or of the named ones. `progress` hears the source, looks read, looks in all.
///
/// # Errors
/// The store's reason; a source that fails is in the status.
pub fn ingest(
    desk: &Desk,
    store: &mut Store,
    names: &[String],
    progress: &dyn Fn(&str, u64, u64),
) -> Result<IngestStatus, JobError> {
    let mut status = IngestStatus::default();
    let before = store.reader().size()?;
    store.append(&desk.writer(), vec![configuration(desk)])?;
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let sources: Vec<(SourceKind, Source)> = desk
        .config
        .sources()
        .filter(|(_, s)| s.collect && wanted(&s.name))
        .map(|(k, s)| (k, s.clone()))
        .collect();
    for (kind, source) in &sources {
        status.sources.push(one(desk, store, *kind, source, progress)?);
    }
    if desk.config.register.is_some() && wanted("register") {
        status.sources.push(register(desk, store)?);
    }
    status.entries = store.reader().size()? - before;
    super::anchor(desk, store, false)?;
    status.size = store.reader().size()?;
    Ok(status)
}

/// A changed configuration is itself an entry.
fn configuration(desk: &Desk) -> Evidence {
    let config = desk.assessment_config();
    let payload = serde_json::json!({ "sources": config.sources, "version": crate::assessment::RULES });
    Evidence::state(Kind::ConfigChanged, "actledger", "config".into(), desk.clock.now(), &payload)
}

fn one(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    source: &Source,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<SourceStatus, JobError> {
    let mut status = SourceStatus { source: source.name.clone(), ..SourceStatus::default() };
    let looks = match files::looks(&source.folder(&desk.config.base)) {
        Ok(looks) => looks,
        Err(why) => {
            fail(desk, store, kind, &source.name, &why)?;
            status.failed = Some(why);
            return Ok(status);
        }
    };
    let cursor = match store.state().cursor(&source.name)? {
        None => source.was.as_ref().map(|old| store.state().cursor(old)).transpose()?.flatten(),
        known => known,
    };
    let now = desk.clock.now();
    let first = source.since_days().filter(|_| cursor.is_none()).map(|d| now.plus_seconds(-86_400 * d));
    let ahead = looks.iter().filter(|l| l.at.is_some_and(|t| t > now)).count();
    if ahead > 0 && desk.config.demo.is_none() {
        status.not_seen.push(format!("{ahead} looks are dated after the clock and wait"));
        status.waiting = 1;
    }
    let new: Vec<_> = looks
        .into_iter()
        .filter(|l| l.at.is_none_or(|t| t <= now && first.is_none_or(|f| t >= f)))
        .filter(|l| match (&cursor, l.at) {
            (Some(c), Some(_)) if Time::from_look_name(c).is_some() => l.name > *c,
            (c, _) => c.as_ref() != Some(&l.name),
        })
        .collect();
    let (started, limit) = (Instant::now(), Duration::from_secs(60 * desk.config.schedule.pass_minutes));
    let context = Context { source, selection: selected(desk, store, source)? };
    let all = new.len() as u64;
    for (i, look) in new.iter().enumerate() {
        if started.elapsed() > limit {
            let left = new.len() - i;
            status
                .not_seen
                .push(format!("the pass took longer than its limit; {left} looks are left for the next"));
            break;
        }
        progress(&source.name, i as u64, all);
        let mut gathered = gather(kind, &context, look.at, now, files::read(look));
        set_aside(&mut gathered);
        let run = run_of(kind, &look.name, look.at, &gathered);
        status.add(&gathered);
        let mut batch = gathered.evidence.clone();
        batch.extend(gone(store, &source.name, &gathered, look.at.unwrap_or(now))?);
        let appended = store.append_look(&desk.writer(), &source.name, batch, run)?;
        status.entries += appended.entries - 1;
        progress(&source.name, i as u64 + 1, all);
    }
    Ok(status)
}

/// What flow logs of a source are read for: watched ports, and the interfaces of systems as the last assessment knew them.
fn selected(desk: &Desk, store: &Store, source: &Source) -> Result<Selection, JobError> {
    let mut selection = desk.watched();
    selection.keeps_addresses = source.peer_addresses;
    let subject = crate::assessment::selection::subject(&source.name);
    if let Some(seq) = store.state().latest_entry("actledger", Kind::FlowLogSelection, &subject)? {
        let entry = store.reader().with_blobs(store.reader().entry(seq)?.entry)?;
        let told: FlowSelection = serde_json::from_value(entry.payload).unwrap_or_default();
        let addresses = |all: Vec<String>| all.iter().filter_map(|a| a.parse().ok()).collect();
        selection.interfaces = told.interfaces.into_iter().map(|(i, a)| (i, addresses(a))).collect();
    }
    Ok(selection)
}

/// Sets evidence aside that can be no entry (a number beyond 2^53, more than 64 KiB): one item never stops the rest.
fn set_aside(gathered: &mut Gathered) {
    let (mut fits, mut faults) = (Vec::new(), Vec::new());
    for evidence in std::mem::take(&mut gathered.evidence) {
        let mut payload = evidence.payload.clone();
        let size = take_blobs(&mut payload).and_then(|blobs| Ok((canonical::bytes(&payload)?.len(), blobs)));
        match size {
            Ok((n, blobs)) if n + evidence.subject.len() * 2 + 2_048 <= MAX_BYTES => {
                match entry_of(&evidence, payload).bytes().and_then(|bytes| check_form(&bytes, &blobs)) {
                    Ok(()) => fits.push(evidence),
                    Err(e) => faults.push((evidence.subject, e.to_string())),
                }
            }
            Ok((n, _)) => faults.push((evidence.subject, format!("is {n} bytes, too big for an entry"))),
            Err(e) => faults.push((evidence.subject, e.to_string())),
        }
    }
    gathered.evidence = fits;
    for (subject, what) in faults {
        gathered.set_aside(&subject, what);
    }
}

/// The entry that some evidence would become, now.
fn entry_of(e: &Evidence, payload: serde_json::Value) -> Entry {
    let (kind, at) = (e.kind, e.occurred_at);
    let (source, key, subject) = (e.source.clone(), e.key.clone(), e.subject.clone());
    Entry { v: FORMAT, kind, source, key, subject, occurred_at: at, recorded_at: Time::default(), payload }
}

/// States of kinds that the look lists whole and that are no longer in it.
fn gone(store: &Store, source: &str, gathered: &Gathered, at: Time) -> Result<Vec<Evidence>, JobError> {
    let mut found = Vec::new();
    for kind in gathered.complete.keys() {
        let here: std::collections::BTreeSet<&str> =
            gathered.evidence.iter().filter(|e| e.kind == *kind).map(|e| e.subject.as_str()).collect();
        for subject in store.state().present(source, *kind)? {
            if !here.contains(subject.as_str()) && gathered.would_show(*kind, &subject) {
                found.push(Evidence::gone(*kind, source, subject, at));
            }
        }
    }
    Ok(found)
}

fn run_of(kind: SourceKind, look: &str, at: Option<Time>, gathered: &Gathered) -> SourceRun {
    let nothing_kept = gathered.counts.kept == 0 && gathered.counts.refused > 0;
    SourceRun {
        source_kind: kind.name().into(),
        look: look.to_owned(),
        looked_at: at,
        counts: gathered.counts,
        complete: gathered.gaps.is_empty() && at.is_some(),
        gaps: gathered.gaps.clone(),
        truncated: gathered.truncated.clone(),
        faults: gathered.faults.clone(),
        fault_count: gathered.fault_count,
        error: nothing_kept.then(|| "nothing of the look could be read".into()),
        replies: gathered.replies.clone(),
        files: gathered.files,
        read: gathered.read.clone(),
        version: crate::assessment::RULES.into(),
        entries: 0,
    }
}

/// A failed collection is itself evidence. The cursor stays where it was.
fn fail(desk: &Desk, store: &mut Store, kind: SourceKind, source: &str, why: &str) -> Result<(), JobError> {
    let look = store.state().cursor(source)?.unwrap_or_default();
    let run = SourceRun {
        source_kind: kind.name().into(),
        look,
        looked_at: Some(desk.clock.now()),
        error: Some(why.to_owned()),
        version: crate::assessment::RULES.into(),
        ..SourceRun::default()
    };
    store.append_look(&desk.writer(), source, Vec::new(), run)?;
    Ok(())
}

impl SourceStatus {
    fn add(&mut self, g: &Gathered) {
        self.looks += 1;
        self.read.clone_from(&g.read);
        self.counts += g.counts;
        self.faults.extend(g.faults.iter().cloned());
        // What the last look did not show counts; what waits was said before.
        self.not_seen.truncate(self.waiting);
        self.not_seen.extend(g.gaps.iter().chain(&g.truncated).cloned());
        if g.counts.kept == 0 {
            self.failed = Some(match g.gaps.first() {
                Some(gap) => format!("nothing of the look could be read: {gap}"),
                None => "the look holds nothing".into(),
            });
        } else {
            self.failed = None;
        }
    }
}

/// Reads the register's files. An unchanged register is looked at again, not written again.
fn register(desk: &Desk, store: &mut Store) -> Result<SourceStatus, JobError> {
    let mut status = SourceStatus { source: "register".into(), looks: 1, ..SourceStatus::default() };
    let now = desk.clock.now();
    let paths = register_paths(desk.config.register.as_ref());
    match read_register(&desk.config.base, &paths) {
        Err(why) => {
            fail(desk, store, SourceKind::Register, "register", &why)?;
            status.failed = Some(why);
        }
        Ok((register, files, text)) => {
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
            for kind in Kind::ALL
                .iter()
                .filter(|k| k.name().starts_with("register.") && **k != Kind::RegisterRevision)
            {
                g.listed_whole(*kind);
            }
            let commit = repository(&desk.config.base, &paths);
            let revision = crate::evidence::register::Revision {
                files,
                sha256,
                text: Some(Private::of(text)),
                commit,
                attestation: "unattested".into(),
            };
            let mut batch = vec![Evidence::state(
                Kind::RegisterRevision,
                "register",
                "register:files".into(),
                now,
                &revision,
            )];
            batch.extend(gone(store, "register", &g, now)?);
            batch.extend(g.evidence.clone());
            let run = run_of(SourceKind::Register, &look, Some(now), &g);
            let appended = store.append_look(&desk.writer(), "register", batch, run)?;
            status.entries = appended.entries - 1;
        }
    }
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
