//! `tw dataset`: versions are built, listed, shown, compared, written for other tools and removed.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{letters, tw};
use crate::pipeline::trace;

/// A workspace with two traces: of four rows and of three.
async fn workspace(dir: &Path) -> std::path::PathBuf {
    let workspace = dir.join("workspace");
    for (name, subject, steps) in [("shoes.json", "shoes", 3), ("maps.json", "maps", 2)] {
        std::fs::write(dir.join(name), trace(subject, steps).to_string()).unwrap();
        let imported = tw(&workspace, &["import", dir.join(name).to_str().unwrap()]).await;
        assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    }
    workspace
}

/// What a command prints as JSON, once it went well.
async fn said(workspace: &Path, args: &[&str]) -> Value {
    let all = [&["--json", "dataset"][..], args].concat();
    let said = tw(workspace, &all).await;
    assert_eq!(said.code, Some(0), "{args:?}: {}", said.stderr);
    said.json()
}

async fn refused(workspace: &Path, args: &[&str]) -> (Option<i32>, String) {
    let said = tw(workspace, &[&["dataset"][..], args].concat()).await;
    assert!(said.stdout.is_empty(), "{args:?}: {}", said.stdout);
    (said.code, said.stderr)
}

#[tokio::test]
async fn the_options_of_a_build_say_what_is_in_the_version() {
    let dir = TempDir::new().unwrap();
    let workspace = workspace(dir.path()).await;
    let model = dir.path().join("model");
    letters(&model);
    let model = model.to_str().unwrap();

    let dry = said(&workspace, &["build", "--name", "finds", "--dry-run"]).await;
    assert_eq!((&dry["train"]["rows"], &dry["estimated"]), (&json!(7), &json!(true)), "{dry}");
    assert_eq!(said(&workspace, &["list"]).await, json!([]), "a dry run writes nothing");

    let built = said(&workspace, &["build", "--name", "finds"]).await;
    assert_eq!((&built["train"]["rows"], &built["was_there"]), (&json!(7), &json!(false)), "{built}");
    assert_eq!((&built["unroll"], &built["train_on"], &built["model"]), (&json!("step"), &json!("last"), &Value::Null));
    let again = said(&workspace, &["build", "--name", "finds"]).await;
    assert_eq!((&again["id"], &again["was_there"]), (&built["id"], &json!(true)));

    // The query and every option that cli.md names.
    let args = ["build", "shoes", "--name", "shoes", "--unroll", "none", "--train", "all", "--tokenizer", model];
    let args = [&args[..], &["--max-tokens", "100000", "--val-fraction", "0", "--seed", "5"]].concat();
    let whole = said(&workspace, &args).await;
    assert_eq!((&whole["train"]["rows"], &whole["train"]["traces"]), (&json!(1), &json!(1)), "{whole}");
    assert_eq!((&whole["unroll"], &whole["train_on"]), (&json!("none"), &json!("all")));
    assert_eq!(whole["model"]["name"], "model");
    let shown = said(&workspace, &["show", &whole["id"].as_str().unwrap()[..8]]).await;
    assert_eq!(shown["plan"]["traces"], json!({"query": "shoes"}), "{shown}");
    assert_eq!((&shown["plan"]["max_tokens"], &shown["plan"]["seed"]), (&json!(100_000), &json!(5)));

    let user = said(&workspace, &["build", "--name", "u", "--unroll", "user", "--train", "turn"]).await;
    let minimal = said(&workspace, &["build", "--name", "m", "--unroll", "minimal"]).await;
    assert_eq!((&user["train"]["rows"], &minimal["train"]["rows"]), (&json!(2), &json!(2)));
    let split = said(&workspace, &["build", "--name", "parts", "--val-fraction", "0.5", "--seed", "1"]).await;
    let rows = |part: &str| split[part]["rows"].as_u64().unwrap();
    assert!(rows("train") + rows("validation") == 7 && rows("validation") >= 3, "{split}");
    // 5 letters hold no row.
    let (code, why) =
        refused(&workspace, &["build", "--name", "none", "--tokenizer", model, "--max-tokens", "5"]).await;
    assert!(code == Some(1) && why.contains("o row came of"), "{why}");
}

