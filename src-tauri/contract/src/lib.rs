//! What the UI and every host agree on: the list of commands, the events, the one error.
//!
//! In: requests as JSON text. Out: replies, events and [`ApiError`]s as JSON text. [`Commands`] is implemented once, in
//! `app`; [`Client`] calls it through a [`Transport`], of which `ui` has two. Never: I/O, an opinion on how a command
//! is carried out, or a dependency that does not build for wasm32.
//!
//! [`commands!`](self) below is the only place where a command is declared: one without a body in `app` does not
//! compile, and the stub that `ui` calls is made from the same line.

mod dataset;
mod error;
mod evaluate;
mod event;
mod hub;
mod lens;
mod requests;
mod review;
mod train;
mod views;

use std::future::Future;

pub use dataset::{
    DatasetDiff, DatasetDiffRequest, DatasetExportRequest, DatasetExported, DatasetFormatInfo, DatasetProgress,
    DatasetRow, DatasetView, DatasetWork, FamilyQuery, RowMessage, RowOrder, RowPage, RowQuery, RowRequest, RowSummary,
    TraceDifference,
};
pub use error::{ApiError, ErrorCode};
pub use evaluate::{
    ColumnSummary, EvalExport, EvalExported, EvalProgress, EvalSummary, ExamRequest, ExamSource, SubjectChoice,
};
pub use event::{CallProgress, Event, EventBody, LiveCall, LiveDelta, LiveStep};
pub use hub::{
    CardChoice, FileChange, HitAction, HitDecision, HitPlace, HitTarget, HubAccount, HubBrowse, HubDownload, HubEnd,
    HubEntry, HubJob, HubJobKind, HubListing, HubLogin, HubOutcome, HubPhase, HubPull, HubRepoKind, HubRowPage,
    HubRows, HubSplit, HubStatus, HubTokenSource, LICENCES, PublishCheck, PublishFile, PublishHit, PublishPlan,
    PublishWhat, RowChoice,
};
pub use lens::{
    EmittedBasis, LensCheck, LensCheckRequest, LensEmitted, LensField, LensMessage, LensNormalised, LensRequest,
    LensRow, LensRun, LensSource, LensStretch, LensSubject, LensView, LensWarning, LensWarningKind, ModelAdd,
    ModelEntry, ModelFound,
};
pub use requests::{
    BatchRequest, CallDecision, ContinueRequest, DecideRequest, ElicitationReply, Empty, EndpointProbe, EndpointSave,
    IdRequest, ImportFile, ImportKnown, KeyChange, MediaRequest, ModelRequest, NameValue, OutputRequest, Remember,
    RenderRequest, RunRequest, ServerDraft, SetSetting, SettingRequest, TextRequest, ToolSwitch, TraceOrder,
    TraceQuery,
};
pub use review::{
    Affected, AssistProposal, AssistRequest, AssistTask, Bar, DiffChunk, DiffKind, DiffRequest, DuplicateGroup,
    EditOutcome, EditRequest, EditState, ExportLoss, ExportOutcome, ExportRequest, FieldDiff, FormatInfo, History,
    ImportPlan, ImportPreview, ImportProgress, ImportSource, ImportStarted, ImportedTrace, MessageChange, PairRequest,
    RepairRequest, Replay, RerunRequest, ReviewMark, ReviewView, RevisionRequest, Selection, Shortened, TraceStats,
};
pub use train::{
    BaseModel, EvalPoint, LORA_TARGETS, LoraSettings, OptimizerSettings, TrainDevice, TrainJob, TrainLogLine,
    TrainMachine, TrainMerge, TrainMerged, TrainNews, TrainOptions, TrainPlan, TrainPlanProgress, TrainPoint,
    TrainRefusal, TrainSchedule, TrainSettings, TrainState, TrainView,
};
use tw_artifact::{
    DatasetFamily, DatasetPlan, DatasetVersion, DoctorReport, EndpointConfig, EvalReport, ModelInfo, PreferencePair,
    ServeLine, Trace,
};
pub use views::{
    ImportRefusal, KnownConfig, Media, OutputView, ParsedServers, RenderedText, RunOverview, RunStarted, RunView,
    ServerEntry, SettingValue, ToolLoad, ToolLoadLevel, TracePage, VaultMode, WorkspaceInfo,
};

