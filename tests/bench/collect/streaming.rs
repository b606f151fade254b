//! Answers that stream in at 500 tokens a second, several at the same time, as the window hears them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::runtime::Handle;
use tw_artifact::{RunState, StepRecord, Trace};
use tw_contract::{EventBody, LiveDelta, LiveStep};
use tw_support::endpoint::{EndpointOptions, MODEL, Script, Step, answer};

use crate::desk::{Desk, Heard, endpoint};
use crate::figures::{Report, Sample, millis};
use crate::side_by_side::check_numbers;

const RUNS: usize = 8;
const TOKENS_PER_S: f64 = 500.0;
/// Of reasoning and of text, each.
const TOKENS: usize = 1_500;

/// What one run's listener saw of its answer.
struct Stream {
    /// Events with text in them.
    events: usize,
    secs: f64,
    /// Between two of them.
    gaps_ms: Vec<f64>,
    tokens_per_s: f64,
}

/// Measures, compares what came in pieces with what was kept, and reports.
///
/// # Errors
/// A run did not end well, or its pieces are not its message.
pub(crate) async fn measure(report: &mut Report, doubles: &Handle) -> Result<()> {
    let (reasoning, content) = (words('r'), words('c'));
    // Written once, so that the double has nothing to do but send.
    let body = answer().reasoning(&reasoning).content(&content).to_sse();
    let wait = Duration::from_secs_f64(1.0 / TOKENS_PER_S);
    let steps: Vec<Step> = body
        .split_inclusive("\n\n")
        .flat_map(|event| [Step::Wait(wait), Step::Send(event.as_bytes().to_vec())])
        .collect();
    let endpoint = endpoint(doubles, EndpointOptions::default(), move |_| Script::stream(steps.clone())).await?;
    let desk = Desk::open().await?;
    let spec = desk.spec(&endpoint, MODEL, false).await?;
    let tasks = (0..RUNS).map(|run| format!("Tell story {run}.")).collect();
    let (traces, heard) = Box::pin(desk.run(spec, tasks)).await?;
    check_numbers(&heard)?;
    let mut streams = Vec::with_capacity(RUNS);
    for trace in &traces {
        streams.push(read(trace, &heard, &reasoning, &content).with_context(|| trace.summary.title.clone())?);
    }
    let sample = |value: fn(&Stream) -> f64| Sample::new(streams.iter().map(value).collect());
    let gaps = Sample::new(streams.iter().flat_map(|stream| stream.gaps_ms.iter().copied()).collect());
    let each = sample(|stream| stream.events as f64 / stream.secs);
    let rate = sample(|stream| stream.tokens_per_s);
    let together: f64 = streams.iter().map(|stream| stream.events as f64 / stream.secs).sum();
    report.row(
        &format!("{RUNS} answers streaming at {TOKENS_PER_S:.0} tokens/s each"),
        format!("{:.1} events/s a run", each.median()),
        format!(
            "{:.0} tokens/s arrive (slowest run {:.0}); {together:.0} events/s together; nothing lost",
            rate.median(),
            rate.least()
        ),
    );
    report.row(
        "longest wait between two events of a stream",
        format!("{:.0} ms", gaps.greatest()),
        format!("median {:.0} ms, p99 {:.0} ms", gaps.median(), gaps.percentile(99)),
    );
    report.figures(
        "streaming",
        json!({
            "runs": RUNS, "tokens_per_run": 2 * TOKENS, "asked_tokens_per_s": TOKENS_PER_S,
            "tokens_per_s": {"median": rate.median(), "least": rate.least()},
            "events_per_s": {"per_run": each.median(), "together": together},
            "gap_ms": {"median": gaps.median(), "p99": gaps.percentile(99), "max": gaps.greatest()},
            "lost": 0,
        }),
    );
    desk.close().await;
    Ok(())
}

/// Words that differ, each sent as one token: five characters that begin with a space.
fn words(first: char) -> String {
    (0..TOKENS).map(|number| format!(" {first}{:03}", number % 1_000)).collect()
}

fn read(trace: &Trace, heard: &Heard, reasoning: &str, content: &str) -> Result<Stream> {
    ensure!(trace.summary.state == RunState::Done, "it ended as {:?}: {:?}", trace.summary.state, trace.ending);
    let mut live = LiveStep::default();
    let mut times: Vec<Instant> = Vec::new();
    for arrival in heard {
        let EventBody::Deltas { trace_id, deltas, .. } = &arrival.event.body else { continue };
        if *trace_id != trace.summary.id {
            continue;
        }
        deltas.iter().for_each(|delta| live.apply(delta));
        if deltas.iter().any(|delta| matches!(delta, LiveDelta::Reasoning(_) | LiveDelta::Content(_))) {
            times.push(arrival.at);
        }
    }
    let saved = &trace.messages.last().context("no message was kept")?.message;
    ensure!(live.reasoning == reasoning && live.content == content, "the pieces are not what was sent");
    ensure!(saved.text() == content && saved.reasoning() == Some(reasoning), "the message is not what was sent");
    let (first, last) = times.first().zip(times.last()).context("nothing streamed")?;
    let step = trace.steps.last().context("no step was kept")?;
    Ok(Stream {
        events: times.len(),
        secs: (*last - *first).as_secs_f64(),
        gaps_ms: times.windows(2).map(|pair| millis(pair[1] - pair[0])).collect(),
        tokens_per_s: tokens_per_s(step),
    })
}

/// Over the whole answer, from the request on.
fn tokens_per_s(step: &StepRecord) -> f64 {
    2.0 * TOKENS as f64 / (step.duration_ms.max(1) as f64 / 1_000.0)
}
