//! One row: which messages of its trace it shows, which of them are trained, and how long it is.

use std::ops::Range;

use sha2::{Digest, Sha256};
use tw_artifact::{
    DatasetPlan, DatasetWarningKind, Json, Message, OverLimit, Role, RowFate, ToolDefinition, TrainSpan, Unroll,
};

use crate::limit;
use crate::render::{Rendered, Renderer, RowText};
use crate::source::{Prepared, Source};
use crate::unroll::{Shape, unroll};

/// By which equal rows are found: the first half of a SHA-256 over messages, tools and what is trained.
pub type RowHash = [u8; 16];

/// A row of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Unique in the dataset.
    pub id: String,
    /// The places of its messages among the prepared ones.
    pub parts: Vec<Range<usize>>,
    /// Places (of the prepared messages) that are trained.
    pub trained: Vec<usize>,
    /// Places of which only stretches are trained.
    pub stretches: Vec<usize>,
    /// Tool results that were cut to fit the limit: place and what is left of the text.
    pub cut: Vec<(usize, String)>,
    /// Messages of the trace that it shows, where it ends before its trace does.
    pub truncation_point: Option<u32>,
    /// Its tokens.
    pub tokens: u32,
    /// Those that the loss counts.
    pub trained_tokens: u32,
    /// What a person should know.
    pub warnings: Vec<(DatasetWarningKind, String)>,
    /// What became of it; duplicates are found only among all rows.
    pub fate: RowFate,
    /// By which equal rows are found.
    pub hash: RowHash,
}

impl Row {
    /// The places of its messages.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.parts.iter().flat_map(Clone::clone)
    }

    /// How many messages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it goes into the dataset, as far as it alone says.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        matches!(self.fate, RowFate::Kept | RowFate::Cut)
    }

    /// Its messages, cut where they were.
    #[must_use]
    pub fn messages(&self, prepared: &Prepared) -> Vec<Message> {
        let message = |place: usize| match self.cut.iter().find(|(it, _)| *it == place) {
            Some((_, text)) => prepared.messages[place].clone().with_field("content", text.as_str().into()),
            None => prepared.messages[place].clone(),
        };
        self.places().filter(|place| *place < prepared.messages.len()).map(message).collect()
    }

    /// Whether each of its messages is trained.
    #[must_use]
    pub fn train(&self) -> Vec<bool> {
        self.places().map(|place| self.trained.binary_search(&place).is_ok()).collect()
    }

    /// For each of its messages the stretches for which the other holds.
    #[must_use]
    pub fn spans(&self, prepared: &Prepared) -> Vec<Vec<TrainSpan>> {
        let of = |place: usize| -> Vec<TrainSpan> {
            let whole = self.trained.binary_search(&place).is_ok();
            if !whole && !self.stretches.contains(&place) {
                return Vec::new();
            }
            let marks = prepared.marks.get(place);
            marks.into_iter().flat_map(|it| &it.spans).copied().filter(|span| span.train != whole).collect()
        };
        self.places().map(of).collect()
    }

    pub(crate) fn render(
        &self,
        prepared: &Prepared,
        renderer: &dyn Renderer,
        timestamp_ms: i64,
    ) -> Result<Rendered, String> {
        let messages = self.messages(prepared);
        renderer.render(&RowText {
            messages: &messages,
            tools: &prepared.tools,
            train: &self.train(),
            spans: &self.spans(prepared),
            timestamp_ms,
        })
    }
}

/// A trace and the rows it becomes.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Its rows, in order.
    pub rows: Vec<Row>,
    /// The prefix tree of the rows that are kept: for each node a number that says how it is reached, and its tokens.
    pub nodes: Vec<(u64, u32)>,
    /// Why it has no rows, where it has none.
    pub problem: Option<String>,
}

