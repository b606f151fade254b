//! Tools: what an MCP server offers and what an endpoint is told of it.

use serde::{Deserialize, Serialize};

use crate::{Json, Map};

/// A tool as an OpenAI-style endpoint takes it: `{"type":"function","function":{name, description, parameters}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolDefinition(pub Json);

impl ToolDefinition {
    /// A definition; `parameters` is a JSON schema. An empty description is left out.
    #[must_use]
    pub fn new(name: &str, description: &str, parameters: Json) -> Self {
        let mut function = Map::new();
        function.insert("name".to_owned(), name.into());
        if !description.is_empty() {
            function.insert("description".to_owned(), description.into());
        }
        function.insert("parameters".to_owned(), parameters);
        let mut tool = Map::new();
        tool.insert("type".to_owned(), "function".into());
        tool.insert("function".to_owned(), function.into());
        Self(tool.into())
    }

    /// `function.name`, empty when missing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get("function").and_then(|it| it.get("name")).and_then(Json::as_str).unwrap_or_default()
    }
}

/// What a server claims about a tool (MCP `annotations`). Claims, not facts: a server can lie.
/// Defaults are those of the MCP specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolHints {
    /// Changes nothing.
    pub read_only: bool,
    /// May destroy what is there.
    pub destructive: bool,
    /// A second same call changes nothing more.
    pub idempotent: bool,
    /// Reaches out to the world.
    pub open_world: bool,
}

impl Default for ToolHints {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

/// One tool of one server, as the window shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolInfo {
    /// The name that the server gave.
    pub name: String,
    /// The name that the model sees: unique over all servers, at most 64 of `[a-zA-Z0-9_-]`.
    pub exposed_name: String,
    /// A title for people, where the server gave one.
    pub title: Option<String>,
    /// What it does, in the server's words.
    pub description: String,
    /// JSON schema of the arguments.
    pub input_schema: Json,
    /// The server's claims.
    pub hints: ToolHints,
    /// Whether the model is told of it.
    pub enabled: bool,
    /// About how many tokens its definition takes in a prompt.
    pub tokens: u32,
    /// What is wrong with it, such as a schema that is not one; such a tool is not offered to the model.
    pub problem: Option<String>,
}
