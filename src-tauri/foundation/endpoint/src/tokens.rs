//! Counts tokens and cuts tool outputs to their budget.
//!
//! Counted with cl100k, the vocabulary that Qwen's was made from. For the 25 tools of Playwright MCP 0.0.83, as Qwen3's
//! template writes them (17,736 characters), it counts 4,192 tokens and Qwen3's own tokenizer 4,203: 0.3 % fewer.
//!
//! Text is counted in blocks of at most [`BLOCK_BYTES`], which end at a line or word where they can, so that a word of a
//! megabyte costs no more than other text. That is exact but at the edges of blocks, where it can count a token too many.
//! Of a text above [`EXACT_BYTES`] only [`SAMPLES`] pieces spread evenly over it are counted, and the whole is reckoned
//! from them: a text of any size takes a fraction of a second. Within a budget the kept part is always counted.

use std::cell::RefCell;
use std::collections::HashMap;

use tiktoken_rs::{CoreBPE, Rank};
use tw_artifact::{Arguments, Budget, BudgetKeep, Cut, Json, Message};

use crate::pieces::pieces;

const BLOCK_BYTES: usize = 8 << 10;
/// How far back from its end a block may end for the sake of a line or word.
const EDGE_BYTES: usize = 512;
const EXACT_BYTES: usize = 256 << 10;
const SAMPLES: usize = 32;
const SAMPLE_BYTES: usize = 4 << 10;
/// Pieces whose count is remembered, and how long these are at most, in bytes: about a megabyte on each thread that counts.
const MOST_KNOWN: usize = 16 << 10;
const KNOWN_BYTES: usize = 32;

/// About how many tokens a text has. The first call loads the vocabulary, which takes a moment; see the module's notes
/// for how it is counted.
#[must_use]
pub fn count_tokens(text: &str) -> u32 {
    let count = if text.len() <= EXACT_BYTES { count_all(text) } else { estimate(text) };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// About how many tokens a message takes: its text, reasoning, and calls.
#[must_use]
pub fn estimate_message(message: &Message) -> u32 {
    let mut tokens = count_tokens(&message.text_ref()) + message.reasoning().map_or(0, count_tokens);
    for call in message.tool_calls() {
        tokens += count_tokens(call.name);
        tokens += match call.arguments {
            Arguments::Object(map) => count_tokens(&Json::Object(map.clone()).to_text()),
            Arguments::Text(text) => count_tokens(text),
            Arguments::Other => 0,
        };
    }
    tokens
}

/// Shortens a tool's output to its budget. `None` when it fits. Else the kept part, cut between characters, with one
/// line that says how many tokens are missing; that line counts, so that the model is shown no more than the budget,
/// but for a budget too small for the line itself.
#[must_use]
pub fn cut(text: &str, budget: Budget) -> (String, Option<Cut>) {
    let limit = usize::try_from(budget.tokens).unwrap_or(usize::MAX);
    // A token is at least one byte, so that most outputs need no counting.
    if limit == 0 || text.len() <= limit || head_end(text, limit) == text.len() {
        return (text.to_owned(), None);
    }
    let full_tokens = count_tokens(text).max(budget.tokens.saturating_add(1));
    let about = if text.len() > EXACT_BYTES { "about " } else { "" };
    let marker = |kept: usize| {
        let missing = u64::from(full_tokens).saturating_sub(kept as u64);
        format!("[... {about}{missing} tokens cut ...]")
    };
    let mut room = limit.saturating_sub(count_all(&marker(0)) + 2);
    loop {
        let shown = keep(text, budget.keep, room, &marker(room));
        let kept_tokens = count_tokens(&shown);
        let over = usize::try_from(kept_tokens).unwrap_or(usize::MAX).saturating_sub(limit);
        // Pieces joined may count a token more than apart.
        if over > 0 && room > 0 {
            room = room.saturating_sub(over);
            continue;
        }
        return (shown, Some(Cut { keep: budget.keep, full_tokens, kept_tokens }));
    }
}

fn keep(text: &str, keep: BudgetKeep, room: usize, marker: &str) -> String {
    match keep {
        BudgetKeep::Head => format!("{}\n{marker}", &text[..head_end(text, room)]),
        BudgetKeep::Tail => format!("{marker}\n{}", &text[tail_start(text, room)..]),
        BudgetKeep::HeadTail => {
            let end = head_end(text, room / 2);
            let start = tail_start(text, room - room / 2).max(end);
            format!("{}\n{marker}\n{}", &text[..end], &text[start..])
        }
    }
}

thread_local! {
    /// Tokens of pieces that were counted on this thread.
    static KNOWN: RefCell<HashMap<Box<str>, usize>> = RefCell::default();
}

fn vocabulary() -> &'static CoreBPE {
    tiktoken_rs::cl100k_base_singleton()
}

