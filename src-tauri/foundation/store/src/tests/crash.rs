//! A program that is killed in the middle of its work.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const PART: &str = "TW_STORE_TEST_CRASH";
const RUNS: usize = 4;

#[tokio::test]
async fn every_acknowledged_message_survives_a_kill_at_any_moment() {
    let mut workspace = Workspace::new();
    let mut acknowledged: Vec<(String, u32)> = Vec::new();
    for round in 0..8 {
        // A number of acknowledged appends, and by that a moment, that differs from run to run.
        let appends = RandomState::new().build_hasher().finish() % 120;
        let Workspace { store, folder } = workspace;
        drop(store);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::child", "--nocapture"])
            .env(PART, folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut count = 0;
        let mut note = |line: String| {
            let Some((_, rest)) = line.split_once("saved ") else { return };
            // A line that was cut by the kill was not acknowledged.
            let Some((id, seq)) = rest.strip_suffix(" .").and_then(|it| it.split_once(' ')) else { return };
            acknowledged.push((id.to_owned(), seq.parse().unwrap()));
            count += 1;
        };
        for line in lines.by_ref().take(usize::try_from(appends).unwrap() + 3) {
            note(line);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(&mut note);
        assert!(round == 0 || count > 0 || appends < 3);
        workspace = Workspace { store: Store::open(path_of(&folder)).unwrap(), folder };
        assert!(workspace.store.interrupted() as usize <= RUNS);
    }
    assert!(acknowledged.len() > 20, "{}", acknowledged.len());
    for (id, seq) in &acknowledged {
        let trace = workspace.store.trace(id).await.unwrap();
        assert_eq!(trace.summary.state, RunState::Interrupted);
        assert_eq!(trace.summary.messages as usize, trace.messages.len());
        let saved = &trace.messages[*seq as usize];
        assert_eq!((saved.seq, saved.message.text()), (*seq, body(*seq)));
        // What came in one append is there together.
        assert_eq!(trace.messages.len(), trace.steps.len());
        assert_eq!(trace.messages.len(), trace.calls.len());
        assert!(trace.calls.iter().all(|call| call.phase == CallPhase::Abandoned));
    }
    check_integrity(&workspace.store).await;
}

fn body(seq: u32) -> String {
    format!("message {seq} ").repeat(1 + seq as usize * 97 % 400)
}

/// Does nothing unless the test above starts it: appends until it is killed.
#[test]
fn child() {
    let Ok(dir) = std::env::var(PART) else { return };
    let store = Store::open(Utf8Path::new(&dir)).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let runs: Vec<_> = (0..RUNS).map(|_| tokio::spawn(append_until_killed(store.clone()))).collect();
        for run in runs {
            run.await.unwrap();
        }
    });
}

async fn append_until_killed(store: Store) {
    let id = begin(&store, RunState::Running).await;
    // An end for the case that nobody kills it.
    for seq in 0..5_000 {
        let open = call(&format!("c{seq}"), "look", seq);
        let record = StepRecord { step: seq, ..StepRecord::default() };
        let message = Message::assistant(body(seq), None, Vec::new());
        let new = NewMessage { message, step: seq, tokens: 1 };
        let saved = store.append(&id, new, Some(record), vec![open], Vec::new()).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "saved {id} {} .", saved.seq).unwrap();
        out.flush().unwrap();
    }
}
