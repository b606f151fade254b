//! Trainings as the commands have them, and for programs that look at a workspace which another one has open.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use camino::Utf8Path;
use tw_contract::{
    ApiError, ErrorCode, ModelAdd, TrainJob, TrainMerge, TrainMerged, TrainOptions, TrainPlan, TrainSettings, TrainView,
};
use tw_jobs::{Command, Event as Said, JobFolder};

use crate::App;
use crate::endpoints::new_id;
use crate::errors::IntoApi;
use crate::hub::Hub;
use crate::train_machine::{Workers, free_disk};
use crate::train_plan::{disk_bytes, refused};
use crate::train_queue::Trains;
use crate::train_rows::{ROWS, VALIDATION};

/// The longest that a name made of the base's and the dataset's is.
const LONGEST_NAME: usize = 80;

impl App {
    pub(crate) async fn train_options_of(&self) -> Result<TrainOptions, ApiError> {
        let bases = self.bases().await?;
        let (trains, workspace) = (Arc::clone(&self.trains), self.workspace.clone());
        let machine = crate::blocking(move || trains.workers.machine(workspace.as_std_path())).await?;
        Ok(match machine {
            Ok(machine) => TrainOptions { machine: Some(machine), problem: None, bases },
            Err(error) => TrainOptions { machine: None, problem: Some(error.to_string()), bases },
        })
    }

    pub(crate) async fn plan_train(&self, settings: &TrainSettings) -> Result<TrainPlan, ApiError> {
        let cancel = self.trains.begin_plan();
        Ok(self.plan_training(settings, &cancel).await?.plan)
    }

    pub(crate) async fn start_train(&self, settings: TrainSettings) -> Result<TrainJob, ApiError> {
        // Ends when the caller goes away, and with nothing else.
        let cancel = tokio_util::sync::CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let planned = self.plan_training(&settings, &cancel).await?;
        drop(guard.disarm());
        if let Some(refusal) = &planned.plan.refusal {
            return Err(refused(refusal));
        }
        let Some((prepared, spec)) = planned.ready else {
            return Err(ApiError::new(ErrorCode::Internal, "The plan has no rows."));
        };
        let version = planned.version.version;
        let (rows, validation) = prepared.files();
        let needed = disk_bytes(&planned.plan, &settings, &rows);
        if let Some(free) = free_disk(self.workspace.as_std_path()).filter(|free| *free < needed) {
            let megabytes = |bytes: u64| crate::card::thousands(bytes / 1_000_000);
            let message = format!(
                "The disk of the workspace is too full: this training writes about {} MB, and {} MB are free.",
                megabytes(needed),
                megabytes(free)
            );
            return Err(ApiError::new(ErrorCode::DiskFull, message)
                .with_hint("Make room, keep fewer checkpoints, or choose a smaller rank."));
        }
        let name = match settings.name.trim() {
            "" => format!("{} on {}", planned.base.model.name, version.name).chars().take(LONGEST_NAME).collect(),
            given => given.to_owned(),
        };
        let job = TrainJob {
            id: new_id(),
            name,
            settings,
            dataset_name: version.name,
            dataset_id: version.id,
            base_name: planned.base.model.name,
            plan: planned.plan,
            created_at_ms: jiff::Timestamp::now().as_millisecond(),
            ..TrainJob::default()
        };
        let trains = Arc::clone(&self.trains);
        crate::blocking(move || {
            trains.enter(job, |folder| {
                share(&rows, &folder.join(ROWS))?;
                if let Some(validation) = validation {
                    share(&validation, &folder.join(VALIDATION))?;
                }
                JobFolder::create(folder, &spec).map(drop).map_err(IntoApi::into_api)
            })
        })
        .await?
    }

    /// Does something with the queue beside the async threads.
    pub(crate) async fn with_trains<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Trains) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let trains = Arc::clone(&self.trains);
        crate::blocking(move || work(&trains)).await
    }

    pub(crate) async fn merge_train(&self, request: TrainMerge) -> Result<TrainMerged, ApiError> {
        let id = request.id.clone();
        let job = self.with_trains(move |trains| trains.view(&id)).await??.job;
        let Some(adapter) = job.adapter.map(PathBuf::from) else {
            return Err(ApiError::invalid("This training has no adapter yet.").with_hint("Wait until it is done."));
        };
        let base = JobFolder::at(Path::new(&job.folder)).spec().map_err(IntoApi::into_api)?.model;
        let out = match request.out.as_deref().map(str::trim).filter(|out| !out.is_empty()) {
            Some(out) => {
                let out = PathBuf::from(out);
                if !out.is_absolute() {
                    return Err(ApiError::invalid("The folder for the merged model must be a whole path."));
                }
                out
            }
            None => free_folder(self.workspace.join("models").as_std_path(), &folder_name(&job.name)),
        };
        let trains = Arc::clone(&self.trains);
        let written = out.clone();
        crate::blocking(move || merge(&trains.workers, &base, &adapter, &written, &|_| {})).await??;
        let folder = out.display().to_string();
        let model = if request.add {
            let add = ModelAdd { path: folder.clone(), name: format!("{} (merged)", job.name) };
            Some(self.add_model(add).await?.id)
        } else {
            None
        };
        Ok(TrainMerged { folder, model })
    }
}

