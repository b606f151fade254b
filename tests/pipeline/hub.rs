//! The Hub over the whole app: the publish gate, pushes that are read by the official clients, pulls, downloads, faults.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tw_artifact::DatasetPlan;
use tw_contract::{
    CardChoice, Empty, ErrorCode, FileChange, HitAction, HitDecision, HitTarget, HubBrowse, HubDownload, HubEnd,
    HubJob, HubLogin, HubPull, HubRepoKind, HubRows, HubTokenSource, IdRequest, ImportFile, ImportPlan, ImportSource,
    PublishPlan, PublishWhat, RowChoice, RowQuery, RowRequest, SetSetting, TraceQuery,
};
use tw_support::drive::tw_binary;
use tw_support::hub::{Act, Fault, Kind, LoopbackHub, WRITE_TOKEN};

use crate::harness::{Desk, within};

/// A Python that has the packages of `tests/parity/requirements.txt`.
const PYTHON: &str = "TW_TEST_PYTHON";
/// A secret in a trace.
const SECRET: &str = "ghp_k9Wq2ZtB7xLm4RvN8sYc1JdF6hPgT3uEaQ5o";
/// A personal datum in every trace.
const ADDRESS: &str = "jane.doe@corp-mail.net";
/// A token that must never be seen anywhere.
const CANARY: &str = "hf_CanaryTokenThatNobodyMaySee0123456789";
const REPO: &str = "tester/rows";

fn trace_file(number: usize) -> ImportFile {
    let secret = if number == 0 { format!(" with {SECRET}") } else { String::new() };
    let text = json!({
        "timestamp": "20260101_120000",
        "model": "qwen3-test",
        "messages": [
            {"role": "user", "content": format!("Question {number} – ü from {ADDRESS}")},
            {"role": "assistant", "content": "", "reasoning_content": "I look.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": {"n": number, "deep": {"x": null}}}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "name": "look_up", "content": format!("Found {number}{secret}")},
            {"role": "assistant", "content": format!("The answer is {number}.")},
        ],
        "tools": [{"type": "function", "function": {"name": "look_up", "description": "Looks up", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}}],
    });
    ImportFile { name: format!("t{number}.json"), text: text.to_string() }
}

impl Desk {
    /// Signed in to a Hub on loopback.
    async fn at_hub(&self, hub: &LoopbackHub, token: &str) {
        let endpoint = SetSetting { key: "hub-endpoint".to_owned(), value: hub.endpoint().as_str().into() };
        self.api().setting_set(endpoint).await.unwrap();
        let status = self.api().hub_login(HubLogin { token: token.to_owned() }).await.unwrap();
        assert_eq!(status.token_from, Some(HubTokenSource::Vault));
        assert_eq!(status.account.unwrap().name, "tester");
    }

