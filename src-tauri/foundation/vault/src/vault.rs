//! Where secrets are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::keyring::{Keyring, OPEN_TIMEOUT, REQUEST_TIMEOUT, Refusal, connect};
use crate::{Secret, VaultError};

/// `memory` forces secrets to stay in memory.
const MODE_VARIABLE: &str = "TRACEWRIGHT_VAULT";

/// How long secrets last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultMode {
    /// In the OS keyring.
    Keyring,
    /// Until the program ends.
    SessionOnly {
        /// Why, in words for the person.
        reason: String,
    },
}

/// Keeps secrets under names. Clones share what they keep. Every method blocks, up to two minutes where the keyring
/// asks a person for its password.
#[derive(Clone, Debug)]
pub struct Vault {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` where there is none.
    keyring: Option<Keyring>,
    /// What lasts until the program ends; with the reason, once that is where secrets go.
    session: Mutex<Session>,
}

#[derive(Debug, Default)]
struct Session {
    reason: Option<String>,
    secrets: HashMap<String, Secret>,
}

impl Vault {
    /// Opens the OS keyring, or keeps secrets in memory where none answers within five seconds or where the
    /// environment says `TRACEWRIGHT_VAULT=memory`. [`Vault::mode`] tells. Blocks for that time.
    #[must_use]
    pub fn open() -> Self {
        if std::env::var_os(MODE_VARIABLE).is_some_and(|value| value == "memory") {
            return Self::session_only(format!("the environment says {MODE_VARIABLE}=memory"));
        }
        Self::from_keyring(Keyring::open(connect, OPEN_TIMEOUT, REQUEST_TIMEOUT))
    }

    /// Keeps secrets in memory: for tests and for programs that must leave nothing behind.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::session_only("it was opened in memory".to_owned())
    }

    pub(crate) fn from_keyring(keyring: Result<Keyring, String>) -> Self {
        match keyring {
            Ok(keyring) => Self { inner: Arc::new(Inner { keyring: Some(keyring), session: Mutex::default() }) },
            Err(message) => {
                tracing::info!(message, "no keyring: secrets last until the program ends");
                Self::session_only(format!("no keyring of this system could be opened ({message})"))
            }
        }
    }

    fn session_only(reason: String) -> Self {
        let session = Session { reason: Some(reason), secrets: HashMap::new() };
        Self { inner: Arc::new(Inner { keyring: None, session: Mutex::new(session) }) }
    }

    /// Where secrets go. Changes from [`VaultMode::Keyring`] to [`VaultMode::SessionOnly`] when a first write shows
    /// that the keyring has no place to write to.
    #[must_use]
    pub fn mode(&self) -> VaultMode {
        match &self.session().reason {
            None => VaultMode::Keyring,
            Some(reason) => VaultMode::SessionOnly { reason: reason.clone() },
        }
    }

    /// The secret under `name`, `None` when there is none.
    ///
    /// # Errors
    /// The keyring is locked, late or broken, or holds something else than text there.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        if let Some(secret) = self.session().secrets.get(name) {
            return Ok(Some(secret.clone()));
        }
        match &self.inner.keyring {
            None => Ok(None),
            Some(keyring) => match keyring.get(name) {
                Ok(secret) => Ok(secret),
                Err(Refusal::NoPlace) => Ok(None),
                Err(Refusal::Error(error)) => Err(error),
            },
        }
    }

    /// Keeps `secret` under `name`, in place of one that was there.
    ///
    /// # Errors
    /// The keyring is locked, late or broken, or the secret is too long for it. The old one is still there then.
    pub fn set(&self, name: &str, secret: Secret) -> Result<(), VaultError> {
        if let Some(keyring) = self.keyring_in_use() {
            match keyring.set(name, secret.clone()) {
                Ok(()) => return Ok(()),
                Err(Refusal::Error(error)) => return Err(error),
                Err(Refusal::NoPlace) => {
                    self.session().reason = Some("the keyring has no default collection to write to".to_owned());
                    tracing::info!("the keyring has no default collection: secrets last until the program ends");
                }
            }
        }
        self.session().secrets.insert(name.to_owned(), secret);
        Ok(())
    }

    /// Removes the secret under `name`, if there is one.
    ///
    /// # Errors
    /// The keyring is locked, late or broken.
    pub fn delete(&self, name: &str) -> Result<(), VaultError> {
        self.session().secrets.remove(name);
        match self.keyring_in_use().map(|keyring| keyring.delete(name)) {
            Some(Err(Refusal::Error(error))) => Err(error),
            None | Some(Ok(()) | Err(Refusal::NoPlace)) => Ok(()),
        }
    }

    fn keyring_in_use(&self) -> Option<&Keyring> {
        let writes_to_memory = self.session().reason.is_some();
        self.inner.keyring.as_ref().filter(|_| !writes_to_memory)
    }

    /// The map is whole after any panic: its changes are single calls.
    fn session(&self) -> MutexGuard<'_, Session> {
        self.inner.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
