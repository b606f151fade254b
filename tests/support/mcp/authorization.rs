//! The double's authorization server: OAuth 2.1 with discovery, dynamic registration, PKCE and rotating refresh tokens.
//! It is strict, so that a client that cuts a corner does not pass.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::engine::lock;
use super::http::Served;

/// How the authorization server behaves.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Seconds for which an access token is valid.
    pub lifetime_secs: u64,
    /// The person says no.
    pub declines: bool,
    /// Clients cannot register themselves; only `known-client` is known.
    pub no_registration: bool,
}

impl Default for Authorization {
    fn default() -> Self {
        Self { lifetime_secs: 3600, declines: false, no_registration: false }
    }
}

/// The authorization server's books.
#[derive(Debug)]
pub struct Desk {
    origin: String,
    rules: Authorization,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    serial: u32,
    /// Redirect addresses by client.
    clients: HashMap<String, Vec<String>>,
    codes: HashMap<String, Grant>,
    access: Vec<String>,
    refresh: HashMap<String, String>,
    refreshes: u32,
    authorizations: u32,
}

#[derive(Clone, Debug)]
struct Grant {
    client: String,
    redirect: String,
    challenge: String,
}

type Refusal = (StatusCode, Json<Value>);

fn refuse(error: &str, words: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "error_description": words })))
}

impl Desk {
    pub(super) fn new(origin: String, rules: Authorization) -> Self {
        Self { origin, rules, books: Mutex::default() }
    }

    /// How many access tokens were refreshed.
    #[must_use]
    pub fn refreshes(&self) -> u32 {
        lock(&self.books).refreshes
    }

    /// How many times a person was asked.
    #[must_use]
    pub fn authorizations(&self) -> u32 {
        lock(&self.books).authorizations
    }

    /// Makes all access tokens worthless, as their time does.
    pub fn expire_access(&self) {
        lock(&self.books).access.clear();
    }

    /// Makes all refresh tokens worthless.
    pub fn revoke_refresh(&self) {
        lock(&self.books).refresh.clear();
    }

    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| lock(&self.books).access.iter().any(|known| known == token))
    }

    pub(super) fn challenge(&self) -> String {
        let origin = &self.origin;
        format!("Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\", scope=\"tools\"")
    }

    fn issue(&self, client: &str) -> Json<Value> {
        let mut books = lock(&self.books);
        books.serial += 1;
        let (access, refresh) = (format!("access-{}", books.serial), format!("refresh-{}", books.serial));
        books.access.push(access.clone());
        books.refresh.insert(refresh.clone(), client.to_owned());
        Json(json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.rules.lifetime_secs,
            "refresh_token": refresh,
            "scope": "tools",
        }))
    }
}

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route("/.well-known/oauth-protected-resource/mcp", get(describe_resource))
        .route("/.well-known/oauth-authorization-server", get(describe_server))
        .route("/register", post(register))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
}

async fn describe_resource(State(state): State<Served>) -> Response {
    let Some(desk) = &state.desk else { return StatusCode::NOT_FOUND.into_response() };
    let origin = &desk.origin;
    Json(json!({
        "resource": format!("{origin}/mcp"),
        "authorization_servers": [origin],
        "scopes_supported": ["tools"],
    }))
    .into_response()
}

async fn describe_server(State(state): State<Served>) -> Response {
    let Some(desk) = &state.desk else { return StatusCode::NOT_FOUND.into_response() };
    let origin = &desk.origin;
    let mut description = json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["tools"],
        "authorization_response_iss_parameter_supported": true,
    });
    if !desk.rules.no_registration {
        description["registration_endpoint"] = format!("{origin}/register").into();
    }
    Json(description).into_response()
}

