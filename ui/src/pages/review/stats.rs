//! What the query finds, in numbers: histograms and bars, of which a click asks for those traces.

use leptos::prelude::*;
use tw_artifact::ReviewStatus;
use tw_contract::{Bar, TraceStats};

use super::asked::{Asked, ask};
use super::browser::Browser;
use super::query;
use crate::components::{ErrorBox, Skeleton};
use crate::state::format;

/// Bars of a list that are shown at first.
const SHOWN: usize = 10;
/// Width of a histogram, in units of its own.
const WIDTH: f64 = 320.0;
/// Height of its highest bar.
const HEIGHT: f64 = 84.0;
/// Widest bar.
const WIDEST: f64 = 56.0;
/// Room above the bars for their numbers.
const ABOVE: f64 = 14.0;

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
            <Histogram title="Steps" unit="step" field="steps" bars=stats.steps browser/>
            <Histogram title="Tokens" unit="token" field="tokens" bars=stats.tokens browser/>
            <Histogram title="Errors" unit="error" field="errors" bars=stats.errors browser/>
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
fn Histogram(
    title: &'static str,
    unit: &'static str,
    field: &'static str,
    bars: Vec<Bar>,
    browser: Browser,
) -> impl IntoView {
    let highest = bars.iter().map(|bar| bar.traces).max().unwrap_or(0).max(1);
    let most = f64::from(highest);
    let count = u32::try_from(bars.len()).unwrap_or(1).max(1);
    let step = (WIDTH / f64::from(count)).min(WIDEST);
    // Numbers stand under every bar, or every second or third where they would touch.
    let every = (34.0 / step).ceil().max(1.0);
    let mut place = 0.0_f64;
    let drawn = bars
        .iter()
        .map(|bar| {
            let height = if bar.traces == 0 { 0.0 } else { (f64::from(bar.traces) / most * HEIGHT).max(2.0) };
            let (x, y) = (place * step, ABOVE + HEIGHT - height);
            let labelled = place % every < 0.5;
            place += 1.0;
            let asked = covered(bar);
            let words = format!("{} with {} {}", format::counted(bar.traces, "trace"), asked.replace("..", " to "), plural(unit));
            let value = StoredValue::new(asked);
            let ask = move || browser.query.update(|query| *query = query::choose(query, field, &value.read_value()));
            let shown = bar.traces > 0 && (step > 22.0 || bar.traces == highest);
            let focusable = if bar.traces == 0 { "-1" } else { "0" };
            view! {
                <g
                    class="plot-bar"
                    role="button"
                    tabindex=focusable
                    aria-label=words.clone()
                    data-testid="stats-bar"
                    on:click=move |_| ask()
                    on:keydown=move |event: leptos::ev::KeyboardEvent| {
                        if matches!(event.code().as_str(), "Enter" | "Space") {
                            event.prevent_default();
                            ask();
                        }
                    }
                >
                    <title>{words.clone()}</title>
                    <rect class="bar-ground" x=x.to_string() y="0" width=step.to_string() height=(ABOVE + HEIGHT + 16.0).to_string()></rect>
                    <rect class="bar-value" x=(x + 1.0).to_string() y=y.to_string() width=(step - 2.0).max(1.0).to_string() height=height.to_string() rx="1.5"></rect>
                    {shown
                        .then(|| {
                            view! { <text class="bar-count" x=(x + step / 2.0).to_string() y=(y - 3.0).to_string() text-anchor="middle">{format::short_count(bar.traces)}</text> }
                        })}
                    {labelled
                        .then(|| {
                            view! { <text class="bar-label" x=(x + 1.0).to_string() y=(ABOVE + HEIGHT + 12.0).to_string()>{format::short_count(bar.from)}</text> }
                        })}
                </g>
            }
        })
        .collect_view();
    view! {
        <figure class="plot">
            <figcaption>{title}</figcaption>
            {if bars.is_empty() {
                view! { <p class="filter-none">"Nothing to count."</p> }.into_any()
            } else {
                view! {
                    <svg class="histogram" viewBox=format!("0 0 {WIDTH} {}", ABOVE + HEIGHT + 16.0) role="group" aria-label=format!("Traces by {}", title.to_lowercase())>
                        {drawn}
                        <line class="axis" x1="0" x2=WIDTH.to_string() y1=(ABOVE + HEIGHT).to_string() y2=(ABOVE + HEIGHT).to_string()></line>
                    </svg>
                }
                    .into_any()
            }}
        </figure>
    }
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
