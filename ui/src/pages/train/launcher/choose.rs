//! What is trained on what: a dataset version, a base model.

use std::collections::HashMap;

use leptos::prelude::*;
use tw_artifact::DatasetVersion;
use tw_contract::{ApiError, ErrorCode, TrainOptions};

use super::super::use_paths;
use super::groups::base_words;
use super::planner::Planner;
use crate::components::{Button, ErrorBox, Field, IconButton, IconName, ModelPicker, RelativeTime};
use crate::pages::hub::DownloadDialog;
use crate::state::datasets::use_datasets;
use crate::state::format;
use crate::state::models::use_models;
use crate::state::trains::use_trains;

/// The versions, by the dataset's name: the name whose newest version is newest first.
fn by_name(versions: &[DatasetVersion]) -> Vec<(String, Vec<DatasetVersion>)> {
    let mut sorted = versions.to_vec();
    sorted.sort_by_key(|version| std::cmp::Reverse(version.built_at_ms));
    let mut groups: Vec<(String, Vec<DatasetVersion>)> = Vec::new();
    for version in sorted {
        match groups.iter_mut().find(|(name, _)| *name == version.name) {
            Some((_, group)) => group.push(version),
            None => groups.push((version.name.clone(), vec![version])),
        }
    }
    groups
}

fn option_words(version: &DatasetVersion) -> String {
    let about = if version.model.is_none() { "about " } else { "" };
    format!(
        "{} {} · {} · {about}{} tokens{}",
        version.name,
        version.short_id(),
        format::counted(version.train.rows, "row"),
        format::short_count(version.train.tokens),
        if version.problem.is_some() { " (cannot be used)" } else { "" },
    )
}

/// The dataset version.
#[component]
pub(super) fn DatasetChoice(planner: Planner) -> impl IntoView {
    let datasets = use_datasets();
    let paths = use_paths();
    let settings = planner.settings;
    datasets.refresh();
    let groups = Memo::new(move |_| by_name(&datasets.known()));
    // A setting may name the beginning of an id.
    let chosen = Memo::new(move |_| {
        let wanted = settings.with(|settings| settings.dataset.clone());
        let found = |version: &DatasetVersion| !wanted.is_empty() && version.id.starts_with(&wanted);
        groups.with(|groups| groups.iter().flat_map(|(_, versions)| versions).find(|it| found(it)).cloned())
    });
    // Without a choice, the newest.
    Effect::new(move |_| {
        let known = datasets.versions.with(|versions| matches!(versions, Some(Ok(_))));
        let newest = groups.with(|groups| {
            groups.iter().flat_map(|(_, versions)| versions).find(|version| version.problem.is_none()).cloned()
        });
        if known && chosen.with(Option::is_none) {
            let id = newest.map(|version| version.id).unwrap_or_default();
            if settings.with_untracked(|settings| settings.dataset != id) {
                settings.update(|settings| settings.dataset = id);
            }
        }
    });
    let about = move || {
        let version = chosen.get()?;
        let mut facts = vec![
            format::counted(version.train.rows, "row"),
            format!(
                "{} tokens, {} of them trained",
                format::count(version.train.tokens),
                format::count(version.train.trained_tokens)
            ),
        ];
        if version.validation.rows > 0 {
            facts.push(format!("{} for validation", format::counted(version.validation.rows, "row")));
        }
        facts.push(format!("a row for {}", version.unroll.label().to_lowercase()));
        let id = version.id.clone();
        Some(view! {
            <p class="field-hint">
                {facts.join(" · ")} " · built " <RelativeTime at_ms=version.built_at_ms/> " "
                <button type="button" class="link-button" data-testid="train-dataset-open" on:click=move |_| paths.go(format!("/dataset/{id}"))>"Look into it"</button>
            </p>
            {version.problem.map(|problem| view! { <p class="field-error" dir="auto">{problem}</p> })}
        })
    };
    let select = move |id: String| {
        view! {
            <select
                id=id
                class="input"
                data-testid="train-dataset"
                prop:value=move || chosen.with(|chosen| chosen.as_ref().map(|version| version.id.clone()).unwrap_or_default())
                on:change:target=move |event| {
                    let id = event.target().value();
                    settings.update(|settings| settings.dataset = id);
                }
            >
                {move || {
                    let now = chosen.with(|chosen| chosen.as_ref().map(|version| version.id.clone()));
                    groups
                        .get()
                        .into_iter()
                        .map(|(name, versions)| {
                            let options = versions
                                .iter()
                                .map(|version| {
                                    view! {
                                        <option value=version.id.clone() disabled=version.problem.is_some() selected=now.as_ref() == Some(&version.id)>
                                            {option_words(version)}
                                        </option>
                                    }
                                })
                                .collect_view();
                            view! { <optgroup label=name>{options}</optgroup> }
                        })
                        .collect_view()
                }}
            </select>
        }
    };
    let none = Memo::new(move |_| {
        datasets.versions.with(|versions| matches!(versions, Some(Ok(_)))) && groups.with(Vec::is_empty)
    });
    let problem = move || datasets.versions.with(|versions| versions.clone().and_then(Result::err));
    view! {
        <Field label="Dataset version" let:id>
            <Show
                when=move || none.get()
                fallback={
                    let id = id.clone();
                    move || select(id.clone())
                }
            >
                <div class="train-none" data-testid="train-no-dataset">
                    <p class="quiet">"There is no dataset yet. It is made of your traces."</p>
                    <Button label="Build a dataset" on_click=move |()| paths.go("/dataset/new")/>
                </div>
            </Show>
            {about}
            {move || problem().map(|error| view! { <ErrorBox error on_retry=move |()| datasets.refresh()/> })}
        </Field>
    }
}

