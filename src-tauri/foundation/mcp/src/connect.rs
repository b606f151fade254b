//! Getting to a server that is ready.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, RunningService, serve_client_with_lifecycle_and_ct};
use rmcp::transport::auth::{AuthClient, AuthError, CredentialStore};
use rmcp::transport::streamable_http_client::{AuthRequiredError, InsufficientScopeError, StreamableHttpError};
use rmcp::transport::{DynamicTransportError, Transport};
use tokio_util::sync::CancellationToken;
use tw_artifact::{ServerConfig, ServerPhase, Transport as Way};
use tw_vault::Vault;

use crate::handler::{Handler, Shared};
use crate::http::Address;
use crate::launch::{Launched, Program};
use crate::linked::LinkFolders;
use crate::oauth::{self, VaultCredentials};
use crate::process::{Process, status_words};
use crate::stdio::{StdioTransport, read_stderr};
use crate::{LaunchContext, McpError, ServerSecrets};

/// Lines of stderr in an error.
pub(crate) const DETAIL_LINES: usize = 30;
/// How long the last words of a program that ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long it may take to learn how a program ended: a guard tells only when nothing is left of it.
pub(crate) const STATUS_PATIENCE: Duration = Duration::from_secs(4);

/// A conversation that has begun.
pub(crate) struct Connected {
    pub(crate) service: RunningService<RoleClient, Handler>,
    pub(crate) process: Option<Process>,
    pub(crate) links: Option<LinkFolders>,
}

/// What a start works with.
pub(crate) struct Start<'a> {
    pub(crate) config: &'a ServerConfig,
    pub(crate) secrets: &'a ServerSecrets,
    pub(crate) context: &'a LaunchContext,
    pub(crate) shared: Arc<Shared>,
    pub(crate) vault: Vault,
    /// Ends the conversation.
    pub(crate) closing: CancellationToken,
}

type HttpError = StreamableHttpError<reqwest::Error>;

/// Why a handshake came to nothing.
enum Failure {
    TimedOut,
    Refused(Box<ClientInitializeError>),
}

