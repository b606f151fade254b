//! What can be done with cards: the edits behind menus, keys and the palette.

use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage, Json, Message, Role, TextField};

use super::completion::skeleton;
use super::place::{Drop, step};
use super::state::{Done, Editing, focus_card};
use super::writing::Writing;
use crate::components::{IconName, MenuItem};
use crate::state::format;

impl Editing {
    /// Begins to edit a text where it stands.
    pub(super) fn begin(self, id: u64, field: TextField) {
        if self.locked.get_untracked() {
            self.toasts().info("The run of this trace goes on. It can be edited once it is over.");
            return;
        }
        // All of the message is open: it holds this text too.
        if !self.is_too_long(id) && !self.drafts.has(id, Writing::Whole) {
            self.drafts.open(id, field.into(), || self.written(id, field.into()));
        }
    }

    /// Begins to edit all of a message as JSON.
    pub(super) fn begin_whole(self, id: u64) {
        if self.drafts.has_text_of(id) {
            self.toasts()
                .info("Save or cancel the text of this turn that is being written, then it can be edited as JSON.");
        } else if !self.locked.get_untracked() && !self.is_too_long(id) {
            self.drafts.open(id, Writing::Whole, || self.written(id, Writing::Whole));
        }
    }

    fn written(self, id: u64, what: Writing) -> String {
        self.messages.with_untracked(|messages| {
            let message = messages.iter().find(|message| message.id == id);
            message.map(|it| what.text_in(&it.message)).unwrap_or_default()
        })
    }

    /// Begins to edit what a card is mostly about: its first call, else its text.
    pub(super) fn begin_main(self, id: u64) {
        let field = self.messages.with_untracked(|messages| {
            let message = &messages.iter().find(|message| message.id == id)?.message;
            let has_calls = !message.tool_calls().is_empty();
            Some(match message.text().trim() {
                "" if has_calls => TextField::Arguments { call: 0 },
                _ => TextField::Content,
            })
        });
        self.begin(id, field.unwrap_or(TextField::Content));
    }

