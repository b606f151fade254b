//! The Hub: signing in, pushing a dataset, pulling rows of one, fetching a model.

mod browse;
mod card;
mod download;
mod gate;
mod job;
mod pull;
mod push;
mod rows;
mod sign_in;

use leptos::prelude::*;

use crate::state::keys::{Action, use_action};

pub(crate) use download::DownloadDialog;
pub(crate) use job::HubJobs;
pub(crate) use pull::PullDialog;
pub(crate) use push::PushDialog;
pub(crate) use sign_in::HubSettings;

/// What can be done on every page: dialogs that actions open, and the one that shows how far a job is.
#[component]
pub(crate) fn HubHost() -> impl IntoView {
    let pull = RwSignal::new(false);
    let download = RwSignal::new(false);
    let sign_in = RwSignal::new(false);
    for (id, title, open) in [
        ("hub-pull", "Pull rows of a dataset", pull),
        ("hub-download", "Fetch a model", download),
        ("hub-sign-in", "Sign in", sign_in),
    ] {
        use_action(Action::new(id, "Hub", title, move || open.set(true)));
    }
    view! {
        <PullDialog open=pull/>
        <DownloadDialog open=download/>
        <sign_in::SignInDialog open=sign_in/>
        <job::JobDialog/>
    }
}
