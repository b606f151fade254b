//! Rows as a model is given them: one by one for the command line, and for datasets and the lens.

use std::path::Path;
use std::sync::Arc;

use jiff::civil::DateTime;
use tw_artifact::{DatasetModel, DatasetWarningKind, Json, Map, Marks, Message, TextField, ToolDefinition};
use tw_contract::{ApiError, ModelEntry, RenderRequest, RenderedText};
use tw_dataset::{Rendered, Renderer, RowText, Trimmed};
use tw_template::{
    Error, Field, MakeSettings, Row, RowMaker, RowReport, RowSettings, Template, Train, WarningKind, sha256_hex,
};

use crate::models::Loaded;

/// Renders one row with a model's own files.
pub(crate) fn render(request: &RenderRequest) -> Result<RenderedText, ApiError> {
    let train = match request.train.as_str() {
        "last" => Train::Last,
        "turn" => Train::Turn,
        "all" => Train::All,
        other => return Err(ApiError::invalid(format!("\"{other}\" is not one of last, turn and all."))),
    };
    let settings = RowSettings {
        train,
        generation_prompt: request.generation_prompt,
        kwargs: kwargs(&request.kwargs)?,
        ..RowSettings::new(jiff::Zoned::now().datetime())
    };
    let template = request.template.as_deref().map(Path::new);
    let rendered = tw_template::render_row(Path::new(&request.tokenizer), template, &request.row, &settings)
        .map_err(|error| ApiError::invalid(tw_collect::sentence(&error.to_string())))?;
    let RowReport { text, ids, mask, warnings } = rendered.report();
    Ok(RenderedText { text, ids, mask, warnings })
}

/// The template's variables of a request.
pub(crate) fn kwargs(json: &Json) -> Result<Map, ApiError> {
    match json {
        Json::Null => Ok(Map::new()),
        Json::Object(map) => Ok(map.clone()),
        _ => Err(ApiError::invalid("The template's variables must be a JSON object.")),
    }
}

/// A moment as a template is told of it: in UTC, so that a row is the same wherever it is made.
pub(crate) fn moment(at_ms: i64) -> DateTime {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).datetime()
}

/// A model of the list as a renderer of rows. Clones share everything.
#[derive(Clone)]
pub(crate) struct RowModel {
    inner: Arc<Inner>,
}

struct Inner {
    loaded: Arc<Loaded>,
    /// For rows without tools and for rows with: a model can have a template of its own for these.
    makers: [RowMaker; 2],
    /// Where the template for rows with tools comes from.
    template: String,
    model: DatasetModel,
}

impl RowModel {
    /// Reads the template: `given`, or the model's own.
    ///
    /// # Errors
    /// A model without a template, or text that is none.
    pub(crate) fn new(
        entry: &ModelEntry,
        loaded: Arc<Loaded>,
        given: Option<&str>,
        kwargs: &Map,
    ) -> Result<Self, Error> {
        let find = |with_tools: bool| match given {
            Some(text) => Ok((Template::parse(text)?, "your text".to_owned())),
            None => {
                let (name, text) = loaded.source.choose(None, with_tools)?;
                Ok::<_, Error>((Template::parse(text)?, format!("the model's own \"{name}\"")))
            }
        };
        let (with_tools, template) = find(true)?;
        let (without, _) = find(false)?;
        let model = DatasetModel {
            name: entry.name.clone(),
            tokenizer_sha256: loaded.tokenizer.sha256().to_owned(),
            template_sha256: sha256_hex(with_tools.source().as_bytes()),
        };
        let special_tokens = &loaded.source.special_tokens;
        // What a template writes around fields does not hang on the date.
        let maker = |template| RowMaker::new(template, special_tokens.clone(), kwargs.clone(), moment(0));
        let makers = [maker(without), maker(with_tools)];
        Ok(Self { inner: Arc::new(Inner { loaded, makers, template, model }) })
    }

    /// What a dataset remembers of it.
    pub(crate) fn model(&self) -> DatasetModel {
        self.inner.model.clone()
    }

