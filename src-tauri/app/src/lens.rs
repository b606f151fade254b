//! The loss lens: a row as a model is given it, and how that stands to what a live server would be given.

use std::ops::Range;
use std::sync::Arc;

use jiff::civil::DateTime;
use tw_artifact::{DatasetModel, DatasetPlan, Map, Marks, Message, Role, StepRecord};
use tw_contract::{
    ApiError, DatasetRow, EmittedBasis, KeyChange, LensCheck, LensCheckRequest, LensEmitted, LensField, LensMessage,
    LensNormalised, LensRequest, LensRow, LensRun, LensSource, LensStretch, LensSubject, LensView, LensWarning,
    LensWarningKind,
};
use tw_dataset::Prepared;
use tw_endpoint::TokenizeRequest;
use tw_store::OpenTrace;
use tw_template::{
    Breaks, Emitted, Field, MakeSettings, Normalised, RenderedRow, Row, Tokenizer, Train, WarningKind,
    matches_emitted_ids, matches_emitted_text,
};

use crate::errors::Api;
use crate::render::{RowModel, kwargs, moment};
use crate::{App, blocking};

/// Characters that are shown of a text on each side of a difference.
const WORDS: usize = 80;
/// Ids that are shown of a difference.
const IDS: usize = 12;

/// A row to render, whichever way it was found.
struct Source {
    row: Row,
    /// By message.
    origins: Vec<Origin>,
    normalised: Vec<Normalised>,
    rows: Vec<LensRow>,
    place: u32,
    trace_id: String,
    revision: u32,
    /// When the model was asked.
    at_ms: i64,
}

/// Where a message of the row comes from.
#[derive(Clone, Default)]
struct Origin {
    id: Option<u64>,
    /// Its place in the trace.
    place: u32,
    marked: Option<bool>,
    has_spans: bool,
    edited: bool,
    answer: Option<Arc<StepRecord>>,
}

/// A row that was rendered, with what it was rendered by.
struct Opened {
    source: Source,
    rendered: RenderedRow,
    model: RowModel,
    /// What the dataset version was built with, where its own model was asked for and is another one now.
    other_model: Option<String>,
    /// The template's variables.
    kwargs: Map,
}

impl App {
    pub(crate) async fn open_lens(&self, request: LensRequest) -> Result<LensView, ApiError> {
        let opened = self.render_lens(&request, None).await?;
        blocking(move || view(opened)).await
    }

    /// Renders the row of a request as it was when it was collected, or as of another moment.
    async fn render_lens(&self, request: &LensRequest, now: Option<DateTime>) -> Result<Opened, ApiError> {
        match &request.subject {
            LensSubject::Trace { id, revision, unroll, row } => {
                let trace = self.store.open_trace(id, *revision).await.api()?;
                let kwargs = kwargs(&request.kwargs)?;
                let model = self.row_model(request.model.as_deref(), request, &kwargs).await?;
                let plan = DatasetPlan {
                    unroll: *unroll,
                    train: request.train,
                    drop_steering: request.drop_steering,
                    normalise: false,
                    ..DatasetPlan::default()
                };
                let (normalise, row) = (request.normalise, *row);
                let max_tokens = limit(request);
                blocking(move || {
                    let source = row_of_trace(trace, &plan, normalise, row, &model)?;
                    opened(source, model, kwargs, max_tokens, now)
                })
                .await?
            }
            LensSubject::Dataset { version, row } => {
                let view = self.view_dataset(version).await?;
                let asked = tw_contract::RowRequest { id: version.clone(), row: row.clone() };
                let row = self.dataset_row_of(asked).await?;
                let own = view.plan.model.as_deref();
                let kwargs = kwargs(if request.kwargs.is_null() { &view.plan.kwargs } else { &request.kwargs })?;
                let model = self.row_model(request.model.as_deref().or(own), request, &kwargs).await?;
                let is_own = match (&request.model, &view.model, &request.template) {
                    (_, _, Some(_)) => false,
                    (None, _, None) => true,
                    (Some(asked), own, None) => own.as_ref().is_some_and(|own| own.id == *asked || own.path == *asked),
                };
                let built = view.version.model.filter(|_| is_own);
                let other_model = built.and_then(|built| other_model(&built, &model.model()));
                let max_tokens = limit(request);
                let make = move || opened(row_of_dataset(row), model, kwargs, max_tokens, now);
                let mut opened = blocking(make).await??;
                opened.other_model = other_model;
                Ok(opened)
            }
        }
    }

