//! A table whose rows have one height: of any number of rows only those on the page are there.

use std::ops::Range;

use leptos::html;
use leptos::prelude::*;

use super::measure::watch_size;
use super::window::{row_of_slot, visible};

/// Rows above and below the visible ones that are there too.
const AROUND: usize = 8;

/// Where the keyboard is in a [`RowTable`], and what of it is on the page. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct RowCursor {
    /// The place of the row where the keyboard is, from 0.
    pub(crate) at: RwSignal<usize>,
    /// The rows that are on the page, with a few around.
    pub(crate) visible: RwSignal<Range<usize>>,
    /// The row to bring into view; counts so that the same one can be asked for twice.
    scroll: RwSignal<Option<(usize, u32)>>,
}

impl RowCursor {
    /// At the first row.
    pub(crate) fn new() -> Self {
        Self { at: RwSignal::new(0), visible: RwSignal::new(0..0), scroll: RwSignal::new(None) }
    }

    /// Goes to a row and brings it into view.
    pub(crate) fn go_to(self, place: usize) {
        self.at.set(place);
        self.scroll.update(|scroll| *scroll = Some((place, scroll.map_or(0, |(_, n)| n.wrapping_add(1)))));
    }

    /// Goes by some rows; stays within `total`. Gives the place where that is, `None` at the ends.
    pub(crate) fn step(self, by: isize, total: usize) -> Option<usize> {
        let at = self.at.get_untracked();
        let next = at.saturating_add_signed(by).min(total.checked_sub(1)?);
        self.go_to(next);
        (next != at).then_some(next)
    }
}

/// The table. Rows stand at their places by `transform`, in slots that are used again while one scrolls.
#[component]
pub(crate) fn RowTable<V, F>(
    /// How many rows there are, here or not.
    #[prop(into)]
    total: Signal<usize>,
    /// Height of a row, in pixels.
    row_px: f64,
    /// Height of what `head` makes, in pixels.
    #[prop(optional)]
    head_px: f64,
    /// Where the keyboard is.
    cursor: RowCursor,
    /// The head; it stays at the top.
    #[prop(optional, into)]
    head: ViewFn,
    /// Makes a row's cells, once per slot; the memo tells which row the slot shows now.
    row: F,
    /// The classes of a row, beside `grid-row`.
    #[prop(optional, into)]
    row_class: Option<Callback<usize, String>>,
    /// Called by a click on a row and by Enter.
    #[prop(into)]
    on_open: Callback<usize>,
    /// Called when the keyboard moves to another row by j and k, which read on beside an open row.
    #[prop(optional, into)]
    on_step: Option<Callback<usize>>,
    /// What the columns are, as in `grid-template-columns`.
    #[prop(into)]
    columns: Signal<String>,
    /// Read aloud.
    #[prop(into)]
    label: String,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
    /// For tests: on each row.
    #[prop(optional)]
    row_testid: &'static str,
) -> impl IntoView
where
    F: Fn(Memo<usize>) -> V + Copy + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let scroller = NodeRef::<html::Div>::new();
    let (top, height) = (RwSignal::new(0.0_f64), RwSignal::new(800.0_f64));
    let total = Memo::new(move |_| total.get());
    let range = Memo::new(move |_| visible(top.get(), height.get(), row_px, total.get(), AROUND));
    Effect::new(move |_| cursor.visible.set(range.get()));
    let measure = move || {
        if let Some(scroller) = scroller.try_get_untracked().flatten() {
            top.set(f64::from(scroller.scroll_top()));
            height.set((f64::from(scroller.client_height()) - head_px).max(0.0));
        }
    };
    watch_size(scroller, measure);
    let scroll_to = move |wanted: f64| {
        if let Some(scroller) = scroller.try_get_untracked().flatten() {
            #[expect(clippy::cast_possible_truncation, reason = "whole pixels are what a scroll position takes")]
            scroller.set_scroll_top(wanted.round() as i32);
            measure();
        }
    };
    let show = move |place: usize| {
        let (begin, end) = (offset_px(place, row_px), offset_px(place + 1, row_px));
        if begin < top.get_untracked() {
            scroll_to(begin);
        } else if end > top.get_untracked() + height.get_untracked() {
            scroll_to(end - height.get_untracked());
        }
    };
    Effect::new(move |_| {
        if let Some((place, _)) = cursor.scroll.get() {
            // The list must have its new height first.
            request_animation_frame(move || show(place));
        }
    });
    let slots = Memo::new(move |_| visible(1e7, height.get(), row_px, usize::MAX, AROUND).len());
    let keys = move |event: leptos::ev::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() || event.shift_key() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "rows on a page are few")]
        let page = ((height.get_untracked() / row_px) as isize - 1).max(1);
        let rows = total.get_untracked();
        let last = isize::try_from(rows).unwrap_or(isize::MAX);
        let (by, reads) = match event.code().as_str() {
            "ArrowDown" => (1, false),
            "ArrowUp" => (-1, false),
            "PageDown" => (page, false),
            "PageUp" => (-page, false),
            "Home" => (-last, false),
            "End" => (last, false),
            "KeyJ" => (1, true),
            "KeyK" => (-1, true),
            "Enter" if rows > 0 => {
                event.prevent_default();
                on_open.run(cursor.at.get_untracked());
                return;
            }
            _ => return,
        };
        event.prevent_default();
        if let Some(place) = cursor.step(by, rows)
            && reads
            && let Some(step) = on_step
        {
            step.run(place);
        }
    };
    view! {
        <div
            node_ref=scroller
            class="grid-scroll"
            role="grid"
            tabindex="0"
            aria-label=label
            aria-rowcount=move || total.get().to_string()
            data-testid=testid
            style:--columns=columns
            on:scroll=move |_| measure()
            on:keydown=keys
        >
            {head.run()}
            <div class="grid-body" role="rowgroup" style:height=move || format!("{}px", offset_px(total.get(), row_px))>
                <For
                    each=move || 0..slots.get()
                    key=|slot| *slot
                    children=move |slot| {
                        let place = Memo::new(move |_| row_of_slot(slot, slots.get(), range.with(|range| range.start)));
                        let is_there = Memo::new(move |_| place.get() < total.get());
                        let is_at = Memo::new(move |_| cursor.at.get() == place.get());
                        let class = move || {
                            let own = row_class.map(|class| class.run(place.get())).unwrap_or_default();
                            format!("grid-row {}{own}", if is_at.get() { "is-at " } else { "" })
                        };
                        view! {
                            <Show when=move || is_there.get()>
                                <div
                                    class=class
                                    role="row"
                                    aria-rowindex=move || (place.get() + 1).to_string()
                                    data-testid=row_testid
                                    style:height=format!("{row_px}px")
                                    style:transform=move || format!("translateY({}px)", offset_px(place.get(), row_px))
                                    on:click=move |_| {
                                        cursor.at.set(place.get_untracked());
                                        on_open.run(place.get_untracked());
                                    }
                                >
                                    {row(place)}
                                </div>
                            </Show>
                        }
                    }
                />
            </div>
        </div>
    }
}

#[expect(clippy::cast_precision_loss, reason = "places of rows are far below 2^53")]
fn offset_px(place: usize, row_px: f64) -> f64 {
    place as f64 * row_px
}
