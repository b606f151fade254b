//! What settings amount to: rows made, packs and memory worked out by the worker, and why it cannot start.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use std::ops::ControlFlow;
use tokio_util::sync::CancellationToken;
use tw_contract::{
    ApiError, ErrorCode, Event, EventBody, LORA_TARGETS, TrainPlan, TrainPlanProgress, TrainRefusal, TrainSchedule,
    TrainSettings,
};
use tw_jobs::{Command, Event as Said, JobFolder, LoraSpec, OptimizerSpec, PlanInfo, Schedule, TrainSpec};

use crate::App;
use crate::datasets::OpenVersion;
use crate::errors::{Api, IntoApi};
use crate::lock;
use crate::render::{RowModel, kwargs};
use crate::train_base::Base;
use crate::train_curves::count;
use crate::train_rows::{Facts, Order, Prepared};

/// Between two words of progress.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Below so many steps there is no warm-up of itself.
const WARMUP_FROM_STEPS: u64 = 50;

/// Everything that a training is made of.
pub(crate) struct Planned {
    pub(crate) plan: TrainPlan,
    pub(crate) version: OpenVersion,
    pub(crate) base: Base,
    /// Rows and spec; missing where the plan refuses before they are needed.
    pub(crate) ready: Option<(Prepared, TrainSpec)>,
}

/// What the worker says of a job.
struct Answer {
    plan: PlanInfo,
    allowed_bytes: Option<u64>,
    fits: bool,
    longest_row: usize,
    fitting_tokens: Option<usize>,
}

impl App {
    /// Works out a plan. What is wrong with the settings themselves is an error; what is in the way of starting is the plan's
    /// refusal.
    pub(crate) async fn plan_training(
        &self,
        settings: &TrainSettings,
        cancel: &CancellationToken,
    ) -> Result<Planned, ApiError> {
        check(settings)?;
        let version = self.open_version(&settings.dataset).await.map_err(|error| match error.code {
            ErrorCode::NotFound => ApiError::new(ErrorCode::NotFound, "This dataset version is not there (any more).")
                .with_hint("Choose another one, or build it again on the Dataset page."),
            _ => error,
        })?;
        let base = self.base(&settings.base).await?;
        let mut plan = TrainPlan { base_parameters: base.model.parameters, ..TrainPlan::default() };
        let refused = |plan: TrainPlan, version, base| Ok(Planned { plan, version, base, ready: None });

        if let Some(problem) = &base.model.problem {
            plan.refusal = refusal(problem, "Choose another base model.", None);
            return refused(plan, version, base);
        }
        let folder = version.folder.clone();
        let manifest = version.manifest.clone();
        if let Some(problem) = crate::blocking(move || manifest.problem(&folder)).await? {
            let reason = format!("The files of the dataset version are not what they were: {problem}");
            plan.refusal = refusal(&reason, "Delete this version and build it again.", None);
            return refused(plan, version, base);
        }
        let trains = std::sync::Arc::clone(&self.trains);
        let identity = crate::blocking(move || trains.workers.identity()).await??;
        let Some(device) = identity.device(settings.device) else {
            let other = TrainSettings { device: tw_contract::TrainDevice::Auto, ..settings.clone() };
            let reason = "There is no GPU here that the program that trains can use.";
            plan.refusal = refusal(reason, "Train on the processor.", Some(other));
            return refused(plan, version, base);
        };
        plan.device = device;
        let model = self.tokens_model(settings, &base, &version).await?;
        plan.warnings.extend(other_tokenizer(&version, &model));
        let Some(prepared) = self.prepare_rows(settings, &version, model, cancel).await? else { return Err(newer()) };
        fill_rows(&mut plan, &prepared.facts);
        plan.warnings.extend(row_warnings(settings, &prepared.facts, base.max_positions));
        if prepared.facts.rows == 0 {
            plan.refusal = no_rows(settings, &prepared.facts);
            return refused(plan, version, base);
        }
        let mut spec = self.spec_of(settings, &base, &prepared)?;
        match self.ask_worker(settings, &spec, &prepared, cancel).await? {
            Ok(answer) => fill_answer(&mut plan, settings, &answer),
            Err(message) => {
                plan.refusal = Some(refusal_of(settings, &message));
                return refused(plan, version, base);
            }
        }
        spec.optimizer.warmup_steps = settings.optimizer.warmup_steps.unwrap_or(match plan.steps {
            steps if steps < WARMUP_FROM_STEPS => 0,
            steps => (steps * 3).div_ceil(100),
        });
        plan.warmup_steps = spec.optimizer.warmup_steps;
        let threads = settings.threads.unwrap_or_else(|| identity.threads());
        let tokens = all_tokens(&plan, settings);
        plan.seconds = self.trains.speeds.seconds(&plan.device, threads, plan.base_parameters, tokens);
        Ok(Planned { plan, version, base, ready: Some((prepared, spec)) })
    }

