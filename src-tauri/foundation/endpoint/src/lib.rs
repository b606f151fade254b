//! The client of OpenAI-style endpoints: vLLM, Ollama, llama.cpp, OpenAI and whatever else speaks `/v1/chat/completions`.
//!
//! In: a base URL, a key, messages in storage form (object arguments, `reasoning_content`), tools and sampling settings.
//! Out: the model's answer as one message in storage form, streamed while it comes, with its calls read whether the
//! server parsed them or not ([`Answer`]); what the doctor found ([`EndpointClient::doctor`]); token counts and cuts of
//! tool outputs ([`count_tokens`], [`cut`]).
//! Never: an answer that is thrown away because its stream broke ([`ChatFailure::partial`]); a retry after the first
//! streamed byte; ordinary text taken for a tool call; the key in an error, a log or `Debug` output; disk access.

mod answer;
mod assembly;
mod client;
mod code;
mod doctor;
mod error;
mod family;
mod live;
mod models;
mod pieces;
mod request;
mod retry;
mod serve;
mod sse;
mod stream;
mod text_calls;
mod think;
mod tokens;
mod wire_error;
mod written;

#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerDelta, ChatFailure, ParsedCall};
pub use client::{EndpointClient, Timeouts, normalize_base_url};
pub use error::EndpointError;
pub use request::{ChatRequest, TokenizeRequest};
pub use retry::RetryPolicy;
pub use serve::serve_line;
pub use tokens::{count_tokens, cut, estimate_message};
pub use written::{CALL_MARKERS, WrittenCall, WrittenCalls, could_be_written_call, written_calls};
