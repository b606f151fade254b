//! `cargo xtask ci`: what must hold before a change lands.

use anyhow::Result;

use crate::child;
use crate::house::House;
use crate::need::For;
use crate::say::{self, Stop};
use crate::setup;
use crate::testing;
use crate::ui::{self, Profile};

/// Formatting, lints, licences and layers, then the tests. All checks run, even after one has failed.
pub(crate) fn ci(house: &House, checks_only: bool) -> Result<()> {
    setup::prepare(For::Window)?;
    // The app embeds the UI: without it, it does not compile.
    ui::build(house, Profile::Dev)?;
    let mut failed = Vec::new();
    let mut check = |name: &str, arguments: &[&str]| {
        let step = say::step(name);
        if let Err(error) = child::run(child::cargo().current_dir(house.root()).args(arguments), name) {
            say::trouble(&error);
            failed.push(name.to_owned());
        }
        step.done();
    };
    check("Formatting (cargo fmt)", &["fmt", "--all", "--check"]);
    check("Lints (cargo clippy)", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    if child::works(child::cargo().args(["deny", "--version"])) {
        // Advisories need a database from the network, which a build machine may not have: they are not checked here.
        check("Licences and bans (cargo deny)", &["deny", "check", "bans", "licenses", "sources"]);
    } else {
        say::line(
            "Licences and bans: skipped: cargo-deny is not installed (the layers are held by tests/tidy as well)",
        );
    }
    if !failed.is_empty() {
        return Err(Stop::new(format!("Not in order: {}.", failed.join(", ")), "The lines above say where.").into());
    }
    if checks_only { Ok(()) } else { testing::test(house, &[]) }
}
