//! `tw` as scripts use it: exit codes, one JSON document on stdout, and a server that answers its own pages alone.

mod dataset;
mod hub;
mod train;

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tw_support::drive::tw_binary;
use tw_support::endpoint::{MODEL, ScriptedEndpoint, answer};

use crate::harness::within;

/// What a command said and how it ended.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {:?} {}", self.stdout, self.stderr))
    }
}

fn command(workspace: &Path) -> Command {
    let mut command = Command::new(tw_binary().expect("tw is built"));
    command
        .arg("--workspace")
        .arg(workspace)
        .env("TRACEWRIGHT_VAULT", "memory")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn tw(workspace: &Path, args: &[&str]) -> Said {
    let output = within(command(workspace).args(args).output()).await.unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const TRACE: &str = r#"{"timestamp":"20250529_195610","model":"m","rating":4.50,"messages":[{"role":"user","content":"Read the page"},{"role":"assistant","content":"\n\n","tool_calls":[{"id":"c1","type":"function","function":{"name":"go","arguments":"{\"n\": 1.0}"}}]},{"role":"tool","tool_call_id":"c1","content":"cheddar"}],"tools":[]}"#;

#[tokio::test]
async fn traces_are_imported_listed_shown_and_exported() {
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    std::fs::write(dir.path().join("good.json"), TRACE).unwrap();
    std::fs::write(dir.path().join("bad.json"), r#"{"messages":[{"role":"robot"}]}"#).unwrap();
    let imported = tw(&workspace, &["--json", "import", dir.path().to_str().unwrap()]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    let report = imported.json();
    assert_eq!(report["imported"].as_array().map(Vec::len), Some(1), "{report}");
    let reason = report["refused"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("Message 1") && reason.contains("robot"), "{reason}");

    let listed = tw(&workspace, &["--json", "list", "cheddar"]).await.json();
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(tw(&workspace, &["--json", "list", "gouda"]).await.json(), json!([]));
    let shown = tw(&workspace, &["show", &id]).await;
    assert!(shown.stdout.contains("cheddar"), "{}", shown.stdout);
    let missing = tw(&workspace, &["show", "nothing"]).await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.stdout.is_empty() && missing.stderr.contains("no trace"), "{}", missing.stderr);

    let out = dir.path().join("out");
    assert_eq!(tw(&workspace, &["export", "--out", out.to_str().unwrap()]).await.code, Some(0));
    let text = std::fs::read_to_string(out.join("Read_the_page_20250529_195610.json")).unwrap();
    let exported = tw_artifact::Json::parse(&text).unwrap().to_text();
    assert_eq!(exported, TRACE.replace(r#""{\"n\": 1.0}""#, r#"{"n":1.0}"#), "the same but for the arguments");
}

#[tokio::test]
async fn wrong_usage_and_failures_have_their_own_exit_codes() {
    let dir = TempDir::new().unwrap();
    assert_eq!(tw(dir.path(), &["dance"]).await.code, Some(2));
    let args =
        ["run", "--task", "t", "--endpoint", "http://127.0.0.1:9", "--model", "m", "--api-key-env", "TW_NO_SUCH"];
    let run = tw(dir.path(), &args).await;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("TW_NO_SUCH"), "{}", run.stderr);
}

#[tokio::test]
async fn a_run_prints_its_trace_and_the_doctor_its_findings() {
    let dir = TempDir::new().unwrap();
    let endpoint = ScriptedEndpoint::start([answer().content("Hello")]).await.unwrap();
    let url = endpoint.base_url();
    let run = tw(dir.path(), &["--json", "run", "--task", "Greet", "--endpoint", &url, "--model", MODEL]).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let id = run.json()[0]["id"].as_str().unwrap().to_owned();
    let shown = tw(dir.path(), &["--json", "show", &id]).await.json();
    assert_eq!(shown["messages"][1]["message"]["content"], "Hello");
    let report = tw(dir.path(), &["--json", "doctor", "--endpoint", &url, "--model", "another"]).await.json();
    let model = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "model").unwrap();
    assert_eq!(model["status"], "bad", "{report}");
    assert!(report["serve"]["vllm"].as_str().is_some_and(|line| line.contains("--enable-auto-tool-choice")));
}

#[tokio::test]
async fn what_a_person_answers_to_servers_is_not_logged_unless_their_library_is_named() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("mcp.json");
    let server = tw_support::mcp::fake_server_path().unwrap();
    std::fs::write(&config, json!({ "mcpServers": { "fake": { "command": server } } }).to_string()).unwrap();
    // The library writes down what it answers to a server's question: that may be a person's form.
    let logged = async |filter: &str| {
        let endpoint =
            ScriptedEndpoint::start([answer().call("c1", "ask_roots", &json!({})), answer().content("Done")]).await;
        let url = endpoint.as_ref().map(ScriptedEndpoint::base_url).unwrap();
        let args =
            ["--quiet", "run", "--task", "Go", "--endpoint", &url, "--model", MODEL, "--approve", "all", "--mcp"];
        let mut run = command(&dir.path().join("workspace"));
        let output = within(run.args(args).arg(&config).env("RUST_LOG", filter).output()).await.unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{log}");
        log
    };
    let log = logged("debug").await;
    assert!(!log.is_empty() && !log.contains("response message"), "{log}");
    let log = logged("debug,rmcp=debug").await;
    assert!(log.contains("response message"), "what is kept out otherwise: {log}");
}

/// `tw serve` and the address that it printed.
async fn serve(workspace: &Path) -> (Child, String, String) {
    let mut server = command(workspace).args(["--json", "serve"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let said: Value = serde_json::from_str(&within(lines.next_line()).await.unwrap().unwrap()).unwrap();
    let (base, token) = said["url"].as_str().unwrap().split_once("/#token=").unwrap();
    (server, base.to_owned(), token.to_owned())
}

#[tokio::test]
async fn the_server_answers_its_own_pages_with_their_token_alone() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let dir = TempDir::new().unwrap();
    let (mut server, base, token) = serve(dir.path()).await;
    let http = reqwest::Client::new();
    let call = |token: &str, origin: Option<&str>, host: Option<&str>| {
        let mut request = http.post(format!("{base}/api/call/workspace_info")).bearer_auth(token).body("{}");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(host) = host {
            request = request.header("host", host);
        }
        async move { within(request.send()).await.unwrap().status().as_u16() }
    };
    assert_eq!(call(&token, None, None).await, 200);
    assert_eq!(call(&token, Some(&base), None).await, 200);
    assert_eq!(call("wrong", None, None).await, 401);
    assert_eq!(call(&token, Some("http://evil.example"), None).await, 403);
    assert_eq!(call(&token, None, Some("evil.example")).await, 403);
    // The events' socket wants the token too.
    let socket = http
        .get(format!("{base}/api/events"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "tracewright, wrong");
    assert_eq!(within(socket.send()).await.unwrap().status().as_u16(), 401);
    // A second app on the same workspace is refused in words.
    let second = tw(dir.path(), &["list"]).await;
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("another"), "{}", second.stderr);
    tw_support::drive::signal_process(server.id().unwrap(), "TERM");
    assert!(within(server.wait()).await.unwrap().success());
}

/// A tokenizer of single letters, with a template in the manner of ChatML.
fn letters(folder: &Path) {
    let mut vocabulary = serde_json::Map::new();
    vocabulary.insert("<|im_start|>".to_owned(), 0.into());
    vocabulary.insert("<|im_end|>".to_owned(), 1.into());
    for (id, letter) in (2..).zip((0_u8..=127).map(char::from)) {
        vocabulary.insert(letter.to_string(), id.into());
    }
    let added = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true})
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null,
        "added_tokens": [added(0, "<|im_start|>"), added(1, "<|im_end|>")],
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary, "merges": []},
    });
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let template = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
                    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    let config = json!({"chat_template": template, "eos_token": "<|im_end|>"});
    std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

