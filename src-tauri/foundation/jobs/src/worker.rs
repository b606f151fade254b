//! A worker's process, started, and jobs watched whoever started theirs.

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command as Program, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::folder::{JobFolder, Tail};
use crate::protocol::{Command, DeviceInfo, Event, PROTOCOL};

/// How much of what a worker said on stderr is kept for an error's text.
const STDERR_TAIL_BYTES: usize = 4_000;
/// How long a worker may take to say who it is: a CUDA build loads its libraries first.
const HELLO_SECS: u64 = 60;
/// How often whoever waits for an answer is asked whether it still wants one.
const LOOK_MILLIS: u64 = 100;

/// A worker that waits for its job.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Event>,
    errors: JoinHandle<String>,
    /// Its version and kind.
    pub build: String,
    /// Where it can compute.
    pub devices: Vec<DeviceInfo>,
}

impl Worker {
    /// Starts a worker's program and waits until it has said who it is. `threads` bounds what it computes with.
    ///
    /// # Errors
    /// When it cannot be started, ends at once, or speaks another version of the protocol.
    pub fn start(program: &Path, threads: Option<usize>) -> Result<Self> {
        let mut command = Program::new(program);
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        // Its own group: what ends the app's group (Ctrl-C in a terminal) does not end a training.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Start { program: program.to_owned(), source })?;
        let stderr = child.stderr.take();
        let errors = thread::spawn(move || stderr.map(tail_of).unwrap_or_default());
        let lines = lines_of(child.stdout.take());
        match Self::greet(&lines) {
            Ok((build, devices)) => Ok(Self { stdin: child.stdin.take(), child, lines, errors, build, devices }),
            Err(Error::Silent(reason)) => {
                drop(child.kill());
                drop(child.wait());
                let said = errors.join().unwrap_or_default();
                Err(Error::Silent(if said.is_empty() { reason } else { said }))
            }
            Err(error) => {
                // It may have ended already; either way it is gone after this.
                drop(child.kill());
                drop(child.wait());
                Err(error)
            }
        }
    }

    fn greet(lines: &Receiver<Event>) -> Result<(String, Vec<DeviceInfo>)> {
        match lines.recv_timeout(Duration::from_secs(HELLO_SECS)) {
            Ok(Event::Hello { protocol: PROTOCOL, build, devices }) => Ok((build, devices)),
            Ok(Event::Hello { protocol, .. }) => Err(Error::Protocol { found: protocol, expected: PROTOCOL }),
            Ok(_) => Err(Error::Silent("it did not say who it is".to_owned())),
            Err(RecvTimeoutError::Timeout) => Err(Error::Silent(format!("nothing in {HELLO_SECS} seconds"))),
            Err(RecvTimeoutError::Disconnected) => Err(Error::Silent("it ended at once".to_owned())),
        }
    }

    /// Asks it for something that is done at once ([`Command::Plan`], [`Command::Merge`]) and gives the answer: the last
    /// event. What it says on the way goes to `on_event`, which ends the worker with [`ControlFlow::Break`]; `None` then.
    /// It is asked again every tenth of a second, with no event, while the worker says nothing.
    ///
    /// # Errors
    /// When it ends without an answer.
    pub fn ask(
        mut self,
        command: &Command,
        mut on_event: impl FnMut(Option<&Event>) -> ControlFlow<()>,
    ) -> Result<Option<Event>> {
        let place = PathBuf::from("worker");
        let mut line = serde_json::to_vec(command).map_err(Error::format(&place))?;
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            stdin.write_all(&line).and_then(|()| stdin.flush()).map_err(Error::file(&place))?;
        }
        let answer = loop {
            let event = match self.lines.recv_timeout(Duration::from_millis(LOOK_MILLIS)) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break None,
            };
            if on_event(event.as_ref()).is_break() {
                drop(self.child.kill());
                drop(self.child.wait());
                return Ok(None);
            }
            if matches!(event, Some(Event::Planned { .. } | Event::Done { .. } | Event::Failed { .. })) {
                break event;
            }
        };
        drop(self.stdin.take());
        let status = self.child.wait().map_err(Error::file(&place))?;
        match answer {
            Some(event) => Ok(Some(event)),
            None => {
                let said = self.errors.join().unwrap_or_default();
                Err(Error::Silent(if said.is_empty() { status.to_string() } else { said }))
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lets it go: it was only asked who it is.
    pub fn dismiss(mut self) {
        drop(self.stdin.take());
        // It ends with its stdin; waiting takes its entry from the process table.
        drop(self.child.wait());
    }

    /// Hands it its job. From here on it works whether or not this process lives; [`Watch`] tells what it does.
    ///
    /// # Errors
    /// When it has ended.
    pub fn give(mut self, folder: &JobFolder) -> Result<Running> {
        let path = folder.path().to_owned();
        let mut line = serde_json::to_vec(&Command::Start { job_dir: path.clone() }).map_err(Error::format(&path))?;
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            stdin.write_all(&line).and_then(|()| stdin.flush()).map_err(Error::file(&path))?;
        }
        Ok(Running { child: self.child, stdin: self.stdin, errors: self.errors })
    }
}

/// A worker at its job, as the process that started it holds it. Dropping it does not end the worker.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    errors: JoinHandle<String>,
}

impl Running {
    /// Closes its stdin: from here on it hears only what is appended to the job's folder.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.stdin = None;
        self
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn wait(&mut self) -> Result<std::process::ExitStatus> {
        self.child.wait().map_err(Error::file(&PathBuf::from("worker")))
    }

    /// As [`Self::wait`], with the last that it said on stderr.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn wait_with_last_words(mut self) -> Result<(std::process::ExitStatus, String)> {
        let status = self.wait()?;
        Ok((status, self.errors.join().unwrap_or_default()))
    }

    /// Ends it at once. Its last checkpoint stays whole.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(Error::file(&PathBuf::from("worker")))
    }
}

/// Events from a worker's stdout. The thread goes on reading to its end, so that the worker never waits for a reader.
fn lines_of(stdout: Option<impl Read + Send + 'static>) -> Receiver<Event> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        let mut sender = Some(sender);
        for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
            if let (Ok(event), Some(open)) = (serde_json::from_str(&line), &sender)
                && open.send(event).is_err()
            {
                sender = None;
            }
        }
    });
    receiver
}

/// The last that a stream said.
fn tail_of(stream: impl Read) -> String {
    let mut kept = Vec::new();
    for line in BufReader::new(stream).split(b'\n').map_while(std::result::Result::ok) {
        kept.extend_from_slice(&line);
        kept.push(b'\n');
        let surplus = kept.len().saturating_sub(STDERR_TAIL_BYTES);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// A job's events, whoever started its worker: from the first one in its folder on.
#[derive(Debug)]
pub struct Watch {
    folder: JobFolder,
    tail: Tail,
}

impl Watch {
    /// Watches the job in a folder, from its first event on.
    #[must_use]
    pub fn new(folder: JobFolder) -> Self {
        let tail = Tail::new(folder.events());
        Self { folder, tail }
    }

    /// The events that came since the last call, and whether a worker still works. Ask again after a moment as long as
    /// one does; when none does, these were the last.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn poll(&mut self) -> Result<(Vec<Event>, bool)> {
        // In this order: a worker that ends between the two has written its last event before.
        let running = self.folder.is_running();
        Ok((self.tail.read()?, running))
    }
}
