//! Adds or changes a server: by form, by pasted JSON, or from another program's file.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, ServerDraft};

use super::section::{Fold, NumberField};
use super::server_form::{PRESETS, PairRow, Pairs, Reach, ServerForm, ServerProblems};
use super::server_import::{FromJson, FromPrograms};
use super::servers::ServerSubject;
use crate::components::{
    Button, ButtonKind, Choice, Dialog, ErrorBox, IconButton, IconName, Segmented, Tab, Tabs, TextField,
};
use crate::state::servers::{ServerAction, use_servers};

/// Where the servers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Form,
    Json,
    Programs,
}

/// The dialog. It is open while `subject` holds something.
#[component]
pub(crate) fn ServerDialog(
    /// What it does.
    subject: RwSignal<Option<ServerSubject>>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move || open.set(subject.with(Option::is_some)));
    Effect::new(move || {
        if !open.get() && subject.with_untracked(Option::is_some) {
            subject.set(None);
        }
    });
    let title = Signal::derive(move || {
        let is_new = subject.with(|subject| !matches!(subject, Some(ServerSubject::Saved(_))));
        if is_new { "Add an MCP server" } else { "Change the server" }.to_owned()
    });
    let on_done = Callback::new(move |()| subject.set(None));
    view! {
        <Dialog open title testid="server-dialog">
            {move || match subject.get() {
                None => ().into_any(),
                Some(ServerSubject::New) => view! { <NewServer on_done/> }.into_any(),
                Some(ServerSubject::Saved(draft)) => view! { <ServerFields draft=Some(draft) on_done/> }.into_any(),
            }}
        </Dialog>
    }
}

#[component]
fn NewServer(on_done: Callback<()>) -> impl IntoView {
    let source = RwSignal::new(Source::Form);
    let tabs = Signal::stored(vec![
        Tab::new(Source::Form, "By form", "server-tab-form"),
        Tab::new(Source::Json, "Paste JSON", "server-tab-json"),
        Tab::new(Source::Programs, "From another program", "server-tab-known"),
    ]);
    view! {
        <Tabs label="Where the server comes from" tabs value=source/>
        {move || match source.get() {
            Source::Form => view! { <ServerFields draft=None on_done/> }.into_any(),
            Source::Json => view! { <FromJson on_done/> }.into_any(),
            Source::Programs => view! { <FromPrograms on_done/> }.into_any(),
        }}
    }
}

