//! The traces of a version with the rows they became; more are fetched where one looks.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::DatasetFamily;
use tw_contract::{ApiError, FamilyQuery};

use super::super::builder::Legend;
use super::super::families::{FamilyActions, FamilyList};
use crate::backend::use_api;
use crate::components::{ErrorBox, ListHandle, Skeleton};

/// Families that are fetched at once.
const PAGE: u32 = 60;

/// The traces.
#[component]
pub(super) fn Traces(
    version: StoredValue<String>,
    /// Shows a row.
    open: Callback<String>,
) -> impl IntoView {
    let api = StoredValue::new(use_api());
    let families = RwSignal::new(Vec::<Arc<DatasetFamily>>::new());
    let problem = RwSignal::new(None::<ApiError>);
    let (whole, busy) = (RwSignal::new(false), RwSignal::new(false));
    let fetch = move || {
        if busy.get_untracked() || whole.get_untracked() {
            return;
        }
        busy.set(true);
        problem.set(None);
        let offset = u32::try_from(families.with_untracked(Vec::len)).unwrap_or(u32::MAX);
        let request = FamilyQuery { id: version.get_value(), offset, limit: PAGE };
        let api = api.get_value();
        spawn_local(async move {
            let answer = api.dataset_families(request).await;
            if busy.try_set(false).is_some() {
                return;
            }
            match answer {
                Ok(page) => {
                    whole.set(page.len() < PAGE as usize);
                    families.update(|families| families.extend(page.into_iter().map(Arc::new)));
                }
                Err(error) => problem.set(Some(error)),
            }
        });
    };
    fetch();
    let none = Memo::new(move |_| families.with(Vec::is_empty));
    let actions = FamilyActions { open: Some(open), by_hand: None };
    let nothing = Signal::stored(None::<String>);
    let footer = move || (busy.get() && !none.get()).then(|| view! { <Skeleton lines=3/> });
    view! {
        <section class="version-traces" aria-label="Traces" aria-busy=move || busy.get().to_string()>
            {move || {
                problem
                    .get()
                    .map(|error| view! { <div class="page-error"><ErrorBox error on_retry=move |()| fetch()/></div> })
            }}
            <Show when=move || !none.get() fallback=move || busy.get().then(|| view! { <Skeleton lines=9/> })>
                <Legend/>
                <FamilyList
                    families
                    actions
                    handle=ListHandle::new()
                    pointed=nothing
                    on_near_end=move |()| {
                        if problem.with_untracked(Option::is_none) {
                            fetch();
                        }
                    }
                    footer
                />
            </Show>
        </section>
    }
}
