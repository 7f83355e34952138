//! Who asks, and whether they may. Every route stands behind this, with what it needs.

use super::super::Site;
use super::super::answers::said;
use super::{Need, Viewer, pass};
use crate::config::WebAuth;
use crate::evidence::sha256_hex;
use crate::store::StoreError;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::net::{IpAddr, SocketAddr};

/// What somebody shows to be let in.
pub(super) enum Credential {
    /// In a header.
    Header(String),
    /// In the cookie of a session.
    Cookie(String),
}

/// Lets through who may, with [`Viewer`] among the extensions of the request.
pub(in crate::web) async fn guard(
    State((site, need)): State<(Site, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    let shown = shown(request.headers(), site.cookie());
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_from_us(request.headers()) {
        return said(StatusCode::FORBIDDEN, "This was asked for by a page of another site.");
    }
    if site.desk.config.web.auth == WebAuth::None && !is_here(&site, request.headers()) {
        let why = "This service asks nobody who they are, so it answers under a name of this machine only.";
        return said(StatusCode::MISDIRECTED_REQUEST, why);
    }
    let viewer = match viewer(&site, shown) {
        Ok(viewer) => viewer,
        Err(e) => return super::super::failed(&e),
    };
    match viewer {
        Some(viewer) if viewer.may(need) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Some(viewer) => {
            let roles: Vec<String> = viewer.roles.iter().map(super::Role::told).collect();
            let roles = roles.join(", ");
            said(StatusCode::FORBIDDEN, &format!("This is not for who is signed in as {roles}."))
        }
        None if need == Need::Nothing => next.run(request).await,
        None => ask(&request),
    }
}

/// Asks a browser to sign in, and a program for a token.
fn ask(request: &Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if *request.method() == Method::GET && accepts.contains("text/html") {
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        return Redirect::to(&format!("/login?next={}", utf8_percent_encode(path, NON_ALPHANUMERIC)))
            .into_response();
    }
    let mut asked =
        said(StatusCode::UNAUTHORIZED, "A token is needed: `actledger token add NAME` makes one.");
    let bearer = axum::http::HeaderValue::from_static("Bearer realm=\"actledger\"");
    asked.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    asked
}

/// Whoever holds the pass that is shown; nobody when there is none, or it is not good any more.
fn viewer(site: &Site, shown: Option<Credential>) -> Result<Option<Viewer>, StoreError> {
    let Some(access) = &site.access else { return Ok(Some(Viewer::local())) };
    let Some(Credential::Header(secret) | Credential::Cookie(secret)) = &shown else { return Ok(None) };
    let digest = sha256_hex(secret.trim().as_bytes());
    let is_session = matches!(shown, Some(Credential::Cookie(_)));
    let (now, key) = (site.desk.clock.now(), site.desk.signer.secret());
    let Some(held) = access.pass(&digest)?.filter(|p| p.session_of.is_some() == is_session) else {
        return Ok(None);
    };
    // A session ends with the token that it began with.
    if let Some(token) = held.session_of.as_deref().filter(|of| !of.starts_with("oidc"))
        && access.pass(token)?.is_none_or(|p| pass::viewer(key, &p, now).is_none())
    {
        return Ok(None);
    }
    Ok(pass::viewer(key, &held, now))
}

/// A bearer token, the password of HTTP basic authentication, or the cookie of a session.
pub(super) fn shown(headers: &HeaderMap, cookie: &str) -> Option<Credential> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value.to_str().ok().and_then(token).map(Credential::Header);
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies.flat_map(|c| c.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie).map(|(_, value)| Credential::Cookie(value.to_owned()))
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

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Whether what changes something was asked for by a page of ours: browsers tell (Fetch Metadata Request Headers, else RFC 6454),
/// and what tells nothing is no browser, which no page can make ask.
fn is_from_us(headers: &HeaderMap) -> bool {
    match (text(headers, "sec-fetch-site"), text(headers, "origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text(headers, "host"),
        (None, None) => true,
    }
}

/// Whether a request names this machine: a page of others that lets its own name lead here does not.
fn is_here(site: &Site, headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, "host") else { return true };
    let ours =
        site.desk.config.web.url.as_deref().and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    if ours.is_some_and(|ours| ours.split('/').next() == Some(host)) {
        return true;
    }
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(n, _)| n);
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

/// Refuses who asks too often.
pub(in crate::web) async fn limited(State(site): State<Site>, request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let signs_in = match request.uri().path() {
        "/login" => *request.method() == Method::POST,
        path => path == "/oidc/login",
    };
    if from.is_some_and(|from| !site.limits.allow(from, signs_in)) {
        let mut reply =
            said(StatusCode::TOO_MANY_REQUESTS, "Too many requests came from this address; wait a little.");
        let seconds = if signs_in { "60" } else { "1" };
        reply.headers_mut().insert(header::RETRY_AFTER, axum::http::HeaderValue::from_static(seconds));
        return reply;
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_token_in_either_form_and_a_cookie_among_others() {
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("Basic eDphYmM=").as_deref(), Some("abc"));
        assert_eq!(token("abc"), None);
        let cookie = shown(&headers(&[("cookie", "a=b; actledger=abc")]), "actledger");
        assert!(matches!(cookie, Some(Credential::Cookie(secret)) if secret == "abc"));
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_ours() {
        for (pairs, ours) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("origin", "http://a:8080"), ("host", "a:8080")], true),
            (vec![("origin", "http://b"), ("host", "a")], false),
            (vec![("origin", "null"), ("host", "a")], false),
            (vec![("host", "a")], true),
        ] {
            assert_eq!(is_from_us(&headers(&pairs)), ours, "{pairs:?}");
        }
    }
}