    async fn row_model(
        &self,
        reference: Option<&str>,
        request: &LensRequest,
        kwargs: &Map,
    ) -> Result<RowModel, ApiError> {
        let (entry, loaded) = self.model(reference).await?;
        let (given, kwargs) = (request.template.clone(), kwargs.clone());
        blocking(move || RowModel::new(&entry, loaded, given.as_deref(), &kwargs)).await?.api()
    }

    /// Compares the tokens with those of a live server. The date is today's on both sides.
    pub(crate) async fn check_lens(&self, request: LensCheckRequest) -> Result<LensCheck, ApiError> {
        let LensCheckRequest { row, endpoint_id, model } = request;
        let opened = self.render_lens(&row, Some(jiff::Zoned::now().datetime())).await?;
        let endpoint = self.endpoint(&endpoint_id).await?;
        let model = if model.is_empty() { endpoint.model.clone() } else { model };
        let client = self.client_of(&endpoint, KeyChange::Keep).await?;
        let rendered_row = &opened.source.row;
        let asked = TokenizeRequest {
            model: &model,
            messages: &rendered_row.messages,
            tools: rendered_row.tools.as_deref().unwrap_or_default(),
            generation_prompt: false,
            kwargs: &opened.kwargs,
        };
        let Some(theirs) = client.tokenize(&asked).await.api()? else { return Ok(LensCheck::NotOffered) };
        blocking(move || compare(&opened, &theirs)).await
    }
}

fn limit(request: &LensRequest) -> Option<usize> {
    request.max_tokens.and_then(|most| usize::try_from(most).ok())
}

fn opened(
    source: Source,
    model: RowModel,
    kwargs: Map,
    max_tokens: Option<usize>,
    now: Option<DateTime>,
) -> Result<Opened, ApiError> {
    let now = now.unwrap_or_else(|| moment(source.at_ms));
    // The marks say of every message whether it is trained.
    let settings = MakeSettings { train: Train::All, max_tokens, headers: true, now };
    let maker = model.maker(source.row.tools.is_some());
    let rendered = maker.make(&model.loaded().tokenizer, &source.row, settings).api()?;
    Ok(Opened { source, rendered, model, other_model: None, kwargs })
}

/// What of a model is not as it was when a version was built.
fn other_model(built: &DatasetModel, now: &DatasetModel) -> Option<String> {
    let what = match (built.tokenizer_sha256 == now.tokenizer_sha256, built.template_sha256 == now.template_sha256) {
        (true, true) => return None,
        (false, true) => "tokenizer is not the one",
        (true, false) => "template is not the one",
        (false, false) => "tokenizer and template are not those",
    };
    Some(format!(
        "The {what} that this version was built with: the files of {} were changed since. Its counts are of then, this row \
         is rendered as of now.",
        built.name
    ))
}

