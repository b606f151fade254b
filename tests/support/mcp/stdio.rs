//! The double as a program.

use std::io::{self, BufRead, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::behaviour::Behaviour;
use super::engine::{Engine, LINK_ROOM, complain};

/// Runs the double over stdin and stdout until stdin ends. `args` are those of [`Behaviour`].
#[must_use]
pub fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let behaviour = match Behaviour::from_args(args) {
        Ok(behaviour) => behaviour,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.and_then(|runtime| {
        let code = runtime.block_on(serve(behaviour));
        // A call that hangs must not keep the program.
        runtime.shutdown_background();
        code
    }) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn serve(behaviour: Behaviour) -> io::Result<ExitCode> {
    if let Some(path) = &behaviour.grandchild {
        start_grandchild(path)?;
    }
    if let Some(code) = behaviour.crash_at_start {
        complain("loading plugins");
        complain("error: cannot find module 'left-pad'");
        return Ok(ExitCode::from(code));
    }
    if behaviour.hang_at_start {
        complain("thinking");
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(behaviour.slow_start_ms)).await;
    let (noise, ignore_eof) = (behaviour.noise, behaviour.ignore_eof);
    let strict = behaviour.strict_first_message;
    let engine = Engine::new(behaviour);
    let (link, outgoing) = mpsc::channel(LINK_ROOM);
    engine.stand_by(link.clone());
    let writer = tokio::spawn(write_messages(outgoing, noise));
    let mut lines = read_lines();
    let mut is_first = true;
    while let Some(line) = lines.recv().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            complain("a line that is no JSON");
            continue;
        };
        let method = message.get("method").and_then(Value::as_str);
        if std::mem::take(&mut is_first) && strict && method != Some("initialize") {
            complain("expected initialize");
            return Ok(ExitCode::FAILURE);
        }
        engine.receive(message, link.clone());
    }
    if ignore_eof {
        std::future::pending::<()>().await;
    }
    writer.abort();
    Ok(ExitCode::SUCCESS)
}

/// The lines of stdin, read by a thread of their own.
fn read_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn write_messages(mut outgoing: mpsc::Receiver<Value>, noise: bool) -> io::Result<()> {
    let mut stdout = io::stdout();
    if noise {
        stdout.write_all(b"Server listening on stdio\n\n\x1b[32mready\x1b[0m \xff\xfe\n42\n")?;
    }
    while let Some(message) = outgoing.recv().await {
        if noise {
            stdout.write_all(b"debug: about to answer\n{\"level\":\"info\"\n")?;
        }
        stdout.write_all(format!("{message}\n").as_bytes())?;
        stdout.flush()?;
    }
    Ok(())
}

/// A process that is nobody's child: the shells between us and it end at once, it has a session of its own, and it does
/// not listen to SIGTERM.
fn start_grandchild(path: &std::path::Path) -> io::Result<()> {
    let stay = r#"trap "" TERM HUP; echo $$ > "$0.new"; mv "$0.new" "$0"; while :; do sleep 1; done"#;
    let leave = format!("setsid sh -c '{stay}' \"$0\" </dev/null >/dev/null 2>&1 &");
    let mut command = Command::new("sh");
    command.arg("-c").arg(leave).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    Ok(())
}
