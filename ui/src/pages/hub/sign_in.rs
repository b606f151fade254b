//! Who is signed in, with what token, and how to change that.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, HubStatus, HubTokenSource, VaultMode};

use super::download::DownloadDialog;
use crate::app::frame::Workspace;
use crate::components::{Button, ButtonKind, Dialog, ErrorBox, IconName, Skeleton, StatusDot, TextField, Tone};
use crate::state::hub::{Hub, use_hub};

/// Signs in from anywhere.
#[component]
pub(super) fn SignInDialog(open: RwSignal<bool>) -> impl IntoView {
    view! {
        <Dialog open title="The Hub" testid="hub-dialog">
            <Account/>
            <div class="dialog-actions">
                <Button label="Close" on_click=move |()| open.set(false)/>
            </div>
        </Dialog>
    }
}

/// The part of the settings about the Hub.
#[component]
pub(crate) fn HubSettings() -> impl IntoView {
    let fetch = RwSignal::new(false);
    view! {
        <section data-testid="hub-settings">
            <h2>"Hugging Face Hub"</h2>
            <p>"Datasets are pushed to it and pulled from it, models are fetched from it. Nothing is sent before you press Push."</p>
            <Account/>
            <div>
                <Button icon=IconName::Import label="Fetch a model" on_click=move |()| fetch.set(true) testid="hub-fetch"/>
            </div>
            <DownloadDialog open=fetch/>
        </section>
    }
}

/// Who is signed in, and a field for a token.
#[component]
pub(super) fn Account() -> impl IntoView {
    let hub = use_hub();
    hub.ensure();
    let other = RwSignal::new(false);
    move || match hub.status.get() {
        None => view! { <Skeleton lines=2/> }.into_any(),
        Some(Err(error)) => view! { <ErrorBox error on_retry=move |()| hub.load()/> }.into_any(),
        Some(Ok(status)) => {
            let signed_in = status.account.is_some();
            view! {
                <Facts status/>
                <Show when=move || !signed_in || other.get() fallback=move || view! {
                    <div><Button kind=ButtonKind::Quiet label="Use another token" on_click=move |()| other.set(true) testid="hub-other-token"/></div>
                }>
                    <TokenForm done=move |()| other.set(false)/>
                </Show>
            }
            .into_any()
        }
    }
}

#[component]
fn Facts(status: HubStatus) -> impl IntoView {
    let hub = use_hub();
    let may_sign_out = status.token_from == Some(HubTokenSource::Vault);
    let address = status.is_other_endpoint.then(|| {
        view! {
            <dt>"Address"</dt>
            <dd><span class="mono">{status.endpoint.clone()}</span>" (from HF_ENDPOINT)"</dd>
        }
    });
    let token = match &status.token_from {
        None => "none".to_owned(),
        Some(source) => source_words(source),
    };
    let account = match &status.account {
        Some(account) => {
            let full = if account.full_name.is_empty() { String::new() } else { format!(" ({})", account.full_name) };
            let named = if account.token_name.is_empty() {
                String::new()
            } else {
                format!(" \"{}\"", account.token_name)
            };
            let (tone, rights) = match account.can_write {
                Some(true) => (Tone::Good, "may write"),
                Some(false) => (Tone::Warn, "may only read: pushing needs a token that may write"),
                None => (Tone::Good, "has rights of its own: whether it may write shows when pushing"),
            };
            let organisations = account.organisations.join(", ");
            view! {
                <dt>"Signed in as"</dt>
                <dd data-testid="hub-account"><StatusDot tone=Tone::Good/>" "<strong dir="auto">{account.name.clone()}</strong><span dir="auto">{full}</span></dd>
                {(!organisations.is_empty()).then(|| view! { <dt>"Organisations"</dt><dd dir="auto">{organisations}</dd> })}
                <dt>"Token"</dt>
                <dd data-testid="hub-token"><StatusDot tone/>" "<span dir="auto">{format!("The token{named} {rights}. It comes from {token}.")}</span></dd>
            }
            .into_any()
        }
        None => view! {
            <dt>"Signed in as"</dt>
            <dd data-testid="hub-account"><StatusDot tone=Tone::Neutral/>" nobody: public repositories can be read"</dd>
            {status.token_from.is_some().then(|| view! { <dt>"Token"</dt><dd data-testid="hub-token" dir="auto">{format!("From {token}.")}</dd> })}
        }
        .into_any(),
    };
    view! {
        <dl class="facts-list">
            {address}
            {account}
        </dl>
        {status.problem.map(|error| view! { <ErrorBox error on_retry=move |()| hub.load()/> })}
        {may_sign_out
            .then(|| view! { <div><Button label="Sign out" on_click=move |()| hub.sign_out() testid="hub-sign-out"/></div> })}
    }
}

fn source_words(source: &HubTokenSource) -> String {
    match source {
        HubTokenSource::Environment => "the environment variable HF_TOKEN".to_owned(),
        HubTokenSource::Vault => "this app, where it was entered".to_owned(),
        HubTokenSource::File { path } => format!("the file {path} of the Hub's command line"),
    }
}

/// A field for a token.
#[component]
fn TokenForm(
    /// Called when the Hub knew the token.
    #[prop(into)]
    done: Callback<()>,
) -> impl IntoView {
    let hub = use_hub();
    let workspace = expect_context::<Workspace>().0;
    let token = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let problem = RwSignal::new(None::<ApiError>);
    let empty = Memo::new(move |_| token.with(|token| token.trim().is_empty()));
    let hint = Signal::derive(move || {
        let kept = workspace.with(|info| match info.as_ref().map(|info| &info.vault) {
            Some(VaultMode::SessionOnly { .. }) => "It is kept in memory until the app ends.",
            _ => "It is kept in this computer's keyring.",
        });
        format!("Made at huggingface.co/settings/tokens; pushing needs one that may write. {kept}")
    });
    let sign_in = move || sign_in(hub, token, busy, problem, done);
    view! {
        <form
            class="hub-token"
            on:submit=move |event| {
                event.prevent_default();
                sign_in();
            }
        >
            <TextField label="Token" value=token input_type="password" mono=true placeholder="hf_..." hint testid="hub-token-field"/>
            <Button submit=true kind=ButtonKind::Primary label="Sign in" busy disabled=empty on_click=move |()| sign_in() testid="hub-sign-in"/>
        </form>
        {move || problem.get().map(|error| view! { <ErrorBox error/> })}
    }
}

fn sign_in(
    hub: Hub,
    token: RwSignal<String>,
    busy: RwSignal<bool>,
    problem: RwSignal<Option<ApiError>>,
    done: Callback<()>,
) {
    let entered = token.get_untracked().trim().to_owned();
    if entered.is_empty() || busy.get_untracked() {
        return;
    }
    busy.set(true);
    problem.set(None);
    spawn_local(async move {
        let answer = hub.sign_in(entered).await;
        // Gone when the Hub knew the token: the fields are made anew then.
        busy.try_set(false);
        match answer {
            Ok(()) => {
                token.try_set(String::new());
                done.try_run(());
            }
            Err(error) => {
                problem.try_set(Some(error));
            }
        }
    });
}
