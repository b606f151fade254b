//! The loss lens beside the turns: it follows every edit, and says what is trained with edits of its own.

use leptos::prelude::*;
use tw_artifact::EditOp;
use tw_contract::{LensRequest, LensSubject};

use super::state::use_editing;
use crate::components::{LensPane, LensTarget};

/// The lens.
#[component]
pub(super) fn LensTab() -> impl IntoView {
    let editing = use_editing();
    let revision = Memo::new(move |_| editing.state.with(|state| state.revision));
    let request = Signal::derive(move || {
        let mut request = LensRequest::of_trace(editing.id.get_value());
        if let LensSubject::Trace { revision: shown, .. } = &mut request.subject {
            *shown = Some(revision.get());
        }
        request
    });
    let edit = Callback::new(move |op: EditOp| editing.edit(op));
    let open = Callback::new(move |target: LensTarget| {
        if let Some(place) = target.place {
            editing.point_out(place);
        }
    });
    view! { <LensPane request remember=true edit open/> }
}
