//! Downloads, parts of files, folders.

use tw_support::hub::{Act, Fault, Kind};

use super::Desk;
use crate::{Entry, HubError, RemoteFile, RepoId, RepoKind, Work};

const WEIGHTS: &str = "model.safetensors";

async fn model(desk: &Desk) -> (RepoId, String, Vec<RemoteFile>) {
    let weights: Vec<u8> = (0..2_000_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    desk.hub.put(Kind::Model, "base/model", "Weights", &[("config.json", b"{}"), (WEIGHTS, &weights)]);
    let repo = RepoId::parse(RepoKind::Model, "base/model").unwrap();
    let info = desk.client.info(&repo, None, &Work::unwatched()).await.unwrap();
    let files = desk.client.files(&repo, &info.commit, &Work::unwatched()).await.unwrap();
    let files = files.into_iter().filter(|file| crate::model_needs(&file.path)).collect();
    (repo, info.commit, files)
}

fn storage_ranges(desk: &Desk) -> Vec<Option<String>> {
    desk.hub
        .seen()
        .into_iter()
        .filter(|seen| seen.request.starts_with("GET /_storage"))
        .map(|seen| seen.range)
        .collect()
}

#[tokio::test]
async fn a_model_arrives_whole_and_is_not_fetched_twice() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    let fetched = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap();
    assert_eq!((fetched.files, fetched.bytes, fetched.fetched_bytes), (2, 2_000_002, 2_000_002));
    let there = desk.hub.files(Kind::Model, "base/model");
    for name in ["config.json", WEIGHTS] {
        assert_eq!(std::fs::read(desk.folder().join(name)).unwrap(), there[name], "{name}");
    }
    let again = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap();
    assert_eq!(again.fetched_bytes, 0);
    assert_eq!(std::fs::read_dir(desk.folder()).unwrap().count(), 2, "nothing else is left in the folder");
}

#[tokio::test]
async fn a_connection_that_breaks_is_gone_on_with_where_it_was() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    desk.hub.fail(Fault::once("GET /_storage", Act::Cut { after_bytes: 700_000 }));
    desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap();
    let ranges = storage_ranges(&desk);
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert!(ranges[1].as_ref().is_some_and(|range| range != "bytes=0-"), "{ranges:?}");
    assert_eq!(std::fs::read(desk.folder().join(WEIGHTS)).unwrap(), desk.hub.files(Kind::Model, "base/model")[WEIGHTS]);
}

#[tokio::test]
async fn a_download_that_ended_is_gone_on_with_by_the_next() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    desk.hub.fail(Fault::once("GET /_storage", Act::Cut { after_bytes: 700_000 }));
    desk.hub.fail(Fault::status("GET /_storage", 403).times(9));
    let error = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap_err();
    assert!(matches!(error, HubError::Forbidden { .. }), "{error:?}");
    assert!(!desk.folder().join(WEIGHTS).exists(), "a file has its name when it is whole");
    desk.hub.heal();
    let fetched = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap();
    assert!(fetched.fetched_bytes <= 1_300_000 + 2, "{fetched:?}");
    assert_eq!(std::fs::read(desk.folder().join(WEIGHTS)).unwrap(), desk.hub.files(Kind::Model, "base/model")[WEIGHTS]);
}

#[tokio::test]
async fn bytes_that_are_not_the_hubs_are_not_kept() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    desk.hub.fail(Fault::once("GET /_storage", Act::Corrupt));
    let error = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap_err();
    assert!(matches!(&error, HubError::Checksum { path, .. } if path == WEIGHTS), "{error:?}");
    assert!(error.is_retryable());
    assert!(!desk.folder().join(WEIGHTS).exists());
    desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_download_leaves_no_file_that_looks_whole() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    desk.hub.fail(Fault::once("GET /_storage", Act::Hang));
    let (cancel, hub, work) = (desk.cancel.clone(), &desk.hub, desk.work());
    let (result, ()) = tokio::join!(desk.client.download(&repo, &commit, &files, desk.folder(), &work), async {
        while !hub.seen().iter().any(|seen| seen.request.starts_with("GET /_storage")) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    assert!(matches!(result, Err(HubError::Cancelled)), "{result:?}");
    assert!(!desk.folder().join(WEIGHTS).exists());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_called_that() {
    let desk = Desk::open().await;
    let (repo, commit, files) = model(&desk).await;
    let sum = files.iter().find(|file| file.path == WEIGHTS).unwrap().sha256.clone().unwrap();
    let part = desk.folder().join(format!("{WEIGHTS}.{}.part", &sum[..16]));
    std::os::unix::fs::symlink("/dev/full", part).unwrap();
    let error = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap_err();
    assert!(matches!(error, HubError::DiskFull { .. }), "{error:?}");
    assert!(error.hint().contains("Make room"));
}

#[tokio::test]
async fn names_that_lead_out_of_the_folder_are_refused() {
    let desk = Desk::open().await;
    let (repo, commit, mut files) = model(&desk).await;
    files[0].path = "../outside.json".to_owned();
    let error = desk.client.download(&repo, &commit, &files, desk.folder(), &desk.work()).await.unwrap_err();
    assert!(matches!(error, HubError::Strange { .. }), "{error:?}");
}

#[tokio::test]
async fn parts_of_a_file_are_read_without_the_rest() {
    let desk = Desk::open().await;
    let (repo, commit, _) = model(&desk).await;
    let file = desk.client.range_file(&repo, &commit, WEIGHTS).unwrap();
    let (bytes, total) = file.read(1_000_000, 10).await.unwrap();
    assert_eq!((total, bytes.len()), (2_000_000, 10));
    assert_eq!(bytes[..], desk.hub.files(Kind::Model, "base/model")[WEIGHTS][1_000_000..1_000_010]);
    let (bytes, _) = file.read(1_999_995, 100).await.unwrap();
    assert_eq!(bytes.len(), 5, "fewer at the end");
    let error = desk.client.range_file(&repo, &commit, "nothing").unwrap().read(0, 1).await.unwrap_err();
    assert!(matches!(&error, HubError::NotFound { what } if what.contains("nothing")), "{error:?}");
}

#[tokio::test]
async fn a_folder_of_any_size_is_listed_page_by_page() {
    let desk = Desk::open().await;
    let names: Vec<String> = (0..450).map(|number| format!("data/{number:03}.json")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"{}".as_slice())).collect();
    desk.hub.put(Kind::Dataset, "tester/many", "Many", &files);
    let repo = super::dataset("many");
    let top = desk.client.folder(&repo, "main", "", None).await.unwrap();
    assert!(top.entries.contains(&Entry::Folder("data".to_owned())));
    let (mut cursor, mut seen, mut pages) = (None, 0, 0);
    loop {
        let page = desk.client.folder(&repo, "main", "data", cursor.as_deref()).await.unwrap();
        seen += page.entries.len();
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (450, 3));
    let all = desk.client.files(&repo, "main", &Work::unwatched()).await.unwrap();
    assert_eq!(all.len(), 451, "with .gitattributes");
}

#[tokio::test]
async fn a_private_repository_is_not_there_for_strangers() {
    let desk = Desk::open().await;
    let repo = super::dataset("hidden");
    desk.client.create(&repo, true, &Work::unwatched()).await.unwrap();
    let stranger = super::client(&desk.hub, None);
    let error = stranger.info(&repo, None, &Work::unwatched()).await.unwrap_err();
    assert!(matches!(&error, HubError::NotFound { what } if what == "dataset tester/hidden"), "{error:?}");
}
