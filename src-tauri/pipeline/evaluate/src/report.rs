//! A report as text: Markdown for a card, CSV for a sheet.

use tw_artifact::{Change, EvalReport, ExamTotals, Rate};

/// The figures of an exam that a table shows: words, name of the change, which rate.
type Figure = (&'static str, &'static str, fn(&ExamTotals) -> Rate);
const FIGURES: [Figure; 8] = [
    ("did what the trace did", "right", |totals| totals.right),
    ("called or answered rightly", "decision", |totals| totals.decision),
    ("right tool", "tool", |totals| totals.tool),
    ("right arguments", "arguments", |totals| totals.arguments),
    ("right parameters", "", |totals| totals.parameters),
    ("arguments within the schema", "schema", |totals| totals.schema),
    ("ended by itself", "stopped", |totals| totals.stopped),
    ("thought where the trace thinks", "", |totals| totals.thinking),
];

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `62.5 % (5 of 8; 30.6 to 86.3)`
fn rate_words(rate: &Rate) -> String {
    match rate.share() {
        Some(share) => {
            let (low, high) = (rate.low * 100.0, rate.high * 100.0);
            format!("{} ({} of {}; {low:.1} to {high:.1})", percent(share), rate.right, rate.of)
        }
        None => "none".to_owned(),
    }
}

fn change_words(change: Option<&Change>) -> String {
    change.map_or_else(String::new, |it| format!("+{} −{} (p = {:.2})", it.gained, it.lost, it.p_value))
}

/// Text in a cell of a Markdown table: what would end the cell, begin markup or load something is taken its meaning.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => safe.push(' '),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '!' | '#' | '&' => {
                safe.push('\\');
                safe.push(character);
            }
            other => safe.push(other),
        }
    }
    safe
}

