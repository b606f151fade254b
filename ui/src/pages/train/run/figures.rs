//! The figures beside the plots.

use leptos::prelude::*;
use tw_contract::{TrainJob, TrainState};

use super::super::words::{long_time, loss, memory, norm, per_second, rate, steps_of};
use super::model::Run;
use crate::state::format;

/// One figure: its name, its value and more about it.
type Figure = (&'static str, &'static str, String, String);

/// The figures.
#[component]
pub(super) fn Figures(run: Run) -> impl IntoView {
    let figures = Memo::new(move |_| run.job.with(|job| job.as_ref().map(|job| of(run, job))).unwrap_or_default());
    view! {
        <dl class="training-figures" data-testid="train-figures">
            {move || {
                figures
                    .get()
                    .into_iter()
                    .map(|(id, name, value, note)| {
                        view! {
                            <div class="training-figure" data-figure=id>
                                <dt>{name}</dt>
                                <dd>{value} {(!note.is_empty()).then(|| view! { <small>{note}</small> })}</dd>
                            </div>
                        }
                    })
                    .collect_view()
            }}
        </dl>
    }
}

fn of(run: Run, job: &TrainJob) -> Vec<Figure> {
    let none = || "-".to_owned();
    let last = run.last.get();
    let steps = steps_of(job);
    let works = job.state == TrainState::Running;
    let speed = match (job.row_tokens_per_sec, job.tokens_per_sec) {
        (Some(rows), Some(computed)) if rows > computed * 1.02 => {
            (format!("{} /s", per_second(rows)), format!("{} computed", per_second(computed)))
        }
        (Some(rows), _) => (format!("{} /s", per_second(rows)), String::new()),
        (None, Some(computed)) => (format!("{} /s", per_second(computed)), String::new()),
        (None, None) => (none(), String::new()),
    };
    let (left_name, left) = if works {
        ("Time left", job.seconds_left.map_or_else(none, long_time))
    } else {
        let took = job.started_at_ms.zip(job.ended_at_ms).map(|(from, to)| (to - from).max(0).unsigned_abs() / 1_000);
        match took {
            Some(took) => ("From begin to end", long_time(took)),
            None => ("Time left", job.seconds_left.map_or_else(none, long_time)),
        }
    };
    let mut figures = vec![
        (
            "step",
            "Step",
            format::count(job.step),
            if steps > 0 { format!("of {}", format::count(steps)) } else { String::new() },
        ),
        ("loss", "Loss", job.loss.map_or_else(none, loss), String::new()),
        ("validation", "Validation loss", job.eval_loss.map_or_else(none, loss), String::new()),
        ("left", left_name, left, String::new()),
        ("speed", "Tokens", speed.0, speed.1),
        (
            "memory",
            "Memory",
            job.memory_bytes.map_or_else(none, memory),
            if job.plan.peak_bytes > 0 { format!("{} expected", memory(job.plan.peak_bytes)) } else { String::new() },
        ),
        ("rate", "Learning rate", last.map_or_else(none, |last| rate(last.learning_rate)), String::new()),
        ("norm", "Gradient norm", last.map_or_else(none, |last| norm(last.gradient_norm)), String::new()),
        (
            "checkpoint",
            "Checkpoint",
            job.checkpoint_step.map_or_else(|| "none yet".to_owned(), |step| format!("step {}", format::count(step))),
            String::new(),
        ),
    ];
    // What is over has no figures any more that come later.
    figures.retain(|(.., value, _)| job.state.is_live() || value != "-");
    figures
}
