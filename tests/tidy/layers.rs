//! Who may know whom: invariants 1, 2, 3 and 5.

use anyhow::Result;

use super::assert_none;
use super::workspace::{Package, packages};

/// Which folder's packages may depend on which; a pattern that ends in `/` means every package below it. The first
/// line that fits a package counts, and a package that fits none is a breach.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("", &["src-tauri/app", "src-tauri/contract"]),
    ("ui", &["src-tauri/contract", "src-tauri/foundation/artifact"]),
    ("src-tauri/cli", &["src-tauri/app", "src-tauri/contract", "src-tauri/foundation/artifact"]),
    ("src-tauri/app", &["src-tauri/contract", "src-tauri/pipeline/", "src-tauri/foundation/"]),
    ("src-tauri/contract", &["src-tauri/foundation/artifact"]),
    ("src-tauri/pipeline/", &["src-tauri/foundation/"]),
    ("src-tauri/worker", &["src-tauri/pipeline/", "src-tauri/foundation/"]),
    ("src-tauri/foundation/artifact", &[]),
    // The type that keeps a secret out of Debug and logs is needed wherever a secret passes through.
    ("src-tauri/foundation/vault", &["src-tauri/foundation/artifact"]),
    // What generates reads the same folders and uses the same loops as what trains.
    ("src-tauri/foundation/infer", &["src-tauri/foundation/model"]),
    ("src-tauri/foundation/", &["src-tauri/foundation/artifact", "src-tauri/foundation/vault"]),
    ("xtask", &[]),
    ("tests/support", &["src-tauri/foundation/artifact"]),
    ("tests", &["src-tauri/", "tests/support"]),
];

/// Test doubles: any package's own tests may use them, nothing else.
const DOUBLES: &str = "tests/support";

fn fits(folder: &str, pattern: &str) -> bool {
    if pattern.ends_with('/') { folder.starts_with(pattern) } else { folder == pattern }
}

fn wrong_acquaintances(packages: &[Package]) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in packages {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(pattern, _)| fits(&package.folder, pattern)) else {
            breaches.push(format!("{} in {} has no line in the table of layers", package.name, package.folder));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(known) = packages.iter().find(|other| other.name == dependency.name) else {
                continue;
            };
            let double = dependency.dev && known.folder == DOUBLES;
            if !double && !allowed.iter().any(|pattern| fits(&known.folder, pattern)) {
                breaches.push(format!("{} must not know {}", package.name, known.name));
            }
        }
    }
    breaches
}

/// Packages other than `only` that name a dependency whose name starts with one of the prefixes.
fn names_elsewhere(packages: &[Package], only: &str, prefixes: &[&str]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| package.folder != only)
        .flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)))
        .filter(|(_, dependency)| prefixes.iter().any(|prefix| dependency.name.starts_with(prefix)))
        .map(|(package, dependency)| format!("{} names {}", package.name, dependency.name))
        .collect()
}

/// What contract and artifact need beyond serde would have to build for wasm32 as well.
fn beyond_serde(packages: &[Package]) -> Vec<String> {
    let allowed = ["serde", "serde_json", "indexmap", "tw-artifact"];
    packages
        .iter()
        .filter(|package| ["src-tauri/contract", "src-tauri/foundation/artifact"].contains(&package.folder.as_str()))
        .flat_map(|package| package.dependencies.iter().map(move |dependency| (package, dependency)))
        .filter(|(_, dependency)| !dependency.dev && !allowed.contains(&dependency.name.as_str()))
        .map(|(package, dependency)| format!("{} depends on {}", package.name, dependency.name))
        .collect()
}

#[test]
fn every_package_knows_only_the_packages_of_its_layer() -> Result<()> {
    assert_none("src-tauri/ARCHITECTURE.md, who may know whom", &wrong_acquaintances(&packages()?));
    Ok(())
}

#[test]
fn only_the_root_package_names_tauri() -> Result<()> {
    let packages = packages()?;
    assert_none("invariant 1", &names_elsewhere(&packages, "", &["tauri", "wry", "tao"]));
    let root = packages.iter().find(|package| package.folder.is_empty());
    assert!(
        root.is_some_and(|root| root.dependencies.iter().any(|dependency| dependency.name == "tauri")),
        "the root package names tauri, or this test looks at the wrong thing"
    );
    Ok(())
}

