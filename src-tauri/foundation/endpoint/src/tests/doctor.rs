//! What the doctor finds about servers of each kind.

use serde_json::json;
use tw_artifact::DoctorReport;
use tw_support::endpoint::{EndpointOptions, Flavour, Lora, MODEL, Script, Shape, TextForm, answer};

use super::{RETRY, TIMEOUTS, client, endpoint_with};
use crate::EndpointClient;

/// One line a check: name, status, finding, and the remedy behind an arrow.
fn text(report: &DoctorReport) -> String {
    let lines: Vec<String> = report
        .checks
        .iter()
        .map(|check| {
            let remedy = check.remedy.as_ref().map(|remedy| format!(" -> {remedy}")).unwrap_or_default();
            format!("{}: {:?}: {}{remedy}", check.name, check.status, check.finding)
        })
        .collect();
    lines.join("\n")
}

async fn examine(options: EndpointOptions, script: impl Into<Script>, model: &str) -> DoctorReport {
    let endpoint = endpoint_with(options, [script.into()]).await;
    client(&endpoint).doctor(model).await
}

#[tokio::test]
async fn a_server_as_it_should_be() {
    let options = EndpointOptions { lora: Lora::Open, ..EndpointOptions::default() };
    let script = answer().reasoning("\nhm\n").call("c", "get_weather", &json!({"city": "Paris"}));
    let report = examine(options, script, MODEL).await;
    assert_eq!(report.reasoning_field.as_deref(), Some("reasoning"));
    insta::assert_snapshot!(text(&report), @r#"
    reachable: Good: The server answers and lists 1 model.
    model: Good: The server offers "scripted-model".
    context: Good: A conversation may be 32768 tokens long.
    streams: Good: Answers stream.
    reasoning: Good: Reasoning comes under "reasoning".
    tool_calls: Good: Tool calls come parsed.
    token_ids: Good: The server gives the ids of tokens: traces can be checked against them.
    lora: Good: The route for loading adapters is open. It also needs --enable-lora, which shows at loading.
    "#);
}

#[tokio::test]
async fn a_vllm_without_its_parsers_and_with_a_short_context() {
    let options = EndpointOptions {
        models: vec!["Qwen/Qwen3-8B".to_owned()],
        context_tokens: 8_192,
        ..EndpointOptions::default()
    };
    let script = answer().shape(Shape::Text(TextForm::Hermes)).reasoning("\nhm\n").call(
        "c",
        "get_weather",
        &json!({"city": "Paris"}),
    );
    insta::assert_snapshot!(text(&examine(options, script, "Qwen/Qwen3-8B").await), @r#"
    reachable: Good: The server answers and lists 1 model.
    model: Good: The server offers "Qwen/Qwen3-8B".
    context: Warning: A conversation may be 8192 tokens long: tool outputs fill that quickly. -> Start vLLM with --max-model-len 32768, llama.cpp with -c 32768, or lower the budgets of tool outputs.
    streams: Good: Answers stream.
    reasoning: Warning: Reasoning comes inside the text, between think tags. It is split here. -> Start vLLM with --reasoning-parser qwen3.
    tool_calls: Warning: Tool calls come as text. They are read here. -> Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes, llama.cpp with --jinja.
    token_ids: Good: The server gives the ids of tokens: traces can be checked against them.
    lora: Warning: Adapters cannot be loaded while the server runs. -> Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and with --enable-lora --max-lora-rank 64. Only where nobody else can reach it: whoever can may load adapters.
    "#);
}

#[tokio::test]
async fn a_vllm_that_refuses_tools() {
    let message = "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set";
    let script = Script::vllm_error(400, "BadRequestError", None, message);
    insta::assert_snapshot!(text(&examine(EndpointOptions::default(), script, MODEL).await), @r#"
    reachable: Good: The server answers and lists 1 model.
    model: Good: The server offers "scripted-model".
    context: Good: A conversation may be 32768 tokens long.
    streams: Unknown: Not examined: the server refused the request with a tool.
    reasoning: Unknown: Not examined: the server refused the request with a tool.
    tool_calls: Bad: The server refused the request (HTTP 400): "auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set. -> Start vLLM with --enable-auto-tool-choice --tool-call-parser hermes, llama.cpp with --jinja.
    token_ids: Unknown: Not examined: the server refused the request with a tool.
    lora: Warning: Adapters cannot be loaded while the server runs. -> Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and with --enable-lora --max-lora-rank 64. Only where nobody else can reach it: whoever can may load adapters.
    "#);
}

#[tokio::test]
async fn a_hosted_api() {
    let options = EndpointOptions {
        flavour: Flavour::OpenAi,
        refused_fields: vec!["return_token_ids".to_owned()],
        ..EndpointOptions::default()
    };
    let script = answer().shape(Shape::OpenAi).call("c", "get_weather", &json!({"city": "Paris"}));
    insta::assert_snapshot!(text(&examine(options, script, MODEL).await), @r#"
    reachable: Good: The server answers and lists 1 model.
    model: Good: The server offers "scripted-model".
    context: Unknown: The server does not say how long a conversation may be.
    streams: Good: Answers stream.
    reasoning: Good: This answer came without reasoning, as usual for this model.
    tool_calls: Good: Tool calls come parsed.
    token_ids: Warning: The server gives no token ids: what the model read and wrote is kept as text only. -> vLLM gives them; no flag is needed.
    lora: Unknown: Only vLLM loads adapters while it runs.
    "#);
}

#[tokio::test]
async fn a_parser_that_does_not_fit_the_model() {
    let report = examine(EndpointOptions::default(), answer().reasoning("It is sunny."), MODEL).await;
    let line = text(&report).lines().find(|line| line.starts_with("reasoning")).unwrap().to_owned();
    insta::assert_snapshot!(line, @r#"reasoning: Warning: The whole answer came as reasoning, under "reasoning": the parser does not fit the model. -> Start vLLM without --reasoning-parser, or with the one for this model."#);
}

#[tokio::test]
async fn a_model_that_is_not_on_offer() {
    let report = examine(EndpointOptions::default(), answer(), "other").await;
    insta::assert_snapshot!(text(&report), @r#"
    reachable: Good: The server answers and lists 1 model.
    model: Bad: The server does not offer "other". -> Pick one of: scripted-model.
    context: Unknown: The server does not say how long a conversation may be.
    streams: Unknown: Not examined: the server does not know the model.
    reasoning: Unknown: Not examined: the server does not know the model.
    tool_calls: Unknown: Not examined: the server does not know the model.
    token_ids: Unknown: Not examined: the server does not know the model.
    lora: Warning: Adapters cannot be loaded while the server runs. -> Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and with --enable-lora --max-lora-rank 64. Only where nobody else can reach it: whoever can may load adapters.
    "#);
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let client = EndpointClient::new("http://127.0.0.1:9/v1", None, TIMEOUTS).unwrap().with_retry(RETRY);
    insta::assert_snapshot!(text(&client.doctor(MODEL).await), @r"
    reachable: Bad: Nothing answers at 127.0.0.1:9: the connection was refused. -> Start the server, or check the port. A server that loads a large model opens its port only when it is ready; on another machine it must listen on an address that can be reached, not on 127.0.0.1. Tried: 127.0.0.1:9.
    model: Unknown: Not examined: the endpoint could not be reached.
    context: Unknown: Not examined: the endpoint could not be reached.
    streams: Unknown: Not examined: the endpoint could not be reached.
    reasoning: Unknown: Not examined: the endpoint could not be reached.
    tool_calls: Unknown: Not examined: the endpoint could not be reached.
    token_ids: Unknown: Not examined: the endpoint could not be reached.
    lora: Unknown: Not examined: the endpoint could not be reached.
    ");
}

#[tokio::test]
async fn the_serve_line_is_for_what_the_adapter_was_trained_on() {
    let options =
        EndpointOptions { models: vec!["Qwen/Qwen3-8B".to_owned()], lora: Lora::Open, ..EndpointOptions::default() };
    let endpoint = endpoint_with(options, [answer().content("hi")]).await;
    let client = client(&endpoint);
    let body = tw_artifact::Json::parse(r#"{"lora_name":"mine","lora_path":"/adapters/mine"}"#).unwrap();
    let url = format!("{}/load_lora_adapter", client.base_url());
    assert_eq!(client.quick(http::Method::POST, &url, Some(&body)).await.unwrap().0, 200);
    let report = client.doctor("mine").await;
    assert!(report.serve.vllm.starts_with("vllm serve Qwen/Qwen3-8B "), "{}", report.serve.vllm);
    assert_eq!(report.models[1].context_tokens, Some(32_768));
}
