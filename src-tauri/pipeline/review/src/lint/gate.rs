//! Secrets and personal data in any text: for what is to leave the machine.

use std::ops::Range;

use super::random::is_wordy;
use super::shapes::{Kind, hits};

/// Something recognised in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitive {
    /// What it is, in a word: `github-token`, `e-mail`, `home-folder` ...
    pub kind: String,
    /// What it is, for people: `a GitHub token`.
    pub label: &'static str,
    /// Whether it is a secret; otherwise it is personal data.
    pub is_secret: bool,
    /// Where, in bytes.
    pub range: Range<usize>,
}

/// Shortest secret that is looked for wherever else it stands.
const SHORTEST_ELSEWHERE: usize = 12;

/// Everything recognised in a text, in order, without overlaps. Placeholders of earlier repairs are none.
#[must_use]
pub fn sensitive(text: &str) -> Vec<Sensitive> {
    hits(text)
        .into_iter()
        .filter_map(|hit| {
            let (kind, label) = match hit.kind {
                Kind::Secret { what, mark, .. } => (mark.to_ascii_lowercase().replace('_', "-"), what),
                Kind::Email => ("e-mail".to_owned(), "an e-mail address"),
                Kind::Home => ("home-folder".to_owned(), "a home folder with a person's name"),
                Kind::Taken => return None,
            };
            Some(Sensitive { kind, label, is_secret: hit.kind.is_secret(), range: hit.range })
        })
        .collect()
}

/// Whether a secret is to be looked for wherever else it stands, also without the surroundings by which it was
/// recognised. Short ones and words are not: they would be found in other words.
#[must_use]
pub fn stands_alone(secret: &str) -> bool {
    secret.len() >= SHORTEST_ELSEWHERE && !is_wordy(secret.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recognised_has_a_kind_that_decisions_can_name() {
        let text = "mail jane.doe@corp-mail.net from /home/janedoe/x with ghp_k9Wq2ZtB7xLm4RvN8sYc1JdF6hPgT3uEaQ5o";
        let kinds: Vec<String> = sensitive(text).into_iter().map(|found| found.kind).collect();
        assert_eq!(kinds, ["e-mail", "home-folder", "github-token"]);
    }

    #[test]
    fn a_mark_that_took_the_place_of_something_is_not_found_again() {
        assert_eq!(sensitive("mail [redacted: e-mail] from /home/[redacted: home-folder]/x"), []);
    }
}
