//! Review over the whole app: edits, their history, branches that go on with live tools, a model's help.

use serde_json::json;
use tw_artifact::{
    CallPhase, CallReplay, EditOp, EditedMessage, Json, LintRule, Message, PolicyMode, ReviewChange, ReviewStatus,
    RunState, TextField, Verdict,
};
use tw_contract::{
    AssistRequest, AssistTask, CallDecision, DecideRequest, DiffRequest, EditOutcome, EditRequest, ErrorCode,
    IdRequest, KeyChange, MessageChange, PairRequest, Remember, Replay, RerunRequest, ReviewMark, ReviewView,
    RevisionRequest, Selection, SetSetting, SettingRequest, TraceQuery,
};
use tw_support::endpoint::{MODEL, ScriptedEndpoint, answer};
use tw_support::mcp::Behaviour;

use crate::harness::Desk;

impl Desk {
    async fn review(&self, id: &str) -> ReviewView {
        self.api()
            .review_open(RevisionRequest { id: id.to_owned(), ..RevisionRequest::default() })
            .await
            .expect("it opens")
    }

    async fn edit(&self, id: &str, base: u32, op: EditOp) -> EditOutcome {
        let request = EditRequest { id: id.to_owned(), base, op, author: String::new() };
        self.api().review_edit(request).await.expect("the edit is made")
    }
}

fn texts(messages: &[EditedMessage]) -> Vec<String> {
    messages.iter().map(|message| format!("{}: {}", message.message.role(), message.message.text())).collect()
}

/// A trace of two notes and an answer.
async fn noted(desk: &Desk) -> (ScriptedEndpoint, String) {
    let server = desk.add_fake_server("fake", &Behaviour::default()).await;
    let endpoint = ScriptedEndpoint::start([
        answer().reasoning("\nFirst.\n").call("c1", "note", &json!({"text": "one"})),
        answer().call("c2", "note", &json!({"text": "two"})),
        answer().content("Both are noted."),
        answer().content("Two notes."),
        answer().content("One note."),
    ])
    .await
    .unwrap();
    let trace = desk.run(desk.spec(&endpoint, &[&server], "Note one and two").await).await;
    assert_eq!(trace.summary.state, RunState::Done, "{:?}", trace.ending);
    (endpoint, trace.summary.id)
}

#[tokio::test]
async fn edits_are_kept_undone_and_redone_also_after_a_restart() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let captured = desk.review(&id).await;
    assert_eq!(captured.state.revision, 0);
    assert_eq!(captured.messages.len(), 6);
    let moved = desk.edit(&id, 0, EditOp::Move { ids: vec![3], before: Some(1) }).await;
    assert_eq!(moved.state.revision, 1);
    assert_eq!(moved.did, "Moved a turn");
    // What the window is told is what is there.
    let mut shown = captured.messages.clone();
    for patch in &moved.patches {
        let at = usize::try_from(patch.at).unwrap();
        shown.splice(at..at + usize::try_from(patch.remove).unwrap(), patch.insert.clone());
    }
    let view = desk.review(&id).await;
    assert_eq!(shown, view.messages);
    assert_eq!(view.messages.iter().map(|message| message.id).collect::<Vec<_>>(), [0, 3, 4, 1, 2, 5]);
    let text = EditOp::SetText { id: 5, field: TextField::Content, text: "Noted.".to_owned() };
    assert_eq!(desk.edit(&id, 1, text).await.state.revision, 2);

    let desk = desk.reopen().await;
    let undone = desk.api().review_undo(IdRequest { id: id.clone() }).await.unwrap();
    assert_eq!((undone.state.revision, undone.did.as_str()), (1, "Edited the text"));
    assert_eq!(undone.state.redo.as_deref(), Some("Edited the text"));
    desk.api().review_undo(IdRequest { id: id.clone() }).await.unwrap();
    assert_eq!(desk.review(&id).await.messages, captured.messages, "undo gives back the very same messages");
    let nothing = desk.api().review_undo(IdRequest { id: id.clone() }).await.unwrap();
    assert_eq!(nothing.did, "");
    desk.api().review_redo(IdRequest { id: id.clone() }).await.unwrap();
    let redone = desk.api().review_redo(IdRequest { id: id.clone() }).await.unwrap();
    assert_eq!(redone.state.revision, 2);
    assert_eq!(desk.review(&id).await.messages[5].message.text(), "Noted.");

    let reset = desk.edit(&id, 2, EditOp::Reset).await;
    assert_eq!(reset.state.revision, 3);
    assert_eq!(texts(&desk.review(&id).await.messages), texts(&captured.messages));
    let history = desk.api().review_history(IdRequest { id: id.clone() }).await.unwrap();
    let labels: Vec<&str> = history.revisions.iter().map(|revision| revision.label.as_str()).collect();
    assert_eq!(labels, ["Moved a turn", "Edited the text", "Reset to what was captured"]);
    assert!(history.revisions.iter().all(|revision| revision.author == "you" && revision.at_ms > 0));
    let back = desk.edit(&id, 3, EditOp::Restore { revision: 2 }).await;
    assert_eq!(desk.review(&id).await.messages[5].message.text(), "Noted.");
    assert_eq!(back.state.undo.as_deref(), Some("Went back to revision 2"));
}

