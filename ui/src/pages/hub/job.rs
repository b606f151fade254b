//! A push, a pull or a download that goes on: in the status strip, and in a dialog with all that is known of it.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use tw_contract::{FileChange, HubEnd, HubJob, HubJobKind, HubOutcome, HubPhase, PublishFile};

use crate::components::{Button, ButtonKind, CopyButton, Dialog, ErrorBox, Icon, IconName, StatusDot, Tone};
use crate::state::format;
use crate::state::hub::{Hub, use_hub};

/// Of the jobs, the ones that the strip shows: those that go on, and those that ended otherwise than well.
fn listed(hub: Hub) -> Vec<HubJob> {
    hub.jobs
        .with(|jobs| jobs.iter().filter(|job| !matches!(job.ended, Some(HubEnd::Done(_)))).take(2).cloned().collect())
}

/// The jobs in the status strip.
#[component]
pub(crate) fn HubJobs() -> impl IntoView {
    let hub = use_hub();
    let ids = Memo::new(move |_| listed(hub).into_iter().map(|job| job.id).collect::<Vec<_>>());
    view! {
        <For each=move || ids.get() key=Clone::clone let:id>
            <Line id/>
        </For>
    }
}

#[component]
fn Line(id: String) -> impl IntoView {
    let hub = use_hub();
    let id = StoredValue::new(id);
    let job = Memo::new(move |_| id.with_value(|id| hub.job(id)).unwrap_or_default());
    let running = Memo::new(move |_| job.with(|job| job.ended.is_none()));
    let tone = Signal::derive(move || {
        job.with(|job| match job.ended {
            None => Tone::Active,
            Some(HubEnd::Done(_)) => Tone::Good,
            Some(HubEnd::Cancelled) => Tone::Neutral,
            Some(HubEnd::Failed(_)) => Tone::Bad,
        })
    });
    let share = move || job.with(share_of).unwrap_or(0.0);
    view! {
        <span class="status-part import-status">
            <button type="button" class="import-words" title="Show it" data-testid="hub-progress" on:click=move |_| hub.shown.set(Some(id.get_value()))>
                <StatusDot tone/>
                <Show when=move || running.get()>
                    <span class="progress-bar" role="progressbar" aria-label="Hub" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", share() * 100.0)>
                        <span style:width=move || format!("{:.1}%", share() * 100.0)></span>
                    </span>
                </Show>
                <span dir="auto">{move || job.with(short)}</span>
            </button>
            <Show
                when=move || running.get()
                fallback=move || view! { <button type="button" class="link-button" on:click=move |_| id.with_value(|id| hub.dismiss(id))>"Put away"</button> }
            >
                <button type="button" class="link-button" data-testid="hub-cancel" on:click=move |_| hub.cancel(id.get_value())>"Cancel"</button>
            </Show>
        </span>
    }
}

/// How far a job is in its phase, 0 to 1; `None` where that is not known.
#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn share_of(job: &HubJob) -> Option<f64> {
    (job.total > 0).then(|| (job.done as f64 / job.total as f64).clamp(0.0, 1.0))
}

/// What a phase does, in words.
pub(super) const fn phase_words(phase: HubPhase) -> &'static str {
    match phase {
        HubPhase::Asking => "asking the Hub",
        HubPhase::Checking => "looking through the rows",
        HubPhase::Sending => "sending",
        HubPhase::Committing => "making the commit",
        HubPhase::Fetching => "fetching",
        HubPhase::Verifying => "comparing checksums",
        HubPhase::Importing => "reading traces",
    }
}

const fn verb(kind: HubJobKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        HubJobKind::Publish => ("Pushing", "Pushed", "Push"),
        HubJobKind::Pull => ("Pulling", "Pulled", "Pull"),
        HubJobKind::Download => ("Fetching", "Fetched", "Fetch"),
    }
}

fn short(job: &HubJob) -> String {
    let (doing, done, noun) = verb(job.kind);
    match &job.ended {
        None => format!("{doing} {}: {}", job.repo, progress(job)),
        Some(HubEnd::Done(_)) => format!("{done} {}", job.repo),
        Some(HubEnd::Cancelled) => format!("{noun} of {} cancelled", job.repo),
        Some(HubEnd::Failed(_)) => format!("{noun} of {} failed", job.repo),
    }
}

