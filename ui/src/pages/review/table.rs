//! The table: heads that sort, are dragged and drawn wide, and rows of which only those on the page are there.

use std::ops::Range;

use leptos::html;
use leptos::prelude::*;
use tw_contract::TraceOrder;

use super::actions::use_trace_actions;
use super::browser::{Browser, Scroll, Sort};
use super::columns::{self, Column, Shown};
use super::row::TraceRow;
use super::selection::Selected;
use crate::components::window::{row_of_slot, visible};
use crate::components::{Icon, IconName, watch_size};
use crate::state::format;

/// Height of a row of the table, in pixels.
const ROW_PX: f64 = 30.0;
/// Height of a row beside an open trace.
const CARD_PX: f64 = 50.0;
/// Height of the heads.
const HEAD_PX: f64 = 28.0;
/// Rows above and below the visible ones that are there too.
const AROUND: usize = 8;
/// A head is dragged once it was moved so far, in pixels.
const DRAG_PX: i32 = 6;

/// The table; beside an open trace a single narrow column.
#[component]
pub(super) fn TraceTable(
    browser: Browser,
    columns: RwSignal<Vec<Shown>>,
    /// Which trace is open.
    open: Memo<Option<String>>,
) -> impl IntoView {
    let actions = use_trace_actions();
    let narrow = Memo::new(move |_| open.with(Option::is_some));
    let row_px = Memo::new(move |_| if narrow.get() { CARD_PX } else { ROW_PX });
    let head_px = move || if narrow.get_untracked() { 0.0 } else { HEAD_PX };
    let scroller = NodeRef::<html::Div>::new();
    let (top, height) = (RwSignal::new(0.0_f64), RwSignal::new(800.0_f64));
    let total = Memo::new(move |_| browser.facts.with(|facts| facts.total));
    let range = Memo::new(move |_| visible(top.get(), height.get(), row_px.get(), total.get(), AROUND));
    Effect::new(move |_| {
        browser.visible.set(range.get());
        let exact: Range<usize> = visible(top.get(), 0.0, row_px.get(), total.get(), 0);
        browser.top.set(exact.start);
    });
    let measure = move || {
        if let Some(scroller) = scroller.try_get_untracked().flatten() {
            top.set(f64::from(scroller.scroll_top()));
            height.set((f64::from(scroller.client_height()) - head_px()).max(0.0));
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
    #[expect(clippy::cast_precision_loss, reason = "places of rows are far below 2^53")]
    let place_px = move |place: usize| place as f64 * row_px.get_untracked();
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let go = move |to: Scroll| match to {
        Scroll::Top => scroll_to(0.0),
        Scroll::By(rows) => scroll_to(top.get_untracked() + rows as f64 * row_px.get_untracked()),
        Scroll::Row(place) => {
            let (begin, end) = (place_px(place), place_px(place + 1));
            if begin < top.get_untracked() {
                scroll_to(begin);
            } else if end > top.get_untracked() + height.get_untracked() {
                scroll_to(end - height.get_untracked());
            }
        }
    };
    Effect::new(move |_| {
        if let Some((to, _)) = browser.scroll.get() {
            // The list must have its new height first.
            request_animation_frame(move || go(to));
        }
    });
    // Rows change their height when a trace is opened or closed: the one where the keyboard is stays in sight.
    Effect::new(move |before: Option<bool>| {
        let now = narrow.get();
        if before.is_some_and(|before| before != now) {
            let place = browser.at.with_untracked(|at| at.place);
            request_animation_frame(move || {
                measure();
                scroll_to((place_px(place) - height.get_untracked() / 3.0).max(0.0));
            });
        }
        now
    });
    let slots = Memo::new(move |_| {
        // As many as the page has at most, so that scrolling does not change their number.
        visible(1e7, height.get(), row_px.get(), usize::MAX, AROUND).len()
    });
    let template = Memo::new(move |_| columns.with(|columns| columns::template(columns)));
    let whole_px = Memo::new(move |_| columns.with(|columns| columns::whole_px(columns)));
    let move_at = move |by: isize| {
        if let Some(place) = browser.next_place(by) {
            browser.go_to(place, None);
        }
    };
    let step = move |by: isize| {
        if let Some(place) = browser.next_place(by) {
            browser.go_to(place, narrow.get_untracked().then(|| actions.opener()));
        }
    };
    let keys = move |event: leptos::ev::KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "rows on a page are few")]
        let page = ((height.get_untracked() / row_px.get_untracked()) as isize - 1).max(1);
        let last = isize::try_from(total.get_untracked()).unwrap_or(isize::MAX);
        let by = match event.code().as_str() {
            "ArrowDown" => 1,
            "ArrowUp" => -1,
            "PageDown" => page,
            "PageUp" => -page,
            "Home" => -last,
            "End" => last,
            // While the list has the focus these go through traces, also beside an open one.
            "KeyJ" | "KeyK" if !event.shift_key() => {
                event.prevent_default();
                step(if event.code() == "KeyJ" { 1 } else { -1 });
                // Not on the head that was pressed last: Enter means the row now.
                if let Some(scroller) = scroller.get_untracked() {
                    scroller.focus().unwrap_or_default();
                }
                return;
            }
            _ => return,
        };
        event.prevent_default();
        if event.shift_key() {
            let from = browser.at.with_untracked(|at| at.place);
            if browser.selected.with_untracked(Selected::is_empty) {
                browser.selected.update(|selected| selected.set_anchor(from));
            }
            move_at(by);
            browser.select_to(browser.at.with_untracked(|at| at.place));
        } else {
            move_at(by);
        }
    };
    view! {
        <div
            node_ref=scroller
            class="table-scroll"
            class:is-narrow=narrow
            role="grid"
            tabindex="0"
            aria-label="Traces"
            aria-rowcount=move || total.get().to_string()
            aria-multiselectable="true"
            aria-activedescendant=move || browser.at.with(|at| format!("trace-row-{}", at.place))
            data-testid="review-table"
            style:--columns=template
            style:--whole=move || format!("{}px", whole_px.get())
            on:scroll=move |_| measure()
            on:keydown=keys
        >
            {move || (!narrow.get()).then(|| view! { <Heads browser columns/> })}
            <div class="table-body" role="rowgroup" style:height=move || format!("{}px", place_px_of(total.get(), row_px.get()))>
                <For
                    each=move || 0..slots.get()
                    key=|slot| *slot
                    children=move |slot| {
                        let place = Memo::new(move |_| row_of_slot(slot, slots.get(), range.with(|range| range.start)));
                        let is_there = Memo::new(move |_| place.get() < total.get());
                        view! {
                            <Show when=move || is_there.get()>
                                <TraceRow browser place columns open narrow row_px on_open=move |id: String| actions.open(&id)/>
                            </Show>
                        }
                    }
                />
            </div>
        </div>
    }
}