#[tokio::test]
async fn an_edit_on_something_else_than_what_is_there_is_refused() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    desk.edit(&id, 0, EditOp::Delete { ids: vec![1] }).await;
    let late = EditRequest { id: id.clone(), base: 0, op: EditOp::Delete { ids: vec![5] }, author: String::new() };
    assert_eq!(desk.api().review_edit(late).await.unwrap_err().code, ErrorCode::Conflict);
    let bad = EditOp::Move { ids: vec![5], before: Some(4) };
    let bad = EditRequest { id: id.clone(), base: 1, op: bad, author: String::new() };
    let error = desk.api().review_edit(bad).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Invalid);
    assert!(error.message.contains("stay together"), "{error}");
    assert_eq!(desk.review(&id).await.state.revision, 1, "nothing is kept of what was refused");
    // A run does not go on with messages that its model never saw.
    let go_on = tw_contract::ContinueRequest { trace_id: id.clone(), message: Some("More".to_owned()) };
    let error = desk.api().run_continue(go_on).await.unwrap_err();
    assert!(error.hint.contains("Run again from here"), "{error:?}");
}

#[tokio::test]
async fn two_revisions_are_compared_and_a_list_finds_what_the_head_says() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    desk.edit(&id, 0, EditOp::SetText { id: 5, field: TextField::Content, text: "Both are gouda.".to_owned() }).await;
    desk.edit(&id, 1, EditOp::Delete { ids: vec![1] }).await;
    let diff = desk.api().review_diff(DiffRequest { id: id.clone(), from: 0, to: None }).await.unwrap();
    assert!(matches!(diff[0], MessageChange::Same { count: 1 }), "{diff:?}");
    assert!(matches!(&diff[1], MessageChange::Removed { message } if message.id == 1), "{diff:?}");
    assert!(matches!(diff.last(), Some(MessageChange::Edited { fields, .. }) if fields[0].name == "content"));
    let find = |words: &str| {
        let query = TraceQuery { search: words.to_owned(), ..TraceQuery::default() };
        let api = desk.api();
        async move { api.trace_list(query).await.unwrap() }
    };
    assert_eq!(find("gouda").await.total, 1);
    assert_eq!(find("noted").await.total, 0, "the old words are gone from what is searched");
    let page = find("is:edited steps:<=2").await;
    assert_eq!(page.total, 1);
    assert_eq!((page.traces[0].messages, page.traces[0].revision), (4, 2));
    assert!(!find("wombat:3").await.problems.is_empty());
}

