//! kill -9 in the middle of a run.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tw_artifact::{CallPhase, RunState};
use tw_contract::TraceQuery;
use tw_support::drive::tw_binary;
use tw_support::endpoint::{EndpointOptions, ScriptedEndpoint, answer};
use tw_support::mcp::{Behaviour, fake_server_path};

use crate::harness::{Desk, roles, within};
use crate::pipeline::collect_browser::playwright_args;
use crate::processes::{MARK, marked, until_gone};

/// Starts `tw run` in a folder of its own and gives it, with the lines in which it says what it kept.
fn start_run(dir: &TempDir, endpoint: &ScriptedEndpoint, servers: &serde_json::Value) -> tokio::process::Child {
    let config = dir.path().join("mcp.json");
    std::fs::write(&config, json!({ "mcpServers": servers }).to_string()).unwrap();
    Command::new(tw_binary().expect("tw is built"))
        .args(["--workspace", dir.path().join("workspace").to_str().unwrap()])
        .args(["run", "--task", "Work", "--approve", "all", "--model", tw_support::endpoint::MODEL])
        .args(["--endpoint", &endpoint.base_url(), "--mcp", config.to_str().unwrap()])
        .env("TRACEWRIGHT_VAULT", "memory")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn after_kill_9_every_message_that_was_told_as_saved_is_there_and_the_run_goes_on() {
    let dir = TempDir::new().unwrap();
    let endpoint = ScriptedEndpoint::respond_with(EndpointOptions::default(), |request| {
        let turns = request.body["messages"].as_array().map_or(0, Vec::len);
        if turns > 14 {
            return answer().content("The end").into();
        }
        answer().reasoning("\nOn.\n").call(&format!("c{turns}"), "echo", &json!({"text": turns.to_string()})).into()
    })
    .await
    .unwrap();
    let command = fake_server_path().unwrap().display().to_string();
    let mut child = start_run(&dir, &endpoint, &json!({ "fake": { "command": command } }));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // "<trace id>: <place> <role>" for every message, once it is on disk.
    let mut told = Vec::new();
    let mut id = String::new();
    while told.len() < 5 {
        let line = within(lines.next_line()).await.unwrap().expect("the run goes on");
        if let Some((trace, rest)) = line.split_once(": ")
            && let Some((place, role)) = rest.split_once(' ')
            && let Ok(place) = place.parse::<u32>()
        {
            trace.clone_into(&mut id);
            told.push((place, role.to_owned()));
        }
    }
    child.start_kill().unwrap();
    while let Ok(Some(line)) = within(lines.next_line()).await {
        if let Some((place, role)) = line.split_once(": ").and_then(|(_, rest)| rest.split_once(' '))
            && let Ok(place) = place.parse::<u32>()
        {
            told.push((place, role.to_owned()));
        }
    }
    within(child.wait()).await.unwrap();

    let desk = Desk::open_on(dir).await;
    let info = desk.api().workspace_info(tw_contract::Empty {}).await.unwrap();
    assert_eq!(info.interrupted_runs, 1);
    let trace = desk.until_over(&id).await;
    assert_eq!(trace.summary.state, RunState::Interrupted);
    for (place, role) in &told {
        let saved = trace.messages.iter().find(|saved| saved.seq == *place).expect("what was told is there");
        assert_eq!(saved.message.role().as_str(), role);
    }
    assert!(trace.calls.iter().all(|call| matches!(call.phase, CallPhase::Done | CallPhase::Abandoned)));
    desk.go_on(&id, None).await;
    let trace = desk.until_state(&id, RunState::Done).await.trace;
    let roles = roles(&trace);
    assert_eq!(roles.last(), Some(&"assistant"));
    assert_eq!(trace.messages.last().unwrap().message.text(), "The end");
    let calls = roles.iter().filter(|role| **role == "assistant").count() - 1;
    assert_eq!(roles.iter().filter(|role| **role == "tool").count(), calls, "every call has one result: {roles:?}");
}

#[tokio::test]
async fn after_kill_9_no_browser_and_no_server_is_left() {
    let dir = TempDir::new().unwrap();
    let mark = dir.path().display().to_string();
    let grandchild = dir.path().join("grandchild.pid");
    let deaf = Behaviour { ignore_eof: true, grandchild: Some(grandchild), ..Behaviour::default() };
    let endpoint = ScriptedEndpoint::start([answer()
        .call("c1", "browser_navigate", &json!({"url": "about:blank"}))
        .call("c2", "hang", &json!({}))])
    .await
    .unwrap();
    let servers = json!({
        "playwright": { "command": "node", "args": playwright_args(), "env": { (MARK): mark } },
        "deaf": { "command": fake_server_path().unwrap(), "args": deaf.to_args(), "env": { (MARK): mark } },
    });
    let mut child = start_run(&dir, &endpoint, &servers);
    // Until the browser is open: its processes carry the mark too.
    within(async {
        while !marked(&mark).iter().any(|line| line.contains("--headless") && line.contains("--user-data-dir")) {
            assert!(child.try_wait().unwrap().is_none(), "the run ended too early");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    child.start_kill().unwrap();
    within(child.wait()).await.unwrap();
    until_gone(&mark).await;
    let desk = Desk::open_on(dir).await;
    let page = desk.api().trace_list(TraceQuery::default()).await.unwrap();
    assert_eq!(page.traces[0].state, RunState::Interrupted);
}
