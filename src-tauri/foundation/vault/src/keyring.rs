//! The OS keyring, on a thread of its own.
//!
//! A keyring is reached over D-Bus or a system call that may wait for a person. One thread does that, one request
//! after the other, so that a keyring that hangs costs one thread and callers get an error in time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error as KeyringError};

use crate::secret::wipe;
use crate::{Secret, VaultError};

/// Under which name all our entries stand in the keyring.
const SERVICE: &str = "tracewright";
/// How long a first sign of life may take; a D-Bus daemon may have to start the keyring first.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take: a person may have to find and type the keyring's password.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Requests that may wait behind one that waits for a person.
const QUEUE: usize = 32;

type Answer = Result<Option<Secret>, Refusal>;

/// Why the keyring did not do it.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// For the caller.
    Error(VaultError),
    /// There is no place to write to: a Secret Service without a default collection, as on a machine where nobody
    /// ever signed in to a desktop.
    NoPlace,
}

enum Deed {
    Get,
    Set(Secret),
    Delete,
}

struct Request {
    name: String,
    deed: Deed,
    answer: SyncSender<Answer>,
}

/// A keyring that answered.
#[derive(Debug)]
pub(crate) struct Keyring {
    requests: SyncSender<Request>,
    timeout: Duration,
}

impl Keyring {
    /// Connects by `connect` and reads one entry to see whether the keyring lives.
    ///
    /// # Errors
    /// In words: it failed or gave no sign within `open_timeout`.
    pub(crate) fn open(
        connect: impl FnOnce() -> Result<Arc<CredentialStore>, KeyringError> + Send + 'static,
        open_timeout: Duration,
        timeout: Duration,
    ) -> Result<Self, String> {
        let (requests, inbox) = sync_channel(QUEUE);
        let (ready, is_ready) = sync_channel(1);
        std::thread::Builder::new()
            .name("tw-vault".to_owned())
            .spawn(move || {
                let store = connect().and_then(probe).map_err(|error| error.to_string());
                let (told, store) = match store {
                    Ok(store) => (ready.send(Ok(())), Some(store)),
                    Err(message) => (ready.send(Err(message)), None),
                };
                // Nobody listens any more: the opener went on without a keyring.
                if let (Ok(()), Some(store)) = (told, store) {
                    serve(&*store, &inbox);
                }
            })
            .map_err(|error| format!("its thread did not start: {error}"))?;
        match is_ready.recv_timeout(open_timeout) {
            Ok(Ok(())) => Ok(Self { requests, timeout }),
            Ok(Err(message)) => Err(message),
            Err(RecvTimeoutError::Timeout) => Err(format!("it gave no answer within {} s", open_timeout.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err("its thread ended".to_owned()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Answer {
        self.ask(name, Deed::Get)
    }

    pub(crate) fn set(&self, name: &str, secret: Secret) -> Result<(), Refusal> {
        self.ask(name, Deed::Set(secret)).map(|_| ())
    }

    pub(crate) fn delete(&self, name: &str) -> Result<(), Refusal> {
        self.ask(name, Deed::Delete).map(|_| ())
    }

    fn ask(&self, name: &str, deed: Deed) -> Answer {
        let (answer, answered) = sync_channel(1);
        let late = || Refusal::Error(VaultError::NoAnswer { timeout_secs: self.timeout.as_secs() });
        let ended = || Refusal::Error(VaultError::Failed { message: "its thread ended".to_owned() });
        self.requests.try_send(Request { name: name.to_owned(), deed, answer }).map_err(|error| match error {
            TrySendError::Full(_) => late(),
            TrySendError::Disconnected(_) => ended(),
        })?;
        answered.recv_timeout(self.timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => late(),
            RecvTimeoutError::Disconnected => ended(),
        })?
    }
}

/// Opens this system's keyring.
pub(crate) fn connect() -> Result<Arc<CredentialStore>, KeyringError> {
    #[cfg(target_os = "linux")]
    let store = zbus_secret_service_keyring_store::Store::new()?;
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(target_os = "windows")]
    let store = windows_native_keyring_store::Store::new()?;
    Ok(store)
}

/// Reads an entry that does not exist: no keyring asks for a password for that.
fn probe(store: Arc<CredentialStore>) -> Result<Arc<CredentialStore>, KeyringError> {
    match store.build(SERVICE, "probe", None)?.get_secret() {
        // A locked keyring is a keyring: it asks for its password when it is first needed.
        Ok(_) | Err(KeyringError::NoEntry | KeyringError::NoStorageAccess(_)) => Ok(store),
        Err(error) => Err(error),
    }
}

fn serve(store: &CredentialStore, inbox: &Receiver<Request>) {
    while let Ok(Request { name, deed, answer }) = inbox.recv() {
        let result = carry_out(store, &name, deed);
        if answer.send(result).is_err() {
            tracing::warn!(name, "the keyring answered after its caller had given up");
        }
    }
}

fn carry_out(store: &CredentialStore, name: &str, deed: Deed) -> Answer {
    let entry = store.build(SERVICE, name, None).map_err(|error| refuse(name, error))?;
    match deed {
        Deed::Get => read(&entry, name),
        Deed::Set(secret) => match entry.set_secret(secret.expose().as_bytes()) {
            Ok(()) => Ok(None),
            Err(error) if is_no_place(&error) => Err(Refusal::NoPlace),
            Err(error) => Err(refuse(name, error)),
        },
        Deed::Delete => match entry.delete_credential() {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(refuse(name, error)),
        },
    }
}

/// A write to a Secret Service whose default collection does not exist fails in this way. Other keyrings always have
/// a place.
#[cfg(target_os = "linux")]
fn is_no_place(error: &KeyringError) -> bool {
    match error {
        KeyringError::NoStorageAccess(inner) => {
            matches!(inner.downcast_ref(), Some(secret_service::Error::NoResult))
        }
        _ => false,
    }
}

#[cfg(not(target_os = "linux"))]
fn is_no_place(_error: &KeyringError) -> bool {
    false
}

fn read(entry: &Entry, name: &str) -> Answer {
    match entry.get_secret() {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) => {
                wipe(error.into_bytes());
                Err(Refusal::Error(VaultError::NotText { name: name.to_owned() }))
            }
        },
        Err(KeyringError::NoEntry) => Ok(None),
        Err(error) => Err(refuse(name, error)),
    }
}

/// In our words. Only the `Display` of the keyring's error is used: its `Debug` can hold the secret's bytes.
fn refuse(name: &str, error: KeyringError) -> Refusal {
    Refusal::Error(match error {
        KeyringError::NoStorageAccess(error) => VaultError::NoAccess { message: error.to_string() },
        KeyringError::TooLong(_, limit) => VaultError::TooLong { name: name.to_owned(), limit },
        KeyringError::BadEncoding(bytes) => {
            wipe(bytes);
            VaultError::NotText { name: name.to_owned() }
        }
        KeyringError::BadDataFormat(bytes, _) => {
            wipe(bytes);
            VaultError::NotText { name: name.to_owned() }
        }
        other => VaultError::Failed { message: other.to_string() },
    })
}
