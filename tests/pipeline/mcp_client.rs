//! The double of an MCP server against the official Python client: what the double says must be MCP, or tests that stand
//! on it prove nothing. Needs a Python with `tests/parity/requirements.txt`, named by `TW_TEST_PYTHON`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tw_support::mcp::{Behaviour, Era, HttpServer, fake_server_path};

/// The Python to use; `None`, with a word on stderr, where there is none.
fn python() -> Option<OsString> {
    let python = std::env::var_os("TW_TEST_PYTHON").filter(|path| !path.is_empty());
    if python.is_none() {
        eprintln!("skipped: TW_TEST_PYTHON names no Python with tests/parity/requirements.txt");
    }
    python
}

fn drive(python: &OsString, args: &[String]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/mcp_client.py");
    let Output { status, stdout, stderr } = Command::new(python).arg(script).args(args).output().unwrap();
    assert!(status.success(), "{status}\n{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

fn check(report: &Value, version: &str, more_tools: usize) {
    let tools = report["tools"].as_array().unwrap();
    assert_eq!(tools[0], "echo");
    assert_eq!(tools.iter().filter(|name| name.as_str().unwrap().starts_with("more_")).count(), more_tools);
    let mut rest = report.clone();
    rest.as_object_mut().unwrap().remove("tools");
    let expected = json!({
        "version": version,
        "server": ["fake", "1.2.3"],
        "echo": "hé",
        "failed": [true, "the disk is on fire"],
        "refusal": [-32603, "not today"],
        "steps": "done",
        "progress": [[1.0, 3.0, "step 1"], [2.0, 3.0, "step 2"], [3.0, 3.0, "step 3"]],
        "form": { "action": "accept", "content": { "name": "Ann" } },
        "link": { "action": "accept" },
    });
    assert_eq!(rest, expected);
}

#[test]
fn the_official_client_accepts_the_double_over_stdio_in_both_eras() {
    let Some(python) = python() else { return };
    for (mode, era, version) in [
        ("legacy", Era::Initialize, "2025-11-25"),
        ("auto", Era::Initialize, "2025-11-25"),
        ("auto", Era::Stateless, "2026-07-28"),
    ] {
        let behaviour = Behaviour { era, more_tools: 25, ..Behaviour::default() };
        let command = fake_server_path().unwrap().display().to_string();
        let mut args = vec![mode.to_owned(), "stdio".to_owned(), command];
        args.extend(behaviour.to_args());
        check(&drive(&python, &args), version, 25);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_accepts_the_double_over_http_in_both_eras() {
    let Some(python) = python() else { return };
    for (mode, era, version) in [
        ("legacy", Era::Initialize, "2025-11-25"),
        ("auto", Era::Initialize, "2025-11-25"),
        ("auto", Era::Stateless, "2026-07-28"),
    ] {
        let server = HttpServer::start(Behaviour { era, ..Behaviour::default() }, None).await.unwrap();
        let args = [mode.to_owned(), "http".to_owned(), server.url.clone()];
        let python = python.clone();
        let report = tokio::task::spawn_blocking(move || drive(&python, &args)).await.unwrap();
        check(&report, version, 0);
    }
}
