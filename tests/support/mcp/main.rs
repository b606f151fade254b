//! `tw-fake-mcp`: the misbehaving MCP server over stdin and stdout. Its options are those of `Behaviour`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tw_support::mcp::run(std::env::args().skip(1))
}
