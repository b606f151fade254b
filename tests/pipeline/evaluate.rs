//! Evaluation over the whole app: the next-call exam against endpoints that answer rightly, wrongly, or not at all.

use std::time::Duration;

use serde_json::{Value, json};
use tw_artifact::{EvalReport, Rate, ReviewChange, ReviewStatus, TraceChoice};
use tw_contract::{
    EvalExport, EvalProgress, ExamRequest, ExamSource, IdRequest, KeyChange, ReviewMark, Selection, SubjectChoice,
};
use tw_support::drive::wait_for;
use tw_support::endpoint::{AnswerScript, EndpointOptions, Recorded, Script, ScriptedEndpoint, answer};

use crate::harness::Desk;

const PATIENCE: Duration = Duration::from_secs(60);

/// A trace of a call with one argument, its result, and an answer.
fn trace(number: u32) -> Value {
    json!({
        "timestamp": format!("2026-05-0{}T10:00:00Z", number + 1),
        "model": "teacher",
        "messages": [
            {"role": "user", "content": format!("Note {number}")},
            {"role": "assistant", "content": "", "reasoning_content": "I note it.", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "note", "arguments": {"text": number.to_string()}}}
            ]},
            {"role": "tool", "tool_call_id": "c", "name": "note", "content": "noted"},
            {"role": "assistant", "content": "It is noted."}
        ],
        "tools": [{"type": "function", "function": {"name": "note", "description": "Notes a text", "parameters": {
            "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]
        }}}]
    })
}

/// What the last message of a request says.
fn last(request: &Value) -> (&str, &str) {
    let last = request["messages"].as_array().and_then(|it| it.last()).expect("a message");
    (last["role"].as_str().unwrap_or_default(), last["content"].as_str().unwrap_or_default())
}

/// Answers as a well-trained model does.
fn tuned(request: &Value) -> AnswerScript {
    match last(request) {
        ("tool", _) => answer().content("Noted."),
        (_, text) => {
            let number = text.trim_start_matches("Note ");
            answer().reasoning("I note it.").call("x", "note", &json!({ "text": number }))
        }
    }
}

/// Calls with a wrong argument where it should call, and again where it should answer.
fn base(request: &Value) -> AnswerScript {
    match last(request) {
        ("tool", _) => answer().call("x", "note", &json!({})),
        _ => answer().call("x", "note", &json!({"text": "something"})),
    }
}

struct Setting {
    desk: Desk,
    ids: Vec<String>,
}

async fn with_traces(count: u32) -> Setting {
    let desk = Desk::open().await;
    let mut ids = Vec::new();
    for number in 0..count {
        let progress = desk.import(&format!("{number}.json"), trace(number).to_string()).await;
        ids.extend(progress.traces.into_iter().map(|trace| trace.id));
    }
    Setting { desk, ids }
}

/// An endpoint that answers each request as `rule` says.
async fn answering(rule: fn(&Value) -> AnswerScript) -> ScriptedEndpoint {
    let rule = move |request: &Recorded| Script::from(rule(&request.body));
    ScriptedEndpoint::respond_with(EndpointOptions::default(), rule).await.expect("a port")
}

async fn subject(desk: &Desk, name: &str, endpoint: &ScriptedEndpoint) -> SubjectChoice {
    let endpoint_id = desk.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await;
    SubjectChoice { name: name.to_owned(), endpoint_id, model: tw_support::endpoint::MODEL.to_owned() }
}

async fn ended(desk: &Desk, id: &str) -> EvalProgress {
    let look = async || {
        let progress = desk.api().eval_progress(IdRequest { id: id.to_owned() }).await.ok()?;
        progress.ended.is_some().then_some(progress)
    };
    wait_for("the exam to end", PATIENCE, look).await.expect("it ends")
}

async fn finished(desk: &Desk, request: ExamRequest) -> (EvalProgress, EvalReport) {
    let id = desk.api().eval_exam(request).await.expect("the exam begins").id;
    let progress = ended(desk, &id).await;
    let report = desk.api().eval_view(IdRequest { id }).await.expect("the report is kept");
    (progress, report)
}

fn counts(rate: Rate) -> (u32, u32) {
    (rate.right, rate.of)
}

