//! Answers in the shapes of real servers.

use serde_json::json;
use tw_artifact::{AnswerSource, Json, Message, Usage};
use tw_support::endpoint::{
    AnswerScript, EndpointOptions, Recorded, Script, ScriptedEndpoint, Shape, Step, TextForm, answer,
};

use super::{View, ask, client, endpoint, request};
use crate::Answer;

const VLLM: &str = include_str!("../../../../../tests/fixtures/endpoint/vllm_reasoning_and_call.sse");
const OPENAI: &str = include_str!("../../../../../tests/fixtures/endpoint/openai_two_calls.sse");
const LENGTH: &str = include_str!("../../../../../tests/fixtures/endpoint/vllm_cut_by_length_in_call.sse");

/// The answer to `script`. What was shown while it streamed must add up to it.
async fn answer_of(script: impl Into<Script>) -> Answer {
    let endpoint = endpoint([script.into()]).await;
    let (result, deltas) = ask(&client(&endpoint), &request()).await;
    let answer = result.unwrap();
    let view = View::of(&deltas);
    assert_eq!(view.content, answer.message.text());
    assert_eq!(view.reasoning, answer.message.reasoning().unwrap_or_default());
    let names: Vec<&str> = answer.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(view.calls.iter().map(|call| call.0.as_str()).collect::<Vec<_>>(), names);
    answer
}

fn text(answer: &Answer) -> String {
    Json::from(answer.message.clone()).to_text()
}

#[tokio::test]
async fn a_vllm_stream_with_reasoning_and_a_call() {
    let answer = answer_of(Script::replay(VLLM)).await;
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"\n\n","reasoning_content":"\nI look it up – gleich.\n","tool_calls":[{"id":"chatcmpl-tool-01","type":"function","function":{"name":"weather","arguments":{"city":"Köln"}}}]}"#);
    let step = &answer.step;
    assert_eq!(step.finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!(step.reasoning_field.as_deref(), Some("reasoning"));
    let usage = Usage { prompt_tokens: 120, completion_tokens: 20, reasoning_tokens: Some(9), cached_tokens: None };
    assert_eq!(step.usage, Some(usage));
    assert_eq!(step.token_ids.as_deref(), Some(&[198, 40, 433, 271, 1, 2, 3, 151_645][..]));
    assert_eq!(step.prompt_token_ids.as_deref(), Some(&[151_644, 872][..]));
    assert_eq!(step.response_id.as_deref(), Some("chatcmpl-0a01"));
    assert_eq!(step.fingerprint.as_deref(), Some("vllm-0.32.0-scripted"));
    assert_eq!(step.raw_text, None);
    assert!(step.first_token_ms.is_some() && step.started_at_ms > 0);
}

#[tokio::test]
async fn an_openai_stream_with_two_calls() {
    let answer = answer_of(Script::replay(OPENAI)).await;
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"","tool_calls":[{"id":"call_a","type":"function","function":{"name":"weather","arguments":{"city":"Oslo"}}},{"id":"call_b","type":"function","function":{"name":"weather","arguments":{"city":"Rom"}}}]}"#);
    assert_eq!(answer.step.usage.and_then(|usage| usage.cached_tokens), Some(64));
}

#[tokio::test]
async fn a_call_cut_by_the_token_limit_is_malformed_and_kept() {
    let answer = answer_of(Script::replay(LENGTH)).await;
    assert_eq!(answer.calls[0].arguments, Err("the answer ended before the arguments were whole".to_owned()));
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"","tool_calls":[{"id":"chatcmpl-tool-03","type":"function","function":{"name":"weather","arguments":"{\"city\""}}]}"#);
}

#[tokio::test]
async fn how_the_network_cuts_a_recorded_stream_changes_nothing() {
    for sse in [VLLM, OPENAI, LENGTH] {
        let whole = answer_of(Script::replay(sse)).await;
        let pieces = answer_of(Script::replay_in_pieces(sse, 7)).await;
        assert_eq!((whole.message, whole.calls), (pieces.message, pieces.calls));
    }
}

#[tokio::test]
async fn the_older_name_of_the_reasoning_field_is_read_and_remembered() {
    let answer = answer_of(answer().reasoning("hm").content("Hello").shape(Shape::ReasoningContent)).await;
    assert_eq!(answer.step.reasoning_field.as_deref(), Some("reasoning_content"));
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"Hello","reasoning_content":"hm"}"#);
}

