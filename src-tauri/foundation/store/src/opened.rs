//! A trace as the editor opens it: everything of one moment, each message read once.

use rusqlite::Connection;
use tw_artifact::{CallRecord, RunSettings, StepRecord, TraceSummary};

use crate::config::parse;
use crate::list::read_summary;
use crate::revision::{Edition, read_edition};
use crate::trace::{find_trace, read_calls, read_steps};
use crate::{Store, StoreError};

/// A trace at a revision, with what is kept of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTrace {
    /// As in lists.
    pub summary: TraceSummary,
    /// What its run was made with; `None` when imported.
    pub settings: Option<RunSettings>,
    /// What is kept of each captured answer.
    pub steps: Vec<StepRecord>,
    /// What is kept of each captured call.
    pub calls: Vec<CallRecord>,
    /// Why its run ended, where it failed or hit a limit.
    pub ending: Option<String>,
    /// When each captured message was kept, unix milliseconds, and its step, by `seq`.
    pub captured: Vec<(i64, u32)>,
    /// The messages and the tools.
    pub edition: Edition,
}

impl Store {
    /// A trace with everything that the editor shows, at a revision: `None` for where it stands, 0 for what was
    /// captured. All of it is of one moment.
    ///
    /// # Errors
    /// There is no such trace or revision, or the read failed.
    pub async fn open_trace(&self, id: &str, revision: Option<u32>) -> Result<OpenTrace, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let trace = find_trace(connection, &id)?;
            let (settings, ending): (Option<String>, Option<String>) = connection
                .prepare_cached("SELECT settings, ending FROM details WHERE trace = ?1")?
                .query_row([trace], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(OpenTrace {
                summary: read_summary(connection, trace)?,
                settings: settings.map(|json| parse("settings", &json)).transpose()?,
                steps: read_steps(connection, trace)?,
                calls: read_calls(connection, trace)?,
                ending,
                captured: read_captured(connection, trace)?,
                edition: read_edition(connection, trace, revision)?,
            })
        })
        .await
    }
}

/// When the captured messages were kept, and their steps.
fn read_captured(connection: &Connection, trace: i64) -> Result<Vec<(i64, u32)>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT saved_at_ms, step FROM messages WHERE trace = ?1 ORDER BY seq")?;
    let rows = select.query_map([trace], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
