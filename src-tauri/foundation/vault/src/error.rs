//! What can go wrong with a keyring, in words that hold no secret.

use thiserror::Error;

/// Why a secret was not read, kept or removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    /// The keyring took too long.
    #[error(
        "the keyring did not answer within {timeout_secs} seconds; look for a dialog of it that waits for a password, \
         then try again"
    )]
    NoAnswer {
        /// How long we waited.
        timeout_secs: u64,
    },
    /// The keyring is locked, or the person declined.
    #[error("the keyring gave no access: {message}; unlock it, then try again")]
    NoAccess {
        /// The keyring's words.
        message: String,
    },
    /// The keyring takes only shorter secrets.
    #[error("the secret \"{name}\" is too long for this keyring, which takes {limit} bytes")]
    TooLong {
        /// The secret's name.
        name: String,
        /// The longest it takes, in bytes.
        limit: u32,
    },
    /// Something else wrote under our name.
    #[error("what the keyring holds under \"{name}\" is not text; remove the entry and enter the secret again")]
    NotText {
        /// The secret's name.
        name: String,
    },
    /// Anything else.
    #[error("the keyring failed: {message}")]
    Failed {
        /// The keyring's words.
        message: String,
    },
}
