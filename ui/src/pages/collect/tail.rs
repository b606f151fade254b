//! Keeps the end of growing content in view, as long as the person is there.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::ResizeObserver;

/// Nearer to the end than this counts as being there, in pixels.
const NEAR_PX: i32 = 32;

/// A scrolled pane and its growing content. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Tail {
    /// The pane that scrolls.
    pub(crate) pane: NodeRef<html::Div>,
    /// What grows in it.
    pub(crate) content: NodeRef<html::Div>,
    /// Whether the end is kept in view.
    pub(crate) follows: RwSignal<bool>,
}

impl Tail {
    /// A pane that keeps its end in view from the beginning.
    pub(crate) fn new() -> Self {
        let tail = Self { pane: NodeRef::new(), content: NodeRef::new(), follows: RwSignal::new(true) };
        let watcher = StoredValue::new_local(None::<(ResizeObserver, Closure<dyn FnMut()>)>);
        Effect::new(move || {
            let Some(content) = tail.content.get() else { return };
            let grown = Closure::<dyn FnMut()>::new(move || {
                if tail.follows.try_get_untracked() == Some(true) {
                    tail.to_end();
                }
            });
            if let Ok(observer) = ResizeObserver::new(grown.as_ref().unchecked_ref()) {
                observer.observe(&content);
                watcher.set_value(Some((observer, grown)));
            }
        });
        on_cleanup(move || {
            watcher.try_update_value(|watcher| {
                if let Some((observer, _)) = watcher.take() {
                    observer.disconnect();
                }
            });
        });
        tail
    }

    /// The pane was scrolled: by the person, or by the content.
    pub(crate) fn scrolled(self) {
        if let Some(pane) = self.pane.get_untracked() {
            let left = pane.scroll_height() - pane.client_height() - pane.scroll_top();
            let is_near = left <= NEAR_PX;
            if self.follows.get_untracked() != is_near {
                self.follows.set(is_near);
            }
        }
    }

    /// Goes to the end and stays there.
    pub(crate) fn follow(self) {
        self.follows.set(true);
        self.to_end();
    }

    fn to_end(self) {
        if let Some(Some(pane)) = self.pane.try_get_untracked() {
            pane.set_scroll_top(pane.scroll_height());
        }
    }
}
