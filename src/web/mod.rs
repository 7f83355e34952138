//! The pages: from the last assessment of a record that was checked, or an earlier one. No script, nothing from outside. What
//! comes in is a wish for an export or a pass at most, and a notification, which makes a pass due.

mod access;
mod answers;
mod archive;
mod entry;
mod exports;
mod limits;
mod metrics;
mod past;
mod population;
mod routes;
mod service;
mod snapshot;
mod webhooks;

pub use access::{Issued, Need, Role, is_ours, issue};
pub use routes::{router, table};
pub use snapshot::{Assessed, Snapshot, View, load};
pub use webhooks::Webhooks;

use access::{Passes, SigningIn, Viewed};
use axum::http::StatusCode;
use axum::response::Response;
use exports::Exports;
use limits::Limits;
use metrics::Answered;
use past::Past;
use service::Now;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Semaphore;

use crate::clock::Randomness;
use crate::config::WebAuth;
use crate::evidence::{Time, hex};
use crate::jobs::{Desk, JobError};
use crate::report::html::Page;
use crate::store::Store;

/// Requests that may wait for their turn.
const WAITING: usize = 16;

/// What the pages are served from; the daemon puts a new snapshot in place after each assessment.
#[derive(Clone)]
pub struct Site {
    desk: Arc<Desk>,
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    /// None where nobody is asked who they are.
    access: Option<Passes>,
    webhooks: Arc<Webhooks>,
    past: Arc<Past>,
    viewed: Arc<Viewed>,
    limits: Arc<Limits>,
    exports: Arc<Exports>,
    answered: Arc<Answered>,
    signing_in: Arc<SigningIn>,
    /// Whose turn it is to do what takes long.
    turn: Arc<Semaphore>,
    /// Who may wait for it.
    queue: Arc<Semaphore>,
    service: Arc<Now>,
}

impl Site {
    /// A site over a snapshot.
    ///
    /// # Errors
    /// The tables of passes cannot be opened; a token of notifications cannot be read.
    pub fn new(desk: Arc<Desk>, snapshot: Snapshot) -> Result<Site, JobError> {
        let access = match desk.config.web.auth {
            WebAuth::None => None,
            WebAuth::Token | WebAuth::Oidc => Some(Passes::open(&desk.config.ledger.path)?),
        };
        let webhooks = Webhooks::of(&desk.config, desk.hints.clone()).map_err(JobError::Render)?;
        let exports = Arc::new(Exports::begin(&desk.config.ledger.path)?);
        Ok(Site {
            desk,
            snapshot: Arc::new(RwLock::new(Arc::new(snapshot))),
            access,
            webhooks: Arc::new(webhooks),
            past: Arc::default(),
            viewed: Arc::default(),
            limits: Arc::default(),
            exports,
            answered: Arc::new(Answered::begin()?),
            signing_in: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            queue: Arc::new(Semaphore::new(WAITING)),
            service: Arc::default(),
        })
    }

    /// Serves another snapshot from now on.
    pub fn replace(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what was looked at in hours that ended by a time, or ever, and takes away exports that were kept long enough. A
    /// demonstration has no hours, and nothing is written over a record that does not verify.
    ///
    /// # Errors
    /// The store's reason: it is written down the next time.
    pub fn write_down(&self, store: &mut Store, ended: Option<Time>) -> Result<(), JobError> {
        let now = self.desk.clock.now();
        self.exports.forget(now);
        if self.desk.config.demo.is_some() || matches!(*self.get(), Snapshot::Broken { .. }) {
            return Ok(());
        }
        let seen = self.viewed.take(ended);
        if seen.is_empty() {
            return Ok(());
        }
        if let Err(e) = store.append(&self.desk.writer(), seen.entries(now)) {
            self.viewed.give_back(seen);
            return Err(e.into());
        }
        Ok(())
    }

    /// Work that takes long, one at a time. It keeps its turn to its end, also when nobody waits for it any more.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, Response> {
        let Ok(_place) = Arc::clone(&self.queue).try_acquire_owned() else {
            let why = "Too many files and populations are being made; ask again later.";
            return Err(answers::said(StatusCode::SERVICE_UNAVAILABLE, why));
        };
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|e| failed(&e))?;
        let alone = move || {
            let _turn = turn;
            work()
        };
        blocking(alone).await.map_err(|e| failed(&e))
    }

    /// Whether browsers come over TLS: from the certificate or the address that the config names.
    fn is_secure(&self) -> bool {
        let web = &self.desk.config.web;
        web.certificate.is_some() || web.url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Name of the cookie of sessions; the prefix ties it to this host (RFC 6265bis, 4.1.3).
    fn cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-actledger" } else { "actledger" }
    }
}

/// The page of a thing with an id.
type PageOf = fn(String) -> Page;

/// Work that waits for a disk or takes long, beside the requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(JobError::Render(e.to_string())))
}

/// Internals stay in the log, where the number leads to.
fn failed(error: &dyn std::fmt::Display) -> Response {
    let id = Randomness::System.bytes("").map(|bytes| hex(&bytes[..4])).unwrap_or_default();
    tracing::error!(%error, id, "a page could not be made");
    let text = format!("The page could not be made. The log of the service says why, under {id}.");
    answers::said(StatusCode::INTERNAL_SERVER_ERROR, &text)
}