    /// A version of a dataset of so many traces.
    async fn dataset(&self, name: &str, traces: std::ops::Range<usize>) -> String {
        use base64::Engine;
        let sources = traces
            .map(trace_file)
            .map(|file| ImportSource::File {
                name: file.name,
                base64: base64::engine::general_purpose::STANDARD.encode(file.text),
            })
            .collect();
        let started = self.api().import_start(ImportPlan { sources, format: None }).await.unwrap();
        let imported = within(async {
            loop {
                let view = self.api().import_view(IdRequest { id: started.id.clone() }).await.unwrap();
                if view.ended.is_some() {
                    return view;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(imported.refused, []);
        let plan = DatasetPlan { name: name.to_owned(), ..DatasetPlan::default() };
        let build = self.api().dataset_build(plan).await.unwrap();
        within(async {
            loop {
                let view = self.api().dataset_progress(IdRequest { id: build.id.clone() }).await.unwrap();
                if let Some(ended) = view.ended {
                    assert_eq!(ended, "done");
                    return view.version.unwrap().id;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    async fn ended(&self, job: HubJob) -> HubJob {
        let mut events = self.app.events();
        within(async {
            loop {
                let view = self.api().hub_job_view(IdRequest { id: job.id.clone() }).await.unwrap();
                if view.ended.is_some() {
                    return view;
                }
                drop(events.recv().await);
            }
        })
        .await
    }

    async fn push(&self, plan: PublishPlan) -> HubJob {
        let job = self.api().publish_start(plan).await.unwrap();
        self.ended(job).await
    }
}

fn plan(version: &str) -> PublishPlan {
    PublishPlan {
        what: PublishWhat::Dataset { id: version.to_owned(), sessions: false },
        repo: REPO.to_owned(),
        private: true,
        licence: Some("apache-2.0".to_owned()),
        description: "Questions that were looked up.".to_owned(),
        card: CardChoice::Written,
        decisions: Vec::new(),
        message: String::new(),
    }
}

fn kind(kind: &str, action: HitAction) -> HitDecision {
    HitDecision { target: HitTarget::Kind(kind.to_owned()), action }
}

fn decided(version: &str) -> PublishPlan {
    let decisions = vec![kind("github-token", HitAction::Redact), kind("e-mail", HitAction::Allow)];
    PublishPlan { decisions, ..plan(version) }
}

fn done(job: &HubJob) -> &tw_contract::HubOutcome {
    match &job.ended {
        Some(HubEnd::Done(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_pushed_while_a_find_is_undecided() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 0..3).await;
    let check = desk.api().publish_check(plan(&version)).await.unwrap();
    let kinds: Vec<&str> = check.hits.iter().map(|hit| hit.kind.as_str()).collect();
    assert_eq!(kinds, ["github-token", "e-mail"], "secrets first");
    assert_eq!(check.open_hits, 2);
    assert!(!format!("{:?}", check.hits).contains(SECRET), "a find never shows its value");
    let place = &check.hits[0].places[0];
    assert!(place.path.starts_with("data/train-") && place.field.starts_with("messages["), "{place:?}");
    assert!(!check.exists && check.is_private, "{check:?}");
    assert!(check.card.contains("license: \"apache-2.0\"") && check.card.contains("`qwen3-test`"), "{}", check.card);
    let error = desk.api().publish_start(plan(&version)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Invalid, "{error:?}");
    assert!(hub.commits(Kind::Dataset, REPO).is_empty());
}

#[tokio::test]
async fn a_push_holds_what_was_decided_and_a_second_one_only_what_changed() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 0..3).await;
    let job = desk.push(decided(&version)).await;
    assert!(done(&job).url.contains("/commit/"), "{job:?}");
    let files = hub.files(Kind::Dataset, REPO);
    assert!(
        files.contains_key("README.md") && files.contains_key("data/train-00000-of-00001.parquet"),
        "{:?}",
        files.keys()
    );
    assert_eq!(hub.is_private(Kind::Dataset, REPO), Some(true));

    // What was allowed is remembered; what was redacted is asked about again.
    let check = desk.api().publish_check(plan(&version)).await.unwrap();
    let actions: Vec<_> = check.hits.iter().map(|hit| (hit.kind.as_str(), hit.action, hit.is_remembered)).collect();
    assert_eq!(actions, [("github-token", None, false), ("e-mail", Some(HitAction::Allow), true)]);
    let check = desk.api().publish_check(decided(&version)).await.unwrap();
    assert!(check.files.iter().all(|file| file.change == FileChange::Same), "the same bytes again: {:?}", check.files);
    assert_eq!(check.send_bytes, 0);
    assert_eq!(check.card_there, None, "nobody changed the card");

    // Another version: the rows and the card change, and the commit says so.
    let next = desk.dataset("Looked up", 3..5).await;
    assert_ne!(next, version);
    let job = desk.push(decided(&next)).await;
    let changed: Vec<_> = done(&job).files.iter().map(|file| (file.path.as_str(), file.change)).collect();
    assert_eq!(
        changed,
        [("README.md", FileChange::Changed), ("data/train-00000-of-00001.parquet", FileChange::Changed)]
    );
    let commits = hub.commits(Kind::Dataset, REPO);
    assert_eq!(commits.len(), 3);
    assert!(
        commits[0].title.contains("2 files changed") && commits[0].description.contains("data/train-"),
        "{commits:?}"
    );
}

#[tokio::test]
async fn a_card_that_somebody_edited_is_shown_and_can_stay() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 1..2).await;
    desk.push(decided(&version)).await;
    hub.put(Kind::Dataset, REPO, "Edited there", &[("README.md", b"# By hand\n")]);
    let check = desk.api().publish_check(decided(&version)).await.unwrap();
    assert_eq!(check.card_there.as_deref(), Some("# By hand\n"));
    let keep = PublishPlan { card: CardChoice::Keep, ..decided(&version) };
    let job = desk.push(keep).await;
    assert!(done(&job).summary.contains("nothing was sent"), "{job:?}");
    assert_eq!(hub.files(Kind::Dataset, REPO)["README.md"], b"# By hand\n");
}

#[tokio::test]
async fn a_push_that_fails_publishes_nothing_and_is_taken_up_again() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 0..2).await;
    let check = async |fault: Fault, code: ErrorCode, retryable: bool| {
        hub.fail(fault.clone().times(99));
        let job = desk.push(decided(&version)).await;
        let Some(HubEnd::Failed(error)) = &job.ended else { panic!("{fault:?}: {job:?}") };
        assert_eq!((error.code, error.retryable), (code, retryable), "{fault:?}: {error:?}");
        assert!(!error.hint.is_empty(), "{error:?}");
        let files = hub.files(Kind::Dataset, REPO);
        assert!(!files.contains_key("README.md"), "{fault:?} left {:?}", files.keys());
        hub.heal();
        job
    };
    // The storage first: what it has is not sent to it again.
    check(Fault::status("PUT /_storage", 400), ErrorCode::Hub, true).await;
    check(Fault::status("POST /_storage/verify", 404), ErrorCode::Hub, true).await;
    check(Fault::status("/commit/main", 401), ErrorCode::Hub, false).await;
    check(Fault::status("/commit/main", 403), ErrorCode::Hub, false).await;
    check(Fault::status("/commit/main", 413), ErrorCode::Hub, false).await;
    check(Fault::once("/commit/main", Act::OtherCommit), ErrorCode::Conflict, true).await;
    let slow = Act::Status { status: 429, retry_after_secs: Some(600), message: "slow down".to_owned() };
    let failed = check(Fault::once("/commit/main", slow), ErrorCode::Hub, true).await;
    let again = desk.api().hub_job_retry(IdRequest { id: failed.id }).await.unwrap();
    let again = desk.ended(again).await;
    done(&again);
    assert!(hub.files(Kind::Dataset, REPO).contains_key("README.md"));
}

#[tokio::test]
async fn a_name_that_is_taken_is_told_so() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 1..2).await;
    hub.fail(Fault::status("POST /api/repos/create", 409).times(9));
    let job = desk.push(decided(&version)).await;
    let Some(HubEnd::Failed(error)) = &job.ended else { panic!("{job:?}") };
    assert_eq!(error.code, ErrorCode::Conflict);
    assert!(error.message.contains("taken") && error.hint.contains("another name"), "{error:?}");
}

#[tokio::test]
async fn a_push_can_be_cancelled_and_leaves_nothing() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 1..2).await;
    hub.fail(Fault::once("PUT /_storage", Act::Hang));
    let job = desk.api().publish_start(decided(&version)).await.unwrap();
    within(async {
        while !hub.seen().iter().any(|seen| seen.request.starts_with("PUT")) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    desk.api().hub_job_cancel(IdRequest { id: job.id.clone() }).await.unwrap();
    let job = desk.ended(job).await;
    assert_eq!(job.ended, Some(HubEnd::Cancelled));
    assert_eq!(hub.commits(Kind::Dataset, REPO).len(), 1, "the repository's own first commit");
    assert!(std::fs::read_dir(desk.workspace().join("publish")).unwrap().next().is_none(), "nothing is left of it");
}

#[tokio::test]
async fn what_was_pushed_is_pulled_again_whole_or_the_rows_wanted() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 0..4).await;
    let with_sessions =
        PublishPlan { what: PublishWhat::Dataset { id: version.clone(), sessions: true }, ..decided(&version) };
    desk.push(with_sessions).await;
    let rows = desk.api().dataset_rows(RowQuery { id: version, ..RowQuery::default() }).await.unwrap();

    let other = Desk::open().await;
    other.at_hub(&hub, WRITE_TOKEN).await;
    let listing = other.api().hub_browse(HubBrowse { repo: REPO.to_owned(), ..HubBrowse::default() }).await.unwrap();
    let names: Vec<&str> = listing.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["data", "sessions", ".gitattributes", "README.md"]);
    assert_eq!(listing.licence, "apache-2.0");
    let splits: Vec<_> = listing.splits.iter().map(|split| (split.config.as_str(), split.split.as_str())).collect();
    assert_eq!(splits, [("default", "train"), ("sessions", "train")]);

