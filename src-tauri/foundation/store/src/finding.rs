//! What lint found, counted by rule.

use rusqlite::{Connection, OptionalExtension, params};
use tw_artifact::{FindingCount, LintRule, RunState, Severity};

use crate::trace::find_trace;
use crate::{Store, StoreError};

/// What was found in a trace as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The trace.
    pub id: String,
    /// The revision at which it was read.
    pub revision: u32,
    /// When it had last changed, unix milliseconds.
    pub updated_at_ms: i64,
    /// What lint found.
    pub findings: Vec<FindingCount>,
    /// What near-duplicates are found by; see [`Store::fingerprints`].
    pub fingerprint: Vec<u8>,
}

impl Store {
    /// Keeps what lint of this version (from 1) found in the trace as it is now, in place of what was found before.
    ///
    /// # Errors
    /// There is no such trace, or the write failed.
    pub async fn set_findings(&self, id: &str, version: u32, findings: &[FindingCount]) -> Result<(), StoreError> {
        let (id, findings) = (id.to_owned(), findings.to_vec());
        self.write(move |connection| put_findings(connection, find_trace(connection, &id)?, version, &findings)).await
    }

    /// Keeps what was found in traces as they were read, all or nothing. Those that changed since, or are gone, are left
    /// out; whoever changed them looks again. Gives of how many it was kept.
    ///
    /// # Errors
    /// The write failed.
    pub async fn keep_looks(&self, version: u32, looks: Vec<Look>) -> Result<u32, StoreError> {
        self.write(move |connection| {
            let mut find = connection
                .prepare_cached("SELECT key FROM traces WHERE id = ?1 AND head = ?2 AND updated_at_ms = ?3")?;
            let mut insert =
                connection.prepare_cached("INSERT OR REPLACE INTO fingerprints (trace, body) VALUES (?1, ?2)")?;
            let mut kept = 0;
            for look in &looks {
                let found: Option<i64> =
                    find.query_row(params![look.id, look.revision, look.updated_at_ms], |row| row.get(0)).optional()?;
                let Some(trace) = found else { continue };
                insert.execute(params![trace, look.fingerprint])?;
                put_findings(connection, trace, version, &look.findings)?;
                kept += 1;
            }
            Ok(kept)
        })
        .await
    }

    /// The ids of traces that lint of this version has not looked at as they are now, newest first; those of runs
    /// under way are left for later.
    ///
    /// # Errors
    /// The read failed.
    pub async fn unlinted(&self, version: u32, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(
                // The plus leaves it at the index by lint: mostly there is nothing.
                "SELECT id FROM traces WHERE linted < ?1 AND state NOT IN (?2, ?3, ?4) ORDER BY +key DESC LIMIT ?5",
            )?;
            let (queued, running, waiting) =
                (RunState::Queued.as_str(), RunState::Running.as_str(), RunState::Waiting.as_str());
            let rows = select.query_map(params![version, queued, running, waiting, limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

pub(crate) fn put_findings(
    connection: &Connection,
    trace: i64,
    version: u32,
    findings: &[FindingCount],
) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM findings WHERE trace = ?1")?.execute([trace])?;
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO findings (trace, rule, severity, count) VALUES (?1, ?2, ?3, ?4)")?;
    let mut total = 0_i64;
    for it in findings {
        total += i64::from(it.count);
        insert.execute(params![trace, it.rule.as_str(), severity_word(it.severity), it.count])?;
    }
    connection
        .prepare_cached("UPDATE traces SET linted = ?2, findings = ?3 WHERE key = ?1")?
        .execute(params![trace, version, total])?;
    Ok(())
}

/// What was found in a trace, in the order of [`LintRule::ALL`].
pub(crate) fn read_findings(connection: &Connection, trace: i64) -> Result<Vec<FindingCount>, StoreError> {
    let mut select = connection.prepare_cached("SELECT rule, severity, count FROM findings WHERE trace = ?1")?;
    let mut rows = select.query([trace])?;
    let mut findings = Vec::new();
    while let Some(row) = rows.next()? {
        // A rule that a later version had is not shown.
        if let Some(rule) = LintRule::parse(&row.get::<_, String>(0)?) {
            findings.push(FindingCount {
                rule,
                severity: read_severity(&row.get::<_, String>(1)?),
                count: row.get(2)?,
            });
        }
    }
    findings.sort_unstable_by_key(|it| it.rule);
    Ok(findings)
}

/// The word of a severity in the database and in queries.
pub(crate) const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

pub(crate) fn read_severity(word: &str) -> Severity {
    match word {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Note,
    }
}
