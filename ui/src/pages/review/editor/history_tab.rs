//! Every revision: who made it, when, what it did.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{EditOp, Revision};
use tw_contract::{ApiError, History, IdRequest};

use super::changes_tab::Compared;
use super::state::use_editing;
use crate::components::{Button, ButtonKind, ErrorBox, RelativeTime, Skeleton, Tag, Tone, VirtualList};

/// One line: a revision, or what was captured.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    revision: Option<Revision>,
    is_head: bool,
    /// Whether the trace stands on it: it is the head or one of those before it.
    counts: bool,
}

impl Line {
    fn number(&self) -> u32 {
        self.revision.as_ref().map_or(0, |revision| revision.number)
    }
}

/// The revisions, the newest first.
#[component]
pub(super) fn HistoryTab(compared: Compared) -> impl IntoView {
    let editing = use_editing();
    let history = RwSignal::new(None::<Result<History, ApiError>>);
    let head = Memo::new(move |_| editing.state.with(|state| state.revision));
    let asked = StoredValue::new(0_u32);
    let fetch = Callback::new(move |()| {
        let Some(number) = asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let api = editing.api();
        let request = IdRequest { id: editing.id.get_value() };
        spawn_local(async move {
            let answer = api.review_history(request).await;
            if asked.try_get_value() == Some(number) {
                history.set(Some(answer));
            }
        });
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody reads never looks at what it is made of.
        head.with(|_| ());
        fetch.run(());
    });
    let lines = Memo::new(move |_| {
        history.with(|history| match history {
            Some(Ok(history)) => lines(history),
            _ => Vec::new(),
        })
    });
    let came = Memo::new(move |_| {
        history.with(|history| history.as_ref().map(|it| it.as_ref().map(|_| ()).map_err(Clone::clone)))
    });
    let row = move |line: Signal<Line>| move || view! { <RevisionLine line=line.get() compared/> };
    move || match came.get() {
        None => view! { <Skeleton lines=6/> }.into_any(),
        Some(Err(error)) => view! { <div class="page-error"><ErrorBox error on_retry=fetch/></div> }.into_any(),
        Some(Ok(())) => {
            view! { <VirtualList rows=lines key=key_of row estimate_px=52.0 label="Revisions" testid="history"/> }
                .into_any()
        }
    }
}

fn key_of(line: &Line) -> String {
    line.number().to_string()
}

fn lines(history: &History) -> Vec<Line> {
    let parent = |number: u32| {
        history.revisions.iter().find(|revision| revision.number == number).map(|revision| revision.parent)
    };
    let mut counting = vec![history.head];
    let mut at = history.head;
    while let Some(before) = parent(at).filter(|before| *before < at) {
        counting.push(before);
        at = before;
    }
    let line = |revision: Option<Revision>| {
        let number = revision.as_ref().map_or(0, |revision| revision.number);
        Line {
            is_head: number == history.head,
            counts: number == 0 || counting.binary_search_by(|it| number.cmp(it)).is_ok(),
            revision,
        }
    };
    let revisions = history.revisions.iter().rev().cloned().map(Some);
    revisions.chain(std::iter::once(None)).map(line).collect()
}

#[component]
fn RevisionLine(line: Line, compared: Compared) -> impl IntoView {
    let editing = use_editing();
    let number = line.number();
    let facts = line.revision.clone().map(|revision| {
        view! {
            <span dir="auto">{if revision.author.is_empty() { "you".to_owned() } else { revision.author }}</span>
            <RelativeTime at_ms=revision.at_ms/>
        }
    });
    let label =
        line.revision.as_ref().map_or_else(|| "As it was captured".to_owned(), |revision| revision.label.clone());
    let has_changes = line.revision.is_some();
    let revision = line.revision;
    view! {
        <div class="history-row" class:is-head=line.is_head class:is-left=!line.counts data-testid="history-row" data-number=number.to_string()>
            <button
                type="button"
                class="history-what"
                title=if has_changes { "Show what it changed" } else { "What was captured" }
                disabled=!has_changes
                on:click=move |_| {
                    if let Some(revision) = &revision {
                        compared.show(revision);
                    }
                }
            >
                <span class="history-number">{number}</span>
                <span class="history-label" dir="auto">{label}</span>
                <span class="history-facts">{facts}</span>
            </button>
            {if line.is_head {
                view! { <Tag text="now" tone=Tone::Active/> }.into_any()
            } else {
                view! {
                    <Show when=move || !editing.locked.get()>
                        <Button
                            kind=ButtonKind::Quiet
                            label="Restore"
                            title="Makes everything as it was here, as a new revision"
                            on_click=move |()| {
                                editing.edit(if number == 0 { EditOp::Reset } else { EditOp::Restore { revision: number } });
                            }
                            testid="restore"
                        />
                    </Show>
                }
                    .into_any()
            }}
        </div>
    }
}
