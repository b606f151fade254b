//! Every fault of an endpoint that must be survived.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tw_artifact::Json;
use tw_support::endpoint::{EndpointOptions, Flavour, Script, Shape, Step, TextForm, answer};
use tw_vault::Secret;

use super::{RETRY, TIMEOUTS, View, ask, client, client_with, endpoint, endpoint_with, request};
use crate::{AnswerDelta, EndpointClient, EndpointError, RetryPolicy, Timeouts};

async fn error_at(url: &str) -> EndpointError {
    let client = EndpointClient::new(url, None, TIMEOUTS).unwrap().with_retry(RETRY);
    ask(&client, &request()).await.0.unwrap_err().error
}

async fn error_of(script: Script) -> EndpointError {
    let endpoint = endpoint([script]).await;
    ask(&client(&endpoint), &request()).await.0.unwrap_err().error
}

#[tokio::test]
async fn a_refused_connection_is_said_at_once() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = error_at(&format!("http://127.0.0.1:{port}/v1")).await;
    assert_eq!(error, EndpointError::Refused { host: format!("127.0.0.1:{port}") });
    assert!(error.hint().contains("Start the server"));
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_where_that_is_wanted() {
    let client = EndpointClient::new("http://127.0.0.1:9/v1", None, TIMEOUTS).unwrap().with_retry(RetryPolicy {
        refused: true,
        max_retries: 2,
        ..RETRY
    });
    let (result, deltas) = ask(&client, &request()).await;
    assert!(matches!(result.unwrap_err().error, EndpointError::Refused { .. }));
    assert_eq!(deltas.len(), 2);
}

