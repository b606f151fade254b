//! The way of a person who puts a trace right: drag a turn, undo, edit arguments against the schema, merge, restart, let the
//! agent go on from the middle. Once in the real window, once in Chromium against `tw serve`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use camino::Utf8PathBuf;
use serde_json::json;
use thirtyfour::{By, Key, WebDriver, WebElement};
use tw_app::{App, AppOptions};
use tw_artifact::{
    ApprovalPolicy, EndpointConfig, EndpointPreset, PolicyMode, RunSpec, ServerConfig, Transport as ServerTransport,
};
use tw_contract::{
    ApiError, Client, EndpointSave, IdRequest, ImportPlan, ImportSource, KeyChange, RunRequest, ServerDraft, Transport,
};
use tw_support::drive::{Home, tw_binary, wait_for};
use tw_support::endpoint::{MODEL, ScriptedEndpoint, answer};
use tw_support::mcp::{Behaviour, fake_server_path};
use tw_vault::Vault;

use super::{Open, open_browser, open_window};
use crate::harness::within;

/// How long something may take to show.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

struct Local(Arc<App>);

impl Transport for Local {
    async fn call(&self, command: &'static str, payload: String) -> Result<String, ApiError> {
        self.0.call(command, &payload).await
    }
}

/// A workspace with a collected trace of two notes, and an imported one with two answers in a row.
async fn prepare(home: &Path) -> Result<ScriptedEndpoint> {
    let workspace = Utf8PathBuf::from_path_buf(Home::at(home)?.workspace()).map_err(|path| anyhow!("{path:?}"))?;
    let app = App::open(AppOptions {
        workspace,
        guard_exe: Some(tw_binary()?),
        worker: None,
        open_url: Arc::new(|_| {}),
        vault: Some(Vault::in_memory()),
    });
    let app = app.await?;
    let api = Client(Local(Arc::clone(&app)));
    let endpoint = ScriptedEndpoint::start([
        answer().reasoning("First the one.").call("c1", "note", &json!({"text": "one"})),
        answer().reasoning("Then the two.").call("c2", "note", &json!({"text": "two"})),
        answer().content("Both are noted."),
        answer().content("One and three are noted."),
    ])
    .await?;
    let config = EndpointConfig {
        name: "Scripted".to_owned(),
        preset: EndpointPreset::VllmLocal,
        base_url: endpoint.base_url(),
        model: MODEL.to_owned(),
        ..EndpointConfig::default()
    };
    let endpoint_id = api.endpoint_save(EndpointSave { endpoint: config, key: KeyChange::Keep }).await?.id;
    let config = ServerConfig {
        id: String::new(),
        name: "notes".to_owned(),
        transport: ServerTransport::Stdio {
            command: fake_server_path()?.display().to_string(),
            args: Behaviour::default().to_args(),
            cwd: String::new(),
        },
        env_names: Vec::new(),
        header_names: Vec::new(),
        enabled: true,
        disabled_tools: Vec::new(),
        call_timeout_secs: 60,
        extra: tw_artifact::Map::new(),
    };
    let server = api.server_save(ServerDraft { config, env: Vec::new(), headers: Vec::new() }).await?.config.id;
    let spec = RunSpec {
        task: "Note one and two".to_owned(),
        system_prompt: "Be brief.".to_owned(),
        endpoint_id,
        model: MODEL.to_owned(),
        server_ids: vec![server],
        policy: ApprovalPolicy { mode: PolicyMode::NeverAsk, rules: Vec::new() },
        ..RunSpec::default()
    };
    let mut events = app.events();
    let started = api.run_start(RunRequest { spec, tasks: Vec::new(), samples: 1, concurrency: 1 }).await?;
    let id = started.trace_ids[0].clone();
    within(async {
        while !api.run_view(IdRequest { id: id.clone() }).await?.trace.summary.state.is_final() {
            events.recv().await?;
        }
        anyhow::Ok(())
    })
    .await?;
    let file = home.join("answers.jsonl");
    let row = json!({"messages": [
        {"role": "user", "content": "Say gouda and cheddar"},
        {"role": "assistant", "content": "Gouda."},
        {"role": "assistant", "content": "Cheddar."},
    ]});
    std::fs::write(&file, format!("{row}\n"))?;
    let plan = ImportPlan { sources: vec![ImportSource::Path(file.display().to_string())], format: None };
    let started = api.import_start(plan).await?;
    within(async {
        while api.import_view(IdRequest { id: started.id.clone() }).await?.ended.is_none() {
            events.recv().await?;
        }
        anyhow::Ok(())
    })
    .await?;
    app.shutdown().await;
    Ok(endpoint)
}

/// The ids of the cards, in order.
async fn order(driver: &WebDriver) -> Result<String> {
    const IDS: &str =
        "return [...document.querySelectorAll('[data-testid=turn-card]')].map(it => it.dataset.id).join(' ')";
    Ok(driver.execute(IDS, Vec::new()).await?.convert()?)
}

async fn until_order(driver: &WebDriver, wanted: &str) -> Result<()> {
    let seen = wait_for(wanted, PATIENCE, async || (order(driver).await.ok()? == wanted).then_some(())).await;
    if seen.is_err() {
        let words = driver.find(By::Css("body")).await?.text().await?;
        super::page::Page::new(driver).picture("failure", "order").await?;
        bail!("the cards do not stand as {wanted} but as {}:\n{words}", order(driver).await?);
    }
    Ok(())
}

async fn of_card(driver: &WebDriver, id: u64, testid: &str) -> Result<WebElement> {
    let css = format!("[data-testid=turn-card][data-id='{id}'] [data-testid='{testid}']");
    wait_for(testid, PATIENCE, async || driver.find(By::Css(&css)).await.ok()).await
}

