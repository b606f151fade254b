//! How traces become rows: unrolling, what is trained, the limit, the parts, and what is seldom changed.

use leptos::prelude::*;
use tw_artifact::{DatasetPlan, Json, Map, OverLimit, TrainOn, Unroll};

use super::super::words::{over_limit_words, read_tokens, train_words, unroll_words};
use super::part;
use crate::components::{Choice, Field, ModelPicker, Segmented, Switch, TextField};
use crate::state::format;

/// How a trace becomes rows, and which answers of them are trained.
#[component]
pub(super) fn Unrolling(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let unroll = part(plan, |plan| plan.unroll, |plan, unroll| plan.unroll = unroll);
    let train = part(plan, |plan| plan.train, |plan, train| plan.train = train);
    let modes = Unroll::ALL.map(|it| Choice::new(it, it.label())).to_vec();
    let trained = TrainOn::ALL.map(|it| Choice::new(it, it.label())).to_vec();
    let minimal = move || unroll.get() == Unroll::Minimal;
    view! {
        <div class="field">
            <span class="field-label">"A row for"</span>
            <Segmented label="How a trace becomes rows" options=modes value=unroll testid="unroll"/>
            <p class="field-hint" aria-live="polite">{move || unroll_words(unroll.get())}</p>
        </div>
        <div class="field">
            <span class="field-label">"Train on"</span>
            <div class:is-idle=minimal inert=minimal>
                <Segmented label="Which answers are trained" options=trained value=train testid="train-on"/>
            </div>
            <p class="field-hint" aria-live="polite">{move || train_words(unroll.get(), train.get())}</p>
        </div>
    }
}

/// What counts tokens.
#[component]
pub(super) fn Counting(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let model = part(plan, |plan| plan.model.clone(), |plan, model| plan.model = model);
    view! { <ModelPicker value=model none="None: estimate tokens"/> }
}

/// The limit, and what happens to longer rows.
#[component]
pub(super) fn Limits(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let policy = part(plan, |plan| plan.over_limit, |plan, policy| plan.over_limit = policy);
    let text = RwSignal::new(plan.with_untracked(|plan| plan.max_tokens.map(|it| it.to_string()).unwrap_or_default()));
    let problem = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<()>| {
        let typed = text.with(|text| read_tokens(text));
        match typed {
            Ok(limit) => {
                problem.set(None);
                if before.is_some() && plan.with_untracked(|plan| plan.max_tokens != limit) {
                    plan.update(|plan| plan.max_tokens = limit);
                }
            }
            Err(wrong) => problem.set(Some(wrong.to_owned())),
        }
    });
    Effect::new(move |_| {
        let now = plan.with(|plan| plan.max_tokens);
        if text.with_untracked(|text| read_tokens(text)) != Ok(now) && problem.with_untracked(Option::is_none) {
            text.set(now.map(|it| it.to_string()).unwrap_or_default());
        }
    });
    let limited = move || plan.with(|plan| plan.max_tokens.is_some());
    let offers = [4_096_u32, 8_192, 16_384, 32_768].map(|tokens| {
        view! {
            <button type="button" class="link-button" title=format::counted(tokens, "token") on:click=move |_| text.set(tokens.to_string())>
                {format!("{}k", tokens / 1_024)}
            </button>
        }
    });
    let policies = OverLimit::ALL.map(|it| Choice::new(it, it.label())).to_vec();
    view! {
        <div class="limit-line">
            <TextField label="Most tokens of a row" value=text placeholder="no limit" error=problem testid="max-tokens"/>
            <div class="limit-offers">{offers.into_iter().collect_view()}</div>
        </div>
        <div class="field" class:is-idle=move || !limited() inert=move || !limited()>
            <span class="field-label">"Longer rows"</span>
            <Segmented label="What happens to longer rows" options=policies value=policy testid="over-limit"/>
            <p class="field-hint" aria-live="polite">{move || if limited() { over_limit_words(policy.get()) } else { "Without a limit no row is too long." }}</p>
        </div>
    }
}

/// The part for validation.
#[component]
pub(super) fn Parts(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let fraction = part(
        plan,
        |plan| percent_of(plan.validation_fraction),
        |plan, percent| {
            plan.validation_fraction = f64::from(percent) / 100.0;
        },
    );
    let choices =
        [0_u8, 5, 10, 15, 20].map(|it| Choice::new(it, if it == 0 { "None".to_owned() } else { format!("{it} %") }));
    let seed = RwSignal::new(plan.with_untracked(|plan| plan.seed.to_string()));
    let problem = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<()>| match seed.with(|seed| seed.trim().parse::<u64>()) {
        Ok(number) => {
            problem.set(None);
            if before.is_some() && plan.with_untracked(|plan| plan.seed != number) {
                plan.update(|plan| plan.seed = number);
            }
        }
        Err(_) => problem.set(Some("A whole number.".to_owned())),
    });
    let by_hand = Memo::new(move |_| plan.with(|plan| plan.by_hand.len()));
    view! {
        <div class="parts-line">
            <div class="field">
                <span class="field-label">"Part of the traces"</span>
                <Segmented label="Part of the traces for validation" options=choices.to_vec() value=fraction testid="validation"/>
            </div>
            <TextField label="Seed" value=seed input_type="number" error=problem testid="seed"/>
        </div>
        <p class="field-hint">
            "By trace, never by row: a row of a trace that is trained on would give the answer away. Traces that branched off from one another or are nearly the same stay together."
        </p>
        <Show when=move || { by_hand.get() > 0 }>
            <p class="found-line" data-testid="by-hand">
                <span>{move || format!("{} chosen by hand.", format::counted(by_hand.get() as u64, "trace"))}</span>
                <button type="button" class="link-button" on:click=move |_| plan.update(|plan| plan.by_hand.clear())>"Let the seed choose all"</button>
            </p>
        </Show>
    }
}

