//! Reports of evaluations on disk: one JSON file each.

use std::path::{Path, PathBuf};

use tw_artifact::EvalReport;
use tw_contract::{ApiError, ColumnSummary, ErrorCode, EvalExport, EvalExported, EvalSummary, Event, EventBody};

use crate::App;

/// A report's file could not be used.
fn failed(path: &Path, error: &std::io::Error) -> ApiError {
    let full = error.kind() == std::io::ErrorKind::StorageFull;
    let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
    ApiError::new(code, format!("{} cannot be used: {error}.", path.display()))
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ApiError> {
    let beside = path.with_extension("part");
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| {
            let mut file = std::fs::File::create(&beside)?;
            std::io::Write::write_all(&mut file, bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| failed(path, &error))
}

/// What lists show of a report.
pub(crate) fn summary(report: &EvalReport) -> EvalSummary {
    EvalSummary {
        id: report.id.clone(),
        name: report.name.clone(),
        created_at_ms: report.created_at_ms,
        ended_at_ms: report.ended_at_ms,
        about: report.about.clone(),
        basis: report.basis.clone(),
        columns: report
            .columns
            .iter()
            .map(|column| ColumnSummary {
                subject: column.subject.clone(),
                exam: column.exam.clone(),
                rollouts: column.rollouts.clone(),
            })
            .collect(),
    }
}

fn read(path: &Path) -> Result<EvalReport, ApiError> {
    let text = std::fs::read(path).map_err(|error| failed(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| failed(path, &error.into()))
}

impl App {
    /// The folder of all reports.
    pub(crate) fn reports_folder(&self) -> PathBuf {
        self.workspace.join("reports").into_std_path_buf()
    }

    /// A report's file. Ids are made here and hold letters, digits and `-` alone; another never leaves the folder.
    pub(crate) fn report_path(&self, id: &str) -> Result<PathBuf, ApiError> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(ApiError::not_found("report"));
        }
        Ok(self.reports_folder().join(format!("{id}.json")))
    }

    /// All reports that can be read, the newest first. One that cannot is told of in the log and left where it is.
    pub(crate) async fn list_reports(&self) -> Result<Vec<EvalSummary>, ApiError> {
        let folder = self.reports_folder();
        let mut reports = crate::blocking(move || {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let files =
                entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "json"));
            files
                .filter_map(|path| match read(&path) {
                    Ok(report) => Some(summary(&report)),
                    Err(error) => {
                        tracing::warn!("a report is left out: {error}");
                        None
                    }
                })
                .collect::<Vec<_>>()
        })
        .await?;
        reports.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(reports)
    }

    pub(crate) async fn view_report(&self, id: &str) -> Result<EvalReport, ApiError> {
        let path = self.report_path(id)?;
        crate::blocking(move || if path.exists() { read(&path) } else { Err(ApiError::not_found("report")) }).await?
    }

    pub(crate) async fn export_report(&self, request: EvalExport) -> Result<EvalExported, ApiError> {
        let report = self.view_report(&request.id).await?;
        let (text, extension) = match request.format.as_str() {
            "json" => {
                let text = serde_json::to_string_pretty(&report);
                let text = text.map_err(|error| ApiError::new(ErrorCode::Internal, format!("{error}.")))?;
                (text, "json")
            }
            "markdown" => (tw_evaluate::to_markdown(&report), "md"),
            "csv" => (tw_evaluate::to_csv(&report), "csv"),
            other => {
                let error = ApiError::invalid(format!("Reports are not written as \"{other}\"."));
                return Err(error.with_hint("There are json, markdown and csv."));
            }
        };
        let path = match request.out {
            Some(path) => PathBuf::from(path),
            None => {
                self.workspace.join("exports").join(format!("report-{}.{extension}", report.id)).into_std_path_buf()
            }
        };
        let bytes = text.clone().into_bytes();
        let written = path.clone();
        crate::blocking(move || write_whole(&written, &bytes)).await??;
        Ok(EvalExported { path: path.to_string_lossy().into_owned(), text })
    }

    pub(crate) async fn delete_report(&self, id: &str) -> Result<(), ApiError> {
        let path = self.report_path(id)?;
        self.evals.end(id).await;
        crate::blocking(move || std::fs::remove_file(&path).map_err(|error| failed(&path, &error))).await??;
        self.hub.emit(Event::EVALS, EventBody::EvalsChanged);
        Ok(())
    }
}