impl Made {
    /// Makes the rows of a trace: unrolled, rendered, counted, fitted to the limit.
    #[must_use]
    pub fn of(source: &Source, prepared: &Prepared, plan: &DatasetPlan, renderer: &dyn Renderer) -> Self {
        let shapes = match unroll(prepared, plan, renderer, source.timestamp_ms) {
            Ok(shapes) if shapes.is_empty() => {
                let why = "no answer of the model is in them".to_owned();
                return Self { problem: Some(why), ..Self::default() };
            }
            Ok(shapes) => shapes,
            // The rows themselves say so again, one by one.
            Err(_) => {
                let plan = DatasetPlan { unroll: Unroll::Step, ..plan.clone() };
                unroll(prepared, &plan, renderer, source.timestamp_ms).unwrap_or_default()
            }
        };
        let digests = Digests::of(prepared);
        let whole = shapes.last().map_or(0, |shape| shape.end);
        let mut made = Self::default();
        let mut nodes = Nodes::default();
        for shape in shapes {
            let row = begin(source, prepared, shape, whole, plan);
            for (mut row, rendered) in fit(row, source, prepared, plan, renderer) {
                row.hash = digests.row(&row, prepared);
                if row.is_kept()
                    && let Some(rendered) = &rendered
                {
                    nodes.add(&rendered.units);
                }
                made.rows.push(row);
            }
        }
        if let Some(last) = made.rows.last_mut() {
            let found = |rule: &tw_artifact::LintRule| (DatasetWarningKind::Lint(*rule), rule.label().to_owned());
            last.warnings.extend(source.findings.iter().map(found));
        }
        made.nodes = nodes.found;
        made
    }
}

/// A row as the trace gives it. Only where a trace is unrolled, what comes after its last answer is left away.
fn begin(source: &Source, prepared: &Prepared, shape: Shape, whole: usize, plan: &DatasetPlan) -> Row {
    let truncated = shape.end < whole;
    let point = truncated.then(|| u32::try_from(shape.end).unwrap_or(u32::MAX));
    let id = match point {
        Some(point) => format!("{}_trunc_{point}", source.id),
        None => source.id.clone(),
    };
    let mut row = Row {
        id,
        parts: vec![Range { start: 0, end: shape.end }],
        trained: shape.trained,
        stretches: shape.stretches,
        truncation_point: point,
        ..Row::default()
    };
    row.stretches.retain(|place| *place < shape.end);
    let own: Vec<usize> = prepared.normalised.iter().copied().filter(|place| row.trained.contains(place)).collect();
    if plan.normalise && !own.is_empty() {
        let text =
            format!("line breaks that the server left around reasoning and calls were taken from {}", named(&own));
        row.warnings.push((DatasetWarningKind::WhitespaceNormalised, text));
    }
    row
}

/// "message 3", "messages 3 and 5": counted from 1, as the window counts.
fn named(places: &[usize]) -> String {
    let numbers: Vec<String> = places.iter().map(|place| (place + 1).to_string()).collect();
    match numbers.as_slice() {
        [one] => format!("message {one}"),
        [first @ .., last] => format!("messages {} and {last}", first.join(", ")),
        [] => "no message".to_owned(),
    }
}

/// Renders a row and brings it under the limit; what it became.
fn fit(
    mut row: Row,
    source: &Source,
    prepared: &Prepared,
    plan: &DatasetPlan,
    renderer: &dyn Renderer,
) -> Vec<(Row, Option<Rendered>)> {
    if row.trained.is_empty() && row.stretches.is_empty() {
        row.fate = RowFate::Untrained;
        row.warnings.push((DatasetWarningKind::NothingTrained, "nothing in this row is trained".to_owned()));
        return vec![(row, None)];
    }
    let rendered = match row.render(prepared, renderer, source.timestamp_ms) {
        Ok(rendered) => rendered,
        Err(why) => {
            row.fate = RowFate::NotRendered;
            row.warnings.push((DatasetWarningKind::NotRendered, why));
            return vec![(row, None)];
        }
    };
    let limit = plan.max_tokens.unwrap_or(u32::MAX);
    if rendered.tokens() <= limit {
        return vec![settle(row, rendered)];
    }
    match plan.over_limit {
        OverLimit::Drop => vec![drop_long(row, &rendered, limit)],
        OverLimit::CutResults => limit::cut_results(row, &rendered, source, prepared, renderer, limit),
        OverLimit::Split => limit::split(row, &rendered, source, prepared, renderer, limit),
    }
}

