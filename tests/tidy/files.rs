//! What every file and folder keeps to: invariant 6, no unfinished marks, a README per folder of crates.

use std::collections::BTreeSet;

use anyhow::Result;

use super::assert_none;
use super::workspace::{Source, packages, root, sources};

const LONGEST_FILE_LINES: usize = 800;
const LONGEST_README_LINES: usize = 15;

fn too_long(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE_LINES)
        .map(|(source, lines)| format!("{} has {lines} lines", source.path))
        .collect()
}

/// Crates whose first line does not say what they are for.
fn without_introduction(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| ["lib.rs", "main.rs"].iter().any(|name| source.path.rsplit('/').next() == Some(name)))
        .filter(|source| !source.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 20))
        .map(|source| format!("{} does not open with //!", source.path))
        .collect()
}

fn unfinished(sources: &[Source]) -> Vec<String> {
    // Put together here, so that this file does not hold the marks itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("unimpl", "emented!(")];
    sources
        .iter()
        .flat_map(|source| source.text.lines().enumerate().map(move |(index, line)| (source, index + 1, line)))
        .filter(|(_, _, line)| marks.iter().any(|mark| line.contains(mark)))
        .map(|(source, number, line)| format!("{}:{number}: {}", source.path, line.trim()))
        .collect()
}

/// The folders that hold crates beside each other, without the ones that are a crate themselves.
fn folders_of_crates<'a>(crates: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    crates
        .iter()
        .filter_map(|folder| Some(folder.rsplit_once('/')?.0))
        .filter(|parent| !crates.contains(parent))
        .collect()
}

#[test]
fn no_source_file_is_longer_than_a_person_reads() -> Result<()> {
    assert_none("invariant 6", &too_long(&sources(&[".rs", ".css", ".js", ".toml", ".md"])?));
    Ok(())
}

#[test]
fn every_crate_opens_by_saying_what_it_is_for() -> Result<()> {
    assert_none("invariant 6", &without_introduction(&sources(&[".rs"])?));
    Ok(())
}

#[test]
fn nothing_is_left_marked_as_unfinished() -> Result<()> {
    assert_none(
        "no marks of unfinished work",
        &unfinished(&sources(&[".rs", ".css", ".js", ".toml", ".html", ".json", "run"])?),
    );
    Ok(())
}

#[test]
fn every_folder_of_crates_has_a_short_readme() -> Result<()> {
    let packages = packages()?;
    let crates: BTreeSet<&str> = packages.iter().map(|package| package.folder.as_str()).collect();
    let folders = folders_of_crates(&crates);
    assert!(folders.contains("src-tauri/foundation"), "the rule looks at {folders:?}");
    let mut breaches = Vec::new();
    for folder in folders {
        let place = root()?.join(folder);
        // src-tauri's page is the living architecture, which is longer.
        if place.join("ARCHITECTURE.md").is_file() {
            continue;
        }
        match std::fs::read_to_string(place.join("README.md")) {
            Err(_) => breaches.push(format!("{folder} has no README.md")),
            Ok(text) if text.lines().count() > LONGEST_README_LINES => {
                breaches.push(format!("{folder}/README.md has {} lines", text.lines().count()));
            }
            Ok(_) => {}
        }
    }
    assert_none("a folder that holds crates has a README of at most 15 lines", &breaches);
    Ok(())
}

#[test]
fn every_package_takes_part_in_the_lints() -> Result<()> {
    let breaches: Vec<String> = sources(&["Cargo.toml"])?
        .into_iter()
        .filter(|source| source.text.contains("[package]") && !source.text.contains("[lints]\nworkspace = true"))
        .map(|source| format!("{} lacks [lints] workspace = true", source.path))
        .collect();
    assert_none("the lints are agreed once", &breaches);
    Ok(())
}

mod breaches_are_seen {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_file_that_is_too_long() {
        assert_eq!(
            too_long(&[source("a.rs", &"x\n".repeat(801)), source("b.rs", &"x\n".repeat(800))]),
            ["a.rs has 801 lines"]
        );
    }

    #[test]
    fn a_crate_without_introduction() {
        let sources = [
            source("x/src/lib.rs", "//! stub"),
            source("y/src/main.rs", "use std::fs;"),
            source("z/src/thing.rs", "use std::fs;"),
        ];
        assert_eq!(
            without_introduction(&sources),
            ["x/src/lib.rs does not open with //!", "y/src/main.rs does not open with //!"]
        );
    }

    #[test]
    fn a_mark_of_unfinished_work() {
        let text = format!("fn a() {{}}\n// {}: later", concat!("TO", "DO"));
        assert_eq!(unfinished(&[source("a.rs", &text)]).len(), 1);
    }

    #[test]
    fn folders_that_hold_crates_are_found_from_the_crates() {
        let crates =
            BTreeSet::from(["", "ui", "tests", "tests/support", "src-tauri/app", "src-tauri/foundation/store"]);
        assert_eq!(folders_of_crates(&crates), BTreeSet::from(["src-tauri", "src-tauri/foundation"]));
    }
}
