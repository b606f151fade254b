//! One card of the timeline: a message, its calls and their results, and what can be done with them.

use std::sync::Arc;

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use tw_artifact::{EditedMessage, Role, TextField};
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::block::Block;
use super::call_part::{CallCard, ResultCard};
use super::drag::{Drag, begin_drag};
use super::marks::{FindingBadge, MarkBadges};
use super::parts::{CallPart, Parts};
use super::patching::Row;
use super::shortened::ShortenedNote;
use super::state::use_editing;
use super::whole_edit::WholeEdit;
use super::writing::Writing;
use crate::components::turn::{StepFlags, role_face};
use crate::components::{CopyButton, Icon, IconButton, IconName, MenuItem, Tag, Tokens};

/// One card.
#[component]
pub(super) fn Card(row: Signal<Arc<Row>>, drag: Drag) -> impl IntoView {
    let editing = use_editing();
    let id = row.with_untracked(|row| row.id);
    let parts = Memo::new(move |before: Option<&Option<Parts>>| {
        let row = row.get();
        let messages = editing.of_row(&row);
        let now = editing.about.with(|about| Parts::of(messages, about)).filter(|parts| parts.lead.id == row.id);
        // A card that is being taken away stays as it was.
        now.or_else(|| before.cloned().flatten())
    });
    let Some(first) = parts.get_untracked() else { return ().into_any() };
    let fallback = Arc::clone(&first.lead);
    let lead = Memo::new(move |_| {
        parts.with(|parts| parts.as_ref().map_or_else(|| Arc::clone(&fallback), |parts| Arc::clone(&parts.lead)))
    });
    let role = first.lead.message.role();
    let calls = Memo::new(move |_| {
        parts.with(|parts| {
            let calls = parts.as_ref().map(|parts| parts.calls.as_slice()).unwrap_or_default();
            (0_u32..).zip(calls).map(|(index, call)| (index, call.id.clone())).collect::<Vec<_>>()
        })
    });
    let extra = Memo::new(move |_| parts.with(|parts| parts.as_ref().map(|it| it.extra.clone()).unwrap_or_default()));
    let selected = Memo::new(move |_| editing.selection.with(|selection| selection.has(id)));
    let is_at = Memo::new(move |_| editing.selection.with(|selection| selection.at() == Some(id)));
    let excluded = Memo::new(move |_| lead.with(|lead| lead.marks.excluded));
    let found = Memo::new(move |_| {
        editing
            .highlight
            .get()
            .is_some_and(|place| place.id == id && (place.field.is_none() || place.end <= place.begin))
    });
    let trained = move || lead.with(|lead| lead.marks.train.map(|train| if train { "yes" } else { "no" }));
    view! {
        <article
            class=format!("turn turn-{role} card")
            class:is-selected=selected
            class:is-at=is_at
            class:is-excluded=excluded
            class:is-found=found
            class:is-moved=move || drag.moves(id)
            data-testid="turn-card"
            data-id=id.to_string()
            data-role=role.as_str()
            data-train=trained
            tabindex="-1"
            aria-current=move || is_at.get().then_some("true")
            on:mousedown=move |event| pick(editing, id, &event)
            on:dblclick=move |event| {
                if !on_control(&event) {
                    editing.begin_main(id);
                }
            }
            on:contextmenu=move |event| {
                if !on_control(&event) && !has_selected_text() {
                    event.prevent_default();
                    editing.menu.at(f64::from(event.client_x()), f64::from(event.client_y()), "Turn", || card_items(editing, id, role));
                }
            }
        >
            {(role != Role::System).then(|| view! { <InsertHere before=Some(id)/> })}
            <Show when=move || !editing.locked.get()>
                <button
                    type="button"
                    class="turn-handle"
                    tabindex="-1"
                    title="Drag to move; Alt+↑ and Alt+↓ move it by key"
                    aria-label="Move this turn"
                    data-testid="turn-handle"
                    on:pointerdown=move |event| begin_drag(editing, drag, id, &event)
                >
                    <Icon name=IconName::Grip/>
                </button>
            </Show>
            <Head parts role id/>
            <ShortenedNote message=lead/>
            {move || editing.drafts.has(id, Writing::Whole).then(|| view! { <WholeEdit message=lead/> })}
            {(role == Role::Assistant)
                .then(|| view! { <Block message=lead field=TextField::Reasoning/> })}
            <Block message=lead field=TextField::Content/>
            <For each=move || calls.get() key=Clone::clone let:call>
                {
                    let (index, _) = call;
                    let of = move || parts.with(|parts| {
                        let calls = parts.as_ref().map(|parts| parts.calls.as_slice()).unwrap_or_default();
                        usize::try_from(index).ok().and_then(|index| calls.get(index).cloned())
                    });
                    untrack(of).map(|first| {
                        let call = Memo::new(move |before: Option<&CallPart>| {
                            of().or_else(|| before.cloned()).unwrap_or_else(|| first.clone())
                        });
                        view! { <CallCard message=lead index call/> }
                    })
                }
            </For>
            <For each=move || extra.get() key=|result| result.id let:result>
                {
                    let result = Memo::new(move |_| Arc::clone(&result));
                    view! { <ResultCard result record=None/> }
                }
            </For>
        </article>
    }
    .into_any()
}

