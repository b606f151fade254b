//! Where a version was pushed to: lines beside its folder, which holds nothing but what its id says.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use tw_artifact::DatasetPush;

use crate::Error;
use crate::file::sync_folder;

/// The file stays when the version goes: built again from the same, it is the version that was pushed.
fn path_of(root: &Path, id: &str) -> PathBuf {
    root.join(format!("{id}.pushes.jsonl"))
}

/// The pushes of a version, the last one first. A line that cannot be read is left out: nothing hangs on it.
#[must_use]
pub fn pushes(root: &Path, id: &str) -> Vec<DatasetPush> {
    let text = std::fs::read_to_string(path_of(root, id)).unwrap_or_default();
    text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Remembers a push. The same commit is remembered once.
///
/// # Errors
/// The file cannot be written.
pub fn add_push(root: &Path, id: &str, push: &DatasetPush) -> Result<(), Error> {
    if pushes(root, id).iter().any(|known| known.url == push.url && known.commit == push.commit) {
        return Ok(());
    }
    let path = path_of(root, id);
    let mut line = serde_json::to_string(push).map_err(|error| Error::Plan(error.to_string()))?;
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::io(&path))?;
    sync_folder(root)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pushes_are_kept_once_and_the_last_one_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let push = |commit: &str| DatasetPush {
            repo: "ada/rows".to_owned(),
            commit: commit.to_owned(),
            url: format!("https://hub.example/datasets/ada/rows/tree/{commit}"),
            at_ms: 5,
        };
        assert_eq!(pushes(dir.path(), "v1"), []);
        for commit in ["a", "b", "a"] {
            add_push(dir.path(), "v1", &push(commit)).unwrap();
        }
        assert_eq!(pushes(dir.path(), "v1"), [push("b"), push("a")]);
        assert_eq!(pushes(dir.path(), "v2"), []);
        // A line that was cut off, by a disk that was full, takes nothing else with it.
        let mut file = OpenOptions::new().append(true).open(path_of(dir.path(), "v1")).unwrap();
        file.write_all(b"{\"repo\":\"ada").unwrap();
        assert_eq!(pushes(dir.path(), "v1"), [push("b"), push("a")]);
    }
}
