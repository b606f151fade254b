//! A trace as datasets take it, and what of it goes into rows.

use tw_artifact::{DatasetPlan, LintRule, Marks, Message, Role, TextField, ToolDefinition};

use crate::render::{Renderer, Trimmed};

/// A trace at a revision.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The revision.
    pub revision: u32,
    /// When it was made, unix milliseconds.
    pub timestamp_ms: i64,
    /// The model that wrote it.
    pub model: String,
    /// The messages.
    pub messages: Vec<Message>,
    /// What a person said about them, by place; may be shorter.
    pub marks: Vec<Marks>,
    /// The tools.
    pub tools: Vec<ToolDefinition>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its rating, 1 to 5.
    pub rating: Option<u8>,
    /// The steering prompt of its run; empty for none.
    pub steering: String,
    /// What lint finds in it that matters.
    pub findings: Vec<LintRule>,
}

/// The messages that rows are made of.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// The messages, normalised, without those that are kept out, the steering prompt in place where it is wanted.
    pub messages: Vec<Message>,
    /// What a person said about them, by place.
    pub marks: Vec<Marks>,
    /// The tools.
    pub tools: Vec<ToolDefinition>,
    /// Places of messages that lost white space which a server had added.
    pub normalised: Vec<usize>,
}

impl Prepared {
    /// What of a trace goes into rows.
    #[must_use]
    pub fn of(source: &Source, plan: &DatasetPlan, renderer: &dyn Renderer) -> Self {
        let kept = |marks: &Marks| !(plan.honour_keep_out && marks.excluded);
        let mut messages = Vec::with_capacity(source.messages.len() + 1);
        let mut marks = Vec::with_capacity(source.messages.len() + 1);
        for (place, message) in source.messages.iter().enumerate() {
            let own = source.marks.get(place).cloned().unwrap_or_default();
            if kept(&own) {
                messages.push(message.clone());
                marks.push(own);
            }
        }
        if !plan.drop_steering && !source.steering.is_empty() && !messages.is_empty() {
            steer(&mut messages, &mut marks, &source.steering);
        }
        let mut normalised = Vec::new();
        if plan.normalise {
            let (changed, trimmed) = renderer.normalise(messages);
            messages = changed;
            for trim in &trimmed {
                if let (Some(marks), Some(message)) = (marks.get_mut(trim.place), messages.get(trim.place)) {
                    shift_spans(marks, trim, message);
                }
                normalised.push(trim.place);
            }
            normalised.dedup();
        }
        Self { messages, marks, tools: source.tools.clone(), normalised }
    }

    pub(crate) fn role(&self, place: usize) -> Option<Role> {
        self.messages.get(place).map(Message::role)
    }
}

/// The system message of each request held the steering prompt behind its own text.
fn steer(messages: &mut Vec<Message>, marks: &mut Vec<Marks>, steering: &str) {
    match messages.first() {
        Some(first) if first.role() == Role::System => {
            let text = format!("{}\n\n{steering}", first.text());
            messages[0] = first.clone().with_field("content", text.into());
        }
        _ => {
            messages.insert(0, Message::system(steering));
            marks.insert(0, Marks::default());
        }
    }
}

/// Stretches are counted in characters of the text as it was.
fn shift_spans(marks: &mut Marks, trim: &Trimmed, message: &Message) {
    let length = match trim.field {
        TextField::Reasoning => message.reasoning().map_or(0, |text| text.chars().count()),
        _ => message.text().chars().count(),
    };
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    for span in marks.spans.iter_mut().filter(|span| span.field == trim.field) {
        span.begin = span.begin.saturating_sub(trim.before).min(length);
        span.end = span.end.saturating_sub(trim.before).min(length);
    }
    marks.spans.retain(|span| span.begin < span.end);
}

/// The form of a row's `timestamp`, as trace files have it.
const STAMP: &str = "%Y%m%d_%H%M%S";

/// A moment as rows have it; in UTC, so that a row is the same wherever it is made.
pub(crate) fn stamp(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime(STAMP).to_string()
}

/// The moment of a stamp, unix milliseconds; 0 for a text that is none.
pub(crate) fn moment(stamp: &str) -> i64 {
    let at = jiff::civil::DateTime::strptime(STAMP, stamp).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).map(|at| at.timestamp().as_millisecond()).unwrap_or_default()
}