#[tokio::test]
async fn calls_in_text_become_calls_in_every_form() {
    let script = |form| {
        answer().shape(Shape::Text(form)).call("", "weather", &json!({"city": "Köln", "days": 3})).call(
            "",
            "weather",
            &json!({"city": "Rom"}),
        )
    };
    for (form, source) in [
        (TextForm::Hermes, AnswerSource::Hermes),
        (TextForm::HermesThinkOpened, AnswerSource::Hermes),
        (TextForm::QwenXml, AnswerSource::QwenXml),
        (TextForm::Llama, AnswerSource::LlamaJson),
        (TextForm::Mistral, AnswerSource::Mistral),
    ] {
        let answer = answer_of(script(form)).await;
        assert_eq!(answer.step.source, source);
        assert_eq!(answer.message.text(), "");
        assert!(answer.step.raw_text.as_deref().is_some_and(|text| text.contains("Köln")));
        let calls: Vec<String> = answer.calls.iter().map(|call| call.arguments.as_ref().unwrap().to_text()).collect();
        assert_eq!(calls, [r#"{"city":"Köln","days":3}"#, r#"{"city":"Rom"}"#], "{form:?}");
        let ids: Vec<&str> = answer.calls.iter().map(|call| call.id.as_str()).collect();
        assert_eq!(ids, ["call00100", "call00101"]);
    }
}

#[tokio::test]
async fn reasoning_in_text_is_split_while_it_streams() {
    for form in [TextForm::Hermes, TextForm::HermesThinkOpened] {
        let script = answer()
            .shape(Shape::Text(form))
            .reasoning("\nMaybe <tool_call>{\"name\":\"weather\",\"arguments\":{}}</tool_call>? Yes.\n")
            .content("\n\nI look.\n")
            .call("", "weather", &json!({}));
        let answer = answer_of(script).await;
        assert!(answer.message.reasoning().unwrap().contains("<tool_call>"), "{form:?}");
        assert_eq!(answer.message.text(), "\n\nI look.\n");
        assert_eq!(answer.calls.len(), 1, "call text inside reasoning is no call");
        assert_eq!(answer.step.reasoning_field, None);
    }
}

#[tokio::test]
async fn text_about_calls_stays_text() {
    let content =
        "Write:\n```\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {}}\n</tool_call>\n```\nThat is all.";
    let answer = answer_of(answer().content(content)).await;
    assert_eq!(answer.message.text(), content);
    assert!(answer.calls.is_empty() && answer.step.raw_text.is_none());
}

#[tokio::test]
async fn malformed_arguments_are_kept_as_written() {
    let answer = answer_of(answer().call_text("c1", "weather", "{\"city\": ")).await;
    assert!(answer.calls[0].arguments.as_ref().unwrap_err().contains("not valid JSON"));
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\": "}}]}"#);
    let string = answer_of(self::answer().call_text("c1", "weather", "\"/\"")).await;
    assert_eq!(string.calls[0].arguments, Err("the arguments are not a JSON object".to_owned()));
    let none = answer_of(self::answer().call_text("c1", "weather", "")).await;
    assert_eq!(none.calls[0].arguments.as_ref().unwrap().to_text(), "{}");
}

