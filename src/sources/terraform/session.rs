//! A client of HCP Terraform or Terraform Enterprise: two tokens, two paces, pages to their end.

use super::pace::Pace;
use crate::config::Source;
use crate::evidence::lossless;
use crate::sources::http::{Answer, Refusal, json, patiently, within};
use crate::sources::pages::Pages;
use crate::sources::{install_crypto, told};
use futures_util::StreamExt;
use reqwest::{Certificate, Client};
use serde_json::Value;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a connection may take, and an answer where the config does not say it: seconds. A plan may take so many times as
/// long, as long as it comes.
const CONNECT: u64 = 5;
const ANSWER: u32 = 60;
const PLAN: u32 = 30;
/// Requests a second, and how many more at once: 30 are a user's. Lists of runs a minute.
const REQUESTS: u32 = 25;
const AHEAD: u32 = 5;
const RUN_LISTS: u32 = 30;
/// Requests that are under way at once.
const AT_ONCE: usize = 8;
/// Longest answer, and longest plan.
const LONGEST: usize = 64 << 20;
const LONGEST_PLAN: usize = 1 << 30;

/// A reply: the path that gave it, its JSON and digest.
#[derive(Clone)]
pub(super) struct Reply {
    /// Below `/api/v2/`, without its query.
    pub path: String,
    pub body: Value,
    pub sha256: String,
}

/// Documents of replies: `data`, or what is `included`.
pub(super) fn documents<'r>(replies: &'r [Reply], part: &'r str) -> impl Iterator<Item = &'r Value> {
    replies.iter().flat_map(move |r| r.body[part].as_array().into_iter().flatten())
}

/// A client of one organization.
pub(super) struct Session {
    runtime: Runtime,
    client: Client,
    base: String,
    /// Name of the organization.
    pub organization: String,
    token: String,
    audit_token: Option<String>,
    patience: Duration,
    requests: Pace,
    run_lists: Pace,
    asked: AtomicU64,
}

impl Session {
    /// With the tokens that the config names.
    ///
    /// # Errors
    /// A token or certificate cannot be read.
    pub(super) fn open(source: &Source) -> Result<Session, String> {
        install_crypto();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let patience = Duration::from_secs(source.timeout_seconds.unwrap_or(ANSWER).into());
        let mut client =
            Client::builder().connect_timeout(Duration::from_secs(CONNECT)).read_timeout(patience);
        if let Some(file) = &source.ca_file {
            let text = read(file)?;
            let authority = Certificate::from_pem(text.as_bytes());
            client = client
                .add_root_certificate(authority.map_err(|e| format!("{}: {}", file.display(), told(&e)))?);
        }
        let (requests, lists) = (source.requests_per_second, source.run_lists_per_minute);
        Ok(Session {
            runtime: runtime.map_err(|e| format!("cannot wait for the network: {e}"))?,
            client: client.build().map_err(|e| told(&e))?,
            base: format!("{}/api/v2/", source.location.trim_end_matches('/')),
            organization: source.organization.clone().unwrap_or_default(),
            token: token(source.token_file.as_deref(), "TFE_TOKEN")?
                .ok_or("there is no token: token_file = \"…\", or $TFE_TOKEN, with a team or user token")?,
            audit_token: token(source.audit_token_file.as_deref(), "TFE_AUDIT_TOKEN")?,
            patience,
            requests: Pace::of(requests.unwrap_or(REQUESTS), Duration::from_secs(1), AHEAD),
            run_lists: Pace::of(lists.unwrap_or(RUN_LISTS), Duration::from_secs(60), 1),
            asked: AtomicU64::new(0),
        })
    }

    /// Whether there is a token for the audit trail.
    pub(super) fn has_audit_token(&self) -> bool {
        self.audit_token.is_some()
    }

    /// Address of the API.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// How many requests were made.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether the API answers at all.
    pub(super) fn answers(&self) -> Result<(), String> {
        self.get(&format!("organizations/{}", self.organization)).map(drop).map_err(Refusal::why)
    }

    /// One reply.
    pub(super) fn get(&self, target: &str) -> Result<Reply, Refusal> {
        self.runtime.block_on(self.reply(target))
    }

    /// One page after the other, until the last.
    pub(super) fn all(&self, target: &str) -> Result<Vec<Reply>, Refusal> {
        self.runtime.block_on(self.pages(target))
    }

    /// Several replies, or lists of pages, in the order of what was asked for; some are asked for at once.
    pub(super) fn several(&self, targets: Vec<String>) -> Vec<(String, Result<Vec<Reply>, Refusal>)> {
        self.at_once(targets, async |target| self.pages(target).await)
    }

    /// The first page of several lists; some are asked for at once.
    pub(super) fn heads(&self, targets: Vec<String>) -> Vec<(String, Result<Reply, Refusal>)> {
        self.at_once(targets, async |target| self.reply(target).await)
    }

    /// Several texts, with their paths; some are asked for at once.
    pub(super) fn texts(&self, targets: Vec<String>) -> Vec<(String, Result<String, Refusal>)> {
        self.at_once(targets, async |target| {
            let bytes = patiently(target, || self.once(target, target)).await;
            bytes.map(|bytes| lossless(&bytes).0)
        })
    }

