//! What driving a window and driving a browser share: children that end with their owner, free ports, the programs
//! under test, and waiting with an end.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use anyhow::{Context, Result, bail};
use thirtyfour::{By, WebDriver};

/// How long a display, a driver or a page may take to come up on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that tells nobody when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A child with everything it started, ended together when this is dropped.
#[derive(Debug)]
pub struct Group {
    child: Child,
    name: String,
}

impl Group {
    /// Starts the command in a process group of its own, its output dropped unless the command says otherwise.
    ///
    /// # Errors
    /// When the program is not there; the message says how it is installed.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{name} could not start; `cargo xtask setup --tests` installs what is missing"))?;
        Ok(Self { child, name })
    }

    /// The first child's process id, which is also the group's.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the child prints, when its stdout is a pipe. Once.
    pub fn take_stdout(&mut self) -> Result<ChildStdout> {
        self.child.stdout.take().with_context(|| format!("{} has no stdout to read", self.name))
    }

    /// Whether the first child still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The whole group: the driver starts the app, the app starts the web view's processes.
        signal_group(self.child.id(), "KILL");
        // The child is dead or was never there; waiting only takes its entry from the process table.
        drop(self.child.wait());
    }
}

/// Sends a signal (by its name, such as `KILL`) to a process group. One that is gone is no error.
pub fn signal_group(group: u32, signal: &str) {
    kill(&format!("-{group}"), signal);
}

/// Sends a signal (by its name, such as `KILL`) to one process. One that is gone is no error.
pub fn signal_process(process: u32, signal: &str) {
    kill(&process.to_string(), signal);
}

fn kill(target: &str, signal: &str) {
    // The shell's own kill: there on every system, and no unsafe call here.
    let script = format!("kill -{signal} {target}");
    drop(Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status());
}

/// A port on loopback that was free a moment ago.
///
/// # Errors
/// When the system gives none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// With `what`, when there was none in time.
pub async fn wait_for<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = look().await {
            return Ok(answer);
        }
        if began.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The page's content once the UI has drawn itself: before that, a picture shows nothing.
pub const READY: &str = "#app[data-ready]";

/// Waits until the UI has drawn itself.
///
/// # Errors
/// When it has not in time; the message holds what the page shows instead.
pub(crate) async fn wait_for_ui(driver: &WebDriver) -> Result<()> {
    let waited = wait_for("the UI", PATIENCE, async || driver.find(By::Css(READY)).await.ok()).await;
    match waited {
        Ok(_) => Ok(()),
        Err(error) => {
            let address = driver.current_url().await.map(String::from).unwrap_or_default();
            let page = driver.source().await.unwrap_or_else(|error| error.to_string());
            Err(error.context(format!("the page at {address} is not ready:\n{page}")))
        }
    }
}

/// Waits until something accepts connections on the loopback port.
pub(crate) async fn wait_for_port(what: &str, port: u16) -> Result<()> {
    wait_for(what, PATIENCE, async || tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok())
        .await
        .map(drop)
}

/// The window's program: `cargo xtask test` says where it is; without it, beside the test binaries.
///
/// # Errors
/// When it is not built.
pub fn tracewright_binary() -> Result<PathBuf> {
    binary("TW_TEST_TRACEWRIGHT", "tracewright")
}

/// The command line's program, found as [`tracewright_binary`] is.
///
/// # Errors
/// When it is not built.
pub fn tw_binary() -> Result<PathBuf> {
    binary("TW_TEST_TW", "tw")
}

/// The program that trains, found as [`tracewright_binary`] is.
///
/// # Errors
/// When it is not built.
pub fn worker_binary() -> Result<PathBuf> {
    binary("TW_TEST_WORKER", "tw-worker")
}

fn binary(variable: &str, name: &str) -> Result<PathBuf> {
    let path = match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        // target/debug/deps/tests-1234 -> target/debug/NAME
        None => env::current_exe()?
            .parent()
            .and_then(Path::parent)
            .context("the test binary is not in a target folder")?
            .join(format!("{name}{}", env::consts::EXE_SUFFIX)),
    };
    if path.is_file() {
        Ok(path)
    } else {
        bail!("{} is not built: run the tests with `cargo xtask test`", path.display())
    }
}

/// The first of the programs that stands on PATH.
#[must_use]
pub fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    names.iter().find_map(|name| env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// The Chromium that `cargo xtask test` names, or the first on PATH.
///
/// # Errors
/// When there is none.
pub fn chromium() -> Result<PathBuf> {
    env::var_os("TW_TEST_CHROMIUM")
        .map(PathBuf::from)
        .or_else(|| on_path(&["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]))
        .context("Chromium is not installed; `cargo xtask setup --tests` installs it")
}

/// A home of one's own: folders for settings, data, caches and sockets, so that nothing of the person's is touched.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// Makes the folders below `folder`, or takes the ones that are there from an earlier start.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn at(folder: &Path) -> Result<Self> {
        let home = Self { folder: folder.to_path_buf() };
        for name in ["home", "config", "data", "cache", "state", "run"] {
            fs::create_dir_all(home.folder.join(name))?;
        }
        private(&home.folder.join("run"))?;
        Ok(home)
    }

    /// The app's workspace in this home.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    /// The folder of sockets, open to its owner alone.
    #[must_use]
    pub fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// The variables that make a program live here.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_RUNTIME_DIR", "run"),
        ]
        .into_iter()
        .map(|(variable, name)| (variable, self.folder.join(name)))
        .collect()
    }
}

#[cfg(unix)]
fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The children of a process, by /proc; empty where there is no /proc or no such process.
#[must_use]
pub fn children_of(process: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| parent_of(*id) == Some(process))
        .collect()
}

/// The parent that /proc/ID/stat names: the second word after the program's name in parentheses.
fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the process is there and has not ended; one that only waits to be collected has ended.
#[must_use]
pub fn is_alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(')')?.1.split_whitespace().next()? != "Z"))
        .unwrap_or(false)
}

/// The program that a process runs, by /proc.
pub(crate) fn program_of(process: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/exe")).ok()
}

/// Puts the variables into the command.
pub(crate) fn equip<V: AsRef<OsStr>>(
    command: &mut Command,
    variables: impl IntoIterator<Item = (impl AsRef<OsStr>, V)>,
) {
    for (name, value) in variables {
        command.env(name, value);
    }
}
