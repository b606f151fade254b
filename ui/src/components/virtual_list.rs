//! A long list of which only what is visible is in the page. Rows have any height; it is measured.

use std::collections::HashMap;
use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Element, HtmlElement, ResizeObserver, ResizeObserverEntry};

/// How far beyond the visible part rows are in the page, in pixels.
const MARGIN_PX: f64 = 700.0;
/// A row's key, on its element.
const KEY: &str = "data-row-key";

/// Moves a [`VirtualList`]. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct ListHandle {
    /// The row to bring into view, whether to the top, and a counter so that the same row can be asked for twice.
    target: RwSignal<Option<(usize, bool, u32)>>,
}

impl ListHandle {
    /// A handle for a list that is yet to be made.
    pub(crate) fn new() -> Self {
        Self { target: RwSignal::new(None) }
    }

    /// Brings a row into view.
    pub(crate) fn show(self, index: usize) {
        self.aim(index, false);
    }

    /// Brings a row to the top.
    pub(crate) fn show_at_top(self, index: usize) {
        self.aim(index, true);
    }

    fn aim(self, index: usize, to_top: bool) {
        self.target.update(|target| *target = Some((index, to_top, target.map_or(0, |(.., n)| n.wrapping_add(1)))));
    }
}

/// What is known of the rows' heights and the list's place. Copied freely.
#[derive(Clone, Copy)]
struct Layout {
    scroller: NodeRef<html::Div>,
    heights: StoredValue<HashMap<String, f64>>,
    /// Counts up when a height changed.
    measured: RwSignal<u32>,
    top: RwSignal<f64>,
    viewport: RwSignal<f64>,
    keys: Memo<Arc<[String]>>,
    /// Where each row begins, and at last where the last one ends.
    offsets: Memo<Arc<[f64]>>,
}

impl Layout {
    /// The rows that should be in the page.
    fn range(self) -> (usize, usize) {
        let (top, viewport) = (self.top.get(), self.viewport.get());
        self.offsets.with(|offsets| {
            let rows = offsets.len().saturating_sub(1);
            let first = offsets.partition_point(|offset| *offset <= top - MARGIN_PX).saturating_sub(1);
            let last = offsets.partition_point(|offset| *offset < top + viewport + MARGIN_PX);
            (first.min(rows), last.min(rows))
        })
    }

    /// The place of the upper and of the lower edge of what is visible, in rows: 3.5 is the middle of the fourth row.
    fn visible(self) -> (f64, f64) {
        let (top, viewport) = (self.top.get(), self.viewport.get());
        self.offsets.with(|offsets| {
            let place = |y: f64| {
                let row = offsets.partition_point(|offset| *offset <= y).saturating_sub(1);
                let begin = offsets.get(row).copied().unwrap_or_default();
                let height = offsets.get(row + 1).map_or(0.0, |end| end - begin);
                #[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
                let row = row as f64;
                if height > 0.0 { row + ((y - begin) / height).clamp(0.0, 1.0) } else { row }
            };
            (place(top), place(top + viewport))
        })
    }

    fn offset(self, index: usize) -> f64 {
        self.offsets.with(|offsets| offsets.get(index).or(offsets.last()).copied().unwrap_or_default())
    }

    /// Takes new heights in. What the person looks at stays where it is, though rows above it turned out higher or
    /// lower than thought.
    fn take_heights(self, found: Vec<(String, f64)>) {
        let changed = self.heights.try_update_value(|heights| {
            let mut changed = false;
            for (key, height) in found {
                let old = heights.insert(key, height);
                changed |= old.is_none_or(|old| (old - height).abs() > 0.5);
            }
            changed
        });
        if changed != Some(true) {
            return;
        }
        let top = self.top.get_untracked();
        let anchor = self.offsets.with_untracked(|offsets| {
            let index = offsets.partition_point(|offset| *offset <= top).saturating_sub(1);
            (index, top - offsets.get(index).copied().unwrap_or_default())
        });
        self.measured.update(|measured| *measured = measured.wrapping_add(1));
        let moved =
            self.offsets.with_untracked(|offsets| offsets.get(anchor.0).copied().unwrap_or_default()) + anchor.1;
        if top > 0.0 && (moved - top).abs() > 0.5 {
            // The page must have its new height first.
            request_animation_frame(move || self.scroll_to(moved));
        }
    }

