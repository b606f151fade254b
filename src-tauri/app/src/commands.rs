//! The body of every command.

use tw_artifact::{
    DatasetFamily, DatasetPlan, DatasetVersion, DoctorReport, EndpointConfig, EvalReport, ModelInfo, PreferencePair,
    ServeLine, Trace,
};
use tw_contract::{
    Affected, ApiError, AssistProposal, AssistRequest, BatchRequest, Commands, ContinueRequest, DatasetDiff,
    DatasetDiffRequest, DatasetExportRequest, DatasetExported, DatasetFormatInfo, DatasetProgress, DatasetRow,
    DatasetView, DatasetWork, DecideRequest, DiffRequest, DuplicateGroup, EditOutcome, EditRequest, ElicitationReply,
    Empty, EndpointProbe, EndpointSave, EvalExport, EvalExported, EvalProgress, EvalSummary, ExamRequest,
    ExportOutcome, ExportRequest, FamilyQuery, FormatInfo, History, HubBrowse, HubDownload, HubJob, HubListing,
    HubLogin, HubPull, HubRowPage, HubRows, HubStatus, IdRequest, ImportFile, ImportKnown, ImportPlan, ImportPreview,
    ImportProgress, ImportStarted, KnownConfig, LensCheck, LensCheckRequest, LensRequest, LensView, Media,
    MediaRequest, MessageChange, ModelAdd, ModelEntry, ModelRequest, OutputRequest, OutputView, PairRequest,
    ParsedServers, PublishCheck, PublishPlan, RenderRequest, RenderedText, RepairRequest, RerunRequest, ReviewMark,
    ReviewView, RevisionRequest, RowPage, RowQuery, RowRequest, RunOverview, RunRequest, RunStarted, RunView,
    Selection, ServerDraft, ServerEntry, SetSetting, SettingRequest, SettingValue, TextRequest, ToolSwitch, TracePage,
    TraceQuery, TraceStats, TrainJob, TrainMerge, TrainMerged, TrainOptions, TrainPlan, TrainSettings, TrainView,
    VaultMode, WorkspaceInfo,
};

use crate::App;
use crate::errors::Api;
use crate::servers::{known_files, parse, setting};
use crate::train_queue::Trains;

const DONE: Empty = Empty {};

impl Commands for App {
    async fn workspace_info(&self, _: Empty) -> Result<WorkspaceInfo, ApiError> {
        let vault = match self.vault.mode() {
            tw_vault::VaultMode::Keyring => VaultMode::Keyring,
            tw_vault::VaultMode::SessionOnly { reason } => VaultMode::SessionOnly { reason },
        };
        Ok(WorkspaceInfo {
            path: self.workspace.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            vault,
            interrupted_runs: self.store.interrupted(),
        })
    }

    async fn setting_get(&self, request: SettingRequest) -> Result<SettingValue, ApiError> {
        Ok(SettingValue { value: setting(&self.store, &request.key).await? })
    }

    async fn setting_set(&self, request: SetSetting) -> Result<Empty, ApiError> {
        self.store.set_setting(&request.key, &request.value).await.api()?;
        Ok(DONE)
    }

    async fn endpoint_list(&self, _: Empty) -> Result<Vec<EndpointConfig>, ApiError> {
        self.store.list_endpoints().await.api()
    }

    async fn endpoint_save(&self, request: EndpointSave) -> Result<EndpointConfig, ApiError> {
        self.save_endpoint(request).await
    }

