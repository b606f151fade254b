//! The way of a person who goes through traces by keyboard: rate, accept, reject, tag, note, the next one; many at once;
//! undo; an order and a view that are kept.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use serde_json::json;
use thirtyfour::Key;

use super::page::Page;
use super::{Open, open_window};
use crate::harness::Desk;

/// Traces of the workspace; `Trace 01` is the oldest by its title.
const TRACES: usize = 12;

/// The titles of the rows, from the first.
const TITLES: &str = "[...document.querySelectorAll('[data-testid=trace-row]')]
    .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex || a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
    .map(row => row.querySelector('.cell-title')?.textContent ?? '').join(',')";

/// The chip of the saved view. WebKit's driver takes a text that could be clipped for hidden.
const CHIP: &str = "document.querySelector('[data-testid=view-chip]')";

fn rows() -> String {
    (1..=TRACES).fold(String::new(), |mut rows, number| {
        let words = "word ".repeat(number * 7 % 11 + 1);
        let row = json!({"messages": [
            {"role": "user", "content": format!("Trace {number:02}")},
            {"role": "assistant", "content": words.trim()},
        ]});
        writeln!(rows, "{row}").unwrap();
        rows
    })
}

/// The title of the row where the keyboard is.
async fn until_at(page: &Page<'_>, title: &str) -> Result<()> {
    page.until(&format!("document.querySelector('.trace-row.is-at .cell-title')?.textContent === '{title}'")).await
}

/// What the row of a title shows in a column.
async fn until_cell(page: &Page<'_>, title: &str, column: &str, holds: &str) -> Result<()> {
    page.until(&format!(
        "[...document.querySelectorAll('[data-testid=trace-row]')].some(row => row.querySelector('.cell-title')?.textContent === '{title}'
            && row.querySelector('[data-cell={column}]')?.textContent.includes('{holds}'))"
    ))
    .await
}

async fn one_by_one(open: &Open) -> Result<()> {
    let page = open.page()?;
    let driver = open.driver()?;
    page.click("rail-review").await?;
    page.see_text("review-count", "12 traces").await?;
    page.see_text("review-progress", "0 of 12 reviewed").await?;
    page.click("head-title").await?;
    page.until(&format!("{TITLES}.startsWith('Trace 01,Trace 02,Trace 03')")).await?;
    // The keyboard stays on its trace when the order changes.
    until_at(&page, "Trace 12").await?;
    page.press(Key::Home).await?;
    until_at(&page, "Trace 01").await?;
    page.press("j").await?;
    page.press("j").await?;
    until_at(&page, "Trace 03").await?;
    page.press("k").await?;
    until_at(&page, "Trace 02").await?;
    page.press("4").await?;
    until_cell(&page, "Trace 02", "rating", "4").await?;
    page.press("a").await?;
    page.see_text("review-progress", "1 of 12 reviewed").await?;
    page.press("j").await?;
    page.press("x").await?;
    page.see_text("review-progress", "2 of 12 reviewed").await?;
    until_cell(&page, "Trace 03", "status", "Rejected").await?;
    // The last decision is taken back, with the key.
    driver.action_chain().key_down(Key::Control).send_keys("z").key_up(Key::Control).perform().await?;
    page.see_text("review-progress", "1 of 12 reviewed").await?;
    until_cell(&page, "Trace 03", "status", "Open").await?;
    page.press("t").await?;
    page.see("tag-input").await?.send_keys("gold" + Key::Enter).await?;
    until_cell(&page, "Trace 03", "tags", "gold").await?;
    page.see("tag-input").await?.send_keys(Key::Enter).await?;
    page.gone("tag-dialog").await?;
    page.press("n").await?;
    page.see("note-text").await?.send_keys("Look again.").await?;
    driver.action_chain().key_down(Key::Control).send_keys(Key::Enter).key_up(Key::Control).perform().await?;
    page.gone("note-dialog").await?;
    page.until("document.querySelector('.cell-noted')?.title === 'Look again.'").await?;
    page.picture("window", "keys-1-list").await?;

    // Reading: Enter opens and goes on, a decision opens the next that is not decided, Escape closes.
    page.press(Key::Enter).await?;
    page.see_text("editor", "Trace 03").await?;
    page.press(Key::Enter).await?;
    page.see_text("editor", "Trace 04").await?;
    page.press("5").await?;
    page.press("a").await?;
    page.see_text("editor", "Trace 05").await?;
    page.see_text("review-progress", "2 of 12 reviewed").await?;
    page.press("x").await?;
    page.see_text("editor", "Trace 06").await?;
    page.press("[").await?;
    page.see_text("editor", "Trace 05").await?;
    page.picture("window", "keys-2-reading").await?;
    page.press(Key::Escape).await?;
    page.gone("editor").await?;
    page.see_text("review-progress", "3 of 12 reviewed").await
}

