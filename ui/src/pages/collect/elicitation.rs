//! A server's question to the person: a form, or a link to open.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{Elicitation, ElicitationAnswer, Json, Map};
use tw_contract::{ApiError, ElicitationReply};
use wasm_bindgen::JsCast;

use super::form_schema::{Choice, Field as FormField, FieldKind, FieldValue, answer, read_fields};
use crate::backend::use_api;
use crate::components::{Button, ButtonKind, CopyButton, ErrorBox, Field, Icon, IconName};

/// An open question.
#[component]
pub(crate) fn Question(
    /// The question.
    question: Elicitation,
) -> impl IntoView {
    let api = use_api();
    let busy = RwSignal::new(false);
    let refused = RwSignal::new(None::<ApiError>);
    let id = question.id.clone();
    let reply = Callback::new(move |answer: ElicitationAnswer| {
        let api = api.clone();
        let id = id.clone();
        busy.set(true);
        spawn_local(async move {
            if let Err(error) = api.elicitation_reply(ElicitationReply { id, answer }).await {
                refused.try_set(Some(error));
            }
            busy.try_set(false);
        });
    });
    let body = match (question.url, question.schema) {
        (Some(url), _) => view! { <LinkQuestion url reply busy/> }.into_any(),
        (None, Some(schema)) => view! { <FormQuestion schema reply busy/> }.into_any(),
        (None, None) => view! { <Answers reply busy send=None/> }.into_any(),
    };
    view! {
        <section class="question" role="group" aria-label="A question of a server" data-testid="elicitation">
            <header class="question-head">
                <Icon name=IconName::Info/>
                <strong dir="auto">{question.server_name}</strong>
                <span>"asks you"</span>
            </header>
            <p class="question-words" dir="auto">{question.message}</p>
            {body}
            {move || refused.get().map(|error| view! { <ErrorBox error/> })}
        </section>
    }
}

/// The buttons under a question.
#[component]
fn Answers(reply: Callback<ElicitationAnswer>, busy: RwSignal<bool>, send: Option<Callback<()>>) -> impl IntoView {
    let answer = move |answer: ElicitationAnswer| move |()| reply.run(answer.clone());
    view! {
        <div class="approval-actions">
            {send.map(|send| view! { <Button label="Send" kind=ButtonKind::Primary busy on_click=send submit=true testid="elicitation-send"/> })}
            <Button label="Decline" disabled=busy title="Tells the server no" on_click=answer(ElicitationAnswer::Decline) testid="elicitation-decline"/>
            <Button label="Cancel" kind=ButtonKind::Quiet disabled=busy title="Closes the question without an answer" on_click=answer(ElicitationAnswer::Cancel) testid="elicitation-cancel"/>
        </div>
    }
}

#[component]
fn LinkQuestion(url: String, reply: Callback<ElicitationAnswer>, busy: RwSignal<bool>) -> impl IntoView {
    let copied = url.clone();
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned();
    let opened = move |_| reply.run(ElicitationAnswer::Accept { content: Json::Object(Map::new()) });
    view! {
        <p class="quiet">
            {if is_web { format!("It wants you to open a page of {host}. Look at the address before you do:") } else {
                "It gave an address that a browser does not open:".to_owned()
            }}
        </p>
        <div class="remedy">
            <code dir="ltr" data-testid="elicitation-url">{url.clone()}</code>
            <CopyButton text=move |()| copied.clone() label="Copy the address"/>
        </div>
        <div class="approval-actions">
            {is_web
                .then(|| {
                    view! {
                        <a
                            class="button button-primary"
                            href=url
                            target="_blank"
                            rel="noreferrer noopener"
                            data-testid="elicitation-open"
                            on:click=opened
                        >
                            <Icon name=IconName::Link/>
                            <span>"Open in the browser"</span>
                        </a>
                    }
                })}
        </div>
        <Answers reply busy send=None/>
    }
}

#[component]
fn FormQuestion(schema: Json, reply: Callback<ElicitationAnswer>, busy: RwSignal<bool>) -> impl IntoView {
    let fields = match read_fields(&schema) {
        Ok(fields) => fields,
        Err(problem) => {
            return view! {
                <p class="note tone-bad">
                    <Icon name=IconName::Error/>
                    <span>{problem}</span>
                </p>
                <Answers reply busy send=None/>
            }
            .into_any();
        }
    };
    let entered: Vec<(FormField, RwSignal<FieldValue>)> =
        fields.into_iter().map(|field| (field.clone(), RwSignal::new(field.initial))).collect();
    let problems = RwSignal::new(Vec::<(String, String)>::new());
    let form = NodeRef::<leptos::html::Form>::new();
    let all = StoredValue::new(entered.clone());
    let send = Callback::new(move |()| {
        let (fields, values): (Vec<_>, Vec<_>) =
            all.with_value(|all| all.iter().map(|(field, value)| (field.clone(), value.get_untracked())).unzip());
        match answer(&fields, &values) {
            Ok(content) => {
                problems.set(Vec::new());
                reply.run(ElicitationAnswer::Accept { content });
            }
            Err(found) => {
                problems.set(found);
                request_animation_frame(move || {
                    if let Some(form) = form.get_untracked() {
                        focus_first_problem(&form);
                    }
                });
            }
        }
    });
    view! {
        <form
            node_ref=form
            class="form"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                send.run(());
            }
        >
            {entered
                .into_iter()
                .map(|(field, value)| {
                    let name = field.name.clone();
                    let error = Signal::derive(move || {
                        problems.with(|all| all.iter().find(|(of, _)| *of == name).map(|(_, problem)| problem.clone()))
                    });
                    view! { <Input field value error/> }
                })
                .collect_view()}
            <Answers reply busy send=Some(send)/>
        </form>
    }
    .into_any()
}

