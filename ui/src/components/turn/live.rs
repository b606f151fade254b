//! The answer that is being written.

use std::time::Duration;

use leptos::prelude::*;
use tw_contract::{LiveCall, LiveDelta, LiveStep};

use super::message::CardHead;
use super::reasoning::LiveReasoning;
use super::stream_text::{LiveText, StreamText};
use crate::components::icon::{Icon, IconName};
use crate::state::clock;

/// A call that is being written. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct LiveCallText {
    index: u32,
    name: LiveText,
    arguments: LiveText,
}

/// The answer that is being written, block by block. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct LiveTurn {
    /// Which step, from 1.
    pub(crate) step: u32,
    /// When its request was sent, unix milliseconds.
    pub(crate) started_at_ms: i64,
    /// Reasoning so far.
    pub(crate) reasoning: LiveText,
    /// Text so far.
    pub(crate) content: LiveText,
    /// Calls so far.
    pub(crate) calls: RwSignal<Vec<LiveCallText>>,
    /// What failed before, where the request is being tried again.
    pub(crate) retry: RwSignal<Option<String>>,
}

impl LiveTurn {
    /// From a snapshot.
    pub(crate) fn new(step: LiveStep) -> Self {
        let calls = step.calls.into_iter().map(LiveCallText::new).collect();
        Self {
            step: step.step,
            started_at_ms: step.started_at_ms,
            reasoning: LiveText::new(step.reasoning),
            content: LiveText::new(step.content),
            calls: RwSignal::new(calls),
            retry: RwSignal::new(step.retry),
        }
    }

    /// Adds what came.
    pub(crate) fn apply(self, delta: &LiveDelta) {
        match delta {
            LiveDelta::Reasoning(text) => self.reasoning.push(text),
            LiveDelta::Content(text) => self.content.push(text),
            LiveDelta::ContentWasReasoning => {
                self.reasoning.push(&self.content.get_untracked());
                self.content.set(String::new());
            }
            LiveDelta::CallStart { index, name } => self.call(*index).name.push(name),
            LiveDelta::CallArguments { index, text } => self.call(*index).arguments.push(text),
        }
    }

    fn call(self, index: u32) -> LiveCallText {
        let known = self.calls.with_untracked(|calls| calls.iter().find(|call| call.index == index).copied());
        known.unwrap_or_else(|| {
            let call = LiveCallText::new(LiveCall { index, ..LiveCall::default() });
            self.calls.update(|calls| {
                let place = calls.partition_point(|other| other.index < index);
                calls.insert(place, call);
            });
            call
        })
    }
}

impl LiveCallText {
    fn new(call: LiveCall) -> Self {
        Self { index: call.index, name: LiveText::new(call.name), arguments: LiveText::new(call.arguments) }
    }
}

/// Seconds since the request was sent.
#[component]
fn Elapsed(since_ms: i64) -> impl IntoView {
    let secs = move || (clock::now_ms() - since_ms).max(0) / 1_000;
    let now = RwSignal::new(secs());
    if let Ok(ticking) = set_interval_with_handle(
        move || {
            now.try_set(secs());
        },
        Duration::from_secs(1),
    ) {
        on_cleanup(move || ticking.clear());
    }
    view! { <span title="Since the request was sent">{move || format!("{} s", now.get())}</span> }
}

/// The card of the answer that is being written.
#[component]
pub(crate) fn LiveTurnCard(
    /// The answer.
    live: LiveTurn,
) -> impl IntoView {
    let nothing =
        Memo::new(move |_| live.reasoning.is_empty() && live.content.is_empty() && live.calls.with(Vec::is_empty));
    view! {
        <article class="turn turn-assistant is-live" data-testid="turn-card" data-role="assistant" data-live="true">
            <CardHead icon=IconName::Model role="Answer" step=live.step live=true>
                <Elapsed since_ms=live.started_at_ms/>
            </CardHead>
            {move || live.retry.get().map(|reason| view! { <p class="turn-retry" role="status">{reason}</p> })}
            <Show when=move || nothing.get()>
                <p class="turn-waiting">"Waiting for the first token"</p>
            </Show>
            <Show when=move || !live.reasoning.is_empty()>
                <LiveReasoning text=live.reasoning/>
            </Show>
            <Show when=move || !live.content.is_empty()>
                <div class="turn-text"><StreamText text=live.content/></div>
            </Show>
            <For each=move || live.calls.get() key=|call| call.index let:call>
                <section class="call is-writing" data-testid="call-card">
                    <header class="call-head">
                        <Icon name=IconName::Tool/>
                        <span class="call-name mono"><StreamText text=call.name/></span>
                        <span class="call-phase">"being written"</span>
                    </header>
                    <div class="call-arguments mono"><StreamText text=call.arguments/></div>
                </section>
            </For>
        </article>
    }
}
