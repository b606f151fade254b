//! A call with its arguments, what was decided about it, and its result.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{CallPhase, Json, Verdict};

use super::model::TurnCall;
use super::result::ResultView;
use super::use_turn_page;
use super::verdict::{ArgumentsDiff, VerdictBadge};
use crate::components::badges::Tag;
use crate::components::copy_button::CopyButton;
use crate::components::icon::{Icon, IconName};
use crate::components::json_view::JsonView;
use crate::state::format;

/// One call.
#[component]
pub(super) fn CallCard(call: Memo<Arc<TurnCall>>) -> impl IntoView {
    let page = use_turn_page();
    let record = Memo::new(move |_| call.with(|call| call.record.clone()));
    let result = Memo::new(move |_| call.with(|call| call.result.clone()));
    let arguments = Memo::new(move |_| call.with(|call| call.arguments.clone()));
    let verdict = Memo::new(move |_| record.with(|record| record.as_ref()?.verdict.clone()));
    let captured = Memo::new(move |_| record.with(|record| Some(record.as_ref()?.arguments.clone())));
    let phase = Memo::new(move |_| record.with(|record| record.as_ref().map(|record| record.phase)));
    let name = call.with_untracked(|call| call.name.clone());
    let server = record.with_untracked(|record| record.as_ref()?.server_name.clone());
    let unknown = record.with_untracked(|record| record.as_ref().is_some_and(|record| record.server_id.is_none()));
    let is_error = Memo::new(move |_| record.with(|record| record.as_ref().is_some_and(|record| record.is_error)));
    view! {
        <section
            class="call"
            class:is-error=is_error
            data-testid="call-card"
            data-call=call.with_untracked(|call| call.id.clone())
            data-phase=move || phase.get().map(phase_word)
        >
            <header class="call-head">
                <Icon name=IconName::Tool/>
                <span class="call-name mono" dir="auto">{name}</span>
                {server.map(|server| view! { <span class="call-server" dir="auto">{server}</span> })}
                {unknown.then(|| view! { <Tag text="no such tool" tone=crate::components::badges::Tone::Bad title="No server of the run offers a tool of this name."/> })}
                <span class="call-facts">
                    {move || verdict.get().map(|verdict| view! { <VerdictBadge verdict/> })}
                    {move || {
                        let took = record.with(|record| record.as_ref()?.duration_ms);
                        took.map(|ms| view! { <span title="Time the server took">{format::duration(ms)}</span> })
                    }}
                    {move || {
                        phase
                            .get()
                            .filter(|phase| *phase != CallPhase::Done)
                            .map(|phase| view! { <span class="call-phase" role="status">{phase_word(phase)}</span> })
                    }}
                    <CopyButton
                        text=move |()| arguments.with_untracked(arguments_text)
                        label="Copy the arguments"
                        testid="copy-arguments"
                    />
                </span>
            </header>
            <div class="call-arguments">
                {move || match verdict.get() {
                    Some(Verdict::Modify { arguments }) => {
                        let before = captured.get().unwrap_or_default();
                        view! { <ArgumentsDiff before after=arguments/> }.into_any()
                    }
                    _ => arguments_view(arguments.get()),
                }}
            </div>
            {move || {
                let slot = page.call_slot?;
                let open = record.get().filter(|record| matches!(record.phase, CallPhase::Waiting | CallPhase::Running))?;
                Some(slot.run(open))
            }}
            {move || {
                result.get().map(|message| {
                    view! { <ResultView message record=record.get_untracked().map(Arc::new)/> }
                })
            }}
        </section>
    }
}

/// Arguments as a tree; what is not an object as it stands, marked.
fn arguments_view(arguments: Json) -> AnyView {
    match arguments {
        Json::Object(map) if map.is_empty() => view! { <span class="call-none">"no arguments"</span> }.into_any(),
        Json::String(text) => view! {
            <Tag text="not a JSON object" tone=crate::components::badges::Tone::Warn title="What the model wrote is kept as it is."/>
            <pre class="json json-text" dir="auto">{text}</pre>
        }
        .into_any(),
        Json::Null => view! { <span class="call-none">"no arguments"</span> }.into_any(),
        value => view! { <JsonView value/> }.into_any(),
    }
}

fn arguments_text(arguments: &Json) -> String {
    match arguments {
        Json::String(text) => text.clone(),
        other => other.to_pretty(),
    }
}

const fn phase_word(phase: CallPhase) -> &'static str {
    match phase {
        CallPhase::Waiting => "waiting",
        CallPhase::Running => "running",
        CallPhase::Done => "done",
        CallPhase::Abandoned => "abandoned",
    }
}
