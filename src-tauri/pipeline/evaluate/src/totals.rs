//! Scores of many steps and runs, counted.

use std::collections::BTreeMap;

use tw_artifact::{Change, EvalColumn, ExamTotals, Rate, RolloutScore, RolloutTotals, StepScore};

use crate::pass::{pass_all, pass_at};
use crate::rate::{change, rate_of_groups};

/// Which judgement of a step; `None` where it does not apply.
type Judgement = fn(&StepScore) -> Option<bool>;

/// The figures of which columns are compared, by name.
const FIGURES: [(&str, Judgement); 6] = [
    ("right", |step| Some(step.is_right())),
    ("decision", |step| Some(step.decision_right())),
    ("tool", |step| step.tool_right),
    ("arguments", |step| step.arguments_right),
    ("schema", |step| step.schema_valid),
    ("stopped", |step| Some(step.stopped)),
];

fn grouped<'a, T: 'a>(
    items: impl Iterator<Item = &'a T>,
    group: fn(&T) -> &str,
    count: impl Fn(&T) -> (u32, u32),
) -> Rate {
    let mut groups: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for item in items {
        let (right, of) = count(item);
        let sum = groups.entry(group(item)).or_default();
        *sum = (sum.0 + right, sum.1 + of);
    }
    rate_of_groups(&groups.into_values().collect::<Vec<_>>())
}

/// Counts steps; the intervals take steps of one trace as alike.
pub fn exam_totals<'a>(steps: impl IntoIterator<Item = &'a StepScore>) -> ExamTotals {
    let steps: Vec<&StepScore> = steps.into_iter().collect();
    let rate = |judgement: Judgement| {
        grouped(
            steps.iter().copied(),
            |step| step.trace_id.as_str(),
            |step| judgement(step).map_or((0, 0), |right| (u32::from(right), 1)),
        )
    };
    let (nll, tokens) = steps
        .iter()
        .filter_map(|step| step.nll.map(|nll| (nll, step.nll_tokens)))
        .fold((0.0, 0_u32), |sum, (nll, tokens)| (sum.0 + nll, sum.1 + tokens));
    let count = |wanted: fn(&&StepScore) -> bool| {
        u32::try_from(steps.iter().copied().filter(wanted).count()).unwrap_or(u32::MAX)
    };
    ExamTotals {
        steps: count(|_| true),
        failed: count(|step| step.problem.is_some()),
        right: rate(|step| Some(step.is_right())),
        decision: rate(|step| Some(step.decision_right())),
        tool: rate(|step| step.tool_right),
        arguments: rate(|step| step.arguments_right),
        parameters: grouped(
            steps.iter().copied(),
            |step| step.trace_id.as_str(),
            |step| (step.parameters_right, step.parameters),
        ),
        schema: rate(|step| step.schema_valid),
        stopped: rate(|step| Some(step.stopped)),
        thinking: rate(|step| step.thinking_kept),
        perplexity: (tokens > 0).then(|| (nll / f64::from(tokens)).exp()),
    }
}

/// The same for each tool that true answers call; answers in words stand under the empty name.
#[must_use]
pub fn by_tool(steps: &[StepScore]) -> BTreeMap<String, ExamTotals> {
    let mut names: Vec<&str> = steps.iter().flat_map(|step| step.tools.iter().map(String::as_str)).collect();
    if steps.iter().any(|step| step.tools.is_empty()) {
        names.push("");
    }
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let has = move |step: &&StepScore| {
                if name.is_empty() { step.tools.is_empty() } else { step.tools.iter().any(|tool| tool == name) }
            };
            (name.to_owned(), exam_totals(steps.iter().filter(has)))
        })
        .collect()
}

/// How a column differs from the first one, by figure, over the steps that both have.
#[must_use]
pub fn changes(first: &EvalColumn, other: &EvalColumn) -> BTreeMap<String, Change> {
    let key = |step: &StepScore| (step.trace_id.clone(), step.message);
    let before: BTreeMap<_, _> = first.steps.iter().map(|step| (key(step), step)).collect();
    let mut found: BTreeMap<String, Change> = BTreeMap::new();
    for (name, judgement) in FIGURES {
        let pairs = other.steps.iter().filter_map(|step| {
            let before = before.get(&key(step))?;
            Some((judgement(before)?, judgement(step)?))
        });
        found.insert(name.to_owned(), change(pairs));
    }
    let passed: BTreeMap<_, _> =
        first.runs.iter().map(|run| ((run.task.as_str(), run.sample), run.verdict.passed)).collect();
    let pairs = other.runs.iter().filter_map(|run| {
        let before = passed.get(&(run.task.as_str(), run.sample)).copied().flatten()?;
        Some((before, run.verdict.passed?))
    });
    found.insert("passed".to_owned(), change(pairs));
    found.retain(|_, change| change.both > 0);
    found
}

