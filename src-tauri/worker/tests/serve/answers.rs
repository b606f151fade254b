//! What is answered.

use serde_json::{Value, json};

use crate::place::{Served, tools};

/// What the deltas of a stream say together: reasoning, content, calls with their arguments.
fn joined(chunks: &[Value]) -> (String, String, Vec<(String, String)>) {
    let (mut reasoning, mut content, mut calls) = (String::new(), String::new(), Vec::new());
    for chunk in chunks {
        let Some(choice) = chunk["choices"].get(0) else { continue };
        let delta = &choice["delta"];
        reasoning.push_str(delta["reasoning"].as_str().unwrap_or_default());
        content.push_str(delta["content"].as_str().unwrap_or_default());
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            if let Some(name) = call["function"]["name"].as_str() {
                assert!(call["id"].is_string() && call["index"] == calls.len());
                calls.push((name.to_owned(), String::new()));
            }
            calls.last_mut().unwrap().1.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    (reasoning, content, calls)
}

#[tokio::test]
async fn a_streamed_answer_says_what_a_whole_one_says() {
    let served = Served::start(&[]);
    let whole = served.chat(json!({"return_token_ids": true})).await;
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(whole["usage"]["completion_tokens"], 24);
    assert_eq!(whole["usage"]["prompt_tokens"], whole["prompt_token_ids"].as_array().unwrap().len());
    assert_eq!(whole["choices"][0]["token_ids"].as_array().unwrap().len(), 24);
    let chunks = served.stream(json!({"return_token_ids": true})).await;
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    let (reasoning, content, _) = joined(&chunks);
    assert_eq!(content, message["content"].as_str().unwrap_or_default());
    assert_eq!(reasoning, message["reasoning"].as_str().unwrap_or_default());
    let ids: Vec<&Value> =
        chunks.iter().flat_map(|chunk| chunk["choices"][0]["token_ids"].as_array().into_iter().flatten()).collect();
    assert_eq!(json!(ids), whole["choices"][0]["token_ids"], "every token is told once");
    let [.., end, usage] = chunks.as_slice() else { panic!("{chunks:?}") };
    assert_eq!(end["choices"][0]["finish_reason"], "length");
    assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(24)));
    let tokenized: Value = serde_json::from_str(
        &served
            .post(
                "/tokenize",
                &json!({"model": "tiny", "messages": [{"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Open the page, please."}]}),
            )
            .await
            .1,
    )
    .unwrap();
    assert_eq!(tokenized["tokens"], whole["prompt_token_ids"]);
    assert_eq!((&tokenized["count"], &tokenized["max_model_len"]), (&whole["usage"]["prompt_tokens"], &json!(2048)));
}

#[tokio::test]
async fn a_conversation_that_goes_on_finds_its_beginning_computed() {
    let served = Served::start(&[]);
    let long = "word ".repeat(80);
    let first = json!({"messages": [{"role": "user", "content": long}]});
    assert_eq!(served.chat(first.clone()).await["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    let more = json!({"messages": [{"role": "user", "content": long}, {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": "And?"}]});
    let cached = served.chat(more).await["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
    assert!(cached >= 64, "{cached}");
}

#[tokio::test]
async fn prescribed_calls_keep_to_their_schema_streamed_or_whole() {
    let served = Served::start(&[]);
    let named = json!({"type": "function", "function": {"name": "wait"}});
    for (choice, finish) in [(json!("required"), "tool_calls"), (named, "stop")] {
        for temperature in [0, 2] {
            let request = json!({
                "tools": tools(), "tool_choice": choice, "temperature": temperature, "seed": 5, "max_tokens": 400,
                "chat_template_kwargs": {"enable_thinking": false},
            });
            let whole = served.chat(request.clone()).await;
            let answer = &whole["choices"][0];
            assert_eq!(answer["finish_reason"], finish, "{whole}");
            assert_eq!(answer["message"]["content"], "");
            let calls = answer["message"]["tool_calls"].as_array().unwrap();
            assert_eq!(calls.len(), 1);
            let function = &calls[0]["function"];
            let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
            assert!(["fast", "far away"].contains(&arguments["mode"].as_str().unwrap()), "{arguments}");
            assert!(arguments["sure"].is_boolean() && arguments["word"].as_str().unwrap().chars().count() <= 3);
            if finish == "stop" {
                assert_eq!(function["name"], "wait");
            }
            let chunks = served.stream(request).await;
            let (_, content, streamed) = joined(&chunks);
            assert_eq!(content, "");
            let wanted =
                (function["name"].as_str().unwrap().to_owned(), function["arguments"].as_str().unwrap().to_owned());
            assert_eq!(streamed, [wanted]);
            assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], finish);
        }
    }
    let none = served.chat(json!({"tools": tools(), "tool_choice": "none"})).await;
    assert!(none["choices"][0]["message"].get("tool_calls").is_none());
}