/// `sending · 12.0 MB of 48.1 MB · 3.1 MB/s · 11.2 s left`
pub(super) fn progress(job: &HubJob) -> String {
    let mut words = phase_words(job.phase).to_owned();
    let in_rows = matches!(job.phase, HubPhase::Checking | HubPhase::Importing);
    if job.total > 0 {
        let said = if in_rows {
            format!(" · {} of {}", format::count(job.done), format::counted(job.total, "row"))
        } else {
            format!(" · {} of {}", format::bytes(job.done), format::bytes(job.total))
        };
        words.push_str(&said);
    }
    if job.bytes_per_sec > 0 && !in_rows {
        words.push_str(&format!(" · {}/s", format::bytes(job.bytes_per_sec)));
        let left_ms = job.total.saturating_sub(job.done) * 1_000 / job.bytes_per_sec;
        if left_ms >= 1_000 {
            words.push_str(&format!(" · {} left", format::duration(left_ms)));
        }
    }
    words
}

/// All that is known of the shown job.
#[component]
pub(super) fn JobDialog() -> impl IntoView {
    let hub = use_hub();
    let open = RwSignal::new(false);
    let job = Memo::new(move |_| hub.shown.get().and_then(|id| hub.job(&id)));
    Effect::new(move |_| {
        let there = job.with(Option::is_some);
        if open.get_untracked() != there {
            open.set(there);
        }
    });
    // Closed by key or by a press beside it.
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            hub.shown.set(None);
        }
        now
    });
    let title = Signal::derive(move || {
        job.with(|job| {
            let Some(job) = job else { return String::new() };
            let (doing, done, noun) = verb(job.kind);
            match &job.ended {
                None => format!("{doing} {}", job.repo),
                Some(HubEnd::Done(_)) => format!("{done} {}", job.repo),
                Some(HubEnd::Cancelled) => format!("{noun} cancelled: {}", job.repo),
                Some(HubEnd::Failed(_)) => format!("{noun} failed: {}", job.repo),
            }
        })
    });
    view! {
        <Dialog open title testid="hub-job">
            <Report job/>
        </Dialog>
    }
}

#[component]
fn Report(job: Memo<Option<HubJob>>) -> impl IntoView {
    let hub = use_hub();
    let running = Memo::new(move |_| job.with(|job| job.as_ref().is_some_and(|job| job.ended.is_none())));
    let can_retry = Memo::new(move |_| {
        job.with(|job| {
            let ended = job.as_ref().and_then(|job| job.ended.as_ref());
            matches!(ended, Some(HubEnd::Cancelled | HubEnd::Failed(_)))
        })
    });
    let ended = Memo::new(move |_| job.with(|job| job.as_ref().and_then(|job| job.ended.clone())));
    let id = move || job.with_untracked(|job| job.as_ref().map(|job| job.id.clone()).unwrap_or_default());
    let kind = Memo::new(move |_| job.with(|job| job.as_ref().map(|job| job.kind).unwrap_or_default()));
    view! {
        <Show when=move || running.get()>
            <Progress job/>
        </Show>
        {move || match ended.get() {
            None => ().into_any(),
            Some(HubEnd::Done(outcome)) => view! { <Outcome outcome kind=kind.get()/> }.into_any(),
            Some(HubEnd::Cancelled) => {
                let words = match kind.get() {
                    HubJobKind::Publish => "It was cancelled before the commit: nothing of it is in the repository. What was sent is used when it is taken up again.",
                    HubJobKind::Pull => "It was cancelled. What was read stays in the workspace.",
                    HubJobKind::Download => "It was cancelled. What was fetched is used when it is taken up again.",
                };
                view! { <p>{words}</p> }.into_any()
            }
            Some(HubEnd::Failed(error)) => view! { <ErrorBox error/> }.into_any(),
        }}
        <div class="dialog-actions">
            <Show when=move || running.get()>
                <Button label="Cancel it" on_click=move |()| hub.cancel(id()) testid="hub-job-cancel"/>
                <Button kind=ButtonKind::Primary label="Go on in the background" on_click=move |()| hub.shown.set(None) testid="hub-job-hide"/>
            </Show>
            <Show when=move || can_retry.get()>
                <Button label="Take it up again" icon=IconName::Restart on_click=move |()| hub.retry(id()) testid="hub-job-retry"/>
            </Show>
            <Show when=move || !running.get()>
                <Button kind=ButtonKind::Primary label="Close" on_click=move |()| hub.dismiss(&id()) testid="hub-job-close"/>
            </Show>
        </div>
    }
}