    /// The tokenizer and template that make tokens of the rows.
    async fn tokens_model(
        &self,
        settings: &TrainSettings,
        base: &Base,
        version: &OpenVersion,
    ) -> Result<RowModel, ApiError> {
        let reference = settings.tokenizer.as_deref().filter(|it| !it.trim().is_empty());
        let (entry, loaded) = self.model(Some(reference.unwrap_or(&base.model.path))).await.map_err(|error| {
            if reference.is_some() {
                return error;
            }
            let hint = "Bring its tokenizer.json and chat template, or set another model's tokenizer for the rows.";
            ApiError::invalid(format!("The base has no tokenizer that can be used. {}", error.message)).with_hint(hint)
        })?;
        let kwargs = kwargs(&version.manifest.plan.kwargs)?;
        crate::blocking(move || RowModel::new(&entry, loaded, None, &kwargs).api()).await?
    }

    async fn prepare_rows(
        &self,
        settings: &TrainSettings,
        version: &OpenVersion,
        model: RowModel,
        cancel: &CancellationToken,
    ) -> Result<Option<Prepared>, ApiError> {
        let manifest = &version.manifest;
        let order = Order {
            dataset: version.version.id.clone(),
            version: version.folder.clone(),
            total: manifest.figures.train.rows + manifest.figures.validation.rows,
            model,
            kwargs: kwargs(&manifest.plan.kwargs)?,
            max_tokens: settings.max_tokens,
            cache: self.trains.cache(),
        };
        let (hub, cancel) = (std::sync::Arc::clone(&self.hub), cancel.clone());
        crate::blocking(move || {
            let told = Mutex::new(None::<Instant>);
            let total_rows = order.total;
            let tell = |done_rows: u32| {
                let mut told = lock(&told);
                if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) || done_rows == total_rows {
                    *told = Some(Instant::now());
                    let body = EventBody::TrainPlanProgress(TrainPlanProgress { done_rows, total_rows });
                    hub.emit(Event::TRAIN_PLAN, body);
                }
            };
            order.carry_out(&cancel, &tell)
        })
        .await?
    }

    /// The spec but for the warm-up, which hangs on the number of steps. Its files are those of a job's folder.
    fn spec_of(&self, settings: &TrainSettings, base: &Base, prepared: &Prepared) -> Result<TrainSpec, ApiError> {
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let adapter = match settings.adapter.as_deref().map(str::trim).filter(|it| !it.is_empty()) {
            Some(reference) => Some(self.trains.adapter(reference)?),
            None => None,
        };
        let (lora, own) = (&settings.lora, &settings.optimizer);
        Ok(TrainSpec {
            model: PathBuf::from(&base.model.path),
            rows: crate::train_rows::ROWS.into(),
            validation: (prepared.facts.validation_rows > 0).then(|| crate::train_rows::VALIDATION.into()),
            adapter,
            lora: LoraSpec {
                rank: size(lora.rank),
                alpha: lora.alpha,
                rslora: lora.rslora,
                dropout: lora.dropout,
                targets: lora.targets.clone(),
            },
            optimizer: OptimizerSpec {
                learning_rate: own.learning_rate,
                schedule: match own.schedule {
                    TrainSchedule::Constant => Schedule::Constant,
                    TrainSchedule::Linear => Schedule::Linear,
                    TrainSchedule::Cosine => Schedule::Cosine,
                },
                warmup_steps: 0,
                weight_decay: own.weight_decay,
                beta1: own.beta1,
                beta2: own.beta2,
                eps: own.eps,
                clip_norm: own.clip_norm,
                eight_bit: own.eight_bit,
                neftune_alpha: own.neftune_alpha,
            },
            epochs: settings.epochs,
            steps: settings.steps,
            max_length: size(settings.max_tokens),
            pack_tokens: size(settings.pack_tokens.unwrap_or(settings.max_tokens)),
            share_prefixes: settings.share_prefixes,
            accumulation: size(settings.accumulation),
            seed: settings.seed,
            eval_every: settings.eval_every,
            save_every: settings.save_every,
            keep_checkpoints: size(settings.keep_checkpoints),
            memory_bytes: settings.memory_bytes,
        })
    }

    /// What the worker makes of a spec over these rows; the inner error is why it cannot work on it.
    async fn ask_worker(
        &self,
        settings: &TrainSettings,
        spec: &TrainSpec,
        prepared: &Prepared,
        cancel: &CancellationToken,
    ) -> Result<Result<Answer, String>, ApiError> {
        let (rows, validation) = prepared.files();
        let spec = TrainSpec { rows, validation, ..spec.clone() };
        let folder = self.trains.cache().join(format!("plan-{}.part", crate::endpoints::new_id()));
        let (trains, settings, cancel) = (std::sync::Arc::clone(&self.trains), settings.clone(), cancel.clone());
        crate::blocking(move || {
            let asked = || {
                let folder = JobFolder::create(&folder, &spec).map_err(IntoApi::into_api)?;
                let worker = trains.workers.start(&settings)?;
                let go_on = |_: Option<&Said>| {
                    if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let command = Command::Plan { job_dir: folder.path().to_owned() };
                worker.ask(&command, go_on).map_err(IntoApi::into_api)
            };
            let answer = asked();
            drop(std::fs::remove_dir_all(&folder));
            match answer? {
                None => Err(newer()),
                Some(Said::Planned { plan, allowed_bytes, fits, longest_row, fitting_tokens }) => {
                    Ok(Ok(Answer { plan, allowed_bytes, fits, longest_row, fitting_tokens }))
                }
                Some(Said::Failed { message, .. }) => Ok(Err(message)),
                Some(_) => Err(ApiError::new(ErrorCode::Internal, "The program that trains gave no plan.")),
            }
        })
        .await?
    }
}

