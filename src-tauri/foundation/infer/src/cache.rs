//! Keys and values in blocks, shared by all sequences that begin alike.
//!
//! A block holds the keys and values of some neighbouring tokens, for all layers. Once it is full it is known by what stands
//! in it and by the block before it, so a sequence that begins with the same tokens (and the same adapter) takes it
//! instead of computing it. Blocks that no sequence uses stay until their memory is wanted: the one that was used longest
//! ago goes first.

use std::collections::{BTreeSet, HashMap};

use tw_model::Architecture;

use crate::kernel::attend::Tile;
use crate::matrix::LANES;

/// Tokens of one block: a multiple of the widest vector, so that turned keys are whole vectors.
pub const BLOCK_TOKENS: usize = 32;

/// A block's number.
pub(crate) type BlockId = usize;

/// What stands before a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Before {
    /// Nothing: it is the first one of a sequence with this adapter (0 for none).
    Start(u64),
    /// A block that is known by this number.
    Known(u64),
}

type Key = (Before, Box<[u32]>);

#[derive(Debug, Default)]
struct Block {
    numbers: Vec<f32>,
    users: usize,
    /// What it is known by, once it is full.
    key: Option<Key>,
    /// Never given twice, so a block that was emptied is not taken for what it held.
    serial: u64,
    used_last: u64,
}

/// How keys and values lie in a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) kv_heads: usize,
    pub(crate) dim: usize,
    /// Head width, filled up to whole vectors.
    pub(crate) padded: usize,
    layers: usize,
}

impl Shape {
    pub(crate) fn of(a: &Architecture) -> Self {
        Self { kv_heads: a.kv_heads, dim: a.head_dim, padded: a.head_dim.next_multiple_of(LANES), layers: a.layers }
    }

    fn head(self) -> usize {
        (self.dim + self.padded) * BLOCK_TOKENS
    }

    fn block(self) -> usize {
        self.layers * self.kv_heads * self.head()
    }

    /// Bytes of one block.
    pub(crate) fn block_bytes(self) -> usize {
        self.block() * 4
    }
}

/// The blocks.
#[derive(Debug)]
pub(crate) struct Cache {
    shape: Shape,
    blocks: Vec<Block>,
    most: usize,
    free: Vec<BlockId>,
    known: HashMap<Key, BlockId>,
    /// Known blocks without a user, the oldest first.
    idle: BTreeSet<(u64, BlockId)>,
    clock: u64,
}

impl Cache {
    pub(crate) fn new(shape: Shape, most: usize) -> Self {
        Self {
            shape,
            blocks: Vec::new(),
            most,
            free: Vec::new(),
            known: HashMap::new(),
            idle: BTreeSet::new(),
            clock: 0,
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Blocks that sequences use now, and those that are only kept.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.blocks.len() - self.free.len() - self.idle.len(), self.idle.len())
    }

    /// The known block that holds these tokens after `before`. The caller becomes its user.
    pub(crate) fn find(&mut self, before: Before, tokens: &[u32]) -> Option<(BlockId, Before)> {
        let id = *self.known.get(&(before, tokens.into()))?;
        let block = &mut self.blocks[id];
        if block.users == 0 {
            self.idle.remove(&(block.used_last, id));
        }
        block.users += 1;
        Some((id, Before::Known(block.serial)))
    }

    /// An empty block, of which the caller is the user. `None` when all are used.
    pub(crate) fn take(&mut self) -> Option<BlockId> {
        let id = if let Some(id) = self.free.pop() {
            id
        } else if self.blocks.len() < self.most {
            self.blocks.push(Block { numbers: vec![0.0; self.shape.block()], ..Block::default() });
            self.blocks.len() - 1
        } else {
            let (_, id) = self.idle.pop_first()?;
            if let Some(key) = self.blocks[id].key.take() {
                self.known.remove(&key);
            }
            id
        };
        self.blocks[id].users = 1;
        Some(id)
    }

    /// A block is full: from now on it can be found. What stands before the next block.
    pub(crate) fn fill(&mut self, id: BlockId, before: Before, tokens: &[u32]) -> Before {
        let key: Key = (before, tokens.into());
        if let Some(known) = self.known.get(&key) {
            // Another sequence was faster. What follows is known by its block.
            return Before::Known(self.blocks[*known].serial);
        }
        let serial = self.tick();
        let block = &mut self.blocks[id];
        block.serial = serial;
        block.key = Some(key.clone());
        self.known.insert(key, id);
        Before::Known(serial)
    }

