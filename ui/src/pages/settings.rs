//! Settings of the window, and what it is connected to.

use leptos::prelude::*;
use tw_contract::VaultMode;

use super::hub::HubSettings;
use crate::app::frame::Workspace;
use crate::components::{Choice, CopyButton, Segmented, Skeleton, StatusDot, Tone};
use crate::state::settings::{Theme, use_setting};

/// The page, at `/settings`.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let theme = use_setting("theme", Theme::System);
    let workspace = expect_context::<Workspace>().0;
    let themes = vec![
        Choice::new(Theme::System, "As the system"),
        Choice::new(Theme::Light, "Light"),
        Choice::new(Theme::Dark, "Dark"),
    ];
    let about = move || {
        let Some(info) = workspace.get() else { return view! { <Skeleton/> }.into_any() };
        let (tone, kept) = match info.vault {
            VaultMode::Keyring => (Tone::Good, "In this computer's keyring.".to_owned()),
            VaultMode::SessionOnly { reason } => (Tone::Warn, format!("Only in memory, until the app ends: {reason}.")),
        };
        let path = StoredValue::new(info.path);
        view! {
            <section>
                <h2>"Workspace"</h2>
                <p>"Traces, endpoints, servers and settings are in this folder. Keys are not."</p>
                <dl class="facts-list">
                    <dt>"Folder"</dt>
                    <dd><span class="mono">{path.get_value()}</span> " " <CopyButton text=move |()| path.get_value() label="Copy the path"/></dd>
                    <dt>"Keys and secrets"</dt>
                    <dd data-testid="vault-mode"><StatusDot tone/> " " {kept}</dd>
                    <dt>"Version"</dt>
                    <dd>{info.version}</dd>
                </dl>
            </section>
        }
        .into_any()
    };
    view! {
        <div class="settings" data-testid="settings-page">
            <div class="settings-inner">
                <section>
                    <h2>"Colours"</h2>
                    <div><Segmented label="Colours" options=themes value=theme testid="theme"/></div>
                </section>
                <HubSettings/>
                {about}
            </div>
        </div>
    }
}
