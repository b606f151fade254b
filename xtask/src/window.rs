//! `cargo xtask run`: the window, or, where there is no display, how to get the same app into a browser.

use std::env;
use std::path::Path;
use std::process::Stdio;

use anyhow::Result;

use crate::child;
use crate::house::House;
use crate::native;
use crate::need::For;
use crate::node;
use crate::say::{self, Stop};
use crate::setup;
use crate::ui::{self, Profile};

/// Sets up, builds and opens the window; ends when the window is closed.
pub(crate) fn run(house: &House, release: bool, app_args: &[String]) -> Result<()> {
    let (profile, folder) = if release { (Profile::Release, "release") } else { (Profile::Dev, "debug") };
    if !has_display(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        setup::prepare(For::Ui)?;
        ui::build(house, profile)?;
        let step = say::step("Building the app");
        native::build(house, &["--bin", "tw", "--bin", "tw-worker"], release, "Building the app")?;
        step.done();
        return Err(no_display(&house.binary(folder, "tw")).into());
    }
    setup::prepare(For::Window)?;
    if let Err(missing) = node::find() {
        say::line(&format!("MCP servers that start with npx will not run yet: {missing}"));
    }
    ui::build(house, profile)?;
    let step = say::step("Building the app");
    native::build(house, &["--bin", "tracewright", "--bin", "tw-worker"], release, "Building the app")?;
    step.done();
    let mut app = std::process::Command::new(house.binary(folder, "tracewright"));
    app.args(app_args).stdin(Stdio::null());
    say::line("The window opens now; close it to end.");
    child::run(&mut app, "The app")
}

fn no_display(tw: &Path) -> Stop {
    Stop::new(
        "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set, so the window cannot open.",
        format!("The same app runs in a browser. It is built; type:\n    {} serve", child::quoted(tw.as_os_str())),
    )
}

/// macOS and Windows always have one; Linux says so in the environment.
fn has_display(set: impl Fn(&str) -> bool) -> bool {
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn either_kind_of_display_will_do_and_without_one_the_browser_is_offered() {
        assert!(has_display(|name| name == "DISPLAY"));
        assert!(has_display(|name| name == "WAYLAND_DISPLAY"));
        assert!(!has_display(|_| false));
        assert!(no_display(Path::new("/a b/tw")).to_string().contains("\n    '/a b/tw' serve"));
    }
}