fn encode(block: &str) -> Vec<Rank> {
    vocabulary().encode_ordinary(block)
}

/// Bytes that tokens stand for.
fn bytes_of(tokens: &[Rank]) -> usize {
    vocabulary().decode_bytes(tokens).map_or(0, |bytes| bytes.len())
}

fn count_all(text: &str) -> usize {
    let mut rest = text;
    let mut count = 0;
    while !rest.is_empty() {
        let (block, after) = rest.split_at(first_block(rest));
        count += count_block(block);
        rest = after;
    }
    count
}

/// As many as [`encode`] gives, faster: most pieces of a text have stood in it, or in another one, before.
fn count_block(block: &str) -> usize {
    KNOWN.with_borrow_mut(|known| {
        pieces(block)
            .map(|piece| {
                if let Some(count) = known.get(piece) {
                    return *count;
                }
                let count = encode(piece).len();
                if piece.len() <= KNOWN_BYTES {
                    if known.len() >= MOST_KNOWN {
                        known.clear();
                    }
                    known.insert(piece.into(), count);
                }
                count
            })
            .sum()
    })
}

fn estimate(text: &str) -> usize {
    let (mut tokens, mut bytes) = (0, 0);
    for sample in 0..SAMPLES {
        let start = text.floor_char_boundary((text.len() - SAMPLE_BYTES) / (SAMPLES - 1) * sample);
        let block = &text[start..text.floor_char_boundary(start + SAMPLE_BYTES)];
        tokens += count_block(block);
        bytes += block.len();
    }
    text.len().saturating_mul(tokens) / bytes.max(1)
}

/// Length of the block at the beginning of `text`.
fn first_block(text: &str) -> usize {
    if text.len() <= BLOCK_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(BLOCK_BYTES);
    let edge = text.floor_char_boundary(end - EDGE_BYTES);
    let last = &text[edge..end];
    // A word's token begins with the space before it.
    last.rfind('\n').map(|at| edge + at + 1).or_else(|| last.rfind(' ').map(|at| edge + at)).unwrap_or(end)
}

/// Start of the block at the end of `text`.
fn last_block(text: &str) -> usize {
    if text.len() <= BLOCK_BYTES {
        return 0;
    }
    let start = text.ceil_char_boundary(text.len() - BLOCK_BYTES);
    let edge = text.ceil_char_boundary(start + EDGE_BYTES);
    let first = &text[start..edge];
    first.find('\n').map(|at| start + at + 1).or_else(|| first.find(' ').map(|at| start + at)).unwrap_or(start)
}

/// Where the first `tokens` tokens end.
fn head_end(text: &str, tokens: usize) -> usize {
    let (mut end, mut left) = (0, tokens);
    while end < text.len() {
        let length = first_block(&text[end..]);
        let block = encode(&text[end..end + length]);
        if block.len() > left {
            return text.floor_char_boundary(end + bytes_of(&block[..left]));
        }
        left -= block.len();
        end += length;
    }
    end
}

