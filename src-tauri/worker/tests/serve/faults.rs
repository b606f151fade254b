//! What is refused, and with which words.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::place::{Served, chat_body, folder, refusal, tools};

#[tokio::test]
async fn refusals_have_vllms_shape() {
    let served = Served::start(&[]);
    let long = "word ".repeat(3_000);
    for (more, status, kind, param, words) in [
        (
            json!({"model": "nope"}),
            404,
            "NotFoundError",
            "model",
            "The model `nope` does not exist. Valid aliases: tiny.",
        ),
        (json!({"temperature": -1}), 400, "BadRequestError", "temperature", "must be non-negative, got -1.0."),
        (json!({"temperature": "hot"}), 400, "Bad Request", "body.temperature", "float_parsing"),
        (json!({"messages": null}), 400, "Bad Request", "body.messages", "Field required"),
        (
            json!({"max_tokens": 9000}),
            400,
            "BadRequestError",
            "max_tokens",
            "max_tokens=9000 cannot be greater than max_model_len=2048",
        ),
        (json!({"max_tokens": 2040}), 400, "BadRequestError", "input_tokens", "for a total of at least"),
        (
            json!({"messages": [{"role": "user", "content": long}]}),
            400,
            "BadRequestError",
            "input_tokens",
            "This model's maximum context length is 2048 tokens. However, your prompt contains at least",
        ),
        (json!({"tools": []}), 400, "BadRequestError", "tools", "must not be an empty array"),
        (json!({"tool_choice": "required"}), 400, "BadRequestError", "tool_choice", "`tools` must be set"),
        (
            json!({"tools": tools(), "tool_choice": {"type": "function", "function": {"name": "fly"}}}),
            400,
            "BadRequestError",
            "tool_choice",
            "`fly`",
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            400,
            "BadRequestError",
            "response_format",
            "does not know",
        ),
        (json!({"top_p": 0}), 400, "BadRequestError", "top_p", "(0, 1]"),
        (json!({"top_logprobs": 2}), 400, "BadRequestError", "top_logprobs", "must be set to true"),
        (json!({"n": 99}), 400, "BadRequestError", "n", "from 1 to 16"),
        (json!({"messages": [{"role": "bogus", "content": "x"}]}), 400, "BadRequestError", "messages", "bogus"),
    ] {
        let (found, body) = served.post("/v1/chat/completions", &chat_body(more.clone())).await;
        let error = serde_json::from_str::<Value>(&body).unwrap()["error"].clone();
        assert_eq!((found, &error["code"]), (status, &json!(status)), "{more} {body}");
        assert_eq!((&error["type"], &error["param"]), (&json!(kind), &json!(param)), "{body}");
        assert!(error["message"].as_str().unwrap().contains(words), "{body}");
    }
    let image = json!([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:,"}}]);
    let (status, body) = served
        .post("/v1/chat/completions", &chat_body(json!({"messages": [{"role": "user", "content": image}]})))
        .await;
    assert!(status == 400 && body.contains("tiny is not a multimodal model"), "{body}");
    let broken = served.client.post(served.url("/v1/chat/completions")).body("{").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert!(broken.text().await.unwrap().contains("json_invalid"));
    assert_eq!(served.get("/v1/nope").await, (404, r#"{"detail":"Not Found"}"#.to_owned()));
    assert_eq!(served.get("/v1/chat/completions").await, (405, r#"{"detail":"Method Not Allowed"}"#.to_owned()));
    assert_eq!(served.get("/health").await, (200, String::new()));
    let (status, body) = served.post("/v1/load_lora_adapter", &json!({"lora_name": "x", "lora_path": "/nope"})).await;
    assert!(status == 404 && body.contains("Loading lora x failed: No adapter found for /nope"), "{body}");
    let (status, body) = served.post("/v1/load_lora_adapter", &json!({"lora_name": "x"})).await;
    assert!(status == 400 && body.contains("body.lora_path"), "{body}");
    let model = served.root.path().join("tiny");
    let (status, body) = served.post("/v1/load_lora_adapter", &json!({"lora_name": "x", "lora_path": model})).await;
    assert!(status == 400 && body.contains("adapter_config.json"), "{body}");
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let served = Served::start(&[]);
    for (name, value, status) in
        [("origin", "https://example.org", 403), ("origin", "http://localhost:1234", 200), ("host", "example.org", 403)]
    {
        let answer = served.client.get(served.url("/v1/models")).header(name, value).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{name}: {value}");
    }
}

#[test]
fn what_cannot_be_served_is_said_before_anything_is_read() {
    let root = folder();
    let model = root.path().join("tiny");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refusal(&model, &["--port", &port]);
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
    let said = refusal(&root.path().join("nothing"), &[]);
    assert!(said.contains("config.json"), "{said}");
    let said = refusal(&model, &["--adapter", &format!("a={}", model.display())]);
    assert!(said.contains("the adapter a cannot be loaded"), "{said}");
    std::fs::write(model.join("model.safetensors"), b"short").unwrap();
    assert!(refusal(&model, &[]).contains("damaged"));
}

#[tokio::test]
async fn it_ends_with_its_parent() {
    let mut served = Served::start(&[]);
    assert_eq!(served.get("/health").await.0, 200);
    drop(served.child.stdin.take());
    let status = tokio::task::spawn_blocking(move || served.child.wait().unwrap()).await.unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_client_that_leaves_makes_room_for_others() {
    let served = Served::start(&[]);
    let mut body = chat_body(json!({"max_tokens": 1_900, "ignore_eos": true}));
    body["stream"] = true.into();
    for _ in 0..40 {
        // More than run at once, and each would write for long.
        let request = served.client.post(served.url("/v1/chat/completions")).body(body.to_string()).send();
        drop(request.await.unwrap());
    }
    let answer = tokio::time::timeout(Duration::from_secs(60), served.chat(json!({"max_tokens": 3}))).await;
    assert!(answer.is_ok(), "it waits behind answers that nobody reads");
}
