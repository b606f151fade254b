//! Datasets over the whole app: versions that never change, parts by trace, and nothing half done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tw_artifact::{DatasetPlan, EditOp, OverLimit, SplitName, TextField, TraceChoice, Unroll};
use tw_contract::{
    DatasetDiffRequest, DatasetExportRequest, DatasetProgress, EditRequest, Empty, ErrorCode, FamilyQuery, IdRequest,
    ImportPlan, ImportSource, RowOrder, RowQuery, RowRequest,
};
use tw_support::drive::tw_binary;

use crate::harness::{Desk, within};

/// A trace of `steps` calls and an answer, about `subject`.
pub(crate) fn trace(subject: &str, steps: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": "You look things up."}),
        json!({"role": "user", "content": format!("Find {subject}")}),
    ];
    for step in 0..steps {
        let id = format!("c{step}");
        let arguments = json!({"query": format!("{subject} {step}"), "page": step}).to_string();
        messages.push(json!({
            "role": "assistant", "content": "\n\n", "reasoning_content": format!("\nI look for {subject}, step {step}.\n"),
            "tool_calls": [{"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}],
        }));
        let words: String = (0..60).map(|word| format!("{subject}-{step}-{word} ")).collect();
        messages.push(json!({"role": "tool", "tool_call_id": id, "name": "look", "content": words}));
    }
    messages.push(json!({"role": "assistant", "content": format!("Here are the {subject}.")}));
    let tools = json!([{"type": "function", "function": {"name": "look", "description": "Looks things up",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "page": {"type": "integer"}}}}}]);
    json!({"timestamp": "20250529_195610", "model": "m", "messages": messages, "tools": tools})
}

impl Desk {
    pub(crate) async fn import_traces(&self, traces: &[Value]) -> Vec<String> {
        let folder = self.workspace().join("incoming");
        std::fs::create_dir_all(&folder).unwrap();
        for (place, trace) in traces.iter().enumerate() {
            std::fs::write(folder.join(format!("{place:03}.json")), trace.to_string()).unwrap();
        }
        let sources = vec![ImportSource::Path(folder.to_string())];
        let started = self.api().import_start(ImportPlan { sources, format: None }).await.unwrap();
        loop {
            let view = self.api().import_view(IdRequest { id: started.id.clone() }).await.unwrap();
            if view.ended.is_some() {
                assert_eq!(view.imported as usize, traces.len(), "{:?}", view.refused);
                return view.traces.into_iter().map(|trace| trace.id).collect();
            }
            tokio::task::yield_now().await;
        }
    }

