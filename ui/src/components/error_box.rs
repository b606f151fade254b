//! An error where it happened: what, why, what next.

use leptos::prelude::*;
use tw_contract::ApiError;

use super::button::Button;
use super::copy_button::CopyButton;
use super::icon::{Icon, IconName};

/// An error in its place. The children are further actions.
#[component]
pub(crate) fn ErrorBox(
    /// The error.
    error: ApiError,
    /// Tries again.
    #[prop(optional, into)]
    on_retry: Option<Callback<()>>,
    /// Takes the box away.
    #[prop(optional, into)]
    on_close: Option<Callback<()>>,
    /// Further actions.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let copied = format!("{error}\n{}", error.detail.clone().unwrap_or_default());
    let has_actions = on_retry.is_some() || on_close.is_some() || children.is_some();
    view! {
        <div class="error-box" role="alert" data-testid="error-box">
            <Icon name=IconName::Error/>
            <div class="error-body">
                <p class="error-message" dir="auto">{error.message}</p>
                {(!error.hint.is_empty()).then(|| view! { <p class="error-hint" dir="auto">{error.hint}</p> })}
                {error
                    .detail
                    .filter(|detail| !detail.is_empty())
                    .map(|detail| {
                        view! {
                            <details class="error-detail">
                                <summary>"Details"</summary>
                                <pre dir="auto">{detail}</pre>
                                <CopyButton text=move |()| copied.clone() label="Copy the error" words="Copy"/>
                            </details>
                        }
                    })}
                {has_actions
                    .then(|| {
                        view! {
                            <div class="error-actions">
                                {on_retry.map(|retry| view! { <Button label="Try again" on_click=retry testid="retry"/> })}
                                {children.map(|children| children())}
                                {on_close.map(|close| view! { <Button label="Close" on_click=close/> })}
                            </div>
                        }
                    })}
            </div>
        </div>
    }
}
