//! The window itself, and where its links lead.

use tauri::utils::config::WindowConfig;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, Runtime, Url, WebviewWindowBuilder};

/// The label that tauri.conf.json and the capabilities give the only window.
pub(crate) const MAIN: &str = "main";

/// Opens the window that tauri.conf.json describes. It shows the app's own page and nothing else: any other address
/// opens in the system's browser.
pub(crate) fn open<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    let config = app
        .config()
        .app
        .windows
        .iter()
        .find(|window| window.label == MAIN)
        .cloned()
        .unwrap_or_else(|| WindowConfig { label: MAIN.to_owned(), ..WindowConfig::default() });
    WebviewWindowBuilder::from_config(app, &config)?
        // Files that are dropped onto the page are the page's: with the handler they would not reach it.
        .disable_drag_drop_handler()
        .on_navigation(|url| {
            let own = is_own_page(url);
            if !own {
                open_in_browser(url);
            }
            own
        })
        .on_new_window(|url, _features| {
            open_in_browser(&url);
            NewWindowResponse::Deny
        })
        .build()?;
    Ok(())
}

/// Brings the window to the front; a second start of the app does this instead of opening another.
pub(crate) fn show<R: Runtime>(app: &AppHandle<R>) {
    let Some(window) = app.get_webview_window(MAIN) else {
        return;
    };
    for outcome in [window.unminimize(), window.show(), window.set_focus()] {
        if let Err(error) = outcome {
            tracing::warn!(%error, "the window could not be brought to the front");
        }
    }
}

/// Opens a link in the system's browser, if it is one that a browser opens.
pub(crate) fn open_in_browser(url: &Url) {
    if !matches!(url.scheme(), "http" | "https" | "mailto") {
        tracing::warn!(scheme = url.scheme(), "a link of this kind is not opened");
        return;
    }
    if let Err(error) = tauri_plugin_opener::open_url(url.as_str(), None::<&str>) {
        tracing::warn!(%error, "the system's browser could not be opened");
    }
}

/// Whether the address is the app's own page: `tauri://localhost`, or `http(s)://tauri.localhost` on Windows.
fn is_own_page(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => cfg!(windows) && url.host_str() == Some("tauri.localhost"),
        "about" => url.path() == "blank",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_apps_own_page_loads_in_the_window() {
        let check = |address: &str, own: bool| {
            assert_eq!(Url::parse(address).ok().map(|url| is_own_page(&url)), Some(own), "{address}");
        };
        check("tauri://localhost/traces/1?x=y", true);
        check("about:blank", true);
        check("tauri://elsewhere/", false);
        check("https://example.org/", false);
        check("http://127.0.0.1:8000/", false);
        check("file:///etc/passwd", false);
        check("javascript:alert(1)", false);
        check("data:text/html,hello", false);
        check("http://tauri.localhost/", cfg!(windows));
    }
}
