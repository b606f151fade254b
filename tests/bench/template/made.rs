//! Made traces of a browser agent, unrolled into a row for each answer.

use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use tw_artifact::{Json, Map, Message, ToolDefinition};
use tw_template::Row;

/// Answers of a trace, the last one without a call.
const STEPS: u32 = 8;
/// Tools, as many as a browser's server has.
const TOOLS: u32 = 25;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }

    fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 24] = [
            "the", "hive", "queen", "counts", "honey", "frames", "in", "spring", "because", "weather", "turns", "cold",
            "and", "keepers", "look", "after", "brood", "Köln", "42", "before", "swarm", "leaves", "flowers", "again",
        ];
        let words: Vec<&str> = (0..count).map(|_| WORDS[self.below(WORDS.len())]).collect();
        words.join(" ")
    }

    fn page(&mut self) -> String {
        let mut page = format!("### Page\n- Page URL: https://example.org/{}\n### Snapshot\n", self.below(9999));
        for line in 0..40 + self.below(80) {
            let role = ["link", "heading", "button", "text", "listitem"][self.below(5)];
            let words = 2 + self.below(6);
            page.push_str(&format!("  - {role} \"{}\" [ref=e{line}]\n", self.words(words)));
        }
        page
    }
}

fn tools(dice: &mut Dice) -> Vec<ToolDefinition> {
    let tool = |number: u32, dice: &mut Dice| {
        let schema = format!(
            r#"{{"type":"object","properties":{{"element":{{"type":"string","description":"{}"}},"ref":{{"type":"string","description":"{}"}},"count":{{"type":"number","default":{number}}}}},"required":["element"],"additionalProperties":false}}"#,
            dice.words(12),
            dice.words(9),
        );
        let schema = Json::parse(&schema).unwrap_or_default();
        ToolDefinition::new(&format!("browser_action_{number}"), &dice.words(16), schema)
    };
    (0..TOOLS).map(|number| tool(number, dice)).collect()
}

/// Writes the rows as JSON lines and gives them.
pub(crate) fn write(file: &Path, traces: u32) -> Result<Vec<Row>> {
    let mut dice = Dice(7);
    let tools = tools(&mut dice);
    let system = format!("You use a browser. {}", dice.words(120));
    let mut rows = Vec::new();
    for _ in 0..traces {
        let mut messages = vec![Message::system(system.as_str()), Message::user(dice.words(30))];
        for step in 1..=STEPS {
            let thought = dice.words(60);
            if step == STEPS {
                messages.push(Message::assistant(dice.words(80), Some(thought), Vec::new()));
            } else {
                let id = format!("call-{step}");
                let name = format!("browser_action_{}", dice.below(TOOLS as usize));
                let arguments = [("element".to_owned(), dice.words(4).into()), ("ref".to_owned(), "e12".into())];
                let arguments: Map = arguments.into_iter().collect();
                let call = Message::tool_call(&id, &name, Json::Object(arguments));
                messages.push(Message::assistant("", Some(thought), vec![call]));
            }
            rows.push(Row { messages: messages.clone(), tools: Some(tools.clone()), marks: Vec::new() });
            if step < STEPS {
                messages.push(Message::tool(format!("call-{step}"), "browser_action", dice.page()));
            }
        }
    }
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for row in &rows {
        let mut json = Map::new();
        json.insert("messages".to_owned(), Json::Array(row.messages.iter().cloned().map(Json::from).collect()));
        json.insert("tools".to_owned(), Json::Array(tools.iter().map(|tool| tool.0.clone()).collect()));
        writeln!(out, "{}", Json::Object(json).to_text())?;
    }
    out.flush()?;
    Ok(rows)
}
