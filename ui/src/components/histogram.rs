//! A histogram: how many of something have how much of something else.

use leptos::prelude::*;

use crate::state::format;

/// Width of a histogram, in units of its own.
const WIDTH: f64 = 320.0;
/// Height of its highest bar.
const HEIGHT: f64 = 84.0;
/// Widest bar.
const WIDEST: f64 = 56.0;
/// Room above the bars for their numbers.
const ABOVE: f64 = 14.0;
/// Room below the bars for what they begin at.
const BELOW: f64 = 16.0;

/// One bar: what has at least `from` and less than `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistogramBar {
    /// The smallest value in it.
    pub(crate) from: u32,
    /// The smallest value of the next bar.
    pub(crate) to: u32,
    /// How many.
    pub(crate) count: u32,
    /// What it says, in words, on hover.
    pub(crate) words: String,
}

/// A histogram with its title.
#[component]
pub(crate) fn Histogram(
    /// The title.
    #[prop(into)]
    title: String,
    /// What is counted by what, read aloud.
    #[prop(into)]
    label: String,
    /// The bars, smallest values first.
    bars: Vec<HistogramBar>,
    /// Called with the place of a bar that was chosen; without, bars only tell their number.
    #[prop(optional, into)]
    on_pick: Option<Callback<usize>>,
    /// A value to mark with an upright line, such as a limit, and the words for it.
    #[prop(optional_no_strip, into)]
    mark: Option<(u32, String)>,
    /// For tests: on each bar.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let highest = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    let most = f64::from(highest);
    let count = u32::try_from(bars.len()).unwrap_or(1).max(1);
    let step = (WIDTH / f64::from(count)).min(WIDEST);
    // Numbers stand under every bar, or every second or third where they would touch.
    let every = (34.0 / step).ceil().max(1.0);
    let mut place = 0.0_f64;
    let drawn = bars
        .iter()
        .enumerate()
        .map(|(number, bar)| {
            let height = if bar.count == 0 { 0.0 } else { (f64::from(bar.count) / most * HEIGHT).max(2.0) };
            let (x, y) = (place * step, ABOVE + HEIGHT - height);
            let labelled = place % every < 0.5;
            place += 1.0;
            let words = bar.words.clone();
            let pick = move || {
                if let Some(pick) = on_pick {
                    pick.run(number);
                }
            };
            let shown = bar.count > 0 && (step > 22.0 || bar.count == highest);
            let focusable = if bar.count == 0 || on_pick.is_none() { "-1" } else { "0" };
            view! {
                <g
                    class="plot-bar"
                    role=if on_pick.is_some() { "button" } else { "img" }
                    tabindex=focusable
                    aria-label=words.clone()
                    data-testid=testid
                    on:click=move |_| pick()
                    on:keydown=move |event: leptos::ev::KeyboardEvent| {
                        if matches!(event.code().as_str(), "Enter" | "Space") {
                            event.prevent_default();
                            pick();
                        }
                    }
                >
                    <title>{words.clone()}</title>
                    <rect class="bar-ground" x=x.to_string() y="0" width=step.to_string() height=(ABOVE + HEIGHT + BELOW).to_string()></rect>
                    <rect class="bar-value" x=(x + 1.0).to_string() y=y.to_string() width=(step - 2.0).max(1.0).to_string() height=height.to_string() rx="1.5"></rect>
                    {shown
                        .then(|| {
                            view! { <text class="bar-count" x=(x + step / 2.0).to_string() y=(y - 3.0).to_string() text-anchor="middle">{format::short_count(bar.count)}</text> }
                        })}
                    {labelled
                        .then(|| {
                            view! { <text class="bar-label" x=(x + 1.0).to_string() y=(ABOVE + HEIGHT + 12.0).to_string()>{format::short_count(bar.from)}</text> }
                        })}
                </g>
            }
        })
        .collect_view();
    let line = mark.and_then(|(value, words)| {
        let x = place_of(value, &bars, step)?;
        Some(view! {
            <g class="plot-mark">
                <title>{words}</title>
                <line x1=x.to_string() x2=x.to_string() y1="2" y2=(ABOVE + HEIGHT).to_string()></line>
            </g>
        })
    });
    view! {
        <figure class="plot">
            <figcaption>{title}</figcaption>
            {if bars.is_empty() {
                view! { <p class="filter-none">"Nothing to count."</p> }.into_any()
            } else {
                view! {
                    <svg class="histogram" viewBox=format!("0 0 {WIDTH} {}", ABOVE + HEIGHT + BELOW) role="group" aria-label=label>
                        {drawn}
                        <line class="axis" x1="0" x2=WIDTH.to_string() y1=(ABOVE + HEIGHT).to_string() y2=(ABOVE + HEIGHT).to_string()></line>
                        {line}
                    </svg>
                }
                    .into_any()
            }}
        </figure>
    }
}

/// Where a value stands among the bars, in units of the drawing; `None` beyond them.
fn place_of(value: u32, bars: &[HistogramBar], step: f64) -> Option<f64> {
    let mut x = 0.0;
    for bar in bars {
        if value < bar.to {
            let share = f64::from(value.saturating_sub(bar.from)) / f64::from((bar.to - bar.from).max(1));
            return (value >= bar.from).then_some(x + share * step);
        }
        x += step;
    }
    None
}
