//! From a configuration to a program that runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use process_wrap::tokio::CommandWrap;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tw_artifact::{ServerConfig, Transport};

use crate::process::Process;
use crate::{McpError, ServerSecrets};

/// What every server of this app is started with.
#[derive(Clone, Debug)]
pub struct LaunchContext {
    /// Where programs are looked up; see [`login_path`](crate::login_path()).
    pub login_path: String,
    /// Working directory of servers that name none.
    pub workspace_dir: PathBuf,
    /// The program whose `__guard` mode ends a server's processes when the app dies: this app itself. `None` starts
    /// servers without a guard (always so on Windows, where a job object does the same).
    pub guard_exe: Option<PathBuf>,
    /// Whether a server that asks for a sign-in may open the browser. Where not, its start fails with
    /// [`McpError::SignInNeeded`].
    pub may_sign_in: bool,
    /// How long a server may take to get ready, a sign-in left out.
    pub start_timeout: Duration,
    /// How long a person may take to sign in.
    pub sign_in_timeout: Duration,
    /// Clones share these, so that many runs of one server sign in once.
    pub(crate) locks: Arc<Locks>,
}

/// What sessions of one app do one at a time.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    pub(crate) sign_in: tokio::sync::Mutex<()>,
    pub(crate) refresh: Arc<tokio::sync::Mutex<()>>,
}

impl LaunchContext {
    /// Without a guard; 90 seconds to get ready (a first `npx` downloads a package), five minutes to sign in.
    #[must_use]
    pub fn new(login_path: String, workspace_dir: PathBuf) -> Self {
        Self {
            login_path,
            workspace_dir,
            guard_exe: None,
            may_sign_in: false,
            start_timeout: Duration::from_secs(90),
            sign_in_timeout: Duration::from_secs(300),
            locks: Arc::default(),
        }
    }

    /// With `guard_exe` as the program that has the `__guard` mode.
    #[must_use]
    pub fn with_guard(mut self, guard_exe: PathBuf) -> Self {
        self.guard_exe = Some(guard_exe);
        self
    }
}

/// A program that was started.
pub(crate) struct Launched {
    pub(crate) process: Process,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

/// What will be started, with everything looked up.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    args: Vec<String>,
    /// Its working directory.
    pub(crate) cwd: PathBuf,
    env: Vec<(String, String)>,
    /// The PATH it gets.
    search_path: String,
}

impl Program {
    /// Looks up the program and the folder that `config` names.
    ///
    /// # Errors
    /// One of them is not there, or a variable that a value refers to is not set.
    pub(crate) fn resolve(
        config: &ServerConfig,
        secrets: &ServerSecrets,
        context: &LaunchContext,
    ) -> Result<Self, McpError> {
        let Transport::Stdio { command, args, cwd } = &config.transport else {
            return Err(McpError::BadConfig {
                server: config.name.clone(),
                message: "it has an address, not a command".to_owned(),
            });
        };
        let expand = |text: &str| expand_loosely(text, context);
        let command = expand(command);
        let search_path = secrets.env_value("PATH").unwrap_or(&context.login_path).to_owned();
        let folder = if cwd.is_empty() { context.workspace_dir.clone() } else { at_home(&expand(cwd)) };
        let folder = context.workspace_dir.join(folder);
        if !folder.is_dir() {
            return Err(McpError::NoWorkingDirectory {
                server: config.name.clone(),
                path: folder.display().to_string(),
            });
        }
        let mut env = Vec::with_capacity(secrets.env.len());
        for (name, value) in &secrets.env {
            let value = expand_strictly(value, context).map_err(|message| McpError::BadConfig {
                server: config.name.clone(),
                message: format!("the value of the environment variable {name} {message}"),
            })?;
            env.push((name.clone(), value));
        }
        Ok(Self {
            path: find_program(&command, &search_path, &folder)?,
            args: args.iter().map(|arg| expand(arg)).collect(),
            cwd: folder,
            env,
            search_path,
        })
    }

    /// Starts it with its three streams open.
    pub(crate) fn launch(&self, guard_exe: Option<&Path>) -> Result<Launched, McpError> {
        let failed = |error: std::io::Error| McpError::Spawn {
            command: self.path.display().to_string(),
            message: error.to_string(),
        };
        let guard_exe = guard_exe.filter(|_| cfg!(unix));
        let mut command = match guard_exe {
            Some(guard) => {
                let mut command = Command::new(guard);
                command.arg(crate::guard::GUARD_ARG).arg(std::process::id().to_string()).arg("--").arg(&self.path);
                command
            }
            None => Command::new(&self.path),
        };
        command.args(&self.args).current_dir(&self.cwd).env_clear();
        command.envs(inherited_env()).env("PATH", &self.search_path).envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = CommandWrap::from(command);
        // A group of its own: Ctrl-C in our terminal is ours to handle, and the group can be ended as one.
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, stdout, stderr) = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let process = Process::new(child, guard_exe.is_some());
        match (stdin, stdout, stderr) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok(Launched { process, stdin, stdout, stderr }),
            _ => Err(failed(std::io::Error::other("its streams were not opened"))),
        }
    }
}

