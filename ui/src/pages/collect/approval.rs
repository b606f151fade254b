//! What stands in the card of a call that has no result yet: the question to the person, or how far it is.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{CallPhase, CallRecord, Json, RuleScope, ToolHints};
use tw_contract::{ApiError, CallDecision, DecideRequest, Remember};
use wasm_bindgen::JsCast;

use super::draft::{Draft, use_draft};
use super::run_model::RunModel;
use super::tools::Claims;
use crate::backend::{Api, use_api};
use crate::components::{Button, ButtonKind, ErrorBox, Field, IconName, Kbd, Menu, MenuItem};
use crate::state::clock::now_ms;
use crate::state::format;
use crate::state::keys::{Action, use_action};

/// What a person is doing about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Choosing,
    Editing,
    Rejecting,
}

/// The decisions of a run. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Approvals {
    model: RunModel,
    draft: Draft,
    /// The call that is edited or rejected, and which of the two.
    doing: RwSignal<Option<(String, Doing)>>,
    /// Calls whose decision is under way.
    sent: RwSignal<Option<String>>,
    refused: RwSignal<Option<(String, ApiError)>>,
    api: StoredValue<Api>,
}

impl Approvals {
    /// The decisions of a run, with their keys.
    pub(crate) fn new(model: RunModel) -> Self {
        let approvals = Self {
            model,
            draft: use_draft(),
            doing: RwSignal::new(None),
            sent: RwSignal::new(None),
            refused: RwSignal::new(None),
            api: StoredValue::new(use_api()),
        };
        let waits = Signal::derive(move || model.first_waiting().is_some());
        let offer = |id, title, keys, run: fn(Self, CallRecord)| {
            let act = move || {
                if let Some(call) = approvals.at_hand() {
                    run(approvals, call);
                }
            };
            use_action(Action::new(id, "Approval", title, act).keys(keys).when(waits));
        };
        offer("approval.approve", "Approve the call", "KeyA", |it, call| it.approve(&call, Remember::Once));
        offer("approval.edit", "Edit the call's arguments", "KeyE", |it, call| it.begin(&call, Doing::Editing));
        offer("approval.reject", "Reject the call", "KeyR", |it, call| it.begin(&call, Doing::Rejecting));
        offer("approval.allow-tool", "Allow this tool from now on", "Shift+KeyA", |it, call| {
            it.approve(&call, Remember::Tool);
        });
        approvals
    }

    /// The call whose card has the focus, else the first that waits.
    fn at_hand(self) -> Option<CallRecord> {
        let focused = document()
            .active_element()
            .and_then(|element| element.closest(".call").ok().flatten())
            .and_then(|card| card.get_attribute("data-call"));
        self.model.calls.with_untracked(|calls| {
            let mut waiting = calls.iter().filter(|call| call.phase == CallPhase::Waiting);
            let first = waiting.clone().next();
            waiting.find(|call| Some(&call.call_id) == focused.as_ref()).or(first).cloned()
        })
    }

    fn begin(self, call: &CallRecord, doing: Doing) {
        self.doing.set(Some((call.call_id.clone(), doing)));
    }

    fn approve(self, call: &CallRecord, remember: Remember) {
        if let Some(server_id) = call.server_id.clone() {
            match remember {
                Remember::Once => {}
                Remember::Tool => {
                    let tool = call.server_tool.clone().unwrap_or_else(|| call.tool.clone());
                    self.draft.allow(RuleScope::Tool { server_id, tool });
                }
                Remember::Server => self.draft.allow(RuleScope::Server { server_id }),
            }
        }
        self.decide(&call.call_id, CallDecision::Approve { remember });
    }

    fn decide(self, call_id: &str, decision: CallDecision) {
        // A second press of the key must not decide twice.
        if self.sent.with_untracked(|sent| sent.as_deref() == Some(call_id)) {
            return;
        }
        self.sent.set(Some(call_id.to_owned()));
        self.refused.set(None);
        let api = self.api.get_value();
        let request =
            DecideRequest { trace_id: self.model.trace_id.get_value(), call_id: call_id.to_owned(), decision };
        spawn_local(async move {
            let call_id = request.call_id.clone();
            match api.run_decide(request).await {
                Ok(_) => {
                    self.doing.try_set(None);
                }
                Err(error) => {
                    self.refused.try_set(Some((call_id, error)));
                }
            }
            self.sent.try_set(None);
        });
    }
}

/// What stands between a call's arguments and its result.
#[component]
pub(crate) fn CallSlot(
    /// The call.
    record: CallRecord,
    /// The run's decisions.
    approvals: Approvals,
) -> impl IntoView {
    match record.phase {
        CallPhase::Waiting => view! { <ApprovalCard record approvals/> }.into_any(),
        CallPhase::Running => view! { <RunningCall record model=approvals.model/> }.into_any(),
        CallPhase::Done | CallPhase::Abandoned => ().into_any(),
    }
}

