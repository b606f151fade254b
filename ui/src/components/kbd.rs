//! A key as it stands on the keyboard.

use leptos::prelude::*;

use crate::state::keys::key_caps;

/// A key or several: `Mod+KeyK`.
#[component]
pub(crate) fn Kbd(
    /// In codes, as in [`crate::state::keys::Action::keys`].
    keys: &'static str,
) -> impl IntoView {
    view! {
        <span class="keys">
            {key_caps(keys).into_iter().map(|cap| view! { <kbd>{cap}</kbd> }).collect_view()}
        </span>
    }
}
