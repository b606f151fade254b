//! Tabs: one of several views in one place.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::state::format;

/// One tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tab<T> {
    /// What it stands for.
    pub(crate) value: T,
    /// The words on it.
    pub(crate) label: String,
    /// A number beside them.
    pub(crate) count: Option<u32>,
    /// For tests.
    pub(crate) testid: &'static str,
}

impl<T> Tab<T> {
    /// A tab.
    pub(crate) fn new(value: T, label: impl Into<String>, testid: &'static str) -> Self {
        Self { value, label: label.into(), count: None, testid }
    }

    /// With a number.
    pub(crate) fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }
}

/// A row of tabs. What the picked one shows is the caller's.
#[component]
pub(crate) fn Tabs<T>(
    /// What they are about, read aloud.
    #[prop(into)]
    label: Signal<String>,
    /// The tabs.
    #[prop(into)]
    tabs: Signal<Vec<Tab<T>>>,
    /// Which is picked.
    value: RwSignal<T>,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    view! {
        <div
            class="tabs"
            role="tablist"
            aria-label=label
            on:keydown=move |event| {
                let by: isize = match event.code().as_str() {
                    "ArrowRight" => 1,
                    "ArrowLeft" => -1,
                    _ => return,
                };
                event.prevent_default();
                let next = tabs.with_untracked(|tabs| {
                    let at = value.with_untracked(|value| tabs.iter().position(|tab| tab.value == *value))?;
                    let next = at.checked_add_signed(by).unwrap_or(tabs.len().saturating_sub(1)) % tabs.len();
                    Some((next, tabs.get(next)?.value.clone()))
                });
                if let Some((place, next)) = next {
                    value.set(next);
                    let row = event.current_target().and_then(|it| it.dyn_into::<HtmlElement>().ok());
                    let tab = row.and_then(|row| {
                        row.children().item(u32::try_from(place).unwrap_or(0))?.dyn_into::<HtmlElement>().ok()
                    });
                    if let Some(tab) = tab {
                        tab.focus().unwrap_or_default();
                    }
                }
            }
        >
            {move || {
                tabs.get()
                    .into_iter()
                    .map(|tab| {
                        let own = tab.value.clone();
                        let is_picked = Memo::new(move |_| value.with(|value| *value == own));
                        let chosen = tab.value;
                        view! {
                            <button
                                type="button"
                                role="tab"
                                aria-selected=move || is_picked.get().to_string()
                                tabindex=move || if is_picked.get() { "0" } else { "-1" }
                                data-testid=tab.testid
                                on:click=move |_| value.set(chosen.clone())
                            >
                                {tab.label}
                                {tab.count.map(|count| view! { <span class="tab-count">{format::count(count)}</span> })}
                            </button>
                        }
                    })
                    .collect_view()
            }}
        </div>
    }
}
