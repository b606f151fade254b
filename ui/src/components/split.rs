//! Two panes and the bar between them, which is dragged and keeps its place.

use leptos::html;
use leptos::prelude::*;

use crate::state::settings::use_setting;

/// Share of the first pane that the arrow keys move.
const STEP: f64 = 0.02;

/// Two panes side by side.
#[component]
pub(crate) fn Split(
    /// The setting that keeps the bar's place.
    key: &'static str,
    /// The first pane's share at the beginning, 0 to 1.
    #[prop(default = 0.4)]
    first_share: f64,
    /// Least width of each pane, in pixels.
    #[prop(default = 280.0)]
    min_px: f64,
    /// Whether only the first pane is shown.
    #[prop(optional, into)]
    first_only: Signal<bool>,
    /// The first pane.
    #[prop(into)]
    first: ViewFn,
    /// The second pane.
    #[prop(into)]
    second: ViewFn,
) -> impl IntoView {
    let share = use_setting(key, first_share);
    let root = NodeRef::<html::Div>::new();
    let dragged = RwSignal::new(false);
    let clamp = move |wanted: f64| {
        let width = root.get_untracked().map_or(0.0, |root| root.get_bounding_client_rect().width());
        let least = if width > 0.0 { (min_px / width).min(0.5) } else { 0.1 };
        wanted.clamp(least, 1.0 - least)
    };
    let drag = move |client_x: f64| {
        if let Some(root) = root.get_untracked() {
            let frame = root.get_bounding_client_rect();
            if frame.width() > 0.0 {
                share.set(clamp((client_x - frame.left()) / frame.width()));
            }
        }
    };
    view! {
        <div
            node_ref=root
            class="split"
            class:first-only=first_only
            class:is-dragged=dragged
            style:--share=move || format!("{:.4}", share.get())
            style:--least=format!("{min_px}px")
        >
            <div class="split-pane split-first">{first.run()}</div>
            <div
                class="split-bar"
                role="separator"
                aria-orientation="vertical"
                aria-label="Width of the panes"
                aria-valuenow=move || format!("{:.0}", share.get() * 100.0)
                aria-valuemin="0"
                aria-valuemax="100"
                tabindex="0"
                on:pointerdown=move |event| {
                    event.prevent_default();
                    let bar = event_target::<web_sys::Element>(&event);
                    bar.set_pointer_capture(event.pointer_id()).unwrap_or_default();
                    dragged.set(true);
                }
                on:pointermove=move |event| {
                    if dragged.get_untracked() {
                        drag(f64::from(event.client_x()));
                    }
                }
                on:pointerup=move |_| dragged.set(false)
                on:pointercancel=move |_| dragged.set(false)
                on:dblclick=move |_| share.set(first_share)
                on:keydown=move |event| {
                    let by = match event.code().as_str() {
                        "ArrowLeft" => -STEP,
                        "ArrowRight" => STEP,
                        _ => return,
                    };
                    event.prevent_default();
                    share.set(clamp(share.get_untracked() + by));
                }
            ></div>
            <div class="split-pane split-second">{move || (!first_only.get()).then(|| second.run())}</div>
        </div>
    }
}
