//! Export: pick what the version is written for, see what that cannot hold, write.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, DatasetExportRequest, DatasetExported, DatasetFormatInfo, Empty};

use crate::backend::use_api;
use crate::components::{
    Button, ButtonKind, CopyButton, Dialog, ErrorBox, Icon, IconName, ModelPicker, Skeleton, TextField,
};
use crate::state::format;
use crate::state::settings::use_setting;

/// The format that needs a tokenizer.
const TOKENS: &str = "tokens";

/// The dialog.
#[component]
pub(super) fn ExportDialog(open: RwSignal<bool>, version: StoredValue<String>) -> impl IntoView {
    view! {
        <Dialog open title="Export the version" wide=true testid="dataset-export-dialog">
            <Body open version/>
        </Dialog>
    }
}

#[component]
fn Body(open: RwSignal<bool>, version: StoredValue<String>) -> impl IntoView {
    let api = StoredValue::new(use_api());
    let formats = RwSignal::new(Vec::<DatasetFormatInfo>::new());
    let chosen = use_setting("dataset-export-format", String::new());
    let checked = RwSignal::new(None::<Result<DatasetExported, ApiError>>);
    let written = RwSignal::new(None::<Result<DatasetExported, ApiError>>);
    let busy = RwSignal::new(false);
    let round = StoredValue::new(0_u64);
    let place = RwSignal::new(String::new());
    let model = RwSignal::new(None::<String>);
    let is_tokens = Memo::new(move |_| chosen.with(|chosen| chosen == TOKENS));
    spawn_local(async move {
        match api.get_value().dataset_formats(Empty {}).await {
            Ok(list) => {
                let known = chosen.try_with_untracked(|chosen| list.iter().any(|format| format.name == *chosen));
                if known == Some(false)
                    && let Some(first) = list.first()
                {
                    chosen.set(first.name.clone());
                }
                formats.try_set(list);
            }
            Err(error) => {
                checked.try_set(Some(Err(error)));
            }
        }
    });
    let ask = move |check: bool| {
        let format = chosen.get_untracked();
        if format.is_empty() {
            return;
        }
        let number = round.get_value() + 1;
        round.set_value(number);
        let answer = if check { checked } else { written };
        answer.set(None);
        busy.set(true);
        let out = place.with_untracked(|place| Some(place.trim().to_owned()).filter(|it| !it.is_empty()));
        let request = DatasetExportRequest {
            id: version.get_value(),
            model: model.get_untracked().filter(|_| format == TOKENS),
            format,
            check,
            out,
        };
        spawn_local(async move {
            let outcome = api.get_value().dataset_export(request).await;
            if round.try_get_value() == Some(number) {
                busy.set(false);
                answer.set(Some(outcome));
            }
        });
    };
    // What a format cannot hold is told before anything is written.
    Effect::new(move |_| {
        chosen.track();
        model.track();
        if formats.with(|formats| !formats.is_empty()) {
            ask(true);
        }
    });
    let choices = move || {
        formats
            .get()
            .into_iter()
            .map(|format| {
                let name = StoredValue::new(format.name.clone());
                let is_on = Memo::new(move |_| chosen.with(|chosen| *chosen == *name.read_value()));
                view! {
                    <label class="format-choice dataset-format" class:is-on=is_on>
                        <input
                            type="radio"
                            name="dataset-export-format"
                            prop:checked=is_on
                            value=format.name.clone()
                            data-testid="dataset-export-format"
                            data-format=format.name.clone()
                            on:change=move |_| chosen.set(name.get_value())
                        />
                        <span>{format.label}<small>{format.about}</small></span>
                    </label>
                }
            })
            .collect_view()
    };
    view! {
        {move || match written.get() {
            Some(Ok(outcome)) => view! { <Written outcome open/> }.into_any(),
            Some(Err(error)) => view! { <ErrorBox error on_retry=move |()| ask(false)/> }.into_any(),
            None => view! {
                <div class="format-choices" role="radiogroup" aria-label="Format">{choices}</div>
                <Show when=move || is_tokens.get()>
                    <ModelPicker value=model none="The version's own"/>
                </Show>
                {move || match checked.get() {
                    None => view! { <Skeleton lines=2/> }.into_any(),
                    Some(Err(error)) => view! { <ErrorBox error on_retry=move |()| ask(true)/> }.into_any(),
                    Some(Ok(outcome)) => view! { <Losses outcome/> }.into_any(),
                }}
                <TextField label="Into this folder" value=place placeholder="the workspace's folder for exports" mono=true testid="dataset-export-out"/>
                <div class="dialog-actions">
                    <Button label="Cancel" on_click=move |()| open.set(false)/>
                    <Button
                        kind=ButtonKind::Primary
                        icon=IconName::Export
                        label=Signal::derive(move || {
                            let lossy = checked.with(|it| matches!(it, Some(Ok(outcome)) if !outcome.losses.is_empty()));
                            if lossy { "Export anyway" } else { "Export" }.to_owned()
                        })
                        busy=busy
                        disabled=Signal::derive(move || !checked.with(|it| matches!(it, Some(Ok(_)))))
                        on_click=move |()| ask(false)
                        testid="dataset-export-go"
                    />
                </div>
            }
                .into_any(),
        }}
    }
}

/// What a format cannot hold.
#[component]
fn Losses(outcome: DatasetExported) -> impl IntoView {
    if outcome.losses.is_empty() {
        return view! {
            <p class="export-fine" data-testid="dataset-export-fine"><Icon name=IconName::Check/><span>"This format holds all of it."</span></p>
        }
        .into_any();
    }
    view! {
        <div class="export-losses">
            <p><Icon name=IconName::Warning/><span>"This format cannot hold everything:"</span></p>
            <ul>
                {outcome
                    .losses
                    .into_iter()
                    .map(|loss| {
                        view! { <li data-testid="dataset-export-loss"><b>{format::counted(loss.traces, "row")}</b><span dir="auto">{loss.what}</span></li> }
                    })
                    .collect_view()}
            </ul>
        </div>
    }
    .into_any()
}

/// What was written, and where.
#[component]
fn Written(outcome: DatasetExported, open: RwSignal<bool>) -> impl IntoView {
    let folder = outcome.folder.clone();
    let files = outcome.files.len();
    view! {
        <div class="export-written" data-testid="dataset-export-written">
            <p>{format!("{} in {}, written into", format::counted(outcome.rows, "row"), format::counted(files as u64, "file"))}</p>
            <p class="export-folder">
                <code dir="auto">{outcome.folder}</code>
                <CopyButton text=move |()| folder.clone() label="Copy the folder's path"/>
            </p>
            <ul class="export-files">{outcome.files.into_iter().map(|file| view! { <li class="mono" dir="auto">{file}</li> }).collect_view()}</ul>
        </div>
        <div class="dialog-actions">
            <Button kind=ButtonKind::Primary label="Close" on_click=move |()| open.set(false) testid="dataset-export-close"/>
        </div>
    }
}
