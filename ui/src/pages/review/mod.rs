//! Traces: find, read, take out.

use leptos::prelude::*;

/// The page, at `/traces` and `/traces/<trace id>`.
#[component]
pub(crate) fn TracesPage() -> impl IntoView {
    view! { <div class="page"></div> }
}
