//! What trainings are asked and answer.
//!
//! [`TrainSettings`] is what a person sets. `train_plan` says what they amount to before anything is begun; `train_start`
//! puts the training at the end of the queue. A training is a folder and, while it runs, a worker's process, which does not
//! end with the app: `train_list` finds it again. Its progress comes on `train:<id>` as what was added since
//! ([`TrainNews`]); a window that missed some asks `train_view` for all of it.

use serde::{Deserialize, Serialize};

/// Everything that a training does depends on these and on the files that they name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainSettings {
    /// The person's name for it; empty for one made of the base's and the dataset's.
    pub name: String,
    /// The dataset version, by its id or the beginning of it.
    pub dataset: String,
    /// The base model: an entry of the workspace's list (`model_list`), or its folder on the host's disk.
    pub base: String,
    /// Whose tokenizer and template make tokens of the rows; `None` for the base's own. A base without a usable one, or a
    /// GGUF file that has one, is the reason for this.
    pub tokenizer: Option<String>,
    /// An adapter to train on from: its folder, or the id of a training that is done.
    pub adapter: Option<String>,
    /// The adapter's shape.
    pub lora: LoraSettings,
    /// How it is moved.
    pub optimizer: OptimizerSettings,
    /// Times through all rows; of no account where `steps` is set.
    pub epochs: u32,
    /// Exactly so many steps.
    pub steps: Option<u64>,
    /// The most tokens of a row. Longer rows are left out, and the plan says how many.
    pub max_tokens: u32,
    /// The most tokens of a pack of rows; `None` for as many as the longest row may have.
    pub pack_tokens: Option<u32>,
    /// Packs per step.
    pub accumulation: u32,
    /// Fixes the adapter's first numbers, the order of packs and what dropout drops.
    pub seed: u64,
    /// Validate after every so many steps, and at the end; 0 at the end only.
    pub eval_every: u64,
    /// Keep a checkpoint after every so many steps, and at the end; 0 at the end only.
    pub save_every: u64,
    /// Keep only the newest so many checkpoints; 0 for all.
    pub keep_checkpoints: u32,
    /// Whether prefixes that rows share are computed once. Off, every row is computed by itself: the same gradients, slower.
    pub share_prefixes: bool,
    /// Bytes that it may take, the model's weights included; `None` for four fifths of what is free when it begins.
    pub memory_bytes: Option<u64>,
    /// Threads of the processor; `None` for all.
    pub threads: Option<u32>,
    /// Where to compute.
    pub device: TrainDevice,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            dataset: String::new(),
            base: String::new(),
            tokenizer: None,
            adapter: None,
            lora: LoraSettings::default(),
            optimizer: OptimizerSettings::default(),
            epochs: 1,
            steps: None,
            max_tokens: 32_768,
            pack_tokens: None,
            accumulation: 1,
            seed: 1,
            eval_every: 0,
            save_every: 50,
            keep_checkpoints: 2,
            share_prefixes: true,
            memory_bytes: None,
            threads: None,
            device: TrainDevice::default(),
        }
    }
}

// Rates, shares and losses of this module are JSON numbers: never NaN.
impl Eq for TrainSettings {}

/// The projections of a transformer's layer that can get an adapter, in PEFT's names.
pub const LORA_TARGETS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// An adapter's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoraSettings {
    /// Width of the branch.
    pub rank: u32,
    /// The branch counts `alpha / rank`.
    pub alpha: f64,
    /// The branch counts `alpha / sqrt(rank)` instead.
    pub rslora: bool,
    /// Share of a branch's input that is dropped in training, from 0 to below 1.
    pub dropout: f64,
    /// The projections that get a branch, of [`LORA_TARGETS`].
    pub targets: Vec<String>,
}

impl Default for LoraSettings {
    fn default() -> Self {
        let targets = LORA_TARGETS.map(str::to_owned).to_vec();
        Self { rank: 16, alpha: 32.0, rslora: false, dropout: 0.0, targets }
    }
}