/// One of the rows that a dataset would make of a trace.
fn row_of_trace(
    trace: OpenTrace,
    plan: &DatasetPlan,
    normalise: bool,
    row: Option<u32>,
    model: &RowModel,
) -> Result<Source, ApiError> {
    let OpenTrace { summary, settings, steps, captured, edition, .. } = trace;
    let steps: Vec<Arc<StepRecord>> = steps.into_iter().map(Arc::new).collect();
    let mut origins = Vec::with_capacity(edition.messages.len() + 1);
    for (place, message) in (0u32..).zip(&edition.messages).filter(|(_, message)| !message.marks.excluded) {
        let saved = message.captured_seq().and_then(|seq| captured.get(seq as usize));
        let step = saved.filter(|_| message.message.role() == Role::Assistant).map(|(_, step)| *step);
        origins.push(Origin {
            id: Some(message.id),
            place,
            marked: message.marks.train,
            has_spans: !message.marks.spans.is_empty(),
            edited: message.is_changed(),
            answer: steps.iter().find(|it| Some(it.step) == step).cloned(),
        });
    }
    let at_ms = summary.created_at_ms;
    let (messages, marks): (Vec<Message>, Vec<Marks>) =
        edition.messages.into_iter().map(|message| (message.message, message.marks)).unzip();
    let steering = settings.map_or_else(String::new, |settings| settings.spec.steering_prompt);
    let tools = edition.tools;
    let source = tw_dataset::Source { messages, marks, tools, steering, ..tw_dataset::Source::default() };
    let mut prepared = Prepared::of(&source, plan, model);
    if prepared.messages.len() > origins.len() {
        // The steering prompt stands before them as a message of its own.
        origins.insert(0, Origin::default());
    }
    let tools = (!prepared.tools.is_empty()).then(|| prepared.tools.clone());
    let mut normalised = Vec::new();
    if normalise {
        let row = Row { messages: prepared.messages, tools: None, marks: prepared.marks };
        let (row, changes) = model.maker(tools.is_some()).breaks().normalise_row(row);
        (prepared.messages, prepared.marks, normalised) = (row.messages, row.marks, changes);
    }
    let shapes = tw_dataset::unroll(&prepared, plan, model, at_ms)
        .map_err(|why| ApiError::invalid(tw_collect::sentence(&why)))?;
    let place = match (row, shapes.len()) {
        (_, 0) => {
            return Err(ApiError::invalid("This trace has no answer of the model, so it gives no row.")
                .with_hint("Add an answer, or leave the trace out of datasets."));
        }
        (None, many) => many - 1,
        (Some(row), many) => usize::try_from(row).unwrap_or(many).min(many - 1),
    };
    let rows = shapes.iter().map(|shape| LensRow {
        messages: count(shape.end),
        last: origins.get(shape.end.saturating_sub(1)).map_or(0, |origin| origin.place),
    });
    let rows = rows.collect();
    let shape = &shapes[place];
    let row = tw_dataset::Row {
        parts: vec![Range { start: 0, end: shape.end }],
        trained: shape.trained.clone(),
        stretches: shape.stretches.clone(),
        ..tw_dataset::Row::default()
    };
    origins.truncate(shape.end);
    normalised.retain(|change| (change.message as usize) < shape.end);
    let marks = row.train().into_iter().zip(row.spans(&prepared));
    let marks = marks.map(|(train, spans)| Marks { train: Some(train), spans, excluded: false }).collect();
    Ok(Source {
        row: Row { messages: row.messages(&prepared), tools, marks },
        origins,
        normalised,
        rows,
        place: count(place),
        trace_id: summary.id.clone(),
        revision: edition.revision,
        at_ms,
    })
}

/// A row as a version keeps it: normalised and fitted already.
fn row_of_dataset(row: DatasetRow) -> Source {
    let mut source = Source {
        row: Row { tools: (!row.tools.is_empty()).then_some(row.tools), ..Row::default() },
        origins: Vec::new(),
        normalised: Vec::new(),
        rows: vec![LensRow { messages: row.summary.messages, last: row.summary.messages.saturating_sub(1) }],
        place: 0,
        trace_id: row.summary.trace_id,
        revision: 0,
        at_ms: row.timestamp_ms,
    };
    for (place, message) in (0u32..).zip(row.messages) {
        source.origins.push(Origin { place, has_spans: !message.spans.is_empty(), ..Origin::default() });
        source.row.messages.push(message.message);
        source.row.marks.push(Marks { train: Some(message.train), spans: message.spans, excluded: false });
    }
    source
}

