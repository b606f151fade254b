//! What differs between two revisions.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EditedMessage, Revision};
use tw_contract::{ApiError, DiffRequest, IdRequest, MessageChange};

use super::View;
use super::diff_view::DiffView;
use super::state::use_editing;
use crate::components::turn::role_face;
use crate::components::{Choice, Empty, ErrorBox, Icon, IconName, Select, Skeleton, VirtualList};
use crate::state::format;

/// Which revisions are compared. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Compared {
    /// Before; 0 is what was captured.
    pub(super) from: RwSignal<u32>,
    /// After; `None` for where the trace stands.
    pub(super) to: RwSignal<Option<u32>>,
    view_of: RwSignal<View>,
}

impl Compared {
    pub(super) fn provide(view_of: RwSignal<View>) -> Self {
        Self { from: RwSignal::new(0), to: RwSignal::new(None), view_of }
    }

    /// Shows what one revision did.
    pub(super) fn show(self, revision: &Revision) {
        self.from.set(revision.parent);
        self.to.set(Some(revision.number));
        self.view_of.set(View::Changes);
    }
}

/// What differs.
#[component]
pub(super) fn Changes(compared: Compared) -> impl IntoView {
    let editing = use_editing();
    let changes = RwSignal::new(None::<Result<Vec<Arc<MessageChange>>, ApiError>>);
    let revisions = RwSignal::new(Vec::<Revision>::new());
    let asked = StoredValue::new(0_u32);
    let head = Memo::new(move |_| editing.state.with(|state| state.revision));
    let fetch = Callback::new(move |()| {
        let Some(number) = asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let id = editing.id.get_value();
        let (from, to) = (compared.from.get_untracked(), compared.to.get_untracked());
        let api = editing.api();
        spawn_local(async move {
            let answer = api.review_diff(DiffRequest { id: id.clone(), from, to }).await;
            let history = api.review_history(IdRequest { id }).await;
            if asked.try_get_value() != Some(number) {
                return;
            }
            if let Ok(history) = history {
                revisions.set(history.revisions);
            }
            changes.set(Some(answer.map(|changes| changes.into_iter().map(Arc::new).collect())));
        });
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody reads never looks at what it is made of.
        head.with(|_| ());
        compared.from.track();
        compared.to.track();
        fetch.run(());
    });
    let named = move |number: u32| {
        revisions.with(|revisions| match revisions.iter().find(|revision| revision.number == number) {
            _ if number == 0 => "as captured".to_owned(),
            Some(revision) => format!("{number} · {}", revision.label),
            None => number.to_string(),
        })
    };
    let numbers = move || {
        let last = revisions.with(|revisions| revisions.last().map_or(0, |revision| revision.number)).max(head.get());
        (0..=last).rev()
    };
    let befores =
        Signal::derive(move || numbers().map(|number| Choice::new(number, named(number))).collect::<Vec<_>>());
    let afters = Signal::derive(move || {
        let now = Choice::new(None, "as it is now");
        std::iter::once(now).chain(numbers().map(|number| Choice::new(Some(number), named(number)))).collect::<Vec<_>>()
    });
    let rows = Memo::new(move |_| {
        changes.with(|changes| match changes {
            Some(Ok(changes)) => changes.iter().cloned().enumerate().collect::<Vec<_>>(),
            _ => Vec::new(),
        })
    });
    let plain = Memo::new(move |_| {
        rows.with(|rows| rows.iter().all(|(_, change)| matches!(change.as_ref(), MessageChange::Same { .. })))
    });
    let came = Memo::new(move |_| {
        changes.with(|changes| changes.as_ref().map(|it| it.as_ref().map(|_| ()).map_err(Clone::clone)))
    });
    view! {
        <div class="compare-bar">
            <Select label="From" options=befores value=compared.from testid="compare-from"/>
            <Select label="To" options=afters value=compared.to testid="compare-to"/>
        </div>
        {move || match came.get() {
            None => view! { <Skeleton lines=6/> }.into_any(),
            Some(Err(error)) => view! { <div class="page-error"><ErrorBox error on_retry=fetch/></div> }.into_any(),
            Some(Ok(())) if plain.get() => view! {
                <Empty icon=IconName::Check title="No difference" text="Both are the same, message for message."/>
            }
            .into_any(),
            Some(Ok(())) => view! {
                <VirtualList rows key=key_of row=change_row estimate_px=64.0 label="Changes" testid="changes"/>
            }
            .into_any(),
        }}
    }
}

fn key_of(row: &(usize, Arc<MessageChange>)) -> String {
    row.0.to_string()
}

fn change_row(row: Signal<(usize, Arc<MessageChange>)>) -> impl IntoView {
    move || {
        let (_, change) = row.get();
        match change.as_ref() {
            MessageChange::Same { count } => {
                let words = format!("{} the same", format::counted(*count, "message"));
                view! { <p class="change-same">{words}</p> }.into_any()
            }
            MessageChange::Added { message } => whole("Added", "is-added", message, None),
            MessageChange::Removed { message } => whole("Removed", "is-removed", message, None),
            MessageChange::Moved { message, from } => {
                whole("Moved", "is-moved", message, Some(format!("stood at place {}", from + 1)))
            }
            MessageChange::Edited { message, fields } => {
                let fields = fields.iter().cloned().map(|diff| view! { <DiffView diff/> }).collect_view().into_any();
                section("Edited", "is-edited", message, None, fields)
            }
        }
    }
}

fn whole(word: &'static str, class: &'static str, message: &EditedMessage, more: Option<String>) -> AnyView {
    let text = brief(message);
    section(word, class, message, more, view! { <p class="change-text plain-text" dir="auto">{text}</p> }.into_any())
}

fn section(
    word: &'static str,
    class: &'static str,
    message: &EditedMessage,
    more: Option<String>,
    body: AnyView,
) -> AnyView {
    let editing = use_editing();
    let (icon, role) = role_face(message.message.role());
    let id = message.id;
    view! {
        <section class=format!("change {class}") data-testid="change" data-kind=word.to_lowercase()>
            <button type="button" class="change-head" title="Show it in the timeline" on:click=move |_| editing.show(id)>
                <span class="change-word">{word}</span>
                <Icon name=icon/>
                <span>{role}</span>
                {more.map(|more| view! { <span class="quiet">{more}</span> })}
            </button>
            {body}
        </section>
    }
    .into_any()
}

/// A message in a few lines: its text, its reasoning, its calls.
pub(super) fn brief(message: &EditedMessage) -> String {
    const MOST: usize = 600;
    let message = &message.message;
    let mut parts: Vec<String> = Vec::new();
    let clip = |text: &str| -> String {
        let mut short: String = text.trim().chars().take(MOST).collect();
        if short.len() < text.trim().len() {
            short.push('…');
        }
        short
    };
    let text = message.text();
    if text.trim().is_empty() {
        parts.extend(message.reasoning().map(clip));
    } else {
        parts.push(clip(&text));
    }
    for call in message.tool_calls() {
        let arguments = match call.arguments {
            tw_artifact::Arguments::Object(map) => tw_artifact::Json::from(map.clone()).to_text(),
            tw_artifact::Arguments::Text(text) => text.to_owned(),
            tw_artifact::Arguments::Other => String::new(),
        };
        parts.push(clip(&format!("{} {arguments}", call.name)));
    }
    parts.join("\n")
}
