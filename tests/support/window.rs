//! The real window on a display of its own, driven through WebDriver. Linux only: WebKitGTK brings the driver.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use thirtyfour::{Capabilities, WebDriver};

use crate::drive::{self, Group, Home, PATIENCE};

/// How the window is to be opened.
#[derive(Debug)]
pub struct WindowSetup {
    home: PathBuf,
    binary: Option<PathBuf>,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    keyring: bool,
    size: (u32, u32),
}

impl WindowSetup {
    /// A window whose settings, caches and workspace lie in `home`, which outlives it: opened again with the same
    /// folder, it finds what it kept.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_path_buf(),
            binary: None,
            args: Vec::new(),
            variables: Vec::new(),
            keyring: false,
            size: (1280, 800),
        }
    }

    /// This program instead of the one that the tests are for.
    #[must_use]
    pub fn binary(mut self, binary: PathBuf) -> Self {
        self.binary = Some(binary);
        self
    }

    /// One more argument for the app.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One more environment variable for the app.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With a session bus and an unlocked keyring of its own. Without this the app finds neither.
    #[must_use]
    pub fn with_keyring(mut self) -> Self {
        self.keyring = true;
        self
    }

    /// The display's size in pixels; the window's own size is the app's affair.
    #[must_use]
    pub fn display_size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Starts display, driver and app.
    ///
    /// # Errors
    /// When a program is missing or does not come up in time.
    pub async fn open(self) -> Result<Window> {
        let binary = match self.binary {
            Some(binary) => binary,
            None => drive::tracewright_binary()?,
        };
        let home = Home::at(&self.home)?;
        let display = Display::start(self.size).await?;
        let bus = if self.keyring { Some(Bus::start(&home).await?) } else { None };

        let port = drive::free_port()?;
        let mut command = Command::new("WebKitWebDriver");
        command.args([format!("--port={port}"), "--host=127.0.0.1".to_owned()]);
        drive::equip(&mut command, home.variables());
        drive::equip(
            &mut command,
            [
                ("DISPLAY", display.name.as_str()),
                // The web view lets itself be driven.
                ("TAURI_WEBVIEW_AUTOMATION", "true"),
                ("GDK_BACKEND", "x11"),
                // No graphics card here: draw in software, without sharing buffers.
                ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
                ("LIBGL_ALWAYS_SOFTWARE", "1"),
                ("NO_AT_BRIDGE", "1"),
                ("GSETTINGS_BACKEND", "memory"),
                // An address that no bus answers at, instead of one started behind our back.
                ("DBUS_SESSION_BUS_ADDRESS", bus.as_ref().map_or("disabled:", |bus| bus.address.as_str())),
            ],
        );
        command.env_remove("WAYLAND_DISPLAY");
        // A named workspace also switches off the single-instance rule.
        command.env("TRACEWRIGHT_WORKSPACE", home.workspace());
        drive::equip(&mut command, self.variables.iter().map(|(name, value)| (name, value)));
        let driver_process = Group::spawn(command.stdout(Stdio::null()))?;
        drive::wait_for_port("WebKitWebDriver", port).await?;

        let mut capabilities = Capabilities::new();
        capabilities.set("browserName", "wry")?;
        capabilities.set("webkitgtk:browserOptions", json!({ "binary": binary, "args": self.args }))?;
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities)
            .request_timeout(PATIENCE)
            .connect()
            .await
            .context("the window did not open")?;
        Ok(Window { driver: Some(driver), driver_process, binary, _bus: bus, display })
    }
}

/// An open window. Dropped, it takes the app, the driver and the display with it.
#[derive(Debug)]
pub struct Window {
    // In the order in which they end.
    driver: Option<WebDriver>,
    driver_process: Group,
    binary: PathBuf,
    _bus: Option<Bus>,
    display: Display,
}

impl Window {
    /// To find elements, click and type.
    ///
    /// # Errors
    /// Never for a window that is open.
    pub fn driver(&self) -> Result<&WebDriver> {
        self.driver.as_ref().context("the window is closed")
    }

