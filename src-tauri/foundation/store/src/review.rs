//! What a person decided about traces, one by one or many at once.

use rusqlite::{Connection, params};
use tw_artifact::{ReviewChange, ReviewStatus};

use crate::list::TraceQuery;
use crate::select::Selection;
use crate::{Store, StoreError};

/// The most stars.
const BEST_RATING: u8 = 5;

impl Store {
    /// Changes what was decided about these traces, all or nothing, and says of how many. Ids that there are not (any
    /// more) are left out. The time at which a trace last changed stays.
    ///
    /// # Errors
    /// The rating is over 5, or the write failed.
    pub async fn mark(&self, ids: Vec<String>, change: ReviewChange) -> Result<u32, StoreError> {
        self.write(move |connection| {
            let keys = keys_of_ids(connection, &ids)?;
            mark(connection, &keys, &change)
        })
        .await
    }

    /// The same for all traces of a query, whatever its offset and limit say.
    ///
    /// # Errors
    /// The rating is over 5, or the write failed.
    pub async fn mark_found(&self, query: &TraceQuery, change: ReviewChange) -> Result<u32, StoreError> {
        let query = query.clone();
        self.write(move |connection| {
            let keys = Selection::of(connection, &query, None)?.keys(connection)?;
            mark(connection, &keys, &change)
        })
        .await
    }

    /// Removes traces with all that belongs to them, all or nothing, and says how many.
    ///
    /// # Errors
    /// The write failed.
    pub async fn delete(&self, ids: Vec<String>) -> Result<u32, StoreError> {
        self.write(move |connection| {
            let keys = keys_of_ids(connection, &ids)?;
            delete(connection, &keys)
        })
        .await
    }

    /// The same for all traces of a query, whatever its offset and limit say.
    ///
    /// # Errors
    /// The write failed.
    pub async fn delete_found(&self, query: &TraceQuery) -> Result<u32, StoreError> {
        let query = query.clone();
        self.write(move |connection| {
            let mut keys = Selection::of(connection, &query, None)?.keys(connection)?;
            // FTS5 writes out what it gathered whenever a row is lower than the one before.
            keys.sort_unstable();
            delete(connection, &keys)
        })
        .await
    }
}

fn keys_of_ids(connection: &Connection, ids: &[String]) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.prepare_cached("SELECT key FROM traces WHERE id = ?1")?;
    let mut keys = Vec::with_capacity(ids.len());
    for id in ids {
        let found = select.query_map([id], |row| row.get(0))?;
        for key in found {
            keys.push(key?);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn mark(connection: &Connection, keys: &[i64], change: &ReviewChange) -> Result<u32, StoreError> {
    if change.rating.is_some_and(|rating| rating > BEST_RATING) {
        return Err(StoreError::invalid("a rating is 1 to 5, or 0 for none"));
    }
    let tidy = |tags: &[String]| -> Vec<String> {
        tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
    };
    let (add, remove) = (tidy(&change.add_tags), tidy(&change.remove_tags));
    let mut update = connection.prepare_cached(
        "UPDATE traces SET status = coalesce(?2, status), rating = coalesce(?3, rating), note = coalesce(?4, note)
         WHERE key = ?1",
    )?;
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO tags (trace, tag) VALUES (?1, ?2)")?;
    let mut drop = connection.prepare_cached("DELETE FROM tags WHERE trace = ?1 AND tag = ?2")?;
    let status = change.status.map(status_number);
    let is_update = status.is_some() || change.rating.is_some() || change.note.is_some();
    for key in keys {
        if is_update {
            update.execute(params![key, status, change.rating, change.note])?;
        }
        for tag in &remove {
            drop.execute(params![key, tag])?;
        }
        for tag in &add {
            insert.execute(params![key, tag])?;
        }
    }
    Ok(u32::try_from(keys.len()).unwrap_or(u32::MAX))
}

fn delete(connection: &Connection, keys: &[i64]) -> Result<u32, StoreError> {
    let mut delete = connection.prepare_cached("DELETE FROM traces WHERE key = ?1")?;
    for key in keys {
        delete.execute([key])?;
    }
    // What was being typed into a trace goes with it.
    let drafts = "DELETE FROM settings WHERE key GLOB 'draft:*' AND substr(key, 7) NOT IN (SELECT id FROM traces)";
    connection.prepare_cached(drafts)?.execute([])?;
    Ok(u32::try_from(keys.len()).unwrap_or(u32::MAX))
}

/// A status as its column has it: so that whatever is decided is greater than 0.
pub(crate) const fn status_number(status: ReviewStatus) -> u8 {
    match status {
        ReviewStatus::Open => 0,
        ReviewStatus::Accepted => 1,
        ReviewStatus::Rejected => 2,
    }
}

pub(crate) const fn read_status(number: u8) -> ReviewStatus {
    match number {
        1 => ReviewStatus::Accepted,
        2 => ReviewStatus::Rejected,
        _ => ReviewStatus::Open,
    }
}
