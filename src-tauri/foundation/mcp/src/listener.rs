//! Who is told what happens, and who asks the person.

use async_trait::async_trait;
use tw_artifact::{Elicitation, ElicitationAnswer, ServerPhase};

/// A sign of life of a long call.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How far it is, in the server's unit.
    pub progress: f64,
    /// How far it goes, where the server knows.
    pub total: Option<f64>,
    /// The server's words.
    pub message: Option<String>,
}

/// Something happened with a server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerEvent {
    /// The server's id.
    pub server_id: String,
    /// What.
    pub kind: ServerEventKind,
}

/// What happened with a server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEventKind {
    /// It entered this phase.
    Phase(ServerPhase),
    /// Its list of tools is another one now; see [`Session::status`](crate::Session::status).
    ToolsChanged,
    /// A line of its stderr, or of its stdout where that was no message.
    Stderr(String),
    /// A call made progress. Also given to the caller of the call.
    Progress {
        /// The tool.
        tool: String,
        /// How far.
        progress: Progress,
    },
}

/// Is told what happens with servers and asks the person on their behalf. Its methods are called from the tasks that
/// talk to the server: `on_status` and `open_url` must return at once.
#[async_trait]
pub trait ServerListener: Send + Sync {
    /// Asks the person. Dropped when the question has become pointless (the call was cancelled, the server ended).
    async fn elicit(&self, elicitation: Elicitation) -> ElicitationAnswer;

    /// Something happened.
    fn on_status(&self, event: ServerEvent);

    /// Opens the address of a sign-in in the system's browser.
    fn open_url(&self, url: &str);
}

/// Tells the listener about one server, and keeps the server's last lines.
pub(crate) struct Reporter {
    pub(crate) server_id: String,
    pub(crate) listener: std::sync::Arc<dyn ServerListener>,
    pub(crate) tail: crate::tail::Tail,
}

impl Reporter {
    pub(crate) fn tell(&self, kind: ServerEventKind) {
        self.listener.on_status(ServerEvent { server_id: self.server_id.clone(), kind });
    }

    /// A line that the server wrote for people.
    pub(crate) fn line(&self, line: &str) {
        let line = self.tail.push(line);
        self.tell(ServerEventKind::Stderr(line));
    }
}
