//! What stands around every page, and what can be done on all of them.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};
use tw_contract::{Empty, WorkspaceInfo};

use super::rail::Rail;
use super::strips::{StatusStrip, TitleStrip};
use crate::backend::{Connection, use_api, use_connection};
use crate::components::{ErrorBox, Palette, Shortcuts, ToastHost};
use crate::pages::hub::HubHost;
use crate::pages::review::{ImportBox, ImportHost};
use crate::state::format;
use crate::state::keys::{Action, use_action, use_keys};
use crate::state::settings::{Theme, use_setting};
use crate::state::strip::use_strip;
use crate::state::toasts::{ToastAction, use_toasts};

/// The workspace and the app, once the host has told.
#[derive(Clone, Copy)]
pub(crate) struct Workspace(pub(crate) RwSignal<Option<WorkspaceInfo>>);

/// The frame; its children are the page.
#[component]
pub(super) fn Frame(children: Children) -> impl IntoView {
    let connection = use_connection();
    let workspace = Workspace(RwSignal::new(None));
    provide_context(workspace);
    ImportBox::provide();
    follow_workspace(workspace);
    offer_actions();
    follow_theme();
    follow_title();
    let refused = Memo::new(move |_| match connection.get() {
        Connection::Refused(error) => Some(error),
        _ => None,
    });
    view! {
        <div class="frame">
            <Rail/>
            <div class="frame-main">
                <TitleStrip/>
                {move || {
                    (connection.get() == Connection::Offline)
                        .then(|| {
                            view! {
                                <div class="banner" role="alert" data-testid="offline">
                                    "The host cannot be reached. What you see may be old; it is being tried again."
                                </div>
                            }
                        })
                }}
                <main class="page-place">
                    {move || refused.get().map(|error| view! { <div class="page-error"><ErrorBox error/></div> })}
                    {children()}
                </main>
                <StatusStrip/>
            </div>
            <ImportHost/>
            <HubHost/>
            <Palette/>
            <Shortcuts/>
            <ToastHost/>
        </div>
    }
}

/// Asks for the workspace at the start and after each new connection, and tells tests when the first answer is here.
fn follow_workspace(workspace: Workspace) {
    let api = StoredValue::new(use_api());
    let connection = use_connection();
    let toasts = use_toasts();
    let navigate = StoredValue::new_local(use_navigate());
    let told = StoredValue::new(false);
    Effect::new(move |_| {
        if connection.get() != Connection::Online {
            return;
        }
        let api = api.get_value();
        spawn_local(async move {
            match api.workspace_info(Empty {}).await {
                Ok(info) => {
                    if let Some(app) = document().get_element_by_id("app") {
                        // Nothing depends on it but tests.
                        app.set_attribute("data-ready", "true").unwrap_or_default();
                    }
                    let interrupted = info.interrupted_runs;
                    workspace.0.set(Some(info));
                    if interrupted > 0 && !told.get_value() {
                        told.set_value(true);
                        let show = ToastAction {
                            label: "Show",
                            run: Callback::new(move |()| {
                                navigate.with_value(|go| {
                                    go("/review?query=state%3Ainterrupted", NavigateOptions::default());
                                });
                            }),
                        };
                        let runs = format::counted(interrupted, "run");
                        toasts.offer(format!("{runs} ended with the app. Nothing that was saved is lost."), show);
                    }
                }
                Err(error) => toasts.error(error),
            }
        });
    });
}

fn offer_actions() {
    let keys = use_keys();
    let theme = use_setting("theme", Theme::System);
    for (id, title, path, keys) in [
        ("go-collect", "Go to Collect", "/collect", "KeyG KeyC"),
        ("go-review", "Go to Review", "/review", "KeyG KeyR"),
        ("go-dataset", "Go to Dataset", "/dataset", "KeyG KeyD"),
        ("go-train", "Go to Train", "/train", "KeyG KeyT"),
        ("go-settings", "Go to Settings", "/settings", "KeyG KeyS"),
    ] {
        let navigate = StoredValue::new_local(use_navigate());
        let go = move || navigate.with_value(|navigate| navigate(path, NavigateOptions::default()));
        use_action(Action::new(id, "Go", title, go).keys(keys));
    }
    use_action(
        Action::new("palette", "Window", "Search for an action", move || keys.palette.update(|open| *open = !*open))
            .keys("Mod+KeyK")
            .unlisted(),
    );
    use_action(Action::new("keys", "Window", "Show the keys", move || keys.help.set(true)).keys("Shift+Slash"));
    use_action(Action::new("theme", "Window", "Switch between light and dark", move || {
        theme.set(if is_dark(theme.get_untracked()) { Theme::Light } else { Theme::Dark });
    }));
    use_action(Action::new("theme-system", "Window", "Light or dark as the system says", move || {
        theme.set(Theme::System);
    }));
}

/// Whether the page is dark right now.
pub(super) fn is_dark(theme: Theme) -> bool {
    match theme {
        Theme::Light => false,
        Theme::Dark => true,
        Theme::System => {
            window().match_media("(prefers-color-scheme: dark)").ok().flatten().is_some_and(|query| query.matches())
        }
    }
}

fn follow_theme() {
    let theme = use_setting("theme", Theme::System);
    Effect::new(move |_| {
        let value = match theme.get() {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        if let Some(root) = document().document_element() {
            // The root element takes any attribute.
            root.set_attribute("data-theme", value).unwrap_or_default();
        }
    });
}

/// The name of the page at a path.
pub(super) fn page_name(path: &str) -> &'static str {
    match path.split('/').nth(1) {
        Some("review") => "Review",
        Some("dataset") => "Dataset",
        Some("train") => "Train",
        Some("settings") => "Settings",
        _ => "Collect",
    }
}

fn follow_title() {
    let strip = use_strip();
    let path = use_location().pathname;
    Effect::new(move |_| {
        let waiting: u32 = strip.runs.with(|runs| runs.iter().map(|run| run.waiting).sum());
        let page = path.with(|path| page_name(path));
        let title = format!("{page} - Tracewright");
        document().set_title(&if waiting > 0 { format!("({waiting}) {title}") } else { title });
    });
}
