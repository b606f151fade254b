//! A call inside of a card: its tool, its arguments, its result.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{CallRecord, EditOp, EditedMessage, TextField};

use super::block::Block;
use super::marks::{FindingBadge, MarkBadges};
use super::parts::CallPart;
use super::shortened::ShortenedNote;
use super::state::use_editing;
use super::whole_edit::WholeEdit;
use super::writing::Writing;
use crate::components::turn::{ResultFrame, VerdictBadge};
use crate::components::{Icon, IconButton, IconName, Tag, Tone};
use crate::state::format;

/// One call.
#[component]
pub(super) fn CallCard(message: Memo<Arc<EditedMessage>>, index: u32, call: Memo<CallPart>) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let name = Memo::new(move |_| call.with(|call| call.name.clone()));
    let known = Memo::new(move |_| {
        let name = name.get();
        editing.about.with(|about| about.tools.is_empty() || about.tools.iter().any(|tool| tool.name() == name))
    });
    let record = Memo::new(move |_| call.with(|call| call.record.clone()));
    let has_result = Memo::new(move |_| call.with(|call| call.result.as_ref().map(|result| result.id)));
    let is_error = Memo::new(move |_| record.with(|record| record.as_ref().is_some_and(|record| record.is_error)));
    let result = move || {
        has_result.get().and_then(|_| call.with_untracked(|call| call.result.clone())).map(|first| {
            let result = Memo::new(move |before: Option<&Arc<EditedMessage>>| {
                let now = call.with(|call| call.result.clone());
                now.or_else(|| before.cloned()).unwrap_or_else(|| Arc::clone(&first))
            });
            view! { <ResultCard result record=record.get_untracked()/> }
        })
    };
    view! {
        <section
            class="call"
            class:is-error=is_error
            data-testid="call-card"
            data-call=call.with_untracked(|call| call.id.clone())
            data-index=index.to_string()
        >
            <header class="call-head">
                <Icon name=IconName::Tool/>
                <span class="call-name mono" dir="auto">{name}</span>
                {move || {
                    record.with(|record| record.as_ref()?.server_name.clone())
                        .map(|server| view! { <span class="call-server" dir="auto">{server}</span> })
                }}
                {move || (!known.get()).then(|| view! { <Tag text="no such tool" tone=Tone::Bad title="The model was told of no tool of this name."/> })}
                <span class="call-facts">
                    {move || record.with(|record| record.as_ref()?.verdict.clone()).map(|verdict| view! { <VerdictBadge verdict/> })}
                    {move || {
                        record.with(|record| record.as_ref()?.duration_ms)
                            .map(|ms| view! { <span title="Time the server took">{format::duration(ms)}</span> })
                    }}
                </span>
                <span class="card-tools">
                    <Show when=move || !editing.locked.get()>
                        <IconButton
                            icon=IconName::Edit
                            label="Edit the arguments"
                            on_click=move |()| editing.begin(id, TextField::Arguments { call: index })
                            testid="edit-call-arguments"
                        />
                        <IconButton
                            icon=IconName::Trash
                            label="Delete this call with its result"
                            on_click=move |()| editing.edit(EditOp::DeleteCall { id, call: index })
                            testid="delete-call"
                        />
                    </Show>
                </span>
            </header>
            <Block message field=TextField::Arguments { call: index }/>
            {result}
        </section>
    }
}

/// The result of a call.
#[component]
pub(super) fn ResultCard(result: Memo<Arc<EditedMessage>>, record: Option<Arc<CallRecord>>) -> impl IntoView {
    let editing = use_editing();
    let id = result.with_untracked(|result| result.id);
    view! {
        <ResultFrame
            record
            id=id.to_string()
            marks=move || view! {
                <MarkBadges message=result.get()/>
                <FindingBadge id/>
            }
            tools=move || view! {
                <Show when=move || !editing.locked.get()>
                    <IconButton icon=IconName::Braces label="Edit the result as JSON" on_click=move |()| editing.begin_whole(id) testid="edit-result-json"/>
                </Show>
            }
            tokens=Signal::derive(move || result.with(|result| result.tokens))
            text=move |()| result.with_untracked(|result| result.message.text())
            own_words="Show what is in the trace"
            body=move || view! {
                <ShortenedNote message=result/>
                {move || editing.drafts.has(id, Writing::Whole).then(|| view! { <WholeEdit message=result/> })}
                <Block message=result field=TextField::Content/>
            }
        />
    }
}
