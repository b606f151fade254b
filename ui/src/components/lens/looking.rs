//! The row that is looked at: fetched when what is looked at changes, and drawn until the next one is there.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EditOp, Place};
use tw_contract::{ApiError, LensRequest, LensSubject, ModelEntry};

use super::LensTarget;
use super::choices::Choices;
use super::model::Lens;
use crate::backend::use_api;
use crate::components::{FloatMenu, ListHandle};
use crate::state::models::use_models;

/// A cell of the text under the pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hover {
    /// Which cell.
    pub(super) cell: usize,
    /// Where the pointer is.
    pub(super) x: f64,
    /// Where the pointer is.
    pub(super) y: f64,
}

/// The pane's state. Copied freely; given by context.
#[derive(Clone, Copy)]
pub(super) struct Looking {
    /// How it is looked at.
    pub(super) choices: Choices,
    /// What is asked for.
    pub(super) request: Memo<LensRequest>,
    /// The row.
    pub(super) lens: RwSignal<Option<Arc<Lens>>>,
    /// Why there is no newer one.
    pub(super) problem: RwSignal<Option<ApiError>>,
    /// Whether one is on its way.
    pub(super) busy: RwSignal<bool>,
    /// What is pointed out, in bytes.
    pub(super) pointed: RwSignal<Option<(usize, usize)>>,
    /// What is under the pointer.
    pub(super) hover: RwSignal<Option<Hover>>,
    /// What is visible, in blocks.
    pub(super) visible: RwSignal<(f64, f64)>,
    /// Moves the text.
    pub(super) list: ListHandle,
    /// The one menu.
    pub(super) menu: FloatMenu,
    /// The model that the row's version was built with.
    pub(super) own_model: StoredValue<Option<ModelEntry>>,
    /// Makes an edit, where the row can be edited.
    pub(super) edit: Option<Callback<EditOp>>,
    open: Option<Callback<LensTarget>>,
    tries: RwSignal<u32>,
}

impl Looking {
    /// Looks at what is asked for, and gives it to everything below.
    pub(super) fn provide(
        request: Signal<LensRequest>,
        own_model: Option<ModelEntry>,
        remember: bool,
        edit: Option<Callback<EditOp>>,
        open: Option<Callback<LensTarget>>,
    ) -> Self {
        let choices = Choices::of(request, remember);
        let models = use_models();
        models.ensure();
        let own_id = own_model.as_ref().map(|own| own.id.clone());
        let looking = Self {
            choices,
            request: Memo::new(move |_| {
                let mut request = choices.apply(request.get());
                // A model that was removed is as none.
                request.model = request.model.filter(|id| own_id.as_ref() == Some(id) || models.has(id));
                request
            }),
            lens: RwSignal::new(None),
            problem: RwSignal::new(None),
            busy: RwSignal::new(false),
            pointed: RwSignal::new(None),
            hover: RwSignal::new(None),
            visible: RwSignal::new((0.0, 0.0)),
            list: ListHandle::new(),
            menu: FloatMenu::new(),
            own_model: StoredValue::new(own_model),
            edit,
            open,
            tries: RwSignal::new(0),
        };
        provide_context(looking);
        looking.follow();
        looking
    }

    fn follow(self) {
        let api = StoredValue::new(use_api());
        let models = use_models();
        let asked = StoredValue::new(0_u32);
        Effect::new(move |_| {
            self.tries.track();
            let request = self.request.get();
            if !models.loaded.get() || self.lacks_model() {
                return;
            }
            let Some(number) = asked.try_update_value(|asked| {
                *asked += 1;
                *asked
            }) else {
                return;
            };
            self.busy.set(true);
            let api = api.get_value();
            spawn_local(async move {
                let answer = api.lens_open(request).await;
                // A later answer counts more.
                if asked.try_get_value() != Some(number) {
                    return;
                }
                self.busy.set(false);
                match answer {
                    Ok(view) => {
                        self.hover.set(None);
                        self.pointed.set(None);
                        self.problem.set(None);
                        self.lens.set(Some(Arc::new(Lens::new(view))));
                    }
                    Err(error) => self.problem.set(Some(error)),
                }
            });
        });
    }

    /// Whether there is no model to render with. Tracks.
    pub(super) fn lacks_model(self) -> bool {
        use_models().lacks_any() && self.own_model.with_value(Option::is_none)
    }

    /// Asks again.
    pub(super) fn again(self) {
        self.tries.update(|tries| *tries += 1);
    }

    /// Whether the rows are those of a trace.
    pub(super) fn is_of_trace(self) -> bool {
        self.request.with(|request| matches!(request.subject, LensSubject::Trace { .. }))
    }

    /// The row as it is now.
    pub(super) fn now(self) -> Option<Arc<Lens>> {
        self.lens.get_untracked()
    }

    /// Brings a stretch of the text into view and points it out.
    pub(super) fn show(self, begin: usize, end: usize) {
        let Some(block) = self.now().and_then(|lens| lens.block_at(begin)) else { return };
        self.pointed.set(Some((begin, end)));
        self.list.show_at_top(block);
        // Once the block is in the page and measured: it may be higher than what is visible.
        request_animation_frame(move || {
            request_animation_frame(move || request_animation_frame(scroll_to_pointed));
        });
    }

    /// Brings a message into view.
    pub(super) fn show_message(self, message: u32) {
        if let Some(bytes) = self.now().and_then(|lens| lens.bytes_of_message(message)) {
            self.show(bytes.start, bytes.end);
        }
    }

    /// The byte at the upper edge of what is visible.
    pub(super) fn top_byte(self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row's number is small")]
        let block = self.visible.get_untracked().0.max(0.0).floor() as usize;
        self.now().and_then(|lens| lens.blocks.get(block).map(|block| block.start)).unwrap_or_default()
    }

    /// Whether there is somewhere to lead to.
    pub(super) const fn can_open(self) -> bool {
        self.open.is_some()
    }

    /// Leads to a message of the row in its trace.
    pub(super) fn open_message(self, message: Option<u32>) {
        let (Some(open), Some(lens)) = (self.open, self.now()) else { return };
        let id = message.and_then(|message| lens.view.messages.get(message as usize)?.id);
        let place = id.map(|id| Place { id, field: None, begin: 0, end: 0 });
        open.run(LensTarget { trace: lens.view.trace_id.clone(), place });
    }
}

/// Brings what is pointed out into the upper part of the text.
fn scroll_to_pointed() {
    let Ok(Some(cell)) = document().query_selector("[data-testid=lens-text] .lens-cell.is-at") else { return };
    let Ok(Some(list)) = cell.closest("[data-testid=lens-text]") else { return };
    let (cell, frame) = (cell.get_bounding_client_rect(), list.get_bounding_client_rect());
    let wanted = frame.top() + frame.height() / 5.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole pixels are what a scroll position takes")]
    list.set_scroll_top(list.scroll_top() + (cell.top() - wanted).round() as i32);
}

/// The pane's state.
pub(super) fn use_looking() -> Looking {
    expect_context()
}