#[tokio::test]
async fn base_and_tuned_are_compared_step_by_step() {
    let Setting { desk, ids } = with_traces(3).await;
    let (right, wrong) = (answering(tuned).await, answering(base).await);
    let request = ExamRequest {
        subjects: vec![subject(&desk, "base", &wrong).await, subject(&desk, "tuned", &right).await],
        ..ExamRequest::default()
    };
    let (progress, report) = finished(&desk, request.clone()).await;
    assert_eq!((progress.ended.as_deref(), progress.done, progress.total, progress.failed), (Some("done"), 12, 12, 0));
    let [before, after] = [0, 1].map(|place| report.columns[place].exam.clone().expect("totals"));
    assert_eq!((counts(before.decision), counts(after.decision)), ((3, 6), (6, 6)));
    assert_eq!((counts(before.tool), counts(before.arguments), counts(before.schema)), ((3, 3), (0, 3), (3, 6)));
    assert_eq!((counts(after.right), counts(after.arguments), counts(after.schema)), ((6, 6), (3, 3), (3, 3)));
    assert_eq!((counts(before.thinking), counts(after.thinking)), ((0, 3), (3, 3)));
    assert_eq!((counts(before.parameters), counts(after.parameters)), ((0, 3), (3, 3)));
    let change = report.changes[0]["right"];
    assert_eq!((change.both, change.gained, change.lost), (6, 6, 0));
    assert_eq!(report.columns[1].by_tool.keys().collect::<Vec<_>>(), ["", "note"]);

    // The context is what stood before the answer, with the tools, and nothing after it.
    let asked = right.chats();
    assert_eq!(asked.len(), 6);
    let bodies: Vec<Value> = asked.into_iter().map(|it| it.body).collect();
    assert!(bodies.iter().all(|body| body["tools"][0]["function"]["name"] == "note" && body["temperature"] == 0.0));
    let lengths: Vec<usize> = bodies.iter().map(|body| body["messages"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!((lengths.iter().filter(|it| **it == 1).count(), lengths.iter().filter(|it| **it == 3).count()), (3, 3));

    // Rejected traces are left out; the same choice gives the same basis, another one another.
    let change = ReviewChange { status: Some(ReviewStatus::Rejected), ..ReviewChange::default() };
    let mark = ReviewMark { traces: Selection::Ids(vec![ids[0].clone()]), change };
    desk.api().review_mark(mark).await.expect("it is marked");
    let (_, less) = finished(&desk, request.clone()).await;
    assert_eq!(less.columns[0].steps.len(), 4);
    assert_ne!(less.basis, report.basis);
    let chosen = ExamRequest { most_steps: Some(3), ..request };
    let (_, first) = finished(&desk, chosen.clone()).await;
    let (_, second) = finished(&desk, chosen).await;
    assert_eq!((first.columns[0].steps.len(), &first.basis), (3, &second.basis));

    // Kept over a restart, listed, written, removed.
    let desk = desk.reopen().await;
    let list = desk.api().eval_list(Default::default()).await.unwrap();
    assert_eq!((list.len(), list[3].id.as_str(), list[3].name.as_str()), (4, report.id.as_str(), "base and tuned"));
    for (format, said) in
        [("markdown", "| right arguments | 0.0 % (0 of 3"), ("csv", "tuned,step,"), ("json", "\"gained\": 6")]
    {
        let request = EvalExport { id: report.id.clone(), format: format.to_owned(), out: None };
        let written = desk.api().eval_export(request).await.unwrap();
        assert!(written.text.contains(said), "{}", written.text);
        assert_eq!(std::fs::read_to_string(&written.path).unwrap(), written.text);
    }
    desk.api().eval_delete(IdRequest { id: report.id.clone() }).await.unwrap();
    assert!(desk.api().eval_view(IdRequest { id: report.id }).await.is_err());
    assert!(desk.api().eval_view(IdRequest { id: "../workspace".to_owned() }).await.is_err());
}

#[tokio::test]
async fn an_endpoint_that_fails_costs_its_own_steps_and_an_exam_can_be_ended() {
    let Setting { desk, .. } = with_traces(2).await;
    let right = answering(tuned).await;
    let broken = ScriptedEndpoint::respond_with(EndpointOptions::default(), |_| {
        Script::vllm_error(400, "BadRequestError", None, "This model's maximum context length is 4 tokens.")
    })
    .await
    .unwrap();
    let subjects = vec![subject(&desk, "tuned", &right).await, subject(&desk, "broken", &broken).await];
    let (progress, report) = finished(&desk, ExamRequest { subjects, ..ExamRequest::default() }).await;
    assert_eq!((progress.ended.as_deref(), progress.failed), (Some("done"), 4));
    let failed = report.columns[1].exam.clone().expect("totals");
    assert_eq!((failed.failed, counts(failed.right)), (4, (0, 4)));
    assert!(report.columns[1].steps[0].problem.as_deref().is_some_and(|it| it.contains("context")), "{report:?}");

    let silent = ScriptedEndpoint::respond_with(EndpointOptions::default(), |_| Script::hang()).await.unwrap();
    let subjects = vec![subject(&desk, "silent", &silent).await];
    let id = desk.api().eval_exam(ExamRequest { subjects, ..ExamRequest::default() }).await.unwrap().id;
    wait_for("a request", PATIENCE, async || (!silent.chats().is_empty()).then_some(())).await.expect("it is asked");
    desk.api().eval_cancel(IdRequest { id: id.clone() }).await.unwrap();
    let progress = ended(&desk, &id).await;
    assert_eq!(progress.ended.as_deref(), Some("cancelled"));
    let kept = desk.api().eval_view(IdRequest { id }).await.unwrap();
    assert!(kept.ended_at_ms.is_none() && kept.notes[0].contains("cancelled"), "{kept:?}");

    let none = ExamRequest {
        source: ExamSource::Traces(TraceChoice::Query("words of no trace".to_owned())),
        subjects: vec![subject(&desk, "tuned", &right).await],
        ..ExamRequest::default()
    };
    let (progress, _) = finished(&desk, none).await;
    assert!(progress.ended.is_some_and(|ended| ended.contains("no answer of a model")));
    let nobody = desk.api().eval_exam(ExamRequest::default()).await.unwrap_err();
    assert!(nobody.message.contains("Nobody"), "{nobody}");
}
