//! Shows the short messages.

use leptos::prelude::*;

use super::button::{Button, ButtonKind, IconButton};
use super::icon::{Icon, IconName};
use crate::state::toasts::{Toast, ToastKind, use_toasts};

/// Shows the short messages; once, in the frame.
#[component]
pub(crate) fn ToastHost() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" aria-live="polite" data-testid="toasts">
            <For each=move || toasts.list.get() key=|toast| toast.id let:toast>
                <ToastView toast/>
            </For>
        </div>
    }
}

#[component]
fn ToastView(toast: Toast) -> impl IntoView {
    let toasts = use_toasts();
    let id = toast.id;
    let (icon, class, more) = match toast.kind {
        ToastKind::Info => (IconName::Check, "toast", None),
        ToastKind::Error(error) => (IconName::Error, "toast toast-error", Some((error.hint, error.detail))),
    };
    let (hint, detail) = more.unwrap_or_default();
    view! {
        <div class=class data-testid="toast">
            <Icon name=icon/>
            <div class="toast-body">
                <p dir="auto">{toast.text}</p>
                {(!hint.is_empty()).then(|| view! { <p class="toast-hint">{hint}</p> })}
                {detail
                    .filter(|it| !it.is_empty())
                    .map(|detail| {
                        view! {
                            <details class="error-detail">
                                <summary>"Details"</summary>
                                <pre dir="auto">{detail}</pre>
                            </details>
                        }
                    })}
            </div>
            {toast
                .action
                .map(|action| {
                    view! {
                        <Button
                            kind=ButtonKind::Quiet
                            label=action.label
                            on_click=move |()| {
                                toasts.close(id);
                                action.run.run(());
                            }
                        />
                    }
                })}
            <IconButton icon=IconName::Close label="Close this message" on_click=move |()| toasts.close(id)/>
        </div>
    }
}
