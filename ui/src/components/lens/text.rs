//! The text itself: blocks of it near what is visible, drawn token by token.

use std::sync::Arc;

use leptos::either::Either;
use leptos::ev::ClipboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Node};

use super::cells::byte_of_units;
use super::looking::{Hover, Looking, use_looking};
use super::marking::{message_items, selection_items};
use super::model::Lens;
use super::signs::drawn;
use crate::components::VirtualList;
use crate::state::toasts::use_toasts;

/// A block's place in the list, on its row's element.
const ROW: &str = "data-row-key";
/// A cell's place in its block, on its element.
const CELL: &str = "data-cell";

/// A block of a row. Two are the same when they are drawn the same.
#[derive(Clone)]
struct BlockRow {
    lens: Arc<Lens>,
    block: usize,
}

impl PartialEq for BlockRow {
    fn eq(&self, other: &Self) -> bool {
        self.block == other.block
            && (Arc::ptr_eq(&self.lens, &other.lens) || self.lens.draws_like(self.block, &other.lens, other.block))
    }
}

/// The text.
#[component]
pub(super) fn LensText() -> impl IntoView {
    let looking = use_looking();
    let toasts = use_toasts();
    let rows = Memo::new(move |_| {
        let lens = looking.lens.get();
        let blocks = |lens: Arc<Lens>| {
            (0..lens.blocks.len()).map(|block| BlockRow { lens: Arc::clone(&lens), block }).collect::<Vec<_>>()
        };
        lens.map(blocks).unwrap_or_default()
    });
    let row = move |row: Signal<BlockRow>| {
        let pointed = Memo::new(move |_| {
            let (begin, end) = looking.pointed.get()?;
            row.with(|row| {
                let block = row.lens.blocks.get(row.block)?;
                let (begin, end) = (begin.max(block.start), end.min(block.end));
                (begin < end).then(|| (begin - block.start, end - block.start))
            })
        });
        view! { <div class="lens-block" dir="auto">{move || row.with(|row| draw(row, pointed.get()))}</div> }
    };
    let pressed = move |event: web_sys::MouseEvent| {
        let Some(lens) = looking.now() else { return };
        let at = (f64::from(event.client_x()), f64::from(event.client_y()));
        if let Some(selected) = selected_bytes(&lens) {
            // Without a way to mark it, a selection is for copying.
            if looking.edit.is_some() {
                match selection_items(looking, &lens, selected) {
                    Ok(items) => looking.menu.at(at.0, at.1 + 10.0, "The selected text", || items),
                    Err(reason) => toasts.info(reason),
                }
            }
            return;
        }
        let source = cell_under(&event, &lens).and_then(|cell| {
            let cell = lens.cells.get(cell)?;
            (cell.tokens > 0).then(|| lens.source_of(cell.first_token)).flatten()
        });
        if let Some(message) = source.and_then(|source| source.message) {
            let items = message_items(looking, &lens, message);
            if !items.is_empty() {
                looking.hover.set(None);
                looking.menu.at(at.0, at.1 + 10.0, lens.message_name(message), || items);
            }
        }
    };
    view! {
        <div
            class="lens-text"
            class:can-mark=looking.edit.is_some()
            on:pointermove=move |event| {
                let hover = looking.now().and_then(|lens| cell_under(&event, &lens)).map(|cell| Hover {
                    cell,
                    x: f64::from(event.client_x()),
                    y: f64::from(event.client_y()),
                });
                // A button that is held selects: nothing stands in the way then.
                let hover = hover.filter(|_| event.buttons() == 0);
                if looking.hover.with_untracked(|old| *old != hover) {
                    looking.hover.set(hover);
                }
            }
            on:pointerleave=move |_| looking.hover.set(None)
            on:click=pressed
            on:copy=move |event| copy(looking, &event)
        >
            <VirtualList
                rows
                key=key_of
                row
                estimate_px=150.0
                handle=looking.list
                visible=looking.visible
                label="The row's text"
                testid="lens-text"
            />
        </div>
    }
}

fn key_of(row: &BlockRow) -> String {
    row.block.to_string()
}

