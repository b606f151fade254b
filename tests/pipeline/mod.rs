//! The stages over real parts: one module a stage, and the real peers they work with.

mod collect;
pub(crate) mod collect_browser;
mod collect_faults;
mod collect_kill;
mod collect_people;
pub(crate) mod dataset;
mod evaluate;
mod hub;
mod local_model;
mod mcp_client;
mod mcp_servers;
mod openai_client;
mod review;
mod review_browser;
pub(crate) mod template;
pub(crate) mod train;
mod vllm;
mod window_servers;

pub(crate) use dataset::trace;
