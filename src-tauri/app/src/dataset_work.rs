//! Previews and builds: traces loaded, made into rows on two threads, counted and written on a third, with progress and
//! cancel.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tw_artifact::{
    DatasetModel, DatasetPlan, DatasetPreview, LintRule, PreferencePair, ReviewStatus, Severity, TraceChoice,
    TraceSummary,
};
use tw_contract::{ApiError, DatasetProgress, DatasetWork, ErrorCode, Event, EventBody};
use tw_dataset::{Build, Built, Made, ModelSize, PreferenceRow, Prepared, Renderer, Source, Splits, Tally};
use tw_store::{Store, TraceQuery};

use crate::App;
use crate::dataset_render::EstimateRenderer;
use crate::endpoints::new_id;
use crate::errors::{Api, IntoApi};
use crate::hub::Hub;
use crate::lock;
use crate::render::{RowModel, kwargs};

/// Traces that are made into rows at the same time.
const MADE_AT_ONCE: usize = 2;
/// Traces that may wait to be written.
const AHEAD: usize = 4;
/// Between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Works whose end is remembered.
const KEPT_JOBS: usize = 16;
/// Traces that share so much are nearly the same: they go to the same part.
const ALIKE_PERCENT: u8 = 80;
/// What is remembered of rows that were made, in bytes.
const CACHE_BYTES: usize = 96 << 20;

/// The previews and builds of this process, and what they remember.
pub(crate) struct Datasets {
    hub: Arc<Hub>,
    jobs: Mutex<HashMap<String, Arc<Job>>>,
    cache: Mutex<Cache>,
    /// Indexes of versions that were looked at last.
    pub(crate) indexes: Mutex<Vec<(String, Arc<[tw_dataset::IndexRow]>)>>,
}

struct Job {
    cancel: CancellationToken,
    progress: Mutex<DatasetProgress>,
    tally: Arc<Mutex<Tally>>,
    size: Mutex<Option<ModelSize>>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// Rows that were made, by what they were made of.
#[derive(Default)]
struct Cache {
    made: HashMap<u64, Arc<Made>>,
    order: std::collections::VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Cache {
    fn put(&mut self, key: u64, made: &Arc<Made>) {
        let bytes = made.nodes.len() * 16 + made.rows.len() * 512;
        if bytes > CACHE_BYTES / 8 || self.made.insert(key, Arc::clone(made)).is_some() {
            return;
        }
        self.bytes += bytes;
        self.order.push_back((key, bytes));
        while self.bytes > CACHE_BYTES {
            let Some((oldest, bytes)) = self.order.pop_front() else { break };
            self.made.remove(&oldest);
            self.bytes -= bytes;
        }
    }
}

impl Datasets {
    pub(crate) fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { hub, jobs: Mutex::default(), cache: Mutex::default(), indexes: Mutex::default() })
    }

    fn job(&self, id: &str) -> Result<Arc<Job>, ApiError> {
        lock(&self.jobs).get(id).cloned().ok_or_else(|| ApiError::not_found("preview or build"))
    }

    pub(crate) fn view(&self, id: &str) -> Result<DatasetProgress, ApiError> {
        let job = self.job(id)?;
        let figures = lock(&job.tally).figures();
        let estimates = tw_dataset::estimates(&figures, *lock(&job.size));
        let mut progress = lock(&job.progress).clone();
        progress.preview = Some(Box::new(DatasetPreview { estimates, ..figures }));
        Ok(progress)
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<(), ApiError> {
        self.job(id)?.cancel.cancel();
        Ok(())
    }

    pub(crate) async fn shutdown(&self) {
        let jobs: Vec<Arc<Job>> = lock(&self.jobs).values().cloned().collect();
        for job in jobs {
            job.cancel.cancel();
            let task = lock(&job.task).take();
            if let Some(task) = task
                && task.await.is_err()
            {
                tracing::warn!("work on a dataset ended unexpectedly");
            }
        }
    }

    /// Ends the previews that are under way: the person looks at another one now.
    fn end_previews(&self) {
        for job in lock(&self.jobs).values() {
            if lock(&job.progress).work == DatasetWork::Preview {
                job.cancel.cancel();
            }
        }
    }

    /// Forgets the oldest that are over. Ids are uuid v7: they sort by age.
    fn forget_old(&self) {
        let mut jobs = lock(&self.jobs);
        let mut over: Vec<String> =
            jobs.iter().filter(|(_, job)| lock(&job.progress).ended.is_some()).map(|(id, _)| id.clone()).collect();
        over.sort();
        let excess = over.len().saturating_sub(KEPT_JOBS);
        for id in over.into_iter().take(excess) {
            jobs.remove(&id);
        }
    }

    fn tell(&self, job: &Job, change: impl FnOnce(&mut DatasetProgress)) {
        let progress = {
            let mut progress = lock(&job.progress);
            change(&mut progress);
            progress.clone()
        };
        self.hub.emit(&Event::dataset_topic(&progress.id), EventBody::DatasetProgress(progress));
    }
}

/// What rows are rendered with.
pub(crate) struct Means {
    pub(crate) renderer: Arc<dyn Renderer>,
    pub(crate) model: Option<DatasetModel>,
    pub(crate) size: Option<ModelSize>,
}

impl App {
    /// The folder of all versions.
    pub(crate) fn datasets_folder(&self) -> PathBuf {
        self.workspace.join("datasets").into_std_path_buf()
    }