/// Counts runs. Undecided ones count in the means of steps, tokens and seconds alone.
#[must_use]
pub fn rollout_totals(runs: &[RolloutScore]) -> RolloutTotals {
    let mut tasks: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for run in runs {
        let sum = tasks.entry(&run.task).or_default();
        if let Some(passed) = run.verdict.passed {
            *sum = (sum.0 + u32::from(passed), sum.1 + 1);
        }
    }
    let most = tasks.values().map(|(_, of)| *of).max().unwrap_or(0);
    let over_tasks = |estimate: fn(u32, u32, u32) -> Option<f64>| {
        // 1, 2, 4 ... and the most there is.
        let mut ks: Vec<u32> = (0..u32::BITS).map(|power| 1 << power).take_while(|k| *k < most).collect();
        ks.extend((most > 0).then_some(most));
        ks.into_iter()
            .filter_map(|k| {
                let values: Vec<f64> = tasks.values().filter_map(|(passed, of)| estimate(*passed, *of, k)).collect();
                (!values.is_empty()).then(|| (k, values.iter().sum::<f64>() / values.len() as f64))
            })
            .collect::<BTreeMap<u32, f64>>()
    };
    let mean = |of: fn(&RolloutScore) -> f64| runs.iter().map(of).sum::<f64>() / (runs.len().max(1) as f64);
    RolloutTotals {
        tasks: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
        runs: tasks.values().map(|(_, of)| of).sum(),
        passed: rate_of_groups(&tasks.values().copied().collect::<Vec<_>>()),
        pass_at: over_tasks(pass_at),
        pass_all: over_tasks(pass_all),
        steps: mean(|run| f64::from(run.steps)),
        tokens: mean(|run| f64::from(run.tokens)),
        seconds: mean(|run| run.seconds),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tw_artifact::{Decision, RuleVerdict};

    fn step(trace: &str, message: u32, tools: &[&str], right: bool) -> StepScore {
        let calls = !tools.is_empty();
        StepScore {
            trace_id: trace.to_owned(),
            message,
            tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
            expected: if calls { Decision::Call } else { Decision::Answer },
            given: if calls { Decision::Call } else { Decision::Answer },
            tool_right: calls.then_some(right),
            arguments_right: calls.then_some(right),
            parameters: 2,
            parameters_right: if right { 2 } else { 1 },
            stopped: true,
            nll: Some(2.0),
            nll_tokens: 4,
            ..StepScore::default()
        }
    }

    #[test]
    fn steps_are_counted_in_all_and_by_tool() {
        let steps = [step("a", 1, &["x"], true), step("a", 3, &["x", "y"], false), step("b", 1, &[], true)];
        let totals = exam_totals(steps.iter());
        assert_eq!((totals.steps, totals.failed), (3, 0));
        assert_eq!((totals.right.right, totals.right.of, totals.tool.right, totals.tool.of), (2, 3, 1, 2));
        assert_eq!((totals.parameters.right, totals.parameters.of), (5, 6));
        assert!((totals.perplexity.unwrap() - 0.5_f64.exp()).abs() < 1e-12);
        let tools = by_tool(&steps);
        let counts: Vec<_> = tools.iter().map(|(name, totals)| (name.as_str(), totals.steps)).collect();
        assert_eq!(counts, [("", 1), ("x", 2), ("y", 1)]);
    }

    #[test]
    fn columns_are_compared_step_by_step() {
        let column = |rights: [bool; 3]| EvalColumn {
            steps: rights.iter().zip(1..).map(|(right, message)| step("a", message, &["x"], *right)).collect(),
            ..EvalColumn::default()
        };
        let found = changes(&column([false, false, true]), &column([true, true, false]));
        let right = found["right"];
        assert_eq!((right.both, right.gained, right.lost), (3, 2, 1));
        assert!(!found.contains_key("passed") && !found.contains_key("schema"));
    }

    #[test]
    fn runs_are_counted_by_task() {
        let run = |task: &str, sample, passed| RolloutScore {
            task: task.to_owned(),
            sample,
            verdict: RuleVerdict { passed, reason: String::new() },
            steps: 2,
            ..RolloutScore::default()
        };
        let runs = [run("a", 0, Some(true)), run("a", 1, Some(false)), run("b", 0, Some(true)), run("b", 1, None)];
        let totals = rollout_totals(&runs);
        assert_eq!((totals.tasks, totals.runs, totals.passed.right, totals.passed.of), (2, 3, 2, 3));
        assert!((totals.pass_at[&1] - 0.75).abs() < 1e-12 && (totals.pass_at[&2] - 1.0).abs() < 1e-12);
        assert!((totals.pass_all[&2] - 0.0).abs() < 1e-12 && (totals.steps - 2.0).abs() < 1e-12);
        assert_eq!(rollout_totals(&[]), RolloutTotals { passed: crate::rate(0, 0), ..RolloutTotals::default() });
    }
}
