//! One training row: its text, its tokens, which of them are trained, and what a person should know.

use std::borrow::Cow;
use std::path::Path;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use tw_artifact::{Arguments, Json, Map, Marks, Message, Role, TextField, ToolDefinition};

use crate::error::{Error, TemplateError, TemplateFault};
use crate::field::{Field, Piece};
use crate::source::TemplateSource;
use crate::spans::{self, TrainedBytes, TurnSpan};
use crate::template::{RenderInput, Rendered, SpecialTokens, Template, on_big_stack};
use crate::tokenizer::{Encoded, Tokenizer};
use crate::warning::{Warning, WarningKind, counted, named};

/// Which of the model's messages are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Train {
    /// The last one.
    Last,
    /// Those after the last question.
    Turn,
    /// All.
    #[default]
    All,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools.
    pub tools: Option<Vec<ToolDefinition>>,
    /// What a person said about the messages, by place; may be shorter than the conversation.
    pub marks: Vec<Marks>,
}

impl Row {
    /// Reads `{messages, tools?}`; `tools` may be a list or its JSON text. Other fields are passed over.
    ///
    /// # Errors
    /// Not such an object, or a message that is not one.
    pub fn parse(json: &Json) -> Result<Self, Error> {
        let wrong = |message: String| Error::Row(message);
        let items = json
            .get("messages")
            .and_then(Json::as_array)
            .ok_or_else(|| wrong("a row must have a list \"messages\"".to_owned()))?;
        let mut messages = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let message = Message::try_from(item.clone());
            messages.push(message.map_err(|error| wrong(format!("message {}: {error}", place + 1)))?);
        }
        let tools = match json.get("tools") {
            None | Some(Json::Null) => None,
            Some(Json::Array(tools)) => Some(tools.clone()),
            Some(Json::String(text)) => match Json::parse(text) {
                Ok(Json::Array(tools)) => Some(tools),
                _ => return Err(wrong("\"tools\" is text that is not a JSON list".to_owned())),
            },
            Some(_) => return Err(wrong("\"tools\" must be a list".to_owned())),
        };
        let tools = tools.map(|tools| tools.into_iter().map(ToolDefinition).collect());
        Ok(Self { messages, tools, marks: Vec::new() })
    }
}

/// How rows are rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSettings {
    /// Which of the model's messages are trained.
    pub train: Train,
    /// Whether the text goes on to where the model answers.
    pub generation_prompt: bool,
    /// More variables of the template.
    pub kwargs: Map,
    /// Most tokens of a row.
    pub max_tokens: Option<usize>,
    /// Whether headers are told from bodies in answers that are not trained, too: that costs renderings of its own.
    pub headers: bool,
    /// What `strftime_now` says.
    pub now: DateTime,
}

impl RowSettings {
    /// All of the model's messages, at a given time.
    #[must_use]
    pub fn new(now: DateTime) -> Self {
        Self { train: Train::All, generation_prompt: false, kwargs: Map::new(), max_tokens: None, headers: true, now }
    }
}

/// A rendered row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedRow {
    /// The text.
    pub text: String,
    /// Token ids.
    pub ids: Vec<u32>,
    /// First byte and byte after the last, by token.
    pub offsets: Vec<(usize, usize)>,
    /// 1 where the loss counts a token, else 0.
    pub mask: Vec<u8>,
    /// Where each stretch of the text comes from, in order, without gaps.
    pub pieces: Vec<Piece>,
    /// What the model writes, for the messages that are trained.
    pub turns: Vec<TurnSpan>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// `tw render`'s answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowReport {
    /// The text.
    pub text: String,
    /// Token ids.
    pub ids: Vec<u32>,
    /// 1 where the loss counts a token, else 0.
    pub mask: Vec<u8>,
    /// What a person should know, in plain words.
    pub warnings: Vec<String>,
}

/// Messages of a row in which headers of answers that are not trained are still looked for.
const MOST_WITH_HEADERS: usize = 400;

/// A template, its special tokens, and a tokenizer: what rows are rendered with.
#[derive(Clone, Copy, Debug)]
pub struct RowRenderer<'a> {
    /// The template.
    pub template: &'a Template,
    /// Its special tokens.
    pub special_tokens: &'a SpecialTokens,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
}

