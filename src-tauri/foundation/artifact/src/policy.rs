//! Who decides about a tool call, and what was decided.

use serde::{Deserialize, Serialize};

use crate::{Json, ToolHints};

/// What happens with a call that no rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// A person decides about every call.
    #[default]
    AskAlways,
    /// A person decides, unless the server claims that the tool only reads.
    AskUnlessReadOnly,
    /// Every call runs.
    NeverAsk,
    /// Calls of tools that claim to only read run, the others are rejected (for scripts: nobody is there).
    ReadOnlyOrReject,
    /// Every call is rejected.
    RejectAll,
}

/// What a rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleScope {
    /// One tool, by server id and the server's own tool name.
    Tool {
        /// The server's id.
        server_id: String,
        /// The server's own tool name.
        tool: String,
    },
    /// Every tool of a server.
    Server {
        /// The server's id.
        server_id: String,
    },
}

/// What a policy says about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyVerdict {
    /// A person decides.
    Ask,
    /// It runs.
    Allow,
    /// It is rejected.
    Reject,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// What it speaks of.
    pub scope: RuleScope,
    /// What it says.
    pub verdict: PolicyVerdict,
}

/// The approval policy of a run: rules per tool stand over rules per server, those over the mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalPolicy {
    /// For calls that no rule names.
    pub mode: PolicyMode,
    /// The rules; of two for the same scope the later one counts.
    pub rules: Vec<ApprovalRule>,
}

impl ApprovalPolicy {
    /// What happens with a call of `tool` (the server's own name) on `server_id`.
    #[must_use]
    pub fn decide(&self, server_id: &str, tool: &str, hints: ToolHints) -> PolicyVerdict {
        let find =
            |wanted: &RuleScope| self.rules.iter().rev().find(|rule| &rule.scope == wanted).map(|rule| rule.verdict);
        let tool_scope = RuleScope::Tool { server_id: server_id.to_owned(), tool: tool.to_owned() };
        let server_scope = RuleScope::Server { server_id: server_id.to_owned() };
        find(&tool_scope).or_else(|| find(&server_scope)).unwrap_or(match self.mode {
            PolicyMode::AskAlways => PolicyVerdict::Ask,
            PolicyMode::AskUnlessReadOnly | PolicyMode::ReadOnlyOrReject if hints.read_only => PolicyVerdict::Allow,
            PolicyMode::AskUnlessReadOnly => PolicyVerdict::Ask,
            PolicyMode::NeverAsk => PolicyVerdict::Allow,
            PolicyMode::ReadOnlyOrReject | PolicyMode::RejectAll => PolicyVerdict::Reject,
        })
    }
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// A person, for this call.
    Person,
    /// The policy of the run.
    Policy,
}

/// What was decided about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Run as the model wrote it.
    Approve {
        /// Who decided.
        by: Approver,
    },
    /// Run with other arguments, which a person wrote.
    Modify {
        /// The arguments that ran: an object.
        arguments: Json,
    },
    /// Not run; the reason went to the model.
    Reject {
        /// Who decided.
        by: Approver,
        /// Why, in the person's words; may be empty.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: PolicyMode, rules: &[(RuleScope, PolicyVerdict)], read_only: bool, expected: PolicyVerdict) {
        let rules =
            rules.iter().map(|(scope, verdict)| ApprovalRule { scope: scope.clone(), verdict: *verdict }).collect();
        let policy = ApprovalPolicy { mode, rules };
        let hints = ToolHints { read_only, ..ToolHints::default() };
        assert_eq!(policy.decide("s", "t", hints), expected);
    }

    #[test]
    fn the_closest_rule_decides_then_the_mode() {
        let tool = || RuleScope::Tool { server_id: "s".to_owned(), tool: "t".to_owned() };
        let server = || RuleScope::Server { server_id: "s".to_owned() };
        check(PolicyMode::AskAlways, &[], true, PolicyVerdict::Ask);
        check(PolicyMode::AskUnlessReadOnly, &[], true, PolicyVerdict::Allow);
        check(PolicyMode::AskUnlessReadOnly, &[], false, PolicyVerdict::Ask);
        check(PolicyMode::NeverAsk, &[], false, PolicyVerdict::Allow);
        check(PolicyMode::RejectAll, &[], true, PolicyVerdict::Reject);
        check(PolicyMode::ReadOnlyOrReject, &[], true, PolicyVerdict::Allow);
        check(PolicyMode::ReadOnlyOrReject, &[], false, PolicyVerdict::Reject);
        check(PolicyMode::AskAlways, &[(server(), PolicyVerdict::Allow)], false, PolicyVerdict::Allow);
        check(
            PolicyMode::NeverAsk,
            &[(tool(), PolicyVerdict::Ask), (server(), PolicyVerdict::Allow)],
            false,
            PolicyVerdict::Ask,
        );
        check(
            PolicyMode::AskAlways,
            &[(tool(), PolicyVerdict::Reject), (tool(), PolicyVerdict::Allow)],
            false,
            PolicyVerdict::Allow,
        );
    }
}
