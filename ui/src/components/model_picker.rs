//! Picks the model whose tokenizer and template rows are rendered with, and adds one.

use std::collections::HashMap;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, ModelAdd, ModelEntry};

use super::button::{Button, ButtonKind, IconButton};
use super::dialog::Dialog;
use super::error_box::ErrorBox;
use super::field::{Choice, Field, Select, TextField};
use super::icon::IconName;
use crate::state::models::use_models;
use crate::state::toasts::{ToastAction, use_toasts};

/// A field for a model of the workspace, with ways to add one and to forget the picked one.
#[component]
pub(crate) fn ModelPicker(
    /// The model's id.
    value: RwSignal<Option<String>>,
    /// What no model means here, as a choice of its own; without it, no model stands for the first one.
    #[prop(optional, into)]
    none: Option<String>,
    /// What it is picked for.
    #[prop(optional, into)]
    label: Option<&'static str>,
    /// Models that cannot be picked for this, by id, and why.
    #[prop(optional, into)]
    unfit: Signal<HashMap<String, String>>,
    /// Further ways to come to a model, beside the one to add a folder.
    #[prop(optional)]
    children: Option<Children>,
    /// One that is offered although it may not be in the workspace's list; it comes first and stands for no choice.
    #[prop(optional_no_strip)]
    own: Option<ModelEntry>,
) -> impl IntoView {
    let models = use_models();
    let toasts = use_toasts();
    models.ensure();
    let none = StoredValue::new(none);
    let own = StoredValue::new(own);
    // All that can be picked.
    let offered = Memo::new(move |_| {
        models.list.with(|list| {
            let unlisted = own.get_value().filter(|own| list.iter().all(|entry| entry.id != own.id));
            unlisted.into_iter().chain(list.iter().cloned()).collect::<Vec<_>>()
        })
    });
    let adding = RwSignal::new(false);
    let options = Signal::derive(move || {
        let without = none.with_value(|none| none.clone().map(|label| Choice::new(None, label)));
        let unfit = unfit.get();
        offered.with(|list| {
            let listed = list.iter().map(|entry| {
                let broken =
                    if entry.problem.is_some() || unfit.contains_key(&entry.id) { " (cannot be used)" } else { "" };
                Choice::new(Some(entry.id.clone()), format!("{}{broken}", entry.name))
            });
            without.into_iter().chain(listed).collect::<Vec<_>>()
        })
    });
    // Which of them is used: without a choice, the one that comes with what is looked at, or, without a choice for none,
    // the first.
    let entry = Memo::new(move |_| {
        let id = value.get();
        let first = none.with_value(Option::is_none);
        offered.with(|list| {
            let own = own.with_value(|own| own.as_ref().map(|own| own.id.clone()));
            let by_id = |id: Option<&String>| list.iter().find(|entry| Some(&entry.id) == id);
            let found = by_id(id.as_ref()).or_else(|| by_id(own.as_ref()));
            found.or_else(|| list.first().filter(|_| first)).cloned()
        })
    });
    let is_listed = Memo::new(move |_| {
        let Some(id) = entry.with(|entry| entry.as_ref().map(|entry| entry.id.clone())) else { return false };
        models.list.with(|list| list.iter().any(|entry| entry.id == id))
    });
    let shown = RwSignal::new(None::<String>);
    Effect::new(move |_| shown.set(entry.with(|entry| entry.as_ref().map(|entry| entry.id.clone()))));
    Effect::new(move |before: Option<Option<String>>| {
        let now = shown.get();
        if before.is_some_and(|before| before != now)
            && entry.with_untracked(|it| it.as_ref().map(|it| it.id.clone())) != now
        {
            value.set(now.clone());
        }
        now
    });
    let forget = move || {
        let Some(entry) = entry.get_untracked() else { return };
        spawn_local(async move {
            match models.remove(&entry.id).await {
                Ok(()) => {
                    let undo = ToastAction {
                        label: "Undo",
                        run: Callback::new(move |()| {
                            let again = ModelAdd { path: entry.path.clone(), name: entry.name.clone() };
                            spawn_local(async move {
                                match models.add(again).await {
                                    Ok(entry) => value.try_set(Some(entry.id)).map_or((), |_| ()),
                                    Err(error) => toasts.error(error),
                                }
                            });
                        }),
                    };
                    toasts.offer("The model is off the list. Its files stay.", undo);
                }
                Err(error) => toasts.error(error),
            }
        });
    };
    let about = move || {
        let entry = entry.get()?;
        let problem = unfit.with(|unfit| unfit.get(&entry.id).cloned());
        Some(match problem.or(entry.problem) {
            Some(problem) => {
                view! { <p class="field-error" dir="auto" data-testid="model-problem">{problem}</p> }.into_any()
            }
            None => {
                let summary = if entry.found.summary.is_empty() { entry.path.clone() } else { entry.found.summary };
                view! { <p class="field-hint" dir="auto" title=entry.path>{summary}</p> }.into_any()
            }
        })
    };
    view! {
        <div class="model-choice" data-testid="model-choice">
            <Field label=label.unwrap_or("Model (its tokenizer and template)") let:id>
                <div class="with-button">
                    <Select label="Model" bare=true options value=shown testid="model-select"/>
                    <IconButton icon=IconName::Plus label="Add a model" on_click=move |()| adding.set(true) testid="model-add"/>
                    <IconButton
                        icon=IconName::Trash
                        label="Take the model off the list"
                        disabled=Signal::derive(move || !is_listed.get())
                        on_click=move |()| forget()
                        testid="model-remove"
                    />
                    {children.map(|children| children())}
                </div>
                <span hidden=true id=id></span>
            </Field>
            {about}
            {move || models.problem.get().map(|error| view! { <ErrorBox error on_retry=move |()| models.load()/> })}
            <ModelAddDialog open=adding on_added=move |entry: ModelEntry| value.set(Some(entry.id))/>
        </div>
    }
}

