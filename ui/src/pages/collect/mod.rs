//! Collect: an agent works, and every message is kept.

use leptos::prelude::*;

/// The page, at `/collect` and `/collect/<trace id>`.
#[component]
pub(crate) fn CollectPage() -> impl IntoView {
    view! { <div class="page"></div> }
}
