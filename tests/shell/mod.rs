//! The real window, on a display of its own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use thirtyfour::By;
use tw_support::drive;
use tw_support::window::WindowSetup;

/// The app promises five seconds for its own shutdown; the rest is the web view's and a busy machine's.
const END_LIMIT: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn the_window_opens_draws_the_ui_and_ends_on_a_logout() -> Result<()> {
    let home = tempfile::tempdir()?;
    let window = WindowSetup::new(home.path()).open().await?;
    window.wait_until_ready().await?;
    // Ready means that the host has answered; the page itself must have come up as well.
    window.driver()?.find(By::Css("[data-testid=rail-collect]")).await.context("the UI did not start")?;
    let title = window.driver()?.title().await?;
    ensure!(title.contains("Tracewright"), "the title is {title:?}");

    let picture = home.path().join("window.png");
    window.screenshot(&picture).await?;
    ensure!(std::fs::metadata(&picture)?.len() > 1_000, "the picture is empty");

    window.end(END_LIMIT).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_elsewhere_does_not_load_in_the_window() -> Result<()> {
    let home = tempfile::tempdir()?;
    let window = WindowSetup::new(home.path()).open().await?;
    window.wait_until_ready().await?;
    let driver = window.driver()?;
    let before = driver.current_url().await?;
    driver.execute("window.location.href = 'data:text/html,<title>elsewhere</title>'", Vec::new()).await?;
    // The refusal has no event of its own: a round trip through the page shows which page answers.
    let title = driver.execute("return document.title", Vec::new()).await?;
    ensure!(title.json().as_str() != Some("elsewhere"), "the window left its page");
    ensure!(driver.current_url().await? == before, "the window left its page");
    window.wait_until_ready().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_app_takes_its_web_processes_with_it_and_opens_again() -> Result<()> {
    let home = tempfile::tempdir()?;
    let window = WindowSetup::new(home.path()).open().await?;
    window.wait_until_ready().await?;
    let app = window.app_process()?;
    let children = drive::children_of(app);
    window.kill().await?;
    for child in children {
        drive::wait_for("the end of a web process", END_LIMIT, async || (!drive::is_alive(child)).then_some(()))
            .await?;
    }

    let window = WindowSetup::new(home.path()).open().await?;
    window.wait_until_ready().await
}
