//! Every request that this crate sends, as it stands on the wire.

use serde_json::json;
use tw_artifact::{Json, Message, Sampling};
use tw_support::endpoint::{answer, EndpointOptions, Flavour};
use tw_vault::Secret;

use super::{RETRY, TIMEOUTS, ask, client, endpoint, endpoint_with, request, weather_tool};
use crate::EndpointClient;

#[tokio::test]
async fn the_list_of_models() {
    let endpoint = endpoint([answer()]).await;
    let with_key = EndpointClient::new(&endpoint.base_url(), Some(Secret::new("sk-1")), TIMEOUTS).unwrap();
    with_key.models().await.unwrap();
    client(&endpoint).models().await.unwrap();
    let requests: Vec<String> = endpoint.requests().iter().map(|request| request.snapshot()).collect();
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
    let client = EndpointClient::new(&endpoint.base_url(), Some(Secret::new("sk-1")), TIMEOUTS)
        .unwrap()
        .with_retry(RETRY);
    let mut request = request();
    request.want_token_ids = true;
    request.sampling = Sampling { temperature: Some(0.6), max_tokens: Some(512), seed: Some(7), ..Sampling::default() };
    let first = ask(&client, &request).await.0.unwrap();
    request.reasoning_field.clone_from(&first.step.reasoning_field);
    request.messages.push(first.message);
    request.messages.push(Message::tool("call-1", "weather", "{\"sky\": \"rain\"}"));
    ask(&client, &request).await.0.unwrap();
    let requests: Vec<String> = endpoint.requests().iter().map(|request| request.snapshot()).collect();
    insta::assert_snapshot!(requests.join("\n\n"), @"");
}

#[tokio::test]
async fn the_length_of_a_prompt() {
    let endpoint = endpoint([answer()]).await;
    let call = Message::tool_call("c1", "weather", Json::parse(r#"{"city":"Rome"}"#).unwrap());
    let messages = [Message::user("hi"), Message::assistant("", Some("hm".to_owned()), vec![call])];
    let length = client(&endpoint).tokenize_len("scripted-model", &messages, &[weather_tool()]).await.unwrap();
    assert!(length.is_some_and(|length| length > 10));
    insta::assert_snapshot!(endpoint.requests()[0].snapshot(), @"");
}

#[tokio::test]
async fn the_length_of_a_prompt_is_not_known_at_servers_without_that_route() {
    let options = EndpointOptions { flavour: Flavour::OpenAi, ..EndpointOptions::default() };
    let endpoint = endpoint_with(options, [answer()]).await;
    assert_eq!(client(&endpoint).tokenize_len("m", &[Message::user("hi")], &[]).await.unwrap(), None);
}

#[tokio::test]
async fn the_doctors_requests() {
    let endpoint = endpoint([answer().content("Hello.")]).await;
    client(&endpoint).doctor("scripted-model").await;
    let requests: Vec<String> = endpoint.requests().iter().map(|request| request.snapshot()).collect();
    insta::assert_snapshot!(requests.join("\n\n"), @"");
}