#[tokio::test]
async fn an_unknown_host_is_said() {
    // A label of more than 63 characters: no resolver has to be asked.
    let host = format!("{}.invalid", "x".repeat(70));
    let error = error_at(&format!("http://{host}:8000/v1")).await;
    assert_eq!(error, EndpointError::Dns { host: format!("{host}:8000") });
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_down() {
    let endpoint = endpoint([answer()]).await;
    let url = endpoint.base_url().replace("http://", "https://");
    let error = error_at(&url).await;
    assert!(matches!(&error, EndpointError::Tls { why, .. } if why.contains("does not speak TLS")), "{error:?}");
    assert!(error.hint().contains("http://"));
}

#[tokio::test]
async fn a_connection_that_is_never_made_ends_in_time() {
    // It takes the connection and never answers the TLS greeting.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let timeouts = Timeouts { connect_secs: 0.05, ..TIMEOUTS };
    let client = EndpointClient::new(&url, None, timeouts).unwrap().with_retry(RETRY);
    let error = ask(&client, &request()).await.0.unwrap_err().error;
    assert!(matches!(&error, EndpointError::ConnectTimeout { secs, .. } if secs == "0.05"), "{error:?}");
}

#[tokio::test]
async fn a_wrong_key_is_said_and_never_shown() {
    let options = EndpointOptions { key: Some("right".to_owned()), ..EndpointOptions::default() };
    let endpoint = endpoint_with(options, [answer().content("hi")]).await;
    let with_key = |key: &str| {
        EndpointClient::new(&endpoint.base_url(), Some(Secret::new(key)), TIMEOUTS).unwrap().with_retry(RETRY)
    };
    let error = ask(&with_key("wrong"), &request()).await.0.unwrap_err().error;
    assert_eq!(error, EndpointError::KeyRefused { status: 401, message: "Unauthorized".to_owned() });
    assert!(with_key("right").models().await.is_ok());
    assert!(ask(&with_key("right"), &request()).await.0.is_ok());
}

#[tokio::test]
async fn a_key_that_the_server_quotes_is_taken_out() {
    let body = json!({"error": {"message": "Incorrect API key provided: sk-hush", "code": "invalid_api_key"}});
    let endpoint = endpoint([Script::error(401, &body)]).await;
    let client = EndpointClient::new(&endpoint.base_url(), Some(Secret::new("sk-hush")), TIMEOUTS).unwrap();
    let error = ask(&client, &request()).await.0.unwrap_err().error;
    assert_eq!(error.to_string(), "the server refused the key (HTTP 401): Incorrect API key provided: [key]");
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_those_on_offer() {
    let endpoint = endpoint([answer()]).await;
    let mut request = request();
    request.model = "nope".to_owned();
    let error = ask(&client(&endpoint), &request).await.0.unwrap_err().error;
    let EndpointError::ModelNotFound { model, offered, .. } = &error else { panic!("{error:?}") };
    assert_eq!((model.as_str(), offered.as_slice()), ("nope", &["scripted-model".to_owned()][..]));
    assert!(error.hint().contains("scripted-model"));
}

#[tokio::test]
async fn a_path_that_is_not_there_points_at_the_base_url() {
    let endpoint = endpoint([answer()]).await;
    let error = error_at(&endpoint.base_url().replace("/v1", "/api")).await;
    assert_eq!(error, EndpointError::NotFound { status: 404, path: "/chat/completions".to_owned() });
    assert!(error.hint().contains("/v1"));
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_known_in_every_servers_words() {
    let vllm = "This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input \
                tokens, which exceeds this limit even without any output tokens.";
    let openai = json!({"error": {"message": "This model's maximum context length is 128000 tokens. However, your \
        messages resulted in 130000 tokens.", "type": "invalid_request_error", "param": "messages",
        "code": "context_length_exceeded"}});
    let llama = json!({"error": {"code": 400, "message": "the request exceeds the available context size, try \
        increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}});
    let max_tokens = "max_tokens=9000 cannot be greater than max_model_len=8192. Please request fewer output tokens.";
    for (script, limit, asked) in [
        (Script::vllm_error(400, "BadRequestError", Some("input_tokens"), vllm), 8_192, 8_193),
        (Script::error(400, &openai), 128_000, 130_000),
        (Script::error(400, &llama), 4_096, 5_000),
        (Script::vllm_error(400, "BadRequestError", Some("max_tokens"), max_tokens), 8_192, 9_000),
    ] {
        let error = error_of(script).await;
        let EndpointError::ContextTooLong { limit: found_limit, asked: found_asked, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*found_limit, *found_asked), (Some(limit), Some(asked)));
        assert!(error.hint().contains("--max-model-len"));
    }
}

#[tokio::test]
async fn another_refusal_gives_the_servers_words() {
    let message = "temperature must be non-negative, got -1.0.";
    let error = error_of(Script::vllm_error(400, "BadRequestError", Some("temperature"), message)).await;
    assert_eq!(error, EndpointError::Rejected { status: 400, message: message.to_owned() });
}

#[tokio::test]
async fn a_busy_server_is_waited_for_as_long_as_it_asks() {
    let busy = Script::error(429, &json!({"error": {"message": "slow down"}})).with_header("retry-after-ms", "30");
    let endpoint = endpoint([busy, answer().content("hi").into()]).await;
    let (result, deltas) = ask(&client(&endpoint), &request()).await;
    let answer = result.unwrap();
    assert_eq!(
        deltas[0],
        AnswerDelta::Retrying { after_ms: 30, reason: "the server asks to slow down (HTTP 429): slow down".to_owned() }
    );
    assert_eq!(answer.step.retries.len(), 1);
    let chats = endpoint.chats();
    assert!(chats[1].at - chats[0].at >= Duration::from_millis(30));
    assert_eq!(chats[0].text, chats[1].text);
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_patience_is_given_up_with_its_words() {
    let busy = Script::error(429, &json!({"error": {"message": "slow down"}})).with_header("retry-after", "3600");
    let error = error_of(busy).await;
    assert_eq!(error.retry_after_ms(), Some(3_600_000));
    assert!(error.hint().contains("3600 s"));
}

#[tokio::test]
async fn a_failing_gateway_is_tried_again_four_times_and_no_more() {
    let down = || {
        Script::reply(
            503,
            &[("content-type", "text/html")],
            vec![Step::Send(b"<html><head><title>Service Unavailable</title></head></html>".to_vec())],
        )
    };
    let endpoint = endpoint([down(), down(), down(), down(), down(), down()]).await;
    let error = ask(&client(&endpoint), &request()).await.0.unwrap_err().error;
    assert_eq!(error.to_string(), "the server failed (HTTP 503): a web page: Service Unavailable");
    assert_eq!(endpoint.chats().len(), 5);
}

#[tokio::test]
async fn an_internal_error_is_not_tried_again() {
    let broken = Script::vllm_error(500, "InternalServerError", None, "the engine died");
    let endpoint = endpoint([broken]).await;
    let error = ask(&client(&endpoint), &request()).await.0.unwrap_err().error;
    assert_eq!(error.to_string(), "the server failed (HTTP 500): the engine died");
    assert_eq!(endpoint.chats().len(), 1);
}

#[tokio::test]
async fn a_connection_that_closes_without_a_word_is_tried_again() {
    let endpoint = endpoint([Script::close_before_head(), answer().content("hi").into()]).await;
    let answer = ask(&client(&endpoint), &request()).await.0.unwrap();
    assert_eq!(answer.message.text(), "hi");
    assert!(answer.step.retries[0].contains("closed the connection"), "{:?}", answer.step.retries);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = Script::reply(307, &[("location", "http://elsewhere.invalid/v1")], vec![Step::Send(Vec::new())]);
    assert_eq!(error_of(moved).await, EndpointError::Redirected { to: "http://elsewhere.invalid/v1".to_owned() });
}

#[tokio::test]
async fn silence_before_the_first_byte_ends_in_time() {
    let timeouts = Timeouts { first_byte_secs: 0.05, ..TIMEOUTS };
    for script in [Script::hang(), Script::stream(vec![Step::Hang])] {
        let endpoint = endpoint([script]).await;
        let failure = ask(&client_with(&endpoint, timeouts), &request()).await.0.unwrap_err();
        assert_eq!(failure.error, EndpointError::FirstByteTimeout { secs: "0.05".to_owned() });
        assert_eq!(failure.partial, None);
        assert_eq!(endpoint.chats().len(), 1, "not tried again");
    }
}

#[tokio::test]
async fn silence_between_chunks_ends_in_time_and_keeps_what_came() {
    let timeouts = Timeouts { between_chunks_secs: 0.05, ..TIMEOUTS };
    let endpoint = endpoint([answer().reasoning("I think so.").hang_after(3)]).await;
    let failure = ask(&client_with(&endpoint, timeouts), &request()).await.0.unwrap_err();
    assert_eq!(failure.error, EndpointError::ChunkTimeout { secs: "0.05".to_owned() });
    assert_eq!(failure.partial.unwrap().message.reasoning(), Some("I thin"));
}

#[tokio::test]
async fn comments_keep_a_slow_stream_alive() {
    let wait = Step::Wait(Duration::from_millis(250));
    let comment = || Step::Send(b": busy\n\n".to_vec());
    let mut steps = Vec::new();
    for _ in 0..5 {
        steps.extend([comment(), wait.clone()]);
    }
    steps.push(Step::Send(answer().content("hi").to_sse().into_bytes()));
    let endpoint = endpoint([Script::stream(steps)]).await;
    let timeouts = Timeouts { first_byte_secs: 5.0, between_chunks_secs: 1.0, ..TIMEOUTS };
    assert_eq!(ask(&client_with(&endpoint, timeouts), &request()).await.0.unwrap().message.text(), "hi");
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_of_a_token_keeps_what_came() {
    let endpoint = endpoint([answer().content("All is well and so on.").tear_after(3)]).await;
    let (result, deltas) = ask(&client(&endpoint), &request()).await;
    let failure = result.unwrap_err();
    assert!(matches!(failure.error, EndpointError::StreamCut { .. }), "{:?}", failure.error);
    let partial = failure.partial.unwrap();
    assert_eq!(partial.message.text(), "All is");
    assert_eq!(partial.step.finish_reason, None);
    assert_eq!(View::of(&deltas).content, "All is");
    assert_eq!(endpoint.chats().len(), 1, "never tried again after the first byte");
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_of_a_call_keeps_the_call_as_text() {
    let arguments = json!({"city": "A long name of a city", "days": 3});
    let endpoint = endpoint([answer().content("Let me see.").call("c1", "weather", &arguments).tear_in_call()]).await;
    let failure = ask(&client(&endpoint), &request()).await.0.unwrap_err();
    assert!(matches!(failure.error, EndpointError::StreamCut { .. }));
    let partial = failure.partial.unwrap();
    assert_eq!(partial.message.text(), "Let me see.");
    assert_eq!(partial.calls[0].name, "weather");
    assert_eq!(partial.calls[0].arguments, Err("the answer ended before the arguments were whole".to_owned()));
    let written = partial.message.fields()["tool_calls"].as_array().unwrap()[0].get("function").unwrap();
    let written = written.get("arguments").and_then(Json::as_str).unwrap();
    assert!(arguments.to_string().starts_with(written) && written.len() > 5, "{written}");
}

#[tokio::test]
async fn a_body_that_ends_without_a_finish_is_a_cut_stream() {
    let endpoint = endpoint([answer().content("All is well.").end_after(3)]).await;
    let failure = ask(&client(&endpoint), &request()).await.0.unwrap_err();
    assert!(matches!(failure.error, EndpointError::StreamCut { .. }));
    assert_eq!(failure.partial.unwrap().message.text(), "All is");
}

#[tokio::test]
async fn calls_in_the_text_of_a_cut_answer_are_left_there() {
    let call = answer()
        .shape(Shape::Text(TextForm::Hermes))
        .call("", "weather", &json!({"city": "Rome"}))
        .without_finish()
        .without_done();
    let endpoint = endpoint([call]).await;
    let failure = ask(&client(&endpoint), &request()).await.0.unwrap_err();
    let partial = failure.partial.unwrap();
    assert!(partial.calls.is_empty());
    assert!(partial.message.text().starts_with("<tool_call>"));
}

#[tokio::test]
async fn a_chunk_that_is_not_json_is_said_and_keeps_what_came() {
    let endpoint = endpoint([answer().content("All is well.").nonsense_after(3)]).await;
    let failure = ask(&client(&endpoint), &request()).await.0.unwrap_err();
    assert!(matches!(&failure.error, EndpointError::BadChunk { why } if why.contains("choices")), "{failure:?}");
    assert_eq!(failure.partial.unwrap().message.text(), "All is");
}

#[tokio::test]
async fn an_error_in_the_stream_is_said_and_keeps_what_came() {
    let endpoint = endpoint([answer().content("All is well.").error_after(3, "out of memory")]).await;
    let failure = ask(&client(&endpoint), &request()).await.0.unwrap_err();
    assert_eq!(failure.error, EndpointError::Stopped { message: "out of memory".to_owned() });
    assert_eq!(failure.partial.unwrap().message.text(), "All is");
}

#[tokio::test]
async fn an_empty_answer_is_an_error() {
    for script in [answer(), answer().content("\n\n"), answer().without_finish()] {
        let endpoint = endpoint([script]).await;
        let error = ask(&client(&endpoint), &request()).await.0.unwrap_err().error;
        assert_eq!(error, EndpointError::EmptyAnswer);
    }
}

#[tokio::test]
async fn missing_usage_done_or_finish_reason_do_no_harm() {
    let endpoint = endpoint([
        answer().content("hi").without_usage(),
        answer().content("hi").without_done(),
        answer().content("hi").without_finish(),
    ])
    .await;
    let client = client(&endpoint);
    let first = ask(&client, &request()).await.0.unwrap();
    assert_eq!((first.message.text().as_str(), first.step.usage), ("hi", None));
    let second = ask(&client, &request()).await.0.unwrap();
    assert!(second.step.usage.is_some());
    let third = ask(&client, &request()).await.0.unwrap();
    assert_eq!(third.step.finish_reason, None);
}

#[tokio::test]
async fn what_breaks_behind_the_end_of_the_answer_does_no_harm() {
    let whole = answer().content("hi").to_sse();
    let until_finish = &whole[..whole.find("\"choices\":[]").unwrap()];
    let until_finish = &until_finish[..until_finish.rfind("data: ").unwrap()];
    let steps = vec![Step::Send(until_finish.as_bytes().to_vec()), Step::Tear];
    let endpoint = endpoint([Script::stream(steps)]).await;
    let answer = ask(&client(&endpoint), &request()).await.0.unwrap();
    assert_eq!(answer.message.text(), "hi");
    assert_eq!(answer.step.finish_reason.as_deref(), Some("stop"));
}

#[tokio::test]
async fn a_web_page_instead_of_an_answer_is_said() {
    let page = Script::reply(200, &[("content-type", "text/html")], vec![Step::Send(b"<html>Sign in</html>".to_vec())]);
    let error = error_of(page).await;
    assert_eq!(error, EndpointError::NotTheApi { what: "<html>Sign in</html>".to_owned() });
}

#[tokio::test]
async fn stopping_works_at_once_at_every_point() {
    for script in [
        Script::hang(),
        Script::stream(vec![Step::Hang]),
        answer().content("All is well.").hang_after(3).into(),
        Script::error(503, &json!({})).with_header("retry-after", "30"),
    ] {
        let endpoint = endpoint([script]).await;
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let client = client(&endpoint).with_retry(RetryPolicy { max_secs: 60.0, ..RETRY });
        let request = request();
        let mut sink = |_| {};
        let chat = client.chat(&request, &cancel, &mut sink);
        let stopper = async {
            while endpoint.chats().is_empty() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
            Instant::now()
        };
        let (result, stopped_at) = tokio::join!(chat, stopper);
        assert!(stopped_at.elapsed() < Duration::from_secs(5), "{:?}", stopped_at.elapsed());
        assert_eq!(result.unwrap_err().error, EndpointError::Cancelled);
    }
}

#[tokio::test]
async fn stopping_keeps_what_had_come() {
    let endpoint = endpoint([answer().content("All is well.").hang_after(3)]).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut sink = move |delta| {
        if delta == AnswerDelta::Content(" is".to_owned()) {
            stop.cancel();
        }
    };
    let failure = client(&endpoint).chat(&request(), &cancel, &mut sink).await.unwrap_err();
    assert_eq!(failure.error, EndpointError::Cancelled);
    assert_eq!(failure.partial.unwrap().message.text(), "All is");
}

#[tokio::test]
async fn fields_that_a_server_refuses_are_left_out_from_then_on() {
    let options = EndpointOptions {
        flavour: Flavour::OpenAi,
        refused_fields: vec!["return_token_ids".to_owned()],
        ..EndpointOptions::default()
    };
    let endpoint = endpoint_with(options, [answer().content("one"), answer().content("two")]).await;
    let client = client(&endpoint);
    let mut request = request();
    request.want_token_ids = true;
    let first = ask(&client, &request).await.0.unwrap();
    assert_eq!(first.step.retries, ["the server does not take return_token_ids"]);
    let second = ask(&client, &request).await.0.unwrap();
    assert!(second.step.retries.is_empty());
    let asked: Vec<bool> = endpoint.chats().iter().map(|chat| chat.body.get("return_token_ids").is_some()).collect();
    assert_eq!(asked, [true, false, false]);
}

#[tokio::test]
async fn a_model_that_wants_max_completion_tokens_gets_it() {
    let refusal = json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. \
        Use 'max_completion_tokens' instead.", "type": "invalid_request_error", "param": "max_tokens",
        "code": "unsupported_parameter"}});
    let endpoint = endpoint([Script::error(400, &refusal), answer().content("hi").into()]).await;
    let mut request = request();
    request.sampling.max_tokens = Some(64);
    ask(&client(&endpoint), &request).await.0.unwrap();
    assert_eq!(endpoint.chats()[1].body["max_completion_tokens"], 64);
}