#[component]
fn Input(field: FormField, value: RwSignal<FieldValue>, error: Signal<Option<String>>) -> impl IntoView {
    let label = if field.required { field.title.clone() } else { format!("{} (optional)", field.title) };
    let hint = field.description.clone();
    let testid = format!("elicitation-field-{}", field.name);
    let text = move || match value.get() {
        FieldValue::Text(text) => text,
        _ => String::new(),
    };
    match field.kind {
        FieldKind::Flag => {
            let checked = move || value.get() == FieldValue::Flag(true);
            view! {
                <div class="field">
                    <label class="checkbox">
                        <input
                            type="checkbox"
                            prop:checked=checked
                            data-testid=testid
                            on:change:target=move |event| value.set(FieldValue::Flag(event.target().checked()))
                        />
                        <span>{field.title}</span>
                    </label>
                    {(!hint.is_empty()).then(|| view! { <p class="field-hint">{hint}</p> })}
                </div>
            }
            .into_any()
        }
        FieldKind::Choices { options, .. } => view! { <Several label hint options value error testid/> }.into_any(),
        FieldKind::Choice(options) => {
            let required = field.required;
            view! {
                <Field label hint error let:id>
                    <select
                        id=id
                        class="input"
                        prop:value=text
                        data-testid=testid
                        on:change:target=move |event| value.set(FieldValue::Text(event.target().value()))
                    >
                        <option value="" disabled=required>{if required { "Choose" } else { "Nothing" }}</option>
                        {options
                            .into_iter()
                            .map(|option| {
                                let own = option.value.clone();
                                view! {
                                    <option value=option.value selected=move || text() == own>
                                        {option.label}
                                    </option>
                                }
                            })
                            .collect_view()}
                    </select>
                </Field>
            }
            .into_any()
        }
        FieldKind::Number { whole, .. } => view! {
            <Field label hint error let:id>
                <input
                    id=id
                    class="input number"
                    type="text"
                    inputmode=if whole { "numeric" } else { "decimal" }
                    autocomplete="off"
                    prop:value=text
                    data-testid=testid
                    on:input:target=move |event| value.set(FieldValue::Text(event.target().value()))
                />
            </Field>
        }
        .into_any(),
        FieldKind::Text { format, .. } => {
            let input_type = match format.as_str() {
                "email" => "email",
                "uri" => "url",
                "date" => "date",
                "date-time" => "datetime-local",
                _ => "text",
            };
            let is_moment = format == "date-time";
            // The browser's field has no seconds and no zone; the format wants both.
            let shown = move || {
                let text = text();
                if is_moment { text.chars().take(16).collect() } else { text }
            };
            let entered = move |text: String| {
                value.set(FieldValue::Text(if is_moment && !text.is_empty() { with_zone(&text) } else { text }));
            };
            view! {
                <Field label hint error let:id>
                    <input
                        id=id
                        class="input"
                        type=input_type
                        autocomplete="off"
                        dir="auto"
                        prop:value=shown
                        data-testid=testid
                        on:input:target=move |event| entered(event.target().value())
                    />
                </Field>
            }
            .into_any()
        }
    }
}

#[component]
fn Several(
    label: String,
    hint: String,
    options: Vec<Choice>,
    value: RwSignal<FieldValue>,
    error: Signal<Option<String>>,
    testid: String,
) -> impl IntoView {
    view! {
        <fieldset class="field" data-testid=testid>
            <legend>{label}</legend>
            {options
                .into_iter()
                .map(|option| {
                    let own = option.value.clone();
                    let is_in = move || value.with(|value| matches!(value, FieldValue::Many(all) if all.contains(&own)));
                    let changed = option.value;
                    let change = move |on: bool| value.update(|value| {
                        if let FieldValue::Many(all) = value {
                            all.retain(|other| *other != changed);
                            if on {
                                all.push(changed.clone());
                            }
                        }
                    });
                    view! {
                        <label class="checkbox">
                            <input type="checkbox" prop:checked=is_in on:change:target=move |event| change(event.target().checked())/>
                            <span>{option.label}</span>
                        </label>
                    }
                })
                .collect_view()}
            {(!hint.is_empty()).then(|| view! { <p class="field-hint">{hint}</p> })}
            {move || error.get().map(|error| view! { <p class="field-error" role="alert">{error}</p> })}
        </fieldset>
    }
}

/// A long form may have its first problem out of sight.
fn focus_first_problem(form: &web_sys::Element) {
    let field =
        form.query_selector(".has-error input, .has-error select, fieldset:has(.field-error) input").ok().flatten();
    if let Some(field) = field.and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok()) {
        // A field that cannot take the focus is still marked.
        field.focus().unwrap_or_default();
    }
}

/// `2026-11-22T10:30` of this machine's clock as a moment of the world.
fn with_zone(local: &str) -> String {
    let date = js_sys::Date::new(&local.into());
    if date.get_time().is_nan() { local.to_owned() } else { String::from(date.to_iso_string()) }
}
