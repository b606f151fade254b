//! Puts an answer together from the chunks of its stream.

use std::time::Instant;

use tw_artifact::{AnswerSource, Json, Map, Message, StepRecord, Usage};

use crate::ChatRequest;
use crate::answer::{Answer, AnswerDelta, ParsedCall};
use crate::live::{Live, Shown};
use crate::text_calls::{self, Offered};
use crate::think;

/// Whether the stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Whole,
    /// It broke or was stopped: calls in the text are left there, since they may be cut.
    Cut,
}

/// The names of the reasoning field, as vLLM has it now and as it and others had it before.
const REASONING_FIELDS: [&str; 2] = ["reasoning", "reasoning_content"];

pub(crate) struct Assembly<'a> {
    request: &'a ChatRequest,
    offered: Offered<'a>,
    sent_at: Instant,
    first_token_ms: Option<u64>,
    content: String,
    reasoning: String,
    reasoning_field: Option<&'static str>,
    slots: Vec<Slot>,
    extra: Map,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    token_ids: Option<Vec<u32>>,
    prompt_token_ids: Option<Vec<u32>>,
    response_id: Option<String>,
    fingerprint: Option<String>,
    live: Live,
    shown: Shown,
}

/// A call while its fragments come in.
#[derive(Debug, Default)]
struct Slot {
    /// The server's `index`. Several servers send 0 for every call.
    index: Option<i64>,
    id: String,
    name: String,
    arguments: String,
    announced: bool,
    extra: Map,
    function_extra: Map,
}

impl<'a> Assembly<'a> {
    pub(crate) fn new(request: &'a ChatRequest, sent_at: Instant) -> Self {
        Self {
            request,
            offered: Offered::new(&request.tools),
            sent_at,
            first_token_ms: None,
            content: String::new(),
            reasoning: String::new(),
            reasoning_field: None,
            slots: Vec::new(),
            extra: Map::new(),
            finish_reason: None,
            usage: None,
            token_ids: None,
            prompt_token_ids: None,
            response_id: None,
            fingerprint: None,
            live: Live::new(!request.tools.is_empty()),
            shown: Shown::default(),
        }
    }

    /// Whether the model has said that its answer ends here.
    pub(crate) const fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// Whether anything of the answer has come.
    pub(crate) fn has_something(&self) -> bool {
        !self.content.is_empty() || !self.reasoning.is_empty() || !self.slots.is_empty()
    }

    /// Takes one chunk (`chat.completion.chunk`), or a whole `chat.completion`. `true` when it held a choice.
    pub(crate) fn push(&mut self, chunk: &Json, sink: &mut (dyn FnMut(AnswerDelta) + Send)) -> bool {
        let text = |key: &str| chunk.get(key).and_then(Json::as_str).map(str::to_owned);
        if self.response_id.is_none() {
            self.response_id = text("id");
        }
        if let Some(fingerprint) = text("system_fingerprint") {
            self.fingerprint = Some(fingerprint);
        }
        if let Some(usage) = chunk.get("usage").and_then(read_usage) {
            self.usage = Some(usage);
        }
        if let Some(ids) = token_ids(chunk.get("prompt_token_ids")) {
            self.prompt_token_ids = Some(ids);
        }
        let choices = chunk.get("choices").and_then(Json::as_array).unwrap_or_default();
        let index_of = |choice: &Json| choice.get("index").and_then(Json::as_i64).unwrap_or(0);
        let Some(choice) = choices.iter().find(|choice| index_of(choice) == 0) else {
            return false;
        };
        if let Some(ids) = token_ids(choice.get("token_ids")) {
            self.token_ids.get_or_insert_default().extend(ids);
        }
        if let Some(ids) = token_ids(choice.get("prompt_token_ids")) {
            self.prompt_token_ids = Some(ids);
        }
        if let Some(delta) = choice.get("delta").or_else(|| choice.get("message")).and_then(Json::as_object) {
            self.push_delta(delta, sink);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Json::as_str) {
            self.finish_reason = Some(reason.to_owned());
        }
        true
    }