/// Where the last `tokens` tokens begin.
fn tail_start(text: &str, tokens: usize) -> usize {
    let (mut start, mut left) = (text.len(), tokens);
    while start > 0 {
        let from = last_block(&text[..start]);
        let block = encode(&text[from..start]);
        if block.len() > left {
            return text.ceil_char_boundary(start - bytes_of(&block[block.len() - left..]));
        }
        left -= block.len();
        start = from;
    }
    start
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn budget(tokens: u32, keep: BudgetKeep) -> Budget {
        Budget { tokens, keep }
    }

    /// Lines that can be told apart, of about nine tokens each.
    fn lines(count: usize) -> String {
        (0..count).map(|n| format!("- link \"Item {n}\" [ref=e{n}]\n")).collect()
    }

    #[test]
    fn what_fits_is_not_touched() {
        for text in ["", "short", &lines(10)] {
            assert_eq!(cut(text, budget(1_000, BudgetKeep::Head)), (text.to_owned(), None));
            assert_eq!(cut(text, budget(0, BudgetKeep::Head)), (text.to_owned(), None));
        }
        let text = lines(10);
        let exact = count_tokens(&text);
        assert_eq!(cut(&text, budget(exact, BudgetKeep::Tail)).1, None);
        assert!(cut(&text, budget(exact - 1, BudgetKeep::Tail)).1.is_some());
    }

    #[test]
    fn each_way_of_keeping_keeps_its_part_and_says_what_is_missing() {
        let text = lines(2_000);
        for keep in [BudgetKeep::Head, BudgetKeep::Tail, BudgetKeep::HeadTail] {
            let (shown, cut) = cut(&text, budget(200, keep));
            let cut = cut.unwrap();
            assert!(cut.kept_tokens <= 200 && cut.kept_tokens > 180, "{cut:?}");
            assert_eq!(cut.full_tokens, count_tokens(&text));
            let markers: Vec<&str> = shown.lines().filter(|line| line.starts_with("[... ")).collect();
            assert_eq!(markers.len(), 1, "{shown}");
            let missing: u32 = markers[0].split(' ').nth(1).unwrap().parse().unwrap();
            assert!(missing.abs_diff(cut.full_tokens - cut.kept_tokens) < 30, "{missing} {cut:?}");
            let has_head = shown.contains("Item 1\"");
            let has_tail = shown.contains("Item 1999\"");
            assert_eq!((has_head, has_tail), (keep != BudgetKeep::Tail, keep != BudgetKeep::Head));
        }
    }

    #[test]
    fn twenty_megabytes_are_cut_quickly() {
        assert!(count_tokens("warm up") > 0);
        let part = lines(1_000);
        let parts = (20 << 20) / part.len() + 1;
        let text = part.repeat(parts);
        let start = Instant::now();
        let (shown, cut) = cut(&text, budget(8_000, BudgetKeep::HeadTail));
        assert!(start.elapsed().as_secs_f64() < 10.0, "{:?}", start.elapsed());
        assert!(shown.contains("[... about "));
        let full = cut.unwrap().full_tokens as usize;
        let counted = count_all(&part) * parts;
        assert!(full.abs_diff(counted) < counted / 50, "{full} {counted}");
    }

    #[test]
    fn texts_without_words_take_no_longer_than_others() {
        assert!(count_tokens("warm up") > 0);
        for piece in ["a", " ", "\n", "é", "=", "\u{1F980}", "1", "\t ", "aB"] {
            let text = piece.repeat((1 << 20) / piece.len());
            let start = Instant::now();
            let full = count_tokens(&text);
            let (shown, cut) = cut(&text, budget(1_000, BudgetKeep::HeadTail));
            assert!(start.elapsed().as_secs_f64() < 15.0, "{piece:?} took {:?}", start.elapsed());
            assert!(cut.is_none_or(|cut| cut.kept_tokens <= 1_000 && cut.full_tokens == full), "{piece:?} {cut:?}");
            assert!(shown.len() <= text.len());
        }
    }

    #[test]
    fn blocks_change_the_count_by_next_to_nothing() {
        let text = lines(5_000);
        let whole = encode(&text).len();
        assert!(count_all(&text).abs_diff(whole) <= text.len() / BLOCK_BYTES, "{} {whole}", count_all(&text));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_cut_keeps_parts_of_the_text_within_the_budget(
            piece in "[a-z é\u{1F980}\n\"{}0-9]{1,40}",
            repeat in 1_usize..400,
            tokens in 30_u32..400,
            keep in prop::sample::select(vec![BudgetKeep::Head, BudgetKeep::Tail, BudgetKeep::HeadTail]),
        ) {
            let text = piece.repeat(repeat);
            let (shown, cut) = cut(&text, budget(tokens, keep));
            match cut {
                None => prop_assert_eq!(shown, text),
                Some(cut) => {
                    prop_assert!(cut.kept_tokens <= tokens);
                    prop_assert!(cut.full_tokens > tokens);
                    let (head, tail) = match keep {
                        BudgetKeep::Head => (shown.rsplit_once('\n').unwrap().0, ""),
                        BudgetKeep::Tail => ("", shown.split_once('\n').unwrap().1),
                        BudgetKeep::HeadTail => {
                            let at = shown.find("\n[... ").unwrap();
                            let end = at + 1 + shown[at + 1..].find(" tokens cut ...]\n").unwrap();
                            (&shown[..at], &shown[end + " tokens cut ...]\n".len()..])
                        }
                    };
                    prop_assert!(text.starts_with(head) && text.ends_with(tail));
                }
            }
        }
    }
}
