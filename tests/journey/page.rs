//! A page of the UI, as a person handles it: by what it shows under a test id.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use thirtyfour::{By, TypingData, WebDriver, WebElement};
use tw_support::drive::wait_for;

/// How long something may take to show.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) struct Page<'a>(&'a WebDriver);

impl<'a> Page<'a> {
    pub(super) const fn new(driver: &'a WebDriver) -> Self {
        Self(driver)
    }

    /// The first one shown; waits for it.
    pub(super) async fn see(&self, testid: &str) -> Result<WebElement> {
        let shown = wait_for(testid, PATIENCE, async || {
            for element in self.0.find_all(By::Css(css(testid))).await.ok()? {
                // One that was just replaced is not shown: the next look sees its successor.
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        });
        match shown.await {
            Ok(element) => Ok(element),
            Err(error) => bail!("nothing shows \"{testid}\": {error}\n{}", self.words().await),
        }
    }

    /// The first one shown that is not disabled; waits for it.
    async fn see_ready(&self, testid: &str) -> Result<WebElement> {
        let ready = wait_for(testid, PATIENCE, async || {
            for element in self.0.find_all(By::Css(css(testid))).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) && element.is_enabled().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        });
        match ready.await {
            Ok(element) => Ok(element),
            Err(error) => bail!("nothing can be pressed that shows \"{testid}\": {error}\n{}", self.words().await),
        }
    }

    /// Waits until all of the first one stands in the pane that scrolls around it.
    pub(super) async fn see_without_scrolling(&self, testid: &str) -> Result<()> {
        const IN_VIEW: &str = "const [shown, pane] = [arguments[0], arguments[0].closest('.run-scroll')].map(it => it.getBoundingClientRect());
            return shown.top >= pane.top && shown.bottom <= pane.bottom + 1;";
        let seen = wait_for(testid, PATIENCE, async || {
            let element = self.0.find(By::Css(css(testid))).await.ok()?;
            let answer = self.0.execute(IN_VIEW, vec![element.to_json().ok()?]).await.ok()?;
            answer.convert::<bool>().ok()?.then_some(())
        });
        match seen.await {
            Ok(()) => Ok(()),
            Err(error) => bail!("\"{testid}\" is out of view: {error}\n{}", self.words().await),
        }
    }

    /// Waits until one of them holds `text`.
    pub(super) async fn see_text(&self, testid: &str, text: &str) -> Result<()> {
        let found = wait_for(text, PATIENCE, async || {
            for element in self.0.find_all(By::Css(css(testid))).await.ok()? {
                // What it holds, not what the driver takes for visible: WebKit's leaves out lines that could be clipped.
                // An element that was just replaced holds nothing: the next look sees its successor.
                let held = element.prop("textContent").await.ok().flatten().unwrap_or_default();
                if held.contains(text) && element.is_displayed().await.unwrap_or(false) {
                    return Some(());
                }
            }
            None
        });
        match found.await {
            Ok(()) => Ok(()),
            Err(error) => bail!("no \"{testid}\" shows {text:?}: {error}\n{}", self.words().await),
        }
    }

    /// Waits until none is there.
    pub(super) async fn gone(&self, testid: &str) -> Result<()> {
        let gone = wait_for(testid, PATIENCE, async || {
            let shown = self.0.find_all(By::Css(css(testid))).await.ok()?;
            for element in shown {
                if element.is_displayed().await.unwrap_or(false) {
                    return None;
                }
            }
            Some(())
        });
        match gone.await {
            Ok(()) => Ok(()),
            Err(error) => bail!("\"{testid}\" stays: {error}\n{}", self.words().await),
        }
    }

    /// Clicks it when it can be pressed; once more where it was replaced by its successor in that moment.
    pub(super) async fn click(&self, testid: &str) -> Result<()> {
        let mut last = None;
        for _ in 0..5 {
            let element = self.see_ready(testid).await?;
            let clicked = async {
                element.scroll_into_view().await?;
                element.click().await
            };
            match clicked.await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        bail!("\"{testid}\" cannot be clicked: {last:?}")
    }

    /// Types into an input, in place of what was there; once more where it was replaced in that moment.
    pub(super) async fn fill(&self, testid: &str, text: &str) -> Result<()> {
        let mut last = None;
        for _ in 0..5 {
            let element = self.see(testid).await?;
            let filled = async {
                element.clear().await?;
                element.send_keys(text).await
            };
            match filled.await {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        bail!("\"{testid}\" cannot be typed into: {last:?}")
    }

    /// Waits for a page that opens beside this one and says `text`; closes it and comes back.
    pub(super) async fn see_in_new_tab(&self, text: &str) -> Result<()> {
        let own = self.0.window().await?;
        let opened = wait_for("a new tab", PATIENCE, async || {
            self.0.windows().await.ok()?.into_iter().find(|window| *window != own)
        });
        self.0.switch_to_window(opened.await?).await?;
        let said = wait_for(text, PATIENCE, async || {
            let words = self.0.find(By::Css("body")).await.ok()?.text().await.ok()?;
            words.contains(text).then_some(())
        });
        let said = match said.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.words().await)),
        };
        self.0.close_window().await?;
        self.0.switch_to_window(own).await?;
        said
    }

    /// Waits until the page answers `script` with `true`.
    pub(super) async fn until(&self, script: &str) -> Result<()> {
        let held = wait_for(script, PATIENCE, async || {
            let answer = self.0.execute(format!("return Boolean({script})"), Vec::new()).await.ok()?;
            answer.convert::<bool>().ok()?.then_some(())
        });
        match held.await {
            Ok(()) => Ok(()),
            Err(error) => bail!("{error}\n{}", self.words().await),
        }
    }

    /// What the page answers to `script`.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(&self, script: &str) -> Result<T> {
        Ok(self.0.execute(format!("return {script}"), Vec::new()).await?.convert()?)
    }

    /// Presses a key where the focus is.
    pub(super) async fn press(&self, key: impl Into<TypingData>) -> Result<()> {
        Ok(self.0.action_chain().send_keys(key).perform().await?)
    }

    /// Keeps a picture where `TW_TEST_PICTURES` names a folder.
    pub(super) async fn picture(&self, home: &str, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("TW_TEST_PICTURES").map(PathBuf::from) else { return Ok(()) };
        std::fs::create_dir_all(&folder)?;
        Ok(self.0.screenshot(&folder.join(format!("{home}-{name}.png"))).await?)
    }

    /// What the page says, for a failure's message; and how it looks, where pictures are wanted.
    async fn words(&self) -> String {
        if let Err(error) = self.picture("failure", "page").await {
            return error.to_string();
        }
        match self.0.find(By::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        }
    }
}

fn css(testid: &str) -> String {
    format!("[data-testid='{testid}']")
}
