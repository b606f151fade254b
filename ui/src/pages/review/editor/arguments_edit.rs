//! Writing the arguments of a call: checked against the tool's own schema while they are typed, with the names it
//! knows offered.

use std::sync::Arc;

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage, Json, TextField, TrainSpan};

use super::assist::AssistButton;
use super::completion::{Completion, Offer, complete, take_offer};
use super::edit_bar::{EditBar, begin_to_type, grow, pressed, save_when_left, send, stretch_of};
use super::schema::{Problem, problems, read};
use super::state::use_editing;
use super::text::{byte_of_utf16, chars_of_utf16, utf16_of_byte};
use crate::components::{Button, ButtonKind, Icon, IconName};

/// A field for the arguments of one call, and the choice of its tool.
#[component]
pub(super) fn ArgumentsEdit(message: Memo<Arc<EditedMessage>>, call: u32) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let field = TextField::Arguments { call };
    let Some(draft) = editing.drafts.get(id, field) else { return ().into_any() };
    let tool = Memo::new(move |_| {
        message.with(|message| {
            let place = usize::try_from(call).unwrap_or_default();
            message.message.tool_calls().get(place).map(|call| call.name.to_owned()).unwrap_or_default()
        })
    });
    let schema = Memo::new(move |_| {
        let name = tool.get();
        editing.about.with(|about| {
            let tool = about.tools.iter().find(|tool| tool.name() == name)?;
            tool.0.get("function")?.get("parameters").cloned()
        })
    });
    let parsed = Memo::new(move |_| draft.text.with(|text| read(text)));
    let wrong = Memo::new(move |_| {
        let schema = schema.get();
        parsed.with(|parsed| match (parsed, schema) {
            (Ok(value), Some(schema)) => problems(&schema, value),
            _ => Vec::new(),
        })
    });
    let forbidden = Memo::new(move |_| wrong.with(|wrong| wrong.iter().any(|problem| problem.forbidden)));
    let root = NodeRef::<html::Div>::new();
    let node = NodeRef::<html::Textarea>::new();
    begin_to_type(node, draft);
    grow(node, draft.text);
    let offers = RwSignal::new(None::<Completion>);
    let at = RwSignal::new(None::<usize>);
    let look = move || {
        let Some(area) = node.get_untracked() else { return };
        let (begin, end) = stretch_of(&area);
        let text = area.value();
        let cursor = byte_of_utf16(&text, begin);
        let found =
            (begin == end).then(|| schema.with_untracked(|schema| complete(schema.as_ref()?, &text, cursor))).flatten();
        // A word that was begun picks the best fit; an empty place picks nothing, so that Enter stays a line break.
        let begun = found.as_ref().is_some_and(|found| {
            text.get(found.begin..cursor).is_some_and(|word| word.chars().any(char::is_alphanumeric))
        });
        at.set(begun.then_some(0));
        offers.set(found);
    };
    let take = Callback::new(move |offer: Offer| {
        let (Some(area), Some(completion)) = (node.get_untracked(), offers.get_untracked()) else { return };
        let (text, cursor) = take_offer(&area.value(), &completion, &offer);
        area.set_value(&text);
        let units = utf16_of_byte(&text, cursor);
        // The place lies inside of the text.
        area.set_selection_range(units, units).unwrap_or_default();
        draft.text.set(text);
        offers.set(None);
    });
    let save = move |by_hand: bool| {
        if draft.busy.get_untracked() {
            return;
        }
        let text = draft.text.get_untracked();
        if draft.before.with_value(|before| *before == text) {
            send(editing, id, field, draft, Vec::new(), "", root);
            return;
        }
        match parsed.get_untracked() {
            Err(words) => draft.problem.set(Some(format!("Not saved: {words}"))),
            Ok(_) if !by_hand && forbidden.get_untracked() => {
                draft.problem.set(Some("Not saved: the tool's schema does not allow these arguments.".to_owned()));
            }
            Ok(arguments) => {
                send(editing, id, field, draft, vec![EditOp::SetArguments { id, call, arguments }], "", root);
            }
        }
    };
    // Marks count characters of the arguments as they are kept: what was typed must be saved first.
    let picked = RwSignal::new((0_u32, 0_u32));
    let pick = move || {
        if let Some(area) = node.get_untracked() {
            let (begin, end) = stretch_of(&area);
            let text = area.value();
            picked.set((chars_of_utf16(&text, begin), chars_of_utf16(&text, end)));
        }
    };
    let can_mark = Memo::new(move |_| {
        let (begin, end) = picked.get();
        begin < end && draft.text.with(|text| draft.before.with_value(|before| text == before))
    });
    let mark = move |train: bool| {
        let (begin, end) = picked.get_untracked();
        let span = TrainSpan { field, begin, end, train };
        send(editing, id, field, draft, vec![EditOp::TrainSpan { id, span }], "", root);
    };
    let key = move |event: KeyboardEvent| {
        let open = offers.with_untracked(|offers| offers.as_ref().map_or(0, |offers| offers.offers.len()));
        match event.code().as_str() {
            "Space" if event.ctrl_key() => {
                event.prevent_default();
                look();
                at.set(offers.with_untracked(Option::is_some).then_some(0));
            }
            "ArrowDown" | "ArrowUp" if open > 0 && !event.alt_key() => {
                event.prevent_default();
                let down = event.code() == "ArrowDown";
                at.update(|at| {
                    *at = Some(match *at {
                        None if down => 0,
                        None => open - 1,
                        Some(place) => (place + if down { 1 } else { open - 1 }) % open,
                    });
                });
            }
            "Enter" | "NumpadEnter" | "Tab"
                if open > 0 && at.with_untracked(Option::is_some) && !event.ctrl_key() && !event.meta_key() =>
            {
                let offer = offers.with_untracked(|offers| offers.as_ref()?.offers.get(at.get_untracked()?).cloned());
                if let Some(offer) = offer {
                    event.prevent_default();
                    take.run(offer);
                }
            }
            "Escape" if open > 0 => {
                event.prevent_default();
                offers.set(None);
            }
            _ => pressed(&event, editing, id, field, || save(true)),
        }
    };
    view! {
        <div class="text-edit arguments-edit" node_ref=root on:focusout=move |event| save_when_left(&event, root, move || save(false))>
            <div class="edit-with-offers">
                <textarea
                    node_ref=node
                    class="input mono edit-area"
                    rows="1"
                    spellcheck="false"
                    autocapitalize="off"
                    dir="ltr"
                    role="combobox"
                    aria-label="The arguments of this call"
                    aria-expanded=move || offers.with(Option::is_some).to_string()
                    aria-autocomplete="list"
                    aria-invalid=move || (parsed.with(Result::is_err) || forbidden.get()).then_some("true")
                    prop:value=draft.text
                    data-testid="edit-arguments"
                    on:input:target=move |event| {
                        draft.text.set(event.target().value());
                        draft.problem.set(None);
                        look();
                    }
                    on:mousedown=move |_| offers.set(None)
                    on:select=move |_| pick()
                    on:keyup=move |_| pick()
                    on:mouseup=move |_| pick()
                    on:keydown=key
                ></textarea>
                {move || offers.get().map(|found| view! { <Offers found at take/> })}
            </div>
            <Findings parsed=parsed wrong=wrong known=Memo::new(move |_| schema.with(Option::is_some))/>
            <EditBar
                id
                what=field
                draft
                save_label=Signal::derive(move || if forbidden.get() { "Save anyway" } else { "Save" }.to_owned())
                disabled=Signal::derive(move || parsed.with(Result::is_err))
                on_save=move |()| save(true)
            >
                <Show when=move || can_mark.get()>
                    <Button kind=ButtonKind::Quiet label="Train on this" title="The selected part is trained on, whatever holds for the rest" on_click=move |()| mark(true) testid="train-span"/>
                    <Button kind=ButtonKind::Quiet label="Not on this" title="The selected part is not trained on, whatever holds for the rest" on_click=move |()| mark(false) testid="skip-span"/>
                </Show>
                <ToolChoice id call tool/>
                <AssistButton id field/>
            </EditBar>
        </div>
    }
    .into_any()
}