fn row(text: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// The report as Markdown: what it is about, the exam, tool by tool, the rollouts. Intervals are those of 95 %.
#[must_use]
pub fn to_markdown(report: &EvalReport) -> String {
    let mut text = format!("## {}\n\n{}\n\n", cell(&report.name), cell(&report.about));
    let heads = |first: &str| {
        let subjects = report.columns.iter().enumerate().flat_map(|(place, column)| {
            let name = format!("{} ({})", cell(&column.subject.name), cell(&column.subject.model));
            [Some(name), (place > 0).then(|| "change".to_owned())]
        });
        std::iter::once(first.to_owned()).chain(subjects.flatten()).collect::<Vec<_>>()
    };
    let table = |text: &mut String, first: &str| {
        let heads = heads(first);
        let rule = heads.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
        row(text, heads);
        row(text, rule);
    };
    let change_of = |place: usize, name: &str| place.checked_sub(1).and_then(|it| report.changes.get(it)?.get(name));
    if report.columns.iter().any(|column| column.exam.is_some()) {
        table(&mut text, "next call");
        for (words, name, of) in FIGURES {
            let cells = report.columns.iter().enumerate().flat_map(|(place, column)| {
                let value = column.exam.as_ref().map_or_else(String::new, |totals| rate_words(&of(totals)));
                [Some(value), (place > 0).then(|| change_words(change_of(place, name)))]
            });
            row(&mut text, std::iter::once(words.to_owned()).chain(cells.flatten()));
        }
        let perplexities: Vec<Option<f64>> =
            report.columns.iter().map(|column| column.exam.as_ref().and_then(|totals| totals.perplexity)).collect();
        if perplexities.iter().any(Option::is_some) {
            let cells = perplexities.iter().enumerate().flat_map(|(place, value)| {
                let value = value.map_or_else(String::new, |value| format!("{value:.3}"));
                [Some(value), (place > 0).then(String::new)]
            });
            row(&mut text, std::iter::once("perplexity of the true answers".to_owned()).chain(cells.flatten()));
        }
        text.push('\n');
        let mut tools: Vec<&String> = report.columns.iter().flat_map(|column| column.by_tool.keys()).collect();
        tools.sort_unstable();
        tools.dedup();
        if !tools.is_empty() {
            table(&mut text, "did what the trace did, by tool");
            for tool in tools {
                let cells = report.columns.iter().enumerate().flat_map(|(place, column)| {
                    let value = column.by_tool.get(tool).map_or_else(String::new, |totals| rate_words(&totals.right));
                    [Some(value), (place > 0).then(String::new)]
                });
                let name = if tool.is_empty() { "(answers in words)".to_owned() } else { cell(tool) };
                row(&mut text, std::iter::once(name).chain(cells.flatten()));
            }
            text.push('\n');
        }
    }
    if report.columns.iter().any(|column| column.rollouts.is_some()) {
        table(&mut text, "tasks");
        let cells = report.columns.iter().enumerate().flat_map(|(place, column)| {
            let value = column.rollouts.as_ref().map_or_else(String::new, |totals| rate_words(&totals.passed));
            [Some(value), (place > 0).then(|| change_words(change_of(place, "passed")))]
        });
        row(&mut text, std::iter::once("passed".to_owned()).chain(cells.flatten()));
        for (name, all) in [("pass@", false), ("pass^", true)] {
            let of = |totals: &tw_artifact::RolloutTotals| {
                if all { totals.pass_all.clone() } else { totals.pass_at.clone() }
            };
            let mut ks: Vec<u32> =
                report.columns.iter().filter_map(|it| it.rollouts.as_ref()).flat_map(|it| of(it).into_keys()).collect();
            ks.sort_unstable();
            ks.dedup();
            for k in ks {
                let cells = report.columns.iter().enumerate().flat_map(|(place, column)| {
                    let share = column.rollouts.as_ref().and_then(|totals| of(totals).get(&k).copied());
                    [Some(share.map_or_else(String::new, percent)), (place > 0).then(String::new)]
                });
                row(&mut text, std::iter::once(format!("{name}{k}")).chain(cells.flatten()));
            }
        }
        text.push('\n');
    }
    for (name, value) in &report.settings {
        text.push_str(&format!("- {}: {}\n", cell(name), cell(value)));
    }
    for note in &report.notes {
        text.push_str(&format!("- {}\n", cell(note)));
    }
    text
}

/// One field of a CSV line (RFC 4180). A text that a sheet would take for a formula gets a quote before it.
fn field(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

/// Every step and every run as a line, for a sheet.
#[must_use]
pub fn to_csv(report: &EvalReport) -> String {
    let mut text = String::from(
        "column,kind,trace_or_task,message_or_sample,tools,right,decision_right,tool_right,arguments_right,schema_valid,\
         parameters_right,parameters,stopped,thinking_kept,nll,nll_tokens,steps,tokens,seconds,problem_or_reason\r\n",
    );
    let flag = |value: Option<bool>| value.map_or("", |value| if value { "1" } else { "0" }).to_owned();
    for column in &report.columns {
        let name = field(&column.subject.name);
        for step in &column.steps {
            let cells = [
                name.clone(),
                "step".to_owned(),
                field(&step.trace_id),
                step.message.to_string(),
                field(&step.tools.join(" ")),
                flag(Some(step.is_right())),
                flag(Some(step.decision_right())),
                flag(step.tool_right),
                flag(step.arguments_right),
                flag(step.schema_valid),
                step.parameters_right.to_string(),
                step.parameters.to_string(),
                flag(Some(step.stopped)),
                flag(step.thinking_kept),
                step.nll.map_or_else(String::new, |nll| nll.to_string()),
                step.nll_tokens.to_string(),
                String::new(),
                String::new(),
                String::new(),
                field(step.problem.as_deref().unwrap_or_default()),
            ];
            text.push_str(&format!("{}\r\n", cells.join(",")));
        }
        for run in &column.runs {
            let mut cells = vec![String::new(); 20];
            cells[0] = name.clone();
            cells[1] = "run".to_owned();
            cells[2] = field(&run.task);
            cells[3] = run.sample.to_string();
            cells[5] = flag(run.verdict.passed);
            cells[16] = run.steps.to_string();
            cells[17] = run.tokens.to_string();
            cells[18] = run.seconds.to_string();
            cells[19] = field(&run.verdict.reason);
            text.push_str(&format!("{}\r\n", cells.join(",")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tw_artifact::{EvalColumn, EvalSubject, RolloutScore, RuleVerdict, StepScore};

    fn report() -> EvalReport {
        let column = |name: &str, right: bool| {
            let step = StepScore {
                trace_id: "t".to_owned(),
                tools: vec!["x|y".to_owned()],
                expected: tw_artifact::Decision::Call,
                given: tw_artifact::Decision::Call,
                tool_right: Some(right),
                arguments_right: Some(right),
                ..StepScore::default()
            };
            let run = RolloutScore {
                task: "=1+1".to_owned(),
                verdict: RuleVerdict { passed: Some(right), reason: "a \"b\", c".to_owned() },
                ..RolloutScore::default()
            };
            let (steps, runs) = (vec![step], vec![run]);
            EvalColumn {
                subject: EvalSubject { name: name.to_owned(), model: "m".to_owned(), ..EvalSubject::default() },
                exam: Some(crate::exam_totals(steps.iter())),
                by_tool: crate::by_tool(&steps),
                rollouts: Some(crate::rollout_totals(&runs)),
                steps,
                runs,
            }
        };
        let columns = vec![column("base", false), column("tuned", true)];
        let changes = vec![crate::changes(&columns[0], &columns[1])];
        EvalReport { name: "<img src=x>".to_owned(), columns, changes, ..EvalReport::default() }
    }

    #[test]
    fn a_table_has_a_cell_for_every_head_and_holds_no_markup_of_names() {
        let text = to_markdown(&report());
        assert!(!text.replace(r"\<", "").contains('<') && text.contains(r"x\|y"), "{text}");
        let mut width = 0;
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let cells = line.replace(r"\|", "").matches('|').count();
            width = if line.contains("---") || width == 0 { cells } else { width };
            assert_eq!(cells, width, "{line}");
        }
        assert!(
            text.contains(
                "| right tool | 0.0 % (0 of 1; 0.0 to 79.3) | 100.0 % (1 of 1; 20.7 to 100.0) | +1 −0 (p = 1.00) |"
            ),
            "{text}"
        );
        assert!(text.contains("| pass@1 | 0.0 % | 100.0 % |  |"), "{text}");
    }

    #[test]
    fn a_sheet_has_a_line_for_every_step_and_run_and_no_formulas() {
        let text = to_csv(&report());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[2].starts_with("base,run,'=1+1,0,") && lines[2].ends_with(r#","a ""b"", c""#), "{}", lines[2]);
        assert_eq!(lines[0].split(',').count(), lines[1].split(',').count());
    }
}