impl RowRenderer<'_> {
    /// Renders and tokenises a row and finds what of it is trained.
    ///
    /// # Errors
    /// A template that gives no text for it, or a tokenizer that fails.
    pub fn render(&self, row: &Row, settings: &RowSettings) -> Result<RenderedRow, Error> {
        on_big_stack(|| self.render_here(row, settings))
    }

    fn render_here(&self, row: &Row, settings: &RowSettings) -> Result<RenderedRow, Error> {
        let mut warnings = Vec::new();
        let (messages, rendered) = self.text(row, settings, &mut warnings)?;
        let input = self.input(&messages, row, settings);
        let roles: Vec<Role> = messages.iter().map(Message::role).collect();
        let blocks = self.template.has_generation_blocks() && !rendered.generation.is_empty();
        let models: Vec<u32> = places(&roles, |role| *role == Role::Assistant);
        let wanted = wanted(&roles, settings.train, &row.marks);
        let mut unused = Vec::new();
        // Of turns that are not trained no warning is made: only their headers are shown.
        let mut all = if blocks { spans::from_blocks(&rendered) } else { Vec::new() };
        if !blocks {
            let found = |wanted: &[u32], warnings: &mut Vec<Warning>| {
                spans::find(self.template, &input, &rendered, wanted, &self.endings(), warnings)
            };
            all = found(&wanted, &mut warnings);
            let others: Vec<u32> = models.iter().copied().filter(|place| !wanted.contains(place)).collect();
            if settings.headers && !others.is_empty() && messages.len() <= MOST_WITH_HEADERS {
                all.extend(found(&others, &mut unused));
            }
        }
        let turns: Vec<TurnSpan> = all.iter().copied().filter(|span| wanted.contains(&span.message)).collect();
        let encoded = self.tokenizer.encode(&rendered.text)?;
        // Whether whole answers are trained or not the turns say already.
        let mut marks = (0u32..).zip(&row.marks);
        let plain = marks.all(|(place, it)| it.spans.is_empty() && (it.train != Some(true) || wanted.contains(&place)));
        let mask = if blocks && plain {
            block_mask(&encoded, &turns, &rendered.text)
        } else {
            self.mask(&messages, row, &rendered, &turns, &wanted, &encoded)
        };
        let pieces = spans::classify(&rendered, &roles, &all, settings.generation_prompt);
        self.warn_about_drops(&messages, row, &rendered, &mut warnings);
        warn_about_mask(&mask, settings, &encoded, &pieces, &mut warnings);
        Ok(RenderedRow {
            text: rendered.text,
            ids: encoded.ids,
            offsets: encoded.offsets,
            mask,
            pieces,
            turns,
            warnings,
        })
    }

    /// What can end a turn: the special tokens of the tokenizer and of the template.
    fn endings(&self) -> Vec<String> {
        self.tokenizer.special_tokens().iter().chain(self.special_tokens.values()).cloned().collect()
    }

    fn input<'a>(&'a self, messages: &'a [Message], row: &'a Row, settings: &'a RowSettings) -> RenderInput<'a> {
        RenderInput {
            tools: row.tools.as_deref(),
            add_generation_prompt: settings.generation_prompt,
            ..RenderInput::new(messages, &settings.kwargs, self.special_tokens, settings.now)
        }
    }

    /// The text. String arguments are rendered as they stand, as Python does; where the template cannot take them, as the
    /// objects that they hold.
    fn text<'a>(
        &self,
        row: &'a Row,
        settings: &RowSettings,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Cow<'a, [Message]>, Rendered), Error> {
        let with_strings: Vec<u32> = places(&row.messages, |message| {
            message.tool_calls().iter().any(|call| matches!(call.arguments, Arguments::Text(_)))
        });
        let first = self.template.render(&self.input(&row.messages, row, settings));
        if with_strings.is_empty() {
            return Ok((Cow::Borrowed(&row.messages), first?));
        }
        let refused = matches!(&first, Err(TemplateError { fault: TemplateFault::Run | TemplateFault::Refused, .. }));
        let done = if refused { "so they were read as objects" } else { "and stand in the text as they are" };
        let text = format!("the arguments of calls in {} were strings, {done}", named(&with_strings));
        warnings.push(Warning::new(WarningKind::StringArguments, with_strings, text));
        if !refused {
            return Ok((Cow::Borrowed(&row.messages), first?));
        }
        let messages: Vec<Message> = row.messages.iter().cloned().map(Message::with_object_arguments).collect();
        let rendered = self.template.render(&self.input(&messages, row, settings))?;
        Ok((Cow::Owned(messages), rendered))
    }

    /// The mask by what a person and the settings say.
    fn mask(
        &self,
        messages: &[Message],
        row: &Row,
        rendered: &Rendered,
        turns: &[TurnSpan],
        wanted: &[u32],
        encoded: &Encoded,
    ) -> Vec<u8> {
        let mut bytes = TrainedBytes::of(rendered, turns);
        for (place, marks) in (0u32..).zip(&row.marks) {
            let Some(message) = messages.get(place as usize) else { break };
            if marks.excluded {
                continue;
            }
            if marks.train == Some(true) && !wanted.contains(&place) {
                bytes.train_fields(rendered, place);
            }
            bytes.apply(rendered, place, marks, |field| field_text(message, field));
        }
        encoded.offsets.iter().map(|(start, end)| u8::from(bytes.holds(*start, *end))).collect()
    }

    fn warn_about_drops(&self, messages: &[Message], row: &Row, rendered: &Rendered, warnings: &mut Vec<Warning>) {
        let shown: std::collections::HashSet<(Option<u32>, Field)> =
            rendered.pieces.iter().map(|piece| (piece.message, piece.field)).collect();
        let is_shown = |message: u32, field: Field| shown.contains(&(Some(message), field));
        let says = |text: &str| !text.trim().is_empty();
        let mut reasoning = Vec::new();
        let mut texts = Vec::new();
        let mut calls = Vec::new();
        let mut parallel = Vec::new();
        for (place, message) in (0u32..).zip(messages) {
            if message.reasoning().is_some_and(says) && !is_shown(place, Field::Reasoning) {
                reasoning.push(place);
            }
            if !is_shown(place, Field::Content) && says(&message.text()) {
                texts.push(place);
            }
            let count = u32::try_from(message.tool_calls().len()).unwrap_or(u32::MAX);
            let missing = |call: &u32| !is_shown(place, Field::CallName { call: *call });
            match (0..count).filter(missing).count() {
                0 => {}
                _ if count > 1 && is_shown(place, Field::CallName { call: 0 }) => parallel.push(place),
                _ => calls.push(place),
            }
        }
        let mut warn = |kind, messages: Vec<u32>, text: &dyn Fn(&str) -> String| {
            if !messages.is_empty() {
                let words = text(&named(&messages));
                warnings.push(Warning::new(kind, messages, words));
            }
        };
        warn(WarningKind::ReasoningDropped, reasoning, &|which| {
            format!("this template leaves out the reasoning of {which}")
        });
        let tool_roles: Vec<Role> = texts.iter().map(|place| messages[*place as usize].role()).collect();
        let only = |role: Role| tool_roles.iter().all(|it| *it == role);
        warn(WarningKind::TextDropped, texts.clone(), &|which| {
            if only(Role::Tool) {
                format!("this template cannot hold tool results: the text of {which} is left out")
            } else if only(Role::System) {
                format!("this template cannot hold such a system message: the text of {which} is left out")
            } else {
                format!("this template leaves out the text of {which}")
            }
        });
        warn(WarningKind::CallsDropped, calls, &|which| {
            format!("this template cannot hold tool calls: those of {which} are left out")
        });
        warn(WarningKind::ParallelCallsDropped, parallel, &|which| {
            format!("this template cannot hold parallel calls: of {which} not all are shown")
        });
        let has_tools = row.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        if has_tools && !shown.contains(&(None, Field::Tools)) {
            let text = "this template does not show the tools to the model";
            warnings.push(Warning::new(WarningKind::ToolsDropped, Vec::new(), text));
        }
    }
}

