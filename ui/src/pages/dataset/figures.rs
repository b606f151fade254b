//! A dataset in numbers: totals, histograms, what is shared, what is left out, warnings, what training takes.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{DatasetPreview, DatasetWarning, LeftOut, RowBar, SplitTotals, TrainingEstimate, TrieTotals};

use super::words::{long_time, memory, percent, share, times, together, trace_of_row};
use crate::components::{Histogram, HistogramBar, Icon, IconName};
use crate::state::format;

/// What a person does with a row that a warning names.
#[derive(Clone, Copy)]
pub(super) struct RowLinks {
    /// Shows a row, by its id.
    pub(super) open: Callback<String>,
    /// Shows all rows with a warning; where there is a table of them.
    pub(super) all: Option<Callback<tw_artifact::DatasetWarningKind>>,
}

/// The totals, as tiles in a row.
#[component]
pub(super) fn Totals(
    /// The figures.
    #[prop(into)]
    figures: Signal<Arc<DatasetPreview>>,
) -> impl IntoView {
    let tiles = move || {
        figures.with(|figures| {
            let all = together(figures.train, figures.validation);
            let about = if figures.estimated { "≈ " } else { "" };
            let parts = |of: fn(&SplitTotals) -> u64| {
                (figures.validation.rows > 0).then(|| {
                    format!(
                        "{} train · {} validation",
                        format::short_count(of(&figures.train)),
                        format::short_count(of(&figures.validation))
                    )
                })
            };
            let pairs = (all.preferences > 0).then(|| format!("and {}", format::counted(all.preferences, "pair")));
            let saved = figures.trie.saved_percent();
            let row_note = [parts(|it| u64::from(it.rows)), pairs].into_iter().flatten().collect::<Vec<_>>().join(", ");
            view! {
                <Tile name="Traces" value=format::count(all.traces) note=parts(|it| u64::from(it.traces)).unwrap_or_default()/>
                <Tile
                    name="Rows"
                    value=format::count(all.rows)
                    note=row_note
                    testid="total-rows"
                />
                <Tile name="Tokens" value=format!("{about}{}", format::short_count(all.tokens)) exact=format!("{about}{}", format::counted(all.tokens, "token")) note=parts(|it| it.tokens).unwrap_or_default() testid="total-tokens"/>
                <Tile
                    name="Trained"
                    value=percent(all.trained_tokens, all.tokens)
                    exact=format!("{about}{} of {}", format::count(all.trained_tokens), format::counted(all.tokens, "token"))
                    note=format!("{about}{}", format::counted_short(all.trained_tokens, "token"))
                    bar=share(all.trained_tokens, all.tokens)
                    testid="total-trained"
                />
                <Tile name="Longest row" value=format!("{about}{}", format::short_count(figures.longest)) exact=format::counted(figures.longest, "token") note="tokens"/>
                {(saved > 100)
                    .then(|| {
                        view! {
                            <Tile
                                name="Shared beginnings"
                                value=format!("{}× less", times(saved))
                                exact=format!(
                                    "{} row by row, {} when every shared beginning is computed once",
                                    format::counted(figures.trie.tokens, "token"),
                                    format::count(figures.trie.nodes)
                                )
                                note="to compute"
                            />
                        }
                    })}
            }
        })
    };
    view! { <div class="tiles" data-testid="totals">{tiles}</div> }
}

#[component]
fn Tile(
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(optional, into)] exact: Option<String>,
    #[prop(optional, into)] note: String,
    #[prop(optional)] bar: Option<f64>,
    #[prop(optional)] testid: &'static str,
) -> impl IntoView {
    view! {
        <div class="tile" title=exact data-testid=testid>
            <span class="tile-name">{name}</span>
            <span class="tile-value">{value}</span>
            {bar
                .map(|bar| {
                    view! { <span class="trained-bar" aria-hidden="true"><span style:width=format!("{:.1}%", bar * 100.0)></span></span> }
                })}
            <span class="tile-note">{note}</span>
        </div>
    }
}

