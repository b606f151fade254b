//! Versions written for other tools.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;
use tw_contract::{ApiError, DatasetExportRequest, DatasetExported, DatasetFormatInfo, ExportLoss};
use tw_dataset::Target;

use crate::App;
use crate::errors::Api;

/// The formats, as the window offers them.
pub(crate) fn formats() -> Vec<DatasetFormatInfo> {
    let info = |target: Target| DatasetFormatInfo {
        name: target.name().to_owned(),
        label: target.label().to_owned(),
        about: target.about().to_owned(),
    };
    Target::ALL.into_iter().map(info).collect()
}

impl App {
    pub(crate) async fn export_dataset(&self, request: DatasetExportRequest) -> Result<DatasetExported, ApiError> {
        let target = Target::parse(&request.format).ok_or_else(|| {
            let names: Vec<&str> = Target::ALL.iter().map(|target| target.name()).collect();
            let error = ApiError::invalid(format!("There is no dataset format \"{}\".", request.format));
            error.with_hint(format!("There are: {}.", names.join(", ")))
        })?;
        let open = self.open_version(&request.id).await?;
        let renderer = match target {
            Target::Tokens => {
                let model = request.model.as_deref().or(open.manifest.plan.model.as_deref());
                Some(self.dataset_means(model, &open.manifest.plan).await?.renderer)
            }
            _ => None,
        };
        let out = match (request.check, request.out) {
            (true, _) => None,
            (false, Some(out)) => Some(PathBuf::from(out)),
            (false, None) => {
                let name: String = open.manifest.plan.name.chars().filter(|c| c.is_alphanumeric()).take(40).collect();
                let folder = format!("{name}_{}_{}", open.version.short_id(), target.name());
                Some(self.workspace.join("exports").join(folder).into_std_path_buf())
            }
        };
        // Ends when the caller goes away.
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let folder = open.folder.clone();
        let done = crate::blocking(move || {
            tw_dataset::export(target, &folder, out.as_deref(), renderer.as_deref(), &|| !cancel.is_cancelled())
        })
        .await?
        .api()?;
        drop(guard.disarm());
        let folder = done.files.first().and_then(|file| file.parent()).map(|it| it.to_string_lossy().into_owned());
        let name = |file: &PathBuf| file.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(DatasetExported {
            folder: folder.unwrap_or_default(),
            files: done.files.iter().filter_map(name).collect(),
            rows: done.rows,
            losses: done.losses.into_iter().map(|(what, traces)| ExportLoss { what, traces }).collect(),
        })
    }
}