    /// Removes cards; calls go with their results.
    pub(super) fn delete(self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.edit(EditOp::Delete { ids });
        }
    }

    /// Makes one of neighbours of the same role.
    pub(super) fn merge(self, ids: Vec<u64>) {
        if ids.len() < 2 {
            self.toasts().info("Select at least two neighbours of the same role to merge them.");
        } else {
            self.edit(EditOp::Merge { ids });
        }
    }

    /// Puts copies behind.
    pub(super) fn duplicate(self, ids: Vec<u64>) {
        if !ids.is_empty() {
            self.edit_then(EditOp::Duplicate { ids }, self.then_show(None));
        }
    }

    /// Moves cards by one place, up (`-1`) or down (`1`).
    pub(super) fn move_by(self, ids: Vec<u64>, by: isize) {
        let outcome = self.messages.with_untracked(|messages| step(messages, &ids, by));
        self.drop_here(ids, outcome);
    }

    /// Lets go of dragged cards.
    pub(super) fn drop_here(self, ids: Vec<u64>, outcome: Drop) {
        match outcome {
            Drop::Same => {}
            Drop::Refused(reason) => self.told.set(reason),
            Drop::Before(before) => {
                let first = ids.first().copied();
                let done: Done = Box::new(move |answer| match (answer, first) {
                    (Ok(_), Some(first)) => {
                        let place = self.order.with_untracked(|order| order.iter().position(|other| *other == first));
                        if let Some(place) = place {
                            self.list.show(place);
                        }
                        focus_card(first);
                    }
                    (Err(error), _) => self.toasts().error(error),
                    (Ok(_), None) => {}
                });
                self.edit_then(EditOp::Move { ids, before }, done);
            }
        }
    }

    /// Says whether cards are trained on.
    pub(super) fn train(self, ids: Vec<u64>, train: Option<bool>) {
        if !ids.is_empty() {
            self.edit(EditOp::Train { ids, train });
        }
    }

    /// From "as the dataset says" to "train" to "do not train" and round.
    pub(super) fn train_next(self, ids: Vec<u64>) {
        let now = self.messages.with_untracked(|messages| {
            messages.iter().find(|message| ids.first() == Some(&message.id)).and_then(|message| message.marks.train)
        });
        let next = match now {
            None => Some(true),
            Some(true) => Some(false),
            Some(false) => None,
        };
        self.train(ids, next);
    }

    /// Keeps cards out of datasets, or lets them in again.
    pub(super) fn exclude_next(self, ids: &[u64]) {
        let mut all = Vec::new();
        let mut every = true;
        for row in ids.iter().filter_map(|id| self.row_of(*id)) {
            for message in self.messages.with_untracked(|messages| {
                messages.get(row.place..row.place + row.keys.len()).map(<[EditedMessage]>::to_vec).unwrap_or_default()
            }) {
                every &= message.marks.excluded;
                all.push(message.id);
            }
        }
        if !all.is_empty() {
            self.edit(EditOp::Exclude { ids: all, excluded: !every });
        }
    }

    /// Adds messages, and begins to write the first of them.
    fn insert(self, before: Option<u64>, messages: Vec<Message>, write: TextField) {
        self.edit_then(EditOp::Insert { before, messages }, self.then_show(Some(write)));
    }

    /// Shows what an edit added, and begins to write it.
    fn then_show(self, write: Option<TextField>) -> Done {
        let known = self.messages.with_untracked(|messages| messages.iter().map(|it| it.id).max().unwrap_or_default());
        let known = known.max(EditedMessage::FIRST_ADDED_ID - 1);
        Box::new(move |answer| match answer {
            Ok(outcome) => {
                let added: Vec<u64> = outcome
                    .patches
                    .iter()
                    .flat_map(|patch| &patch.insert)
                    .map(|message| message.id)
                    .filter(|id| *id > known)
                    .collect();
                let Some(first) = added.first().copied() else { return };
                self.show(first);
                self.selection.update(|selection| {
                    let rows = self.order.with_untracked(|order| {
                        order.iter().copied().filter(|id| added.contains(id)).collect::<Vec<_>>()
                    });
                    selection.these(&rows);
                });
                if let Some(field) = write {
                    self.begin(first, field);
                }
            }
            Err(error) => self.toasts().error(error),
        })
    }

    /// What can be added before a message, or at the end.
    pub(super) fn insert_items(self, before: Option<u64>) -> Vec<MenuItem> {
        let (has_prompt, is_first) = self.messages.with_untracked(|messages| {
            let first = messages.first();
            let has_prompt = first.is_some_and(|first| first.message.role() == Role::System);
            (has_prompt, first.map(|first| first.id) == before)
        });
        let item =
            move |icon: IconName, label: &str, testid: &'static str, make: fn(Self) -> (Vec<Message>, TextField)| {
                MenuItem::new(label, move || {
                    let (messages, write) = make(self);
                    self.insert(before, messages, write);
                })
                .icon(icon)
                .testid(testid)
            };
        let mut items = vec![
            item(IconName::User, "User message", "insert-user", |_| (vec![Message::user("")], TextField::Content)),
            item(IconName::Model, "Answer", "insert-assistant", |_| {
                (vec![Message::assistant("", None, Vec::new())], TextField::Content)
            }),
            item(IconName::Tool, "Answer with a call and its result", "insert-call", |editing| {
                (editing.new_call(), TextField::Arguments { call: 0 })
            }),
        ];
        if !has_prompt && (is_first || before.is_none()) {
            let first = self.messages.with_untracked(|messages| messages.first().map(|first| first.id));
            items.push(
                MenuItem::new("System prompt", move || {
                    self.insert(first, vec![Message::system("")], TextField::Content);
                })
                .icon(IconName::System)
                .testid("insert-system"),
            );
        }
        items
    }

    /// An answer with one call of the first tool, and an empty result.
    fn new_call(self) -> Vec<Message> {
        let (name, arguments) = self.about.with_untracked(|about| {
            let tool = about.tools.first();
            let schema = tool.and_then(|tool| tool.0.get("function")?.get("parameters"));
            (tool.map_or("tool", |tool| tool.name()).to_owned(), skeleton(schema.unwrap_or(&Json::Null)))
        });
        let id = fresh_call_id();
        vec![Message::assistant("", None, vec![Message::tool_call(&id, &name, arguments)]), Message::tool(id, name, "")]
    }

    /// What can be done with the card `id`, and with what is selected with it.
    pub(super) fn card_items(self, id: u64) -> Vec<MenuItem> {
        let ids = self.targets(id);
        let many = ids.len() > 1;
        let (message, place) = self.messages.with_untracked(|messages| {
            let place = messages.iter().position(|message| message.id == id);
            (place.and_then(|place| messages.get(place).cloned()), place)
        });
        let Some(message) = message else { return Vec::new() };
        let role = message.message.role();
        let ids = StoredValue::new(ids);
        let what = if many { format::counted(ids.with_value(Vec::len) as u64, "turn") } else { String::new() };
        let named = |verb: &str| if many { format!("{verb} {what}") } else { verb.to_owned() };
        let mut items = Vec::new();
        if !many {
            items.push(
                MenuItem::new("Edit the text", move || self.begin(id, TextField::Content))
                    .icon(IconName::Edit)
                    .testid("edit-content"),
            );
            if role == Role::Assistant {
                let words = if message.message.reasoning().is_some() { "Edit the reasoning" } else { "Add reasoning" };
                items.push(
                    MenuItem::new(words, move || self.begin(id, TextField::Reasoning))
                        .icon(IconName::Reasoning)
                        .testid("edit-reasoning"),
                );
            }
            items.push(
                MenuItem::new("Edit as JSON", move || self.begin_whole(id))
                    .icon(IconName::Braces)
                    .testid("edit-as-json"),
            );
            items.push(
                MenuItem::new("Run again from here", move || self.rerun.set(Some(id)))
                    .icon(IconName::Play)
                    .testid("rerun-from-menu"),
            );
        }
        items.push(
            MenuItem::new(named("Duplicate"), move || self.duplicate(ids.get_value()))
                .icon(IconName::Copy)
                .testid("duplicate-turn"),
        );
        let above = place.and_then(|place| place.checked_sub(1));
        let neighbour = above.and_then(|above| {
            let row = self.messages.with_untracked(|messages| messages.get(above).map(|it| it.id));
            row.and_then(|id| self.row_of(id)).filter(|row| row.role == role)
        });
        if many {
            items.push(
                MenuItem::new(named("Merge"), move || self.merge(ids.get_value()))
                    .icon(IconName::Merge)
                    .testid("merge-turns"),
            );
        } else if let Some(neighbour) = neighbour {
            let above = neighbour.id;
            items.push(
                MenuItem::new("Merge with the one above", move || self.merge(vec![above, id]))
                    .icon(IconName::Merge)
                    .testid("merge-turns"),
            );
        }
        let trains = message.marks.train;
        for (label, value, testid) in [
            ("Train on it", Some(true), "train-mark"),
            ("Do not train on it", Some(false), "train-skip"),
            ("Leave training to the dataset", None, "train-auto"),
        ] {
            let label = if many { label.replace(" it", " them") } else { label.to_owned() };
            items.push(
                MenuItem::new(label, move || self.train(ids.get_value(), value))
                    .icon(if trains == value { IconName::Check } else { IconName::Target })
                    .testid(testid),
            );
        }
        if !message.marks.spans.is_empty() {
            items.push(
                MenuItem::new("Forget marks on parts of it", move || self.edit(EditOp::ClearSpans { id }))
                    .icon(IconName::Close),
            );
        }
        let words = if message.marks.excluded { "Let into datasets again" } else { "Keep out of datasets" };
        items.push(
            MenuItem::new(words, move || ids.with_value(|ids| self.exclude_next(ids)))
                .icon(IconName::Exclude)
                .testid("exclude-turn"),
        );
        items.push(
            MenuItem::new(named("Delete"), move || self.delete(ids.get_value()))
                .icon(IconName::Trash)
                .danger()
                .testid("delete-turn"),
        );
        if self.locked.get_untracked() {
            items = items.into_iter().map(|item| item.disabled(true)).collect();
        }
        items
    }
}

/// An id for a call that a person adds.
fn fresh_call_id() -> String {
    let part = || {
        let digits = (js_sys::Math::random() * 1e9).floor();
        format!("{digits:09}")
    };
    format!("call_{}{}", part(), part())
}
