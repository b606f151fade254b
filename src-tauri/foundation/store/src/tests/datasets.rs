//! The list of dataset versions.

use tw_artifact::DatasetVersion;

use super::*;

fn version(id: &str, at_ms: i64) -> DatasetVersion {
    DatasetVersion { id: id.to_owned(), name: "shoes".to_owned(), built_at_ms: at_ms, ..DatasetVersion::default() }
}

#[tokio::test]
async fn versions_are_found_by_the_beginning_of_their_id_and_listed_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(path_of(&folder)).unwrap();
    for (id, at_ms) in [("abc1", 1), ("abd2", 2), ("ff", 3)] {
        store.add_dataset(&version(id, at_ms)).await.unwrap();
    }
    // Built again, it is the same version.
    store.add_dataset(&version("abc1", 9)).await.unwrap();
    let ids: Vec<String> = store.datasets().await.unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(ids, ["ff", "abd2", "abc1"]);
    assert_eq!(store.dataset("ABC").await.unwrap().built_at_ms, 1);
    assert!(matches!(store.dataset("ab").await, Err(StoreError::Invalid { .. })));
    assert!(matches!(store.dataset("").await, Err(StoreError::NotFound { .. })));
    store.remove_dataset("abc1").await.unwrap();
    assert!(matches!(store.remove_dataset("abc1").await, Err(StoreError::NotFound { .. })));
    assert!(store.dataset("abc1").await.is_err());
}