async fn register(State(state): State<Served>, Json(request): Json<Value>) -> Response {
    let Some(desk) = &state.desk else { return StatusCode::NOT_FOUND.into_response() };
    let redirects: Vec<String> =
        request.get("redirect_uris").cloned().and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default();
    let on_loopback = |it: &String| it.starts_with("http://127.0.0.1:") || it.starts_with("http://localhost:");
    if desk.rules.no_registration || redirects.is_empty() || !redirects.iter().all(on_loopback) {
        return refuse("invalid_client_metadata", "redirect_uris must be on loopback").into_response();
    }
    let mut books = lock(&desk.books);
    let client = format!("client-{}", books.clients.len() + 1);
    books.clients.insert(client.clone(), redirects.clone());
    let mut answer = request;
    answer["client_id"] = client.into();
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// The page that a person would agree on; the double's person answers at once.
async fn authorize(State(state): State<Served>, Query(query): Query<HashMap<String, String>>) -> Response {
    let Some(desk) = &state.desk else { return StatusCode::NOT_FOUND.into_response() };
    let value = |key: &str| query.get(key).cloned().unwrap_or_default();
    let (client, redirect, challenge) = (value("client_id"), value("redirect_uri"), value("code_challenge"));
    let mut books = lock(&desk.books);
    let known = match books.clients.get(&client) {
        Some(redirects) => redirects.contains(&redirect),
        None => desk.rules.no_registration && client == "known-client",
    };
    if !known {
        return refuse("invalid_client", "the client or its redirect address is not registered").into_response();
    }
    let wrong = if value("response_type") != "code" {
        Some("response_type must be code")
    } else if value("code_challenge_method") != "S256" || challenge.len() != 43 {
        Some("a code challenge by S256 is needed")
    } else if value("state").is_empty() {
        Some("state is missing")
    } else if value("resource") != format!("{}/mcp", desk.origin) {
        Some("resource is not this server")
    } else {
        None
    };
    if let Some(words) = wrong {
        return refuse("invalid_request", words).into_response();
    }
    books.authorizations += 1;
    let (state_value, issuer) = (encode(&value("state")), encode(&desk.origin));
    if desk.rules.declines {
        let to = format!("{redirect}?error=access_denied&error_description=No+thanks&state={state_value}&iss={issuer}");
        return Redirect::to(&to).into_response();
    }
    books.serial += 1;
    let code = format!("code-{}", books.serial);
    books.codes.insert(code.clone(), Grant { client, redirect: redirect.clone(), challenge });
    Redirect::to(&format!("{redirect}?code={code}&state={state_value}&iss={issuer}")).into_response()
}

/// Percent-encodes all that is not plain in a query.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

async fn token(State(state): State<Served>, Form(form): Form<HashMap<String, String>>) -> Response {
    let Some(desk) = &state.desk else { return StatusCode::NOT_FOUND.into_response() };
    let value = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
    let granted = match value("grant_type") {
        "authorization_code" => redeem_code(desk, &value),
        "refresh_token" => redeem_refresh(desk, &value),
        _ => Err(refuse("unsupported_grant_type", "authorization_code or refresh_token")),
    };
    match granted {
        Ok(client) => desk.issue(&client).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

fn redeem_code<'a>(desk: &Desk, value: &dyn Fn(&str) -> &'a str) -> Result<String, Refusal> {
    // A code is good once, also when the rest is wrong.
    let grant = lock(&desk.books).codes.remove(value("code"));
    let grant = grant.ok_or_else(|| refuse("invalid_grant", "the code is not known"))?;
    let verified = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(value("code_verifier").as_bytes()));
    if verified != grant.challenge {
        return Err(refuse("invalid_grant", "the verifier does not fit the challenge"));
    }
    if value("redirect_uri") != grant.redirect || value("client_id") != grant.client {
        return Err(refuse("invalid_grant", "the client or its redirect address is another one"));
    }
    Ok(grant.client)
}

fn redeem_refresh<'a>(desk: &Desk, value: &dyn Fn(&str) -> &'a str) -> Result<String, Refusal> {
    let mut books = lock(&desk.books);
    // Each refresh token is good once.
    let client = books.refresh.remove(value("refresh_token"));
    let client = client.ok_or_else(|| refuse("invalid_grant", "the refresh token is not known"))?;
    if value("client_id") != client {
        return Err(refuse("invalid_client", "the client is another one"));
    }
    books.refreshes += 1;
    Ok(client)
}
