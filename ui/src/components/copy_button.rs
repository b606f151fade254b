//! Copies text to the clipboard and says so.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, ErrorCode};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::MouseEvent;

use super::icon::{Icon, IconName};
use crate::state::toasts::use_toasts;

/// How long the tick stays.
const SHOWN: Duration = Duration::from_millis(1_400);

/// A button that copies text.
#[component]
pub(crate) fn CopyButton(
    /// The text, asked for when the button is pressed.
    #[prop(into)]
    text: Callback<(), String>,
    /// What is copied, in words: `Copy the arguments`.
    #[prop(optional, into)]
    label: Option<String>,
    /// Words on the button; without, it is an icon.
    #[prop(optional, into)]
    words: Option<String>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let done = RwSignal::new(false);
    let toasts = use_toasts();
    let label = label.unwrap_or_else(|| "Copy".to_owned());
    let copy = move |event: MouseEvent| {
        // In a row that opens by a click, the click is the button's alone.
        event.stop_propagation();
        let text = text.run(());
        spawn_local(async move {
            if write_clipboard(&text).await {
                done.try_set(true);
                set_timeout(
                    move || {
                        done.try_set(false);
                    },
                    SHOWN,
                );
            } else {
                toasts.error(
                    ApiError::new(ErrorCode::Internal, "The text could not be copied.")
                        .with_hint("Select it and press Ctrl+C."),
                );
            }
        });
    };
    let class = if words.is_some() { "button button-quiet" } else { "icon-button" };
    view! {
        <button type="button" class=class title=label.clone() aria-label=label data-testid=testid on:click=copy>
            {move || view! { <Icon name=if done.get() { IconName::Check } else { IconName::Copy }/> }}
            {words.map(|words| view! { <span>{words}</span> })}
        </button>
    }
}

/// Puts text into the clipboard; whether that worked.
pub(crate) async fn write_clipboard(text: &str) -> bool {
    let navigator = window().navigator();
    let has = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|it| it.is_object());
    if has && JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok() {
        return true;
    }
    copy_by_selection(text).is_some_and(|done| done)
}

/// The older way, for pages that are not from a secure address.
fn copy_by_selection(text: &str) -> Option<bool> {
    let document = document();
    let area = document.create_element("textarea").ok()?.dyn_into::<web_sys::HtmlTextAreaElement>().ok()?;
    area.set_value(text);
    area.set_attribute("style", "position:fixed;opacity:0").ok()?;
    let focused = document.active_element();
    document.body()?.append_child(&area).ok()?;
    area.select();
    let command = js_sys::Reflect::get(&document, &"execCommand".into()).ok()?.dyn_into::<js_sys::Function>().ok()?;
    let done = command.call1(&document, &"copy".into()).ok()?.is_truthy();
    area.remove();
    if let Some(focused) = focused.and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok()) {
        focused.focus().ok()?;
    }
    Some(done)
}
