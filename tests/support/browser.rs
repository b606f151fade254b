//! Headless Chromium, driven through WebDriver: the same UI as in the window, served over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};

use crate::drive::{self, Group, Home, PATIENCE};

/// An open browser. Dropped, it takes the driver and every browser process with it.
#[derive(Debug)]
pub struct Browser {
    // In the order in which they end.
    driver: Option<WebDriver>,
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its end"))]
    process: Group,
    _home: TempDir,
}

impl Browser {
    /// Opens a window of 1280x800 with nothing in it but the page at `address`.
    ///
    /// # Errors
    /// When Chromium or its driver is missing, or the page does not load.
    pub async fn open(address: &str) -> Result<Self> {
        let chromium = drive::chromium()?;
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path())?;
        let mut command = Command::new("chromedriver");
        // It picks a free port by itself and names it.
        command.arg("--port=0");
        drive::equip(&mut command, home.variables());
        let mut process = Group::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let port = port_of(&mut process).await?;

        let mut capabilities = DesiredCapabilities::chrome();
        capabilities.set_binary(&chromium.to_string_lossy())?;
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        for arg in [
            "--headless=new",
            "--window-size=1280,800",
            "--hide-scrollbars",
            // The pages are the tests' own; as root, or in a container, the sandbox cannot start.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            &profile,
        ] {
            capabilities.add_arg(arg)?;
        }
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities)
            .request_timeout(PATIENCE)
            .connect()
            .await
            .context("Chromium did not open")?;
        let browser = Self { driver: Some(driver), process, _home: folder };
        browser.driver()?.goto(address).await?;
        Ok(browser)
    }

    /// To find elements, click and type.
    ///
    /// # Errors
    /// Never for a browser that is open.
    pub fn driver(&self) -> Result<&WebDriver> {
        self.driver.as_ref().context("the browser is closed")
    }

    /// Waits until the UI has drawn itself.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_ready(&self) -> Result<()> {
        drive::wait_for_ui(self.driver()?).await
    }

    /// Writes a picture of the page as PNG.
    ///
    /// # Errors
    /// When the driver or the disk refuses.
    pub async fn screenshot(&self, path: &Path) -> Result<()> {
        Ok(self.driver()?.screenshot(path).await?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.take() {
            // The process group ends anyway; a farewell would only block here.
            drop(driver.leak());
        }
    }
}

/// Reads the port from the driver's own lines, such as `ChromeDriver was started successfully on port 38717.`
async fn port_of(process: &mut Group) -> Result<u16> {
    let stdout = process.take_stdout()?;
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            if let Some(port) = started_on(&line) {
                // Nobody reads what follows, but a full pipe would stop the child.
                std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()).map(drop));
                return Ok(port);
            }
            line.clear();
        }
        bail!("chromedriver ended without naming its port")
    });
    tokio::time::timeout(PATIENCE, read).await.context("chromedriver said nothing")??
}

fn started_on(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("started successfully on port ")?;
    rest.trim().trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Html;
    use axum::routing::get;

    use super::*;

    #[test]
    fn the_drivers_port_is_read_from_its_own_words() {
        assert_eq!(started_on("ChromeDriver was started successfully on port 38717.\n"), Some(38717));
        assert_eq!(started_on("Only local connections are allowed.\n"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_on_loopback_is_opened_seen_and_closed_with_everything_that_ran() -> Result<()> {
        const PAGE: &str = "<title>A page</title><div id=app></div><script>app.dataset.ready = 1</script>";
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/", listener.local_addr()?);
        let server =
            tokio::spawn(
                async move { axum::serve(listener, Router::new().route("/", get(async || Html(PAGE)))).await },
            );

        let browser = Browser::open(&address).await?;
        browser.wait_until_ready().await?;
        assert_eq!(browser.driver()?.title().await?, "A page");
        let folder = tempfile::tempdir()?;
        let picture = folder.path().join("page.png");
        browser.screenshot(&picture).await?;
        assert!(std::fs::read(&picture)?.starts_with(b"\x89PNG"));

        let driver = browser.process.id();
        let started = drive::children_of(driver);
        assert!(!started.is_empty(), "chromedriver started a browser");
        drop(browser);
        for process in started.into_iter().chain([driver]) {
            drive::wait_for("the end of a browser process", PATIENCE, async || {
                (!drive::is_alive(process)).then_some(())
            })
            .await?;
        }
        server.abort();
        Ok(())
    }
}
