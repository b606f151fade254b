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
    insta::assert_snapshot!(text(&report), @"");
}

#[tokio::test]
async fn a_vllm_without_its_parsers_and_with_a_short_context() {
    let options = EndpointOptions {
        models: vec!["Qwen/Qwen3-8B".to_owned()],
        context_tokens: 8_192,
        ..EndpointOptions::default()
    };
    let script = answer()
        .shape(Shape::Text(TextForm::Hermes))
        .reasoning("\nhm\n")
        .call("c", "get_weather", &json!({"city": "Paris"}));
    insta::assert_snapshot!(text(&examine(options, script, "Qwen/Qwen3-8B").await), @"");
}

#[tokio::test]
async fn a_vllm_that_refuses_tools() {
    let message = "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set";
    let script = Script::vllm_error(400, "BadRequestError", None, message);
    insta::assert_snapshot!(text(&examine(EndpointOptions::default(), script, MODEL).await), @"");
}

#[tokio::test]
async fn a_hosted_api() {
    let options = EndpointOptions {
        flavour: Flavour::OpenAi,
        refused_fields: vec!["return_token_ids".to_owned()],
        ..EndpointOptions::default()
    };
    let script = answer().shape(Shape::OpenAi).call("c", "get_weather", &json!({"city": "Paris"}));
    insta::assert_snapshot!(text(&examine(options, script, MODEL).await), @"");
}

#[tokio::test]
async fn a_parser_that_does_not_fit_the_model() {
    let report = examine(EndpointOptions::default(), answer().reasoning("It is sunny."), MODEL).await;
    let line = text(&report).lines().find(|line| line.starts_with("reasoning")).unwrap().to_owned();
    insta::assert_snapshot!(line, @"");
}

#[tokio::test]
async fn a_model_that_is_not_on_offer() {
    let report = examine(EndpointOptions::default(), answer(), "other").await;
    insta::assert_snapshot!(text(&report), @"");
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let client = EndpointClient::new("http://127.0.0.1:9/v1", None, TIMEOUTS).unwrap().with_retry(RETRY);
    insta::assert_snapshot!(text(&client.doctor(MODEL).await), @"");
}

#[tokio::test]
async fn the_serve_line_is_for_what_the_adapter_was_trained_on() {
    let options = EndpointOptions {
        models: vec!["Qwen/Qwen3-8B".to_owned()],
        lora: Lora::Open,
        ..EndpointOptions::default()
    };
    let endpoint = endpoint_with(options, [answer().content("hi")]).await;
    let client = client(&endpoint);
    let body = tw_artifact::Json::parse(r#"{"lora_name":"mine","lora_path":"/adapters/mine"}"#).unwrap();
    let url = format!("{}/load_lora_adapter", client.base_url());
    assert_eq!(client.quick(http::Method::POST, &url, Some(&body)).await.unwrap().0, 200);
    let report = client.doctor("mine").await;
    assert!(report.serve.vllm.starts_with("vllm serve Qwen/Qwen3-8B "), "{}", report.serve.vllm);
    assert_eq!(report.models[1].context_tokens, Some(32_768));
}