/// Rows by tokens and by trained tokens.
#[component]
pub(super) fn Histograms(
    /// The figures.
    #[prop(into)]
    figures: Signal<Arc<DatasetPreview>>,
    /// Most tokens of a row, to be marked.
    #[prop(into)]
    limit: Signal<Option<u32>>,
    /// Called with the smallest and the largest number of tokens of a bar.
    #[prop(optional, into)]
    on_tokens: Option<Callback<(u32, u32)>>,
) -> impl IntoView {
    let tokens = Memo::new(move |_| figures.with(|figures| figures.tokens.clone()));
    let trained = Memo::new(move |_| figures.with(|figures| figures.trained_tokens.clone()));
    move || {
        let mark = limit.get().map(|limit| (limit, format!("The limit: {}", format::counted(limit, "token"))));
        let bars = tokens.get();
        let edges: Vec<(u32, u32)> = bars.iter().map(|bar| (bar.from, bar.to.saturating_sub(1))).collect();
        let pick = on_tokens.map(|on_tokens| {
            Callback::new(move |place: usize| {
                if let Some(edges) = edges.get(place) {
                    on_tokens.run(*edges);
                }
            })
        });
        let drawn = drawn(&bars, "token");
        let first = match pick {
            Some(pick) => {
                view! { <Histogram title="Rows by tokens" label="Rows by tokens" bars=drawn mark on_pick=pick testid="tokens-bar"/> }.into_any()
            }
            None => view! { <Histogram title="Rows by tokens" label="Rows by tokens" bars=drawn mark testid="tokens-bar"/> }.into_any(),
        };
        view! {
            {first}
            <Histogram title="Rows by trained tokens" label="Rows by trained tokens" bars=self::drawn(&trained.get(), "trained token") mark=None testid="trained-bar"/>
        }
    }
}

fn drawn(bars: &[RowBar], unit: &str) -> Vec<HistogramBar> {
    bars.iter()
        .map(|bar| {
            let range = if bar.to <= bar.from + 1 {
                format::counted(bar.from, unit)
            } else {
                format!("{} to {}", format::count(bar.from), format::counted(bar.to - 1, unit))
            };
            let words = format!("{} with {range}", format::counted(bar.rows, "row"));
            HistogramBar { from: bar.from, to: bar.to, count: bar.rows, words }
        })
        .collect()
}

/// Warnings by kind, each with the first rows that it is about; what leaves rows out stands first.
#[component]
pub(super) fn Warnings(
    /// The figures.
    #[prop(into)]
    figures: Signal<Arc<DatasetPreview>>,
    /// Where rows lead to.
    links: RowLinks,
) -> impl IntoView {
    let warnings = Memo::new(move |_| figures.with(|figures| figures.warnings.clone()));
    view! {
        <Show when=move || warnings.with(|warnings| !warnings.is_empty())>
            <section class="warnings" aria-label="Warnings" data-testid="dataset-warnings">
                <For each=move || warnings.get() key=|warning| (warning.kind, warning.rows, warning.text.clone()) children=move |warning| view! { <Warning warning links/> }/>
            </section>
        </Show>
    }
}

