//! Everything that can be done, by key and in the command palette.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

/// One thing that can be done now.
#[derive(Clone)]
pub(crate) struct Action {
    /// Stable name.
    pub(crate) id: &'static str,
    /// What it does, as the palette shows it.
    pub(crate) title: String,
    /// Where it belongs, such as `Traces`.
    pub(crate) group: &'static str,
    /// Its key, in codes: `Mod+KeyK`, `Shift+KeyA`, `KeyG KeyC` (one after the other).
    pub(crate) keys: Option<&'static str>,
    /// Whether it can be done.
    pub(crate) enabled: Signal<bool>,
    /// Whether the palette lists it.
    pub(crate) listed: bool,
    run: Callback<()>,
    number: u64,
    depth: usize,
}

impl Action {
    /// Something that can be done.
    pub(crate) fn new(
        id: &'static str,
        group: &'static str,
        title: impl Into<String>,
        run: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            id,
            title: title.into(),
            group,
            keys: None,
            enabled: Signal::stored(true),
            listed: true,
            run: Callback::new(move |()| run()),
            number: 0,
            depth: 0,
        }
    }

    /// With a key: codes of `KeyboardEvent.code`, see [`Action::keys`].
    pub(crate) fn keys(mut self, keys: &'static str) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Only while this holds.
    pub(crate) fn when(mut self, enabled: impl Into<Signal<bool>>) -> Self {
        self.enabled = enabled.into();
        self
    }

    /// Left out of the palette (moving about in a list), but not of the list of keys.
    pub(crate) fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// Does it.
    pub(crate) fn run(&self) {
        self.run.run(());
    }
}

/// The actions of everything that is on the page. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    actions: RwSignal<Vec<Action>>,
    next: StoredValue<u64>,
    /// What closes each open dialog or menu, the topmost last.
    overlays: StoredValue<Vec<(u64, Callback<()>)>>,
    pending: StoredValue<Option<(String, f64)>>,
    /// Whether the palette is open.
    pub(crate) palette: RwSignal<bool>,
    /// Whether the list of keys is open.
    pub(crate) help: RwSignal<bool>,
}

/// The second key of a pair must come this soon.
const PAIR_MS: f64 = 1_200.0;

impl Keys {
    /// Offers an action until the current owner (component) is gone. Of two with the same key the later one counts.
    pub(crate) fn offer(self, mut action: Action) {
        action.number = self.number();
        action.depth = self.depth();
        let number = action.number;
        self.actions.update(|actions| actions.push(action));
        on_cleanup(move || {
            self.actions.try_update(|actions| actions.retain(|action| action.number != number));
        });
    }

    /// Marks a dialog or menu as open until the current owner is gone: Escape calls `close`, and the keys of what is
    /// below rest.
    pub(crate) fn overlay(self, close: Callback<()>) {
        let number = self.number();
        self.overlays.update_value(|overlays| overlays.push((number, close)));
        on_cleanup(move || {
            self.overlays.try_update_value(|overlays| overlays.retain(|(id, _)| *id != number));
        });
    }

    /// All actions, followed.
    pub(crate) fn all(self) -> Vec<Action> {
        self.actions.get()
    }

    fn number(self) -> u64 {
        self.next
            .try_update_value(|next| {
                *next += 1;
                *next
            })
            .unwrap_or_default()
    }

    fn depth(self) -> usize {
        self.overlays.try_with_value(Vec::len).unwrap_or_default()
    }

