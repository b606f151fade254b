//! What every field that is written in shares: its bar of buttons, the keys that save and give up, and what happens when
//! it is left.

use leptos::ev::{FocusEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use tw_artifact::EditOp;
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, HtmlSelectElement, HtmlTextAreaElement};

use super::drafts::Draft;
use super::state::{Done, Editing, focus_card, use_editing};
use super::writing::Writing;
use crate::components::{Button, ButtonKind, Kbd};

/// Saves, gives up, and whatever else a field offers.
#[component]
pub(super) fn EditBar(
    /// The message.
    id: u64,
    /// What of it is written.
    #[prop(into)]
    what: Writing,
    /// What was written.
    draft: Draft,
    /// Saves it.
    #[prop(into)]
    on_save: Callback<()>,
    /// The word for that.
    #[prop(into)]
    save_label: Signal<String>,
    /// Whether it cannot be saved as it is.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// The field's own buttons.
    children: Children,
) -> impl IntoView {
    let editing = use_editing();
    view! {
        <Refused draft/>
        // A press must not take the focus from the field; a choice needs it.
        <div class="edit-bar" on:mousedown=move |event| {
            if !event.target().is_some_and(|it| it.has_type::<HtmlSelectElement>()) {
                event.prevent_default();
            }
        }>
            <Button kind=ButtonKind::Primary label=save_label busy=draft.busy disabled on_click=on_save testid="edit-save"/>
            <Kbd keys="Mod+Enter"/>
            <Button kind=ButtonKind::Quiet label="Cancel" on_click=move |()| give_up(editing, id, what) testid="edit-cancel"/>
            <span class="edit-gap"></span>
            {children()}
        </div>
    }
}

/// Why a text is not saved yet.
#[component]
fn Refused(draft: Draft) -> impl IntoView {
    move || {
        let problem = draft.problem.get()?;
        Some(view! { <p class="field-error" role="alert" dir="auto" data-testid="edit-problem">{problem}</p> })
    }
}

/// Keys that every such field knows: the one that saves, the one that gives up, and those of the field that must not mean
/// something to the page as well.
pub(super) fn pressed(event: &KeyboardEvent, editing: Editing, id: u64, what: impl Into<Writing>, save: impl FnOnce()) {
    let command = event.ctrl_key() || event.meta_key();
    match event.code().as_str() {
        "Enter" | "NumpadEnter" if command => {
            event.prevent_default();
            save();
        }
        "Escape" => {
            event.prevent_default();
            give_up(editing, id, what.into());
        }
        "KeyZ" | "KeyA" | "KeyY" if command => event.stop_propagation(),
        "ArrowUp" | "ArrowDown" if event.alt_key() => event.stop_propagation(),
        _ => {}
    }
}

fn give_up(editing: Editing, id: u64, what: Writing) {
    editing.drafts.close(id, what);
    focus_row(editing, id);
}

/// Sends the edits of one field. It closes when the host took them and stays open with the reason when not.
pub(super) fn send(
    editing: Editing,
    id: u64,
    what: impl Into<Writing>,
    draft: Draft,
    mut ops: Vec<EditOp>,
    label: &str,
    root: NodeRef<html::Div>,
) {
    let what = what.into();
    let close = move || {
        let active = document().active_element();
        let held = root.try_get_untracked().flatten().is_some_and(|root| root.contains(active.as_deref()));
        editing.drafts.close(id, what);
        if held {
            focus_row(editing, id);
        }
    };
    let op = match ops.len() {
        0 => return close(),
        1 => ops.remove(0),
        _ => EditOp::Many { label: label.to_owned(), ops },
    };
    draft.busy.set(true);
    draft.problem.set(None);
    let done: Done = Box::new(move |answer| {
        if draft.busy.is_disposed() {
            return;
        }
        draft.busy.set(false);
        match answer {
            Ok(_) => close(),
            Err(error) => draft.problem.set(Some(format!("Not saved: {error}"))),
        }
    });
    editing.edit_then(op, done);
}

/// Gives the focus back to the card of a message.
fn focus_row(editing: Editing, id: u64) {
    if let Some(row) = editing.row_of(id) {
        focus_card(row.id);
    }
}

/// Saves when the focus goes to something outside of the field and its buttons.
pub(super) fn save_when_left(event: &FocusEvent, root: NodeRef<html::Div>, save: impl FnOnce()) {
    let to = event.related_target().and_then(|it| it.dyn_into::<web_sys::Node>().ok());
    let stays = root.try_get_untracked().flatten().is_none_or(|root| {
        // A field that is being taken out of the page was scrolled away: what was typed is kept.
        !root.is_connected() || to.as_ref().is_some_and(|to| root.contains(Some(to)))
    });
    // Another window has the focus: the person comes back to the field.
    if !stays && document().has_focus().unwrap_or(true) {
        save();
    }
}

/// What is selected in a field, in UTF-16 units.
pub(super) fn stretch_of(area: &HtmlTextAreaElement) -> (u32, u32) {
    let begin = area.selection_start().ok().flatten().unwrap_or_default();
    let end = area.selection_end().ok().flatten().unwrap_or(begin);
    (begin, end)
}

/// Puts the cursor into a field that the person opened, once it is there.
pub(super) fn begin_to_type(node: NodeRef<html::Textarea>, draft: Draft) {
    if draft.returned {
        return;
    }
    Effect::new(move |_| {
        if let Some(area) = node.get() {
            request_animation_frame(move || {
                let options = web_sys::FocusOptions::new();
                options.set_prevent_scroll(true);
                let element: &HtmlElement = &area;
                // A field that was taken away again takes no focus.
                element.focus_with_options(&options).unwrap_or_default();
            });
        }
    });
}

/// Makes a field as high as its text.
pub(super) fn grow(node: NodeRef<html::Textarea>, text: RwSignal<String>) {
    Effect::new(move |_| {
        text.track();
        if let Some(area) = node.get() {
            request_animation_frame(move || {
                let style = HtmlElement::style(&area);
                // Sizes are always taken.
                style.set_property("height", "0").unwrap_or_default();
                let height = area.scroll_height() + 2;
                style.set_property("height", &format!("{height}px")).unwrap_or_default();
            });
        }
    });
}
