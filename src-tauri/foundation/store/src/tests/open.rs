use std::process::{Command, Stdio};

use super::*;

#[tokio::test]
async fn a_second_program_is_told_who_has_the_workspace_open() {
    let workspace = Workspace::new();
    let error = Store::open(&workspace.dir()).unwrap_err();
    let StoreError::Locked { pid, .. } = &error else { panic!("{error:?}") };
    assert!(pid.is_none() || *pid == Some(std::process::id()), "{pid:?}");
    assert!(error.hint().is_some());
    workspace.reopen();
}

#[tokio::test]
async fn what_a_closed_workspace_held_is_there_when_it_opens_again() {
    let workspace = Workspace::new();
    let id = begin(&workspace.store, RunState::Done).await;
    add(&workspace.store, &id, Message::user("hello")).await.unwrap();
    let before = workspace.store.trace(&id).await.unwrap();
    let workspace = workspace.reopen();
    assert_eq!(workspace.store.interrupted(), 0);
    assert_eq!(workspace.store.trace(&id).await.unwrap(), before);
}

#[tokio::test]
async fn every_commit_waits_for_the_disk() {
    let workspace = Workspace::new();
    let read = |connection: &rusqlite::Connection| {
        let synchronous: u32 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        Ok((synchronous, journal))
    };
    // 2 is FULL.
    assert_eq!(workspace.store.read(read).await.unwrap(), (2, "wal".to_owned()));
}

#[tokio::test]
async fn a_workspace_of_a_newer_version_is_left_as_it_is() {
    let workspace = Workspace::new();
    workspace.store.write(|connection| Ok(connection.pragma_update(None, "user_version", 99)?)).await.unwrap();
    let Workspace { store, folder } = workspace;
    drop(store);
    let error = Store::open(path_of(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::NewerVersion { found: 99, .. }), "{error:?}");
}

#[test]
fn files_that_are_no_workspace_are_refused_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = path_of(&folder).join("workspace.db");
    std::fs::write(&file, "not a database, but somebody's notes ".repeat(200)).unwrap();
    let error = Store::open(path_of(&folder)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("not a database"));
    let error = Store::open(&file).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}

#[tokio::test]
async fn runs_that_were_under_way_are_interrupted_and_their_calls_abandoned() {
    let workspace = Workspace::new();
    let store = &workspace.store;
    let mut ids = Vec::new();
    for state in [RunState::Queued, RunState::Running, RunState::Waiting, RunState::Done, RunState::Stopped] {
        ids.push(begin(store, state).await);
    }
    let running = ids[1].clone();
    add(store, &running, Message::user("go")).await.unwrap();
    answer(store, &running, 1, &call("a", "look", 1)).await;
    result(store, &running, &call("a", "look", 1), CallOutput { call_id: "a".to_owned(), parts: vec![] })
        .await
        .unwrap();
    answer(store, &running, 2, &call("b", "look", 2)).await;
    let workspace = workspace.reopen();
    assert_eq!(workspace.store.interrupted(), 3);
    let mut states = Vec::new();
    for id in &ids {
        states.push(workspace.store.summary(id).await.unwrap().state);
    }
    let gone = RunState::Interrupted;
    assert_eq!(states, [gone, gone, gone, RunState::Done, RunState::Stopped]);
    let phases: Vec<CallPhase> =
        workspace.store.trace(&running).await.unwrap().calls.iter().map(|call| call.phase).collect();
    assert_eq!(phases, [CallPhase::Done, CallPhase::Abandoned]);
}

const PART: &str = "TW_STORE_TEST_OPEN";

#[test]
fn another_process_finds_the_workspace_locked_until_this_one_lets_go() {
    let workspace = Workspace::new();
    let try_open = |expected: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::open::child", "--nocapture"])
            .env(PART, workspace.dir())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{text}");
    };
    try_open(&format!("process {}", std::process::id()));
    let Workspace { store, folder } = workspace;
    drop(store);
    Store::open(path_of(&folder)).unwrap();
}

/// Does nothing unless the test above starts it.
#[test]
fn child() {
    let Ok(dir) = std::env::var(PART) else { return };
    match Store::open(Utf8Path::new(&dir)) {
        Ok(_) => println!("opened"),
        Err(error) => println!("{error}"),
    }
}
