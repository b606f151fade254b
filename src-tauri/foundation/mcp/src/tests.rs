//! Sessions with the misbehaving double. It must have been built: `cargo build -p tw-support --bin tw-fake-mcp`.

mod calls;
mod eras;
#[cfg(target_os = "linux")]
mod family;
mod faults;
mod naming;
mod web;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use tw_artifact::{Elicitation, ElicitationAnswer, Json, Map, OutputPart, ServerConfig, Transport};
use tw_support::mcp::{Behaviour, fake_server_path};
use tw_vault::Vault;

use crate::{
    CallOutput, LaunchContext, McpError, ServerEvent, ServerEventKind, ServerListener, ServerSecrets, Session,
};

/// Longer than anything here takes; a test that waits for it has failed.
const LONG: Duration = Duration::from_secs(60);

/// Answers every question with `answer`, and remembers everything.
struct Recorder {
    answer: Mutex<Option<ElicitationAnswer>>,
    questions: Mutex<Vec<Elicitation>>,
    events: Mutex<Vec<ServerEventKind>>,
    opened: tokio::sync::mpsc::Sender<String>,
    asked: tokio::sync::Notify,
    happened: tokio::sync::Notify,
}

impl Recorder {
    /// `None` never answers.
    fn new(answer: Option<ElicitationAnswer>) -> Arc<Self> {
        Self::with_browser(answer).0
    }

    /// With the addresses that a browser would open.
    fn with_browser(answer: Option<ElicitationAnswer>) -> (Arc<Self>, tokio::sync::mpsc::Receiver<String>) {
        let (opened, urls) = tokio::sync::mpsc::channel(16);
        let recorder = Self {
            answer: Mutex::new(answer),
            questions: Mutex::default(),
            events: Mutex::default(),
            opened,
            asked: tokio::sync::Notify::new(),
            happened: tokio::sync::Notify::new(),
        };
        (Arc::new(recorder), urls)
    }

    fn events(&self) -> Vec<ServerEventKind> {
        self.events.lock().unwrap().clone()
    }

    fn questions(&self) -> Vec<Elicitation> {
        self.questions.lock().unwrap().clone()
    }

    /// Waits until an event like that has come.
    async fn wait_for(&self, wanted: impl Fn(&ServerEventKind) -> bool) {
        let waiting = async {
            loop {
                let next = self.happened.notified();
                if self.events().iter().any(&wanted) {
                    return;
                }
                next.await;
            }
        };
        let in_time = tokio::time::timeout(LONG, waiting).await;
        assert!(in_time.is_ok(), "the event did not come: {:?}", self.events());
    }
}

#[async_trait]
impl ServerListener for Recorder {
    async fn elicit(&self, elicitation: Elicitation) -> ElicitationAnswer {
        self.questions.lock().unwrap().push(elicitation);
        self.asked.notify_one();
        let answer = self.answer.lock().unwrap().clone();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn on_status(&self, event: ServerEvent) {
        self.events.lock().unwrap().push(event.kind);
        self.happened.notify_one();
    }

    fn open_url(&self, url: &str) {
        self.opened.try_send(url.to_owned()).unwrap();
    }
}

fn stdio_config(name: &str, command: &str, args: Vec<String>) -> ServerConfig {
    ServerConfig {
        id: format!("id-{name}"),
        name: name.to_owned(),
        transport: Transport::Stdio { command: command.to_owned(), args, cwd: String::new() },
        env_names: Vec::new(),
        header_names: Vec::new(),
        enabled: true,
        disabled_tools: Vec::new(),
        call_timeout_secs: 60,
        extra: Map::new(),
    }
}

fn http_config(name: &str, url: &str) -> ServerConfig {
    ServerConfig { transport: Transport::Http { url: url.to_owned() }, ..stdio_config(name, "", Vec::new()) }
}

fn fake_config(name: &str, behaviour: &Behaviour) -> ServerConfig {
    let path = fake_server_path().unwrap();
    stdio_config(name, path.to_str().unwrap(), behaviour.to_args())
}

fn context(folder: &Path) -> LaunchContext {
    let mut context = LaunchContext::new(std::env::var("PATH").unwrap(), folder.to_owned());
    context.start_timeout = LONG;
    context
}

/// A session with the double in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    recorder: Arc<Recorder>,
    session: Session,
}

impl Fixture {
    async fn new(behaviour: &Behaviour) -> Self {
        Self::answering(behaviour, Some(ElicitationAnswer::Decline)).await
    }

    async fn answering(behaviour: &Behaviour, answer: Option<ElicitationAnswer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(answer);
        let session = start(&fake_config("fake", behaviour), folder.path(), &recorder).await.unwrap();
        Self { folder, recorder, session }
    }

    async fn call(&self, tool: &str, arguments: &str) -> Result<CallOutput, McpError> {
        call(&self.session, tool, arguments).await
    }
}

async fn start(config: &ServerConfig, folder: &Path, recorder: &Arc<Recorder>) -> Result<Session, McpError> {
    let listener: Arc<dyn ServerListener> = Arc::<Recorder>::clone(recorder);
    Session::start(config, &ServerSecrets::default(), &context(folder), listener, Vault::in_memory()).await
}

async fn call(session: &Session, tool: &str, arguments: &str) -> Result<CallOutput, McpError> {
    let arguments = Json::parse(arguments).unwrap();
    session.call(tool, &arguments, &CancellationToken::new(), LONG, |_| {}).await
}

fn text_of(output: &CallOutput) -> &str {
    match output.parts.first() {
        Some(OutputPart::Text { text }) => text,
        other => panic!("no text but {other:?}"),
    }
}

/// Looks again and again until `done`; panics after [`LONG`].
async fn eventually(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{what} did not come to be");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
