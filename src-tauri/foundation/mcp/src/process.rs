//! A server's process and all that it started.

use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::ChildWrapper;

/// How long a server may take to end by itself once its stdin is closed: it may have a browser to close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// How long the guard, or a server asked by a signal, may take: more than the guard's own grace.
const TERM_PATIENCE: Duration = Duration::from_secs(6);

/// The guard with the server under it, or the server alone. Dropping it ends both, without waiting.
#[derive(Debug)]
pub(crate) struct Process {
    child: Box<dyn ChildWrapper>,
    guarded: bool,
    ended: Option<ExitStatus>,
}

impl Process {
    pub(crate) const fn new(child: Box<dyn ChildWrapper>, guarded: bool) -> Self {
        Self { child, guarded, ended: None }
    }

    /// Waits for it to end by itself; `None` when it has not after `patience`.
    pub(crate) async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.ended.is_none()
            && let Ok(Ok(status)) = tokio::time::timeout(patience, self.child.wait()).await
        {
            self.ended = Some(status);
        }
        self.ended
    }

    /// Ends it and everything that it started. Its stdin is to be closed before, which is how MCP says goodbye.
    /// Takes at most about nine seconds.
    pub(crate) async fn end(&mut self) {
        if self.wait(CLOSE_PATIENCE).await.is_some() {
            self.sweep();
            return;
        }
        self.ask_to_end();
        if self.wait(TERM_PATIENCE).await.is_none() {
            self.kill();
            self.wait(Duration::from_secs(1)).await;
        }
        self.sweep();
    }

    /// A guard has swept before it ended. Without one, members of the group may have outlived their leader.
    fn sweep(&mut self) {
        if !self.guarded {
            self.kill();
        }
    }

    #[cfg(unix)]
    fn ask_to_end(&self) {
        if let Err(error) = self.child.signal(rustix::process::Signal::TERM.as_raw()) {
            tracing::debug!(%error, "the server had already ended");
        }
    }

    #[cfg(not(unix))]
    fn ask_to_end(&self) {}

    fn kill(&mut self) {
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "the server had already ended");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guard must live to do its work; it is bounded by itself.
        if !self.guarded {
            self.kill();
        } else if self.ended.is_none() {
            self.ask_to_end();
        }
    }
}

/// `exit code 1`, `killed by signal 9`.
pub(crate) fn status_words(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "the connection was closed".to_owned();
    };
    if let Some(code) = status.code() {
        return match code {
            // A shell's way, and the guard's, to say that a signal ended the program.
            129..=192 => format!("killed by signal {}", code - 128),
            _ => format!("exit code {code}"),
        };
    }
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    "ended".to_owned()
}
