//! The way of a person who trains: build a dataset, press "Train on this", see what it amounts to, train a tiny model, watch
//! the plot, pause, resume, close the window, and find it finished. In the real window.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use camino::Utf8Path;
use serde_json::{Value, json};
use thirtyfour::{By, WebDriver};
use tw_app::TrainDesk;
use tw_contract::{TrainJob, TrainState};
use tw_support::drive::{Home, wait_for, worker_binary};
use tw_support::models::write_tiny_model;
use tw_support::window::WindowSetup;

use super::{Open, open_window_with};

/// How long something may take to show.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a training of some hundred steps may take on a machine that has much else to do.
const LONG: Duration = Duration::from_secs(420);
/// Steps of the training: enough to pause it on the way.
const STEPS: u64 = 150;
/// What the first trace's person asks.
const TASK: &str = "Which bird is on the roof?";

/// Two traces with calls.
fn write_traces(folder: &Path) -> Result<Vec<PathBuf>> {
    let tools = json!([{"type": "function", "function": {"name": "look", "description": "Looks somewhere",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}}}]);
    let trace = |stamp: &str, task: &str, places: &[&str], answer: &str| {
        let mut messages = vec![json!({"role": "user", "content": task})];
        for (number, place) in places.iter().enumerate() {
            let id = format!("c{number}");
            let arguments = json!({"place": place}).to_string();
            messages.push(
                json!({"role": "assistant", "content": "", "reasoning_content": format!("The {place} may tell."),
                "tool_calls": [{"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}]}),
            );
            messages.push(json!({"role": "tool", "tool_call_id": id, "name": "look", "content": format!("The {place} is there.")}));
        }
        messages.push(json!({"role": "assistant", "content": answer}));
        json!({"timestamp": stamp, "model": "Qwen/Qwen3-0.6B", "tools": tools, "messages": messages})
    };
    let traces = [
        ("roof.json", trace("20250610_101500", TASK, &["roof", "chimney", "gutter"], "A jackdaw sits on the chimney.")),
        ("mill.json", trace("20250610_111500", "Does the mill turn?", &["mill", "river"], "It turns slowly.")),
        ("lamp.json", trace("20250610_121500", "Is the lamp lit?", &["lamp"], "It is.")),
    ];
    let mut files = Vec::new();
    for (name, trace) in traces {
        let path = folder.join(name);
        std::fs::write(&path, Value::to_string(&trace))?;
        files.push(path);
    }
    Ok(files)
}

/// Waits until something is shown under `testid` whose `data-state` is `state`.
async fn in_state(driver: &WebDriver, testid: &str, state: &str, limit: Duration) -> Result<()> {
    let css = format!("[data-testid='{testid}'][data-state='{state}']");
    wait_for(&css, limit, async || driver.find(By::Css(&css)).await.ok()).await.map(|_| ())
}

/// How many steps the plot of the loss has.
async fn points(driver: &WebDriver) -> Option<u64> {
    let plot = driver.find(By::Css("[data-testid='plot-loss']")).await.ok()?;
    plot.attr("data-points").await.ok()??.parse().ok()
}

async fn more_points_than(driver: &WebDriver, seen: u64) -> Result<u64> {
    wait_for("the plot moves", LONG, async || points(driver).await.filter(|now| *now > seen)).await
}

/// Imports the traces and builds a dataset of them, counted with the model's own tokenizer.
async fn build(open: &Open, files: &[PathBuf], model: &Path) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-review").await?;
    for file in files {
        page.click("import-open").await?;
        page.fill("import-path", &file.display().to_string()).await?;
        page.click("import-look").await?;
        page.click("import-go").await?;
        page.gone("import-dialog").await?;
        page.gone("import-progress").await?;
    }
    page.see_text("trace-row", TASK).await?;
    page.click("rail-dataset").await?;
    page.click("dataset-first").await?;
    page.click("model-add").await?;
    page.fill("model-path", &model.display().to_string()).await?;
    page.fill("model-name", "Tiny").await?;
    page.click("model-save").await?;
    page.gone("model-add-dialog").await?;
    in_state(driver, "preview-state", "done", PATIENCE).await?;
    page.fill("dataset-name", "birds").await?;
    page.click("dataset-build").await?;
    page.see("dataset-version").await.map(|_| ())
}

/// Sets what is to be trained and sees what it amounts to, then starts it.
async fn launch(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("dataset-train").await?;
    page.see("train-launcher").await?;
    in_state(driver, "train-plan", "done", LONG).await?;
    page.see_text("plan-share", "%").await?;
    page.see_text("plan-time", "Not known").await?;
    page.picture("train", "1-launcher").await?;
    // A setting that cannot be read is marked, and nothing starts with it.
    page.click("train-group-adapter").await?;
    page.fill("rank", "0").await?;
    page.see_text("train-hindrance", "cannot be read").await?;
    page.fill("rank", "4").await?;
    page.click("train-group-duration").await?;
    page.fill("steps", &STEPS.to_string()).await?;
    page.see_text("plan-steps", &STEPS.to_string()).await?;
    page.click("train-group-checkpoints").await?;
    page.fill("eval-every", "50").await?;
    page.click("train-group-machine").await?;
    page.fill("threads", "1").await?;
    in_state(driver, "train-plan", "done", LONG).await?;
    page.picture("train", "2-settings").await?;
    page.fill("train-name", "Jackdaw").await?;
    page.click("train-start").await?;
    in_state(driver, "train-run", "running", LONG).await
}

/// Watches it, holds it and lets it go on.
async fn watch(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    let begun = more_points_than(driver, 0).await?;
    more_points_than(driver, begun).await?;
    page.see_text("train-status", "Jackdaw").await?;
    page.picture("train", "3-running").await?;
    page.click("train-pause").await?;
    in_state(driver, "train-run", "paused", LONG).await?;
    page.see_text("train-notice", "Paused").await?;
    page.picture("train", "4-paused").await?;
    let held = points(driver).await.context("the plot is there")?;
    ensure!(held < STEPS, "it was over before it was paused");
    page.click("train-resume").await?;
    in_state(driver, "train-run", "running", LONG).await?;
    more_points_than(driver, held).await.map(|_| ())
}

/// The trainings of a workspace that no window has open.
fn trainings(workspace: &Path) -> Option<Vec<TrainJob>> {
    Some(TrainDesk::open(Utf8Path::from_path(workspace)?).list())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_trains_a_tiny_model_closes_the_window_and_finds_it_finished() -> Result<()> {
    let home = tempfile::tempdir()?;
    let model = home.path().join("tiny");
    write_tiny_model(&model)?;
    let files = write_traces(home.path())?;
    let worker = worker_binary()?.display().to_string();
    let setup = || WindowSetup::new(home.path()).env("TRACEWRIGHT_WORKER", worker.as_str());

    let open = open_window_with(setup()).await?;
    build(&open, &files, &model).await?;
    launch(&open).await?;
    watch(&open).await?;
    open.close().await?;

    // It goes on without a window.
    let workspace = Home::at(home.path())?.workspace();
    wait_for("the training is done", LONG, async || {
        trainings(&workspace)?.iter().all(|job| job.state == TrainState::Done).then_some(())
    })
    .await?;

    let open = open_window_with(setup()).await?;
    let page = open.page()?;
    // It ended while nobody looked.
    page.until("document.querySelector('[data-testid=rail-train] .rail-count')?.textContent === '1'").await?;
    page.click("rail-train").await?;
    page.see_text("train-job", "Jackdaw").await?;
    page.click("train-open").await?;
    in_state(open.driver()?, "train-run", "done", PATIENCE).await?;
    page.see_text("train-after", "Trained").await?;
    page.see_text("train-adapter-path", "adapter").await?;
    ensure!(points(open.driver()?).await == Some(STEPS), "every step is on the plot once");
    page.picture("train", "5-done").await?;
    page.until("!document.querySelector('[data-testid=rail-train] .rail-count')").await?;
    open.close().await
}