    fn scroll_to(self, top: f64) {
        if let Some(scroller) = self.scroller.try_get_untracked().flatten() {
            #[expect(clippy::cast_possible_truncation, reason = "whole pixels are what a scroll position takes")]
            scroller.set_scroll_top(top.round() as i32);
            self.top.set(f64::from(scroller.scroll_top()));
        }
    }

    /// Brings a row to the top, or into view by as little as it takes.
    fn show(self, index: usize, to_top: bool) {
        let (begin, end) = (self.offset_untracked(index), self.offset_untracked(index + 1));
        let (top, viewport) = (self.top.get_untracked(), self.viewport.get_untracked());
        if to_top || begin < top || end - begin > viewport {
            self.scroll_to(begin);
        } else if end > top + viewport {
            self.scroll_to(end - viewport);
        }
    }

    fn offset_untracked(self, index: usize) -> f64 {
        self.offsets.with_untracked(|offsets| offsets.get(index).or(offsets.last()).copied().unwrap_or_default())
    }

    fn scrolled(self) {
        if let Some(scroller) = self.scroller.get_untracked() {
            self.top.set(f64::from(scroller.scroll_top()));
        }
    }
}

/// An observer and what it calls.
type Observer = (ResizeObserver, Closure<dyn FnMut(js_sys::Array)>);

/// Hears of every change of size: of rows and of the visible part.
fn observer(layout: Layout) -> StoredValue<Option<Observer>, LocalStorage> {
    let heard = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        let mut found = Vec::new();
        for entry in entries.iter() {
            let target = entry.unchecked_into::<ResizeObserverEntry>().target();
            if let Some(key) = target.get_attribute(KEY) {
                if target.is_connected() {
                    found.push((key, target.get_bounding_client_rect().height()));
                }
            } else if let Ok(element) = target.dyn_into::<HtmlElement>()
                && layout.scroller.try_get_untracked().flatten().is_some_and(|it| **it == *element)
            {
                layout.viewport.try_set(f64::from(element.client_height()));
            }
        }
        layout.take_heights(found);
    });
    let observer = ResizeObserver::new(heard.as_ref().unchecked_ref()).ok();
    let stored = StoredValue::new_local(observer.map(|observer| (observer, heard)));
    on_cleanup(move || {
        stored.try_update_value(|it| {
            if let Some((observer, _)) = it {
                observer.disconnect();
            }
        });
    });
    stored
}

