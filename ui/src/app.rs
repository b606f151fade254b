//! The frame around the pages: rail, title strip, status strip, and what every page can do.

pub(crate) mod frame;
mod rail;
mod strips;

use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos_router::components::{Redirect, Route, Router, Routes};
use leptos_router::path;
use wasm_bindgen::JsCast;

use crate::pages::collect::CollectPage;
use crate::pages::review::TracesPage;
use crate::pages::settings::SettingsPage;
use crate::{backend, state};

/// Puts the app into the page.
pub(crate) fn mount() {
    let place = document().get_element_by_id("app").and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(place) = place {
        place.set_inner_text("");
        mount_to(place, App).forget();
    }
}

#[component]
fn App() -> impl IntoView {
    backend::provide();
    state::provide();
    view! {
        <Router>
            <frame::Frame>
                <Routes fallback=|| view! { <Redirect path="/collect"/> }>
                    <Route path=path!("/collect/:id?") view=CollectPage/>
                    <Route path=path!("/traces/:id?") view=TracesPage/>
                    <Route path=path!("/settings") view=SettingsPage/>
                </Routes>
            </frame::Frame>
        </Router>
    }
}
