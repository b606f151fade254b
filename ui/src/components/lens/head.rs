//! Above the text: how much is trained, which row it is, and how it is looked at.

use leptos::prelude::*;
use tw_artifact::{Json, TrainOn, Unroll};

use super::check::CheckServer;
use super::looking::{Looking, use_looking};
use super::model::Face;
use crate::components::{
    Button, ButtonKind, Choice, Icon, IconButton, IconName, MenuItem, ModelPicker, Segmented, Select, Switch, TextArea,
    TextField,
};
use crate::state::format;

/// The head.
#[component]
pub(super) fn Head() -> impl IntoView {
    let looking = use_looking();
    let opened = RwSignal::new(false);
    let checked = RwSignal::new(false);
    view! {
        <header class="lens-head">
            <div class="lens-line">
                <Totals/>
                <span class="lens-tools">
                <IconButton icon=IconName::ArrowDown label="Next trained part" on_click=move |()| next_trained(looking) testid="lens-next-trained"/>
                <MessagesButton/>
                <IconButton
                    icon=IconName::Doctor
                    label="Check with the server"
                    pressed=checked
                    on_click=move |()| checked.update(|open| *open = !*open)
                    testid="lens-check"
                />
                <IconButton
                    icon=IconName::Settings
                    label="How it is rendered"
                    pressed=opened
                    on_click=move |()| opened.update(|open| *open = !*open)
                    testid="lens-settings"
                />
                </span>
            </div>
            <div class="lens-line">
                <Show when=move || looking.is_of_trace()>
                    <RowPicker/>
                    <TrainPicker/>
                </Show>
                <Legend/>
            </div>
            <Show when=move || checked.get()>
                <CheckServer/>
            </Show>
            <Show when=move || opened.get()>
                <Settings/>
            </Show>
        </header>
    }
}

/// `1,035 of 7,365 tokens trained`, and the same as a bar.
#[component]
fn Totals() -> impl IntoView {
    let looking = use_looking();
    let totals = Memo::new(move |_| {
        looking.lens.with(|lens| lens.as_ref().map(|lens| (u64::from(lens.view.trained), lens.tokens() as u64)))
    });
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = move || totals.get().map_or(0.0, |(trained, all)| 100.0 * trained as f64 / all.max(1) as f64);
    view! {
        <div class="lens-totals">
            <p data-testid="lens-totals" aria-live="polite">
                {move || match totals.get() {
                    Some((trained, all)) => view! {
                        <strong>{format::count(trained)}</strong>
                        " of "
                        <strong>{format::count(all)}</strong>
                        " tokens trained"
                    }
                        .into_any(),
                    None => "Rendering".into_any(),
                }}
            </p>
            <span class="lens-share" title=move || format!("{:.1} % of the tokens", share())>
                <span style:width=move || format!("{:.2}%", share())></span>
            </span>
        </div>
    }
}

/// Leads to each message.
#[component]
fn MessagesButton() -> impl IntoView {
    let looking = use_looking();
    let items = move || {
        let Some(lens) = looking.now() else { return Vec::new() };
        let messages = lens.view.messages.iter().zip(0_u32..);
        messages
            .map(|(message, place)| {
                let trained = if message.trained > 0 {
                    format!(
                        "{} of {} trained",
                        format::count(message.trained),
                        format::counted(message.tokens, "token")
                    )
                } else {
                    format::counted(message.tokens, "token")
                };
                MenuItem::new(format!("{} {} · {trained}", place + 1, message.role.as_str()), move || {
                    looking.show_message(place);
                })
                .testid("lens-message")
            })
            .collect()
    };
    view! {
        <button
            type="button"
            class="icon-button"
            title="Go to a message"
            aria-label="Go to a message"
            aria-haspopup="menu"
            data-testid="lens-messages"
            on:click=move |event| {
                event.stop_propagation();
                let button = event_target::<web_sys::Element>(&event);
                let button = button.closest("button").ok().flatten().unwrap_or(button);
                looking.menu.under(&button, "Messages", items);
            }
        >
            <Icon name=IconName::Traces/>
        </button>
    }
}

fn next_trained(looking: Looking) {
    let Some(lens) = looking.now() else { return };
    let from = looking.pointed.get_untracked().map_or_else(|| looking.top_byte(), |(_, end)| end);
    if let Some(begin) = lens.next_trained(from) {
        let region = lens.regions().into_iter().filter(|region| region.trained && region.start >= begin);
        // What follows without a gap belongs to it.
        let end = region.fold(begin, |end, region| if region.start <= end { region.end } else { end });
        looking.show(begin, end.max(begin + 1));
    }
}

