//! An MCP server that misbehaves on demand, as a child process and over streamable HTTP, in both eras of the protocol.
//!
//! It is written by hand on JSON values, so that a mistake of the client under test cannot hide behind a shared library;
//! the official Python client talks to it in `tests/parity/mcp_client.py`.

mod authorization;
mod behaviour;
mod engine;
mod http;
mod stdio;
mod tools;

use std::io;
use std::path::PathBuf;

pub use behaviour::{Behaviour, Endless, Era};
pub use http::{Authorization, HttpServer};
pub use stdio::run;

/// The program `tw-fake-mcp`, beside the running test in the target folder.
///
/// # Errors
/// It was not built yet; the message says how to.
pub fn fake_server_path() -> io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let name = format!("tw-fake-mcp{}", std::env::consts::EXE_SUFFIX);
    // Tests run from target/debug/deps, programs from target/debug.
    let found = exe.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        io::Error::other(format!(
            "{name} was not found beside {}; build it with `cargo build -p tw-support --bin tw-fake-mcp`",
            exe.display()
        ))
    })
}