/// The base model.
#[component]
pub(super) fn BaseChoice(planner: Planner) -> impl IntoView {
    let trains = use_trains();
    let models = use_models();
    let settings = planner.settings;
    // A model that was added or taken away is a base, or none any more.
    Effect::new(move |_| {
        models.list.with(|_| ());
        trains.load_options();
    });
    let bases = Memo::new(move |_| {
        trains.options.with(|options| match options {
            Some(Ok(options)) => options.bases.clone(),
            _ => Vec::new(),
        })
    });
    let unfit = Signal::derive(move || {
        bases.with(|bases| {
            let problems = bases.iter().filter_map(|base| Some((base.id.clone(), base.problem.clone()?)));
            problems.collect::<HashMap<_, _>>()
        })
    });
    let value =
        RwSignal::new(settings.with_untracked(|settings| Some(settings.base.clone()).filter(|it| !it.is_empty())));
    let listed = Memo::new(move |_| {
        let base = settings.with(|settings| settings.base.clone());
        bases.with(|bases| bases.iter().find(|it| it.id == base || it.path == base).cloned())
    });
    Effect::new(move |before: Option<()>| {
        let chosen = value.get();
        if before.is_some()
            && let Some(chosen) = chosen
            && settings.with_untracked(|settings| settings.base != chosen)
        {
            settings.update(|settings| settings.base = chosen);
        }
    });
    Effect::new(move |_| {
        let base = settings.with(|settings| settings.base.clone());
        let now =
            listed.with(|listed| listed.as_ref().map(|it| it.id.clone())).or(Some(base).filter(|it| !it.is_empty()));
        if value.with_untracked(|value| *value != now) {
            value.set(now);
        }
    });
    // Without a choice, or where what was chosen is off the list, the first that can be trained.
    let is_folder = |base: &str| base.contains(['/', '\\']);
    Effect::new(move |_| {
        let first = bases.with(|bases| bases.iter().find(|base| base.problem.is_none()).map(|base| base.id.clone()));
        if let Some(first) = first
            && settings.with(|settings| {
                let base = &settings.base;
                base.is_empty() || !is_folder(base) && !models.has(base)
            })
        {
            settings.update(|settings| settings.base = first);
        }
    });
    let about = move || {
        let base = settings.with(|settings| settings.base.clone());
        match listed.get() {
            Some(base) if base.problem.is_none() => {
                let words = base_words(&base);
                (!words.is_empty()).then(|| view! { <p class="field-hint">{words}</p> }.into_any())
            }
            None if is_folder(&base) => {
                Some(view! { <p class="field-hint" dir="auto" data-testid="train-base-folder">"The folder " <span class="mono">{base}</span></p> }.into_any())
            }
            _ => None,
        }
    };
    let download = RwSignal::new(false);
    let problem = move || {
        trains.options.with(|options| match options {
            Some(Err(error)) => Some(error.clone()),
            Some(Ok(TrainOptions { problem: Some(problem), .. })) => {
                Some(ApiError::new(ErrorCode::Internal, problem.clone()))
            }
            _ => None,
        })
    };
    view! {
        <div class="train-base" data-testid="train-base">
            <ModelPicker value none="Choose a model" label="Base model" unfit>
                <IconButton icon=IconName::Import label="Fetch a model from the Hub" on_click=move |()| download.set(true) testid="train-download"/>
            </ModelPicker>
            {about}
            {move || problem().map(|error| view! { <ErrorBox error on_retry=move |()| trains.load_options()/> })}
            <DownloadDialog open=download/>
        </div>
    }
}
