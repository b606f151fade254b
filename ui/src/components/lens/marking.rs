//! What can be done with a message or a selection: said to be trained on, or not, or shown where it comes from.

use std::ops::Range;

use leptos::prelude::*;
use tw_artifact::{EditOp, Role};

use super::looking::Looking;
use super::model::Lens;
use super::place::pick;
use crate::components::{IconName, MenuItem};

/// What can be done with a message.
pub(super) fn message_items(looking: Looking, lens: &Lens, message: u32) -> Vec<MenuItem> {
    let Some(of) = lens.view.messages.get(message as usize) else { return Vec::new() };
    let mut items = Vec::new();
    if let (Some(edit), Some(id), Role::Assistant) = (looking.edit, of.id, of.role) {
        for (label, train, testid) in [
            ("Train on this message", Some(true), "lens-train"),
            ("Do not train on it", Some(false), "lens-skip"),
            ("Leave it to the dataset", None, "lens-auto"),
        ] {
            let icon = if of.marked == train { IconName::Check } else { IconName::Target };
            items.push(
                MenuItem::new(label, move || edit.run(EditOp::Train { ids: vec![id], train }))
                    .icon(icon)
                    .testid(testid),
            );
        }
        if of.has_spans {
            items.push(forget(edit, id));
        }
    }
    if looking.can_open() {
        items.push(
            MenuItem::new("Show it in the trace", move || looking.open_message(Some(message)))
                .icon(IconName::Eye)
                .testid("lens-open"),
        );
    }
    items
}

/// What can be done with selected text.
///
/// # Errors
/// Why nothing can, in words.
pub(super) fn selection_items(
    looking: Looking,
    lens: &Lens,
    selected: Range<usize>,
) -> Result<Vec<MenuItem>, &'static str> {
    let picked = pick(lens, selected)?;
    let of = lens.view.messages.get(picked.message as usize);
    let (Some(edit), Some(of)) = (looking.edit, of) else { return Ok(Vec::new()) };
    let Some(id) = of.id else { return Err("This message cannot be edited here.") };
    let whole = if picked.grown { " (as far as it is escaped)" } else { "" };
    let mark = |label: &str, train: bool| {
        MenuItem::new(format!("{label}{whole}"), move || {
            edit.run(EditOp::TrainSpan { id, span: picked.span(train) });
        })
        .icon(IconName::Target)
    };
    let mut items = vec![
        mark("Train on the selection", true).testid("lens-train-selection"),
        mark("Do not train on the selection", false).testid("lens-skip-selection"),
    ];
    if of.has_spans {
        items.push(forget(edit, id));
    }
    Ok(items)
}

fn forget(edit: Callback<EditOp>, id: u64) -> MenuItem {
    MenuItem::new("Forget marks on parts of it", move || edit.run(EditOp::ClearSpans { id }))
        .icon(IconName::Close)
        .testid("lens-forget")
}
