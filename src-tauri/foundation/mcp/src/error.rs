//! What can go wrong with a server, in words for the person.

use thiserror::Error;

/// Why a server did not start or a call has no result. An answer of the server that says that a tool failed is not
/// one of these: that is a result (`is_error`), and the model gets to read it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum McpError {
    /// No such program.
    #[error("the program \"{command}\" was not found")]
    CommandNotFound {
        /// As configured.
        command: String,
        /// The PATH that was searched; empty when the command is a path itself.
        searched: String,
    },
    /// The working directory is not there.
    #[error("the working directory \"{path}\" of \"{server}\" is not a folder")]
    NoWorkingDirectory {
        /// The server's name.
        server: String,
        /// As configured.
        path: String,
    },
    /// The operating system did not start the program.
    #[error("\"{command}\" could not be started: {message}")]
    Spawn {
        /// As configured.
        command: String,
        /// The system's words.
        message: String,
    },
    /// The configuration cannot be used as it is.
    #[error("\"{server}\" cannot be reached as configured: {message}")]
    BadConfig {
        /// The server's name.
        server: String,
        /// What is wrong.
        message: String,
    },
    /// It ended before it was ready.
    #[error("\"{server}\" ended while it was starting ({status})")]
    CrashedAtStart {
        /// The server's name.
        server: String,
        /// Such as `exit code 1`.
        status: String,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// It ended in the middle of a conversation.
    #[error("\"{server}\" ended by itself ({status})")]
    Crashed {
        /// The server's name.
        server: String,
        /// Such as `exit code 1` or `the connection was closed`.
        status: String,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// It did not get ready in time.
    #[error("\"{server}\" was not ready within {timeout_secs} seconds")]
    StartTimeout {
        /// The server's name.
        server: String,
        /// How long we waited.
        timeout_secs: u64,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// A call took too long. The server was told to stop it.
    #[error("the tool \"{tool}\" of \"{server}\" gave no result within {timeout_secs} seconds")]
    CallTimeout {
        /// The server's name.
        server: String,
        /// The tool.
        tool: String,
        /// How long we waited, waiting for people left out.
        timeout_secs: u64,
    },
    /// The caller cancelled. The server was told.
    #[error("the call was cancelled")]
    Cancelled,
    /// The session was shut down.
    #[error("the session with \"{server}\" is closed")]
    Closed {
        /// The server's name.
        server: String,
    },
    /// It does not speak MCP as we know it.
    #[error("\"{server}\" does not keep to the protocol: {message}")]
    Protocol {
        /// The server's name.
        server: String,
        /// What is wrong.
        message: String,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// No such tool.
    #[error("\"{server}\" has no tool \"{tool}\"")]
    UnknownTool {
        /// The server's name.
        server: String,
        /// The tool.
        tool: String,
    },
    /// The arguments of a call are not a JSON object.
    #[error("the arguments of \"{tool}\" must be a JSON object, not {found}")]
    BadArguments {
        /// The tool.
        tool: String,
        /// What they are.
        found: &'static str,
    },
    /// The server answered a request with a JSON-RPC error.
    #[error("\"{server}\" refused: {message} (code {code})")]
    Refused {
        /// The server's name.
        server: String,
        /// The JSON-RPC error code.
        code: i32,
        /// The server's words.
        message: String,
        /// `data` of the error, as JSON text; empty when there is none.
        data: String,
    },
    /// A message of the server is larger than we take.
    #[error("an answer of \"{server}\" is larger than {limit_bytes} bytes and was dropped")]
    TooLarge {
        /// The server's name.
        server: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// A person must sign in first.
    #[error("\"{server}\" asks for a sign-in")]
    SignInNeeded {
        /// The server's name.
        server: String,
    },
    /// The sign-in did not succeed.
    #[error("the sign-in to \"{server}\" failed: {message}")]
    SignInFailed {
        /// The server's name.
        server: String,
        /// What happened. No secrets.
        message: String,
    },
    /// It refused the credentials that we were given.
    #[error("\"{server}\" refused access: {message}")]
    AccessRefused {
        /// The server's name.
        server: String,
        /// What it said.
        message: String,
    },
    /// The connection could not be made or broke.
    #[error("\"{server}\" could not be reached: {message}")]
    Unreachable {
        /// The server's name.
        server: String,
        /// What happened.
        message: String,
    },
}

impl McpError {
    /// What to do next; `None` where nothing useful can be said.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::CommandNotFound { command, searched } => return Some(program_hint(command, searched)),
            Self::NoWorkingDirectory { .. } => "Create the folder, or clear the working directory of this server.",
            Self::Spawn { .. } => "Check that the file is a program and that you may run it.",
            Self::CrashedAtStart { .. } => {
                "Read its last lines below. Often a package, an argument or an environment variable is missing."
            }
            Self::Crashed { .. } => "Read its last lines below, then restart the server.",
            Self::StartTimeout { .. } => {
                "A first start may download a package: try again. Else run the command in a terminal and look."
            }
            Self::CallTimeout { .. } => "Raise the time limit of this server if its tools need longer.",
            Self::Protocol { .. } => "Update the server, or check that the command starts an MCP server.",
            Self::UnknownTool { .. } => "The server's tools may have changed: restart it and look at its list.",
            Self::TooLarge { .. } => "Ask the tool for less at a time.",
            Self::SignInNeeded { .. } => "Open the server's page and sign in.",
            Self::SignInFailed { .. } => "Try the sign-in again, or give the server a header with a token.",
            Self::AccessRefused { .. } => "Check the headers of this server, such as Authorization.",
            Self::Unreachable { .. } => "Check the address, and that the server runs.",
            Self::BadConfig { .. } => "Correct the server's settings.",
            Self::Cancelled | Self::Closed { .. } | Self::BadArguments { .. } | Self::Refused { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// What the program itself said: the last lines of its stderr, or data of its error.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        let text = match self {
            Self::CrashedAtStart { stderr, .. }
            | Self::Crashed { stderr, .. }
            | Self::StartTimeout { stderr, .. }
            | Self::Protocol { stderr, .. } => stderr,
            Self::Refused { data, .. } => data,
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }
}

/// Which package brings a program that MCP configurations often name.
fn program_hint(command: &str, searched: &str) -> String {
    let install = match command.trim_end_matches(".exe").trim_end_matches(".cmd") {
        "npx" | "node" | "npm" => "Install Node.js 20 or newer; it brings npx.",
        "uvx" | "uv" => "Install uv; it brings uvx.",
        "docker" => "Install Docker and start it.",
        "python" | "python3" => "Install Python 3.",
        "bunx" | "bun" => "Install Bun; it brings bunx.",
        "deno" => "Install Deno.",
        _ => "Install it, or give its full path.",
    };
    if searched.is_empty() {
        format!("There is no such file. {install}")
    } else {
        format!("{install} It was looked for in the PATH of your login shell: {searched}")
    }
}