/// What a plan gives whose place a newer one took.
fn newer() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "This plan was ended: a newer one took its place.").retryable(true)
}

/// Refuses what no training could be made with.
fn check(settings: &TrainSettings) -> Result<(), ApiError> {
    let (lora, own) = (&settings.lora, &settings.optimizer);
    let unknown = lora.targets.iter().find(|target| !LORA_TARGETS.contains(&target.as_str()));
    let says = |reason: &str| Err(ApiError::invalid(reason));
    if settings.dataset.trim().is_empty() {
        return says("No dataset version is chosen.");
    }
    if let Some(target) = unknown {
        let known = LORA_TARGETS.join(", ");
        return says(&format!("\"{target}\" is no projection that can get an adapter; there are {known}."));
    }
    match () {
        () if lora.targets.is_empty() => says("The adapter has no target: choose at least one projection."),
        () if lora.rank == 0 => says("The adapter's rank must be at least 1."),
        () if !lora.alpha.is_finite() || lora.alpha == 0.0 => says("Alpha must be a number other than 0."),
        () if !(0.0..1.0).contains(&lora.dropout) => says("Dropout must be from 0 to below 1."),
        () if !(own.learning_rate.is_finite() && own.learning_rate > 0.0) => {
            says("The learning rate must be above 0, such as 0.0002.")
        }
        () if !(own.weight_decay.is_finite() && own.weight_decay >= 0.0) => says("Weight decay must be 0 or above."),
        () if !((0.0..1.0).contains(&own.beta1) && (0.0..1.0).contains(&own.beta2)) => {
            says("The betas must be from 0 to below 1.")
        }
        () if !(own.eps.is_finite() && own.eps > 0.0) => says("Epsilon must be above 0."),
        () if !(own.clip_norm.is_finite() && own.clip_norm >= 0.0) => says("The clipping norm must be 0 or above."),
        () if !(own.neftune_alpha.is_finite() && own.neftune_alpha >= 0.0) => {
            says("NEFTune's noise must be 0 or above.")
        }
        () if settings.steps == Some(0) => says("There must be at least 1 step."),
        () if settings.steps.is_none() && settings.epochs == 0 => says("There must be at least 1 epoch."),
        () if settings.accumulation == 0 => says("Each step needs at least 1 pack."),
        () if settings.max_tokens < 2 => says("A row needs at least 2 tokens: one to go on from, one to learn."),
        () if settings.threads == Some(0) => says("There must be at least 1 thread."),
        () => Ok(()),
    }
}

