//! The whole row at the right edge: where it is trained, who speaks, what is visible. Pressed or dragged it leads there.

use leptos::html;
use leptos::prelude::*;

use super::looking::use_looking;
use super::minimap::strips;

/// Into how many strips the row is drawn.
const HEIGHT: usize = 320;

/// The map.
#[component]
pub(super) fn Map() -> impl IntoView {
    let looking = use_looking();
    let node = NodeRef::<html::Div>::new();
    let dragged = StoredValue::new(false);
    let map = Memo::new(move |_| {
        looking.lens.with(|lens| {
            lens.as_ref().map(|lens| strips(lens.view.text.len(), HEIGHT, lens.regions())).unwrap_or_default()
        })
    });
    let percent = |place: f64| format!("{:.3}%", place * 100.0);
    #[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
    let share = |strip: usize| strip as f64 / HEIGHT as f64;
    let frame = Memo::new(move |_| {
        let (top, bottom) = looking.visible.get();
        looking.lens.with(|lens| {
            let Some(lens) = lens.as_ref() else { return (0.0, 1.0) };
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place on the screen"
            )]
            let place = |row: f64| {
                let whole = lens.view.text.len().max(1) as f64;
                lens.blocks
                    .get(row.max(0.0) as usize)
                    .map_or(1.0, |block| (block.start as f64 + row.fract() * (block.end - block.start) as f64) / whole)
            };
            (place(top), place(bottom))
        })
    });
    let lead = move |client_y: f64| {
        let (Some(map), Some(lens)) = (node.get_untracked(), looking.now()) else { return };
        let area = map.get_bounding_client_rect();
        if area.height() > 0.0 {
            let share = ((client_y - area.top()) / area.height()).clamp(0.0, 1.0);
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in the text"
            )]
            let byte = (share * lens.view.text.len() as f64) as usize;
            if let Some(block) = lens.block_at(byte) {
                looking.list.show_at_top(block);
            }
        }
    };
    view! {
        <div
            node_ref=node
            class="lens-map"
            aria-hidden="true"
            title="The whole row: what is trained is drawn strong"
            data-testid="lens-map"
            on:pointerdown=move |event| {
                event.prevent_default();
                let map = event_target::<web_sys::Element>(&event);
                map.set_pointer_capture(event.pointer_id()).unwrap_or_default();
                dragged.set_value(true);
                lead(f64::from(event.client_y()));
            }
            on:pointermove=move |event| {
                if dragged.get_value() {
                    lead(f64::from(event.client_y()));
                }
            }
            on:pointerup=move |_| dragged.set_value(false)
            on:pointercancel=move |_| dragged.set_value(false)
        >
            {move || {
                map.get()
                    .into_iter()
                    .map(|strip| {
                        view! {
                            <span
                                class=format!("lens-strip {}", strip.kind.class())
                                class:is-trained=strip.trained
                                style:top=percent(share(strip.from))
                                style:height=percent(share(strip.to - strip.from))
                            ></span>
                        }
                    })
                    .collect_view()
            }}
            <span
                class="lens-frame"
                style:top=move || percent(frame.get().0)
                style:height=move || percent((frame.get().1 - frame.get().0).max(0.008))
            ></span>
        </div>
    }
}
