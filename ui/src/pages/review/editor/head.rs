//! The head of the editor: what trace this is, what is saved, what can be undone.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EditOp, ReviewStatus, RunState};

use super::super::actions::use_trace_actions;
use super::state::{Saving, use_editing};
use crate::components::turn::use_turn_page;
use crate::components::{
    Button, ButtonKind, Icon, IconButton, IconName, Menu, MenuItem, RelativeTime, StateBadge, Tag, Tokens, Tone,
    state_tone, write_clipboard,
};
use crate::state::format;

/// Title, facts, and what can be done with the trace as a whole.
#[component]
pub(super) fn Head() -> impl IntoView {
    let editing = use_editing();
    let actions = use_trace_actions();
    let id = editing.id;
    let state = Memo::new(move |_| editing.about.with(|about| about.summary.state));
    let own_run = Memo::new(move |_| editing.about.with(|about| about.settings.is_some()));
    let go_on = move || {
        own_run.get().then(|| {
            let label = if state.get().is_final() { "Continue" } else { "Watch in Collect" };
            view! {
                <Button icon=IconName::Continue label title="Goes on with the captured run, not with what was edited" on_click=move |()| actions.go_on(&id.read_value()) testid="continue-trace"/>
            }
        })
    };
    let menu = Signal::derive(move || {
        vec![
            MenuItem::new("Copy the trace's id", move || {
                let id = id.get_value();
                spawn_local(async move {
                    // The id is also in the address: nothing is lost when it cannot be copied.
                    write_clipboard(&id).await;
                });
            })
            .icon(IconName::Copy),
            MenuItem::new("Reset to what was captured", move || editing.edit(EditOp::Reset))
                .icon(IconName::Restart)
                .disabled(editing.locked.get() || editing.state.with(|state| state.revision == 0))
                .testid("reset-trace"),
            MenuItem::new("Delete", move || actions.ask_delete(vec![id.get_value()]))
                .icon(IconName::Trash)
                .danger()
                .testid("delete-trace"),
        ]
    });
    let facts = move || {
        let about = editing.about.get();
        let summary = &about.summary;
        let endpoint = about.settings.as_ref().map(|it| (it.endpoint_name.clone(), it.base_url.clone()));
        let sample = about.settings.as_ref().map(|settings| settings.sample).filter(|(_, of)| *of > 1);
        view! {
            <span dir="auto" title="Model">{summary.model.clone()}</span>
            {endpoint.map(|(name, url)| view! { <span dir="auto" title=url>"@ " {name}</span> })}
            <span>{format::counted(summary.steps, "step")}</span>
            <span><Tokens count=summary.tokens/></span>
            {sample.map(|(this, of)| view! { <span>{format!("sample {this} of {of}")}</span> })}
            <span><RelativeTime at_ms=summary.created_at_ms/></span>
        }
    };
    let decided = move || {
        let review = editing.about.with(|about| about.summary.review.clone());
        let (word, tone) = match review.status {
            ReviewStatus::Open => return None,
            ReviewStatus::Accepted => ("accepted", Tone::Good),
            ReviewStatus::Rejected => ("rejected", Tone::Bad),
        };
        Some(view! { <Tag text=word tone testid="review-status"/> })
    };
    let ending = move || {
        let words = editing.about.with(|about| about.ending.clone()).filter(|words| !words.is_empty())?;
        let class = if state_tone(state.get()) == Tone::Bad { "reader-ending tone-bad" } else { "reader-ending" };
        Some(view! { <p class=class dir="auto" data-testid="trace-ending">{words}</p> })
    };
    let locked = move || {
        editing.locked.get().then(|| {
            let words = match state.get() {
                RunState::Queued => "This run waits for its turn. Its trace can be edited once it is over.",
                _ => "This run goes on. Its trace can be edited once it is over.",
            };
            view! { <p class="reader-ending" role="status" data-testid="read-only">{words}</p> }
        })
    };
    view! {
        <header class="reader-head editor-head">
            <div class="reader-title">
                <h2 dir="auto">
                    {move || {
                        let title = editing.about.with(|about| about.summary.title.clone());
                        if title.is_empty() { "Without a title".to_owned() } else { title }
                    }}
                </h2>
                <div class="reader-actions">
                    {go_on}
                    <Button icon=IconName::Export label="Export" title="Write the trace as a file" on_click=move |()| actions.export(vec![id.get_value()]) testid="export-trace"/>
                    <Menu label="More" items=menu testid="trace-menu"/>
                    <IconButton icon=IconName::Close label="Close the trace" on_click=move |()| actions.open("") testid="close-reader"/>
                </div>
            </div>
            <div class="reader-facts">
                <StateBadge state/>
                {decided}
                {facts}
            </div>
            {ending}
            {locked}
        </header>
    }
}

