//! One tick: what is due, and what is told when it cannot be done.

use crate::evidence::Time;
use crate::jobs::{self, Desk, JobError, Judged, Trouble, Which};
use crate::mail::Transport;
use crate::sources::told;
use crate::store::{Store, StoreError};
use crate::{schedule, web};
use std::sync::{Mutex, PoisonError};

/// Does what is due. Whatever happens is told: by the log, by the page, and by mail where a night ends without a report.
pub(super) fn tick(desk: &Desk, site: &web::Site, last: &LastPass, failed: &Failed) {
    if !failed.is_over(desk.clock.now()) {
        return;
    }
    let done = due_jobs(desk, last);
    if !matches!(done, Err(JobError::Broken(_))) {
        let now = desk.clock.now();
        let written = desk.store().and_then(|mut store| site.write_down(&mut store, Some(now)));
        if let Err(e) = written {
            tracing::error!(error = &e as &dyn std::error::Error, "what was looked at is written down later");
        }
    }
    failed.note(&done, desk.clock.now());
    match done {
        Ok(Some(judged)) => match desk.store().and_then(|s| web::Snapshot::of(desk, &s, &judged)) {
            Ok(snapshot) => site.replace(snapshot),
            Err(e) => tracing::error!(error = &e as &dyn std::error::Error, "the pages stay as they were"),
        },
        Ok(None) => {}
        Err(JobError::Broken(broken)) => {
            tracing::error!(%broken, "the record does not verify; collection has stopped");
            tell(desk, Trouble::Broken(&broken));
            if let Ok(snapshot) = web::Snapshot::broken(&broken) {
                site.replace(snapshot);
            }
        }
        Err(e) => {
            tracing::error!(
                error = &e as &dyn std::error::Error,
                "a job could not be done; it is tried again"
            );
            if !matches!(e, JobError::Locked(_)) && is_due(desk) {
                tell(desk, Trouble::Failed(&told(&e)));
            }
        }
    }
}

pub(super) fn tell(desk: &Desk, trouble: Trouble<'_>) {
    if let Err(e) = jobs::tell(desk, trouble) {
        tracing::error!(
            error = &e as &dyn std::error::Error,
            "nobody could be told by mail that there is no report"
        );
    }
}

/// Jobs that failed one after the other, and when they are tried again: a minute after the first, at most an hour after later ones.
#[derive(Default)]
pub(super) struct Failed(Mutex<Option<(u32, Time)>>);

impl Failed {
    fn is_over(&self, now: Time) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|(_, again)| now >= again)
    }

    fn note<T>(&self, done: &Result<T, JobError>, now: Time) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another process that does the job now is no failure.
        let is_failure = matches!(done, Err(e) if !matches!(e, JobError::Locked(_)));
        *failed = is_failure.then(|| {
            let times = failed.map_or(0, |(times, _)| times + 1);
            (times, now.plus_seconds(60 * (1 << times.min(6)).min(60)))
        });
    }
}

/// Whether a report is due, as far as anybody knows: of a ledger that cannot be opened nobody knows when it was last reported on.
pub(super) fn is_due(desk: &Desk) -> bool {
    desk.store().and_then(|store| Ok(is_night(desk, &store)?)).unwrap_or(true)
}

/// Whether the nightly report is due.
fn is_night(desk: &Desk, store: &Store) -> Result<bool, StoreError> {
    let (now, c) = (desk.clock.now(), &desk.config);
    Ok(schedule::due(&c.schedule.report, &c.timezone, schedule::last_report(&store.reader())?, now))
}

/// When this process last read every source; a pass that a watch made due reads one.
pub type LastPass = Mutex<Option<Time>>;

/// Does what is due now, once: the nightly report, else a pass over the sources; then the mails that wait. Gives what a
/// report was made from, if one was.
///
/// # Errors
/// See [`JobError`]: it is tried again by the next tick.
pub fn due_jobs(desk: &Desk, last: &LastPass) -> Result<Option<Judged>, JobError> {
    let mut store = desk.store()?;
    let (now, c) = (desk.clock.now(), &desk.config);
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if is_night(desk, &store)? {
        let night = jobs::nightly(desk, &mut store, &|_, _, _| {})?;
        *last = Some(now);
        send(desk, &mut store, Some(&night.judged))?;
        return Ok(Some(night.judged));
    }
    let any = schedule::last_ingest(&store.reader())?;
    let watched = || schedule::due_by_watch(c.schedule.watch_minutes, any, now);
    if schedule::due(&c.schedule.ingest, &c.timezone, last.or(any), now) {
        jobs::intact(desk, &store)?;
        desk.hints.forget(&desk.hints.waiting());
        jobs::ingest(desk, &mut store, &[], &|_, _, _| {})?;
        *last = Some(now);
    } else if let changed = desk.changed()
        && !changed.is_empty()
        && watched()
    {
        jobs::intact(desk, &store)?;
        desk.hints.forget(&changed);
        jobs::ingest(desk, &mut store, &changed, &|_, _, _| {})?;
    }
    send(desk, &mut store, None)?;
    Ok(None)
}

/// Sends what waits. Failures are logged and tried again at the next chance: they hold up nothing else, but a record that does
/// not verify does.
pub(super) fn send(desk: &Desk, store: &mut Store, judged: Option<&Judged>) -> Result<(), JobError> {
    let Some(smtp) = &desk.config.smtp else { return Ok(()) };
    let transport = Transport::of(smtp).map_err(JobError::from);
    match transport.and_then(|transport| jobs::flush(desk, store, &transport, Which::Due, judged)) {
        Ok(status) => status.failed.iter().for_each(|failed| tracing::warn!(%failed, "mail stays queued")),
        Err(e @ JobError::Broken(_)) => return Err(e),
        Err(e) => tracing::error!(error = &e as &dyn std::error::Error, "no mail goes out"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_again_later_and_later_up_to_an_hour() {
        let (failed, mut now) = (Failed::default(), Time::from_seconds(1_790_000_000));
        let mut waits = Vec::new();
        for _ in 0..9 {
            failed.note::<()>(&Err(JobError::Render("x".into())), now);
            let from = now;
            while !failed.is_over(now) {
                now = now.plus_seconds(60);
            }
            waits.push((now.seconds() - from.seconds()) / 60);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        failed.note::<()>(&Err(JobError::Locked("report.lock".into())), now);
        assert!(failed.is_over(now), "another process that does it is no failure");
    }
}
