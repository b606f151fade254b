//! Where a token and the Hub's address come from, as the Hub's own programs read them.

use std::path::PathBuf;

use tw_vault::Secret;

/// The Hub where nothing else is said.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Where a token was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// `HF_TOKEN`
    Environment,
    /// The file of the Hub's command line.
    File(PathBuf),
}

/// A token and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundToken {
    /// The token.
    pub token: Secret,
    /// Where.
    pub source: TokenSource,
}

/// What the environment says; empty is nothing.
fn variable(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The address that `HF_ENDPOINT` names, if any.
#[must_use]
pub fn endpoint_from_env(env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    variable(env, "HF_ENDPOINT").map(|endpoint| endpoint.trim_end_matches('/').to_owned())
}

/// The token of `HF_TOKEN`, or of the command line's file (`HF_TOKEN_PATH`, `HF_HOME`, `XDG_CACHE_HOME`, the home
/// folder). Reads that file: blocks.
#[must_use]
pub fn find_token(env: &dyn Fn(&str) -> Option<String>) -> Option<FoundToken> {
    let named = variable(env, "HF_TOKEN").or_else(|| variable(env, "HUGGING_FACE_HUB_TOKEN"));
    if let Some(token) = named {
        return Some(FoundToken { token: token.into(), source: TokenSource::Environment });
    }
    let path = token_file(env)?;
    let text = std::fs::read_to_string(&path).ok()?;
    // Whatever is not one word is not a token, and must not become part of a header.
    let token = text.trim();
    let is_token = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    is_token.then(|| FoundToken { token: token.into(), source: TokenSource::File(path) })
}

fn token_file(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(path) = variable(env, "HF_TOKEN_PATH") {
        return Some(path.into());
    }
    let home = || variable(env, "HOME").or_else(|| variable(env, "USERPROFILE")).map(PathBuf::from);
    let folder = match (variable(env, "HF_HOME"), variable(env, "XDG_CACHE_HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(cache)) => PathBuf::from(cache).join("huggingface"),
        (None, None) => home()?.join(".cache").join("huggingface"),
    };
    Some(folder.join("token"))
}
