//! The rail: the stages in their order, settings at the foot.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;

use super::frame::page_name;
use crate::components::{Icon, IconName};
use crate::pages::train::unseen;
use crate::state::format;
use crate::state::strip::use_strip;

/// The rail.
#[component]
pub(super) fn Rail() -> impl IntoView {
    let strip = use_strip();
    let waiting = Signal::derive(move || strip.runs.with(|runs| runs.iter().map(|run| run.waiting).sum::<u32>()));
    let ended = unseen();
    view! {
        <nav class="rail" aria-label="Stages">
            <RailLink name="Collect" href="/collect" icon=IconName::Collect count=waiting testid="rail-collect"/>
            <RailLink name="Review" href="/review" icon=IconName::Traces testid="rail-review"/>
            <RailLink name="Dataset" href="/dataset" icon=IconName::Dataset testid="rail-dataset"/>
            <RailLink name="Train" href="/train" icon=IconName::Train count=ended testid="rail-train"/>
            <span class="rail-gap"></span>
            <RailLink name="Settings" href="/settings" icon=IconName::Settings testid="rail-settings"/>
        </nav>
    }
}

#[component]
fn RailLink(
    name: &'static str,
    href: &'static str,
    icon: IconName,
    #[prop(optional, into)] count: Signal<u32>,
    testid: &'static str,
) -> impl IntoView {
    let path = use_location().pathname;
    let here = Memo::new(move |_| path.with(|path| page_name(path) == name));
    let title = move || match count.get() {
        0 => name.to_owned(),
        count => format!(
            "{name}: {} for you",
            if count == 1 { "1 thing waits".to_owned() } else { format!("{} things wait", format::count(count)) }
        ),
    };
    view! {
        <A href=href attr:class="rail-link" attr:title=title attr:aria-label=title attr:data-testid=testid attr:data-here=move || here.get().then_some("true")>
            <Icon name=icon/>
            <span class="rail-name">{name}</span>
            {move || (count.get() > 0).then(|| view! { <span class="rail-count">{move || count.get()}</span> })}
        </A>
    }
}