    pub(crate) async fn start_dataset(
        &self,
        plan: DatasetPlan,
        work: DatasetWork,
    ) -> Result<DatasetProgress, ApiError> {
        check(&plan, work)?;
        let means = self.dataset_means(plan.model.as_deref(), &plan).await?;
        if work == DatasetWork::Preview {
            self.datasets.end_previews();
        }
        let id = new_id();
        let progress = DatasetProgress { id: id.clone(), work, ..DatasetProgress::default() };
        let job = Arc::new(Job {
            cancel: CancellationToken::new(),
            progress: Mutex::new(progress.clone()),
            tally: Arc::new(Mutex::new(Tally::new(plan.dedupe, means.renderer.is_estimate()))),
            size: Mutex::new(means.size),
            task: Mutex::default(),
        });
        self.datasets.forget_old();
        lock(&self.datasets.jobs).insert(id, Arc::clone(&job));
        let worker = Worker {
            datasets: Arc::clone(&self.datasets),
            job: Arc::clone(&job),
            store: self.store.clone(),
            plan: Arc::new(plan),
            means: Arc::new(means),
            root: self.datasets_folder(),
            work,
        };
        *lock(&job.task) = Some(tokio::spawn(worker.run()));
        Ok(progress)
    }

    /// What rows are rendered with: a model of the list, or an estimate.
    pub(crate) async fn dataset_means(&self, model: Option<&str>, plan: &DatasetPlan) -> Result<Means, ApiError> {
        let Some(reference) = model.filter(|it| !it.is_empty()) else {
            return Ok(Means { renderer: Arc::new(EstimateRenderer::default()), model: None, size: None });
        };
        let kwargs = kwargs(&plan.kwargs)?;
        let (entry, loaded) = self.model(Some(reference)).await?;
        let path = PathBuf::from(&entry.path);
        crate::blocking(move || {
            let renderer = RowModel::new(&entry, loaded, None, &kwargs).api()?;
            Ok(Means { model: Some(renderer.model()), renderer: Arc::new(renderer), size: size_of(&path) })
        })
        .await?
    }
}

fn check(plan: &DatasetPlan, work: DatasetWork) -> Result<(), ApiError> {
    if work == DatasetWork::Build && plan.name.trim().is_empty() {
        return Err(ApiError::invalid("The dataset has no name yet."));
    }
    if !(0.0..1.0).contains(&plan.validation_fraction) {
        return Err(ApiError::invalid("The part for validation must be from 0 to below 1, such as 0.1."));
    }
    if plan.max_tokens == Some(0) {
        return Err(ApiError::invalid("A row of no tokens trains nothing: the limit must be at least 1."));
    }
    kwargs(&plan.kwargs).map(drop)
}

/// How large a model is, by its config.json, where it has one of a kind that is known.
fn size_of(folder: &Path) -> Option<ModelSize> {
    let text = std::fs::read(folder.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let number = |name: &str| config.get(name).and_then(serde_json::Value::as_u64);
    let (hidden, layers, vocabulary) = (number("hidden_size")?, number("num_hidden_layers")?, number("vocab_size")?);
    let (inner, heads) = (number("intermediate_size")?, number("num_attention_heads")?);
    let head = number("head_dim").unwrap_or(hidden.checked_div(heads)?);
    let kv_heads = number("num_key_value_heads").unwrap_or(heads);
    let attention = hidden * head * (heads + kv_heads) * 2;
    let embeddings =
        if config.get("tie_word_embeddings").and_then(serde_json::Value::as_bool) == Some(false) { 2 } else { 1 };
    let parameters = layers * (attention + 3 * hidden * inner) + embeddings * vocabulary * hidden;
    Some(ModelSize { parameters, layers, hidden, vocabulary })
}

/// What the thread that counts and writes is handed.
enum Handed {
    Trace(Box<(Source, Prepared, Made)>),
    LeftOut(String),
    Pair(Box<PreferenceRow>),
}

struct Worker {
    datasets: Arc<Datasets>,
    job: Arc<Job>,
    store: Store,
    plan: Arc<DatasetPlan>,
    means: Arc<Means>,
    root: PathBuf,
    work: DatasetWork,
}

/// What a build ends with, where it is not an error.
enum Ended {
    Done(Option<Box<Built>>),
    Cancelled,
}

impl Worker {
    async fn run(self) {
        let ended = match Box::pin(self.carry_out()).await {
            Ok(Ended::Cancelled) => "cancelled".to_owned(),
            Ok(Ended::Done(None)) => "done".to_owned(),
            Ok(Ended::Done(Some(built))) => match self.keep(&built).await {
                Ok(()) => "done".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let rows = lock(&self.job.tally).rows();
        self.datasets.tell(&self.job, |progress| {
            progress.rows = rows;
            progress.ended = Some(ended);
        });
    }

    /// Puts a version on the list.
    async fn keep(&self, built: &Built) -> Result<(), ApiError> {
        let version = built.manifest.version(jiff::Timestamp::now().as_millisecond());
        self.store.add_dataset(&version).await.api()?;
        // Where it was there before, with the date of then.
        let version = self.store.dataset(&version.id).await.api()?;
        self.datasets.hub.emit(Event::DATASETS, EventBody::DatasetsChanged);
        let mut progress = lock(&self.job.progress);
        progress.version = Some(version);
        progress.was_there = built.was_there;
        Ok(())
    }

    async fn carry_out(&self) -> Result<Ended, ApiError> {
        let (chosen, problems) = self.choose().await?;
        let total = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        lock(&self.job.tally).problems.extend(problems);
        self.datasets.tell(&self.job, |progress| progress.total_traces = total);
        let (used, left_out) = self.pick(chosen);
        let pairs = if self.plan.preferences { self.store.pairs().await.api()? } else { Vec::new() };
        let splits = Arc::new(self.split(&used, &pairs).await?);
        lock(&self.job.tally).problems.extend(splits.problems.iter().cloned());

        let (sender, receiver) = mpsc::channel(AHEAD);
        let sink = self.start_sink(receiver, Arc::clone(&splits))?;
        let feeding = self.feed(&used, left_out, &pairs, &splits, sender).await;
        let sunk = sink.await.map_err(|error| {
            ApiError::new(ErrorCode::Internal, format!("A background task ended unexpectedly: {error}."))
        })?;
        // What went wrong with writing is the reason for which feeding ended, too.
        let build = sunk?;
        feeding?;
        if self.job.cancel.is_cancelled() {
            return Ok(Ended::Cancelled);
        }
        let Some(build) = build else { return Ok(Ended::Done(None)) };
        let (tally, model) = (Arc::clone(&self.job.tally), self.means.model.clone());
        let built = crate::blocking(move || build.finish(&lock(&tally), model).api()).await??;
        Ok(Ended::Done(Some(Box::new(built))))
    }

    /// The traces of the plan, oldest first, and what of the query was not understood.
    async fn choose(&self) -> Result<(Vec<TraceSummary>, Vec<String>), ApiError> {
        let (mut ids, problems) = match &self.plan.traces {
            TraceChoice::Ids(ids) => (ids.clone(), Vec::new()),
            TraceChoice::Query(search) => {
                let query = TraceQuery { search: search.clone(), limit: 1, ..TraceQuery::default() };
                let problems = self.store.list(query.clone()).await.api()?.problems;
                (self.store.ids(&query).await.api()?, problems)
            }
        };
        // Ids are uuid v7: they sort by age.
        ids.sort();
        ids.dedup();
        let mut chosen = Vec::with_capacity(ids.len());
        for id in ids {
            if self.job.cancel.is_cancelled() {
                break;
            }
            chosen.push(self.store.summary(&id).await.api()?);
        }
        Ok((chosen, problems))
    }

    /// Those that rows are made of, and why the others are left out.
    fn pick(&self, chosen: Vec<TraceSummary>) -> (Vec<TraceSummary>, Vec<String>) {
        let (mut used, mut left_out) = (Vec::with_capacity(chosen.len()), Vec::new());
        for trace in chosen {
            let why = if !trace.state.is_final() {
                "their runs are not over"
            } else if trace.review.status == ReviewStatus::Rejected {
                "they are rejected"
            } else if self.plan.accepted_only && trace.review.status != ReviewStatus::Accepted {
                "they are not accepted"
            } else {
                used.push(trace);
                continue;
            };
            left_out.push(why.to_owned());
        }
        (used, left_out)
    }

    async fn split(&self, used: &[TraceSummary], pairs: &[PreferencePair]) -> Result<Splits, ApiError> {
        let plan = &self.plan;
        let ids: Vec<String> = used.iter().map(|trace| trace.id.clone()).collect();
        let mut bonds: Vec<(String, String)> = Vec::new();
        if plan.validation_fraction > 0.0 || !plan.by_hand.is_empty() {
            let branch = |trace: &TraceSummary| Some((trace.id.clone(), trace.branch.as_ref()?.trace_id.clone()));
            bonds.extend(used.iter().filter_map(branch));
            bonds.extend(pairs.iter().map(|pair| (pair.chosen.clone(), pair.rejected.clone())));
            let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
            let prints = self.store.fingerprints(&TraceQuery::default()).await.api()?;
            let (names, prints): (Vec<String>, Vec<Vec<u8>>) =
                prints.into_iter().filter(|(id, _)| wanted.contains(id.as_str())).unzip();
            let groups = crate::blocking(move || tw_review::group_alike(&prints, ALIKE_PERCENT)).await?;
            for (places, _) in groups {
                bonds.extend(places.windows(2).map(|two| (names[two[0]].clone(), names[two[1]].clone())));
            }
        }
        Ok(Splits::of(&ids, &bonds, plan.validation_fraction, plan.seed, &plan.by_hand))
    }

    /// The thread that counts and, of a build, writes. It gives back the version in the making.
    fn start_sink(
        &self,
        mut receiver: mpsc::Receiver<Handed>,
        splits: Arc<Splits>,
    ) -> Result<tokio::task::JoinHandle<Result<Option<Build>, ApiError>>, ApiError> {
        let mut build = match self.work {
            DatasetWork::Preview => None,
            DatasetWork::Build => {
                let id = lock(&self.job.progress).id.clone();
                Some(Build::begin(&self.root, &id, &self.plan).api()?)
            }
        };
        let (datasets, job, plan) = (Arc::clone(&self.datasets), Arc::clone(&self.job), Arc::clone(&self.plan));
        Ok(tokio::task::spawn_blocking(move || {
            let mut told = Instant::now();
            let mut done = 0_u32;
            while let Some(handed) = receiver.blocking_recv() {
                if job.cancel.is_cancelled() {
                    return Ok(None);
                }
                let mut tally = lock(&job.tally);
                match (handed, &mut build) {
                    (Handed::LeftOut(why), _) => {
                        tally.leave_out(&why);
                        done += 1;
                    }
                    (Handed::Trace(trace), build) => {
                        let (source, prepared, mut made) = *trace;
                        match build {
                            Some(build) => build.add(&mut tally, &source, &prepared, made, &splits).api()?,
                            None => {
                                let by_hand = plan.by_hand.contains_key(&source.id);
                                drop(tally.add(&source, &mut made, &splits, by_hand));
                            }
                        }
                        done += 1;
                    }
                    (Handed::Pair(row), Some(build)) => build.add_preference(&mut tally, &row).api()?,
                    (Handed::Pair(row), None) => tally.add_preference(row.split),
                }
                let rows = tally.rows();
                drop(tally);
                if told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    datasets.tell(&job, |progress| (progress.done_traces, progress.rows) = (done, rows));
                }
            }
            datasets.tell(&job, |progress| progress.done_traces = done);
            Ok(build)
        }))
    }

    /// Loads traces, makes their rows, hands them on in order. Ends early when nobody takes them any more.
    async fn feed(
        &self,
        used: &[TraceSummary],
        left_out: Vec<String>,
        pairs: &[PreferencePair],
        splits: &Splits,
        sender: mpsc::Sender<Handed>,
    ) -> Result<(), ApiError> {
        for why in left_out {
            if sender.send(Handed::LeftOut(why)).await.is_err() {
                return Ok(());
            }
        }
        let works: Vec<_> = used.iter().map(|trace| self.make(trace)).collect();
        let mut made = futures::stream::iter(works).buffered(MADE_AT_ONCE);
        while let Some(trace) = made.next().await {
            let handed = Handed::Trace(Box::new(trace?));
            if self.job.cancel.is_cancelled() || sender.send(handed).await.is_err() {
                return Ok(());
            }
        }
        let known: HashSet<&str> = used.iter().map(|trace| trace.id.as_str()).collect();
        for pair in pairs.iter().filter(|pair| known.contains(pair.chosen.as_str())) {
            let (better, worse) = (self.load(&pair.chosen).await?, self.load(&pair.rejected).await?);
            let split = splits.part(&pair.chosen);
            let row = PreferenceRow::of((&better.0, &better.1), (&worse.0, &worse.1), split);
            if let Some(row) = row
                && sender.send(Handed::Pair(Box::new(row))).await.is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<(Source, Prepared), ApiError> {
        let summary = self.store.summary(id).await.api()?;
        let source = self.source(&summary).await?;
        let prepared = Prepared::of(&source, &self.plan, &*self.means.renderer);
        Ok((source, prepared))
    }

    async fn source(&self, summary: &TraceSummary) -> Result<Source, ApiError> {
        let edition = self.store.edition(&summary.id, None).await.api()?;
        let steering = if self.plan.drop_steering {
            String::new()
        } else {
            let trace = self.store.trace(&summary.id).await.api()?;
            trace.settings.map(|settings| settings.spec.steering_prompt).unwrap_or_default()
        };
        let matters = |severity: Severity| matches!(severity, Severity::Error | Severity::Warning);
        let findings: Vec<LintRule> =
            summary.findings.iter().filter(|found| matters(found.severity)).map(|found| found.rule).collect();
        let (messages, marks) = edition.messages.into_iter().map(|it| (it.message, it.marks)).unzip();
        Ok(Source {
            id: summary.id.clone(),
            title: summary.title.clone(),
            revision: edition.revision,
            timestamp_ms: summary.created_at_ms,
            model: summary.model.clone(),
            messages,
            marks,
            tools: edition.tools,
            tags: summary.review.tags.clone(),
            rating: summary.review.rating,
            steering,
            findings,
        })
    }

    async fn make(&self, summary: &TraceSummary) -> Result<(Source, Prepared, Made), ApiError> {
        let source = self.source(summary).await?;
        let key = self.key(summary, &source);
        let known = lock(&self.datasets.cache).made.get(&key).cloned();
        let (plan, means) = (Arc::clone(&self.plan), Arc::clone(&self.means));
        let datasets = Arc::clone(&self.datasets);
        crate::blocking(move || {
            let prepared = Prepared::of(&source, &plan, &*means.renderer);
            let made = known.unwrap_or_else(|| {
                let made = Arc::new(Made::of(&source, &prepared, &plan, &*means.renderer));
                lock(&datasets.cache).put(key, &made);
                made
            });
            (source, prepared, Made::clone(&made))
        })
        .await
    }

    /// What a trace's rows depend on.
    fn key(&self, summary: &TraceSummary, source: &Source) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let plan = DatasetPlan {
            name: String::new(),
            traces: TraceChoice::Ids(Vec::new()),
            validation_fraction: 0.0,
            seed: 0,
            by_hand: std::collections::BTreeMap::new(),
            ..DatasetPlan::clone(&self.plan)
        };
        let mut hasher = DefaultHasher::new();
        (&source.id, source.revision, summary.updated_at_ms, source.messages.len(), source.timestamp_ms)
            .hash(&mut hasher);
        source.findings.hash(&mut hasher);
        serde_json::to_string(&(plan, &self.means.model)).unwrap_or_default().hash(&mut hasher);
        hasher.finish()
    }
}

impl IntoApi for tw_dataset::Error {
    fn into_api(self) -> ApiError {
        let message = tw_collect::sentence(&self.to_string());
        if self.is_disk_full() {
            return ApiError::new(ErrorCode::DiskFull, message)
                .with_hint("Free some space on the disk that holds the workspace, then try again. Nothing was kept.");
        }
        match self {
            Self::Plan(_) => ApiError::invalid(message),
            Self::NoRows { .. } => {
                ApiError::invalid(message).with_hint("Look at the preview: it says what was left out and why.")
            }
            Self::NoRow(_) => ApiError::new(ErrorCode::NotFound, message),
            Self::NotRendered { .. } => ApiError::invalid(message).with_hint("Choose another model."),
            _ => ApiError::new(ErrorCode::Internal, message),
        }
    }
}
