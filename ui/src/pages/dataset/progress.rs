//! A build that goes on, in the status strip, and what is told when it ends.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use crate::components::{StatusDot, Tone};
use crate::state::clock::use_clock;
use crate::state::datasets::{BuildState, use_datasets};
use crate::state::format;
use crate::state::toasts::{ToastAction, use_toasts};

/// How far the build is, with a way to end it; shows the version once it is there.
#[component]
pub(crate) fn BuildStatus() -> impl IntoView {
    let datasets = use_datasets();
    let clock = use_clock();
    let toasts = use_toasts();
    let path = use_location().pathname;
    let navigate = StoredValue::new_local(use_navigate());
    let go = move |path: &str| navigate.with_value(|go| go(path, NavigateOptions::default()));
    Effect::new(move |_| {
        let Some((version, was_there)) = datasets.built.get() else { return };
        datasets.built.set(None);
        let address = format!("/dataset/{}", version.id);
        let words = if was_there {
            format!("Nothing has changed since version {}: it is the same.", version.short_id())
        } else {
            let rows = version.train.rows + version.validation.rows;
            format!("{} is built: {}.", version.name, format::counted(rows, "row"))
        };
        // Only who still looks at the plan is led to what became of it.
        if path.get_untracked() == "/dataset/new" {
            toasts.info(words);
            go(&address);
        } else {
            let show = Callback::new(move |()| go(&address));
            toasts.offer(words, ToastAction { label: "Show", run: show });
        }
    });
    let running = Memo::new(move |_| datasets.is_building());
    let share = move || datasets.build.with(|build| build.as_ref().map_or(0.0, BuildState::share));
    let words = move || datasets.build.with(|build| build.as_ref().map(|build| told(build, clock.now_ms())));
    view! {
        <Show when=move || running.get()>
            <span class="status-part import-status">
                <button type="button" class="import-words" title="Show the plan" data-testid="build-status" on:click=move |_| go("/dataset/new")>
                    <StatusDot tone=Tone::Active/>
                    <span class="progress-bar" role="progressbar" aria-label="Build" aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || format!("{:.0}", share() * 100.0)>
                        <span style:width=move || format!("{:.1}%", share() * 100.0)></span>
                    </span>
                    <span>{words}</span>
                </button>
                <button type="button" class="link-button" data-testid="build-status-cancel" on:click=move |_| datasets.cancel()>"Cancel"</button>
            </span>
        </Show>
    }
}

/// How far a build is, in words.
pub(super) fn told(build: &BuildState, now_ms: i64) -> String {
    if build.ending {
        return format!("Ending the build of {}", build.name);
    }
    let mut words = format!("Building {}", build.name);
    if build.progress.total_traces > 0 {
        words.push_str(&format!(
            " · {} of {}, {}",
            format::count(build.progress.done_traces),
            format::counted(build.progress.total_traces, "trace"),
            format::counted(build.progress.rows, "row")
        ));
    }
    if let Some(left) = build.left_ms(now_ms).filter(|left| *left >= 1_000) {
        words.push_str(&format!(" · {} left", format::duration(left)));
    }
    words
}
