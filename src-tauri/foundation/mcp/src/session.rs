//! One connection to one server.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rmcp::model::{ListToolsRequest, PaginatedRequestParams, ProtocolVersion, ServerNotification, SubscriptionFilter};
use rmcp::service::{Peer, PeerRequestOptions, RunningService, ServiceError};
use rmcp::{RoleClient, model::ClientRequest};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tw_artifact::{Json, ServerConfig, ServerPhase, ServerStatus, ToolInfo};
use tw_vault::Vault;

use crate::call::{Call, CallFailure, result_value};
use crate::connect::{Connected, DETAIL_LINES, STATUS_PATIENCE, Start, roots_of, transport_error};
use crate::handler::{Handler, Shared};
use crate::linked::LinkFolders;
use crate::listener::{Progress, Reporter, ServerEventKind, ServerListener};
use crate::output::{CallOutput, read_output};
use crate::process::{Process, status_words};
use crate::stdio::{MAX_MESSAGE_BYTES, is_too_large};
use crate::tools::{mark_duplicates, read_tools};
use crate::{LaunchContext, McpError, ServerSecrets};

/// Most pages of a list of tools.
const MAX_PAGES: usize = 100;
/// Most tools of one server.
const MAX_TOOLS: usize = 5000;
/// How long a list that changed is waited for: a person who wants to stop waits with it.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long one page of the list may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a goodbye over HTTP may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(4);

/// A conversation with a server that is ready. Clones are the same session; when the last one is dropped the server
/// is ended in the background, [`Session::shutdown`] waits for that.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    config: ServerConfig,
    shared: Arc<Shared>,
    peer: Peer<RoleClient>,
    links: Option<LinkFolders>,
    closing: CancellationToken,
    _closes_when_dropped: DropGuard,
    process: Option<Arc<tokio::sync::Mutex<Process>>>,
    /// How it ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.inner.config.name).finish_non_exhaustive()
    }
}

impl Session {
    /// Starts or reaches the server and lists its tools. The listener hears of every phase. Dropping the future ends
    /// what was started.
    ///
    /// # Errors
    /// Why it is not ready, with the last lines of its stderr; [`McpError::SignInNeeded`] where a person must sign in
    /// and `context` does not allow to ask.
    pub async fn start(
        config: &ServerConfig,
        secrets: &ServerSecrets,
        context: &LaunchContext,
        listener: Arc<dyn ServerListener>,
        vault: Vault,
    ) -> Result<Self, McpError> {
        let reporter = Reporter { server_id: config.id.clone(), listener, tail: crate::tail::Tail::default() };
        let shared = Arc::new(Shared::new(config.name.clone(), Arc::new(reporter), roots_of(config)));
        shared.enter(ServerPhase::Starting);
        let closing = CancellationToken::new();
        let start = Start { config, secrets, context, shared: Arc::clone(&shared), vault, closing: closing.clone() };
        let begun = async {
            let connected = Box::pin(start.connect()).await?;
            match list_tools(connected.service.peer(), config, &shared).await {
                Ok(tools) => Ok((connected, tools)),
                Err(error) => {
                    connected.abandon().await;
                    Err(error)
                }
            }
        };
        match Box::pin(begun).await {
            Ok((connected, tools)) => Ok(Self::run(config.clone(), shared, connected, tools, closing)),
            Err(error) => {
                shared.enter(phase_of(&error));
                Err(error)
            }
        }
    }

    fn run(
        config: ServerConfig,
        shared: Arc<Shared>,
        connected: Connected,
        tools: Vec<ToolInfo>,
        closing: CancellationToken,
    ) -> Self {
        let Connected { service, process, links } = connected;
        let peer = service.peer().clone();
        let info = peer.peer_info();
        shared.change_status(|status| {
            status.protocol = info.as_ref().map(|info| info.protocol_version.to_string());
            let server = info.as_ref().and_then(|info| info.server_info.as_ref());
            status.identity = server.map(|server| format!("{} {}", server.name, server.version).trim().to_owned());
            status.tools = tools;
        });
        shared.enter(ServerPhase::Running);
        let process = process.map(|process| Arc::new(tokio::sync::Mutex::new(process)));
        let (tell_end, ended) = watch::channel(None);
        tokio::spawn(watch_end(service, process.clone(), Arc::clone(&shared), closing.clone(), tell_end));
        tokio::spawn(closing.clone().run_until_cancelled_owned(keep_tools(
            peer.clone(),
            config.clone(),
            Arc::clone(&shared),
        )));
        let is_newer = info.is_some_and(|info| {
            let changes = info.capabilities.tools.as_ref().and_then(|tools| tools.list_changed);
            info.protocol_version >= ProtocolVersion::NO_INITIALIZE && changes == Some(true)
        });
        if is_newer {
            let listening = listen_for_changes(peer.clone(), Arc::clone(&shared));
            tokio::spawn(closing.clone().run_until_cancelled_owned(listening));
        }
        let _closes_when_dropped = closing.clone().drop_guard();
        Self { inner: Arc::new(Inner { config, shared, peer, links, closing, _closes_when_dropped, process, ended }) }
    }

