//! Transport to AWS: how a client is made, and errors in one line. What comes back goes to the parsers.

pub mod artifacts;
mod delivered;
mod inventory;
mod pass;
pub mod s3;
mod windows;

pub use delivered::{Objects, Refetch};
pub use inventory::inventory;
pub use pass::Pass;
pub use windows::Windows;

use super::told;
use crate::config::Access;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{Builder, tls};
use std::error::Error;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a connection and a whole call may take, repetitions included: a service that hangs is one that is down.
const CONNECT: Duration = Duration::from_secs(5);
const OPERATION: Duration = Duration::from_secs(60);
/// How often a call is tried; the SDK waits longer each time, and slows down when it is told to.
const ATTEMPTS: u32 = 5;

/// The name by which CloudTrail shows our calls, in the user agent.
const APP: &str = "actledger";

/// What all clients of one place share: credentials from the SDK's chain (environment, profile, web identity, container,
/// instance), or those of the role to take on.
pub async fn config(access: &Access<'_>) -> SdkConfig {
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let patience = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(OPERATION).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(patience)
        .retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS));
    if let Ok(name) = AppName::new(APP) {
        loader = loader.app_name(name);
    }
    if let Some(region) = access.region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    assumed(access, loader.load().await).await
}

/// Takes on a role, where the place belongs to another account.
async fn assumed(access: &Access<'_>, config: SdkConfig) -> SdkConfig {
    let Some(role) = access.role_arn else { return config };
    let mut provider = AssumeRoleProvider::builder(role).session_name("actledger").configure(&config);
    if let Some(id) = access.external_id {
        provider = provider.external_id(id);
    }
    let credentials = SharedCredentialsProvider::new(provider.build().await);
    config.into_builder().credentials_provider(credentials).build()
}

/// What fetches for one source while the thread of the pass parses.
pub struct Session {
    runtime: Runtime,
    config: SdkConfig,
    endpoint: Option<String>,
    /// Who the credentials are, as AWS says it (STS GetCallerIdentity); none where it was not to be told.
    pub identity: Option<String>,
}

impl Session {
    /// One with the credentials of a source.
    ///
    /// # Errors
    /// There is nothing to wait in.
    pub fn open(access: &Access<'_>) -> Result<Session, String> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("aws").enable_all().build();
        let runtime = runtime.map_err(|e| format!("cannot wait for the network: {e}"))?;
        let config = runtime.block_on(config(access));
        // Keys of another service than AWS are none of its business.
        let of_aws = access.endpoint.is_none() || access.role_arn.is_some();
        let identity = if of_aws { runtime.block_on(identity(&config)) } else { None };
        Ok(Session { runtime, config, endpoint: access.endpoint.map(str::to_owned), identity })
    }
}

/// The ARN of the caller, without the name of a user or of a session. It takes no permission, and nothing waits long for it.
async fn identity(config: &SdkConfig) -> Option<String> {
    let patience = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(2 * CONNECT).build();
    let builder = aws_sdk_sts::config::Builder::from(config);
    let builder = builder.timeout_config(patience).retry_config(RetryConfig::disabled());
    let reply = aws_sdk_sts::Client::from_conf(builder.build()).get_caller_identity().send().await;
    let arn = reply.ok()?.arn()?.to_owned();
    // The name of a user or of a session may be a person's.
    let kept = if arn.contains(":assumed-role/") { 2 } else { 1 };
    Some(arn.split('/').take(kept).collect::<Vec<_>>().join("/"))
}

/// Why a call gave nothing, in one line: what was asked for, the service's own code and words, and what is missing.
fn why<E, R>(asked: &str, error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let said = error.message().unwrap_or_default();
    match error.code() {
        Some(code) if code.starts_with("AccessDenied") && said.contains("kms:Decrypt") => {
            format!(
                "{asked}: denied: the object may be read and not decrypted: kms:Decrypt on its key is missing ({said})"
            )
        }
        Some(code) if code.contains("AccessDenied") || code == "UnauthorizedOperation" => {
            format!("{asked}: denied: {code}: {said}")
        }
        Some(code) => format!("{asked}: {code}: {said}"),
        None => format!("{asked}: {}", told(error)),
    }
}
