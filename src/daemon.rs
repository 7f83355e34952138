//! The composition root of `serve`: open, verify, serve pages, wake when the cron says so, drain at the end.

use crate::config::WebAuth;
use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use crate::jobs::{self, Desk, JobError, Trouble, demo_nights};
use crate::mail::Transport;
use crate::report::html;
use crate::sources::kubernetes::Watches;
use crate::sources::told;
use crate::store::{Reader, Store, StoreError};
use crate::{schedule, web};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Why the daemon stops.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A job that cannot be done.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The address of the pages.
    #[error("cannot listen on {0}")]
    Listen(String, #[source] std::io::Error),
    /// The pages.
    #[error("the pages stopped")]
    Serve(#[source] std::io::Error),
    /// The waker.
    #[error("the schedule cannot be started: {0}")]
    Schedule(String),
}

/// What is told while a demonstration lives through its nights: night, of how many, the time.
pub type Told<'a> = &'a (dyn Fn(u64, u64, Time) + Sync);

/// Lives through the nights of a demonstration that the ledger does not have yet.
///
/// # Errors
/// See [`JobError`].
pub fn live_through(desk: &Desk, told: Told<'_>) -> Result<(), JobError> {
    let nights = demo_nights(&desk.config).map_err(|e| JobError::Render(e.to_string()))?;
    let _replay = desk.lock("demo")?;
    let done = match Reader::open(&desk.config.ledger.path) {
        Ok(reader) => schedule::last_report(&reader)?,
        Err(_) => None,
    };
    let all = nights.len() as u64;
    for (i, night) in nights.into_iter().enumerate() {
        if done.is_some_and(|d| night <= d) {
            continue;
        }
        desk.clock.set(night);
        let mut store = desk.store()?;
        if store.reader().last_recorded()?.is_some_and(|head| head > night) {
            return Err(JobError::Render(format!(
                "{} was written by another command, so the nights before cannot be lived through: delete it and serve again",
                desk.config.ledger.path.display()
            )));
        }
        jobs::nightly(desk, &mut store, &|_, _, _| {})?;
        send(desk, &mut store)?;
        told(i as u64 + 1, all, night);
    }
    Ok(())
}

/// Sends what waits; failures are logged and tried again at the next chance.
fn send(desk: &Desk, store: &mut Store) -> Result<(), JobError> {
    let Some(smtp) = &desk.config.smtp else { return Ok(()) };
    let status = jobs::flush(desk, store, &Transport::of(smtp)?)?;
    for failed in status.failed {
        tracing::warn!(%failed, "mail stays queued");
    }
    Ok(())
}

/// Serves until a signal comes. `ready` hears the address.
///
/// # Errors
/// See [`DaemonError`]. A broken record does not stop it: pages and mail say so.
pub async fn serve(desk: Arc<Desk>, ready: impl FnOnce(std::net::SocketAddr)) -> Result<(), DaemonError> {
    let lock = desk.lock("daemon")?;
    let started = Arc::clone(&desk);
    let site = blocking(move || start_or_tell(&started)).await??;
    let listen = desk.config.web.listen.clone();
    let listener = TcpListener::bind(&listen).await.map_err(|e| DaemonError::Listen(listen.clone(), e))?;
    ready(listener.local_addr().map_err(|e| DaemonError::Listen(listen, e))?);
    let stop = Arc::new(Notify::new());
    let work = if desk.config.demo.is_none() { Some(wake(&desk, &site, &stop).await?) } else { None };
    let stopping = Arc::clone(&stop);
    let served = axum::serve(listener, web::router(site)).with_graceful_shutdown(async move {
        signal().await;
        stopping.notify_waiters();
    });
    served.await.map_err(DaemonError::Serve)?;
    if let Some(work) = work {
        // A job that runs is let finish: its transaction is the commit point.
        work.join_all().await;
    }
    drop(lock);
    Ok(())
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, DaemonError> {
    tokio::task::spawn_blocking(f).await.map_err(|e| DaemonError::Schedule(e.to_string()))
}

/// Starts. A service that cannot start makes no report: that is told too.
fn start_or_tell(desk: &Desk) -> Result<web::Site, JobError> {
    start(desk).inspect_err(|e| {
        if desk.config.demo.is_none() && !matches!(e, JobError::Locked(_)) {
            tell(desk, Trouble::Failed(&told(e)));
        }
    })
}

/// Opens the ledger, writes down the start, checks everything, makes the pages.
fn start(desk: &Desk) -> Result<web::Site, JobError> {
    let mut store = desk.store()?;
    let snapshot = web::load(desk, &store)?;
    let broken = matches!(snapshot, web::Snapshot::Broken { .. });
    if !broken && desk.config.demo.is_none() {
        let now = desk.clock.now();
        let binary = std::env::current_exe().and_then(std::fs::read).map(|b| sha256_hex(&b)).ok();
        let payload = serde_json::json!({ "version": crate::assessment::RULES, "binary_sha256": binary });
        let entry = Evidence::event(
            Kind::DaemonStarted,
            "actledger",
            now.to_string(),
            "daemon".into(),
            now,
            &payload,
        );
        store.append(&desk.writer(), vec![entry])?;
    }
    let tokens = match desk.config.web.auth {
        WebAuth::None => None,
        WebAuth::Token => {
            let secret = desk.signer.secret();
            let rows = store.state().tokens()?;
            let ours = rows.into_iter().filter(|[n, s, c, m]| web::mac(secret, n, s, c) == *m);
            Some(ours.map(|[_, sha256, _, _]| sha256).collect())
        }
    };
    let webhooks = web::Webhooks::of(&desk.config, desk.hints.clone()).map_err(JobError::Render)?;
    let site = web::Site::new(snapshot, desk.config.ledger.path.clone(), tokens).with_webhooks(webhooks);
    Ok(site)
}

/// Starts the waker and the one task that does jobs.
async fn wake(desk: &Arc<Desk>, site: &web::Site, stop: &Arc<Notify>) -> Result<JoinSet<()>, DaemonError> {
    let failed = |e: tokio_cron_scheduler::JobSchedulerError| DaemonError::Schedule(e.to_string());
    let bell = Arc::new(Notify::new());
    let scheduler = JobScheduler::new().await.map_err(failed)?;
    let ring = Arc::clone(&bell);
    let each_minute = Job::new("0 * * * * *", move |_, _| ring.notify_one()).map_err(failed)?;
    scheduler.add(each_minute).await.map_err(failed)?;
    scheduler.start().await.map_err(failed)?;
    let (desk, site, stop) = (Arc::clone(desk), site.clone(), Arc::clone(stop));
    bell.notify_one();
    let mut work = JoinSet::new();
    work.spawn(async move {
        let mut scheduler = scheduler;
        // They end with this task. What they saw and no pass read is not known then: the first pass of the next start lists.
        let _watches = watch(&desk);
        let (last, failed) = (Arc::new(LastPass::default()), Arc::new(Failed::default()));
        let stopped = stop.notified();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                () = bell.notified() => {
                    let (desk, site) = (Arc::clone(&desk), site.clone());
                    let (last, failed) = (Arc::clone(&last), Arc::clone(&failed));
                    if let Err(e) = blocking(move || tick(&desk, &site, &last, &failed)).await {
                        tracing::error!(error = &e as &dyn std::error::Error, "a job ended badly");
                    }
                }
            }
        }
        if let Err(e) = scheduler.shutdown().await {
            tracing::warn!(error = %e, "the waker did not stop");
        }
    });
    Ok(work)
}

