//! The command line.

use camino::Utf8PathBuf;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Tracewright without its window.
#[derive(Debug, Parser)]
#[command(name = "tw", version)]
pub(crate) struct Args {
    /// The workspace folder [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "TRACEWRIGHT_WORKSPACE")]
    pub(crate) workspace: Option<Utf8PathBuf>,
    /// One JSON document on stdout, nothing else there
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress on stderr
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the app's window and API on loopback
    Serve(Serve),
    /// Run the agent on a task and print the trace's id
    Run(Box<Run>),
    /// Examine an endpoint
    Doctor(Doctor),
    /// Import traces
    Import(Import),
    /// List traces
    List(List),
    /// Show a trace
    Show(Show),
    /// Edit a trace
    Edit(Edit),
    /// Take the last edit of a trace back
    Undo(OfTrace),
    /// Make it again
    Redo(OfTrace),
    /// Every revision of a trace
    History(OfTrace),
    /// Bring a trace back to what was captured; the edits stay in its history
    Reset(OfTrace),
    /// What may be wrong with traces
    Lint(Lint),
    /// Render a row with a model's template: text, token ids, which are trained
    Render(Render),
    /// Export traces
    Export(Export),
    /// Versions of datasets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Train an adapter on a dataset version
    Train(Box<crate::train::TrainArgs>),
    /// List trainings
    Jobs,
    /// Show a training
    Job(crate::train::OfJob),
    /// Hold a training after its current step
    Pause(crate::train::OfJob),
    /// Let a training go on: after a pause, or from its last checkpoint
    Resume(crate::train::OfJob),
    /// End a training after its current step, with a checkpoint
    Stop(crate::train::OfJob),
    /// Add an adapter to its base model's weights
    Merge(crate::train::MergeArgs),
    /// The Hugging Face Hub: push, pull, download
    #[command(subcommand)]
    Hub(crate::hub::HubCommand),
    /// Evaluation: what models do, against what they should have done
    #[command(subcommand)]
    Eval(crate::eval::EvalCommand),
    /// Models on this machine: serve one as an endpoint
    #[command(subcommand)]
    Model(crate::model::ModelCommand),
}

/// `tw serve`
#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// The port; 0 for a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
}

/// Who decides about calls when nobody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Approve {
    /// Every call runs
    All,
    /// Calls of tools that claim to only read run; the others are rejected
    ReadOnly,
    /// Every call is rejected
    None,
}

/// An endpoint on the command line. Keys are named by their environment variable, never given.
#[derive(Debug, ClapArgs)]
pub(crate) struct EndpointArgs {
    /// Base URL, such as http://127.0.0.1:8000/v1
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: String,
    /// The model's name
    #[arg(long)]
    pub(crate) model: String,
    /// The environment variable that holds the API key
    #[arg(long, value_name = "VAR")]
    pub(crate) api_key_env: Option<String>,
}

/// `tw run`
#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// What the agent should do
    #[arg(long, value_name = "TEXT")]
    pub(crate) task: String,
    /// A file with the system prompt
    #[arg(long, value_name = "FILE")]
    pub(crate) system: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    /// A file with mcpServers JSON
    #[arg(long, value_name = "CONFIG.json")]
    pub(crate) mcp: Option<Utf8PathBuf>,
    /// Which calls run
    #[arg(long, value_enum, default_value_t = Approve::ReadOnly)]
    pub(crate) approve: Approve,
    /// Most answers of the model
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) max_steps: u32,
    /// Runs of the task
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) samples: u32,
    /// Most tokens of one tool output that the model sees
    #[arg(long, value_name = "TOKENS", default_value_t = 8_000)]
    pub(crate) tool_budget: u32,
}

/// `tw doctor`
#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
}

/// `tw import`
#[derive(Debug, ClapArgs)]
pub(crate) struct Import {
    /// Files, or folders of them
    #[arg(required = true)]
    pub(crate) paths: Vec<Utf8PathBuf>,
    /// What the files are: auto, workshop, openai, trl, sharegpt, axolotl, claude-code, codex, pi, sts, atif, parquet
    #[arg(long, default_value = "auto")]
    pub(crate) format: String,
}

/// `tw list`
#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    /// Words to find, and fields such as tool:browser_click rating:>=4 lint:secret
    pub(crate) query: Option<String>,
}

/// `tw lint`
#[derive(Debug, ClapArgs)]
pub(crate) struct Lint {
    /// Which traces, as in `tw list`; all without
    pub(crate) query: Option<String>,
}

/// `tw show`
#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    /// The trace's id
    pub(crate) id: String,
    /// A revision, 0 for what was captured [default: where the trace stands]
    #[arg(long, value_name = "N")]
    pub(crate) revision: Option<u32>,
}

/// `tw edit`
#[derive(Debug, ClapArgs)]
pub(crate) struct Edit {
    /// The trace's id
    pub(crate) id: String,
    /// The edit, such as {"delete":{"ids":[3]}}
    #[arg(long, value_name = "JSON")]
    pub(crate) op: String,
}

