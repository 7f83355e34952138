//! Assessments of the past that somebody asked for: the last few are kept. Each is made from a record that is checked again, one
//! at a time, and goes on when nobody waits any more.

use super::blocking;
use super::snapshot::{Assessed, assessed};
use crate::evidence::Time;
use crate::jobs::{AsOf, Desk, JobError, Judged, resolve};
use crate::report::{Scope, Zone};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// How many are kept.
const KEPT: usize = 4;
/// How many are being made or wait for that, at most.
const WAITING: usize = 8;
/// How many questions which assessment is meant are looked into at once.
static QUESTIONS: Semaphore = Semaphore::const_new(2);
/// How long an answer waits for one to be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// Size of the as-of, and from when on changes are told.
type Key = (u64, Option<Time>);
type Made = Result<Arc<Assessed>, Missing>;

/// Why there is none.
#[derive(Clone, Debug)]
pub(super) enum Missing {
    /// It is being made.
    Later,
    /// Too many others are being made.
    Busy,
    /// What was asked for is no as-of; why.
    NoSuch(String),
    /// It cannot be made; why, for the log.
    Failed(String),
}

impl Missing {
    fn of(e: JobError) -> Missing {
        match e {
            JobError::AsOf(why) => Missing::NoSuch(why),
            e => Missing::Failed(crate::sources::told(&e)),
        }
    }
}

/// One that is made once, whoever waits for it.
#[derive(Default)]
struct Cell {
    made: OnceLock<Made>,
    is_begun: AtomicBool,
    done: Notify,
}

/// Those that are kept.
#[derive(Default)]
pub(super) struct Past(Mutex<VecDeque<(Key, Arc<Cell>)>>);

/// One at a time.
static TURN: Mutex<()> = Mutex::new(());

impl Past {
    /// The one of a key; none when too many others wait. One that is not made yet is never given up for another.
    fn cell(&self, key: Key) -> Option<Arc<Cell>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.iter().position(|(k, _)| *k == key).and_then(|i| all.remove(i));
        let is_waiting = |(_, cell): &&(Key, Arc<Cell>)| cell.made.get().is_none();
        if held.is_none() && all.iter().filter(is_waiting).count() >= WAITING {
            return None;
        }
        let held = held.unwrap_or_else(|| (key, Arc::default()));
        all.push_back(held.clone());
        let over = all.len().saturating_sub(KEPT);
        for _ in 0..over {
            let oldest = all.iter().position(|(_, cell)| cell.made.get().is_some());
            oldest.and_then(|i| all.remove(i));
        }
        Some(held.1)
    }

    /// The assessment that answers, with the size of its as-of.
    pub(super) async fn get(
        &self,
        desk: &Arc<Desk>,
        as_of: AsOf,
        from: Option<Time>,
    ) -> Result<(u64, Arc<Assessed>), Missing> {
        let turn = QUESTIONS.acquire().await.map_err(|e| Missing::Failed(e.to_string()))?;
        let resolving = Arc::clone(desk);
        let found = blocking(move || resolve(&resolving, &resolving.store()?, &as_of));
        let size = found.await.map_err(Missing::of)?;
        drop(turn);
        let key = (size, from);
        let (cell, desk) = (self.cell(key).ok_or(Missing::Busy)?, Arc::clone(desk));
        if !cell.is_begun.swap(true, Ordering::SeqCst) {
            let cell = Arc::clone(&cell);
            tokio::task::spawn_blocking(move || {
                let made = catch_unwind(AssertUnwindSafe(|| make(&desk, size, from)));
                let made = made.unwrap_or_else(|_| Err(JobError::Render("it ended in a panic".into())));
                let _ = cell.made.set(made.map_err(Missing::of));
                cell.done.notify_waiters();
            });
        }
        let done = cell.done.notified();
        if cell.made.get().is_none() {
            let _ = tokio::time::timeout(PATIENCE, done).await;
        }
        let made = cell.made.get().cloned().unwrap_or(Err(Missing::Later));
        if matches!(made, Err(Missing::NoSuch(_) | Missing::Failed(_))) {
            // It was told once, and is tried again for who asks again.
            self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(k, _)| *k != key);
        }
        made.map(|made| (size, made))
    }
}

fn make(desk: &Desk, size: u64, from: Option<Time>) -> Result<Arc<Assessed>, JobError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let store = desk.store()?;
    let judged = Judged::of(desk, &store, size)?;
    assessed(desk, &store, &judged, &Scope { from, ..Scope::default() }).map(Arc::new)
}

/// A size, a time, or a day, which means its end.
///
/// # Errors
/// What it is not.
pub(super) fn as_of(text: &str, zone: &Zone) -> Result<AsOf, String> {
    if let Ok(size) = text.trim().parse() {
        return Ok(AsOf::Size(size));
    }
    let none = || format!("{text:?} is no size, no day (2026-11-22) and no time (RFC 3339)");
    zone.time(text, true).map(AsOf::Time).ok_or_else(none)
}