/// Our environment without what looks like somebody's secret: a server is another party's program, and what it needs
/// is given to it by name.
fn inherited_env() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(looks_secret))
}

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = ["TOKEN", "_KEY", "APIKEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS"];
    ends.iter().any(|end| name.ends_with(end))
}

/// `command` itself where it is a path, else the first program of that name in `search_path`.
fn find_program(command: &str, search_path: &str, cwd: &Path) -> Result<PathBuf, McpError> {
    let not_found =
        |searched: &str| McpError::CommandNotFound { command: command.to_owned(), searched: searched.to_owned() };
    if command.is_empty() {
        return Err(not_found(""));
    }
    if command.contains('/') || (cfg!(windows) && command.contains('\\')) {
        let path = cwd.join(at_home(command));
        return runnable(&path).ok_or_else(|| not_found(""));
    }
    std::env::split_paths(search_path)
        .filter(|folder| !folder.as_os_str().is_empty())
        .find_map(|folder| runnable(&cwd.join(folder).join(command)))
        .ok_or_else(|| not_found(search_path))
}

#[cfg(unix)]
fn runnable(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let meta = std::fs::metadata(path).ok()?;
    (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then(|| path.to_owned())
}

/// Scripts such as `npx.cmd` are found by their endings only.
#[cfg(not(unix))]
fn runnable(path: &Path) -> Option<PathBuf> {
    if path.extension().is_some() && path.is_file() {
        return Some(path.to_owned());
    }
    let endings = std::env::var("PATHEXT").unwrap_or_else(|_| ".COM;.EXE;.BAT;.CMD".to_owned());
    endings.split(';').map(|ending| PathBuf::from(format!("{}{ending}", path.display()))).find(|path| path.is_file())
}

/// `~/x` in the person's home.
pub(crate) fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Replaces `${NAME}`, `${NAME:-default}` and `${env:NAME}` by our environment and `${workspaceFolder}` by the
/// workspace, as the programs do whose files we import. What is not set stays as it is: it may be a script's own.
fn expand_loosely(text: &str, context: &LaunchContext) -> String {
    expand(text, context, |_, whole| Ok(whole.to_owned())).unwrap_or_else(|_| text.to_owned())
}

/// The same, but what is not set is an error: a token that is not there would be sent as `${TOKEN}`.
pub(crate) fn expand_strictly(text: &str, context: &LaunchContext) -> Result<String, String> {
    expand(text, context, |name, _| match name.strip_prefix("input:") {
        Some(input) => Err(format!("asks for the input \"{input}\": enter the value itself")),
        None => Err(format!("refers to the variable {name}, which is not set")),
    })
}

fn expand(
    text: &str,
    context: &LaunchContext,
    unset: impl Fn(&str, &str) -> Result<String, String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let reference = &rest[start..];
        let Some(end) = reference.find('}') else {
            rest = reference;
            break;
        };
        let (whole, inner) = (&reference[..=end], &reference[2..end]);
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let variable = name.strip_prefix("env:").unwrap_or(name);
        let is_name = !variable.is_empty() && variable.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
        let value = if name == "workspaceFolder" {
            context.workspace_dir.display().to_string()
        } else if is_name && let Ok(value) = std::env::var(variable) {
            value
        } else if let Some(default) = default.filter(|_| is_name) {
            default.to_owned()
        } else if is_name || name.starts_with("input:") {
            unset(name, whole)?
        } else {
            whole.to_owned()
        };
        out.push_str(&value);
        rest = &reference[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_scripts_left_alone() {
        let context = LaunchContext::new(String::new(), PathBuf::from("/ws"));
        let path = std::env::var("PATH").unwrap();
        for (text, expected) in [
            ("${workspaceFolder}/x", "/ws/x".to_owned()),
            ("a ${env:PATH} b", format!("a {path} b")),
            ("${TW_NOT_SET_ANYWHERE:-9}", "9".to_owned()),
            ("echo ${TW_NOT_SET_ANYWHERE} ${x%y} ${", "echo ${TW_NOT_SET_ANYWHERE} ${x%y} ${".to_owned()),
        ] {
            assert_eq!(expand_loosely(text, &context), expected, "{text}");
        }
        let error = expand_strictly("Bearer ${TW_NOT_SET_ANYWHERE}", &context).unwrap_err();
        assert!(error.contains("TW_NOT_SET_ANYWHERE"), "{error}");
        let error = expand_strictly("${input:token}", &context).unwrap_err();
        assert!(error.contains("\"token\""), "{error}");
    }

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in ["HF_TOKEN", "OPENAI_API_KEY", "db_password", "AWS_SECRET"] {
            assert!(looks_secret(name), "{name}");
        }
        for name in ["PATH", "HOME", "DISPLAY", "KEYBOARD", "XDG_RUNTIME_DIR", "MONKEY"] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