    async fn until_done(&self, begun: DatasetProgress) -> DatasetProgress {
        within(async {
            loop {
                let view = self.api().dataset_progress(IdRequest { id: begun.id.clone() }).await.unwrap();
                if view.ended.is_some() {
                    return view;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    pub(crate) async fn build(&self, plan: DatasetPlan) -> DatasetProgress {
        let begun = self.api().dataset_build(plan).await.unwrap();
        self.until_done(begun).await
    }
}

pub(crate) fn plan() -> DatasetPlan {
    DatasetPlan { name: "finds".to_owned(), ..DatasetPlan::default() }
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = folder.read_dir().unwrap().flatten();
    entries.map(|it| (it.file_name().to_string_lossy().into_owned(), std::fs::read(it.path()).unwrap())).collect()
}

#[tokio::test]
async fn a_version_is_built_looked_at_compared_exported_and_removed() {
    let desk = Desk::open().await;
    let ids = desk.import_traces(&[trace("shoes", 3), trace("maps", 2)]).await;
    let begun = desk.api().dataset_preview(plan()).await.unwrap();
    let preview = desk.until_done(begun).await.preview.unwrap();
    assert_eq!((preview.train.rows, preview.train.traces, preview.families.len()), (7, 2, 2));
    assert!(preview.estimated && preview.trie.nodes < preview.trie.tokens, "{preview:?}");
    assert!(!preview.estimates.is_empty() && !preview.tokens.is_empty());
    assert!(desk.api().dataset_list(Empty {}).await.unwrap().is_empty(), "a preview writes nothing");

    let built = desk.build(plan()).await;
    assert_eq!(built.ended.as_deref(), Some("done"));
    let version = built.version.unwrap();
    assert_eq!(version.train, preview.train);
    let folder = desk.workspace().join("datasets").join(&version.id);
    let first = bytes(folder.as_std_path());

    // The same again is the same version, to the byte, also when it is built anew.
    let again = desk.build(plan()).await;
    assert!(again.was_there);
    desk.api().dataset_delete(IdRequest { id: version.id.clone() }).await.unwrap();
    assert!(!folder.exists());
    let anew = desk.build(plan()).await;
    assert_eq!((anew.was_there, &anew.version.unwrap().id), (false, &version.id));
    assert_eq!(bytes(folder.as_std_path()), first);

    // Rows: by trace, by length, whole.
    let api = desk.api();
    let of = |query: RowQuery| api.dataset_rows(RowQuery { id: version.short_id().to_owned(), ..query });
    let of = async |query: RowQuery| of(query).await.unwrap();
    assert_eq!(of(RowQuery::default()).await.total, 7);
    let page = of(RowQuery { trace_id: Some(ids[0].clone()), order: RowOrder::Tokens, ..RowQuery::default() }).await;
    assert_eq!((page.total, page.rows[0].id.as_str()), (4, ids[0].as_str()));
    let row = RowRequest { id: version.id.clone(), row: format!("{}_trunc_3", ids[0]) };
    let row = desk.api().dataset_row(row).await.unwrap();
    assert_eq!(row.messages.iter().map(|it| it.train).collect::<Vec<_>>(), [false, false, true]);
    // White space that a server left is gone.
    assert_eq!(row.messages[2].message.text(), "");
    let families = api.dataset_families(FamilyQuery { id: version.id.clone(), ..FamilyQuery::default() });
    assert_eq!(families.await.unwrap().len(), 2);

    // An edit is another version; the first stays as it is and says that a trace was changed.
    let op = EditOp::SetText { id: 1, field: TextField::Content, text: "Find red shoes".to_owned() };
    let edit = EditRequest { id: ids[0].clone(), base: 0, op, author: String::new() };
    desk.api().review_edit(edit).await.unwrap();
    let edited = desk.build(plan()).await.version.unwrap();
    assert_ne!(edited.id, version.id);
    assert_eq!(desk.api().dataset_view(IdRequest { id: version.id.clone() }).await.unwrap().changed, 1);
    let diff = DatasetDiffRequest { from: version.id.clone(), to: edited.id.clone() };
    let diff = desk.api().dataset_diff(diff).await.unwrap();
    assert_eq!((diff.rows_changed, diff.rows_same, diff.traces.len()), (4, 3, 1));
    assert_eq!(bytes(folder.as_std_path()), first, "a version never changes");
    assert_eq!(desk.api().dataset_list(Empty {}).await.unwrap()[0].id, edited.id);

    let out = desk.workspace().join("out");
    for format in desk.api().dataset_formats(Empty {}).await.unwrap() {
        let request = DatasetExportRequest {
            id: version.id.clone(),
            format: format.name.clone(),
            check: false,
            out: Some(out.join(&format.name).to_string()),
            model: None,
        };
        let done = desk.api().dataset_export(request).await;
        match format.name.as_str() {
            "tokens" => assert_eq!(done.unwrap_err().code, ErrorCode::Invalid),
            _ => assert_eq!(done.unwrap().rows, 7, "{}", format.name),
        }
    }
}

#[tokio::test]
async fn parts_are_shared_out_by_trace_and_near_duplicates_stay_together() {
    let desk = Desk::open().await;
    let subjects = ["shoes", "maps", "trains", "songs", "birds", "cities", "books", "games"];
    let mut traces: Vec<Value> = subjects.iter().map(|subject| trace(subject, 2)).collect();
    // The same but for its last words.
    let mut twin = trace("shoes", 2);
    twin["messages"][6]["content"] = "Here they are.".into();
    traces.push(twin);
    let ids = desk.import_traces(&traces).await;
    let split = DatasetPlan { validation_fraction: 0.3, seed: 7, ..plan() };
    let version = desk.build(split.clone()).await.version.unwrap();
    assert_eq!(version.train.traces + version.validation.traces, 9);
    assert!((2..=4).contains(&version.validation.traces), "{version:?}");
    let view = desk.api().dataset_view(IdRequest { id: version.id.clone() }).await.unwrap();
    let part = |id: &str| view.sources.iter().find(|source| source.id == id).unwrap().split;
    assert_eq!(part(&ids[0]), part(&ids[8]));
    let rows = desk.api().dataset_rows(RowQuery { id: version.id, limit: 1_000, ..RowQuery::default() }).await.unwrap();
    assert!(rows.rows.iter().all(|row| row.split == part(&row.trace_id)), "rows of one trace are in one part");
    // By hand, for the whole group.
    let by_hand = BTreeMap::from([(ids[8].clone(), SplitName::Validation)]);
    let by_hand = DatasetPlan { by_hand, validation_fraction: 0.0, ..plan() };
    let version = desk.build(by_hand).await.version.unwrap();
    assert_eq!(version.validation.traces, 2);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let desk = Desk::open().await;
    let ids = desk.import_traces(&[trace("shoes", 3)]).await;
    let refused = |plan: DatasetPlan| async { desk.api().dataset_build(plan).await.unwrap_err().code };
    assert_eq!(refused(DatasetPlan::default()).await, ErrorCode::Invalid);
    assert_eq!(refused(DatasetPlan { validation_fraction: f64::NAN, ..plan() }).await, ErrorCode::Invalid);
    let model = Some("/nowhere/at/all".to_owned());
    assert_eq!(refused(DatasetPlan { model, ..plan() }).await, ErrorCode::NotFound);
    let none = desk.build(DatasetPlan { traces: TraceChoice::Query("unfindable".to_owned()), ..plan() }).await;
    assert!(none.ended.unwrap().contains("o row came of"), "said");
    let gone = desk.build(DatasetPlan { traces: TraceChoice::Ids(vec!["x".to_owned()]), ..plan() }).await;
    assert!(gone.ended.unwrap().contains("no trace"), "said");
    let short = DatasetPlan { max_tokens: Some(1), over_limit: OverLimit::CutResults, ..plan() };
    assert!(desk.build(short).await.version.is_none());
    let cancelled = desk.api().dataset_build(plan()).await.unwrap();
    desk.api().dataset_cancel(IdRequest { id: cancelled.id.clone() }).await.unwrap();
    let cancelled = desk.until_done(cancelled).await;
    assert!(matches!(cancelled.ended.as_deref(), Some("cancelled" | "done")), "{:?}", cancelled.ended);
    let minimal = desk.build(DatasetPlan { unroll: Unroll::Minimal, name: "few".to_owned(), ..plan() }).await;
    assert_eq!(minimal.version.unwrap().train.rows, 1);
    let folder = desk.workspace().join("datasets");
    let names: Vec<_> = folder.read_dir().unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
    drop(ids);
}

/// A file system of a few kilobytes over a folder, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tracewright-test"]).arg(folder);
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_no_version() {
    let desk = Desk::open().await;
    // Words that do not compress away.
    let noise: Vec<Value> = (0..40)
        .map(|number| {
            let words: String =
                (0..400_u64).map(|word| format!("{:x} ", (word + 1) * (number + 3) * 0x9e37_79b9)).collect();
            trace(&words, 1)
        })
        .collect();
    desk.import_traces(&noise).await;
    let folder = desk.workspace().join("datasets");
    std::fs::create_dir_all(&folder).unwrap();
    let Some(disk) = SmallDisk::mount(folder.as_std_path()) else {
        println!("skipped: this user may not mount a small file system");
        return;
    };
    let ended = desk.build(plan()).await.ended.unwrap();
    let left: Vec<_> = folder.read_dir().unwrap().flatten().map(|it| it.file_name()).collect();
    drop(disk);
    assert!(ended.contains("Free some space"), "{ended}");
    assert!(left.is_empty(), "{left:?}");
    assert!(desk.api().dataset_list(Empty {}).await.unwrap().is_empty());
    assert_eq!(desk.build(plan()).await.ended.as_deref(), Some("done"));
}

#[tokio::test]
async fn after_kill_9_there_is_a_whole_version_or_none() {
    let desk = Desk::open().await;
    let traces: Vec<Value> = (0..60).map(|number| trace(&format!("things{number}"), 12)).collect();
    desk.import_traces(&traces).await;
    let workspace = desk.workspace();
    let Desk { dir, app, .. } = desk;
    app.shutdown().await;
    drop(app);
    let dir = std::sync::Arc::try_unwrap(dir).expect("nobody else has the folder");
    // Killed after more and more of the work was told.
    for lines in [1, 2, 4] {
        let mut child = tokio::process::Command::new(tw_binary().expect("tw is built"))
            .args(["--workspace", workspace.as_str(), "dataset", "build", "--name", "killed"])
            .env("TRACEWRIGHT_VAULT", "memory")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let mut told = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stderr));
        for _ in 0..lines {
            if within(told.next_line()).await.unwrap().is_none() {
                break;
            }
        }
        drop(child.start_kill());
        within(child.wait()).await.unwrap();
    }
    let desk = Desk::open_on(dir).await;
    for version in desk.api().dataset_list(Empty {}).await.unwrap() {
        assert_eq!(version.problem, None, "{version:?}");
        assert_eq!(version.train.rows, 60 * 13);
    }
    let names: Vec<_> = workspace.join("datasets").read_dir().unwrap().flatten().map(|it| it.file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{names:?}");
    let built = desk.build(DatasetPlan { name: "killed".to_owned(), ..DatasetPlan::default() }).await;
    assert_eq!(built.version.unwrap().train.rows, 60 * 13);
}

/// What a Python's `datasets` sees in the files of a folder.
fn seen_by(python: &str, folder: &Path) -> Option<Value> {
    let Some(python) = std::env::var_os(python) else {
        println!("skipped: {python} names no Python with the package datasets");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/dataset.py");
    let output = Command::new(python).arg(script).arg(folder).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn pythons_datasets_loads_messages_and_tools_with_nothing_added_and_nothing_lost() {
    let desk = Desk::open().await;
    desk.import_traces(&[trace("shoes", 3), trace("maps", 2)]).await;
    let version = desk.build(plan()).await.version.unwrap();
    let out = desk.workspace().join("out");
    let export = async |format: &str, name: &str| {
        let out = Some(out.join(name).to_string());
        let request =
            DatasetExportRequest { id: version.id.clone(), format: format.to_owned(), check: false, out, model: None };
        desk.api().dataset_export(request).await.unwrap()
    };
    let mut expected = Vec::new();
    export("jsonl", "lines/rows.jsonl").await;
    for line in std::fs::read_to_string(out.join("lines/rows.jsonl")).unwrap().lines() {
        expected.push(serde_json::from_str::<Value>(line).unwrap());
    }
    assert_eq!(expected.len(), 7);
    // From 4.7 on: nested, with nothing to be done.
    export("parquet", "new/rows.parquet").await;
    if let Some(seen) = seen_by("TW_TEST_PYTHON", out.join("new").as_std_path()) {
        assert_eq!(seen["nested"]["rows.parquet"], true);
        assert_eq!(seen["files"]["rows.parquet"], Value::Array(expected.clone()));
    }
    // Before: JSON texts, which that version cannot change.
    export("parquet-text", "old/rows.parquet").await;
    for python in ["TW_TEST_PYTHON_OLD", "TW_TEST_PYTHON"] {
        if let Some(seen) = seen_by(python, out.join("old").as_std_path()) {
            assert_eq!(seen["nested"]["rows.parquet"], false);
            assert_eq!(seen["files"]["rows.parquet"], Value::Array(expected.clone()), "{python}");
        }
    }
}
