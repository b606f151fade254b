//! The card of a dataset on the Hub (`README.md`), written from what is pushed.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};
use tw_artifact::{Json, SplitTotals, TraceChoice, hex};
use tw_contract::DatasetView;

/// Characters of each text of the example.
const EXAMPLE_CHARS: usize = 300;
/// Names that are listed; more are counted.
const LISTED: usize = 40;
/// Begins the last line of a card that was written here; behind it stands a checksum of what is above.
const MARK: &str = "<!-- Written by Tracewright. ";

/// What a card says.
#[derive(Debug)]
pub(crate) struct CardFacts<'a> {
    pub(crate) view: &'a DatasetView,
    pub(crate) repo: &'a str,
    pub(crate) licence: Option<&'a str>,
    pub(crate) description: &'a str,
    /// Paths of the files in the repository.
    pub(crate) paths: &'a [String],
    pub(crate) models: &'a BTreeSet<String>,
    pub(crate) tools: &'a BTreeSet<String>,
    /// A row as it is pushed.
    pub(crate) example: Option<&'a Json>,
}

/// A word for YAML: JSON's quotes are YAML's too.
fn quoted(text: &str) -> String {
    Json::from(text).to_text()
}

pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        _ => "1M<n<10M",
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    let mut text =
        names.iter().take(LISTED).map(|name| format!("`{}`", name.replace('`', "'"))).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}

/// The card's text.
pub(crate) fn write_card(facts: &CardFacts<'_>) -> String {
    let mut card = String::from("---\n");
    // A String takes everything.
    head(&mut card, facts).and_then(|()| body(&mut card, facts)).unwrap_or_default();
    let sum = checksum(&card);
    card.push_str(&format!("{MARK}{sum} -->\n"));
    card
}

fn head(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let version = &facts.view.version;
    if let Some(licence) = facts.licence {
        writeln!(card, "license: {}", quoted(licence))?;
    }
    writeln!(card, "pretty_name: {}", quoted(&version.name))?;
    writeln!(card, "task_categories:\n- text-generation")?;
    let rows = u64::from(version.train.rows) + u64::from(version.validation.rows);
    writeln!(card, "size_categories:\n- {}", size_category(rows))?;
    writeln!(card, "tags:\n- tracewright\n- tool-use\n- agent")?;
    if has(facts, "sessions/") {
        writeln!(card, "- agent-traces\n- format:agent-traces")?;
    }
    writeln!(card, "configs:")?;
    for (config, folder) in [("default", "data"), ("preferences", "preferences")] {
        if !has(facts, &format!("{folder}/")) {
            continue;
        }
        writeln!(card, "- config_name: {config}\n  data_files:")?;
        for split in ["train", "validation"] {
            if has(facts, &format!("{folder}/{split}-")) {
                writeln!(card, "  - split: {split}\n    path: {folder}/{split}-*")?;
            }
        }
        if config == "default" {
            writeln!(card, "  default: true")?;
        }
    }
    if has(facts, "sessions/") {
        writeln!(card, "- config_name: sessions\n  data_files:\n  - split: train\n    path: sessions/*.jsonl")?;
    }
    writeln!(card, "---\n")
}

fn has(facts: &CardFacts<'_>, beginning: &str) -> bool {
    facts.paths.iter().any(|path| path.starts_with(beginning))
}

