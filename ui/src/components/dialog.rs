//! Dialogs: what is below rests until they are closed.

use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::button::{Button, ButtonKind, IconButton};
use super::field::fresh_id;
use super::icon::IconName;
use crate::state::keys::use_keys;

/// What Tab goes through.
const FOCUSABLE: &str = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), \
                         textarea:not([disabled]), summary, [tabindex]:not([tabindex='-1'])";

/// What has the focus when a dialog opens: the first of these that is there.
const FIRST: [&str; 4] = [
    "[autofocus]",
    ".dialog-body input, .dialog-body textarea, .dialog-body select",
    ".dialog-actions .button-primary",
    ".dialog-actions .button",
];

/// A dialog. It keeps the focus, closes on Escape and on a click beside it, and gives the focus back. Its children are
/// made anew each time it opens.
#[component]
pub(crate) fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its title.
    #[prop(into)]
    title: Signal<String>,
    /// Whether it is wide (two columns, long text).
    #[prop(optional)]
    wide: bool,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
    /// What is in it. Put buttons into `<div class="dialog-actions">` at the end.
    children: ChildrenFn,
) -> impl IntoView {
    let children = StoredValue::new(children);
    view! {
        <Show when=move || open.get()>
            <DialogFrame title wide testid on_close=move |()| open.set(false)>
                {children.with_value(|children| children())}
            </DialogFrame>
        </Show>
    }
}

/// An open dialog.
#[component]
pub(super) fn DialogFrame(
    #[prop(into)] title: Signal<String>,
    #[prop(optional)] wide: bool,
    #[prop(optional)] bare: bool,
    #[prop(optional)] testid: &'static str,
    #[prop(into)] on_close: Callback<()>,
    children: Children,
) -> impl IntoView {
    let before = document().active_element().and_then(|it| it.dyn_into::<HtmlElement>().ok());
    let before = StoredValue::new_local(before);
    on_cleanup(move || {
        if let Some(Some(element)) = before.try_get_value()
            && element.is_connected()
        {
            // It may be hidden by now; then the focus is on the page.
            element.focus().unwrap_or_default();
        }
    });
    use_keys().overlay(on_close);
    let node = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        if let Some(frame) = node.get() {
            request_animation_frame(move || {
                if !holds_focus(&frame) {
                    let first = FIRST.iter().find_map(|wanted| frame.query_selector(wanted).ok().flatten());
                    let first = first.and_then(|it| it.dyn_into::<HtmlElement>().ok());
                    first.unwrap_or_else(|| frame.clone().unchecked_into()).focus().unwrap_or_default();
                }
            });
        }
    });
    let id = fresh_id("dialog");
    let labelled_by = id.clone();
    view! {
        <div
            class="backdrop"
            on:pointerdown=move |event| {
                if event.target() == event.current_target() {
                    event.prevent_default();
                    on_close.run(());
                }
            }
        >
            <div
                node_ref=node
                class="dialog"
                class:dialog-wide=wide
                class:dialog-bare=bare
                role="dialog"
                aria-modal="true"
                aria-labelledby=labelled_by
                tabindex="-1"
                data-testid=testid
                on:keydown=move |event| keep_focus(node, &event)
            >
                <header class="dialog-head">
                    <h2 id=id>{title}</h2>
                    <IconButton icon=IconName::Close label="Close" on_click=on_close testid="dialog-close"/>
                </header>
                <div class="dialog-body">{children()}</div>
            </div>
        </div>
    }
}

fn holds_focus(frame: &HtmlElement) -> bool {
    document().active_element().is_some_and(|active| frame.contains(Some(&active)) && active != **frame)
}

/// Tab goes round inside the dialog.
fn keep_focus(node: NodeRef<html::Div>, event: &KeyboardEvent) {
    if event.code() != "Tab" {
        return;
    }
    let Some(frame) = node.get_untracked() else { return };
    let Ok(list) = frame.query_selector_all(FOCUSABLE) else { return };
    let visible: Vec<HtmlElement> = (0..list.length())
        .filter_map(|place| list.item(place)?.dyn_into::<HtmlElement>().ok())
        .filter(|element| element.offset_width() > 0 || element.offset_height() > 0)
        .collect();
    let (Some(first), Some(last)) = (visible.first(), visible.last()) else { return };
    let active = document().active_element();
    let is = |element: &HtmlElement| active.as_ref().is_some_and(|active| *active == **element);
    let outside = active.as_ref().is_none_or(|active| !frame.contains(Some(active)) || *active == **frame);
    let next =
        if event.shift_key() { (is(first) || outside).then_some(last) } else { (is(last) || outside).then_some(first) };
    if let Some(next) = next {
        event.prevent_default();
        next.focus().unwrap_or_default();
    }
}

/// Asks before something that nothing brings back.
#[component]
pub(crate) fn Confirm(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// The question.
    #[prop(into)]
    title: Signal<String>,
    /// What would happen.
    #[prop(into)]
    text: Signal<String>,
    /// The words on the button that does it.
    #[prop(into)]
    action: Signal<String>,
    /// Does it.
    #[prop(into)]
    on_confirm: Callback<()>,
) -> impl IntoView {
    view! {
        <Dialog open title testid="confirm">
            <p class="confirm-text">{text}</p>
            <div class="dialog-actions">
                <Button label="Cancel" on_click=move |()| open.set(false) testid="confirm-cancel"/>
                <Button
                    kind=ButtonKind::Danger
                    label=action
                    on_click=move |()| {
                        open.set(false);
                        on_confirm.run(());
                    }
                    testid="confirm-accept"
                />
            </div>
        </Dialog>
    }
}
