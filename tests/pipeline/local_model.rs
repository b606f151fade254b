//! A local model behind the worker's endpoint, as the agent and OpenAI's own client meet it.
//!
//! The model has learnt one short run by heart (`tests/parity/serve.py --agent`): it calls `echo`, and says what came.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tw_artifact::{AnswerSource, ApprovalPolicy, DoctorStatus, EndpointConfig, PolicyMode, RunSpec, RunState};
use tw_contract::{EndpointProbe, KeyChange};
use tw_support::drive::tw_binary;
use tw_support::endpoint::MODEL;
use tw_support::mcp::Behaviour;

use crate::harness::{Desk, roles};

const PATIENCE: Duration = Duration::from_secs(120);

fn parity() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity")
}

/// The model's folder, with its tokenizer and template beside the weights.
fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let goldens = parity().join("goldens");
    for file in std::fs::read_dir(goldens.join("serve/agent")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    std::fs::copy(goldens.join("template/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    std::fs::copy(parity().join("templates/think.jinja"), folder.path().join("chat_template.jinja")).unwrap();
    folder
}

/// `tw model serve` on it.
struct Served {
    child: Child,
    base_url: String,
    _folder: tempfile::TempDir,
}

async fn serve() -> Served {
    let folder = model();
    let mut child = Command::new(tw_binary().unwrap())
        .args(["--json", "model", "serve", "--name", MODEL, "--threads", "2"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("it says where it is");
    let ready: Value = serde_json::from_str(&line).unwrap();
    Served { child, base_url: ready["url"].as_str().unwrap().to_owned(), _folder: folder }
}

#[tokio::test]
async fn the_agent_runs_on_a_local_model() {
    let served = serve().await;
    let desk = Desk::open().await;
    let server = desk.add_fake_server("fake", &Behaviour { common_names: true, ..Behaviour::default() }).await;
    let spec = RunSpec {
        task: "Say hi".to_owned(),
        endpoint_id: desk.add_endpoint(&served.base_url, KeyChange::Keep).await,
        model: MODEL.to_owned(),
        server_ids: vec![server],
        policy: ApprovalPolicy { mode: PolicyMode::NeverAsk, rules: Vec::new() },
        ..RunSpec::default()
    };
    let trace = desk.run(spec).await;
    assert_eq!(trace.summary.state, RunState::Done, "{:?}", trace.ending);
    assert_eq!(roles(&trace), ["user", "assistant", "tool", "assistant"]);
    let call = &trace.messages[1].message;
    assert_eq!(call.reasoning(), Some("\nI say it.\n"));
    assert_eq!(call.tool_calls()[0].name, "echo");
    assert_eq!(trace.messages[3].message.text().trim(), "It said hi.");
    let step = &trace.steps[0];
    assert_eq!((step.source, step.finish_reason.as_deref()), (AnswerSource::Server, Some("tool_calls")));
    assert!(step.token_ids.is_some() && step.prompt_token_ids.is_some() && step.usage.is_some());
}

#[tokio::test]
async fn the_doctor_finds_a_local_model_sound() {
    let served = serve().await;
    let desk = Desk::open().await;
    let endpoint =
        EndpointConfig { base_url: served.base_url.clone(), model: MODEL.to_owned(), ..EndpointConfig::default() };
    let report = desk.api().endpoint_doctor(EndpointProbe { endpoint, key: KeyChange::Keep }).await.unwrap();
    let status = |name: &str| report.checks.iter().find(|check| check.name == name).map(|check| check.status);
    for name in ["reachable", "model", "streams", "token_ids"] {
        assert_eq!(status(name), Some(DoctorStatus::Good), "{name}: {report:?}");
    }
    assert_eq!(report.models[0].context_tokens, Some(2_048));
}

/// A Python that has the packages of `tests/parity/requirements.txt`.
const PYTHON: &str = "TW_TEST_PYTHON";

#[tokio::test]
async fn openais_own_client_takes_what_a_local_model_sends() {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with the packages of tests/parity/requirements.txt");
        return;
    };
    let served = serve().await;
    let client = Command::new(python)
        .arg(parity().join("openai_client.py"))
        .args([&served.base_url, MODEL])
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, client).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client did not accept the endpoint:\n{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["models"], serde_json::json!([MODEL]));
    for field in ["content", "reasoning", "finish", "usage"] {
        assert_eq!(report["streamed"][field], report["whole"][field], "{field}");
    }
    // Ids are new each time.
    let said = |way: &str| -> Vec<Value> {
        let calls = report[way]["calls"].as_array().unwrap();
        calls.iter().map(|call| serde_json::json!([call[1], call[2]])).collect()
    };
    assert_eq!(said("streamed"), said("whole"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_worker_ends_with_the_command_that_started_it() {
    let mut served = serve().await;
    let health = served.base_url.replace("/v1", "/health");
    assert!(reqwest::get(&health).await.unwrap().status().is_success());
    // As an abrupt end of the terminal: it has no time to tell anyone.
    served.child.kill().await.unwrap();
    let gone = async {
        while reqwest::get(&health).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the endpoint ends");
}
