//! Pushes and what goes wrong with them.

use std::time::Duration;

use tw_support::hub::{Act, Fault, Kind, READ_TOKEN};

use super::{Desk, changes, client, dataset};
use crate::{Change, HubError, LocalFile, Update, Work};

fn two_files(desk: &Desk) -> Vec<LocalFile> {
    vec![desk.write("README.md", b"# Rows\n"), desk.write("data/train.parquet", &[7; 300_000])]
}

/// The repository has nothing of the push.
fn assert_nothing_published(desk: &Desk, name: &str) {
    let commits = desk.hub.commits(Kind::Dataset, &format!("tester/{name}"));
    assert!(commits.iter().all(|commit| commit.title != "A push"), "{commits:?}");
}

#[tokio::test]
async fn a_push_is_one_commit_with_every_file() {
    let desk = Desk::open().await;
    let repo = dataset("new");
    let (pushed, changed) = desk.push(&repo, &two_files(&desk)).await.unwrap();
    assert_eq!(changes(&changed), [("README.md", Change::Added), ("data/train.parquet", Change::Added)]);
    assert_eq!(pushed.sent_bytes, 300_007);
    let files = desk.hub.files(Kind::Dataset, "tester/new");
    assert_eq!(files["README.md"], b"# Rows\n");
    assert_eq!(files["data/train.parquet"], vec![7; 300_000]);
    let commits = desk.hub.commits(Kind::Dataset, "tester/new");
    assert_eq!(commits.len(), 2, "the repository's own first commit, and ours");
    assert_eq!((commits[0].id.as_str(), commits[0].title.as_str()), (pushed.commit.as_str(), "A push"));
    assert_eq!(desk.hub.is_private(Kind::Dataset, "tester/new"), Some(true));
    assert!(desk.told.lock().unwrap().contains(&Update::Done(300_000)));
}

#[tokio::test]
async fn a_second_push_sends_only_what_changed() {
    let desk = Desk::open().await;
    let repo = dataset("again");
    let mut files = two_files(&desk);
    files.push(desk.write("data/old.parquet", b"old"));
    desk.push(&repo, &files).await.unwrap();
    files.pop();
    files[0] = desk.write("README.md", b"# More rows\n");
    desk.hub.forget_seen();
    let (pushed, changed) = desk.push(&repo, &files).await.unwrap();
    assert_eq!(
        changes(&changed),
        [("README.md", Change::Changed), ("data/old.parquet", Change::Removed), ("data/train.parquet", Change::Same)]
    );
    assert_eq!(pushed.sent_bytes, 12);
    assert!(desk.hub.seen().iter().all(|seen| !seen.request.starts_with("PUT")), "{:?}", desk.hub.seen());
    let there = desk.hub.files(Kind::Dataset, "tester/again");
    assert_eq!(
        there.keys().map(String::as_str).collect::<Vec<_>>(),
        [".gitattributes", "README.md", "data/train.parquet"]
    );
}

