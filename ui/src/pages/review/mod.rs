//! Traces: find, read, take out. Correcting them comes with the review of whole collections.

mod actions;
mod browser;
mod conversation;
mod list;
mod raw;
mod reader;
mod run_info;
mod steps;
mod tools;

use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use tw_artifact::RunState;
use tw_contract::Event;

use crate::backend::use_events;
use crate::components::{Confirm, Dialog, ListHandle, Split};
use crate::state::format;
use crate::state::keys::{Action, use_action};
use actions::TraceActions;
use browser::Browser;
use list::TraceList;
use reader::{Reader, View};

/// The page, at `/traces` and `/traces/<trace id>`.
#[component]
pub(crate) fn TracesPage() -> impl IntoView {
    let browser = Browser::new();
    let actions = TraceActions::provide(browser);
    use_events().listen(Event::TRACES, move |_| browser.refresh());
    follow_address(browser);
    let params = use_params_map();
    let open = Memo::new(move |_| params.with(|params| params.get("id")).filter(|id| !id.is_empty()));
    let list_handle = ListHandle::new();
    let file_input = NodeRef::<html::Input>::new();
    offer_actions(browser, actions, open, list_handle, file_input);
    let view_of = RwSignal::new(View::Conversation);
    let dragged = RwSignal::new(0_i32);
    let has_files = |event: &web_sys::DragEvent| {
        event.data_transfer().is_some_and(|data| data.types().includes(&"Files".into(), 0))
    };
    view! {
        <div
            class="traces"
            data-testid="traces-page"
            on:dragenter=move |event| {
                if has_files(&event) {
                    event.prevent_default();
                    dragged.update(|n| *n += 1);
                }
            }
            on:dragover=move |event| {
                if has_files(&event) {
                    event.prevent_default();
                }
            }
            on:dragleave=move |_| dragged.update(|n| *n = (*n - 1).max(0))
            on:drop=move |event| {
                dragged.set(0);
                if let Some(files) = event.data_transfer().and_then(|data| data.files()) {
                    event.prevent_default();
                    actions.import(&files);
                }
            }
        >
            <input
                node_ref=file_input
                class="file-input"
                type="file"
                multiple=true
                accept=".json,application/json"
                tabindex="-1"
                aria-label="Trace files"
                data-testid="import-files"
                on:change:target=move |event| {
                    if let Some(files) = event.target().files() {
                        actions.import(&files);
                    }
                    // The same file can be chosen again.
                    event.target().set_value("");
                }
            />
            <Split
                key="traces-split"
                first_share=0.36
                min_px=320.0
                first_only=Signal::derive(move || open.with(Option::is_none))
                first=move || view! { <TraceList browser open handle=list_handle file_input/> }
                second=move || view! { <ReaderPlace open view_of/> }
            />
            {move || (dragged.get() > 0).then(|| view! { <div class="drop-here">"Drop trace files to import them"</div> })}
            <Questions open/>
        </div>
    }
}

/// The reader, made anew for each trace.
#[component]
fn ReaderPlace(open: Memo<Option<String>>, view_of: RwSignal<View>) -> impl IntoView {
    move || open.get().map(|id| view! { <Reader id view_of/> })
}

/// The question before a deletion, and the list of files that could not be read.
#[component]
fn Questions(open: Memo<Option<String>>) -> impl IntoView {
    let actions = actions::use_trace_actions();
    let asks = RwSignal::new(false);
    let tells = RwSignal::new(false);
    Effect::new(move |_| asks.set(actions.to_delete.with(|ids| !ids.is_empty())));
    Effect::new(move |_| tells.set(actions.refused.with(|refused| !refused.is_empty())));
    let title = move || match actions.to_delete.with(Vec::len) {
        0 | 1 => "Delete this trace?".to_owned(),
        many => format!("Delete {} traces?", format::count(many as u64)),
    };
    view! {
        <Confirm
            open=asks
            title=Signal::derive(title)
            text="Messages, outputs and images are removed from the workspace. Nothing brings them back; export first what may be needed again."
            action="Delete"
            on_confirm=move |()| actions.delete(open.get_untracked())
        />
        <Dialog open=tells title="Some files were not imported" testid="import-refused">
            <dl class="refusals">
                {move || {
                    actions
                        .refused
                        .get()
                        .into_iter()
                        .map(|refusal| view! { <div><dt dir="auto">{refusal.name}</dt><dd dir="auto">{refusal.reason}</dd></div> })
                        .collect_view()
                }}
            </dl>
        </Dialog>
    }
}

