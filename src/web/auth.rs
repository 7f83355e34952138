//! Tokens: a bearer token, or the password of HTTP basic authentication, so that a browser can ask for it.

use super::Site;
use crate::evidence::{hex, keyed, sha256_hex};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};

/// What is kept of a token.
pub fn token_sha256(token: &str) -> String {
    sha256_hex(token.trim().as_bytes())
}

/// Keyed hash over a row of the token table: a row that somebody else wrote is noticed and not believed.
pub fn mac(secret: &[u8; 32], name: &str, sha256: &str, created: &str) -> String {
    hex(&keyed(secret, format!("actledger token\n{name}\n{sha256}\n{created}").as_bytes()))
}

pub(super) async fn guard(State(site): State<Site>, request: Request, next: Next) -> Response {
    let Some(tokens) = &site.tokens else { return next.run(request).await };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(token);
    // Digests are compared, so that the time it takes tells nothing of the token.
    let known = given.map(|t| token_sha256(&t)).is_some_and(|d| tokens.contains(&d));
    if known {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"actledger\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, ask, "A token is needed: `actledger token add NAME` makes one.\n")
        .into_response()
}

fn token(value: &str) -> Option<String> {
    match value.split_once(' ')? {
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => Some(token.to_owned()),
        (scheme, data) if scheme.eq_ignore_ascii_case("basic") => {
            let text = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
            text.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn a_token_in_either_form() {
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("Basic eDphYmM=").as_deref(), Some("abc"));
        assert_eq!(token("abc"), None);
    }
}