    /// The server's id.
    #[must_use]
    pub fn server_id(&self) -> &str {
        &self.inner.config.id
    }

    /// The person's name for the server.
    #[must_use]
    pub fn server_name(&self) -> &str {
        &self.inner.config.name
    }

    /// How the server is doing: its phase, its tools, its last lines.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        self.inner.shared.status()
    }

    /// Whether the conversation is over: the server ended by itself, or the session was shut down.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.ended.borrow().is_some()
    }

    /// The last lines of its stderr, and of its stdout where those were no messages (`[stdout] ...`).
    #[must_use]
    pub fn stderr_tail(&self) -> Vec<String> {
        self.inner.shared.reporter.tail.lines()
    }

    /// Asks the server for its tools, all pages of them. The names in `exposed_name` are those without other servers;
    /// see [`Toolbox`](crate::Toolbox). [`Session::status`] has the list of the last time without asking.
    ///
    /// # Errors
    /// The server is gone, or its list has no end.
    pub async fn tools(&self) -> Result<Vec<ToolInfo>, McpError> {
        let tools = list_tools(&self.inner.peer, &self.inner.config, &self.inner.shared).await?;
        self.inner.shared.change_status(|status| status.tools.clone_from(&tools));
        Ok(tools)
    }

    /// Waits until a list of tools that the server said to be another one is in [`Session::status`], or could not be
    /// had, for a second at most.
    pub async fn settle_tools(&self) {
        let shared = &self.inner.shared;
        let told = *shared.tools_changed.borrow();
        let mut listed = shared.tools_listed.subscribe();
        let settled = tokio::time::timeout(SETTLE_PATIENCE, listed.wait_for(|listed| *listed >= told)).await;
        if settled.is_err() {
            tracing::debug!(server = %shared.server_name, "the changed list of tools is not there yet");
        }
    }

    /// Calls `tool`, which is the server's own name of it, with `arguments`, a JSON object (`null` counts as an empty
    /// one). Questions that come up go to the listener; the time that a person takes for them does not count.
    /// A result that says that the tool failed is a result.
    ///
    /// `cancel` ends the call at once, also when the server hangs; so does dropping the future. The server is told.
    ///
    /// # Errors
    /// There is no result: cancelled, timed out, refused, crashed.
    pub async fn call(
        &self,
        tool: &str,
        arguments: &Json,
        cancel: &CancellationToken,
        timeout: Duration,
        on_progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<CallOutput, McpError> {
        let inner = &*self.inner;
        let server = || inner.config.name.clone();
        let arguments = match arguments {
            Json::Null => serde_json::Map::new(),
            Json::Object(_) => match arguments.to_value() {
                serde_json::Value::Object(map) => map,
                _ => serde_json::Map::new(),
            },
            other => return Err(McpError::BadArguments { tool: tool.to_owned(), found: kind_of(other) }),
        };
        if !inner.shared.has_tool(tool) {
            return Err(McpError::UnknownTool { server: server(), tool: tool.to_owned() });
        }
        let since = SystemTime::now();
        let call = Call { peer: &inner.peer, shared: &inner.shared, tool, cancel, on_progress };
        let result = Box::pin(call.run(arguments, timeout)).await;
        let value = match result {
            Ok(value) => value,
            Err(CallFailure::Cancelled) => return Err(McpError::Cancelled),
            Err(CallFailure::TimedOut) => {
                return Err(McpError::CallTimeout {
                    server: server(),
                    tool: tool.to_owned(),
                    timeout_secs: timeout.as_secs(),
                });
            }
            Err(CallFailure::Protocol(message)) => return Err(self.protocol_error(message)),
            Err(CallFailure::Service(error)) => {
                return tokio::select! {
                    biased;
                    () = cancel.cancelled() => Err(McpError::Cancelled),
                    error = self.service_error(error) => Err(error),
                };
            }
        };
        let mut output = read_output(value).map_err(|message| self.protocol_error(message))?;
        if let Some(links) = &inner.links {
            let (links, parts) = (links.clone(), std::mem::take(&mut output.parts));
            let read = tokio::task::spawn_blocking(move || links.read_in(parts, since)).await;
            output.parts = read.map_err(|error| self.protocol_error(error.to_string()))?;
        }
        Ok(output)
    }

    /// Ends the conversation, the server, and every process that the server started. Takes at most about ten seconds;
    /// a second call waits for the first.
    pub async fn shutdown(&self) {
        self.inner.shared.withdraw_questions();
        self.inner.closing.cancel();
        if let Some(process) = &self.inner.process {
            process.lock().await.end().await;
        }
        let mut ended = self.inner.ended.clone();
        if tokio::time::timeout(CLOSE_PATIENCE, ended.wait_for(Option::is_some)).await.is_err() {
            tracing::debug!(server = self.inner.config.name, "the goodbye took too long");
        }
    }

    /// How many questions of this server a person has in front of them.
    #[cfg(test)]
    pub(crate) fn open_questions(&self) -> usize {
        *self.inner.shared.questions.borrow()
    }

    fn protocol_error(&self, message: String) -> McpError {
        let (server, stderr) = (self.inner.config.name.clone(), self.stderr());
        McpError::Protocol { server, message, stderr }
    }

    async fn service_error(&self, error: ServiceError) -> McpError {
        let server = self.inner.config.name.clone();
        match error {
            ServiceError::McpError(error) if is_too_large(&error) => {
                McpError::TooLarge { server, limit_bytes: MAX_MESSAGE_BYTES }
            }
            ServiceError::TransportSend(error) if self.inner.process.is_none() => {
                let error = transport_error(&server, &error);
                if matches!(error, McpError::SignInNeeded { .. }) {
                    self.inner.shared.enter(ServerPhase::NeedsSignIn);
                }
                error
            }
            ServiceError::TransportSend(_) | ServiceError::TransportClosed => {
                if self.inner.closing.is_cancelled() {
                    return McpError::Closed { server };
                }
                let mut ended = self.inner.ended.clone();
                let status = tokio::time::timeout(STATUS_PATIENCE, ended.wait_for(Option::is_some)).await;
                let status = status.ok().and_then(Result::ok).and_then(|status| status.clone());
                let status = status.unwrap_or_else(|| status_words(None));
                McpError::Crashed { server, status, stderr: self.stderr() }
            }
            other => request_error(&self.inner.config.name, other, self.stderr()),
        }
    }

    fn stderr(&self) -> String {
        self.inner.shared.reporter.tail.text(DETAIL_LINES)
    }
}

