//! Text that can be seen: what white space, control characters and characters that turn the direction of writing stand
//! for. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters of a token that are shown at most.
const MOST_CHARS: usize = 160;

/// A text as it is drawn. Control characters and those that turn the direction of writing become signs that can be seen;
/// each takes as many UTF-16 units as the character it stands for, so that places stay what they are.
pub(crate) fn drawn(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| sign_of(c).is_some()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| sign_of(c).unwrap_or(c)).collect())
}

/// The sign for a character that would not be seen, or that would change what is seen around it.
fn sign_of(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => None,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7f}' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}' => Some('\u{fffd}'),
        _ if turns(c) => Some('\u{fffd}'),
        _ => None,
    }
}

/// Whether a character changes the direction of the writing around it.
const fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

/// A token's text with its white space made visible: `·` for a space, `\n`, `\t` and escapes for the rest.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == MOST_CHARS {
            out.push('…');
            break;
        }
        match c {
            ' ' => out.push('·'),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c.is_control()
                || sign_of(c).is_some()
                || matches!(c, '\u{a0}' | '\u{200c}' | '\u{200d}' | '\u{ad}') =>
            {
                // A string takes everything that is written to it.
                write!(out, "\\u{{{:x}}}", u32::from(c)).unwrap_or_default();
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn white_space_of_a_token_can_be_seen() {
        assert_eq!(visible(" the\n\n"), "·the\\n\\n");
        assert_eq!(visible("a\tb\r\\n"), "a\\tb\\r\\\\n");
        assert_eq!(visible("\u{202e}x\u{a0}"), "\\u{202e}x\\u{a0}");
        assert_eq!(visible(&"x".repeat(500)).chars().count(), MOST_CHARS + 1);
    }

    #[test]
    fn characters_that_turn_the_writing_are_drawn_as_a_sign() {
        assert_eq!(drawn("ab\u{202e}cd\u{1b}[0m"), "ab\u{fffd}cd\u{241b}[0m");
        assert!(matches!(drawn("Grüße\n\t😀"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn what_is_drawn_takes_as_many_units_as_the_text(text in any::<String>()) {
            let drawn = drawn(&text);
            let units = |text: &str| text.chars().map(char::len_utf16).collect::<Vec<_>>();
            prop_assert_eq!(units(&drawn), units(&text));
        }
    }
}
