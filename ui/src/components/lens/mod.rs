//! The loss lens: a row exactly as a model is given it, token by token, with what of it is trained.

mod cells;
mod check;
mod choices;
mod head;
mod hover;
mod looking;
mod map;
mod marking;
mod minimap;
mod model;
mod notes;
mod place;
mod signs;
mod text;

use leptos::prelude::*;
use tw_artifact::{EditOp, Place};
use tw_contract::{LensRequest, ModelEntry};

use self::head::Head;
use self::hover::HoverCard;
use self::looking::Looking;
use self::map::Map;
use self::notes::Notes;
use self::text::LensText;
use super::{Empty, ErrorBox, FloatMenuHost, IconName, ModelAddButton, Skeleton};
use crate::state::models::use_models;

/// A place in a trace that the lens leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LensTarget {
    /// The trace.
    pub(crate) trace: String,
    /// The message and the part of it; `None` for the trace as a whole, or where the row does not know.
    pub(crate) place: Option<Place>,
}

/// The loss lens. It fills the place that it is given.
#[component]
pub(crate) fn LensPane(
    /// What is looked at, and how at first. How a person looks at it stays while only the subject changes.
    #[prop(into)]
    request: Signal<LensRequest>,
    /// The model that a dataset version was built with: it is offered, and used at first, also where it is not in the
    /// workspace's list.
    #[prop(optional_no_strip)]
    own_model: Option<ModelEntry>,
    /// Whether model, unrolling and what is trained are remembered for the next trace.
    #[prop(optional)]
    remember: bool,
    /// Makes an edit: what is trained can then be said here. Without, the row is only read.
    #[prop(optional, into)]
    edit: Option<Callback<EditOp>>,
    /// Leads to where the text comes from.
    #[prop(optional, into)]
    open: Option<Callback<LensTarget>>,
) -> impl IntoView {
    let looking = Looking::provide(request, own_model, remember, edit, open);
    let models = use_models();
    let state = Memo::new(move |_| {
        if looking.lacks_model() {
            Shown::NoModel
        } else if looking.lens.with(Option::is_some) {
            Shown::Lens
        } else if looking.problem.with(Option::is_some) || models.problem.with(Option::is_some) {
            Shown::Problem
        } else {
            Shown::Wait
        }
    });
    view! {
        <section class="lens" aria-label="Loss lens" data-testid="lens" aria-busy=move || looking.busy.get().to_string()>
            {move || match state.get() {
                Shown::NoModel => view! {
                    <Empty
                        icon=IconName::Target
                        title="No model chosen"
                        text="The lens shows the exact string a model is trained on, token by token. It needs the model's tokenizer and chat template: a folder with tokenizer.json, or a GGUF file. Weights are not needed."
                    >
                        <ModelAddButton on_added=move |entry: ModelEntry| looking.choices.model.set(Some(entry.id))/>
                    </Empty>
                }
                    .into_any(),
                shown => view! {
                    <Head/>
                    {move || {
                        looking
                            .problem
                            .get()
                            .map(|error| view! { <div class="lens-problem"><ErrorBox error on_retry=move |()| looking.again()/></div> })
                    }}
                    {move || {
                        models
                            .problem
                            .get()
                            .map(|error| view! { <div class="lens-problem"><ErrorBox error on_retry=move |()| models.load()/></div> })
                    }}
                    {match shown {
                        Shown::Lens => view! {
                            <Notes/>
                            <div class="lens-body">
                                <LensText/>
                                <Map/>
                            </div>
                        }
                            .into_any(),
                        Shown::Wait => view! { <Skeleton lines=10/> }.into_any(),
                        _ => ().into_any(),
                    }}
                }
                    .into_any(),
            }}
            <HoverCard/>
            <FloatMenuHost menu=looking.menu/>
        </section>
    }
}

/// What the pane shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    NoModel,
    Wait,
    Problem,
    Lens,
}
