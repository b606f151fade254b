//! The next-call exam: the steps are chosen, every subject is asked, answers are scored and kept as they come.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tw_artifact::{
    EvalColumn, EvalReport, EvalSubject, Json, Message, ReviewStatus, Role, Sampling, SplitName, StepScore,
    ToolDefinition, TraceChoice,
};
use tw_contract::{ApiError, EvalProgress, Event, EventBody, ExamRequest, ExamSource, KeyChange, SubjectChoice};
use tw_endpoint::{ChatRequest, EndpointClient};
use tw_evaluate::Given;
use tw_store::{Store, TraceQuery};

use crate::App;
use crate::endpoints::new_id;
use crate::errors::{Api, IntoApi};
use crate::hub::Hub;
use crate::lock;
use crate::reports::{summary, write_whole};

/// Between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Between two writes of a report that is at work.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// Evaluations whose end is remembered.
const KEPT: usize = 16;
/// Subjects of one exam.
const MOST_SUBJECTS: usize = 8;

/// The evaluations of this process.
#[derive(Default)]
pub(crate) struct Evals {
    jobs: Mutex<BTreeMap<String, Arc<Job>>>,
}

struct Job {
    cancel: CancellationToken,
    state: Mutex<State>,
    path: PathBuf,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

struct State {
    report: EvalReport,
    total: u32,
    ended: Option<String>,
    begun: Instant,
    told: Instant,
    kept: Instant,
}

impl State {
    fn done(&self) -> usize {
        self.report.columns.iter().map(|column| column.steps.len()).sum()
    }

