//! Texts that are being typed. They live beside the cards, so that nothing is lost when a card is scrolled away, or
//! when the host refuses an edit.

use std::collections::HashMap;

use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage, Json, Message, TextField};

use super::schema::read;
use super::whole::read_whole;
use super::writing::{Kept, Writing};

/// One text that is being typed. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    /// What was typed.
    pub(super) text: RwSignal<String>,
    /// What stood there.
    pub(super) before: StoredValue<String>,
    /// Why it could not be saved.
    pub(super) problem: RwSignal<Option<String>>,
    /// Whether it is being saved.
    pub(super) busy: RwSignal<bool>,
    /// Whether it was kept from an earlier visit: it takes no focus.
    pub(super) returned: bool,
}

/// The texts that are being typed, by message and what of it is written. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Drafts {
    open: RwSignal<HashMap<(u64, Writing), Draft>>,
    owner: StoredValue<Owner>,
}

impl Drafts {
    pub(super) fn new() -> Self {
        Self { open: RwSignal::new(HashMap::new()), owner: StoredValue::new(Owner::current().unwrap_or_default()) }
    }

    /// Begins to type a text, or goes on with it.
    pub(super) fn open(self, id: u64, what: Writing, text: impl FnOnce() -> String) {
        if !self.has_untracked(id, what) {
            let text = text();
            self.add(id, what, text.clone(), text, None, false);
        }
    }

    /// Goes on with a text that was kept, over `now`, which stands there.
    pub(super) fn take_back(self, kept: Kept, now: String, problem: Option<String>) {
        if !self.has_untracked(kept.id, kept.what) {
            self.add(kept.id, kept.what, kept.text, now, problem, true);
        }
    }

    fn add(self, id: u64, what: Writing, text: String, before: String, problem: Option<String>, returned: bool) {
        let draft = self.owner.with_value(|owner| {
            owner.with(|| Draft {
                text: RwSignal::new(text),
                before: StoredValue::new(before),
                problem: RwSignal::new(problem),
                busy: RwSignal::new(false),
                returned,
            })
        });
        self.open.update(|open| {
            open.insert((id, what), draft);
        });
    }

    /// Forgets what was typed.
    pub(super) fn close(self, id: u64, what: impl Into<Writing>) {
        self.open.try_update(|open| open.remove(&(id, what.into())));
    }

    /// Closes texts from an earlier visit that stand in the trace by now.
    pub(super) fn close_saved(self, messages: &[EditedMessage]) {
        let is_saved = |(&(id, what), draft): (&(u64, Writing), &Draft)| {
            let message = messages.iter().find(|message| message.id == id)?;
            (draft.returned && draft.text.with_untracked(|text| *text == what.text_in(&message.message)))
                .then_some((id, what))
        };
        let saved: Vec<(u64, Writing)> = self.open.with_untracked(|open| open.iter().filter_map(is_saved).collect());
        for (id, what) in saved {
            self.close(id, what);
        }
    }

    /// Whether a text is being typed. Tracks.
    pub(super) fn has(self, id: u64, what: impl Into<Writing>) -> bool {
        self.open.with(|open| open.contains_key(&(id, what.into())))
    }

    fn has_untracked(self, id: u64, what: Writing) -> bool {
        self.open.with_untracked(|open| open.contains_key(&(id, what)))
    }

    /// Whether any single text of a message is being typed.
    pub(super) fn has_text_of(self, id: u64) -> bool {
        self.open.with_untracked(|open| open.keys().any(|(of, what)| *of == id && *what != Writing::Whole))
    }

    /// A text that is being typed.
    pub(super) fn get(self, id: u64, what: impl Into<Writing>) -> Option<Draft> {
        self.open.with_untracked(|open| open.get(&(id, what.into())).copied())
    }

    /// Tracks every text that is being typed, and gives how many there are.
    pub(super) fn track(self) -> usize {
        self.open.with(|open| {
            open.values().for_each(|draft| draft.text.track());
            open.len()
        })
    }

    /// What differs from what stood there.
    pub(super) fn kept(self) -> Vec<Kept> {
        let kept = |(&(id, what), draft): (&(u64, Writing), &Draft)| {
            let before = draft.before.try_get_value()?;
            let text = draft.text.try_with_untracked(|text| (*text != before).then(|| text.clone()))??;
            Some(Kept { id, what, before, text })
        };
        let mut kept: Vec<Kept> =
            self.open.try_with_untracked(|open| open.iter().filter_map(kept).collect()).unwrap_or_default();
        kept.sort_by_key(|kept| kept.id);
        kept
    }

    /// Whether a text is on its way to the host.
    pub(super) fn is_busy(self, id: u64, what: Writing) -> bool {
        let busy = |open: &HashMap<(u64, Writing), Draft>| open.get(&(id, what))?.busy.try_get_untracked();
        self.open.try_with_untracked(busy).flatten().unwrap_or_default()
    }

    /// How many are being typed and differ from what stood there. Tracks.
    pub(super) fn unsaved(self) -> usize {
        let differs = |draft: &&Draft| draft.text.with(|text| draft.before.with_value(|before| text != before));
        self.open.with(|open| open.values().filter(differs).count())
    }
}

/// The edit that saves a kept text; `None` where it cannot be read yet.
pub(super) fn saving_op(kept: &Kept) -> Option<EditOp> {
    let id = kept.id;
    Some(match kept.what {
        Writing::Text(TextField::Arguments { call }) => {
            EditOp::SetArguments { id, call, arguments: read(&kept.text).ok()? }
        }
        Writing::Text(field) => EditOp::SetText { id, field, text: kept.text.clone() },
        Writing::Whole => {
            let before = Message::try_from(Json::parse(&kept.before).ok()?).ok()?;
            EditOp::SetMessage { id, message: read_whole(&kept.text, &before).ok()? }
        }
    })
}