    let job = other.api().hub_pull_start(HubPull { repo: REPO.to_owned(), ..HubPull::default() }).await.unwrap();
    let job = other.ended(job).await;
    assert_eq!(done(&job).traces.len(), usize::try_from(rows.total).unwrap(), "{job:?}");
    let some = HubPull {
        repo: REPO.to_owned(),
        files: vec!["data/train-00000-of-00001.parquet".to_owned()],
        rows: RowChoice::These(vec![0, 2]),
        ..HubPull::default()
    };
    let job = other.api().hub_pull_start(some).await.unwrap();
    let job = other.ended(job).await;
    assert_eq!((done(&job).traces.len(), done(&job).refused_count), (2, 0), "{job:?}");
    let page = other.api().trace_list(TraceQuery::default()).await.unwrap();
    assert_eq!(page.total, rows.total + 2);
    assert!(std::fs::read_dir(other.workspace().join("pulled")).unwrap().next().is_none(), "nothing is left of it");
}

#[tokio::test]
async fn rows_of_a_large_file_are_seen_without_fetching_it() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let mut lines = String::new();
    for number in 0..20_000 {
        lines.push_str(
            &json!({"messages": [{"role": "user", "content": "x".repeat(500)}], "number": number}).to_string(),
        );
        lines.push('\n');
    }
    hub.put(Kind::Dataset, "tester/large", "Lines", &[("rows.jsonl", lines.as_bytes())]);
    let request =
        HubRows { repo: "tester/large".to_owned(), path: "rows.jsonl".to_owned(), limit: 5, ..HubRows::default() };
    let page = desk.api().hub_rows(request.clone()).await.unwrap();
    assert_eq!((page.rows.len(), page.has_more, page.total), (5, true, None));
    assert_eq!(page.columns, ["messages", "number"]);
    assert_eq!(page.file_bytes, lines.len() as u64);
    assert!(page.read_bytes < 600_000, "{} bytes for five rows", page.read_bytes);
    assert!(!page.format.is_empty());
    let page = desk.api().hub_rows(HubRows { offset: 100, ..request }).await.unwrap();
    assert_eq!(page.rows[0].get("number").and_then(tw_artifact::Json::as_i64), Some(100));
}

