//! Of the Train page and its plots. Their tests stand in them.
#![allow(dead_code, unreachable_pub, reason = "the page uses what these tests do not")]

#[path = "../../ui/src/pages/train/knobs.rs"]
mod knobs;
#[path = "../../ui/src/components/plot/model.rs"]
mod plot;
#[path = "../../ui/src/pages/train/words.rs"]
mod words;
