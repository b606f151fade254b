//! The frame around the pages: rail, title strip, status strip, and what every page can do.

pub(crate) mod frame;
mod rail;
mod strips;

use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos_router::components::{Route, Router, Routes};
use leptos_router::path;
use wasm_bindgen::JsCast;

use crate::components::{Empty, IconName};
use crate::pages::collect::CollectPage;
use crate::pages::dataset::DatasetPage;
use crate::pages::review::ReviewPage;
use crate::pages::settings::SettingsPage;
use crate::pages::train::TrainPage;
use crate::{backend, state};

/// Puts the app into the page.
pub(crate) fn mount() {
    let place = document().get_element_by_id("app").and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(place) = place {
        lead_home();
        place.set_inner_text("");
        mount_to(place, App).forget();
    }
}

/// Changes an address that names no page to that of the first page, before the router reads it.
fn lead_home() {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let known = ["collect", "review", "dataset", "train", "settings"];
    if !path.split('/').nth(1).is_some_and(|first| known.contains(&first))
        && let Ok(history) = window().history()
    {
        let address = format!("/collect{}", location.hash().unwrap_or_default());
        // An address that cannot be changed shows the page without one.
        history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address)).unwrap_or_default();
    }
}

#[component]
fn App() -> impl IntoView {
    backend::provide();
    state::provide();
    view! {
        <Router>
            <frame::Frame>
                <Routes fallback=Nowhere>
                    <Route path=path!("/collect/:id?") view=CollectPage/>
                    <Route path=path!("/review/:id?") view=ReviewPage/>
                    <Route path=path!("/dataset/:id?") view=DatasetPage/>
                    <Route path=path!("/train/:id?") view=TrainPage/>
                    <Route path=path!("/settings") view=SettingsPage/>
                </Routes>
            </frame::Frame>
        </Router>
    }
}

/// What an address shows that leads nowhere.
#[component]
fn Nowhere() -> impl IntoView {
    view! { <Empty icon=IconName::Search title="There is no such page" text="Pick one on the left."/> }
}