async fn many_at_once(open: &Open) -> Result<()> {
    let page = open.page()?;
    let driver = open.driver()?;
    // The first is picked with the space bar, the others on to the last.
    page.until(&format!("{TITLES}.startsWith('Trace 01')")).await?;
    driver.execute("document.querySelector('[data-testid=review-table]').focus()", Vec::new()).await?;
    page.press(Key::Home).await?;
    until_at(&page, "Trace 01").await?;
    for _ in 0..2 {
        driver.action_chain().key_down(Key::Shift).send_keys(Key::Down).key_up(Key::Shift).perform().await?;
    }
    page.see_text("bulk-count", "3 selected").await?;
    page.picture("window", "keys-3-selected").await?;
    page.click("bulk-tag").await?;
    page.see("tag-input").await?.send_keys("bulk" + Key::Enter).await?;
    page.see("tag-input").await?.send_keys(Key::Enter).await?;
    page.gone("tag-dialog").await?;
    for title in ["Trace 01", "Trace 02", "Trace 03"] {
        until_cell(&page, title, "tags", "bulk").await?;
    }
    page.click("bulk-accept").await?;
    page.see_text("review-progress", "5 of 12 reviewed").await?;
    driver.action_chain().key_down(Key::Control).send_keys("z").key_up(Key::Control).perform().await?;
    page.see_text("review-progress", "3 of 12 reviewed").await?;
    until_cell(&page, "Trace 02", "status", "Accepted").await?;
    page.click("select-all-found").await?;
    page.see_text("bulk-count", "12 selected: all that are found").await?;
    page.click("bulk-rate").await?;
    page.click("bulk-rate-3").await?;
    until_cell(&page, "Trace 12", "rating", "3").await?;
    page.click("select-none").await?;
    page.gone("bulk-bar").await
}

async fn a_view_of_ones_own(open: &Open) -> Result<()> {
    let page = open.page()?;
    page.fill("review-query", "tag:bulk -tag:gold").await?;
    page.see_text("review-count", "2 traces found").await?;
    page.click("head-tokens").await?;
    page.until("document.querySelector('[data-column=tokens]')?.getAttribute('aria-sort') === 'descending'").await?;
    page.until(&format!("{TITLES}.split(',').length === 2")).await?;
    let by_tokens: String = page.ask(TITLES).await?;
    page.click("save-view").await?;
    page.fill("view-name", "Bulk without gold").await?;
    page.click("view-save").await?;
    page.until(&format!("{CHIP}.textContent === 'Bulk without gold'")).await?;
    page.click("query-clear").await?;
    page.see_text("review-count", "12 traces").await?;
    page.click("head-title").await?;
    page.until(&format!("{TITLES}.startsWith('Trace 01,Trace 02')")).await?;
    open.driver()?.execute(format!("{CHIP}.click()"), Vec::new()).await?;
    page.see_text("review-count", "2 traces found").await?;
    page.until(&format!("{TITLES} === '{by_tokens}'")).await?;
    page.picture("window", "keys-4-view").await?;
    page.click("stats-open").await?;
    page.see_text("review-stats", "2 traces").await?;
    page.click("stats-open").await?;
    page.gone("review-stats").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_through_traces_by_keyboard_and_finds_the_decisions_after_a_restart() -> Result<()> {
    let desk = Desk::open().await;
    let imported = desk.import("rows.jsonl", rows()).await;
    ensure!(imported.imported == 12, "{imported:?}");
    let home = desk.close().await;
    let open = open_window(home.path()).await?;
    one_by_one(&open).await?;
    many_at_once(&open).await?;
    a_view_of_ones_own(&open).await?;
    open.close().await?;

    let open = open_window(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    page.until(CHIP).await?;
    open.driver()?.execute(format!("{CHIP}.click()"), Vec::new()).await?;
    page.see_text("review-count", "2 traces found").await?;
    page.fill("review-query", "is:reviewed").await?;
    page.see_text("review-count", "3 traces found").await?;
    open.close().await
}
