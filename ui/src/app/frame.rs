//! Rail, title strip, status strip.

use leptos::prelude::*;

use crate::components::{Palette, Shortcuts, ToastHost};

/// The frame; its children are the page.
#[component]
pub(super) fn Frame(children: Children) -> impl IntoView {
    view! {
        <div class="frame">
            <main class="page-place">{children()}</main>
            <Palette/>
            <Shortcuts/>
            <ToastHost/>
        </div>
    }
}
