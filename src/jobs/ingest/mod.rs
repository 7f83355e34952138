//! One pass over the sources: each new look becomes one batch, its evidence and its cursor in one transaction.

mod fits;
mod gone;
mod live;
mod looks;
mod record;
mod register;

pub use live::{Tried, tried};
pub use register::register_now;

use super::{Desk, JobError};
use crate::act::SourceKind;
use crate::config::Source;
use crate::evidence::flow_logs::FlowSelection;
use crate::evidence::record::{Counts, Fault, SourceRun};
use crate::evidence::sentinel::{DENIED, LACKING, OPEN};
use crate::evidence::{Evidence, Kind, Time};
use crate::sources::flow_logs::Selection;
use crate::sources::{Context, Gathered, Unsettled};
use crate::store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    /// Objects or windows that a live source gave.
    #[serde(skip)]
    files: u64,
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
        status.sources.push(read(desk, store, *kind, source, Extra::default(), progress)?);
    }
    if desk.config.register.is_some() && wanted("register") {
        status.sources.push(register::register(desk, store)?);
    }
    status.entries = store.reader().size()? - before;
    super::anchor(desk, store, false)?;
    status.size = store.reader().size()?;
    Ok(status)
}

/// Reads flow logs from a time on once more: what was read for something else becomes revisions.
///
/// # Errors
/// The store's reason; a source that fails is in the status.
pub fn ingest_again(
    desk: &Desk,
    store: &mut Store,
    source: &Source,
    from: Time,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<IngestStatus, JobError> {
    let extra = Extra { again: Some(from), ..Extra::default() };
    alone(desk, store, SourceKind::FlowLogs, std::slice::from_ref(source), extra, progress)
}

/// Reads buckets of model artifacts, and computes the SHA-256 of files of which the record does not have it.
///
/// # Errors
/// The store's reason; a source that fails is in the status.
pub fn ingest_hashing(
    desk: &Desk,
    store: &mut Store,
    buckets: &[Source],
    progress: &dyn Fn(&str, u64, u64),
) -> Result<IngestStatus, JobError> {
    let extra = Extra { hash: true, ..Extra::default() };
    alone(desk, store, SourceKind::ModelArtifacts, buckets, extra, progress)
}

/// Reads sources of one kind and nothing else.
fn alone(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    sources: &[Source],
    extra: Extra,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<IngestStatus, JobError> {
    let before = store.reader().size()?;
    let read = |source| read(desk, store, kind, source, extra, progress);
    let sources = sources.iter().map(read).collect::<Result<_, _>>()?;
    super::anchor(desk, store, false)?;
    let size = store.reader().size()?;
    Ok(IngestStatus { sources, entries: size - before, size })
}

/// What a pass does beside reading what is new.
#[derive(Clone, Copy, Default)]
struct Extra {
    /// Reads flow logs from a time on once more.
    again: Option<Time>,
    /// Computes the SHA-256 of stored files.
    hash: bool,
}

fn read(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    source: &Source,
    extra: Extra,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<SourceStatus, JobError> {
    let pass = if source.is_folder() { looks::looks } else { live::live };
    pass(desk, store, kind, source, extra, progress)
}

/// A changed configuration is itself an entry.
fn configuration(desk: &Desk) -> Evidence {
    let config = desk.assessment_config();
    let payload = serde_json::json!({ "sources": config.sources, "version": crate::assessment::RULES });
    Evidence::state(Kind::ConfigChanged, "actledger", "config".into(), desk.clock.now(), &payload)
}

/// What the source was read up to, under its own name or its old one.
fn cursor(store: &Store, source: &Source) -> Result<Option<String>, JobError> {
    Ok(match store.state().cursor(&source.name)? {
        None => source.was.as_ref().map(|old| store.state().cursor(old)).transpose()?.flatten(),
        known => known,
    })
}

/// Subjects of a source with a mark; those of its old name as long as its own does not have them.
fn marked(store: &Store, source: &Source, mark: &str) -> Result<Vec<String>, JobError> {
    let state = store.state();
    let mut found = state.delivered_with(&source.name, mark)?;
    if let Some(old) = &source.was {
        for subject in state.delivered_with(old, mark)? {
            if state.delivered(&source.name, &subject)?.is_none() {
                found.push(subject);
            }
        }
    }
    Ok(found)
}

/// Commits what a look gave: what is new of it, what is gone, and the cursor.
fn commit(
    desk: &Desk,
    store: &mut Store,
    status: &mut SourceStatus,
    (kind, look, at): (SourceKind, &str, Option<Time>),
    gathered: Gathered,
) -> Result<(), JobError> {
    let run = run_of(kind, look, at, &gathered);
    let gone = gone::gone(store, &status.source, &gathered, at.unwrap_or_else(|| desk.clock.now()))?;
    let batch = gathered.evidence.into_iter().chain(gone).collect();
    let appended = store.append_look(&desk.writer(), &status.source, batch, run)?;
    status.entries += appended.entries - 1;
    Ok(())
}

/// What the parsers of a source need to know.
fn context<'a>(
    desk: &Desk,
    store: &Store,
    kind: SourceKind,
    source: &'a Source,
) -> Result<Context<'a>, JobError> {
    let mut context = Context::new(source, selected(desk, store, source)?);
    context.manifests.clone_from(&desk.catalogue.pack.manifest_names);
    context.changes = desk.changes.get(&source.name).cloned();
    if !source.is_folder() {
        context.look = cursor(store, source)?.unwrap_or_default();
    }
    if kind == SourceKind::Sentinel && !source.is_folder() {
        context.notices = desk.hints.notices(&source.name);
        let marked = |mark| marked(store, source, mark);
        context.runs = Unsettled { open: marked(OPEN)?, lacking: marked(LACKING)?, denied: marked(DENIED)? };
    }
    before(store, kind, &mut context)?;
    Ok(context)
}

/// What the ledger knows of a cluster. A look that does not tell which one it is of is not of another one.
fn before(store: &Store, kind: SourceKind, context: &mut Context<'_>) -> Result<(), JobError> {
    if kind != SourceKind::Gatekeeper {
        return Ok(());
    }
    let source = context.source;
    context.cluster = None;
    for name in std::iter::once(&source.name).chain(&source.was) {
        let known = store.state().present(name, Kind::KubernetesNamespace)?;
        let uid = known.first().and_then(|s| s.strip_prefix("k8s:")?.split('/').next().map(str::to_owned));
        context.cluster = context.cluster.take().or(uid);
    }
    let run = store.reader().rfind(u64::MAX, |e| e.kind == Kind::SourceRun && e.source == source.name)?;
    let run: Option<SourceRun> = run.and_then(|p| serde_json::from_value(p.entry.payload).ok());
    context.config = None;
    if let Some(cluster) = &context.cluster {
        let place = format!("k8s:{cluster}/-/Config/config");
        context.config = latest(store, &source.name, Kind::GatekeeperConfig, &place)?;
    }
    // Another version may evaluate otherwise.
    context.before = run.filter(|run| run.version == crate::assessment::RULES);
    Ok(())
}

/// A state as it was told last; none where it never was, or is not what it should be.
fn latest<T: DeserializeOwned>(
    store: &Store,
    source: &str,
    kind: Kind,
    subject: &str,
) -> Result<Option<T>, JobError> {
    let Some(seq) = store.state().latest_entry(source, kind, subject)? else { return Ok(None) };
    let entry = store.reader().with_blobs(store.reader().entry(seq)?.entry)?;
    Ok(serde_json::from_value(entry.payload).ok())
}

/// What flow logs of a source are read for: watched ports, and the interfaces of systems as the last assessment knew them.
fn selected(desk: &Desk, store: &Store, source: &Source) -> Result<Selection, JobError> {
    let mut selection = desk.watched();
    selection.keeps_addresses = source.peer_addresses;
    let subject = crate::assessment::selection::subject(&source.name);
    if let Some(told) = latest::<FlowSelection>(store, "actledger", Kind::FlowLogSelection, &subject)? {
        let addresses = |all: Vec<String>| all.iter().filter_map(|a| a.parse().ok()).collect();
        selection.addresses = told.pods.iter().filter_map(|a| a.parse().ok()).collect();
        selection.nodes = told.nodes.iter().filter_map(|a| a.parse().ok()).collect();
        selection.interfaces = told.interfaces.into_iter().map(|(i, a)| (i, addresses(a))).collect();
    }
    Ok(selection)
}

fn run_of(kind: SourceKind, look: &str, at: Option<Time>, gathered: &Gathered) -> SourceRun {
    // What was refused before is no news.
    let refused = gathered.counts.refused > 0 && !gathered.gaps.is_empty();
    let nothing_kept = gathered.counts.kept == 0 && refused;
    SourceRun {
        source_kind: kind.name().into(),
        look: look.to_owned(),
        looked_at: at,
        counts: gathered.counts,
        complete: gathered.gaps.is_empty() && !gathered.unfinished && at.is_some(),
        from: gathered.from,
        through: gathered.through,
        gaps: gathered.gaps.clone(),
        truncated: gathered.truncated.clone(),
        unwatched: gathered.unwatched.clone(),
        audits: gathered.audits.clone(),
        inputs: gathered.inputs.clone(),
        listings: gathered.listings.clone(),
        faults: gathered.faults.clone(),
        fault_count: gathered.fault_count,
        error: nothing_kept.then(|| "nothing of the look could be read".into()),
        replies: gathered.replies.clone(),
        files: gathered.files,
        read: gathered.read.clone(),
        identity: gathered.identity.clone(),
        requests: gathered.requests.clone(),
        version: crate::assessment::RULES.into(),
        entries: 0,
    }
}

/// A failed collection is itself evidence. The cursor stays where it was.
fn failed(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    mut status: SourceStatus,
    why: String,
) -> Result<SourceStatus, JobError> {
    let look = store.state().cursor(&status.source)?.unwrap_or_default();
    let run = SourceRun {
        source_kind: kind.name().into(),
        look,
        looked_at: Some(desk.clock.now()),
        error: Some(why.clone()),
        version: crate::assessment::RULES.into(),
        ..SourceRun::default()
    };
    store.append_look(&desk.writer(), &status.source, Vec::new(), run)?;
    status.failed = Some(why);
    Ok(status)
}

impl SourceStatus {
    /// Adds a step of a live source: what every step did not show counts.
    fn add_step(&mut self, g: &Gathered, unit: Option<&str>) {
        self.looks = 1;
        self.files += g.files;
        self.counts += g.counts;
        self.faults.extend(g.faults.iter().cloned());
        self.not_seen.extend(g.gaps.iter().chain(&g.truncated).chain(&g.unwatched).cloned());
        self.read = match unit {
            Some(unit) => format!("{} {unit}, {} records", self.files, self.counts.kept),
            None => g.read.clone(),
        };
        let nothing = self.counts.kept == 0 && self.counts.refused > 0 && !self.not_seen.is_empty();
        self.failed = nothing.then(|| "nothing of what is new could be read".into());
    }

    fn add(&mut self, g: &Gathered) {
        self.looks += 1;
        self.read.clone_from(&g.read);
        self.counts += g.counts;
        self.faults.extend(g.faults.iter().cloned());
        // What the last look did not show counts; what waits was said before.
        self.not_seen.truncate(self.waiting);
        self.not_seen.extend(g.gaps.iter().chain(&g.truncated).chain(&g.unwatched).cloned());
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