pub(crate) fn drop_long(mut row: Row, rendered: &Rendered, limit: u32) -> (Row, Option<Rendered>) {
    row.tokens = rendered.tokens();
    row.trained_tokens = rendered.trained;
    row.fate = RowFate::OverLimit;
    let text = format!("this row has {} tokens, the limit is {limit}", row.tokens);
    row.warnings.push((DatasetWarningKind::OverLimitDropped, text));
    (row, None)
}

/// A row whose length is right.
pub(crate) fn settle(mut row: Row, rendered: Rendered) -> (Row, Option<Rendered>) {
    row.tokens = rendered.tokens();
    row.trained_tokens = rendered.trained;
    for (kind, text) in &rendered.warnings {
        if row.warnings.iter().all(|(known, _)| known != kind) {
            row.warnings.push((*kind, text.clone()));
        }
    }
    if rendered.trained == 0 {
        row.fate = RowFate::Untrained;
        if row.warnings.iter().all(|(kind, _)| *kind != DatasetWarningKind::NothingTrained) {
            row.warnings.push((DatasetWarningKind::NothingTrained, "nothing in this row is trained".to_owned()));
        }
    }
    (row, Some(rendered))
}

/// Hashes of a trace's messages, each made once.
struct Digests {
    messages: Vec<[u8; 32]>,
    tools: [u8; 32],
}

impl Digests {
    fn of(prepared: &Prepared) -> Self {
        let digest = |text: &str| Sha256::digest(text.as_bytes()).into();
        let messages = prepared.messages.iter().map(|it| digest(&message_text(it))).collect();
        Self { messages, tools: digest(&tools_text(&prepared.tools)) }
    }

    fn row(&self, row: &Row, prepared: &Prepared) -> RowHash {
        let mut hasher = Sha256::new();
        hasher.update(self.tools);
        for (place, spans) in row.places().zip(row.spans(prepared)) {
            match row.cut.iter().find(|(it, _)| *it == place) {
                Some((_, text)) => hasher.update(Sha256::digest(text.as_bytes())),
                None => hasher.update(self.messages.get(place).copied().unwrap_or_default()),
            }
            hasher.update([u8::from(row.trained.binary_search(&place).is_ok())]);
            for span in spans {
                hasher.update(format!("{span:?}").as_bytes());
            }
        }
        let whole = hasher.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}

/// The JSON text of a message as files have it.
pub(crate) fn message_text(message: &Message) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// The JSON text of a list of tools.
pub(crate) fn tools_text(tools: &[ToolDefinition]) -> String {
    Json::Array(tools.iter().map(|tool| tool.0.clone()).collect()).to_text()
}

/// The distinct beginnings of rows.
#[derive(Default)]
struct Nodes {
    known: std::collections::HashSet<u64>,
    found: Vec<(u64, u32)>,
}

impl Nodes {
    fn add(&mut self, units: &[(u64, u32)]) {
        let mut path = 0xcbf2_9ce4_8422_2325_u64;
        for (unit, tokens) in units {
            path = mix(path ^ mix(*unit));
            if self.known.insert(path) {
                self.found.push((path, *tokens));
            }
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input moves every bit of the output.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Whether a place is an answer of the model.
pub(crate) fn is_answer(prepared: &Prepared, place: usize) -> bool {
    prepared.role(place) == Some(Role::Assistant)
}
