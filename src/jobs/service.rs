//! How the service is, from the record as it stands now: what was read last, what was issued, which mails wait.

use super::outbox::waiting::waiting;
use super::{Desk, JobError};
use crate::act::SourceKind;
use crate::evidence::record::SourceRun;
use crate::evidence::{Kind, Time};
use crate::store::Store;

/// How it is.
pub struct Service {
    /// Entries of the record.
    pub size: u64,
    /// When the last one was written.
    pub recorded: Option<Time>,
    /// When the last report was issued.
    pub issued: Option<Time>,
    /// Every configured source.
    pub sources: Vec<SourceNow>,
    /// Mails that wait.
    pub waiting: u64,
    /// The night of the oldest of them.
    pub oldest: Option<Time>,
}

/// A source as it was last read.
pub struct SourceNow {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: SourceKind,
    /// Why it is not collected.
    pub off: Option<String>,
    /// When it was last read, and what that came to.
    pub last: Option<(Time, SourceRun)>,
}

impl SourceNow {
    /// What the last look came to, in words.
    pub fn told(&self) -> String {
        match (&self.off, &self.last) {
            (Some(off), _) => format!("switched off: {off}"),
            (None, None) => "never read".into(),
            (None, Some((_, run))) => match (&run.error, run.complete) {
                (Some(error), _) => format!("failed: {error}"),
                (None, true) if run.fault_count == 0 => "complete".into(),
                (None, true) => format!("complete, {} faults", run.fault_count),
                (None, false) => format!("not complete: {}", run.gaps.join("; ")),
            },
        }
    }
}

/// Reads it.
///
/// # Errors
/// The store's reason.
pub fn service(desk: &Desk, store: &Store) -> Result<Service, JobError> {
    let reader = store.reader();
    let mut sources = Vec::new();
    for (kind, source) in desk.config.sources() {
        let last = match store.state().last_look(&source.name)? {
            Some(seq) => {
                let entry = reader.with_blobs(reader.entry(seq)?.entry)?;
                let at = entry.recorded_at;
                serde_json::from_value(entry.payload).ok().map(|run| (at, run))
            }
            None => None,
        };
        let off =
            (!source.collect).then(|| source.reason.clone().unwrap_or_else(|| "no reason given".into()));
        sources.push(SourceNow { name: source.name.clone(), kind, off, last });
    }
    let issued = store.state().own_events(Kind::ReportIssued)?.last().copied();
    let mails = waiting(store, desk.clock.now())?;
    Ok(Service {
        size: reader.size()?,
        recorded: reader.last_recorded()?,
        issued: issued.map(|seq| reader.entry(seq)).transpose()?.map(|p| p.entry.recorded_at),
        sources,
        waiting: mails.len() as u64,
        oldest: mails.iter().map(|m| m.at).min(),
    })
}