#[tokio::test]
async fn sampling_is_as_it_is_asked_for() {
    let served = Served::start(&[]);
    let warm = |seed: u64| json!({"temperature": 1.0, "top_p": 0.95, "top_k": 100, "min_p": 0.001, "seed": seed});
    let text = |answer: &Value| answer["choices"][0]["message"].to_string();
    let one = served.chat(warm(1)).await;
    assert_eq!(text(&served.chat(warm(1)).await), text(&one));
    assert_ne!(text(&served.chat(warm(2)).await), text(&one));
    let mut two = warm(1);
    two["n"] = 2.into();
    let two = served.chat(two).await;
    assert_eq!(two["choices"][0]["message"], one["choices"][0]["message"]);
    assert_ne!(two["choices"][1]["message"], two["choices"][0]["message"]);
    assert_eq!((&two["choices"][1]["index"], &two["usage"]["completion_tokens"]), (&json!(1), &json!(48)));
    let told = served.chat(json!({"logprobs": true, "top_logprobs": 3, "max_tokens": 4})).await;
    let entries = told["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    for entry in entries {
        let top = entry["top_logprobs"].as_array().unwrap();
        assert_eq!((top.len(), &top[0]["token"]), (3, &entry["token"]), "greedy takes the likeliest");
        assert_eq!(top[0]["logprob"], entry["logprob"]);
        assert!(top[0]["logprob"].as_f64() >= top[1]["logprob"].as_f64() && entry["bytes"].is_array());
    }
}

#[tokio::test]
async fn a_stop_string_ends_the_answer_before_it() {
    let served = Served::start(&[]);
    let whole = served.chat(json!({"max_tokens": 60})).await;
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    let characters: Vec<(usize, char)> = text.char_indices().collect();
    // Two characters in the middle, wherever they stand first.
    let middle = characters.len() / 2;
    let stop = &text[characters[middle].0..characters[middle + 2].0];
    let until = &text[..text.find(stop).unwrap()];
    let stopped = served.chat(json!({"max_tokens": 60, "stop": ["never in there", stop]})).await;
    let choice = &stopped["choices"][0];
    assert_eq!(choice["message"]["content"].as_str().unwrap_or_default(), until);
    assert_eq!((&choice["finish_reason"], &choice["stop_reason"]), (&json!("stop"), &json!(stop)));
    let (_, content, _) = joined(&served.stream(json!({"max_tokens": 60, "stop": stop})).await);
    assert_eq!(content, until);
}

#[tokio::test]
async fn adapters_are_loaded_listed_used_and_unloaded() {
    let served = Served::start(&[]);
    let plain = served.chat(json!({})).await["choices"][0]["message"].clone();
    let load = json!({"lora_name": "ours", "lora_path": served.adapter()});
    let (status, body) = served.post("/v1/load_lora_adapter", &load).await;
    assert_eq!((status, body.as_str()), (200, "Success: LoRA adapter 'ours' added successfully."));
    let models: Value = serde_json::from_str(&served.get("/v1/models").await.1).unwrap();
    assert_eq!(models["data"][0]["max_model_len"], 2048);
    assert_eq!((&models["data"][1]["id"], &models["data"][1]["parent"]), (&json!("ours"), &json!("tiny")));
    let adapted = served.chat(json!({"model": "ours"})).await;
    assert_eq!(adapted["model"], "ours");
    assert_ne!(adapted["choices"][0]["message"], plain);
    assert_eq!(served.chat(json!({})).await["choices"][0]["message"], plain);
    let (status, body) = served.post("/v1/load_lora_adapter", &load).await;
    assert!(status == 400 && body.contains("has already been loaded"), "{body}");
    let mut again = load.clone();
    again["load_inplace"] = true.into();
    assert_eq!(served.post("/v1/load_lora_adapter", &again).await.0, 200);
    let (status, body) = served.post("/v1/unload_lora_adapter", &json!({"lora_name": "ours"})).await;
    assert_eq!((status, body.as_str()), (200, "Success: LoRA adapter 'ours' removed successfully."));
    assert_eq!(served.post("/v1/unload_lora_adapter", &json!({"lora_name": "ours"})).await.0, 404);
    let started = Served::start(&["--adapter", &format!("mine={}", served.adapter().display())]);
    assert_eq!(started.ready["adapters"], json!(["mine"]));
    assert_eq!(started.chat(json!({"model": "mine"})).await["choices"][0]["message"], adapted["choices"][0]["message"]);
}

#[tokio::test]
async fn many_requests_at_once_get_the_answers_that_each_gets_alone() {
    let served = Served::start(&[]);
    let ask = |place: usize| {
        let messages = json!([{"role": "user", "content": format!("Question {place}: {}", "so ".repeat(place * 9))}]);
        served.chat(json!({"messages": messages, "max_tokens": 20 + place}))
    };
    let mut alone = Vec::new();
    for place in 0..4 {
        alone.push(ask(place).await["choices"][0]["message"].clone());
    }
    let (a, b, c, d) = tokio::join!(ask(0), ask(1), ask(2), ask(3));
    for (one, wanted) in [a, b, c, d].iter().zip(&alone) {
        assert_eq!(&one["choices"][0]["message"], wanted);
    }
}