fn body(card: &mut String, facts: &CardFacts<'_>) -> std::fmt::Result {
    let DatasetView { version, plan, sources, .. } = facts.view;
    writeln!(card, "# {}\n", version.name)?;
    if !facts.description.trim().is_empty() {
        writeln!(card, "{}\n", facts.description.trim())?;
    }
    writeln!(
        card,
        "Conversations of an agent that works with tools, as rows to train a chat model on: the messages, the model's \
         reasoning, its tool calls with their arguments, the results, and the tools that it could choose from.\n"
    )?;
    writeln!(card, "## How it was made\n")?;
    let accepted = if plan.accepted_only { " Only traces that a person accepted are in it." } else { "" };
    writeln!(
        card,
        "{} traces were collected or imported, reviewed and, where needed, corrected by hand in Tracewright.{accepted}",
        thousands(sources.len() as u64)
    )?;
    if let TraceChoice::Query(query) = &plan.traces
        && !query.trim().is_empty()
    {
        writeln!(card, "They were chosen by `{}`.", query.replace('`', "'"))?;
    }
    writeln!(
        card,
        "Each became rows this way: {}; trained: {}.",
        plan.unroll.label().to_lowercase(),
        plan.train.label().to_lowercase()
    )?;
    if plan.drop_steering {
        writeln!(card, "Prompts that only steered the collecting are left out.")?;
    }
    if plan.dedupe {
        writeln!(card, "Rows that are the same are in it once.")?;
    }
    writeln!(card, "Version `{}`.\n", version.short_id())?;
    if !facts.models.is_empty() {
        writeln!(card, "- **Models that wrote the answers:** {}", listed(facts.models))?;
    }
    if !facts.tools.is_empty() {
        writeln!(card, "- **Tools ({}):** {}", facts.tools.len(), listed(facts.tools))?;
    }
    let counted = version.model.as_ref().map_or_else(
        || "tokens are estimates".to_owned(),
        |model| format!("tokens of `{}`", model.name.replace('`', "'")),
    );
    writeln!(card, "\n| split | traces | rows | messages | tokens | trained tokens |\n|---|---:|---:|---:|---:|---:|")?;
    for (name, totals) in [("train", &version.train), ("validation", &version.validation)] {
        let SplitTotals { traces, rows, messages, tokens, trained_tokens, .. } = *totals;
        if rows > 0 {
            writeln!(
                card,
                "| {name} | {} | {} | {} | {} | {} |",
                thousands(traces.into()),
                thousands(rows.into()),
                thousands(messages),
                thousands(tokens),
                thousands(trained_tokens)
            )?;
        }
    }
    writeln!(card, "\n({counted}; rows of one trace are never in two splits)\n")?;
    writeln!(
        card,
        "## How to load it\n\n```python\nfrom datasets import load_dataset\n\nrows = load_dataset({}, split=\"train\")\n```\n",
        quoted(facts.repo)
    )?;
    writeln!(
        card,
        "`messages` and `tools` are lists of JSON (`datasets` 4.7 and newer gives objects, older versions their text), so \
         that no field is added to a message or lost from it.\n"
    )?;
    if has(facts, "sessions/") {
        let files = quoted(&format!("hf://datasets/{}/sessions/*.jsonl", facts.repo));
        writeln!(
            card,
            "`sessions/` has each trace as a session file, one line a message, as the Hub's trace viewer shows them. \
             `load_dataset(\"json\", data_files={files}, parse_agent_traces=False)` reads the lines.\n"
        )?;
    }
    if let Some(example) = facts.example {
        writeln!(card, "## An example\n\n````json\n{}\n````\n", shortened(example).to_pretty())?;
    }
    if let Some(licence) = facts.licence {
        writeln!(card, "## Licence\n\n{licence}\n")?;
    }
    Ok(())
}

/// The same row with long texts cut.
fn shortened(json: &Json) -> Json {
    match json {
        Json::String(text) if text.chars().count() > EXAMPLE_CHARS => {
            let head: String = text.chars().take(EXAMPLE_CHARS).collect();
            format!("{head}…").into()
        }
        Json::Array(items) => {
            let mut list: Vec<Json> = items.iter().take(6).map(shortened).collect();
            if items.len() > 6 {
                list.push(format!("… and {} more", items.len() - 6).into());
            }
            Json::Array(list)
        }
        Json::Object(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), shortened(value))).collect()),
        other => other.clone(),
    }
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}

/// Whether somebody changed the card after it was written here.
pub(crate) fn is_edited(card: &str) -> bool {
    match card.rfind(MARK) {
        None => true,
        Some(at) => card[at + MARK.len()..].trim_end() != format!("{} -->", checksum(&card[..at])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_somebody_changed_is_seen() {
        let text = "---\nlicense: mit\n---\n# A\n";
        let card = format!("{text}{MARK}{} -->\n", checksum(text));
        assert!(!is_edited(&card));
        assert!(is_edited(&card.replace("# A", "# B")));
        assert!(is_edited("# Made by hand\n"));
        assert!(is_edited(&format!("{card}\nMore words.\n")));
    }

    #[test]
    fn numbers_have_thousands_separators() {
        assert_eq!([thousands(7), thousands(1_000), thousands(1_234_567)], ["7", "1,000", "1,234,567"]);
    }
}
