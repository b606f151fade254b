//! Traces that look like real ones, made from a seed: the same numbers give the same bytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tw_artifact::{Arguments, Json, Role, TraceFile};

/// What was made.
pub(crate) struct Made {
    pub(crate) traces: u32,
    pub(crate) bytes: u64,
    /// A word that some of the traces have.
    pub(crate) word: String,
    pub(crate) with_word: u32,
    /// A model and a tool that some of the traces have.
    pub(crate) model: String,
    pub(crate) tool: String,
}

const MODELS: [&str; 4] =
    ["Qwen/Qwen3-30B-A3B-FP8", "Qwen/Qwen3-8B", "gpt-4.1-mini", "meta-llama/Llama-3.3-70B-Instruct"];
const TOOLS: [&str; 6] =
    ["browser_navigate", "browser_click", "browser_type", "browser_snapshot", "browser_take_screenshot", "search"];
const WORDS: [&str; 48] = [
    "kettle",
    "price",
    "basket",
    "checkout",
    "button",
    "page",
    "search",
    "result",
    "form",
    "field",
    "menu",
    "header",
    "product",
    "order",
    "ticket",
    "flight",
    "hotel",
    "invoice",
    "report",
    "table",
    "column",
    "link",
    "image",
    "review",
    "stock",
    "colour",
    "size",
    "address",
    "street",
    "city",
    "country",
    "payment",
    "account",
    "profile",
    "message",
    "calendar",
    "meeting",
    "note",
    "folder",
    "document",
    "paragraph",
    "chapter",
    "author",
    "library",
    "museum",
    "garden",
    "weather",
    "train",
];
/// One trace in so many has the rare word.
const RARE: u32 = 500;
const RARE_WORD: &str = "quokkafest";
/// The mean length of a tool result, in bytes, which makes a trace about 15 KB.
const RESULT_BYTES: u64 = 2_600;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// From 0 to below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn words(&mut self, count: usize) -> String {
        (0..count).map(|_| self.pick(&WORDS)).collect::<Vec<_>>().join(" ")
    }
}

/// Texts to make traces of: those of real traces, or own ones.
struct Texts {
    reasoning: Vec<String>,
    results: Vec<String>,
}

impl Texts {
    fn read(seeds: Option<&Path>) -> Result<Self> {
        let mut texts = Self { reasoning: Vec::new(), results: Vec::new() };
        let Some(folder) = seeds else {
            let mut dice = Dice(7);
            texts.reasoning = (0..64).map(|_| format!("I should look at the {}.", dice.words(30))).collect();
            texts.results = (0..64)
                .map(|_| {
                    let line = |dice: &mut Dice| format!("- link \"{}\" [ref=e{}]\n", dice.words(4), dice.below(999));
                    (0..400).map(|_| line(&mut dice)).collect()
                })
                .collect();
            return Ok(texts);
        };
        for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let file = TraceFile::parse(&std::fs::read_to_string(&path)?)?;
            for message in file.messages() {
                match message.role() {
                    Role::Assistant => texts.reasoning.extend(message.reasoning().map(str::to_owned)),
                    Role::Tool => texts.results.push(message.text()),
                    Role::System | Role::User => {}
                }
                for call in message.tool_calls() {
                    if let Arguments::Object(map) = call.arguments {
                        texts.reasoning.push(Json::Object(map.clone()).to_text());
                    }
                }
            }
        }
        anyhow::ensure!(!texts.results.is_empty(), "no trace in {}", folder.display());
        Ok(texts)
    }

    /// A stretch of one of the texts.
    fn stretch(of: &[String], dice: &mut Dice, bytes: usize) -> String {
        let text = &of[dice.below(of.len())];
        let from = dice.below(text.len().saturating_sub(bytes).max(1));
        text.chars().skip(from).take(bytes).collect()
    }
}

/// Writes `traces` rows of OpenAI's fine-tuning form, with fields of their own beside.
pub(crate) fn write(path: &Path, traces: u32, seeds: Option<&Path>) -> Result<Made> {
    let texts = Texts::read(seeds)?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let tools = tools();
    let mut bytes = 0;
    let mut with_word = 0;
    for number in 0..traces {
        let mut dice = Dice(u64::from(number) + 1);
        let is_rare = number % RARE == 3;
        with_word += u32::from(is_rare);
        let row = row(number, &mut dice, &texts, &tools, is_rare).to_string();
        bytes += row.len() as u64 + 1;
        writeln!(out, "{row}")?;
    }
    out.flush()?;
    Ok(Made {
        traces,
        bytes,
        word: RARE_WORD.to_owned(),
        with_word,
        model: "gpt-4.1-mini".to_owned(),
        tool: "browser_type".to_owned(),
    })
}

fn tools() -> Value {
    let tool = |name: &&str| {
        let properties = json!({ "element": { "type": "string" }, "text": { "type": "string" } });
        let parameters = json!({ "type": "object", "properties": properties, "required": ["element"] });
        json!({ "type": "function", "function": { "name": name, "description": "Acts on the page", "parameters": parameters } })
    };
    Value::Array(TOOLS.iter().map(tool).collect())
}

fn row(number: u32, dice: &mut Dice, texts: &Texts, tools: &Value, is_rare: bool) -> Value {
    let mut messages =
        vec![json!({ "role": "user", "content": format!("Find the {} and tell me of it", dice.words(6)) })];
    let steps = 2 + dice.below(6);
    for step in 0..steps {
        let id = format!("call_{number}_{step}");
        let arguments = json!({ "element": dice.words(2), "text": dice.words(3) }).to_string();
        let reasoning = Texts::stretch(&texts.reasoning, dice, 300);
        messages.push(json!({
            "role": "assistant", "content": "", "reasoning_content": reasoning,
            "tool_calls": [{ "id": id, "type": "function", "function": { "name": dice.pick(&TOOLS), "arguments": arguments } }],
        }));
        let bytes = dice.below(usize::try_from(RESULT_BYTES * 2).unwrap_or(1)) + 40;
        messages.push(
            json!({ "role": "tool", "tool_call_id": id, "content": Texts::stretch(&texts.results, dice, bytes) }),
        );
    }
    let word = if is_rare { RARE_WORD } else { "end" };
    let answer = format!("It is the {} at the {word}.", dice.words(12));
    messages.push(json!({ "role": "assistant", "content": answer, "reasoning_content": "There it is." }));
    json!({
        "id": format!("made-{number}"), "timestamp": 1_700_000_000 + i64::from(number) * 60, "model": dice.pick(&MODELS),
        "messages": messages, "tools": tools,
    })
}

/// Traces of about so many bytes each, in 500 steps.
pub(crate) fn write_large(path: &Path, traces: u32, bytes: usize) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in 0..traces {
        writeln!(out, "{}", large_row(&mut Dice(u64::from(number) + 11), bytes))?;
    }
    Ok(out.flush()?)
}

fn large_row(dice: &mut Dice, bytes: usize) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "Read all of it" })];
    for step in 0..500 {
        let id = format!("call_{step}");
        messages.push(json!({
            "role": "assistant", "content": "", "reasoning_content": dice.words(40),
            "tool_calls": [{ "id": id, "type": "function", "function": { "name": "browser_snapshot",
                "arguments": json!({ "element": dice.words(2) }).to_string() } }],
        }));
        let mut text = String::new();
        while text.len() < bytes / 500 {
            text.push_str(&dice.words(8));
            text.push('\n');
        }
        messages.push(json!({ "role": "tool", "tool_call_id": id, "content": text }));
    }
    messages.push(json!({ "role": "assistant", "content": "That was all." }));
    json!({ "messages": messages, "tools": tools() })
}
