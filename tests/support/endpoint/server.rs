//! The server itself.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::connection::{Doors, Line, Lines};
use super::lora::{Adapters, Lora};
use super::script::Act;
use super::tokenize::{self, Tokenize};
use super::{Flavour, MODEL, Script, Step};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// `GET`, `POST`
    pub method: String,
    /// Path and query.
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte.
    pub text: String,
    /// The body as JSON; null when it is not.
    pub body: Value,
    /// When it came.
    pub at: Instant,
}

impl Recorded {
    /// Method, path, headers of this API and body, for wire snapshots: nothing in it differs from run to run.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.path);
        for name in ["authorization", "content-type"] {
            if let Some(value) = self.headers.get(name) {
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        if !self.text.is_empty() {
            text.push_str(&self.text);
        }
        text
    }
}

/// What the endpoint claims to be.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// Which server it imitates beside its answers.
    pub flavour: Flavour,
    /// The models that it offers.
    pub models: Vec<String>,
    /// Their context length.
    pub context_tokens: u32,
    /// The key that it wants.
    pub key: Option<String>,
    /// How it stands to adapters.
    pub lora: Lora,
    /// Fields of chat requests that it refuses, as strict servers refuse what they do not know.
    pub refused_fields: Vec<String>,
    /// What makes the tokens of `/tokenize`; `None` counts letters.
    pub tokenize: Option<Tokenize>,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            flavour: Flavour::Vllm,
            models: vec![MODEL.to_owned()],
            context_tokens: 32_768,
            key: None,
            lora: Lora::NoRoute,
            refused_fields: Vec::new(),
            tokenize: None,
        }
    }
}

type Rule = Box<dyn Fn(&Recorded) -> Script + Send + Sync>;

struct Shared {
    options: EndpointOptions,
    rule: Rule,
    requests: Mutex<Vec<Recorded>>,
    answers: AtomicU64,
    adapters: Adapters,
}

/// An endpoint that answers by script. It ends, with all its connections, when it is dropped.
pub struct ScriptedEndpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    lines: Lines,
    task: JoinHandle<io::Result<()>>,
}

impl ScriptedEndpoint {
    /// Answers the first chat request with the first script, and so on; a request too many gets an error that says so.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start<S: Into<Script>>(scripts: impl IntoIterator<Item = S>) -> io::Result<Self> {
        Self::start_with(EndpointOptions::default(), scripts).await
    }

    /// The same as another server.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start_with<S: Into<Script>>(
        options: EndpointOptions,
        scripts: impl IntoIterator<Item = S>,
    ) -> io::Result<Self> {
        let scripts: VecDeque<Script> = scripts.into_iter().map(Into::into).collect();
        let scripts = Mutex::new(scripts);
        Self::respond_with(options, move |_| {
            let next = scripts.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            next.unwrap_or_else(|| {
                Script::vllm_error(500, "InternalServerError", None, "the script has no answer left")
            })
        })
        .await
    }

    /// Answers each chat request with what `rule` says: for many runs at once.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn respond_with(
        options: EndpointOptions,
        rule: impl Fn(&Recorded) -> Script + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let lines = Lines::default();
        let shared = Arc::new(Shared {
            options,
            rule: Box::new(rule),
            requests: Mutex::new(Vec::new()),
            answers: AtomicU64::new(0),
            adapters: Adapters::default(),
        });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let doors = Doors { listener, lines: lines.clone() };
        let service = app.into_make_service_with_connect_info::<Line>();
        let task = tokio::spawn(async move { axum::serve(doors, service).await });
        Ok(Self { address, shared, lines, task })
    }

    /// Its base URL, with `/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Host and port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The chat requests so far, in order.
    #[must_use]
    pub fn chats(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.path == "/v1/chat/completions").collect()
    }
}