#[tokio::test]
async fn a_row_is_rendered_with_the_tokens_that_are_trained() {
    let dir = TempDir::new().unwrap();
    let model = dir.path().join("model");
    letters(&model);
    let row = dir.path().join("row.json");
    let messages = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]);
    std::fs::write(&row, json!({ "messages": messages }).to_string()).unwrap();
    let (model, row) = (model.to_str().unwrap(), row.to_str().unwrap());
    let workspace = dir.path().join("workspace");
    let said = tw(&workspace, &["--json", "render", "--tokenizer", model, "--row", row]).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let rendered = said.json();
    let text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n";
    assert_eq!(rendered["text"], text);
    let ids: Vec<u64> = rendered["ids"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let mask: Vec<u64> = rendered["mask"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let trained: Vec<u64> = ids.iter().zip(&mask).filter(|(_, trained)| **trained == 1).map(|(id, _)| *id).collect();
    let letter = |letter: char| u64::from(u32::from(letter)) + 2;
    assert_eq!(trained, [letter('Y'), letter('e'), letter('s'), 1], "the answer and its end, nothing else");
}

#[tokio::test]
async fn a_trace_is_edited_undone_and_exported_in_another_format() {
    let dir = TempDir::new().unwrap();
    let workspace = dir.path().join("workspace");
    let file = dir.path().join("trace.json");
    std::fs::write(&file, TRACE).unwrap();
    let imported = tw(&workspace, &["--json", "import", file.to_str().unwrap()]).await.json();
    let id = imported["imported"][0]["id"].as_str().unwrap().to_owned();
    let op = r#"{"set_text":{"id":0,"field":"content","text":"Read the other page"}}"#;
    let edited = tw(&workspace, &["--json", "edit", &id, "--op", op]).await;
    assert_eq!(edited.json()["state"]["revision"], 1, "{}", edited.stderr);
    let bad = tw(&workspace, &["edit", &id, "--op", r#"{"delete":{"ids":[99]}}"#]).await;
    assert_eq!(bad.code, Some(1));
    assert!(bad.stderr.contains("not there"), "{}", bad.stderr);
    let found = tw(&workspace, &["--json", "list", "other is:edited"]).await.json();
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let lint = tw(&workspace, &["--json", "lint"]).await.json();
    let rules: Vec<&str> =
        lint[0]["findings"].as_array().unwrap().iter().filter_map(|finding| finding["rule"].as_str()).collect();
    assert!(rules.contains(&"no-final-answer"), "{rules:?}");
    let out = dir.path().join("rows.jsonl");
    let exported = tw(&workspace, &["export", "--format", "openai", "--out", out.to_str().unwrap()]).await;
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let row: Value = serde_json::from_str(std::fs::read_to_string(&out).unwrap().trim()).unwrap();
    assert_eq!(row["messages"][0]["content"], "Read the other page");
    assert!(row["messages"][1]["tool_calls"][0]["function"]["arguments"].is_string(), "{row}");
    assert_eq!(tw(&workspace, &["--json", "undo", &id]).await.json()["did"], "Edited the text");
    let history = tw(&workspace, &["--json", "history", &id]).await.json();
    assert_eq!((&history["head"], history["revisions"].as_array().map(Vec::len)), (&json!(0), Some(1)));
    let again = tw(&workspace, &["--json", "import", out.to_str().unwrap()]).await.json();
    assert_eq!(again["imported"].as_array().map(Vec::len), Some(1), "{again}");
}
