//! Settings of the window, and what it is connected to.

use leptos::prelude::*;

/// The page, at `/settings`.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    view! { <div class="page"></div> }
}