/// The packages that may link candle; of these only the worker is a program.
const WITH_CANDLE: &[&str] =
    &["src-tauri/worker", "src-tauri/foundation/model", "src-tauri/foundation/infer", "src-tauri/pipeline/train"];

/// Packages that link candle, themselves or through ours that do, and may not.
fn candle_elsewhere(packages: &[Package]) -> Vec<String> {
    let (with, without): (Vec<Package>, Vec<Package>) =
        packages.iter().cloned().partition(|package| WITH_CANDLE.contains(&package.folder.as_str()));
    let names: Vec<&str> = with.iter().map(|package| package.name.as_str()).chain(["candle"]).collect();
    names_elsewhere(&without, "src-tauri/worker", &names)
}

#[test]
fn only_the_worker_links_candle() -> Result<()> {
    assert_none("invariant 2", &candle_elsewhere(&packages()?));
    Ok(())
}

#[test]
fn contract_and_artifact_need_nothing_but_serde() -> Result<()> {
    assert_none("invariant 3", &beyond_serde(&packages()?));
    Ok(())
}

mod breaches_are_seen {
    use super::super::workspace::Dependency;
    use super::*;

    fn package(name: &str, folder: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, dev)| Dependency { name: (*name).to_owned(), dev: *dev, requirement: "*".to_owned() })
            .collect();
        Package { name: name.to_owned(), folder: folder.to_owned(), dependencies }
    }

    fn check(breaking: Package, expected: &[&str]) {
        let others = [
            package("tw-artifact", "src-tauri/foundation/artifact", &[]),
            package("tw-store", "src-tauri/foundation/store", &[]),
            package("tw-collect", "src-tauri/pipeline/collect", &[]),
            package("tw-support", "tests/support", &[]),
        ];
        let packages: Vec<Package> = others.into_iter().chain([breaking]).collect();
        assert_eq!(wrong_acquaintances(&packages), expected);
    }

    #[test]
    fn a_stage_that_imports_a_stage() {
        check(
            package("tw-review", "src-tauri/pipeline/review", &[("tw-collect", false)]),
            &["tw-review must not know tw-collect"],
        );
    }

    #[test]
    fn a_stage_that_imports_a_stage_only_for_its_tests() {
        check(
            package("tw-review", "src-tauri/pipeline/review", &[("tw-collect", true)]),
            &["tw-review must not know tw-collect"],
        );
    }

    #[test]
    fn a_ui_that_reaches_for_the_store() {
        check(
            package("tw-ui", "ui", &[("tw-store", false), ("tw-artifact", false)]),
            &["tw-ui must not know tw-store"],
        );
    }

    #[test]
    fn doubles_outside_of_tests() {
        check(
            package("tw-hub", "src-tauri/foundation/hub", &[("tw-support", false)]),
            &["tw-hub must not know tw-support"],
        );
        check(package("tw-hub", "src-tauri/foundation/hub", &[("tw-support", true)]), &[]);
    }

    #[test]
    fn a_package_without_a_layer() {
        check(package("tw-misc", "misc", &[]), &["tw-misc in misc has no line in the table of layers"]);
    }

    #[test]
    fn tauri_outside_of_the_shell() {
        let packages = [
            package("tw-app", "src-tauri/app", &[("tauri-plugin-opener", false)]),
            package("tracewright", "", &[("tauri", false)]),
        ];
        assert_eq!(names_elsewhere(&packages, "", &["tauri"]), ["tw-app names tauri-plugin-opener"]);
    }

    #[test]
    fn candle_in_the_app_also_through_a_package_of_ours() {
        let packages = [
            package("tw-train", "src-tauri/pipeline/train", &[("candle-core", false)]),
            package("tw-app", "src-tauri/app", &[("tw-train", false)]),
            package("tw-cli", "src-tauri/cli", &[("candle-nn", true)]),
            package("tw-worker", "src-tauri/worker", &[("tw-train", false)]),
        ];
        assert_eq!(candle_elsewhere(&packages), ["tw-app names tw-train", "tw-cli names candle-nn"]);
    }

    #[test]
    fn more_than_serde_in_the_contract() {
        let packages =
            [package("tw-contract", "src-tauri/contract", &[("serde", false), ("tokio", false), ("proptest", true)])];
        assert_eq!(beyond_serde(&packages), ["tw-contract depends on tokio"]);
    }
}