impl Start<'_> {
    /// Connects, in whichever way and era of the protocol.
    pub(crate) async fn connect(&self) -> Result<Connected, McpError> {
        let connected = match &self.config.transport {
            Way::Stdio { .. } => self.connect_program().await?,
            Way::Http { url } => Box::pin(self.connect_address(url)).await?,
        };
        let known = connected.service.peer_info().map(|info| info.protocol_version.clone());
        match known {
            Some(version) if ProtocolVersion::KNOWN_VERSIONS.contains(&version) => Ok(connected),
            version => {
                let version = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
                connected.abandon().await;
                Err(self.protocol_error(format!("it speaks the version {version}, which is not known here")))
            }
        }
    }

    async fn connect_program(&self) -> Result<Connected, McpError> {
        let program = Program::resolve(self.config, self.secrets, self.context)?;
        let Way::Stdio { args, .. } = &self.config.transport else {
            return Err(McpError::Closed { server: self.config.name.clone() });
        };
        let output_dir = self.secrets.env_value("PLAYWRIGHT_MCP_OUTPUT_DIR");
        let links = LinkFolders::new(&program.cwd, args, output_dir);
        let first = self.talk_to_program(&program, auto()).await;
        let (service, process) = match first {
            // Older servers end at a first message that is not `initialize`.
            Err(McpError::CrashedAtStart { .. }) => {
                self.shared.reporter.tail.clear();
                self.talk_to_program(&program, ClientLifecycleMode::Initialize).await?
            }
            first => first?,
        };
        Ok(Connected { service, process: Some(process), links: Some(links) })
    }

    async fn talk_to_program(
        &self,
        program: &Program,
        mode: ClientLifecycleMode,
    ) -> Result<(RunningService<RoleClient, Handler>, Process), McpError> {
        let Launched { mut process, stdin, stdout, stderr } = program.launch(self.context.guard_exe.as_deref())?;
        let reporter = Arc::clone(&self.shared.reporter);
        let mut last_words = tokio::spawn(read_stderr(stderr, Arc::clone(&reporter)));
        let transport = StdioTransport::open(stdin, stdout, reporter);
        let failure = match self.shake_hands(transport, mode).await {
            Ok(service) => return Ok((service, process)),
            Err(failure) => failure,
        };
        let error = match failure {
            Failure::TimedOut => {
                process.end().await;
                McpError::StartTimeout {
                    server: self.config.name.clone(),
                    timeout_secs: self.context.start_timeout.as_secs(),
                    stderr: self.stderr(),
                }
            }
            Failure::Refused(error) if is_closed(&error) => {
                let status = process.wait(STATUS_PATIENCE).await;
                process.end().await;
                if tokio::time::timeout(LAST_WORDS, &mut last_words).await.is_err() {
                    last_words.abort();
                }
                McpError::CrashedAtStart {
                    server: self.config.name.clone(),
                    status: status_words(status),
                    stderr: self.stderr(),
                }
            }
            Failure::Refused(error) => {
                process.end().await;
                self.protocol_error(handshake_words(&error))
            }
        };
        Err(error)
    }

    async fn connect_address(&self, url: &str) -> Result<Connected, McpError> {
        let address = Address::resolve(&self.config.name, url, self.secrets, self.context)?;
        if address.has_authorization() {
            let service =
                self.over_http(|| address.plain()).await.map_err(|failure| match self.http_error(failure) {
                    McpError::SignInNeeded { server } => McpError::AccessRefused {
                        server,
                        message: "it does not take the given Authorization".to_owned(),
                    },
                    error => error,
                })?;
            return Ok(Connected { service, process: None, links: None });
        }
        let refresh = Arc::clone(&self.context.locks.refresh);
        let store = VaultCredentials::new(self.vault.clone(), &self.config.id, refresh);
        let challenge = match self.over_http_with(&address, &store).await? {
            Ok(connected) => return Ok(connected),
            Err(challenge) => challenge,
        };
        if !self.context.may_sign_in {
            return Err(McpError::SignInNeeded { server: self.config.name.clone() });
        }
        let sign_in = &self.context.locks.sign_in;
        let (_turn, waited) = match sign_in.try_lock() {
            Ok(turn) => (turn, false),
            Err(_) => (sign_in.lock().await, true),
        };
        // Another session may have signed in to this server while we waited for our turn.
        if waited && let Ok(connected) = self.over_http_with(&address, &store).await? {
            return Ok(connected);
        }
        self.shared.enter(ServerPhase::NeedsSignIn);
        let manager = self.manager(&address, &store).await?;
        let patience = self.context.sign_in_timeout;
        let listener = &self.shared.reporter.listener;
        let signing_in = oauth::sign_in(self.config, manager, challenge.as_deref(), listener, patience);
        let manager = Box::pin(signing_in).await?;
        self.shared.enter(ServerPhase::Starting);
        let client = AuthClient::new(address.client.clone(), manager);
        let service = self.over_http(|| address.signed_in(client.clone())).await;
        let service = service.map_err(|failure| self.http_error(failure))?;
        Ok(Connected { service, process: None, links: None })
    }

    /// Tries with what is in the vault; the inner error is the challenge of a server that asks for a sign-in.
    async fn over_http_with(
        &self,
        address: &Address,
        store: &VaultCredentials,
    ) -> Result<Result<Connected, Option<String>>, McpError> {
        let mut manager = self.manager(address, store).await?;
        let has_credentials = matches!(store.load().await, Ok(Some(_)));
        // Without it a token still can be used, but not refreshed.
        if has_credentials && let Err(error) = manager.initialize_from_store().await {
            tracing::debug!(%error, "the sign-in of earlier could not be taken up");
        }
        let client = AuthClient::new(address.client.clone(), manager);
        match self.over_http(|| address.signed_in(client.clone())).await {
            Ok(service) => Ok(Ok(Connected { service, process: None, links: None })),
            Err(Failure::Refused(error)) if error.is_authorization_required() => {
                Ok(Err(error.auth_challenge().map(str::to_owned)))
            }
            Err(failure) => Err(self.http_error(failure)),
        }
    }

    async fn manager(
        &self,
        address: &Address,
        store: &VaultCredentials,
    ) -> Result<rmcp::transport::AuthorizationManager, McpError> {
        oauth::manager(&address.url, store.clone())
            .await
            .map_err(|error| McpError::SignInFailed { server: self.config.name.clone(), message: error.to_string() })
    }

    /// Asks for the newer era first. A server that fails at that question may still know the older one.
    async fn over_http<T: Transport<RoleClient> + 'static>(
        &self,
        transport: impl Fn() -> T,
    ) -> Result<RunningService<RoleClient, Handler>, Failure> {
        match self.shake_hands(transport(), auto()).await {
            Err(Failure::Refused(error))
                if matches!(*error, ClientInitializeError::TransportError { .. })
                    && !error.is_authorization_required()
                    && !cannot_connect(&error) =>
            {
                self.shake_hands(transport(), ClientLifecycleMode::Initialize).await
            }
            other => other,
        }
    }

    async fn shake_hands<T: Transport<RoleClient> + 'static>(
        &self,
        transport: T,
        mode: ClientLifecycleMode,
    ) -> Result<RunningService<RoleClient, Handler>, Failure> {
        // A child: rmcp cancels its token also when the server ends the conversation.
        let token = self.closing.child_token();
        let handler = Handler(Arc::clone(&self.shared));
        let serving = Box::pin(serve_client_with_lifecycle_and_ct(handler, transport, mode, token));
        match tokio::time::timeout(self.context.start_timeout, serving).await {
            Ok(Ok(service)) => Ok(service),
            Ok(Err(error)) => Err(Failure::Refused(Box::new(error))),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    fn http_error(&self, failure: Failure) -> McpError {
        let server = self.config.name.clone();
        match failure {
            Failure::TimedOut => McpError::StartTimeout {
                server,
                timeout_secs: self.context.start_timeout.as_secs(),
                stderr: String::new(),
            },
            Failure::Refused(error) => match handshake_transport(&error) {
                Some(transport) => transport_error(&server, transport),
                None => self.protocol_error(handshake_words(&error)),
            },
        }
    }

    fn protocol_error(&self, message: String) -> McpError {
        McpError::Protocol { server: self.config.name.clone(), message, stderr: self.stderr() }
    }

    fn stderr(&self) -> String {
        self.shared.reporter.tail.text(DETAIL_LINES)
    }
}

impl Connected {
    /// Ends what has just begun.
    pub(crate) async fn abandon(self) {
        let Self { service, process, .. } = self;
        drop(service);
        if let Some(mut process) = process {
            process.end().await;
        }
    }
}

fn auto() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::LATEST],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    }
}

