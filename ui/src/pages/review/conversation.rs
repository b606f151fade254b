//! The conversation as turn cards.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{Message, SavedMessage, StepRecord, Trace};

use crate::components::turn::{BrokenOff, Turn, TurnCard, turns};
use crate::components::{Empty, IconName, ListHandle, VirtualList};
use crate::state::keys::{Action, use_action};

/// The conversation.
#[component]
pub(super) fn Conversation(trace: Signal<Arc<Trace>>) -> impl IntoView {
    let rows = Memo::new(move |_| {
        trace.with(|trace| {
            let messages: Vec<Arc<SavedMessage>> = trace.messages.iter().cloned().map(Arc::new).collect();
            turns(&messages, &trace.steps, &trace.calls)
        })
    });
    let broken = Memo::new(move |_| trace.with(|trace| broken_off(&trace.steps)));
    let handle = ListHandle::new();
    let at = RwSignal::new(None::<u32>);
    let step = move |by: isize| {
        let place = rows.with_untracked(|rows| {
            let now = at.get_untracked().and_then(|seq| rows.iter().position(|turn| turn.key() == seq));
            let last = rows.len().checked_sub(1)?;
            Some(now.map_or(0, |now| now.saturating_add_signed(by)).min(last))
        });
        if let Some(place) = place {
            at.set(rows.with_untracked(|rows| rows.get(place).map(|turn| turn.key())));
            handle.show(place);
        }
    };
    use_action(Action::new("turn-next", "Reader", "Next turn", move || step(1)).keys("KeyJ").unlisted());
    use_action(Action::new("turn-previous", "Reader", "Previous turn", move || step(-1)).keys("KeyK").unlisted());
    use_action(Action::new("turn-first", "Reader", "First turn", move || step(isize::MIN)).keys("Home"));
    use_action(Action::new("turn-last", "Reader", "Last turn", move || step(isize::MAX)).keys("End"));
    let nothing = Memo::new(move |_| rows.with(Vec::is_empty) && broken.with(Option::is_none));
    let row = move |turn: Signal<Arc<Turn>>| {
        let own = turn.with_untracked(|turn| turn.key());
        let selected = Memo::new(move |_| at.get() == Some(own));
        view! {
            <div on:pointerdown=move |_| at.set(Some(own))>
                <TurnCard turn selected/>
            </div>
        }
    };
    move || {
        if nothing.get() {
            return view! {
                <Empty icon=IconName::Traces title="No message yet" text="The run has not said anything so far. Messages appear here as they are saved."/>
            }
            .into_any();
        }
        view! {
            <VirtualList
                rows
                key=key_of
                row
                estimate_px=180.0
                handle
                label="Conversation"
                testid="conversation"
                footer=move || {
                    broken.get().map(|(step, message)| view! { <BrokenOff step message/> })
                }
            />
        }
        .into_any()
    }
}

fn key_of(turn: &Arc<Turn>) -> String {
    turn.key().to_string()
}

/// The last answer that broke off and was not asked again.
fn broken_off(steps: &[StepRecord]) -> Option<(StepRecord, Message)> {
    let last = steps.iter().max_by_key(|step| step.step)?;
    Some((last.clone(), last.partial.clone()?))
}
