//! What the app adds to a step of an agent, and how a loop of the official Python clients compares.
//!
//! Three parties go through the same conversation with the scripted endpoint, each with a double of an MCP server of
//! its own, step by step in turns (see `turns.rs`):
//! - the app: `App::call("run_start")`, policy "never ask", every message synced to disk, one listener to its events;
//! - the bare exchange: this app's endpoint client and MCP session alone, the conversation in memory, nothing kept;
//! - the peer: `tests/parity/bench_agent.py`, the conversation in memory, nothing kept.
//!
//! The overhead of a step is the app's time for it less the bare exchange's time for the step of the same number in the
//! same conversation. Both hold the endpoint's writing of the answer, its reading of the next request and the tool.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tw_artifact::{Elicitation, ElicitationAnswer, Message, OutputPart, RunState};
use tw_endpoint::{ChatRequest, EndpointClient, Timeouts};
use tw_mcp::{LaunchContext, ServerEvent, ServerListener, ServerSecrets, Session, Toolbox};
use tw_support::endpoint::{AnswerScript, EndpointOptions, Recorded, Script, ScriptedEndpoint, answer};
use tw_support::mcp;
use tw_vault::Vault;

use crate::desk::{Desk, PATIENCE, endpoint, fake_server};
use crate::figures::{Report, Sample, millis};
use crate::turns::Turns;

/// Conversations, one after the other.
const ROUNDS: usize = 5;
/// Steps with a call in each: about what an agent needs for a task in a browser.
const STEPS: usize = 50;
/// Steps at either end of a conversation that are looked at on their own, for what a growing history costs.
const EDGE: usize = 10;

/// The parties by their place in the order, as the model that each of them asks for.
const PARTIES: [&str; 3] = ["app", "bare", "peer"];
const APP: usize = 0;
const BARE: usize = 1;
const PEER: usize = 2;

const TASK: &str = "Say the lines one after the other and tell me whether all of them came back.";

/// Milliseconds of every step, the same places for all parties.
#[derive(Debug, Default)]
struct Measured {
    app: Vec<f64>,
    bare: Vec<f64>,
    peer: Vec<f64>,
    sync: Vec<f64>,
    events: usize,
    peer_versions: Value,
}

/// Measures and reports.
///
/// # Errors
/// A part of it fails; a peer that is not there is no failure.
pub(crate) async fn measure(report: &mut Report, doubles: &Handle) -> Result<()> {
    let python = std::env::var_os("TW_TEST_PYTHON").filter(|path| !path.is_empty());
    let mut measured = Measured::default();
    for _ in 0..ROUNDS {
        Box::pin(go_round(&mut measured, doubles, python.as_deref().map(Path::new))).await?;
    }
    tell(&measured, report);
    Ok(())
}

async fn go_round(measured: &mut Measured, doubles: &Handle, python: Option<&Path>) -> Result<()> {
    let parties = if python.is_some() { PARTIES.len() } else { PEER };
    let turns = Arc::new(Turns::new(parties, STEPS));
    let options = EndpointOptions { models: PARTIES.map(str::to_owned).to_vec(), ..EndpointOptions::default() };
    let endpoint = endpoint(doubles, options, {
        let turns = Arc::clone(&turns);
        move |request| respond(&turns, request)
    })
    .await?;
    let desk = Desk::open().await?;
    let app = async {
        let done = run_app(&desk, &endpoint).await;
        turns.leave(APP);
        done
    };
    let bare = async {
        let done = run_bare(&endpoint.base_url(), desk.folder.path()).await;
        turns.leave(BARE);
        done
    };
    let peer = async {
        let Some(python) = python else { return Ok(Value::Null) };
        let done = run_peer(python, &endpoint.base_url()).await;
        turns.leave(PEER);
        done
    };
    let (app, bare, peer) = Box::pin(async { tokio::join!(app, bare, peer) }).await;
    measured.events += app?;
    bare?;
    measured.peer_versions = peer?;
    let took = |party| turns.took(party).into_iter().map(millis);
    measured.app.extend(took(APP));
    measured.bare.extend(took(BARE));
    if python.is_some() {
        measured.peer.extend(took(PEER));
    }
    measured.sync.extend(sync_times(desk.folder.path())?);
    desk.close().await;
    Ok(())
}