/// Undo and redo, what is saved, what is selected.
#[component]
pub(super) fn Toolbar(inspected: RwSignal<bool>) -> impl IntoView {
    let editing = use_editing();
    let folds = use_turn_page().folds;
    let undo = Memo::new(move |_| editing.state.with(|state| state.undo.clone()));
    let redo = Memo::new(move |_| editing.state.with(|state| state.redo.clone()));
    let words = |verb: &'static str, what: Memo<Option<String>>| {
        Signal::derive(move || match what.get() {
            Some(what) if !what.is_empty() => format!("{verb}: {what}"),
            _ => verb.to_owned(),
        })
    };
    let blocked =
        move |what: Memo<Option<String>>| Signal::derive(move || editing.locked.get() || what.with(Option::is_none));
    let many = Memo::new(move |_| editing.selection.with(super::selection::Selection::len));
    view! {
        <div class="editor-bar" role="toolbar" aria-label="Edits">
            <button type="button" class="button button-quiet undo-button" title=words("Undo", undo) disabled=blocked(undo) data-testid="undo" on:click=move |_| editing.undo()>
                <Icon name=IconName::Undo/>
                <span dir="auto">{words("Undo", undo)}</span>
            </button>
            <button type="button" class="button button-quiet undo-button" title=words("Redo", redo) disabled=blocked(redo) data-testid="redo" on:click=move |_| editing.redo()>
                <Icon name=IconName::Redo/>
                <span dir="auto">{words("Redo", redo)}</span>
            </button>
            <SaveState/>
            <span class="edit-gap"></span>
            {move || {
                (many.get() > 1)
                    .then(|| {
                        let count = format::counted(many.get() as u64, "turn");
                        view! {
                            <span class="picked-count" data-testid="picked-count">{count} " selected"</span>
                            <Show when=move || !editing.locked.get()>
                                <Button kind=ButtonKind::Quiet icon=IconName::Merge label="Merge" on_click=move |()| editing.merge(editing.picked()) testid="merge-selected"/>
                                <Button kind=ButtonKind::Quiet icon=IconName::Trash label="Delete" on_click=move |()| editing.delete(editing.picked()) testid="delete-selected"/>
                            </Show>
                        }
                    })
            }}
            <IconButton
                icon=IconName::Reasoning
                label=Signal::derive(move || if folds.is_open() { "Fold all reasoning (O)" } else { "Open all reasoning (O)" }.to_owned())
                pressed=Signal::derive(move || folds.is_open())
                on_click=move |()| folds.toggle_all()
                testid="reasoning-all"
            />
            <IconButton
                icon=IconName::Columns
                label=Signal::derive(move || if inspected.get() { "Hide what is beside the turns" } else { "Show what is beside the turns" }.to_owned())
                pressed=Signal::derive(move || inspected.get())
                on_click=move |()| inspected.update(|shown| *shown = !*shown)
                testid="toggle-inspector"
            />
        </div>
    }
}

/// Whether everything is on disk.
#[component]
fn SaveState() -> impl IntoView {
    let editing = use_editing();
    let word = move || {
        editing.saving.with(|saving| match saving {
            Saving::Saved => "saved",
            Saving::Under => "saving",
            Saving::Failed(_) => "failed",
        })
    };
    view! {
        <span
            class="save-state"
            role="status"
            data-testid="editor-state"
            data-state=word
            data-kept=move || editing.kept.get().to_string()
            data-revision=move || editing.state.with(|state| state.revision.to_string())
        >
            {move || match editing.saving.get() {
                Saving::Under => view! { <span class="save-busy">"Saving"</span> }.into_any(),
                Saving::Failed(error) => view! {
                    <Icon name=IconName::Error/>
                    <span class="tone-bad" title=error.to_string()>{format!("Not saved: {}", error.message)}</span>
                    <Button kind=ButtonKind::Quiet label="Try again" on_click=move |()| editing.retry() testid="save-retry"/>
                }
                    .into_any(),
                Saving::Saved => {
                    let open = editing.drafts.unsaved();
                    if open > 0 {
                        let words = format!("{} being written", format::counted(open as u64, "text"));
                        let kept = move || editing.kept.get().then_some(" · kept");
                        view! { <Icon name=IconName::Edit/><span title="It is part of the trace once it is saved; what is kept is here again after a restart">{words}{kept}</span> }.into_any()
                    } else {
                        view! { <Icon name=IconName::Check/><span>"All saved"</span> }.into_any()
                    }
                }
            }}
        </span>
    }
}
