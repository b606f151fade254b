//! A menu that floats above everything, so that the edge of a list does not cut it off. There is one for a whole list.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::icon::Icon;
use super::menu::{MenuItem, step_focus};
use crate::state::keys::use_keys;

/// Width that is kept free for it, in pixels.
const WIDTH_PX: f64 = 250.0;

/// An open menu: where, and what there is to do.
#[derive(Clone)]
struct Open {
    x: f64,
    y: f64,
    title: String,
    items: Vec<MenuItem>,
}

/// The menu. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct FloatMenu {
    open: RwSignal<Option<Open>>,
    parent: StoredValue<Owner>,
    /// Holds what the entries of the last menu need: what opened it may be scrolled away meanwhile.
    entries: StoredValue<Option<Owner>>,
}

impl FloatMenu {
    /// A closed one, for the component that asks.
    pub(crate) fn new() -> Self {
        Self {
            open: RwSignal::new(None),
            parent: StoredValue::new(Owner::current().unwrap_or_default()),
            entries: StoredValue::new(None),
        }
    }

    /// Opens it under an element.
    pub(crate) fn under(
        self,
        element: &web_sys::Element,
        title: impl Into<String>,
        items: impl FnOnce() -> Vec<MenuItem>,
    ) {
        let frame = element.get_bounding_client_rect();
        self.at(frame.left(), frame.bottom() + 4.0, title, items);
    }

    /// Opens it at a point of the window.
    pub(crate) fn at(self, x: f64, y: f64, title: impl Into<String>, items: impl FnOnce() -> Vec<MenuItem>) {
        let owner = self.parent.with_value(Owner::child);
        let items = owner.with(items);
        self.entries.set_value(Some(owner));
        let width = window().inner_width().ok().and_then(|it| it.as_f64()).unwrap_or(1_280.0);
        let x = x.min(width - WIDTH_PX).max(4.0);
        self.open.set(Some(Open { x, y, title: title.into(), items }));
    }
}

/// The place of the menu.
#[component]
pub(crate) fn FloatMenuHost(menu: FloatMenu) -> impl IntoView {
    move || menu.open.get().map(|open| view! { <List menu open/> })
}

#[component]
fn List(menu: FloatMenu, open: Open) -> impl IntoView {
    let before = StoredValue::new_local(document().active_element().and_then(|it| it.dyn_into::<HtmlElement>().ok()));
    let close = Callback::new(move |()| {
        menu.open.set(None);
        if let Some(Some(element)) = before.try_get_value()
            && element.is_connected()
        {
            // What cannot take the focus back has gone.
            element.focus().unwrap_or_default();
        }
    });
    use_keys().overlay(close);
    let list = NodeRef::<html::Div>::new();
    let (x, y) = (open.x, open.y);
    let top = RwSignal::new(y);
    Effect::new(move |_| {
        if let Some(list) = list.get() {
            request_animation_frame(move || {
                let height = window().inner_height().ok().and_then(|it| it.as_f64()).unwrap_or(800.0);
                let own = list.get_bounding_client_rect().height();
                if y + own > height - 8.0 {
                    top.try_set((height - own - 8.0).max(8.0));
                }
                step_focus(&list, 0);
            });
        }
    });
    let outside = window_event_listener(ev::pointerdown, move |event| {
        let target = event.target().and_then(|it| it.dyn_into::<web_sys::Node>().ok());
        if let Some(list) = list.get_untracked()
            && !list.contains(target.as_ref())
        {
            menu.open.set(None);
        }
    });
    on_cleanup(move || outside.remove());
    let items = open
        .items
        .into_iter()
        .map(|item| {
            view! {
                <button
                    type="button"
                    role="menuitem"
                    class:danger=item.danger
                    disabled=item.disabled
                    data-testid=item.testid
                    on:click=move |event| {
                        event.stop_propagation();
                        close.run(());
                        item.run.run(());
                    }
                >
                    {item.icon.map(|name| view! { <Icon name/> })}
                    <span dir="auto">{item.label}</span>
                </button>
            }
        })
        .collect_view();
    view! {
        <div
            node_ref=list
            class="menu-list float-menu"
            role="menu"
            aria-label=open.title
            style:left=format!("{x:.0}px")
            style:top=move || format!("{:.0}px", top.get())
            on:keydown=move |event| {
                let by = match event.code().as_str() {
                    "ArrowDown" => 1,
                    "ArrowUp" => -1,
                    "Tab" => {
                        close.run(());
                        return;
                    }
                    _ => return,
                };
                event.prevent_default();
                event.stop_propagation();
                if let Some(list) = list.get_untracked() {
                    step_focus(&list, by);
                }
            }
        >
            {items}
        </div>
    }
}
