//! `tw train` and what belongs to it, with the real worker on a tiny model.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tw_support::drive::{signal_process, worker_binary};
use tw_support::models::write_tiny_model;

use super::{Said, command, tw};
use crate::harness::within;
use crate::pipeline::dataset::trace;

struct Shop {
    place: TempDir,
    workspace: PathBuf,
    dataset: String,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Shop {
    async fn open() -> Self {
        let place = TempDir::new().unwrap();
        let workspace = place.path().join("workspace");
        write_tiny_model(&place.path().join("tiny")).unwrap();
        let traces = place.path().join("traces");
        std::fs::create_dir(&traces).unwrap();
        std::fs::write(traces.join("a.json"), trace("shoes", 1).to_string()).unwrap();
        std::fs::write(
            place.path().join("train.toml"),
            "max_tokens = 2048\nthreads = 1\n[lora]\nrank = 2\n[optimizer]\nlearning_rate = 1e-3\n",
        )
        .unwrap();
        assert_eq!(tw(&workspace, &["import", text(&traces)]).await.code, Some(0));
        let built = tw(&workspace, &["--json", "dataset", "build", "--name", "finds"]).await.json();
        let dataset = built["id"].as_str().unwrap().to_owned();
        Self { place, workspace, dataset }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    async fn tw(&self, args: &[&str]) -> Said {
        tw(&self.workspace, args).await
    }

    fn write_steps(&self, steps: u64) {
        let config = self.path("train.toml");
        let old = std::fs::read_to_string(&config).unwrap();
        let rest: String =
            old.lines().filter(|line| !line.starts_with("steps")).map(|line| format!("{line}\n")).collect();
        std::fs::write(config, format!("steps = {steps}\n{rest}")).unwrap();
    }

    async fn train(&self, more: &[&str]) -> Said {
        let (base, config) = (self.path("tiny"), self.path("train.toml"));
        let args =
            ["--json", "train", "--dataset", &self.dataset[..12], "--base", text(&base), "--config", text(&config)];
        self.tw(&[&args[..], more].concat()).await
    }
}

#[tokio::test]
async fn a_training_runs_to_its_adapter_and_is_merged() {
    worker_binary().unwrap();
    let shop = Shop::open().await;
    shop.write_steps(3);
    let planned = shop.train(&["--dry-run", "--no-trie"]).await.json();
    assert_eq!(planned["row_tokens"], planned["pack_tokens"]);
    assert!(planned["refusal"].is_null(), "{planned}");
    let said = shop.train(&[]).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let job = said.json();
    assert_eq!((job["state"].as_str(), job["step"].as_u64()), (Some("done"), Some(3)), "{job}");
    assert!(said.stderr.contains("step 3 of 3: loss"), "{}", said.stderr);
    let id = job["id"].as_str().unwrap();
    let listed = shop.tw(&["--json", "jobs"]).await.json();
    assert_eq!(listed[0]["id"].as_str(), Some(id));
    let shown = shop.tw(&["--json", "job", &id[..20]]).await.json();
    assert_eq!(shown["points"].as_array().map(Vec::len), Some(3));
    let (base, out) = (shop.path("tiny"), shop.path("merged"));
    let adapter = job["adapter"].as_str().unwrap();
    let merge = ["--json", "merge", "--base", text(&base), "--adapter", adapter, "--out", text(&out)];
    let merged = shop.tw(&merge).await;
    assert_eq!(merged.code, Some(0), "{}", merged.stderr);
    assert_eq!(merged.json()["folder"].as_str(), Some(text(&out)));
    assert!(out.join("model.safetensors").is_file());
    let again = shop.tw(&merge).await;
    assert!(again.code == Some(1) && again.stderr.contains("there already"), "{}", again.stderr);
}

#[tokio::test]
async fn what_cannot_be_trained_is_said_and_fails() {
    let shop = Shop::open().await;
    std::fs::write(shop.path("train.toml"), "rank = 4\n").unwrap();
    let unknown = shop.train(&[]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("\"rank\""), "{}", unknown.stderr);
    std::fs::write(shop.path("train.toml"), "max_tokens = 8\n").unwrap();
    let long = shop.train(&[]).await;
    assert!(long.code == Some(1) && long.stderr.contains("more than 8 tokens"), "{}", long.stderr);
    let nothing = shop.tw(&["stop", "0123"]).await;
    assert!(nothing.code == Some(1) && nothing.stderr.contains("no such training"), "{}", nothing.stderr);
    let resume = shop.train(&["--resume"]).await;
    assert!(resume.code == Some(1) && resume.stderr.contains("tw jobs"), "{}", resume.stderr);
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_tw_leaves_the_training_at_work_for_others_to_steer() {
    let shop = Shop::open().await;
    shop.write_steps(1_000_000);
    let (base, config) = (shop.path("tiny"), shop.path("train.toml"));
    let args = ["--json", "train", "--dataset", &shop.dataset, "--base", text(&base), "--config", text(&config)];
    let mut training =
        command(&shop.workspace).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(training.stderr.take().unwrap()).lines();
    let mut id = String::new();
    within(async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if id.is_empty() {
                id = line.split_whitespace().next().unwrap().to_owned();
            }
            if line.starts_with("step 2 of") {
                break;
            }
        }
    })
    .await;
    // The workspace is open in that process: others steer the training all the same.
    let seen = shop.tw(&["--json", "job", &id]).await.json();
    assert_eq!(seen["job"]["state"].as_str(), Some("running"), "{seen}");
    signal_process(training.id().unwrap(), "INT");
    let mut rest = String::new();
    within(async {
        while let Some(line) = lines.next_line().await.unwrap() {
            rest.push_str(&line);
            rest.push('\n');
        }
    })
    .await;
    let output = within(training.wait_with_output()).await.unwrap();
    assert!(
        output.status.success() && rest.contains("goes on without this program") && rest.contains("tw stop"),
        "{rest}"
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["id"].as_str(), Some(id.as_str()));

    let until = async |wanted: &str| {
        within(async {
            loop {
                let job = shop.tw(&["--json", "job", &id]).await.json()["job"].clone();
                if job["state"].as_str() == Some(wanted) {
                    return job;
                }
            }
        })
        .await
    };
    let still = until("running").await;
    assert!(still["step"].as_u64() >= Some(2), "{still}");
    assert_eq!(shop.tw(&["pause", &id]).await.code, Some(0));
    until("paused").await;
    assert_eq!(shop.tw(&["resume", &id]).await.code, Some(0));
    until("running").await;
    assert_eq!(shop.tw(&["stop", &id]).await.code, Some(0));
    let stopped = until("stopped").await;
    // Without a window, `tw resume` itself starts the worker.
    let resumed = shop.tw(&["--json", "resume", &id]).await.json();
    assert!(["preparing", "running"].contains(&resumed["state"].as_str().unwrap()), "{resumed}");
    within(async {
        loop {
            let job = shop.tw(&["--json", "job", &id]).await.json()["job"].clone();
            if job["step"].as_u64() > stopped["step"].as_u64() {
                break;
            }
        }
    })
    .await;
    assert_eq!(shop.tw(&["stop", &id]).await.code, Some(0));
    until("stopped").await;
}
