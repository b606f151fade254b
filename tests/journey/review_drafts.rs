//! What is being written is never lost: not by a crash, not by going elsewhere. And a turn as JSON, checked while it is
//! written.

use anyhow::{Result, ensure};
use serde_json::json;
use thirtyfour::Key;

use super::review::{click_on_card, open_trace, retype};
use super::{Open, open_window};
use crate::harness::Desk;

const KEPT: &str = "document.querySelector('[data-testid=editor-state]')?.dataset.kept === 'true'";

fn rows() -> String {
    let row = json!({"messages": [
        {"role": "user", "content": "Weigh the kettle"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weigh", "arguments": "{\"what\":\"kettle\"}"}},
        ], "annotator": 7},
        {"role": "tool", "tool_call_id": "c1", "name": "weigh", "content": "900 g"},
        {"role": "assistant", "content": "It weighs 900 g."},
    ]});
    let other = json!({"messages": [{"role": "user", "content": "Another"}, {"role": "assistant", "content": "Yes."}]});
    format!("{row}\n{other}\n")
}

async fn open_editor(open: &Open) -> Result<()> {
    open.page()?.click("rail-review").await?;
    open_trace(open.driver()?, "Weigh the kettle").await
}

async fn value(open: &Open, testid: &str) -> Result<String> {
    Ok(open.page()?.see(testid).await?.prop("value").await?.unwrap_or_default())
}

async fn as_json(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    click_on_card(driver, 1, "turn-menu").await?;
    page.click("edit-as-json").await?;
    let text = value(open, "edit-whole").await?;
    ensure!(text.contains("\"annotator\": 7"), "{text}");
    page.picture("window", "json-1-open").await?;
    // A comma is missing; the place is named, and saving is not offered.
    retype(&page.see("edit-whole").await?, &text.replace("\"assistant\",", "\"assistant\"")).await?;
    page.see_text("whole-wrong", "line 3, column").await?;
    page.picture("window", "json-2-wrong").await?;
    page.click("whole-place").await?;
    ensure!(!page.see("edit-save").await?.is_enabled().await?, "what is not JSON cannot be saved");
    // Another id would part the call from its result.
    retype(&page.see("edit-whole").await?, &text.replace("\"c1\"", "\"c9\"")).await?;
    page.see_text("whole-wrong", "binds this turn to others").await?;
    retype(&page.see("edit-whole").await?, &text.replace("\"annotator\": 7", "\"annotator\": 1e3")).await?;
    page.gone("whole-wrong").await?;
    page.click("edit-save").await?;
    page.gone("edit-whole").await?;
    page.see_text("undo", "Edited the turn as JSON").await?;
    // The result has JSON of its own.
    click_on_card(driver, 1, "edit-result-json").await?;
    let text = value(open, "edit-whole").await?;
    retype(&page.see("edit-whole").await?, &text.replace("900 g", "901 g")).await?;
    page.see("edit-whole").await?.send_keys(Key::Control + Key::Enter).await?;
    page.gone("edit-whole").await?;
    page.see_text("call-result", "901 g").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_edited_as_json_and_nothing_that_is_being_written_is_lost() -> Result<()> {
    let desk = Desk::open().await;
    desk.import("rows.jsonl", rows()).await;
    let home = desk.close().await;
    let open = open_window(home.path()).await?;
    open_editor(&open).await?;
    as_json(&open).await?;
    let (driver, page) = (open.driver()?, open.page()?);
    // Half an argument is no JSON: going to another trace keeps it, coming back opens it again.
    click_on_card(driver, 1, "edit-call-arguments").await?;
    retype(&page.see("edit-arguments").await?, "{\"what\": \"po").await?;
    open_trace(driver, "Another").await?;
    page.see_text("editor", "Yes.").await?;
    open_trace(driver, "Weigh the kettle").await?;
    page.see_text("toast", "What was being written here is open again").await?;
    ensure!(value(&open, "edit-arguments").await? == "{\"what\": \"po");
    // A crash in the middle of a word.
    click_on_card(driver, 3, "edit-turn").await?;
    retype(&page.see("edit-text").await?, "It weighs less than a kilo").await?;
    page.until(KEPT).await?;
    let Open::Window(window) = open else { unreachable!("it was opened as a window") };
    window.kill().await?;

    let open = open_window(home.path()).await?;
    open_editor(&open).await?;
    let page = open.page()?;
    ensure!(value(&open, "edit-text").await? == "It weighs less than a kilo");
    ensure!(value(&open, "edit-arguments").await? == "{\"what\": \"po");
    page.see_text("editor-state", "2 texts being written").await?;
    page.picture("window", "drafts-1-back").await?;
    let area = page.see("edit-text").await?;
    area.click().await?;
    area.send_keys(Key::Control + Key::Enter).await?;
    page.gone("edit-text").await?;
    page.see_text("turn-card", "It weighs less than a kilo").await?;
    page.click("edit-cancel").await?;
    page.gone("edit-arguments").await?;
    page.see_text("editor-state", "All saved").await?;
    page.until(KEPT).await?;
    open.close().await?;

    let open = open_window(home.path()).await?;
    open_editor(&open).await?;
    let page = open.page()?;
    page.see_text("turn-card", "It weighs less than a kilo").await?;
    page.gone("edit-arguments").await?;
    open.close().await
}
