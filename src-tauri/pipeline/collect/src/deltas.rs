//! Joins the pieces of an answer, so that the window is told 30 times a second and not a thousand times.

use tw_endpoint::AnswerDelta;

/// Pieces that wait to be told.
#[derive(Debug, Default)]
pub(crate) struct Deltas(Vec<AnswerDelta>);

impl Deltas {
    /// Adds a piece; one that continues the last is joined to it.
    pub(crate) fn push(&mut self, delta: AnswerDelta) {
        match (self.0.last_mut(), delta) {
            (Some(AnswerDelta::Reasoning(last)), AnswerDelta::Reasoning(text))
            | (Some(AnswerDelta::Content(last)), AnswerDelta::Content(text)) => last.push_str(&text),
            (
                Some(AnswerDelta::CallArguments { index: last_index, text: last }),
                AnswerDelta::CallArguments { index, text },
            ) if *last_index == index => last.push_str(&text),
            (_, delta) => self.0.push(delta),
        }
    }

    /// Takes what waits.
    pub(crate) fn take(&mut self) -> Vec<AnswerDelta> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_a_kind_are_joined_and_order_is_kept() {
        let mut deltas = Deltas::default();
        for delta in [
            AnswerDelta::Reasoning("a".to_owned()),
            AnswerDelta::Reasoning("b".to_owned()),
            AnswerDelta::CallArguments { index: 0, text: "{".to_owned() },
            AnswerDelta::CallArguments { index: 1, text: "{".to_owned() },
            AnswerDelta::CallArguments { index: 1, text: "}".to_owned() },
            AnswerDelta::Content("c".to_owned()),
        ] {
            deltas.push(delta);
        }
        let taken = deltas.take();
        assert_eq!(taken.len(), 4, "{taken:?}");
        assert!(matches!(&taken[0], AnswerDelta::Reasoning(text) if text == "ab"));
        assert!(matches!(&taken[2], AnswerDelta::CallArguments { index: 1, text } if text == "{}"));
        assert!(deltas.take().is_empty());
    }
}