impl Drop for ScriptedEndpoint {
    fn drop(&mut self) {
        self.task.abort();
        self.lines.tear_all();
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let request = Recorded {
        method: method.to_string(),
        path: uri.to_string(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
        at: Instant::now(),
    };
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let options = &shared.options;
    if let Some(key) = &options.key
        && request.headers.get("authorization") != Some(&format!("Bearer {key}"))
    {
        return json_reply(401, &json!({"error": "Unauthorized"}).to_string());
    }
    let vllm = options.flavour == Flavour::Vllm;
    match (request.method.as_str(), uri.path()) {
        ("GET", "/v1/models") => json_reply(200, &models(&shared).to_string()),
        ("GET", "/version") if vllm => json_reply(200, &json!({"version": "0.32.0"}).to_string()),
        ("POST", "/tokenize") if vllm => {
            let (status, body) = tokenize::reply(&request.body, options.tokenize.as_ref(), options.context_tokens);
            json_reply(status, &body.to_string())
        }
        ("POST", "/v1/load_lora_adapter") if vllm => adapter_reply(shared.adapters.load(options.lora, &request.body)),
        ("POST", "/v1/unload_lora_adapter") if vllm => {
            adapter_reply(shared.adapters.unload(options.lora, &request.body))
        }
        ("POST", "/v1/chat/completions") => chat(&shared, &request, line).await,
        _ => json_reply(404, &json!({"detail": "Not Found"}).to_string()),
    }
}

async fn chat(shared: &Shared, request: &Recorded, line: Line) -> Response {
    let options = &shared.options;
    let refused = options.refused_fields.iter().find(|field| request.body.get(field.as_str()).is_some());
    if let Some(field) = refused {
        let message = format!("Unrecognized request argument supplied: {field}");
        let error =
            json!({"error": {"message": message, "type": "invalid_request_error", "param": field, "code": null}});
        return json_reply(400, &error.to_string());
    }
    let model = request.body["model"].as_str().unwrap_or_default();
    let adapters = shared.adapters.list();
    if !options.models.iter().any(|known| known == model) && !adapters.iter().any(|(name, _)| name == model) {
        let aliases = options.models.join(", ");
        let message = format!("The model `{model}` does not exist. Valid aliases: {aliases}.");
        let error = json!({"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}});
        return json_reply(404, &error.to_string());
    }
    let number = shared.answers.fetch_add(1, Ordering::Relaxed) + 1;
    let script = (shared.rule)(request);
    if !script.before.is_zero() {
        tokio::time::sleep(script.before).await;
    }
    match script.act {
        Act::HangBeforeHead => std::future::pending().await,
        Act::CloseBeforeHead => {
            line.tear();
            std::future::pending().await
        }
        Act::Reply { status, headers, steps } => reply(status, &headers, steps),
        Act::Answer(answer) if request.body["stream"] == true => {
            let headers = [("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned())];
            reply(200, &headers, answer.steps(&request.body, number))
        }
        Act::Answer(answer) => json_reply(200, &answer.document(&request.body, number).to_string()),
    }
}

fn models(shared: &Shared) -> Value {
    let options = &shared.options;
    let created = 1_795_000_000;
    let mut data: Vec<Value> = options
        .models
        .iter()
        .map(|id| match options.flavour {
            Flavour::Vllm => json!({
                "id": id, "object": "model", "created": created, "owned_by": "vllm", "root": id, "parent": null,
                "max_model_len": options.context_tokens, "permission": [],
            }),
            Flavour::OpenAi => json!({"id": id, "object": "model", "created": created, "owned_by": "system"}),
            Flavour::LlamaCpp => json!({
                "id": id, "object": "model", "created": created, "owned_by": "llamacpp",
                "meta": {"n_ctx": options.context_tokens, "n_ctx_train": 131_072, "n_params": 1_000_000},
            }),
        })
        .collect();
    let base = options.models.first().cloned().unwrap_or_default();
    data.extend(shared.adapters.list().into_iter().map(|(name, path)| {
        json!({
            "id": name, "object": "model", "created": created, "owned_by": "vllm", "root": path, "parent": base,
            "max_model_len": null, "permission": [],
        })
    }));
    json!({"object": "list", "data": data})
}

fn adapter_reply((status, body): (u16, String)) -> Response {
    json_reply(status, &body)
}

fn json_reply(status: u16, body: &str) -> Response {
    let headers = [(header::CONTENT_TYPE.to_string(), "application/json".to_owned())];
    reply(status, &headers, vec![Step::Send(body.as_bytes().to_vec())])
}

/// A reply whose body follows `steps`. Its pace holds over the whole body: a late step makes the next ones follow at
/// once.
fn reply(status: u16, headers: &[(String, String)], steps: Vec<Step>) -> Response {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let whole = match steps.as_slice() {
        [Step::Send(bytes)] => Some(Body::from(bytes.clone())),
        _ => None,
    };
    let body = whole.unwrap_or_else(|| {
        let start = tokio::time::Instant::now();
        let state = (steps.into_iter(), start);
        Body::from_stream(futures::stream::unfold(state, |(mut steps, mut due)| async move {
            loop {
                match steps.next()? {
                    Step::Send(bytes) => return Some((Ok(Bytes::from(bytes)), (steps, due))),
                    Step::Wait(wait) => {
                        due += wait;
                        tokio::time::sleep_until(due).await;
                    }
                    Step::Hang => std::future::pending::<()>().await,
                    Step::Tear => {
                        // What was sent before goes out while this waits for its next turn.
                        tokio::task::yield_now().await;
                        return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), (steps, due)));
                    }
                }
            }
        }))
    });
    builder.body(body).unwrap_or_default()
}