/// Points at a card, so that what it offers shows, and clicks one of its buttons.
pub(super) async fn click_on_card(driver: &WebDriver, id: u64, testid: &str) -> Result<()> {
    let button = of_card(driver, id, testid).await?;
    button.scroll_into_view().await?;
    driver.action_chain().move_to_element_center(&button).perform().await?;
    Ok(button.click().await?)
}

/// Types in place of what stands there, as a person does: a field that is cleared by the driver loses the focus, which
/// saves it.
pub(super) async fn retype(field: &WebElement, text: &str) -> Result<()> {
    field.send_keys(Key::Control + "a").await?;
    // A line ends with the key for it: not every driver types a line feed.
    let text = text.replace('\n', &Key::Enter.value().to_string());
    Ok(field.send_keys(text).await?)
}

/// Drags a card by its handle to the upper edge of another, and holds it there.
async fn drag(driver: &WebDriver, id: u64, before: u64) -> Result<()> {
    let handle = of_card(driver, id, "turn-handle").await?;
    let target = driver.find(By::Css(format!("[data-testid=turn-card][data-id='{before}']"))).await?;
    let to = target.rect().await?;
    let from = handle.rect().await?;
    let steps = 8;
    let (x, y) = (from.x + from.width / 2.0, from.y + from.height / 2.0);
    let end = to.y + 3.0;
    let mut chain = driver.action_chain().move_to_element_center(&handle).click_and_hold();
    for step in 1..=steps {
        let at = y + (end - y) * f64::from(step) / f64::from(steps);
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a window")]
        let (x, at) = (x.round() as i64, at.round() as i64);
        chain = chain.move_to(x, at);
    }
    Ok(chain.perform().await?)
}

async fn put_right(open: &Open, name: &str) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-review").await?;
    page.see_text("trace-row", "Note one and two").await?;
    page.picture(name, "review-1-list").await?;
    open_trace(driver, "Note one and two").await?;
    until_order(driver, "0 1 2 4 6").await?;
    page.picture(name, "review-2-editor").await?;

    drag(driver, 4, 2).await?;
    page.see("drop-line").await?;
    page.picture(name, "review-3-drag").await?;
    driver.action_chain().release().perform().await?;
    until_order(driver, "0 1 4 2 6").await?;
    page.click("undo").await?;
    until_order(driver, "0 1 2 4 6").await?;
    page.click("redo").await?;
    until_order(driver, "0 1 4 2 6").await?;

    drag(driver, 1, 0).await?;
    page.see_text("drop-refused", "system prompt").await?;
    page.picture(name, "review-4-refused").await?;
    driver.action_chain().release().perform().await?;
    until_order(driver, "0 1 4 2 6").await?;

    click_on_card(driver, 4, "edit-call-arguments").await?;
    retype(&page.see("edit-arguments").await?, "{\"txt\": \"three\"}").await?;
    page.see_text("argument-problem", "text").await?;
    page.picture(name, "review-5-arguments").await?;
    retype(&page.see("edit-arguments").await?, "{\"text\": \"three\"}").await?;
    page.gone("argument-problem").await?;
    page.click("edit-save").await?;
    page.gone("edit-arguments").await?;
    page.see_text("turn-card", "three").await?;
    Ok(())
}

pub(super) async fn open_trace(driver: &WebDriver, title: &str) -> Result<()> {
    let clicked = wait_for(title, PATIENCE, async || {
        for row in driver.find_all(By::Css("[data-testid=trace-row]")).await.ok()? {
            if row.prop("textContent").await.ok().flatten().is_some_and(|text| text.contains(title)) {
                return row.click().await.ok();
            }
        }
        None
    });
    clicked.await
}

async fn go_on(open: &Open, name: &str) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-review").await?;
    open_trace(driver, "Note one and two").await?;
    until_order(driver, "0 1 4 2 6").await?;
    page.see_text("turn-card", "three").await?;
    // The first answer with its note goes; what is left is the corrected call, which the agent makes now.
    click_on_card(driver, 4, "rerun-here").await?;
    page.see("rerun-dialog").await?;
    page.picture(name, "review-6-rerun").await?;
    page.click("rerun-start").await?;
    page.see_text("turn-card", "One and three are noted.").await?;
    page.picture(name, "review-7-branch").await?;

    page.click("rail-review").await?;
    open_trace(driver, "Say gouda and cheddar").await?;
    until_order(driver, "0 1 2").await?;
    let cards = driver.find_all(By::Css("[data-testid=turn-card]")).await?;
    let [_, first, second] = cards.as_slice() else { return Err(anyhow!("three cards")) };
    first.click().await?;
    driver.action_chain().key_down(Key::Shift).click_element(second).key_up(Key::Shift).perform().await?;
    page.picture(name, "review-8-selected").await?;
    page.click("merge-selected").await?;
    until_order(driver, "0 1").await?;
    page.see_text("turn-card", "Cheddar.").await?;
    page.picture(name, "review-9-merged").await
}

async fn journey(home: &Path, name: &str, open: impl AsyncFn(&Path) -> Result<Open>) -> Result<()> {
    let _endpoint = prepare(home).await?;
    let first = open(home).await?;
    put_right(&first, name).await?;
    first.close().await?;
    let second = open(home).await?;
    go_on(&second, name).await?;
    second.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_puts_a_trace_right_in_the_window_and_the_agent_goes_on() -> Result<()> {
    let home = tempfile::tempdir()?;
    journey(home.path(), "window", open_window).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_puts_a_trace_right_in_a_browser_and_the_agent_goes_on() -> Result<()> {
    let home = tempfile::tempdir()?;
    journey(home.path(), "browser", open_browser).await
}
