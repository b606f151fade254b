//! Why a run cannot start or go on.

use tw_mcp::McpError;
use tw_store::StoreError;

/// Why a run cannot start or go on. What ends a run that has started stands in its trace as its ending.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The workspace cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A server did not start.
    #[error("The MCP server \"{server}\" did not start: {source}")]
    Server {
        /// The person's name for it.
        server: String,
        /// Why.
        source: McpError,
    },
}

impl CollectError {
    /// What to do next; may be empty.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint().unwrap_or_default().to_owned(),
            Self::Server { source, .. } => source.hint().unwrap_or_default(),
        }
    }
}
