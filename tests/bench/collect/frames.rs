//! The real window while an answer streams in at 500 tokens a second: how long its pictures take.
//!
//! A page that keeps up draws a picture every 17 ms; one that takes longer than 100 ms feels stuck to whoever types. Taken
//! on a display in memory, drawn in software and driven through WebDriver.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use camino::Utf8PathBuf;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tw_app::{App, AppOptions};
use tw_artifact::{EndpointConfig, EndpointPreset};
use tw_contract::{Client, EndpointSave, KeyChange};
use tw_support::drive::{self, Home, PATIENCE};
use tw_support::endpoint::{EndpointOptions, MODEL, Script, Step, answer};
use tw_support::window::{Window, WindowSetup};
use tw_vault::Vault;

use crate::desk::{Local, endpoint, in_words};
use crate::figures::{Report, Sample};

const TOKENS_PER_S: f64 = 500.0;
/// Of reasoning and of text, each: eight seconds together.
const TOKENS: usize = 2_000;
/// The last word of the answer.
const LAST: &str = "fin";

/// Measures and reports.
///
/// # Errors
/// The window does not open, or does not show the answer.
pub(crate) async fn measure(report: &mut Report, doubles: &Handle) -> Result<()> {
    if cfg!(not(target_os = "linux")) {
        report.row("pictures while streaming", "not measured", "only on Linux, where WebKitWebDriver is");
        return Ok(());
    }
    let words =
        |first: char| -> String { (0..TOKENS).map(|number| format!(" {first}{:03}", number % 1_000)).collect() };
    let body = answer().reasoning(&words('r')).content(&format!("{} {LAST}", words('c'))).to_sse();
    let wait = Duration::from_secs_f64(1.0 / TOKENS_PER_S);
    let steps: Vec<Step> = body
        .split_inclusive("\n\n")
        .flat_map(|event| [Step::Wait(wait), Step::Send(event.as_bytes().to_vec())])
        .collect();
    let endpoint = endpoint(doubles, EndpointOptions::default(), move |_| Script::stream(steps.clone())).await?;
    let home = tempfile::tempdir()?;
    add_endpoint(home.path(), &endpoint.base_url()).await?;
    let window = WindowSetup::new(home.path()).env("TRACEWRIGHT_VAULT", "memory").open().await?;
    window.wait_until_ready().await?;
    run(&window, "document.querySelector('[data-testid=rail-collect]').click(); return true").await?;
    until(&window, "the task's field", "return !!document.querySelector('[data-testid=task-input]')").await?;
    let begin = "const field = document.querySelector('[data-testid=task-input]');
        field.value = 'Tell a story'; field.dispatchEvent(new Event('input', {bubbles: true}));
        return true";
    run(&window, begin).await?;
    until(&window, "the button", "return !document.querySelector('[data-testid=run-button]').disabled").await?;
    let record = "window.frames_ms = []; let last = performance.now();
        const next = now => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(next) };
        requestAnimationFrame(next); document.querySelector('[data-testid=run-button]').click(); return true";
    run(&window, record).await?;
    let shown = format!("return document.body.textContent.includes('c{:03} {LAST}')", (TOKENS - 1) % 1_000);
    until(&window, "the end of the answer", &shown).await?;
    let frames = run(&window, "return window.frames_ms").await?;
    window.end(PATIENCE).await?;
    let frames: Vec<f64> = frames.as_array().context("a list")?.iter().filter_map(Value::as_f64).collect();
    ensure!(frames.len() > 10, "only {} pictures were drawn", frames.len());
    let frames = Sample::new(frames);
    report.row(
        &format!("pictures of the window while {TOKENS_PER_S:.0} tokens/s stream in"),
        format!("{:.0} / {:.0} / {:.0} ms", frames.median(), frames.percentile(99), frames.greatest()),
        format!("median, p99, longest of {}; software drawing on a virtual display", frames.count()),
    );
    report.figures(
        "frames",
        json!({
            "tokens": 2 * TOKENS, "asked_tokens_per_s": TOKENS_PER_S, "frames": frames.count(),
            "frame_ms": {"median": frames.median(), "p99": frames.percentile(99), "max": frames.greatest()},
        }),
    );
    Ok(())
}

/// Keeps the endpoint in the workspace that the window opens then.
async fn add_endpoint(home: &std::path::Path, base_url: &str) -> Result<()> {
    let workspace = Utf8PathBuf::from_path_buf(Home::at(home)?.workspace()).map_err(|path| anyhow!("{path:?}"))?;
    let options = AppOptions {
        workspace,
        guard_exe: None,
        worker: None,
        open_url: Arc::new(|_| {}),
        vault: Some(Vault::in_memory()),
    };
    let app = App::open(options).await.map_err(in_words)?;
    let config = EndpointConfig {
        name: "Scripted".to_owned(),
        preset: EndpointPreset::VllmLocal,
        base_url: base_url.to_owned(),
        model: MODEL.to_owned(),
        ..EndpointConfig::default()
    };
    let save = EndpointSave { endpoint: config, key: KeyChange::Keep };
    Client(Local(Arc::clone(&app))).endpoint_save(save).await.map_err(in_words)?;
    app.shutdown().await;
    Ok(())
}

async fn run(window: &Window, script: &str) -> Result<Value> {
    Ok(window.driver()?.execute(script, Vec::new()).await?.json().clone())
}

async fn until(window: &Window, what: &str, script: &str) -> Result<()> {
    drive::wait_for(what, PATIENCE, async || (run(window, script).await.ok()? == true).then_some(())).await
}