#[expect(clippy::cast_precision_loss, reason = "places of rows are far below 2^53")]
fn place_px_of(rows: usize, row_px: f64) -> f64 {
    rows as f64 * row_px
}

/// What a click on a head asks for: the order, and whether its first direction is the reverse one.
const fn order_of(column: Column) -> Option<TraceOrder> {
    Some(match column {
        Column::Rating => TraceOrder::Rating,
        Column::Title => TraceOrder::Title,
        Column::Model => TraceOrder::Model,
        Column::Steps => TraceOrder::Steps,
        Column::Messages => TraceOrder::Messages,
        Column::Tokens => TraceOrder::Tokens,
        Column::Errors => TraceOrder::Errors,
        Column::Findings => TraceOrder::Findings,
        Column::Time => TraceOrder::Newest,
        Column::Changed => TraceOrder::Updated,
        _ => return None,
    })
}

/// Whether small values (A, old) stand first.
fn goes_up(sort: Sort) -> bool {
    matches!(sort.order, TraceOrder::Oldest | TraceOrder::Title | TraceOrder::Model) != sort.reverse
}

#[component]
fn Heads(browser: Browser, columns: RwSignal<Vec<Shown>>) -> impl IntoView {
    let all_here = Memo::new(move |_| {
        let total = browser.facts.with(|facts| facts.total);
        browser.selected.with(|selected| total > 0 && selected.count(total) == total)
    });
    view! {
        <div class="table-head" role="row">
            <span class="head-pick" role="columnheader" aria-label="Selected">
                <input
                    type="checkbox"
                    aria-label="Select all that are found"
                    title="Select all that are found"
                    prop:checked=all_here
                    on:change=move |_| {
                        if all_here.get_untracked() {
                            browser.selected.update(Selected::clear);
                        } else {
                            browser.select_all();
                        }
                    }
                />
            </span>
            <For each=move || columns.get() key=|shown| shown.column children=move |shown| view! { <Head browser columns column=shown.column/> }/>
        </div>
    }
}

/// What a pointer does to a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drag {
    /// Its edge: where it began, and the width then.
    Width(i32, u32),
    /// The head itself: where it began, and whether it went far enough to be meant.
    Move(i32, bool),
}

