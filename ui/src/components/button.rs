//! Buttons.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::icon::{Icon, IconName};

/// How a button looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ButtonKind {
    /// The one next action of a view.
    Primary,
    /// Any other.
    #[default]
    Plain,
    /// Without a frame.
    Quiet,
    /// Takes something away.
    Danger,
}

impl ButtonKind {
    const fn class(self) -> &'static str {
        match self {
            Self::Primary => "button button-primary",
            Self::Plain => "button",
            Self::Quiet => "button button-quiet",
            Self::Danger => "button button-danger",
        }
    }
}

/// A button with words on it.
#[component]
pub(crate) fn Button(
    /// The words.
    #[prop(into)]
    label: Signal<String>,
    /// What it does.
    #[prop(into)]
    on_click: Callback<()>,
    /// How it looks.
    #[prop(optional)]
    kind: ButtonKind,
    /// An icon before the words.
    #[prop(optional, into)]
    icon: Option<IconName>,
    /// Whether it cannot be pressed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether what it does is under way: it cannot be pressed and shows that.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// More about it, on hover.
    #[prop(optional, into)]
    title: Signal<String>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
    /// Whether Enter in the form around it presses it.
    #[prop(optional)]
    submit: bool,
) -> impl IntoView {
    let pressed = move |event: MouseEvent| {
        event.prevent_default();
        if !disabled.get_untracked() && !busy.get_untracked() {
            on_click.run(());
        }
    };
    view! {
        <button
            type=if submit { "submit" } else { "button" }
            class=kind.class()
            class:is-busy=busy
            disabled=move || disabled.get() || busy.get()
            title=move || Some(title.get()).filter(|it| !it.is_empty())
            aria-busy=move || busy.get().then_some("true")
            data-testid=testid
            on:click=pressed
        >
            {icon.map(|name| view! { <Icon name/> })}
            <span>{label}</span>
        </button>
    }
}

/// A button that is an icon. Its label is read aloud and shown on hover.
#[component]
pub(crate) fn IconButton(
    /// The icon.
    icon: IconName,
    /// What it does, in words.
    #[prop(into)]
    label: Signal<String>,
    /// What it does.
    #[prop(into)]
    on_click: Callback<()>,
    /// Whether it cannot be pressed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// For a button that stays in: whether it is in.
    #[prop(optional, into)]
    pressed: Option<Signal<bool>>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="icon-button"
            title=label
            aria-label=label
            aria-pressed=move || pressed.map(|it| it.get().to_string())
            disabled=disabled
            data-testid=testid
            on:click=move |event: MouseEvent| {
                event.stop_propagation();
                on_click.run(());
            }
        >
            <Icon name=icon/>
        </button>
    }
}