    async fn endpoint_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.delete_endpoint(request.id).await?;
        Ok(DONE)
    }

    async fn endpoint_models(&self, request: EndpointProbe) -> Result<Vec<ModelInfo>, ApiError> {
        self.probe_models(request).await
    }

    async fn endpoint_doctor(&self, request: EndpointProbe) -> Result<DoctorReport, ApiError> {
        self.probe_doctor(request).await
    }

    async fn serve_line(&self, request: ModelRequest) -> Result<ServeLine, ApiError> {
        Ok(tw_endpoint::serve_line(&request.model))
    }

    async fn server_list(&self, _: Empty) -> Result<Vec<ServerEntry>, ApiError> {
        self.servers.list().await
    }

    async fn server_save(&self, request: ServerDraft) -> Result<ServerEntry, ApiError> {
        self.servers.save(request).await
    }

    async fn server_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.servers.delete(&request.id).await?;
        Ok(DONE)
    }

    async fn server_start(&self, request: IdRequest) -> Result<ServerEntry, ApiError> {
        self.servers.start(&request.id).await
    }

    async fn server_stop(&self, request: IdRequest) -> Result<ServerEntry, ApiError> {
        self.servers.stop(&request.id).await
    }

    /// A start ends the old session first.
    async fn server_restart(&self, request: IdRequest) -> Result<ServerEntry, ApiError> {
        self.servers.start(&request.id).await
    }

    async fn tool_switch(&self, request: ToolSwitch) -> Result<ServerEntry, ApiError> {
        self.servers.switch(request).await
    }

    async fn server_parse(&self, request: TextRequest) -> Result<ParsedServers, ApiError> {
        Ok(parse(&request.text))
    }

    async fn server_known(&self, _: Empty) -> Result<Vec<KnownConfig>, ApiError> {
        known_files(self.context.workspace_dir.as_path()).await
    }

    async fn server_import(&self, request: ImportKnown) -> Result<Vec<ServerEntry>, ApiError> {
        self.servers.import(request).await
    }

    async fn run_start(&self, request: RunRequest) -> Result<RunStarted, ApiError> {
        self.start_runs(request).await
    }

    async fn run_stop(&self, request: IdRequest) -> Result<Empty, ApiError> {
        if let Some(handle) = self.runs.get(&request.id) {
            handle.control.stop();
        }
        Ok(DONE)
    }

    async fn batch_stop(&self, request: BatchRequest) -> Result<Empty, ApiError> {
        self.runs.stop_batch(&request.batch_id);
        Ok(DONE)
    }

    async fn run_close(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.close_run(&request.id).await?;
        Ok(DONE)
    }

    async fn run_continue(&self, request: ContinueRequest) -> Result<Empty, ApiError> {
        self.continue_run(request).await?;
        Ok(DONE)
    }

    async fn run_decide(&self, request: DecideRequest) -> Result<Empty, ApiError> {
        self.decide_call(request).await?;
        Ok(DONE)
    }

    async fn elicitation_reply(&self, request: ElicitationReply) -> Result<Empty, ApiError> {
        self.reply_to(&request)?;
        Ok(DONE)
    }

    async fn run_view(&self, request: IdRequest) -> Result<RunView, ApiError> {
        self.view_run(&request.id).await
    }

    async fn run_active(&self, _: Empty) -> Result<Vec<RunOverview>, ApiError> {
        self.active_runs().await
    }

    async fn trace_list(&self, request: TraceQuery) -> Result<TracePage, ApiError> {
        self.list_traces(request).await
    }

    async fn trace_get(&self, request: IdRequest) -> Result<Trace, ApiError> {
        self.store.trace(&request.id).await.api()
    }

    async fn trace_output(&self, request: OutputRequest) -> Result<OutputView, ApiError> {
        self.output_view(request).await
    }

    async fn trace_media(&self, request: MediaRequest) -> Result<Media, ApiError> {
        self.media(request).await
    }

    async fn trace_text(&self, request: IdRequest) -> Result<ImportFile, ApiError> {
        self.trace_file(&request.id).await
    }

    async fn trace_delete(&self, request: Selection) -> Result<Affected, ApiError> {
        self.delete_traces(request).await
    }

    async fn trace_stats(&self, request: TraceQuery) -> Result<TraceStats, ApiError> {
        self.stats(request).await
    }

    async fn trace_duplicates(&self, request: TraceQuery) -> Result<Vec<DuplicateGroup>, ApiError> {
        self.duplicates(request).await
    }

    async fn import_preview(&self, request: ImportPlan) -> Result<Vec<ImportPreview>, ApiError> {
        self.preview_import(request).await
    }

    async fn import_start(&self, request: ImportPlan) -> Result<ImportStarted, ApiError> {
        self.start_import(request).await
    }

    async fn import_active(&self, _: Empty) -> Result<Vec<ImportProgress>, ApiError> {
        Ok(self.imports.active())
    }

    async fn import_view(&self, request: IdRequest) -> Result<ImportProgress, ApiError> {
        self.imports.view(&request.id)
    }

    async fn import_cancel(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.imports.cancel(&request.id)?;
        Ok(DONE)
    }

    async fn format_list(&self, _: Empty) -> Result<Vec<FormatInfo>, ApiError> {
        Ok(crate::export::formats())
    }

    async fn trace_export(&self, request: ExportRequest) -> Result<ExportOutcome, ApiError> {
        self.export_traces(request).await
    }

    async fn review_open(&self, request: RevisionRequest) -> Result<ReviewView, ApiError> {
        self.open_review(request).await
    }

    async fn review_edit(&self, request: EditRequest) -> Result<EditOutcome, ApiError> {
        self.edit(request).await
    }

    async fn review_repair(&self, request: RepairRequest) -> Result<EditOutcome, ApiError> {
        self.repair(request).await
    }

    async fn review_undo(&self, request: IdRequest) -> Result<EditOutcome, ApiError> {
        self.step_revision(&request.id, false).await
    }

    async fn review_redo(&self, request: IdRequest) -> Result<EditOutcome, ApiError> {
        self.step_revision(&request.id, true).await
    }

    async fn review_history(&self, request: IdRequest) -> Result<History, ApiError> {
        self.history(&request.id).await
    }

    async fn review_diff(&self, request: DiffRequest) -> Result<Vec<MessageChange>, ApiError> {
        self.diff(request).await
    }

    async fn review_mark(&self, request: ReviewMark) -> Result<Affected, ApiError> {
        self.mark(request).await
    }

    async fn review_assist(&self, request: AssistRequest) -> Result<AssistProposal, ApiError> {
        self.assist(request).await
    }

    async fn review_rerun(&self, request: RerunRequest) -> Result<RunStarted, ApiError> {
        self.rerun(request).await
    }

    async fn row_render(&self, request: RenderRequest) -> Result<RenderedText, ApiError> {
        crate::blocking(move || crate::render::render(&request)).await?
    }

    async fn model_list(&self, _: Empty) -> Result<Vec<ModelEntry>, ApiError> {
        self.list_models().await
    }

    async fn model_add(&self, request: ModelAdd) -> Result<ModelEntry, ApiError> {
        self.add_model(request).await
    }

    async fn model_remove(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.remove_model(&request.id).await?;
        Ok(DONE)
    }

    async fn lens_open(&self, request: LensRequest) -> Result<LensView, ApiError> {
        self.open_lens(request).await
    }

    async fn lens_check(&self, request: LensCheckRequest) -> Result<LensCheck, ApiError> {
        self.check_lens(request).await
    }

    async fn pair_add(&self, request: PairRequest) -> Result<PreferencePair, ApiError> {
        self.add_pair(request).await
    }

    async fn pair_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.store.delete_pair(&request.id).await.api()?;
        Ok(DONE)
    }

    async fn hub_status(&self, _: Empty) -> Result<HubStatus, ApiError> {
        self.hub_state().await
    }

    async fn hub_login(&self, request: HubLogin) -> Result<HubStatus, ApiError> {
        self.sign_in(request).await
    }

    async fn hub_logout(&self, _: Empty) -> Result<HubStatus, ApiError> {
        self.sign_out().await
    }

    async fn publish_check(&self, request: PublishPlan) -> Result<PublishCheck, ApiError> {
        self.check_publish(request).await
    }

    async fn publish_start(&self, request: PublishPlan) -> Result<HubJob, ApiError> {
        self.start_publish(request).await
    }

    async fn hub_browse(&self, request: HubBrowse) -> Result<HubListing, ApiError> {
        self.browse_hub(request).await
    }

    async fn hub_rows(&self, request: HubRows) -> Result<HubRowPage, ApiError> {
        self.remote_rows(request).await
    }

    async fn hub_pull_start(&self, request: HubPull) -> Result<HubJob, ApiError> {
        self.start_pull(request)
    }

    async fn hub_download_start(&self, request: HubDownload) -> Result<HubJob, ApiError> {
        self.start_download(request)
    }

    async fn hub_job_list(&self, _: Empty) -> Result<Vec<HubJob>, ApiError> {
        Ok(self.remote.jobs())
    }

    async fn hub_job_view(&self, request: IdRequest) -> Result<HubJob, ApiError> {
        self.remote.view(&request.id)
    }

    async fn hub_job_cancel(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.remote.cancel(&request.id)?;
        Ok(DONE)
    }

    async fn hub_job_retry(&self, request: IdRequest) -> Result<HubJob, ApiError> {
        self.retry_hub_job(&request.id)
    }

    async fn dataset_list(&self, _: Empty) -> Result<Vec<DatasetVersion>, ApiError> {
        self.list_datasets().await
    }

    async fn dataset_preview(&self, request: DatasetPlan) -> Result<DatasetProgress, ApiError> {
        self.start_dataset(request, DatasetWork::Preview).await
    }

    async fn dataset_build(&self, request: DatasetPlan) -> Result<DatasetProgress, ApiError> {
        self.start_dataset(request, DatasetWork::Build).await
    }

    async fn dataset_progress(&self, request: IdRequest) -> Result<DatasetProgress, ApiError> {
        self.datasets.view(&request.id)
    }

    async fn dataset_cancel(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.datasets.cancel(&request.id)?;
        Ok(DONE)
    }

    async fn dataset_view(&self, request: IdRequest) -> Result<DatasetView, ApiError> {
        self.view_dataset(&request.id).await
    }

    async fn dataset_families(&self, request: FamilyQuery) -> Result<Vec<DatasetFamily>, ApiError> {
        self.dataset_families_of(request).await
    }

    async fn dataset_rows(&self, request: RowQuery) -> Result<RowPage, ApiError> {
        self.dataset_rows_of(request).await
    }

    async fn dataset_row(&self, request: RowRequest) -> Result<DatasetRow, ApiError> {
        self.dataset_row_of(request).await
    }

    async fn dataset_diff(&self, request: DatasetDiffRequest) -> Result<DatasetDiff, ApiError> {
        self.diff_datasets(request).await
    }

    async fn dataset_formats(&self, _: Empty) -> Result<Vec<DatasetFormatInfo>, ApiError> {
        Ok(crate::dataset_export::formats())
    }

    async fn dataset_export(&self, request: DatasetExportRequest) -> Result<DatasetExported, ApiError> {
        self.export_dataset(request).await
    }

    async fn dataset_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.delete_dataset(&request.id).await?;
        Ok(DONE)
    }

    async fn eval_exam(&self, request: ExamRequest) -> Result<EvalProgress, ApiError> {
        self.start_exam(request).await
    }

    async fn eval_active(&self, _: Empty) -> Result<Vec<EvalProgress>, ApiError> {
        Ok(self.evals.active())
    }

    async fn eval_progress(&self, request: IdRequest) -> Result<EvalProgress, ApiError> {
        self.evals.progress(&request.id)
    }

    async fn eval_cancel(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.evals.cancel(&request.id)?;
        Ok(DONE)
    }

    async fn eval_list(&self, _: Empty) -> Result<Vec<EvalSummary>, ApiError> {
        self.list_reports().await
    }

    async fn eval_view(&self, request: IdRequest) -> Result<EvalReport, ApiError> {
        self.view_report(&request.id).await
    }

    async fn eval_export(&self, request: EvalExport) -> Result<EvalExported, ApiError> {
        self.export_report(request).await
    }

    async fn eval_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.delete_report(&request.id).await?;
        Ok(DONE)
    }

    async fn train_options(&self, _: Empty) -> Result<TrainOptions, ApiError> {
        self.train_options_of().await
    }

    async fn train_plan(&self, request: TrainSettings) -> Result<TrainPlan, ApiError> {
        self.plan_train(&request).await
    }

    async fn train_start(&self, request: TrainSettings) -> Result<TrainJob, ApiError> {
        self.start_train(request).await
    }

    async fn train_list(&self, _: Empty) -> Result<Vec<TrainJob>, ApiError> {
        self.with_trains(Trains::list).await
    }

    async fn train_view(&self, request: IdRequest) -> Result<TrainView, ApiError> {
        self.with_trains(move |trains| trains.view(&request.id)).await?
    }

    async fn train_pause(&self, request: IdRequest) -> Result<TrainJob, ApiError> {
        self.with_trains(move |trains| trains.pause(&request.id)).await?
    }

    async fn train_resume(&self, request: IdRequest) -> Result<TrainJob, ApiError> {
        self.with_trains(move |trains| trains.resume(&request.id)).await?
    }

    async fn train_stop(&self, request: IdRequest) -> Result<TrainJob, ApiError> {
        self.with_trains(move |trains| trains.stop(&request.id)).await?
    }

    async fn train_checkpoint(&self, request: IdRequest) -> Result<TrainJob, ApiError> {
        self.with_trains(move |trains| trains.checkpoint(&request.id)).await?
    }

    async fn train_delete(&self, request: IdRequest) -> Result<Empty, ApiError> {
        self.with_trains(move |trains| trains.delete(&request.id)).await??;
        Ok(DONE)
    }

    async fn train_merge(&self, request: TrainMerge) -> Result<TrainMerged, ApiError> {
        self.merge_train(request).await
    }
}
