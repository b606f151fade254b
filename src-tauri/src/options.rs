//! What the command line and the environment say.

use std::ffi::{OsStr, OsString};
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

/// How the app is to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    workspace: Option<Utf8PathBuf>,
}

/// Why the app does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsError {
    /// The person asked how it is used; this is the answer.
    Help(String),
    /// The command line is wrong; this says what about it.
    Usage(String),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(text) | Self::Usage(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for OptionsError {}

const USAGE: &str = "Usage: tracewright [--workspace DIR]\n\n  --workspace DIR   the folder that holds traces and settings (or TRACEWRIGHT_WORKSPACE; default: the platform's data folder)\n  --version         the version\n  --help            this text";

impl Options {
    /// Reads the arguments after the program's name; `from_env` is the value of `TRACEWRIGHT_WORKSPACE`, which an
    /// argument overrides.
    ///
    /// # Errors
    /// [`OptionsError::Help`] when asked, [`OptionsError::Usage`] for an argument that is not known or lacks its value.
    pub fn read(args: impl IntoIterator<Item = OsString>, from_env: Option<OsString>) -> Result<Self, OptionsError> {
        let mut workspace = match from_env {
            Some(value) if !value.is_empty() => Some(folder(&value)?),
            _ => None,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--workspace") => workspace = Some(folder(&args.next().unwrap_or_default())?),
                Some("--help" | "-h") => return Err(OptionsError::Help(USAGE.to_owned())),
                Some("--version") => {
                    return Err(OptionsError::Help(format!("tracewright {}", env!("CARGO_PKG_VERSION"))));
                }
                text => match text.and_then(|text| text.strip_prefix("--workspace=")) {
                    Some(value) => workspace = Some(folder(OsStr::new(value))?),
                    None => return Err(usage(&format!("`{}` is not known.", arg.to_string_lossy()))),
                },
            }
        }
        Ok(Self { workspace })
    }

    /// The workspace that was named, if one was.
    #[must_use]
    pub fn workspace(&self) -> Option<&Utf8Path> {
        self.workspace.as_deref()
    }
}

/// Absolute, because MCP servers start in folders of their own.
fn folder(value: &OsStr) -> Result<Utf8PathBuf, OptionsError> {
    if value.is_empty() {
        return Err(usage("--workspace lacks its folder."));
    }
    std::path::absolute(value)
        .ok()
        .and_then(|path| Utf8PathBuf::from_path_buf(path).ok())
        .ok_or_else(|| usage(&format!("`{}` cannot be a workspace: its name is not UTF-8.", value.to_string_lossy())))
}

fn usage(happened: &str) -> OptionsError {
    OptionsError::Usage(format!("{happened}\n\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str], from_env: Option<&str>) -> Result<Options, OptionsError> {
        Options::read(args.iter().map(OsString::from), from_env.map(OsString::from))
    }

    fn workspace(args: &[&str], from_env: Option<&str>) -> Option<Utf8PathBuf> {
        read(args, from_env).ok().and_then(|options| options.workspace)
    }

    #[test]
    fn an_argument_names_the_workspace_before_the_environment_does() {
        assert_eq!(workspace(&[], None), None);
        assert_eq!(workspace(&[], Some("")), None);
        assert_eq!(workspace(&[], Some("/env")), Some(Utf8PathBuf::from("/env")));
        assert_eq!(workspace(&["--workspace", "/arg"], Some("/env")), Some(Utf8PathBuf::from("/arg")));
        assert_eq!(workspace(&["--workspace=/arg"], Some("/env")), Some(Utf8PathBuf::from("/arg")));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_usage() {
        for wrong in [&["--workspace"][..], &["--workspace="], &["--frobnicate"], &["file.json"]] {
            assert!(
                matches!(read(wrong, None), Err(OptionsError::Usage(text)) if text.contains("Usage: tracewright")),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn help_and_version_are_answers_not_failures() {
        assert!(matches!(read(&["--help"], None), Err(OptionsError::Help(_))));
        assert!(
            matches!(read(&["--version"], None), Err(OptionsError::Help(text)) if text.starts_with("tracewright "))
        );
    }
}
