//! Reading one path of an API server: with patience that ends, again where that helps, and with a reason in one line.

use crate::config::Source;
use crate::evidence::sha256_hex;
use crate::sources::told;
use http::header::{ACCEPT, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a connection may take, and an answer where the config does not say it: seconds.
const CONNECT: u64 = 5;
const ANSWER: u32 = 60;
/// How often a request is tried where trying again helps, and how long is waited at first and at most in between.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest answer. A page of 500 objects, each as long as etcd takes one (1.5 MiB), is never longer.
const LONGEST: usize = 768 << 20;

/// Why a path gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401 and 403: who may not do what.
    Denied(String),
    /// 404: the server does not have it.
    NotServed(String),
    /// 410: a list or a watch that began too long ago.
    Expired(String),
    /// Anything else.
    Failed(String),
}

impl Refusal {
    /// In words.
    pub(super) fn why(self) -> String {
        match self {
            Refusal::Denied(why) | Refusal::NotServed(why) | Refusal::Expired(why) | Refusal::Failed(why) => {
                why
            }
        }
    }
}

/// A server, and what waits for it.
pub(super) struct Session {
    runtime: Runtime,
    server: Server,
}

impl Session {
    /// See [`Server::of`].
    ///
    /// # Errors
    /// That of the server, or there is nothing to wait in.
    pub(super) fn open(source: &Source) -> Result<Session, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("cannot wait for the network: {e}"))?;
        let server = runtime.block_on(Server::of(source))?;
        Ok(Session { runtime, server })
    }

    /// Address of the API server.
    pub(super) fn address(&self) -> &str {
        &self.server.address
    }

    /// See [`Server::get`].
    pub(super) fn get(&self, path: &str, uri: &str) -> Result<(Value, String), Refusal> {
        self.runtime.block_on(self.server.get(path, uri))
    }
}

/// A client of one API server.
#[derive(Clone)]
pub(super) struct Server {
    /// What asks it.
    pub client: Client,
    patience: Duration,
    address: String,
}

impl Server {
    /// With the credentials of a kubeconfig's context, or those of the pod's service account.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, or has no such context.
    pub(super) async fn of(source: &Source) -> Result<Server, String> {
        let mut config = config(source).await?;
        config.connect_timeout = Some(Duration::from_secs(CONNECT));
        config.default_retry = false;
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|e| format!("{address}: {}", told(&e)))?;
        let patience = Duration::from_secs(source.timeout_seconds.unwrap_or(ANSWER).into());
        Ok(Server { client, patience, address })
    }

    /// The JSON that a path gives, and its SHA-256. `uri` is the path with its query.
    pub(super) async fn get(&self, path: &str, uri: &str) -> Result<(Value, String), Refusal> {
        let bytes = self.fetch(path, uri).await?;
        let no_json = |e| Refusal::Failed(format!("GET {path}: the answer is no JSON: {e}"));
        Ok((serde_json::from_slice(&bytes).map_err(no_json)?, sha256_hex(&bytes)))
    }

    async fn fetch(&self, path: &str, uri: &str) -> Result<Vec<u8>, Refusal> {
        let mut attempt = 1;
        loop {
            let asked = tokio::time::timeout(self.patience, self.once(uri)).await;
            let (why, pause) = match asked {
                Ok(Ok(Answer { status, bytes, .. })) if status.is_success() => return Ok(bytes),
                Ok(Ok(answer)) if answer.may_pass() => (answer.said(), answer.pause),
                Ok(Ok(answer)) => return Err(answer.refusal(path)),
                Ok(Err(why)) => (why, None),
                Err(_) => (format!("no whole answer within {} s", self.patience.as_secs()), None),
            };
            if attempt == ATTEMPTS {
                return Err(Refusal::Failed(format!("GET {path}: {why} ({ATTEMPTS} attempts)")));
            }
            let pause = pause.unwrap_or(PAUSE * 4_u32.pow(attempt - 1)).min(LONGEST_PAUSE);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once(&self, uri: &str) -> Result<Answer, String> {
        let request = Request::get(uri).header(ACCEPT, "application/json").body(Body::empty());
        let request = request.map_err(|e| e.to_string())?;
        let reply = self.client.send(request).await.map_err(|e| told(&e))?;
        let (status, pause) = (reply.status(), pause(&reply));
        let body = Limited::new(reply.into_body(), LONGEST).collect().await;
        let bytes = body.map_err(|e| format!("the answer broke off: {e}"))?.to_bytes().into();
        Ok(Answer { status, pause, bytes })
    }
}

/// A kubeconfig names clusters and how to log in, also by a program (`aws eks get-token`); without one, a pod has its
/// service account.
async fn config(source: &Source) -> Result<Config, String> {
    let context = source.location.strip_prefix("kube:").filter(|c| !c.is_empty()).map(str::to_owned);
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let Some(path) = &source.kubeconfig else {
        return match &options.context {
            Some(_) => Config::from_kubeconfig(&options).await.map_err(|e| told(&e)),
            None => Config::infer().await.map_err(|e| told(&e)),
        };
    };
    let of_file = |e| format!("{}: {}", path.display(), told(&e));
    let kubeconfig = Kubeconfig::read_from(path).map_err(of_file)?;
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(of_file)
}

/// What a server answered.
struct Answer {
    status: StatusCode,
    pause: Option<Duration>,
    bytes: Vec<u8>,
}

impl Answer {
    /// Whether the same request may be answered otherwise soon: the server is busy or starts.
    fn may_pass(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error()
    }

    /// The status, and the server's own words.
    fn said(&self) -> String {
        let message = serde_json::from_slice::<Value>(&self.bytes).ok();
        let message = message.as_ref().and_then(|s| s["message"].as_str());
        let text = String::from_utf8_lossy(&self.bytes);
        let first = text.lines().next().unwrap_or_default();
        let said: String = message.unwrap_or(first).chars().take(300).collect();
        format!("{}: {said}", self.status.as_u16())
    }

    fn refusal(&self, path: &str) -> Refusal {
        let why = format!("GET {path}: {}", self.said());
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal::Denied(why),
            StatusCode::NOT_FOUND => Refusal::NotServed(why),
            StatusCode::GONE => Refusal::Expired(why),
            _ => Refusal::Failed(why),
        }
    }
}

/// Seconds that the server asks to wait (RFC 9110, 10.2.3).
fn pause<B>(reply: &Response<B>) -> Option<Duration> {
    reply.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}
