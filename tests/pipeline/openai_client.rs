//! The scripted endpoint is accepted by OpenAI's own Python client: what passes against the double would pass against
//! servers that this client is made for.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tw_support::endpoint::{MODEL, ScriptedEndpoint, Shape, answer};

/// A Python that has the packages of `tests/parity/requirements.txt`.
const PYTHON: &str = "TW_TEST_PYTHON";

async fn ask_with_openai(shape: Shape) -> Option<Value> {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with the packages of tests/parity/requirements.txt");
        return None;
    };
    let script = || {
        answer()
            .reasoning("\nI look.\n")
            .content("One moment – ")
            .call("call-1", "weather", &json!({"city": "Köln"}))
            .call("call-2", "weather", &json!({"city": "Rom"}))
            .usage(12, 34)
            .shape(shape)
    };
    let endpoint = ScriptedEndpoint::start([script(), script()]).await.unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/openai_client.py");
    let client = Command::new(python)
        .arg(file)
        .args([&endpoint.base_url(), MODEL])
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), client).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client did not accept the endpoint:\n{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_official_client_reads_what_a_vllm_double_sends() {
    let Some(report) = ask_with_openai(Shape::Vllm).await else { return };
    let calls = json!([["call-1", "weather", r#"{"city":"Köln"}"#], ["call-2", "weather", r#"{"city":"Rom"}"#]]);
    assert_eq!(report["models"], json!([MODEL]));
    for way in ["streamed", "whole"] {
        let seen = &report[way];
        assert_eq!(seen["content"], "One moment – ", "{way}");
        assert_eq!(seen["reasoning"], "\nI look.\n", "{way}");
        assert_eq!(seen["calls"], calls, "{way}");
        assert_eq!(seen["finish"], "tool_calls", "{way}");
        assert_eq!(seen["usage"], json!([12, 34]), "{way}");
    }
}

#[tokio::test]
async fn the_official_client_reads_what_an_openai_double_sends() {
    let Some(report) = ask_with_openai(Shape::OpenAi).await else { return };
    for way in ["streamed", "whole"] {
        assert_eq!(report[way]["content"], "One moment – ", "{way}");
        assert_eq!(report[way]["calls"].as_array().map(Vec::len), Some(2), "{way}");
        assert_eq!(report[way]["reasoning"], "", "{way}");
    }
}
