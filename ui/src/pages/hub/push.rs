//! Pushing a version of a dataset: where to and how, what would leave the machine, and what a person decides about it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{
    ApiError, CardChoice, Event, EventBody, HitAction, HitDecision, HitTarget, HubJob, IdRequest, LICENCES,
    PublishCheck, PublishHit, PublishPlan, PublishWhat,
};

use super::card::Card;
use super::gate::Gate;
use super::job::{Files, phase_words, share_of};
use super::sign_in::Account;
use crate::backend::{Tail, use_api, use_events};
use crate::components::{
    Button, ButtonKind, Choice, CopyButton, Dialog, ErrorBox, Icon, IconName, Select, Switch, TextArea, TextField,
};
use crate::state::format;
use crate::state::hub::use_hub;

/// What a person fills in. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Form {
    version: StoredValue<String>,
    owner: RwSignal<String>,
    name: RwSignal<String>,
    private: RwSignal<bool>,
    licence: RwSignal<Option<String>>,
    description: RwSignal<String>,
    sessions: RwSignal<bool>,
    /// The card.
    pub(super) card: RwSignal<CardChoice>,
    message: RwSignal<String>,
    decisions: RwSignal<Vec<HitDecision>>,
}

impl Form {
    /// What would be pushed, without the decisions. Tracks.
    fn plan(self) -> PublishPlan {
        PublishPlan {
            what: PublishWhat::Dataset { id: self.version.get_value(), sessions: self.sessions.get() },
            repo: format!("{}/{}", self.owner.get().trim(), self.name.get().trim()),
            private: self.private.get(),
            licence: self.licence.get(),
            description: self.description.get().trim().to_owned(),
            card: self.card.get(),
            decisions: Vec::new(),
            message: self.message.get().trim().to_owned(),
        }
    }

    /// Decides about finds. What was said about the same ones before counts no more.
    pub(super) fn decide(self, target: HitTarget, action: HitAction, hits: &[PublishHit]) {
        self.decisions.update(|decisions| {
            decisions.retain(|old| {
                let covered = match (&target, &old.target) {
                    // Everything of a kind: what was said about one of them goes, too.
                    (HitTarget::Kind(kind), HitTarget::Hit(id)) => {
                        hits.iter().any(|hit| hit.id == *id && hit.kind == *kind)
                    }
                    (target, old) => target == old,
                };
                !covered
            });
            decisions.push(HitDecision { target, action });
        });
    }

    /// What was decided about a find. Tracks.
    pub(super) fn decided(self, hit: &PublishHit) -> Option<HitAction> {
        self.decisions.with(|decisions| {
            let said = |wanted: &HitTarget| {
                decisions.iter().rev().find(|decision| decision.target == *wanted).map(|decision| decision.action)
            };
            said(&HitTarget::Hit(hit.id.clone())).or_else(|| said(&HitTarget::Kind(hit.kind.clone()))).or(hit.action)
        })
    }
}

/// A check's answer, and the plan that it is about.
#[derive(Clone, Debug, PartialEq)]
struct Checked {
    plan: PublishPlan,
    check: PublishCheck,
}

/// The dialog that pushes a version of a dataset.
#[component]
pub(crate) fn PushDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// The version's id.
    #[prop(into)]
    version: Signal<String>,
    /// The dataset's name: what the repository is called at first.
    #[prop(into)]
    name: Signal<String>,
) -> impl IntoView {
    view! {
        <Dialog open title="Push to the Hub" wide=true testid="push-dialog">
            <Body open version=version.get_untracked() name=name.get_untracked()/>
        </Dialog>
    }
}