/// AdamW and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OptimizerSettings {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How it goes on after the warm-up.
    pub schedule: TrainSchedule,
    /// Steps over which the rate rises from 0; `None` for none below 50 steps, else 3 in 100.
    pub warmup_steps: Option<u64>,
    /// Share of each number that is taken away per unit of learning rate.
    pub weight_decay: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean squared gradient.
    pub beta2: f64,
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// The longest a step's gradient may be (its norm over all numbers); 0 for any length.
    pub clip_norm: f64,
    /// Keeps the optimizer's two states in 8 bits, block by block, instead of 32.
    pub eight_bit: bool,
    /// NEFTune: noise on the embeddings of this strength while training; 0 for none (arXiv 2310.05914).
    pub neftune_alpha: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            schedule: TrainSchedule::default(),
            warmup_steps: None,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            eight_bit: false,
            neftune_alpha: 0.0,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainSchedule {
    /// It stays.
    #[default]
    Constant,
    /// It falls to 0 in a straight line.
    Linear,
    /// It falls to 0 along half a cosine.
    Cosine,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainDevice {
    /// A GPU where the worker finds one, else the processor.
    #[default]
    Auto,
    /// The processor, in 32 bits.
    Cpu,
    /// A GPU.
    Cuda,
}

/// Where the worker can compute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainMachine {
    /// The worker's version and kind (`tw-worker 0.1.0 cpu`).
    pub build: String,
    /// Its devices by name, the best first: `cpu`, or a GPU's name.
    pub devices: Vec<String>,
    /// Threads of the processor.
    pub threads: u32,
    /// Bytes of memory that are free now, where the system tells.
    pub free_bytes: Option<u64>,
    /// Bytes that are free on the disk of the workspace.
    pub disk_bytes: Option<u64>,
}

/// What the launcher can offer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Where it would compute; the error where there is no worker.
    pub machine: Option<TrainMachine>,
    /// Why there is no worker, with what to do.
    pub problem: Option<String>,
    /// The models of the workspace's list, and whether each can be a base.
    pub bases: Vec<BaseModel>,
}

/// A model of the workspace's list as a base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModel {
    /// Its id in the list.
    pub id: String,
    /// The person's name for it.
    pub name: String,
    /// Its folder or file.
    pub path: String,
    /// `qwen3`, `qwen2`, `llama` ...; empty where the folder has no configuration.
    pub family: String,
    /// Parameters, by its configuration; 0 where that is not known.
    pub parameters: u64,
    /// Why it cannot be trained (a GGUF file, no weights, a family that is not known); `None` when it can.
    pub problem: Option<String>,
}

/// What settings amount to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPlan {
    /// Rows to train on, and rows to validate on.
    pub rows: u32,
    /// Rows to validate on.
    pub validation_rows: u32,
    /// Rows of the dataset that have more tokens than `max_tokens`, and are left out.
    pub too_long: u32,
    /// Rows of which no token would be trained, and are left out.
    pub untrained: u32,
    /// Tokens, row by row.
    pub row_tokens: u64,
    /// Of these, tokens that the loss counts.
    pub trained_tokens: u64,
    /// Tokens that are computed in an epoch, with shared prefixes counted once per pack.
    pub pack_tokens: u64,
    /// Packs in an epoch.
    pub packs: u32,
    /// Steps in all.
    pub steps: u64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Numbers of the adapter that are trained.
    pub trained_parameters: u64,
    /// Numbers of the base.
    pub base_parameters: u64,
    /// Bytes that the largest step is expected to take, weights included.
    pub peak_bytes: u64,
    /// Bytes that it may take.
    pub allowed_bytes: Option<u64>,
    /// Seconds that all of it is expected to take, from the speed that was measured here for this base; `None` before
    /// anything of its size was trained here.
    pub seconds: Option<u64>,
    /// Where it would compute.
    pub device: String,
    /// What a person should know before it starts, in sentences.
    pub warnings: Vec<String>,
    /// Why it cannot start, and what to change; `None` when it can.
    pub refusal: Option<TrainRefusal>,
}

impl Eq for TrainPlan {}

/// Why a training cannot start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainRefusal {
    /// What is in the way.
    pub reason: String,
    /// What would help, in words.
    pub suggestion: String,
    /// Settings that would do, where there are such: a click takes them.
    pub settings: Option<Box<TrainSettings>>,
}

