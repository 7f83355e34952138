//! Signing in at an OpenID provider: authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636). Groups become roles. The
//! provider is asked again after an hour, so that whoever it removed is out by then.

use super::super::answers::{asked_for, said};
use super::super::{Site, failed};
use super::Role;
use super::login::{self, Next};
use crate::config::{Oidc, OidcGroup, OidcRole};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenClaims, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a session lasts before the provider is asked again.
const SESSION_SECONDS: i64 = 3_600;
/// Time for signing in at the provider.
const PATIENCE: Duration = Duration::from_secs(600);
/// People who sign in at once: beyond, the one who began first begins again.
const PENDING: usize = 1_000;
/// Time for an answer of the provider.
const ANSWER: Duration = Duration::from_secs(15);
/// The cookie that ties an answer of the provider to the browser that asked.
const COOKIE: &str = "actledger-oidc";

/// Claims beside the standard ones.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Claims(Map<String, Value>);
impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Client = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Somebody who is signing in.
struct Pending {
    verifier: PkceCodeVerifier,
    nonce: Nonce,
    next: String,
    begun: Instant,
}

/// Everybody who is signing in, by the state that the provider hands back.
#[derive(Default)]
pub(in crate::web) struct SigningIn(Mutex<BTreeMap<String, Pending>>);

impl SigningIn {
    fn put(&self, state: &str, pending: Pending) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, p| p.begun.elapsed() < PATIENCE);
        if all.len() >= PENDING {
            let oldest = all.iter().min_by_key(|(_, p)| p.begun).map(|(state, _)| state.clone());
            oldest.and_then(|state| all.remove(&state));
        }
        all.insert(state.to_owned(), pending);
    }

    fn take(&self, state: &str) -> Option<Pending> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(state).filter(|p| p.begun.elapsed() < PATIENCE)
    }
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the provider at {0} cannot be asked: {1}")]
    Provider(String, String),
    #[error("{0}")]
    Config(String),
    #[error("the answer of the provider does not hold: {0}")]
    Answer(String),
}

impl Fault {
    fn config(e: impl std::error::Error + 'static) -> Fault {
        Fault::Config(crate::sources::told(&e))
    }
    fn answer(e: impl std::error::Error + 'static) -> Fault {
        Fault::Answer(crate::sources::told(&e))
    }
}

/// The provider, with the way to ask it.
struct Provider<'c> {
    config: &'c Oidc,
    client: Client,
    http: Http,
}

impl<'c> Provider<'c> {
    /// Reads what the provider says of itself (OpenID Connect Discovery 1.0).
    async fn discover(site: &'c Site) -> Result<Provider<'c>, Fault> {
        let web = &site.desk.config.web;
        let (Some(config), Some(url)) = (&web.oidc, &web.url) else {
            return Err(Fault::Config("no [web.oidc]".into()));
        };
        let http = http(config)?;
        let issuer = IssuerUrl::new(config.issuer.clone()).map_err(Fault::config)?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|e| Fault::Provider(config.issuer.clone(), crate::sources::told(&e)))?;
        let secret = match &config.client_secret_file {
            Some(file) => {
                let read = std::fs::read_to_string(file);
                let read = read.map_err(|e| Fault::Config(format!("{}: {e}", file.display())))?;
                Some(ClientSecret::new(read.trim().to_owned()))
            }
            None => None,
        };
        let back = format!("{}/oidc/callback", url.trim_end_matches('/'));
        let client =
            Client::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret)
                .set_redirect_uri(RedirectUrl::new(back).map_err(Fault::config)?);
        Ok(Provider { config, client, http })
    }

    /// Who it is, as the provider signs: subject, name for people, groups.
    async fn who(&self, code: String, pending: Pending) -> Result<(String, String, Vec<String>), Fault> {
        let code = AuthorizationCode::new(code);
        let exchange = self.client.exchange_code(code).map_err(Fault::answer)?;
        let tokens = exchange
            .set_pkce_verifier(pending.verifier)
            .request_async(&self.http)
            .await
            .map_err(Fault::answer)?;
        let token = tokens.id_token().ok_or_else(|| Fault::Answer("there is no ID token in it".into()))?;
        let claims: &IdTokenClaims<Claims, CoreGenderClaim> =
            token.claims(&self.client.id_token_verifier(), &pending.nonce).map_err(Fault::answer)?;
        let subject = claims.subject().to_string();
        let named = claims.preferred_username().map(|n| n.to_string());
        let named = named.or_else(|| claims.email().map(|e| e.to_string()));
        let mut groups = self.groups(claims.additional_claims());
        // Some providers tell groups to who asks for them alone.
        if groups.is_empty()
            && let Ok(info) =
                self.client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        {
            let info: UserInfoClaims<Claims, CoreGenderClaim> =
                info.request_async(&self.http).await.map_err(Fault::answer)?;
            groups = self.groups(info.additional_claims());
        }
        // A name can be given to another person, a subject cannot.
        let name = named.filter(|n| *n != subject).map(|n| format!("{n} ({subject})"));
        Ok((subject.clone(), name.unwrap_or(subject), groups))
    }

    fn groups(&self, claims: &Claims) -> Vec<String> {
        let all = claims.0.get(&self.config.groups_claim).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }
}