/// A name that every disk takes.
fn folder_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).take(60).collect();
    let name = name.trim_matches(['_', '.']).to_owned();
    if name.is_empty() { "merged".to_owned() } else { name }
}

/// A folder of that name that is not there yet.
fn free_folder(parent: &Path, name: &str) -> PathBuf {
    let numbered = |number: u32| if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
    (1..).map(|number| parent.join(numbered(number))).find(|path| !path.exists()).unwrap_or_else(|| parent.join(name))
}

/// The same file under another name; a copy where the disk has no such thing.
fn share(from: &Path, to: &Path) -> Result<(), ApiError> {
    std::fs::hard_link(from, to)
        .or_else(|_| std::fs::copy(from, to).map(drop))
        .map_err(|source| tw_jobs::Error::File { path: to.to_owned(), source }.into_api())
}

/// Writes a merged model; `tell` hears how far it is, in words.
fn merge(workers: &Workers, base: &Path, adapter: &Path, out: &Path, tell: &dyn Fn(&str)) -> Result<(), ApiError> {
    if out.exists() {
        let message = format!("{} is there already.", out.display());
        return Err(ApiError::new(ErrorCode::Invalid, message).with_hint("Choose a folder that is not there yet."));
    }
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|source| tw_jobs::Error::File { path: parent.to_owned(), source }.into_api())?;
    }
    let command = Command::Merge { base: base.to_owned(), adapter: adapter.to_owned(), out: out.to_owned() };
    let answer = workers.start(&TrainSettings::default())?.ask(&command, |event| {
        if let Some(Said::Log { message }) = event {
            tell(message);
        }
        ControlFlow::Continue(())
    });
    match answer.map_err(IntoApi::into_api)? {
        Some(Said::Done { .. }) => Ok(()),
        Some(Said::Failed { message, .. }) => Err(ApiError::invalid(tw_collect::sentence(&message))
            .with_hint("Both folders must be whole and belong together, and the disk must have room.")),
        _ => Err(ApiError::new(ErrorCode::Internal, "The program that merges ended without a word.")),
    }
}

/// Merges an adapter's folder into a base model's, without a workspace; `tell` hears how far it is.
///
/// # Errors
/// The worker is missing, a folder cannot be read, they do not belong together, or `out` is there or cannot be written.
pub fn merge_folders(base: &Path, adapter: &Path, out: &Path, tell: &dyn Fn(&str)) -> Result<(), ApiError> {
    merge(&Workers::new(None), base, adapter, out, tell)
}

/// The trainings of a workspace, also while another process has it open: looked at, paused, resumed, stopped.
pub struct TrainDesk(Arc<Trains>);

impl TrainDesk {
    /// The trainings as they stand.
    #[must_use]
    pub fn open(workspace: &Utf8Path) -> Self {
        Self::open_with(workspace, None)
    }

    /// The same with the program that trains, as in [`crate::AppOptions`].
    #[must_use]
    pub fn open_with(workspace: &Utf8Path, worker: Option<PathBuf>) -> Self {
        let trains = Trains::open(workspace.as_std_path(), Arc::new(Hub::new()), worker);
        let desk = Self(trains);
        desk.0.look();
        desk
    }

    /// All of them, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<TrainJob> {
        self.0.look();
        self.0.list()
    }

    /// All of one, by its id or the beginning of it.
    ///
    /// # Errors
    /// There is no such.
    pub fn view(&self, id: &str) -> Result<TrainView, ApiError> {
        self.0.look();
        self.0.view(id)
    }

    /// Holds one after its current step.
    ///
    /// # Errors
    /// There is no such, or it does not run.
    pub fn pause(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.0.pause(id)
    }

    /// Lets one go on. Where it has no worker, it joins the queue, and is started at once if it is its turn.
    ///
    /// # Errors
    /// There is no such, or it is done.
    pub fn resume(&self, id: &str) -> Result<TrainJob, ApiError> {
        let job = self.0.resume(id)?;
        self.0.tick();
        Ok(self.0.view(&job.id)?.job)
    }

    /// Ends one after its current step.
    ///
    /// # Errors
    /// There is no such, or it is over.
    pub fn stop(&self, id: &str) -> Result<TrainJob, ApiError> {
        self.0.stop(id)
    }
}