/// Which of the rows that the trace becomes.
#[component]
fn RowPicker() -> impl IntoView {
    let looking = use_looking();
    let rows = Memo::new(move |_| {
        looking.lens.with(|lens| lens.as_ref().map(|lens| (lens.view.row, lens.view.rows.clone())).unwrap_or_default())
    });
    let count = Memo::new(move |_| rows.with(|(_, rows)| u32::try_from(rows.len()).unwrap_or(u32::MAX)));
    let several = Memo::new(move |_| count.get() > 1);
    let at = Memo::new(move |_| rows.with(|(row, _)| *row));
    let go = move |row: u32| looking.choices.row.set(Some(row));
    let options = Signal::derive(move || {
        rows.with(|(_, rows)| {
            let total = rows.len();
            let choice = |(place, row): (u32, &tw_contract::LensRow)| {
                let words = format!("Row {} of {total} · {}", place + 1, format::counted(row.messages, "message"));
                Choice::new(place, words)
            };
            (0_u32..).zip(rows).map(choice).collect::<Vec<_>>()
        })
    });
    let picked = RwSignal::new(0_u32);
    Effect::new(move |_| picked.set(at.get()));
    Effect::new(move |before: Option<u32>| {
        let now = picked.get();
        if before.is_some_and(|before| before != now) && at.get_untracked() != now {
            go(now);
        }
        now
    });
    view! {
        <Show when=move || several.get()>
            <span class="lens-rows">
                <IconButton
                    icon=IconName::ArrowUp
                    label="The row before"
                    disabled=Signal::derive(move || at.get() == 0)
                    on_click=move |()| go(at.get_untracked().saturating_sub(1))
                    testid="lens-row-before"
                />
                <Select label="Row" bare=true options value=picked testid="lens-row"/>
                <IconButton
                    icon=IconName::ArrowDown
                    label="The next row"
                    disabled=Signal::derive(move || at.get() + 1 >= count.get())
                    on_click=move |()| go(at.get_untracked() + 1)
                    testid="lens-row-after"
                />
            </span>
        </Show>
    }
}

/// Which answers are trained.
#[component]
fn TrainPicker() -> impl IntoView {
    let looking = use_looking();
    let minimal = Memo::new(move |_| looking.is_of_trace() && looking.choices.unroll.get() == Unroll::Minimal);
    view! {
        <Show
            when=move || !minimal.get()
            fallback=|| view! { <span class="lens-said" title="Rows are made so that each answer is trained in one of them">"every answer once"</span> }
        >
            <span class="lens-train">
                <span aria-hidden="true">"Train"</span>
                <Segmented
                    label="What is trained"
                    options=vec![
                        Choice::new(TrainOn::Last, "last"),
                        Choice::new(TrainOn::Turn, "turn"),
                        Choice::new(TrainOn::All, "all"),
                    ]
                    value=looking.choices.train
                    testid="lens-train-on"
                />
            </span>
        </Show>
    }
}

/// What the colours mean.
#[component]
fn Legend() -> impl IntoView {
    let faces = Face::ALL
        .into_iter()
        .map(|face| view! { <span class=format!("lens-key {}", face.class())>{face.label()}</span> })
        .collect_view();
    view! { <span class="lens-legend" aria-label="Colours">{faces}<span class="lens-key lens-cell is-trained">"trained"</span></span> }
}