/// What `error` of a request means when the connection is not at fault.
fn request_error(server: &str, error: ServiceError, stderr: String) -> McpError {
    let server = server.to_owned();
    match error {
        ServiceError::McpError(error) => McpError::Refused {
            server,
            code: error.code.0,
            message: error.message.into_owned(),
            data: error.data.map(|data| data.to_string()).unwrap_or_default(),
        },
        ServiceError::TransportSend(error) => transport_error(&server, &error),
        ServiceError::TransportClosed => McpError::Crashed { server, status: status_words(None), stderr },
        ServiceError::Cancelled { .. } => McpError::Cancelled,
        other => McpError::Protocol { server, message: other.to_string(), stderr },
    }
}

fn phase_of(error: &McpError) -> ServerPhase {
    match error {
        McpError::SignInNeeded { .. } => ServerPhase::NeedsSignIn,
        error => ServerPhase::Failed { message: error.to_string(), hint: error.hint().unwrap_or_default() },
    }
}

const fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// All pages of `tools/list`.
async fn list_tools(
    peer: &Peer<RoleClient>,
    config: &ServerConfig,
    shared: &Shared,
) -> Result<Vec<ToolInfo>, McpError> {
    let stderr = || shared.reporter.tail.text(DETAIL_LINES);
    let endless = |message: String| McpError::Protocol { server: config.name.clone(), message, stderr: stderr() };
    if peer.peer_info().is_some_and(|info| info.capabilities.tools.is_none()) {
        return Ok(Vec::new());
    }
    let mut tools = Vec::new();
    let mut cursors: Vec<String> = Vec::new();
    loop {
        let params = cursors.last().map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor.clone())));
        let request = ListToolsRequest { params, ..ListToolsRequest::default() };
        let options = PeerRequestOptions::with_timeout(PAGE_TIMEOUT);
        let page = async {
            let handle = peer.send_request_with_option(ClientRequest::ListToolsRequest(request), options).await?;
            handle.await_response().await
        };
        let page = page.await.map_err(|error| match error {
            ServiceError::Timeout { timeout } => McpError::StartTimeout {
                server: config.name.clone(),
                timeout_secs: timeout.as_secs(),
                stderr: stderr(),
            },
            error => request_error(&config.name, error, stderr()),
        })?;
        let page = Json::from(result_value(page).map_err(&endless)?);
        if page.get("tools").and_then(Json::as_array).is_none() {
            return Err(endless("its answer to tools/list has no list of tools".to_owned()));
        }
        read_tools(&page, &config.disabled_tools, &mut tools);
        match page.get("nextCursor").and_then(Json::as_str).filter(|cursor| !cursor.is_empty()) {
            None => break,
            Some(cursor) if cursors.iter().any(|seen| seen == cursor) => {
                return Err(endless(format!("its list of tools has no end: it gave the cursor \"{cursor}\" twice")));
            }
            Some(_) if cursors.len() + 1 >= MAX_PAGES || tools.len() > MAX_TOOLS => {
                let (pages, tools) = (cursors.len() + 1, tools.len());
                return Err(endless(format!("its list of tools has no end: {tools} tools on {pages} pages")));
            }
            Some(cursor) => cursors.push(cursor.to_owned()),
        }
    }
    mark_duplicates(&mut tools);
    Ok(tools)
}

