//! The whole way of a person: open, add the endpoint, add the server, run a task, approve, correct, read the answer,
//! restart, find the trace. Once in the real window, once in Chromium against `tw serve`.

mod dataset;
mod lens;
mod page;
mod review;
mod review_drafts;
mod review_files;
mod review_hostile;
mod review_keys;
mod review_many;
mod review_replay;
mod servers;
#[cfg(target_os = "linux")]
mod system_browser;
mod train;

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use thirtyfour::WebDriver;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tw_support::browser::Browser;
use tw_support::drive::{Home, tw_binary};
use tw_support::endpoint::{EndpointOptions, MODEL, ScriptedEndpoint};
use tw_support::window::{Window, WindowSetup};

use crate::harness::within;
use crate::pipeline::collect_browser::{playwright_args, shopper};
use crate::site::{PRICE, Site};
use page::Page;

/// The UI in one of its two homes, over a workspace that outlives it.
enum Open {
    Window(Window),
    Browser(Browser, Child),
}

impl Open {
    fn driver(&self) -> Result<&WebDriver> {
        match self {
            Self::Window(window) => window.driver(),
            Self::Browser(browser, _) => browser.driver(),
        }
    }

    fn page(&self) -> Result<Page<'_>> {
        Ok(Page::new(self.driver()?))
    }

    async fn close(self) -> Result<()> {
        match self {
            Self::Window(window) => {
                window.end(std::time::Duration::from_secs(30)).await?;
            }
            Self::Browser(browser, mut server) => {
                drop(browser);
                let pid = server.id().context("tw serve has ended by itself")?;
                tw_support::drive::signal_process(pid, "TERM");
                let status = within(server.wait()).await?;
                ensure!(status.success(), "tw serve ended with {status}");
            }
        }
        Ok(())
    }
}

async fn open_window(home: &Path) -> Result<Open> {
    open_window_with(WindowSetup::new(home)).await
}

async fn open_window_with(setup: WindowSetup) -> Result<Open> {
    let window = setup.env("TRACEWRIGHT_VAULT", "memory").open().await?;
    window.wait_until_ready().await?;
    Ok(Open::Window(window))
}

async fn open_browser(home: &Path) -> Result<Open> {
    let home = Home::at(home)?;
    let mut server = Command::new(tw_binary().expect("tw is built"))
        .arg("--json")
        .arg("--workspace")
        .arg(home.workspace())
        .arg("serve")
        .envs(home.variables())
        .env("TRACEWRIGHT_VAULT", "memory")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(server.stdout.take().context("its stdout")?).lines();
    let line = within(lines.next_line()).await?.context("tw serve said nothing")?;
    let said: serde_json::Value = serde_json::from_str(&line)?;
    let browser = Browser::open(said["url"].as_str().context("the address")?).await?;
    browser.wait_until_ready().await?;
    Ok(Open::Browser(browser, server))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_collects_a_trace_in_the_window_and_finds_it_after_a_restart() -> Result<()> {
    let home = tempfile::tempdir()?;
    let open = open_window(home.path()).await?;
    collect(&open, &home, "window").await?;
    open.close().await?;
    let open = open_window(home.path()).await?;
    find_again(&open, "window").await?;
    open.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_collects_a_trace_in_a_browser_and_finds_it_after_a_restart() -> Result<()> {
    let home = tempfile::tempdir()?;
    let open = open_browser(home.path()).await?;
    collect(&open, &home, "browser").await?;
    open.close().await?;
    let open = open_browser(home.path()).await?;
    find_again(&open, "browser").await?;
    open.close().await
}

async fn collect(open: &Open, _home: &TempDir, name: &str) -> Result<()> {
    let site = Site::start().await;
    let endpoint = ScriptedEndpoint::respond_with(EndpointOptions::default(), shopper(&site.url())).await?;
    let page = open.page()?;

    page.click("rail-collect").await?;
    page.picture(name, "1-first-use").await?;
    page.click("add-endpoint").await?;
    page.fill("endpoint-base-url", &endpoint.base_url()).await?;
    page.fill("endpoint-model", MODEL).await?;
    page.fill("endpoint-name", "Scripted").await?;
    page.picture(name, "2-endpoint").await?;
    page.click("endpoint-save").await?;
    page.gone("endpoint-dialog").await?;

    page.click("add-server").await?;
    page.fill("server-name", "playwright").await?;
    page.fill("server-command", "node").await?;
    page.fill("server-args", &playwright_args().join(" ")).await?;
    page.picture(name, "3-server").await?;
    page.click("server-save").await?;
    page.gone("server-dialog").await?;

    // A task that the app ships, then the person's own.
    page.click("starter").await?;
    page.fill("task-input", "What does the kettle cost?").await?;
    page.click("run-button").await?;
    page.picture(name, "4-running").await?;
    // The first call is approved with the button, the second with the key.
    page.see("approve-call").await?;
    page.picture(name, "5-approval").await?;
    page.click("approve-call").await?;
    page.see_text("call-result", "link \"The kettle\"").await?;
    page.see("approve-call").await?;
    page.press("a").await?;
    page.see_text("turn-card", PRICE).await?;
    page.picture(name, "6-answer").await?;
    // The browser stays for a follow-up, which the person does not want.
    page.see_text("kept-sessions", "playwright").await?;
    page.click("close-sessions").await?;
    page.gone("kept-sessions").await?;
    Ok(())
}

async fn find_again(open: &Open, name: &str) -> Result<()> {
    let page = open.page()?;
    page.click("rail-review").await?;
    page.fill("review-query", "kettle costs").await?;
    page.see_text("trace-row", "What does the kettle cost?").await?;
    page.picture(name, "7-review").await?;
    page.click("trace-row").await?;
    page.see_text("turn-card", PRICE).await?;
    page.picture(name, "8-editor").await
}