    /// A sequence gives its blocks back, in their order.
    pub(crate) fn give(&mut self, ids: impl DoubleEndedIterator<Item = BlockId>) {
        // The last ones first: they are of no use without those before, so they should go first.
        for id in ids.rev() {
            let now = self.tick();
            let block = &mut self.blocks[id];
            block.users = block.users.saturating_sub(1);
            if block.users > 0 {
                continue;
            }
            if block.key.is_some() {
                block.used_last = now;
                self.idle.insert((now, id));
            } else {
                self.free.push(id);
            }
        }
    }

    /// Where a head's keys and values of one layer lie.
    fn place(&self, layer: usize, head: usize) -> usize {
        (layer * self.shape.kv_heads + head) * self.shape.head()
    }

    /// A head's keys and values of one layer.
    pub(crate) fn tile(&self, id: BlockId, layer: usize, head: usize) -> Tile<'_> {
        let start = self.place(layer, head);
        let (keys, values) =
            self.blocks[id].numbers[start..start + self.shape.head()].split_at(self.shape.dim * BLOCK_TOKENS);
        Tile { keys, values }
    }

    /// Writes one token's keys and values of one layer, head by head.
    pub(crate) fn write(&mut self, id: BlockId, layer: usize, token: usize, keys: &[f32], values: &[f32]) {
        let Shape { dim, padded, kv_heads, .. } = self.shape;
        for head in 0..kv_heads {
            let start = self.place(layer, head);
            let numbers = &mut self.blocks[id].numbers[start..];
            for (row, key) in keys[head * dim..][..dim].iter().enumerate() {
                numbers[row * BLOCK_TOKENS + token] = *key;
            }
            let start = dim * BLOCK_TOKENS + token * padded;
            numbers[start..start + dim].copy_from_slice(&values[head * dim..][..dim]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(most: usize) -> Cache {
        Cache::new(Shape { kv_heads: 1, dim: 2, padded: 16, layers: 1 }, most)
    }

    #[test]
    fn a_block_is_found_by_all_that_stands_before_it() {
        let mut cache = cache(8);
        let (first, second) = (cache.take().unwrap(), cache.take().unwrap());
        let start = Before::Start(0);
        let after_first = cache.fill(first, start, &[1; BLOCK_TOKENS]);
        cache.fill(second, after_first, &[2; BLOCK_TOKENS]);
        assert_eq!(cache.find(start, &[1; BLOCK_TOKENS]), Some((first, after_first)));
        assert!(cache.find(after_first, &[2; BLOCK_TOKENS]).is_some());
        assert_eq!(cache.find(start, &[2; BLOCK_TOKENS]), None, "without the first");
        assert_eq!(cache.find(Before::Start(7), &[1; BLOCK_TOKENS]), None, "with another adapter");
    }

    #[test]
    fn memory_is_bounded_and_what_was_used_longest_ago_goes_first() {
        let mut cache = cache(3);
        let start = Before::Start(0);
        for tokens in [[1; BLOCK_TOKENS], [2; BLOCK_TOKENS], [3; BLOCK_TOKENS]] {
            let id = cache.take().unwrap();
            cache.fill(id, start, &tokens);
            cache.give([id].into_iter());
        }
        assert_eq!(cache.counts(), (0, 3));
        let (used, _) = cache.find(start, &[1; BLOCK_TOKENS]).unwrap();
        cache.give([used].into_iter());
        let ids = [cache.take().unwrap(), cache.take().unwrap()];
        assert!(cache.find(start, &[2; BLOCK_TOKENS]).is_none() && cache.find(start, &[3; BLOCK_TOKENS]).is_none());
        let (kept, _) = cache.find(start, &[1; BLOCK_TOKENS]).unwrap();
        assert_eq!(cache.take(), None, "all three are used");
        cache.give(ids.into_iter());
        assert_eq!(cache.counts(), (1, 0), "blocks that were never full are free again");
        cache.give([kept].into_iter());
        assert_eq!(cache.counts(), (0, 1));
    }

    #[test]
    fn a_block_that_two_sequences_fill_at_once_is_known_once() {
        let mut cache = cache(4);
        let (one, two) = (cache.take().unwrap(), cache.take().unwrap());
        let after = cache.fill(one, Before::Start(0), &[5; BLOCK_TOKENS]);
        assert_eq!(cache.fill(two, Before::Start(0), &[5; BLOCK_TOKENS]), after);
        cache.give([one, two].into_iter());
        assert_eq!(cache.counts(), (0, 1));
    }
}
