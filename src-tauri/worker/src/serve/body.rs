//! The body of a chat request, read and checked.

use tw_artifact::{Json, Map, Message, ToolDefinition};
use tw_infer::Sampling;

use super::chat::Conversation;
use super::error::Refusal;

/// Which calls the answer may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// None: what looks like one is text.
    None,
    /// As the model likes.
    Auto,
    /// At least one.
    Required,
    /// One of this tool.
    Named(String),
}

impl ToolChoice {
    /// Whether the answer has to be a call.
    pub(crate) fn is_forced(&self) -> bool {
        matches!(self, Self::Required | Self::Named(_))
    }
}

/// A chat request.
#[derive(Clone, Debug)]
pub(crate) struct ChatBody {
    pub(crate) model: Option<String>,
    pub(crate) conversation: Conversation,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) sampling: Sampling,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stop: Vec<String>,
    pub(crate) stop_token_ids: Vec<u32>,
    pub(crate) ignore_eos: bool,
    /// How many of the likeliest tokens are told; `None` for no log-probabilities.
    pub(crate) logprobs: Option<usize>,
    pub(crate) choices: usize,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) return_token_ids: bool,
}

/// Most likeliest tokens that are told, as in vLLM.
const MOST_LOGPROBS: i64 = 20;
const MOST_CHOICES: i64 = 16;

/// A body's fields.
pub(crate) struct Fields(Map);

impl Fields {
    /// From the body's bytes.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::form("body", "json_invalid", &format!("JSON decode error: {what}"));
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        match Json::parse(text) {
            Ok(Json::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Refusal::form("body", "model_type", "Input should be an object")),
            Err(error) => Err(wrong(&error.to_string().replace('\'', "\""))),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        key: &str,
        kind: &str,
        what: &str,
        read: impl Fn(&Json) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => {
                let wrong = || Refusal::form(&format!("body.{key}"), kind, &format!("Input should be a valid {what}"));
                read(value).map(Some).ok_or_else(wrong)
            }
        }
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        self.typed(key, "string_type", "string", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        self.typed(key, "bool_parsing", "boolean", Json::as_bool)
    }

    fn whole(&self, key: &str) -> Result<Option<i64>, Refusal> {
        self.typed(key, "int_parsing", "integer", Json::as_i64)
    }

    fn number(&self, key: &str) -> Result<Option<f32>, Refusal> {
        #[expect(clippy::cast_possible_truncation, reason = "settings of sampling are small")]
        self.typed(key, "float_parsing", "number", |value| match value {
            Json::Number(number) => number.as_f64().filter(|number| number.is_finite()).map(|number| number as f32),
            _ => None,
        })
    }

    fn number_in(&self, key: &str, valid: impl Fn(f32) -> bool, range: &str, default: f32) -> Result<f32, Refusal> {
        match self.number(key)? {
            None => Ok(default),
            Some(number) if valid(number) => Ok(number),
            Some(number) => Err(Refusal::bad(key, format!("{key} must be {range}, got {number}."))),
        }
    }

    /// The conversation: messages, tools, and how they are rendered.
    pub(crate) fn conversation(&self, served: &str) -> Result<Conversation, Refusal> {
        let messages = self.typed("messages", "list_type", "list", |value| value.as_array().map(<[Json]>::to_vec))?;
        let messages = messages.ok_or_else(|| Refusal::missing("messages"))?;
        if messages.is_empty() {
            return Err(Refusal::bad("messages", "`messages` must not be empty."));
        }
        let messages = messages.into_iter().map(|message| read_message(message, served)).collect::<Result<_, _>>()?;
        let tools = self.typed("tools", "list_type", "list", |value| value.as_array().map(<[Json]>::to_vec))?;
        if tools.as_ref().is_some_and(Vec::is_empty) {
            let message =
                "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.";
            return Err(Refusal::bad("tools", message));
        }
        let tools: Vec<ToolDefinition> = tools.unwrap_or_default().into_iter().map(ToolDefinition).collect();
        if let Some(at) = tools.iter().position(|tool| tool.name().is_empty()) {
            return Err(Refusal::missing(&format!("tools.{at}.function.name")));
        }
        let kwargs =
            self.typed("chat_template_kwargs", "dict_type", "dictionary", |value| value.as_object().cloned())?;
        Ok(Conversation {
            messages,
            tools,
            kwargs: kwargs.unwrap_or_default(),
            generation_prompt: self.flag("add_generation_prompt")?.unwrap_or(true),
            continued: self.flag("continue_final_message")?.unwrap_or(false),
        })
    }

