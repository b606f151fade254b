//! Writing a text where it stands.

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage, Role, TextField, TrainSpan};

use super::assist::AssistButton;
use super::drafts::Draft;
use super::edit_bar::{EditBar, begin_to_type, grow, pressed, save_when_left, send, stretch_of};
use super::state::{Editing, use_editing};
use super::text::{chars_of_utf16, count_chars, share_of_tokens};
use crate::components::{Button, ButtonKind, IconName};
use crate::state::format;

/// A field for one text of a message. Leaving it saves; what the host refuses stays in it.
#[component]
pub(super) fn TextEdit(message: Memo<Arc<EditedMessage>>, field: TextField) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let role = message.with_untracked(|message| message.message.role());
    let Some(draft) = editing.drafts.get(id, field) else { return ().into_any() };
    let root = NodeRef::<html::Div>::new();
    let node = NodeRef::<html::Textarea>::new();
    let picked = RwSignal::new((0, 0));
    let chars = Memo::new(move |_| {
        let (begin, end) = picked.get();
        draft.text.with(|text| (chars_of_utf16(text, begin), chars_of_utf16(text, end)))
    });
    let has_picked = Memo::new(move |_| chars.with(|(begin, end)| begin < end));
    let look = move || {
        if let Some(area) = node.get_untracked() {
            picked.set(stretch_of(&area));
        }
    };
    begin_to_type(node, draft);
    grow(node, draft.text);
    let save = move |extra: Option<EditOp>| commit(editing, id, field, draft, extra, root);
    let split = move || {
        let (at, _) = chars.get_untracked();
        save(Some(EditOp::Split { id, field, at }));
    };
    let cannot_split = Memo::new(move |_| {
        let (at, _) = chars.get();
        at == 0 || draft.text.with(|text| at >= count_chars(text))
    });
    let keep_words = move || {
        let (begin, end) = chars.get();
        let whole = draft.text.with(|text| count_chars(text));
        let tokens = message.with(|message| message.tokens);
        let left = share_of_tokens(tokens, whole, end - begin);
        if end > begin {
            format!("Keep only this · {} → about {} tok", format::short_count(tokens), format::short_count(left))
        } else {
            "Keep only this".to_owned()
        }
    };
    let keep = move || {
        let (begin, end) = chars.get_untracked();
        save(Some(EditOp::KeepOnly { id, begin, end }));
    };
    let mark = move |train: bool| {
        let (begin, end) = chars.get_untracked();
        save(Some(EditOp::TrainSpan { id, span: TrainSpan { field, begin, end, train } }));
    };
    let can_trim = field == TextField::Content;
    let can_split = role != Role::Tool;
    view! {
        <div class="text-edit" node_ref=root on:focusout=move |event| save_when_left(&event, root, move || save(None))>
            <textarea
                node_ref=node
                class="input edit-area"
                class:mono=role == Role::Tool
                rows="1"
                spellcheck="false"
                dir="auto"
                aria-label=format!("The {field} of this turn")
                aria-invalid=move || draft.problem.with(Option::is_some).then_some("true")
                prop:value=draft.text
                data-testid="edit-text"
                on:input:target=move |event| {
                    draft.text.set(event.target().value());
                    look();
                }
                on:select=move |_| look()
                on:keyup=move |_| look()
                on:mouseup=move |_| look()
                on:keydown=move |event| pressed(&event, editing, id, field, || save(None))
            ></textarea>
            <EditBar id what=field draft save_label="Save" on_save=move |()| save(None)>
                {can_split
                    .then(|| {
                        view! {
                            <Button
                                kind=ButtonKind::Quiet
                                icon=IconName::Split
                                label="Split here"
                                title="What stands behind the cursor becomes a turn of its own"
                                disabled=cannot_split
                                on_click=move |()| split()
                                testid="split-turn"
                            />
                        }
                    })}
                {can_trim
                    .then(|| {
                        view! {
                            <Button
                                kind=ButtonKind::Quiet
                                icon=IconName::Cut
                                label=Signal::derive(keep_words)
                                title="Only the selected part stays"
                                disabled=Signal::derive(move || !has_picked.get())
                                on_click=move |()| keep()
                                testid="keep-only"
                            />
                        }
                    })}
                <Button
                    kind=ButtonKind::Quiet
                    label="Train on this"
                    title="The selected part is trained on, whatever holds for the rest"
                    disabled=Signal::derive(move || !has_picked.get())
                    on_click=move |()| mark(true)
                    testid="train-span"
                />
                <Button
                    kind=ButtonKind::Quiet
                    label="Not on this"
                    title="The selected part is not trained on, whatever holds for the rest"
                    disabled=Signal::derive(move || !has_picked.get())
                    on_click=move |()| mark(false)
                    testid="skip-span"
                />
                <AssistButton id field/>
            </EditBar>
        </div>
    }
    .into_any()
}

/// Saves a text, and does something more with it in the same step.
fn commit(editing: Editing, id: u64, field: TextField, draft: Draft, extra: Option<EditOp>, root: NodeRef<html::Div>) {
    if draft.busy.get_untracked() {
        return;
    }
    let text = draft.text.get_untracked();
    let changed = draft.before.with_value(|before| *before != text);
    let label = extra.as_ref().map(|extra| match extra {
        EditOp::Split { .. } => "Edited and split a turn",
        EditOp::KeepOnly { .. } => "Edited and trimmed a text",
        _ => "Edited and marked a text",
    });
    let mut ops: Vec<EditOp> = Vec::new();
    if changed {
        ops.push(EditOp::SetText { id, field, text });
    }
    ops.extend(extra);
    send(editing, id, field, draft, ops, label.unwrap_or_default(), root);
}
