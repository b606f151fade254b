//! One trace: head and tabs.

use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{RunState, Trace};
use tw_contract::{ApiError, Event, EventBody, IdRequest};

use super::actions::use_trace_actions;
use super::conversation::Conversation;
use super::raw::RawJson;
use super::run_info::RunInfo;
use super::steps::Steps;
use super::tools::Tools;
use crate::backend::{Tail, use_api, use_events};
use crate::components::turn::TurnPage;
use crate::components::{
    Button, ButtonKind, ErrorBox, IconButton, IconName, Menu, MenuItem, RelativeTime, Skeleton, StateBadge, Tab, Tabs,
    Tokens, Tone, state_tone, write_clipboard,
};
use crate::state::format;
use crate::state::keys::{Action, use_action};

/// A running trace is fetched again at most so often.
const SETTLE: Duration = Duration::from_millis(600);

/// What the reader shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The messages as cards.
    Conversation,
    /// What is kept of each answer.
    Steps,
    /// What the model was told of.
    Tools,
    /// The file.
    Raw,
    /// What it was made with.
    Run,
}

/// The reader of one trace.
#[component]
pub(super) fn Reader(
    id: String,
    /// What it shows; stays while the person goes from trace to trace.
    view_of: RwSignal<View>,
) -> impl IntoView {
    let page = TurnPage::provide(id.clone(), None);
    let trace = RwSignal::new(None::<Result<Arc<Trace>, ApiError>>);
    let api = StoredValue::new(use_api());
    let id = StoredValue::new(id);
    let fetch = Callback::new(move |()| {
        let request = IdRequest { id: id.get_value() };
        let api = api.get_value();
        spawn_local(async move {
            let answer = api.trace_get(request).await.map(Arc::new);
            // A later failure does not take away what is there to read.
            let keep = answer.is_err() && trace.try_with_untracked(|had| matches!(had, Some(Ok(_)))) == Some(true);
            if !keep {
                trace.try_set(Some(answer));
            }
        });
    });
    fetch.run(());
    follow_changes(id, fetch);
    use_action(
        Action::new("reasoning-all", "Reader", "Open or fold all reasoning", move || page.folds.toggle_all())
            .keys("KeyO"),
    );
    let known = Memo::new(move |_| trace.with(|trace| trace.as_ref()?.as_ref().ok().cloned()));
    view! {
        <section class="reader" aria-label="Trace" data-testid="trace-reader">
            {move || match trace.with(|trace| trace.as_ref().map(|it| it.as_ref().map(|_| ()).map_err(Clone::clone))) {
                None => Some(view! { <Skeleton lines=8/> }.into_any()),
                Some(Err(error)) => {
                    let actions = use_trace_actions();
                    Some(
                        view! {
                            <div class="page-error">
                                <ErrorBox error on_retry=fetch on_close=move |()| actions.open("")/>
                            </div>
                        }
                            .into_any(),
                    )
                }
                Some(Ok(())) => None,
            }}
            <Show when=move || known.with(Option::is_some)>
                <ReaderBody trace=Signal::derive(move || known.get().unwrap_or_else(|| Arc::new(empty(&id.read_value())))) view_of page/>
            </Show>
        </section>
    }
}

/// A trace of which nothing is known: never shown, only asked for while the reader is being taken away.
fn empty(id: &str) -> Trace {
    Trace {
        summary: tw_artifact::TraceSummary { id: id.to_owned(), ..Default::default() },
        settings: None,
        messages: Vec::new(),
        tools: Vec::new(),
        steps: Vec::new(),
        calls: Vec::new(),
        ending: None,
    }
}

/// Fetches again when the trace changed, a run's many events together.
fn follow_changes(id: StoredValue<String>, fetch: Callback<()>) {
    let planned = RwSignal::new(false);
    let soon = move || {
        if planned.try_get_untracked() == Some(false) {
            planned.set(true);
            set_timeout(
                move || {
                    if planned.try_set(false).is_none() {
                        fetch.run(());
                    }
                },
                SETTLE,
            );
        }
    };
    use_events().listen(Event::TRACES, move |tail| match tail {
        Tail::Event(event) => match &event.body {
            EventBody::TraceChanged { trace_id } | EventBody::RunState { trace_id, .. }
                if *trace_id == *id.read_value() =>
            {
                soon();
            }
            _ => {}
        },
        Tail::Gap => soon(),
    });
    use_events().listen(Event::run_topic(&id.read_value()), move |tail| match tail {
        Tail::Event(event) => {
            if matches!(
                event.body,
                EventBody::MessageSaved { .. }
                    | EventBody::MessageAmended { .. }
                    | EventBody::CallChanged { .. }
                    | EventBody::ToolsReady { .. }
            ) {
                soon();
            }
        }
        Tail::Gap => {}
    });
}