    /// The whole request. `defaults` are the model's own settings.
    pub(crate) fn chat(&self, served: &str, defaults: &Sampling) -> Result<ChatBody, Refusal> {
        let conversation = self.conversation(served)?;
        for (key, what) in [
            ("response_format", "a response_format other than text"),
            ("structured_outputs", "structured_outputs"),
            ("guided_json", "guided_json"),
            ("functions", "functions (use tools)"),
            ("prompt_logprobs", "prompt_logprobs"),
        ] {
            let is_text = |value: &Json| value.get("type").and_then(Json::as_str) == Some("text");
            if self.get(key).is_some_and(|value| !is_text(value)) {
                return Err(Refusal::bad(key, format!("This server does not know {what}.")));
            }
        }
        let tool_choice = self.tool_choice(&conversation)?;
        let max_tokens =
            match self.whole("max_completion_tokens")?.or(self.whole("max_tokens")?) {
                None => None,
                Some(most) => Some(usize::try_from(most).ok().filter(|most| *most > 0).ok_or_else(|| {
                    Refusal::bad("max_tokens", format!("max_tokens must be at least 1, got {most}."))
                })?),
            };
        let logprobs = match (self.flag("logprobs")?.unwrap_or(false), self.whole("top_logprobs")?) {
            (false, Some(count)) if count != 0 => {
                return Err(Refusal::bad("top_logprobs", "when using `top_logprobs`, `logprobs` must be set to true."));
            }
            (false, _) => None,
            (true, count) => {
                let count = count.unwrap_or(0);
                if !(0..=MOST_LOGPROBS).contains(&count) {
                    let message = format!("top_logprobs must be from 0 to {MOST_LOGPROBS}, got {count}.");
                    return Err(Refusal::bad("top_logprobs", message));
                }
                usize::try_from(count).ok()
            }
        };
        let choices = self.whole("n")?.unwrap_or(1);
        if !(1..=MOST_CHOICES).contains(&choices) {
            return Err(Refusal::bad("n", format!("n must be from 1 to {MOST_CHOICES}, got {choices}.")));
        }
        let stream = self.flag("stream")?.unwrap_or(false);
        let options = self.get("stream_options");
        if options.is_some() && !stream {
            return Err(Refusal::bad("stream_options", "Stream options can only be defined when `stream=True`."));
        }
        let stop_token_ids = self.typed("stop_token_ids", "list_type", "list", |value| {
            let id = |id: &Json| id.as_i64().and_then(|id| u32::try_from(id).ok());
            value.as_array()?.iter().map(id).collect::<Option<Vec<u32>>>()
        })?;
        Ok(ChatBody {
            model: self.text("model")?,
            tool_choice,
            sampling: self.sampling(defaults)?,
            max_tokens,
            stop: self.stop()?,
            stop_token_ids: stop_token_ids.unwrap_or_default(),
            ignore_eos: self.flag("ignore_eos")?.unwrap_or(false),
            logprobs,
            choices: usize::try_from(choices).unwrap_or(1),
            stream,
            include_usage: options.and_then(|options| options.get("include_usage")).and_then(Json::as_bool)
                == Some(true),
            return_token_ids: self.flag("return_token_ids")?.unwrap_or(false),
            conversation,
        })
    }

    fn tool_choice(&self, conversation: &Conversation) -> Result<ToolChoice, Refusal> {
        let without = conversation.tools.is_empty();
        let choice = match self.get("tool_choice") {
            None if without => return Ok(ToolChoice::None),
            None => return Ok(ToolChoice::Auto),
            Some(choice) => choice,
        };
        let name = choice.get("function").and_then(|function| function.get("name")).and_then(Json::as_str);
        let choice = match (choice.as_str(), name) {
            (Some("none"), _) => return Ok(ToolChoice::None),
            (Some("auto"), _) => ToolChoice::Auto,
            (Some("required"), _) => ToolChoice::Required,
            (None, Some(name)) => ToolChoice::Named(name.to_owned()),
            _ => {
                let message = "tool_choice must be none, auto, required, or name a function.";
                return Err(Refusal::bad("tool_choice", message));
            }
        };
        if without {
            return Err(Refusal::bad("tool_choice", "When using `tool_choice`, `tools` must be set."));
        }
        if let ToolChoice::Named(name) = &choice
            && !conversation.tools.iter().any(|tool| tool.name() == name)
        {
            let message = format!("The tool `{name}` that tool_choice names is not among the tools.");
            return Err(Refusal::bad("tool_choice", message));
        }
        Ok(choice)
    }

