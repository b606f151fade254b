//! What the pages share.

pub(crate) mod clock;
pub(crate) mod datasets;
pub(crate) mod endpoints;
pub(crate) mod format;
pub(crate) mod hub;
pub(crate) mod imports;
pub(crate) mod keys;
pub(crate) mod models;
pub(crate) mod runs;
pub(crate) mod servers;
pub(crate) mod settings;
pub(crate) mod strip;
pub(crate) mod toasts;
pub(crate) mod trains;

/// Gives the shared state to everything below. The backend must have been given before.
pub(crate) fn provide() {
    toasts::provide();
    settings::provide();
    clock::provide();
    keys::provide();
    strip::provide();
    endpoints::provide();
    servers::provide();
    runs::provide();
    imports::provide();
    models::provide();
    hub::provide();
    datasets::provide();
    trains::provide();
}