#[tokio::test]
async fn traces_are_rated_tagged_accepted_and_found_by_it() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let change = ReviewChange {
        status: Some(ReviewStatus::Accepted),
        rating: Some(4),
        add_tags: vec!["checkout".to_owned()],
        note: Some("good".to_owned()),
        ..ReviewChange::default()
    };
    let all = Selection::Query(TraceQuery { search: "noted".to_owned(), ..TraceQuery::default() });
    let affected = desk.api().review_mark(ReviewMark { traces: all, change }).await.unwrap();
    assert_eq!(affected.traces, 1);
    let query = TraceQuery { search: "tag:checkout rating:>=4 is:accepted".to_owned(), ..TraceQuery::default() };
    let page = desk.api().trace_list(query.clone()).await.unwrap();
    assert_eq!((page.total, page.reviewed), (1, 1));
    assert_eq!(page.traces[0].review.note, "good");
    assert_eq!(page.tags, ["checkout"]);
    let stats = desk.api().trace_stats(query).await.unwrap();
    assert_eq!((stats.traces, stats.accepted), (1, 1));
    assert_eq!(stats.tools, [("note".to_owned(), 1)]);
    let wrong = ReviewMark {
        traces: Selection::Ids(vec![id.clone()]),
        change: ReviewChange { rating: Some(9), ..ReviewChange::default() },
    };
    assert_eq!(desk.api().review_mark(wrong).await.unwrap_err().code, ErrorCode::Invalid);
}

#[tokio::test]
async fn lint_finds_and_repairs_and_the_list_knows() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let secret = "ghp_k3Jx9QmW2vTz7LpR5sYb8NcD4fHg6AaE1uXo";
    let text = format!("The token is {secret}.");
    let dirty = desk.edit(&id, 0, EditOp::SetText { id: 5, field: TextField::Content, text }).await;
    let finding = dirty.state.findings.iter().find(|finding| finding.rule == LintRule::Secret).expect("it is found");
    assert!(!finding.reason.contains(secret), "{}", finding.reason);
    let query = TraceQuery { search: "lint:secret".to_owned(), ..TraceQuery::default() };
    assert_eq!(desk.api().trace_list(query.clone()).await.unwrap().total, 1);
    let repair = finding.repair.clone().expect("it can be mended");
    let clean = desk.edit(&id, 1, repair.op).await;
    assert!(clean.state.findings.iter().all(|finding| finding.rule != LintRule::Secret));
    assert!(!desk.review(&id).await.messages[5].message.text().contains(secret));
    assert_eq!(desk.api().trace_list(query).await.unwrap().total, 0);
}

