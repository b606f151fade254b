//! Sessions with real servers: the official `server-everything` and `server-filesystem`, and Playwright MCP, at the
//! versions of `tests/npm/package.json`. Needs node.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tw_artifact::{Elicitation, ElicitationAnswer, Json, Map, OutputPart, ServerConfig, Transport};
use tw_mcp::{CallOutput, LaunchContext, ServerEvent, ServerListener, ServerSecrets, Session};
use tw_vault::Vault;

use super::collect_browser::npm_program;

const PATIENCE: Duration = Duration::from_secs(60);

const EVERYTHING: &str = "@modelcontextprotocol/server-everything/dist/index.js";
const FILESYSTEM: &str = "@modelcontextprotocol/server-filesystem/dist/index.js";
const PLAYWRIGHT: &str = "@playwright/mcp/cli.js";

/// Fills every form with a name.
struct Person(Mutex<Vec<Elicitation>>);

#[async_trait::async_trait]
impl ServerListener for Person {
    async fn elicit(&self, elicitation: Elicitation) -> ElicitationAnswer {
        self.0.lock().unwrap().push(elicitation);
        ElicitationAnswer::Accept { content: Json::parse(r#"{"name":"Ann"}"#).unwrap() }
    }

    fn on_status(&self, _event: ServerEvent) {}

    fn open_url(&self, _url: &str) {}
}

struct Place {
    folder: tempfile::TempDir,
    person: Arc<Person>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), person: Arc::new(Person(Mutex::default())) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    async fn connect(&self, transport: Transport) -> Session {
        let config = ServerConfig {
            id: "real".to_owned(),
            name: "real".to_owned(),
            transport,
            env_names: Vec::new(),
            header_names: Vec::new(),
            enabled: true,
            disabled_tools: Vec::new(),
            call_timeout_secs: 60,
            extra: Map::new(),
        };
        let context = LaunchContext::new(std::env::var("PATH").unwrap(), self.path());
        let listener: Arc<dyn ServerListener> = Arc::<Person>::clone(&self.person);
        let secrets = ServerSecrets::default();
        let started = Session::start(&config, &secrets, &context, listener, Vault::in_memory()).await;
        started.unwrap_or_else(|error| panic!("{error}\n{}", error.detail().unwrap_or_default()))
    }

    async fn node(&self, words: &[&str]) -> Session {
        let args = words.iter().map(|word| (*word).to_owned()).collect();
        self.connect(Transport::Stdio { command: "node".to_owned(), args, cwd: String::new() }).await
    }
}

async fn call(session: &Session, tool: &str, arguments: &str) -> CallOutput {
    let arguments = Json::parse(arguments).unwrap();
    session.call(tool, &arguments, &CancellationToken::new(), PATIENCE, |_| {}).await.unwrap()
}

fn text_of(output: &CallOutput) -> &str {
    match output.parts.first() {
        Some(OutputPart::Text { text }) => text,
        other => panic!("no text but {other:?}"),
    }
}

/// What `server-everything` can do, over whichever transport.
async fn check_everything(place: &Place, session: &Session) {
    let status = session.status();
    assert_eq!(status.protocol.as_deref(), Some("2025-11-25"));
    assert!(status.identity.is_some());
    assert!(status.tools.len() > 5 && status.tools.iter().all(|tool| tool.problem.is_none()), "{:?}", status.tools);
    assert_eq!(text_of(&call(session, "echo", r#"{"message":"hello"}"#).await), "Echo: hello");

    let steps = Mutex::new(Vec::new());
    let arguments = Json::parse(r#"{"duration":1,"steps":4}"#).unwrap();
    let never = CancellationToken::new();
    let tool = "trigger-long-running-operation";
    let note = |step: tw_mcp::Progress| steps.lock().unwrap().push(step.progress);
    let output = session.call(tool, &arguments, &never, PATIENCE, note).await.unwrap();
    assert!(!output.is_error, "{output:?}");
    assert!(!steps.into_inner().unwrap().is_empty());

    let output = call(session, "get-tiny-image", "{}").await;
    let picture =
        |part: &OutputPart| matches!(part, OutputPart::Media { mime, data } if mime == "image/png" && !data.is_empty());
    assert!(output.parts.iter().any(picture), "{output:?}");

    let output = call(session, "get-structured-content", r#"{"location":"Chicago"}"#).await;
    assert!(output.structured.is_some(), "{output:?}");

    let output = call(session, "trigger-elicitation-request", "{}").await;
    let said = output.parts.iter().any(|part| matches!(part, OutputPart::Text { text } if text.contains("Ann")));
    assert!(said, "{output:?}");
    let questions = place.person.0.lock().unwrap();
    assert_eq!(questions.len(), 1);
    assert!(questions[0].schema.as_ref().unwrap().get("properties").is_some());
}

#[tokio::test]
async fn server_everything_is_understood_over_stdio() {
    let place = Place::new();
    let session = place.node(&[&npm_program(EVERYTHING), "stdio"]).await;
    check_everything(&place, &session).await;
    session.shutdown().await;
}

/// Ends the server with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn server_everything_is_understood_over_streamable_http() {
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("node");
    command.args([&npm_program(EVERYTHING), "streamableHttp"]).env("PORT", port.to_string());
    let _server = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let start = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "server-everything does not listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let session = place.connect(Transport::Http { url: format!("http://127.0.0.1:{port}/mcp") }).await;
    check_everything(&place, &session).await;
    session.shutdown().await;
}

#[tokio::test]
async fn server_filesystem_keeps_to_the_folder_it_was_given() {
    let place = Place::new();
    let folder = place.path().join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("note.txt"), "remember the milk").unwrap();
    std::fs::write(place.path().join("other.txt"), "not yours").unwrap();
    let session = place.node(&[&npm_program(FILESYSTEM), folder.to_str().unwrap()]).await;
    let read = |path: PathBuf| format!(r#"{{"path":"{}"}}"#, path.display());
    let output = call(&session, "read_text_file", &read(folder.join("note.txt"))).await;
    assert_eq!((text_of(&output), output.is_error), ("remember the milk", false));
    let output = call(&session, "read_text_file", &read(place.path().join("other.txt"))).await;
    assert!(output.is_error && text_of(&output).contains("Access denied"), "{output:?}");
    let arguments = format!(r#"{{"path":"{}","content":"done"}}"#, folder.join("new.txt").display());
    assert!(!call(&session, "write_file", &arguments).await.is_error);
    assert_eq!(std::fs::read_to_string(folder.join("new.txt")).unwrap(), "done");
    let reads = session.status().tools.into_iter().find(|tool| tool.name == "read_text_file").unwrap();
    assert!(reads.hints.read_only);
    session.shutdown().await;
}

#[tokio::test]
async fn playwright_mcp_lists_its_tools() {
    let place = Place::new();
    let session = place.node(&[&npm_program(PLAYWRIGHT), "--isolated", "--headless"]).await;
    let status = session.status();
    let tools = status.tools;
    assert!(status.identity.unwrap().starts_with("Playwright "));
    assert!(tools.iter().all(|tool| tool.problem.is_none()), "{tools:?}");
    for name in ["browser_navigate", "browser_click", "browser_snapshot"] {
        assert!(tools.iter().any(|tool| tool.name == name && tool.exposed_name == name), "{name}");
    }
    // Qwen3's tokenizer counts 4,203 for the tools of 0.0.83.
    let tokens: u32 = tools.iter().map(|tool| tool.tokens).sum();
    assert!((3_700..=4_700).contains(&tokens), "{tokens}");
    session.shutdown().await;
}