/// Carries one call to a host: the name of a command and its request as JSON; back come the reply or an [`ApiError`],
/// as JSON both.
pub trait Transport {
    /// Sends one call.
    fn call(&self, command: &'static str, payload: String) -> impl Future<Output = Result<String, ApiError>>;
}

macro_rules! commands {
    ($( $(#[$doc:meta])* $name:ident($request:ty) -> $reply:ty; )*) => {
        /// The commands, as a host carries them out.
        pub trait Commands: Sync {
            $( $(#[$doc])* fn $name(&self, request: $request) -> impl Future<Output = Result<$reply, ApiError>> + Send; )*
        }

        /// The names of all commands, in the order of their declaration.
        pub const COMMAND_NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Reads `payload` as the request of `command`, carries it out, and writes the reply.
        ///
        /// # Errors
        /// The command's own error, or `invalid` for an unknown command or a request that cannot be read.
        pub async fn dispatch<C: Commands>(commands: &C, command: &str, payload: &str) -> Result<String, ApiError> {
            match command {
                $( stringify!($name) => {
                    let request: $request = read(command, payload)?;
                    write(&Box::pin(commands.$name(request)).await?)
                } )*
                _ => Err(ApiError::invalid(format!("There is no command \"{command}\"."))),
            }
        }

        /// The commands, as a caller sees them.
        #[derive(Clone, Debug)]
        pub struct Client<T>(pub T);

        impl<T: Transport> Client<T> {
            $( $(#[$doc])*
            ///
            /// # Errors
            /// The host's error, or that it cannot be reached.
            pub async fn $name(&self, request: $request) -> Result<$reply, ApiError> {
                let reply = self.0.call(stringify!($name), write(&request)?).await?;
                read(stringify!($name), &reply)
            } )*
        }
    };
}

commands! {
    /// The workspace, the version, where secrets are kept.
    workspace_info(Empty) -> WorkspaceInfo;
    /// One setting of the window (theme, panes ...), `null` when it was never set.
    setting_get(SettingRequest) -> SettingValue;
    /// Keeps one setting of the window; `null` forgets it. What is being typed into a trace is kept under
    /// `draft:<trace id>` and goes with the trace.
    setting_set(SetSetting) -> Empty;

    /// All endpoints, in the order in which they were added.
    endpoint_list(Empty) -> Vec<EndpointConfig>;
    /// Adds or changes an endpoint. An empty id makes a new one.
    endpoint_save(EndpointSave) -> EndpointConfig;
    /// Removes an endpoint and its key.
    endpoint_delete(IdRequest) -> Empty;
    /// What an endpoint offers, also before it is saved.
    endpoint_models(EndpointProbe) -> Vec<ModelInfo>;
    /// Probes an endpoint with one model and one tool.
    endpoint_doctor(EndpointProbe) -> DoctorReport;
    /// The lines that start vLLM for a model.
    serve_line(ModelRequest) -> ServeLine;

    /// All MCP servers and how they are doing.
    server_list(Empty) -> Vec<ServerEntry>;
    /// Adds or changes a server. An empty id makes a new one; a value that is `None` keeps what the vault has.
    server_save(ServerDraft) -> ServerEntry;
    /// Stops and removes a server and its secrets.
    server_delete(IdRequest) -> Empty;
    /// Starts a server of its own for the window: its tools are listed from it. Returns when it runs or failed.
    server_start(IdRequest) -> ServerEntry;
    /// Stops it.
    server_stop(IdRequest) -> ServerEntry;
    /// Stops and starts it.
    server_restart(IdRequest) -> ServerEntry;
    /// Switches a tool on or off.
    tool_switch(ToolSwitch) -> ServerEntry;
    /// Reads `mcpServers` JSON and says what it understood; saves nothing.
    server_parse(TextRequest) -> ParsedServers;
    /// Configuration files of other programs on this machine.
    server_known(Empty) -> Vec<KnownConfig>;
    /// Adds servers from one of those files.
    server_import(ImportKnown) -> Vec<ServerEntry>;

    /// Starts one run, or queues many.
    run_start(RunRequest) -> RunStarted;
    /// Stops a run at once, also in the middle of a tool call.
    run_stop(IdRequest) -> Empty;
    /// Stops every run of a queue, also those that wait.
    batch_stop(BatchRequest) -> Empty;
    /// Closes the sessions of a run that is over, which are kept for a follow-up: its browser and its other servers end.
    run_close(IdRequest) -> Empty;
    /// Goes on with a run: with a follow-up message, or where it was interrupted.
    run_continue(ContinueRequest) -> Empty;
    /// Decides about a call that waits.
    run_decide(DecideRequest) -> Empty;
    /// Answers a server's question.
    elicitation_reply(ElicitationReply) -> Empty;
    /// A run as it stands now, with the sequence number from which its events go on.
    run_view(IdRequest) -> RunView;
    /// All runs that are not over.
    run_active(Empty) -> Vec<RunOverview>;

    /// Traces by search and filter.
    trace_list(TraceQuery) -> TracePage;
    /// One trace.
    trace_get(IdRequest) -> Trace;
    /// The whole output of a call.
    trace_output(OutputRequest) -> OutputView;
    /// One image of an output.
    trace_media(MediaRequest) -> Media;
    /// The trace in the workshop form, as text.
    trace_text(IdRequest) -> ImportFile;
    /// Removes traces for good.
    trace_delete(Selection) -> Affected;
    /// Traces in numbers.
    trace_stats(TraceQuery) -> TraceStats;
    /// Groups of traces that are nearly the same, the largest first.
    trace_duplicates(TraceQuery) -> Vec<DuplicateGroup>;

    /// What some files hold, before anything is written.
    import_preview(ImportPlan) -> Vec<ImportPreview>;
    /// Begins to read files; `import:<id>` events tell how far it is.
    import_start(ImportPlan) -> ImportStarted;
    /// The imports that go on, the oldest first.
    import_active(Empty) -> Vec<ImportProgress>;
    /// How far an import is.
    import_view(IdRequest) -> ImportProgress;
    /// Ends an import; what it has written stays.
    import_cancel(IdRequest) -> Empty;
    /// The formats that traces can be read from and written to.
    format_list(Empty) -> Vec<FormatInfo>;
    /// Writes traces into the workspace's `exports` folder, or says what a format cannot hold.
    trace_export(ExportRequest) -> ExportOutcome;

    /// A trace as the editor shows it.
    review_open(RevisionRequest) -> ReviewView;
    /// Makes an edit: a new revision.
    review_edit(EditRequest) -> EditOutcome;
    /// Repairs what can be repaired of one kind of finding, as one edit.
    review_repair(RepairRequest) -> EditOutcome;
    /// Goes back by one revision.
    review_undo(IdRequest) -> EditOutcome;
    /// Goes forward again.
    review_redo(IdRequest) -> EditOutcome;
    /// Every revision.
    review_history(IdRequest) -> History;
    /// What changed between two revisions.
    review_diff(DiffRequest) -> Vec<MessageChange>;
    /// Sets status, rating, tags or note of traces.
    review_mark(ReviewMark) -> Affected;
    /// Lets a model rewrite a text; nothing is kept until the proposal is accepted.
    review_assist(AssistRequest) -> AssistProposal;
    /// Lets the agent go on from the middle of a trace, as a new trace.
    review_rerun(RerunRequest) -> RunStarted;
    /// A row as a model is given it: text, tokens, which of them are trained.
    row_render(RenderRequest) -> RenderedText;
    /// The models that rows are rendered with, in the order in which they were added.
    model_list(Empty) -> Vec<ModelEntry>;
    /// Adds a model's folder or GGUF file, once its tokenizer and template were read; a path that is there already is
    /// read anew.
    model_add(ModelAdd) -> ModelEntry;
    /// Forgets a model; its files stay.
    model_remove(IdRequest) -> Empty;
    /// A row as a model is given it, token by token.
    lens_open(LensRequest) -> LensView;
    /// Compares a row's tokens with those that a live server makes of it.
    lens_check(LensCheckRequest) -> LensCheck;
    /// Keeps two branches as a pair.
    pair_add(PairRequest) -> PreferencePair;
    /// Forgets a pair; the traces stay.
    pair_delete(IdRequest) -> Empty;

    /// All versions of datasets, the newest first.
    dataset_list(Empty) -> Vec<DatasetVersion>;
    /// Begins to work out what a plan would give, and writes nothing; a preview that is under way ends.
    dataset_preview(DatasetPlan) -> DatasetProgress;
    /// Begins to build a version; `dataset:<id>` events tell how far it is. Nothing of it is there before all of it is.
    dataset_build(DatasetPlan) -> DatasetProgress;
    /// How far a preview or a build is, and what is known of its rows.
    dataset_progress(IdRequest) -> DatasetProgress;
    /// Ends one; of a build nothing stays.
    dataset_cancel(IdRequest) -> Empty;
    /// A version, by its id or the beginning of it.
    dataset_view(IdRequest) -> DatasetView;
    /// The traces of a version, each with the rows it became.
    dataset_families(FamilyQuery) -> Vec<DatasetFamily>;
    /// Rows of a version.
    dataset_rows(RowQuery) -> RowPage;
    /// One row, whole.
    dataset_row(RowRequest) -> DatasetRow;
    /// What differs between two versions.
    dataset_diff(DatasetDiffRequest) -> DatasetDiff;
    /// The formats that versions can be written to.
    dataset_formats(Empty) -> Vec<DatasetFormatInfo>;
    /// Writes a version for another tool, or says what a format cannot hold.
    dataset_export(DatasetExportRequest) -> DatasetExported;
    /// Removes a version and its files for good.
    dataset_delete(IdRequest) -> Empty;

    /// Which Hub, who is signed in, and where the token comes from.
    hub_status(Empty) -> HubStatus;
    /// Signs in with a token: asks the Hub whose it is, and keeps it in the vault when that is known.
    hub_login(HubLogin) -> HubStatus;
    /// Forgets the token in the vault; one of the environment or of the command line's file stays.
    hub_logout(Empty) -> HubStatus;
    /// What a push would send, what was found in it, and what it would change. Sends nothing; progress comes on
    /// `hub:<id of what is checked>`, and `hub_job_cancel` with that id ends it.
    publish_check(PublishPlan) -> PublishCheck;
    /// Pushes, as one commit. Refused while a find is undecided.
    publish_start(PublishPlan) -> HubJob;
    /// A folder of a repository.
    hub_browse(HubBrowse) -> HubListing;
    /// Some rows of a file in a repository; fetches only the bytes that they need.
    hub_rows(HubRows) -> HubRowPage;
    /// Begins to read rows of a dataset into the workspace as traces.
    hub_pull_start(HubPull) -> HubJob;
    /// Begins to fetch a model into a folder, or goes on with what is there of it.
    hub_download_start(HubDownload) -> HubJob;
    /// The pushes, pulls and downloads of this process, the newest first.
    hub_job_list(Empty) -> Vec<HubJob>;
    /// How far one is.
    hub_job_view(IdRequest) -> HubJob;
    /// Ends one.
    hub_job_cancel(IdRequest) -> Empty;
    /// Takes up one that failed or was cancelled, under the same id.
    hub_job_retry(IdRequest) -> HubJob;

    /// Begins a next-call exam; `eval:<id>` events tell how far it is. What was answered is kept at once.
    eval_exam(ExamRequest) -> EvalProgress;
    /// The evaluations of this process that are at work, the newest first.
    eval_active(Empty) -> Vec<EvalProgress>;
    /// How far one is.
    eval_progress(IdRequest) -> EvalProgress;
    /// Ends one; what was answered stays as a report.
    eval_cancel(IdRequest) -> Empty;
    /// All reports, the newest first.
    eval_list(Empty) -> Vec<EvalSummary>;
    /// One report, whole.
    eval_view(IdRequest) -> EvalReport;
    /// Writes a report as JSON, Markdown or CSV.
    eval_export(EvalExport) -> EvalExported;
    /// Removes a report for good.
    eval_delete(IdRequest) -> Empty;

    /// Where trainings would compute, and which models can be their base.
    train_options(Empty) -> TrainOptions;
    /// What settings amount to, and whether they can be trained; writes nothing. Progress in rows comes on `train:plan`; a
    /// later call ends an earlier one.
    train_plan(TrainSettings) -> TrainPlan;
    /// Puts a training at the end of the queue. Refused where the plan refuses.
    train_start(TrainSettings) -> TrainJob;
    /// All trainings, the newest first, also those that a worker does without this app.
    train_list(Empty) -> Vec<TrainJob>;
    /// All of a training.
    train_view(IdRequest) -> TrainView;
    /// Holds a training after its current step.
    train_pause(IdRequest) -> TrainJob;
    /// Goes on: after a pause, or from the last checkpoint of one that was stopped, failed or was lost.
    train_resume(IdRequest) -> TrainJob;
    /// Ends a training after its current step, with a checkpoint and its adapter; one that waits leaves the queue.
    train_stop(IdRequest) -> TrainJob;
    /// Keeps a checkpoint after the current step.
    train_checkpoint(IdRequest) -> TrainJob;
    /// Removes a training that is over, with its checkpoints and adapter, for good.
    train_delete(IdRequest) -> Empty;
    /// Adds a finished adapter to its base's weights, and writes a model that transformers and vLLM load.
    train_merge(TrainMerge) -> TrainMerged;
}

fn read<T: serde::de::DeserializeOwned>(command: &str, payload: &str) -> Result<T, ApiError> {
    serde_json::from_str(payload)
        .map_err(|error| ApiError::invalid(format!("The data of \"{command}\" cannot be read: {error}.")))
}

fn write<T: serde::Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value)
        .map_err(|error| ApiError::new(ErrorCode::Internal, format!("The data cannot be written: {error}.")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_command_is_declared_once() {
        let mut names = COMMAND_NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), COMMAND_NAMES.len());
    }

    #[test]
    fn events_are_read_as_they_were_written() {
        let event = Event {
            topic: Event::run_topic("t1"),
            seq: 7,
            body: EventBody::Deltas {
                trace_id: "t1".to_owned(),
                step: 1,
                deltas: vec![
                    LiveDelta::Reasoning("a".to_owned()),
                    LiveDelta::CallArguments { index: 0, text: "{".to_owned() },
                ],
            },
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }

    #[test]
    fn tools_are_advised_over_25_and_warned_of_over_50() {
        let check = |tools: u32, expected: ToolLoadLevel| {
            assert_eq!(ToolLoad { tools, tokens: 0, servers: 1 }.level(), expected, "{tools}");
        };
        check(0, ToolLoadLevel::Fine);
        check(25, ToolLoadLevel::Fine);
        check(26, ToolLoadLevel::Advise);
        check(50, ToolLoadLevel::Advise);
        check(51, ToolLoadLevel::Warn);
    }

    #[test]
    fn live_deltas_build_the_step_they_describe() {
        let mut live = LiveStep::new(1, 0);
        for delta in [
            LiveDelta::Reasoning("th".to_owned()),
            LiveDelta::Reasoning("ink".to_owned()),
            LiveDelta::CallStart { index: 1, name: "b".to_owned() },
            LiveDelta::CallStart { index: 0, name: "a".to_owned() },
            LiveDelta::CallArguments { index: 1, text: "{}".to_owned() },
        ] {
            live.apply(&delta);
        }
        assert_eq!(live.reasoning, "think");
        assert_eq!(live.calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(live.calls[1].arguments, "{}");
    }
}
