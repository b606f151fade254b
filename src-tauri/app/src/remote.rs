//! The Hub, as this workspace stands to it: who is signed in, and the pushes, pulls and downloads of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tw_contract::{
    ApiError, ErrorCode, Event, EventBody, HubAccount, HubDownload, HubEnd, HubJob, HubJobKind, HubLogin, HubOutcome,
    HubPhase, HubPull, HubStatus, HubTokenSource, PublishPlan,
};
use tw_hub::{
    Account, DEFAULT_ENDPOINT, FoundToken, HubClient, HubError, HubOptions, Step, TokenSource, Update, Watch, Work,
    endpoint_from_env, find_token,
};
use tw_vault::Secret;

use crate::App;
use crate::endpoints::new_id;
use crate::errors::{Api, IntoApi};
use crate::hub::Hub;
use crate::lock;

/// The setting with the address of another Hub; goes before `HF_ENDPOINT`.
const ENDPOINT_KEY: &str = "hub-endpoint";
/// Between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Jobs whose end is remembered.
const KEPT_JOBS: usize = 32;
/// Over how long the speed is taken.
const SPEED_OVER: Duration = Duration::from_secs(5);

/// What a job was started with: it is taken up again with the same.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Looks what a push would do.
    Check,
    /// A push.
    Publish(Box<PublishPlan>),
    /// Rows of a dataset.
    Pull(Box<HubPull>),
    /// Files into a folder.
    Download(Box<HubDownload>),
}

/// A push, a pull or a download.
pub(crate) struct Job {
    order: Order,
    hub: Arc<Hub>,
    state: Mutex<HubJob>,
    cancel: Mutex<CancellationToken>,
    meter: Mutex<Meter>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Meter {
    told: Option<Instant>,
    marks: Vec<(Instant, u64)>,
}

impl Job {
    pub(crate) fn view(&self) -> HubJob {
        lock(&self.state).clone()
    }

    pub(crate) fn cancel_token(&self) -> CancellationToken {
        lock(&self.cancel).clone()
    }

    /// Changes what is known of the job, and tells it: at once where that matters, otherwise ten times a second.
    pub(crate) fn tell(&self, at_once: bool, change: impl FnOnce(&mut HubJob)) {
        let view = {
            let mut state = lock(&self.state);
            change(&mut state);
            let mut meter = lock(&self.meter);
            let now = Instant::now();
            if !at_once && meter.told.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
                return;
            }
            meter.told = Some(now);
            let done = state.done;
            meter.marks.push((now, done));
            meter.marks.retain(|(at, before)| now.duration_since(*at) < SPEED_OVER && *before <= done);
            state.bytes_per_sec = meter.marks.first().map_or(0, |(at, before)| {
                let millis = u64::try_from(now.duration_since(*at).as_millis()).unwrap_or(u64::MAX);
                (done - before).saturating_mul(1000).checked_div(millis).unwrap_or_default()
            });
            let mut view = state.clone();
            if let Some(HubEnd::Done(outcome)) = &mut view.ended {
                outcome.traces = Vec::new();
            }
            view
        };
        self.hub.emit(&Event::hub_topic(&view.id), EventBody::HubJob(Box::new(view)));
    }

    pub(crate) fn begins(&self, phase: HubPhase, total: u64) {
        lock(&self.meter).marks.clear();
        self.tell(true, |job| {
            job.phase = phase;
            job.done = 0;
            job.total = total;
            job.file.clear();
        });
    }

    /// What the Hub's client is given: it tells this job, and ends with it.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        let job = Arc::clone(self);
        let watch: Watch = Arc::new(move |update| match update {
            Update::Begins { step, total } => job.begins(phase_of(step), total),
            Update::Done(done) => job.tell(false, |job| {
                job.done = done;
                job.note.clear();
            }),
            Update::File(file) => job.tell(false, |job| job.file = file),
            Update::Retrying { reason } => job.tell(true, |job| job.note = tw_collect::sentence(&reason)),
        });
        Work::new(watch, self.cancel_token())
    }
}

const fn phase_of(step: Step) -> HubPhase {
    match step {
        Step::Asking => HubPhase::Asking,
        Step::Sending => HubPhase::Sending,
        Step::Committing => HubPhase::Committing,
        Step::Fetching => HubPhase::Fetching,
        Step::Verifying => HubPhase::Verifying,
    }
}

/// Pushes, pulls and downloads of this process.
#[derive(Default)]
pub(crate) struct Remote {
    jobs: Mutex<HashMap<String, Arc<Job>>>,
    app: OnceLock<Weak<App>>,
}

impl Remote {
    /// Lets jobs work with the app that they belong to.
    pub(crate) fn attach(&self, app: &Arc<App>) {
        // There is one app for each of these.
        drop(self.app.set(Arc::downgrade(app)));
    }

    /// The newest first, without what is only looked at.
    pub(crate) fn jobs(&self) -> Vec<HubJob> {
        let jobs = lock(&self.jobs);
        let mut views: Vec<HubJob> =
            jobs.values().filter(|job| !matches!(job.order, Order::Check)).map(|job| job.view()).collect();
        views.sort_by(|one, other| other.id.cmp(&one.id));
        views
    }

