//! `tw hub`: who is signed in, pushes, pulls and downloads, against the double of the Hub.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tw_support::hub::{Kind, LoopbackHub, READ_TOKEN, WRITE_TOKEN};

use super::{Said, command, tw};
use crate::harness::within;
use crate::pipeline::trace;

const REPO: &str = "tester/finds";
/// Who is named in the trace.
const ADDRESS: &str = "ada@lovelace-mill.org";

/// `tw hub` with this token, and none that this machine may have.
async fn hub(hub: &LoopbackHub, workspace: &Path, token: Option<&str>, args: &[&str]) -> Said {
    let mut command = command(workspace);
    command.args(["--json", "hub"]).args(args).env("HF_ENDPOINT", hub.endpoint());
    command.env("HF_HOME", workspace.join("no-home")).env_remove("HF_TOKEN").env_remove("HF_TOKEN_PATH");
    if let Some(token) = token {
        command.env("HF_TOKEN", token);
    }
    let output = within(command.output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A workspace with a version of a dataset; its id.
async fn built(workspace: &Path, dir: &Path) -> String {
    let mut file = trace("shoes", 2);
    file["messages"][1]["content"] = format!("Find shoes and tell {ADDRESS}").into();
    std::fs::write(dir.join("shoes.json"), file.to_string()).unwrap();
    let imported = tw(workspace, &["import", dir.join("shoes.json").to_str().unwrap()]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let built = tw(workspace, &["--json", "dataset", "build", "--name", "finds"]).await;
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    built.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoami_says_who_it_is_or_why_nobody() {
    let there = LoopbackHub::start().await.unwrap();
    let dir = TempDir::new().unwrap();
    let said = hub(&there, dir.path(), Some(WRITE_TOKEN), &["whoami"]).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let who = said.json();
    assert_eq!((&who["account"]["name"], &who["account"]["can_write"]), (&json!("tester"), &json!(true)));
    assert_eq!(who["token_from"], "environment");
    let who = hub(&there, dir.path(), Some(READ_TOKEN), &["whoami"]).await.json();
    assert_eq!(who["account"]["can_write"], false);
    let nobody = hub(&there, dir.path(), None, &["whoami"]).await;
    assert!(nobody.code == Some(1) && nobody.stderr.contains("HF_TOKEN"), "{}", nobody.stderr);
    let wrong = hub(&there, dir.path(), Some("hf_wrong"), &["whoami"]).await;
    assert!(wrong.code == Some(1) && wrong.stdout.is_empty(), "{}", wrong.stdout);
    assert!(!wrong.stderr.contains("hf_wrong"), "a token is never said: {}", wrong.stderr);
}

#[tokio::test]
async fn a_push_is_checked_decided_made_and_remembered_with_the_version() {
    let there = LoopbackHub::start().await.unwrap();
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    let id = built(&workspace, dir.path()).await;
    let push = async |args: &[&str]| {
        let all = [&["push", "dataset", &id[..12], "--repo", REPO][..], args].concat();
        hub(&there, &workspace, Some(WRITE_TOKEN), &all).await
    };
    let check = push(&["--check"]).await.json();
    assert_eq!((&check["open_hits"], &check["exists"], &check["is_private"]), (&json!(1), &json!(false), &json!(true)));
    let undecided = push(&[]).await;
    assert!(undecided.code == Some(1) && undecided.stderr.contains("e-mail"), "{}", undecided.stderr);
    assert!(!undecided.stderr.contains(ADDRESS) && there.commits(Kind::Dataset, REPO).is_empty());
    let may_not = ["push", "dataset", &id[..12], "--repo", REPO, "--redact", "all"];
    let may_not = hub(&there, &workspace, Some(READ_TOKEN), &may_not).await;
    assert!(may_not.code == Some(1) && may_not.stdout.is_empty(), "{}", may_not.stdout);

    let options = ["--redact", "e-mail", "--licence", "mit", "--description", "Shoes.", "--message", "The first"];
    let pushed = push(&[&options[..], &["--sessions"]].concat()).await;
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let commit = pushed.json()["commit"].as_str().unwrap().to_owned();
    let files = there.files(Kind::Dataset, REPO);
    assert!(files.keys().any(|path| path.starts_with("sessions/")), "{:?}", files.keys());
    let card = String::from_utf8(files["README.md"].clone()).unwrap();
    assert!(card.contains("license: \"mit\"") && card.contains("Shoes."), "{card}");
    assert_eq!(there.is_private(Kind::Dataset, REPO), Some(true), "private where nobody said otherwise");
    assert_eq!(there.commits(Kind::Dataset, REPO)[0].title, "The first");

    // The version knows where it is. What is there already is not a second push.
    let versions = async || tw(&workspace, &["--json", "dataset", "list"]).await.json();
    let known = versions().await;
    let pushes = known[0]["pushes"].as_array().unwrap();
    assert_eq!((pushes.len(), &pushes[0]["repo"], &pushes[0]["commit"]), (1, &json!(REPO), &json!(commit)), "{known}");
    let link = format!("{}/datasets/{REPO}/tree/{commit}", there.endpoint().trim_end_matches('/'));
    assert_eq!(pushes[0]["url"], link);
    let same = push(&["--redact", "e-mail", "--licence", "mit", "--description", "Shoes.", "--sessions"]).await;
    assert_eq!(same.code, Some(0), "{}", same.stderr);
    assert_eq!(versions().await[0]["pushes"].as_array().map(Vec::len), Some(1));
    let shown = tw(&workspace, &["dataset", "show", &id[..12]]).await.stdout;
    assert!(shown.contains(&link), "{shown}");

    // Elsewhere, for everybody, with the address as it is, and the card of there.
    let public = ["push", "dataset", &id[..12], "--repo", "test-org/finds", "--public", "--allow", "all"];
    let public = hub(&there, &workspace, Some(WRITE_TOKEN), &public).await;
    assert_eq!(public.code, Some(0), "{}", public.stderr);
    assert_eq!(there.is_private(Kind::Dataset, "test-org/finds"), Some(false));
    let pushes = versions().await[0]["pushes"].clone();
    let repos: Vec<&str> = pushes.as_array().unwrap().iter().filter_map(|push| push["repo"].as_str()).collect();
    assert_eq!(repos, ["test-org/finds", REPO], "the last one first");
    // Built again from the same, it is the version that was pushed.
    assert_eq!(tw(&workspace, &["dataset", "delete", &id]).await.code, Some(0));
    let again = tw(&workspace, &["--json", "dataset", "build", "--name", "finds"]).await.json();
    assert_eq!((again["id"].as_str(), versions().await[0]["pushes"].clone()), (Some(id.as_str()), pushes));

    there.put(Kind::Dataset, REPO, "By hand", &[("README.md", b"# By hand\n")]);
    let kept = push(&["--allow", "all", "--keep-card"]).await;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    assert_eq!(there.files(Kind::Dataset, REPO)["README.md"], b"# By hand\n");
}

#[tokio::test]
async fn what_cannot_be_pushed_is_told() {
    let there = LoopbackHub::start().await.unwrap();
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    let id = built(&workspace, dir.path()).await;
    let push = async |args: &[&str]| hub(&there, &workspace, Some(WRITE_TOKEN), &[&["push"][..], args].concat()).await;
    assert_eq!(push(&["picture", &id, "--repo", REPO]).await.code, Some(2));
    assert_eq!(push(&["dataset", &id]).await.code, Some(2));
    for (args, why) in [
        (&["dataset", "ffffffff", "--repo", REPO][..], "ffffffff"),
        (&["dataset", &id, "--repo", "no slash"], "no slash"),
    ] {
        let said = push(args).await;
        assert!(said.code == Some(1) && said.stderr.contains(why), "{args:?}: {}", said.stderr);
    }
    assert!(there.commits(Kind::Dataset, REPO).is_empty());
}

#[tokio::test]
async fn rows_are_pulled_as_traces_and_models_downloaded() {
    let there = LoopbackHub::start().await.unwrap();
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    let mut lines = String::new();
    for number in 0..4 {
        let messages = json!([
            {"role": "user", "content": format!("Question {number}")},
            {"role": "assistant", "content": format!("Answer {number}")},
        ]);
        lines.push_str(&format!("{}\n", json!({ "messages": messages })));
    }
    there.put(Kind::Dataset, "tester/talk", "Rows", &[("train.jsonl", lines.as_bytes()), ("other.jsonl", b"{}\n")]);
    let ask = async |args: &[&str]| hub(&there, &workspace, Some(READ_TOKEN), args).await;
    let args = ["pull", "tester/talk", "--file", "train.jsonl", "--first", "3", "--format", "openai"];
    let pulled = ask(&args).await;
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(pulled.json()["traces"].as_array().map(Vec::len), Some(3), "{}", pulled.stdout);
    assert_eq!(tw(&workspace, &["--json", "list"]).await.json().as_array().map(Vec::len), Some(3));
    let missing = ask(&["pull", "tester/talk", "--revision", "v9"]).await;
    assert!(missing.code == Some(1) && missing.stdout.is_empty(), "{}", missing.stdout);

    let weights = vec![7_u8; 300_000];
    let files: &[(&str, &[u8])] =
        &[("config.json", b"{}"), ("model.safetensors", &weights), ("pytorch_model.bin", b"not this")];
    there.put(Kind::Model, "base/small", "Weights", files);
    let out = dir.path().join("model");
    let here = out.to_str().unwrap();
    let done = ask(&["download", "base/small", "--out", here]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(std::fs::read(out.join("model.safetensors")).unwrap(), weights);
    assert!(!out.join("pytorch_model.bin").exists(), "only what is used here");
    // What is there is not fetched again.
    there.forget_seen();
    assert_eq!(ask(&["download", "base/small", "--out", here, "--all"]).await.code, Some(0));
    assert!(out.join("pytorch_model.bin").is_file());
    let fetched = there.seen().into_iter().filter(|seen| seen.request.contains("model.safetensors"));
    assert_eq!(fetched.filter(|seen| seen.request.starts_with("GET")).count(), 0);
    let rows = dir.path().join("rows");
    let args = ["download", "tester/talk", "--dataset", "--out", rows.to_str().unwrap(), "--revision", "main"];
    let done: Value = ask(&args).await.json();
    assert!(rows.join("train.jsonl").is_file(), "{done}");
    let nothing = ask(&["download", "base/none", "--out", here]).await;
    assert!(nothing.code == Some(1) && nothing.stderr.contains("base/none"), "{}", nothing.stderr);
}
