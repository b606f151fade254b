//! Turns whose texts are too long for a window: their beginning is here, and what can be done without the rest.

use std::sync::Arc;

use leptos::prelude::*;
use tw_artifact::{EditOp, EditedMessage};

use super::state::{Editing, use_editing};
use super::text::count_chars;
use crate::components::{Button, ButtonKind, IconName};
use crate::state::format;

/// Bytes of a text which may be the beginning of a longer one: what the host sends of those has more.
const LONG_BYTES: usize = 256 << 10;

impl Editing {
    /// Bytes of text of a message that came shortened. Tracks.
    pub(super) fn shortened(self, id: u64) -> Option<u64> {
        self.about.with(|about| about.shortened.iter().find(|it| it.id == id).map(|it| it.bytes))
    }

    /// Whether a message cannot be written here, as only its beginning is; says why.
    pub(super) fn is_too_long(self, id: u64) -> bool {
        let too_long = untrack(|| self.shortened(id));
        if let Some(bytes) = too_long {
            self.toasts().info(format!(
                "{} of text are too much to be edited in a window. Keep only the beginning of it, or delete the turn.",
                format::bytes(bytes)
            ));
        }
        too_long.is_some()
    }
}

/// Says that only the beginning of a message is shown, where that is so.
#[component]
pub(super) fn ShortenedNote(message: Memo<Arc<EditedMessage>>) -> impl IntoView {
    let editing = use_editing();
    let id = message.with_untracked(|message| message.id);
    let bytes = Memo::new(move |_| editing.shortened(id));
    let keep = move |()| {
        let end = message.with_untracked(|message| count_chars(&message.message.text_ref()));
        editing.edit(EditOp::KeepOnly { id, begin: 0, end });
    };
    // The rest of other texts cannot be cut off by one edit.
    let of_content =
        move || message.with(|message| message.message.text_ref().len() > LONG_BYTES) && !editing.locked.get();
    move || {
        let bytes = bytes.get()?;
        Some(view! {
            <p class="turn-shortened" data-testid="turn-shortened">
                <span>{format!("{} of text: the beginning is shown. The whole is kept, trained on and exported.", format::bytes(bytes))}</span>
                {move || {
                    of_content()
                        .then(|| {
                            view! {
                                <Button
                                    kind=ButtonKind::Quiet
                                    icon=IconName::Cut
                                    label="Keep only the beginning"
                                    title="The rest of the text goes; undo brings it back"
                                    on_click=keep
                                    testid="keep-beginning"
                                />
                            }
                        })
                }}
            </p>
        })
    }
}