    fn job(&self, id: &str) -> Result<Arc<Job>, ApiError> {
        lock(&self.jobs).get(id).cloned().ok_or_else(|| ApiError::not_found("push, pull or download"))
    }

    pub(crate) fn view(&self, id: &str) -> Result<HubJob, ApiError> {
        Ok(self.job(id)?.view())
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<(), ApiError> {
        self.job(id)?.cancel_token().cancel();
        Ok(())
    }

    pub(crate) async fn shutdown(&self) {
        let jobs: Vec<Arc<Job>> = lock(&self.jobs).values().cloned().collect();
        for job in jobs {
            job.cancel_token().cancel();
            let task = lock(&job.task).take();
            if let Some(task) = task
                && task.await.is_err()
            {
                tracing::warn!("a push, pull or download ended unexpectedly");
            }
        }
    }

    /// A job that is known from now on. A check has the id of what is checked: one that still runs is ended.
    pub(crate) fn enter(&self, hub: &Arc<Hub>, id: &str, order: Order, repo: &str) -> Arc<Job> {
        let kind = match &order {
            Order::Check | Order::Publish(_) => HubJobKind::Publish,
            Order::Pull(_) => HubJobKind::Pull,
            Order::Download(_) => HubJobKind::Download,
        };
        let state = HubJob {
            id: id.to_owned(),
            kind,
            repo: repo.to_owned(),
            started_at_ms: jiff::Timestamp::now().as_millisecond(),
            ..HubJob::default()
        };
        let job = Arc::new(Job {
            order,
            hub: Arc::clone(hub),
            state: Mutex::new(state),
            cancel: Mutex::new(CancellationToken::new()),
            meter: Mutex::new(Meter { told: None, marks: Vec::new() }),
            task: Mutex::default(),
        });
        let mut jobs = lock(&self.jobs);
        let mut over: Vec<String> =
            jobs.iter().filter(|(_, job)| lock(&job.state).ended.is_some()).map(|(id, _)| id.clone()).collect();
        over.sort();
        let excess = over.len().saturating_sub(KEPT_JOBS);
        for id in over.into_iter().take(excess) {
            jobs.remove(&id);
        }
        if let Some(before) = jobs.insert(id.to_owned(), Arc::clone(&job)) {
            before.cancel_token().cancel();
        }
        job
    }

    pub(crate) fn leave(&self, id: &str) {
        lock(&self.jobs).remove(id);
    }

    fn spawn(&self, job: &Arc<Job>) -> Result<(), ApiError> {
        let gone = || ApiError::new(ErrorCode::Internal, "The app is closing.");
        let app = self.app.get().and_then(Weak::upgrade).ok_or_else(gone)?;
        let running = Arc::clone(job);
        let task = tokio::spawn(async move {
            let result = Box::pin(app.carry_out(&running)).await;
            let ended = match result {
                _ if running.cancel_token().is_cancelled() && result.is_err() => HubEnd::Cancelled,
                Ok(outcome) => HubEnd::Done(outcome),
                Err(error) => HubEnd::Failed(error),
            };
            running.tell(true, |job| {
                job.note.clear();
                job.file.clear();
                job.ended = Some(ended);
            });
        });
        *lock(&job.task) = Some(task);
        Ok(())
    }
}

/// Removes what pushes and pulls of an earlier process left in a workspace; they are begun anew.
pub(crate) fn clear_left_overs(workspace: &camino::Utf8Path) {
    for folder in ["publish", "pulled"] {
        match std::fs::remove_dir_all(workspace.join(folder)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, folder, "what an earlier push or pull left stays"),
        }
    }
}

impl App {
    /// Enters a job and sets it to work.
    pub(crate) fn start_hub_job(&self, order: Order, repo: &str) -> Result<HubJob, ApiError> {
        let job = self.remote.enter(&self.hub, &new_id(), order, repo);
        self.remote.spawn(&job)?;
        Ok(job.view())
    }

    pub(crate) fn retry_hub_job(&self, id: &str) -> Result<HubJob, ApiError> {
        let job = self.remote.job(id)?;
        {
            let mut state = lock(&job.state);
            if !matches!(state.ended, Some(HubEnd::Cancelled | HubEnd::Failed(_))) {
                return Err(ApiError::invalid("There is nothing to take up again: it did not fail."));
            }
            state.ended = None;
            *lock(&job.cancel) = CancellationToken::new();
        }
        job.begins(HubPhase::Asking, 0);
        self.remote.spawn(&job)?;
        Ok(job.view())
    }

    async fn carry_out(&self, job: &Arc<Job>) -> Result<HubOutcome, ApiError> {
        match job.order.clone() {
            Order::Check => Ok(HubOutcome::default()),
            Order::Publish(plan) => self.publish(*plan, job).await,
            Order::Pull(pull) => self.pull(*pull, job).await,
            Order::Download(download) => self.download(*download, job).await,
        }
    }

