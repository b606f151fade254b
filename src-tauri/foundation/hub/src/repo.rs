//! Names of repositories.

use std::fmt;
use std::str::FromStr;

use crate::HubError;

/// What kind of repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// A dataset.
    Dataset,
    /// A model, or an adapter for one.
    Model,
}

impl RepoKind {
    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Model => "model",
        }
    }

    /// As the API has it.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Model => "models",
        }
    }

    /// What stands before the name in addresses of pages and files.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Dataset => "datasets/",
            Self::Model => "",
        }
    }
}

/// A repository: its kind and `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepoId {
    kind: RepoKind,
    owner: String,
    name: String,
}

/// Longest name that the Hub takes.
const MAX_CHARS: usize = 96;

fn is_good_part(part: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty()
        && part.chars().all(is_good)
        && !part.starts_with(['.', '-'])
        && !part.ends_with(['.', '-'])
        && !part.contains("..")
        && !part.contains("--")
}

impl RepoId {
    /// Reads `owner/name`, or the address of its page on any Hub.
    ///
    /// # Errors
    /// [`HubError::BadName`] by the Hub's own rules for names.
    pub fn parse(kind: RepoKind, text: &str) -> Result<Self, HubError> {
        let bad = || HubError::BadName { name: text.to_owned() };
        let mut path = text.trim();
        if let Some((_, rest)) = path.split_once("://") {
            path = rest.split_once('/').ok_or_else(bad)?.1;
        }
        path = path.strip_prefix(kind.prefix()).unwrap_or(path);
        let mut parts = path.split('/');
        let (Some(owner), Some(name)) = (parts.next(), parts.next()) else { return Err(bad()) };
        // A page below the repository's: `owner/name/tree/main`.
        let is_whole = parts.next().is_none_or(|next| next.is_empty() || text.contains("://"));
        let is_short = owner.len() + 1 + name.len() <= MAX_CHARS;
        if is_whole && is_short && is_good_part(owner) && is_good_part(name) && !name.ends_with(".git") {
            Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned() })
        } else {
            Err(bad())
        }
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> RepoKind {
        self.kind
    }

    /// What stands before the slash.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What stands behind it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `owner/name`
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.word(), self.owner, self.name)
    }
}

impl FromStr for RepoKind {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        match text {
            "dataset" => Ok(Self::Dataset),
            "model" => Ok(Self::Model),
            _ => Err(HubError::BadName { name: text.to_owned() }),
        }
    }
}
