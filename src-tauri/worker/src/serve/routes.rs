//! The endpoint's routes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event as Sse, Sse as Stream};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json as Body, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tw_artifact::ToolDefinition;
use tw_infer::{Engine, Request};

use super::adapters;
use super::body::{ChatBody, Fields, ToolChoice};
use super::chat::{Chat, Prompt};
use super::choice::{Choice, Shown};
use super::error::Refusal;
use super::forced::ForcedCall;
use super::wire::{self, Counts, Finish, Head, MessageParts};

/// Largest request: a long conversation with many tools.
const MAX_BODY: usize = 64 << 20;

/// A model that is served.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) chat: Arc<Chat>,
    /// The name that requests call it by.
    pub(crate) name: String,
    /// Where it was read from.
    pub(crate) root: String,
    /// When it was started, in seconds.
    pub(crate) created: i64,
    /// Where adapters were read from.
    adapters: Mutex<BTreeMap<String, String>>,
}

impl Server {
    pub(crate) fn new(engine: Engine, chat: Chat, name: String, root: String) -> Self {
        let created = jiff::Timestamp::now().as_second();
        Self { engine, chat: Arc::new(chat), name, root, created, adapters: Mutex::default() }
    }

    fn paths(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.adapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an adapter and names it.
    pub(crate) fn load(&self, name: &str, folder: &Path) -> anyhow::Result<()> {
        if name.is_empty() || name == self.name {
            anyhow::bail!("an adapter cannot be named \"{name}\": that is the model's own name, or none");
        }
        let adapter = adapters::read(folder, self.engine.architecture())?;
        self.engine.add_adapter(name, adapter);
        self.paths().insert(name.to_owned(), folder.display().to_string());
        Ok(())
    }

    /// The adapter that a request's model means; `None` for the model itself.
    fn adapter(&self, model: Option<&str>) -> Result<Option<String>, Refusal> {
        match model {
            None => Ok(None),
            Some(name) if name == self.name => Ok(None),
            Some(name) if self.paths().contains_key(name) => Ok(Some(name.to_owned())),
            Some(name) => {
                let known: Vec<String> =
                    std::iter::once(self.name.clone()).chain(self.paths().keys().cloned()).collect();
                let message = format!("The model `{name}` does not exist. Valid aliases: {}.", known.join(", "));
                Err(Refusal::not_found(Some("model"), message))
            }
        }
    }
}

/// All routes.
pub(crate) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/load_lora_adapter", post(load_adapter))
        .route("/v1/unload_lora_adapter", post(unload_adapter))
        .route("/tokenize", post(tokenize))
        .route("/health", get(|| async { StatusCode::OK }))
        .route("/version", get(|| async { Body(json!({"version": env!("CARGO_PKG_VERSION")})) }))
        .fallback(|| async { (StatusCode::NOT_FOUND, Body(json!({"detail": "Not Found"}))) })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, Body(json!({"detail": "Method Not Allowed"})))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(this_machine))
        .with_state(server)
}

/// Refuses pages of other sites that a browser on this machine shows.
async fn this_machine(request: HttpRequest, next: Next) -> Response {
    if is_local(request.headers()) { next.run(request).await } else { Refusal::forbidden().into_response() }
}

fn is_local(headers: &HeaderMap) -> bool {
    let local = |host: &str| {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        matches!(name.map_or(host, |(name, _)| name), "127.0.0.1" | "localhost" | "[::1]")
    };
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let origin_is_local =
        text(header::ORIGIN).is_none_or(|origin| origin.split_once("://").is_some_and(|(_, host)| local(host)));
    text(header::HOST).is_none_or(local) && origin_is_local
}

async fn models(State(server): State<Arc<Server>>) -> Response {
    let context = Some(server.engine.max_context());
    let mut data = vec![wire::model(&server.name, server.created, &server.root, None, context)];
    for (name, path) in server.paths().iter() {
        data.push(wire::model(name, server.created, path, Some(&server.name), None));
    }
    Body(json!({"object": "list", "data": data})).into_response()
}

