//! The conversation over a program's stdin and stdout: one JSON-RPC message per line.
//!
//! Own code in place of rmcp's transport, for what real servers do: print other things to stdout (shown as their
//! stderr is), answer with 20 MB in one line (taken; beyond the limit the call gets an error, not silence), send tools
//! with broken schemas (results of tools are handed on unparsed), and answer the probe for the newer protocol so late
//! that the older handshake has begun.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::RoleClient;
use rmcp::model::{
    ClientNotification, ClientRequest, CustomResult, ErrorCode, ErrorData, JsonRpcMessage, RequestId, ServerResult,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::listener::Reporter;
use crate::tail::MAX_LINE_BYTES;

/// Largest message taken.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Code of the error that stands for a message that was too large. In JSON-RPC's range for implementations.
const TOO_LARGE_CODE: i32 = -32_098;
/// Its message, so that a server's own use of that code is not taken for ours.
const TOO_LARGE_WORDS: &str = "the answer is larger than this client takes";
/// How much of a line's start and end is searched for its id.
const EDGE_BYTES: usize = 512;

/// Whether an error came from us, for a message that was too large.
pub(crate) fn is_too_large(error: &ErrorData) -> bool {
    error.code.0 == TOO_LARGE_CODE && error.message == TOO_LARGE_WORDS
}

/// The transport that rmcp drives.
pub(crate) struct StdioTransport {
    incoming: mpsc::Receiver<RxJsonRpcMessage<RoleClient>>,
    stdin: Arc<tokio::sync::Mutex<Option<ChildStdin>>>,
    asked: Arc<Asked>,
    reader: AbortHandle,
}

impl StdioTransport {
    /// Starts to read.
    pub(crate) fn open(stdin: ChildStdin, stdout: ChildStdout, reporter: Arc<Reporter>) -> Self {
        let (sender, incoming) = mpsc::channel(16);
        let asked = Arc::new(Asked::default());
        let reader = tokio::spawn(read_messages(stdout, sender, Arc::clone(&asked), reporter)).abort_handle();
        Self { incoming, stdin: Arc::new(tokio::sync::Mutex::new(Some(stdin))), asked, reader }
    }
}

impl Drop for StdioTransport {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Transport<RoleClient> for StdioTransport {
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.asked.note(&item);
        let stdin = Arc::clone(&self.stdin);
        async move {
            let mut line = serde_json::to_vec(&item)?;
            line.push(b'\n');
            match stdin.lock().await.as_mut() {
                Some(stdin) => {
                    stdin.write_all(&line).await?;
                    stdin.flush().await
                }
                None => Err(std::io::ErrorKind::NotConnected.into()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        self.incoming.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        // A write that hangs holds the lock; the end of the process ends it.
        if let Ok(mut stdin) = self.stdin.try_lock() {
            drop(stdin.take());
        }
        Ok(())
    }
}

/// What we asked and have no answer to yet.
#[derive(Debug, Default)]
struct Asked(Mutex<HashMap<String, (RequestId, Kind)>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// About tools: its result is handed on as it is.
    Tools,
    /// The probe for the newer protocol.
    Discover,
    Other,
}

impl Asked {
    fn note(&self, item: &TxJsonRpcMessage<RoleClient>) {
        match item {
            JsonRpcMessage::Request(request) => {
                let kind = match &request.request {
                    ClientRequest::ListToolsRequest(_) | ClientRequest::CallToolRequest(_) => Kind::Tools,
                    ClientRequest::DiscoverRequest(_) => Kind::Discover,
                    ClientRequest::InitializeRequest(_) => {
                        // Its late answer would be taken for the answer to `initialize`.
                        self.lock().retain(|_, (_, kind)| *kind != Kind::Discover);
                        Kind::Other
                    }
                    _ => Kind::Other,
                };
                self.lock().insert(key_of(&request.id), (request.id.clone(), kind));
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.lock().remove(&key_of(id));
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
    }

    fn take(&self, id: &Value) -> Option<(RequestId, Kind)> {
        self.lock().remove(&value_key(id)?)
    }

    /// The request that a line too large to keep was the answer to: by the id at one of its edges, or the only one.
    fn take_by_edges(&self, head: &[u8], tail: &[u8]) -> Option<RequestId> {
        let mut asked = self.lock();
        let found = [tail, head].into_iter().find_map(|edge| {
            let key = id_in(&String::from_utf8_lossy(edge))?;
            asked.contains_key(&key).then_some(key)
        });
        let only = || (asked.len() == 1).then(|| asked.keys().next().cloned()).flatten();
        let key = found.or_else(only)?;
        asked.remove(&key).map(|(id, _)| id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (RequestId, Kind)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(id: &RequestId) -> String {
    match id {
        RequestId::Number(number) => number.to_string(),
        RequestId::String(text) => text.to_string(),
    }
}

/// Some servers answer the id 3 with "3".
fn value_key(id: &Value) -> Option<String> {
    match id {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn id_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"id\":")?;
    let id: String = rest.trim_start().trim_start_matches('"').chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then_some(id)
}

async fn read_messages(
    stdout: ChildStdout,
    sender: mpsc::Sender<RxJsonRpcMessage<RoleClient>>,
    asked: Arc<Asked>,
    reporter: Arc<Reporter>,
) {
    let mut lines = Lines::new(stdout, MAX_MESSAGE_BYTES);
    loop {
        let messages = match lines.next().await {
            Ok(Some(Line::Whole(line))) => understand(&line, &asked, &reporter),
            Ok(Some(Line::TooLong { head, tail })) => {
                reporter.line(&format!("[stdout] a message larger than {MAX_MESSAGE_BYTES} bytes was dropped"));
                let error = ErrorData::new(ErrorCode(TOO_LARGE_CODE), TOO_LARGE_WORDS, None);
                let id = asked.take_by_edges(&head, &tail);
                id.map(|id| JsonRpcMessage::error(error, Some(id))).into_iter().collect()
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "the server's stdout broke");
                return;
            }
        };
        for message in messages {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    }
}

/// The messages of one line: one, or several in an array as protocol 2025-03-26 allowed.
fn understand(line: &[u8], asked: &Asked, reporter: &Reporter) -> Vec<RxJsonRpcMessage<RoleClient>> {
    let text = line.trim_ascii();
    if text.is_empty() {
        return Vec::new();
    }
    let values = match serde_json::from_slice::<Value>(text) {
        Ok(Value::Array(values)) => values,
        Ok(value @ Value::Object(_)) => vec![value],
        Ok(_) | Err(_) => {
            let shown = &text[..text.len().min(MAX_LINE_BYTES)];
            reporter.line(&format!("[stdout] {}", String::from_utf8_lossy(shown)));
            return Vec::new();
        }
    };
    values.into_iter().filter_map(|value| read_message(value, asked, reporter)).collect()
}

fn read_message(mut value: Value, asked: &Asked, reporter: &Reporter) -> Option<RxJsonRpcMessage<RoleClient>> {
    let is_answer = value.get("method").is_none();
    if is_answer && let Some(id) = value.get("id").filter(|id| !id.is_null()) {
        let Some((id, kind)) = asked.take(id) else {
            tracing::debug!("an answer that nobody waits for was dropped");
            return None;
        };
        if kind == Kind::Tools
            && let Some(result) = value.get_mut("result")
        {
            let result = ServerResult::CustomResult(CustomResult(result.take()));
            return Some(JsonRpcMessage::response(result, id));
        }
    }
    match serde_json::from_value(value) {
        Ok(message) => Some(message),
        Err(error) => {
            reporter.line(&format!("[stdout] a message that is none of MCP's was dropped: {error}"));
            None
        }
    }
}

/// Hands the server's stderr to the reporter, line by line, until it ends.
pub(crate) async fn read_stderr(stderr: ChildStderr, reporter: Arc<Reporter>) {
    let mut lines = Lines::new(stderr, 16 * MAX_LINE_BYTES);
    while let Ok(Some(line)) = lines.next().await {
        let (Line::Whole(bytes) | Line::TooLong { head: bytes, .. }) = line;
        let text = String::from_utf8_lossy(&bytes);
        if !text.trim().is_empty() {
            reporter.line(&text);
        }
    }
}

enum Line {
    Whole(Vec<u8>),
    TooLong { head: Vec<u8>, tail: Vec<u8> },
}

/// Lines of at most `limit` bytes; of longer ones only the edges are kept in memory.
struct Lines<R> {
    reader: BufReader<R>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R, limit: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), limit }
    }

    /// `None` at the end. A last line without its end counts as one.
    async fn next(&mut self) -> std::io::Result<Option<Line>> {
        let mut line = Vec::new();
        let mut edges: Option<(Vec<u8>, Vec<u8>)> = None;
        loop {
            let available = fill(&mut self.reader).await?;
            if available.is_empty() {
                return Ok((!line.is_empty() || edges.is_some()).then(|| finish(line, edges)));
            }
            let newline = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..newline.unwrap_or(available.len())];
            match &mut edges {
                Some((_, tail)) => keep_tail(tail, part),
                None if line.len() + part.len() > self.limit => {
                    line.extend_from_slice(&part[..part.len().min(EDGE_BYTES)]);
                    let mut tail = Vec::new();
                    keep_tail(&mut tail, part);
                    line.truncate(EDGE_BYTES);
                    edges = Some((std::mem::take(&mut line), tail));
                }
                None => line.extend_from_slice(part),
            }
            let used = part.len() + usize::from(newline.is_some());
            self.reader.consume(used);
            if newline.is_some() {
                return Ok(Some(finish(line, edges)));
            }
        }
    }
}

async fn fill<R: AsyncBufRead + Unpin>(reader: &mut R) -> std::io::Result<&[u8]> {
    reader.fill_buf().await
}

fn finish(line: Vec<u8>, edges: Option<(Vec<u8>, Vec<u8>)>) -> Line {
    match edges {
        Some((head, tail)) => Line::TooLong { head, tail },
        None => Line::Whole(line),
    }
}

fn keep_tail(tail: &mut Vec<u8>, part: &[u8]) {
    tail.extend_from_slice(&part[part.len().saturating_sub(EDGE_BYTES)..]);
    let surplus = tail.len().saturating_sub(EDGE_BYTES);
    tail.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(text: &[u8], limit: usize) -> Vec<String> {
        let mut lines = Lines::new(text, limit);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(match line {
                Line::Whole(line) => String::from_utf8(line).unwrap(),
                Line::TooLong { head, tail } => {
                    format!("<{}|{}>", String::from_utf8(head).unwrap(), String::from_utf8(tail).unwrap())
                }
            });
        }
        found
    }

    #[tokio::test]
    async fn lines_over_the_limit_leave_only_their_edges() {
        assert_eq!(lines_of(b"ab\ncd\r\n\nlast", 10).await, ["ab", "cd\r", "", "last"]);
        let long = format!("{{\"id\":7,{}\"id\":8}}\nnext\n", "x".repeat(200_000));
        let found = lines_of(long.as_bytes(), 1000).await;
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("<{\"id\":7,xx") && found[0].ends_with("\"id\":8}>"), "{}", found[0]);
        assert!(found[0].len() < 2 * EDGE_BYTES + 4);
        assert_eq!(found[1], "next");
    }

    #[test]
    fn the_id_of_a_dropped_answer_is_found_at_either_edge() {
        let asked = Asked::default();
        for id in [7, 8] {
            asked.lock().insert(id.to_string(), (RequestId::Number(id), Kind::Tools));
        }
        assert_eq!(
            asked.take_by_edges(b"{\"result\":{\"a", b"}],\"jsonrpc\":\"2.0\",\"id\":8}"),
            Some(RequestId::Number(8))
        );
        // Only one is left, so it must be that one.
        assert_eq!(asked.take_by_edges(b"{\"result\":", b"}}"), Some(RequestId::Number(7)));
        assert_eq!(asked.take_by_edges(b"{\"id\":7", b""), None);
    }
}
