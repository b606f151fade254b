//! What a person sees of calls that were made again before a branch went on.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use thirtyfour::By;
use tw_artifact::{CallReplay, EditOp, RunState, TextField};
use tw_contract::{EditRequest, Replay, RerunRequest};
use tw_support::endpoint::{ScriptedEndpoint, answer};
use tw_support::mcp::Behaviour;

use super::open_window;
use super::review::open_trace;
use crate::harness::Desk;

/// A trace of which a person changed a result; and a branch of it whose calls were made again, and once more not.
async fn branched(desk: &Desk) -> Result<()> {
    let server = desk.add_fake_server("fake", &Behaviour::default()).await;
    let endpoint = ScriptedEndpoint::start([
        answer().call("c1", "note", &json!({"text": "one"})),
        answer().content("It is noted."),
        answer().content("It was noted before."),
    ])
    .await?;
    let trace = desk.run(desk.spec(&endpoint, &[&server], "Note one").await).await;
    ensure!(trace.summary.state == RunState::Done, "{:?}", trace.ending);
    let id = trace.summary.id;
    let text = "one, as written down long ago".to_owned();
    let op = EditOp::SetText { id: 2, field: TextField::Content, text };
    let edit = EditRequest { id: id.clone(), base: 0, op, author: String::new() };
    desk.api().review_edit(edit).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let request = RerunRequest {
        id,
        base: 1,
        after: 2,
        replay: Replay::Calls,
        endpoint_id: None,
        model: None,
        server_ids: None,
        samples: 1,
    };
    let started = desk.api().review_rerun(request).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let branch = desk.until_over(&started.trace_ids[0]).await;
    let call = branch.calls.iter().find(|call| call.call_id == "c1").context("the call")?;
    ensure!(call.replay == Some(CallReplay::Different { text: "one".to_owned() }), "{:?}", call.replay);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_came_out_differently_when_made_again_says_so_in_the_window() -> Result<()> {
    let desk = Desk::open().await;
    branched(&desk).await?;
    let home = desk.close().await;
    let open = open_window(home.path()).await?;
    let (driver, page) = (open.driver()?, open.page()?);
    page.click("rail-review").await?;
    page.fill("review-query", "is:branch").await?;
    page.see_text("review-count", "1 trace found").await?;
    open_trace(driver, "Note one").await?;
    page.see_text("turn-card", "one, as written down long ago").await?;
    page.see_text("replay-different", "this call came out differently").await?;
    ensure!(driver.find_all(By::Css("[data-testid=replay-skipped]")).await?.is_empty(), "nothing was skipped");
    driver.find(By::Css("[data-testid=replay-different] summary")).await?.click().await?;
    page.until("document.querySelector('[data-testid=replay-different]').open").await?;
    let shown: String =
        page.ask("document.querySelector('[data-testid=replay-different] > :last-child').textContent").await?;
    ensure!(shown.trim() == "one", "{shown}");
    page.picture("window", "replay-1-different").await?;
    open.close().await
}
