//! The app without its window: carries out every command of the contract over the stages and foundations.
//!
//! In: commands by name with JSON ([`App::call`]). Out: replies, [`ApiError`]s, and events ([`App::events`]).
//! Never: a window, an HTTP server, or a decision that belongs to a stage.

mod assist;
mod card;
mod commands;
mod dataset_export;
mod dataset_render;
mod dataset_work;
mod datasets;
mod desk;
mod endpoints;
mod errors;
mod exam;
mod export;
mod gate;
mod hub;
mod import;
mod incoming;
mod lens;
mod linters;
mod live;
mod models;
mod publish;
mod pull;
mod remote;
mod remote_rows;
mod render;
mod reports;
mod rerun;
mod review;
mod runs;
mod servers;
mod shorten;
mod sweep;
mod traces;
mod train;
mod train_base;
mod train_curves;
mod train_job;
mod train_machine;
mod train_plan;
mod train_queue;
mod train_record;
mod train_rows;
mod train_speed;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::broadcast;
use tw_contract::{ApiError, Event};
use tw_mcp::LaunchContext;
use tw_store::Store;
use tw_vault::Vault;

use crate::dataset_work::Datasets;
use crate::desk::Desks;
use crate::errors::Api;
use crate::exam::Evals;
use crate::hub::Hub;
use crate::import::Imports;
use crate::models::Models;
use crate::remote::Remote;
use crate::runs::Runs;
use crate::servers::Servers;
pub use crate::traces::free_name;
pub use crate::train::{TrainDesk, merge_folders};
use crate::train_queue::Trains;
pub use tw_evaluate::to_markdown as report_as_markdown;

/// How servers and sign-ins reach the world outside of this process.
#[derive(Clone)]
pub struct AppOptions {
    /// The workspace folder; made when it is not there.
    pub workspace: Utf8PathBuf,
    /// A program that runs [`tw_mcp::guard`] when called with `__guard`: this one. `None` starts servers without.
    pub guard_exe: Option<PathBuf>,
    /// The program that trains; `None` for the one beside this program. `TRACEWRIGHT_WORKER` goes before both.
    pub worker: Option<PathBuf>,
    /// Opens a page in the system browser.
    pub open_url: Arc<dyn Fn(&str) + Send + Sync>,
    /// Where secrets are; `None` for the OS keyring.
    pub vault: Option<Vault>,
}

/// The app over one workspace. One process opens a workspace at a time.
pub struct App {
    workspace: Utf8PathBuf,
    store: Store,
    desks: Desks,
    vault: Vault,
    hub: Arc<Hub>,
    imports: Arc<Imports>,
    datasets: Arc<Datasets>,
    evals: Arc<Evals>,
    models: Arc<Models>,
    remote: Arc<Remote>,
    runs: Arc<Runs>,
    servers: Arc<Servers>,
    trains: Arc<Trains>,
    context: LaunchContext,
    open_url: Arc<dyn Fn(&str) + Send + Sync>,
}

impl App {
    /// Opens a workspace. Runs that an earlier process left unfinished are marked as interrupted.
    ///
    /// # Errors
    /// The folder cannot be made or written, another process has it open, or its database is newer than this app.
    pub async fn open(options: AppOptions) -> Result<Arc<Self>, ApiError> {
        let folder = options.workspace.clone();
        let store = blocking(move || Store::open(&folder)).await?.api()?;
        remote::clear_left_overs(&options.workspace);
        let vault = match options.vault {
            Some(vault) => vault,
            None => blocking(Vault::open).await?,
        };
        let hub = Arc::new(Hub::new());
        // The login shell may take a second to say its PATH: it is asked when the first server starts.
        let mut context = LaunchContext::new(String::new(), options.workspace.clone().into_std_path_buf());
        context.guard_exe = options.guard_exe;
        let servers = Servers::new(
            store.clone(),
            vault.clone(),
            Arc::clone(&hub),
            context.clone(),
            Arc::clone(&options.open_url),
        );
        let (folder, events, worker) = (options.workspace.clone(), Arc::clone(&hub), options.worker);
        let trains = blocking(move || Trains::open(folder.as_std_path(), events, worker)).await?;
        let app = Arc::new(Self {
            workspace: options.workspace,
            store,
            desks: Desks::default(),
            vault,
            imports: Imports::new(Arc::clone(&hub)),
            trains,
            datasets: Datasets::new(Arc::clone(&hub)),
            evals: Arc::default(),
            hub,
            remote: Arc::default(),
            models: Arc::default(),
            runs: Arc::default(),
            servers,
            context,
            open_url: options.open_url,
        });
        app.remote.attach(&app);
        app.tidy_datasets().await?;
        app.trains.follow();
        app.start_sweeping();
        Ok(app)
    }

    /// Carries out a command: its name and its request as JSON, the reply as JSON.
    ///
    /// # Errors
    /// The command's own error, or `invalid` where there is no such command or its request cannot be read.
    pub async fn call(&self, command: &str, payload: &str) -> Result<String, ApiError> {
        tw_contract::dispatch(self, command, payload).await
    }

    /// All events from now on. A listener that falls far behind is told so and must fetch anew.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.hub.subscribe()
    }

    /// Stops all runs and ends all servers and their processes, within about ten seconds. A training's worker goes on.
    pub async fn shutdown(&self) {
        let work = async {
            tokio::join!(
                self.runs.shutdown(),
                self.servers.shutdown(),
                self.imports.shutdown(),
                self.datasets.shutdown(),
                self.evals.shutdown(),
                self.remote.shutdown(),
                self.trains.shutdown()
            )
        };
        if tokio::time::timeout(Duration::from_secs(10), work).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
    }
}

/// The platform's folder for this app's data; `None` where the system names no home.
#[must_use]
pub fn default_workspace() -> Option<Utf8PathBuf> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Utf8PathBuf::from);
    let base = if cfg!(target_os = "windows") {
        variable("APPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("org.tracewright.desktop"))
}

/// Libraries that log what is told to the person anyway, and more than that: what servers ask and people answer, every try
/// of a request.
const TALKATIVE: &str = "hf_hub=off,xet=off,xet_client=off,xet_data=off,xet_runtime=off";

/// What is logged: the directives of `RUST_LOG` where it is set, else `default`. What servers ask and people answer stays
/// out of the log unless the library that would write it is named: `rmcp=debug`.
#[must_use]
pub fn log_filter(from_env: Option<&str>, default: &str) -> String {
    match from_env.map(str::trim).filter(|directives| !directives.is_empty()) {
        // The last word about a target counts.
        Some(directives) => format!("rmcp=warn,{TALKATIVE},{directives}"),
        None => format!("{TALKATIVE},{default}"),
    }
}

/// Runs as the guard of an MCP server's processes when the arguments (the program's own name first) ask for that;
/// `None` when they do not. Every program that opens an [`App`] calls it first.
#[must_use]
pub fn run_guard_if_asked(arguments: &[std::ffi::OsString]) -> Option<ExitCode> {
    tw_mcp::guard::run_if_asked(arguments)
}

/// The data behind it are whole after any panic: every change is a single call or assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what blocks (the keyring) beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        ApiError::new(tw_contract::ErrorCode::Internal, format!("A background task ended unexpectedly: {error}."))
    })
}