    fn handle(self, event: &KeyboardEvent) {
        if event.default_prevented() || event.is_composing() || event.repeat() && event.code() == "Escape" {
            return;
        }
        let code = event.code();
        if code == "Escape"
            && let Some((_, close)) = self.overlays.with_value(|overlays| overlays.last().copied())
        {
            event.prevent_default();
            close.run(());
            return;
        }
        let pressed = describe(event);
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if plain && types_here(event) && code != "Escape" {
            return;
        }
        if matches!(code.as_str(), "Enter" | "Space") && plain && presses_here(event) {
            return;
        }
        let now = js_sys::Date::now();
        let pair = self
            .pending
            .try_update_value(Option::take)
            .flatten()
            .filter(|(_, at)| now - at < PAIR_MS)
            .map(|(first, _)| format!("{first} {pressed}"));
        let depth = self.depth();
        let found = self.actions.with_untracked(|actions| {
            let usable = |action: &&Action| action.depth == depth && action.enabled.get_untracked();
            let by_keys =
                |wanted: &str| actions.iter().rev().filter(usable).find(|action| action.keys == Some(wanted)).cloned();
            let action = pair.as_deref().and_then(by_keys).or_else(|| by_keys(&pressed));
            let begins = action.is_none()
                && actions.iter().filter(usable).any(|action| {
                    action.keys.and_then(|keys| keys.split_once(' ')).is_some_and(|(first, _)| first == pressed)
                });
            if begins {
                self.pending.set_value(Some((pressed.clone(), now)));
            }
            action
        });
        if let Some(action) = found {
            event.prevent_default();
            action.run();
        }
    }
}

/// The pressed keys in the form of [`Action::keys`].
fn describe(event: &KeyboardEvent) -> String {
    let mut text = String::new();
    if event.ctrl_key() || event.meta_key() {
        text.push_str("Mod+");
    }
    if event.alt_key() {
        text.push_str("Alt+");
    }
    // Where the question mark lies on another key than on a US keyboard.
    if event.key() == "?" {
        return text + "Shift+Slash";
    }
    if event.shift_key() {
        text.push_str("Shift+");
    }
    match event.code().as_str() {
        // Both Enter keys do the same.
        "NumpadEnter" => text + "Enter",
        code => text + code,
    }
}

fn target(event: &KeyboardEvent) -> Option<web_sys::Element> {
    event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok())
}

fn types_here(event: &KeyboardEvent) -> bool {
    target(event).is_some_and(|element| {
        let typed = "textarea, select, [contenteditable=true], input:not([type=checkbox]):not([type=radio])";
        element.matches(typed).unwrap_or(false)
    })
}

fn presses_here(event: &KeyboardEvent) -> bool {
    target(event).is_some_and(|element| {
        element.closest("button, a, summary, input, [role=tab], [role=menuitem]").is_ok_and(|it| it.is_some())
    })
}

/// The parts of a key as they stand on the keyboard: `["Ctrl", "K"]`.
pub(crate) fn key_caps(keys: &str) -> Vec<String> {
    let mac = window().navigator().platform().is_ok_and(|platform| platform.starts_with("Mac"));
    keys.split(['+', ' '])
        .map(|part| match part {
            "Mod" if mac => "⌘".to_owned(),
            "Mod" => "Ctrl".to_owned(),
            "Alt" if mac => "⌥".to_owned(),
            "Escape" => "Esc".to_owned(),
            "Slash" => "/".to_owned(),
            "Comma" => ",".to_owned(),
            "BracketLeft" => "[".to_owned(),
            "BracketRight" => "]".to_owned(),
            "Delete" => "Del".to_owned(),
            "ArrowUp" => "↑".to_owned(),
            "ArrowDown" => "↓".to_owned(),
            _ => part.trim_start_matches("Key").trim_start_matches("Digit").to_owned(),
        })
        .collect()
}

/// The actions of everything that is on the page.
pub(crate) fn use_keys() -> Keys {
    expect_context()
}

/// Offers an action while the current component is there: see [`Keys::offer`].
pub(crate) fn use_action(action: Action) {
    use_keys().offer(action);
}

pub(super) fn provide() {
    let keys = Keys {
        actions: RwSignal::new(Vec::new()),
        next: StoredValue::new(0),
        overlays: StoredValue::new(Vec::new()),
        pending: StoredValue::new(None),
        palette: RwSignal::new(false),
        help: RwSignal::new(false),
    };
    provide_context(keys);
    let listener = window_event_listener(ev::keydown, move |event| keys.handle(&event));
    on_cleanup(move || listener.remove());
}
