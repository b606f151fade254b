//! What hosts ask: on stdin, and in the job's folder.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tw_jobs::{Command, JobFolder, Tail};

use crate::errand::Task;

/// How often the folder is looked at while the worker waits.
const LOOK_MILLIS: u64 = 100;

/// Commands from all sides.
#[derive(Debug)]
pub(crate) struct Commands {
    stdin: Option<Receiver<Command>>,
    tail: Option<Tail>,
    waiting: VecDeque<Command>,
}

impl Commands {
    /// From stdin. Its end is not the job's end: the app may have died. Lines that are no command are passed over, so that
    /// a newer host can say more.
    pub(crate) fn from_stdin() -> Self {
        let (sender, receiver) = sync_channel(16);
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if let Ok(command) = serde_json::from_str(&line)
                    && sender.send(command).is_err()
                {
                    break;
                }
            }
        });
        Self { stdin: Some(receiver), tail: None, waiting: VecDeque::new() }
    }

    /// Waits for what there is to do. `None` when stdin ended before it came.
    pub(crate) fn until_task(&mut self) -> Option<Task> {
        self.stdin.as_ref()?.iter().find_map(Task::of)
    }

    /// Also takes what is appended to the job's folder from now on.
    pub(crate) fn also_from(&mut self, folder: &JobFolder) {
        self.tail = Some(Tail::from_end(folder.commands()));
    }

    /// The next command, if there is one now.
    pub(crate) fn poll(&mut self) -> Option<Command> {
        if let Some(stdin) = &self.stdin {
            self.waiting.extend(stdin.try_iter());
        }
        // A folder that cannot be read just now is looked at again soon.
        if let Some(Ok(commands)) = self.tail.as_mut().map(Tail::read::<Command>) {
            self.waiting.extend(commands);
        }
        self.waiting.pop_front()
    }

    /// The next command, waited for.
    pub(crate) fn wait(&mut self) -> Command {
        loop {
            if let Some(command) = self.poll() {
                return command;
            }
            let pause = Duration::from_millis(LOOK_MILLIS);
            match self.stdin.as_ref().map(|stdin| stdin.recv_timeout(pause)) {
                Some(Ok(command)) => return command,
                Some(Err(RecvTimeoutError::Timeout)) => {}
                // Nobody is there: only the folder can bring more.
                Some(Err(RecvTimeoutError::Disconnected)) => self.stdin = None,
                None => thread::park_timeout(pause),
            }
        }
    }
}
