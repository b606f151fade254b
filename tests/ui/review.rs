//! Of the Review page. Their tests stand in them.
#![allow(dead_code, unreachable_pub, reason = "the page uses what these tests do not")]

#[path = "../../ui/src/pages/review/columns.rs"]
mod columns;
#[path = "../../ui/src/pages/review/decision.rs"]
mod decision;
#[path = "../../ui/src/pages/review/import/plan.rs"]
mod plan;
#[path = "../../ui/src/pages/review/query.rs"]
mod query;
#[path = "../../ui/src/pages/review/selection.rs"]
mod selection;
#[path = "../../ui/src/components/window.rs"]
mod window;

/// Of the editor.
mod editor;
