//! Run again from the middle with the real Playwright MCP and a real browser: the page that the corrected call needs is
//! opened again first.

use serde_json::json;
use tw_artifact::{CallPhase, CallReplay, EditOp, Json, RunState};
use tw_contract::{EditRequest, Replay, RerunRequest};
use tw_support::endpoint::{EndpointOptions, Recorded, Script, ScriptedEndpoint, answer};

use super::collect_browser::{last_result, playwright_args, shopper};
use crate::harness::Desk;
use crate::processes::{MARK, marked, until_gone};
use crate::site::{PRICE, Site};

/// A model that clicks beside the kettle at first, and after a click reads what it was shown.
fn clumsy(url: &str) -> impl Fn(&Recorded) -> Script + Send + Sync + use<> {
    let shopper = shopper(url);
    move |request| {
        let seen = last_result(request);
        let calls = request.body["messages"]
            .as_array()
            .map_or(0, |messages| messages.iter().filter(|message| message["role"] == "tool").count());
        if calls == 1 {
            let arguments = json!({"element": "Nothing", "target": "e999"});
            return answer().reasoning("\nSomewhere here.\n").call("c2", "browser_click", &arguments).into();
        }
        if calls == 0 || seen.contains("costs") {
            shopper(request)
        } else {
            answer().content("I found no price.").into()
        }
    }
}

/// The reference of the kettle's link in a snapshot.
fn kettle(snapshot: &str) -> String {
    let line = snapshot.lines().find(|line| line.contains("link \"The kettle\"")).expect("the link");
    let start = line.find("[ref=").expect("a reference") + 5;
    line[start..start + line[start..].find(']').expect("its end")].to_owned()
}

#[tokio::test]
async fn a_corrected_click_is_made_on_the_page_that_a_real_browser_opened_again() {
    let desk = Desk::open().await;
    let site = Site::start().await;
    let mark = desk.dir.path().display().to_string();
    let server = desk.add_server("playwright", "node", playwright_args(), &[(MARK, &mark)]).await;
    let endpoint = ScriptedEndpoint::respond_with(EndpointOptions::default(), clumsy(&site.url())).await.unwrap();
    let trace = desk.run(desk.spec(&endpoint, &[&server], "What does the kettle cost?").await).await;
    assert_eq!(trace.summary.state, RunState::Done, "{:?}", trace.ending);
    assert_eq!(trace.messages.last().unwrap().message.text(), "I found no price.");
    let id = trace.summary.id;

    // Messages: user, navigate, its result, click, its result, answer.
    let arguments = json!({"element": "The kettle", "target": kettle(&trace.messages[2].message.text())});
    let arguments = Json::parse(&arguments.to_string()).unwrap();
    let op = EditOp::SetArguments { id: 3, call: 0, arguments };
    desk.api().review_edit(EditRequest { id: id.clone(), base: 0, op, author: String::new() }).await.unwrap();
    let rerun = |replay: Replay| RerunRequest {
        id: id.clone(),
        base: 1,
        after: 3,
        replay,
        endpoint_id: None,
        model: None,
        server_ids: None,
        samples: 1,
    };
    let started = desk.api().review_rerun(rerun(Replay::Calls)).await.unwrap();
    let branch = desk.until_over(&started.trace_ids[0]).await;
    assert_eq!(branch.summary.state, RunState::Done, "{:?}", branch.ending);
    let navigate = branch.calls.iter().find(|call| call.call_id == "c1").expect("the call that was made again");
    assert_eq!(navigate.phase, CallPhase::Done);
    // A real server never answers word for word the same: file names hold the time. What counts is that it was made.
    assert!(matches!(navigate.replay, Some(CallReplay::Same | CallReplay::Different { .. })), "{:?}", navigate.replay);
    let click = branch.calls.iter().find(|call| call.call_id == "c2").expect("the corrected call");
    assert_eq!((click.replay.as_ref(), click.is_error), (None, false));
    assert!(branch.messages[4].message.text().contains("Kettle"), "{}", branch.messages[4].message.text());
    let last = branch.messages.last().unwrap().message.text();
    assert!(last.contains(PRICE), "{last}");

    // Without the calls before it there is no page, and the same click finds nothing.
    let started = desk.api().review_rerun(rerun(Replay::Nothing)).await.unwrap();
    let lost = desk.until_over(&started.trace_ids[0]).await;
    let click = lost.calls.iter().find(|call| call.call_id == "c2").expect("the corrected call");
    assert!(click.is_error, "{}", lost.messages[4].message.text());
    if cfg!(target_os = "linux") {
        assert!(marked(&mark).len() > 2, "node and the browser run until the app ends");
    }
    desk.app.shutdown().await;
    until_gone(&mark).await;
}
