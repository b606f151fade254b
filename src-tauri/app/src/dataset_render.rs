//! Rows counted by estimate, where no model was chosen.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use tw_artifact::{Message, TextField, ToolDefinition};
use tw_dataset::{Rendered, Renderer, RowText, Trimmed};
use tw_template::{Breaks, Field};

/// Estimates that are remembered: a message stands in many rows.
const KEPT_ESTIMATES: usize = 200_000;

/// Counts without a model, as the rest of the app estimates.
#[derive(Default)]
pub(crate) struct EstimateRenderer(Mutex<HashMap<u64, u32>>);

impl EstimateRenderer {
    fn count(&self, text: &str, count: impl FnOnce(&str) -> u32) -> (u64, u32) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let key = hasher.finish();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let tokens = known.unwrap_or_else(|| count(text));
        if known.is_none() {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_ESTIMATES {
                kept.clear();
            }
            kept.insert(key, tokens);
        }
        (key, tokens)
    }
}

fn json(message: &Message) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

impl Renderer for EstimateRenderer {
    fn render(&self, row: &RowText<'_>) -> Result<Rendered, String> {
        let mut units = Vec::with_capacity(row.messages.len() + 1);
        if !row.tools.is_empty() {
            let tools = row.tools.iter().map(|tool| tool.0.to_text()).collect::<Vec<_>>().join("\n");
            units.push(self.count(&tools, tw_endpoint::count_tokens));
        }
        let mut trained = 0_u32;
        for (place, message) in row.messages.iter().enumerate() {
            let unit = self.count(&json(message), |_| tw_endpoint::estimate_message(message));
            if row.train.get(place) == Some(&true) || row.spans.get(place).is_some_and(|spans| !spans.is_empty()) {
                trained = trained.saturating_add(unit.1.max(1));
            }
            units.push(unit);
        }
        Ok(Rendered { units, mask: Vec::new(), trained, warnings: Vec::new() })
    }

    /// As if the template dropped nothing.
    fn text(&self, messages: &[Message], _: &[ToolDefinition], _: i64) -> Result<String, String> {
        Ok(messages.iter().map(json).collect::<Vec<_>>().join("\n"))
    }

    fn normalise(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Trimmed>) {
        // As most templates write them.
        let (messages, changes, _) = Breaks::default().normalise_all(messages);
        let trimmed = changes.into_iter().map(|change| Trimmed {
            place: change.message as usize,
            field: if change.field == Field::Reasoning { TextField::Reasoning } else { TextField::Content },
            before: u32::try_from(change.before.chars().count()).unwrap_or(u32::MAX),
        });
        let trimmed = trimmed.collect();
        (messages, trimmed)
    }

    fn is_estimate(&self) -> bool {
        true
    }
}