    fn stop(&self) -> Result<Vec<String>, Refusal> {
        let stop = self.typed("stop", "string_type", "string or list of strings", |value| match value {
            Json::String(one) => Some(vec![one.clone()]),
            Json::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        })?;
        let stop = stop.unwrap_or_default();
        if stop.iter().any(String::is_empty) {
            return Err(Refusal::bad("stop", "stop cannot contain an empty string."));
        }
        Ok(stop)
    }

    fn sampling(&self, defaults: &Sampling) -> Result<Sampling, Refusal> {
        let share = |number: f32| (0.0..=1.0).contains(&number);
        let penalty = |number: f32| (-2.0..=2.0).contains(&number);
        let top_k = self.whole("top_k")?;
        if let Some(top_k) = top_k.filter(|top_k| *top_k < -1) {
            return Err(Refusal::bad("top_k", format!("top_k must be 0 (disable), or at least 1, got {top_k}.")));
        }
        let temperature = self.number("temperature")?.unwrap_or(defaults.temperature);
        if temperature < 0.0 {
            let message = format!("temperature must be non-negative, got {temperature:?}.");
            return Err(Refusal::bad("temperature", message));
        }
        let bias = self.typed("logit_bias", "dict_type", "dictionary of numbers", |value| {
            #[expect(clippy::cast_possible_truncation, reason = "biases are small")]
            let one = |(id, bias): (&String, &Json)| match bias {
                Json::Number(bias) => Some((id.parse::<u32>().ok()?, bias.as_f64()?.clamp(-100.0, 100.0) as f32)),
                _ => None,
            };
            value.as_object()?.iter().map(one).collect::<Option<Vec<_>>>()
        })?;
        Ok(Sampling {
            temperature,
            top_p: self.number_in("top_p", |p| p > 0.0 && p <= 1.0, "in (0, 1]", defaults.top_p)?,
            top_k: top_k.map_or(defaults.top_k, |top_k| usize::try_from(top_k).unwrap_or_default()),
            min_p: self.number_in("min_p", share, "in [0, 1]", defaults.min_p)?,
            repetition_penalty: self.number_in(
                "repetition_penalty",
                |number| number > 0.0,
                "greater than zero",
                defaults.repetition_penalty,
            )?,
            frequency_penalty: self.number_in("frequency_penalty", penalty, "in [-2, 2]", 0.0)?,
            presence_penalty: self.number_in("presence_penalty", penalty, "in [-2, 2]", 0.0)?,
            bias: bias.unwrap_or_default(),
            // Any whole number is a seed.
            seed: self.whole("seed")?.map(i64::cast_unsigned),
        })
    }
}

/// Text parts become one text, call arguments objects: as templates want them.
fn read_message(message: Json, served: &str) -> Result<Message, Refusal> {
    let Json::Object(mut fields) = message else {
        return Err(Refusal::form("body.messages", "model_type", "Input should be an object"));
    };
    if let Some(Json::Array(parts)) = fields.get("content") {
        let mut texts = Vec::new();
        for part in parts {
            match (part.get("type").and_then(Json::as_str), part.get("text").and_then(Json::as_str)) {
                (Some("text" | "input_text" | "output_text") | None, Some(text)) => texts.push(text.to_owned()),
                _ => return Err(Refusal::bad("", format!("{served} is not a multimodal model"))),
            }
        }
        fields.insert("content".to_owned(), texts.join("\n").into());
    }
    let message =
        Message::try_from(Json::Object(fields)).map_err(|error| Refusal::bad("messages", error.to_string()))?;
    Ok(message.with_object_arguments())
}
