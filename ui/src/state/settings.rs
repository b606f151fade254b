//! The window's own settings (theme, panes, last choices), kept in the workspace.

use std::collections::HashMap;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tw_artifact::Json;
use tw_contract::{SetSetting, SettingRequest};

use crate::backend::{Api, use_api};
use crate::state::toasts::{Toasts, use_toasts};

/// A setting is written when it has not changed for so long.
const SETTLE: Duration = Duration::from_millis(400);

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The settings that were read so far. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    api: StoredValue<Api>,
    toasts: Toasts,
    owner: StoredValue<Owner>,
    known: StoredValue<HashMap<&'static str, RwSignal<Json>>>,
}

impl Settings {
    /// The setting `key`, `default` until it is read or when it was never set. Writing the signal keeps it. Every call
    /// with the same key must have the same type; the signals follow each other.
    pub(crate) fn get<T>(self, key: &'static str, default: T) -> RwSignal<T>
    where
        T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let stored = self.stored(key);
        let read = move |json: &Json| {
            if json.is_null() { None } else { serde_json::from_str::<T>(&json.to_text()).ok() }
        };
        let value = RwSignal::new(stored.with_untracked(read).unwrap_or(default));
        Effect::new(move |_| {
            if let Some(new) = stored.with(read)
                && value.try_with_untracked(|old| *old != new) == Some(true)
            {
                value.set(new);
            }
        });
        Effect::new(move |before: Option<()>| {
            let Ok(json) = value.with(serde_json::to_string).map(|text| Json::parse(&text).unwrap_or_default()) else {
                return;
            };
            // The first run sees the default or what was read: nothing to keep.
            if before.is_some() && stored.try_with_untracked(|old| *old != json) == Some(true) {
                stored.set(json.clone());
                self.keep(key, json);
            }
        });
        value
    }

    /// Writes `value` under `key` once it has settled.
    fn keep(self, key: &'static str, value: Json) {
        remember_here(key, &value);
        let written = value.clone();
        set_timeout(
            move || {
                // A later change has a timer of its own.
                if self.stored(key).with_untracked(|now| *now != written) {
                    return;
                }
                let api = self.api.get_value();
                let request = SetSetting { key: key.to_owned(), value };
                spawn_local(async move {
                    if let Err(error) = api.setting_set(request).await {
                        self.toasts.error(error);
                    }
                });
            },
            SETTLE,
        );
    }

    fn stored(self, key: &'static str) -> RwSignal<Json> {
        if let Some(known) = self.known.with_value(|known| known.get(key).copied()) {
            return known;
        }
        // Settings outlive the component that asks for them first.
        let here = remembered_here(key);
        let first = here.clone();
        let signal = self.owner.with_value(|owner| owner.with(|| RwSignal::new(first)));
        self.known.update_value(|known| {
            known.insert(key, signal);
        });
        let api = self.api.get_value();
        spawn_local(async move {
            // An unreadable setting is its default; the host's state is shown by the connection.
            if let Ok(reply) = api.setting_get(SettingRequest { key: key.to_owned() }).await
                && !reply.value.is_null()
                && signal.try_with_untracked(|now| *now == here && *now != reply.value) == Some(true)
            {
                remember_here(key, &reply.value);
                signal.set(reply.value);
            }
        });
        signal
    }
}

/// The value of this page's last visit, so that panes and colours do not jump while the host is asked.
fn remembered_here(key: &str) -> Json {
    let storage = window().local_storage().ok().flatten();
    let text = storage.and_then(|it| it.get_item(&format!("tracewright:{key}")).ok().flatten());
    text.and_then(|text| Json::parse(&text).ok()).unwrap_or_default()
}

fn remember_here(key: &str, value: &Json) {
    if let Ok(Some(storage)) = window().local_storage() {
        // Only a copy: the workspace has the setting.
        storage.set_item(&format!("tracewright:{key}"), &value.to_text()).unwrap_or_default();
    }
}

/// The window's own settings.
pub(crate) fn use_settings() -> Settings {
    expect_context()
}

/// The setting `key`: see [`Settings::get`].
pub(crate) fn use_setting<T>(key: &'static str, default: T) -> RwSignal<T>
where
    T: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    use_settings().get(key, default)
}

pub(super) fn provide() {
    provide_context(Settings {
        api: StoredValue::new(use_api()),
        toasts: use_toasts(),
        owner: StoredValue::new(Owner::current().unwrap_or_default()),
        known: StoredValue::new(HashMap::new()),
    });
}