async fn load_adapter(State(server): State<Arc<Server>>, bytes: Bytes) -> Result<String, Refusal> {
    let fields = Fields::read(&bytes)?;
    let name = fields.text("lora_name")?.ok_or_else(|| Refusal::missing("lora_name"))?;
    let path = fields.text("lora_path")?.ok_or_else(|| Refusal::missing("lora_path"))?;
    if server.paths().contains_key(&name) && !fields.flag("load_inplace")?.unwrap_or(false) {
        return Err(Refusal::input(format!(
            "The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True."
        )));
    }
    let folder = PathBuf::from(&path);
    if !folder.is_dir() {
        return Err(Refusal::not_found(None, format!("Loading lora {name} failed: No adapter found for {path}")));
    }
    let named = name.clone();
    let read = tokio::task::spawn_blocking(move || server.load(&named, &folder)).await;
    match read {
        Ok(Ok(())) => Ok(format!("Success: LoRA adapter '{name}' added successfully.")),
        Ok(Err(error)) => Err(Refusal::input(format!("Loading lora {name} failed: {error:#}"))),
        Err(error) => Err(Refusal::internal(error.to_string())),
    }
}

async fn unload_adapter(State(server): State<Arc<Server>>, bytes: Bytes) -> Result<String, Refusal> {
    let name = Fields::read(&bytes)?.text("lora_name")?.ok_or_else(|| Refusal::missing("lora_name"))?;
    if server.paths().remove(&name).is_none() {
        return Err(Refusal::not_found(None, format!("The lora adapter '{name}' cannot be found.")));
    }
    server.engine.remove_adapter(&name);
    Ok(format!("Success: LoRA adapter '{name}' removed successfully."))
}

async fn tokenize(State(server): State<Arc<Server>>, bytes: Bytes) -> Result<Response, Refusal> {
    let fields = Fields::read(&bytes)?;
    server.adapter(fields.text("model")?.as_deref())?;
    let (ids, strings) = blocking(move || {
        let ids = match fields.text("prompt")? {
            Some(text) => server.chat.encode(&text)?,
            None => server.chat.prompt(&fields.conversation(&server.name)?)?.ids,
        };
        let wanted = fields.flag("return_token_strs")?.unwrap_or(false);
        let strings = wanted.then(|| ids.iter().map(|id| server.chat.token(*id)).collect::<Vec<_>>());
        Ok(((ids, server.engine.max_context()), strings))
    })
    .await?;
    let (ids, context) = ids;
    let body = json!({"count": ids.len(), "max_model_len": context, "tokens": ids, "token_strs": strings});
    Ok(Body(body).into_response())
}

/// Work that would keep others waiting: templates and tokenizers take long over long conversations.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Refusal::internal(error.to_string()))?
}

/// A chat request that was taken.
struct Taken {
    body: ChatBody,
    prompt: Prompt,
    head: Head,
    choices: Vec<tw_infer::Generation>,
}

