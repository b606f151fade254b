//! What a person should know about the row: warnings, and how it stands to what the model really wrote.

use leptos::prelude::*;
use tw_contract::{LensEmitted, LensWarningKind};

use super::looking::use_looking;
use super::model::Lens;
use super::signs::visible;
use crate::components::{Icon, IconName, Tone};
use crate::state::format;

/// Notes that are shown before the rest is folded.
const SHOWN: usize = 2;

/// One note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    tone: Tone,
    text: String,
    /// The message it leads to.
    message: Option<u32>,
}

/// The notes.
#[component]
pub(super) fn Notes() -> impl IntoView {
    let looking = use_looking();
    let open = RwSignal::new(false);
    let notes = Memo::new(move |_| looking.lens.with(|lens| lens.as_ref().map(|lens| notes(lens)).unwrap_or_default()));
    let listed = move || {
        let shown = if open.get() { usize::MAX } else { SHOWN };
        notes
            .get()
            .into_iter()
            .take(shown)
            .map(|note| {
                let icon = match note.tone {
                    Tone::Bad => IconName::Error,
                    Tone::Warn => IconName::Warning,
                    Tone::Good => IconName::Check,
                    _ => IconName::Info,
                };
                let text = sentence(&note.text);
                view! {
                    <li class=note.tone.class() data-testid="lens-note">
                        <Icon name=icon/>
                        {match note.message {
                            Some(message) => view! {
                                <button type="button" class="lens-note-text" title="Show it" data-testid="lens-note-jump" on:click=move |_| looking.show_message(message)>
                                    {text}
                                </button>
                            }
                                .into_any(),
                            None => view! { <span class="lens-note-text">{text}</span> }.into_any(),
                        }}
                    </li>
                }
            })
            .collect_view()
    };
    let more = Memo::new(move |_| notes.with(Vec::len).saturating_sub(SHOWN));
    view! {
        <Show when=move || notes.with(|notes| !notes.is_empty())>
            <ul class="lens-notes" aria-label="What to know about this row" data-testid="lens-notes">
                {listed}
                <Show when=move || more.get() != 0>
                    <li>
                        <button type="button" class="link-button" aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                            {move || {
                                if open.get() { "Fewer".to_owned() } else { format!("{} more", format::count(more.get() as u64)) }
                            }}
                        </button>
                    </li>
                </Show>
            </ul>
        </Show>
    }
}

fn notes(lens: &Lens) -> Vec<Note> {
    let mut notes: Vec<Note> = lens
        .view
        .warnings
        .iter()
        .map(|warning| Note {
            tone: match warning.kind {
                LensWarningKind::NothingTrained | LensWarningKind::EverythingTrained | LensWarningKind::OtherModel => {
                    Tone::Bad
                }
                LensWarningKind::WhitespaceNormalised => Tone::Neutral,
                _ => Tone::Warn,
            },
            text: warning.text.clone(),
            message: warning.messages.first().copied(),
        })
        .collect();
    let told = lens.view.warnings.iter().any(|warning| warning.kind == LensWarningKind::NotAsEmitted);
    let (same, other): (Vec<&LensEmitted>, Vec<&LensEmitted>) = lens.view.emitted.iter().partition(|it| it.same);
    if !told {
        notes.extend(other.into_iter().map(|emitted| Note {
            tone: if emitted.edited { Tone::Neutral } else { Tone::Warn },
            text: difference(lens, emitted),
            message: Some(emitted.message),
        }));
    }
    if !same.is_empty() {
        let answers = format::counted(same.len() as u64, "answer");
        let text = format!("{answers} compared with what the model wrote: the same");
        notes.push(Note { tone: Tone::Good, text, message: same.first().map(|it| it.message) });
    }
    notes
}

fn difference(lens: &Lens, emitted: &LensEmitted) -> String {
    let name = lens.message_name(emitted.message);
    let (trained, wrote) = (visible(&emitted.trained), visible(&emitted.emitted));
    let why = if emitted.edited { ", as it was edited" } else { "" };
    format!("{name} is not what the model wrote{why}: \"{trained}\" in place of \"{wrote}\"")
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let end = if text.ends_with(['.', '"']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