#[tokio::test]
async fn the_agent_goes_on_from_the_middle_with_its_tools_where_they_were() {
    let desk = Desk::open().await;
    let (endpoint, id) = noted(&desk).await;
    // A person writes what the assistant should have noted second; the first note is made again before it runs.
    let arguments = Json::parse(r#"{"text":"three"}"#).unwrap();
    desk.edit(&id, 0, EditOp::SetArguments { id: 3, call: 0, arguments }).await;
    let request = RerunRequest {
        id: id.clone(),
        base: 1,
        after: 3,
        replay: Replay::Calls,
        endpoint_id: None,
        model: None,
        server_ids: None,
        samples: 1,
    };
    let started = desk.api().review_rerun(request.clone()).await.unwrap();
    let branch = desk.until_over(&started.trace_ids[0]).await;
    assert_eq!(branch.summary.state, RunState::Done, "{:?}", branch.ending);
    let origin = branch.summary.branch.clone().expect("it knows where it came from");
    assert_eq!((origin.trace_id.as_str(), origin.revision, origin.shared), (id.as_str(), 1, 4));
    assert_eq!(branch.messages[4].message.text(), "one, three", "the first note was there");
    assert_eq!(branch.messages[5].message.text(), "Two notes.");
    let replayed = branch.calls.iter().find(|call| call.call_id == "c1").expect("the call that was made again");
    assert_eq!((replayed.replay.as_ref(), replayed.phase), (Some(&CallReplay::Same), CallPhase::Done));
    // The model was given the edited conversation.
    let last = &endpoint.chats()[3].body["messages"];
    assert_eq!(last[3]["tool_calls"][0]["function"]["arguments"], r#"{"text":"three"}"#);
    // Both are there, and can be kept as a pair.
    let view = desk.review(&id).await;
    assert_eq!(view.branches.len(), 1);
    let pair = PairRequest { chosen: branch.summary.id.clone(), rejected: id.clone() };
    let pair = desk.api().pair_add(pair).await.unwrap();
    assert_eq!(pair.shared, 4);
    assert_eq!(desk.review(&id).await.pairs, [pair]);
    // Without it, the tools start fresh.
    let fresh = RerunRequest { replay: Replay::Nothing, ..request };
    let started = desk.api().review_rerun(fresh).await.unwrap();
    let branch = desk.until_over(&started.trace_ids[0]).await;
    assert_eq!(branch.messages[4].message.text(), "three");
}

#[tokio::test]
async fn a_call_that_may_destroy_is_made_again_only_when_a_person_says_so() {
    let desk = Desk::open().await;
    let server = desk.add_fake_server("fake", &Behaviour::default()).await;
    let endpoint = ScriptedEndpoint::start([
        answer().call("c1", "note", &json!({"text": "one"})),
        answer().call("c2", "erase", &json!({})),
        answer().content("Gone."),
        answer().call("c3", "note", &json!({"text": "two"})),
        answer().content("Still there."),
    ])
    .await
    .unwrap();
    let mut spec = desk.spec(&endpoint, &[&server], "Note and erase").await;
    spec.policy.mode = PolicyMode::AskAlways;
    let id = desk.start(spec).await;
    let decide = |id: &str, call: &str, decision: CallDecision| {
        let request = DecideRequest { trace_id: id.to_owned(), call_id: call.to_owned(), decision };
        let api = desk.api();
        async move { api.run_decide(request).await.unwrap() }
    };
    let approve = || CallDecision::Approve { remember: Remember::Once };
    let waits = |call: &'static str| {
        move |view: &tw_contract::RunView| {
            view.trace.summary.state == RunState::Waiting
                && view.trace.calls.iter().any(|it| it.call_id == call && it.phase == CallPhase::Waiting)
        }
    };
    desk.until(&id, waits("c1")).await;
    decide(&id, "c1", approve()).await;
    desk.until(&id, waits("c2")).await;
    decide(&id, "c2", approve()).await;
    desk.until_over(&id).await;
    let request = RerunRequest {
        id: id.clone(),
        base: 0,
        after: 4,
        replay: Replay::Calls,
        endpoint_id: None,
        model: None,
        server_ids: None,
        samples: 1,
    };
    let started = desk.api().review_rerun(request).await.unwrap();
    let branch = &started.trace_ids[0];
    // The note only adds: it is made again by itself. The other waits.
    let view = desk.until(branch, waits("c2")).await;
    assert_eq!(view.trace.calls.iter().find(|call| call.call_id == "c1").unwrap().phase, CallPhase::Done);
    decide(branch, "c2", CallDecision::Reject { reason: "keep them".to_owned() }).await;
    desk.until(branch, waits("c3")).await;
    decide(branch, "c3", approve()).await;
    let trace = desk.until_over(branch).await;
    let erase = trace.calls.iter().find(|call| call.call_id == "c2").unwrap();
    assert_eq!(erase.replay, Some(CallReplay::Skipped));
    assert!(matches!(&erase.verdict, Some(Verdict::Reject { reason, .. }) if reason == "keep them"));
    assert_eq!(trace.messages[6].message.text(), "one, two", "nothing was erased");
}

#[tokio::test]
async fn a_model_proposes_and_the_person_accepts() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let endpoint = ScriptedEndpoint::start([answer().content("```\nNote both.\n```"), answer().content("{\"text\":")])
        .await
        .unwrap();
    let endpoint_id = desk.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await;
    let request = AssistRequest {
        id: id.clone(),
        base: 0,
        message_id: 1,
        field: TextField::Reasoning,
        task: AssistTask::Shorten,
        endpoint_id,
        model: MODEL.to_owned(),
    };
    let proposal = desk.api().review_assist(request.clone()).await.unwrap();
    assert_eq!(desk.review(&id).await.state.revision, 0, "a proposal changes nothing");
    let sent = endpoint.chats()[0].body["messages"][1]["content"].as_str().unwrap().to_owned();
    assert!(sent.contains("First."), "{sent}");
    let accept = EditRequest { id: id.clone(), base: 0, op: proposal.op, author: proposal.author };
    desk.api().review_edit(accept).await.unwrap();
    let view = desk.review(&id).await;
    assert_eq!(view.messages[1].message.reasoning(), Some("Note both."));
    let history = desk.api().review_history(IdRequest { id: id.clone() }).await.unwrap();
    assert_eq!(history.revisions[0].author, MODEL);
    // What is no object is not proposed as arguments.
    let arguments = AssistRequest {
        base: 1,
        field: TextField::Arguments { call: 0 },
        task: AssistTask::RepairArguments,
        ..request
    };
    let error = desk.api().review_assist(arguments).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Endpoint, "{error}");
}