#[tokio::test]
async fn a_push_without_a_change_makes_no_commit() {
    let desk = Desk::open().await;
    let repo = dataset("same");
    let files = two_files(&desk);
    let (first, _) = desk.push(&repo, &files).await.unwrap();
    let (second, _) = desk.push(&repo, &files).await.unwrap();
    assert_eq!((first.commit, 0), (second.commit, second.sent_bytes));
    assert_eq!(desk.hub.commits(Kind::Dataset, "tester/same").len(), 2);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_the_person_is_told() {
    for fault in [
        Fault::status("POST /api/datasets/tester/x/preupload", 503).times(2),
        Fault::status("info/lfs/objects/batch", 500),
        Fault::status("PUT /_storage", 502),
        Fault::once("PUT /_storage", Act::Cut { after_bytes: 100_000 }).times(2),
        Fault::status("POST /_storage/verify", 503),
        Fault::status("/commit/main", 503),
        Fault::status("GET /api/datasets/tester/x/tree", 504),
    ] {
        let desk = Desk::open().await;
        desk.hub.fail(fault.clone());
        desk.push(&dataset("x"), &two_files(&desk)).await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_eq!(desk.hub.commits(Kind::Dataset, "tester/x").len(), 2, "{fault:?}");
        let told = desk.told.lock().unwrap();
        assert!(told.iter().any(|update| matches!(update, Update::Retrying { .. })), "{fault:?}: {told:?}");
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_the_push_with_nothing_published() {
    let check = async |fault: Fault, fits: fn(&HubError) -> bool| {
        let desk = Desk::open().await;
        desk.hub.fail(fault.clone().times(99));
        let error = desk.push(&dataset("x"), &two_files(&desk)).await.unwrap_err();
        assert!(fits(&error), "{fault:?}: {error:?}");
        assert!(!error.to_string().is_empty() && !error.hint().is_empty(), "{error:?}");
        assert_nothing_published(&desk, "x");
    };
    let commit = "POST /api/datasets/tester/x/commit";
    check(Fault::status(commit, 401), |error| matches!(error, HubError::BadToken)).await;
    check(Fault::status(commit, 403), |error| matches!(error, HubError::Forbidden { .. })).await;
    check(Fault::status(commit, 413), |error| matches!(error, HubError::TooLarge { .. })).await;
    check(Fault::status(commit, 500), |error| matches!(error, HubError::Server { .. })).await;
    check(Fault::status("POST /api/repos/create", 409), |error| matches!(error, HubError::NameTaken { .. })).await;
    let slow = Act::Status { status: 429, retry_after_secs: Some(3600), message: "slow down".to_owned() };
    check(Fault::once("preupload", slow), |error| matches!(error, HubError::TooMany { retry_after_secs: Some(3600) }))
        .await;
    check(Fault::once("PUT /_storage", Act::Cut { after_bytes: 1000 }), |error| {
        matches!(error, HubError::Cut { .. } | HubError::Unreachable { .. })
    })
    .await;
    check(Fault::status("PUT /_storage", 400), |error| matches!(error, HubError::NotStored { .. })).await;
    check(Fault::status("POST /_storage/verify", 404), |error| matches!(error, HubError::NotStored { .. })).await;
    check(Fault::once(commit, Act::OtherCommit), |error| matches!(error, HubError::HeadMoved)).await;
}

#[tokio::test]
async fn the_hubs_word_on_when_to_come_again_is_kept() {
    let desk = Desk::open().await;
    let slow = Act::Status { status: 429, retry_after_secs: Some(1), message: "slow down".to_owned() };
    desk.hub.fail(Fault::once("preupload", slow));
    let begun = std::time::Instant::now();
    desk.push(&dataset("x"), &two_files(&desk)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_push_that_broke_off_goes_on_without_sending_again() {
    let desk = Desk::open().await;
    let repo = dataset("resumed");
    let files = vec![desk.write("data/a.parquet", &[1; 200_000]), desk.write("data/b.parquet", &[2; 200_000])];
    // The first large file arrives, the second never.
    let second = format!("PUT /_storage/{}", files[1].sha256);
    desk.hub.fail(Fault::status(&second, 500).times(99));
    desk.push(&repo, &files).await.unwrap_err();
    assert_nothing_published(&desk, "resumed");
    desk.hub.heal();
    desk.hub.forget_seen();
    desk.push(&repo, &files).await.unwrap();
    let sent: usize =
        desk.hub.seen().iter().filter(|seen| seen.request.starts_with("PUT")).map(|seen| seen.body_bytes).sum();
    assert_eq!(sent, 200_000, "only the file that was missing");
    assert_eq!(desk.hub.files(Kind::Dataset, "tester/resumed").len(), 3);
}

#[tokio::test]
async fn a_cancelled_push_publishes_nothing() {
    let desk = Desk::open().await;
    desk.hub.fail(Fault::once("PUT /_storage", Act::Hang));
    let cancel = desk.cancel.clone();
    let (hub, repo, files) = (&desk.hub, dataset("x"), two_files(&desk));
    let (result, ()) = tokio::join!(desk.push(&repo, &files), async {
        while !hub.seen().iter().any(|seen| seen.request.starts_with("PUT") && seen.body_bytes > 0) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    assert!(matches!(result, Err(HubError::Cancelled)), "{result:?}");
    assert_nothing_published(&desk, "x");
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_and_not_made_twice() {
    let desk = Desk::open().await;
    let repo = dataset("lost");
    let files = two_files(&desk);
    // The commit is made; of its answer only three bytes come.
    desk.hub.fail(Fault::once("POST /api/datasets/tester/lost/commit", Act::CutAnswer { after_bytes: 3 }));
    let (pushed, _) = desk.push(&repo, &files).await.unwrap();
    let commits = desk.hub.commits(Kind::Dataset, "tester/lost");
    assert_eq!(commits.len(), 2, "{commits:?}");
    assert_eq!(commits[0].id, pushed.commit);
}

#[tokio::test]
async fn a_token_that_may_only_read_is_told_so() {
    let desk = Desk::open().await;
    let reader = client(&desk.hub, Some(READ_TOKEN));
    let error = reader.create(&dataset("x"), true, &Work::unwatched()).await.unwrap_err();
    assert!(matches!(error, HubError::Forbidden { .. }), "{error:?}");
    assert!(error.hint().contains("may write"));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_pushed_is_not_published() {
    let desk = Desk::open().await;
    let files = two_files(&desk);
    desk.write("data/train.parquet", &[9; 300_000]);
    let error = desk.push(&dataset("x"), &files).await.unwrap_err();
    assert!(matches!(error, HubError::NotStored { .. }), "{error:?}");
    assert_nothing_published(&desk, "x");
}

#[tokio::test]
async fn the_token_goes_to_the_hub_alone() {
    let desk = Desk::open().await;
    desk.push(&dataset("x"), &two_files(&desk)).await.unwrap();
    let strangers: Vec<_> = desk
        .hub
        .seen()
        .into_iter()
        .filter(|seen| seen.request.starts_with("PUT /_storage") && seen.token.is_some())
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[tokio::test]
async fn a_large_file_goes_in_parts_where_the_hub_wants_it_so() {
    let desk = Desk::open().await;
    desk.hub.want_parts(100_000);
    let (pushed, _) = desk.push(&dataset("parts"), &two_files(&desk)).await.unwrap();
    assert_eq!(pushed.sent_bytes, 300_007);
    assert_eq!(desk.hub.files(Kind::Dataset, "tester/parts")["data/train.parquet"], vec![7; 300_000]);
    let puts = desk.hub.seen().iter().filter(|seen| seen.request.starts_with("PUT")).count();
    assert_eq!(puts, 3);
}

#[tokio::test]
async fn a_hub_whose_xet_fails_gets_the_file_the_plain_way_and_no_report() {
    let desk = Desk::open().await;
    desk.hub.offer_xet();
    desk.push(&dataset("xet"), &two_files(&desk)).await.unwrap();
    assert_eq!(desk.hub.files(Kind::Dataset, "tester/xet")["data/train.parquet"], vec![7; 300_000]);
    let seen = desk.hub.seen();
    assert!(seen.iter().any(|seen| seen.request.contains("xet-write-token")), "{seen:?}");
    assert!(!seen.iter().any(|seen| seen.request.contains("telemetry")), "{seen:?}");
}
