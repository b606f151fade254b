//! One request while it is worked on.

use tokio::sync::mpsc::Sender;

use crate::adapter::Adapter;
use crate::cache::{BLOCK_TOKENS, Before, BlockId, Cache};
use crate::forward::Span;
use crate::request::{Constraint, Ended, Event, Reason};
use crate::sampling::Sampler;
use std::sync::Arc;

/// A request's tokens, its blocks, and whom to tell.
pub(crate) struct Sequence {
    /// Prompt and answer.
    pub(crate) tokens: Vec<u32>,
    pub(crate) prompt: usize,
    /// Tokens whose keys and values are in blocks.
    pub(crate) computed: usize,
    blocks: Vec<BlockId>,
    /// What stands before the first block that is not known yet.
    before: Before,
    /// Blocks that are full and known.
    known: usize,
    pub(crate) adapter: Option<Arc<Adapter>>,
    pub(crate) max_tokens: usize,
    pub(crate) stop_tokens: Vec<u32>,
    pub(crate) sampler: Sampler,
    pub(crate) constraint: Option<Box<dyn Constraint>>,
    cached: Option<usize>,
    listener: Sender<Event>,
}

impl Sequence {
    pub(crate) fn new(
        prompt: Vec<u32>,
        adapter: Option<Arc<Adapter>>,
        max_tokens: usize,
        stop_tokens: Vec<u32>,
        sampler: Sampler,
        constraint: Option<Box<dyn Constraint>>,
        listener: Sender<Event>,
    ) -> Self {
        let before = Before::Start(adapter.as_ref().map_or(0, |adapter| adapter.serial));
        Self {
            prompt: prompt.len(),
            tokens: prompt,
            computed: 0,
            blocks: Vec::new(),
            before,
            known: 0,
            adapter,
            max_tokens,
            stop_tokens,
            sampler,
            constraint,
            cached: None,
            listener,
        }
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.listener.is_closed()
    }

    /// Whether all but the newest token is computed.
    pub(crate) fn is_decoding(&self) -> bool {
        self.computed + 1 == self.tokens.len() && self.tokens.len() > self.prompt
    }

    /// Takes blocks that others have computed, as far as there are any. The newest token is always left to compute.
    pub(crate) fn look_up(&mut self, cache: &mut Cache) {
        while self.computed == self.known * BLOCK_TOKENS
            && self.blocks.len() == self.known
            && self.computed + BLOCK_TOKENS < self.tokens.len()
        {
            let tokens = &self.tokens[self.computed..][..BLOCK_TOKENS];
            let Some((id, before)) = cache.find(self.before, tokens) else { break };
            self.blocks.push(id);
            self.before = before;
            self.known += 1;
            self.computed += BLOCK_TOKENS;
            if self.computed <= self.prompt {
                *self.cached.get_or_insert(0) += BLOCK_TOKENS;
            }
        }
    }

    /// Makes room for so many more tokens. Whether there was enough.
    pub(crate) fn make_room(&mut self, cache: &mut Cache, count: usize) -> bool {
        while self.blocks.len() * BLOCK_TOKENS < self.computed + count {
            let Some(id) = cache.take() else { return false };
            self.blocks.push(id);
        }
        true
    }

    /// The next tokens to compute.
    pub(crate) fn span(&self, count: usize) -> Span<'_> {
        let end = self.computed + count;
        Span {
            tokens: &self.tokens[self.computed..end],
            start: self.computed,
            blocks: &self.blocks,
            adapter: self.adapter.as_deref(),
            asked_from: if end == self.tokens.len() { count - 1 } else { count },
        }
    }

    /// So many tokens have been computed: their full blocks become known.
    pub(crate) fn advance(&mut self, cache: &mut Cache, count: usize) {
        self.computed += count;
        while (self.known + 1) * BLOCK_TOKENS <= self.computed {
            let tokens = &self.tokens[self.known * BLOCK_TOKENS..][..BLOCK_TOKENS];
            self.before = cache.fill(self.blocks[self.known], self.before, tokens);
            self.known += 1;
        }
    }

    /// Takes the next token's scores. Why the answer has ended, if it has.
    pub(crate) fn choose(&mut self, scores: &mut [f32]) -> Option<Reason> {
        let token =
            self.sampler.next(scores, &self.tokens, self.prompt, self.constraint.as_deref_mut(), &self.stop_tokens);
        let Some(token) = token else { return Some(Reason::Complete) };
        if self.stop_tokens.contains(&token.id) {
            return Some(Reason::Stop(token.id));
        }
        self.tokens.push(token.id);
        let mut ended = None;
        if let Some(constraint) = &mut self.constraint {
            constraint.accept(token.id);
            ended = constraint.must_end().then_some(Reason::Complete);
        }
        self.tell(Event::Token(token));
        ended.or_else(|| (self.tokens.len() - self.prompt >= self.max_tokens).then_some(Reason::Length))
    }

    /// Tells how it ended.
    pub(crate) fn end(&self, reason: Reason) {
        self.tell(Event::Ended(Ended { reason, cached_tokens: self.cached.unwrap_or_default() }));
    }

    pub(crate) fn tell(&self, event: Event) {
        // Nobody may listen any more: then the next step sees that.
        drop(self.listener.try_send(event));
    }

    /// Gives all blocks back. What was computed must be computed again, or found.
    pub(crate) fn let_go(&mut self, cache: &mut Cache) {
        cache.give(self.blocks.drain(..));
        self.computed = 0;
        self.known = 0;
        self.before = Before::Start(self.adapter.as_ref().map_or(0, |adapter| adapter.serial));
    }
}