fn view(opened: Opened) -> LensView {
    let Opened { source, rendered, model, other_model, .. } = opened;
    let lens = rendered.lens(&source.row.messages);
    let emitted = emitted(&source, &rendered, &model.loaded().tokenizer);
    let mut warnings: Vec<LensWarning> = rendered.warnings.iter().map(warning).collect();
    warnings.extend(Breaks::warning(&source.normalised).iter().map(warning));
    let differing: Vec<u32> = emitted.iter().filter(|one| !one.same && !one.edited).map(|one| one.message).collect();
    if !differing.is_empty() {
        warnings.insert(0, not_as_emitted(differing));
    }
    if let Some(text) = other_model {
        warnings.insert(0, LensWarning { kind: LensWarningKind::OtherModel, messages: Vec::new(), text });
    }
    let normalised: Vec<LensNormalised> = source
        .normalised
        .iter()
        .map(|change| LensNormalised {
            message: change.message,
            field: field(change.field),
            before: change.before.clone(),
            after: change.after.clone(),
        })
        .collect();
    // Marks count characters of the message as it is kept, with the white space that was taken away here.
    let taken = |message: Option<u32>, field: LensField| {
        let change = normalised.iter().find(|change| Some(change.message) == message && change.field == field);
        change.map_or(0, |change| u32::try_from(change.before.chars().count()).unwrap_or(0))
    };
    let sources: Vec<LensSource> =
        lens.sources.iter().map(|source| LensSource { message: source.message, field: field(source.field) }).collect();
    let stretches = lens.stretches.iter().map(|stretch| {
        let source = sources.get(stretch.source as usize).copied().unwrap_or_default();
        LensStretch {
            start: stretch.start,
            end: stretch.end,
            source: stretch.source,
            from: stretch.from + taken(source.message, source.field),
            chars: stretch.chars,
            exact: stretch.exact,
        }
    });
    let stretches = stretches.collect();
    let messages =
        source.row.messages.iter().zip(&source.origins).zip(&lens.messages).map(|((message, origin), count)| {
            LensMessage {
                id: origin.id,
                role: message.role(),
                tokens: count.tokens,
                trained: count.trained,
                marked: origin.marked,
                has_spans: origin.has_spans,
            }
        });
    let messages = messages.collect();
    let runs = lens.runs.iter().map(|run| LensRun { tokens: run.tokens, source: run.source, trained: run.trained });
    LensView {
        runs: runs.collect(),
        text: rendered.text,
        ids: rendered.ids,
        lengths: lens.lengths,
        sources,
        stretches,
        messages,
        trained: lens.trained,
        warnings,
        normalised,
        emitted,
        rows: source.rows,
        row: source.place,
        trace_id: source.trace_id,
        revision: source.revision,
        model: model.model().name,
        template: model.template().to_owned(),
    }
}

/// What is trained beside what the model wrote, for every trained answer of which that was kept.
fn emitted(source: &Source, rendered: &RenderedRow, tokenizer: &Tokenizer) -> Vec<LensEmitted> {
    let mut found = Vec::new();
    for turn in &rendered.turns {
        let Some(origin) = source.origins.get(turn.message as usize) else { continue };
        let Some(answer) = &origin.answer else { continue };
        let text = rendered.text.get(turn.start..turn.end).unwrap_or_default();
        let (basis, compared) = match (&answer.token_ids, &answer.raw_text) {
            (Some(ids), _) if !ids.is_empty() => {
                let first = rendered.offsets.partition_point(|(start, _)| *start < turn.start);
                let last = rendered.offsets.partition_point(|(start, _)| *start < turn.end);
                let ours = rendered.ids.get(first..last).unwrap_or_default();
                let compared = matches_emitted_ids(ours, ids, &tokenizer.special_ids());
                // A model can write a text in other tokens than its tokenizer makes of it.
                match (compared, tokenizer.decode(ids)) {
                    (Emitted::Differs { .. }, Ok(theirs)) => {
                        (EmittedBasis::Text, matches_emitted_text(text, &theirs, tokenizer.special_tokens()))
                    }
                    (compared, _) => (EmittedBasis::Ids, compared),
                }
            }
            (_, Some(raw)) => (EmittedBasis::Text, matches_emitted_text(text, raw, tokenizer.special_tokens())),
            _ => continue,
        };
        let base = LensEmitted {
            message: turn.message,
            basis,
            same: true,
            same_until: 0,
            trained: String::new(),
            emitted: String::new(),
            edited: origin.edited,
        };
        found.push(match compared {
            Emitted::Same => base,
            Emitted::Differs { after, trained, emitted } => LensEmitted {
                same: false,
                same_until: u32::try_from(after).unwrap_or(u32::MAX),
                trained,
                emitted,
                ..base
            },
        });
    }
    found
}

