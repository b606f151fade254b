//! Writing a whole message as JSON: for fields that have no place of their own in a card.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage};

use super::edit_bar::{EditBar, begin_to_type, grow, pressed, save_when_left, send};
use super::state::use_editing;
use super::text::utf16_of_byte;
use super::whole::{line_and_column, read_whole};
use super::writing::Writing;
use crate::components::{Icon, IconName};

/// A field for all of a message. Leaving it saves what can be kept; what cannot stays in it with the place that is wrong.
#[component]
pub(super) fn WholeEdit(message: Memo<Arc<EditedMessage>>) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let Some(draft) = editing.drafts.get(id, Writing::Whole) else { return ().into_any() };
    let root = NodeRef::<html::Div>::new();
    let node = NodeRef::<html::Textarea>::new();
    begin_to_type(node, draft);
    grow(node, draft.text);
    let read = Memo::new(move |_| draft.text.with(|text| message.with(|message| read_whole(text, &message.message))));
    let save = move || {
        if draft.busy.get_untracked() {
            return;
        }
        match read.get_untracked() {
            Err(wrong) => draft.problem.set(Some(format!("Not saved: {}", wrong.words))),
            Ok(read) if message.with_untracked(|message| message.message == read) => {
                send(editing, id, Writing::Whole, draft, Vec::new(), "", root);
            }
            Ok(message) => {
                send(editing, id, Writing::Whole, draft, vec![EditOp::SetMessage { id, message }], "", root);
            }
        }
    };
    let go_to = move |byte: usize| {
        if let Some(area) = node.get_untracked() {
            let units = draft.text.with_untracked(|text| utf16_of_byte(text, byte));
            // The place lies inside of the text.
            area.focus().unwrap_or_default();
            area.set_selection_range(units, units + 1).unwrap_or_default();
        }
    };
    let told = move || {
        read.with(|read| match read {
            Ok(_) => view! { <p class="whole-told quiet"><Icon name=IconName::Check/><span>"A message that can stand here"</span></p> }.into_any(),
            Err(wrong) => {
                let place = wrong.at.map(|at| {
                    let (line, column) = draft.text.with_untracked(|text| line_and_column(text, at));
                    view! {
                        <button type="button" class="link-button" data-testid="whole-place" on:click=move |_| go_to(at)>
                            {format!("line {line}, column {column}")}
                        </button>
                    }
                });
                view! {
                    <p class="whole-told tone-bad" data-testid="whole-wrong">
                        <Icon name=IconName::Error/>
                        {place}
                        <span dir="auto">{wrong.words.clone()}</span>
                    </p>
                }
                    .into_any()
            }
        })
    };
    view! {
        <div class="text-edit whole-edit" node_ref=root on:focusout=move |event| save_when_left(&event, root, save)>
            <textarea
                node_ref=node
                class="input mono edit-area"
                rows="1"
                spellcheck="false"
                autocapitalize="off"
                dir="ltr"
                aria-label="This turn as JSON"
                aria-invalid=move || read.with(Result::is_err).then_some("true")
                prop:value=draft.text
                data-testid="edit-whole"
                on:input:target=move |event| {
                    draft.text.set(event.target().value());
                    draft.problem.set(None);
                }
                on:keydown=move |event| pressed(&event, editing, id, Writing::Whole, save)
            ></textarea>
            <div aria-live="polite" on:mousedown=|event| event.prevent_default()>{told}</div>
            <EditBar
                id
                what=Writing::Whole
                draft
                save_label="Save"
                disabled=Signal::derive(move || read.with(Result::is_err))
                on_save=move |()| save()
            >
                <span class="quiet">"Role and ids stay: they bind the turn to others."</span>
            </EditBar>
        </div>
    }
    .into_any()
}
