//! The house rules of src-tauri/ARCHITECTURE.md, each held over the manifests and the files as they are.
//!
//! Every rule is a function that gives its breaches as sentences. It is tried twice: on a made-up breach, which it must
//! see, and on this repository, where there must be none.

mod files;
mod layers;
mod page;
mod workspace;

/// Fails with one line per breach.
fn assert_none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}