#[tokio::test]
async fn versions_are_listed_shown_compared_and_removed() {
    let dir = TempDir::new().unwrap();
    let workspace = workspace(dir.path()).await;
    let id = async |args: &[&str]| said(&workspace, args).await["id"].as_str().unwrap().to_owned();
    let first = id(&["build", "--name", "finds"]).await;
    let second = id(&["build", "shoes", "--name", "finds", "--keep-duplicates"]).await;
    let listed = said(&workspace, &["list"]).await;
    let ids: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|version| version["id"].as_str()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()], "the newest first");
    let text = tw(&workspace, &["dataset", "list"]).await.stdout;
    assert!(text.lines().count() == 2 && text.contains("finds  7 + 0 rows"), "{text}");

    let shown = said(&workspace, &["show", &first[..10]]).await;
    assert_eq!((&shown["version"]["id"], &shown["changed"]), (&json!(first), &json!(0)));
    let files: Vec<&str> = shown["files"].as_array().unwrap().iter().filter_map(|file| file["name"].as_str()).collect();
    assert_eq!(files, ["train.parquet", "rows.parquet"]);
    for name in files {
        assert!(Path::new(shown["folder"].as_str().unwrap()).join(name).is_file(), "{name}");
    }

    let diff = said(&workspace, &["diff", &first[..10], &second]).await;
    assert_eq!((&diff["rows_removed"], &diff["rows_same"], &diff["rows_added"]), (&json!(3), &json!(4), &json!(0)));
    let settings: Vec<&str> =
        diff["settings"].as_array().unwrap().iter().filter_map(|setting| setting[0].as_str()).collect();
    assert_eq!(settings.len(), 2, "the traces and the duplicates: {settings:?}");
    let text = tw(&workspace, &["dataset", "diff", &first, &second]).await.stdout;
    assert!(text.contains("3 went") && text.contains("4 are the same"), "{text}");

    let removed = tw(&workspace, &["dataset", "delete", &second[..10]]).await;
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert_eq!(said(&workspace, &["list"]).await.as_array().map(Vec::len), Some(1));
    assert!(!workspace.join("datasets").join(&second).exists());
}

#[tokio::test]
async fn a_version_is_written_in_every_format_of_the_command_line() {
    let dir = TempDir::new().unwrap();
    let workspace = workspace(dir.path()).await;
    let model = dir.path().join("model");
    letters(&model);
    let model = model.to_str().unwrap();
    let built = said(&workspace, &["build", "--name", "finds", "--tokenizer", model]).await;
    let id = &built["id"].as_str().unwrap()[..12];
    for format in ["parquet", "jsonl", "trl", "axolotl", "openai", "sharegpt", "tokens"] {
        let ending = if ["parquet", "tokens"].contains(&format) { "parquet" } else { "jsonl" };
        let out = dir.path().join("out").join(format!("{format}.{ending}"));
        let done = said(&workspace, &["export", id, "--format", format, "--out", out.to_str().unwrap()]).await;
        assert_eq!(done["rows"], 7, "{format}: {done}");
        let bytes = std::fs::read(&out).unwrap();
        if ending == "parquet" {
            assert_eq!(&bytes[..4], b"PAR1");
            continue;
        }
        let text = String::from_utf8(bytes).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let column = if format == "sharegpt" { "conversations" } else { "messages" };
        assert!(rows.len() == 7 && rows.iter().all(|row| row[column].is_array()), "{format}: {}", rows[0]);
    }
}

#[tokio::test]
async fn what_a_person_gets_wrong_is_told_with_the_right_exit_code() {
    let dir = TempDir::new().unwrap();
    let workspace = workspace(dir.path()).await;
    let built = said(&workspace, &["build", "--name", "finds"]).await;
    let id = built["id"].as_str().unwrap();
    for args in [
        &["build"][..],
        &["build", "--name", "x", "--unroll", "sideways"],
        &["build", "--name", "x", "--seed", "many"],
        &["show"],
        &["export", id],
        &["diff", id],
    ] {
        assert_eq!(refused(&workspace, args).await.0, Some(2), "{args:?}");
    }
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    for (args, why) in [
        (&["show", "ffffffff"][..], "no dataset version"),
        (&["delete", "ffffffff"], "no dataset version"),
        (&["diff", id, "ffffffff"], "no dataset version"),
        (&["export", id, "--format", "csv", "--out", out], "csv"),
        (&["export", id, "--format", "tokens", "--out", out], "model"),
        (&["build", "--name", "x", "--tokenizer", "/nowhere/at/all"], "model"),
        (&["build", "--name", "x", "--kwargs", "[1"], "--kwargs"),
        (&["build", "--name", "x", "--val-fraction", "2"], "validation"),
        (&["build", "--name", " "], "name"),
    ] {
        let (code, said) = refused(&workspace, args).await;
        assert!(code == Some(1) && said.contains(why), "{args:?}: {code:?} {said}");
    }
    assert!(!Path::new(out).exists(), "nothing is written of what is refused");
    assert_eq!(said(&workspace, &["list"]).await.as_array().map(Vec::len), Some(1));
}