/// How a training stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainState {
    /// Waits for those before it.
    #[default]
    Queued,
    /// Rows are made into tokens, the model is read.
    Preparing,
    /// Steps are made.
    Running,
    /// Held by the person; what was done is kept.
    Paused,
    /// Told to stop: ends after the current step with a checkpoint.
    Stopping,
    /// Ended by the person. `train_resume` goes on from the last checkpoint.
    Stopped,
    /// All steps are done.
    Done,
    /// Ended with an error. `train_resume` goes on from the last checkpoint.
    Failed,
    /// Its worker is gone without a word (killed, power cut). `train_resume` goes on from the last checkpoint.
    Lost,
}

impl TrainState {
    /// Whether a worker is, or will be, at it.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Preparing | Self::Running | Self::Paused | Self::Stopping)
    }
}

/// A training, as lists show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainJob {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: TrainState,
    /// What it was asked to do.
    pub settings: TrainSettings,
    /// The dataset version's name and its id, whole, at the start: the version may be gone since.
    pub dataset_name: String,
    /// That id, which is a hash of all that the version is made of.
    pub dataset_id: String,
    /// The base's name.
    pub base_name: String,
    /// What it amounts to; zeros before the rows are made.
    pub plan: TrainPlan,
    /// Steps that are done.
    pub step: u64,
    /// The last step's loss.
    pub loss: Option<f64>,
    /// The last validation's loss.
    pub eval_loss: Option<f64>,
    /// Seconds left, while it runs and that is known.
    pub seconds_left: Option<u64>,
    /// Tokens of rows a second over the last steps, and tokens computed a second.
    pub row_tokens_per_sec: Option<f64>,
    /// Tokens computed a second over the last steps.
    pub tokens_per_sec: Option<f64>,
    /// Bytes that its worker holds now.
    pub memory_bytes: Option<u64>,
    /// The step of the newest checkpoint.
    pub checkpoint_step: Option<u64>,
    /// The finished adapter's folder on the host's disk.
    pub adapter: Option<String>,
    /// The training's folder on the host's disk.
    pub folder: String,
    /// When it was put into the queue, unix milliseconds.
    pub created_at_ms: i64,
    /// When it began.
    pub started_at_ms: Option<i64>,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// What failed, with what to do.
    pub error: Option<String>,
}

impl Eq for TrainJob {}

/// One step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    /// Counted from 1.
    pub step: u64,
    /// Mean loss per unit of weight, before the step's change.
    pub loss: f64,
    /// The learning rate that it used.
    pub learning_rate: f64,
    /// The gradient's norm before it was clipped.
    pub gradient_norm: f64,
    /// Tokens that were computed.
    pub tokens: u64,
    /// Tokens of the rows that they stand for.
    pub row_tokens: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Eq for TrainPoint {}

/// One validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalPoint {
    /// After this step.
    pub step: u64,
    /// Mean loss per unit of weight.
    pub loss: f64,
}

impl Eq for EvalPoint {}

/// A line of a training's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainLogLine {
    /// After this step.
    pub step: u64,
    /// What.
    pub text: String,
}

/// All of a training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainView {
    /// As in lists.
    pub job: TrainJob,
    /// Its steps. A training that went on from a checkpoint has each step once: what was done anew.
    pub points: Vec<TrainPoint>,
    /// Its validations.
    pub evals: Vec<EvalPoint>,
    /// Its log.
    pub log: Vec<TrainLogLine>,
    /// The number of the last event that is in this.
    pub seq: u64,
}

/// What came since the last event of a training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainNews {
    /// How it stands now.
    pub job: TrainJob,
    /// Points from this step on are void: it went on from a checkpoint before it.
    pub from_step: Option<u64>,
    /// Steps that came.
    pub points: Vec<TrainPoint>,
    /// Validations that came.
    pub evals: Vec<EvalPoint>,
    /// Lines that came.
    pub log: Vec<TrainLogLine>,
}

/// An adapter to merge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainMerge {
    /// The training whose adapter it is.
    pub id: String,
    /// The folder to write, on the host's disk; `None` for one below the workspace's `models`. Must not be there yet.
    pub out: Option<String>,
    /// Whether the merged model joins the workspace's list.
    pub add: bool,
}

/// A merged model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainMerged {
    /// Its folder.
    pub folder: String,
    /// Its id in the workspace's list, where it was added.
    pub model: Option<String>,
}

/// How far `train_plan` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainPlanProgress {
    /// Rows that are tokens.
    pub done_rows: u32,
    /// Of how many.
    pub total_rows: u32,
}