#[tokio::test]
async fn a_model_is_downloaded_gone_on_with_and_checked() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let weights = vec![5_u8; 3_000_000];
    let files: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        ("model.safetensors", &weights),
        ("pytorch_model.bin", b"not this"),
        ("LICENSE", b"MIT"),
    ];
    hub.put(Kind::Model, "base/small", "Weights", files);
    let request = HubDownload { kind: HubRepoKind::Model, repo: "base/small".to_owned(), ..HubDownload::default() };
    hub.fail(Fault::once("GET /_storage", Act::Cut { after_bytes: 1_000_000 }));
    hub.fail(Fault::once("GET /_storage", Act::Corrupt));
    let job = desk.api().hub_download_start(request).await.unwrap();
    let job = desk.ended(job).await;
    let Some(HubEnd::Failed(error)) = &job.ended else { panic!("{job:?}") };
    assert!(error.retryable && error.message.contains("checksum"), "{error:?}");
    let job = desk.api().hub_job_retry(IdRequest { id: job.id }).await.unwrap();
    let job = desk.ended(job).await;
    let folder = desk.workspace().join("models/base--small");
    assert_eq!(done(&job).folder.as_deref(), Some(folder.as_str()));
    assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), weights);
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["LICENSE", "config.json", "model.safetensors"]);
}

