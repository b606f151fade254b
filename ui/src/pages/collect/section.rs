//! A part of the setup that is folded to one line when it needs no attention.

use leptos::prelude::*;

use crate::components::Field;

/// A part with a head. What is folded away stays alive.
#[component]
pub(crate) fn Section(
    /// The title.
    title: &'static str,
    /// What the part says in one line, shown while it is folded.
    #[prop(into)]
    summary: Signal<String>,
    /// Whether it is unfolded.
    open: RwSignal<bool>,
    /// For tests.
    testid: &'static str,
    /// Buttons at the right of the head.
    #[prop(optional, into)]
    actions: ViewFn,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="setup-section" data-testid=testid>
            <header class="setup-head">
                <h2>
                    <button
                        type="button"
                        class="setup-toggle"
                        aria-expanded=move || open.get().to_string()
                        data-testid=format!("{testid}-toggle")
                        on:click=move |_| open.update(|open| *open = !*open)
                    >
                        <span class="chevron" aria-hidden="true"></span>
                        <span>{title}</span>
                        <span class="setup-summary" dir="auto">{move || (!open.get()).then(|| summary.get())}</span>
                    </button>
                </h2>
                {actions.run()}
            </header>
            <div class="setup-body" hidden=move || !open.get()>
                {children()}
            </div>
        </section>
    }
}

/// Rarely needed settings that are folded away inside a part.
#[component]
pub(crate) fn Fold(
    /// What is inside.
    #[prop(into)]
    title: Signal<String>,
    /// What is set there, in one line; empty when nothing is.
    #[prop(optional, into)]
    summary: Signal<String>,
    /// Whether it is unfolded.
    open: RwSignal<bool>,
    /// For tests.
    testid: &'static str,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="fold">
            <button
                type="button"
                class="fold-toggle"
                aria-expanded=move || open.get().to_string()
                data-testid=testid
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <span class="chevron" aria-hidden="true"></span>
                <span>{title}</span>
                <span class="setup-summary" dir="auto">{move || (!open.get()).then(|| summary.get())}</span>
            </button>
            <div class="fold-body" hidden=move || !open.get()>
                {children()}
            </div>
        </div>
    }
}

/// A whole number; empty where that means something.
#[component]
pub(crate) fn NumberField(
    /// The label.
    #[prop(into)]
    label: Signal<String>,
    /// The number.
    #[prop(into)]
    value: Signal<Option<u64>>,
    /// Called with every number in range that is entered; with `None` when the field is emptied.
    #[prop(into)]
    on_change: Callback<Option<u64>>,
    /// Smallest number.
    #[prop(default = 0)]
    min: u64,
    /// Largest number.
    #[prop(default = u64::MAX)]
    max: u64,
    /// What stands in the empty field.
    #[prop(default = "")]
    placeholder: &'static str,
    /// Whether it may be empty.
    #[prop(optional)]
    optional: bool,
    /// For tests.
    testid: &'static str,
) -> impl IntoView {
    let wrong = RwSignal::new(None::<String>);
    let entered = move |text: String| {
        let text = text.trim().replace([',', '_', ' '], "");
        match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => {
                wrong.set(None);
                on_change.run(Some(number));
            }
            Ok(number) if number < min => wrong.set(Some(format!("At least {min}."))),
            Ok(_) => wrong.set(Some(format!("At most {max}."))),
            Err(_) if text.is_empty() && optional => {
                wrong.set(None);
                on_change.run(None);
            }
            Err(_) => wrong.set(Some("A whole number is needed.".to_owned())),
        }
    };
    view! {
        <Field label error=wrong let:id>
            <input
                id=id
                class="input number"
                type="text"
                inputmode="numeric"
                placeholder=placeholder
                autocomplete="off"
                aria-invalid=move || wrong.with(Option::is_some).then_some("true")
                prop:value=move || value.get().map(|number| number.to_string()).unwrap_or_default()
                data-testid=testid
                on:input:target=move |event| entered(event.target().value())
            />
        </Field>
    }
}

/// Puts every number that is entered into a signal.
pub(crate) fn set_count(signal: RwSignal<u32>) -> Callback<Option<u64>> {
    Callback::new(move |value: Option<u64>| {
        if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
            signal.set(value);
        }
    })
}
