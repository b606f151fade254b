//! The models whose tokenizer and template rows are rendered with.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, Empty, IdRequest, ModelAdd, ModelEntry};

use crate::backend::{Api, use_api};

/// The models. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct Models {
    /// In the order in which they were added.
    pub(crate) list: RwSignal<Vec<ModelEntry>>,
    /// Whether the list has come.
    pub(crate) loaded: RwSignal<bool>,
    /// Why it did not.
    pub(crate) problem: RwSignal<Option<ApiError>>,
    asked: StoredValue<bool>,
    api: StoredValue<Api>,
}

/// The models of the app.
pub(crate) fn use_models() -> Models {
    expect_context()
}

pub(super) fn provide() {
    provide_context(Models {
        list: RwSignal::default(),
        loaded: RwSignal::new(false),
        problem: RwSignal::new(None),
        asked: StoredValue::new(false),
        api: StoredValue::new(use_api()),
    });
}

impl Models {
    /// Fetches the list when nobody has yet.
    pub(crate) fn ensure(self) {
        if !self.asked.get_value() {
            self.load();
        }
    }

    /// Fetches the list (again).
    pub(crate) fn load(self) {
        self.asked.set_value(true);
        spawn_local(async move {
            match self.api.get_value().model_list(Empty {}).await {
                Ok(list) => {
                    self.problem.set(None);
                    if self.list.with_untracked(|old| *old != list) {
                        self.list.set(list);
                    }
                    self.loaded.set(true);
                }
                Err(error) => {
                    self.problem.set(Some(error));
                    self.asked.set_value(false);
                }
            }
        });
    }

    /// Whether the list has come and is empty. Tracks.
    pub(crate) fn lacks_any(self) -> bool {
        self.loaded.get() && self.list.with(Vec::is_empty)
    }

    /// Whether there is such a model, as far as is known. Tracks.
    pub(crate) fn has(self, id: &str) -> bool {
        !self.loaded.get() || self.list.with(|list| list.iter().any(|entry| entry.id == id))
    }

    /// Adds a model's folder or file.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn add(self, model: ModelAdd) -> Result<ModelEntry, ApiError> {
        let entry = self.api.get_value().model_add(model).await?;
        self.list.update(|list| match list.iter_mut().find(|old| old.id == entry.id) {
            Some(old) => *old = entry.clone(),
            None => list.push(entry.clone()),
        });
        Ok(entry)
    }

    /// Forgets a model; its files stay.
    ///
    /// # Errors
    /// The host's.
    pub(crate) async fn remove(self, id: &str) -> Result<(), ApiError> {
        self.api.get_value().model_remove(IdRequest { id: id.to_owned() }).await?;
        self.list.update(|list| list.retain(|entry| entry.id != id));
        Ok(())
    }
}