#[component]
fn Body(open: RwSignal<bool>, version: String, name: String) -> impl IntoView {
    let hub = use_hub();
    hub.ensure();
    let form = Form {
        version: StoredValue::new(version),
        owner: RwSignal::new(String::new()),
        name: RwSignal::new(repo_name(&name)),
        private: RwSignal::new(true),
        licence: RwSignal::new(None),
        description: RwSignal::new(String::new()),
        sessions: RwSignal::new(false),
        card: RwSignal::new(CardChoice::Written),
        message: RwSignal::new(String::new()),
        decisions: RwSignal::new(Vec::new()),
    };
    let account = Memo::new(move |_| hub.status.with(|status| status.as_ref()?.as_ref().ok()?.account.clone()));
    let owners = Signal::derive(move || {
        let account = account.get().unwrap_or_default();
        let names = std::iter::once(account.name).chain(account.organisations);
        names.filter(|name| !name.is_empty()).map(|name| Choice::new(name.clone(), name)).collect::<Vec<_>>()
    });
    Effect::new(move |_| {
        let first = owners.with(|owners| owners.first().map(|choice| choice.value.clone()));
        if form.owner.with_untracked(String::is_empty)
            && let Some(first) = first
        {
            form.owner.set(first);
        }
    });
    let checked = RwSignal::new(None::<Checked>);
    let problem = RwSignal::new(None::<ApiError>);
    let checking = RwSignal::new(false);
    let pushing = RwSignal::new(false);
    let progress = RwSignal::new(HubJob::default());
    let plan = Memo::new(move |_| form.plan());
    let is_complete = Memo::new(move |_| {
        !form.owner.with(|owner| owner.trim().is_empty()) && !form.name.with(|name| name.trim().is_empty())
    });
    let is_fresh = Memo::new(move |_| checked.with(|checked| checked.as_ref().is_some_and(|it| it.plan == plan.get())));
    let open_hits = Memo::new(move |_| {
        checked.with(|checked| {
            checked.as_ref().map_or(0, |it| it.check.hits.iter().filter(|hit| form.decided(hit).is_none()).count())
        })
    });
    let problems = Memo::new(move |_| {
        checked.with(|checked| checked.as_ref().map(|it| it.check.problems.clone()).unwrap_or_default())
    });
    let events = use_events();
    events.listen(Event::hub_topic(&form.version.get_value()), move |tail| {
        if let Tail::Event(event) = tail
            && let EventBody::HubJob(job) = &event.body
        {
            progress.set((**job).clone());
        }
    });
    let api = StoredValue::new(use_api());
    let check = move || {
        if checking.get_untracked() || !is_complete.get_untracked() {
            return;
        }
        checking.set(true);
        problem.set(None);
        progress.set(HubJob::default());
        let plan = plan.get_untracked();
        let asked = PublishPlan { decisions: form.decisions.get_untracked(), ..plan.clone() };
        let api = api.get_value();
        spawn_local(async move {
            let answer = api.publish_check(asked).await;
            if checking.is_disposed() {
                return;
            }
            checking.set(false);
            match answer {
                Ok(check) => checked.set(Some(Checked { plan, check })),
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    let end_check = move || {
        let api = api.get_value();
        let id = form.version.get_value();
        // A check that ended meanwhile has nothing to cancel.
        spawn_local(async move { drop(api.hub_job_cancel(IdRequest { id }).await) });
    };
    let push = move || {
        pushing.set(true);
        problem.set(None);
        let plan = PublishPlan { decisions: form.decisions.get_untracked(), ..plan.get_untracked() };
        spawn_local(async move {
            let answer = hub.push(plan).await;
            if pushing.is_disposed() {
                return;
            }
            pushing.set(false);
            match answer {
                Ok(()) => open.set(false),
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    let can_push = Memo::new(move |_| is_fresh.get() && open_hits.get() == 0 && problems.with(Vec::is_empty));
    let shown = Memo::new(move |_| checked.with(Option::is_some));
    let why_not = move || {
        if !shown.get() {
            return None;
        }
        match open_hits.get() {
            _ if !is_fresh.get() => Some("Something was changed: look again before pushing.".to_owned()),
            0 => None,
            1 => Some("1 find is undecided.".to_owned()),
            open => Some(format!("{} finds are undecided.", format::count(open as u64))),
        }
    };
    view! {
        <Show when=move || account.with(Option::is_some) fallback=|| view! {
            <p>"Sign in to push. Nothing leaves this machine before you have seen it and pressed Push."</p>
            <Account/>
        }>
            <Fields form owners/>
        </Show>
        <Show when=move || checking.get()>
            <div class="hub-checking" data-testid="push-checking">
                <span class="hub-bar" class:is-unknown=move || progress.with(|job| share_of(job).is_none())>
                    <span style:width=move || format!("{:.1}%", progress.with(share_of).unwrap_or(0.0) * 100.0)></span>
                </span>
                <span>
                    {move || progress.with(|job| match job.total {
                        0 => format!("Looking at what would leave the machine: {}", phase_words(job.phase)),
                        total => format!("Looking at what would leave the machine: {} of {}", format::count(job.done), format::counted(total, "row")),
                    })}
                </span>
                <button type="button" class="link-button" on:click=move |_| end_check()>"Cancel"</button>
            </div>
        </Show>
        {move || problem.get().map(|error| view! { <ErrorBox error/> })}
        {move || checked.get().map(|it| view! { <Found form check=it.check/> })}
        <div class="dialog-actions">
            <span class="push-why" role="status" data-testid="push-why">{why_not}</span>
            <Button label="Cancel" on_click=move |()| open.set(false)/>
            <Button
                label=Signal::derive(move || if shown.get() { "Look again" } else { "See what would be pushed" }.to_owned())
                busy=checking
                disabled=Signal::derive(move || !is_complete.get() || account.with(Option::is_none))
                on_click=move |()| check()
                testid="push-check"
            />
            <Button
                kind=ButtonKind::Primary
                icon=IconName::Export
                label="Push"
                busy=pushing
                disabled=Signal::derive(move || !can_push.get())
                on_click=move |()| push()
                testid="push-go"
            />
        </div>
    }
}

#[component]
fn Fields(form: Form, #[prop(into)] owners: Signal<Vec<Choice<String>>>) -> impl IntoView {
    let licences = Signal::derive(|| {
        let known = LICENCES.iter().map(|(word, label)| Choice::new(Some((*word).to_owned()), *label));
        std::iter::once(Choice::new(None, "None named")).chain(known).collect::<Vec<_>>()
    });
    view! {
        <div class="push-form">
            <div class="push-repo">
                <Select label="Owner" options=owners value=form.owner testid="push-owner"/>
                <span aria-hidden="true">"/"</span>
                <TextField label="Name" value=form.name mono=true testid="push-name"/>
            </div>
            <Select label="Licence" options=licences value=form.licence testid="push-licence"/>
            <div class="push-wide">
                <TextArea label="What it is (for the card)" value=form.description rows=2 placeholder="What was collected, and for what" testid="push-description"/>
            </div>
            <SwitchLine
                on=form.private
                label="Private"
                hint="Only you, or your organisation, can see it. A repository that is there stays as it is."
                testid="push-private"
            />
            <SwitchLine
                on=form.sessions
                label="Session files too"
                hint="Each trace as a file in a second configuration, which the Hub's trace viewer shows."
                testid="push-sessions"
            />
            <div class="push-wide">
                <TextField label="Title of the commit (optional)" value=form.message placeholder="written from what changed" testid="push-message"/>
            </div>
        </div>
    }
}

#[component]
fn SwitchLine(on: RwSignal<bool>, label: &'static str, hint: &'static str, testid: &'static str) -> impl IntoView {
    view! {
        <div class="push-switch">
            <Switch label on on_change=move |now: bool| on.set(now) testid/>
            <div>
                <span>{label}</span>
                <p class="field-hint">{hint}</p>
            </div>
        </div>
    }
}

/// What the check found.
#[component]
fn Found(form: Form, check: PublishCheck) -> impl IntoView {
    let url = StoredValue::new(check.url.clone());
    let place = match (check.exists, check.is_private) {
        (true, true) => "A new commit in the private repository",
        (true, false) => "A new commit in the repository, which everyone can see:",
        (false, true) => "A new private repository",
        (false, false) => "A new repository, which everyone can see:",
    };
    let sends =
        format!("{} looked through, {} to send.", format::counted(check.rows, "row"), format::bytes(check.send_bytes));
    view! {
        {(!check.problems.is_empty())
            .then(|| {
                view! {
                    <ul class="push-problems" role="alert" data-testid="push-problems">
                        {check.problems.iter().map(|problem| view! { <li dir="auto"><Icon name=IconName::Warning/><span>{problem.clone()}</span></li> }).collect_view()}
                    </ul>
                }
            })}
        <section class="push-part">
            <h3>"Where to"</h3>
            <p class:tone-warn=!check.is_private>
                {place} " " <span class="mono" data-testid="push-url">{url.get_value()}</span> " "
                <CopyButton text=move |()| url.get_value() label="Copy the address"/>
            </p>
            <p class="field-hint">"Commit: " <span dir="auto">{check.message.clone()}</span></p>
        </section>
        <Gate form hits=check.hits.clone()/>
        <section class="push-part">
            <h3>"Files"</h3>
            <p data-testid="push-size">{sends}</p>
            <Files files=check.files/>
        </section>
        <section class="push-part">
            <h3>"The card"</h3>
            <Card form written=check.card there=check.card_there/>
        </section>
    }
}

/// A name that the Hub takes.
fn repo_name(name: &str) -> String {
    let mut out = String::new();
    for c in name.trim().chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => out.push(c),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out.trim_matches(['-', '.']).chars().take(96).collect()
}