#[component]
fn ReaderBody(trace: Signal<Arc<Trace>>, view_of: RwSignal<View>, page: TurnPage) -> impl IntoView {
    let numbers = Memo::new(move |_| trace.with(|trace| (trace.messages.len(), trace.steps.len(), trace.tools.len())));
    let tabs = Signal::derive(move || {
        let (messages, steps, tools) = numbers.get();
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        vec![
            Tab::new(View::Conversation, "Conversation", "tab-conversation").count(count(messages)),
            Tab::new(View::Steps, "Steps", "tab-steps").count(count(steps)),
            Tab::new(View::Tools, "Tools", "tab-tools").count(count(tools)),
            Tab::new(View::Raw, "Raw JSON", "tab-raw"),
            Tab::new(View::Run, "Run", "tab-run"),
        ]
    });
    view! {
        <Head trace/>
        <div class="reader-tabs">
            <Tabs label="Parts of the trace" tabs value=view_of/>
            <Show when=move || view_of.get() == View::Conversation>
                <Button
                    kind=ButtonKind::Quiet
                    icon=IconName::Reasoning
                    label=Signal::derive(move || {
                        if page.folds.is_open() { "Fold all reasoning" } else { "Open all reasoning" }.to_owned()
                    })
                    on_click=move |()| page.folds.toggle_all()
                    testid="reasoning-all"
                />
            </Show>
        </div>
        <div class="reader-body">
            {move || match view_of.get() {
                View::Conversation => view! { <Conversation trace/> }.into_any(),
                View::Steps => view! { <Steps trace/> }.into_any(),
                View::Tools => view! { <Tools trace/> }.into_any(),
                View::Raw => view! { <RawJson trace/> }.into_any(),
                View::Run => view! { <RunInfo trace/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Head(trace: Signal<Arc<Trace>>) -> impl IntoView {
    let actions = use_trace_actions();
    let id = StoredValue::new(trace.with_untracked(|trace| trace.summary.id.clone()));
    let state = Signal::derive(move || trace.with(|trace| trace.summary.state));
    let own_run = Memo::new(move |_| trace.with(|trace| trace.settings.is_some()));
    let go_on = move || {
        own_run.get().then(|| {
            let (label, kind) = match state.get() {
                RunState::Queued | RunState::Running | RunState::Waiting => ("Watch in Collect", ButtonKind::Plain),
                RunState::Done => ("Continue", ButtonKind::Plain),
                _ => ("Continue", ButtonKind::Primary),
            };
            view! { <Button kind icon=IconName::Continue label on_click=move |()| actions.go_on(&id.read_value()) testid="continue-trace"/> }
        })
    };
    let menu = vec![
        MenuItem::new("Copy the trace's id", move || {
            let id = id.get_value();
            spawn_local(async move {
                // The id is also in the address: nothing is lost when it cannot be copied.
                write_clipboard(&id).await;
            });
        })
        .icon(IconName::Copy),
        MenuItem::new("Delete", move || actions.to_delete.set(vec![id.get_value()]))
            .icon(IconName::Trash)
            .danger()
            .testid("delete-trace"),
    ];
    let facts = move || {
        let trace = trace.get();
        let summary = &trace.summary;
        let worked: u64 = trace.steps.iter().map(|step| step.duration_ms).sum::<u64>()
            + trace.calls.iter().filter_map(|call| call.duration_ms).sum::<u64>();
        let endpoint =
            trace.settings.as_ref().map(|settings| (settings.endpoint_name.clone(), settings.base_url.clone()));
        let servers = trace
            .settings
            .as_ref()
            .map(|settings| settings.servers.iter().map(|server| server.name.clone()).collect::<Vec<_>>().join(", "));
        let sample = trace.settings.as_ref().map(|settings| settings.sample).filter(|(_, of)| *of > 1);
        view! {
            <span dir="auto" title="Model">{summary.model.clone()}</span>
            {endpoint.map(|(name, url)| view! { <span dir="auto" title=url>"@ " {name}</span> })}
            {servers.filter(|it| !it.is_empty()).map(|names| view! { <span dir="auto" title="Servers">{names}</span> })}
            <span>{format::counted(summary.steps, "step")}</span>
            <span><Tokens count=summary.tokens/></span>
            {(worked > 0).then(|| view! { <span title="Time that the endpoint and the servers took">{format::duration(worked)}</span> })}
            {sample.map(|(this, of)| view! { <span>{format!("sample {this} of {of}")}</span> })}
            <span><RelativeTime at_ms=summary.created_at_ms/></span>
        }
    };
    let ending = move || {
        let words = trace.with(|trace| trace.ending.clone()).filter(|words| !words.is_empty())?;
        let class = if state_tone(state.get()) == Tone::Bad { "reader-ending tone-bad" } else { "reader-ending" };
        Some(view! { <p class=class dir="auto" data-testid="trace-ending">{words}</p> })
    };
    view! {
        <header class="reader-head">
            <div class="reader-title">
                <h2 dir="auto">
                    {move || {
                        let title = trace.with(|trace| trace.summary.title.clone());
                        if title.is_empty() { "Without a title".to_owned() } else { title }
                    }}
                </h2>
                <div class="reader-actions">
                    {go_on}
                    <Button icon=IconName::Export label="Export" title="Write the trace as a file into the workspace" on_click=move |()| actions.export(vec![id.get_value()]) testid="export-trace"/>
                    <Menu label="More" items=menu testid="trace-menu"/>
                    <IconButton icon=IconName::Close label="Close the reader" on_click=move |()| actions.open("") testid="close-reader"/>
                </div>
            </div>
            <div class="reader-facts">
                <StateBadge state/>
                {facts}
            </div>
            {ending}
        </header>
    }
}