/// How the row is rendered.
#[component]
fn Settings() -> impl IntoView {
    let looking = use_looking();
    let choices = looking.choices;
    let unrolls = Signal::derive(|| {
        vec![
            Choice::new(Unroll::None, "One row for the whole trace"),
            Choice::new(Unroll::User, "A row for each question"),
            Choice::new(Unroll::Step, "A row for each answer"),
            Choice::new(Unroll::Minimal, "As few rows as can be"),
        ]
    });
    let thinking = Signal::derive(|| {
        vec![
            Choice::new(None, "As the template has it"),
            Choice::new(Some(true), "enable_thinking: true"),
            Choice::new(Some(false), "enable_thinking: false"),
        ]
    });
    // Another way of unrolling has other rows.
    Effect::new(move |before: Option<Unroll>| {
        let now = choices.unroll.get();
        if before.is_some_and(|before| before != now) {
            choices.row.set(None);
        }
        now
    });
    let kwargs = RwSignal::new(
        choices
            .kwargs
            .with_untracked(|map| if map.is_empty() { String::new() } else { Json::Object(map.clone()).to_text() }),
    );
    let wrong = RwSignal::new(None::<String>);
    let take_kwargs = move |text: String| match text.trim() {
        "" => {
            wrong.set(None);
            choices.kwargs.set(tw_artifact::Map::new());
        }
        text => match Json::parse(text) {
            Ok(Json::Object(map)) => {
                wrong.set(None);
                choices.kwargs.set(map);
            }
            Ok(_) => wrong.set(Some("This must be a JSON object: {\"name\": value}.".to_owned())),
            Err(error) => wrong.set(Some(format!("This is not JSON: {error}."))),
        },
    };
    let limit = RwSignal::new(choices.max_tokens.get_untracked().map(|limit| limit.to_string()).unwrap_or_default());
    let limit_wrong = RwSignal::new(None::<String>);
    let take_limit = move |text: String| {
        let digits: String = text.chars().filter(|c| !matches!(c, ',' | ' ')).collect();
        match digits.parse::<u32>() {
            Ok(limit) if limit > 0 => {
                limit_wrong.set(None);
                choices.max_tokens.set(Some(limit));
            }
            _ if digits.is_empty() => {
                limit_wrong.set(None);
                choices.max_tokens.set(None);
            }
            _ => limit_wrong.set(Some("A whole number of tokens.".to_owned())),
        }
    };
    let template = RwSignal::new(choices.template.get_untracked().unwrap_or_default());
    let in_use = Memo::new(move |_| {
        looking.lens.with(|lens| lens.as_ref().map(|lens| lens.view.template.clone()).unwrap_or_default())
    });
    let apply = move || {
        let text = template.get_untracked();
        choices.template.set((!text.trim().is_empty()).then_some(text));
    };
    let differs = Memo::new(move |_| {
        choices.template.with(|now| template.with(|text| now.as_deref().unwrap_or_default() != text))
    });
    view! {
        <div class="lens-settings" data-testid="lens-settings-panel">
            <ModelPicker value=choices.model own=looking.own_model.get_value()/>
            <Show when=move || looking.is_of_trace()>
                <Select label="Rows" options=unrolls value=choices.unroll testid="lens-unroll"/>
            </Show>
            <Select label="Reasoning" options=thinking value=choices.thinking testid="lens-thinking"/>
            <TextField label="Token limit of a row" value=limit error=limit_wrong placeholder="none" on_commit=take_limit testid="lens-limit"/>
            <TextField
                label="More variables of the template"
                value=kwargs
                mono=true
                error=wrong
                placeholder="{\"preserve_thinking\": true}"
                on_commit=take_kwargs
                testid="lens-kwargs"
            />
            <Show when=move || looking.is_of_trace()>
                <div class="lens-switches">
                    <SwitchLine label="Leave the steering prompt out" on=choices.drop_steering testid="lens-drop-steering"/>
                    <SwitchLine label="Take away white space that servers add" on=choices.normalise testid="lens-normalise"/>
                </div>
            </Show>
            <details class="lens-template" open=choices.template.with_untracked(Option::is_some)>
                <summary>{move || match in_use.get() {
                    words if words.is_empty() => "Another template".to_owned(),
                    words => format!("Template: {words}"),
                }}</summary>
                <TextArea
                    label="A template in place of the model's own"
                    value=template
                    rows=6
                    mono=true
                    placeholder="{% for message in messages %}"
                    testid="lens-template"
                />
                <div class="lens-template-bar">
                    <Button
                        label="Use this template"
                        disabled=Signal::derive(move || !differs.get() || template.with(|text| text.trim().is_empty()))
                        on_click=move |()| apply()
                        testid="lens-template-use"
                    />
                    <Button
                        kind=ButtonKind::Quiet
                        label="Back to the model's own"
                        disabled=Signal::derive(move || choices.template.with(Option::is_none))
                        on_click=move |()| choices.template.set(None)
                        testid="lens-template-own"
                    />
                </div>
            </details>
        </div>
    }
}

#[component]
fn SwitchLine(label: &'static str, on: RwSignal<bool>, testid: &'static str) -> impl IntoView {
    view! {
        <div class="lens-switch">
            <Switch label on on_change=move |now: bool| on.set(now) testid/>
            <span aria-hidden="true">{label}</span>
        </div>
    }
}
