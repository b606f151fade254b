//! The body of a chat request.

use tw_artifact::{Json, Map, Message, Role, Sampling, ToolDefinition};

use crate::EndpointError;

/// What the model is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatRequest {
    /// The model's name, as the endpoint lists it.
    pub model: String,
    /// The conversation, in storage form.
    pub messages: Vec<Message>,
    /// The tools; empty for none.
    pub tools: Vec<ToolDefinition>,
    /// How to sample.
    pub sampling: Sampling,
    /// The name under which this server sent reasoning earlier ([`tw_artifact::StepRecord::reasoning_field`]): history
    /// goes back under the same name. `reasoning_content` where nothing was seen yet.
    pub reasoning_field: Option<String>,
    /// Asks for the ids of prompt and answer tokens (vLLM `return_token_ids`). A server that refuses the field is asked
    /// again without it.
    pub want_token_ids: bool,
}

/// What a server turned out not to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) no_token_ids: bool,
    pub(crate) no_stream_options: bool,
    /// OpenAI's newer models want `max_completion_tokens` instead of `max_tokens`.
    pub(crate) completion_limit: bool,
}

/// Fields that `Sampling::extra` may not set: the code here relies on them.
const RESERVED: [&str; 5] = ["model", "messages", "tools", "stream", "stream_options"];

/// The older name of the two; vLLM takes both in history, DeepSeek's own API only this one.
const DEFAULT_REASONING_FIELD: &str = "reasoning_content";

/// Builds the body of `POST /chat/completions`.
pub(crate) fn chat_body(request: &ChatRequest, dialect: Dialect) -> Result<Json, EndpointError> {
    let sampling = &request.sampling;
    if let Some(field) = sampling.extra.keys().find(|key| RESERVED.contains(&key.as_str())) {
        return Err(EndpointError::ReservedField { field: field.clone() });
    }
    let mut body = Map::new();
    let mut put = |key: &str, value: Json| body.insert(key.to_owned(), value);
    put("model", request.model.as_str().into());
    let field = request.reasoning_field.as_deref().unwrap_or(DEFAULT_REASONING_FIELD);
    put("messages", wire_messages(&request.messages, field));
    if !request.tools.is_empty() {
        put("tools", wire_tools(&request.tools));
    }
    put("stream", true.into());
    if !dialect.no_stream_options {
        put("stream_options", Map::from([("include_usage".to_owned(), true.into())]).into());
    }
    if let Some(temperature) = sampling.temperature {
        put("temperature", float(temperature));
    }
    if let Some(top_p) = sampling.top_p {
        put("top_p", float(top_p));
    }
    if let Some(max_tokens) = sampling.max_tokens {
        let name = if dialect.completion_limit { "max_completion_tokens" } else { "max_tokens" };
        put(name, i64::from(max_tokens).into());
    }
    if let Some(seed) = sampling.seed {
        put("seed", seed.into());
    }
    if let (Some(parallel), false) = (sampling.parallel_tool_calls, request.tools.is_empty()) {
        put("parallel_tool_calls", parallel.into());
    }
    if request.want_token_ids && !dialect.no_token_ids {
        put("return_token_ids", true.into());
    }
    for (key, value) in &sampling.extra {
        put(key, value.clone());
    }
    Ok(body.into())
}

/// A conversation whose tokens a server is asked for.
#[derive(Clone, Copy, Debug)]
pub struct TokenizeRequest<'a> {
    /// The model.
    pub model: &'a str,
    /// The conversation, in storage form.
    pub messages: &'a [Message],
    /// The tools.
    pub tools: &'a [ToolDefinition],
    /// Whether it goes on to where the model answers.
    pub generation_prompt: bool,
    /// More variables of the template.
    pub kwargs: &'a Map,
}

/// Builds the body of vLLM's `POST /tokenize`. It knows history's reasoning only as `reasoning` and drops the older
/// name without a word (seen in 0.32).
pub(crate) fn tokenize_body(request: &TokenizeRequest<'_>) -> Json {
    let mut body = Map::new();
    body.insert("model".to_owned(), request.model.into());
    body.insert("messages".to_owned(), wire_messages(request.messages, "reasoning"));
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), wire_tools(request.tools));
    }
    body.insert("add_generation_prompt".to_owned(), request.generation_prompt.into());
    if !request.kwargs.is_empty() {
        body.insert("chat_template_kwargs".to_owned(), request.kwargs.clone().into());
    }
    body.into()
}

