//! A live source: a pass in steps, each one commit with its cursor.

use super::record::{Nothing, OfSource};
use super::{Extra, SourceStatus, commit, context, cursor, failed, fits};
use crate::act::SourceKind;
use crate::config::Source;
use crate::jobs::{Desk, JobError};
use crate::sources::{Context, Gathered, Live, Record, Start, Step};
use crate::store::Store;
use std::time::{Duration, Instant};

/// Reads what a live source has, until nothing is left or the pass has taken its time; the next one goes on from there.
pub(super) fn live(
    desk: &Desk,
    store: &mut Store,
    kind: SourceKind,
    source: &Source,
    extra: Extra,
    progress: &dyn Fn(&str, u64, u64),
) -> Result<SourceStatus, JobError> {
    let mut status = SourceStatus { source: source.name.clone(), ..SourceStatus::default() };
    let before = cursor(store, source)?;
    let Extra { again, hash } = extra;
    let mut start = Start { hash, ..start(desk, source, before.as_deref()) };
    if again.is_some() {
        start = Start { since: again, again: true, ..start };
    }
    let (now, before) = (start.now, before.unwrap_or_default());
    let context = context(desk, store, kind, source)?;
    let (started, limit) = (Instant::now(), start.limit);
    let mut pass = match Live::open(kind, &context, start) {
        Ok(pass) => pass,
        Err(why) => return failed(desk, store, kind, status, why),
    };
    let mut lacked = false;
    for step in 1.. {
        let Step { look, mut gathered, last } = match pass.step(&OfSource(store, source)) {
            Ok(step) => step,
            Err(why) => return failed(desk, store, kind, status, why),
        };
        fits::set_aside(&mut gathered);
        // Somebody who asks for hashes waits for them.
        let late = !last && !hash && started.elapsed() > limit;
        if late && again.is_some() {
            let from = gathered.through.unwrap_or(now);
            gathered.gap(format!("the pass took longer than its limit: go on with --again --from {from}"));
        } else if late {
            gathered.gap(format!("the pass took longer than its limit; the next one goes on from {look}"));
        }
        status.add_step(&gathered, pass.unit());
        lacked |= !gathered.gaps.is_empty();
        // A step is complete when the pass is, and none before it lacked anything. Reading once more moves no cursor.
        gathered.unfinished = !last || lacked;
        let look = if again.is_some() { before.clone() } else { look };
        commit(desk, store, &mut status, (kind, &look, Some(now)), gathered)?;
        if let Some(changes) = &context.changes {
            changes.committed(now);
        }
        progress(&source.name, step, step + u64::from(!last));
        if last || late {
            break;
        }
    }
    Ok(status)
}

fn start(desk: &Desk, source: &Source, cursor: Option<&str>) -> Start {
    let now = desk.clock.now();
    let since = source.since_days().map(|d| now.plus_days(-d));
    let cursor = cursor.and_then(|look| look.parse().ok());
    let limit = Duration::from_secs(60 * desk.config.schedule.pass_minutes);
    Start { now, cursor, since, again: false, hash: false, limit }
}

/// What a source shows before it is collected.
pub struct Tried {
    /// What is there, in words.
    pub said: String,
    /// What was read of it.
    pub gathered: Gathered,
}

/// Tries what a pass asks a live source for. Nothing is written.
///
/// # Errors
/// Why it cannot be reached, or the ledger's reason.
pub fn tried(desk: &Desk, kind: SourceKind, source: &Source) -> Result<Tried, String> {
    let told = |e: JobError| e.to_string();
    let of = |context: &Context<'_>, start: Start, record: &dyn Record| {
        let said = Live::open(kind, context, start)?.waiting(record)?;
        Ok(Tried { said, gathered: Live::open(kind, context, start)?.tried(record)? })
    };
    if !desk.config.ledger.path.exists() {
        let mut context = Context::new(source, desk.watched());
        context.manifests.clone_from(&desk.catalogue.pack.manifest_names);
        return of(&context, start(desk, source, None), &Nothing);
    }
    let store = desk.store().map_err(told)?;
    let before = cursor(&store, source).map_err(told)?;
    let context = context(desk, &store, kind, source).map_err(told)?;
    of(&context, start(desk, source, before.as_deref()), &OfSource(&store, source))
}
