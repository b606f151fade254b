//! Endpoints: OpenAI-style servers that a model answers from, and what the doctor finds about one.

use serde::{Deserialize, Serialize};

use crate::{Json, Map};

/// Where an endpoint usually stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointPreset {
    /// vLLM on this machine, port 8000.
    #[default]
    VllmLocal,
    /// vLLM on a RunPod pod, behind its proxy.
    VllmRunpod,
    /// Ollama on this machine, port 11434.
    Ollama,
    /// llama.cpp's server on this machine, port 8080.
    LlamaCpp,
    /// OpenAI.
    Openai,
    /// Any other server that speaks the API.
    Other,
}

impl EndpointPreset {
    /// All presets, in the order in which the window offers them.
    pub const ALL: [Self; 6] =
        [Self::VllmLocal, Self::VllmRunpod, Self::Ollama, Self::LlamaCpp, Self::Openai, Self::Other];

    /// The words on the button.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::VllmLocal => "vLLM on this machine",
            Self::VllmRunpod => "vLLM on RunPod",
            Self::Ollama => "Ollama",
            Self::LlamaCpp => "llama.cpp",
            Self::Openai => "OpenAI",
            Self::Other => "Other",
        }
    }

    /// The base URL that it fills in; empty where the person must say it.
    #[must_use]
    pub const fn base_url(self) -> &'static str {
        match self {
            Self::VllmLocal => "http://127.0.0.1:8000/v1",
            Self::Ollama => "http://127.0.0.1:11434/v1",
            Self::LlamaCpp => "http://127.0.0.1:8080/v1",
            Self::Openai => "https://api.openai.com/v1",
            Self::VllmRunpod | Self::Other => "",
        }
    }

    /// RunPod's proxy address of `port` on pod `pod_id`. `None` when the pod id is not letters, digits and dashes
    /// (it becomes part of a host name).
    #[must_use]
    pub fn runpod_url(pod_id: &str, port: u16) -> Option<String> {
        let valid = !pod_id.is_empty() && pod_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        valid.then(|| format!("https://{pod_id}-{port}.proxy.runpod.net/v1"))
    }
}

/// An endpoint as it is kept. Its key is in the vault under [`EndpointConfig::secret_name`], never here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointConfig {
    /// Unique in the workspace.
    pub id: String,
    /// The person's name for it.
    pub name: String,
    /// What it was made from.
    pub preset: EndpointPreset,
    /// Base URL with `/v1`, without a trailing slash.
    pub base_url: String,
    /// The model that runs use unless told otherwise; empty until one is picked.
    pub model: String,
    /// Whether a key is in the vault.
    pub has_key: bool,
    /// Sampling settings that runs start with.
    pub sampling: Sampling,
}

impl EndpointConfig {
    /// The name of its key in the vault.
    #[must_use]
    pub fn secret_name(id: &str) -> String {
        format!("endpoint:{id}")
    }
}

/// How answers are sampled. `None` leaves it to the server. Sent as named here; `extra` is merged into the request
/// (`chat_template_kwargs`, `top_k` ...).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Temperature, 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus, 0 to 1.
    pub top_p: Option<f64>,
    /// Most tokens of one answer.
    pub max_tokens: Option<u32>,
    /// Seed for servers that take one. Runs sampled n times count up from it.
    pub seed: Option<i64>,
    /// Whether a turn may hold several calls; `None` leaves it to the server.
    pub parallel_tool_calls: Option<bool>,
    /// Further fields of the request, as they are.
    pub extra: Map,
}

// Temperatures come from text a person typed: never NaN.
impl Eq for Sampling {}

/// One entry of `/v1/models`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The name to ask for.
    pub id: String,
    /// Context length in tokens, where the server says (`max_model_len` in vLLM, `meta.n_ctx` in llama.cpp).
    pub context_tokens: Option<u32>,
    /// The base model, when this one is an adapter (vLLM's `parent`).
    pub parent: Option<String>,
    /// The whole entry.
    pub raw: Json,
}

/// How a check of the doctor came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoctorStatus {
    /// As it should be.
    Good,
    /// Works, with a drawback that is named.
    Warning,
    /// Does not work.
    Bad,
    /// Could not be found out, because an earlier check failed or the server does not tell.
    Unknown,
}

/// One finding of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorCheck {
    /// Stable name: `reachable`, `model`, `context`, `streams`, `reasoning`, `tool_calls`, `token_ids`, `lora`.
    pub name: String,
    /// How it came out.
    pub status: DoctorStatus,
    /// What was found, in one sentence.
    pub finding: String,
    /// The server flag, setting or step that mends it; `None` when nothing needs mending.
    pub remedy: Option<String>,
}

/// Command lines that start a server as the doctor wants it, ready to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeLine {
    /// `vllm serve ...`
    pub vllm: String,
    /// `docker run ...`
    pub docker: String,
}

/// What the doctor found about one endpoint and model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// The base URL.
    pub base_url: String,
    /// The model that was asked for.
    pub model: String,
    /// What the server offers; empty when it did not say.
    pub models: Vec<ModelInfo>,
    /// The findings, in a fixed order.
    pub checks: Vec<DoctorCheck>,
    /// Whether answers carry reasoning under `reasoning` or `reasoning_content`, or neither.
    pub reasoning_field: Option<String>,
    /// How to start vLLM for this model.
    pub serve: ServeLine,
    /// How long the probe took, in milliseconds.
    pub duration_ms: u64,
}
