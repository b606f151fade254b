//! Dataset: choose traces, see what rows and tokens they give, build versions that never change, look into each row.

mod builder;
mod families;
mod figures;
mod list;
mod progress;
mod tree;
mod version;
mod words;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::state::datasets::use_datasets;
use crate::state::keys::{Action, use_action};
use builder::Builder;
use list::VersionList;
use version::Version;

pub(crate) use progress::BuildStatus;

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// All versions.
    List,
    /// The plan of a new one.
    New,
    /// One, by its id.
    Version(String),
}

/// Leads from one place of the page to another. Copied freely; given by context.
#[derive(Clone, Copy)]
struct Paths(Callback<String>);

impl Paths {
    /// Shows another page, or another place of this one.
    fn go(self, path: impl Into<String>) {
        self.0.run(path.into());
    }

    /// Shows a version.
    fn version(self, id: &str) {
        self.go(format!("/dataset/{id}"));
    }
}

fn use_paths() -> Paths {
    expect_context()
}

/// The page, at `/dataset`, `/dataset/new` and `/dataset/<version id>`.
#[component]
pub(crate) fn DatasetPage() -> impl IntoView {
    let navigate = StoredValue::new_local(use_navigate());
    let paths = Paths(Callback::new(move |path: String| {
        navigate.try_with_value(|go| go(&path, NavigateOptions::default()));
    }));
    provide_context(paths);
    use_datasets().refresh();
    let params = use_params_map();
    let place = Memo::new(move |_| match params.with(|params| params.get("id")).as_deref() {
        None | Some("") => Place::List,
        Some("new") => Place::New,
        Some(id) => Place::Version(id.to_owned()),
    });
    // Not while a plan is made: Escape is pressed in fields too.
    let elsewhere = Signal::derive(move || place.with(|place| matches!(place, Place::Version(_))));
    use_action(
        Action::new("dataset-new", "Dataset", "New version of a dataset", move || paths.go("/dataset/new"))
            .keys("KeyN")
            .when(Signal::derive(move || place.with(|place| *place != Place::New))),
    );
    use_action(
        Action::new("dataset-list", "Dataset", "Back to all versions", move || paths.go("/dataset"))
            .keys("Escape")
            .when(elsewhere),
    );
    view! {
        <div class="dataset" data-testid="dataset-page">
            {move || match place.get() {
                Place::List => view! { <VersionList/> }.into_any(),
                Place::New => view! { <Builder/> }.into_any(),
                Place::Version(id) => view! { <Version id/> }.into_any(),
            }}
        </div>
    }
}

/// Puts the focus on the first element that a selector names.
fn focus(selector: &str) {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = found.and_then(|it| it.dyn_into::<HtmlElement>().ok()) {
        // What cannot take the focus leaves it where it is.
        element.focus().unwrap_or_default();
    }
}