/// A fraction as whole percent.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
fn percent_of(fraction: f64) -> u8 {
    (fraction * 100.0).round().clamp(0.0, 99.0) as u8
}

/// What is seldom changed.
#[component]
pub(super) fn More(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let open = RwSignal::new(false);
    let dedupe = part(plan, |plan| plan.dedupe, |plan, on| plan.dedupe = on);
    let steering = part(plan, |plan| plan.drop_steering, |plan, on| plan.drop_steering = on);
    let normalise = part(plan, |plan| plan.normalise, |plan, on| plan.normalise = on);
    let keep_out = part(plan, |plan| plan.honour_keep_out, |plan, on| plan.honour_keep_out = on);
    let pairs = part(plan, |plan| plan.preferences, |plan, on| plan.preferences = on);
    // What is not as usual is told, so that it is not forgotten behind the fold.
    let unusual = Memo::new(move |_| {
        let usual = DatasetPlan::default();
        plan.with(|plan| {
            [
                plan.dedupe != usual.dedupe,
                plan.drop_steering != usual.drop_steering,
                plan.normalise != usual.normalise,
                plan.honour_keep_out != usual.honour_keep_out,
                plan.preferences != usual.preferences,
                plan.kwargs != usual.kwargs,
            ]
            .into_iter()
            .filter(|differs| *differs)
            .count()
        })
    });
    view! {
        <section class="plan-section">
            <h2>
                <button type="button" class="plan-fold" aria-expanded=move || open.get().to_string() data-testid="plan-more" on:click=move |_| open.update(|open| *open = !*open)>
                    <span class="chevron"></span>
                    "More"
                    <Show when=move || { unusual.get() > 0 }><small>{move || format!("{} not as usual", unusual.get())}</small></Show>
                </button>
            </h2>
            <Show when=move || open.get()>
                <div class="plan-body">
                    <Yes value=dedupe label="Remove duplicates" about="Rows with the same messages, tools and trained parts are kept once." testid="dedupe"/>
                    <Yes value=steering label="Leave steering prompts out" about="The model is to behave so without being told." testid="drop-steering"/>
                    <Yes value=normalise label="Take away line breaks that servers add" about="Otherwise the model would be trained on white space that it never wrote." testid="normalise"/>
                    <Yes value=keep_out label="Leave out what was kept out in Review" about="Off: such messages are shown to the model and not trained." testid="keep-out"/>
                    <Yes value=pairs label="Add preference pairs" about="Pairs of branches become rows of prompt, chosen and rejected." testid="preferences"/>
                    <Kwargs plan/>
                </div>
            </Show>
        </section>
    }
}

#[component]
fn Yes(value: RwSignal<bool>, label: &'static str, about: &'static str, testid: &'static str) -> impl IntoView {
    view! {
        <label class="switch-line">
            <Switch label on=value on_change=move |on| value.set(on) testid/>
            <span>{label} <small>{about}</small></span>
        </label>
    }
}

/// Variables of the template, as JSON.
#[component]
fn Kwargs(plan: RwSignal<DatasetPlan>) -> impl IntoView {
    let text = RwSignal::new(
        plan.with_untracked(|plan| if plan.kwargs.is_null() { String::new() } else { plan.kwargs.to_text() }),
    );
    let problem = RwSignal::new(None::<String>);
    Effect::new(move |before: Option<()>| {
        let read = text.with(|text| match text.trim() {
            "" => Ok(Json::Null),
            typed => match Json::parse(typed) {
                Ok(object @ Json::Object(_)) => {
                    Ok(if object == Json::Object(Map::new()) { Json::Null } else { object })
                }
                Ok(_) => Err("An object, such as {\"enable_thinking\": false}.".to_owned()),
                Err(error) => Err(format!("This is not JSON: {error}.")),
            },
        });
        match read {
            Ok(kwargs) => {
                problem.set(None);
                if before.is_some() && plan.with_untracked(|plan| plan.kwargs != kwargs) {
                    plan.update(|plan| plan.kwargs = kwargs);
                }
            }
            Err(wrong) => problem.set(Some(wrong)),
        }
    });
    let hint = Signal::stored("Given to the chat template; what a template knows depends on the model.".to_owned());
    let error: Signal<Option<String>> = problem.into();
    view! {
        <Field label="Variables of the template" hint error let:id>
            <input
                id=id
                class="input mono"
                placeholder="{\"enable_thinking\": false}"
                autocomplete="off"
                spellcheck="false"
                prop:value=text
                data-testid="template-kwargs"
                on:input:target=move |event| text.set(event.target().value())
            />
        </Field>
    }
}
