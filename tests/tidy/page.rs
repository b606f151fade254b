//! The page and its host: invariant 4, the content security policy, and versions that must be the same.

use anyhow::{Context, Result};
use serde_json::Value;

use super::assert_none;
use super::workspace::{Package, Source, packages, root, sources};

/// Ways to reach the host or the network from the page.
const WAYS_OUT: &[&str] = &[
    "__TAURI__",
    "gloo_net",
    "WebSocket",
    "EventSource",
    "XmlHttpRequest",
    "fetch_with_",
    "window.fetch",
    "sendBeacon",
];

fn ways_out_of_the_ui(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.path.starts_with("ui/src/") && !source.path.starts_with("ui/src/backend"))
        .flat_map(|source| source.text.lines().enumerate().map(move |(index, line)| (source, index + 1, line)))
        // Prose may speak of what code may not use.
        .filter(|(_, _, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, _, line)| WAYS_OUT.iter().any(|way| line.contains(way)))
        .map(|(source, number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

/// What a policy allows that would let a hostile trace run code or reach out.
fn holes_in(policy: &str) -> Vec<String> {
    let directive = |name: &str| {
        policy.split(';').map(str::trim).find_map(|part| part.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_default()
    };
    let mut holes = Vec::new();
    for (name, allowed) in [
        ("default-src", &["'self'"][..]),
        ("script-src", &["'self'", "'wasm-unsafe-eval'"]),
        ("connect-src", &["'self'", "ipc:", "http://ipc.localhost"]),
        ("img-src", &["'self'", "data:", "blob:"]),
    ] {
        let given = directive(name);
        if given.is_empty() {
            holes.push(format!("{name} is not set"));
        }
        holes.extend(
            given
                .split_whitespace()
                .filter(|source| !allowed.contains(source))
                .map(|source| format!("{name} allows {source}")),
        );
    }
    holes
}

/// wasm-bindgen's two halves refuse each other when they differ, and only at the end of a long build.
fn different_bindgens(packages: &[Package]) -> Vec<String> {
    let wanted = |package: &str, dependency: &str| {
        let package = packages.iter().find(|candidate| candidate.name == package)?;
        package
            .dependencies
            .iter()
            .find(|candidate| candidate.name == dependency)
            .map(|found| found.requirement.clone())
    };
    let (page, tool) = (wanted("tw-ui", "wasm-bindgen"), wanted("xtask", "wasm-bindgen-cli-support"));
    let pinned = page.as_ref().is_some_and(|requirement| requirement.starts_with('='));
    if page == tool && pinned { Vec::new() } else { vec![format!("ui wants wasm-bindgen {page:?}, xtask {tool:?}")] }
}

#[test]
fn only_the_uis_backend_talks_to_the_host() -> Result<()> {
    let sources = sources(&[".rs"])?;
    assert!(
        sources.iter().any(|source| source.path.starts_with("ui/src/backend")),
        "the rule knows where the backend is"
    );
    assert_none("invariant 4", &ways_out_of_the_ui(&sources));
    Ok(())
}

#[test]
fn the_windows_policy_lets_no_foreign_code_in_and_nothing_out() -> Result<()> {
    let config: Value = serde_json::from_str(&std::fs::read_to_string(root()?.join("tauri.conf.json"))?)?;
    let policy = config["app"]["security"]["csp"].as_str().context("tauri.conf.json has no csp")?;
    assert_none("content security policy", &holes_in(policy));
    Ok(())
}

#[test]
fn both_halves_of_wasm_bindgen_are_the_same_version() -> Result<()> {
    assert_none("one version, pinned", &different_bindgens(&packages()?));
    Ok(())
}

#[test]
fn the_tests_mcp_servers_are_pinned_and_named_without_an_address() -> Result<()> {
    let folder = root()?.join("tests/npm");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("package.json"))?)?;
    let wanted = manifest["dependencies"].as_object().context("package.json has no dependencies")?;
    let loose: Vec<String> = wanted
        .iter()
        .filter(|(_, version)| {
            !version.as_str().is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    assert_none("exact versions in tests/npm/package.json", &loose);
    let lock = std::fs::read_to_string(folder.join("package-lock.json"))?;
    assert!(!lock.contains("\"resolved\""), "tests/npm/package-lock.json names where packages were fetched from");
    Ok(())
}

mod breaches_are_seen {
    use super::*;

    #[test]
    fn a_page_that_talks_to_the_host_itself() {
        let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let sources = [
            source("ui/src/pages/collect.rs", "// not gloo_net\nlet socket = WebSocket::new(url);"),
            source("ui/src/backend/http.rs", "use gloo_net::http::Request;"),
        ];
        assert_eq!(ways_out_of_the_ui(&sources), ["ui/src/pages/collect.rs:2: let socket = WebSocket::new(url);"]);
    }

    #[test]
    fn a_policy_with_holes() {
        let policy = "default-src 'self'; script-src 'self' 'unsafe-eval'; connect-src 'self' https:";
        assert_eq!(
            holes_in(policy),
            ["script-src allows 'unsafe-eval'", "connect-src allows https:", "img-src is not set"]
        );
    }
}
