//! The strips above and below the page.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;
use tw_artifact::RunState;
use tw_contract::{ToolLoadLevel, VaultMode};

use super::frame::{Workspace, is_dark, page_name};
use crate::backend::{Connection, use_connection, use_saving};
use crate::components::{Icon, IconButton, IconName, Kbd, StatusDot, Tone};
use crate::pages::dataset::BuildStatus;
use crate::pages::hub::HubJobs;
use crate::pages::review::ImportStatus;
use crate::pages::train::TrainStatus;
use crate::state::format;
use crate::state::keys::use_keys;
use crate::state::settings::{Theme, use_setting};
use crate::state::strip::use_strip;

/// Where the person is and what new runs would use.
#[component]
pub(super) fn TitleStrip() -> impl IntoView {
    let strip = use_strip();
    let keys = use_keys();
    let path = use_location().pathname;
    let theme = use_setting("theme", Theme::System);
    let dark = Memo::new(move |_| is_dark(theme.get()));
    let endpoint = move || match strip.endpoint.get() {
        None => view! { <span class="strip-none">"no endpoint yet"</span> }.into_any(),
        Some(endpoint) => {
            let model = strip.model.get();
            let model = if model.is_empty() { "no model picked".to_owned() } else { model };
            let whole = model.clone();
            view! {
                <span class="strip-model" dir="auto" title=whole>{model}</span>
                <span class="strip-endpoint" dir="auto">"@ " {endpoint}</span>
            }
            .into_any()
        }
    };
    let tools = move || {
        let load = strip.load.get();
        let tone = match load.level() {
            ToolLoadLevel::Fine => None,
            ToolLoadLevel::Advise => Some("Over 25 tools: fewer would help the model choose."),
            ToolLoadLevel::Warn => Some("Over 50 tools: many models choose wrongly among so many."),
        };
        let words = format!("{} ({} tok)", format::counted(load.tools, "tool"), format::short_count(load.tokens));
        view! { <span class=tone.map(|_| Tone::Warn.class()) title=tone>{words}</span> }
    };
    view! {
        <header class="title-strip">
            <h1>{move || path.with(|path| page_name(path))}</h1>
            <A href="/collect" attr:class="strip-facts" attr:title="What new runs would use">
                {endpoint}
                <span class="strip-mark">"·"</span>
                <span>{move || format::counted(strip.load.get().servers, "server")}</span>
                <span class="strip-mark">"·"</span>
                {tools}
            </A>
            <button type="button" class="strip-search" data-testid="open-palette" on:click=move |_| keys.palette.set(true)>
                <Icon name=IconName::Search/>
                <span>"Search for an action"</span>
                <Kbd keys="Mod+KeyK"/>
            </button>
            {move || {
                let (icon, label) = if dark.get() { (IconName::Sun, "Light colours") } else { (IconName::Moon, "Dark colours") };
                view! {
                    <IconButton
                        icon
                        label
                        on_click=move |()| theme.set(if dark.get_untracked() { Theme::Light } else { Theme::Dark })
                        testid="theme-toggle"
                    />
                }
            }}
            <IconButton icon=IconName::Keyboard label="Keys" on_click=move |()| keys.help.set(true) testid="open-keys"/>
        </header>
    }
}

/// Long work, what is saved, where secrets are, whether the host is there.
#[component]
pub(super) fn StatusStrip() -> impl IntoView {
    let strip = use_strip();
    let saving = use_saving();
    let connection = use_connection();
    let workspace = expect_context::<Workspace>();
    let count_of =
        move |state: RunState| strip.runs.with(|runs| runs.iter().filter(|run| run.summary.state == state).count());
    let runs = Memo::new(move |_| {
        let waiting: u32 = strip.runs.with(|runs| runs.iter().map(|run| run.waiting).sum());
        (count_of(RunState::Running) + count_of(RunState::Waiting), count_of(RunState::Queued), waiting)
    });
    let work = move || {
        let (active, queued, waiting) = runs.get();
        if active + queued == 0 {
            return view! { <span class="status-quiet">"No run"</span> }.into_any();
        }
        view! {
            <span class="status-part"><StatusDot tone=Tone::Active/>{format::counted(active as u64, "run")}</span>
            {(queued > 0).then(|| view! { <span class="status-part">{format::count(queued as u64)} " queued"</span> })}
            {(waiting > 0)
                .then(|| {
                    let words = if waiting == 1 { "1 waits for you".to_owned() } else { format!("{waiting} wait for you") };
                    view! { <span class="status-part tone-warn"><StatusDot tone=Tone::Warn/>{words}</span> }
                })}
        }
        .into_any()
    };
    let vault = move || {
        let info = workspace.0.get()?;
        let VaultMode::SessionOnly { reason } = info.vault else { return None };
        let title = format!("Keys and secrets are forgotten when the app ends: {reason}.");
        Some(
            view! { <span class="status-part tone-warn" title=title data-testid="vault-session-only"><Icon name=IconName::Lock/>"Keys for this session only"</span> },
        )
    };
    let link = move || {
        let (tone, words) = match connection.get() {
            Connection::Connecting => (Tone::Neutral, "Connecting"),
            Connection::Online => (Tone::Good, "Connected"),
            Connection::Offline => (Tone::Bad, "Offline"),
            Connection::Refused(_) => (Tone::Bad, "Not allowed"),
        };
        view! { <span class="status-part"><StatusDot tone/>{words}</span> }
    };
    view! {
        <footer class="status-strip">
            <A href="/collect" attr:class="status-work" attr:aria-live="polite" attr:data-testid="status-runs">{work}</A>
            <ImportStatus/>
            <HubJobs/>
            <BuildStatus/>
            <TrainStatus/>
            <span class="status-gap"></span>
            {vault}
            <span class="status-part" aria-live="polite" data-testid="status-saved">
                {move || if saving.get() > 0 { "Saving" } else { "All saved" }}
            </span>
            {link}
        </footer>
    }
}
