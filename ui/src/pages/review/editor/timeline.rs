//! The cards of a trace, in order; what keys do with them.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{Message, StepRecord};
use wasm_bindgen::JsCast;

use super::card::{Card, InsertHere};
use super::drag::{Drag, DragHost};
use super::patching::Row;
use super::state::{Editing, focus_card, use_editing};
use crate::components::turn::BrokenOff;
use crate::components::{Button, Empty, FloatMenuHost, IconName, VirtualList};
use crate::state::keys::{Action, use_action};

/// The timeline.
#[component]
pub(super) fn Timeline() -> impl IntoView {
    let editing = use_editing();
    let drag = Drag::new();
    offer_moves(editing);
    offer_edits(editing);
    let broken = Memo::new(move |_| editing.about.with(|about| broken_off(&about.steps)));
    let nothing = Memo::new(move |_| editing.rows.with(Vec::is_empty) && broken.with(Option::is_none));
    let row = move |row: Signal<Arc<Row>>| view! { <Card row drag/> };
    let add = move |event: web_sys::MouseEvent| {
        if let Some(button) = event.current_target().and_then(|it| it.dyn_into::<web_sys::Element>().ok()) {
            editing.menu.under(&button, "Insert a turn", || editing.insert_items(None));
        }
    };
    view! {
        <div class="timeline">
            {move || {
                if nothing.get() {
                    return view! {
                        <Empty
                            icon=IconName::Traces
                            title="No message"
                            text="A run that has not said anything has none; an edited trace has none when all were deleted. Undo brings them back."
                        >
                            <Show when=move || !editing.locked.get()>
                                <Button label="Undo" icon=IconName::Undo disabled=Signal::derive(move || editing.state.with(|state| state.undo.is_none())) on_click=move |()| editing.undo()/>
                                <span on:click=add><Button label="Insert a turn" icon=IconName::Plus on_click=|()| () testid="insert-first"/></span>
                            </Show>
                        </Empty>
                    }
                        .into_any();
                }
                view! {
                    <VirtualList
                        rows=editing.rows
                        key=key_of
                        row
                        estimate_px=180.0
                        handle=editing.list
                        label="Conversation"
                        testid="timeline"
                        footer=move || {
                            view! {
                                {move || broken.get().map(|(step, message)| view! { <BrokenOff step message/> })}
                                <div class="insert-end"><InsertHere before=None/></div>
                            }
                        }
                    />
                }
                    .into_any()
            }}
            <DragHost drag/>
            <FloatMenuHost menu=editing.menu/>
            <p class="visually-hidden" aria-live="polite" data-testid="editor-told">{move || editing.told.get()}</p>
        </div>
    }
}

fn key_of(row: &Arc<Row>) -> String {
    row.id.to_string()
}

/// The last answer that broke off and was not asked again.
fn broken_off(steps: &[StepRecord]) -> Option<(StepRecord, Message)> {
    let last = steps.iter().max_by_key(|step| step.step)?;
    Some((last.clone(), last.partial.clone()?))
}

/// Whether the person types into a field that has an undo of its own.
fn types() -> bool {
    document().active_element().is_some_and(|element| {
        element
            .matches(
                "textarea, input:not([type=checkbox]):not([type=radio]):not(.palette-input), [contenteditable=true]",
            )
            .unwrap_or(false)
    })
}

/// Going about.
fn offer_moves(editing: Editing) {
    let go = move |by: isize, extend: bool| {
        let order = editing.order.get_untracked();
        let place = editing.selection.try_update(|selection| selection.step(by, extend, &order)).flatten();
        if let Some(place) = place {
            editing.list.show(place);
            if let Some(id) = order.get(place) {
                focus_card(*id);
            }
        }
    };
    let offer = |action: Action| use_action(action.unlisted());
    offer(Action::new("turn-next", "Editor", "Next turn", move || go(1, false)).keys("KeyJ"));
    offer(Action::new("turn-previous", "Editor", "Previous turn", move || go(-1, false)).keys("KeyK"));
    offer(Action::new("turn-next-too", "Editor", "Select the next turn too", move || go(1, true)).keys("Shift+KeyJ"));
    offer(
        Action::new("turn-previous-too", "Editor", "Select the previous turn too", move || go(-1, true))
            .keys("Shift+KeyK"),
    );
    use_action(Action::new("turn-first", "Editor", "First turn", move || go(isize::MIN, false)).keys("Home"));
    use_action(Action::new("turn-last", "Editor", "Last turn", move || go(isize::MAX, false)).keys("End"));
    let not_typing = Signal::derive(move || !types());
    use_action(
        Action::new("turn-all", "Editor", "Select all turns", move || {
            let order = editing.order.get_untracked();
            editing.selection.update(|selection| selection.all(&order));
        })
        .keys("Mod+KeyA")
        .when(not_typing),
    );
    let many = Signal::derive(move || editing.selection.with(|selection| selection.len() > 1));
    offer(
        Action::new("turn-one", "Editor", "Select only one turn", move || {
            editing.selection.update(|selection| {
                selection.collapse();
            });
        })
        .keys("Escape")
        .when(many),
    );
}

