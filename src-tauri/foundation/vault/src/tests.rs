#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use keyring_core::mock;

use crate::keyring::Keyring;
use crate::{Secret, Vault, VaultError, VaultMode};

const CANARY: &str = "sk-canary-9f2c";
const LONG: Duration = Duration::from_secs(60);

fn mock_vault() -> Vault {
    Vault::from_keyring(Keyring::open(|| Ok(mock::Store::new()?), LONG, LONG))
}

#[test]
fn every_kind_of_vault_gives_back_what_was_set_until_it_is_deleted() {
    for vault in [Vault::in_memory(), mock_vault()] {
        assert_eq!(vault.get("endpoint:a").unwrap(), None);
        vault.delete("endpoint:a").unwrap();
        vault.set("endpoint:a", Secret::new("old")).unwrap();
        vault.clone().set("endpoint:a", Secret::new(CANARY)).unwrap();
        vault.set("endpoint:b", Secret::new("é\n☃")).unwrap();
        assert_eq!(vault.get("endpoint:a").unwrap().unwrap().expose(), CANARY);
        assert_eq!(vault.get("endpoint:b").unwrap().unwrap().expose(), "é\n☃");
        vault.delete("endpoint:a").unwrap();
        assert_eq!(vault.get("endpoint:a").unwrap(), None);
    }
}

#[test]
fn the_mode_says_where_secrets_go() {
    assert_eq!(mock_vault().mode(), VaultMode::Keyring);
    assert!(matches!(Vault::in_memory().mode(), VaultMode::SessionOnly { .. }));
    let failing = || Err(keyring_core::Error::NoStorageAccess("the bus is not there".into()));
    let vault = Vault::from_keyring(Keyring::open(failing, LONG, LONG));
    let VaultMode::SessionOnly { reason } = vault.mode() else { panic!("{vault:?}") };
    assert!(reason.contains("the bus is not there"), "{reason}");
    vault.set("endpoint:a", Secret::new(CANARY)).unwrap();
    assert_eq!(vault.get("endpoint:a").unwrap().unwrap().expose(), CANARY);
}

#[test]
fn a_keyring_that_does_not_answer_is_left_alone_after_the_time_limit() {
    let (open_gate, gate) = channel::<()>();
    let hanging = move || {
        // Ends with the test, when the sender is dropped.
        assert!(gate.recv().is_err());
        Ok(mock::Store::new()? as Arc<keyring_core::CredentialStore>)
    };
    let vault = Vault::from_keyring(Keyring::open(hanging, Duration::from_millis(20), LONG));
    let VaultMode::SessionOnly { reason } = vault.mode() else { panic!("{vault:?}") };
    assert!(reason.contains("no answer"), "{reason}");
    drop(open_gate);
}

#[test]
fn no_secret_is_ever_shown() {
    let secret = Secret::new(CANARY);
    for vault in [Vault::in_memory(), mock_vault()] {
        vault.set("endpoint:a", secret.clone()).unwrap();
        let shown = format!("{vault:?} {vault:#?} {:?} {secret} {secret:#?}", vault.get("endpoint:a"));
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains("[secret]"), "{shown}");
    }
}

#[test]
fn a_keyring_entry_that_is_not_text_is_an_error_without_its_bytes() {
    let store = mock::Store::new().unwrap();
    let keyring: Arc<keyring_core::CredentialStore> = store;
    keyring.build("tracewright", "endpoint:a", None).unwrap().set_secret(&[0xff, 0x41, 0x42]).unwrap();
    let vault = Vault::from_keyring(Keyring::open(move || Ok(keyring), LONG, LONG));
    assert_eq!(vault.get("endpoint:a").unwrap_err(), VaultError::NotText { name: "endpoint:a".to_owned() });
}

/// With a real Secret Service on a D-Bus of its own.
#[cfg(target_os = "linux")]
mod real {
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    /// Which part of the real-keyring tests this process plays.
    const PART: &str = "TW_VAULT_TEST_PART";

    /// Runs this test binary's `child` test twice (writer, then reader) on a D-Bus of its own with `prepare` run first.
    fn run_on_a_private_bus(home: &Path, prepare: &str, parts: &[&str]) -> Option<std::process::Output> {
        let exe = std::env::current_exe().unwrap();
        let steps: Vec<String> =
            parts.iter().map(|part| format!("{PART}={part} \"$0\" --exact tests::real::child --nocapture")).collect();
        let script = format!("set -e; {prepare}\n{}", steps.join("\n"));
        let child = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", &script])
            .arg(exe)
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("GNOME_KEYRING_CONTROL")
            .env_remove("TRACEWRIGHT_VAULT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: dbus-run-session cannot be started ({error})");
                return None;
            }
        };
        child.stdin.take().unwrap().write_all(b"keyring password").unwrap();
        Some(child.wait_with_output().unwrap())
    }

    fn private_home() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        home
    }

    #[test]
    fn a_secret_in_the_real_keyring_is_read_by_a_second_process() {
        if Command::new("gnome-keyring-daemon").arg("--version").output().is_err() {
            println!("skipped: gnome-keyring-daemon is not installed");
            return;
        }
        let home = private_home();
        let unlock = "gnome-keyring-daemon --unlock --components=secrets >/dev/null";
        let Some(output) = run_on_a_private_bus(home.path(), unlock, &["write", "read"]) else {
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("wrote it") && text.contains("read it") && !text.contains(CANARY), "{text}");
        for entry in std::fs::read_dir(home.path().join("data/keyrings")).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
        }
    }

    #[test]
    fn a_keyring_with_no_place_to_write_to_becomes_a_session_and_says_so() {
        let home = private_home();
        let Some(output) = run_on_a_private_bus(home.path(), "", &["no-place"]) else {
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("kept it for the session"), "{text}");
    }

    /// Does nothing unless it is started by one of the tests above.
    #[test]
    fn child() {
        let Ok(part) = std::env::var(PART) else {
            return;
        };
        let vault = Vault::open();
        match part.as_str() {
            "write" => {
                assert_eq!(vault.mode(), VaultMode::Keyring);
                vault.set("endpoint:a", Secret::new("first")).unwrap();
                vault.set("endpoint:a", Secret::new(CANARY)).unwrap();
                vault.set("endpoint:b", Secret::new("gone")).unwrap();
                vault.delete("endpoint:b").unwrap();
                println!("wrote it");
            }
            "read" => {
                assert_eq!(vault.get("endpoint:b").unwrap(), None);
                assert_eq!(vault.get("endpoint:a").unwrap(), Some(Secret::new(CANARY)));
                println!("read it");
            }
            "no-place" => {
                vault.set("endpoint:a", Secret::new(CANARY)).unwrap();
                assert!(matches!(vault.mode(), VaultMode::SessionOnly { .. }), "{:?}", vault.mode());
                assert_eq!(vault.get("endpoint:a").unwrap(), Some(Secret::new(CANARY)));
                println!("kept it for the session");
            }
            other => panic!("no such part: {other}"),
        }
    }
}
