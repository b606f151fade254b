//! Two branches side by side: what they share is folded, what follows stands in two columns.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::EditedMessage;
use tw_contract::{ApiError, ReviewView, RevisionRequest};

use super::branches::{keep, pair};
use super::changes_tab::brief;
use super::state::{Editing, use_editing};
use crate::components::turn::role_face;
use crate::components::{Button, ButtonKind, Dialog, ErrorBox, Icon, Skeleton, VirtualList};
use crate::state::format;

/// One line: its place behind what is shared, and the message on each side.
type Line = (usize, Option<Arc<EditedMessage>>, Option<Arc<EditedMessage>>);

/// The comparison with another branch.
#[component]
pub(super) fn CompareDialog() -> impl IntoView {
    let editing = use_editing();
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(editing.compared.with(Option::is_some)));
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            editing.compared.set(None);
        }
        now
    });
    view! {
        <Dialog open title="Two branches" wide=true testid="compare-dialog">
            <Sides editing/>
        </Dialog>
    }
}

#[component]
fn Sides(editing: Editing) -> impl IntoView {
    let other = RwSignal::new(None::<Result<Arc<ReviewView>, ApiError>>);
    let Some(branch) = editing.compared.get_untracked() else { return ().into_any() };
    let id = StoredValue::new(branch.id);
    let fetch = Callback::new(move |()| {
        let api = editing.api();
        spawn_local(async move {
            let answer = api.review_open(RevisionRequest { id: id.get_value(), revision: None, shorten: true }).await;
            other.try_set(Some(answer.map(Arc::new)));
        });
    });
    fetch.run(());
    let lines = Memo::new(move |_| {
        other.with(|other| match other {
            Some(Ok(other)) => editing.messages.with(|own| aligned(own, &other.messages)),
            _ => (0, Vec::new()),
        })
    });
    let rows = Memo::new(move |_| lines.with(|(_, lines)| lines.clone()));
    let came =
        Memo::new(move |_| other.with(|other| other.as_ref().map(|it| it.as_ref().map(|_| ()).map_err(Clone::clone))));
    let close = move || editing.compared.set(None);
    let side = move |mine: bool| {
        let ids = move || {
            let (own, their) = (editing.id.get_value(), id.get_value());
            if mine { (own, their) } else { (their, own) }
        };
        view! {
            <div class="side-head">
                <h3>{if mine { "This one" } else { "The other branch" }}</h3>
                <Button
                    label="Keep this one"
                    title="The other one is rejected"
                    on_click=move |()| {
                        let (kept, other) = ids();
                        keep(editing, &kept, &other);
                        close();
                    }
                    testid=if mine { "compare-keep-own" } else { "compare-keep-other" }
                />
                <Button
                    kind=ButtonKind::Quiet
                    label="Prefer it"
                    title="Both are kept as a preference pair, this one as the better"
                    on_click=move |()| {
                        let (chosen, rejected) = ids();
                        pair(editing, chosen, rejected);
                        close();
                    }
                    testid=if mine { "compare-prefer-own" } else { "compare-prefer-other" }
                />
            </div>
        }
    };
    (move || match came.get() {
        None => view! { <Skeleton lines=8/> }.into_any(),
        Some(Err(error)) => view! { <ErrorBox error on_retry=fetch/> }.into_any(),
        Some(Ok(())) => {
            let shared = move || lines.with(|(shared, lines)| {
                let shared = format::counted(*shared as u64, "message");
                if lines.is_empty() { format!("Both are the same: {shared}") } else { format!("{shared} shared; they part here") }
            });
            view! {
                <div class="sides" data-testid="compare-sides">
                    <div class="side-row side-heads">{side(true)}{side(false)}</div>
                    <p class="sides-shared" data-testid="compare-shared">{shared}</p>
                    <VirtualList rows key=key_of row=side_row estimate_px=90.0 label="Both branches" testid="compare-list"/>
                </div>
            }
            .into_any()
        }
    })
    .into_any()
}

fn key_of(line: &Line) -> String {
    line.0.to_string()
}

/// How many messages both begin with, and what follows, side by side.
fn aligned(own: &[EditedMessage], other: &[EditedMessage]) -> (usize, Vec<Line>) {
    let shared = own.iter().zip(other).take_while(|(a, b)| a.message == b.message).count();
    let of = |side: &[EditedMessage], place: usize| side.get(shared + place).cloned().map(Arc::new);
    let length = own.len().max(other.len()) - shared;
    (shared, (0..length).map(|place| (place, of(own, place), of(other, place))).collect())
}

fn side_row(line: Signal<Line>) -> impl IntoView {
    move || {
        let (_, own, other) = line.get();
        view! { <div class="side-row">{side(own)}{side(other)}</div> }
    }
}

fn side(message: Option<Arc<EditedMessage>>) -> AnyView {
    let Some(message) = message else { return view! { <div class="side is-empty"></div> }.into_any() };
    let role = message.message.role();
    let (icon, name) = role_face(role);
    view! {
        <div class=format!("side turn-{role}")>
            <header class="turn-role"><Icon name=icon/>{name}</header>
            <p class="plain-text" dir="auto">{brief(&message)}</p>
        </div>
    }
    .into_any()
}