#[tokio::test]
async fn an_inserted_turn_stands_where_it_was_put() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let insert = EditOp::Insert { before: Some(5), messages: vec![Message::user("And now?")] };
    let outcome = desk.edit(&id, 0, insert).await;
    let added = &outcome.patches[0].insert[0];
    assert!(added.captured_seq().is_none() && added.is_changed() && added.key != EditedMessage::UNSAVED);
    assert_eq!(texts(&desk.review(&id).await.messages)[5], "user: And now?");
}

#[tokio::test]
async fn every_finding_of_a_kind_is_repaired_as_one_edit() {
    let desk = Desk::open().await;
    let (_endpoint, id) = noted(&desk).await;
    let secrets = ["ghp_k3Jx9QmW2vTz7LpR5sYb8NcD4fHg6AaE1uXo", "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"];
    let text = format!("Both: {} and {}.", secrets[0], secrets[1]);
    desk.edit(&id, 0, EditOp::SetText { id: 5, field: TextField::Content, text }).await;
    let request = tw_contract::RepairRequest { id: id.clone(), base: 1, rule: LintRule::Secret };
    let outcome = desk.api().review_repair(request.clone()).await.unwrap();
    assert_eq!(outcome.state.revision, 2);
    let now = desk.review(&id).await.messages[5].message.text();
    assert!(secrets.iter().all(|secret| !now.contains(secret)), "{now}");
    let again = tw_contract::RepairRequest { base: 2, ..request };
    assert_eq!(desk.api().review_repair(again).await.unwrap_err().code, ErrorCode::Invalid);
}

