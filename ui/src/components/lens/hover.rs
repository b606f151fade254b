//! What is known of the token under the pointer.

use leptos::html;
use leptos::prelude::*;

use super::looking::{Hover, use_looking};
use super::model::Lens;
use super::signs::visible;
use crate::state::format;

/// Width that is kept free for it, in pixels.
const WIDTH_PX: f64 = 300.0;
/// Tokens of one cell that are named: those of an emoji.
const TOKENS: usize = 6;

/// The card beside the pointer.
#[component]
pub(super) fn HoverCard() -> impl IntoView {
    let looking = use_looking();
    move || {
        let hover = looking.hover.get()?;
        let lens = looking.now()?;
        Some(view! { <Card hover facts=facts(&lens, hover.cell)?/> })
    }
}

/// What the card says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    ids: Vec<String>,
    text: String,
    from: String,
    trained: Option<bool>,
}

fn facts(lens: &Lens, cell: usize) -> Option<Facts> {
    let cell = lens.cells.get(cell)?;
    let text = visible(lens.text_of(cell.start..cell.end));
    if cell.tokens == 0 {
        return Some(Facts { ids: Vec::new(), text, from: "no token covers it".to_owned(), trained: None });
    }
    let ids = cell
        .token_range()
        .take(TOKENS)
        .map(|token| {
            let id = lens.view.ids.get(token).copied().unwrap_or_default();
            format!("{id} · token {} of {}", format::count(token as u64 + 1), format::count(lens.tokens() as u64))
        })
        .collect();
    let source = lens.source_of(cell.first_token)?;
    let field = match source.field {
        tw_contract::LensField::CallName { call } | tw_contract::LensField::CallArguments { call } if call > 0 => {
            format!("{} {}", source.field.label(), call + 1)
        }
        field => field.label().to_owned(),
    };
    let from = match source.message {
        Some(message) => format!("{}, {field}", lens.message_name(message)),
        None => field,
    };
    Some(Facts { ids, text, from, trained: Some(lens.look_of(cell).1) })
}

#[component]
fn Card(hover: Hover, facts: Facts) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let inner = |size: Result<wasm_bindgen::JsValue, _>, other: f64| {
        size.ok().and_then(|size: wasm_bindgen::JsValue| size.as_f64()).unwrap_or(other)
    };
    let (width, height) = (inner(window().inner_width(), 1_280.0), inner(window().inner_height(), 800.0));
    let left = (hover.x + 14.0).min(width - WIDTH_PX).max(4.0);
    let below = hover.y < height - 140.0;
    let top = below.then(|| format!("{:.0}px", hover.y + 18.0));
    let bottom = (!below).then(|| format!("{:.0}px", height - hover.y + 12.0));
    view! {
        <div
            node_ref=node
            class="lens-hover"
            role="tooltip"
            data-testid="lens-hover"
            style:left=format!("{left:.0}px")
            style:top=top
            style:bottom=bottom
        >
            <code class="lens-hover-text" dir="ltr">{facts.text}</code>
            {facts.ids.into_iter().map(|id| view! { <span class="lens-hover-id">"id " {id}</span> }).collect_view()}
            <span>{facts.from}</span>
            {facts
                .trained
                .map(|trained| {
                    view! { <span class="lens-hover-trained" class:is-trained=trained>{if trained { "trained" } else { "not trained" }}</span> }
                })}
        </div>
    }
}