/// What `tw render` does: one row, with the tokenizer of a model's folder and its template or another one.
///
/// # Errors
/// Files that cannot be read, a row that is not one, a template that gives no text for it.
pub fn render_row(
    tokenizer: &Path,
    template: Option<&Path>,
    row: &Json,
    settings: &RowSettings,
) -> Result<RenderedRow, Error> {
    let row = Row::parse(row)?;
    let folder = if tokenizer.is_dir() { tokenizer } else { tokenizer.parent().unwrap_or(tokenizer) };
    let model = TemplateSource::from_folder(folder)?;
    let mut special_tokens = model.special_tokens.clone();
    let with_tools = row.tools.is_some();
    let template = match template {
        Some(path) => {
            let other = TemplateSource::load(path)?;
            for (name, text) in &other.special_tokens {
                special_tokens.entry(name.clone()).or_insert_with(|| text.clone());
            }
            other.template(None, with_tools)?
        }
        None => model.template(None, with_tools)?,
    };
    let tokenizer = Tokenizer::load(tokenizer)?;
    RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer }.render(&row, settings)
}

/// The mask of `{% generation %}` blocks, as transformers makes it: every token from the one that holds a block's first
/// character to the one that holds its last.
fn block_mask(encoded: &Encoded, turns: &[TurnSpan], text: &str) -> Vec<u8> {
    let mut mask = vec![0; encoded.ids.len()];
    // Tokens stand in order.
    let token_at = |byte: usize| {
        let place = encoded.offsets.partition_point(|(_, end)| *end <= byte);
        encoded.offsets.get(place).filter(|(start, _)| *start <= byte).map(|_| place)
    };
    for turn in turns {
        let last = text[..turn.end].char_indices().next_back().map_or(0, |(place, _)| place);
        // A block that begins in no token ends the search there, too.
        let Some(first) = token_at(turn.start) else { break };
        let end = token_at(last).filter(|end| *end > 0).map_or(mask.len(), |end| end + 1);
        if let Some(part) = mask.get_mut(first..end.max(first)) {
            part.fill(1);
        }
    }
    mask
}

