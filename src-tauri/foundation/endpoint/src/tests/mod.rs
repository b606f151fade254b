//! The client against the scripted endpoint: faults, wire snapshots, shapes of answers, the doctor.
#![allow(clippy::unwrap_used, clippy::panic)]

mod doctor;
mod faults;
mod pieces;
mod shapes;
mod wire;

use tokio_util::sync::CancellationToken;
use tw_artifact::{Json, Message, ToolDefinition};
use tw_support::endpoint::{EndpointOptions, MODEL, Script, ScriptedEndpoint};

use crate::{Answer, AnswerDelta, ChatFailure, ChatRequest, EndpointClient, RetryPolicy, Timeouts};

/// Long enough for a busy machine; no test waits for it.
const TIMEOUTS: Timeouts = Timeouts { connect_secs: 5.0, first_byte_secs: 20.0, between_chunks_secs: 20.0 };

/// Retries without a wait worth the name.
const RETRY: RetryPolicy = RetryPolicy { max_retries: 4, base_secs: 0.001, max_secs: 0.5, refused: false };

async fn endpoint<S: Into<Script>>(scripts: impl IntoIterator<Item = S>) -> ScriptedEndpoint {
    endpoint_with(EndpointOptions::default(), scripts).await
}

async fn endpoint_with<S: Into<Script>>(
    options: EndpointOptions,
    scripts: impl IntoIterator<Item = S>,
) -> ScriptedEndpoint {
    ScriptedEndpoint::start_with(options, scripts).await.unwrap()
}

fn client(endpoint: &ScriptedEndpoint) -> EndpointClient {
    client_with(endpoint, TIMEOUTS)
}

fn client_with(endpoint: &ScriptedEndpoint, timeouts: Timeouts) -> EndpointClient {
    EndpointClient::new(&endpoint.base_url(), None, timeouts).unwrap().with_retry(RETRY)
}

fn weather_tool() -> ToolDefinition {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}"#;
    ToolDefinition::new("weather", "The weather", Json::parse(schema).unwrap())
}

fn request() -> ChatRequest {
    ChatRequest {
        model: MODEL.to_owned(),
        messages: vec![Message::user("How is the weather?")],
        tools: vec![weather_tool()],
        ..ChatRequest::default()
    }
}

/// Asks and gives the answer with what was shown of it.
async fn ask(client: &EndpointClient, request: &ChatRequest) -> (Result<Answer, ChatFailure>, Vec<AnswerDelta>) {
    let mut deltas = Vec::new();
    let result = client.chat(request, &CancellationToken::new(), &mut |delta| deltas.push(delta)).await;
    (result, deltas)
}

/// What a viewer ends up with: reasoning, text, and each call's name and arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct View {
    reasoning: String,
    content: String,
    calls: Vec<(String, String)>,
}

impl View {
    fn of(deltas: &[AnswerDelta]) -> Self {
        let mut view = Self::default();
        for delta in deltas {
            match delta {
                AnswerDelta::Reasoning(text) => view.reasoning.push_str(text),
                AnswerDelta::Content(text) => view.content.push_str(text),
                AnswerDelta::ContentWasReasoning => {
                    view.reasoning.push_str(&std::mem::take(&mut view.content));
                }
                AnswerDelta::CallStart { index, name } => {
                    assert_eq!(*index as usize, view.calls.len(), "calls are announced in order");
                    view.calls.push((name.clone(), String::new()));
                }
                AnswerDelta::CallArguments { index, text } => view.calls[*index as usize].1.push_str(text),
                AnswerDelta::Retrying { .. } => {}
            }
        }
        view
    }
}