#[component]
fn Warning(warning: DatasetWarning, links: RowLinks) -> impl IntoView {
    let open = RwSignal::new(false);
    let kind = warning.kind;
    let (icon, class) = if kind.leaves_out() {
        (IconName::Exclude, "warning-group leaves-out")
    } else {
        (IconName::Warning, "warning-group")
    };
    let shown = u32::try_from(warning.examples.len()).unwrap_or(u32::MAX);
    let more = warning.rows.saturating_sub(shown);
    let examples = StoredValue::new(warning.examples);
    let rows = move || {
        examples
            .get_value()
            .into_iter()
            .map(|id| {
                let own = id.clone();
                let (trace, end) = trace_of_row(&id);
                let mut short: String = trace.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
                if let Some(end) = end {
                    short.push_str(&format!(" · {}", format::counted(end, "message")));
                }
                view! {
                    <button type="button" class="row-link mono" title=id.clone() data-testid="warning-row" on:click=move |_| links.open.run(own.clone())>
                        {short}
                    </button>
                }
            })
            .collect_view()
    };
    view! {
        <div class=class data-testid="warning-group">
            <button type="button" class="warning-head" aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                <span class="chevron"></span>
                <Icon name=icon/>
                <span class="warning-label">{kind.label()}</span>
                <span class="warning-count">{format::counted(warning.rows, "row")}</span>
            </button>
            <Show when=move || open.get()>
                <div class="warning-body">
                    {(!warning.text.is_empty()).then(|| view! { <p dir="auto">{warning.text.clone()}</p> })}
                    <div class="row-links">
                        {rows}
                        {(more > 0 && links.all.is_none()).then(|| view! { <small>"and " {format::count(more)} " more"</small> })}
                        {links
                            .all
                            .map(|all| {
                                view! { <button type="button" class="link-button" data-testid="warning-all" on:click=move |_| all.run(kind)>"Show all in the table"</button> }
                            })}
                    </div>
                </div>
            </Show>
        </div>
    }
}

/// Traces that did not become rows.
#[component]
pub(super) fn LeftOuts(
    /// By reason.
    left_out: Vec<LeftOut>,
) -> impl IntoView {
    (!left_out.is_empty()).then(|| {
        view! {
            <ul class="left-out" data-testid="left-out">
                {left_out
                    .into_iter()
                    .map(|it| view! { <li><b>{format::counted(it.traces, "trace")}</b><span dir="auto">{it.reason}</span></li> })
                    .collect_view()}
            </ul>
        }
    })
}

/// About how long training takes, and how much memory; with what was assumed.
#[component]
pub(super) fn Estimates(
    /// By device.
    estimates: Vec<TrainingEstimate>,
    /// Tokens with and without shared beginnings.
    trie: TrieTotals,
) -> impl IntoView {
    if estimates.is_empty() {
        return ().into_any();
    }
    let mut assumptions: Vec<String> = Vec::new();
    for estimate in &estimates {
        for assumption in &estimate.assumptions {
            if !assumptions.contains(assumption) {
                assumptions.push(assumption.clone());
            }
        }
    }
    let rows = estimates
        .into_iter()
        .map(|estimate| {
            view! {
                <tr>
                    <th scope="row" dir="auto">{estimate.device}</th>
                    <td>{long_time(estimate.secs_by_rows)}</td>
                    <td>{long_time(estimate.secs_by_trie)}</td>
                    <td>{memory(estimate.memory_mib)}</td>
                </tr>
            }
        })
        .collect_view();
    let kept = share(trie.nodes, trie.tokens) * 100.0;
    view! {
        <figure class="plot estimates" data-testid="estimates">
            <figcaption>"Training, one pass over the rows"</figcaption>
            {(trie.tokens > 0)
                .then(|| {
                    view! {
                        <div class="shared-line" title="Rows of one trace begin alike; a trainer that knows computes each beginning once">
                            <span class="shared-bar" aria-hidden="true"><span style:width=format!("{kept:.1}%")></span></span>
                            <span>{format::counted_short(trie.nodes, "token")} " of " {format::short_count(trie.tokens)} " to compute"</span>
                        </div>
                    }
                })}
            <table>
                <thead>
                    <tr><th scope="col">"Device"</th><th scope="col">"Row by row"</th><th scope="col">"Shared once"</th><th scope="col">"Memory"</th></tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <details>
                <summary>"What is assumed"</summary>
                <ul>{assumptions.into_iter().map(|it| view! { <li dir="auto">{it}</li> }).collect_view()}</ul>
            </details>
        </figure>
    }
    .into_any()
}
