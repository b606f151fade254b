//! Traces that mean harm or are far too large: whatever stands in them is text. Nothing runs, nothing is fetched, and the
//! page goes on answering.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use thirtyfour::Key;
use tokio::net::TcpListener;

use super::page::Page;
use super::review::{click_on_card, open_trace, retype};
use super::{Open, open_window};
use crate::harness::Desk;

/// How long the page may be busy with one thing, on a slow machine and in a build that is not optimised.
const PATIENCE: Duration = Duration::from_secs(10);
/// Turns of the longest trace.
const TURNS: usize = 50_000;

/// Counts who comes, and answers nobody.
async fn trap() -> Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((address, came))
}

/// Markup and script for every way into a page that is known.
fn poison(trap: &str) -> String {
    format!(
        "<script>window.ran = 'script'</script><img src=x onerror=\"window.ran = 'onerror'\"><svg onload=\"window.ran = 'svg'\">\
         <iframe srcdoc=\"<script>parent.ran = 'frame'</script>\"></iframe><style>@import '{trap}/style';</style>\
         <link rel=stylesheet href='{trap}/link'><base href='{trap}/'><meta http-equiv=refresh content='0;url={trap}/meta'>\
         \n\n![picture]({trap}/markdown.png) [link](javascript:window.ran='link') <{trap}/auto>\n\n\
         <a class=poison href=\"javascript:window.ran='a'\">press</a><details open ontoggle=\"window.ran = 'toggle'\">\
         \u{202e}desrever\u{202c} \u{2066}isolated\u{2069} Z\u{335}\u{327}a\u{306}l\u{338}go\u{341} \u{0}\u{7}\u{1b}[31m \u{feff}"
    )
}

/// Poison in every field that a row has, its names included.
fn poisoned(trap: &str) -> Value {
    let poison = poison(trap);
    json!({
        &poison: &poison,
        "id": &poison,
        "model": &poison,
        "messages": [
            {"role": "system", "content": &poison, &poison: &poison},
            {"role": "user", "content": format!("Poisoned {poison}"), "name": &poison},
            {"role": "user", "content": [{"type": "text", "text": &poison}, {"type": "image_url", "image_url": {"url": format!("{trap}/part.png")}}]},
            {"role": "assistant", "content": &poison, "reasoning_content": &poison, "tool_calls": [
                {"id": &poison, "type": "function", "function": {"name": &poison, "arguments": json!({&poison: &poison}).to_string()}},
                {"id": "c2", "type": "function", "function": {"name": "deep", "arguments": deep(100)}},
            ]},
            {"role": "tool", "tool_call_id": &poison, "name": &poison, "content": &poison},
            {"role": "tool", "tool_call_id": "c2", "name": "deep", "content": "[".repeat(100_000)},
            {"role": "assistant", "content": &poison},
        ],
        "tools": [{"type": "function", "function": {"name": &poison, "description": &poison, "parameters":
            {"type": "object", "properties": {&poison: {"type": "string", "description": &poison}}}}}],
    })
}

/// An object within an object, and so on.
fn deep(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// A row whose answer is 10 MB of one line, and one whose result is 10 MB of short lines.
fn huge() -> [Value; 2] {
    let line = "kettle ".repeat(10 * 1024 * 1024 / 7);
    let lines = "pot\n".repeat(10 * 1024 * 1024 / 4);
    [
        json!({"messages": [{"role": "user", "content": "Huge line"}, {"role": "assistant", "content": line}]}),
        json!({"messages": [
            {"role": "user", "content": "Huge result"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "cat", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "name": "cat", "content": lines},
            {"role": "assistant", "content": "Read."},
        ]}),
    ]
}

fn endless() -> Value {
    let turn = |number: usize| match number % 2 {
        0 => json!({"role": "user", "content": format!("Endless question {number}")}),
        _ => json!({"role": "assistant", "content": format!("Answer {number}")}),
    };
    json!({"messages": (0..TURNS).map(turn).collect::<Vec<_>>()})
}

/// The time until the page has drawn its next two frames.
async fn answers(open: &Open, what: &str) -> Result<()> {
    let began = Instant::now();
    let script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(true)))";
    open.driver()?.execute_async(script, Vec::new()).await?;
    let took = began.elapsed();
    println!("{what}: the page answered after {took:?}");
    ensure!(took < PATIENCE, "{what}: the page answered after {took:?}");
    Ok(())
}

