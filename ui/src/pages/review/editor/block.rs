//! One text of a message: read, or edited where it stands.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{Arguments, EditedMessage, Json, Role, TextField};

use super::arguments_edit::ArgumentsEdit;
use super::assist::AssistCard;
use super::state::use_editing;
use super::text_edit::TextEdit;
use super::text_view::{Marked, ReasoningView, TextView, marked_text};
use super::writing::Writing;
use crate::components::turn::use_turn_page;
use crate::components::{IconButton, IconName, JsonView, Tag, Tone};

/// One text. Nothing is shown where there is none and nobody writes one.
#[component]
pub(super) fn Block(
    /// The message.
    message: Memo<Arc<EditedMessage>>,
    /// Which of its texts.
    field: TextField,
) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let role = message.with_untracked(|message| message.message.role());
    let what = Writing::from(field);
    let is_open = Memo::new(move |_| editing.drafts.has(id, what));
    // What is written as a whole is not shown a second time in parts.
    let is_elsewhere = Memo::new(move |_| editing.drafts.has(id, Writing::Whole));
    let text = Memo::new(move |_| message.with(|message| Arc::<str>::from(what.text_in(&message.message))));
    let marked = Memo::new(move |_| {
        let spans = message.with(|message| {
            let own = message.marks.spans.iter().filter(|span| span.field == field);
            own.map(|span| (span.begin, span.end, span.train)).collect()
        });
        let found = editing
            .highlight
            .get()
            .filter(|place| place.id == id && place.field == Some(field) && place.end > place.begin);
        Marked { spans, found: found.map(|place| (place.begin, place.end)) }
    });
    let nothing = Memo::new(move |_| match field {
        TextField::Reasoning => text.with(|text| text.is_empty()),
        TextField::Content => role == Role::Assistant && text.with(|text| text.trim().is_empty()),
        TextField::Arguments { .. } => false,
    });
    let read = move || match field {
        TextField::Reasoning => view! { <ReasoningView text marked folds=use_turn_page().folds/> }.into_any(),
        TextField::Content => view! { <TextView text marked role/> }.into_any(),
        TextField::Arguments { call } => {
            let arguments = Memo::new(move |_| message.with(|message| arguments_of(message, call)));
            let shown = move || {
                let marked = marked.get();
                if marked == Marked::default() {
                    return arguments_view(arguments.get());
                }
                let text = text.get();
                view! { <pre class="json json-text mono" dir="auto">{marked_text(&text, &marked)}</pre> }.into_any()
            };
            view! { <div class="call-arguments">{shown}</div> }.into_any()
        }
    };
    let word = match field {
        TextField::Content => "content",
        TextField::Reasoning => "reasoning",
        TextField::Arguments { .. } => "arguments",
    };
    view! {
        <div
            class="block"
            data-field=word
            on:dblclick=move |event| {
                if !is_open.get_untracked() && !is_elsewhere.get_untracked() {
                    event.stop_propagation();
                    editing.begin(id, field);
                }
            }
        >
            {move || {
                if is_open.get() {
                    match field {
                        TextField::Arguments { call } => view! { <ArgumentsEdit message call/> }.into_any(),
                        _ => view! { <TextEdit message field/> }.into_any(),
                    }
                } else if nothing.get() || is_elsewhere.get() {
                    ().into_any()
                } else {
                    view! {
                        {read()}
                        <Show when=move || !editing.locked.get()>
                            <span class="block-edit">
                                <IconButton
                                    icon=IconName::Edit
                                    label=match field {
                                        TextField::Content => "Edit the text",
                                        TextField::Reasoning => "Edit the reasoning",
                                        TextField::Arguments { .. } => "Edit the arguments",
                                    }
                                    on_click=move |()| editing.begin(id, field)
                                    testid="edit-block"
                                />
                            </span>
                        </Show>
                    }
                        .into_any()
                }
            }}
            <AssistCard id field/>
        </div>
    }
}

fn arguments_of(message: &EditedMessage, call: u32) -> Json {
    let calls = message.message.tool_calls();
    let own = usize::try_from(call).ok().and_then(|call| calls.into_iter().nth(call));
    match own.map(|call| call.arguments) {
        Some(Arguments::Object(map)) => map.clone().into(),
        Some(Arguments::Text(text)) => text.into(),
        Some(Arguments::Other) | None => Json::Null,
    }
}

/// Arguments as a tree; what is not an object as it stands, marked.
fn arguments_view(arguments: Json) -> AnyView {
    match arguments {
        Json::Object(map) if map.is_empty() => view! { <span class="call-none">"no arguments"</span> }.into_any(),
        Json::Null => view! { <span class="call-none">"no arguments"</span> }.into_any(),
        Json::String(text) => view! {
            <Tag text="not a JSON object" tone=Tone::Warn title="What the model wrote is kept as it is."/>
            <pre class="json json-text" dir="auto">{text}</pre>
        }
        .into_any(),
        value => view! { <JsonView value/> }.into_any(),
    }
}
