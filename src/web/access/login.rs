//! Signing in with a token: it becomes a session, so that it does not lie in the browser.

use super::super::answers::said;
use super::super::{Site, failed};
use super::guard::shown;
use super::{Role, guard::Credential, pass};
use crate::clock::Randomness;
use crate::evidence::{Time, sha256_hex};
use crate::report::html;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

/// How long a session lasts: a day of work.
const SESSION_SECONDS: i64 = 8 * 3_600;

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Next {
    next: String,
}

impl Next {
    pub(super) fn path(&self) -> &str {
        path(&self.next)
    }
}

/// What was typed.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Typed {
    token: String,
    #[serde(default)]
    next: String,
}

/// A path of this site, whatever was asked for.
fn path(next: &str) -> &str {
    let is_path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_path { next } else { "/" }
}

/// The page on which a token is typed.
pub(in crate::web) async fn form(State(site): State<Site>, Query(asked): Query<Next>) -> Response {
    page(&site, StatusCode::OK, path(&asked.next), "")
}

fn page(site: &Site, status: StatusCode, next: &str, wrong: &str) -> Response {
    match html::login(&site.desk.config.organization, site.desk.config.web.oidc.is_some(), next, wrong) {
        Ok(text) => (status, [(header::CACHE_CONTROL, "no-store")], Html(text)).into_response(),
        Err(e) => failed(&e),
    }
}

/// Begins a session with a token.
pub(in crate::web) async fn begin(State(site): State<Site>, Form(typed): Form<Typed>) -> Response {
    let Some(access) = &site.access else { return Redirect::to("/").into_response() };
    let digest = sha256_hex(typed.token.trim().as_bytes());
    let (now, key) = (site.desk.clock.now(), site.desk.signer.secret());
    let held = match access.pass(&digest) {
        Ok(held) => held.filter(|p| p.session_of.is_none()),
        Err(e) => return failed(&e),
    };
    let viewer = held.as_ref().and_then(|p| pass::viewer(key, p, now));
    let (Some(token), Some(viewer)) = (held, viewer) else {
        let wrong = "This is no token of this service, or it is over.";
        return page(&site, StatusCode::UNAUTHORIZED, path(&typed.next), wrong);
    };
    let ends = token.expires.min(now.plus_seconds(SESSION_SECONDS));
    let session = (token.name.as_str(), viewer.roles.as_slice(), Some(digest));
    started(&site, session, ends, path(&typed.next)).await
}

/// Keeps a new session, and leads on with its cookie.
pub(super) async fn started(
    site: &Site,
    session: (&str, &[Role], Option<String>),
    ends: Time,
    next: &str,
) -> Response {
    let Some(access) = &site.access else { return Redirect::to("/").into_response() };
    let now = site.desk.clock.now();
    // A secret of a demonstration could be derived by everybody: a session's is random there too.
    let random = match Randomness::System.bytes("session") {
        Ok(random) => random,
        Err(e) => return failed(&e),
    };
    let issued = pass::issue(site.desk.signer.secret(), &random, session, (now, ends));
    let pass = issued.pass.clone();
    if let Err(e) = access.write(move |a| a.forget(now).and_then(|()| a.add(&pass))).await {
        return failed(&e);
    }
    let seconds = ends.seconds() - now.seconds();
    let cookie = format!("{}={}; Path=/; Max-Age={seconds}", site.cookie(), issued.secret);
    with_cookie(site, Redirect::to(next).into_response(), &cookie)
}

/// Sets a cookie, which no script reads and which other sites send with links alone.
pub(super) fn with_cookie(site: &Site, mut response: Response, cookie: &str) -> Response {
    let secure = if site.is_secure() { "; Secure" } else { "" };
    if let Ok(cookie) = HeaderValue::from_str(&format!("{cookie}; HttpOnly; SameSite=Lax{secure}")) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Ends a session.
pub(in crate::web) async fn leave(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let (Some(access), Some(Credential::Cookie(secret))) = (&site.access, shown(&headers, site.cookie()))
        && let digest = sha256_hex(secret.as_bytes())
        && let Err(e) = access.write(move |a| a.end(&digest)).await
    {
        return failed(&e);
    }
    let cookie = format!("{}=; Path=/; Max-Age=0", site.cookie());
    with_cookie(&site, said(StatusCode::OK, "You are signed out."), &cookie)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn signing_in_leads_to_a_page_of_this_site_only() {
        for (asked, to) in [
            ("/systems/a?x=1", "/systems/a?x=1"),
            ("", "/"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
        ] {
            assert_eq!(path(asked), to);
        }
    }
}
