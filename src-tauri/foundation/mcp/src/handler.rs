//! What the server may ask of us and tell us.

// The protocol is about to lose roots (SEP-2577); servers of today ask for them.
#![expect(deprecated)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientCapabilities, ClientConfig, CustomRequest, CustomResult, ElicitRequestParams, ElicitResult,
    ElicitationAction, ErrorCode, ErrorData, Implementation, ListRootsResult, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, Root,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tw_artifact::{Elicitation, ElicitationAnswer, Json, ServerPhase, ServerStatus};

use crate::listener::{Progress, Reporter, ServerEventKind};

/// Numbers questions over all sessions of the program, since the window shows those of several side by side.
static NEXT_QUESTION: AtomicU64 = AtomicU64::new(1);

/// What the session, its calls and the handler share.
pub(crate) struct Shared {
    pub(crate) server_name: String,
    pub(crate) reporter: Arc<Reporter>,
    /// Folders that the server is told to work in, as `file:` addresses.
    pub(crate) roots: Vec<String>,
    /// Questions that a person has in front of them: time that no call has to answer for.
    pub(crate) questions: watch::Sender<usize>,
    /// How often the server said that its list of tools is another one now.
    pub(crate) tools_changed: watch::Sender<u64>,
    /// How many of those times the list was asked for since.
    pub(crate) tools_listed: watch::Sender<u64>,
    calls: Mutex<HashMap<ProgressToken, (String, mpsc::Sender<Progress>)>>,
    status: Mutex<ServerStatus>,
    /// Cancelled, and replaced, when the open questions have become pointless.
    withdrawal: Mutex<CancellationToken>,
}

impl Shared {
    pub(crate) fn new(server_name: String, reporter: Arc<Reporter>, roots: Vec<String>) -> Self {
        Self {
            server_name,
            reporter,
            roots,
            questions: watch::Sender::new(0),
            tools_changed: watch::Sender::new(0),
            tools_listed: watch::Sender::new(0),
            calls: Mutex::default(),
            status: Mutex::default(),
            withdrawal: Mutex::default(),
        }
    }

    /// How the server is doing, with its last lines.
    pub(crate) fn status(&self) -> ServerStatus {
        let mut status = lock(&self.status).clone();
        status.server_id.clone_from(&self.reporter.server_id);
        status.stderr_tail = self.reporter.tail.lines();
        status
    }

    pub(crate) fn has_tool(&self, name: &str) -> bool {
        lock(&self.status).tools.iter().any(|tool| tool.name == name)
    }

    pub(crate) fn change_status(&self, change: impl FnOnce(&mut ServerStatus)) {
        change(&mut lock(&self.status));
    }

    pub(crate) fn enter(&self, phase: ServerPhase) {
        lock(&self.status).phase = phase.clone();
        self.reporter.tell(ServerEventKind::Phase(phase));
    }

    /// Sends the progress of the call with this token to `sink`, until [`Shared::forget`].
    pub(crate) fn follow(&self, token: ProgressToken, tool: &str, sink: mpsc::Sender<Progress>) {
        lock(&self.calls).insert(token, (tool.to_owned(), sink));
    }

    /// Ends what [`Shared::follow`] began; whether no other call is followed now.
    pub(crate) fn forget(&self, token: &ProgressToken) -> bool {
        let mut calls = lock(&self.calls);
        calls.remove(token);
        calls.is_empty()
    }

    /// Takes the open questions back: what they were asked for is over.
    pub(crate) fn withdraw_questions(&self) {
        std::mem::take(&mut *lock(&self.withdrawal)).cancel();
    }