    fn push_delta(&mut self, delta: &Map, sink: &mut (dyn FnMut(AnswerDelta) + Send)) {
        for (key, value) in delta {
            match key.as_str() {
                "role" => {}
                "reasoning" | "reasoning_content" => {}
                "content" => {
                    let text = content_text(value);
                    if !text.is_empty() {
                        self.note_first_token();
                        self.content.push_str(&text);
                        if self.reasoning_field.is_some() {
                            self.live.expect_no_reasoning();
                        }
                        self.live.push(&text, &mut |piece| self.shown.show(piece, sink));
                    }
                }
                "tool_calls" => {
                    for fragment in value.as_array().unwrap_or_default() {
                        self.note_first_token();
                        self.push_call(fragment, sink);
                    }
                }
                _ => merge_field(&mut self.extra, key, value),
            }
            if key.starts_with("reasoning") {
                self.push_reasoning(delta, key, value, sink);
            }
        }
    }

    /// Some servers send the same text under both names: the first that came counts.
    fn push_reasoning(&mut self, delta: &Map, key: &str, value: &Json, sink: &mut (dyn FnMut(AnswerDelta) + Send)) {
        let Some(field) = REASONING_FIELDS.into_iter().find(|field| *field == key) else {
            return;
        };
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
            return;
        };
        let chosen = *self.reasoning_field.get_or_insert(field);
        if chosen != field && delta.get(chosen).and_then(Json::as_str).is_some() {
            return;
        }
        self.note_first_token();
        self.reasoning.push_str(text);
        self.shown.show(AnswerDelta::Reasoning(text.to_owned()), sink);
    }

    fn push_call(&mut self, fragment: &Json, sink: &mut (dyn FnMut(AnswerDelta) + Send)) {
        let Some(fields) = fragment.as_object() else {
            return;
        };
        let index = fragment.get("index").and_then(Json::as_i64);
        let id = fragment.get("id").and_then(Json::as_str).unwrap_or_default();
        let function = fragment.get("function").and_then(Json::as_object);
        let name = function.and_then(|it| it.get("name")).and_then(Json::as_str).unwrap_or_default();
        let place = self.place_of(index, id, name);
        if place + 1 == self.slots.len() && place > 0 {
            self.announce(place - 1, sink);
        }
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let repeats_name = !id.is_empty() && slot.id == id && slot.name == name;
        if slot.id.is_empty() {
            id.clone_into(&mut slot.id);
        }
        if !repeats_name {
            slot.name.push_str(name);
        }
        for (key, value) in fields {
            if !matches!(key.as_str(), "index" | "id" | "type" | "function") {
                merge_field(&mut slot.extra, key, value);
            }
        }
        for (key, value) in function.into_iter().flatten() {
            if !matches!(key.as_str(), "name" | "arguments") {
                merge_field(&mut slot.function_extra, key, value);
            }
        }
        let piece = match function.and_then(|it| it.get("arguments")) {
            Some(Json::String(text)) => text.clone(),
            Some(object @ Json::Object(_)) => object.to_text(),
            _ => String::new(),
        };
        if !piece.is_empty() {
            slot.arguments.push_str(&piece);
            self.announce(place, sink);
            sink(AnswerDelta::CallArguments { index: as_index(place), text: piece });
        }
    }

    /// The slot that a fragment belongs to. By `index`, unless a new id with a name says that a new call begins under
    /// an old index; without an index by id; without both the last one.
    fn place_of(&mut self, index: Option<i64>, id: &str, name: &str) -> usize {
        let begins_anew = |slot: &Slot| !id.is_empty() && !slot.id.is_empty() && slot.id != id && !name.is_empty();
        let place = match index {
            Some(_) => {
                self.slots.iter().rposition(|slot| slot.index == index).filter(|at| !begins_anew(&self.slots[*at]))
            }
            None if !id.is_empty() => self.slots.iter().rposition(|slot| slot.id == id),
            None if !name.is_empty() && self.slots.last().is_some_and(|slot| !slot.arguments.is_empty()) => None,
            None => self.slots.len().checked_sub(1),
        };
        place.unwrap_or_else(|| {
            self.slots.push(Slot { index, ..Slot::default() });
            self.slots.len() - 1
        })
    }

    fn announce(&mut self, place: usize, sink: &mut (dyn FnMut(AnswerDelta) + Send)) {
        if let Some(slot) = self.slots.get_mut(place)
            && !std::mem::replace(&mut slot.announced, true)
        {
            sink(AnswerDelta::CallStart { index: as_index(place), name: slot.name.clone() });
        }
    }

    fn note_first_token(&mut self) {
        if self.first_token_ms.is_none() {
            self.first_token_ms = u64::try_from(self.sent_at.elapsed().as_millis()).ok();
        }
    }

    /// The answer. What the sink has not been shown yet, it is shown now.
    pub(crate) fn finish(mut self, ending: Ending, sink: &mut (dyn FnMut(AnswerDelta) + Send)) -> Answer {
        for place in 0..self.slots.len() {
            self.announce(place, sink);
        }
        let content = std::mem::take(&mut self.content);
        let (split, text) = if self.reasoning_field.is_some() {
            (None, content.as_str())
        } else {
            let split = think::split(&content);
            (split.reasoning, split.content)
        };
        let read_calls = ending == Ending::Whole && self.slots.is_empty();
        let found = if read_calls { text_calls::read(text, &self.offered) } else { None };
        let reasoning = match split {
            Some(reasoning) => Some(reasoning.to_owned()),
            None => (!self.reasoning.is_empty()).then(|| std::mem::take(&mut self.reasoning)),
        };
        let raw_text = (split.is_some() || found.is_some()).then(|| content.clone());
        let source = found.as_ref().map_or(AnswerSource::Server, |found| found.source);
        let text = found.as_ref().map_or(text, |found| found.content.as_str()).to_owned();
        self.shown.complete(reasoning.as_deref(), &text, sink);

        let mut ids = Ids::new(self.request.messages.len());
        let mut calls = Vec::new();
        let mut entries = Vec::new();
        if let Some(found) = found {
            for (place, call) in found.calls.into_iter().enumerate() {
                let id = ids.give(call.id.as_deref().unwrap_or_default(), place);
                let written = match &call.arguments {
                    Ok(object) => object.clone(),
                    Err(broken) => Json::String(broken.text.clone()),
                };
                sink(AnswerDelta::CallStart { index: as_index(place), name: call.name.clone() });
                let shown = written.as_str().map_or_else(|| written.to_text(), str::to_owned);
                sink(AnswerDelta::CallArguments { index: as_index(place), text: shown });
                entries.push(Message::tool_call(&id, &call.name, written));
                calls.push(ParsedCall { id, name: call.name, arguments: call.arguments.map_err(|broken| broken.why) });
            }
        }
        let cut = ending == Ending::Cut || self.finish_reason.as_deref() == Some("length");
        let last = self.slots.len().saturating_sub(1);
        for (place, slot) in self.slots.iter().enumerate() {
            let id = ids.give(&slot.id, place);
            let arguments = read_arguments(&slot.arguments, cut && place == last);
            let written = arguments.clone().unwrap_or_else(|_| Json::String(slot.arguments.clone()));
            entries.push(slot.entry(&id, written));
            calls.push(ParsedCall { id, name: slot.name.clone(), arguments });
        }
        let mut message = Message::assistant(text, reasoning, entries);
        for (key, value) in std::mem::take(&mut self.extra) {
            if message.fields().get(&key).is_none() {
                message = message.with_field(&key, value);
            }
        }
        let step = StepRecord {
            first_token_ms: self.first_token_ms,
            usage: self.usage,
            finish_reason: self.finish_reason,
            reasoning_field: self.reasoning_field.map(str::to_owned),
            source,
            raw_text,
            token_ids: self.token_ids,
            prompt_token_ids: self.prompt_token_ids,
            response_id: self.response_id,
            fingerprint: self.fingerprint,
            ..StepRecord::default()
        };
        Answer { message, calls, step }
    }
}