/// The ids in the answer to that.
pub(crate) fn read_tokens(reply: &str) -> Result<Vec<u32>, EndpointError> {
    let wrong = || EndpointError::NotTheApi { what: "its /tokenize gave no list of tokens".to_owned() };
    let reply = Json::parse(reply).map_err(|_| wrong())?;
    let tokens = reply.get("tokens").and_then(Json::as_array).ok_or_else(wrong)?;
    tokens.iter().map(|token| token.as_i64().and_then(|id| u32::try_from(id).ok()).ok_or_else(wrong)).collect()
}

fn wire_tools(tools: &[ToolDefinition]) -> Json {
    Json::Array(tools.iter().map(|tool| tool.0.clone()).collect())
}

fn wire_messages(messages: &[Message], reasoning_field: &str) -> Json {
    Json::Array(messages.iter().map(|message| wire_message(message, reasoning_field)).collect())
}

/// Arguments become text; an assistant's reasoning stands once, under `reasoning_field`, in its old place.
fn wire_message(message: &Message, reasoning_field: &str) -> Json {
    let message = message.clone().with_text_arguments();
    let reasoning = message.reasoning().map(str::to_owned);
    let (Role::Assistant, Some(reasoning)) = (message.role(), reasoning) else {
        return message.into();
    };
    let mut out = Map::new();
    for (key, value) in message.fields() {
        if matches!(key.as_str(), "reasoning" | "reasoning_content") {
            out.insert(reasoning_field.to_owned(), reasoning.clone().into());
        } else {
            out.insert(key.clone(), value.clone());
        }
    }
    out.into()
}

fn float(value: f64) -> Json {
    serde_json::Value::from(value).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request() -> ChatRequest {
        let arguments = Json::parse(r#"{"n":1.0}"#).unwrap();
        let calls = vec![Message::tool_call("c1", "count", arguments)];
        ChatRequest {
            model: "m".into(),
            messages: vec![
                Message::user("hi"),
                Message::assistant("", Some("\nthink\n".into()), calls).with_field("x_kept", true.into()),
                Message::tool("c1", "count", "2"),
            ],
            ..ChatRequest::default()
        }
    }

    #[test]
    fn reasoning_goes_back_under_the_servers_own_name_and_arguments_as_text() {
        let mut request = request();
        request.reasoning_field = Some("reasoning".into());
        let body = chat_body(&request, Dialect::default()).unwrap();
        insta::assert_snapshot!(body.to_text(), @r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"","reasoning":"\nthink\n","tool_calls":[{"id":"c1","type":"function","function":{"name":"count","arguments":"{\"n\":1.0}"}}],"x_kept":true},{"role":"tool","tool_call_id":"c1","name":"count","content":"2"}],"stream":true,"stream_options":{"include_usage":true}}"#);
    }

    #[test]
    fn every_sampling_setting_is_sent_as_named_and_the_rest_is_left_out() {
        let mut request = request();
        request.messages.truncate(1);
        request.tools = vec![ToolDefinition::new("t", "", Json::parse(r#"{"type":"object"}"#).unwrap())];
        request.want_token_ids = true;
        request.sampling = Sampling {
            temperature: Some(0.6),
            top_p: Some(0.95),
            max_tokens: Some(100),
            seed: Some(-1),
            parallel_tool_calls: Some(false),
            extra: Map::from([("top_k".to_owned(), 20_i64.into())]),
        };
        let body = chat_body(&request, Dialect::default()).unwrap();
        insta::assert_snapshot!(body.to_text(), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object"}}}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.6,"top_p":0.95,"max_tokens":100,"seed":-1,"parallel_tool_calls":false,"return_token_ids":true,"top_k":20}"#);
        let plain = Dialect { no_token_ids: true, no_stream_options: true, completion_limit: true };
        let body = chat_body(&request, plain).unwrap();
        insta::assert_snapshot!(body.to_text(), @r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object"}}}],"stream":true,"temperature":0.6,"top_p":0.95,"max_completion_tokens":100,"seed":-1,"parallel_tool_calls":false,"top_k":20}"#);
    }

    #[test]
    fn an_extra_field_that_the_app_sets_itself_is_refused_by_name() {
        let mut request = request();
        request.sampling.extra.insert("stream".to_owned(), false.into());
        let error = chat_body(&request, Dialect::default()).unwrap_err();
        assert_eq!(error, EndpointError::ReservedField { field: "stream".into() });
    }
}