    fn progress(&self) -> EvalProgress {
        let done = u32::try_from(self.done()).unwrap_or(u32::MAX);
        let failed =
            self.report.columns.iter().flat_map(|column| &column.steps).filter(|step| step.problem.is_some()).count();
        let left = f64::from(self.total.saturating_sub(done));
        let per_step = self.begun.elapsed().as_secs_f64() / f64::from(done.max(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds, above 0")]
        let seconds_left = (done > 0 && self.ended.is_none()).then(|| (left * per_step).ceil() as u32);
        EvalProgress {
            id: self.report.id.clone(),
            done,
            total: self.total,
            failed: u32::try_from(failed).unwrap_or(u32::MAX),
            seconds_left,
            ended: self.ended.clone(),
            summary: summary(&self.report),
        }
    }

    /// Counts what is there.
    fn count(&mut self) {
        for column in &mut self.report.columns {
            column.steps.sort_by(|a, b| (&a.trace_id, a.message).cmp(&(&b.trace_id, b.message)));
            column.exam = Some(tw_evaluate::exam_totals(&column.steps));
            column.by_tool = tw_evaluate::by_tool(&column.steps);
        }
        if let [first, others @ ..] = self.report.columns.as_slice() {
            self.report.changes = others.iter().map(|other| tw_evaluate::changes(first, other)).collect();
        }
    }
}

impl Evals {
    fn job(&self, id: &str) -> Result<Arc<Job>, ApiError> {
        lock(&self.jobs).get(id).cloned().ok_or_else(|| ApiError::not_found("evaluation"))
    }

    pub(crate) fn active(&self) -> Vec<EvalProgress> {
        let jobs = lock(&self.jobs);
        let states = jobs.values().rev().map(|job| lock(&job.state).progress());
        states.filter(|progress| progress.ended.is_none()).collect()
    }

    pub(crate) fn progress(&self, id: &str) -> Result<EvalProgress, ApiError> {
        Ok(lock(&self.job(id)?.state).progress())
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<(), ApiError> {
        self.job(id)?.cancel.cancel();
        Ok(())
    }

    /// Ends one, if it is at work, and waits until it is over.
    pub(crate) async fn end(&self, id: &str) {
        let Some(job) = lock(&self.jobs).remove(id) else { return };
        finish(&job).await;
    }

    pub(crate) async fn shutdown(&self) {
        let jobs: Vec<Arc<Job>> = lock(&self.jobs).values().cloned().collect();
        for job in jobs {
            finish(&job).await;
        }
    }

    fn forget_old(&self) {
        let mut jobs = lock(&self.jobs);
        let over: Vec<String> =
            jobs.iter().filter(|(_, job)| lock(&job.state).ended.is_some()).map(|(id, _)| id.clone()).collect();
        for id in over.iter().take(over.len().saturating_sub(KEPT)) {
            jobs.remove(id);
        }
    }
}

async fn finish(job: &Job) {
    job.cancel.cancel();
    let task = lock(&job.task).take();
    if let Some(task) = task
        && task.await.is_err()
    {
        tracing::warn!("an evaluation ended unexpectedly");
    }
}

/// A true answer and what came before it.
struct Step {
    trace_id: String,
    message: u32,
    context: Arc<[Message]>,
    truth: Message,
    tools: Arc<[ToolDefinition]>,
}

/// Who is asked.
struct Subject {
    client: EndpointClient,
    model: String,
}

impl App {
    pub(crate) async fn start_exam(&self, request: ExamRequest) -> Result<EvalProgress, ApiError> {
        if request.subjects.is_empty() || request.subjects.len() > MOST_SUBJECTS {
            return Err(ApiError::invalid("Nobody is to be measured.")
                .with_hint(format!("Pick a model, or up to {MOST_SUBJECTS} to compare.")));
        }
        let (mut subjects, mut columns) = (Vec::new(), Vec::new());
        for choice in &request.subjects {
            let (subject, column) = self.subject(choice).await?;
            subjects.push(subject);
            columns.push(column);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.subject.name.as_str()).collect();
        let name = if request.name.trim().is_empty() { names.join(" and ") } else { request.name.trim().to_owned() };
        let id = new_id();
        let report = EvalReport {
            id: id.clone(),
            name,
            created_at_ms: jiff::Timestamp::now().as_millisecond(),
            about: about(&request),
            settings: settings(&request.sampling),
            columns,
            ..EvalReport::default()
        };
        let now = Instant::now();
        let job = Arc::new(Job {
            cancel: CancellationToken::new(),
            path: self.report_path(&id)?,
            state: Mutex::new(State { report, total: 0, ended: None, begun: now, told: now, kept: now }),
            task: Mutex::default(),
        });
        self.evals.forget_old();
        lock(&self.evals.jobs).insert(id, Arc::clone(&job));
        let progress = lock(&job.state).progress();
        let traces = self.exam_traces(&request.source).await?;
        let exam =
            Exam { job: Arc::clone(&job), hub: Arc::clone(&self.hub), store: self.store.clone(), request, traces };
        *lock(&job.task) = Some(tokio::spawn(exam.run(subjects)));
        self.hub.emit(Event::EVALS, EventBody::EvalsChanged);
        Ok(progress)
    }

    async fn subject(&self, choice: &SubjectChoice) -> Result<(Subject, EvalColumn), ApiError> {
        let endpoint = self.endpoint(&choice.endpoint_id).await?;
        let model = if choice.model.trim().is_empty() { endpoint.model.trim() } else { choice.model.trim() };
        if model.is_empty() {
            return Err(ApiError::invalid(format!("No model of \"{}\" is picked.", endpoint.name)));
        }
        let client = self.client_of(&endpoint, KeyChange::Keep).await?;
        let name = if choice.name.trim().is_empty() { model } else { choice.name.trim() };
        let subject =
            EvalSubject { name: name.to_owned(), endpoint: endpoint.base_url.clone(), model: model.to_owned() };
        Ok((Subject { client, model: model.to_owned() }, EvalColumn { subject, ..EvalColumn::default() }))
    }

    /// The traces with the revision to look at, in an order that does not change.
    async fn exam_traces(&self, source: &ExamSource) -> Result<Vec<(String, Option<u32>)>, ApiError> {
        let mut traces = match source {
            ExamSource::Traces(TraceChoice::Ids(ids)) => ids.iter().map(|id| (id.clone(), None)).collect(),
            ExamSource::Traces(TraceChoice::Query(search)) => {
                let query = TraceQuery { search: search.clone(), ..TraceQuery::default() };
                let ids = self.store.ids(&query).await.api()?;
                ids.into_iter().map(|id| (id, None)).collect::<Vec<_>>()
            }
            ExamSource::Dataset { id, split } => {
                let view = self.view_dataset(id).await?;
                let of_split = view.sources.into_iter().filter(|source| source.split == *split && source.rows > 0);
                of_split.map(|source| (source.id, Some(source.revision))).collect()
            }
        };
        traces.sort();
        traces.dedup();
        Ok(traces)
    }
}

fn about(request: &ExamRequest) -> String {
    match &request.source {
        ExamSource::Traces(TraceChoice::Query(search)) if search.trim().is_empty() => "All traces".to_owned(),
        ExamSource::Traces(TraceChoice::Query(search)) => format!("Traces of the query \"{}\"", search.trim()),
        ExamSource::Traces(TraceChoice::Ids(ids)) => format!("{} chosen traces", ids.len()),
        ExamSource::Dataset { id, split } => {
            let part = match split {
                SplitName::Train => "training",
                SplitName::Validation => "validation",
            };
            format!("The {part} part of the dataset version {}", id.chars().take(12).collect::<String>())
        }
    }
}

fn settings(sampling: &Sampling) -> BTreeMap<String, String> {
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    [
        ("temperature", number(sampling.temperature)),
        ("top_p", number(sampling.top_p)),
        ("most tokens of an answer", sampling.max_tokens.map(|it| it.to_string())),
        ("seed", sampling.seed.map(|it| it.to_string())),
        ("more", (!sampling.extra.is_empty()).then(|| Json::Object(sampling.extra.clone()).to_text())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

struct Exam {
    job: Arc<Job>,
    hub: Arc<Hub>,
    store: Store,
    request: ExamRequest,
    traces: Vec<(String, Option<u32>)>,
}

impl Exam {
    async fn run(self, subjects: Vec<Subject>) {
        let ended = match self.carry_out(&subjects).await {
            Ok(()) if self.job.cancel.is_cancelled() => "cancelled".to_owned(),
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        let report = {
            let mut state = lock(&self.job.state);
            state.count();
            if ended == "done" {
                state.report.ended_at_ms = Some(jiff::Timestamp::now().as_millisecond());
            } else {
                state.report.notes.push(format!("It ended before its last step: {ended}"));
            }
            state.report.clone()
        };
        let ended = match self.keep(report).await {
            Ok(()) => ended,
            Err(error) => error.to_string(),
        };
        let progress = {
            let mut state = lock(&self.job.state);
            state.ended = Some(ended);
            state.progress()
        };
        self.hub.emit(&Event::eval_topic(&progress.id), EventBody::EvalProgress(Box::new(progress)));
        self.hub.emit(Event::EVALS, EventBody::EvalsChanged);
    }

    async fn keep(&self, report: EvalReport) -> Result<(), ApiError> {
        let path = self.job.path.clone();
        crate::blocking(move || {
            let text = serde_json::to_vec(&report)
                .map_err(|error| ApiError::new(tw_contract::ErrorCode::Internal, format!("{error}.")))?;
            write_whole(&path, &text)
        })
        .await?
    }

    async fn carry_out(&self, subjects: &[Subject]) -> Result<(), ApiError> {
        let steps = self.steps().await?;
        if steps.is_empty() {
            return Err(ApiError::invalid("There is no answer of a model in these traces.")
                .with_hint("Choose others: rejected traces and messages kept out of datasets are left out."));
        }
        {
            let mut state = lock(&self.job.state);
            state.total = u32::try_from(steps.len() * subjects.len()).unwrap_or(u32::MAX);
            state.report.basis = basis(&steps);
            state.begun = Instant::now();
        }
        let at_once = usize::try_from(self.request.concurrency.max(1)).unwrap_or(1);
        // Step by step over all subjects, so that a report cut short compares them on the same steps.
        let count = subjects.len();
        let mut answers = futures::stream::iter(0..steps.len() * count)
            .map(|number| {
                let (step, place) = (&steps[number / count], number % count);
                async move { (place, self.ask(&subjects[place], step).await) }.boxed()
            })
            .buffer_unordered(at_once);
        loop {
            let next = tokio::select! {
                biased;
                () = self.job.cancel.cancelled() => None,
                next = answers.next() => next,
            };
            let Some((place, score)) = next else { return Ok(()) };
            self.take(place, score).await?;
        }
    }

    /// Takes an answer in; tells and keeps it now and then.
    async fn take(&self, place: usize, score: StepScore) -> Result<(), ApiError> {
        let (progress, report) = {
            let mut state = lock(&self.job.state);
            if let Some(column) = state.report.columns.get_mut(place) {
                column.steps.push(score);
            }
            let tell = state.told.elapsed() >= TELL_EVERY;
            let keep = state.kept.elapsed() >= KEEP_EVERY;
            if tell || keep {
                state.count();
            }
            let now = Instant::now();
            if tell {
                state.told = now;
            }
            if keep {
                state.kept = now;
            }
            (tell.then(|| state.progress()), keep.then(|| state.report.clone()))
        };
        if let Some(progress) = progress {
            self.hub.emit(&Event::eval_topic(&progress.id), EventBody::EvalProgress(Box::new(progress)));
        }
        match report {
            Some(report) => self.keep(report).await,
            None => Ok(()),
        }
    }

    async fn ask(&self, subject: &Subject, step: &Step) -> StepScore {
        let request = ChatRequest {
            model: subject.model.clone(),
            messages: step.context.to_vec(),
            tools: step.tools.to_vec(),
            sampling: self.request.sampling.clone(),
            ..ChatRequest::default()
        };
        let score = match subject.client.chat(&request, &self.job.cancel, &mut |_| {}).await {
            Ok(answer) => {
                let given = Given { message: answer.message, finish_reason: answer.step.finish_reason };
                tw_evaluate::score(&step.truth, &given, &|name, arguments| valid(&step.tools, name, arguments))
            }
            Err(failure) => tw_evaluate::failed(&step.truth, &failure.error.into_api().message),
        };
        StepScore { trace_id: step.trace_id.clone(), message: step.message, ..score }
    }

    /// The steps of all traces, or those that were chosen among them.
    async fn steps(&self) -> Result<Vec<Step>, ApiError> {
        let mut steps = Vec::new();
        let mut tools: HashMap<Vec<String>, Arc<[ToolDefinition]>> = HashMap::new();
        for (id, revision) in &self.traces {
            if self.job.cancel.is_cancelled() {
                break;
            }
            if revision.is_none() {
                let summary = self.store.summary(id).await.api()?;
                if summary.review.status == ReviewStatus::Rejected || !summary.state.is_final() {
                    continue;
                }
            }
            let edition = self.store.edition(id, *revision).await.api()?;
            let texts: Vec<String> = edition.tools.iter().map(|tool| tool.0.to_text()).collect();
            let known = tools.entry(texts).or_insert_with(|| edition.tools.clone().into());
            let shown: Vec<_> = edition.messages.into_iter().filter(|it| !it.marks.excluded).collect();
            let messages: Vec<Message> = shown.iter().map(|it| it.message.clone()).collect();
            for (place, message) in shown.iter().enumerate().skip(1) {
                // An answer that is not to be trained on is no model of a right one.
                if message.message.role() == Role::Assistant && message.marks.train != Some(false) {
                    steps.push(Step {
                        trace_id: id.clone(),
                        message: u32::try_from(place).unwrap_or(u32::MAX),
                        context: messages[..place].into(),
                        truth: message.message.clone(),
                        tools: Arc::clone(known),
                    });
                }
            }
        }
        if let Some(most) = self.request.most_steps {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            // The steps with the smallest hashes: another set of traces changes little of the choice.
            steps.sort_by_cached_key(|step| hash_of(&(self.request.seed, &step.trace_id, step.message)));
            steps.truncate(most);
            steps.sort_by(|a, b| (&a.trace_id, a.message).cmp(&(&b.trace_id, b.message)));
        }
        Ok(steps)
    }
}

fn valid(tools: &[ToolDefinition], name: &str, arguments: &Json) -> bool {
    let tool = tools.iter().find(|tool| tool.name() == name);
    tool.is_some_and(|tool| tw_review::schema_problems(tool, arguments).is_empty())
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A SHA-256 over the true answers and the sizes of what comes before them.
fn basis(steps: &[Step]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for step in steps {
        let truth = Json::Object(step.truth.fields().clone()).to_text();
        hash.update(format!("{}\0{}\0{}\0{truth}\0", step.trace_id, step.message, step.context.len()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