fn not_as_emitted(messages: Vec<u32>) -> LensWarning {
    let numbers: Vec<String> = messages.iter().map(|place| (place + 1).to_string()).collect();
    let which = match numbers.as_slice() {
        [one] => format!("message {one}"),
        many => format!("messages {}", many.join(", ")),
    };
    let text = format!("what would be trained of {which} is not what the model wrote when it was collected");
    LensWarning { kind: LensWarningKind::NotAsEmitted, messages, text }
}

/// The first difference between the row's tokens and a server's.
fn compare(opened: &Opened, theirs: &[u32]) -> LensCheck {
    let rendered = &opened.rendered;
    let ours = &rendered.ids;
    if ours == theirs {
        return LensCheck::Equal { tokens: count(ours.len()) };
    }
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let at = rendered.offsets.get(same).map_or(rendered.text.len(), |(start, _)| *start);
    let (before, here) = rendered.text.split_at_checked(at).unwrap_or((&rendered.text, ""));
    let few = |ids: &[u32]| ids.get(same..).unwrap_or_default().iter().take(IDS).copied().collect::<Vec<_>>();
    let rest = theirs.get(same..).unwrap_or_default();
    let there = opened.model.loaded().tokenizer.decode(&rest[..rest.len().min(WORDS)]).unwrap_or_default();
    let skipped = before.chars().count().saturating_sub(WORDS);
    LensCheck::Differs {
        first: count(same),
        ours: count(ours.len()),
        theirs: count(theirs.len()),
        before: before.chars().skip(skipped).collect(),
        here: here.chars().take(WORDS).collect(),
        there: there.chars().take(WORDS).collect(),
        here_ids: few(ours),
        there_ids: few(theirs),
        hint: hint(opened, same, theirs),
    }
}

fn hint(opened: &Opened, same: usize, theirs: &[u32]) -> String {
    let row = &opened.source.row;
    if same == 0 && !theirs.is_empty() {
        return "The server's model has another template or another tokenizer than the one picked here.".to_owned();
    }
    if opened.model.maker(row.tools.is_some()).template().source().contains("strftime_now") {
        return "This template writes today's date; a server in another time zone may have another one.".to_owned();
    }
    let with_strings = row.messages.iter().any(|message| {
        message.tool_calls().iter().any(|call| matches!(call.arguments, tw_artifact::Arguments::Text(_)))
    });
    if with_strings {
        return "Arguments of calls are strings here; the server reads them as objects.".to_owned();
    }
    if same == opened.rendered.ids.len() {
        return "The server adds something at the end: its template may differ in how it ends a turn.".to_owned();
    }
    String::new()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(crate) const fn field(field: Field) -> LensField {
    match field {
        Field::Header => LensField::Header,
        Field::Reasoning => LensField::Reasoning,
        Field::Content => LensField::Content,
        Field::CallName { call } => LensField::CallName { call },
        Field::CallArguments { call } => LensField::CallArguments { call },
        Field::Other => LensField::Other,
        Field::Markup => LensField::Markup,
        Field::EndOfTurn => LensField::EndOfTurn,
        Field::GenerationPrompt => LensField::GenerationPrompt,
        Field::Tools => LensField::Tools,
        Field::Preamble => LensField::Preamble,
    }
}

fn warning(warning: &tw_template::Warning) -> LensWarning {
    let kind = match warning.kind {
        WarningKind::ReasoningDropped => LensWarningKind::ReasoningDropped,
        WarningKind::TextDropped => LensWarningKind::TextDropped,
        WarningKind::CallsDropped => LensWarningKind::CallsDropped,
        WarningKind::ParallelCallsDropped => LensWarningKind::ParallelCallsDropped,
        WarningKind::ToolsDropped => LensWarningKind::ToolsDropped,
        WarningKind::NothingTrained => LensWarningKind::NothingTrained,
        WarningKind::EverythingTrained => LensWarningKind::EverythingTrained,
        WarningKind::OverLimit => LensWarningKind::OverLimit,
        WarningKind::StringArguments => LensWarningKind::StringArguments,
        WarningKind::SpanUnknown => LensWarningKind::SpanUnknown,
        WarningKind::NoEndOfTurn => LensWarningKind::NoEndOfTurn,
        WarningKind::WhitespaceNormalised => LensWarningKind::WhitespaceNormalised,
    };
    LensWarning { kind, messages: warning.messages.clone(), text: warning.text.clone() }
}
