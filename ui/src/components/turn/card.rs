//! One saved message as a card.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{Arguments, Json, Message, Role, StepRecord};

use super::call::CallCard;
use super::message::{CardHead, Facts, MessageText, role_face};
use super::model::{Turn, TurnCall};
use super::output::OutputText;
use super::reasoning::Reasoning;
use crate::components::badges::{Tag, Tone};
use crate::components::icon::{Icon, IconName};

/// One saved message with its calls. Needs a [`super::TurnPage`] above it.
#[component]
pub(crate) fn TurnCard(
    /// The turn. When it changes, only what differs is drawn again.
    #[prop(into)]
    turn: Signal<Arc<Turn>>,
    /// Whether it is the one that keys act on.
    #[prop(optional, into)]
    selected: Signal<bool>,
) -> impl IntoView {
    let message = Memo::new(move |_| turn.with(|turn| Arc::clone(&turn.message)));
    let step = Memo::new(move |_| turn.with(|turn| turn.step.clone()));
    let calls = Memo::new(move |_| {
        turn.with(|turn| turn.calls.iter().map(|call| (call.id.clone(), call.index)).collect::<Vec<_>>())
    });
    let role = message.with_untracked(|message| message.message.role());
    let (icon, name) = role_face(role);
    let class = format!("turn turn-{role}");
    view! {
        <article class=class class:is-selected=selected data-testid="turn-card" data-role=role.as_str() aria-current=move || selected.get().then_some("true")>
            {move || {
                let message = message.get();
                let step = step.get();
                let text = message.message.text();
                let reasoning = message.message.reasoning().filter(|text| !text.trim().is_empty()).map(str::to_owned);
                let shown_step = if role == Role::Assistant { message.step } else { 0 };
                let body = match role {
                    Role::Tool => view! { <OutputText text/> }.into_any(),
                    _ => view! { <MessageText role text/> }.into_any(),
                };
                view! {
                    <CardHead icon role=name step=shown_step>
                        {(role == Role::Tool)
                            .then(|| view! { <Tag text="no call asked for it" title="The conversation holds no open call with this result's id."/> })}
                        <Facts message=message.as_ref().clone() step=step.map(|step| step.as_ref().clone())/>
                    </CardHead>
                    {reasoning.map(|text| view! { <Reasoning text/> })}
                    {body}
                }
            }}
            <For each=move || calls.get() key=Clone::clone let:key>
                {
                    let (_, index) = key;
                    let first = turn.with_untracked(|turn| turn.calls.get(index).cloned());
                    first.map(|first| {
                        let call = Memo::new(move |before: Option<&Arc<TurnCall>>| {
                            // A call stays as it was while its card is being taken away.
                            turn.with(|turn| turn.calls.get(index).cloned())
                                .or_else(|| before.cloned())
                                .unwrap_or_else(|| Arc::clone(&first))
                        });
                        view! { <CallCard call/> }
                    })
                }
            </For>
        </article>
    }
}

/// What had come of an answer that broke off. It is not part of the messages.
#[component]
pub(crate) fn BrokenOff(
    /// The answer's record.
    step: StepRecord,
    /// What had come.
    message: Message,
) -> impl IntoView {
    let calls = message
        .tool_calls()
        .into_iter()
        .map(|call| {
            let arguments = match call.arguments {
                Arguments::Object(map) => Json::from(map.clone()).to_pretty(),
                Arguments::Text(text) => text.to_owned(),
                Arguments::Other => String::new(),
            };
            view! {
                <section class="call">
                    <header class="call-head"><Icon name=IconName::Tool/><span class="call-name mono">{call.name.to_owned()}</span></header>
                    <pre class="call-arguments json-text" dir="auto">{arguments}</pre>
                </section>
            }
        })
        .collect_view();
    let reasoning = message.reasoning().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    view! {
        <article class="turn turn-assistant broken-off" data-testid="broken-off">
            <CardHead icon=IconName::Model role="Answer" step=step.step>
                <Tag
                    text="broke off"
                    tone=Tone::Warn
                    title="This part came before the answer ended. It is not in the conversation: the step is asked again when the run goes on."
                />
            </CardHead>
            {reasoning.map(|text| view! { <Reasoning text/> })}
            <MessageText role=Role::Assistant text=message.text()/>
            {calls}
        </article>
    }
}
