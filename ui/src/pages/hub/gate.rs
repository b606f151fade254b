//! The publish gate: every secret and personal datum that was found, each redacted or allowed before anything is sent.

use std::sync::Arc;

use leptos::prelude::*;
use tw_contract::{HitAction, HitPlace, HitTarget, PublishHit};

use super::push::Form;
use crate::components::{Button, Icon, IconName, Tag, Tone};
use crate::state::format;

/// Finds of one kind that are listed; the rest is decided for the kind.
const LISTED: usize = 100;
/// Places of one find that are shown.
const PLACES: usize = 3;

/// The finds.
#[component]
pub(super) fn Gate(form: Form, hits: Vec<PublishHit>) -> impl IntoView {
    let hits: Arc<[PublishHit]> = hits.into();
    if hits.is_empty() {
        return view! {
            <section class="push-part">
                <h3>"Secrets and personal data"</h3>
                <p class="push-clean tone-good" data-testid="gate-clean"><Icon name=IconName::Check/><span>"None was found in what would be pushed."</span></p>
            </section>
        }
        .into_any();
    }
    let kinds = kinds_of(&hits)
        .into_iter()
        .map(|(kind, of_kind)| view! { <Kind form kind hits=of_kind all=Arc::clone(&hits)/> })
        .collect_view();
    let open = {
        let hits = Arc::clone(&hits);
        Memo::new(move |_| hits.iter().filter(|hit| form.decided(hit).is_none()).count())
    };
    view! {
        <section class="push-part" data-testid="gate">
            <h3>
                "Secrets and personal data"
                {move || match open.get() {
                    0 => view! { <Tag text="all decided" tone=Tone::Good testid="gate-decided"/> }.into_any(),
                    count => view! { <Tag text=format!("{} undecided", format::count(count as u64)) tone=Tone::Warn testid="gate-open"/> }.into_any(),
                }}
            </h3>
            <p class="field-hint">"Redacting changes only what is pushed; the workspace keeps the original. What is allowed is remembered."</p>
            {kinds}
        </section>
    }
    .into_any()
}

/// Finds by kind: secrets first, in the order in which they came.
fn kinds_of(hits: &[PublishHit]) -> Vec<(String, Vec<PublishHit>)> {
    let mut kinds: Vec<(String, Vec<PublishHit>)> = Vec::new();
    for hit in hits {
        match kinds.iter_mut().find(|(kind, _)| *kind == hit.kind) {
            Some((_, of_kind)) => of_kind.push(hit.clone()),
            None => kinds.push((hit.kind.clone(), vec![hit.clone()])),
        }
    }
    kinds
}

#[component]
fn Kind(form: Form, kind: String, hits: Vec<PublishHit>, all: Arc<[PublishHit]>) -> impl IntoView {
    let label = hits.first().map(|hit| hit.label.clone()).unwrap_or_default();
    let is_secret = hits.first().is_some_and(|hit| hit.is_secret);
    let count: u64 = hits.iter().map(|hit| hit.count).sum();
    let several = hits.len() > 1;
    let words = format!("{} · {}", format::counted(hits.len() as u64, "value"), format::counted(count, "place"));
    let more = hits.len().saturating_sub(LISTED);
    let listed = hits.into_iter().take(LISTED).map(|hit| view! { <Hit form hit all=Arc::clone(&all)/> }).collect_view();
    let decide = StoredValue::new(move |action: HitAction| form.decide(HitTarget::Kind(kind.clone()), action, &all));
    view! {
        <div class="gate-kind" data-testid="gate-kind">
            <div class="gate-kind-head">
                <h4><Tag text=if is_secret { "secret" } else { "personal" } tone=if is_secret { Tone::Bad } else { Tone::Warn }/> <span dir="auto">{label}</span> <small>{words}</small></h4>
                {several
                    .then(|| {
                        view! {
                            <Button label="Redact all" on_click=move |()| decide.with_value(|decide| decide(HitAction::Redact)) testid="gate-redact-all"/>
                            <Button label="Allow all" on_click=move |()| decide.with_value(|decide| decide(HitAction::Allow)) testid="gate-allow-all"/>
                        }
                    })}
            </div>
            {listed}
            {(more > 0).then(|| view! { <p class="field-hint">{format!("and {} more of this kind: decide for all of them", format::count(more as u64))}</p> })}
        </div>
    }
}

#[component]
fn Hit(form: Form, hit: PublishHit, all: Arc<[PublishHit]>) -> impl IntoView {
    let own = hit.clone();
    let decided = Memo::new(move |_| form.decided(&own));
    let id = StoredValue::new(hit.id.clone());
    let decide = StoredValue::new(move |action: HitAction| {
        form.decide(HitTarget::Hit(id.get_value()), action, &all);
    });
    let choice = move |label: &'static str, action: HitAction, testid: &'static str| {
        view! {
            <button
                type="button"
                role="radio"
                aria-checked=move || (decided.get() == Some(action)).to_string()
                data-testid=testid
                on:click=move |_| decide.with_value(|decide| decide(action))
            >
                {label}
            </button>
        }
    };
    let places = usize::try_from(hit.count).unwrap_or(usize::MAX);
    let shown = hit.places.len().min(PLACES);
    let more = places.saturating_sub(shown);
    view! {
        <div class="gate-hit" class:is-open=move || decided.get().is_none() data-testid="gate-hit">
            <div class="gate-value">
                <code dir="auto">{hit.masked}</code>
                {(hit.count > 1).then(|| view! { <small>{format!("in {}", format::counted(hit.count, "place"))}</small> })}
                {hit.is_remembered.then(|| view! { <small>"as decided before"</small> })}
            </div>
            <span class="segmented" role="radiogroup" aria-label="What happens with it">
                {choice("Redact", HitAction::Redact, "gate-redact")}
                {choice("Allow", HitAction::Allow, "gate-allow")}
            </span>
            <ul class="gate-places">
                {hit.places.into_iter().take(PLACES).map(|place| view! { <Place place/> }).collect_view()}
                {(more > 0).then(|| view! { <li class="field-hint">{format!("and {}", format::counted(more as u64, "more place"))}</li> })}
            </ul>
        </div>
    }
}

#[component]
fn Place(place: HitPlace) -> impl IntoView {
    let mut whence = place.path;
    if !place.row_id.is_empty() {
        whence.push_str(&format!(", row {}", place.row_id));
    } else if place.row > 0 {
        whence.push_str(&format!(", row {}", format::count(place.row)));
    }
    if !place.field.is_empty() {
        whence.push_str(&format!(", {}", place.field));
    }
    view! {
        <li>
            <q dir="auto">{place.excerpt}</q>
            <small dir="auto">{whence}</small>
        </li>
    }
}