/// Another tool for the call.
#[component]
fn ToolChoice(id: u64, call: u32, tool: Memo<String>) -> impl IntoView {
    let editing = use_editing();
    let names = Memo::new(move |_| {
        let mut names: Vec<String> =
            editing.about.with(|about| about.tools.iter().map(|tool| tool.name().to_owned()).collect());
        let now = tool.get();
        if !names.contains(&now) {
            names.insert(0, now);
        }
        names
    });
    view! {
        <label class="tool-choice">
            <span>"Tool"</span>
            <select
                class="input mono"
                data-testid="set-tool"
                prop:value=tool
                on:change:target=move |event| {
                    let name = event.target().value();
                    if tool.with_untracked(|tool| *tool != name) {
                        editing.edit(EditOp::SetTool { id, call, name });
                    }
                }
            >
                {move || {
                    let now = tool.get();
                    names
                        .get()
                        .into_iter()
                        .map(|name| view! { <option value=name.clone() selected=name == now>{name.clone()}</option> })
                        .collect_view()
                }}
            </select>
        </label>
    }
}

/// What is wrong with the arguments, said at once.
#[component]
fn Findings(parsed: Memo<Result<Json, String>>, wrong: Memo<Vec<Problem>>, known: Memo<bool>) -> impl IntoView {
    view! {
        <ul class="argument-problems" aria-live="polite" data-testid="argument-problems">
            {move || match parsed.get() {
                Err(words) => view! { <li class="tone-bad"><Icon name=IconName::Error/><span dir="auto">{words}</span></li> }.into_any(),
                Ok(_) if !known.get() => view! {
                    <li class="quiet"><Icon name=IconName::Info/><span>"The trace holds no definition of this tool: names and types are not checked."</span></li>
                }
                .into_any(),
                Ok(_) => wrong
                    .get()
                    .into_iter()
                    .map(|problem| {
                        let (class, icon) =
                            if problem.forbidden { ("tone-bad", IconName::Error) } else { ("tone-warn", IconName::Warning) };
                        let path = (!problem.path.is_empty()).then(|| view! { <code dir="ltr">{problem.path}</code> });
                        view! { <li class=class data-testid="argument-problem"><Icon name=icon/>{path}<span dir="auto">{problem.words}</span></li> }
                    })
                    .collect_view()
                    .into_any(),
            }}
        </ul>
    }
}

/// Names and values that fit where the cursor stands.
#[component]
fn Offers(found: Completion, at: RwSignal<Option<usize>>, take: Callback<Offer>) -> impl IntoView {
    let lines = found
        .offers
        .into_iter()
        .enumerate()
        .map(|(place, offer)| {
            let own = offer.clone();
            view! {
                <button
                    type="button"
                    role="option"
                    tabindex="-1"
                    class="offer-line"
                    class:is-at=move || at.get() == Some(place)
                    aria-selected=move || (at.get() == Some(place)).to_string()
                    data-testid="argument-offer"
                    on:click=move |_| take.run(own.clone())
                >
                    <span class="offer-name mono">{offer.name}</span>
                    {(!offer.kind.is_empty()).then(|| view! { <span class="offer-kind">{offer.kind}</span> })}
                    {offer.required.then(|| view! { <span class="offer-kind">"required"</span> })}
                    <span class="offer-about" dir="auto">{offer.about}</span>
                </button>
            }
        })
        .collect_view();
    // A press must not take the focus from the field.
    view! {
        <div class="offer arguments-offer" role="listbox" aria-label="What fits here" data-testid="argument-offers" on:mousedown=move |event| event.prevent_default()>
            {lines}
        </div>
    }
}
