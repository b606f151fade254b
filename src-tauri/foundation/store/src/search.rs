//! What a person types into the search field, as a query that `FTS5` always understands.

/// Words of a query that count; further ones are left out.
const MOST_WORDS: usize = 32;
/// Characters of a word that count.
const WORD_CHARS: usize = 64;

/// A query for rows that have every word, the last one also as the beginning of a longer word unless it is a single
/// letter of ours (half of all words begin with one of a few, so that finds everything and takes long). Each word is quoted, so
/// that nothing in it (operators, quotes, column names, stars) means anything. `None` when there is no letter or digit
/// to look for.
pub(crate) fn match_expression(typed: &str) -> Option<String> {
    // Control characters separate too: a NUL would end the query inside a quote.
    let words: Vec<String> = typed
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(MOST_WORDS)
        .map(|word| word.chars().take(WORD_CHARS).collect::<String>().replace('"', "\"\""))
        .collect();
    if words.is_empty() {
        return None;
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let is_prefix = words.last().is_some_and(|word| word.len() > 1);
    Some(quoted.join(" ") + if is_prefix { " *" } else { "" })
}
