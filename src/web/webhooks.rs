//! Notifications of HCP Terraform about runs. One that is signed makes a pass due, which reads the run through the API, as it
//! would have without. Who changed the run is kept for that pass, should nothing else tell who let a policy through.

use super::Site;
use crate::config::Config;
use crate::evidence::sha256_hex;
use crate::jobs::Hints;
use crate::sources::Notice;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha512;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Header with the lower-case hex of HMAC-SHA512 over the raw body (HCP Terraform, "Notification authenticity").
const SIGNATURE: &str = "x-tfe-notification-signature";
/// Deliveries that are remembered: one that comes again makes nothing due.
const REMEMBERED: usize = 10_000;

/// What notifications are checked with, and where they are noted.
#[derive(Default)]
pub struct Webhooks {
    /// Token of each source, by its name.
    tokens: BTreeMap<String, String>,
    hints: Hints,
    /// SHA-256 of the last deliveries.
    seen: Mutex<VecDeque<String>>,
}

impl Webhooks {
    /// With the tokens that the config names.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn of(config: &Config, hints: Hints) -> Result<Webhooks, String> {
        let mut tokens = BTreeMap::new();
        for source in &config.sentinel {
            if let Some(file) = &source.webhook_token_file {
                let token = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
                tokens.insert(source.name.clone(), token.trim().to_owned());
            }
        }
        Ok(Webhooks { tokens, hints, seen: Mutex::default() })
    }

    /// Takes a delivery for a source.
    fn deliver(&self, source: &str, signature: &str, body: &[u8]) -> StatusCode {
        let Some(token) = self.tokens.get(source).filter(|t| !t.is_empty()) else {
            return StatusCode::NOT_FOUND;
        };
        let mac = Hmac::<Sha512>::new_from_slice(token.as_bytes()).map(|mac| mac.chain_update(body));
        let given = crate::evidence::unhex(signature).unwrap_or_default();
        if !mac.is_ok_and(|mac| mac.verify_slice(&given).is_ok()) {
            return StatusCode::UNAUTHORIZED;
        }
        if self.is_new(body) {
            self.hints.add(source, notices(body));
        }
        StatusCode::NO_CONTENT
    }

    fn is_new(&self, body: &[u8]) -> bool {
        let (digest, mut seen) = (sha256_hex(body), self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.contains(&digest) {
            return false;
        }
        seen.push_back(digest);
        if seen.len() > REMEMBERED {
            seen.pop_front();
        }
        true
    }
}

/// `POST /webhooks/terraform/SOURCE`
pub(super) async fn receive(
    State(site): State<Site>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signature = headers.get(SIGNATURE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let status = site.webhooks.deliver(&source, signature, &body);
    if status != StatusCode::NO_CONTENT {
        tracing::warn!(source, %status, "a notification was not taken");
    }
    status.into_response()
}

/// What a delivery says of who changed a run.
fn notices(body: &[u8]) -> Vec<Notice> {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let notice = |n: &Value| {
        Some(Notice {
            run: said["run_id"].as_str()?.to_owned(),
            at: n["run_updated_at"].as_str()?.parse().ok()?,
            by: n["run_updated_by"].as_str()?.to_owned(),
        })
    };
    said["notifications"].as_array().into_iter().flatten().filter_map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `printf '{"run_id":"run-1"}' | openssl dgst -sha512 -hmac s3kr3t-token`.
    const SIGNED: &str = "0a8a9e87850e59afbe5c6eb0d564be2084b8523cbe4ac7e6b75758481479cb3bacc14f85192bf7d6619e18358d6adadb6bcb4809a89cd73dca2e7d4011193fdf";

    #[test]
    fn who_changed_a_run_is_kept_as_it_is_said() {
        let body = br#"{"run_id":"run-1","notifications":[{"trigger":"run:applying","run_updated_at":"2026-11-20T10:05:01Z",
            "run_updated_by":"ben"},{"trigger":"run:created","run_updated_at":null,"run_updated_by":null}]}"#;
        let at = "2026-11-20T10:05:01Z".parse().unwrap();
        assert_eq!(notices(body), [Notice { run: "run-1".into(), at, by: "ben".into() }]);
        assert_eq!(notices(b"[]"), []);
    }

    #[test]
    fn a_signed_delivery_makes_a_pass_due_once_and_any_other_none() {
        let hooks = Webhooks { tokens: [("tf".into(), "s3kr3t-token".into())].into(), ..Webhooks::default() };
        let body = br#"{"run_id":"run-1"}"#;
        for (source, signature, status) in [
            ("other", SIGNED, StatusCode::NOT_FOUND),
            ("tf", "", StatusCode::UNAUTHORIZED),
            ("tf", &SIGNED[2..], StatusCode::UNAUTHORIZED),
            ("tf", "zz", StatusCode::UNAUTHORIZED),
        ] {
            assert_eq!(hooks.deliver(source, signature, body), status);
        }
        assert_eq!(hooks.deliver("tf", SIGNED, br#"{"run_id":"run-2"}"#), StatusCode::UNAUTHORIZED);
        assert_eq!(hooks.hints.waiting(), [""; 0]);
        assert_eq!(hooks.deliver("tf", SIGNED, body), StatusCode::NO_CONTENT);
        assert_eq!(hooks.hints.waiting(), ["tf"]);
        hooks.hints.forget(&["tf".to_owned()]);
        assert_eq!(hooks.deliver("tf", SIGNED, body), StatusCode::NO_CONTENT);
        assert_eq!(hooks.hints.waiting(), [""; 0], "a delivery that comes again is no news");
    }
}
