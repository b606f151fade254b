//! The thread that generates: it takes requests, works on all of them at once, and tells each its tokens.
//!
//! A step computes one token of every answer that has begun and a piece of one prompt. Prompts are read one after the
//! other, so that one which begins like another finds its beginning computed. Requests come and go between steps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;
use tw_model::Architecture;

use crate::adapter::Adapter;
use crate::cache::{BLOCK_TOKENS, Cache, Shape};
use crate::error::{Error, Result};
use crate::forward::{Scratch, Span};
use crate::model::Model;
use crate::request::{Event, Generation, Reason, Request};
use crate::sampling::Sampler;
use crate::sequence::Sequence;

/// How much an engine may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that compute; 0 for one per core.
    pub threads: usize,
    /// Bytes for keys and values.
    pub cache_bytes: usize,
    /// Most tokens of a prompt and its answer; the model's own limit when `None`. Never more than the memory holds.
    pub max_context: Option<usize>,
    /// Most answers at once; further requests wait.
    pub max_running: usize,
    /// Tokens of a prompt that one step reads. Longer pieces are faster, but other answers wait for them.
    pub prompt_piece: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: 0, cache_bytes: 1 << 30, max_context: None, max_running: 16, prompt_piece: 256 }
    }
}

/// What an engine is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Answers that are being written or whose prompt is being read.
    pub running: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Blocks of [`crate::BLOCK_TOKENS`] tokens that are used now.
    pub used_blocks: usize,
    /// Blocks that are kept for requests that begin alike.
    pub kept_blocks: usize,
}

/// A model that answers. Dropping it ends its thread, and every answer with it.
#[derive(Debug)]
pub struct Engine {
    sender: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    adapters: Mutex<BTreeMap<String, Arc<Adapter>>>,
    architecture: Architecture,
    max_context: usize,
}

enum Command {
    Answer(Box<Sequence>),
    Stats(Sender<Stats>),
}

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the memory for keys and values is too small, or threads cannot be started.
    pub fn start(model: Model, options: &Options) -> Result<Self> {
        let architecture = model.architecture().clone();
        let shape = Shape::of(&architecture);
        let blocks = options.cache_bytes / shape.block_bytes();
        let wanted = options.max_context.unwrap_or(architecture.max_positions).min(architecture.max_positions);
        let max_context = wanted.min(blocks * BLOCK_TOKENS);
        // A few hundred tokens are the least that a conversation needs.
        let least = wanted.min(512);
        if max_context < least {
            let mb = |bytes: usize| bytes.div_ceil(1_000_000);
            return Err(Error::Memory {
                given_mb: mb(options.cache_bytes),
                tokens: max_context,
                needed_mb: mb(least.div_ceil(BLOCK_TOKENS) * shape.block_bytes()),
            });
        }
        let threads = |error: &dyn std::fmt::Display| Error::Threads(error.to_string());
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|number| format!("infer-{number}"))
            .build()
            .map_err(|error| threads(&error))?;
        let (sender, receiver) = channel();
        let worker = Worker {
            cache: Cache::new(shape, blocks),
            model,
            scratch: Scratch::default(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            max_running: options.max_running.max(1),
            // Pieces end where blocks do, so that every full block can be found by others.
            piece: options.prompt_piece.next_multiple_of(BLOCK_TOKENS).max(BLOCK_TOKENS),
        };
        let thread = thread::Builder::new()
            .name("infer".to_owned())
            .spawn(move || pool.install(move || worker.work(receiver)))
            .map_err(|error| threads(&error))?;
        let adapters = Mutex::new(BTreeMap::new());
        Ok(Self { sender: Some(sender), thread: Some(thread), adapters, architecture, max_context })
    }

    /// The model's shape.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Most tokens of a prompt and its answer.
    #[must_use]
    pub fn max_context(&self) -> usize {
        self.max_context
    }

    fn adapters(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Adapter>>> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names an adapter. Answers that use one of the same name go on with that.
    pub fn add_adapter(&self, name: &str, adapter: Adapter) {
        self.adapters().insert(name.to_owned(), Arc::new(adapter));
    }

    /// Forgets an adapter; answers that use it go on. Whether there was one.
    pub fn remove_adapter(&self, name: &str) -> bool {
        self.adapters().remove(name).is_some()
    }

    /// The adapters' names.
    #[must_use]
    pub fn adapter_names(&self) -> Vec<String> {
        self.adapters().keys().cloned().collect()
    }

    /// Takes a request.
    ///
    /// # Errors
    /// When it can never be answered, names an unknown adapter, or the engine has stopped.
    pub fn submit(&self, request: Request) -> Result<Generation> {
        let Request { prompt, adapter, sampling, max_tokens, stop_tokens, logprobs, constraint } = request;
        let vocab = self.architecture.vocab;
        if prompt.is_empty() {
            return Err(Error::Request("the prompt is empty".to_owned()));
        }
        if let Some(token) = prompt.iter().find(|token| **token as usize >= vocab) {
            return Err(tw_model::Error::Vocabulary { token: *token, vocab }.into());
        }
        if max_tokens == 0 || prompt.len() + max_tokens > self.max_context {
            return Err(Error::Request(format!(
                "a prompt of {} tokens and an answer of up to {max_tokens} do not fit a context of {}",
                prompt.len(),
                self.max_context
            )));
        }
        let adapter = match adapter {
            None => None,
            Some(name) => Some(self.adapters().get(&name).cloned().ok_or(Error::UnknownAdapter(name))?),
        };
        // Room for all that an answer can say: the engine waits for nobody.
        let (listener, receiver) = mpsc::channel(max_tokens + 2);
        let sampler = Sampler::new(sampling, logprobs, chance());
        let sequence = Sequence::new(prompt, adapter, max_tokens, stop_tokens, sampler, constraint, listener);
        self.send(Command::Answer(Box::new(sequence)))?;
        Ok(Generation(receiver))
    }

    /// What it is doing now.
    ///
    /// # Errors
    /// When it has stopped.
    pub fn stats(&self) -> Result<Stats> {
        let (sender, receiver) = channel();
        self.send(Command::Stats(sender))?;
        receiver.recv().map_err(|_| stopped())
    }

    fn send(&self, command: Command) -> Result<()> {
        self.sender.as_ref().and_then(|sender| sender.send(command).ok()).ok_or_else(stopped)
    }
}

