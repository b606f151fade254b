//! What stands in the form of a server, and the server that it describes.

use leptos::prelude::*;
use tw_artifact::{Map, ServerConfig, Transport};
use tw_contract::{NameValue, ServerDraft};

use super::command_line::{join, split};

/// How long one call of a new server may take, in seconds.
const CALL_TIMEOUT_SECS: u64 = 120;

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A program of this machine.
    Program,
    /// An address.
    Address,
}

/// A name and a value that is typed, or kept where it is saved.
#[derive(Clone, Copy)]
pub(crate) struct PairRow {
    /// Tells rows apart.
    pub(crate) key: u32,
    /// The name.
    pub(crate) name: RwSignal<String>,
    /// The value as typed.
    pub(crate) value: RwSignal<String>,
    /// Whether a value is saved that stays while nothing is typed.
    pub(crate) saved: RwSignal<bool>,
}

/// Names and values. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Pairs {
    /// In order.
    pub(crate) rows: RwSignal<Vec<PairRow>>,
    next: StoredValue<u32>,
}

/// The form. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct ServerForm {
    base: StoredValue<ServerConfig>,
    /// The person's name for it.
    pub(crate) name: RwSignal<String>,
    /// How it is reached.
    pub(crate) reach: RwSignal<Reach>,
    /// The program.
    pub(crate) command: RwSignal<String>,
    /// Its arguments as one line.
    pub(crate) args: RwSignal<String>,
    /// Where it runs.
    pub(crate) cwd: RwSignal<String>,
    /// Environment variables.
    pub(crate) env: Pairs,
    /// The address.
    pub(crate) url: RwSignal<String>,
    /// HTTP headers.
    pub(crate) headers: Pairs,
    /// How long one call may take, in seconds.
    pub(crate) timeout_secs: RwSignal<u64>,
}

/// What is wrong, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerProblems {
    /// The name.
    pub(crate) name: Option<String>,
    /// The program.
    pub(crate) command: Option<String>,
    /// Its arguments.
    pub(crate) args: Option<String>,
    /// The address.
    pub(crate) url: Option<String>,
}

/// A server that is often wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerPreset {
    /// The words on the button.
    pub(crate) label: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// The arguments of npx.
    pub(crate) args: &'static str,
    /// What to know before it is saved.
    pub(crate) hint: &'static str,
    /// For tests.
    pub(crate) testid: &'static str,
}

/// The servers that are often wanted. All are npm packages that npx fetches at the first start.
pub(crate) const PRESETS: [ServerPreset; 3] = [
    ServerPreset {
        label: "Playwright",
        name: "playwright",
        args: "-y @playwright/mcp@0.0.83 --isolated",
        hint: "A browser. Add --headless to run it without a window.",
        testid: "preset-playwright",
    },
    ServerPreset {
        label: "Filesystem",
        name: "files",
        args: "-y @modelcontextprotocol/server-filesystem@2026.8.31 .",
        hint: "Reads and writes files of the folders named at the end of the arguments; the point is the working directory.",
        testid: "preset-filesystem",
    },
    ServerPreset {
        label: "Everything",
        name: "everything",
        args: "-y @modelcontextprotocol/server-everything@2026.8.31",
        hint: "A test server that shows what the protocol can do.",
        testid: "preset-everything",
    },
];

impl Pairs {
    fn new(names: &[NameValue]) -> Self {
        let pairs = Self { rows: RwSignal::new(Vec::new()), next: StoredValue::new(0) };
        for pair in names {
            pairs.push(&pair.name, pair.value.clone());
        }
        pairs
    }

    /// One more row. A value of `None` is one that is saved.
    pub(crate) fn push(self, name: &str, value: Option<String>) {
        let key = self.next.get_value();
        self.next.set_value(key + 1);
        let row = PairRow {
            key,
            name: RwSignal::new(name.to_owned()),
            saved: RwSignal::new(value.is_none()),
            value: RwSignal::new(value.unwrap_or_default()),
        };
        self.rows.update(|rows| rows.push(row));
    }

    /// Takes a row away.
    pub(crate) fn remove(self, key: u32) {
        self.rows.update(|rows| rows.retain(|row| row.key != key));
    }