/// Every file below a folder that holds the text.
fn holding(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        {
            found.push(path.display().to_string());
        }
    }
}

#[tokio::test]
async fn the_token_is_nowhere_but_in_the_vault_and_on_its_way_to_the_hub() {
    let hub = LoopbackHub::start().await.unwrap();
    hub.add_token(CANARY, "tester", true);
    let desk = Desk::open().await;
    let mut events = desk.app.events();
    desk.at_hub(&hub, CANARY).await;
    assert!(!format!("{:?}", HubLogin { token: CANARY.to_owned() }).contains(CANARY));
    let version = desk.dataset("Looked up", 0..2).await;
    let sessions =
        PublishPlan { what: PublishWhat::Dataset { id: version.clone(), sessions: true }, ..decided(&version) };
    let job = desk.push(sessions).await;
    done(&job);
    let status = desk.api().hub_status(Empty {}).await.unwrap();
    let mut said = format!("{job:?} {status:?} {:?}", desk.api().hub_job_list(Empty {}).await.unwrap());
    while let Ok(event) = events.try_recv() {
        said.push_str(&format!("{event:?}"));
    }
    assert!(!said.contains(CANARY), "an answer or an event tells the token");
    let mut found = Vec::new();
    holding(desk.dir.path(), CANARY, &mut found);
    assert_eq!(found, Vec::<String>::new());
    for (path, bytes) in hub.files(Kind::Dataset, REPO) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(CANARY), "{path}");
        assert!(!text.contains(SECRET), "{path} has what was redacted");
    }
    let strangers = hub.seen().into_iter().filter(|seen| seen.request.contains("/_storage/") && seen.token.is_some());
    assert_eq!(strangers.filter(|seen| !seen.request.contains("verify")).count(), 0, "the storage never sees it");
    let status = desk.api().hub_logout(Empty {}).await.unwrap();
    assert_ne!(status.token_from, Some(HubTokenSource::Vault));
}

fn plain_tw(workspace: &Path) -> Command {
    let mut command = Command::new(tw_binary().expect("tw is built"));
    command.arg("--workspace").arg(workspace).arg("--json").env("TRACEWRIGHT_VAULT", "memory");
    command.env_remove("RUST_LOG").kill_on_drop(true);
    command
}

fn tw(workspace: &Path, hub: &LoopbackHub, args: &[&str]) -> Command {
    let mut command = plain_tw(workspace);
    command.arg("hub").args(args).env("HF_ENDPOINT", hub.endpoint()).env("HF_TOKEN", WRITE_TOKEN);
    command
}

