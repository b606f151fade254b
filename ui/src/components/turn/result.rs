//! A call's result as the model was shown it, and the whole output where there is more.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{BudgetKeep, CallPhase, CallRecord, CallReplay, Cut, SavedMessage, Verdict};
use tw_contract::{ApiError, OutputRequest, OutputView};

use super::images::Images;
use super::output::{OutputParts, OutputText};
use super::use_turn_page;
use crate::backend::use_api;
use crate::components::badges::{Tag, Tokens, Tone};
use crate::components::button::{Button, ButtonKind};
use crate::components::copy_button::CopyButton;
use crate::components::error_box::ErrorBox;
use crate::components::icon::{Icon, IconName};
use crate::state::format;

/// Most characters of a whole output that the page takes in at once.
const MAX_CHARS: u32 = 2_000_000;

/// A result as the model was shown it.
#[component]
pub(super) fn ResultView(message: Arc<SavedMessage>, record: Option<Arc<CallRecord>>) -> impl IntoView {
    let text = message.message.text();
    let copied = text.clone();
    let rejected = record.as_ref().is_some_and(|record| matches!(record.verdict, Some(Verdict::Reject { .. })));
    let abandoned = record.as_ref().is_some_and(|record| record.phase == CallPhase::Abandoned);
    let label = match (rejected, abandoned) {
        (true, _) => Some(("Rejected: what the model was told", Tone::Bad)),
        (_, true) => Some(("Not finished", Tone::Warn)),
        _ => None,
    };
    let tokens = record.as_ref().and_then(|record| record.result_tokens).unwrap_or(message.tokens);
    view! {
        <ResultFrame
            record
            label
            tokens
            text=move |()| copied.clone()
            own_words="Show as the model saw it"
            body=move || view! { <OutputText text=text.clone()/> }
        />
    }
}

/// The frame of a result: what it is, what was cut from it, the whole output where there is more, its images.
#[component]
pub(crate) fn ResultFrame(
    /// What is kept of the call.
    record: Option<Arc<CallRecord>>,
    /// What it is, where it is not simply a result or an error.
    #[prop(optional_no_strip)]
    label: Option<(&'static str, Tone)>,
    /// Names its message, for tests.
    #[prop(optional, into)]
    id: Option<String>,
    /// What is said about it.
    #[prop(optional, into)]
    marks: ViewFn,
    /// What can be done with it.
    #[prop(optional, into)]
    tools: ViewFn,
    /// Tokens of it.
    #[prop(into)]
    tokens: Signal<u32>,
    /// Its text, to be copied.
    #[prop(into)]
    text: Callback<(), String>,
    /// What takes the whole output away again.
    own_words: &'static str,
    /// The result itself.
    #[prop(into)]
    body: ViewFn,
) -> impl IntoView {
    let trace_id = use_turn_page().trace_id;
    let api = StoredValue::new(use_api());
    let full = RwSignal::new(None::<Result<OutputView, ApiError>>);
    let busy = RwSignal::new(false);
    let is_error = record.as_ref().is_some_and(|record| record.is_error);
    let cut = record.as_ref().and_then(|record| record.cut);
    let images = record.as_ref().map(|record| record.images.clone()).unwrap_or_default();
    let call_id = record.as_ref().map(|record| record.call_id.clone()).unwrap_or_default();
    let has_output = record.as_ref().is_some_and(|record| record.has_output) && cut.is_some();
    let replay = record.as_ref().and_then(|record| record.replay.clone());
    let wanted = call_id.clone();
    let load = Callback::new(move |()| {
        let request = OutputRequest { trace_id: trace_id.get_value(), call_id: wanted.clone(), max_chars: MAX_CHARS };
        busy.set(true);
        let api = api.get_value();
        spawn_local(async move {
            let answer = api.trace_output(request).await;
            full.try_set(Some(answer));
            busy.try_set(false);
        });
    });
    let (label, tone) = match label {
        Some((label, tone)) => (label, Some(tone)),
        None if is_error => ("Error result", Some(Tone::Bad)),
        None => ("Result", None),
    };
    view! {
        <div class="result" class:is-error=is_error data-testid="call-result" data-id=id data-error=is_error.then_some("true")>
            <header class="result-head">
                <Icon name=if is_error { IconName::Warning } else { IconName::Result }/>
                <span class=tone.map(Tone::class)>{label}</span>
                {move || marks.run()}
                <span class="call-facts">
                    {cut.map(|cut| view! { <Tag text=cut_words(cut) icon=IconName::Cut tone=Tone::Warn title=cut_title(cut) testid="cut-badge"/> })}
                    {has_output
                        .then(|| {
                            view! {
                                <Button
                                    kind=ButtonKind::Quiet
                                    label=Signal::derive(move || {
                                        if full.with(Option::is_some) { own_words } else { "Show all" }.to_owned()
                                    })
                                    busy
                                    on_click=move |()| {
                                        if full.with_untracked(Option::is_some) { full.set(None) } else { load.run(()) }
                                    }
                                    testid="load-output"
                                />
                            }
                        })}
                    <Tokens count=tokens about=true/>
                    {move || tools.run()}
                    <CopyButton text label="Copy the result" testid="copy-result"/>
                </span>
            </header>
            {move || match full.get() {
                None => body.run(),
                Some(Ok(output)) => view! { <OutputParts output/> }.into_any(),
                Some(Err(error)) => view! { <ErrorBox error on_retry=load/> }.into_any(),
            }}
            {(!images.is_empty()).then(|| view! { <Images call_id images/> })}
            {replay.map(|replay| view! { <Replayed replay/> })}
        </div>
    }
}

/// What came of a call that was made again before a run went on, where that is not what the messages hold.
#[component]
fn Replayed(replay: CallReplay) -> impl IntoView {
    match replay {
        CallReplay::Same => ().into_any(),
        CallReplay::Skipped => view! {
            <p class="replayed" data-testid="replay-skipped">
                <Icon name=IconName::Warning/>
                <span>"This call was not made again before the run went on: its tools may stand elsewhere than this result says."</span>
            </p>
        }
        .into_any(),
        CallReplay::Different { text } => view! {
            <details class="replayed" data-testid="replay-different">
                <summary>
                    <Icon name=IconName::Warning/>
                    <span>"Made again before the run went on, this call came out differently. The model was shown the recorded result."</span>
                </summary>
                <OutputText text/>
            </details>
        }
        .into_any(),
    }
}

/// `shown 8,000 of 54,120 tokens (head)`
fn cut_words(cut: Cut) -> String {
    let kept = match cut.keep {
        BudgetKeep::Head => "head",
        BudgetKeep::Tail => "tail",
        BudgetKeep::HeadTail => "head and tail",
    };
    format!("shown {} of {} tokens ({kept})", format::count(cut.kept_tokens), format::count(cut.full_tokens))
}

/// The same at length.
fn cut_title(cut: Cut) -> String {
    let left_out = cut.full_tokens.saturating_sub(cut.kept_tokens);
    format!("The model was not shown {}. The whole output is kept.", format::counted(left_out, "token"))
}
