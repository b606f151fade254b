//! What can be done with traces: import, export, delete.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use tw_contract::{ImportFile, ImportRefusal, ImportRequest, TraceIds};
use wasm_bindgen_futures::JsFuture;
use web_sys::FileList;

use super::browser::Browser;
use crate::backend::{Api, use_api};
use crate::components::write_clipboard;
use crate::state::format;
use crate::state::toasts::{ToastAction, Toasts, use_toasts};

/// What can be done with traces. Copied freely; given by context.
#[derive(Clone, Copy)]
pub(super) struct TraceActions {
    api: StoredValue<Api>,
    toasts: Toasts,
    browser: Browser,
    navigate: Callback<String>,
    /// Traces that are about to be deleted: the question is open while there are any.
    pub(super) to_delete: RwSignal<Vec<String>>,
    /// Files that could not be read: the list is open while there are any.
    pub(super) refused: RwSignal<Vec<ImportRefusal>>,
    /// Whether files are being read.
    pub(super) importing: RwSignal<bool>,
}

impl TraceActions {
    /// Gives them to everything below.
    pub(super) fn provide(browser: Browser) -> Self {
        let navigate = StoredValue::new_local(use_navigate());
        let actions = Self {
            api: StoredValue::new(use_api()),
            toasts: use_toasts(),
            browser,
            navigate: Callback::new(move |path: String| {
                navigate.try_with_value(|go| go(&path, NavigateOptions::default()));
            }),
            to_delete: RwSignal::new(Vec::new()),
            refused: RwSignal::new(Vec::new()),
            importing: RwSignal::new(false),
        };
        provide_context(actions);
        actions
    }

    /// Opens a trace beside the list; an empty id closes it.
    pub(super) fn open(self, id: &str) {
        self.navigate.run(if id.is_empty() { "/traces".to_owned() } else { format!("/traces/{id}") });
    }

    /// Goes on with a trace in Collect.
    pub(super) fn go_on(self, id: &str) {
        self.navigate.run(format!("/collect/{id}"));
    }

    /// Shows another page.
    pub(super) fn go(self, path: &str) {
        self.navigate.run(path.to_owned());
    }

    /// Writes traces into the workspace's folder for exports.
    pub(super) fn export(self, ids: Vec<String>) {
        let (api, toasts) = (self.api.get_value(), self.toasts);
        spawn_local(async move {
            match api.trace_export(TraceIds { ids }).await {
                Ok(report) => {
                    let what = match report.files.as_slice() {
                        [file] => format!("{file} is written into {}.", report.folder),
                        files => format!(
                            "{} are written into {}.",
                            format::counted(files.len() as u64, "trace"),
                            report.folder
                        ),
                    };
                    let folder = StoredValue::new(report.folder);
                    let copy = Callback::new(move |()| {
                        let folder = folder.get_value();
                        spawn_local(async move {
                            // The path stands in the message: nothing is lost when it cannot be copied.
                            write_clipboard(&folder).await;
                        });
                    });
                    toasts.offer(what, ToastAction { label: "Copy the path", run: copy });
                }
                Err(error) => toasts.error(error),
            }
        });
    }

    /// Deletes what was asked about.
    pub(super) fn delete(self, open: Option<String>) {
        let ids = self.to_delete.get_untracked();
        self.to_delete.set(Vec::new());
        let (api, toasts, browser) = (self.api.get_value(), self.toasts, self.browser);
        spawn_local(async move {
            match api.trace_delete(TraceIds { ids: ids.clone() }).await {
                Ok(_) => {
                    toasts.info(format!("{} deleted.", format::counted(ids.len() as u64, "trace")));
                    browser.picked.update(|picked| picked.retain(|id| !ids.contains(id)));
                    if open.is_some_and(|open| ids.contains(&open)) {
                        self.open("");
                    }
                    browser.again();
                }
                Err(error) => toasts.error(error),
            }
        });
    }

    /// Reads files and hands them to the host.
    pub(super) fn import(self, files: &FileList) {
        let files: Vec<web_sys::File> = (0..files.length()).filter_map(|place| files.item(place)).collect();
        if files.is_empty() || self.importing.get_untracked() {
            return;
        }
        let (api, toasts, browser) = (self.api.get_value(), self.toasts, self.browser);
        self.importing.set(true);
        spawn_local(async move {
            let mut read = Vec::new();
            let mut refused = Vec::new();
            for file in files {
                let name = file.name();
                match JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string()) {
                    Some(text) => read.push(ImportFile { name, text }),
                    None => refused.push(ImportRefusal { name, reason: "The file cannot be read.".to_owned() }),
                }
            }
            let answer = if read.is_empty() {
                Ok(tw_contract::ImportReport::default())
            } else {
                api.trace_import(ImportRequest { files: read }).await
            };
            self.importing.try_set(false);
            match answer {
                Ok(report) => {
                    refused.extend(report.refused);
                    match report.imported.as_slice() {
                        [] => {}
                        [one] if refused.is_empty() => self.open(&one.id),
                        many => toasts.info(format!("{} imported.", format::counted(many.len() as u64, "trace"))),
                    }
                    self.refused.try_set(refused);
                    browser.again();
                }
                Err(error) => toasts.error(error),
            }
        });
    }
}

/// What can be done with traces.
pub(super) fn use_trace_actions() -> TraceActions {
    expect_context()
}
