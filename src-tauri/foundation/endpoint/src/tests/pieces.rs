//! The same answer in other pieces is the same answer.

use std::time::Instant;

use futures::stream;
use proptest::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{View, request};
use crate::client::Reply;
use crate::stream::{StreamLimits, read_answer};
use crate::{Answer, AnswerDelta};

/// Reads a body whose bytes come in `pieces`, without a network.
fn read(pieces: Vec<Vec<u8>>) -> (Answer, Vec<AnswerDelta>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let body = reqwest::Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
        let response = http::Response::builder().header("content-type", "text/event-stream").body(body).unwrap();
        let reply = Reply {
            response: response.into(),
            sent_at: Instant::now(),
            sent_at_ms: 0,
            first_byte_at: tokio::time::Instant::now() + std::time::Duration::from_secs(20),
        };
        let limits = StreamLimits { first_byte_secs: 20.0, between_chunks_secs: 20.0 };
        let mut deltas = Vec::new();
        let mut sink = |delta| deltas.push(delta);
        let result = read_answer(reply, &request(), limits, Vec::new(), &CancellationToken::new(), &mut sink).await;
        let mut answer = match result {
            Ok(exchange) => exchange.answer,
            Err(failure) => *failure.partial.unwrap(),
        };
        answer.step.first_token_ms = None;
        answer.step.duration_ms = 0;
        (answer, deltas)
    })
}

fn cut<T: Clone>(items: &[T], cuts: &[usize]) -> Vec<Vec<T>> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    for cut in cuts.iter().cycle().take(items.len()) {
        if at >= items.len() {
            break;
        }
        let end = (at + cut.max(&1)).min(items.len());
        pieces.push(items[at..end].to_vec());
        at = end;
    }
    pieces.push(items[at..].to_vec());
    pieces
}

/// A stream that sends `text` as content in pieces of characters.
fn sse(text: &str, cuts: &[usize]) -> Vec<u8> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for piece in cut(&chars, cuts) {
        let piece: String = piece.into_iter().collect();
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": piece}}]});
        out.push_str(&format!("data: {chunk}\n\n"));
    }
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    out.push_str(&format!("data: {end}\n\ndata: [DONE]\n\n"));
    out.into_bytes()
}

/// What models without a parser write, well-formed and not.
fn model_text() -> impl Strategy<Value = String> {
    let thought = prop::sample::select(vec![
        "",
        "<think>\nhm\n</think>\n\n",
        "<think>hm",
        "hm\n</think>\n\n",
        "\n<think>a</think>",
        "<thi",
        "x </think> y",
        "<think>call <tool_call>{\"name\":\"weather\",\"arguments\":{}}</tool_call></think>",
    ]);
    let words = prop::sample::select(vec![
        "",
        "Hello\n",
        "a < b",
        "`<tool_call>`",
        "```\n<tool_call>\n```\n",
        "[1] ",
        "[TOOL",
        "é\u{1F980}",
        "{\"a\": 1}",
        "\n\n",
    ]);
    let call = prop::sample::select(vec![
        "",
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>",
        "<tool_call>\n<function=weather>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>\n",
        "{\"name\": \"weather\", \"parameters\": {\"city\": \"A\"}}",
        "[TOOL_CALLS]weather{\"city\": \"A\"}",
        "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {}}]",
        "<tool_call>{\"name\": \"weather\", \"arguments\": {",
        "<|python_tag|>{\"name\": \"weather\", \"parameters\": {}}",
        "<tool_call>nothing</tool_call>",
        "</tool_call>",
    ]);
    (thought, words.clone(), prop::collection::vec((call, words), 0..3)).prop_map(|(thought, words, calls)| {
        let calls: String = calls.iter().map(|(call, words)| format!("{call}{words}")).collect();
        format!("{thought}{words}{calls}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_answer_does_not_depend_on_how_it_is_cut_and_is_shown_as_it_is_kept(
        text in model_text(),
        tokens in prop::collection::vec(1_usize..9, 1..8),
        packets in prop::collection::vec(1_usize..400, 1..8),
    ) {
        let (whole, _) = read(vec![sse(&text, &[usize::MAX / 2])]);
        let bytes = sse(&text, &tokens);
        let (pieces, deltas) = read(cut(&bytes, &packets));
        prop_assert_eq!(&pieces, &whole);
        let view = View::of(&deltas);
        prop_assert_eq!(view.content, pieces.message.text());
        prop_assert_eq!(view.reasoning, pieces.message.reasoning().unwrap_or_default());
        prop_assert_eq!(view.calls.len(), pieces.calls.len());
    }
}