/// Fetches the list of tools again whenever the server says that it changed.
async fn keep_tools(peer: Peer<RoleClient>, config: ServerConfig, shared: Arc<Shared>) {
    let mut changes = shared.tools_changed.subscribe();
    let mut listed = 0;
    // An error would mean that the sender is gone, which this holds itself.
    while let Ok(told) = changes.wait_for(|told| *told > listed).await.map(|told| *told) {
        let fresh = list_tools(&peer, &config, &shared).await;
        listed = told;
        match fresh {
            Ok(tools) => {
                shared.change_status(|status| status.tools = tools);
                shared.reporter.tell(ServerEventKind::ToolsChanged);
            }
            Err(error) => {
                shared.reporter.line(&format!("[tracewright] the changed list of tools was not read: {error}"));
            }
        }
        shared.tools_listed.send_replace(listed);
    }
}

/// In the newer protocol a client must ask to be told.
async fn listen_for_changes(peer: Peer<RoleClient>, shared: Arc<Shared>) {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    match peer.listen(filter).await {
        Ok(mut changes) => {
            while let Ok(Some(change)) = changes.next().await {
                if matches!(change, ServerNotification::ToolListChangedNotification(_)) {
                    shared.tools_changed.send_modify(|times| *times += 1);
                }
            }
        }
        Err(error) => tracing::debug!(%error, "the server does not tell when its tools change"),
    }
}

/// Waits for the end of the conversation and says how it came.
async fn watch_end(
    service: RunningService<RoleClient, Handler>,
    process: Option<Arc<tokio::sync::Mutex<Process>>>,
    shared: Arc<Shared>,
    closing: CancellationToken,
    tell_end: watch::Sender<Option<String>>,
) {
    if let Err(error) = service.waiting().await {
        tracing::warn!(%error, "the conversation with a server broke off");
    }
    let was_asked = closing.is_cancelled();
    let mut status = status_words(None);
    if let Some(process) = process {
        let mut process = process.lock().await;
        if !was_asked {
            status = status_words(process.wait(STATUS_PATIENCE).await);
            tell_end.send_replace(Some(status.clone()));
        }
        process.end().await;
    }
    shared.withdraw_questions();
    if was_asked {
        shared.enter(ServerPhase::Stopped);
    } else {
        let stderr = shared.reporter.tail.text(DETAIL_LINES);
        shared.enter(phase_of(&McpError::Crashed {
            server: shared.server_name.clone(),
            status: status.clone(),
            stderr,
        }));
    }
    tell_end.send_replace(Some(status));
}
