//! The PATH of the person's login shell. A program started from a desktop gets a bare one, in which `npx` and `uvx`
//! are not found.

use std::time::Duration;

use tokio::sync::OnceCell;

/// Resolved once: a shell with a rich configuration may take seconds.
static LOGIN_PATH: OnceCell<String> = OnceCell::const_new();

/// The PATH of the login shell with the entries of our own PATH that it lacks; our own alone where the shell gives
/// none within five seconds. Asked once per program run.
pub async fn login_path() -> String {
    LOGIN_PATH
        .get_or_init(|| async {
            let own = std::env::var("PATH").unwrap_or_default();
            #[cfg(unix)]
            let shell = unix::ask_login_shell(Duration::from_secs(5)).await;
            #[cfg(not(unix))]
            let shell = None;
            match shell {
                Some(path) => merge(&path, &own),
                None => own,
            }
        })
        .await
        .clone()
}

/// `first`, then the entries of `second` that it lacks.
fn merge(first: &str, second: &str) -> String {
    let mut entries: Vec<_> = std::env::split_paths(first).filter(|it| !it.as_os_str().is_empty()).collect();
    for entry in std::env::split_paths(second) {
        if !entry.as_os_str().is_empty() && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    std::env::join_paths(entries).ok().and_then(|path| path.into_string().ok()).unwrap_or_else(|| first.to_owned())
}

#[cfg(unix)]
mod unix {
    use std::process::Stdio;
    use std::time::Duration;

    use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessSession};
    use tokio::io::AsyncReadExt;

    const START: &str = "--tracewright-path-start--";
    const END: &str = "--tracewright-path-end--";
    /// What a shell's start-up files may print before we stop listening.
    const MAX_OUTPUT: usize = 1024 * 1024;

    pub(super) async fn ask_login_shell(patience: Duration) -> Option<String> {
        let shell = std::env::var("SHELL").ok().filter(|shell| !shell.is_empty())?;
        ask_shell(&shell, patience).await
    }

    /// Runs `shell` as an interactive login shell, which is what reads all of its start-up files, in a session of its
    /// own: an interactive shell would take our terminal away and stop us.
    pub(super) async fn ask_shell(shell: &str, patience: Duration) -> Option<String> {
        // `printenv` rather than `$PATH`: fish would print a list with spaces.
        let script = format!("printf %s {START}; printenv PATH; printf %s {END}");
        let mut command = CommandWrap::with_new(shell, |command| {
            command.args(["-l", "-i", "-c", &script]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.kill_on_drop(true);
        });
        command.wrap(ProcessSession);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::warn!(shell, %error, "the login shell did not start: using our own PATH");
                return None;
            }
        };
        let path = tokio::time::timeout(patience, read_fenced(&mut child)).await;
        if let Err(error) = child.start_kill() {
            tracing::debug!(%error, "the login shell had already ended");
        }
        match path {
            Ok(path) => path,
            Err(_) => {
                tracing::warn!(shell, "the login shell took too long: using our own PATH");
                None
            }
        }
    }

    /// Reads to the closing fence, not to the end: a background program that the start-up files left behind may hold
    /// stdout open for ever.
    async fn read_fenced(child: &mut Box<dyn ChildWrapper>) -> Option<String> {
        let mut stdout = child.stdout().take()?;
        let mut output = Vec::new();
        while output.len() < MAX_OUTPUT {
            let mut chunk = [0_u8; 4096];
            let count = stdout.read(&mut chunk).await.ok()?;
            output.extend_from_slice(&chunk[..count]);
            let path = fenced(&String::from_utf8_lossy(&output));
            if path.is_some() || count == 0 {
                return path;
            }
        }
        None
    }

    pub(super) fn fenced(output: &str) -> Option<String> {
        let (_, rest) = output.split_once(START)?;
        let (path, _) = rest.split_once(END)?;
        let path = path.trim();
        (!path.is_empty()).then(|| path.to_owned())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A shell of our own: it ignores its arguments but the last, as `-c` does.
    fn fake_shell(folder: &std::path::Path, body: &str) -> String {
        let path = folder.join("shell");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn the_path_is_read_through_the_noise_of_start_up_files() {
        let folder = tempfile::tempdir().unwrap();
        let shell = fake_shell(
            folder.path(),
            "echo Welcome; echo oops >&2; PATH=/from/login:$PATH; export PATH; eval \"$4\"; echo bye",
        );
        let path = unix::ask_shell(&shell, Duration::from_secs(20)).await.unwrap();
        assert!(path.starts_with("/from/login:"), "{path}");
    }

    #[tokio::test]
    async fn a_shell_that_hangs_costs_no_more_than_the_patience() {
        let folder = tempfile::tempdir().unwrap();
        let shell = fake_shell(folder.path(), "sleep 600");
        let started = std::time::Instant::now();
        assert_eq!(unix::ask_shell(&shell, Duration::from_millis(200)).await, None);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn a_shell_that_is_missing_gives_none() {
        assert_eq!(unix::ask_shell("/no/such/shell", Duration::from_secs(1)).await, None);
    }

    #[test]
    fn text_without_both_fences_gives_none() {
        assert_eq!(unix::fenced("--tracewright-path-start--/bin"), None);
        assert_eq!(unix::fenced("/bin"), None);
        assert_eq!(unix::fenced("--tracewright-path-start----tracewright-path-end--"), None);
    }

    #[test]
    fn our_own_entries_come_after_those_of_the_login_shell() {
        assert_eq!(merge("/a:/b", "/b:/c:"), "/a:/b:/c");
    }
}