fn refusal(reason: &str, suggestion: &str, settings: Option<TrainSettings>) -> Option<TrainRefusal> {
    Some(TrainRefusal {
        reason: reason.to_owned(),
        suggestion: suggestion.to_owned(),
        settings: settings.map(Box::new),
    })
}

/// Why the worker cannot work on it, with what helps.
fn refusal_of(settings: &TrainSettings, message: &str) -> TrainRefusal {
    let reason = tw_collect::sentence(message);
    let own = settings.tokenizer.is_some().then(|| TrainSettings { tokenizer: None, ..settings.clone() });
    let fresh = TrainSettings { adapter: None, ..settings.clone() };
    let found = if message.contains("outside of the model's vocabulary") {
        let advice = "Make the rows with the base's own tokenizer.";
        refusal(&reason, advice, own)
    } else if message.contains("the adapter in") || message.contains("adapter_config.json") {
        refusal(&reason, "Choose an adapter that was trained on this base, or begin with a fresh one.", Some(fresh))
    } else if message.contains("is damaged") {
        refusal(&reason, "Fetch the base model's files again.", None)
    } else if message.contains("no token of the") {
        refusal(&reason, "Look at the dataset's rows in the lens: it shows which tokens are trained.", None)
    } else {
        refusal(&reason, "Choose another base model, or mend its folder.", None)
    };
    found.unwrap_or_default()
}

fn no_rows(settings: &TrainSettings, facts: &Facts) -> Option<TrainRefusal> {
    let most = crate::card::thousands(settings.max_tokens.into());
    if facts.too_long > 0 {
        let longest = crate::card::thousands(facts.longest_of_all.into());
        let reason = format!("Every row to train on has more than {most} tokens; the longest has {longest}.");
        let more = TrainSettings { max_tokens: facts.longest_of_all, pack_tokens: None, ..settings.clone() };
        return refusal(&reason, &format!("Allow rows of {longest} tokens."), Some(more));
    }
    if facts.not_rendered > 0 {
        let why = &facts.not_rendered_why;
        let reason = format!("The template gives no text for any row: {why}.");
        return refusal(&reason, "Choose a tokenizer whose template knows tools.", None);
    }
    refusal(
        "No token of any row would be trained.",
        "Look at the dataset's rows in the lens: it shows which tokens are trained.",
        None,
    )
}

fn fill_rows(plan: &mut TrainPlan, facts: &Facts) {
    plan.rows = facts.rows;
    plan.validation_rows = facts.validation_rows;
    plan.too_long = facts.too_long;
    plan.untrained = facts.untrained;
    plan.row_tokens = facts.row_tokens;
    plan.trained_tokens = facts.trained_tokens;
}

