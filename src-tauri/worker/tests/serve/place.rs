//! A tiny model with a real tokenizer and template, served.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use candle_core::DType;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tw_model::{Architecture, synthetic};
use tw_train::adapter::Adapter;
use tw_train::peft;

const CONFIG: &str = r#"{"model_type":"qwen3","vocab_size":544,"hidden_size":64,"intermediate_size":96,
    "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":16,"rms_norm_eps":1e-6,
    "tie_word_embeddings":true,"max_position_embeddings":2048,"rope_theta":1000000.0,"eos_token_id":523}"#;

/// A folder with a model `tiny` and an adapter `ours` for it.
pub(crate) fn folder() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let model = root.path().join("tiny");
    synthetic::write_folder(&model, CONFIG, 1, DType::BF16).unwrap();
    let parity = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity");
    std::fs::copy(parity.join("goldens/template/tokenizer.json"), model.join("tokenizer.json")).unwrap();
    std::fs::copy(parity.join("templates/think.jinja"), model.join("chat_template.jinja")).unwrap();
    std::fs::write(model.join("tokenizer_config.json"), r#"{"eos_token":"<|im_end|>"}"#).unwrap();
    let spec = tw_jobs::LoraSpec { rank: 4, ..tw_jobs::LoraSpec::default() };
    let mut adapter = Adapter::fresh(&Architecture::read(&model).unwrap(), &spec, 1).unwrap();
    let count = adapter.values.elem_count();
    adapter.values =
        candle_core::Tensor::from_vec(synthetic::numbers("adapter", count, 0.3, 0.0), count, &candle_core::Device::Cpu)
            .unwrap();
    peft::write(&root.path().join("ours"), &adapter, "tiny").unwrap();
    root
}

pub(crate) fn program(model: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tw-worker"));
    command.args(["serve", "--with-parent", "--threads", "2", "--cache-mb", "64", "--model"]).arg(model).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it says on stderr when it cannot start.
pub(crate) fn refusal(model: &Path, more: &[&str]) -> String {
    let mut child = program(model, more).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "{said}");
    said
}

/// A model that is served until this is dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) ready: Value,
    pub(crate) client: Client,
    pub(crate) root: TempDir,
}

impl Served {
    pub(crate) fn start(more: &[&str]) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let root = folder();
        let mut child = program(&root.path().join("tiny"), more).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{said}");
        }
        let client = Client::builder().no_proxy().build().unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap(), client, root }
    }

    pub(crate) fn adapter(&self) -> PathBuf {
        self.root.path().join("ours")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ready["port"])
    }

    /// Status and body of a request.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.client.post(self.url(path)).body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A whole answer to a chat request with these fields.
    pub(crate) async fn chat(&self, more: Value) -> Value {
        let (status, body) = self.post("/v1/chat/completions", &chat_body(more)).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The chunks of a streamed answer.
    pub(crate) async fn stream(&self, more: Value) -> Vec<Value> {
        let mut body = chat_body(more);
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
        let (status, text) = self.post("/v1/chat/completions", &body).await;
        assert_eq!(status, 200, "{text}");
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let (last, chunks) = data.split_last().unwrap();
        assert_eq!(*last, "[DONE]");
        chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is written out where it is called")]
pub(crate) fn chat_body(more: Value) -> Value {
    let mut body = json!({
        "model": "tiny", "temperature": 0, "max_tokens": 24,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Open the page, please."}],
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

pub(crate) fn tools() -> Value {
    let parameters = json!({
        "type": "object",
        "properties": {
            "mode": {"type": "string", "enum": ["fast", "far away"]},
            "sure": {"type": "boolean"},
            "word": {"type": "string", "maxLength": 3},
        },
        "required": ["mode", "sure", "word"], "additionalProperties": false,
    });
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    json!([tool("go"), tool("wait")])
}
