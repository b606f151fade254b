//! Reads the body of a chat answer: a stream of events, or one JSON document where a server does not stream.

use futures::StreamExt;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tw_artifact::Json;

use crate::answer::{Answer, AnswerDelta, ChatFailure};
use crate::assembly::{Assembly, Ending};
use crate::client::{Reply, duration};
use crate::sse::{Event, SseDecoder};
use crate::wire_error::{self, shorten};
use crate::{ChatRequest, EndpointError};

/// Largest answer that is read. With token ids and log probabilities a token takes well under a KiB.
const MAX_ANSWER_MIB: u64 = 512;
/// How long the end of the body is waited for after `[DONE]`, so that the connection can be used again.
const DRAIN_SECS: f64 = 0.1;

/// How long to wait for what.
#[derive(Clone, Copy)]
pub(crate) struct StreamLimits {
    pub(crate) first_byte_secs: f64,
    pub(crate) between_chunks_secs: f64,
}

/// An answer and how it came.
pub(crate) struct Exchange {
    pub(crate) answer: Answer,
    /// Whether it came as a stream of several pieces.
    pub(crate) streamed: bool,
}

/// Why reading ended.
enum End {
    /// `[DONE]`, or the end of the body.
    Body,
    Failed(EndpointError),
}

/// Reads the answer to `request` from `reply`. `notes` are the retries before it, in words.
pub(crate) async fn read_answer(
    reply: Reply,
    request: &ChatRequest,
    limits: StreamLimits,
    notes: Vec<String>,
    cancel: &CancellationToken,
    sink: &mut (dyn FnMut(AnswerDelta) + Send),
) -> Result<Exchange, ChatFailure> {
    let kind = reply.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let mut assembly = Assembly::new(request, reply.sent_at);
    let mut reader = Reader {
        is_stream: !kind.starts_with("application/json"),
        decoder: SseDecoder::default(),
        document: Vec::new(),
        events: 0,
        done: false,
    };
    let (sent_at, sent_at_ms) = (reply.sent_at, reply.sent_at_ms);
    let end = reader.run(reply, limits, cancel, &mut assembly, sink).await;
    let streamed = reader.is_stream && reader.events > 1;
    let error = match end {
        End::Failed(EndpointError::Cancelled) => Some(EndpointError::Cancelled),
        // What breaks after the model has ended its answer only takes its usage.
        End::Failed(error) => (!assembly.is_finished()).then_some(error),
        End::Body => reader.missing(&assembly),
    };
    let something = assembly.has_something();
    let ending = if error.is_none() { Ending::Whole } else { Ending::Cut };
    let mut answer = assembly.finish(ending, sink);
    answer.step.started_at_ms = sent_at_ms;
    answer.step.duration_ms = u64::try_from(sent_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    answer.step.retries = notes;
    match error {
        Some(error) => Err(ChatFailure { error, partial: something.then(|| Box::new(answer)) }),
        None if is_empty(&answer) => {
            Err(ChatFailure { error: EndpointError::EmptyAnswer, partial: Some(Box::new(answer)) })
        }
        None => Ok(Exchange { answer, streamed }),
    }
}

fn is_empty(answer: &Answer) -> bool {
    answer.calls.is_empty()
        && answer.message.text().trim().is_empty()
        && answer.message.reasoning().unwrap_or_default().trim().is_empty()
        && answer.message.fields().get("refusal").and_then(Json::as_str).is_none()
}

struct Reader {
    is_stream: bool,
    decoder: SseDecoder,
    /// The body where it is one document; of a stream only the beginning, for messages.
    document: Vec<u8>,
    events: u64,
    done: bool,
}

impl Reader {
    async fn run(
        &mut self,
        reply: Reply,
        limits: StreamLimits,
        cancel: &CancellationToken,
        assembly: &mut Assembly<'_>,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) -> End {
        let mut body = reply.response.bytes_stream();
        let mut due = reply.first_byte_at;
        let mut waits_for_first = true;
        let mut total: u64 = 0;
        loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => return End::Failed(EndpointError::Cancelled),
                next = timeout_at(due, body.next()) => next,
            };
            let bytes = match next {
                Err(_) if waits_for_first => {
                    let secs = limits.first_byte_secs.to_string();
                    return End::Failed(EndpointError::FirstByteTimeout { secs });
                }
                Err(_) => {
                    let secs = limits.between_chunks_secs.to_string();
                    return End::Failed(EndpointError::ChunkTimeout { secs });
                }
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    return End::Failed(EndpointError::StreamCut { why: wire_error::deepest(&error) });
                }
                Ok(Some(Ok(bytes))) => bytes,
            };
            waits_for_first = false;
            due = Instant::now() + duration(limits.between_chunks_secs);
            total = total.saturating_add(bytes.len() as u64);
            if total > MAX_ANSWER_MIB << 20 {
                return End::Failed(EndpointError::TooLarge { mib: MAX_ANSWER_MIB });
            }
            if let Err(error) = self.take(&bytes, assembly, sink) {
                return End::Failed(error);
            }
            if self.done {
                // The end of the body follows at once; without reading it the connection would be closed.
                let drained = timeout_at(Instant::now() + duration(DRAIN_SECS), body.next()).await;
                tracing::trace!(in_time = drained.is_ok(), "end of the stream after [DONE]");
                return End::Body;
            }
        }
        if !self.is_stream {
            let text = String::from_utf8_lossy(&self.document).into_owned();
            if let Err(error) = self.take_data(&text, assembly, sink) {
                return End::Failed(error);
            }
            self.done = true;
        }
        End::Body
    }

    fn take(
        &mut self,
        bytes: &[u8],
        assembly: &mut Assembly<'_>,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) -> Result<(), EndpointError> {
        if !self.is_stream {
            self.document.extend_from_slice(bytes);
            return Ok(());
        }
        let room = 4_096_usize.saturating_sub(self.document.len());
        self.document.extend_from_slice(&bytes[..bytes.len().min(room)]);
        for event in self.decoder.push(bytes) {
            match event {
                Event::Data(data) if data.trim() == "[DONE]" => {
                    self.done = true;
                    return Ok(());
                }
                Event::Data(data) if data.trim().is_empty() => {}
                Event::Data(data) => self.take_data(&data, assembly, sink)?,
                Event::NotText => {
                    return Err(EndpointError::BadChunk { why: "it is not UTF-8 text".to_owned() });
                }
            }
        }
        Ok(())
    }

    fn take_data(
        &mut self,
        data: &str,
        assembly: &mut Assembly<'_>,
        sink: &mut (dyn FnMut(AnswerDelta) + Send),
    ) -> Result<(), EndpointError> {
        let chunk = Json::parse(data).map_err(|error| {
            let beginning: String = data.chars().take(200).collect();
            EndpointError::BadChunk { why: format!("{error}: {beginning}") }
        })?;
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(wire_error::from_stream(&chunk));
        }
        if assembly.push(&chunk, sink) {
            self.events += 1;
        }
        Ok(())
    }

    /// What is wrong with a body that ended by itself.
    fn missing(&self, assembly: &Assembly<'_>) -> Option<EndpointError> {
        if assembly.is_finished() || self.done {
            return None;
        }
        if self.events > 0 {
            return Some(EndpointError::StreamCut { why: "the stream ended early".to_owned() });
        }
        let beginning = String::from_utf8_lossy(&self.document);
        let beginning = beginning.trim();
        Some(if beginning.is_empty() {
            EndpointError::StreamCut { why: "the stream ended before anything came".to_owned() }
        } else {
            EndpointError::NotTheApi { what: shorten(beginning) }
        })
    }
}
