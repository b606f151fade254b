//! One setting: its name, its value, what it usually is and what is wrong with it.

use leptos::prelude::*;
use tw_contract::{LORA_TARGETS, TrainSettings};

use super::super::knobs::{Kind, Knob};
use super::planner::Planner;
use crate::components::{Choice, Segmented, Switch};

/// The field of a setting.
#[component]
pub(super) fn KnobField(knob: &'static Knob, planner: Planner) -> impl IntoView {
    let settings = planner.settings;
    let text = RwSignal::new(settings.with_untracked(|settings| (knob.text)(settings)));
    let problem = RwSignal::new(None::<String>);
    // What is typed goes into the settings as far as it can be read.
    Effect::new(move |before: Option<()>| {
        let typed = text.get();
        let read = settings.with_untracked(|settings| {
            let mut changed = settings.clone();
            (knob.set)(&mut changed, &typed).map(|()| changed)
        });
        planner.mark(knob.id, read.is_err());
        match read {
            Ok(changed) => {
                problem.set(None);
                if before.is_some() && settings.with_untracked(|settings| *settings != changed) {
                    settings.set(changed);
                }
            }
            Err(wrong) => problem.set(Some(wrong)),
        }
    });
    // Settings that are taken over from elsewhere are shown.
    Effect::new(move |before: Option<String>| {
        let now = settings.with(|settings| (knob.text)(settings));
        if before.is_some_and(|before| before != now) {
            let shown = text.with_untracked(|text| {
                let mut other = TrainSettings::default();
                (knob.set)(&mut other, text).map(|()| (knob.text)(&other))
            });
            if shown.as_ref() != Ok(&now) {
                text.set(now.clone());
            }
        }
        now
    });
    on_cleanup(move || planner.mark(knob.id, false));
    let changed = Memo::new(move |_| settings.with(|settings| knob.is_changed(settings)));
    let usual = knob.words_of(&knob.usual());
    let reset = move |_| text.set(knob.usual());
    let id = format!("train-{}", knob.id);
    let labelled = matches!(knob.kind, Kind::Number);
    let input = match knob.kind {
        Kind::Number => view! { <NumberInput knob text problem id=id.clone()/> }.into_any(),
        Kind::Switch => {
            let on = Signal::derive(move || text.with(|text| text == "yes"));
            view! {
                <Switch label=knob.label on on_change=move |on: bool| text.set(if on { "yes" } else { "no" }.to_owned()) testid=knob.id/>
            }
            .into_any()
        }
        Kind::Choice(options) => {
            let choices = options.iter().map(|(value, words)| Choice::new((*value).to_owned(), *words)).collect();
            view! { <Segmented label=knob.label options=choices value=text testid=knob.id/> }.into_any()
        }
        Kind::Targets => view! { <Targets text/> }.into_any(),
    };
    view! {
        <div class="knob" class:has-error=move || problem.with(Option::is_some) class:is-wide=knob.kind == Kind::Targets data-knob=knob.id>
            <span class="knob-head">
                {if labelled {
                    view! { <label for=id>{knob.label}</label> }.into_any()
                } else {
                    view! { <span class="knob-label">{knob.label}</span> }.into_any()
                }}
                <Show when=move || changed.get()>
                    <span class="knob-usual">"usually " {usual.clone()}</span>
                    <button type="button" class="link-button" data-testid="knob-reset" on:click=reset>"Reset"</button>
                </Show>
            </span>
            {input}
            {move || match problem.get() {
                Some(wrong) => view! { <p class="field-error" role="alert">{wrong}</p> }.into_any(),
                None => view! { <p class="field-hint">{knob.hint}</p> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn NumberInput(
    knob: &'static Knob,
    text: RwSignal<String>,
    problem: RwSignal<Option<String>>,
    id: String,
) -> impl IntoView {
    view! {
        <span class="knob-number">
            <input
                id=id
                class="input"
                inputmode="decimal"
                autocomplete="off"
                spellcheck="false"
                prop:value=text
                placeholder=knob.when_empty
                aria-invalid=move || problem.with(Option::is_some).then_some("true")
                data-testid=knob.id
                on:input:target=move |event| text.set(event.target().value())
            />
            {(!knob.unit.is_empty()).then(|| view! { <span class="knob-unit">{knob.unit}</span> })}
        </span>
    }
}

/// The projections, each on or off, and the usual groups of them.
#[component]
fn Targets(text: RwSignal<String>) -> impl IntoView {
    let has = move |name: &str| text.with(|text| text.split(',').any(|other| other == name));
    let turn = move |name: &'static str| {
        let on = has(name);
        let wanted: Vec<&str> =
            LORA_TARGETS.into_iter().filter(|other| if *other == name { !on } else { has(other) }).collect();
        text.set(wanted.join(","));
    };
    let buttons = LORA_TARGETS.map(|name| {
        view! {
            <button type="button" class="target" aria-pressed=move || has(name).to_string() data-testid="target" on:click=move |_| turn(name)>
                {name.trim_end_matches("_proj")}
            </button>
        }
    });
    let offers = [("All", 0..7), ("Attention", 0..4), ("MLP", 4..7)].map(|(words, part)| {
        let wanted = LORA_TARGETS.get(part).unwrap_or_default().join(",");
        view! { <button type="button" class="link-button" on:click=move |_| text.set(wanted.clone())>{words}</button> }
    });
    view! {
        <span class="targets" role="group" aria-label="Adapted projections">
            {buttons.into_iter().collect_view()}
            <span class="target-offers">{offers.into_iter().collect_view()}</span>
        </span>
    }
}
