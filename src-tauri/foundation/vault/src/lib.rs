//! Secrets: API keys, values of servers' environments and headers, OAuth credentials.
//!
//! In: a name and a [`Secret`]. Out: the secret again, in this program run or a later one when the OS has a keyring
//! (Secret Service, Keychain, Credential Manager), else until the program ends; [`Vault::mode`] says which.
//! Never: a secret in a file of ours, in a log line, in `Debug` or `Display`, in an error.
//!
//! Every call of [`Vault`] blocks: a keyring may show a dialog and wait for its password. Async code calls it through
//! its runtime's `spawn_blocking`; a [`Vault`] is cheap to clone for that.

mod error;
mod keyring;
mod secret;
mod vault;

pub use error::VaultError;
pub use secret::Secret;
pub use vault::{Vault, VaultMode};

#[cfg(test)]
mod tests;
