//! The window's contents: what a person sees and does.
//!
//! In: replies and events of a host through `backend`, and what the person types, clicks and drops. Out: commands to the
//! same host. Never: a call to the host from anywhere but `backend`, text of a trace taken for markup, or a secret kept.

#![expect(unreachable_pub, reason = "the component macro makes the functions inside its own public")]
#![expect(clippy::needless_pass_by_value, reason = "a component owns what it is given")]

mod app;
mod backend;
mod components;
mod pages;
mod state;

fn main() {
    console_error_panic_hook::set_once();
    app::mount();
}
