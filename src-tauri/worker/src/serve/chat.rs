//! Between conversations and tokens: the model's template, its tokenizer, and what ends its answers.

use std::path::Path;

use anyhow::Context;
use jiff::Zoned;
use tw_artifact::{Json, Map, Message, ToolDefinition};
use tw_endpoint::CALL_MARKERS;
use tw_infer::Sampling;
use tw_template::{RenderInput, SpecialTokens, Template, TemplateSource, Tokenizer};

use super::error::Refusal;

/// What is rendered.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<ToolDefinition>,
    pub(crate) kwargs: Map,
    pub(crate) generation_prompt: bool,
    /// Whether the last message is gone on with in place of a new one.
    pub(crate) continued: bool,
}

/// A prompt.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    /// Whether it ends where reasoning has begun.
    pub(crate) is_thinking: bool,
    /// Whether the model may begin with reasoning itself.
    pub(crate) may_think: bool,
}

/// A model's words.
#[derive(Debug)]
pub(crate) struct Chat {
    tokenizer: Tokenizer,
    source: TemplateSource,
    plain: Option<Template>,
    with_tools: Option<Template>,
    special: SpecialTokens,
    /// Tokens that are not part of an answer's text.
    hidden: Vec<u32>,
    /// Tokens that end an answer.
    pub(crate) stop: Vec<u32>,
    /// What the model's own `generation_config.json` asks for.
    pub(crate) defaults: Sampling,
}

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";

impl Chat {
    /// Reads it from a model's folder or GGUF file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let tokenizer = Tokenizer::load(path).context("the model's tokenizer cannot be used")?;
        let is_folder = path.is_dir();
        let source = if is_folder { TemplateSource::from_folder(path)? } else { TemplateSource::load(path)? };
        let read = |with_tools| source.template(None, with_tools).ok();
        let (plain, with_tools) = (read(false), read(true));
        let mut ids = Vec::new();
        let mut defaults = Sampling { temperature: 1.0, ..Sampling::default() };
        if is_folder {
            for name in ["generation_config.json", "config.json"] {
                let Some(config) = optional_json(&path.join(name))? else { continue };
                ids.extend(eos_ids(&config));
                if name == "generation_config.json" {
                    read_defaults(&config, &mut defaults);
                }
            }
        }
        if let Some(text) = source.special_tokens.get("eos_token")
            && let [id] = tokenizer.encode(text)?.ids.as_slice()
        {
            ids.push(*id);
        }
        ids.sort_unstable();
        ids.dedup();
        let special = source.special_tokens.clone();
        let mut hidden = tokenizer.special_ids();
        let marks = CALL_MARKERS.map(|mark| tokenizer.encode(mark).map(|encoded| encoded.ids).unwrap_or_default());
        hidden.retain(|id| !marks.iter().any(|mark| mark.as_slice() == [*id]));
        Ok(Self { tokenizer, source, plain, with_tools, special, hidden, stop: ids, defaults })
    }

    /// How many tokens the tokenizer knows.
    pub(crate) fn vocabulary(&self) -> u32 {
        self.tokenizer.vocabulary()
    }

    /// The tokens of a conversation.
    pub(crate) fn prompt(&self, conversation: &Conversation) -> Result<Prompt, Refusal> {
        let Conversation { messages, tools, kwargs, generation_prompt, continued } = conversation;
        let template = if tools.is_empty() { &self.plain } else { &self.with_tools };
        let Some(template) = template else {
            let why = self.source.template(None, !tools.is_empty()).err().map(|error| error.to_string());
            return Err(Refusal::bad("", why.unwrap_or_else(|| "the model has no chat template".to_owned())));
        };
        let now = Zoned::now().datetime();
        let input = RenderInput {
            tools: (!tools.is_empty()).then_some(tools),
            add_generation_prompt: *generation_prompt && !continued,
            continue_final: continued.then_some("content"),
            ..RenderInput::new(messages, kwargs, &self.special, now)
        };
        let text = template.render(&input).map_err(|error| Refusal::bad("", error.to_string()))?.text;
        let ids = self.encode(&text)?;
        let end = text.trim_end();
        let may_think = template.source().contains(THINK) && !end.ends_with(THINK_END) && !continued;
        Ok(Prompt { ids, is_thinking: end.ends_with(THINK), may_think })
    }

    /// The tokens of a text.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, Refusal> {
        Ok(self.tokenizer.encode(text).map_err(|error| Refusal::internal(error.to_string()))?.ids)
    }

    /// The text of tokens of an answer, without those that only mark.
    pub(crate) fn decode(&self, ids: &[u32]) -> String {
        let shown: Vec<u32> = ids.iter().copied().filter(|id| !self.hidden.contains(id)).collect();
        self.tokenizer.decode(&shown).unwrap_or_default()
    }

    /// One token's text, marks included.
    pub(crate) fn token(&self, id: u32) -> String {
        self.tokenizer.decode(&[id]).unwrap_or_default()
    }
}

fn optional_json(path: &Path) -> anyhow::Result<Option<Json>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(Json::parse(&text).with_context(|| format!("{} is not JSON", path.display()))?))
}

fn eos_ids(config: &Json) -> Vec<u32> {
    let id = |json: &Json| json.as_i64().and_then(|id| u32::try_from(id).ok());
    match config.get("eos_token_id") {
        Some(Json::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "settings of sampling are small")]
fn read_defaults(config: &Json, defaults: &mut Sampling) {
    let number = |key: &str| match config.get(key) {
        Some(Json::Number(number)) => number.as_f64(),
        _ => None,
    };
    if let Some(temperature) = number("temperature") {
        defaults.temperature = temperature as f32;
    }
    if let Some(top_p) = number("top_p") {
        defaults.top_p = top_p as f32;
    }
    if let Some(min_p) = number("min_p") {
        defaults.min_p = min_p as f32;
    }
    if let Some(penalty) = number("repetition_penalty") {
        defaults.repetition_penalty = penalty as f32;
    }
    if let Some(top_k) = config.get("top_k").and_then(Json::as_i64) {
        defaults.top_k = usize::try_from(top_k).unwrap_or_default();
    }
}