/// Doing things with what is selected.
fn offer_edits(editing: Editing) {
    let any =
        Signal::derive(move || !editing.locked.get() && editing.selection.with(|selection| selection.at().is_some()));
    let first = move || editing.picked().first().copied();
    let offer = |id: &'static str, title: &'static str, keys: Option<&'static str>, run: Callback<()>| {
        let action = Action::new(id, "Editor", title, move || run.run(())).when(any);
        use_action(match keys {
            Some(keys) => action.keys(keys),
            None => action,
        });
    };
    offer(
        "turn-edit",
        "Edit the turn",
        Some("KeyE"),
        Callback::new(move |()| {
            if let Some(id) = editing.selection.with_untracked(super::selection::Selection::at) {
                editing.begin_main(id);
            }
        }),
    );
    offer(
        "turn-edit-reasoning",
        "Edit the turn's reasoning",
        Some("Shift+KeyE"),
        Callback::new(move |()| {
            if let Some(id) = first() {
                editing.begin(id, tw_artifact::TextField::Reasoning);
            }
        }),
    );
    offer(
        "turn-delete",
        "Delete the selected turns",
        Some("Delete"),
        Callback::new(move |()| editing.delete(editing.picked())),
    );
    offer(
        "turn-merge",
        "Merge the selected turns",
        Some("KeyM"),
        Callback::new(move |()| editing.merge(editing.picked())),
    );
    offer(
        "turn-duplicate",
        "Duplicate the selected turns",
        Some("KeyD"),
        Callback::new(move |()| editing.duplicate(editing.picked())),
    );
    offer(
        "turn-up",
        "Move the selected turns up",
        Some("Alt+ArrowUp"),
        Callback::new(move |()| editing.move_by(editing.picked(), -1)),
    );
    offer(
        "turn-down",
        "Move the selected turns down",
        Some("Alt+ArrowDown"),
        Callback::new(move |()| editing.move_by(editing.picked(), 1)),
    );
    offer(
        "turn-train",
        "Train on the selected turns: yes, no, as the dataset says",
        Some("Shift+KeyT"),
        Callback::new(move |()| editing.train_next(editing.picked())),
    );
    offer(
        "turn-exclude",
        "Keep the selected turns out of datasets, or let them in",
        Some("Shift+KeyX"),
        Callback::new(move |()| editing.exclude_next(&editing.picked())),
    );
    offer(
        "turn-insert",
        "Insert a turn after the selected one",
        Some("KeyI"),
        Callback::new(move |()| {
            let Some(id) = editing.picked().last().copied() else { return };
            let card = document().query_selector(&format!("[data-testid=turn-card][data-id=\"{id}\"]")).ok().flatten();
            if let Some(card) = card {
                editing.menu.under(&card, "Insert a turn", || editing.insert_items(editing.after(id)));
            }
        }),
    );
    offer(
        "turn-rerun",
        "Run again from the selected turn",
        Some("Shift+KeyR"),
        Callback::new(move |()| editing.rerun.set(first())),
    );
    let not_typing = Signal::derive(move || !types());
    let undoes = Signal::derive(move || not_typing.get() && editing.state.with(|state| state.undo.is_some()));
    let redoes = Signal::derive(move || not_typing.get() && editing.state.with(|state| state.redo.is_some()));
    use_action(Action::new("undo", "Editor", "Undo", move || editing.undo()).keys("Mod+KeyZ").when(undoes));
    use_action(Action::new("redo", "Editor", "Redo", move || editing.redo()).keys("Mod+Shift+KeyZ").when(redoes));
    use_action(
        Action::new("redo-too", "Editor", "Redo", move || editing.redo()).keys("Mod+KeyY").when(redoes).unlisted(),
    );
    use_action(Action::new("reset", "Editor", "Reset to what was captured", move || {
        editing.edit(tw_artifact::EditOp::Reset);
    }));
}