/// A button that adds a model.
#[component]
pub(crate) fn ModelAddButton(
    /// Called with the model that was added.
    #[prop(into)]
    on_added: Callback<ModelEntry>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <Button kind=ButtonKind::Primary icon=IconName::Folder label="Choose a model" on_click=move |()| open.set(true) testid="model-choose"/>
        <ModelAddDialog open on_added/>
    }
}

/// Asks for a model's folder or file.
#[component]
pub(crate) fn ModelAddDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Called with the model that was added.
    #[prop(into)]
    on_added: Callback<ModelEntry>,
) -> impl IntoView {
    view! {
        <Dialog open title="Add a model" testid="model-add-dialog">
            <AddForm open on_added/>
        </Dialog>
    }
}

#[component]
fn AddForm(open: RwSignal<bool>, on_added: Callback<ModelEntry>) -> impl IntoView {
    let models = use_models();
    let (path, name) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<ApiError>);
    let no_path = Memo::new(move |_| path.with(|path| path.trim().is_empty()));
    let add = move || {
        if no_path.get_untracked() || busy.get_untracked() {
            return;
        }
        let model =
            ModelAdd { path: path.get_untracked().trim().to_owned(), name: name.get_untracked().trim().to_owned() };
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let answer = models.add(model).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match answer {
                Ok(entry) => {
                    open.set(false);
                    on_added.run(entry);
                }
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    view! {
        <form
            class="form-column"
            on:submit=move |event| {
                event.prevent_default();
                add();
            }
        >
            <TextField
                label="Folder or file on this machine"
                value=path
                mono=true
                autofocus=true
                placeholder="~/models/Qwen3-0.6B"
                hint="A model's folder with tokenizer.json and its template, or a GGUF file. Only these are read: weights need not be there."
                testid="model-path"
            />
            <TextField label="Name (optional)" value=name placeholder="the folder's own" testid="model-name"/>
            {move || problem.get().map(|error| view! { <ErrorBox error/> })}
            <div class="dialog-actions">
                <Button label="Cancel" on_click=move |()| open.set(false)/>
                <Button kind=ButtonKind::Primary label="Add" submit=true busy disabled=no_path on_click=move |()| add() testid="model-save"/>
            </div>
        </form>
    }
}
