//! Signing in to a server with OAuth: the browser opens, the person agrees, the browser comes back to a port of this
//! machine. rmcp does discovery, registration and PKCE; here are the way back and the keeping of the tokens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationRequest, AuthorizationSession, CredentialRefreshGuard,
    CredentialStore, StoredCredentials,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tw_artifact::{Json, ServerConfig};
use tw_vault::{Secret, Vault};
use url::Url;

use crate::McpError;
use crate::listener::ServerListener;

/// The path that the browser comes back to.
const CALLBACK_PATH: &str = "/callback";
/// Largest head of a request of the browser.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long a browser may take to send it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// One server's credentials, in the vault.
#[derive(Clone)]
pub(crate) struct VaultCredentials {
    vault: Vault,
    name: String,
    refresh: Arc<tokio::sync::Mutex<()>>,
}

impl VaultCredentials {
    /// `refresh` is shared by all sessions of the app: a server may take a refresh token only once.
    pub(crate) fn new(vault: Vault, server_id: &str, refresh: Arc<tokio::sync::Mutex<()>>) -> Self {
        Self { vault, name: ServerConfig::oauth_secret_name(server_id), refresh }
    }

    /// The vault blocks: its keyring may ask a person for a password.
    async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, &str) -> Result<T, tw_vault::VaultError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let (vault, name) = (self.vault.clone(), self.name.clone());
        let done = tokio::task::spawn_blocking(move || work(&vault, &name)).await;
        let done = done.map_err(|error| AuthError::CredentialStoreError(error.to_string()))?;
        done.map_err(|error| AuthError::CredentialStoreError(error.to_string()))
    }
}

#[async_trait]
impl CredentialStore for VaultCredentials {
    async fn load(&self) -> Result<Option<StoredCredentials>, AuthError> {
        let secret = self.with_vault(Vault::get).await?;
        // What cannot be read is as good as none: a new sign-in replaces it.
        Ok(secret.and_then(|secret| serde_json::from_str(secret.expose()).ok()))
    }

    async fn save(&self, credentials: StoredCredentials) -> Result<(), AuthError> {
        let text =
            serde_json::to_string(&credentials).map_err(|error| AuthError::CredentialStoreError(error.to_string()))?;
        self.with_vault(move |vault, name| vault.set(name, Secret::new(text))).await
    }

    async fn clear(&self) -> Result<(), AuthError> {
        self.with_vault(Vault::delete).await
    }

    async fn acquire_refresh_guard(&self) -> Result<Option<CredentialRefreshGuard>, AuthError> {
        Ok(Some(CredentialRefreshGuard::new(Arc::clone(&self.refresh).lock_owned().await)))
    }
}

/// A manager for the server at `url` that keeps its credentials in `store`.
///
/// # Errors
/// No HTTP client could be made.
pub(crate) async fn manager(url: &Url, store: VaultCredentials) -> Result<AuthorizationManager, AuthError> {
    // A company's sign-in server is often at a private address.
    let mut manager = AuthorizationManager::new_allowing_private_addresses(url.clone()).await?;
    manager.set_credential_store(store);
    Ok(manager)
}

/// Signs in: opens the browser at the server's authorization page and waits for it to come back. Dropping the future
/// closes the port.
///
/// # Errors
/// The person declined or took longer than `patience`, or the authorization server refused.
pub(crate) async fn sign_in(
    config: &ServerConfig,
    mut manager: AuthorizationManager,
    challenge: Option<&str>,
    listener: &Arc<dyn ServerListener>,
    patience: Duration,
) -> Result<AuthorizationManager, McpError> {
    let failed = |message: String| McpError::SignInFailed { server: config.name.clone(), message };
    // An id that the person had registered, as Claude Code's files name it.
    let client = config.extra.get("oauth");
    let client_id = client.and_then(|it| it.get("clientId")).and_then(Json::as_str);
    let port = client.and_then(|it| it.get("callbackPort")).and_then(Json::as_i64);
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let socket = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|error| failed(format!("no port for the way back: {error}")))?;
    let port = socket.local_addr().map_err(|error| failed(error.to_string()))?.port();
    let mut request = AuthorizationRequest::new(format!("http://127.0.0.1:{port}{CALLBACK_PATH}"))
        .with_client_name("Tracewright")
        .with_initial_scope_selection();
    if let Some(client_id) = client_id {
        request = request.with_preregistered_client(client_id);
    }

    let resolution = manager.resolve_metadata_from_challenge(challenge).await;
    let resolution = resolution.map_err(|error| failed(words(&error)))?;
    manager.set_metadata(resolution.metadata);
    let session = AuthorizationSession::new(manager, request).await.map_err(|(_, error)| failed(words(&error)))?;
    let auth_url = session.get_authorization_url().to_owned();
    let state = query_value(&auth_url, "state").ok_or_else(|| failed("its address has no state".to_owned()))?;
    listener.open_url(&auth_url);
    let callback = tokio::time::timeout(patience, wait_for_browser(&socket, &state))
        .await
        .map_err(|_| failed(format!("nobody signed in within {} seconds", patience.as_secs())))?
        .map_err(failed)?;
    let full = format!("http://127.0.0.1:{port}{callback}");
    session.handle_callback_url(&full).await.map_err(|error| failed(words(&error)))?;
    Ok(session.auth_manager)
}

/// An error with all its causes: rmcp's outermost words seldom say enough.
fn words(error: &AuthError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !text.contains(&cause_words) {
            text = format!("{text}: {cause_words}");
        }
        source = cause.source();
    }
    text
}

fn query_value(url: &str, key: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

/// The path and query with which the browser came back for `state`. Other visitors are shown the door.
///
/// # Errors
/// The authorization server's words, when it sent the browser back without a code.
async fn wait_for_browser(socket: &TcpListener, state: &str) -> Result<String, String> {
    loop {
        let (mut stream, _) = socket.accept().await.map_err(|error| error.to_string())?;
        let target = tokio::time::timeout(HEAD_TIMEOUT, read_target(&mut stream)).await.ok().flatten();
        let target = target.filter(|target| target.starts_with(CALLBACK_PATH));
        let url = target.as_deref().map(|target| format!("http://127.0.0.1{target}"));
        let Some((target, url)) =
            target.zip(url).filter(|(_, url)| query_value(url, "state").as_deref() == Some(state))
        else {
            answer(&mut stream, "404 Not Found", "There is nothing here.").await;
            continue;
        };
        if let Some(error) = query_value(&url, "error") {
            answer(&mut stream, "200 OK", "The sign-in did not succeed. You can close this page.").await;
            let told = query_value(&url, "error_description").unwrap_or_default();
            return Err(if told.is_empty() { error } else { format!("{error}: {told}") });
        }
        answer(&mut stream, "200 OK", "You are signed in. You can close this page and go back to Tracewright.").await;
        return Ok(target);
    }
}

/// The target of the request line of one HTTP request.
async fn read_target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0_u8; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut chunk).await.ok()?;
        head.extend_from_slice(&chunk[..count]);
        if count == 0 || head.len() > MAX_HEAD_BYTES {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.lines().next()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned)).flatten()
}

async fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html><meta charset=utf-8><title>Tracewright</title><p>{text}</p>");
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\r\n{body}",
        body.len()
    );
    if let Err(error) = stream.write_all(response.as_bytes()).await {
        tracing::debug!(%error, "the browser did not wait for its answer");
    }
}