fn take(server: &Server, bytes: &[u8]) -> Result<Taken, Refusal> {
    let body = Fields::read(bytes)?.chat(&server.name, &server.chat.defaults)?;
    let adapter = server.adapter(body.model.as_deref())?;
    let prompt = server.chat.prompt(&body.conversation)?;
    let (context, length) = (server.engine.max_context(), prompt.ids.len());
    if let Some(most) = body.max_tokens.filter(|most| *most > context) {
        let message = format!(
            "max_tokens={most} cannot be greater than max_model_len={context}. Please request fewer output tokens."
        );
        return Err(Refusal::value("max_tokens", most, message));
    }
    if length >= context {
        let message = format!(
            "This model's maximum context length is {context} tokens. However, your prompt contains at least {length} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt."
        );
        return Err(Refusal::value("input_tokens", length, message));
    }
    if let Some(most) = body.max_tokens.filter(|most| length + most > context) {
        let message = format!(
            "This model's maximum context length is {context} tokens. However, you requested {most} output tokens and your prompt contains at least {length} input tokens, for a total of at least {} tokens. Please reduce the length of the input prompt or the number of requested output tokens.",
            length + most
        );
        return Err(Refusal::value("input_tokens", length, message));
    }
    let mut stop_tokens = body.stop_token_ids.clone();
    if !body.ignore_eos {
        stop_tokens.extend(&server.chat.stop);
    }
    let forced: Vec<&ToolDefinition> = match &body.tool_choice {
        ToolChoice::None | ToolChoice::Auto => Vec::new(),
        ToolChoice::Required => body.conversation.tools.iter().collect(),
        ToolChoice::Named(name) => body.conversation.tools.iter().filter(|tool| tool.name() == name).collect(),
    };
    let mut choices = Vec::with_capacity(body.choices);
    for place in 0..body.choices {
        let mut sampling = body.sampling.clone();
        sampling.seed = sampling.seed.map(|seed| seed.wrapping_add(place as u64));
        let constraint = (!forced.is_empty()).then(|| {
            let chat = Arc::clone(&server.chat);
            Box::new(ForcedCall::new(chat, &forced, prompt.is_thinking, prompt.may_think))
                as Box<dyn tw_infer::Constraint>
        });
        let request = Request {
            prompt: prompt.ids.clone(),
            adapter: adapter.clone(),
            sampling,
            max_tokens: body.max_tokens.unwrap_or(context - length),
            stop_tokens: stop_tokens.clone(),
            logprobs: body.logprobs,
            constraint,
        };
        choices.push(server.engine.submit(request).map_err(|error| match error {
            tw_infer::Error::Stopped(_) => Refusal::internal(error.to_string()),
            other => Refusal::bad("", other.to_string()),
        })?);
    }
    let model = body.model.clone().unwrap_or_else(|| server.name.clone());
    let head = Head { id: wire::new_id("chatcmpl"), created: jiff::Timestamp::now().as_second(), model };
    Ok(Taken { body, prompt, head, choices })
}

async fn chat(State(server): State<Arc<Server>>, bytes: Bytes) -> Result<Response, Refusal> {
    let taken = {
        let server = Arc::clone(&server);
        blocking(move || take(&server, &bytes)).await?
    };
    if taken.body.stream { Ok(stream(server, taken)) } else { whole(&server, taken).await }
}

fn counts(taken: &Taken) -> Counts {
    Counts { prompt: taken.prompt.ids.len(), ..Counts::default() }
}

async fn whole(server: &Server, mut taken: Taken) -> Result<Response, Refusal> {
    let mut total = counts(&taken);
    let mut choices = Vec::new();
    let named = matches!(taken.body.tool_choice, ToolChoice::Named(_));
    let generations = std::mem::take(&mut taken.choices);
    for (index, generation) in generations.into_iter().enumerate() {
        let mut parts = MessageParts { is_forced: taken.body.tool_choice.is_forced(), ..MessageParts::default() };
        let mut tokens = Vec::new();
        let choice = Choice::new(&server.chat, &taken.body, &taken.prompt);
        let done = choice
            .follow(generation, |shown| {
                for piece in shown.pieces {
                    parts.add(piece);
                }
                tokens.extend(shown.tokens);
                true
            })
            .await
            .map_err(Refusal::internal)?;
        let Some(done) = done else { return Err(Refusal::internal("nobody waits for the answer")) };
        total.add(done.counts);
        let finish =
            Finish::of(done.reason, done.stop_string.as_deref(), &taken.body.stop_token_ids, parts.calls.len(), named);
        let ids: Option<Vec<u32>> = taken.body.return_token_ids.then(|| tokens.iter().map(|token| token.id).collect());
        choices.push(json!({
            "index": index, "message": parts.message(), "logprobs": wire::logprobs(&server.chat, &tokens),
            "finish_reason": finish.reason, "stop_reason": finish.stop, "token_ids": ids,
        }));
    }
    let prompt = taken.body.return_token_ids.then_some(taken.prompt.ids.as_slice());
    Ok(Body(taken.head.whole(choices, total, prompt)).into_response())
}