    fn read(self) -> Vec<NameValue> {
        let rows = self.rows.get_untracked();
        let read = rows.into_iter().map(|row| NameValue {
            name: row.name.with_untracked(|name| name.trim().to_owned()),
            value: (!row.saved.get_untracked()).then(|| row.value.get_untracked()),
        });
        read.filter(|pair| !pair.name.is_empty()).collect()
    }
}

impl ServerForm {
    /// The form of a server, saved or new.
    pub(crate) fn new(draft: Option<&ServerDraft>) -> Self {
        let new = new_draft();
        let draft = draft.unwrap_or(&new);
        let (reach, command, args, cwd, url) = match &draft.config.transport {
            Transport::Stdio { command, args, cwd } => {
                (Reach::Program, command.clone(), join(args), cwd.clone(), String::new())
            }
            Transport::Http { url } => (Reach::Address, String::new(), String::new(), String::new(), url.clone()),
        };
        Self {
            base: StoredValue::new(draft.config.clone()),
            name: RwSignal::new(draft.config.name.clone()),
            reach: RwSignal::new(reach),
            command: RwSignal::new(command),
            args: RwSignal::new(args),
            cwd: RwSignal::new(cwd),
            env: Pairs::new(&draft.env),
            url: RwSignal::new(url),
            headers: Pairs::new(&draft.headers),
            timeout_secs: RwSignal::new(draft.config.call_timeout_secs),
        }
    }

    /// Takes over a server that is often wanted.
    pub(crate) fn use_preset(self, preset: ServerPreset) {
        self.reach.set(Reach::Program);
        self.command.set("npx".to_owned());
        self.args.set(preset.args.to_owned());
        self.name.set(preset.name.to_owned());
    }

    /// The server.
    ///
    /// # Errors
    /// Every field that cannot be used, with the reason.
    pub(crate) fn read(self) -> Result<ServerDraft, ServerProblems> {
        let trimmed = |text: RwSignal<String>| text.with_untracked(|text| text.trim().to_owned());
        let mut problems = ServerProblems::default();
        let name = trimmed(self.name);
        if name.is_empty() {
            problems.name = Some("A name is needed: tools and traces show it.".to_owned());
        }
        let transport = match self.reach.get_untracked() {
            Reach::Program => {
                let command = trimmed(self.command);
                if command.is_empty() {
                    problems.command =
                        Some("The program that starts the server is needed, such as npx or uvx.".to_owned());
                }
                let args = self.args.with_untracked(|args| split(args)).unwrap_or_else(|problem| {
                    problems.args = Some(problem);
                    Vec::new()
                });
                Transport::Stdio { command, args, cwd: trimmed(self.cwd) }
            }
            Reach::Address => {
                let url = trimmed(self.url);
                if !(url.starts_with("http://") || url.starts_with("https://")) {
                    problems.url = Some("This should look like https://example.org/mcp.".to_owned());
                }
                Transport::Http { url }
            }
        };
        if problems != ServerProblems::default() {
            return Err(problems);
        }
        let is_program = matches!(transport, Transport::Stdio { .. });
        let (env, headers) = if is_program { (self.env.read(), Vec::new()) } else { (Vec::new(), self.headers.read()) };
        let names = |pairs: &[NameValue]| pairs.iter().map(|pair| pair.name.clone()).collect();
        let config = ServerConfig {
            name,
            transport,
            env_names: names(&env),
            header_names: names(&headers),
            call_timeout_secs: self.timeout_secs.get_untracked(),
            ..self.base.get_value()
        };
        Ok(ServerDraft { config, env, headers })
    }
}

fn new_draft() -> ServerDraft {
    ServerDraft {
        config: ServerConfig {
            id: String::new(),
            name: String::new(),
            transport: Transport::Stdio { command: String::new(), args: Vec::new(), cwd: String::new() },
            env_names: Vec::new(),
            header_names: Vec::new(),
            enabled: true,
            disabled_tools: Vec::new(),
            call_timeout_secs: CALL_TIMEOUT_SECS,
            extra: Map::new(),
        },
        env: Vec::new(),
        headers: Vec::new(),
    }
}
