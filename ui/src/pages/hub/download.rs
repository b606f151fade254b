//! Fetching a model from the Hub into a folder.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, HubDownload, HubRepoKind};

use crate::components::{Button, ButtonKind, Dialog, ErrorBox, Switch, TextField};
use crate::state::hub::use_hub;

/// The dialog that fetches a model.
#[component]
pub(crate) fn DownloadDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title="Fetch a model from the Hub" testid="download-dialog">
            <Form open/>
        </Dialog>
    }
}

#[component]
fn Form(open: RwSignal<bool>) -> impl IntoView {
    let hub = use_hub();
    let (repo, revision, folder) =
        (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let all_files = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<ApiError>);
    let missing = Memo::new(move |_| repo.with(|repo| repo.trim().is_empty()));
    let fetch = move || {
        if missing.get_untracked() || busy.get_untracked() {
            return;
        }
        let filled =
            |field: RwSignal<String>| Some(field.get_untracked().trim().to_owned()).filter(|it| !it.is_empty());
        let download = HubDownload {
            kind: HubRepoKind::Model,
            repo: repo.get_untracked().trim().to_owned(),
            revision: filled(revision),
            folder: filled(folder),
            all_files: all_files.get_untracked(),
        };
        busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let answer = hub.download(download).await;
            if busy.is_disposed() {
                return;
            }
            busy.set(false);
            match answer {
                Ok(()) => open.set(false),
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    view! {
        <form
            class="form-column"
            on:submit=move |event| {
                event.prevent_default();
                fetch();
            }
        >
            <TextField label="Model" value=repo mono=true autofocus=true placeholder="Qwen/Qwen3-0.6B" hint="owner/name, or its address on the Hub" testid="download-repo"/>
            <TextField label="Folder (optional)" value=folder mono=true placeholder="below the workspace's models" testid="download-folder"/>
            <TextField label="Branch, tag or commit (optional)" value=revision mono=true placeholder="main" testid="download-revision"/>
            <div class="push-switch">
                <Switch label="Every file" on=all_files on_change=move |now: bool| all_files.set(now) testid="download-all"/>
                <div>
                    <span>"Every file"</span>
                    <p class="field-hint">"Otherwise only what training and inference here need: weights as safetensors, configuration, tokenizer, template, card and licence."</p>
                </div>
            </div>
            <p class="field-hint">"What is there of it already is not fetched again. When it is done, it is among the models."</p>
            {move || problem.get().map(|error| view! { <ErrorBox error/> })}
            <div class="dialog-actions">
                <Button label="Cancel" on_click=move |()| open.set(false)/>
                <Button kind=ButtonKind::Primary label="Fetch" submit=true busy disabled=missing on_click=move |()| fetch() testid="download-go"/>
            </div>
        </form>
    }
}