/// Watches every live cluster, until the set is dropped.
fn watch(desk: &Arc<Desk>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for source in desk.config.gatekeeper.iter().filter(|s| s.collect) {
        if let Some(changes) = desk.changes.get(&source.name) {
            let (source, changes) = (Arc::new(source.clone()), Arc::clone(changes));
            watches.spawn(Watches { source, changes, clock: desk.clock.clone() }.run());
        }
    }
    watches
}

/// Does what is due. Whatever happens is told: by the log, by the page, and by mail where a night ends without a report.
fn tick(desk: &Desk, site: &web::Site, last: &LastPass, failed: &Failed) {
    if !failed.is_over(desk.clock.now()) {
        return;
    }
    let done = due_jobs(desk, last);
    failed.note(&done, desk.clock.now());
    match done {
        Ok(true) => match desk.store().and_then(|s| web::load(desk, &s)) {
            Ok(snapshot) => site.replace(snapshot),
            Err(e) => tracing::error!(error = &e as &dyn std::error::Error, "the pages stay as they were"),
        },
        Ok(false) => {}
        Err(JobError::Broken(broken)) => {
            tracing::error!(%broken, "the record does not verify; collection has stopped");
            tell(desk, Trouble::Broken(&broken));
            if let Ok(page) = html::broken(&broken.0.first_bad, &broken.0.what, broken.0.intact_up_to) {
                site.replace(web::Snapshot::Broken { first_bad: broken.0.first_bad, page });
            }
        }
        Err(e) => {
            tracing::error!(
                error = &e as &dyn std::error::Error,
                "a job could not be done; it is tried again"
            );
            // Of a ledger that cannot be opened nobody knows when it was last reported on.
            let is_night = || desk.store().and_then(|store| Ok(is_night(desk, &store)?)).unwrap_or(true);
            if !matches!(e, JobError::Locked(_)) && is_night() {
                tell(desk, Trouble::Failed(&told(&e)));
            }
        }
    }
}

