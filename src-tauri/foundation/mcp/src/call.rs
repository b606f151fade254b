//! One tool call, from its first message to its result.

use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotification, CancelledNotificationParam, ClientNotification,
    ClientRequest, ErrorData, InputResponses, ProgressToken, RequestId, ServerResult,
};
use rmcp::service::{Peer, PeerRequestOptions, ServiceError};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::handler::Shared;
use crate::listener::Progress;

/// Most rounds of questions within one call.
const MAX_ROUNDS: u32 = 20;
/// "A person has to open a link first" (MCP 2025-11-25).
const URL_ELICITATION_REQUIRED: i32 = -32_042;
/// How long the word that a call is cancelled may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why a call has no result.
pub(crate) enum CallFailure {
    Cancelled,
    TimedOut,
    Service(ServiceError),
    /// It does not keep to the protocol.
    Protocol(String),
}

/// A call under way.
pub(crate) struct Call<'a, F> {
    pub(crate) peer: &'a Peer<RoleClient>,
    pub(crate) shared: &'a std::sync::Arc<Shared>,
    pub(crate) tool: &'a str,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) on_progress: F,
}

impl<F: Fn(Progress)> Call<'_, F> {
    /// Calls, answers the questions that come instead of a result, and calls again until there is one.
    pub(crate) async fn run(
        &self,
        arguments: serde_json::Map<String, Value>,
        timeout: Duration,
    ) -> Result<Value, CallFailure> {
        let mut patience = Patience::new(timeout, self.shared.questions.subscribe());
        let mut params = CallToolRequestParams::new(self.tool.to_owned()).with_arguments(arguments);
        for round in 0..MAX_ROUNDS {
            let result = match self.round(params.clone(), &mut patience).await {
                Ok(result) => result,
                Err(CallFailure::Service(ServiceError::McpError(error)))
                    if error.code.0 == URL_ELICITATION_REQUIRED && self.links_opened(&error).await? =>
                {
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if result.get("resultType").and_then(Value::as_str) != Some("input_required") {
                return Ok(result);
            }
            let requests = result.get("inputRequests").and_then(Value::as_object);
            if requests.is_none_or(serde_json::Map::is_empty) {
                // "Not yet": asked again after a while, longer each time.
                let pause = Duration::from_millis(50 << round.min(5));
                self.unless_cancelled(&mut patience, tokio::time::sleep(pause)).await?;
            }
            let mut responses = InputResponses::new();
            for (key, request) in requests.into_iter().flatten() {
                let answer = self.unless_cancelled(&mut patience, self.shared.answer(request)).await?;
                let answer = answer.map_err(|error| CallFailure::Protocol(error.message.into_owned()))?;
                responses.insert(key.clone(), answer);
            }
            params.input_responses = (!responses.is_empty()).then_some(responses);
            params.request_state = result.get("requestState").and_then(Value::as_str).map(str::to_owned);
        }
        Err(CallFailure::Protocol(format!("a call of {} asked for input {MAX_ROUNDS} times", self.tool)))
    }

    /// One request and its answer.
    async fn round(&self, params: CallToolRequestParams, patience: &mut Patience) -> Result<Value, CallFailure> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let sending = self.peer.send_request_with_option(request, PeerRequestOptions::no_options());
        let mut handle = self.unless_cancelled(patience, sending).await?.map_err(CallFailure::Service)?;
        let (sink, mut steps) = mpsc::channel(64);
        self.shared.follow(handle.progress_token.clone(), self.tool, sink);
        let mut in_flight = InFlight {
            peer: self.peer.clone(),
            shared: std::sync::Arc::clone(self.shared),
            token: handle.progress_token.clone(),
            id: Some(handle.id.clone()),
        };
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(CallFailure::Cancelled),
                answer = &mut handle.rx => {
                    in_flight.id = None;
                    while let Ok(step) = steps.try_recv() {
                        (self.on_progress)(step);
                    }
                    let answer = answer.unwrap_or(Err(ServiceError::TransportClosed));
                    return result_value(answer.map_err(CallFailure::Service)?).map_err(CallFailure::Protocol);
                }
                Some(step) = steps.recv() => (self.on_progress)(step),
                () = patience.run_out() => return Err(CallFailure::TimedOut),
            }
        }
    }

    async fn unless_cancelled<T>(
        &self,
        patience: &mut Patience,
        work: impl Future<Output = T>,
    ) -> Result<T, CallFailure> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(CallFailure::Cancelled),
            done = work => Ok(done),
            () = patience.run_out() => Err(CallFailure::TimedOut),
        }
    }

    /// Asks the person to open the links that an error names; whether all were accepted.
    async fn links_opened(&self, error: &ErrorData) -> Result<bool, CallFailure> {
        let links = error.data.as_ref().and_then(|data| data.get("elicitations")).and_then(Value::as_array);
        let Some(links) = links.filter(|links| !links.is_empty()) else { return Ok(false) };
        for link in links {
            let mut params = link.clone();
            if let Some(params) = params.as_object_mut() {
                params.insert("mode".to_owned(), "url".into());
            }
            let request = json!({ "method": "elicitation/create", "params": params });
            let answer = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(CallFailure::Cancelled),
                answer = self.shared.answer(&request) => answer,
            };
            if answer.ok().as_ref().and_then(|it| it.get("action")).and_then(Value::as_str) != Some("accept") {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A result as plain JSON, whether rmcp has a type for it or not.
pub(crate) fn result_value(result: ServerResult) -> Result<Value, String> {
    match result {
        ServerResult::CustomResult(result) => Ok(result.0),
        other => serde_json::to_value(other).map_err(|error| error.to_string()),
    }
}

/// Tells the server when a call is no longer waited for, however that came.
struct InFlight {
    peer: Peer<RoleClient>,
    shared: std::sync::Arc<Shared>,
    token: ProgressToken,
    /// `None` once it was answered.
    id: Option<RequestId>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let was_last = self.shared.forget(&self.token);
        let Some(id) = self.id.take() else { return };
        if was_last {
            self.shared.withdraw_questions();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let peer = self.peer.clone();
        // In the background: a server that hangs may not even read.
        runtime.spawn(async move {
            let param = CancelledNotificationParam::new(Some(id), Some("the call is no longer waited for".to_owned()));
            let word = ClientNotification::CancelledNotification(CancelledNotification::new(param));
            match tokio::time::timeout(GOODBYE, peer.send_notification(word)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the server was not told of the cancellation"),
                Err(_) => tracing::debug!("the server did not take the word of the cancellation"),
            }
        });
    }
}

/// A time limit that stands still while a person has a question in front of them.
struct Patience {
    deadline: Instant,
    paused_at: Option<Instant>,
    questions: watch::Receiver<usize>,
}

impl Patience {
    fn new(timeout: Duration, questions: watch::Receiver<usize>) -> Self {
        let now = Instant::now();
        // A limit too large for the clock is none.
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400 * 365));
        Self { deadline, paused_at: None, questions }
    }

    /// Ends when the time is up. May be dropped and called again.
    async fn run_out(&mut self) {
        loop {
            let open = *self.questions.borrow_and_update();
            if open > 0 {
                self.paused_at.get_or_insert_with(Instant::now);
                if self.questions.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            if let Some(paused_at) = self.paused_at.take() {
                self.deadline += paused_at.elapsed();
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.deadline) => return,
                Ok(()) = self.questions.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_does_not_count_while_a_question_is_open() {
        let questions = watch::Sender::new(0_usize);
        let (limit, thinking) = (Duration::from_millis(200), Duration::from_millis(600));
        let mut patience = Patience::new(limit, questions.subscribe());
        let began = Instant::now();
        let asking = async {
            tokio::time::sleep(limit / 4).await;
            questions.send_modify(|open| *open += 1);
            tokio::time::sleep(thinking).await;
            questions.send_modify(|open| *open -= 1);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = patience.run_out() => {}
            () = asking => {}
        }
        assert!(began.elapsed() >= limit + thinking, "{:?}", began.elapsed());
    }
}
