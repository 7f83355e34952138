//! A client of an API server, with the credentials of a kubeconfig or of a pod.

use crate::config::Source;
use crate::sources::http::{Answer, Refusal, json, patiently, within};
use crate::sources::told;
use http::Request;
use http::header::ACCEPT;
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
/// Longest answer. A page of 500 objects, each as long as etcd takes one (1.5 MiB), is never longer.
const LONGEST: usize = 768 << 20;

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
        json(path, &patiently(path, || within(self.patience, self.once(uri))).await?)
    }

    async fn once(&self, uri: &str) -> Result<Answer, Refusal> {
        let failed = Refusal::Failed;
        let request = Request::get(uri).header(ACCEPT, "application/json").body(Body::empty());
        let request = request.map_err(|e| failed(e.to_string()))?;
        let reply = self.client.send(request).await.map_err(|e| failed(told(&e)))?;
        let (head, body) = reply.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let bytes = body.map_err(|e| failed(format!("the answer broke off: {e}")))?.to_bytes().into();
        Ok(Answer::of(head.status, &head.headers, bytes))
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