#[component]
fn ServerFields(draft: Option<ServerDraft>, on_done: Callback<()>) -> impl IntoView {
    let servers = use_servers();
    let is_new = draft.is_none();
    let form = ServerForm::new(draft.as_ref());
    let problems = RwSignal::new(ServerProblems::default());
    let refused = RwSignal::new(None::<ApiError>);
    let saving = RwSignal::new(false);
    let hint = RwSignal::new(String::new());
    let problem = move |read: fn(&ServerProblems) -> Option<String>| Signal::derive(move || problems.with(read));
    let save = move || {
        let draft = match form.read() {
            Ok(draft) => draft,
            Err(found) => {
                problems.set(found);
                return;
            }
        };
        problems.set(ServerProblems::default());
        saving.set(true);
        spawn_local(async move {
            match servers.save(draft).await {
                Ok(saved) => {
                    on_done.try_run(());
                    // A server that was just described is wanted with its tools; its card tells what came of it.
                    if is_new && let Err(error) = servers.act(&saved.config.id, ServerAction::Start).await {
                        servers.problem.set(Some(error));
                    }
                }
                Err(error) => {
                    refused.try_set(Some(error));
                }
            }
            saving.try_set(false);
        });
    };
    let set_timeout_secs = Callback::new(move |secs: Option<u64>| {
        if let Some(secs) = secs {
            form.timeout_secs.set(secs);
        }
    });
    let more_open = RwSignal::new(!is_new);
    view! {
        <form
            class="form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                save();
            }
        >
            {is_new
                .then(|| {
                    view! {
                        <div class="presets">
                            {PRESETS
                                .into_iter()
                                .map(|preset| {
                                    view! {
                                        <button
                                            type="button"
                                            class="preset"
                                            title=preset.hint
                                            data-testid=preset.testid
                                            on:click=move |_| {
                                                form.use_preset(preset);
                                                hint.set(preset.hint.to_owned());
                                            }
                                        >
                                            {preset.label}
                                        </button>
                                    }
                                })
                                .collect_view()}
                        </div>
                    }
                })}
            <TextField label="Name" value=form.name placeholder="for example: playwright" error=problem(|it| it.name.clone()) testid="server-name"/>
            <Segmented
                label="How it is reached"
                options=vec![
                    Choice::new(Reach::Program, "A program on this machine (stdio)"),
                    Choice::new(Reach::Address, "An address (HTTP)"),
                ]
                value=form.reach
                testid="server-reach"
            />
            <Show
                when=move || form.reach.get() == Reach::Program
                fallback=move || {
                    view! {
                        <TextField label="URL" value=form.url input_type="url" mono=true placeholder="https://example.org/mcp" error=problem(|it| it.url.clone()) testid="server-url"/>
                        <PairRows title="Headers" add="Add a header" pairs=form.headers name_placeholder="Authorization" testid="server-headers"/>
                    }
                }
            >
                <TextField label="Command" value=form.command mono=true placeholder="npx" error=problem(|it| it.command.clone()) testid="server-command"/>
                <TextField
                    label="Arguments"
                    value=form.args
                    mono=true
                    placeholder="-y @playwright/mcp --isolated"
                    hint=Signal::derive(move || {
                        let preset = hint.get();
                        if preset.is_empty() { "As in a shell; quotes keep spaces together.".to_owned() } else { preset }
                    })
                    error=problem(|it| it.args.clone())
                    testid="server-args"
                />
                <PairRows title="Environment" add="Add a variable" pairs=form.env name_placeholder="API_TOKEN" testid="server-env"/>
            </Show>
            <Fold title="More" open=more_open testid="server-more">
                <Show when=move || form.reach.get() == Reach::Program>
                    <TextField label="Working directory" value=form.cwd mono=true placeholder="the workspace folder" testid="server-cwd"/>
                </Show>
                <NumberField
                    label="Longest time of one call, in seconds"
                    value=Signal::derive(move || Some(form.timeout_secs.get()))
                    on_change=set_timeout_secs
                    min=1
                    max=86_400
                    testid="server-timeout"
                />
            </Fold>
            {move || refused.get().map(|error| view! { <ErrorBox error/> })}
            <div class="dialog-actions">
                <Button label="Cancel" on_click=on_done testid="server-cancel"/>
                <Button
                    label=if is_new { "Save and start" } else { "Save" }
                    kind=ButtonKind::Primary
                    submit=true
                    busy=saving
                    on_click=move |()| save()
                    testid="server-save"
                />
            </div>
        </form>
    }
}

#[component]
fn PairRows(
    title: &'static str,
    add: &'static str,
    pairs: Pairs,
    name_placeholder: &'static str,
    testid: &'static str,
) -> impl IntoView {
    view! {
        <div class="field" data-testid=testid>
            <div class="pairs-head">
                <span class="field-label">{title}</span>
                <Button label=add kind=ButtonKind::Quiet icon=IconName::Plus on_click=move |()| pairs.push("", Some(String::new()))/>
            </div>
            <For each=move || pairs.rows.get() key=|row| row.key let:row>
                <PairFields row pairs name_placeholder/>
            </For>
            <Show when=move || !pairs.rows.with(Vec::is_empty)>
                <p class="field-hint">"Values are kept with your other keys, never in the workspace's files."</p>
            </Show>
        </div>
    }
}

#[component]
fn PairFields(row: PairRow, pairs: Pairs, name_placeholder: &'static str) -> impl IntoView {
    let shown = RwSignal::new(false);
    view! {
        <div class="pair">
            <input
                class="input mono"
                aria-label="Name"
                placeholder=name_placeholder
                autocomplete="off"
                spellcheck="false"
                data-testid="pair-name"
                prop:value=row.name
                on:input:target=move |event| row.name.set(event.target().value())
            />
            <input
                class="input mono"
                aria-label="Value"
                type=move || if shown.get() { "text" } else { "password" }
                placeholder=move || if row.saved.get() { "saved; type to replace" } else { "value" }
                autocomplete="off"
                spellcheck="false"
                data-testid="pair-value"
                prop:value=row.value
                on:input:target=move |event| {
                    row.saved.set(false);
                    row.value.set(event.target().value());
                }
            />
            <IconButton icon=IconName::Eye label="Show what is typed" pressed=Signal::from(shown) on_click=move |()| shown.update(|shown| *shown = !*shown)/>
            <IconButton icon=IconName::Close label="Remove this row" on_click=move |()| pairs.remove(row.key)/>
        </div>
    }
}
