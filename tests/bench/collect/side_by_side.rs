//! Many runs at the same time: whether every one of them ends well with every message as it was.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tw_artifact::{Arguments, Json, Message, RunState, Trace};
use tw_contract::EventBody;
use tw_support::endpoint::{AnswerScript, EndpointOptions, MODEL, Recorded, answer};

use crate::desk::{Desk, Heard, endpoint};
use crate::figures::Report;

const RUNS: usize = 32;
/// Steps with a call in each run.
const STEPS: usize = 20;

/// Measures, looks at every message, and reports.
///
/// # Errors
/// A run did not end well, or a message is missing or another than the endpoint sent or got.
pub(crate) async fn measure(report: &mut Report, doubles: &Handle) -> Result<()> {
    let endpoint = endpoint(doubles, EndpointOptions::default(), |request| {
        let answered = count_answers(&request.body);
        script(&task_of(&request.body), answered).into()
    })
    .await?;
    let desk = Desk::open().await?;
    let spec = desk.spec(&endpoint, MODEL, true).await?;
    let tasks: Vec<String> = (0..RUNS).map(|run| format!("Task {run}: say your lines.")).collect();
    let (traces, heard) = Box::pin(desk.run(spec, tasks.clone())).await?;
    let requests = endpoint.chats();
    ensure!(requests.len() == RUNS * (STEPS + 1), "the endpoint got {} requests", requests.len());
    check_numbers(&heard)?;
    for (task, trace) in tasks.iter().zip(&traces) {
        check(task, trace, &requests, &heard).with_context(|| task.clone())?;
    }
    let times = || requests.iter().map(|request| request.at);
    let (first, last) = times().min().zip(times().max()).context("the endpoint got no requests")?;
    let secs = (last - first).as_secs_f64();
    let steps = (RUNS * STEPS) as f64;
    let messages: usize = traces.iter().map(|trace| trace.messages.len()).sum();
    report.row(
        &format!("{RUNS} runs side by side"),
        format!("{:.0} steps/s", steps / secs),
        format!(
            "{messages} messages kept, none lost: each equal to what the endpoint sent and got; {} events, no gap",
            heard.len()
        ),
    );
    report.figures(
        "side_by_side",
        json!({
            "runs": RUNS, "steps": RUNS * STEPS, "seconds": secs, "steps_per_s": steps / secs,
            "messages": messages, "lost": 0, "events": heard.len(),
        }),
    );
    desk.close().await;
    Ok(())
}

/// What the model says to a task after so many answers.
fn script(task: &str, answered: usize) -> AnswerScript {
    let told = said(task, answered);
    let script = answer().reasoning(&told.reasoning).content(&told.content);
    match told.line {
        Some(line) => script.call(&format!("call_{answered}"), "echo", &json!({ "text": line })),
        None => script,
    }
}

struct Said {
    reasoning: String,
    content: String,
    /// The text that the call says, where there is a call.
    line: Option<String>,
}

fn said(task: &str, answered: usize) -> Said {
    if answered == STEPS {
        return Said { reasoning: String::new(), content: format!("{task} Done."), line: None };
    }
    Said {
        reasoning: format!("\nI am at line {answered} of \"{task}\".\n"),
        content: format!("Now line {answered}. "),
        line: Some(format!("{task} Line {answered}.")),
    }
}

fn task_of(body: &Value) -> String {
    body["messages"][0]["content"].as_str().unwrap_or_default().to_owned()
}

fn count_answers(body: &Value) -> usize {
    let messages = body["messages"].as_array();
    messages.into_iter().flatten().filter(|message| message["role"] == "assistant").count()
}

/// The numbers of each topic count up by one.
pub(crate) fn check_numbers(heard: &Heard) -> Result<()> {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for arrival in heard {
        let event = &arrival.event;
        if let Some(before) = last.insert(&event.topic, event.seq) {
            ensure!(event.seq == before + 1, "{}: event {} came after {before}", event.topic, event.seq);
        }
    }
    Ok(())
}

fn check(task: &str, trace: &Trace, requests: &[Recorded], heard: &Heard) -> Result<()> {
    ensure!(trace.summary.state == RunState::Done, "it ended as {:?}: {:?}", trace.summary.state, trace.ending);
    let messages: Vec<&Message> = trace.messages.iter().map(|saved| &saved.message).collect();
    ensure!(messages.len() == 2 + 2 * STEPS, "{} messages were kept", messages.len());
    ensure!(messages[0].text() == task, "the task became {:?}", messages[0].text());
    for step in 0..=STEPS {
        check_answer(task, step, &messages).with_context(|| format!("answer {step}"))?;
    }

    // What the endpoint was sent last is the whole conversation but for the answer to it.
    let last = requests
        .iter()
        .filter(|request| task_of(&request.body) == task)
        .max_by_key(|request| count_answers(&request.body))
        .context("the endpoint was never asked")?;
    let kept: Vec<Value> = messages[..messages.len() - 1].iter().map(|message| on_the_wire(message)).collect();
    ensure!(last.body["messages"] == json!(kept), "the endpoint was sent other messages than were kept");

    let told = heard.iter().filter(|arrival| {
        matches!(&arrival.event.body, EventBody::MessageSaved { trace_id, .. } if *trace_id == trace.summary.id)
    });
    // The task is kept before the run begins.
    ensure!(told.count() == messages.len() - 1, "the listener was not told of every message");
    Ok(())
}

/// An answer is what the endpoint sent, its result what the double says to that.
fn check_answer(task: &str, step: usize, messages: &[&Message]) -> Result<()> {
    let expected = said(task, step);
    let message = messages[1 + 2 * step];
    ensure!(message.text() == expected.content, "its text became {:?}", message.text());
    let reasoning = message.reasoning().unwrap_or_default();
    ensure!(reasoning == expected.reasoning, "its reasoning became {reasoning:?}");
    let Some(line) = expected.line else {
        ensure!(message.tool_calls().is_empty(), "it has calls");
        return Ok(());
    };
    let calls = message.tool_calls();
    let call = calls.first().context("it has no call")?;
    let text = match call.arguments {
        Arguments::Object(map) => map.get("text").and_then(Json::as_str),
        Arguments::Text(_) | Arguments::Other => None,
    };
    ensure!(calls.len() == 1 && call.name == "echo" && text == Some(&line), "its call became {calls:?}");
    let result = messages[2 + 2 * step];
    ensure!(result.tool_call_id() == Some(call.id) && result.text() == line, "its result became {result:?}");
    Ok(())
}

/// A kept message as the endpoint is sent it: arguments as text, reasoning under vLLM's name.
fn on_the_wire(message: &Message) -> Value {
    let mut value = Json::from(message.clone().with_text_arguments()).to_value();
    if let Some(fields) = value.as_object_mut()
        && let Some(reasoning) = fields.remove("reasoning_content")
    {
        fields.insert("reasoning".to_owned(), reasoning);
    }
    value
}
