//! Reading one path of an API: with patience that ends, again where that helps, and with a reason in one line.

use crate::evidence::sha256_hex;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often a request is tried where trying again helps, and how long is waited at first and at most in between.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a path gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401: the credentials themselves are refused.
    Unknown(String),
    /// 403: who may not do what.
    Denied(String),
    /// 404: the server does not have it, or does not show it to this token.
    NotServed(String),
    /// 410: a list or a watch that began too long ago.
    Expired(String),
    /// An answer beyond what is taken.
    TooLong(String),
    /// Anything else.
    Failed(String),
}

impl Refusal {
    /// In words.
    pub(super) fn why(self) -> String {
        match self {
            Refusal::Unknown(why)
            | Refusal::Denied(why)
            | Refusal::NotServed(why)
            | Refusal::Expired(why)
            | Refusal::TooLong(why)
            | Refusal::Failed(why) => why,
        }
    }
}

/// What a server answered.
pub(super) struct Answer {
    status: StatusCode,
    pause: Option<Duration>,
    bytes: Vec<u8>,
}

impl Answer {
    /// Status, headers and body.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, bytes: Vec<u8>) -> Answer {
        // Seconds that the server asks to wait (RFC 9110, 10.2.3); HCP Terraform tells them in a header of its own.
        let seconds = |name: &str| headers.get(name)?.to_str().ok()?.parse::<f64>().ok();
        let seconds = seconds(RETRY_AFTER.as_str()).or_else(|| seconds("x-ratelimit-reset"));
        let pause = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        Answer { status, pause, bytes }
    }

    /// With a body that went elsewhere while it came; the answer's own, where it has one.
    pub(super) fn or_body(mut self, bytes: Vec<u8>) -> Answer {
        if self.bytes.is_empty() {
            self.bytes = bytes;
        }
        self
    }

    /// Whether the same request may be answered otherwise soon: the server is busy or starts.
    fn may_pass(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error()
    }

    /// The status, and the server's own words.
    fn said(&self) -> String {
        let reply = serde_json::from_slice::<Value>(&self.bytes).unwrap_or_default();
        let error = &reply["errors"][0];
        let message =
            [&reply["message"], &error["detail"], &error["title"]].into_iter().find_map(Value::as_str);
        let text = String::from_utf8_lossy(&self.bytes);
        let first = text.lines().next().unwrap_or_default();
        let said: String = message.unwrap_or(first).chars().take(300).collect();
        format!("{}: {said}", self.status.as_u16())
    }

    fn refusal(&self, path: &str) -> Refusal {
        let why = format!("GET {path}: {}", self.said());
        match self.status {
            StatusCode::UNAUTHORIZED => Refusal::Unknown(why),
            StatusCode::FORBIDDEN => Refusal::Denied(why),
            StatusCode::NOT_FOUND => Refusal::NotServed(why),
            StatusCode::GONE => Refusal::Expired(why),
            _ => Refusal::Failed(why),
        }
    }
}

/// What is asked once, as long as `patience` lets it.
pub(super) async fn within<T>(
    patience: Duration,
    once: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let late = |_| Refusal::Failed(format!("no whole answer within {} s", patience.as_secs()));
    tokio::time::timeout(patience, once).await.map_err(late)?
}

/// The body that a path gives. `once` asks, and says in short why it failed.
pub(super) async fn patiently<F>(path: &str, once: impl Fn() -> F) -> Result<Vec<u8>, Refusal>
where
    F: Future<Output = Result<Answer, Refusal>>,
{
    let mut attempt = 1;
    loop {
        let (why, pause) = match once().await {
            Ok(Answer { status, bytes, .. }) if status.is_success() => return Ok(bytes),
            Ok(answer) if answer.may_pass() => (answer.said(), answer.pause),
            Ok(answer) => return Err(answer.refusal(path)),
            Err(Refusal::TooLong(why)) => return Err(Refusal::TooLong(format!("GET {path}: {why}"))),
            Err(refusal) => (refusal.why(), None),
        };
        if attempt == ATTEMPTS {
            return Err(Refusal::Failed(format!("GET {path}: {why} ({ATTEMPTS} attempts)")));
        }
        let pause = pause.unwrap_or_else(|| jittered(PAUSE * 4_u32.pow(attempt - 1)));
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        attempt += 1;
    }
}

/// The JSON of a body, and its SHA-256.
pub(super) fn json(path: &str, bytes: &[u8]) -> Result<(Value, String), Refusal> {
    let no_json = |e| Refusal::Failed(format!("GET {path}: the answer is no JSON: {e}"));
    Ok((serde_json::from_slice(bytes).map_err(no_json)?, sha256_hex(bytes)))
}

/// Up to a quarter longer, so that clients which were turned away together do not come back together.
fn jittered(pause: Duration) -> Duration {
    // A fresh state hashes nothing to a number of its own.
    let part = RandomState::new().hash_one(()) % 250;
    pause + pause * u32::try_from(part).unwrap_or_default() / 1000
}
