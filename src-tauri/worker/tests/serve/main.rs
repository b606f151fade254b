//! `tw-worker serve` as its clients see it: a process and HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod faults;
mod place;