/// `?state=interrupted` and `?batch=<id>` in the address narrow the list.
fn follow_address(browser: Browser) {
    let query = use_query_map();
    Effect::new(move |_| {
        let (state, batch) = query.with(|query| (query.get("state"), query.get("batch")));
        let state = state.and_then(|name| STATES.into_iter().find(|state| state.as_str() == name));
        if state.is_some() {
            browser.state.set(state);
        }
        if batch.is_some() {
            browser.batch.set(batch);
        }
    });
}

/// The states a filter offers.
const STATES: [RunState; 8] = [
    RunState::Done,
    RunState::Running,
    RunState::Waiting,
    RunState::Queued,
    RunState::Interrupted,
    RunState::Stopped,
    RunState::Limit,
    RunState::Failed,
];

fn offer_actions(
    browser: Browser,
    actions: TraceActions,
    open: Memo<Option<String>>,
    handle: ListHandle,
    file_input: NodeRef<html::Input>,
) {
    let reading = Memo::new(move |_| open.with(Option::is_some));
    let listing = Signal::derive(move || !reading.get());
    let step = move |by: isize| {
        let length = browser.traces.with_untracked(Vec::len);
        if length == 0 {
            return None;
        }
        let now = browser.at.get_untracked();
        let next = now.saturating_add_signed(by).min(length - 1);
        browser.at.set(next);
        handle.show(next);
        browser.traces.with_untracked(|traces| traces.get(next).map(|trace| trace.id.clone()))
    };
    let here = move || {
        open.get_untracked().or_else(|| {
            browser.traces.with_untracked(|traces| traces.get(browser.at.get_untracked()).map(|trace| trace.id.clone()))
        })
    };
    let targets = move || {
        let picked: Vec<String> = browser.picked.with_untracked(|picked| picked.iter().cloned().collect());
        if picked.is_empty() { here().into_iter().collect() } else { picked }
    };
    let open_next = move |by: isize| {
        if let Some(id) = step(by) {
            actions.open(&id);
        }
    };
    let offer = |action: Action| use_action(action);
    offer(
        Action::new("traces-next", "Traces", "Next trace", move || drop(step(1))).keys("KeyJ").when(listing).unlisted(),
    );
    offer(
        Action::new("traces-previous", "Traces", "Previous trace", move || drop(step(-1)))
            .keys("KeyK")
            .when(listing)
            .unlisted(),
    );
    offer(
        Action::new("traces-open", "Traces", "Open the trace", move || {
            if let Some(id) = here() {
                actions.open(&id);
            }
        })
        .keys("Enter")
        .when(listing)
        .unlisted(),
    );
    offer(
        Action::new("traces-read-next", "Traces", "Read the next trace", move || open_next(1))
            .keys("BracketRight")
            .when(reading),
    );
    offer(
        Action::new("traces-read-previous", "Traces", "Read the previous trace", move || open_next(-1))
            .keys("BracketLeft")
            .when(reading),
    );
    offer(
        Action::new("traces-close", "Traces", "Close the reader", move || actions.open(""))
            .keys("Escape")
            .when(reading),
    );
    offer(
        Action::new("traces-pick", "Traces", "Pick the trace for export or deletion", move || {
            if let Some(id) = here() {
                browser.picked.update(|picked| {
                    if !picked.remove(&id) {
                        picked.insert(id);
                    }
                });
            }
        })
        .keys("KeyX"),
    );
    offer(
        Action::new("traces-search", "Traces", "Search in all traces", move || {
            if let Ok(Some(input)) = document().query_selector("[data-testid=traces-search]") {
                use wasm_bindgen::JsCast;
                if let Ok(input) = input.dyn_into::<web_sys::HtmlElement>() {
                    input.focus().unwrap_or_default();
                }
            }
        })
        .keys("Slash"),
    );
    offer(Action::new("traces-import", "Traces", "Import trace files", move || {
        if let Some(input) = file_input.get_untracked() {
            input.click();
        }
    }));
    let any = Signal::derive(move || reading.get() || browser.traces.with(|traces| !traces.is_empty()));
    offer(Action::new("traces-export", "Traces", "Export", move || actions.export(targets())).keys("KeyE").when(any));
    offer(
        Action::new("traces-delete", "Traces", "Delete", move || actions.to_delete.set(targets()))
            .keys("Delete")
            .when(any),
    );
}
