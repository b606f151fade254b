//! Hears of an element's size.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::ResizeObserver;

/// An observer and what it calls.
type Observer = (ResizeObserver, Closure<dyn FnMut()>);

/// Calls `measure` once the element is in the page and whenever its size changes.
pub(crate) fn watch_size(node: NodeRef<html::Div>, measure: impl Fn() + Copy + 'static) {
    let heard = Closure::<dyn FnMut()>::new(measure);
    let observer = ResizeObserver::new(heard.as_ref().unchecked_ref()).ok();
    let stored: StoredValue<Option<Observer>, LocalStorage> =
        StoredValue::new_local(observer.map(|observer| (observer, heard)));
    Effect::new(move |_| {
        if let Some(element) = node.get() {
            stored.try_with_value(|it| {
                if let Some((observer, _)) = it {
                    observer.observe(&element);
                }
            });
            measure();
        }
    });
    on_cleanup(move || {
        stored.try_update_value(|it| {
            if let Some((observer, _)) = it {
                observer.disconnect();
            }
        });
    });
}