impl Slot {
    fn entry(&self, id: &str, arguments: Json) -> Json {
        let mut entry = Message::tool_call(id, &self.name, arguments);
        if let Json::Object(fields) = &mut entry {
            if let Some(Json::Object(function)) = fields.get_mut("function") {
                function.extend(self.function_extra.clone());
            }
            fields.extend(self.extra.clone());
        }
        entry
    }
}

/// Gives each call of an answer an id of its own: a result finds its call by it.
struct Ids {
    /// The place of the answer in the conversation.
    message: usize,
    given: Vec<String>,
}

impl Ids {
    const fn new(message: usize) -> Self {
        Self { message, given: Vec::new() }
    }

    /// The server's id, unless it gave none or one that another call of this answer has. An id made here is the same
    /// for the same place of the same conversation, and nine letters and digits, which Mistral's templates insist on.
    fn give(&mut self, id: &str, place: usize) -> String {
        let mut chosen = id.to_owned();
        let mut number = place;
        while chosen.is_empty() || self.given.contains(&chosen) {
            chosen = format!("call{:03}{number:02}", self.message);
            number += 1;
        }
        self.given.push(chosen.clone());
        chosen
    }
}

fn as_index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The arguments as an object. No text at all is what models write for tools without parameters.
fn read_arguments(text: &str, cut: bool) -> Result<Json, String> {
    if text.trim().is_empty() && !cut {
        return Ok(Map::new().into());
    }
    match Json::parse(text) {
        Ok(object @ Json::Object(_)) => Ok(object),
        _ if cut => Err("the answer ended before the arguments were whole".to_owned()),
        Ok(_) => Err("the arguments are not a JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are not valid JSON: {error}")),
    }
}