fn other_tokenizer(version: &OpenVersion, model: &RowModel) -> Option<String> {
    let counted = version.manifest.model.as_ref()?;
    let own = model.model();
    (counted.tokenizer_sha256 != own.tokenizer_sha256).then(|| {
        format!("The dataset was built for the tokenizer of {}; here {}'s makes the tokens.", counted.name, own.name)
    })
}

fn row_warnings(settings: &TrainSettings, facts: &Facts, max_positions: Option<u64>) -> Vec<String> {
    let number = |value: u32| crate::card::thousands(value.into());
    let rows = |rows: u32| if rows == 1 { "1 row".to_owned() } else { format!("{} rows", number(rows)) };
    let verb = |rows: u32, one: &'static str, many: &'static str| if rows == 1 { one } else { many };
    let mut warnings = Vec::new();
    if facts.too_long > 0 {
        let (has, is) = (verb(facts.too_long, "has", "have"), verb(facts.too_long, "is", "are"));
        let most = number(settings.max_tokens);
        warnings.push(format!("{} {has} more than {most} tokens and {is} left out.", rows(facts.too_long)));
    }
    if facts.untrained > 0 {
        let they_are = verb(facts.untrained, "it is", "they are");
        warnings.push(format!("In {} nothing would be trained; {they_are} left out.", rows(facts.untrained)));
    }
    if facts.not_rendered > 0 {
        let why = facts.not_rendered_why.trim_end_matches('.');
        let is = verb(facts.not_rendered, "is", "are");
        warnings.push(format!("{} {is} left out: the template gives no text ({why}).", rows(facts.not_rendered)));
    }
    if facts.rows > 0 && facts.validation_rows == 0 {
        warnings.push(
            "The dataset has no rows for validation: only the loss of what is trained on will be seen.".to_owned(),
        );
    }
    if let Some(most) = max_positions.filter(|most| u64::from(facts.longest) > *most) {
        let (longest, most) = (number(facts.longest), crate::card::thousands(most));
        warnings.push(format!("The longest row has {longest} tokens, the base was made for at most {most}."));
    }
    warnings
}

fn fill_answer(plan: &mut TrainPlan, settings: &TrainSettings, answer: &Answer) {
    let own = &answer.plan;
    plan.pack_tokens = own.pack_tokens as u64;
    plan.packs = count(own.packs);
    plan.steps = own.steps;
    plan.trained_parameters = own.trained_parameters as u64;
    plan.base_parameters = own.frozen_parameters as u64;
    plan.peak_bytes = own.peak_bytes;
    plan.allowed_bytes = answer.allowed_bytes;
    if answer.fits {
        return;
    }
    let (needed, allowed) = (own.peak_bytes, answer.allowed_bytes.unwrap_or_default());
    let reason =
        format!("The largest step needs at least {}, and it may take {}.", gigabytes(needed), gigabytes(allowed));
    let fitting = answer.fitting_tokens.map(rounded).unwrap_or_default();
    let tokens = crate::card::thousands(fitting.into());
    plan.refusal = if fitting < 2 {
        let advice = "Not even the base's weights fit: choose a smaller base, or make memory free.";
        refusal(&reason, advice, None)
    } else if fitting >= count(answer.longest_row) {
        let advice = format!("Packs of at most {tokens} tokens fit; every row still does.");
        refusal(&reason, &advice, Some(TrainSettings { pack_tokens: Some(fitting), ..settings.clone() }))
    } else {
        let advice = format!("Rows of at most {tokens} tokens fit; longer ones would be left out.");
        let shorter = TrainSettings { max_tokens: fitting, pack_tokens: None, ..settings.clone() };
        refusal(&reason, &advice, Some(shorter))
    };
}