/// The cells of a block.
fn draw(row: &BlockRow, pointed: Option<(usize, usize)>) -> impl IntoView + use<> {
    let lens = &row.lens;
    let block = lens.blocks.get(row.block).cloned();
    let cells = block.as_ref().and_then(|block| lens.cells.get(block.cells.clone())).unwrap_or_default();
    let start = block.map(|block| block.start).unwrap_or_default();
    cells
        .iter()
        .enumerate()
        .map(|(place, cell)| {
            let (face, trained) = lens.look_of(cell);
            let is_at = pointed.is_some_and(|(begin, end)| cell.start - start < end && cell.end - start > begin);
            let mut class = String::with_capacity(48);
            class.push_str("lens-cell ");
            class.push_str(face.class());
            if trained {
                class.push_str(" is-trained");
            }
            if cell.tokens == 0 {
                class.push_str(" is-bare");
            }
            if is_at {
                class.push_str(" is-at");
            }
            let text = drawn(lens.text_of(cell.start..cell.end));
            let parts = if text.contains('\n') {
                // A line's end is drawn, and stays a line's end.
                let parts = text
                    .split_inclusive('\n')
                    .map(|line| {
                        let (line, ends) = line.strip_suffix('\n').map_or((line, false), |line| (line, true));
                        view! { {line.to_owned()}{ends.then(|| view! { <i class="lens-end">"\n"</i> })} }
                    })
                    .collect::<Vec<_>>();
                Either::Left(parts)
            } else {
                Either::Right(text.into_owned())
            };
            view! { <span class=class data-cell=place.to_string()>{parts}</span> }
        })
        .collect::<Vec<_>>()
}

/// The cell under the pointer.
fn cell_under(event: &web_sys::MouseEvent, lens: &Lens) -> Option<usize> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    cell_of(&target, lens)
}

/// The cell that an element is, or stands in.
fn cell_of(element: &Element, lens: &Lens) -> Option<usize> {
    let cell = element.closest(&format!("[{CELL}]")).ok().flatten()?;
    let place = cell.get_attribute(CELL)?.parse::<usize>().ok()?;
    let block = cell.closest(&format!("[{ROW}]")).ok().flatten()?.get_attribute(ROW)?.parse::<usize>().ok()?;
    Some(lens.blocks.get(block)?.cells.start + place)
}

/// The bytes that are selected; `None` where nothing of the text is.
fn selected_bytes(lens: &Lens) -> Option<std::ops::Range<usize>> {
    let selection = window().get_selection().ok().flatten().filter(|selection| !selection.is_collapsed())?;
    let range = selection.get_range_at(0).ok()?;
    let begin = byte_at(lens, &range.start_container().ok()?, range.start_offset().ok()?)?;
    let end = byte_at(lens, &range.end_container().ok()?, range.end_offset().ok()?)?;
    (begin < end).then_some(begin..end)
}

/// The byte of a place in the page.
fn byte_at(lens: &Lens, node: &Node, offset: u32) -> Option<usize> {
    let element = node.dyn_ref::<Element>().cloned().or_else(|| node.parent_element())?;
    if let Some(cell) = element.closest(&format!("[{CELL}]")).ok().flatten() {
        let place = cell_of(&cell, lens)?;
        let before = document().create_range().ok()?;
        before.set_start(&cell, 0).ok()?;
        before.set_end(node, offset).ok()?;
        let units = before.to_string().length();
        return Some(byte_of_units(&lens.view.text, lens.cells.get(place)?, units as usize));
    }
    // Between two cells, or between two blocks.
    let block_of = |element: &Element| {
        let row = element.closest(&format!("[{ROW}]")).ok().flatten()?;
        lens.blocks.get(row.get_attribute(ROW)?.parse::<usize>().ok()?)
    };
    let child = node.child_nodes().item(offset).and_then(|child| child.dyn_into::<Element>().ok());
    if let Some(child) = child {
        let first = child.query_selector(&format!("[{CELL}]")).ok().flatten();
        let cell = if child.has_attribute(CELL) { Some(child) } else { first };
        return Some(lens.cells.get(cell_of(&cell?, lens)?)?.start);
    }
    Some(block_of(&element)?.end)
}

/// Puts the exact text into the clipboard: what is drawn has signs in the place of what cannot be seen.
fn copy(looking: Looking, event: &ClipboardEvent) {
    let Some(lens) = looking.now() else { return };
    if let (Some(selected), Some(data)) = (selected_bytes(&lens), event.clipboard_data())
        && data.set_data("text/plain", lens.text_of(selected)).is_ok()
    {
        event.prevent_default();
    }
}
