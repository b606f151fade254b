//! Of the loss lens. Their tests stand in them.
#![allow(dead_code, unreachable_pub, reason = "the window uses what these tests do not")]

#[path = "../../ui/src/components/lens/cells.rs"]
mod cells;
#[path = "../../ui/src/components/lens/minimap.rs"]
mod minimap;
#[path = "../../ui/src/components/lens/model.rs"]
mod model;
#[path = "../../ui/src/components/lens/place.rs"]
mod place;
#[path = "../../ui/src/components/lens/signs.rs"]
mod signs;