    /// Waits until the UI has drawn itself.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_ready(&self) -> Result<()> {
        drive::wait_for_ui(self.driver()?).await
    }

    /// Writes a picture of the whole display as PNG. Taken from the display: the driver's own picture never comes in a
    /// web view that draws in software (WebKitGTK 2.50).
    ///
    /// # Errors
    /// When ImageMagick is missing or the disk refuses.
    pub async fn screenshot(&self, path: &Path) -> Result<()> {
        let mut import = tokio::process::Command::new("import");
        import.args(["-display", &self.display.name, "-window", "root"]).arg(path);
        let status = import
            .status()
            .await
            .context("ImageMagick's `import` is missing; `cargo xtask setup --tests` installs it")?;
        if status.success() { Ok(()) } else { bail!("the picture was not taken ({status})") }
    }

    /// The app's process id.
    ///
    /// # Errors
    /// When it is not running.
    pub fn app_process(&self) -> Result<u32> {
        drive::children_of(self.driver_process.id())
            .into_iter()
            .find(|child| {
                drive::program_of(*child).is_some_and(|program| program.file_name() == self.binary.file_name())
            })
            .context("the app is not running")
    }

    /// Ends the app as a logout does and waits until its process is gone; gives how long that took.
    ///
    /// # Errors
    /// When it is still there after `limit`.
    pub async fn end(mut self, limit: Duration) -> Result<Duration> {
        let process = self.app_process()?;
        let began = std::time::Instant::now();
        drive::signal_process(process, "TERM");
        self.forget_driver();
        drive::wait_for("the app's end", limit, async || (!drive::is_alive(process)).then_some(())).await?;
        Ok(began.elapsed())
    }

    /// Ends the app as a crash does: no code of its own runs any more.
    ///
    /// # Errors
    /// When it was not running or does not go.
    pub async fn kill(mut self) -> Result<()> {
        let process = self.app_process()?;
        drive::signal_process(process, "KILL");
        self.forget_driver();
        drive::wait_for("the app's death", PATIENCE, async || (!drive::is_alive(process)).then_some(())).await
    }

    /// The session has no window any more: a farewell to the driver would only wait for it.
    fn forget_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            // It fails only where the session has ended already, which is what is wanted.
            drop(driver.leak());
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.forget_driver();
    }
}

/// A display in memory.
#[derive(Debug)]
struct Display {
    name: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its end"))]
    process: Group,
}

impl Display {
    async fn start((width, height): (u32, u32)) -> Result<Self> {
        let screen = format!("{width}x{height}x24");
        let mut command = Command::new("Xvfb");
        command
            .args(["-displayfd", "1", "-screen", "0", &screen, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = Group::spawn(&mut command)?;
        let number = first_line(&mut process, "Xvfb").await?;
        Ok(Self { name: format!(":{number}"), process })
    }
}

/// A session bus with an unlocked keyring.
#[derive(Debug)]
struct Bus {
    address: String,
    // The keyring ends before its bus.
    _keyring: Group,
    _process: Group,
}

impl Bus {
    async fn start(home: &Home) -> Result<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=1"]);
        command.arg(format!("--address=unix:path={}", home.run_folder().join("bus").display()));
        drive::equip(&mut command, home.variables());
        let mut process = Group::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?;
        let address = first_line(&mut process, "dbus-daemon").await?;

        // The daemon reads the keyring's password from stdin; the shell hands it over.
        let mut command = Command::new("sh");
        command.args(["-c", "printf password | exec gnome-keyring-daemon --foreground --unlock --components=secrets"]);
        drive::equip(&mut command, home.variables());
        command.env("DBUS_SESSION_BUS_ADDRESS", &address);
        let keyring = Group::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        // It says nothing when it is up; the bus knows.
        drive::wait_for("an unlocked keyring", PATIENCE, async || has_open_keyring(&address).then_some(())).await?;
        Ok(Self { address, _keyring: keyring, _process: process })
    }
}

/// Whether the bus has a keyring whose default collection can be written.
fn has_open_keyring(bus_address: &str) -> bool {
    let answers = |ask: [&str; 5], expected: &str| {
        Command::new("dbus-send")
            .args(["--session", "--print-reply"])
            .args(ask)
            .env("DBUS_SESSION_BUS_ADDRESS", bus_address)
            .output()
            .is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).contains(expected))
    };
    // First whether anyone is there: to ask the keyring itself would make the bus start another, locked one.
    let bus = "org.freedesktop.DBus";
    let secrets = "org.freedesktop.secrets";
    answers(
        [
            &format!("--dest={bus}"),
            "--type=method_call",
            "/",
            &format!("{bus}.NameHasOwner"),
            &format!("string:{secrets}"),
        ],
        "boolean true",
    ) && answers(
        [
            &format!("--dest={secrets}"),
            "/org/freedesktop/secrets/collection/login",
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Locked",
        ],
        "boolean false",
    )
}

/// The first line that the child prints: it is up then.
async fn first_line(process: &mut Group, name: &str) -> Result<String> {
    let stdout = process.take_stdout()?;
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        reader.read_line(&mut line).map(|_| (line, reader))
    });
    let (line, mut rest) =
        tokio::time::timeout(PATIENCE, read).await.with_context(|| format!("{name} said nothing"))???;
    // Nobody reads what follows, but a full pipe would stop the child.
    std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()).map(drop));
    let line = line.trim().to_owned();
    if line.is_empty() {
        bail!("{name} ended at once")
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn two_displays_stand_beside_each_other_and_end_with_their_owners() -> Result<()> {
        let one = Display::start((640, 480)).await?;
        let other = Display::start((640, 480)).await?;
        assert_ne!(one.name, other.name);
        let process = one.process.id();
        drop(one);
        assert!(!drive::is_alive(process));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_keyring_comes_up_on_a_bus_of_its_own() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let bus = Bus::start(&Home::at(folder.path())?).await?;
        assert!(has_open_keyring(&bus.address));
        let address = bus.address.clone();
        drop(bus);
        assert!(!has_open_keyring(&address));
        Ok(())
    }
}
