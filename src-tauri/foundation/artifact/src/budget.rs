//! How much of a tool's output the model is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which part of an output stays when it is over its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKeep {
    /// The beginning.
    #[default]
    Head,
    /// The end.
    Tail,
    /// Half of it from the beginning, half from the end.
    HeadTail,
}

/// The budget of one tool's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// At most so many tokens; `0` means no limit.
    pub tokens: u32,
    /// What stays.
    pub keep: BudgetKeep,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tokens: 8_000, keep: BudgetKeep::Head }
    }
}

/// The budgets of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// For every tool that has none of its own.
    pub default: Budget,
    /// By exposed tool name.
    pub per_tool: BTreeMap<String, Budget>,
}

impl Budgets {
    /// The budget of the tool with this exposed name.
    #[must_use]
    pub fn of(&self, tool: &str) -> Budget {
        self.per_tool.get(tool).copied().unwrap_or(self.default)
    }
}

/// What a budget took away from one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The part that stayed.
    pub keep: BudgetKeep,
    /// Tokens of the whole output.
    pub full_tokens: u32,
    /// Tokens that the model was shown.
    pub kept_tokens: u32,
}