/// `content` is text or null; a few servers send a list of parts.
fn content_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(parts) => parts.iter().filter_map(|part| part.get("text").and_then(Json::as_str)).collect(),
        _ => String::new(),
    }
}

/// Adds a field that is not known here to what came of it before: null says nothing, text and lists grow, the fields of
/// objects are added in turn, anything else takes the older value's place.
fn merge_field(fields: &mut Map, key: &str, value: &Json) {
    if value.is_null() {
        return;
    }
    match (fields.get_mut(key), value) {
        (Some(Json::String(old)), Json::String(new)) => old.push_str(new),
        (Some(Json::Array(old)), Json::Array(new)) => old.extend(new.iter().cloned()),
        (Some(Json::Object(old)), Json::Object(new)) => {
            for (key, value) in new {
                merge_field(old, key, value);
            }
        }
        (Some(old), new) => *old = new.clone(),
        (None, new) => {
            fields.insert(key.to_owned(), new.clone());
        }
    }
}

fn token_ids(value: Option<&Json>) -> Option<Vec<u32>> {
    let ids = value?.as_array()?;
    ids.iter().map(|id| id.as_i64().and_then(|id| u32::try_from(id).ok())).collect()
}

fn read_usage(usage: &Json) -> Option<Usage> {
    let number = |at: Option<&Json>| at.and_then(Json::as_i64).and_then(|number| u32::try_from(number).ok());
    let inner = |group: &str, key: &str| number(usage.get(group).and_then(|group| group.get(key)));
    Some(Usage {
        prompt_tokens: number(usage.get("prompt_tokens"))?,
        completion_tokens: number(usage.get("completion_tokens")).unwrap_or(0),
        reasoning_tokens: inner("completion_tokens_details", "reasoning_tokens"),
        cached_tokens: inner("prompt_tokens_details", "cached_tokens"),
    })
}
