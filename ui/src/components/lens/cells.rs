//! A rendered text as it is drawn: cut into cells at the edges of its tokens, and the cells gathered into blocks of which
//! only those near the visible part are in the page. Pure; places are bytes of the text.

use std::ops::Range;

/// Bytes after which a block ends with the next line.
const BLOCK_BYTES: usize = 320;
/// Bytes after which a block ends wherever the next cell does: lines may be as long as a page.
const BLOCK_MOST_BYTES: usize = 960;
/// Bytes of a cell at most: what no token covers may be as long as the text.
const CELL_MOST_BYTES: usize = 480;

/// A stretch of the text that is drawn as one: a token, tokens that share a character, or what no token covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
    /// The first of its tokens.
    pub(crate) first_token: usize,
    /// How many tokens it stands for; 0 where no token covers it.
    pub(crate) tokens: usize,
}

impl Cell {
    /// Its tokens.
    pub(crate) const fn token_range(&self) -> Range<usize> {
        self.first_token..self.first_token + self.tokens
    }
}

/// Neighbouring cells that are drawn together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its cells.
    pub(crate) cells: Range<usize>,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
}

/// Cuts a text at the edges of its tokens. `lengths` has for each token the bytes from the end of the token before to
/// its own end; 0 for one that ends where the token before did. The cells cover every byte once, whatever the lengths
/// say.
pub(crate) fn cells(text: &str, lengths: &[u32]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::with_capacity(lengths.len());
    let (mut at, mut end) = (0, 0);
    for (index, length) in lengths.iter().enumerate() {
        end = text.len().min(end + *length as usize);
        let edge = floor(text, end);
        if edge > at {
            // Tokens without text at the very beginning stand with the first that has one.
            let first = if cells.is_empty() { 0 } else { index };
            push(text, &mut cells, at..edge, first, index + 1 - first);
            at = edge;
        } else if let Some(last) = cells.last_mut() {
            // It shares the last character of the one before.
            last.tokens = index + 1 - last.first_token;
        }
    }
    push(text, &mut cells, at..text.len(), lengths.len(), 0);
    cells
}

/// Adds a stretch as cells of a size that can be drawn.
fn push(text: &str, cells: &mut Vec<Cell>, stretch: Range<usize>, first_token: usize, tokens: usize) {
    let mut start = stretch.start;
    while start < stretch.end {
        let mut end = stretch.end.min(start + CELL_MOST_BYTES);
        if end < stretch.end {
            end = floor(text, end);
        }
        cells.push(Cell { start, end, first_token, tokens });
        start = end;
    }
}

/// The character boundary at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Gathers cells into blocks: at ends of lines where it can, so that a block begins where a line does.
pub(crate) fn blocks(text: &str, cells: &[Cell]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut first = 0;
    for (place, cell) in cells.iter().enumerate() {
        let start = cells[first].start;
        let length = cell.end - start;
        let ends_line = text.as_bytes().get(cell.start..cell.end).is_some_and(|cell| cell.ends_with(b"\n"));
        if (ends_line && length >= BLOCK_BYTES) || length >= BLOCK_MOST_BYTES || place + 1 == cells.len() {
            blocks.push(Block { cells: first..place + 1, start, end: cell.end });
            first = place + 1;
        }
    }
    blocks
}

/// The block that holds a byte; the last one behind the end.
pub(crate) fn block_at(blocks: &[Block], byte: usize) -> Option<usize> {
    let place = blocks.partition_point(|block| block.end <= byte);
    (!blocks.is_empty()).then(|| place.min(blocks.len() - 1))
}

/// The byte of a place in a cell that is counted in UTF-16 units from the cell's beginning.
pub(crate) fn byte_of_units(text: &str, cell: &Cell, units: usize) -> usize {
    let mut left = units;
    for (at, c) in text[cell.start..cell.end].char_indices() {
        if left < c.len_utf16() {
            return cell.start + at;
        }
        left -= c.len_utf16();
    }
    cell.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str, lengths: &[u32]) -> Vec<(String, usize, usize)> {
        cells(text, lengths)
            .into_iter()
            .map(|cell| (text[cell.start..cell.end].to_owned(), cell.first_token, cell.tokens))
            .collect()
    }

    #[test]
    fn tokens_that_share_a_character_are_one_cell() {
        let told = told("a😀b", &[1, 4, 0, 0, 1]);
        assert_eq!(told, [("a".to_owned(), 0, 1), ("😀".to_owned(), 1, 3), ("b".to_owned(), 4, 1)]);
    }

    #[test]
    fn what_no_token_covers_is_drawn_too() {
        assert_eq!(told("ab  ", &[0, 2]), [("ab".to_owned(), 0, 2), ("  ".to_owned(), 2, 0)]);
        assert_eq!(told("ab", &[]), [("ab".to_owned(), 0, 0)]);
        assert_eq!(cells("", &[0]), []);
    }

    #[test]
    fn blocks_end_with_lines_and_no_block_grows_without_end() {
        let line = format!("{}\n", "word ".repeat(40));
        let text = line.repeat(10) + "x".repeat(5_000).as_str();
        let cells = cells(&text, &vec![1; text.len()]);
        let blocks = blocks(&text, &cells);
        for pair in blocks.windows(2) {
            assert_eq!((pair[0].end, pair[0].cells.end), (pair[1].start, pair[1].cells.start));
            assert!(pair[0].end - pair[0].start <= BLOCK_MOST_BYTES);
            assert!(text[..pair[0].end].ends_with('\n') || pair[0].end > line.len() * 10);
        }
        assert_eq!(blocks.first().map(|it| it.start), Some(0));
        assert_eq!(blocks.last().map(|it| (it.end, it.cells.end)), Some((text.len(), cells.len())));
        assert_eq!(super::blocks("", &[]), []);
    }

    #[test]
    fn places_lead_from_bytes_to_cells_and_from_the_page_back_to_bytes() {
        let text = "aé😀b\nend";
        let cells = cells(text, &[8, 1, 3]);
        assert_eq!([0, 1, 2, 3, 4, 99].map(|units| byte_of_units(text, &cells[0], units)), [0, 1, 3, 3, 7, 8]);
        assert_eq!(byte_of_units(text, &cells[1], 1), 9);
        let blocks = blocks(text, &cells);
        assert_eq!([0, 11, 99].map(|byte| block_at(&blocks, byte)), [Some(0); 3]);
        assert_eq!(block_at(&[], 0), None);
    }

    proptest! {
        #[test]
        fn cells_and_blocks_cover_the_text_once_whatever_the_tokens_say(
            text in "[a-c é😀\n]{0,400}",
            lengths in prop::collection::vec(0_u32..40, 0..60),
        ) {
            let cells = cells(&text, &lengths);
            let again: String = cells.iter().map(|cell| &text[cell.start..cell.end]).collect();
            prop_assert_eq!(&again, &text);
            let blocks = blocks(&text, &cells);
            let again: String = blocks.iter().map(|block| &text[block.start..block.end]).collect();
            prop_assert_eq!(&again, &text);
            prop_assert_eq!(blocks.iter().map(|block| block.cells.len()).sum::<usize>(), cells.len());
        }
    }
}
