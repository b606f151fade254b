//! What the query finds, in numbers: histograms and bars, of which a click asks for those traces.

use leptos::prelude::*;
use tw_artifact::ReviewStatus;
use tw_contract::{Bar, TraceStats};

use super::asked::{Asked, ask};
use super::browser::Browser;
use super::query;
use crate::components::{ErrorBox, Histogram, HistogramBar, Skeleton};
use crate::state::format;

/// Bars of a list that are shown at first.
const SHOWN: usize = 10;
/// Width of the strip of decisions, in units of its own.
const WIDTH: f64 = 320.0;

/// The statistics.
#[component]
pub(super) fn Stats(browser: Browser) -> impl IntoView {
    let Asked { answer, busy, again } = ask(browser, |api, query| async move { api.trace_stats(query).await });
    let body = move || match answer.get() {
        None => view! { <Skeleton lines=9/> }.into_any(),
        Some(Err(error)) => view! { <div class="page-error"><ErrorBox error on_retry=again/></div> }.into_any(),
        Some(Ok(stats)) => view! { <Plots stats browser/> }.into_any(),
    };
    view! {
        <section class="stats" aria-label="Statistics" aria-busy=move || busy.get().to_string() data-testid="review-stats">
            {body}
        </section>
    }
}

#[component]
fn Plots(stats: TraceStats, browser: Browser) -> impl IntoView {
    let models = stats.models.iter().map(|(name, count)| (name.clone(), name.clone(), *count)).collect();
    let tools = stats.tools.iter().map(|(name, count)| (name.clone(), name.clone(), *count)).collect();
    let findings = stats
        .findings
        .iter()
        .map(|finding| (finding.rule.as_str().to_owned(), finding.rule.label().to_owned(), finding.count))
        .collect();
    view! {
        <div class="plots">
            <Decided stats=stats.clone() browser/>
            <TraceHistogram title="Steps" unit="step" field="steps" bars=stats.steps browser/>
            <TraceHistogram title="Tokens" unit="token" field="tokens" bars=stats.tokens browser/>
            <TraceHistogram title="Errors" unit="error" field="errors" bars=stats.errors browser/>
            <Ranking title="Tools" field="tool" rows=tools browser/>
            <Ranking title="Models" field="model" rows=models browser/>
            <Ranking title="Findings" field="lint" rows=findings browser/>
        </div>
    }
}

#[component]
fn Decided(stats: TraceStats, browser: Browser) -> impl IntoView {
    let open = stats.traces.saturating_sub(stats.accepted + stats.rejected);
    let parts = [
        (ReviewStatus::Accepted, "Accepted", stats.accepted, "part-good"),
        (ReviewStatus::Rejected, "Rejected", stats.rejected, "part-bad"),
        (ReviewStatus::Open, "Open", open, "part-open"),
    ];
    let whole = f64::from(stats.traces.max(1));
    let mut x = 0.0;
    let strips = parts
        .iter()
        .map(|(_, _, count, class)| {
            let width = f64::from(*count) / whole * WIDTH;
            let strip = view! { <rect class=*class x=x.to_string() y="0" width=width.to_string() height="14"></rect> };
            x += width;
            strip
        })
        .collect_view();
    let legend = parts
        .iter()
        .map(|(status, label, count, class)| {
            let word = status.as_str();
            view! {
                <button type="button" class="legend" data-testid="stats-decided" on:click=move |_| browser.query.update(|query| *query = query::choose(query, "is", word))>
                    <span class=format!("legend-mark {class}") aria-hidden="true"></span>
                    <span>{*label}</span>
                    <b>{format::count(*count)}</b>
                </button>
            }
        })
        .collect_view();
    view! {
        <figure class="plot">
            <figcaption>{format::counted(stats.traces, "trace")}</figcaption>
            <svg class="strip-plot" viewBox=format!("0 0 {WIDTH} 14") preserveAspectRatio="none" aria-hidden="true">{strips}</svg>
            <div class="legends">{legend}</div>
        </figure>
    }
}

/// What a bar covers, as a query and in words.
fn covered(bar: &Bar) -> String {
    if bar.to <= bar.from + 1 { bar.from.to_string() } else { format!("{}..{}", bar.from, bar.to - 1) }
}

#[component]
fn TraceHistogram(
    title: &'static str,
    unit: &'static str,
    field: &'static str,
    bars: Vec<Bar>,
    browser: Browser,
) -> impl IntoView {
    let asked: Vec<String> = bars.iter().map(covered).collect();
    let drawn = bars
        .iter()
        .zip(&asked)
        .map(|(bar, asked)| HistogramBar {
            from: bar.from,
            to: bar.to,
            count: bar.traces,
            words: format!(
                "{} with {} {}",
                format::counted(bar.traces, "trace"),
                asked.replace("..", " to "),
                plural(unit)
            ),
        })
        .collect();
    let pick = move |place: usize| {
        if let Some(value) = asked.get(place) {
            browser.query.update(|query| *query = query::choose(query, field, value));
        }
    };
    view! { <Histogram title label=format!("Traces by {}", title.to_lowercase()) bars=drawn on_pick=pick testid="stats-bar"/> }
}

fn plural(unit: &str) -> String {
    format!("{unit}s")
}

/// Names and how many traces each is in, most first.
#[component]
fn Ranking(
    title: &'static str,
    field: &'static str,
    /// The value, the words for it, how many.
    rows: Vec<(String, String, u32)>,
    browser: Browser,
) -> impl IntoView {
    let all = RwSignal::new(false);
    let most = rows.iter().map(|(_, _, count)| *count).max().unwrap_or(1).max(1);
    let length = rows.len();
    let rows = StoredValue::new(rows);
    let list = move || {
        let rows = rows.get_value();
        let shown = if all.get() { rows.len() } else { SHOWN.min(rows.len()) };
        rows.into_iter()
            .take(shown)
            .map(|(value, words, count)| {
                let width = f64::from(count) / f64::from(most) * 100.0;
                let hint = format!("{words}: {}", format::counted(count, "trace"));
                let asked = value.clone();
                let is_on = Memo::new(move |_| browser.query.with(|query| query::has(query, field, &asked)));
                view! {
                    <button
                        type="button"
                        class="rank"
                        title=hint
                        aria-pressed=move || is_on.get().to_string()
                        data-testid="stats-rank"
                        on:click=move |_| browser.query.update(|query| *query = query::toggle(query, field, &value))
                    >
                        <span class="rank-name" dir="auto">{words}</span>
                        <svg class="rank-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                            <rect class="bar-value" x="0" y="0" width=format!("{:.2}", width.max(1.0)) height="8"></rect>
                        </svg>
                        <span class="rank-count">{format::count(count)}</span>
                    </button>
                }
            })
            .collect_view()
    };
    view! {
        <figure class="plot">
            <figcaption>{title}</figcaption>
            {(length == 0).then(|| view! { <p class="filter-none">"None."</p> })}
            <div class="ranks">{list}</div>
            <Show when=move || { length > SHOWN }>
                <button type="button" class="link-button" on:click=move |_| all.update(|all| *all = !*all)>
                    {move || if all.get() { "Fewer".to_owned() } else { format!("All {length}") }}
                </button>
            </Show>
        </figure>
    }
}
