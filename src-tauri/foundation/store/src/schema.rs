//! The tables, and how an older workspace becomes a newer one.

use rusqlite::Connection;

use crate::StoreError;

/// Each takes the data from the version that is its index to the next; `PRAGMA user_version` says where a file is.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// The version of data that this app reads and writes.
pub(crate) const VERSION: u32 = 3;

const _: () = assert!(MIGRATIONS.len() == VERSION as usize);

/// Brings a workspace to [`VERSION`], each step whole or not at all.
///
/// # Errors
/// The file is from a newer app, damaged, or cannot be written.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::NewerVersion { found, known: VERSION });
    }
    for (version, sql) in (0_u32..).zip(MIGRATIONS).skip_while(|(version, _)| *version < found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