#[component]
fn ApprovalCard(record: CallRecord, approvals: Approvals) -> impl IntoView {
    let id = record.call_id.clone();
    let doing = Memo::new(move |_| {
        let here = approvals.doing.get().filter(|(call, _)| *call == id);
        here.map_or(Doing::Choosing, |(_, doing)| doing)
    });
    let id = record.call_id.clone();
    let busy = Signal::derive(move || approvals.sent.with(|sent| sent.as_deref() == Some(id.as_str())));
    let id = record.call_id.clone();
    let refused = move || approvals.refused.get().filter(|(call, _)| *call == id).map(|(_, error)| error);
    let hints = ToolHints { read_only: record.read_only, destructive: record.destructive, ..ToolHints::default() };
    let asked = record.server_tool.clone().unwrap_or_else(|| record.tool.clone());
    let server = record.server_name.clone();
    let call = StoredValue::new(record);
    view! {
        <div class="approval" role="group" aria-label="Approval" data-testid="approval">
            <div class="approval-head">
                <span class="approval-question">
                    "Run " <strong class="mono" dir="auto">{asked}</strong>
                    {server.map(|server| view! { " of " <strong dir="auto">{server}</strong> })} "?"
                </span>
                <Claims hints/>
            </div>
            {move || match doing.get() {
                Doing::Choosing => view! { <Choosing call approvals busy/> }.into_any(),
                Doing::Editing => view! { <Editing call approvals busy/> }.into_any(),
                Doing::Rejecting => view! { <Rejecting call approvals busy/> }.into_any(),
            }}
            {move || refused().map(|error| view! { <ErrorBox error/> })}
        </div>
    }
}

#[component]
fn Choosing(call: StoredValue<CallRecord>, approvals: Approvals, busy: Signal<bool>) -> impl IntoView {
    let allow_server = move || call.with_value(|call| approvals.approve(call, Remember::Server));
    let items = Signal::derive(move || {
        vec![MenuItem::new("Allow every tool of this server from now on", allow_server).testid("allow-server")]
    });
    let act = move |run: fn(Approvals, &CallRecord)| move |()| call.with_value(|call| run(approvals, call));
    // The keys act on the first call that waits.
    let is_first = Memo::new(move |_| {
        approvals.model.first_waiting().is_some_and(|first| call.with_value(|call| call.call_id == first.call_id))
    });
    let key = move |keys: &'static str| move || is_first.get().then(|| view! { <Kbd keys/> });
    view! {
        <div class="approval-actions">
            <span class="keyed">
                <Button label="Approve" kind=ButtonKind::Primary icon=IconName::Check busy on_click=act(|it, call| it.approve(call, Remember::Once)) testid="approve-call"/>
                {key("KeyA")}
            </span>
            <span class="keyed">
                <Button label="Edit" icon=IconName::Edit disabled=busy on_click=act(|it, call| it.begin(call, Doing::Editing)) testid="edit-call"/>
                {key("KeyE")}
            </span>
            <span class="keyed">
                <Button label="Reject" icon=IconName::Close disabled=busy on_click=act(|it, call| it.begin(call, Doing::Rejecting)) testid="reject-call"/>
                {key("KeyR")}
            </span>
            <span class="keyed">
                <Button label="Allow this tool from now on" kind=ButtonKind::Quiet disabled=busy on_click=act(|it, call| it.approve(call, Remember::Tool)) testid="allow-tool"/>
                {key("Shift+KeyA")}
            </span>
            <Menu label="Allow more" items testid="allow-more"/>
        </div>
    }
}

#[component]
fn Editing(call: StoredValue<CallRecord>, approvals: Approvals, busy: Signal<bool>) -> impl IntoView {
    let text = RwSignal::new(call.with_value(|call| match &call.arguments {
        Json::String(text) => text.clone(),
        other => other.to_pretty(),
    }));
    let read = Memo::new(move |_| text.with(|text| read_arguments(text)));
    let wrong = Signal::derive(move || read.with(|read| read.as_ref().err().cloned()));
    let rows = text.with_untracked(|text| text.lines().count()).clamp(3, 18);
    let send = Callback::new(move |()| {
        if let Ok(arguments) = read.get_untracked() {
            call.with_value(|call| approvals.decide(&call.call_id, CallDecision::Modify { arguments }));
        }
    });
    let node = NodeRef::<html::Textarea>::new();
    focus_soon(node);
    view! {
        <Field label="Arguments" error=wrong hint="The model is told that these ran; what it wrote is kept too." let:id>
            <textarea
                node_ref=node
                id=id
                class="input mono"
                rows=rows.to_string()
                spellcheck="false"
                dir="auto"
                prop:value=text
                aria-invalid=move || wrong.with(Option::is_some).then_some("true")
                data-testid="edit-arguments"
                on:input:target=move |event| text.set(event.target().value())
                on:keydown=move |event| send_or_leave(&event, true, send, approvals)
            ></textarea>
        </Field>
        <div class="approval-actions">
            <span class="keyed">
                <Button label="Run with these" kind=ButtonKind::Primary busy disabled=Signal::derive(move || wrong.with(Option::is_some)) on_click=send testid="edit-send"/>
                <Kbd keys="Mod+Enter"/>
            </span>
            <Button label="Back" on_click=move |()| approvals.doing.set(None) testid="edit-cancel"/>
        </div>
    }
}

