//! The list of dataset versions. Their rows are files beside the database.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};
use tw_artifact::DatasetVersion;

use crate::config::{parse, to_json};
use crate::{Store, StoreError};

impl Store {
    /// Keeps a version whose files are there. One with the same id stays as it is: equal ids mean equal rows.
    ///
    /// # Errors
    /// The write failed.
    pub async fn add_dataset(&self, version: &DatasetVersion) -> Result<(), StoreError> {
        let json = to_json("dataset version", version)?;
        let (id, name, at_ms) = (version.id.clone(), version.name.clone(), version.built_at_ms);
        self.write(move |connection| {
            connection
                .prepare_cached("INSERT OR IGNORE INTO datasets (id, name, built_at_ms, json) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id, name, at_ms, json])?;
            Ok(())
        })
        .await
    }

    /// All versions, the newest first.
    ///
    /// # Errors
    /// The read failed.
    pub async fn datasets(&self) -> Result<Vec<DatasetVersion>, StoreError> {
        self.read(|connection| {
            let mut select =
                connection.prepare_cached("SELECT json FROM datasets ORDER BY built_at_ms DESC, rowid DESC")?;
            let mut rows = select.query([])?;
            let mut versions = Vec::new();
            while let Some(row) = rows.next()? {
                versions.push(parse("dataset version", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
            }
            Ok(versions)
        })
        .await
    }

    /// The version with this id, or the only one whose id begins so.
    ///
    /// # Errors
    /// There is none, or several begin so; the read failed.
    pub async fn dataset(&self, id: &str) -> Result<DatasetVersion, StoreError> {
        let id = id.trim().to_ascii_lowercase();
        self.read(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT json FROM datasets WHERE substr(id, 1, length(?1)) = ?1 LIMIT 2")?;
            let mut rows = select.query([&id])?;
            let found = match rows.next()? {
                Some(row) if !id.is_empty() => row.get::<_, String>(0)?,
                _ => return Err(StoreError::NotFound { what: "dataset version", id }),
            };
            if rows.next()?.is_some() {
                return Err(StoreError::invalid(format!("more than one dataset version begins with \"{id}\"")));
            }
            parse("dataset version", &found)
        })
        .await
    }

    /// Takes a version off the list. Its files are the caller's.
    ///
    /// # Errors
    /// There is none with this whole id, or the write failed.
    pub async fn remove_dataset(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            match connection.prepare_cached("DELETE FROM datasets WHERE id = ?1")?.execute([&id])? {
                0 => Err(StoreError::NotFound { what: "dataset version", id }),
                _ => Ok(()),
            }
        })
        .await
    }

    /// The revision that each of these traces stands at; those that are gone are not in the answer.
    ///
    /// # Errors
    /// The read failed.
    pub async fn heads(&self, ids: Vec<String>) -> Result<HashMap<String, u32>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached("SELECT head FROM traces WHERE id = ?1")?;
            let mut heads = HashMap::with_capacity(ids.len());
            for id in ids {
                if let Some(head) = select.query_row([&id], |row| row.get(0)).optional()? {
                    heads.insert(id, head);
                }
            }
            Ok(heads)
        })
        .await
    }
}