fn respond(turns: &Turns, request: &Recorded) -> Script {
    let Some(party) = PARTIES.iter().position(|name| request.body["model"] == **name) else {
        return Script::vllm_error(404, "NotFoundError", Some("model"), "nobody goes by that name");
    };
    // It waits for the others, who need this runtime's threads.
    match tokio::task::block_in_place(|| turns.take(party, request.at)) {
        Some(step) => step_answer(step).into(),
        None => answer().content("All lines came back.").into(),
    }
}

fn step_answer(step: usize) -> AnswerScript {
    answer()
        .reasoning(&format!("\nLine {step} is next. I say it and look at what comes back before I go on.\n"))
        .content("\n\n")
        .call(&format!("call_{step}"), "echo", &json!({"text": format!("This is line {step} of the conversation.")}))
}

/// Gives how many events its listener heard.
async fn run_app(desk: &Desk, endpoint: &ScriptedEndpoint) -> Result<usize> {
    let spec = desk.spec(endpoint, PARTIES[APP], true).await?;
    let (traces, heard) = desk.run(spec, vec![TASK.to_owned()]).await?;
    let trace = traces.first().context("there is no trace")?;
    ensure!(trace.summary.state == RunState::Done, "the run ended as {:?}: {:?}", trace.summary.state, trace.ending);
    ensure!(trace.messages.len() == 2 + 2 * STEPS, "{} messages were kept", trace.messages.len());
    Ok(heard.len())
}

async fn run_bare(base_url: &str, folder: &Path) -> Result<()> {
    let client = EndpointClient::new(base_url, None, Timeouts::default())?;
    let context = LaunchContext::new(tw_mcp::login_path().await, folder.to_path_buf());
    let config = fake_server(folder.to_str().context("the folder has no UTF-8 path")?)?;
    let session =
        Session::start(&config, &ServerSecrets::default(), &context, Arc::new(Nobody), Vault::in_memory()).await?;
    let mut request = ChatRequest {
        model: PARTIES[BARE].to_owned(),
        messages: vec![Message::user(TASK)],
        tools: Toolbox::new(vec![session.clone()]).definitions(),
        reasoning_field: Some("reasoning".to_owned()),
        want_token_ids: true,
        ..ChatRequest::default()
    };
    let never = CancellationToken::new();
    loop {
        let answer = client.chat(&request, &never, &mut |_| {}).await?;
        request.messages.push(answer.message);
        if answer.calls.is_empty() {
            break;
        }
        for call in answer.calls {
            let arguments = call.arguments.map_err(|why| anyhow!(why))?;
            let output = session.call(&call.name, &arguments, &never, PATIENCE, |_| {}).await?;
            let Some(OutputPart::Text { text }) = output.parts.into_iter().next() else {
                bail!("the double said nothing");
            };
            request.messages.push(Message::tool(call.id, call.name, text));
        }
    }
    session.shutdown().await;
    Ok(())
}

/// Gives the versions of the peer's clients.
async fn run_peer(python: &Path, base_url: &str) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/bench_agent.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).args(["--base-url", base_url, "--model", PARTIES[PEER], "--task", TASK]);
    command.arg("--server").arg(mcp::fake_server_path()?);
    // A proxy from the environment cannot reach this machine's own ports.
    command.env("NO_PROXY", "127.0.0.1").stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("the peer does not end")?;
    let output = output.with_context(|| format!("{} could not start", python.display()))?;
    ensure!(
        output.status.success(),
        "the peer failed; are the packages of tests/parity/requirements.txt installed in {}?",
        python.display()
    );
    let text = String::from_utf8(output.stdout)?;
    let told: Value = serde_json::from_str(text.lines().last().unwrap_or_default())?;
    ensure!(told["steps"] == STEPS, "the peer went through {} steps", told["steps"]);
    Ok(told)
}