    /// The Hub's address, and whether it is another than the usual one.
    async fn hub_endpoint(&self) -> Result<(String, bool), ApiError> {
        let set: Option<String> = self.store.get_setting(ENDPOINT_KEY).await.api()?;
        let set = set.filter(|endpoint| !endpoint.trim().is_empty());
        let other = set.or_else(|| endpoint_from_env(&|name| std::env::var(name).ok()));
        let is_other = other.is_some();
        let endpoint = other.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        Ok((endpoint.trim().trim_end_matches('/').to_owned(), is_other))
    }

    async fn hub_token(&self, endpoint: &str) -> Result<Option<(Secret, HubTokenSource)>, ApiError> {
        let (vault, name) = (self.vault.clone(), vault_name(endpoint));
        crate::blocking(move || {
            let found = find_token(&|name| std::env::var(name).ok());
            let file = match found {
                Some(FoundToken { token, source: TokenSource::Environment }) => {
                    return Ok(Some((token, HubTokenSource::Environment)));
                }
                Some(FoundToken { token, source: TokenSource::File(path) }) => {
                    Some((token, HubTokenSource::File { path: path.display().to_string() }))
                }
                None => None,
            };
            let kept = vault.get(&name).map_err(IntoApi::into_api)?;
            Ok(kept.map(|token| (token, HubTokenSource::Vault)).or(file))
        })
        .await?
    }

    /// A client for the Hub as it is set, with the token in use.
    pub(crate) async fn hub_client(&self) -> Result<HubClient, ApiError> {
        let (endpoint, _) = self.hub_endpoint().await?;
        let token = self.hub_token(&endpoint).await?.map(|(token, _)| token);
        HubClient::new(HubOptions::new(&endpoint, token)).api()
    }

    pub(crate) async fn hub_state(&self) -> Result<HubStatus, ApiError> {
        let (endpoint, is_other_endpoint) = self.hub_endpoint().await?;
        let mut status = HubStatus { endpoint, is_other_endpoint, ..HubStatus::default() };
        let Some((token, source)) = self.hub_token(&status.endpoint).await? else { return Ok(status) };
        status.token_from = Some(source);
        let asked = match HubClient::new(HubOptions::new(&status.endpoint, Some(token))) {
            Ok(client) => client.whoami().await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(account) => status.account = Some(contract_account(account)),
            Err(error) => status.problem = Some(error.into_api()),
        }
        Ok(status)
    }

    pub(crate) async fn sign_in(&self, request: HubLogin) -> Result<HubStatus, ApiError> {
        let token = request.token.trim().to_owned();
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ApiError::invalid("That is not a token.")
                .with_hint("Copy it from the Hub's page of access tokens; it begins with hf_."));
        }
        let (endpoint, is_other_endpoint) = self.hub_endpoint().await?;
        if let Some((_, HubTokenSource::Environment)) = self.hub_token(&endpoint).await? {
            return Err(ApiError::invalid(
                "The environment variable HF_TOKEN is set, and goes before any other token.",
            )
            .with_hint("Start without HF_TOKEN to sign in with another token."));
        }
        let token = Secret::from(token);
        let client = HubClient::new(HubOptions::new(&endpoint, Some(token.clone()))).api()?;
        let account = client.whoami().await.api()?;
        let (vault, name) = (self.vault.clone(), vault_name(&endpoint));
        crate::blocking(move || vault.set(&name, token).map_err(IntoApi::into_api)).await??;
        Ok(HubStatus {
            endpoint,
            is_other_endpoint,
            token_from: Some(HubTokenSource::Vault),
            account: Some(contract_account(account)),
            problem: None,
        })
    }

    pub(crate) async fn sign_out(&self) -> Result<HubStatus, ApiError> {
        let (endpoint, _) = self.hub_endpoint().await?;
        let (vault, name) = (self.vault.clone(), vault_name(&endpoint));
        crate::blocking(move || vault.delete(&name).map_err(IntoApi::into_api)).await??;
        self.hub_state().await
    }
}

/// The token of one Hub is never given to another.
fn vault_name(endpoint: &str) -> String {
    format!("hub:{endpoint}")
}

fn contract_account(account: Account) -> HubAccount {
    HubAccount {
        name: account.name,
        full_name: account.full_name,
        organisations: account.organisations,
        token_name: account.token_name,
        can_write: account.can_write,
    }
}

impl IntoApi for HubError {
    fn into_api(self) -> ApiError {
        let code = match &self {
            Self::BadName { .. } | Self::BadEndpoint { .. } => ErrorCode::Invalid,
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::NameTaken { .. } | Self::Conflict { .. } | Self::HeadMoved => ErrorCode::Conflict,
            Self::DiskFull { .. } => ErrorCode::DiskFull,
            _ => ErrorCode::Hub,
        };
        let (hint, retryable) = (self.hint(), self.is_retryable());
        ApiError::new(code, tw_collect::sentence(&self.to_string())).with_hint(hint).retryable(retryable)
    }
}
