//! The agent loop with the real Playwright MCP server and the real Chromium.

use std::path::PathBuf;

use serde_json::{Value, json};
use tw_artifact::{OutputPart, RunState};
use tw_contract::{IdRequest, OutputRequest};
use tw_support::endpoint::{EndpointOptions, Recorded, Script, ScriptedEndpoint, answer};

use crate::harness::Desk;
use crate::processes::{MARK, marked, until_gone};
use crate::site::{PRICE, Site};

/// The program of an npm package of the tests, and node to run it with.
pub(crate) fn npm_program(path: &str) -> String {
    let folder = std::env::var_os("TW_TEST_NODE_MODULES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/npm/node_modules")));
    let program = folder.join(path);
    assert!(program.is_file(), "{} is not there; `cargo xtask test` installs it", program.display());
    program.display().to_string()
}

/// Arguments of node for Playwright MCP with Debian's Chromium.
pub(crate) fn playwright_args() -> Vec<String> {
    let chromium = tw_support::drive::chromium().expect("Chromium is installed").display().to_string();
    let mut args = vec![npm_program("@playwright/mcp/cli.js")];
    let flags = ["--headless", "--isolated", "--no-sandbox", "--executable-path", &chromium];
    args.extend(flags.map(str::to_owned));
    args
}

/// The text of the last tool result, as a model would read it.
pub(crate) fn last_result(request: &Recorded) -> String {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    let last = messages.iter().rev().find(|message| message["role"] == "tool");
    last.and_then(|message| message["content"].as_str()).unwrap_or_default().to_owned()
}

/// A model of few words: opens the page, clicks the link that it finds in what it was shown, reads the price.
pub(crate) fn shopper(url: &str) -> impl Fn(&Recorded) -> Script + Send + Sync + use<> {
    let url = url.to_owned();
    move |request| {
        let seen = last_result(request);
        if seen.is_empty() {
            return answer()
                .reasoning("\nFirst the shop.\n")
                .call("c1", "browser_navigate", &json!({"url": url}))
                .into();
        }
        if let Some(price) = seen.lines().find(|line| line.contains("costs")) {
            return answer().reasoning("\nThere it is.\n").content(&format!("I read: {}", price.trim())).into();
        }
        let target = seen.lines().find(|line| line.contains("link \"The kettle\"")).and_then(|line| {
            let start = line.find("[ref=")? + 5;
            Some(line[start..start + line[start..].find(']')?].to_owned())
        });
        match target {
            Some(target) => {
                let arguments = json!({"element": "The kettle", "target": target});
                answer().reasoning("\nNow the kettle.\n").call("c2", "browser_click", &arguments).into()
            }
            None => answer().content(&format!("I see no kettle in: {seen}")).into(),
        }
    }
}

#[tokio::test]
async fn an_agent_opens_a_page_clicks_and_reads_in_a_real_browser() {
    let desk = Desk::open().await;
    let site = Site::start().await;
    let mark = desk.workspace().to_string();
    let server = desk.add_server("playwright", "node", playwright_args(), &[(MARK, &mark)]).await;
    let endpoint = ScriptedEndpoint::respond_with(EndpointOptions::default(), shopper(&site.url())).await.unwrap();
    let trace = desk.run(desk.spec(&endpoint, &[&server], "What does the kettle cost?").await).await;
    assert_eq!(trace.summary.state, RunState::Done, "{:?}", trace.ending);
    let last = trace.messages.last().unwrap().message.text();
    assert!(last.contains(PRICE), "{last}");
    assert_eq!(trace.summary.tools_used, ["browser_navigate", "browser_click"]);
    assert!(trace.tools.len() >= 20, "the tools as the model was told of them");
    // From 0.0.70 on the page's snapshot is a file that the result links to: it is what the model saw.
    let request = OutputRequest { trace_id: trace.summary.id.clone(), call_id: "c1".to_owned(), max_chars: 0 };
    let whole = desk.api().trace_output(request).await.unwrap();
    assert!(
        whole.parts.iter().any(|part| matches!(part, OutputPart::LinkedFile { text, .. } if text.contains("ref=")))
    );
    let file = desk.api().trace_text(IdRequest { id: trace.summary.id }).await.unwrap();
    let exported: Value = serde_json::from_str(&file.text).unwrap();
    assert_eq!(exported["messages"].as_array().map(Vec::len), Some(6));
    if cfg!(target_os = "linux") {
        assert!(marked(&mark).len() > 2, "node and the browser run until the app ends");
    }
    desk.app.shutdown().await;
    until_gone(&mark).await;
}