#[component]
fn Head(browser: Browser, columns: RwSignal<Vec<Shown>>, column: Column) -> impl IntoView {
    let order = order_of(column);
    let drag = RwSignal::new(None::<Drag>);
    let is_dragged = move || matches!(drag.get(), Some(Drag::Move(_, true)));
    let sorted = Memo::new(move |_| {
        let sort = browser.sort.get();
        let is_this =
            Some(sort.order) == order || sort.order == TraceOrder::Oldest && order == Some(TraceOrder::Newest);
        is_this.then(|| goes_up(sort))
    });
    let sort = move || {
        if let Some(order) = order {
            let reverse = sorted.get_untracked().is_some() && !browser.sort.with_untracked(|sort| sort.reverse);
            browser.sort.set(Sort { order, reverse });
        }
    };
    let width = move || {
        columns.with_untracked(|columns| {
            columns.iter().find(|shown| shown.column == column).map_or(0, |shown| shown.width_px)
        })
    };
    let capture = move |event: &web_sys::PointerEvent| {
        let head = event_target::<web_sys::Element>(event);
        // Without capture the drag ends at the head's edge.
        head.set_pointer_capture(event.pointer_id()).unwrap_or_default();
    };
    let end = move |event: web_sys::PointerEvent| {
        if let Some(Drag::Move(_, true)) = drag.get_untracked()
            && let Some(target) = column_at(event.client_x(), event.client_y())
            && target != column
        {
            columns.update(|columns| columns::move_to(columns, column, target));
        }
        // The click that follows must still see that it was a drag.
        let rest = move || {
            drag.try_set(None);
        };
        set_timeout(rest, std::time::Duration::ZERO);
    };
    let moved = move |event: web_sys::PointerEvent| match drag.get_untracked() {
        Some(Drag::Width(from_x, from_px)) => {
            let now = i64::from(from_px) + i64::from(event.client_x() - from_x);
            columns.update(|columns| columns::resize(columns, column, u32::try_from(now).unwrap_or(0)));
        }
        Some(Drag::Move(from_x, false)) if (event.client_x() - from_x).abs() > DRAG_PX => {
            drag.set(Some(Drag::Move(from_x, true)));
        }
        _ => {}
    };
    let title = if order.is_some() { "Click to sort, drag to move" } else { "Drag to move" };
    view! {
        <span
            class="head-cell"
            class:is-number=column.is_number()
            class:is-dragged=is_dragged
            role="columnheader"
            data-column=column.word()
            aria-sort=move || match sorted.get() {
                None => "none",
                Some(true) => "ascending",
                Some(false) => "descending",
            }
            on:pointermove=moved
            on:pointerup=end
            on:pointercancel=move |_| drag.set(None)
        >
            <button
                type="button"
                class="head-button"
                title=title
                data-testid=format!("head-{}", column.word())
                on:pointerdown=move |event| {
                    if event.button() == 0 {
                        capture(&event);
                        drag.set(Some(Drag::Move(event.client_x(), false)));
                    }
                }
                on:click=move |_| {
                    if !is_dragged() {
                        sort();
                    }
                }
            >
                <span>{column.label()}</span>
                {move || {
                    sorted
                        .get()
                        .map(|up| view! { <span class="head-sorted" class:is-up=up><Icon name=IconName::ArrowDown/></span> })
                }}
            </button>
            <span
                class="head-edge"
                role="separator"
                aria-orientation="vertical"
                aria-label=format!("Width of {}", column.label())
                aria-valuenow=move || columns.with(|_| format::count(u64::from(width())))
                tabindex="0"
                on:pointerdown=move |event| {
                    event.prevent_default();
                    event.stop_propagation();
                    capture(&event);
                    drag.set(Some(Drag::Width(event.client_x(), width())));
                }
                on:dblclick=move |_| columns.update(|columns| columns::resize(columns, column, column.width_px()))
                on:keydown=move |event| {
                    let by: i64 = match event.code().as_str() {
                        "ArrowLeft" => -8,
                        "ArrowRight" => 8,
                        _ => return,
                    };
                    event.prevent_default();
                    event.stop_propagation();
                    let now = u32::try_from(i64::from(width()) + by).unwrap_or(0);
                    columns.update(|columns| columns::resize(columns, column, now));
                }
            ></span>
        </span>
    }
}

/// The column whose head is at a point.
fn column_at(x: i32, y: i32) -> Option<Column> {
    #[expect(clippy::cast_precision_loss, reason = "pixels on a screen")]
    let hit = document().element_from_point(x as f32, y as f32)?;
    let head = hit.closest("[data-column]").ok().flatten()?;
    Column::named(&head.get_attribute("data-column")?)
}
