//! The smallest app with one server: `host COMMAND ARGS...` starts it under a guard, calls its tool `environment`, prints
//! the answer and waits for ever. The tests kill it and look at what is left.
//!
//! It also shows what every program of this app does first: become the guard when asked to.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tw_artifact::{Elicitation, ElicitationAnswer, Json, Map, OutputPart, ServerConfig, Transport};
use tw_mcp::{LaunchContext, ServerEvent, ServerListener, ServerSecrets, Session, guard};
use tw_vault::Vault;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(code) = guard::run_if_asked(&args) {
        return code;
    }
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(host(command, words.collect())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

async fn host(command: String, args: Vec<String>) -> Result<(), Box<dyn Error>> {
    let config = ServerConfig {
        id: "1".to_owned(),
        name: "server".to_owned(),
        transport: Transport::Stdio { command, args, cwd: String::new() },
        env_names: Vec::new(),
        header_names: Vec::new(),
        enabled: true,
        disabled_tools: Vec::new(),
        call_timeout_secs: 30,
        extra: Map::new(),
    };
    let context =
        LaunchContext::new(std::env::var("PATH")?, std::env::current_dir()?).with_guard(std::env::current_exe()?);
    let secrets = ServerSecrets::default();
    let session = Session::start(&config, &secrets, &context, Arc::new(Nobody), Vault::in_memory()).await?;
    let never = tokio_util::sync::CancellationToken::new();
    let limit = Duration::from_secs(config.call_timeout_secs);
    let output = session.call("environment", &Json::Null, &never, limit, |_| {}).await?;
    if let Some(OutputPart::Text { text }) = output.parts.first() {
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{text}")?;
        stdout.flush()?;
    }
    std::future::pending().await
}

/// There is no person here.
struct Nobody;

#[async_trait::async_trait]
impl ServerListener for Nobody {
    async fn elicit(&self, _elicitation: Elicitation) -> ElicitationAnswer {
        ElicitationAnswer::Decline
    }

    fn on_status(&self, _event: ServerEvent) {}

    fn open_url(&self, _url: &str) {}
}
