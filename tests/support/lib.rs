//! What tests and benches stand on: doubles of the outside world, and the real window and a real browser to drive.
//!
//! In: where to put things (temporary folders). Out: servers on loopback, an open window, an open browser. Never: a child
//! process, a port or a file of the person's that outlives its owner here.

pub mod browser;
pub mod drive;
pub mod endpoint;
pub mod hub;
pub mod mcp;
pub mod models;
pub mod window;
