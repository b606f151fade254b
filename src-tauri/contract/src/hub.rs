//! What the Hub is asked and answers: signing in, the publish gate and the push, looking into a repository, pulls and
//! downloads.
//!
//! A push goes in two steps. `publish_check` says what would leave the machine: every file and its size, the card, every
//! secret and personal datum found in the exact bytes, and what changes in the repository. The person decides about each
//! find. `publish_start` takes the same [`PublishPlan`] with the decisions; it refuses while one is missing. Pushes, pulls
//! and downloads are [`HubJob`]s: told on `hub:<id>`, cancelled and taken up again by their id.

use serde::{Deserialize, Serialize};
use tw_artifact::Json;

use crate::{ApiError, ImportRefusal, ImportedTrace};

/// Where the token in use comes from. When several have one, the first in this order counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubTokenSource {
    /// The environment variable `HF_TOKEN` of the host.
    Environment,
    /// Entered here, and kept in the vault.
    Vault,
    /// The file in which the Hub's own command line keeps it.
    File {
        /// The file.
        path: String,
    },
}

/// An account of the Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubAccount {
    /// The name, as it stands before the slash of a repository.
    pub name: String,
    /// The person's name; may be empty.
    pub full_name: String,
    /// The organisations in whose name the account may publish.
    pub organisations: Vec<String>,
    /// What the token is called on the Hub; may be empty.
    pub token_name: String,
    /// Whether the token may write; `None` for a token whose rights are set one by one, where only trying tells.
    pub can_write: Option<bool>,
}

/// How this app stands to the Hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubStatus {
    /// The Hub's address: the setting `hub-endpoint`, else `HF_ENDPOINT`, else `https://huggingface.co`.
    pub endpoint: String,
    /// Whether the setting or `HF_ENDPOINT` names it.
    pub is_other_endpoint: bool,
    /// Where the token comes from; `None` when there is none.
    pub token_from: Option<HubTokenSource>,
    /// Who that is; `None` without a token, or where the Hub did not say.
    pub account: Option<HubAccount>,
    /// Why the account is not known although there is a token: refused, or the Hub cannot be reached.
    pub problem: Option<ApiError>,
}

/// A token to sign in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubLogin {
    /// The token, `hf_...`.
    pub token: String,
}

impl std::fmt::Debug for HubLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubLogin(***)")
    }
}

/// What is pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishWhat {
    /// A version of a dataset.
    Dataset {
        /// The version's id.
        id: String,
        /// Whether each trace goes along as a session file, in a second configuration that the Hub's trace viewer shows.
        sessions: bool,
    },
}

/// What the repository's card (`README.md`) becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardChoice {
    /// Written from the data.
    #[default]
    Written,
    /// This text, for instance the written one after the person has edited it.
    Text(String),
    /// The one that is in the repository stays as it is.
    Keep,
}

/// What happens with a find of the publish gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitAction {
    /// A mark such as `[redacted: e-mail]` takes its place in what is pushed. The workspace keeps the original.
    Redact,
    /// It is pushed as it is; remembered for this value.
    Allow,
}

/// Which finds a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HitTarget {
    /// One, by [`PublishHit::id`].
    Hit(String),
    /// All of a kind, by [`PublishHit::kind`]. A decision about a single one goes before.
    Kind(String),
}

/// A decision about finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitDecision {
    /// Which.
    pub target: HitTarget,
    /// What happens with them.
    pub action: HitAction,
}

/// What a person wants pushed, and how. The same for the check and the push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishPlan {
    /// What.
    pub what: PublishWhat,
    /// Where to: `owner/name`. Made when it is not there.
    pub repo: String,
    /// Whether a repository that is made is private. One that is there stays as it is.
    #[serde(default = "yes")]
    pub private: bool,
    /// The licence, one of [`LICENCES`] or another word that the Hub knows; `None` leaves it out of the card.
    #[serde(default)]
    pub licence: Option<String>,
    /// What the dataset is, in the person's own words, for the card; empty for none.
    #[serde(default)]
    pub description: String,
    /// The card.
    #[serde(default)]
    pub card: CardChoice,
    /// Decisions about finds.
    #[serde(default)]
    pub decisions: Vec<HitDecision>,
    /// The commit's title; empty for one that says what changed.
    #[serde(default)]
    pub message: String,
}

const fn yes() -> bool {
    true
}

/// Licences that the form offers: the Hub's word, and what a person reads.
pub const LICENCES: &[(&str, &str)] = &[
    ("apache-2.0", "Apache 2.0"),
    ("mit", "MIT"),
    ("cc-by-4.0", "Creative Commons BY 4.0"),
    ("cc-by-sa-4.0", "Creative Commons BY-SA 4.0"),
    ("cc-by-nc-4.0", "Creative Commons BY-NC 4.0"),
    ("cc0-1.0", "Creative Commons Zero 1.0"),
    ("odc-by", "Open Data Commons BY"),
    ("other", "Another licence"),
];

