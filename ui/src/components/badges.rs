//! Small marks: states, tokens, times.

use leptos::prelude::*;
use tw_artifact::RunState;

use super::icon::{Icon, IconName};
use crate::state::clock::use_clock;
use crate::state::format;

/// What a mark means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Neutral,
    /// Under way.
    Active,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    /// The class that colours it.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "tone-neutral",
            Self::Active => "tone-active",
            Self::Good => "tone-good",
            Self::Warn => "tone-warn",
            Self::Bad => "tone-bad",
        }
    }
}

/// What a run's state means.
pub(crate) const fn state_tone(state: RunState) -> Tone {
    match state {
        RunState::Queued | RunState::Stopped => Tone::Neutral,
        RunState::Running => Tone::Active,
        RunState::Done => Tone::Good,
        RunState::Waiting | RunState::Limit | RunState::Interrupted => Tone::Warn,
        RunState::Failed => Tone::Bad,
    }
}

/// A dot; the words beside it say the same.
#[component]
pub(crate) fn StatusDot(
    /// What it means.
    #[prop(into)]
    tone: Signal<Tone>,
) -> impl IntoView {
    view! { <span class=move || format!("dot {}", tone.get().class()) aria-hidden="true"></span> }
}

/// A run's state: dot and word.
#[component]
pub(crate) fn StateBadge(
    /// The state.
    #[prop(into)]
    state: Signal<RunState>,
) -> impl IntoView {
    view! {
        <span class=move || format!("state {}", state_tone(state.get()).class()) data-state=move || state.get().as_str()>
            <StatusDot tone=Signal::derive(move || state_tone(state.get()))/>
            {move || format::state_label(state.get())}
        </span>
    }
}

/// A word in a frame.
#[component]
pub(crate) fn Tag(
    /// The word.
    #[prop(into)]
    text: Signal<String>,
    /// What it means.
    #[prop(optional)]
    tone: Tone,
    /// An icon before it.
    #[prop(optional, into)]
    icon: Option<IconName>,
    /// More, on hover.
    #[prop(optional, into)]
    title: Option<String>,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    view! {
        <span class=format!("tag {}", tone.class()) title=title data-testid=testid>
            {icon.map(|name| view! { <Icon name/> })}
            <span dir="auto">{text}</span>
        </span>
    }
}

/// A number of tokens: `4.2k tok`, exact on hover.
#[component]
pub(crate) fn Tokens(
    /// How many.
    #[prop(into)]
    count: Signal<u32>,
    /// Whether the number is estimated from the text.
    #[prop(optional)]
    about: bool,
) -> impl IntoView {
    let exact = move || {
        let about = if about { "about " } else { "" };
        format!("{about}{}", format::counted(count.get(), "token"))
    };
    view! { <span class="tokens" title=exact>{move || format::short_count(count.get())} " tok"</span> }
}

/// A time as `4 min ago`, absolute on hover.
#[component]
pub(crate) fn RelativeTime(
    /// Unix milliseconds.
    #[prop(into)]
    at_ms: Signal<i64>,
) -> impl IntoView {
    let clock = use_clock();
    view! {
        <time class="relative-time" title=move || format::absolute(at_ms.get())>
            {move || format::relative(at_ms.get(), clock.now_ms())}
        </time>
    }
}
