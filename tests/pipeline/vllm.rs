//! The agent loop and the doctor against a real vLLM on the CPU. Opt-in: it takes minutes to start.
//!
//! `TW_TEST_VLLM_PYTHON` names the Python that has vLLM, `TW_TEST_VLLM_MODEL` the folder of a model; any Qwen3 will do,
//! also one with random weights, because only what is around the words is looked at.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tw_artifact::{DoctorStatus, EndpointConfig, RunState};
use tw_contract::{EndpointProbe, KeyChange};
use tw_support::drive::free_port;
use tw_support::mcp::Behaviour;

use crate::harness::Desk;

/// How long vLLM may take to come up: loading it alone takes minutes on two cores.
const START_LIMIT: Duration = Duration::from_secs(600);

struct Vllm {
    child: Child,
    base_url: String,
}

impl Vllm {
    async fn start(python: &str, model: &str, port: u16) -> Self {
        let mut child = Command::new(python)
            .args(["-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "tested"])
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--max-model-len", "4096", "--enforce-eager"])
            .args(["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"])
            // Loopback only, one thread, nothing sent home.
            .envs([
                ("VLLM_CPU_KVCACHE_SPACE", "1"),
                ("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
                ("OMP_NUM_THREADS", "1"),
                ("VLLM_HOST_IP", "127.0.0.1"),
                ("GLOO_SOCKET_IFNAME", "lo"),
                ("HF_HUB_OFFLINE", "1"),
                ("VLLM_NO_USAGE_STATS", "1"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("vLLM starts");
        let base_url = format!("http://127.0.0.1:{port}/v1");
        let start = Instant::now();
        while reqwest::get(format!("{base_url}/models")).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "vLLM ended by itself; start it by hand to see why");
            assert!(start.elapsed() < START_LIMIT, "vLLM did not come up");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Self { child, base_url }
    }
}

impl Drop for Vllm {
    fn drop(&mut self) {
        // Its engine is a process of its own, in the same group.
        if let Some(pid) = self.child.id() {
            tw_support::drive::signal_group(pid, "KILL");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_vllm_is_examined_and_answers() {
    let (Ok(python), Ok(model)) = (std::env::var("TW_TEST_VLLM_PYTHON"), std::env::var("TW_TEST_VLLM_MODEL")) else {
        println!("skipped: name vLLM's Python in TW_TEST_VLLM_PYTHON and a model's folder in TW_TEST_VLLM_MODEL");
        return;
    };
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let vllm = Vllm::start(&python, &model, free_port().unwrap()).await;
    let desk = Desk::open().await;
    let endpoint =
        EndpointConfig { base_url: vllm.base_url.clone(), model: "tested".to_owned(), ..EndpointConfig::default() };
    let report = desk.api().endpoint_doctor(EndpointProbe { endpoint, key: KeyChange::Clear }).await.unwrap();
    let status = |name: &str| report.checks.iter().find(|check| check.name == name).map(|check| check.status);
    println!("{report:#?}");
    for name in ["reachable", "model", "streams", "token_ids"] {
        assert_eq!(status(name), Some(DoctorStatus::Good), "{name}");
    }
    assert_eq!(report.models[0].context_tokens, Some(4_096));

    let server = desk.add_fake_server("fake", &Behaviour::default()).await;
    let spec = tw_artifact::RunSpec {
        task: "Say hello".to_owned(),
        endpoint_id: desk.add_endpoint(&vllm.base_url, KeyChange::Keep).await,
        model: "tested".to_owned(),
        // Some warmth: weights without training may else repeat one token that has no text.
        sampling: tw_artifact::Sampling {
            max_tokens: Some(24),
            temperature: Some(1.0),
            seed: Some(7),
            ..Default::default()
        },
        server_ids: vec![server],
        limits: tw_artifact::RunLimits { max_steps: 1, max_secs: None },
        ..Default::default()
    };
    let trace = desk.run(spec).await;
    assert!(matches!(trace.summary.state, RunState::Done | RunState::Limit), "{:?}", trace.ending);
    let step = &trace.steps[0];
    let ids = step.token_ids.as_ref().expect("vLLM gives the token ids");
    assert_eq!(Some(ids.len()), step.usage.and_then(|usage| usize::try_from(usage.completion_tokens).ok()));
    assert!(step.prompt_token_ids.as_ref().is_some_and(|ids| !ids.is_empty()));
    assert!(step.fingerprint.as_deref().is_some_and(|it| it.starts_with("vllm-")), "{:?}", step.fingerprint);
}
