//! Of the Dataset page. Their tests stand in them.
#![allow(dead_code, unreachable_pub, reason = "the page uses what these tests do not")]

#[path = "../../ui/src/pages/dataset/tree.rs"]
mod tree;
#[path = "../../ui/src/pages/dataset/words.rs"]
mod words;
