//! Text that grows while it is shown. Each piece is appended to one text node: what stands is not touched again.

use leptos::html;
use leptos::prelude::*;

/// Text that grows. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct LiveText {
    text: StoredValue<String>,
    length: RwSignal<usize>,
    /// Counts up when the text was replaced instead of appended to.
    epoch: RwSignal<u32>,
}

impl LiveText {
    /// Text so far.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let length = RwSignal::new(text.len());
        Self { text: StoredValue::new(text), length, epoch: RwSignal::new(0) }
    }

    /// More of it.
    pub(crate) fn push(self, more: &str) {
        if !more.is_empty() {
            self.text.update_value(|text| text.push_str(more));
            self.length.update(|length| *length += more.len());
        }
    }

    /// Another text in its place.
    pub(crate) fn set(self, text: impl Into<String>) {
        let text = text.into();
        let length = text.len();
        self.text.set_value(text);
        self.epoch.update(|epoch| *epoch = epoch.wrapping_add(1));
        self.length.set(length);
    }

    /// Its length in bytes, followed.
    pub(crate) fn len(self) -> usize {
        self.length.get()
    }

    /// Whether nothing has come yet, followed.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The text, not followed.
    pub(crate) fn get_untracked(self) -> String {
        self.text.get_value()
    }
}

/// Shows text that grows.
#[component]
pub(crate) fn StreamText(
    /// The text.
    text: LiveText,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    Effect::new(move |shown: Option<(u32, usize)>| {
        let length = text.length.get();
        let epoch = text.epoch.get();
        let (shown_epoch, shown_length) = shown.unwrap_or_default();
        let Some(element) = node.get() else { return (shown_epoch, 0) };
        text.text.with_value(|text| {
            let appended = if epoch == shown_epoch { text.get(shown_length..) } else { None };
            let last = element.last_child().and_then(|it| wasm_bindgen::JsCast::dyn_into::<web_sys::Text>(it).ok());
            match (appended, last) {
                // A text node takes any string.
                (Some(more), Some(last)) => last.append_data(more).unwrap_or_default(),
                _ => element.set_text_content(Some(text)),
            }
        });
        (epoch, length)
    });
    view! { <div node_ref=node class="plain-text" dir="auto"></div> }
}