    /// Answers one of the requests that a server of the newer protocol puts into an unfinished result.
    pub(crate) async fn answer(&self, request: &Value) -> Result<Value, ErrorData> {
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        match method {
            "elicitation/create" => self.elicit(request.get("params").unwrap_or(&Value::Null)).await,
            "roots/list" => {
                Ok(json!({ "roots": self.roots.iter().map(|uri| json!({ "uri": uri })).collect::<Vec<_>>() }))
            }
            _ => {
                Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("this client does not answer {method}"), None))
            }
        }
    }

    /// Asks the person what `params` of `elicitation/create` say; gives the result for the server.
    async fn elicit(&self, params: &Value) -> Result<Value, ErrorData> {
        let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::to_owned);
        let is_link = text("mode").as_deref() == Some("url");
        let elicitation = Elicitation {
            id: NEXT_QUESTION.fetch_add(1, Ordering::Relaxed).to_string(),
            server_id: self.reporter.server_id.clone(),
            server_name: self.server_name.clone(),
            message: text("message").unwrap_or_default(),
            schema: params.get("requestedSchema").filter(|_| !is_link).cloned().map(Json::from),
            url: text("url").filter(|_| is_link),
        };
        if elicitation.schema.is_none() && elicitation.url.is_none() {
            let words = "elicitation/create needs requestedSchema, or mode \"url\" and url";
            return Err(ErrorData::invalid_params(words, None));
        }
        let withdrawal = lock(&self.withdrawal).clone();
        let answer = {
            let _open = OpenQuestion::new(&self.questions);
            tokio::select! {
                answer = self.reporter.listener.elicit(elicitation) => answer,
                () = withdrawal.cancelled() => ElicitationAnswer::Cancel,
            }
        };
        Ok(match answer {
            ElicitationAnswer::Accept { .. } if is_link => json!({ "action": "accept" }),
            ElicitationAnswer::Accept { content } => json!({ "action": "accept", "content": content.to_value() }),
            ElicitationAnswer::Decline => json!({ "action": "decline" }),
            ElicitationAnswer::Cancel => json!({ "action": "cancel" }),
        })
    }
}

/// What these locks guard is whole after any panic: its changes are single calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a question for as long as it is open, however its waiting ends.
struct OpenQuestion<'a>(&'a watch::Sender<usize>);

impl<'a> OpenQuestion<'a> {
    fn new(questions: &'a watch::Sender<usize>) -> Self {
        questions.send_modify(|open| *open += 1);
        Self(questions)
    }
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// The handler that rmcp drives.
pub(crate) struct Handler(pub(crate) Arc<Shared>);

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = json!({ "elicitation": { "form": {}, "url": {} } });
        // Roots are offered only where the person named some: servers such as server-filesystem take them in place of
        // the folders in their own arguments.
        if !self.0.roots.is_empty() {
            capabilities["roots"] = json!({});
        }
        let capabilities = serde_json::from_value::<ClientCapabilities>(capabilities).unwrap_or_default();
        let implementation = Implementation::new("tracewright", env!("CARGO_PKG_VERSION")).with_title("Tracewright");
        ClientConfig::new(capabilities, implementation).with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let params =
            serde_json::to_value(params).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        tokio::select! {
            answer = self.0.elicit(&params) => serde_json::from_value(answer?)
                .map_err(|error| ErrorData::internal_error(error.to_string(), None)),
            () = context.ct.cancelled() => Ok(ElicitResult::new(ElicitationAction::Cancel)),
        }
    }

    /// A question whose form is none of rmcp's types still is a question.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        let request = json!({ "method": request.method, "params": request.params });
        tokio::select! {
            answer = self.0.answer(&request) => answer.map(CustomResult),
            () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(self.0.roots.iter().map(Root::new).collect()))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        let Some((tool, sink)) = lock(&self.0.calls).get(&params.progress_token).cloned() else { return };
        let progress = Progress { progress: params.progress, total: params.total, message: params.message };
        self.0.reporter.tell(ServerEventKind::Progress { tool, progress: progress.clone() });
        // A caller that does not keep up misses a step, not the result.
        if sink.try_send(progress).is_err() {
            tracing::trace!("progress was not taken up");
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.0.tools_changed.send_modify(|times| *times += 1);
    }
}