#[component]
fn Rejecting(call: StoredValue<CallRecord>, approvals: Approvals, busy: Signal<bool>) -> impl IntoView {
    let reason = RwSignal::new(String::new());
    let send = Callback::new(move |()| {
        let reason = reason.with_untracked(|reason| reason.trim().to_owned());
        call.with_value(|call| approvals.decide(&call.call_id, CallDecision::Reject { reason }));
    });
    let node = NodeRef::<html::Input>::new();
    focus_soon(node);
    view! {
        <Field label="Why not" hint="The model is told this reason. It may be empty." let:id>
            <input
                node_ref=node
                id=id
                class="input"
                autocomplete="off"
                dir="auto"
                placeholder="for example: use the search page instead"
                prop:value=reason
                data-testid="reject-reason"
                on:input:target=move |event| reason.set(event.target().value())
                on:keydown=move |event| send_or_leave(&event, false, send, approvals)
            />
        </Field>
        <div class="approval-actions">
            <span class="keyed">
                <Button label="Reject" kind=ButtonKind::Danger busy on_click=send testid="reject-send"/>
                <Kbd keys="Enter"/>
            </span>
            <Button label="Back" on_click=move |()| approvals.doing.set(None) testid="reject-cancel"/>
        </div>
    }
}

#[component]
fn RunningCall(record: CallRecord, model: RunModel) -> impl IntoView {
    let id = record.call_id;
    let progress = Memo::new(move |_| model.progress.with(|all| all.get(&id).cloned()));
    let began_ms = record.started_at_ms;
    let now = RwSignal::new(now_ms());
    if let Ok(timer) = set_interval_with_handle(move || now.set(now_ms()), std::time::Duration::from_secs(1)) {
        on_cleanup(move || timer.clear());
    }
    let elapsed = move || {
        let began_ms = began_ms?;
        let secs = u64::try_from((now.get() - began_ms).max(0)).unwrap_or_default() / 1_000;
        (secs > 0).then(|| format::duration(secs * 1_000))
    };
    let words = move || {
        progress.with(|progress| {
            let progress = progress.as_ref()?;
            let far = match progress.total {
                Some(total) => format!("{} of {total}", progress.progress),
                None => progress.progress.to_string(),
            };
            Some(progress.message.as_ref().map_or_else(|| far.clone(), |message| format!("{message} ({far})")))
        })
    };
    let bar = move || {
        progress.with(|it| it.as_ref().and_then(|it| Some((it.progress, it.total.filter(|total| *total > 0.0)?))))
    };
    view! {
        <div class="running-call" role="status" data-testid="running-call">
            <progress
                aria-label="How far the call is"
                max=move || bar().map(|(_, total)| total.to_string())
                value=move || bar().map(|(done, _)| done.to_string())
            ></progress>
            <span dir="auto">{move || words().unwrap_or_else(|| "The server works on it".to_owned())}</span>
            <span class="elapsed">{elapsed}</span>
        </div>
    }
}

fn read_arguments(text: &str) -> Result<Json, String> {
    match Json::parse(text) {
        Ok(object @ Json::Object(_)) => Ok(object),
        Ok(_) => Err("Arguments are an object: they begin with { and end with }.".to_owned()),
        Err(error) => Err(format!("This is not JSON: {error}.")),
    }
}

fn send_or_leave(event: &web_sys::KeyboardEvent, needs_mod: bool, send: Callback<()>, approvals: Approvals) {
    let is_enter = matches!(event.code().as_str(), "Enter" | "NumpadEnter");
    if is_enter && !event.is_composing() && (!needs_mod || event.ctrl_key() || event.meta_key()) {
        event.prevent_default();
        send.run(());
    } else if event.code() == "Escape" {
        // Escape leaves the field; it must not stop the run as well.
        event.prevent_default();
        approvals.doing.set(None);
    }
}

fn focus_soon<E>(node: NodeRef<E>)
where
    E: html::ElementType + 'static,
    E::Output: JsCast + AsRef<web_sys::HtmlElement> + Clone + 'static,
{
    Effect::new(move || {
        if let Some(element) = node.get() {
            // An element that cannot take the focus was taken away again.
            request_animation_frame(move || {
                let element: &web_sys::HtmlElement = element.as_ref();
                element.focus().unwrap_or_default();
            });
        }
    });
}