/// `tw undo`, `tw redo`, `tw history`, `tw reset`
#[derive(Debug, ClapArgs)]
pub(crate) struct OfTrace {
    /// The trace's id
    pub(crate) id: String,
}

/// `tw export`
#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    /// Which traces, as in `tw list`; all without
    pub(crate) query: Option<String>,
    /// What to write, as in `tw import`
    #[arg(long, default_value = "workshop")]
    pub(crate) format: String,
    /// The folder to write into, or the file where the format holds many traces
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Utf8PathBuf,
}

/// Which of the model's messages are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Train {
    /// The last one
    Last,
    /// Those after the last question
    Turn,
    /// All
    All,
}

/// `tw render`
#[derive(Debug, ClapArgs)]
pub(crate) struct Render {
    /// The model's folder: tokenizer.json, tokenizer_config.json, chat_template.jinja
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Utf8PathBuf,
    /// A template in place of the model's own
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<Utf8PathBuf>,
    /// A file with {messages, tools?}; - for stdin
    #[arg(long, value_name = "FILE|-")]
    pub(crate) row: Utf8PathBuf,
    /// Which of the model's messages are trained
    #[arg(long, value_enum, default_value_t = Train::All)]
    pub(crate) train: Train,
    /// Goes on to where the model answers
    #[arg(long)]
    pub(crate) generation_prompt: bool,
    /// More variables of the template, such as {"enable_thinking": false}
    #[arg(long, value_name = "JSON")]
    pub(crate) kwargs: Option<String>,
}

/// `tw dataset`
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Build a version and print its id
    Build(Build),
    /// List versions
    List,
    /// Show a version
    Show(OfDataset),
    /// What differs between two versions
    Diff(DatasetDiff),
    /// Write a version for another tool
    Export(DatasetExport),
    /// Remove a version and its files
    Delete(OfDataset),
}

/// How a trace becomes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unrolling {
    /// One row: the whole trace
    None,
    /// A row for each question
    User,
    /// A row for each answer
    Step,
    /// The fewest rows that train every answer once, after what the model sees
    Minimal,
}

/// What happens to rows over the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fit {
    /// They are left out
    Drop,
    /// Their oldest tool results are cut
    Cut,
    /// They become several rows
    Split,
}

/// `tw dataset build`
#[derive(Debug, ClapArgs)]
pub(crate) struct Build {
    /// Which traces, as in `tw list`; all without
    pub(crate) query: Option<String>,
    /// The dataset's name
    #[arg(long)]
    pub(crate) name: String,
    /// How a trace becomes rows
    #[arg(long, value_enum, default_value_t = Unrolling::Step)]
    pub(crate) unroll: Unrolling,
    /// Which answers of a row are trained
    #[arg(long, value_enum, default_value_t = Train::Last)]
    pub(crate) train: Train,
    /// A model's folder or GGUF file: its tokenizer counts, its template renders; estimates without
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<Utf8PathBuf>,
    /// Most tokens of a row
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    /// What happens to longer rows
    #[arg(long, value_enum, default_value_t = Fit::Drop)]
    pub(crate) over_limit: Fit,
    /// The part of the traces that is for validation, such as 0.1
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    pub(crate) val_fraction: f64,
    /// Another number chooses other traces for validation
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Only accepted traces
    #[arg(long)]
    pub(crate) accepted_only: bool,
    /// The steering prompt joins the system message, as the model saw it
    #[arg(long)]
    pub(crate) keep_steering: bool,
    /// Rows that are the same stay
    #[arg(long)]
    pub(crate) keep_duplicates: bool,
    /// More variables of the template, such as {"enable_thinking": false}
    #[arg(long, value_name = "JSON")]
    pub(crate) kwargs: Option<String>,
    /// Only says what would come of it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `tw dataset show`, `tw dataset delete`
#[derive(Debug, ClapArgs)]
pub(crate) struct OfDataset {
    /// The version's id, or the beginning of it
    pub(crate) id: String,
}

/// `tw dataset diff`
#[derive(Debug, ClapArgs)]
pub(crate) struct DatasetDiff {
    /// The version before
    #[arg(value_name = "A")]
    pub(crate) from: String,
    /// The version after
    #[arg(value_name = "B")]
    pub(crate) to: String,
}

/// `tw dataset export`
#[derive(Debug, ClapArgs)]
pub(crate) struct DatasetExport {
    /// The version's id, or the beginning of it
    pub(crate) id: String,
    /// What to write: parquet, parquet-text, jsonl, trl, trl-completion, axolotl, openai, sharegpt, tokens
    #[arg(long, default_value = "parquet")]
    pub(crate) format: String,
    /// The folder, or the file, beside which further parts get names of their own
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Utf8PathBuf,
    /// The model for tokens [default: the version's own]
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<Utf8PathBuf>,
}
