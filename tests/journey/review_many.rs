//! The window's list over very many traces.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use thirtyfour::Key;
use tw_artifact::Message;
use tw_store::{NewImport, NewMessage, Store};

use super::open_window;

/// How many; another number is taken from `TW_TEST_TRACES`.
const TRACES: u32 = 20_000;
/// Traces that are written at once.
const BATCH: u32 = 1_000;

fn trace(number: u32) -> NewImport {
    let said = |message: Message, step: u32| NewMessage { message, step, tokens: 20 }.into();
    let colour = ["red", "green", "blue", "grey"][usize::try_from(number % 4).unwrap()];
    NewImport {
        format: "openai".to_owned(),
        model: format!("model-{}", number % 7),
        timestamp_ms: Some(1_700_000_000_000 + i64::from(number) * 1_000),
        messages: vec![
            said(Message::user(format!("Task {number:06} about a {colour} kettle")), 0),
            said(Message::assistant("I look at the shelf.", None, Vec::new()), 1),
            said(Message::user("And its price?"), 1),
            said(Message::assistant(format!("It costs {number} euros."), None, Vec::new()), 2),
        ],
        ..NewImport::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_very_many_traces_is_scrolled_searched_and_decided_on() -> Result<()> {
    let traces = std::env::var("TW_TEST_TRACES").map_or(Ok(TRACES), |given| given.parse())?;
    let home = tempfile::tempdir()?;
    let folder = camino::Utf8Path::from_path(home.path()).expect("a UTF-8 path").join("workspace");
    let began = Instant::now();
    let store = Store::open(&folder)?;
    for first in (0..traces).step_by(usize::try_from(BATCH)?) {
        store.import_many((first..traces.min(first + BATCH)).map(trace).collect()).await?;
    }
    drop(store);
    println!("{traces} traces written: {:?}", began.elapsed());
    let grouped = |number: u32| {
        let digits = number.to_string();
        if digits.len() > 3 {
            format!("{},{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..])
        } else {
            digits
        }
    };

    let open = open_window(home.path()).await?;
    let (driver, page) = (open.driver()?, open.page()?);
    let began = Instant::now();
    let mut told = began;
    let mut tell = |what: &str| -> Result<()> {
        let took = told.elapsed();
        told = Instant::now();
        println!("{what}: {took:?}");
        ensure!(took < Duration::from_secs(20), "{what} took {took:?}");
        Ok(())
    };
    page.click("rail-review").await?;
    page.see_text("review-count", &format!("{} traces", grouped(traces))).await?;
    page.see_text("trace-row", &format!("Task {:06}", traces - 1)).await?;
    tell("first rows")?;
    driver.execute("document.querySelector('[data-testid=review-table]').focus()", Vec::new()).await?;
    page.press(Key::End).await?;
    page.see_text("trace-row", "Task 000000").await?;
    tell("the last row")?;
    let rows: usize = page.ask("document.querySelectorAll('[data-testid=trace-row]').length").await?;
    ensure!(rows < 120, "{rows} rows are in the page");
    page.press(Key::Home).await?;
    page.see_text("trace-row", &format!("Task {:06}", traces - 1)).await?;
    tell("back to the first")?;
    page.picture("window", "many-1-list").await?;
    page.fill("review-query", &format!("\"{} euros\"", traces / 2)).await?;
    page.see_text("review-count", "1 trace found").await?;
    tell("one found by its words")?;
    page.fill("review-query", "blue model:model-3").await?;
    page.see_text("review-count", "traces found").await?;
    page.until("!document.querySelector('[data-testid=trace-row] .row-waits')").await?;
    tell("many found by word and field")?;
    page.click("query-clear").await?;
    page.see_text("review-count", &format!("{} traces", grouped(traces))).await?;
    driver
        .action_chain()
        .key_down(Key::Control)
        .key_down(Key::Shift)
        .send_keys("a")
        .key_up(Key::Shift)
        .key_up(Key::Control)
        .perform()
        .await?;
    page.see_text("bulk-count", &format!("{} selected: all that are found", grouped(traces))).await?;
    tell("all selected")?;
    page.click("bulk-accept").await?;
    let all = grouped(traces);
    page.see_text("review-progress", &format!("{all} of {all} reviewed")).await?;
    // What is shown at once is kept as well: the host counts the same.
    page.click("select-none").await?;
    page.fill("review-query", "is:accepted").await?;
    page.see_text("review-count", &format!("{all} traces found")).await?;
    tell("all accepted, and found by it")?;
    page.picture("window", "many-2-accepted").await?;
    open.close().await
}
