//! The manifest of a version: its files, the settings, the traces at the revisions it was built of.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::components::A;
use tw_artifact::{DatasetPlan, DatasetPush, SourceTrace, TraceChoice};
use tw_contract::DatasetView;

use super::use_pushes;
use crate::components::{CopyButton, VirtualList};
use crate::state::format;

/// What the version was built of and with.
#[component]
pub(super) fn Facts(dataset: StoredValue<Arc<DatasetView>>) -> impl IntoView {
    let stored = dataset;
    let dataset = dataset.get_value();
    let version = &dataset.version;
    let whole = version.id.clone();
    let folder = dataset.folder.clone();
    let model = version.model.clone();
    let files = dataset
        .files
        .iter()
        .map(|file| {
            let hash = file.sha256.clone();
            view! {
                <tr>
                    <th scope="row" class="mono">{file.name.clone()}</th>
                    <td>{format::count(file.rows)}</td>
                    <td title=format!("{} bytes", format::count(file.bytes))>{format::bytes(file.bytes)}</td>
                    <td><div class="hash"><span class="mono" title=file.sha256.clone()>{file.sha256.clone()}</span><CopyButton text=move |()| hash.clone() label="Copy the checksum"/></div></td>
                </tr>
            }
        })
        .collect_view();
    let settings = settings(&dataset.plan)
        .into_iter()
        .map(|(name, value)| view! { <dt>{name}</dt><dd dir="auto">{value}</dd> })
        .collect_view();
    let sources = dataset.sources.iter().cloned().map(Arc::new).collect::<Vec<_>>();
    let count = sources.len();
    view! {
        <div class="manifest" data-testid="manifest">
            <div class="manifest-scroll">
                <section>
                    <h3>"Version"</h3>
                    <dl class="facts-list">
                        <dt>"Id"</dt>
                        <dd><span class="mono">{version.id.clone()}</span> " " <CopyButton text=move |()| whole.clone() label="Copy the id"/></dd>
                        <dt>"Folder"</dt>
                        <dd><span class="mono" dir="auto">{dataset.folder.clone()}</span> " " <CopyButton text=move |()| folder.clone() label="Copy the path"/></dd>
                        <dt>"Built"</dt>
                        <dd>{format::absolute(version.built_at_ms)}</dd>
                        {match model {
                            Some(model) => view! {
                                <dt>"Tokenizer"</dt>
                                <dd dir="auto">{model.name}</dd>
                                <dt>"Tokenizer's SHA-256"</dt>
                                <dd class="mono">{model.tokenizer_sha256}</dd>
                                <dt>"Template's SHA-256"</dt>
                                <dd class="mono">{model.template_sha256}</dd>
                            }
                                .into_any(),
                            None => view! { <dt>"Tokenizer"</dt><dd>"None: token counts are estimates."</dd> }.into_any(),
                        }}
                    </dl>
                </section>
                <section>
                    <h3>"Files"</h3>
                    <table class="files-table">
                        <thead><tr><th scope="col">"File"</th><th scope="col">"Rows"</th><th scope="col">"Size"</th><th scope="col">"SHA-256"</th></tr></thead>
                        <tbody>{files}</tbody>
                    </table>
                </section>
                <Pushes dataset=stored/>
                <section>
                    <h3>"Settings"</h3>
                    <dl class="facts-list">{settings}</dl>
                </section>
            </div>
            <section class="manifest-sources" aria-label="Traces">
                <h3>"Built of " {format::counted(count as u64, "trace")}</h3>
                <div class="source-line source-head"><span>"Trace"</span><span>"Revision"</span><span>"Part"</span><span>"Rows"</span></div>
                <VirtualList
                    rows=Signal::stored(sources)
                    key=key_of
                    row=source_line
                    estimate_px=24.0
                    label="Traces it was built of"
                    testid="manifest-sources"
                />
            </section>
        </div>
    }
}

/// Every push of it, with a link to what was pushed.
#[component]
fn Pushes(dataset: StoredValue<Arc<DatasetView>>) -> impl IntoView {
    let pushes = use_pushes(dataset);
    let line = |push: DatasetPush| {
        let short = push.commit.chars().take(8).collect::<String>();
        let url = push.url.clone();
        view! {
            <tr data-testid="push-line">
                <th scope="row" dir="auto">{push.repo}</th>
                <td class="mono" title=push.commit>{short}</td>
                <td>{format::absolute(push.at_ms)}</td>
                <td><div class="hash"><span class="mono" title=push.url.clone()>{push.url.clone()}</span><CopyButton text=move |()| url.clone() label="Copy the link"/></div></td>
            </tr>
        }
    };
    move || {
        let lines = pushes.get();
        (!lines.is_empty()).then(|| view! {
            <section>
                <h3>"Pushed to"</h3>
                <table class="files-table">
                    <thead><tr><th scope="col">"Repository"</th><th scope="col">"Commit"</th><th scope="col">"When"</th><th scope="col">"Link"</th></tr></thead>
                    <tbody>{lines.into_iter().map(line).collect_view()}</tbody>
                </table>
            </section>
        })
    }
}

fn key_of(source: &Arc<SourceTrace>) -> String {
    source.id.clone()
}

fn source_line(source: Signal<Arc<SourceTrace>>) -> impl IntoView {
    let source = source.get_untracked();
    let revision = if source.revision == 0 { "captured".to_owned() } else { format::count(source.revision) };
    let rows = format::count(source.rows);
    let part = source.split.as_str();
    let id = source.id.clone();
    view! {
        <div class="source-line">
            <A href=format!("/review/{}", source.id) attr:class="mono" attr:title="Open the trace in Review">{id}</A>
            <span>{revision}</span>
            <span class="part" data-split=part>{part}</span>
            <span>{rows}</span>
        </div>
    }
}

/// A plan, in words.
fn settings(plan: &DatasetPlan) -> Vec<(&'static str, String)> {
    let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let traces = match &plan.traces {
        TraceChoice::Query(query) if query.trim().is_empty() => "all".to_owned(),
        TraceChoice::Query(query) => query.clone(),
        TraceChoice::Ids(ids) => format!("{} chosen one by one", format::counted(ids.len() as u64, "trace")),
    };
    let limit = match plan.max_tokens {
        Some(tokens) => {
            format!("{}; longer rows: {}", format::counted(tokens, "token"), plan.over_limit.label().to_lowercase())
        }
        None => "none".to_owned(),
    };
    let mut parts = format!("{:.0} %, seed {}", plan.validation_fraction * 100.0, plan.seed);
    if !plan.by_hand.is_empty() {
        parts.push_str(&format!(", {} by hand", format::counted(plan.by_hand.len() as u64, "trace")));
    }
    vec![
        ("Traces", traces),
        ("Only accepted", yes(plan.accepted_only)),
        ("A row for", plan.unroll.label().to_lowercase()),
        ("Train on", plan.train.label().to_lowercase()),
        ("Limit", limit),
        ("Validation", parts),
        ("Duplicates removed", yes(plan.dedupe)),
        ("Steering prompts left out", yes(plan.drop_steering)),
        ("Line breaks of servers taken away", yes(plan.normalise)),
        ("Kept-out messages left out", yes(plan.honour_keep_out)),
        ("Preference pairs", yes(plan.preferences)),
        ("Variables of the template", if plan.kwargs.is_null() { "none".to_owned() } else { plan.kwargs.to_text() }),
    ]
}
