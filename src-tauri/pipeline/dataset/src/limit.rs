//! Rows over the token limit: tool results cut, or the row split.

use std::ops::Range;

use tw_artifact::{DatasetWarningKind, Role, RowFate};

use crate::render::{Rendered, Renderer};
use crate::row::{Row, drop_long, is_answer, settle};
use crate::source::{Prepared, Source};

/// Characters of a tool result that stay of one that is cut.
const KEPT_CHARS: usize = 200;

/// Cuts tool results, the oldest first, until the row fits; where it does not fit even so, it is left out.
pub(crate) fn cut_results(
    mut row: Row,
    rendered: &Rendered,
    source: &Source,
    prepared: &Prepared,
    renderer: &dyn Renderer,
    limit: u32,
) -> Vec<(Row, Option<Rendered>)> {
    let results: Vec<(usize, String)> = row
        .places()
        .filter(|place| prepared.role(*place) == Some(Role::Tool))
        .filter_map(|place| Some((place, shortened(&prepared.messages[place].text())?)))
        .collect();
    // How many must be cut is searched by halving: each try renders the row once.
    let attempt = |row: &Row, count: usize| {
        let row = Row { cut: results[..count].to_vec(), ..row.clone() };
        row.render(prepared, renderer, source.timestamp_ms).map(|rendered| (row, rendered))
    };
    let (mut low, mut high) = (0, results.len());
    let mut best = None;
    while low < high {
        let count = usize::midpoint(low, high).max(low + 1);
        match attempt(&row, count) {
            Ok((cut, rendered)) if rendered.tokens() <= limit => {
                best = Some((cut, rendered));
                high = count - 1;
            }
            Ok(_) => low = count,
            Err(_) => break,
        }
    }
    let Some((cut, rendered)) = best else {
        row.cut.clear();
        return vec![drop_long(row, rendered, limit)];
    };
    let text = format!("the {} oldest tool results were cut so that the row fits {limit} tokens", cut.cut.len());
    let (mut row, rendered) = settle(cut, rendered);
    if row.is_kept() {
        row.fate = RowFate::Cut;
    }
    row.warnings.push((DatasetWarningKind::ResultsCut, text));
    vec![(row, rendered)]
}

/// A beginning of a result with a mark; `None` where that would not be shorter.
fn shortened(text: &str) -> Option<String> {
    let mark = format!("\n[Content truncated to {KEPT_CHARS} characters]");
    text.chars().nth(KEPT_CHARS + mark.chars().count())?;
    let kept: String = text.chars().take(KEPT_CHARS).collect();
    Some(kept + &mark)
}

/// Splits the row: each piece has what the conversation begins with (everything up to the first answer) and as many
/// turns before its last as fit. Pieces in which nothing is trained are not made.
pub(crate) fn split(
    row: Row,
    rendered: &Rendered,
    source: &Source,
    prepared: &Prepared,
    renderer: &dyn Renderer,
    limit: u32,
) -> Vec<(Row, Option<Rendered>)> {
    let end = row.parts.last().map_or(0, |part| part.end);
    let head = (0..end).find(|place| is_answer(prepared, *place)).unwrap_or(end);
    // Where a piece may begin: at an answer, or at a question.
    let mut begins: Vec<usize> = (head..end).filter(|place| prepared.role(*place) != Some(Role::Tool)).collect();
    begins.push(end);
    let piece = |begin: usize, end: usize| {
        // What stands in every piece is trained in the first alone; what follows the last answer is no use.
        let inside = |place: &usize| (begin..end).contains(place) || (*place < head && begin == head);
        let end = (begin..end).rev().find(|place| is_answer(prepared, *place)).map_or(end, |place| place + 1);
        let whole = Range { start: 0, end };
        let parts = if begin == head { vec![whole] } else { vec![0..head, begin..end] };
        let mut piece = Row { parts, ..row.clone() };
        piece.trained.retain(inside);
        piece.stretches.retain(inside);
        piece
    };
    let mut pieces = Vec::new();
    let mut last = begins.len() - 1;
    while last > 0 {
        // From the end on, so that each piece has the most that the model saw before.
        let mut fitting: Option<(usize, Row, Rendered)> = None;
        let (mut low, mut high) = (0, last - 1);
        while low <= high {
            let middle = usize::midpoint(low, high);
            let row = piece(begins[middle], begins[last]);
            match row.render(prepared, renderer, source.timestamp_ms) {
                Ok(rendered) if rendered.tokens() <= limit => {
                    fitting = Some((middle, row, rendered));
                    match middle.checked_sub(1) {
                        Some(below) => high = below,
                        None => break,
                    }
                }
                _ => low = middle + 1,
            }
        }
        match fitting {
            Some((first, row, rendered)) => {
                if !(row.trained.is_empty() && row.stretches.is_empty()) {
                    pieces.push((row, rendered));
                }
                last = first;
            }
            // A turn that is too long by itself.
            None => last -= 1,
        }
    }
    if pieces.is_empty() {
        return vec![drop_long(row, rendered, limit)];
    }
    pieces.reverse();
    let count = pieces.len();
    pieces
        .into_iter()
        .enumerate()
        .map(|(number, (mut piece, rendered))| {
            if count > 1 {
                piece.id = format!("{}_part_{}", row.id, number + 1);
            }
            let text =
                format!("longer than {limit} tokens: piece {} of {count}, without the turns between", number + 1);
            piece.warnings.push((DatasetWarningKind::OverLimitSplit, text));
            settle(piece, rendered)
        })
        .collect()
}