async fn nothing_ran(page: &Page<'_>) -> Result<()> {
    let ran: Option<String> = page.ask("window.ran ?? null").await?;
    ensure!(ran.is_none(), "{ran:?} ran");
    let strange: usize = page
        .ask("document.querySelectorAll('iframe, base, meta[http-equiv=refresh], a.poison, [onerror], [onload], [ontoggle], a[href^=javascript], img[src^=http]').length")
        .await?;
    ensure!(strange == 0, "{strange} elements came out of a text");
    Ok(())
}

async fn read_poison(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    open_trace(driver, "Poisoned").await?;
    page.see_text("turn-card", "window.ran = 'script'").await?;
    page.picture("window", "hostile-1-editor").await?;
    page.click("reasoning-all").await?;
    for tab in ["tab-changes", "tab-history", "tab-raw", "tab-notes", "tab-lint"] {
        page.click(tab).await?;
        answers(open, tab).await?;
        nothing_ran(&page).await?;
    }
    // Each card is brought into the page once.
    page.press(Key::Home).await?;
    for _ in 0..6 {
        page.press("j").await?;
        answers(open, "the next turn").await?;
    }
    page.press(Key::Home).await?;
    click_on_card(driver, 1, "turn-menu").await?;
    page.click("edit-as-json").await?;
    page.see("edit-whole").await?.send_keys(Key::Escape).await?;
    page.gone("edit-whole").await?;
    nothing_ran(&page).await
}

async fn read_what_is_huge(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    for title in ["Huge line", "Huge result"] {
        open_trace(driver, title).await?;
        page.see_text("editor", title).await?;
        page.see("turn-card").await?;
        answers(open, title).await?;
        page.press("j").await?;
        page.press("j").await?;
        answers(open, title).await?;
    }
    page.picture("window", "hostile-2-huge").await
}

async fn read_without_end(open: &Open) -> Result<()> {
    let (driver, page) = (open.driver()?, open.page()?);
    open_trace(driver, "Endless").await?;
    page.see_text("turn-card", "Endless question 0").await?;
    answers(open, "50,000 turns opened").await?;
    let cards: usize = page.ask("document.querySelectorAll('[data-testid=turn-card]').length").await?;
    ensure!(cards < 200, "{cards} cards are in the page");
    page.click("turn-card").await?;
    page.press(Key::End).await?;
    page.see_text("turn-card", &format!("Answer {}", TURNS - 1)).await?;
    answers(open, "the last of 50,000 turns").await?;
    let last = u64::try_from(TURNS - 1)?;
    click_on_card(driver, last, "edit-turn").await?;
    let began = Instant::now();
    retype(&page.see("edit-text").await?, "The end").await?;
    page.click("edit-save").await?;
    page.gone("edit-text").await?;
    println!("an edit among 50,000 turns: {:?}", began.elapsed());
    page.see_text("turn-card", "The end").await?;
    page.click("undo").await?;
    page.see_text("turn-card", &format!("Answer {last}")).await?;
    page.picture("window", "hostile-3-endless").await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_traces_are_text_and_leave_the_window_answering() -> Result<()> {
    let (address, came) = trap().await?;
    let desk = Desk::open().await;
    let [line, lines] = huge();
    for (name, row) in [("poison", poisoned(&address)), ("line", line), ("lines", lines), ("endless", endless())] {
        let mut text = String::new();
        writeln!(text, "{row}")?;
        let imported = desk.import(&format!("{name}.jsonl"), text).await;
        ensure!(imported.imported == 1, "{name}: {imported:?}");
    }
    let home = desk.close().await;
    let open = open_window(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    page.see_text("review-count", "4 traces").await?;
    nothing_ran(&page).await?;
    read_poison(&open).await?;
    read_what_is_huge(&open).await?;
    read_without_end(&open).await?;
    nothing_ran(&page).await?;
    ensure!(came.load(Ordering::SeqCst) == 0, "something was fetched");
    open.close().await
}
