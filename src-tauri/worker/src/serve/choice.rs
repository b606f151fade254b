//! One answer, followed from its tokens to what it says.

use tw_infer::{Event, Generation, Reason, TokenInfo};

use super::answer::{Piece, Reader};
use super::body::{ChatBody, ToolChoice};
use super::chat::{Chat, Prompt};
use super::text::TextStream;
use super::wire::Counts;

/// Some pieces and the tokens that they came of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) tokens: Vec<TokenInfo>,
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) reason: Reason,
    /// The stop string that ended it.
    pub(crate) stop_string: Option<String>,
    pub(crate) counts: Counts,
}

/// An answer that is followed.
pub(crate) struct Choice<'a> {
    chat: &'a Chat,
    text: TextStream,
    reader: Reader<'a>,
    counts: Counts,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(chat: &'a Chat, body: &'a ChatBody, prompt: &Prompt) -> Self {
        let tools = if body.tool_choice == ToolChoice::None { &[] } else { body.conversation.tools.as_slice() };
        Self {
            chat,
            text: TextStream::new(body.stop.clone()),
            reader: Reader::new(tools, prompt.is_thinking, prompt.may_think),
            counts: Counts::default(),
        }
    }

    /// Follows it to its end, or until `show` says that nobody cares any more: then there is nothing to tell.
    pub(crate) async fn follow(
        mut self,
        mut generation: Generation,
        mut show: impl FnMut(Shown) -> bool,
    ) -> Result<Option<Done>, String> {
        let mut shown = Shown::default();
        let reason = loop {
            match generation.next().await {
                None => return Err("the server is ending".to_owned()),
                Some(Event::Failed(why)) => return Err(why),
                Some(Event::Ended(ended)) => {
                    self.counts.cached = ended.cached_tokens;
                    break ended.reason;
                }
                Some(Event::Token(token)) => {
                    let was_thinking = self.reader.is_thinking();
                    self.counts.answer += 1;
                    let text = self.text.push(self.chat, token.id);
                    shown.tokens.push(token);
                    self.reader.push(&text, &mut |piece| shown.pieces.push(piece));
                    if was_thinking && self.reader.is_thinking() {
                        self.counts.reasoning += 1;
                    }
                    if self.text.stopped().is_some() {
                        break Reason::Complete;
                    }
                    if !shown.pieces.is_empty() && !show(std::mem::take(&mut shown)) {
                        return Ok(None);
                    }
                }
            }
        };
        // What comes after a stop string is not waited for.
        drop(generation);
        let rest = self.text.finish(self.chat);
        self.reader.push(&rest, &mut |piece| shown.pieces.push(piece));
        self.reader.finish(&mut |piece| shown.pieces.push(piece));
        if !show(shown) {
            return Ok(None);
        }
        let stop_string = self.text.stopped().map(str::to_owned);
        Ok(Some(Done { reason, stop_string, counts: self.counts }))
    }
}
