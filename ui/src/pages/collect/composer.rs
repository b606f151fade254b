//! The part of the setup that says what is to be done.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::draft::{MAX_COUNT, use_draft};
use super::limits::{BudgetSettings, LimitSettings};
use super::policy::PolicySettings;
use super::section::{Fold, NumberField, Section, set_count};
use crate::components::{Choice, Segmented};
use crate::state::format;
use crate::state::servers::use_servers;
use crate::state::toasts::use_toasts;

/// The task part.
#[component]
pub(crate) fn Composer(
    /// Whether it is unfolded.
    open: RwSignal<bool>,
) -> impl IntoView {
    let draft = use_draft();
    let count = Memo::new(move |_| draft.tasks().len() as u64);
    let summary = Signal::derive(move || {
        if draft.is_queue.get() {
            format::counted(count.get(), "task")
        } else {
            draft.task.with(|task| format::first_line(task, 80))
        }
    });
    let prompts_open = RwSignal::new(false);
    let steering_open = RwSignal::new(draft.steering_prompt.with_untracked(|it| !it.is_empty()));
    let first_line = |text: RwSignal<String>| Signal::derive(move || text.with(|text| format::first_line(text, 60)));
    view! {
        <Section title="Task" summary open testid="task-section">
            <Segmented
                label="One task or several"
                options=vec![Choice::new(false, "One task"), Choice::new(true, "Queue")]
                value=draft.is_queue
                testid="task-mode"
            />
            <Show
                when=move || draft.is_queue.get()
                fallback=move || {
                    view! {
                        <textarea
                            class="input task"
                            rows="5"
                            aria-label="Task"
                            placeholder="What should the agent do?"
                            dir="auto"
                            data-testid="task-input"
                            prop:value=draft.task
                            on:input:target=move |event| draft.task.set(event.target().value())
                        ></textarea>
                    }
                }
            >
                <textarea
                    class="input task"
                    rows="7"
                    aria-label="Tasks, one a line"
                    placeholder="Paste a list of tasks, one a line."
                    dir="auto"
                    data-testid="queue-input"
                    prop:value=draft.queue
                    on:input:target=move |event| draft.queue.set(event.target().value())
                ></textarea>
                <div class="row queue-size">
                    <NumberField
                        label="Samples of each"
                        value=Signal::derive(move || Some(u64::from(draft.samples.get())))
                        on_change=set_count(draft.samples)
                        min=1
                        max=u64::from(MAX_COUNT)
                        testid="queue-samples"
                    />
                    <NumberField
                        label="At the same time"
                        value=Signal::derive(move || Some(u64::from(draft.concurrency.get())))
                        on_change=set_count(draft.concurrency)
                        min=1
                        max=u64::from(MAX_COUNT)
                        testid="queue-concurrency"
                    />
                    <p class="queue-count" data-testid="queue-count">
                        {move || format!("{} · {}", format::counted(count.get(), "task"), format::counted(draft.run_count().unwrap_or_default(), "run"))}
                    </p>
                </div>
            </Show>
            <Fold title="Steering prompt" summary=first_line(draft.steering_prompt) open=steering_open testid="steering-toggle">
                <textarea
                    class="input"
                    rows="3"
                    aria-label="Steering prompt"
                    placeholder="For example: open the documentation before you answer, and read one page at a time."
                    dir="auto"
                    data-testid="steering-input"
                    prop:value=draft.steering_prompt
                    on:input:target=move |event| draft.steering_prompt.set(event.target().value())
                ></textarea>
                <p class="field-hint">"Guides this run; left out of the training data."</p>
            </Fold>
            <Fold title="System prompt" summary=first_line(draft.system_prompt) open=prompts_open testid="system-toggle">
                <textarea
                    class="input"
                    rows="3"
                    aria-label="System prompt"
                    placeholder="Part of the trace, and of what a model is trained on."
                    dir="auto"
                    data-testid="system-input"
                    prop:value=draft.system_prompt
                    on:input:target=move |event| draft.system_prompt.set(event.target().value())
                ></textarea>
            </Fold>
            <PolicySettings/>
            <LimitSettings/>
            <BudgetSettings/>
            <ServerChoice/>
        </Section>
    }
}

/// The servers that the run has, each a button that is in or out.
#[component]
fn ServerChoice() -> impl IntoView {
    let servers = use_servers();
    let toasts = use_toasts();
    let choices = Memo::new(move |_| {
        servers.entries.with(|entries| {
            entries
                .iter()
                .map(|entry| (entry.config.id.clone(), entry.config.name.clone(), entry.config.enabled))
                .collect::<Vec<_>>()
        })
    });
    let switch = Callback::new(move |(id, on): (String, bool)| {
        spawn_local(async move {
            if let Err(error) = servers.switch(&id, on).await {
                toasts.error(error);
            }
        });
    });
    view! {
        <Show when=move || !choices.with(Vec::is_empty)>
            <div class="server-choice" role="group" aria-label="Servers of this run">
                <span class="field-label">"Servers"</span>
                {move || {
                    choices
                        .get()
                        .into_iter()
                        .map(|(id, name, on)| {
                            view! {
                                <button
                                    type="button"
                                    class="chip"
                                    aria-pressed=on.to_string()
                                    data-testid="use-server"
                                    on:click=move |_| switch.run((id.clone(), !on))
                                >
                                    <span dir="auto">{name}</span>
                                </button>
                            }
                        })
                        .collect_view()
                }}
            </div>
        </Show>
    }
}