/// The menu of a card.
fn card_items(editing: super::state::Editing, id: u64, role: Role) -> Vec<MenuItem> {
    let mut items = editing.card_items(id);
    if !editing.locked.get_untracked() && editing.targets(id).len() == 1 {
        let field = if role == Role::Assistant { TextField::Reasoning } else { TextField::Content };
        let has_reasoning = editing.messages.with_untracked(|messages| {
            messages.iter().any(|message| message.id == id && message.message.reasoning().is_some())
        });
        let field = if has_reasoning { field } else { TextField::Content };
        let place = items.len().saturating_sub(1);
        items.splice(place..place, editing.assist.items(id, field));
    }
    items
}

#[component]
fn Head(parts: Memo<Option<Parts>>, role: Role, id: u64) -> impl IntoView {
    let editing = use_editing();
    let (icon, name) = role_face(role);
    let lead = move || parts.with(|parts| parts.as_ref().map(|parts| Arc::clone(&parts.lead)));
    let facts = move || {
        let parts = parts.get()?;
        let tokens = parts.lead.tokens
            + parts.calls.iter().filter_map(|call| call.result.as_ref()).map(|result| result.tokens).sum::<u32>();
        let record = parts.record.as_ref().map(|record| record.as_ref().clone());
        Some(view! {
            {record.map(|step| view! { <StepFlags step/> })}
            <Tokens count=tokens about=true/>
        })
    };
    view! {
        <header class="turn-head">
            <span class="turn-role"><Icon name=icon/>{name}</span>
            {move || {
                let step = parts.with(|parts| parts.as_ref().map_or(0, |parts| parts.step));
                (step > 0 && role == Role::Assistant).then(|| view! { <span class="turn-step">"step " {step}</span> })
            }}
            {(role == Role::Tool)
                .then(|| view! { <Tag text="no call asked for it" title="No call before it has this result's id."/> })}
            {move || lead().map(|lead| view! { <MarkBadges message=lead/> })}
            <FindingBadge id/>
            <span class="turn-facts">{facts}</span>
            <span class="card-tools">
                <CopyButton text=move |()| lead().map(|lead| copied(&lead)).unwrap_or_default() label="Copy the message" testid="copy-message"/>
                <Show when=move || !editing.locked.get()>
                    <IconButton icon=IconName::Edit label="Edit (E)" on_click=move |()| editing.begin_main(id) testid="edit-turn"/>
                    <IconButton icon=IconName::Play label="Run again from here" on_click=move |()| editing.rerun.set(Some(id)) testid="rerun-here"/>
                    <button
                        type="button"
                        class="icon-button"
                        title="What can be done with it"
                        aria-label="What can be done with this turn"
                        aria-haspopup="menu"
                        data-testid="turn-menu"
                        on:click=move |event| {
                            event.stop_propagation();
                            if let Some(button) = event.current_target().and_then(|it| it.dyn_into::<Element>().ok()) {
                                editing.menu.under(&button, "Turn", || card_items(editing, id, role));
                            }
                        }
                    >
                        <Icon name=IconName::More/>
                    </button>
                </Show>
            </span>
        </header>
    }
}

/// A plus between two cards.
#[component]
pub(super) fn InsertHere(before: Option<u64>) -> impl IntoView {
    let editing = use_editing();
    view! {
        <Show when=move || !editing.locked.get()>
            <button
                type="button"
                class="insert-here"
                tabindex="-1"
                title="Insert a turn here"
                aria-label="Insert a turn here"
                aria-haspopup="menu"
                data-testid="insert-turn"
                on:mousedown=|event| event.stop_propagation()
                on:click=move |event| {
                    event.stop_propagation();
                    if let Some(button) = event.current_target().and_then(|it| it.dyn_into::<Element>().ok()) {
                        editing.menu.under(&button, "Insert a turn", || editing.insert_items(before));
                    }
                }
            >
                <Icon name=IconName::Plus/>
            </button>
        </Show>
    }
}

fn copied(message: &EditedMessage) -> String {
    let text = message.message.text();
    if text.is_empty() { tw_artifact::Json::from(message.message.clone()).to_pretty() } else { text }
}

/// Selects the card that was pressed: alone, with those before it, or beside them.
fn pick(editing: super::state::Editing, id: u64, event: &MouseEvent) {
    if event.button() != 0 {
        // The menu is meant for what is selected already, when this card is part of it.
        if editing.selection.with_untracked(|selection| !selection.has(id)) {
            editing.selection.update(|selection| selection.only(id));
        }
        return;
    }
    let control = on_control(event);
    if editing.highlight.with_untracked(Option::is_some) && !control {
        editing.highlight.set(None);
    }
    let order = editing.order.get_untracked();
    if event.shift_key() && !control {
        // No text is selected with it.
        event.prevent_default();
        editing.selection.update(|selection| selection.range_to(id, &order));
    } else if (event.ctrl_key() || event.meta_key()) && !control {
        event.prevent_default();
        editing.selection.update(|selection| selection.toggle(id));
    } else if !(control && editing.selection.with_untracked(|selection| selection.has(id))) {
        editing.selection.maybe_update(|selection| {
            let old = selection.clone();
            selection.only(id);
            old != *selection
        });
    }
}

/// Whether something in a card was pressed that does something of its own.
fn on_control(event: &MouseEvent) -> bool {
    event.target().and_then(|target| target.dyn_into::<Element>().ok()).is_some_and(|element| {
        element
            .closest("button, a, input, textarea, select, summary, .text-edit, .assist")
            .is_ok_and(|control| control.is_some())
    })
}

fn has_selected_text() -> bool {
    window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed())
}