    /// Asks for several things, some at once; answers stand in the order of what was asked for.
    fn at_once<T>(
        &self,
        targets: Vec<String>,
        ask: impl AsyncFn(&str) -> Result<T, Refusal>,
    ) -> Vec<(String, Result<T, Refusal>)> {
        let ask = &ask;
        let asked = targets.into_iter().map(|target| async move {
            let answer = ask(&target).await;
            (target, answer)
        });
        self.runtime.block_on(futures_util::stream::iter(asked).buffered(AT_ONCE).collect())
    }

    /// A long reply in a file that nobody else sees.
    pub(super) fn file(&self, target: &str) -> Result<File, Refusal> {
        let mut file = tempfile::tempfile().map_err(no_room)?;
        let once = || async {
            let begun = file.try_clone().and_then(|mut f| f.set_len(0).and_then(|()| f.rewind()).map(|()| f));
            let mut kept = begun.map_err(no_room)?;
            self.turn(target).await;
            within(self.patience * PLAN, self.ask(target, target, LONGEST_PLAN, &mut kept)).await
        };
        self.runtime.block_on(patiently(target, once))?;
        file.rewind().map_err(no_room)?;
        if file.metadata().map_err(no_room)?.len() == 0 {
            return Err(Refusal::Failed(format!("GET {target}: the answer is empty")));
        }
        Ok(file)
    }

    async fn pages(&self, target: &str) -> Result<Vec<Reply>, Refusal> {
        let mut pages = Pages::of(&format!("GET {target}"));
        let mut replies = vec![self.reply(target).await?];
        loop {
            let next = replies.last().and_then(|last| next_page(&last.body));
            let Some(page) = pages.next(next.as_deref()).map_err(Refusal::Failed)? else {
                return Ok(replies);
            };
            let joint = if target.contains('?') { '&' } else { '?' };
            replies.push(self.reply(&format!("{target}{joint}page%5Bnumber%5D={page}")).await?);
        }
    }

    async fn reply(&self, target: &str) -> Result<Reply, Refusal> {
        let path = target.split('?').next().unwrap_or(target);
        let bytes = patiently(path, || self.once(target, path)).await?;
        let (body, sha256) = json(path, &bytes)?;
        if body.get("data").is_none_or(|data| !data.is_array() && !data.is_object()) {
            return Err(Refusal::Failed(format!(
                "GET {path}: the answer has no data: it is no document of the API"
            )));
        }
        Ok(Reply { path: path.to_owned(), body, sha256 })
    }

    async fn once(&self, target: &str, path: &str) -> Result<Answer, Refusal> {
        let mut bytes = Vec::new();
        self.turn(path).await;
        let answer = within(self.patience, self.ask(target, path, LONGEST, &mut bytes)).await?;
        Ok(answer.or_body(bytes))
    }

    /// Waits until a request may go.
    async fn turn(&self, path: &str) {
        self.requests.wait().await;
        if path.ends_with("/runs") {
            self.run_lists.wait().await;
        }
    }

    /// Asks once. A body that is well goes where it is told; what else is answered is in the answer.
    async fn ask(
        &self,
        target: &str,
        path: &str,
        longest: usize,
        to: &mut dyn Write,
    ) -> Result<Answer, Refusal> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let of_trail = path == "organization/audit-trail";
        let token = self.audit_token.as_ref().filter(|_| of_trail).unwrap_or(&self.token);
        let request = self.client.get(format!("{}{target}", self.base)).bearer_auth(token);
        let request = request.header("Accept", "application/vnd.api+json, application/json");
        let mut reply = request.send().await.map_err(|e| Refusal::Failed(told(&e.without_url())))?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let (mut error, mut length) = (Vec::new(), 0);
        let to: &mut dyn Write = if status.is_success() { to } else { &mut error };
        let broken =
            |e: reqwest::Error| Refusal::Failed(format!("the answer broke off: {}", told(&e.without_url())));
        while let Some(piece) = reply.chunk().await.map_err(broken)? {
            length += piece.len();
            if length > longest {
                return Err(Refusal::TooLong(format!("the answer is longer than {longest} bytes")));
            }
            to.write_all(&piece).map_err(no_room)?;
        }
        Ok(Answer::of(status, &headers, error))
    }
}

fn no_room(error: std::io::Error) -> Refusal {
    Refusal::Failed(format!("no room for the answer: {error}"))
}

/// The number of the page after this one: of JSON:API in its meta, of the audit trail beside its data.
fn next_page(page: &Value) -> Option<String> {
    let told = [&page["meta"]["pagination"]["next-page"], &page["pagination"]["next_page"]];
    told.into_iter().find_map(Value::as_u64).map(|n| n.to_string())
}

/// A secret from a file, else from the environment; none where there is neither.
fn token(file: Option<&Path>, variable: &str) -> Result<Option<String>, String> {
    let text = match file {
        Some(file) => Some(read(file)?),
        None => std::env::var(variable).ok(),
    };
    Ok(text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}