#[component]
fn Progress(job: Memo<Option<HubJob>>) -> impl IntoView {
    let job = Memo::new(move |_| job.get().unwrap_or_default());
    let share = move || job.with(share_of);
    let percent = move || share().map(|share| format!("{:.1}%", share * 100.0)).unwrap_or_default();
    view! {
        <div class="hub-job">
            <span class="hub-bar" class:is-unknown=move || share().is_none() role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || share().map(|share| format!("{:.0}", share * 100.0))>
                <span style:width=percent></span>
            </span>
            <p data-testid="hub-job-progress">{move || job.with(|job| capital(&progress(job)))}</p>
            <p class="hub-file mono" dir="auto">{move || job.with(|job| job.file.clone())}</p>
            {move || {
                let note = job.with(|job| job.note.clone());
                (!note.is_empty()).then(|| view! { <p class="tone-warn" dir="auto">{note}</p> })
            }}
        </div>
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[component]
fn Outcome(outcome: HubOutcome, kind: HubJobKind) -> impl IntoView {
    let hub = use_hub();
    let navigate = StoredValue::new_local(use_navigate());
    let traces = outcome.traces.len();
    let url = StoredValue::new(outcome.url.clone());
    let folder = outcome.folder.clone().map(StoredValue::new);
    let refused = outcome.refused.clone();
    let refused_more = u64::from(outcome.refused_count).saturating_sub(refused.len() as u64);
    view! {
        <p class="hub-done" role="status" data-testid="hub-job-done"><Icon name=IconName::Check/><span dir="auto">{outcome.summary}</span></p>
        <dl class="facts-list">
            {(!outcome.url.is_empty())
                .then(|| {
                    view! {
                        <dt>"Address"</dt>
                        <dd><span class="mono" data-testid="hub-job-url">{url.get_value()}</span>" "<CopyButton text=move |()| url.get_value() label="Copy the address" testid="hub-job-copy"/></dd>
                    }
                })}
            {(!outcome.commit.is_empty()).then(|| view! { <dt>"Commit"</dt><dd class="mono" title=outcome.commit.clone()>{outcome.commit.chars().take(8).collect::<String>()}</dd> })}
            {folder
                .map(|folder| {
                    view! {
                        <dt>"Folder"</dt>
                        <dd><span class="mono" dir="auto">{folder.get_value()}</span>" "<CopyButton text=move |()| folder.get_value() label="Copy the path"/></dd>
                    }
                })}
        </dl>
        {(!outcome.files.is_empty()).then(|| view! { <Files files=outcome.files/> })}
        {(!refused.is_empty())
            .then(|| {
                view! {
                    <ul class="hub-refused">
                        {refused.into_iter().map(|refusal| view! { <li dir="auto"><b>{refusal.name}</b>": " {refusal.reason}</li> }).collect_view()}
                        {(refused_more > 0).then(|| view! { <li>{format!("and {} more", format::count(refused_more))}</li> })}
                    </ul>
                }
            })}
        {(kind == HubJobKind::Pull && traces > 0)
            .then(|| {
                view! {
                    <div>
                        <Button
                            label=format!("Show {}", format::counted(traces as u64, "trace"))
                            on_click=move |()| {
                                hub.shown.set(None);
                                navigate.with_value(|go| go("/review", NavigateOptions::default()));
                            }
                            testid="hub-show-traces"
                        />
                    </div>
                }
            })}
    }
}

/// Files and what becomes of each.
#[component]
pub(super) fn Files(files: Vec<PublishFile>) -> impl IntoView {
    let rows = files
        .into_iter()
        .map(|file| {
            let (tone, words) = match file.change {
                FileChange::Added => (Tone::Good, "new"),
                FileChange::Changed => (Tone::Warn, "changed"),
                FileChange::Same => (Tone::Neutral, "the same, not sent"),
                FileChange::Removed => (Tone::Bad, "taken out"),
            };
            view! {
                <tr data-testid="hub-file">
                    <td class="mono" dir="auto">{file.path}</td>
                    <td class="is-number">{format::bytes(file.bytes)}</td>
                    <td class=tone.class()>{words}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="hub-files">
            <table><tbody>{rows}</tbody></table>
        </div>
    }
}
