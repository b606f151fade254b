//! The tools of one run, under names that every endpoint takes.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use tw_artifact::{Json, ToolDefinition, ToolInfo};

use crate::Session;

/// Longest name that OpenAI-style endpoints take.
const MAX_NAME: usize = 64;
/// Hex digits of the hash in a shortened name.
const HASH_DIGITS: usize = 8;

/// What an exposed name stands for.
#[derive(Clone, Debug)]
pub struct ToolboxEntry {
    /// The session that has the tool.
    pub session: Session,
    /// The tool; `exposed_name` is the name that the model sees.
    pub tool: ToolInfo,
}

/// The offered tools of several sessions: enabled and without a problem, each under a name of its own that is at
/// most 64 of `[a-zA-Z0-9_-]`. A tool keeps its plain name where only one server has it, else it is called
/// `<server>__<tool>`. A name once given stays with its tool for as long as the toolbox lives.
#[derive(Clone, Debug, Default)]
pub struct Toolbox {
    sessions: Vec<Session>,
    entries: IndexMap<String, ToolboxEntry>,
    /// Names given so far, by server id and tool.
    given: HashMap<(String, String), String>,
}

impl Toolbox {
    /// The tools that `sessions` list now, in their order.
    #[must_use]
    pub fn new(sessions: Vec<Session>) -> Self {
        let mut toolbox = Self { sessions, ..Self::default() };
        toolbox.update();
        toolbox
    }

    /// Takes up the sessions' current lists, after one of them changed. Names already given stay.
    pub fn update(&mut self) {
        let mut tools: Vec<(&Session, ToolInfo)> = Vec::new();
        for session in &self.sessions {
            let listed = session.status().tools.into_iter();
            tools.extend(listed.filter(|tool| tool.enabled && tool.problem.is_none()).map(|tool| (session, tool)));
        }
        let keys: Vec<ToolKey<'_>> = tools
            .iter()
            .map(|(session, tool)| ToolKey {
                server_id: session.server_id(),
                server_name: session.server_name(),
                tool: &tool.name,
            })
            .collect();
        let names = give_names(&keys, &mut self.given);
        self.entries = tools
            .into_iter()
            .zip(names)
            .map(|((session, mut tool), name)| {
                tool.exposed_name.clone_from(&name);
                (name, ToolboxEntry { session: session.clone(), tool })
            })
            .collect();
    }

    /// Takes up `sessions` in place of the old ones, after one was started again. Names already given stay.
    pub fn replace_sessions(&mut self, sessions: Vec<Session>) {
        self.sessions = sessions;
        self.update();
    }

    /// What the model is told, in the order of the sessions and of their lists.
    #[must_use]
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.entries.values().map(|entry| definition(&entry.tool)).collect()
    }

    /// What `exposed_name` stands for; `None` for a name that the model made up.
    #[must_use]
    pub fn get(&self, exposed_name: &str) -> Option<&ToolboxEntry> {
        self.entries.get(exposed_name)
    }

    /// All offered tools, in order.
    pub fn entries(&self) -> impl Iterator<Item = &ToolboxEntry> {
        self.entries.values()
    }

    /// The sessions, in order.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// How many tools are offered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no tool is offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The definition of one tool. A schema without a type is given the only one it can have.
fn definition(tool: &ToolInfo) -> ToolDefinition {
    let mut parameters = tool.input_schema.clone();
    if let Json::Object(map) = &mut parameters
        && !map.contains_key("type")
    {
        map.shift_insert(0, "type".to_owned(), "object".into());
    }
    ToolDefinition::new(&tool.exposed_name, &tool.description, parameters)
}

/// One tool, as names are given to it.
pub(crate) struct ToolKey<'a> {
    pub(crate) server_id: &'a str,
    pub(crate) server_name: &'a str,
    pub(crate) tool: &'a str,
}

/// A name for each key, in order; `given` holds the names of earlier calls and takes up the new ones.
pub(crate) fn give_names(keys: &[ToolKey<'_>], given: &mut HashMap<(String, String), String>) -> Vec<String> {
    let mut wanted: HashMap<String, usize> = HashMap::new();
    for key in keys {
        *wanted.entry(plain_name(key.tool)).or_default() += 1;
    }
    let mut taken: HashSet<String> = given.values().cloned().collect();
    let mut names = Vec::with_capacity(keys.len());
    for key in keys {
        let id = (key.server_id.to_owned(), key.tool.to_owned());
        let name = given.entry(id).or_insert_with(|| {
            let plain = plain_name(key.tool);
            let full = format!("{}__{}", key.server_name, key.tool);
            let mut name = if wanted.get(&plain) == Some(&1) { plain } else { plain_name(&full) };
            // The server's id tells apart what even the full names do not: servers that share a name, or names that
            // differ only in characters that had to be replaced.
            let mut attempt = 0_u32;
            while taken.contains(&name) {
                name = shorten(&replace_characters(&full), &format!("{}/{}/{attempt}", key.server_id, key.tool));
                attempt += 1;
            }
            taken.insert(name.clone());
            name
        });
        names.push(name.clone());
    }
    names
}

/// `name` as endpoints take it: other characters replaced, shortened with a hash of the whole where it is too long.
pub(crate) fn plain_name(name: &str) -> String {
    let replaced = replace_characters(name);
    if replaced.len() <= MAX_NAME { replaced } else { shorten(&replaced, name) }
}

fn replace_characters(name: &str) -> String {
    let name: String =
        name.chars().map(|it| if it.is_ascii_alphanumeric() || it == '_' || it == '-' { it } else { '_' }).collect();
    if name.is_empty() { "tool".to_owned() } else { name }
}

fn shorten(name: &str, hashed: &str) -> String {
    let room = name.len().min(MAX_NAME - HASH_DIGITS - 1);
    format!("{}_{:08x}", &name[..room], fnv1a(hashed))
}

/// FNV-1a, 32 bits: the same on every machine and in every version, which `std`'s hasher does not promise.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