fn places<T>(items: &[T], test: impl Fn(&T) -> bool) -> Vec<u32> {
    (0u32..).zip(items).filter(|(_, item)| test(item)).map(|(place, _)| place).collect()
}

/// The model's messages that are trained, by the settings and by what a person said.
fn wanted(roles: &[Role], train: Train, marks: &[Marks]) -> Vec<u32> {
    let last_question = roles.iter().rposition(|role| *role == Role::User);
    let last = roles.iter().rposition(|role| *role == Role::Assistant);
    let chosen = |place: usize| match train {
        Train::All => true,
        Train::Turn => last_question.is_none_or(|question| place > question),
        Train::Last => Some(place) == last,
    };
    let mut wanted = Vec::new();
    for (place, role) in roles.iter().enumerate() {
        let mark = marks.get(place);
        let train = mark.and_then(|mark| mark.train).unwrap_or_else(|| chosen(place));
        if *role == Role::Assistant && train && !mark.is_some_and(|mark| mark.excluded) {
            wanted.extend(u32::try_from(place).ok());
        }
    }
    wanted
}

/// The text in which a person's stretches are counted.
pub(crate) fn field_text(message: &Message, field: TextField) -> String {
    match field {
        TextField::Content => message.text(),
        TextField::Reasoning => message.reasoning().unwrap_or_default().to_owned(),
        TextField::Arguments { call } => match message.tool_calls().get(call as usize).map(|call| call.arguments) {
            Some(Arguments::Object(map)) => Json::Object(map.clone()).to_pretty(),
            Some(Arguments::Text(text)) => text.to_owned(),
            _ => String::new(),
        },
    }
}

fn warn_about_mask(
    mask: &[u8],
    settings: &RowSettings,
    encoded: &Encoded,
    pieces: &[Piece],
    warnings: &mut Vec<Warning>,
) {
    let trained = mask.iter().filter(|it| **it == 1).count();
    if trained == 0 {
        let text = "nothing in this row is trained";
        warnings.push(Warning::new(WarningKind::NothingTrained, Vec::new(), text));
    } else if trained == mask.len() {
        let text = "every token of this row is trained, the questions too";
        warnings.push(Warning::new(WarningKind::EverythingTrained, Vec::new(), text));
    }
    let Some(limit) = settings.max_tokens.filter(|limit| encoded.ids.len() > *limit) else { return };
    let over = encoded.ids.len() - limit;
    let mut lost: Vec<u32> = Vec::new();
    for (place, (start, _)) in encoded.offsets.iter().enumerate().skip(limit) {
        let piece = pieces.partition_point(|piece| piece.end <= *start);
        if mask[place] == 1
            && let Some(message) = pieces.get(piece).and_then(|piece| piece.message)
            && lost.last() != Some(&message)
        {
            lost.push(message);
        }
    }
    lost.dedup();
    let loses = if lost.is_empty() {
        "cut there it would lose nothing that is trained".to_owned()
    } else if mask[..limit].iter().all(|it| *it == 0) {
        "cut there it would lose its answer".to_owned()
    } else {
        format!("cut there it would lose what is trained of {}", named(&lost))
    };
    let text = format!("this row is {} tokens over the limit of {}; {loses}", counted(over), counted(limit));
    warnings.push(Warning::new(WarningKind::OverLimit, lost, text));
}

impl RenderedRow {
    /// The row as `tw render` prints it.
    #[must_use]
    pub fn report(self) -> RowReport {
        let warnings = self.warnings.into_iter().map(|warning| warning.text).collect();
        RowReport { text: self.text, ids: self.ids, mask: self.mask, warnings }
    }
}