/// What becomes of a file in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is new there.
    Added,
    /// It takes the place of another content.
    Changed,
    /// The same bytes are there already: not sent again.
    Same,
    /// It is taken out: a part of an earlier push that this one no longer has.
    Removed,
}

/// A file of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishFile {
    /// Its path in the repository.
    pub path: String,
    /// Its bytes; of a removed one, those that it had.
    pub bytes: u64,
    /// What becomes of it.
    pub change: FileChange,
}

/// A text in which a find stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitPlace {
    /// The file in the repository.
    pub path: String,
    /// The row of a table or the line of a file, from 1; 0 for a file without rows.
    pub row: u64,
    /// The row's id, where it has one.
    pub row_id: String,
    /// Where in the row, such as `messages[3].content`.
    pub field: String,
    /// What stands around it, with the value itself masked.
    pub excerpt: String,
}

/// One value that may be a secret or personal, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishHit {
    /// Made from the value by a one-way function: the same value has the same id in every check.
    pub id: String,
    /// What it is, in a word that decisions can name: `github_token`, `e-mail`, `home-folder` ...
    pub kind: String,
    /// What it is, for people: `a GitHub token`.
    pub label: String,
    /// Whether it is a secret; otherwise it is personal data.
    pub is_secret: bool,
    /// The value, masked: enough to recognise one's own, not enough to use it.
    pub masked: String,
    /// How often it stands in what would be pushed.
    pub count: u64,
    /// The first places.
    pub places: Vec<HitPlace>,
    /// What was decided; `None` while it is open.
    pub action: Option<HitAction>,
    /// Whether that is remembered from an earlier push.
    pub is_remembered: bool,
}

/// What a push would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishCheck {
    /// The repository's page.
    pub url: String,
    /// Whether the repository is there already.
    pub exists: bool,
    /// Whether it is private, or will be.
    pub is_private: bool,
    /// Every file, by path. Sizes are those after the decisions so far.
    pub files: Vec<PublishFile>,
    /// Bytes of what would be sent.
    pub send_bytes: u64,
    /// The card as it would be pushed.
    pub card: String,
    /// The card in the repository, where it is not what this app wrote there: somebody edited it.
    pub card_there: Option<String>,
    /// What was found, secrets first, then by how often.
    pub hits: Vec<PublishHit>,
    /// Finds without a decision: while there are any, nothing can be pushed.
    pub open_hits: u32,
    /// Rows that were looked at.
    pub rows: u64,
    /// The commit's title.
    pub message: String,
    /// What speaks against pushing, in words: not signed in, a token that may not write, nothing that changed. Empty
    /// when all is well.
    pub problems: Vec<String>,
}

/// What kind of repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubRepoKind {
    /// A dataset.
    #[default]
    Dataset,
    /// A model.
    Model,
}

/// A place in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubBrowse {
    /// What kind it is.
    pub kind: HubRepoKind,
    /// `owner/name`, or its address on the Hub.
    pub repo: String,
    /// A branch, a tag or a commit; `None` for `main`.
    #[serde(default)]
    pub revision: Option<String>,
    /// The folder; empty for the top.
    #[serde(default)]
    pub path: String,
    /// Where the list goes on, from [`HubListing::next`].
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A file or folder of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubEntry {
    /// Its path from the top.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Bytes; 0 of a folder.
    pub bytes: u64,
    /// Whether `hub_rows` can show what is in it.
    pub has_rows: bool,
}

/// The files that a configuration of a dataset has for one split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubSplit {
    /// The configuration, such as `default`.
    pub config: String,
    /// The split, such as `train`.
    pub split: String,
    /// Paths or patterns, as the card has them.
    pub files: Vec<String>,
}

/// A folder of a repository, and what is known of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubListing {
    /// `owner/name`
    pub repo: String,
    /// Its page.
    pub url: String,
    /// The commit that was looked at; requests that follow name it as their revision, so that all see the same.
    pub commit: String,
    /// Whether it is private.
    pub is_private: bool,
    /// When it last changed, ISO 8601; may be empty.
    pub changed_at: String,
    /// Downloads of the last month.
    pub downloads: u64,
    /// Its tags.
    pub tags: Vec<String>,
    /// The card's licence; may be empty.
    pub licence: String,
    /// What the card says of configurations and splits; empty where it says nothing.
    pub splits: Vec<HubSplit>,
    /// Folders first, then files, by name.
    pub entries: Vec<HubEntry>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<String>,
}

