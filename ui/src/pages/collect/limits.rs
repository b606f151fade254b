//! When a run ends by itself, and how much of each output the model sees.

use leptos::prelude::*;
use tw_artifact::{Budget, BudgetKeep};

use super::draft::use_draft;
use super::section::{Fold, NumberField, set_count};
use crate::components::{Button, ButtonKind, Choice, IconButton, IconName, Select};
use crate::state::format;
use crate::state::servers::use_servers;

/// Most tokens that a budget takes.
const MAX_TOKENS: u64 = 10_000_000;

const fn keep_label(keep: BudgetKeep) -> &'static str {
    match keep {
        BudgetKeep::Head => "the head",
        BudgetKeep::Tail => "the tail",
        BudgetKeep::HeadTail => "head and tail",
    }
}

fn keep_choices() -> Vec<Choice<BudgetKeep>> {
    [BudgetKeep::Head, BudgetKeep::Tail, BudgetKeep::HeadTail]
        .into_iter()
        .map(|keep| Choice::new(keep, keep_label(keep)))
        .collect()
}

/// The limits.
#[component]
pub(crate) fn LimitSettings() -> impl IntoView {
    let draft = use_draft();
    let open = RwSignal::new(false);
    let summary = Signal::derive(move || {
        let steps = format::counted(draft.max_steps.get(), "step");
        match draft.max_secs.get() {
            Some(secs) => format!("{steps} · {}", format::counted(secs, "second")),
            None => format!("{steps} · no time limit"),
        }
    });
    view! {
        <Fold title="Limits" summary open testid="limits-toggle">
            <div class="row">
                <NumberField
                    label="Most steps"
                    value=Signal::derive(move || Some(u64::from(draft.max_steps.get())))
                    on_change=set_count(draft.max_steps)
                    min=1
                    max=10_000
                    testid="limit-steps"
                />
                <NumberField
                    label="Most seconds"
                    value=draft.max_secs
                    on_change=Callback::new(move |value| draft.max_secs.set(value))
                    min=1
                    max=604_800
                    optional=true
                    placeholder="no limit"
                    testid="limit-secs"
                />
            </div>
            <p class="field-hint">"Counted from your last message. Time that a call waits for you does not count."</p>
        </Fold>
    }
}

/// The budgets.
#[component]
pub(crate) fn BudgetSettings() -> impl IntoView {
    let draft = use_draft();
    let open = RwSignal::new(false);
    let summary = Signal::derive(move || {
        let default = match draft.budget_tokens.get() {
            0 => "no limit".to_owned(),
            tokens => format!("{} tokens, {}", format::count(tokens), keep_label(draft.budget_keep.get())),
        };
        match draft.tool_budgets.with(std::collections::BTreeMap::len) {
            0 => default,
            count => format!("{default} · {} of its own", format::counted(count as u64, "tool")),
        }
    });
    let names = Memo::new(move |_| draft.tool_budgets.with(|all| all.keys().cloned().collect::<Vec<_>>()));
    view! {
        <Fold title="Output budget" summary open testid="budgets-toggle">
            <div class="row">
                <NumberField
                    label="Tokens of one output"
                    value=Signal::derive(move || Some(u64::from(draft.budget_tokens.get())))
                    on_change=set_count(draft.budget_tokens)
                    max=MAX_TOKENS
                    testid="budget-tokens"
                />
                <Select label="What stays" options=Signal::stored(keep_choices()) value=draft.budget_keep testid="budget-keep"/>
            </div>
            <p class="field-hint">"What is cut stays on disk; 0 cuts nothing."</p>
            <For each=move || names.get() key=Clone::clone let:name>
                <ToolBudget name/>
            </For>
            <AddToolBudget/>
        </Fold>
    }
}

#[component]
fn ToolBudget(name: String) -> impl IntoView {
    let draft = use_draft();
    let name = StoredValue::new(name);
    let budget = Memo::new(move |_| {
        draft.tool_budgets.with(|all| name.with_value(|name| all.get(name).copied())).unwrap_or_default()
    });
    let change = move |change: &dyn Fn(&mut Budget)| {
        draft.tool_budgets.update(|all| {
            if let Some(budget) = name.with_value(|name| all.get_mut(name)) {
                change(budget);
            }
        });
    };
    let change_tokens = Callback::new(move |value: Option<u64>| {
        if let Some(tokens) = value.and_then(|value| u32::try_from(value).ok()) {
            change(&|budget| budget.tokens = tokens);
        }
    });
    let keep = RwSignal::new(budget.get_untracked().keep);
    Effect::new(move || {
        let keep = keep.get();
        if budget.with_untracked(|budget| budget.keep != keep) {
            change(&|budget| budget.keep = keep);
        }
    });
    view! {
        <div class="tool-budget" data-testid="tool-budget">
            <span class="mono tool-budget-name" dir="auto">{name.get_value()}</span>
            <NumberField
                label="Tokens"
                value=Signal::derive(move || Some(u64::from(budget.get().tokens)))
                on_change=change_tokens
                max=MAX_TOKENS
                testid="tool-budget-tokens"
            />
            <Select label="What stays" options=Signal::stored(keep_choices()) value=keep testid="tool-budget-keep"/>
            <IconButton
                icon=IconName::Close
                label="Use the common budget for this tool"
                on_click=move |()| {
                    draft.tool_budgets.update(|all| {
                        name.with_value(|name| all.remove(name));
                    });
                }
            />
        </div>
    }
}

/// Gives a tool a budget of its own.
#[component]
fn AddToolBudget() -> impl IntoView {
    let draft = use_draft();
    let servers = use_servers();
    let picked = RwSignal::new(String::new());
    let options = Signal::derive(move || {
        let taken = draft.tool_budgets.get();
        let mut names: Vec<String> = servers.entries.with(|entries| {
            let tools = entries.iter().flat_map(|entry| &entry.status.tools);
            tools.map(|tool| tool.exposed_name.clone()).filter(|name| !taken.contains_key(name)).collect()
        });
        names.sort();
        let mut options = vec![Choice::new(String::new(), "a tool")];
        options.extend(names.into_iter().map(|name| Choice::new(name.clone(), name)));
        options
    });
    let add = move |()| {
        let name = picked.get_untracked();
        if !name.is_empty() {
            let budget =
                Budget { tokens: draft.budget_tokens.get_untracked(), keep: draft.budget_keep.get_untracked() };
            draft.tool_budgets.update(|all| {
                all.insert(name, budget);
            });
            picked.set(String::new());
        }
    };
    view! {
        <Show when=move || { options.with(Vec::len) > 1 }>
            <div class="row">
                <div class="grow">
                    <Select label="A tool with a budget of its own" bare=true options value=picked testid="budget-tool"/>
                </div>
                <Button label="Add a budget of its own" kind=ButtonKind::Quiet icon=IconName::Plus disabled=Signal::derive(move || picked.with(String::is_empty)) on_click=add testid="budget-tool-add"/>
            </div>
        </Show>
    }
}
