//! A disk without space.

use std::process::Command;

use tw_artifact::OutputPart;

use super::*;

fn big(seed: u8) -> Message {
    Message::user(format!("{seed} needle ").repeat(60_000))
}

async fn earlier_data(store: &Store) -> String {
    let id = begin(store, RunState::Done).await;
    add(store, &id, Message::user("before the disk was full")).await.unwrap();
    id
}

async fn check_full_then_free(store: &Store, id: &str, free: impl AsyncFnOnce()) {
    let before = store.trace(id).await.unwrap();
    let error = add(store, id, big(1)).await.unwrap_err();
    assert_eq!(error, StoreError::DiskFull);
    assert!(error.hint().unwrap().contains("Free some space"));
    let side_by_side = tokio::join!(add(store, id, big(2)), add(store, id, big(3)), store.trace(id));
    assert_eq!(side_by_side.0.unwrap_err(), StoreError::DiskFull);
    assert_eq!(side_by_side.1.unwrap_err(), StoreError::DiskFull);
    assert_eq!(side_by_side.2.unwrap(), before);
    assert_eq!(store.trace(id).await.unwrap(), before);
    free().await;
    assert_eq!(add(store, id, big(4)).await.unwrap().seq, 1);
    let output = CallOutput { call_id: "c".to_owned(), parts: vec![OutputPart::Text { text: "x".repeat(100_000) }] };
    result(store, id, &call("c", "look", 1), output).await.unwrap();
    check_integrity(store).await;
    assert_eq!(store.trace(id).await.unwrap().messages.len(), 3);
}

async fn set_max_pages(store: &Store, more: u32) {
    store
        .write(move |connection| {
            let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let sql = format!("PRAGMA max_page_count = {}", pages + more);
            Ok(connection.query_row(&sql, [], |_| Ok(()))?)
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_database_says_so_and_goes_on_when_there_is_space() {
    let workspace = Workspace::new();
    let id = earlier_data(&workspace.store).await;
    set_max_pages(&workspace.store, 4).await;
    check_full_then_free(&workspace.store, &id, async || set_max_pages(&workspace.store, 1_000_000).await).await;
    let workspace = workspace.reopen();
    assert_eq!(workspace.store.trace(&id).await.unwrap().messages.len(), 3);
}

/// A small file system of its own, taken away again when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where one may not be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tracewright-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(self.0.path()).status().unwrap().success());
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_the_workspace_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this user may not mount a small file system");
        return;
    };
    let store = Store::open(path_of(&disk.0)).unwrap();
    let id = earlier_data(&store).await;
    let ballast = disk.0.path().join("ballast");
    fill(&ballast);
    check_full_then_free(&store, &id, async || std::fs::remove_file(&ballast).unwrap()).await;
    fill(&ballast);
    drop(store);
    // Opening needs no space to speak of, but may be refused; it must not harm anything.
    match Store::open(path_of(&disk.0)) {
        Ok(store) => assert_eq!(store.trace(&id).await.unwrap().messages.len(), 3),
        Err(error) => assert_eq!(error, StoreError::DiskFull),
    }
    std::fs::remove_file(&ballast).unwrap();
    let store = Store::open(path_of(&disk.0)).unwrap();
    assert_eq!(store.trace(&id).await.unwrap().messages.len(), 3);
    check_integrity(&store).await;
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [65_536, 4_096, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
