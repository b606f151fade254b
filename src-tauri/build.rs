//! Prepares what the shell embeds: the Tauri context with its capabilities, and a stand-in page where the UI is not
//! built yet, so that a clean clone compiles with plain cargo.

use std::path::Path;
use std::{fs, io};

const CAPABILITIES: &str = "src-tauri/capabilities";
const UI_DIST: &str = "ui/dist";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    stand_in_page(Path::new(UI_DIST))?;
    println!("cargo:rerun-if-changed={CAPABILITIES}");
    println!("cargo:rerun-if-changed={UI_DIST}");
    let attributes = tauri_build::Attributes::new().capabilities_path_pattern("src-tauri/capabilities/*.json");
    Ok(tauri_build::try_build(attributes)?)
}

/// The folder must exist for the code that embeds it; `cargo xtask ui` replaces it whole.
fn stand_in_page(dist: &Path) -> io::Result<()> {
    let index = dist.join("index.html");
    if index.exists() {
        return Ok(());
    }
    fs::create_dir_all(dist)?;
    fs::write(
        index,
        "<!doctype html>\n<title>Tracewright</title>\n<p>The interface is not built. Type: cargo xtask run\n",
    )
}