fn stream(server: Arc<Server>, taken: Taken) -> Response {
    // Room for all that can be said, so that an answer never waits for its reader: a token has at most a few pieces.
    let most = taken.body.max_tokens.unwrap_or_else(|| server.engine.max_context());
    let (sender, receiver) = channel::<Value>((most + 4) * 4 * taken.body.choices);
    tokio::spawn(async move { stream_all(&server, taken, &sender).await });
    let events = ReceiverStream::new(receiver).map(|value| value.to_string());
    let events = events.chain(tokio_stream::once("[DONE]".to_owned()));
    Stream::new(events.map(|data| Ok::<_, Infallible>(Sse::default().data(data)))).into_response()
}

/// Sends all chunks of a response; ends early when nobody reads them.
async fn stream_all(server: &Server, mut taken: Taken, sender: &Sender<Value>) {
    let mut total = counts(&taken);
    let generations = std::mem::take(&mut taken.choices);
    let prompt = taken.body.return_token_ids.then_some(taken.prompt.ids.as_slice());
    let Taken { body, prompt: told, head, .. } = &taken;
    let one = async |index: usize, generation: tw_infer::Generation| {
        let send = |choice: Value| sender.try_send(head.chunk(choice)).is_ok();
        if sender.try_send(head.opening(index, prompt)).is_err() {
            return Ok(None);
        }
        let mut calls = 0;
        let mut last = Shown::default();
        let following = Choice::new(&server.chat, body, told).follow(generation, |shown| {
            // The last tokens may have no text of their own: they go with the end.
            if shown.pieces.is_empty() {
                last = shown;
                return true;
            }
            let mut logprobs = wire::logprobs(&server.chat, &shown.tokens);
            let ids: Vec<u32> = shown.tokens.iter().map(|token| token.id).collect();
            let mut ids = body.return_token_ids.then_some(ids);
            shown.pieces.into_iter().all(|piece| {
                let delta = wire::piece(piece, &mut calls);
                send(wire::delta(index, delta, logprobs.take(), ids.take().as_deref()))
            })
        });
        // A client may leave while its prompt is still read, when there is nothing to send it yet.
        let done = tokio::select! {
            done = following => done?,
            () = sender.closed() => None,
        };
        if let Some(done) = &done {
            let named = matches!(body.tool_choice, ToolChoice::Named(_));
            let finish = Finish::of(done.reason, done.stop_string.as_deref(), &body.stop_token_ids, calls, named);
            let ids: Vec<u32> = last.tokens.iter().map(|token| token.id).collect();
            let ids = body.return_token_ids.then_some(ids);
            send(wire::end(index, wire::logprobs(&server.chat, &last.tokens), &finish, ids.as_deref()));
        }
        Ok::<_, String>(done.map(|done| done.counts))
    };
    let mut failed = None;
    let mut running = Vec::new();
    for (index, generation) in generations.into_iter().enumerate() {
        running.push(Box::pin(one(index, generation)));
    }
    // All of them at once: each is polled whenever any of them has something.
    let mut results = Vec::new();
    let mut left: Vec<_> = running;
    std::future::poll_fn(|context| {
        left.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                results.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if left.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    for result in results {
        match result {
            Ok(Some(counts)) => total.add(counts),
            Ok(None) => return,
            Err(why) => failed = Some(why),
        }
    }
    let last = match failed {
        Some(why) => Refusal::internal(why).body(),
        None if body.include_usage => head.usage(total),
        None => return,
    };
    // Nobody may read it any more.
    drop(sender.try_send(last));
}