fn stopped() -> Error {
    Error::Stopped("its thread has ended".to_owned())
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A seed that differs from request to request.
fn chance() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

struct Worker {
    model: Model,
    cache: Cache,
    scratch: Scratch,
    waiting: VecDeque<Sequence>,
    /// In the order in which they were taken. At most the last one's prompt is not read yet.
    running: Vec<Sequence>,
    max_running: usize,
    piece: usize,
}

impl Worker {
    /// Until the engine is dropped.
    #[expect(clippy::needless_pass_by_value, reason = "a receiver can be moved to the pool's thread, not lent to it")]
    fn work(mut self, commands: Receiver<Command>) {
        loop {
            let idle = self.waiting.is_empty() && self.running.is_empty();
            let next = if idle { commands.recv().map_err(|_| TryRecvError::Disconnected) } else { commands.try_recv() };
            match next {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    if let Err(error) = self.step() {
                        self.fail(&error);
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Answer(sequence) => self.waiting.push_back(*sequence),
            Command::Stats(reply) => {
                let (used_blocks, kept_blocks) = self.cache.counts();
                let stats =
                    Stats { running: self.running.len(), waiting: self.waiting.len(), used_blocks, kept_blocks };
                // Who asked may have gone.
                reply.send(stats).unwrap_or_default();
            }
        }
    }

    /// A step that failed ends the answers that were part of it; others can still come.
    fn fail(&mut self, error: &Error) {
        for mut sequence in self.running.drain(..) {
            sequence.tell(Event::Failed(error.to_string()));
            sequence.let_go(&mut self.cache);
        }
    }

    fn step(&mut self) -> Result<()> {
        self.waiting.retain(|sequence| !sequence.is_gone());
        for mut sequence in self.running.extract_if(.., |sequence| sequence.is_gone()) {
            sequence.let_go(&mut self.cache);
        }
        // The next prompt, once the one before is read.
        if self.running.len() < self.max_running
            && self.running.last().is_none_or(Sequence::is_decoding)
            && let Some(next) = self.waiting.pop_front()
        {
            self.running.push(next);
        }
        let counts = self.plan();
        let spans: Vec<Span<'_>> = self
            .running
            .iter()
            .zip(&counts)
            .filter(|(_, count)| **count > 0)
            .map(|(sequence, count)| sequence.span(*count))
            .collect();
        if spans.is_empty() {
            return Ok(());
        }
        let asked: Vec<bool> = spans.iter().map(|span| span.asked_from < span.tokens.len()).collect();
        let logits = self.model.step(&mut self.cache, &spans, &mut self.scratch)?;
        let mut logits = logits.chunks_exact_mut(self.model.architecture.vocab);
        let mut asked = asked.into_iter();
        let mut ended: Vec<Option<Reason>> = Vec::with_capacity(self.running.len());
        for (sequence, count) in self.running.iter_mut().zip(&counts) {
            let mut reason = None;
            if *count > 0 {
                sequence.advance(&mut self.cache, *count);
                if asked.next() == Some(true)
                    && let Some(scores) = logits.next()
                {
                    reason = sequence.choose(scores);
                }
            }
            ended.push(reason);
        }
        let mut ended = ended.into_iter();
        let mut stay = Vec::with_capacity(self.running.len());
        for mut sequence in self.running.drain(..) {
            match ended.next().flatten() {
                None => stay.push(sequence),
                Some(reason) => {
                    sequence.let_go(&mut self.cache);
                    sequence.end(reason);
                }
            }
        }
        self.running = stay;
        Ok(())
    }

    /// How many tokens of each running sequence the next step computes. Where memory is short, the one that was taken last
    /// waits again: its tokens are kept, what was computed of them may be found again later.
    fn plan(&mut self) -> Vec<usize> {
        let mut counts = Vec::with_capacity(self.running.len());
        while counts.len() < self.running.len() {
            let at = counts.len();
            let sequence = &mut self.running[at];
            sequence.look_up(&mut self.cache);
            let count = (sequence.tokens.len() - sequence.computed).min(self.piece);
            if sequence.make_room(&mut self.cache, count) {
                counts.push(count);
                continue;
            }
            // Room for any one sequence alone was checked when it came.
            let Some(mut last) = self.running.pop() else { break };
            last.let_go(&mut self.cache);
            counts.truncate(self.running.len());
            self.waiting.push_front(last);
        }
        counts
    }
}
