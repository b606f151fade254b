//! What stands where there is nothing, and where there is nothing yet.

use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// Says what a view is for and offers the one next action (its children).
#[component]
pub(crate) fn Empty(
    /// An icon.
    icon: IconName,
    /// What is not there.
    #[prop(into)]
    title: String,
    /// What it is for and how it comes to be.
    #[prop(optional, into)]
    text: String,
    /// The next action.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty" data-testid="empty">
            <Icon name=icon/>
            <h2>{title}</h2>
            {(!text.is_empty()).then(|| view! { <p>{text}</p> })}
            {children.map(|children| view! { <div class="empty-actions">{children()}</div> })}
        </div>
    }
}

/// Grey lines in the place of text that is being fetched.
#[component]
pub(crate) fn Skeleton(
    /// How many lines.
    #[prop(default = 3)]
    lines: usize,
) -> impl IntoView {
    view! {
        <div class="skeleton" aria-hidden="true">
            {(0..lines).map(|_| view! { <div class="skeleton-line"></div> }).collect_view()}
        </div>
    }
}
