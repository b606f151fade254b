//! A scripted endpoint: an OpenAI-style server on loopback that answers what a test tells it to, in the exact shapes of
//! real servers, or fails in the ways of real networks.
//!
//! In: scripts, one an answer, or a rule that makes them. Out: HTTP on a free port, and every request as it came
//! ([`Recorded`]). Never: a model, a port or a connection that outlives the [`ScriptedEndpoint`].

mod answer;
pub(crate) mod connection;
mod lora;
mod script;
mod server;
mod shape;
mod tokenize;

pub use answer::{AnswerScript, answer};
pub use lora::Lora;
pub use script::{Script, Step};
pub use server::{EndpointOptions, Recorded, ScriptedEndpoint};
pub use shape::{Flavour, Shape, TextForm};
pub use tokenize::Tokenize;

/// The model that a scripted endpoint offers unless told otherwise.
pub const MODEL: &str = "scripted-model";