/// Rows of a file in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRows {
    /// What kind of repository.
    pub kind: HubRepoKind,
    /// `owner/name`
    pub repo: String,
    /// As in [`HubBrowse`].
    #[serde(default)]
    pub revision: Option<String>,
    /// The file: Parquet, JSON lines or JSON.
    pub path: String,
    /// Rows to leave out. Parquet skips to them; other files are read up to there.
    #[serde(default)]
    pub offset: u64,
    /// How many at most; 0 for 20.
    #[serde(default)]
    pub limit: u32,
}

/// Some rows of a file that is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRowPage {
    /// The columns, in the order in which they are first seen.
    pub columns: Vec<String>,
    /// The rows. Texts of more than 4,000 characters are cut, with a mark that says so.
    pub rows: Vec<Json>,
    /// The number of the first, from 0.
    pub offset: u64,
    /// How many the file has, where it says (Parquet).
    pub total: Option<u64>,
    /// Whether there are more.
    pub has_more: bool,
    /// What the importer takes the file for, in words; empty when it is in no form that traces are read from.
    pub format: String,
    /// Bytes that were fetched for this.
    pub read_bytes: u64,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

/// Which rows of the files are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowChoice {
    /// All.
    #[default]
    All,
    /// Rows from `from` on (from 0), `count` of them.
    Range {
        /// The first.
        from: u64,
        /// How many.
        count: u64,
    },
    /// These, from 0.
    These(Vec<u64>),
}

/// Rows to read into the workspace as traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubPull {
    /// A dataset: `owner/name`.
    pub repo: String,
    /// As in [`HubBrowse`].
    #[serde(default)]
    pub revision: Option<String>,
    /// The files; empty for every file with rows that the card names, or that is there where the card names none.
    #[serde(default)]
    pub files: Vec<String>,
    /// Which rows of each file.
    #[serde(default)]
    pub rows: RowChoice,
    /// The format's name as `tw import --format` takes it; `None` recognises it.
    #[serde(default)]
    pub format: Option<String>,
}

/// A model, or another repository, to fetch into a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubDownload {
    /// What kind it is.
    pub kind: HubRepoKind,
    /// `owner/name`
    pub repo: String,
    /// As in [`HubBrowse`].
    #[serde(default)]
    pub revision: Option<String>,
    /// The folder, on the host's disk; `None` for one below the workspace's `models`.
    #[serde(default)]
    pub folder: Option<String>,
    /// Every file. Otherwise, of a model only what training and inference here need: weights as safetensors, the
    /// configuration, the tokenizer, the template, the card and the licence.
    #[serde(default)]
    pub all_files: bool,
}

/// What a job of the Hub does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubJobKind {
    /// Pushes.
    #[default]
    Publish,
    /// Reads rows into the workspace.
    Pull,
    /// Fetches files into a folder.
    Download,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubPhase {
    /// Asks what is there.
    #[default]
    Asking,
    /// Reads what would leave the machine, and redacts it.
    Checking,
    /// Sends files. Nothing of it is to be seen in the repository yet.
    Sending,
    /// Makes the commit: from here on all of it is there, or nothing.
    Committing,
    /// Fetches.
    Fetching,
    /// Compares checksums.
    Verifying,
    /// Reads traces into the workspace.
    Importing,
}

/// What a job brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubOutcome {
    /// In a sentence.
    pub summary: String,
    /// The page of the repository, or of the commit.
    pub url: String,
    /// The commit that was made or read.
    pub commit: String,
    /// The files of a push, and what became of each.
    pub files: Vec<PublishFile>,
    /// The folder of a download.
    pub folder: Option<String>,
    /// The traces of a pull. Only in the answer to `hub_job_view`, not in events.
    pub traces: Vec<ImportedTrace>,
    /// The first of what a pull refused.
    pub refused: Vec<ImportRefusal>,
    /// How much it refused in all.
    pub refused_count: u32,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HubEnd {
    /// Well.
    Done(HubOutcome),
    /// By the person. What was sent or fetched is used when it is taken up again.
    Cancelled,
    /// With an error; `hub_job_retry` takes it up where it was.
    Failed(ApiError),
}

/// A push, a pull or a download.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubJob {
    /// Its id: `publish_check` has that of what is checked.
    pub id: String,
    /// What it does.
    pub kind: HubJobKind,
    /// The repository.
    pub repo: String,
    /// Where it is.
    pub phase: HubPhase,
    /// Bytes (of a check: rows) of this phase that are done.
    pub done: u64,
    /// Of how many; 0 while that is not known.
    pub total: u64,
    /// The file at work; empty between files.
    pub file: String,
    /// Bytes a second over the last seconds; 0 while that is not known.
    pub bytes_per_sec: u64,
    /// What failed and is tried again, in words; empty when all is well.
    pub note: String,
    /// When it began, unix milliseconds.
    pub started_at_ms: i64,
    /// How it ended; `None` while it works.
    pub ended: Option<HubEnd>,
}