/// A long list.
#[component]
pub(crate) fn VirtualList<T, V, F>(
    /// The rows, each with a key that stays with it.
    #[prop(into)]
    rows: Signal<Vec<T>>,
    /// A row's key.
    key: fn(&T) -> String,
    /// Makes a row's view, once per key while the row is near the visible part. The signal follows the row.
    row: F,
    /// About how high a row is, in pixels, until it is measured.
    #[prop(default = 60.0)]
    estimate_px: f64,
    /// Moves the list.
    #[prop(optional)]
    handle: Option<ListHandle>,
    /// Called when the end comes near.
    #[prop(optional, into)]
    on_near_end: Option<Callback<()>>,
    /// Follows what is visible: the place of its upper and of its lower edge, in rows.
    #[prop(optional)]
    visible: Option<RwSignal<(f64, f64)>>,
    /// What stands below the last row.
    #[prop(optional, into)]
    footer: ViewFn,
    /// Read aloud.
    #[prop(optional, into)]
    label: String,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    F: Fn(Signal<T>) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let handle = handle.unwrap_or_else(ListHandle::new);
    let heights = StoredValue::new(HashMap::<String, f64>::new());
    let measured = RwSignal::new(0_u32);
    let keys = Memo::new(move |_| rows.with(|rows| rows.iter().map(key).collect::<Arc<[String]>>()));
    let places = Memo::new(move |_| {
        keys.with(|keys| keys.iter().enumerate().map(|(place, key)| (key.clone(), place)).collect::<HashMap<_, _>>())
    });
    let offsets = Memo::new(move |_| {
        measured.track();
        let mut end = 0.0;
        let mut offsets = vec![0.0];
        heights.with_value(|heights| {
            keys.with(|keys| {
                for key in keys.iter() {
                    end += heights.get(key).copied().unwrap_or(estimate_px);
                    offsets.push(end);
                }
            });
        });
        Arc::<[f64]>::from(offsets)
    });
    let scroller = NodeRef::<html::Div>::new();
    let (top, viewport) = (RwSignal::new(0.0), RwSignal::new(800.0));
    let layout = Layout { scroller, heights, measured, top, viewport, keys, offsets };
    let observer = observer(layout);
    let watch = move |element: &Element| {
        observer.try_with_value(|it| {
            if let Some((observer, _)) = it {
                observer.observe(element);
            }
        });
    };
    Effect::new(move |_| {
        if let Some(scroller) = scroller.get() {
            watch(&scroller);
        }
    });
    let range = Memo::new(move |_| layout.range());
    if let Some(near_end) = on_near_end {
        let length = Memo::new(move |_| keys.with(|keys| keys.len()));
        Effect::new(move |_| {
            let length = length.get();
            if length > 0 && range.get().1 + 5 >= length {
                near_end.run(());
            }
        });
    }
    if let Some(visible) = visible {
        Effect::new(move |_| visible.set(layout.visible()));
    }
    Effect::new(move |_| {
        if let Some((index, to_top, _)) = handle.target.get() {
            layout.show(index, to_top);
            // Once more with the heights that were measured on the way.
            request_animation_frame(move || request_animation_frame(move || layout.show(index, to_top)));
        }
    });
    // A memo: an effect that reads both the range and the keys misses keys that change while the range, which is made
    // from them, stays the same; rows that change places would stay where they were.
    let near = Memo::new(move |_| {
        let (first, last) = range.get();
        layout.keys.with(|keys| keys.get(first..last.min(keys.len())).unwrap_or_default().to_vec())
    });
    let make = move |key: String| {
        let node = NodeRef::<html::Div>::new();
        Effect::new(move |_| {
            if let Some(element) = node.get() {
                watch(&element);
            }
        });
        let own = key.clone();
        let first = places
            .with_untracked(|places| places.get(&own).copied())
            .and_then(|place| rows.with_untracked(|rows| rows.get(place).cloned()))?;
        let item = Memo::new(move |before: Option<&T>| {
            let now = places
                .with(|places| places.get(&own).copied())
                .and_then(|place| rows.with(|rows| rows.get(place).cloned()));
            // A row that is being taken away stays as it was.
            now.or_else(|| before.cloned()).unwrap_or_else(|| first.clone())
        });
        Some(view! { <div node_ref=node class="virtual-row" data-row-key=key>{row(item.into())}</div> })
    };
    view! {
        <div
            node_ref=scroller
            class="virtual-list"
            tabindex="-1"
            aria-label=label
            data-testid=testid
            on:scroll=move |_| layout.scrolled()
        >
            <div class="virtual-inner">
                <div style:height=move || format!("{}px", layout.offset(range.get().0))></div>
                <For each=move || near.get() key=Clone::clone children=make/>
                <div style:height=move || format!("{}px", layout.offset(usize::MAX) - layout.offset(range.get().1))></div>
                {move || footer.run()}
            </div>
        </div>
    }
}