#[tokio::test]
async fn the_command_line_pushes_pulls_and_downloads() {
    let hub = LoopbackHub::start().await.unwrap();
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    let mut files = Vec::new();
    for file in (0..2).map(trace_file) {
        files.push(dir.path().join(&file.name).to_str().unwrap().to_owned());
        std::fs::write(dir.path().join(&file.name), file.text).unwrap();
    }
    let said = within(plain_tw(&workspace).arg("import").args(&files).output()).await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let build = ["dataset", "build", "--name", "Looked up"];
    let said = within(plain_tw(&workspace).args(build).output()).await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = within(plain_tw(&workspace).args(["dataset", "list"]).output()).await.unwrap();
    let versions: Value = serde_json::from_slice(&said.stdout).unwrap();
    let version = versions[0]["id"].as_str().unwrap().to_owned();

    let said = within(tw(&workspace, &hub, &["whoami"]).output()).await.unwrap();
    let who: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((who["account"]["name"].as_str(), &who["token_from"]), (Some("tester"), &json!("environment")));

    let push = ["push", "dataset", &version[..12], "--repo", REPO, "--licence", "mit"];
    let said = within(tw(&workspace, &hub, &push).output()).await.unwrap();
    assert_eq!(said.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(errors.contains("undecided") && errors.contains("github-token") && !errors.contains(SECRET), "{errors}");
    assert!(hub.commits(Kind::Dataset, REPO).is_empty());
    let decided = [push.as_slice(), &["--redact", "all", "--public"][..]].concat();
    let said = within(tw(&workspace, &hub, &decided).output()).await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(hub.is_private(Kind::Dataset, REPO), Some(false));

    let other = dir.path().join("other");
    let said = within(tw(&other, &hub, &["pull", REPO, "--first", "2"]).output()).await.unwrap();
    let pulled: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(pulled["traces"].as_array().map(Vec::len), Some(2), "{}", String::from_utf8_lossy(&said.stderr));

    hub.put(Kind::Model, "base/small", "Weights", &[("model.safetensors", b"weights"), ("config.json", b"{}")]);
    let out = dir.path().join("model");
    let said =
        within(tw(&other, &hub, &["download", "base/small", "--out", out.to_str().unwrap()]).output()).await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(std::fs::read(out.join("model.safetensors")).unwrap(), b"weights");
}

/// Runs the official clients against the Hub; `None` where they are not there.
async fn official(hub: &LoopbackHub, args: &[&str]) -> Option<Value> {
    let Some(python) = std::env::var_os(PYTHON) else {
        eprintln!("skipped: {PYTHON} names no Python with the packages of tests/parity/requirements.txt");
        return None;
    };
    let home = TempDir::new().unwrap();
    let client = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/hub_client.py"))
        .args(args)
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", WRITE_TOKEN)
        .env("HF_HOME", home.path())
        .env("HF_HUB_DISABLE_XET", "1")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(240), client).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the official clients failed:\n{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_official_clients_work_with_the_double_of_the_hub() {
    let hub = LoopbackHub::start().await.unwrap();
    let Some(report) = official(&hub, &["round-trip"]).await else { return };
    assert_eq!(report["commits"], json!(["Second", "First", "initial commit"]));
    for yes in ["moved", "same_weights", "no_entry", "no_repo", "rows_equal"] {
        assert_eq!(report[yes], true, "{yes}: {report}");
    }
    assert_eq!(report["tree"], json!([".gitattributes", "README.md", "config.json", "deep", "deep/model.safetensors"]));
    assert_eq!(report["streamed"], json!(["row-0", "row-1", "row-2"]));
    assert_eq!((&report["licence"], &report["left"]), (&json!("mit"), &json!(false)));
}

#[tokio::test]
async fn python_reads_the_rows_that_the_app_showed() {
    let hub = LoopbackHub::start().await.unwrap();
    let desk = Desk::open().await;
    desk.at_hub(&hub, WRITE_TOKEN).await;
    let version = desk.dataset("Looked up", 1..5).await;
    let plan = PublishPlan { what: PublishWhat::Dataset { id: version.clone(), sessions: true }, ..decided(&version) };
    done(&desk.push(plan).await);
    let Some(read) = official(&hub, &["rows", REPO, "default"]).await else { return };
    let query = RowQuery { id: version.clone(), ..RowQuery::default() };
    let shown = desk.api().dataset_rows(query).await.unwrap().rows;
    let rows = read["train"].as_array().unwrap();
    assert_eq!(rows.len(), shown.len());
    for (row, summary) in rows.iter().zip(&shown) {
        assert_eq!(row["id"], summary.id.as_str());
        let request = RowRequest { id: version.clone(), row: summary.id.clone() };
        let whole = desk.api().dataset_row(request).await.unwrap();
        let messages: Vec<Value> =
            whole.messages.iter().map(|message| tw_artifact::Json::from(message.message.clone()).to_value()).collect();
        assert_eq!(row["messages"], Value::Array(messages), "{}", summary.id);
        let tools: Vec<Value> = whole.tools.iter().map(|tool| tool.0.to_value()).collect();
        assert_eq!(row["tools"], Value::Array(tools), "{}", summary.id);
    }
    let sessions = official(&hub, &["rows", REPO, "sessions"]).await.unwrap();
    let lines = sessions["train"].as_array().unwrap();
    let begun = lines.iter().filter(|line| line["type"] == "session").count();
    assert_eq!((begun, lines.len()), (4, 4 * 5), "each trace, and each of its four messages: {sessions}");
}
