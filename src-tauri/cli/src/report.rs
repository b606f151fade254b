//! What a command says: JSON or text on stdout, progress and errors on stderr.

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use tw_contract::ApiError;

/// Where a command says things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    json: bool,
    quiet: bool,
}

impl Report {
    pub(crate) const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// The result: `value` with `--json`, else the lines of `text`.
    pub(crate) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, value)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", text())?;
        }
        Ok(out.flush()?)
    }

    /// Something for the person who waits.
    pub(crate) fn progress(&self, text: &str) {
        if !self.quiet {
            // Nobody reads it: nothing is lost.
            drop(writeln!(std::io::stderr(), "{text}"));
        }
    }

    /// The error on stderr, and the exit code.
    pub(crate) fn fail(&self, error: &anyhow::Error) -> ExitCode {
        let mut out = std::io::stderr().lock();
        // Nobody reads it: the exit code still says it.
        drop(match error.downcast_ref::<ApiError>() {
            Some(error) => {
                let detail = error.detail.as_deref().map(|detail| format!("\n{detail}")).unwrap_or_default();
                writeln!(out, "tw: {error}{detail}")
            }
            None => writeln!(out, "tw: {error:#}"),
        });
        ExitCode::FAILURE
    }
}