fn tell(desk: &Desk, trouble: Trouble<'_>) {
    if let Err(e) = jobs::tell(desk, trouble) {
        tracing::error!(
            error = &e as &dyn std::error::Error,
            "nobody could be told by mail that there is no report"
        );
    }
}

/// Jobs that failed one after the other, and when they are tried again: a minute after the first, at most an hour after later ones.
#[derive(Default)]
struct Failed(Mutex<Option<(u32, Time)>>);

impl Failed {
    fn is_over(&self, now: Time) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|(_, again)| now >= again)
    }

    fn note(&self, done: &Result<bool, JobError>, now: Time) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another process that does the job now is no failure.
        let is_failure = matches!(done, Err(e) if !matches!(e, JobError::Locked(_)));
        *failed = is_failure.then(|| {
            let times = failed.map_or(0, |(times, _)| times + 1);
            (times, now.plus_seconds(60 * (1 << times.min(6)).min(60)))
        });
    }
}

/// Whether the nightly report is due.
fn is_night(desk: &Desk, store: &Store) -> Result<bool, StoreError> {
    let (now, c) = (desk.clock.now(), &desk.config);
    Ok(schedule::due(&c.schedule.report, &c.timezone, schedule::last_report(&store.reader())?, now))
}

/// When this process last read every source; a pass that a watch made due reads one.
type LastPass = Mutex<Option<Time>>;

/// Whether a report was made.
fn due_jobs(desk: &Desk, last: &LastPass) -> Result<bool, JobError> {
    let mut store = desk.store()?;
    let (now, c) = (desk.clock.now(), &desk.config);
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if is_night(desk, &store)? {
        jobs::nightly(desk, &mut store, &|_, _, _| {})?;
        *last = Some(now);
        send(desk, &mut store)?;
        return Ok(true);
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
    send(desk, &mut store)?;
    Ok(false)
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut s) => {
                s.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_again_later_and_later_up_to_an_hour() {
        let (failed, mut now) = (Failed::default(), Time::from_seconds(1_790_000_000));
        let mut waits = Vec::new();
        for _ in 0..9 {
            failed.note(&Err(JobError::Render("x".into())), now);
            let from = now;
            while !failed.is_over(now) {
                now = now.plus_seconds(60);
            }
            waits.push((now.seconds() - from.seconds()) / 60);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        failed.note(&Err(JobError::Locked("report.lock".into())), now);
        assert!(failed.is_over(now), "another process that does it is no failure");
    }
}
