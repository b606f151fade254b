//! Every request that this crate sends, as it stands on the wire.

use serde_json::json;
use tw_artifact::{Json, Message, Sampling};
use tw_support::endpoint::{EndpointOptions, Flavour, Recorded, answer};
use tw_vault::Secret;

use super::{RETRY, TIMEOUTS, ask, client, endpoint, endpoint_with, request, weather_tool};
use crate::{EndpointClient, TokenizeRequest};

#[tokio::test]
async fn the_list_of_models() {
    let endpoint = endpoint([answer()]).await;
    let with_key = EndpointClient::new(&endpoint.base_url(), Some(Secret::new("sk-1")), TIMEOUTS).unwrap();
    with_key.models().await.unwrap();
    client(&endpoint).models().await.unwrap();
    let requests: Vec<String> = endpoint.requests().iter().map(Recorded::snapshot).collect();
    insta::assert_snapshot!(requests.join("\n"), @r"
    GET /v1/models
    authorization: Bearer sk-1

    GET /v1/models
    ");
}

#[tokio::test]
async fn a_conversation_with_two_turns() {
    let endpoint = endpoint([
        answer().reasoning("\nI look.\n").content("\n\n").call("call-1", "weather", &json!({"city": "Köln"})),
        answer().content("Rain."),
    ])
    .await;
    let client =
        EndpointClient::new(&endpoint.base_url(), Some(Secret::new("sk-1")), TIMEOUTS).unwrap().with_retry(RETRY);
    let mut request = request();
    request.want_token_ids = true;
    request.sampling = Sampling { temperature: Some(0.6), max_tokens: Some(512), seed: Some(7), ..Sampling::default() };
    let first = ask(&client, &request).await.0.unwrap();
    request.reasoning_field.clone_from(&first.step.reasoning_field);
    request.messages.push(first.message);
    request.messages.push(Message::tool("call-1", "weather", "{\"sky\": \"rain\"}"));
    ask(&client, &request).await.0.unwrap();
    let requests: Vec<String> = endpoint.requests().iter().map(Recorded::snapshot).collect();
    insta::assert_snapshot!(requests.join("\n\n"), @r#"
    POST /v1/chat/completions
    authorization: Bearer sk-1
    content-type: application/json
    {"model":"scripted-model","messages":[{"role":"user","content":"How is the weather?"}],"tools":[{"type":"function","function":{"name":"weather","description":"The weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.6,"max_tokens":512,"seed":7,"return_token_ids":true}

    POST /v1/chat/completions
    authorization: Bearer sk-1
    content-type: application/json
    {"model":"scripted-model","messages":[{"role":"user","content":"How is the weather?"},{"role":"assistant","content":"\n\n","reasoning":"\nI look.\n","tool_calls":[{"id":"call-1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Köln\"}"}}]},{"role":"tool","tool_call_id":"call-1","name":"weather","content":"{\"sky\": \"rain\"}"}],"tools":[{"type":"function","function":{"name":"weather","description":"The weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.6,"max_tokens":512,"seed":7,"return_token_ids":true}
    "#);
}

#[tokio::test]
async fn the_tokens_of_a_conversation() {
    let endpoint = endpoint([answer()]).await;
    let call = Message::tool_call("c1", "weather", Json::parse(r#"{"city":"Rome"}"#).unwrap());
    let messages = [Message::user("hi"), Message::assistant("", Some("hm".to_owned()), vec![call])];
    let kwargs = tw_artifact::Map::from([("enable_thinking".to_owned(), false.into())]);
    let tools = [weather_tool()];
    let request = TokenizeRequest {
        model: "scripted-model",
        messages: &messages,
        tools: &tools,
        generation_prompt: true,
        kwargs: &kwargs,
    };
    let tokens = client(&endpoint).tokenize(&request).await.unwrap().unwrap();
    assert!(tokens.len() > 10);
    insta::assert_snapshot!(endpoint.requests()[0].snapshot(), @r#"
    POST /tokenize
    content-type: application/json
    {"model":"scripted-model","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"","reasoning":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]}],"tools":[{"type":"function","function":{"name":"weather","description":"The weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}}],"add_generation_prompt":true,"chat_template_kwargs":{"enable_thinking":false}}
    "#);
}

#[tokio::test]
async fn the_tokens_are_not_known_at_servers_without_that_route() {
    let options = EndpointOptions { flavour: Flavour::OpenAi, ..EndpointOptions::default() };
    let endpoint = endpoint_with(options, [answer()]).await;
    let (messages, kwargs) = ([Message::user("hi")], tw_artifact::Map::new());
    let request =
        TokenizeRequest { model: "m", messages: &messages, tools: &[], generation_prompt: false, kwargs: &kwargs };
    assert_eq!(client(&endpoint).tokenize(&request).await.unwrap(), None);
}

#[tokio::test]
async fn the_doctors_requests() {
    let endpoint = endpoint([answer().content("Hello.")]).await;
    client(&endpoint).doctor("scripted-model").await;
    let requests: Vec<String> = endpoint.requests().iter().map(Recorded::snapshot).collect();
    insta::assert_snapshot!(requests.join("\n\n"), @r#"
    GET /v1/models


    POST /v1/chat/completions
    content-type: application/json
    {"model":"scripted-model","messages":[{"role":"user","content":"What is the weather in Paris right now? Use the tool to find out."}],"tools":[{"type":"function","function":{"name":"get_weather","description":"The weather in a city right now","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":1024,"return_token_ids":true}

    POST /v1/load_lora_adapter
    content-type: application/json
    {}
    "#);
}
