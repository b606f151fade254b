//! What a person has set up for the next run. Kept as it is typed.

use std::collections::BTreeMap;

use leptos::prelude::*;
use tw_artifact::{
    ApprovalPolicy, ApprovalRule, Budget, BudgetKeep, Budgets, PolicyMode, PolicyVerdict, RuleScope, RunLimits, RunSpec,
};
use tw_contract::RunRequest;

use crate::state::endpoints::{Endpoints, use_endpoints};
use crate::state::servers::{Servers, use_servers};
use crate::state::settings::use_setting;

/// The host keeps rules under this name too, and adds them to every run that is started.
const RULES_KEY: &str = "approval-rules";

/// Most runs of one task and most runs at the same time that the form takes.
pub(super) const MAX_COUNT: u32 = 1_000;

/// The next run. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    /// The task of a single run.
    pub(crate) task: RwSignal<String>,
    /// A system message that is part of the trace.
    pub(crate) system_prompt: RwSignal<String>,
    /// Guides the run and is left out of the trace.
    pub(crate) steering_prompt: RwSignal<String>,
    /// Who decides about calls that no rule names.
    pub(crate) mode: RwSignal<PolicyMode>,
    /// Rules of one tool or one server.
    pub(crate) rules: RwSignal<Vec<ApprovalRule>>,
    /// Most answers of a run.
    pub(crate) max_steps: RwSignal<u32>,
    /// Most seconds of a run.
    pub(crate) max_secs: RwSignal<Option<u64>>,
    /// Most tokens of an output that the model sees; 0 for no limit.
    pub(crate) budget_tokens: RwSignal<u32>,
    /// Which part of an output stays when it is over that.
    pub(crate) budget_keep: RwSignal<BudgetKeep>,
    /// Budgets by exposed tool name.
    pub(crate) tool_budgets: RwSignal<BTreeMap<String, Budget>>,
    /// Whether several tasks are queued.
    pub(crate) is_queue: RwSignal<bool>,
    /// The tasks of the queue, one a line.
    pub(crate) queue: RwSignal<String>,
    /// Runs of each task of the queue.
    pub(crate) samples: RwSignal<u32>,
    /// Runs of the queue at the same time.
    pub(crate) concurrency: RwSignal<u32>,
    endpoints: Endpoints,
    servers: Servers,
}

/// The next run, as the page set it up.
pub(crate) fn use_draft() -> Draft {
    expect_context()
}

impl Draft {
    /// Gives the draft to everything below.
    pub(crate) fn provide() -> Self {
        let draft = Self {
            task: use_setting("collect.task", String::new()),
            system_prompt: use_setting("collect.system-prompt", String::new()),
            steering_prompt: use_setting("collect.steering-prompt", String::new()),
            mode: use_setting("collect.policy", PolicyMode::AskUnlessReadOnly),
            rules: use_setting(RULES_KEY, Vec::new()),
            max_steps: use_setting("collect.max-steps", RunLimits::default().max_steps),
            max_secs: use_setting("collect.max-secs", RunLimits::default().max_secs),
            budget_tokens: use_setting("collect.budget-tokens", Budget::default().tokens),
            budget_keep: use_setting("collect.budget-keep", Budget::default().keep),
            tool_budgets: use_setting("collect.tool-budgets", BTreeMap::new()),
            is_queue: use_setting("collect.is-queue", false),
            queue: use_setting("collect.queue", String::new()),
            samples: use_setting("collect.samples", 1),
            concurrency: use_setting("collect.concurrency", 2),
            endpoints: use_endpoints(),
            servers: use_servers(),
        };
        provide_context(draft);
        draft
    }

    /// The tasks of the queue. Tracks.
    pub(crate) fn tasks(self) -> Vec<String> {
        self.queue.with(|text| text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// How many runs the queue makes; `None` for a single run. Tracks.
    pub(crate) fn run_count(self) -> Option<u64> {
        let tasks = self.tasks().len() as u64;
        self.is_queue.get().then(|| tasks * u64::from(self.samples.get()))
    }

    /// What keeps a run from being started, in words. Tracks.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let Some(endpoint) = self.endpoints.chosen() else {
            return Some("Add an endpoint first.");
        };
        if endpoint.model.is_empty() {
            return Some("Pick a model first.");
        }
        if self.is_queue.get() {
            return self.tasks().is_empty().then_some("Paste the tasks, one a line.");
        }
        self.task.with(|task| task.trim().is_empty()).then_some("Write a task first.")
    }

    /// The request that starts the run or the queue; `None` while something is missing.
    pub(crate) fn request(self) -> Option<RunRequest> {
        untrack(|| {
            if self.missing().is_some() {
                return None;
            }
            let endpoint = self.endpoints.chosen()?;
            let is_queue = self.is_queue.get();
            let server_ids = self.servers.entries.with(|entries| {
                entries.iter().filter(|entry| entry.config.enabled).map(|entry| entry.config.id.clone()).collect()
            });
            Some(RunRequest {
                spec: RunSpec {
                    task: if is_queue { String::new() } else { self.task.get().trim().to_owned() },
                    system_prompt: self.system_prompt.get(),
                    steering_prompt: self.steering_prompt.get(),
                    endpoint_id: endpoint.id,
                    model: endpoint.model,
                    sampling: endpoint.sampling,
                    server_ids,
                    policy: ApprovalPolicy { mode: self.mode.get(), rules: Vec::new() },
                    limits: RunLimits { max_steps: self.max_steps.get(), max_secs: self.max_secs.get() },
                    budgets: Budgets {
                        default: Budget { tokens: self.budget_tokens.get(), keep: self.budget_keep.get() },
                        per_tool: self.tool_budgets.get(),
                    },
                },
                tasks: if is_queue { self.tasks() } else { Vec::new() },
                samples: if is_queue { self.samples.get().clamp(1, MAX_COUNT) } else { 1 },
                concurrency: self.concurrency.get().clamp(1, MAX_COUNT),
            })
        })
    }

    /// Lets every call that `scope` names run from now on.
    pub(crate) fn allow(self, scope: RuleScope) {
        self.rules.update(|rules| {
            rules.retain(|rule| rule.scope != scope);
            rules.push(ApprovalRule { scope, verdict: PolicyVerdict::Allow });
        });
    }
}
