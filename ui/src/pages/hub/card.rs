//! The card of a repository: as it would be pushed, as it is there, or as a person writes it.

use leptos::prelude::*;
use tw_contract::CardChoice;

use super::push::Form;
use crate::components::{Button, ButtonKind, Choice, Markdown, Segmented};

/// What of the card is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Read,
    Source,
}

/// The card.
#[component]
pub(super) fn Card(
    form: Form,
    /// As it would be pushed.
    written: String,
    /// As it is in the repository, where somebody changed it.
    there: Option<String>,
) -> impl IntoView {
    let face = RwSignal::new(Face::Read);
    let text = RwSignal::new(written.clone());
    let has_other = there.is_some();
    let keeps = move || form.card.with(|card| *card == CardChoice::Keep);
    let is_own = Memo::new(move |_| form.card.with(|card| matches!(card, CardChoice::Text(_))));
    let take = move |now: String| {
        if form.card.with_untracked(|card| *card != CardChoice::Text(now.clone())) {
            form.card.set(CardChoice::Text(now));
        }
    };
    view! {
        <div class="push-card" data-testid="push-card">
            <div class="push-card-bar">
                <Segmented label="How the card is shown" options=vec![Choice::new(Face::Read, "As read"), Choice::new(Face::Source, "Source")] value=face testid="push-card-face"/>
                <Show when=move || is_own.get()>
                    <Button kind=ButtonKind::Quiet label="Written from the data again" on_click=move |()| form.card.set(CardChoice::Written) testid="push-card-written"/>
                </Show>
                {has_other
                    .then(|| {
                        view! {
                            <Button
                                kind=ButtonKind::Quiet
                                label=Signal::derive(move || if keeps() { "Replace the one that is there" } else { "Keep the one that is there" }.to_owned())
                                title="Somebody changed the card in the repository"
                                on_click=move |()| form.card.set(if keeps() { CardChoice::Written } else { CardChoice::Keep })
                                testid="push-card-keep"
                            />
                        }
                    })}
            </div>
            {move || match face.get() {
                Face::Read => view! { <div class="push-card-text turn-text"><Markdown text=text.with(|text| body(text).to_owned())/></div> }.into_any(),
                Face::Source => view! {
                    <textarea
                        class="input mono"
                        rows="12"
                        spellcheck="false"
                        dir="auto"
                        aria-label="The card's source"
                        prop:value=text
                        data-testid="push-card-source"
                        on:input:target=move |event| text.set(event.target().value())
                        on:change:target=move |event| take(event.target().value())
                    ></textarea>
                }
                    .into_any(),
            }}
        </div>
    }
}

/// The card below its metadata.
fn body(card: &str) -> &str {
    card.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(card, |(_, body)| body)
}