/// A round number of tokens that is no larger.
fn rounded(tokens: usize) -> u32 {
    let tokens = count(tokens);
    if tokens > 512 { tokens / 256 * 256 } else { tokens }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// Tokens that are computed over all steps.
fn all_tokens(plan: &TrainPlan, settings: &TrainSettings) -> u64 {
    let packs = plan.steps.saturating_mul(settings.accumulation.into());
    plan.pack_tokens.saturating_mul(packs) / u64::from(plan.packs.max(1))
}

/// Why a training that the plan refuses does not start.
pub(crate) fn refused(refusal: &TrainRefusal) -> ApiError {
    ApiError::invalid(refusal.reason.clone()).with_hint(refusal.suggestion.clone())
}

/// Bytes that a training writes: its rows, and checkpoints of an adapter with two states each, one more than are kept.
pub(crate) fn disk_bytes(plan: &TrainPlan, settings: &TrainSettings, rows: &Path) -> u64 {
    let adapter = plan.trained_parameters * 4;
    let kept = match u64::from(settings.keep_checkpoints) {
        0 => plan.steps.checked_div(settings.save_every).unwrap_or(0) + 1,
        kept => kept,
    };
    let rows = std::fs::metadata(rows).map_or(0, |data| data.len());
    rows + adapter + 3 * adapter * (kept + 1)
}

impl IntoApi for tw_jobs::Error {
    fn into_api(self) -> ApiError {
        let code = match &self {
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorCode::DiskFull,
            Self::Running(_) => ErrorCode::Conflict,
            _ => ErrorCode::Internal,
        };
        let hint = match &self {
            Self::Start { .. } | Self::Silent(_) => {
                "Look whether the program beside the app can be run here, or install the app anew."
            }
            Self::File { .. } => "Make sure that the disk of the workspace has room and can be written to.",
            _ => "",
        };
        ApiError::new(code, tw_collect::sentence(&self.to_string())).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings() -> TrainSettings {
        TrainSettings { dataset: "d".to_owned(), ..TrainSettings::default() }
    }

    #[test]
    fn settings_that_no_training_can_be_made_with_are_named() {
        assert!(check(&settings()).is_ok());
        let said = |change: &dyn Fn(&mut TrainSettings)| {
            let mut changed = settings();
            change(&mut changed);
            check(&changed).unwrap_err().message
        };
        assert!(said(&|it| it.dataset.clear()).contains("dataset"));
        assert!(said(&|it| it.lora.targets = vec!["lm_head".to_owned()]).contains("lm_head"));
        assert!(said(&|it| it.lora.rank = 0).contains("rank"));
        assert!(said(&|it| it.optimizer.learning_rate = f64::NAN).contains("learning rate"));
        assert!(said(&|it| it.lora.dropout = 1.0).contains("Dropout"));
        assert!(said(&|it| it.epochs = 0).contains("epoch"));
    }

    #[test]
    fn what_does_not_fit_comes_with_settings_that_do() {
        let info = PlanInfo {
            rows: 3,
            row_tokens: 9_000,
            pack_tokens: 6_000,
            packs: 1,
            steps: 1,
            trained_parameters: 10,
            frozen_parameters: 100,
            peak_bytes: 9_000_000_000,
        };
        let mut answer = Answer {
            plan: info,
            allowed_bytes: Some(4_000_000_000),
            fits: false,
            longest_row: 3_000,
            fitting_tokens: Some(3_333),
        };
        let told = |answer: &Answer| {
            let mut plan = TrainPlan::default();
            fill_answer(&mut plan, &settings(), answer);
            plan.refusal.unwrap()
        };
        let smaller_packs = told(&answer);
        assert!(smaller_packs.reason.contains("9.0 GB") && smaller_packs.reason.contains("4.0 GB"));
        assert_eq!(smaller_packs.settings.unwrap().pack_tokens, Some(3_328));
        answer.longest_row = 6_000;
        assert_eq!(told(&answer).settings.unwrap().max_tokens, 3_328);
        answer.fitting_tokens = None;
        assert!(told(&answer).settings.is_none() && told(&answer).suggestion.contains("smaller base"));
    }
}
