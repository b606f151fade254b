//! The pieces that cl100k cuts a text into before it looks for tokens: words with the space before them, up to three
//! digits, runs of signs, whitespace.
//!
//! The vocabulary's own pattern says the same, but its engine steps back and forth over every character, and takes most
//! of the time of a count. Here each character is looked at about once. The pattern, alternative by alternative:
//! `'(?i:[sdmt]|ll|ve|re)`, `[^\r\n\p{L}\p{N}]?+\p{L}++`, `\p{N}{1,3}+`, ` ?[^\s\p{L}\p{N}]++[\r\n]*+`, `\s++$`,
//! `\s*[\r\n]`, `\s+(?!\S)`, `\s`.

use std::sync::LazyLock;

use regex::Regex;

/// What the pattern tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// Stretches of characters beyond ASCII with their class, in order; what lies between them is [`Class::Other`].
static BEYOND_ASCII: LazyLock<Vec<(u32, u32, Class)>> = LazyLock::new(|| {
    let all: String = (0x80..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
    let mut stretches = Vec::new();
    // From the tables of the engine that the vocabulary's pattern is made for.
    for (pattern, class) in [(r"\p{L}+", Class::Letter), (r"\p{N}+", Class::Number), (r"\s+", Class::Space)] {
        let Ok(pattern) = Regex::new(pattern) else { continue };
        for stretch in pattern.find_iter(&all) {
            let mut chars = stretch.as_str().chars();
            if let Some(first) = chars.next() {
                stretches.push((u32::from(first), u32::from(chars.next_back().unwrap_or(first)), class));
            }
        }
    }
    stretches.sort_unstable_by_key(|(first, _, _)| *first);
    stretches
});

fn class_of(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        ' ' | '\t'..='\r' => Class::Space,
        '\0'..='\x7f' => Class::Other,
        _ => {
            let number = u32::from(c);
            let next = BEYOND_ASCII.partition_point(|(first, _, _)| *first <= number);
            match next.checked_sub(1).and_then(|place| BEYOND_ASCII.get(place)) {
                Some((_, last, class)) if number <= *last => *class,
                _ => Class::Other,
            }
        }
    }
}

const fn ends_line(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// The pieces of a text, in order; together they are the text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(first_piece(rest)?);
        rest = after;
        Some(piece)
    })
}

/// How many bytes of a text, from `from` on, are of characters for which something holds, up to `most` characters.
fn run(text: &str, from: usize, most: usize, is_it: impl Fn(char) -> bool) -> usize {
    let rest = &text[from..];
    rest.char_indices()
        .take(most)
        .find(|(_, c)| !is_it(*c))
        .map_or_else(|| rest.char_indices().nth(most).map_or(rest.len(), |(end, _)| end), |(end, _)| end)
}

/// The length of the first piece; `None` at the end.
fn first_piece(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let second = chars.next();
    if first == '\''
        && let Some(length) = contraction(&text[1..])
    {
        return Some(1 + length);
    }
    let class = class_of(first);
    let begin = first.len_utf8();
    let is_letter = |c: char| class_of(c) == Class::Letter;
    let is_other = |c: char| class_of(c) == Class::Other;
    if class == Class::Letter {
        return Some(begin + run(text, begin, usize::MAX, is_letter));
    }
    if class == Class::Number {
        return Some(begin + run(text, begin, 2, |c| class_of(c) == Class::Number));
    }
    if !ends_line(first) && second.is_some_and(is_letter) {
        return Some(begin + run(text, begin, usize::MAX, is_letter));
    }
    if class == Class::Other || (first == ' ' && second.is_some_and(is_other)) {
        let signs = begin + run(text, begin, usize::MAX, is_other);
        return Some(signs + run(text, signs, usize::MAX, ends_line));
    }
    let spaces = run(text, 0, usize::MAX, |c| class_of(c) == Class::Space);
    if spaces == text.len() {
        return Some(spaces);
    }
    let blank = &text[..spaces];
    if let Some(end) = blank.rfind(ends_line) {
        return Some(end + 1);
    }
    // The last space belongs to what follows it, unless it is the only one.
    let last = blank.char_indices().next_back().map_or(0, |(at, _)| at);
    Some(if last == 0 { spaces } else { last })
}

/// The length of what an apostrophe shortens, such as the `ll` of `we'll`.
fn contraction(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    // The long s is an s in another case.
    if matches!(first.to_ascii_lowercase(), 's' | 'd' | 'm' | 't' | 'ſ') {
        return Some(first.len_utf8());
    }
    let two = text.as_bytes().get(..2)?;
    [b"ll", b"ve", b"re"].iter().any(|known| two.eq_ignore_ascii_case(*known)).then_some(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// Texts of what the pattern tells apart, thickly mixed.
    fn mixed() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z]{1,4}",
            "[0-9]{1,5}",
            "[ \t\r\n\u{b}\u{c}]{1,4}",
            "['\"!?.,;:_+=-]{1,3}",
            "'[sdmtlverSDMTLVERſ]{1,2}",
            "[äéßſŁжΩ漢字ㄱ]{1,3}",
            "[\u{a0}\u{2003}\u{3000}\u{85}\u{2028}\u{200b}\u{feff}]{1,2}",
            "[²½Ⅷ٣९①]{1,4}",
            "[\u{301}\u{ff21}\u{1f600}\u{1d54f}]{1,2}",
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_pieces_have_the_tokens_of_the_whole(text in mixed()) {
            let vocabulary = tiktoken_rs::cl100k_base_singleton();
            let whole = vocabulary.encode_ordinary(&text);
            let apart: Vec<_> = pieces(&text).flat_map(|piece| vocabulary.encode_ordinary(piece)).collect();
            prop_assert_eq!(pieces(&text).collect::<String>(), text);
            prop_assert_eq!(whole, apart);
        }
    }

    #[test]
    fn words_take_the_space_before_them_and_whitespace_keeps_its_last_line_end() {
        let cut = |text: &'static str| pieces(text).collect::<Vec<_>>();
        assert_eq!(cut("I'll  go: 12345\n\n x"), ["I", "'ll", " ", " go", ":", " ", "123", "45", "\n\n", " x"]);
        assert_eq!(cut("a\u{a0}b (c)\r\n  "), ["a", "\u{a0}b", " (", "c", ")\r\n", "  "]);
        assert_eq!(cut(""), Vec::<&str>::new());
    }
}