#[tokio::test]
async fn what_is_being_written_into_a_trace_is_kept_and_goes_with_it() {
    let desk = Desk::open().await;
    desk.import("rows.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"One\"}]}\n".repeat(2)).await;
    let list = desk.api().trace_list(TraceQuery::default()).await.unwrap();
    let ids: Vec<String> = list.traces.into_iter().map(|trace| trace.id).collect();
    let key = |id: &str| format!("draft:{id}");
    let draft = Json::parse(r#"[{"text":"half a w"}]"#).unwrap();
    for id in &ids {
        desk.api().setting_set(SetSetting { key: key(id), value: draft.clone() }).await.unwrap();
    }
    let desk = desk.reopen().await;
    let kept = async |id: &str| desk.api().setting_get(SettingRequest { key: key(id) }).await.unwrap().value;
    assert_eq!(kept(&ids[0]).await, draft);
    desk.api().trace_delete(Selection::Ids(vec![ids[0].clone()])).await.unwrap();
    assert_eq!((kept(&ids[0]).await, kept(&ids[1]).await), (Json::Null, draft));
    desk.api().setting_set(SetSetting { key: key(&ids[1]), value: Json::Null }).await.unwrap();
    assert_eq!(kept(&ids[1]).await, Json::Null);
}

/// MiB of the longest text, more than a window is sent; another number is taken from `TW_TEST_TEXT_MIB`.
const TEXT_MIB: usize = 20;

/// The most memory that this process had so far, in MiB.
#[cfg(target_os = "linux")]
fn most_memory_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_long_for_any_window_is_imported_opened_edited_and_found() {
    let mib = std::env::var("TW_TEST_TEXT_MIB").map_or(TEXT_MIB, |mib| mib.parse().unwrap());
    let desk = Desk::open().await;
    let mut began = std::time::Instant::now();
    let mut tell = |what: &str| {
        println!("{what}: {:?}, at most {} MiB so far", began.elapsed(), most_memory_mib());
        began = std::time::Instant::now();
    };
    let text = "kettle \u{e9}\n".repeat((mib << 20) / 10);
    let row = json!({"messages": [{"role": "user", "content": "Huge"}, {"role": "assistant", "content": &text}]});
    let file = desk.workspace().join("huge.jsonl");
    std::fs::write(
        &file,
        format!(
            "{row}\n{}\n",
            json!({"messages": [{"role": "user", "content": "Small"}, {"role": "assistant", "content": "Yes."}]})
        ),
    )
    .unwrap();
    drop(row);
    tell("written");
    let progress = desk.import_path(&file).await;
    assert_eq!((progress.imported, progress.refused_count), (2, 0), "{progress:?}");
    tell("imported");
    let found =
        desk.api().trace_list(TraceQuery { search: "kettle".to_owned(), ..TraceQuery::default() }).await.unwrap();
    let [summary] = found.traces.as_slice() else { panic!("{found:?}") };
    assert!(summary.snippet.as_deref().unwrap_or_default().len() < 2_000);
    tell("found");
    let request = RevisionRequest { id: summary.id.clone(), revision: None, shorten: true };
    let payload = serde_json::to_string(&request).unwrap();
    let reply = desk.app.call("review_open", &payload).await.unwrap();
    assert!(reply.len() < 2 << 20, "{} bytes go to the window", reply.len());
    let view: ReviewView = serde_json::from_str(&reply).unwrap();
    let shown = view.messages[1].message.text();
    assert!(text.starts_with(&shown) && !shown.is_empty());
    assert_eq!(view.shortened.iter().map(|it| it.id).collect::<Vec<_>>(), [1]);
    tell("opened");
    // Everything else can be edited, and of the long one all that its text is not needed for.
    let train = desk.edit(&summary.id, 0, EditOp::Train { ids: vec![1], train: Some(false) }).await;
    assert_eq!(train.shortened.len(), 1);
    tell("marked");
    let end = u32::try_from(shown.chars().count()).unwrap();
    let kept = desk.edit(&summary.id, 1, EditOp::KeepOnly { id: 1, begin: 0, end }).await;
    assert_eq!((kept.shortened.len(), kept.patches[0].insert[0].message.text().len()), (0, shown.len()));
    tell("trimmed");
    for revision in [1, 0] {
        let undone = desk.api().review_undo(IdRequest { id: summary.id.clone() }).await.unwrap();
        assert_eq!(undone.state.revision, revision);
    }
    tell("undone twice");
    let whole = desk.review(&summary.id).await;
    assert!(whole.messages[1].message.text() == text, "nothing of it was lost");
    tell("read whole");
}
