//! Lint: what may be wrong with a trace, where, why, and how it could be mended.
//!
//! Every rule reads the trace once and looks things up by id, so that 50,000 messages cost no more than their text.
//! Patterns are matched in linear time. Reasons never quote a secret.

mod answers;
mod calls;
mod ending;
mod fit;
mod gate;
mod memory;
mod mend;
mod pairing;
mod random;
mod report;
mod results;
mod schema;
mod schema_cost;
mod sensitive;
mod shapes;
mod steering;
mod surroundings;
mod view;
mod words;

#[cfg(test)]
mod tests;

use tw_artifact::{CallRecord, EditedMessage, Finding, RunState, ToolDefinition};

pub use gate::{Sensitive, sensitive, stands_alone};
pub use memory::LintMemory;
pub use schema::{SchemaProblem, schema_problems};

use report::Report;
use schema::Schemas;
use view::Turn;

/// Grows when the rules change, so that kept findings can be told from current ones.
pub const LINT_VERSION: u32 = 1;

/// A trace at a revision, and what is known of its run.
#[derive(Clone, Copy, Debug)]
pub struct LintInput<'a> {
    /// The messages, in order.
    pub messages: &'a [EditedMessage],
    /// The tools as the model was told of them.
    pub tools: &'a [ToolDefinition],
    /// What is kept of the calls; empty for imported traces.
    pub calls: &'a [CallRecord],
    /// The steering prompt; empty for none.
    pub steering_prompt: &'a str,
    /// Where the run is.
    pub state: RunState,
    /// Why it ended, where it failed or hit a limit.
    pub ending: Option<&'a str>,
    /// Whether it is a run of this app: of other traces the state says nothing.
    pub is_collected: bool,
}

/// Looks at traces one after the other and keeps the tools' schemas ready between them.
#[derive(Debug, Default)]
pub struct Linter {
    schemas: Schemas,
}

impl Linter {
    /// Everything that may be wrong with a trace: worst first, then by place. Of one rule the first 500 are listed and
    /// the rest counted in one more finding.
    ///
    /// A repair is made for the trace as it is here. Two repairs may set the same text: make one, then look again.
    #[must_use]
    pub fn lint(&mut self, input: &LintInput<'_>) -> Vec<Finding> {
        self.lint_again(input, &mut LintMemory::default())
    }

    /// The same for a trace that was looked at before: what is remembered of messages that are still the same is not
    /// looked for again.
    #[must_use]
    pub fn lint_again(&mut self, input: &LintInput<'_>, memory: &mut LintMemory) -> Vec<Finding> {
        let turns: Vec<Turn<'_>> = input.messages.iter().map(Turn::new).collect();
        let mut report = Report::new();
        pairing::check(&turns, &mut report);
        calls::check(&turns, input.tools, &mut self.schemas, &mut report);
        results::check(&turns, input.calls, &mut report);
        sensitive::check(&turns, memory, &mut report);
        steering::check(&turns, input.steering_prompt, &mut report);
        answers::check(&turns, &mut report);
        ending::check(&turns, input, &mut report);
        report.finish(&turns)
    }
}

/// Everything that may be wrong with one trace; see [`Linter::lint`].
#[must_use]
pub fn lint(input: &LintInput<'_>) -> Vec<Finding> {
    Linter::default().lint(input)
}
