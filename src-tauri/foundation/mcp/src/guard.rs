//! The guard: a small process between the app and a server that ends everything the server started, also when the
//! app is killed.
//!
//! The app starts `<app> __guard <app's pid> -- <command> <args>...`. The guard starts the command with the same three
//! streams, and ends all of its descendants when the app dies, when it is asked to (SIGTERM), or when the command ends.
//! On Linux it is the reaper of orphans, so that also a process that has left its parent, its group and its session
//! stays its descendant. Elsewhere on unix it ends the command's process group.

use std::process::ExitCode;

/// The word that asks for the guard.
pub const GUARD_ARG: &str = "__guard";

/// Runs as the guard when `args` (with the program's name in front) ask for it; `None` when they do not. A `main` calls
/// this before anything else.
#[must_use]
pub fn run_if_asked(args: &[std::ffi::OsString]) -> Option<ExitCode> {
    (args.get(1).is_some_and(|arg| arg == GUARD_ARG)).then(|| main(&args[2..]))
}

/// The guard. `args` are what follows `__guard`: the pid of the app, `--`, the command, its arguments.
///
/// Ends with the command's exit code, 128 + n when signal n ended it, 127 when it could not be started.
#[must_use]
#[allow(clippy::print_stderr, reason = "its stderr is the server's: the app shows it")]
pub fn main(args: &[std::ffi::OsString]) -> ExitCode {
    #[cfg(unix)]
    {
        match unix::run(args) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                eprintln!("guard: {error}");
                ExitCode::from(127)
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _unused = args;
        eprintln!("guard: only for unix");
        ExitCode::from(127)
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
    use tokio::signal::unix::{SignalKind, signal};

    /// Between asking processes to end and ending them.
    const GRACE: Duration = Duration::from_secs(2);
    /// After which even what cannot be killed is left behind.
    const GIVE_UP: Duration = Duration::from_secs(5);
    /// Between two looks at what is left.
    const LOOK: Duration = Duration::from_millis(20);

    pub(super) fn run(args: &[OsString]) -> io::Result<u8> {
        let wrong = || io::Error::other("usage: __guard PID -- COMMAND ARGS...");
        let parent = args.first().and_then(|arg| arg.to_str()?.parse().ok()).and_then(Pid::from_raw);
        let parent = parent.ok_or_else(wrong)?;
        let (Some(dashes), Some(program)) = (args.get(1), args.get(2)) else { return Err(wrong()) };
        if dashes != "--" {
            return Err(wrong());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(guard(parent, program, &args[3..]))
    }

    async fn guard(parent: Pid, program: &OsString, args: &[OsString]) -> io::Result<u8> {
        let mut died = signal(SignalKind::child())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut parent = Parent::watch(parent)?;
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;

        let child = Command::new(program)
            .args(args)
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the command has no pid"))?;
        // The app must see the end of the server's stdout when the server ends, not when we do.
        let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;

        let mut ended = None;
        while ended.is_none() {
            tokio::select! {
                _ = died.recv() => ended = reap(pid),
                () = parent.gone() => break,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => break,
            }
        }
        let status = end_descendants(pid, ended).await;
        Ok(status.map_or(143, exit_code))
    }

    /// Reaps every child that has ended, orphans included; the status of the command when it is among them.
    fn reap(command: Pid) -> Option<WaitStatus> {
        let mut status = None;
        while let Ok(Some((pid, ended))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == command {
                status = Some(ended);
            }
        }
        status
    }

    /// Asks all descendants to end, then ends them; new ones that appear meanwhile too.
    async fn end_descendants(command: Pid, mut status: Option<WaitStatus>) -> Option<WaitStatus> {
        let start = Instant::now();
        let mut asked = Vec::new();
        loop {
            let ended = reap(command);
            status = status.or(ended);
            let left = descendants(command, status.is_some());
            if left.is_empty() || start.elapsed() > GIVE_UP {
                return status;
            }
            let kill = start.elapsed() > GRACE;
            for pid in left {
                if kill {
                    send(pid, Signal::KILL);
                } else if !asked.contains(&pid) {
                    asked.push(pid);
                    send(pid, Signal::TERM);
                    // A stopped process takes no other signal.
                    send(pid, Signal::CONT);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Signals can fail only because the process is gone, or was given other rights, where nothing can be done.
    #[cfg(target_os = "linux")]
    fn send(pid: Pid, signal: Signal) {
        let _gone = rustix::process::kill_process(pid, signal);
    }

    #[cfg(not(target_os = "linux"))]
    fn send(group: Pid, signal: Signal) {
        let _gone = rustix::process::kill_process_group(group, signal);
    }

    /// All processes below us that still run. Orphans are among them, since we are their reaper.
    #[cfg(target_os = "linux")]
    fn descendants(_command: Pid, _command_ended: bool) -> Vec<Pid> {
        let mut parents: Vec<(i32, i32)> = Vec::new();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Ok(stat) = std::fs::read_to_string(entry.path().join("stat"))
                && let Some(parent) = running_parent(&stat)
            {
                parents.push((pid, parent));
            }
        }
        let mut found = vec![rustix::process::getpid().as_raw_nonzero().get()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(
                parents
                    .iter()
                    .filter(|(pid, of)| *of == parent && !found.contains(pid))
                    .map(|(pid, _)| *pid)
                    .collect::<Vec<_>>(),
            );
            next += 1;
        }
        found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
    }

    /// The parent in `/proc/PID/stat`: `pid (name) state ppid ...`, where the name may hold spaces and brackets.
    /// `None` for a zombie, which has nothing left to end.
    #[cfg(target_os = "linux")]
    fn running_parent(stat: &str) -> Option<i32> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        match fields.next()? {
            "Z" | "X" => None,
            _ => fields.next()?.parse().ok(),
        }
    }

    /// The command's process group, for as long as it has members.
    #[cfg(not(target_os = "linux"))]
    fn descendants(command: Pid, _command_ended: bool) -> Vec<Pid> {
        match rustix::process::test_kill_process_group(command) {
            Ok(()) => vec![command],
            Err(_) => Vec::new(),
        }
    }

    fn exit_code(status: WaitStatus) -> u8 {
        let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }

    /// Tells when the app is gone. A thread waits for that: the runtime takes no foreign descriptor without unsafe code.
    #[cfg(target_os = "linux")]
    struct Parent(tokio::sync::oneshot::Receiver<()>);

    #[cfg(target_os = "linux")]
    impl Parent {
        fn watch(pid: Pid) -> io::Result<Self> {
            use rustix::event::{PollFd, PollFlags, poll};
            use rustix::process::{PidfdFlags, getppid, pidfd_open};
            let (gone, receiver) = tokio::sync::oneshot::channel();
            let fd = match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(fd) => fd,
                // It is gone already: the dropped sender says so.
                Err(rustix::io::Errno::SRCH) => return Ok(Self(receiver)),
                Err(error) => return Err(error.into()),
            };
            // Between our start and now it may have died, and another process may have its pid.
            if getppid() != Some(pid) {
                return Ok(Self(receiver));
            }
            std::thread::Builder::new().spawn(move || {
                let _gone = gone;
                // Any other error leaves no way to watch: ending the server is the safe side.
                while poll(&mut [PollFd::new(&fd, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
            })?;
            Ok(Self(receiver))
        }

        async fn gone(&mut self) {
            let _dropped = (&mut self.0).await;
        }
    }

    #[cfg(not(target_os = "linux"))]
    struct Parent(Pid);

    #[cfg(not(target_os = "linux"))]
    impl Parent {
        #[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
        fn watch(pid: Pid) -> io::Result<Self> {
            Ok(Self(pid))
        }

        async fn gone(&mut self) {
            while rustix::process::getppid() == Some(self.0) {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }
}