fn chunks(deltas: &[serde_json::Value]) -> Script {
    let mut sse = String::new();
    for delta in deltas {
        let chunk = json!({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        sse.push_str(&format!("data: {chunk}\n\n"));
    }
    let end = json!({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    sse.push_str(&format!("data: {end}\n\ndata: [DONE]\n\n"));
    Script::stream(vec![Step::Send(sse.into_bytes())])
}

fn call(index: Option<i64>, id: Option<&str>, name: &str, arguments: &str) -> serde_json::Value {
    let mut call = json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    if let Some(index) = index {
        call["index"] = index.into();
    }
    if let Some(id) = id {
        call["id"] = id.into();
    }
    json!({"tool_calls": [call]})
}

#[tokio::test]
async fn calls_are_told_apart_however_a_server_numbers_them() {
    let two = |a: serde_json::Value, b: serde_json::Value| chunks(&[a, b]);
    let (one, other) = (r#"{"city":"A"}"#, r#"{"city":"B"}"#);
    for script in [
        two(call(Some(0), Some("a"), "weather", one), call(Some(1), Some("b"), "weather", other)),
        two(call(Some(0), Some("a"), "weather", one), call(Some(0), Some("b"), "weather", other)),
        two(call(None, Some("a"), "weather", one), call(None, Some("b"), "weather", other)),
        two(call(None, None, "weather", one), call(None, None, "weather", other)),
        two(call(Some(0), Some("same"), "weather", one), call(Some(4_000_000_000), Some("same"), "weather", other)),
    ] {
        let answer = answer_of(script).await;
        let found: Vec<String> = answer.calls.iter().map(|call| call.arguments.as_ref().unwrap().to_text()).collect();
        assert_eq!(found, [one, other]);
        assert_ne!(answer.calls[0].id, answer.calls[1].id);
        assert!(!answer.calls[0].id.is_empty());
    }
}

#[tokio::test]
async fn a_name_in_pieces_and_arguments_as_an_object_are_read() {
    let script = chunks(&[
        json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "wea"}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"name": "ther", "arguments": {"city": "A"}}}]}),
    ]);
    let answer = answer_of(script).await;
    assert_eq!(answer.calls[0].name, "weather");
    assert_eq!(answer.calls[0].arguments.as_ref().unwrap().to_text(), r#"{"city":"A"}"#);
}

#[tokio::test]
async fn fields_that_nobody_knows_stay_in_the_message() {
    let script = chunks(&[
        json!({"role": "assistant", "content": null, "refusal": null, "audit": "a", "reasoning_details": [{"t": 1.0}]}),
        json!({"content": "hi", "audit": "b", "reasoning_details": [{"t": 2}], "function_call": null}),
        json!({"tool_calls": [{"index": 0, "id": "a", "extra_content": {"signature": "xyz"},
            "function": {"name": "weather", "arguments": "{}"}}]}),
    ]);
    insta::assert_snapshot!(text(&answer_of(script).await), @r#"{"role":"assistant","content":"hi","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":{}},"extra_content":{"signature":"xyz"}}],"audit":"ab","reasoning_details":[{"t":1.0},{"t":2}]}"#);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read_all_the_same() {
    let body = json!({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "reasoning": "hm", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"A\"}"}}]}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
    let answer = answer_of(Script::error(200, &body)).await;
    insta::assert_snapshot!(text(&answer), @r#"{"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":{"city":"A"}}}]}"#);
    assert_eq!(answer.step.usage.map(|usage| usage.prompt_tokens), Some(5));
}

#[tokio::test]
async fn a_whole_answer_in_the_reasoning_field_is_kept_there() {
    let answer = answer_of(answer().reasoning("The capital is Paris.")).await;
    assert_eq!(answer.message.reasoning(), Some("The capital is Paris."));
    assert_eq!(answer.message.text(), "");
}

#[tokio::test]
async fn five_hundred_tokens_a_second_arrive_as_they_are_sent() {
    let script: AnswerScript = answer().content(&"word ".repeat(100)).pace(500.0);
    let answer = answer_of(script).await;
    assert_eq!(answer.message.text().len(), 500);
    assert!(answer.step.duration_ms >= 180, "{}", answer.step.duration_ms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_runs_side_by_side_lose_nothing() {
    let rule = |request: &Recorded| {
        let task = request.body["messages"][0]["content"].as_str().unwrap_or_default();
        answer().content(&format!("{task} is done. ").repeat(20)).pace(500.0).into()
    };
    let endpoint = ScriptedEndpoint::respond_with(EndpointOptions::default(), rule).await.unwrap();
    let client = client(&endpoint);
    let runs = (0..200).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut request = request();
            let task = format!("Task {number}");
            request.messages = vec![Message::user(task.as_str())];
            let (result, deltas) = ask(&client, &request).await;
            let expected = format!("{task} is done. ").repeat(20);
            assert_eq!(result.unwrap().message.text(), expected);
            assert_eq!(View::of(&deltas).content, expected);
        })
    });
    for run in futures::future::join_all(runs).await {
        run.unwrap();
    }
    assert_eq!(endpoint.chats().len(), 200);
}
