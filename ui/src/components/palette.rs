//! The command palette: everything that can be done now, found by a few letters.

use std::time::Duration;

use leptos::prelude::*;

use super::dialog::DialogFrame;
use super::kbd::Kbd;
use crate::state::keys::{Action, use_keys};

/// The palette behind Mod+K; once, in the frame.
#[component]
pub(crate) fn Palette() -> impl IntoView {
    let keys = use_keys();
    view! {
        <Show when=move || keys.palette.get()>
            <DialogFrame title="Search for an action" bare=true testid="palette" on_close=move |()| keys.palette.set(false)>
                <PaletteBody/>
            </DialogFrame>
        </Show>
    }
}

#[component]
fn PaletteBody() -> impl IntoView {
    let keys = use_keys();
    let words = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let found = Memo::new(move |_| {
        let mut found: Vec<(i32, Entry)> = keys
            .all()
            .into_iter()
            .filter(|action| action.listed && action.enabled.get())
            .filter_map(|action| words.with(|words| Some((rank(&action, words)?, Entry(action)))))
            .collect();
        // What the page can do stands before what every page can do.
        found.sort_by_key(|(rank, Entry(action))| (*rank, matches!(action.group, "Go" | "Window")));
        found.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()
    });
    let run = move |action: Action| {
        keys.palette.set(false);
        // First the palette goes, so that the action finds the page and its focus.
        set_timeout(move || action.run(), Duration::ZERO);
    };
    let input = NodeRef::<leptos::html::Input>::new();
    super::field::focus_when_there(input);
    view! {
        <input
            node_ref=input
            class="input palette-input"
            type="text"
            role="combobox"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant=move || format!("palette-{}", at.get())
            aria-label="Search for an action"
            placeholder="Type what you want to do"
            autocomplete="off"
            spellcheck="false"
            data-testid="palette-input"
            on:input:target=move |event| {
                words.set(event.target().value());
                at.set(0);
            }
            on:keydown=move |event| {
                let length = found.with_untracked(Vec::len);
                match event.code().as_str() {
                    "ArrowDown" if length > 0 => at.update(|at| *at = (*at + 1) % length),
                    "ArrowUp" if length > 0 => at.update(|at| *at = (*at + length - 1) % length),
                    "Enter" | "NumpadEnter" => {
                        if let Some(Entry(action)) = found.with_untracked(|found| found.get(at.get_untracked()).cloned()) {
                            run(action);
                        }
                    }
                    _ => return,
                }
                event.prevent_default();
            }
        />
        <div class="palette-list" id="palette-list" role="listbox">
            {move || {
                let entries = found.get();
                if entries.is_empty() {
                    return view! { <p class="palette-none">"Nothing here is called that."</p> }.into_any();
                }
                entries
                    .into_iter()
                    .enumerate()
                    .map(|(place, Entry(action))| {
                        let node = NodeRef::<leptos::html::Button>::new();
                        Effect::new(move |_| {
                            if at.get() == place && let Some(node) = node.get() {
                                let options = web_sys::ScrollIntoViewOptions::new();
                                options.set_block(web_sys::ScrollLogicalPosition::Nearest);
                                node.scroll_into_view_with_scroll_into_view_options(&options);
                            }
                        });
                        let (group, title, caps) = (action.group, action.title.clone(), action.keys);
                        view! {
                            <button
                                node_ref=node
                                type="button"
                                role="option"
                                tabindex="-1"
                                id=format!("palette-{place}")
                                aria-selected=move || (at.get() == place).to_string()
                                data-testid="palette-entry"
                                data-action=action.id
                                on:pointermove=move |_| {
                                    if at.get_untracked() != place {
                                        at.set(place);
                                    }
                                }
                                on:click=move |_| run(action.clone())
                            >
                                <span class="palette-group">{group}</span>
                                <span class="palette-title">{title}</span>
                                {caps.map(|keys| view! { <Kbd keys/> })}
                            </button>
                        }
                    })
                    .collect_view()
                    .into_any()
            }}
        </div>
    }
}

/// An action in the list; two are the same when they are shown the same.
#[derive(Clone)]
struct Entry(Action);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id && self.0.title == other.0.title
    }
}

/// How well an action fits what was typed, better ones smaller: every letter must come in order, words that begin so
/// are better.
fn rank(action: &Action, typed: &str) -> Option<i32> {
    let typed = typed.trim().to_lowercase();
    if typed.is_empty() {
        return Some(0);
    }
    let name = format!("{} {}", action.title, action.group).to_lowercase();
    if let Some(place) = name.find(&typed) {
        let begins = place == 0 || name[..place].ends_with(' ');
        return Some(if begins { 1 } else { 2 });
    }
    if typed.split_whitespace().all(|word| name.contains(word)) {
        return Some(3);
    }
    let mut letters = name.chars();
    typed.chars().filter(|c| !c.is_whitespace()).all(|wanted| letters.any(|c| c == wanted)).then_some(4)
}
