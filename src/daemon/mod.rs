//! The composition root of `serve`: open, verify, serve pages, wake when the cron says so, drain at the end.

mod listen;
mod tick;

pub use tick::{LastPass, due_jobs};

use crate::evidence::{Evidence, Kind, Time, sha256_hex};
use crate::jobs::{self, Desk, JobError, Trouble, demo_nights};
use crate::sources::kubernetes::Watches;
use crate::sources::told;
use crate::store::Reader;
use crate::{schedule, web};
use listen::Listener;
use std::sync::Arc;
use tick::{Failed, is_due, send, tell, tick};
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
    /// The certificate of the pages.
    #[error("the certificate {0} or its key cannot be used")]
    Certificate(std::path::PathBuf, #[source] std::io::Error),
    /// The pages.
    #[error("the pages stopped")]
    Serve(#[source] std::io::Error),
    /// The waker.
    #[error("the schedule cannot be started: {0}")]
    Schedule(String),
}

/// Where the pages are.
pub struct Address {
    at: std::net::SocketAddr,
    is_tls: bool,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.at)
    }
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
        let made = jobs::nightly(desk, &mut store, &|_, _, _| {})?;
        send(desk, &mut store, Some(&made.judged))?;
        told(i as u64 + 1, all, night);
    }
    Ok(())
}

/// Serves until a signal comes. `ready` hears the address.
///
/// # Errors
/// See [`DaemonError`]. A broken record does not stop it: pages and mail say so.
pub async fn serve(desk: Arc<Desk>, ready: impl FnOnce(&Address)) -> Result<(), DaemonError> {
    let lock = desk.lock("daemon")?;
    let started = Arc::clone(&desk);
    let site = blocking(move || start_or_tell(&started)).await??;
    let listener = Listener::open(&desk.config.web).await?;
    ready(&Address { at: listener.address, is_tls: listener.is_tls() });
    let stop = Arc::new(Notify::new());
    let work = if desk.config.demo.is_none() { Some(wake(&desk, &site, &stop).await?) } else { None };
    let handle = axum_server::Handle::new();
    let serving = listener.serve(web::router(site.clone()), handle.clone());
    let stopping = async {
        signal().await;
        listen::drain(&handle);
        stop.notify_waiters();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = serving => served.map_err(DaemonError::Serve)?,
        () = stopping => {}
    }
    if let Some(work) = work {
        // A job that runs is let finish: its transaction is the commit point.
        work.join_all().await;
    }
    blocking(move || write_down(&desk, &site)).await?;
    drop(lock);
    Ok(())
}

/// What was looked at and is not written down yet, at the end.
fn write_down(desk: &Desk, site: &web::Site) {
    let written = desk.store().and_then(|mut store| site.write_down(&mut store, None));
    if let Err(e) = written {
        tracing::error!(error = &e as &dyn std::error::Error, "what was looked at last is not written down");
    }
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, DaemonError> {
    tokio::task::spawn_blocking(f).await.map_err(|e| DaemonError::Schedule(e.to_string()))
}

/// Starts. A service that cannot start makes no report: that is told too.
fn start_or_tell(desk: &Arc<Desk>) -> Result<web::Site, JobError> {
    start(desk).inspect_err(|e| {
        if desk.config.demo.is_none() && !matches!(e, JobError::Locked(_)) && is_due(desk) {
            tell(desk, Trouble::Failed(&format!("the service could not start: {}", told(e))));
        }
    })
}

/// Opens the ledger, writes down the start, checks everything, makes the pages.
fn start(desk: &Arc<Desk>) -> Result<web::Site, JobError> {
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
    web::Site::new(Arc::clone(desk), snapshot)
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
