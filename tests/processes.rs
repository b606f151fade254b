//! Processes that carry a mark in their environment, which children inherit.

use std::time::{Duration, Instant};

/// The mark's variable.
pub(crate) const MARK: &str = "TW_TEST_MARK";

/// Command lines of the processes that carry `mark`. Linux only; elsewhere none are seen.
pub(crate) fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}

/// Waits until no process carries `mark`; fails with those that stay.
pub(crate) async fn until_gone(mark: &str) {
    let start = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "these processes outlive the app: {left:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
