//! Of the editor of one trace.

#[path = "../../../ui/src/pages/review/editor/completion.rs"]
mod completion;
#[path = "../../../ui/src/pages/review/editor/patching.rs"]
mod patching;
#[path = "../../../ui/src/pages/review/editor/place.rs"]
mod place;
#[path = "../../../ui/src/pages/review/editor/schema.rs"]
mod schema;
#[path = "../../../ui/src/pages/review/editor/selection.rs"]
mod selection;
#[path = "../../../ui/src/pages/review/editor/text.rs"]
mod text;
#[path = "../../../ui/src/pages/review/editor/whole.rs"]
mod whole;
#[path = "../../../ui/src/pages/review/editor/writing.rs"]
mod writing;
