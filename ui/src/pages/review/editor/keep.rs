//! Keeps what is being written, so that nothing of it is lost when the window is closed, the page is left or the machine
//! fails: the workspace has it a moment after it was typed, and the fields are open again at the next visit.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::Json;
use tw_contract::{ApiError, ErrorCode, SetSetting, SettingRequest};

use super::state::{Editing, Loaded};
use super::writing::{Kept, Return};
use crate::backend::Api;
use crate::state::toasts::ToastAction;

/// What was typed is written at most so often.
const PAUSE: Duration = Duration::from_millis(250);
/// The same for long texts.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Bytes from which a text is long.
const LONG_BYTES: usize = 256 << 10;

/// Writes down what is being written. Copied freely.
#[derive(Clone, Copy)]
struct Keeper {
    editing: Editing,
    /// What the workspace has; `None` until it was asked.
    written: StoredValue<Option<Vec<Kept>>>,
    /// Whether a look is planned.
    waits: StoredValue<bool>,
    /// Whether something is on its way.
    busy: StoredValue<bool>,
}

/// Keeps what is written in the fields of a trace, and opens those again that were open when it was left.
pub(super) fn keep(editing: Editing) {
    let keeper = Keeper {
        editing,
        written: StoredValue::new(None),
        waits: StoredValue::new(false),
        busy: StoredValue::new(false),
    };
    Effect::new(move |asked: Option<bool>| {
        let here = editing.loaded.with(|loaded| *loaded == Loaded::Here);
        if here && asked != Some(true) {
            keeper.bring_back();
        }
        here || asked == Some(true)
    });
    Effect::new(move |before: Option<usize>| {
        let open = editing.drafts.track();
        if editing.kept.get_untracked() {
            editing.kept.set(false);
        }
        if before.is_some_and(|before| open < before) {
            // What was saved or given up must not come back.
            keeper.now();
        } else {
            keeper.soon();
        }
        open
    });
    // The last moments of a page, as far as it hears of them.
    let handles = [
        window_event_listener_untyped("blur", move |_| keeper.now()),
        window_event_listener_untyped("visibilitychange", move |_| keeper.now()),
        window_event_listener_untyped("pagehide", move |_| keeper.now()),
    ];
    on_cleanup(move || handles.into_iter().for_each(WindowListenerHandle::remove));
}

impl Keeper {
    /// Writes in a moment; more that is typed until then goes with it.
    fn soon(self) {
        if self.waits.try_get_value() != Some(false) {
            return;
        }
        self.waits.set_value(true);
        let bytes: usize = self.editing.drafts.kept().iter().map(|kept| kept.text.len()).sum();
        set_timeout(
            move || {
                if self.waits.try_set_value(false).is_none() {
                    self.now();
                }
            },
            if bytes < LONG_BYTES { PAUSE } else { LONG_PAUSE },
        );
    }

    fn now(self) {
        let Some(Some(written)) = self.written.try_get_value() else { return };
        let kept = self.editing.drafts.kept();
        if self.busy.try_get_value() != Some(false) {
            return;
        }
        if kept == written {
            self.editing.kept.set(true);
            return;
        }
        let (Some(id), api) = (self.editing.id.try_get_value(), self.editing.api()) else { return };
        self.busy.set_value(true);
        spawn_local(async move {
            let outcome = write(&api, &id, &kept).await;
            if self.busy.try_set_value(false).is_some() {
                return;
            }
            // What could not be written is tried again with the next letter.
            if outcome.is_ok() {
                self.written.set_value(Some(kept));
                self.soon();
            }
        });
    }

    /// Opens the fields that were open when the trace was left.
    fn bring_back(self) {
        let editing = self.editing;
        let request = SettingRequest { key: key(&editing.id.get_value()) };
        let api = editing.api();
        spawn_local(async move {
            let answer = api.setting_get(request).await;
            if self.written.is_disposed() {
                return;
            }
            let kept: Vec<Kept> = answer
                .ok()
                .filter(|answer| !answer.value.is_null())
                .and_then(|answer| serde_json::from_str(&answer.value.to_text()).ok())
                .unwrap_or_default();
            self.written.set_value(Some(kept.clone()));
            let mut first = None;
            for kept in kept {
                let returns = editing.messages.with_untracked(|messages| {
                    kept.returns_to(messages.iter().find(|message| message.id == kept.id).map(|it| &it.message))
                });
                match returns {
                    Return::Saved => {}
                    Return::Open { now, changed } => {
                        first = first.or(Some(kept.id));
                        let problem = "What stood here was changed meanwhile; saving puts this text in its place.";
                        editing.drafts.take_back(kept, now, changed.then(|| problem.to_owned()));
                    }
                    Return::Homeless => editing.toasts().error(
                        ApiError::new(ErrorCode::Conflict, "A text that was being written has no turn any more.")
                            .with_hint("Here it is, so that it can be put elsewhere.")
                            .with_detail(Some(kept.text)),
                    ),
                }
            }
            if let Some(first) = first {
                let show = Callback::new(move |()| {
                    if !editing.loaded.is_disposed() {
                        editing.show(first);
                    }
                });
                editing.toasts().offer(
                    "What was being written here is open again. It is not saved yet.",
                    ToastAction { label: "Show", run: show },
                );
            }
            self.soon();
        });
    }
}

/// Writes down what is being written in a trace; nothing forgets it.
///
/// # Errors
/// The host's.
pub(super) async fn write(api: &Api, id: &str, kept: &[Kept]) -> Result<(), ApiError> {
    let value = if kept.is_empty() {
        Json::Null
    } else {
        let text = serde_json::to_string(kept).unwrap_or_default();
        Json::parse(&text).unwrap_or_default()
    };
    api.setting_set(SetSetting { key: key(id), value }).await.map(drop)
}

fn key(id: &str) -> String {
    format!("draft:{id}")
}
