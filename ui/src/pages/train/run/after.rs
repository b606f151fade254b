//! What there is when a training is over: its adapter, and what can be done with it next.

use leptos::prelude::*;
use tw_contract::{TrainJob, TrainMerge, TrainSettings, TrainState};

use super::super::use_paths;
use super::super::words::loss;
use super::model::Run;
use crate::components::{Button, ButtonKind, CopyButton, Dialog, ErrorBox, Icon, IconName, Switch, TextField};
use crate::state::format;
use crate::state::models::use_models;
use crate::state::trains::{Merge, TrainBegin, use_trains};

/// The adapter and what is next; nothing before there is one.
#[component]
pub(super) fn After(run: Run) -> impl IntoView {
    let adapter = Memo::new(move |_| {
        run.job.with(|job| {
            let job = job.as_ref().filter(|job| !job.state.is_live())?;
            Some((job.adapter.clone()?, job.state))
        })
    });
    move || {
        let (folder, state) = adapter.get()?;
        let job = run.job.get_untracked()?;
        Some(view! { <Adapter run job folder state/> })
    }
}

#[component]
fn Adapter(run: Run, job: TrainJob, folder: String, state: TrainState) -> impl IntoView {
    let trains = use_trains();
    let paths = use_paths();
    let open = RwSignal::new(false);
    let merge = Memo::new(move |_| {
        let id = run.id();
        trains.merges.with(|merges| merges.iter().find(|merge| merge.id == id).cloned())
    });
    let goes_on = Memo::new(move |_| merge.with(|merge| merge.as_ref().is_some_and(|merge| merge.ended.is_none())));
    let settings = StoredValue::new(job.settings.clone());
    let train_on = move |()| {
        let adapter = Some(run.id());
        let settings = TrainSettings { name: String::new(), adapter, ..settings.get_value() };
        trains.begin.set(Some(TrainBegin::Settings(Box::new(settings))));
        paths.go("/train");
    };
    let ending = match state {
        TrainState::Done => format!("Trained: {}", format::counted(job.step, "step")),
        _ => format!("What {} gave", format::counted(job.step, "step")),
    };
    let losses =
        [job.loss.map(|it| format!("loss {}", loss(it))), job.eval_loss.map(|it| format!("validation {}", loss(it)))];
    let losses: Vec<String> = losses.into_iter().flatten().collect();
    let copied = folder.clone();
    view! {
        <section class="training-after" aria-label="What next" data-testid="train-after">
            <div class="training-after-adapter">
                <Icon name=IconName::Check/>
                <div>
                    <p><b>{ending}</b> {(!losses.is_empty()).then(|| format!(" · {}", losses.join(", ")))}</p>
                    <p class="training-fact">
                        <span class="quiet">"Adapter"</span>
                        <span class="mono training-path" dir="auto" data-testid="train-adapter-path">{folder}</span>
                        <CopyButton text=move |()| copied.clone() label="Copy the folder" testid="train-adapter-copy"/>
                    </p>
                </div>
            </div>
            <div class="training-after-next">
                <Button icon=IconName::Merge label="Merge into a model" busy=goes_on title="Add the adapter to its base's weights, and write a model that transformers and vLLM load" on_click=move |()| open.set(true) testid="train-merge"/>
                <Button icon=IconName::Continue label="Train on from it" title="Begin a training that starts with this adapter" on_click=train_on testid="train-on"/>
            </div>
            {move || merge.get().map(|merge| view! { <MergeState merge/> })}
            <MergeDialog open run/>
        </section>
    }
}

/// How the merge stands.
#[component]
fn MergeState(merge: Merge) -> impl IntoView {
    match merge.ended {
        None => view! { <p class="training-merge" aria-live="polite" data-testid="train-merging">"The adapter is being merged. It goes on when you leave this page."</p> }.into_any(),
        Some(Ok(merged)) => {
            let copied = merged.folder.clone();
            view! {
                <p class="training-merge training-fact" data-testid="train-merged">
                    <span class="quiet">"Merged model"</span>
                    <span class="mono training-path" dir="auto">{merged.folder}</span>
                    <CopyButton text=move |()| copied.clone() label="Copy the folder"/>
                    {merged.model.is_some().then_some("It is among the models.")}
                </p>
            }
            .into_any()
        }
        Some(Err(error)) => view! { <div class="training-merge"><ErrorBox error/></div> }.into_any(),
    }
}

/// Asks where to write the merged model.
#[component]
fn MergeDialog(open: RwSignal<bool>, run: Run) -> impl IntoView {
    view! {
        <Dialog open title="Merge the adapter into its base" testid="train-merge-dialog">
            <MergeForm open run/>
        </Dialog>
    }
}

#[component]
fn MergeForm(open: RwSignal<bool>, run: Run) -> impl IntoView {
    let trains = use_trains();
    let models = use_models();
    let folder = RwSignal::new(String::new());
    let add = RwSignal::new(true);
    let merge = move || {
        let out = Some(folder.get_untracked().trim().to_owned()).filter(|it| !it.is_empty());
        trains.merge(TrainMerge { id: run.id(), out, add: add.get_untracked() });
        open.set(false);
    };
    // The list has the merged model once it is there.
    Effect::new(move |_| {
        let done = trains.merges.with(|merges| merges.iter().any(|merge| matches!(merge.ended, Some(Ok(_)))));
        if done {
            models.load();
        }
    });
    view! {
        <form
            class="form-column"
            on:submit=move |event| {
                event.prevent_default();
                merge();
            }
        >
            <p>"The adapter is added to its base's weights in 16 bits. The result is a folder like the base's, which transformers and vLLM load. The base and the adapter stay as they are."</p>
            <TextField label="Folder (optional)" value=folder mono=true autofocus=true placeholder="below the workspace's models" hint="It must not be there yet." testid="train-merge-folder"/>
            <label class="switch-line">
                <Switch label="Put it among the models" on=add on_change=move |on: bool| add.set(on) testid="train-merge-add"/>
                <span>"Put it among the models" <small>"It can then be a base, and its tokenizer and template be used."</small></span>
            </label>
            <div class="dialog-actions">
                <Button label="Cancel" on_click=move |()| open.set(false)/>
                <Button kind=ButtonKind::Primary icon=IconName::Merge label="Merge" submit=true on_click=move |()| merge() testid="train-merge-go"/>
            </div>
        </form>
    }
}