fn is_closed(error: &ClientInitializeError) -> bool {
    match error {
        ClientInitializeError::ConnectionClosed(_) | ClientInitializeError::TransportError { .. } => true,
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => is_closed(fallback),
        _ => false,
    }
}

fn handshake_transport(error: &ClientInitializeError) -> Option<&DynamicTransportError> {
    match error {
        ClientInitializeError::TransportError { error, .. } => Some(error),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => handshake_transport(fallback),
        _ => None,
    }
}

fn handshake_words(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::JsonRpcError(error) => {
            format!("it refused the handshake: {} (code {})", error.message, error.code.0)
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => handshake_words(fallback),
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let versions: Vec<_> = server_supported.iter().map(ToString::to_string).collect();
            format!("it speaks the versions {}, none of which is known here", versions.join(", "))
        }
        ClientInitializeError::ExpectedInitResult(_) | ClientInitializeError::ExpectedInitResponse(_) => {
            "its answer to the handshake is none".to_owned()
        }
        other => other.to_string(),
    }
}

fn cannot_connect(error: &ClientInitializeError) -> bool {
    let error = handshake_transport(error).and_then(|error| find::<HttpError>(&*error.error));
    matches!(error, Some(StreamableHttpError::Client(error)) if error.is_connect())
}

/// An error of the connection, in our words.
pub(crate) fn transport_error(server: &str, error: &DynamicTransportError) -> McpError {
    let server = server.to_owned();
    let error: &(dyn Error + 'static) = &*error.error;
    if find::<AuthRequiredError>(error).is_some()
        || matches!(find::<AuthError>(error), Some(AuthError::AuthorizationRequired))
    {
        return McpError::SignInNeeded { server };
    }
    if let Some(scope) = find::<InsufficientScopeError>(error) {
        let message = match scope.get_required_scope() {
            Some(scope) => format!("the sign-in lacks the scope {scope}"),
            None => "the sign-in lacks a scope".to_owned(),
        };
        return McpError::AccessRefused { server, message };
    }
    match find::<HttpError>(error) {
        Some(StreamableHttpError::UnexpectedServerResponse(words))
            if words.starts_with("HTTP 401") || words.starts_with("HTTP 403") =>
        {
            McpError::AccessRefused { server, message: crate::tail::cut(words, 500) }
        }
        Some(StreamableHttpError::ResponseBodyTooLarge { max_size }) => {
            McpError::TooLarge { server, limit_bytes: *max_size }
        }
        // rmcp does not name it as the cause.
        Some(StreamableHttpError::Client(error)) => {
            McpError::Unreachable { server, message: crate::tail::cut(&chain(error), 1000) }
        }
        _ => McpError::Unreachable { server, message: crate::tail::cut(&chain(error), 1000) },
    }
}

/// The first error of type `T` among an error and its causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

/// An error with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(cause) = current {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        current = cause.source();
    }
    text
}

/// The folders that a configuration tells the server to work in (`roots`), as `file:` addresses.
pub(crate) fn roots_of(config: &ServerConfig) -> Vec<String> {
    let roots = config.extra.get("roots").and_then(tw_artifact::Json::as_array).unwrap_or_default();
    roots
        .iter()
        .filter_map(|root| root.as_str().or_else(|| root.get("uri")?.as_str()))
        .filter_map(|root| match url::Url::parse(root) {
            Ok(url) if url.scheme() == "file" => Some(url.to_string()),
            _ => url::Url::from_file_path(PathBuf::from(root)).ok().map(|url| url.to_string()),
        })
        .collect()
}