fn http(config: &Oidc) -> Result<Http, Fault> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A provider that leads elsewhere could make us ask inside our own network.
    let mut builder = reqwest::Client::builder().timeout(ANSWER).redirect(reqwest::redirect::Policy::none());
    if let Some(file) = &config.ca_file {
        let pem = std::fs::read(file).map_err(Fault::config)?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(Fault::config)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map(Http).map_err(Fault::config)
}

/// The way to ask the provider.
struct Http(reqwest::Client);

type Asked<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Asked<'c>;

    fn call(&'c self, request: HttpRequest) -> Asked<'c> {
        Box::pin(async move {
            let reply = self.0.execute(request.try_into()?).await?;
            let mut response = HttpResponse::new(Vec::new());
            *response.status_mut() = reply.status();
            *response.headers_mut() = reply.headers().clone();
            *response.body_mut() = reply.bytes().await?.to_vec();
            Ok(response)
        })
    }
}

/// The roles of somebody in these groups.
fn roles(config: &Oidc, groups: &[String]) -> Vec<Role> {
    let role = |group: &OidcGroup| match group.role {
        OidcRole::Auditor => Role::Auditor,
        OidcRole::Operator => Role::Operator,
        OidcRole::Team => Role::Team(group.team.clone().unwrap_or_default()),
    };
    let mut roles: Vec<Role> = config.group.iter().filter(|g| groups.contains(&g.name)).map(role).collect();
    roles.sort();
    roles.dedup();
    roles
}

/// Leads to the provider.
pub(in crate::web) async fn begin(State(site): State<Site>, Query(asked): Query<Next>) -> Response {
    if site.desk.config.web.oidc.is_none() {
        return super::super::answers::not_found();
    }
    let provider = match Provider::discover(&site).await {
        Ok(provider) => provider,
        Err(e) => return failed(&e),
    };
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let mut request = provider.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
    for scope in &provider.config.scopes {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
    let pending = Pending { verifier, nonce, next: asked.path().to_owned(), begun: Instant::now() };
    site.signing_in.put(state.secret(), pending);
    let cookie = format!("{COOKIE}={}; Path=/oidc; Max-Age={}", state.secret(), PATIENCE.as_secs());
    login::with_cookie(&site, Redirect::to(url.as_str()).into_response(), &cookie)
}

/// Takes the answer of the provider, and begins a session.
pub(in crate::web) async fn callback(State(site): State<Site>, headers: HeaderMap, uri: Uri) -> Response {
    let refused = |text: &str| said(StatusCode::FORBIDDEN, text);
    let state = asked_for(&uri, "state").unwrap_or_default();
    let cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|c| c.split(';'));
    let is_same_browser = cookies
        .filter_map(|c| c.trim().split_once('='))
        .any(|(name, value)| name == COOKIE && value == state);
    let Some(pending) = is_same_browser.then(|| site.signing_in.take(&state)).flatten() else {
        return refused("This is no answer to a sign-in that this browser began in the last ten minutes.");
    };
    let Some(code) = asked_for(&uri, "code") else {
        return refused("The provider did not sign you in.");
    };
    let next = pending.next.clone();
    let who = async {
        let provider = Provider::discover(&site).await?;
        let (subject, name, groups) = provider.who(code, pending).await?;
        Ok::<_, Fault>((subject, name, roles(provider.config, &groups), provider.config.issuer.clone()))
    };
    let (subject, name, roles, issuer) = match who.await {
        Ok(who) => who,
        Err(e @ Fault::Answer(_)) => {
            tracing::warn!(error = %e, "somebody was not signed in");
            return refused("The answer of the provider does not hold; the log of the service says why.");
        }
        Err(e) => return failed(&e),
    };
    if roles.is_empty() {
        return refused("You are signed in there, and none of your groups has a role here.");
    }
    let ends = site.desk.clock.now().plus_seconds(SESSION_SECONDS);
    login::started(&site, (&name, &roles, Some(format!("oidc {issuer} {subject}"))), ends, &next).await
}