/// What one wait for this disk takes: 4 KiB appended and synced.
fn sync_times(folder: &Path) -> Result<Vec<f64>> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("sync-probe"))?;
    let mut times = Vec::with_capacity(EDGE);
    for _ in 0..EDGE {
        let began = Instant::now();
        file.write_all(&[0x5a; 4_096])?;
        file.sync_data()?;
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}

fn tell(measured: &Measured, report: &mut Report) {
    let Measured { app, bare, peer, .. } = measured;
    let added: Vec<f64> = app.iter().zip(bare).map(|(app, bare)| app - bare).collect();
    let at_edge = |wanted: fn(usize) -> bool| {
        let values = added.iter().enumerate().filter(|(place, _)| wanted(place % STEPS)).map(|(_, value)| *value);
        Sample::new(values.collect())
    };
    let early = at_edge(|step| step < EDGE);
    let late = at_edge(|step| step >= STEPS - EDGE);
    let (added, app_sample, bare_sample) = (Sample::new(added), Sample::new(app.clone()), Sample::new(bare.clone()));
    let sync = Sample::new(measured.sync.clone());
    report.row(
        "overhead per agent step, median",
        format!("{:.2} ms", added.median()),
        format!(
            "{} steps in {ROUNDS} conversations; the app's step (median {:.2} ms) less the bare exchange's ({:.2} ms), \
             step by step in turns",
            added.count(),
            app_sample.median(),
            bare_sample.median()
        ),
    );
    report.row(
        "overhead per agent step, p99",
        format!("{:.2} ms", added.percentile(99)),
        format!(
            "first {EDGE} steps of a conversation {:.2} ms, last {EDGE} of {STEPS} {:.2} ms (medians); one synced \
             write on this disk {:.2} ms",
            early.median(),
            late.median(),
            sync.median()
        ),
    );
    let mut figures = json!({
        "steps": added.count(),
        "overhead_ms": {"median": added.median(), "p99": added.percentile(99), "early": early.median(), "late": late.median()},
        "app_step_ms": {"median": app_sample.median(), "p99": app_sample.percentile(99)},
        "bare_step_ms": {"median": bare_sample.median(), "p99": bare_sample.percentile(99)},
        "synced_write_ms": {"median": sync.median()},
        "events": measured.events,
    });
    if peer.is_empty() {
        report.row(
            "Python's official clients, same conversation",
            "not measured",
            "TW_TEST_PYTHON names no Python with the packages of tests/parity/requirements.txt",
        );
    } else {
        let ratio = Sample::new(peer.iter().zip(app).map(|(peer, app)| peer / app).collect());
        let peer = Sample::new(peer.clone());
        let versions = &measured.peer_versions;
        let version = |name: &str| versions[name].as_str().unwrap_or_default().to_owned();
        report.row(
            "Python's official clients / the app, per step",
            format!("{:.2}x", ratio.median()),
            format!(
                "openai {} + mcp {} on Python {}, nothing kept: median {:.2} ms; the app, everything kept: {:.2} ms",
                version("openai"),
                version("mcp"),
                version("python"),
                peer.median(),
                app_sample.median()
            ),
        );
        figures["peer_step_ms"] = json!({"median": peer.median(), "p99": peer.percentile(99)});
        figures["peer_to_app"] = json!({"median": ratio.median()});
        figures["peer"] = versions.clone();
    }
    report.figures("overhead", figures);
}

/// There is no person here.
struct Nobody;

#[async_trait]
impl ServerListener for Nobody {
    async fn elicit(&self, _elicitation: Elicitation) -> ElicitationAnswer {
        ElicitationAnswer::Decline
    }

    fn on_status(&self, _event: ServerEvent) {}

    fn open_url(&self, _url: &str) {}
}
