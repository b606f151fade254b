//! Server-sent events, as bytes come in.
//!
//! Own code rather than a crate because endpoints are sloppier than the crates at hand allow: `sse-stream` 0.2 ends with
//! an error at a field name it does not know (the standard says: ignore it) and then drops the events that came in the
//! same packet, so that the result would depend on how the network cut the stream.
//! Format: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

/// One event's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its `data` lines, joined by line feeds.
    Data(String),
    /// Its data was not UTF-8.
    NotText,
}

/// Takes the stream apart. What is left in it when the stream ends is an event that was cut, and no event.
#[derive(Debug, Default)]
pub(crate) struct SseDecoder {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was a carriage return: a line feed right after it belongs to it.
    after_cr: bool,
    begun: bool,
}

impl SseDecoder {
    /// Takes more bytes and gives the events that they completed.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(rest);
                break;
            };
            self.line.extend_from_slice(&rest[..end]);
            self.after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            events.extend(self.take_line(&line));
        }
        events
    }

    fn take_line(&mut self, line: &[u8]) -> Option<Event> {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            let data = self.data.take()?;
            return Some(String::from_utf8(data).map_or(Event::NotText, Event::Data));
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        if field == b"data" {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn check(stream: &str, expected: &[&str]) {
        let events = SseDecoder::default().push(stream.as_bytes());
        let expected: Vec<Event> = expected.iter().map(|data| Event::Data((*data).to_owned())).collect();
        assert_eq!(events, expected, "{stream:?}");
    }

    #[test]
    fn events_are_taken_apart_as_the_standard_says() {
        check("data: a\n\ndata:b\n\n", &["a", "b"]);
        check("data: a\r\n\r\ndata: b\r\r", &["a", "b"]);
        check("\u{feff}data: a\n\n", &["a"]);
        check("data: one\ndata: two\n\n", &["one\ntwo"]);
        check("data\n\n", &[""]);
        check(": keep-alive\n\nevent: x\nid: 1\nnonsense\nretry: soon\ndata: a\n\n", &["a"]);
    }

    #[test]
    fn an_event_that_is_cut_is_no_event() {
        check("data: a\n\ndata: {\"half\": ", &["a"]);
        check("data: a\n", &[]);
    }

    #[test]
    fn data_that_is_no_text_is_told_apart() {
        assert_eq!(SseDecoder::default().push(b"data: \xff\n\n"), [Event::NotText]);
    }

    proptest! {
        #[test]
        fn how_the_network_cuts_the_stream_changes_nothing(
            stream in "(data|event|: x|é)?:? ?[a-zé]{0,4}(\r\n|\n|\r){1,2}{0,12}",
            cuts in prop::collection::vec(1_usize..5, 0..40),
        ) {
            let bytes = stream.as_bytes();
            let whole = SseDecoder::default().push(bytes);
            let mut decoder = SseDecoder::default();
            let (mut events, mut at) = (Vec::new(), 0);
            for cut in cuts {
                let end = (at + cut).min(bytes.len());
                events.extend(decoder.push(&bytes[at..end]));
                at = end;
            }
            events.extend(decoder.push(&bytes[at..]));
            prop_assert_eq!(events, whole);
        }
    }
}