    /// Where its template comes from.
    pub(crate) fn template(&self) -> &str {
        &self.inner.template
    }

    pub(crate) fn loaded(&self) -> &Loaded {
        &self.inner.loaded
    }

    /// What makes rows, with tools or without.
    pub(crate) fn maker(&self, with_tools: bool) -> &RowMaker {
        &self.inner.makers[usize::from(with_tools)]
    }
}

impl Renderer for RowModel {
    fn render(&self, row: &RowText<'_>) -> Result<Rendered, String> {
        let marks = row.train.iter().zip(row.spans);
        let marks = marks.map(|(train, spans)| Marks { train: Some(*train), spans: spans.clone(), excluded: false });
        let tools = some_tools(row.tools);
        let maker = self.maker(tools.is_some());
        let own = Row { messages: row.messages.to_vec(), tools: tools.map(<[_]>::to_vec), marks: marks.collect() };
        let settings =
            MakeSettings { train: Train::All, max_tokens: None, headers: false, now: moment(row.timestamp_ms) };
        let rendered = maker.make(&self.inner.loaded.tokenizer, &own, settings).map_err(|error| error.to_string())?;
        Ok(Rendered {
            units: rendered.ids.iter().map(|id| (u64::from(*id), 1)).collect(),
            trained: rendered.mask.iter().map(|it| u32::from(*it)).sum(),
            mask: rendered.mask,
            warnings: rendered.warnings.into_iter().filter_map(|it| Some((kind(it.kind)?, it.text))).collect(),
        })
    }

    fn text(&self, messages: &[Message], tools: &[ToolDefinition], timestamp_ms: i64) -> Result<String, String> {
        let tools = some_tools(tools);
        let maker = self.maker(tools.is_some());
        maker.text(messages, tools, moment(timestamp_ms)).map_err(|error| error.to_string())
    }

    fn normalise(&self, messages: Vec<Message>) -> (Vec<Message>, Vec<Trimmed>) {
        let (messages, changes, _) = self.maker(true).breaks().normalise_all(messages);
        let trimmed = changes.into_iter().filter_map(|change| {
            let field = match change.field {
                Field::Content => TextField::Content,
                Field::Reasoning => TextField::Reasoning,
                _ => return None,
            };
            let before = u32::try_from(change.before.chars().count()).unwrap_or(u32::MAX);
            Some(Trimmed { place: usize::try_from(change.message).ok()?, field, before })
        });
        let trimmed = trimmed.collect();
        (messages, trimmed)
    }

    fn is_estimate(&self) -> bool {
        false
    }
}

/// Templates tell no tools from an empty list of them.
fn some_tools(tools: &[ToolDefinition]) -> Option<&[ToolDefinition]> {
    (!tools.is_empty()).then_some(tools)
}

/// `None` for what a dataset decides itself.
const fn kind(kind: WarningKind) -> Option<DatasetWarningKind> {
    Some(match kind {
        WarningKind::ReasoningDropped => DatasetWarningKind::ReasoningDropped,
        WarningKind::TextDropped => DatasetWarningKind::TextDropped,
        WarningKind::CallsDropped => DatasetWarningKind::CallsDropped,
        WarningKind::ParallelCallsDropped => DatasetWarningKind::ParallelCallsDropped,
        WarningKind::ToolsDropped => DatasetWarningKind::ToolsDropped,
        WarningKind::NothingTrained => DatasetWarningKind::NothingTrained,
        WarningKind::EverythingTrained => DatasetWarningKind::EverythingTrained,
        WarningKind::StringArguments => DatasetWarningKind::StringArguments,
        WarningKind::SpanUnknown => DatasetWarningKind::SpanUnknown,
        WarningKind::NoEndOfTurn => DatasetWarningKind::NoEndOfTurn,
        WarningKind::WhitespaceNormalised => DatasetWarningKind::WhitespaceNormalised,
        WarningKind::OverLimit => return None,
    })
}
