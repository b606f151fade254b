//! Settings, endpoints and servers. Their secrets are elsewhere.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tw_artifact::{EndpointConfig, ServerConfig};

use crate::{Store, StoreError};

/// A table of things with an id, each as JSON, in the order in which they were added.
#[derive(Clone, Copy)]
struct Table {
    what: &'static str,
    list: &'static str,
    put: &'static str,
    delete: &'static str,
}

const ENDPOINTS: Table = Table {
    what: "endpoint",
    list: "SELECT json FROM endpoints ORDER BY position, id",
    put: "INSERT INTO endpoints (id, position, json)
          VALUES (?1, (SELECT coalesce(max(position) + 1, 0) FROM endpoints), ?2)
          ON CONFLICT (id) DO UPDATE SET json = excluded.json",
    delete: "DELETE FROM endpoints WHERE id = ?1",
};

const SERVERS: Table = Table {
    what: "server",
    list: "SELECT json FROM servers ORDER BY position, id",
    put: "INSERT INTO servers (id, position, json)
          VALUES (?1, (SELECT coalesce(max(position) + 1, 0) FROM servers), ?2)
          ON CONFLICT (id) DO UPDATE SET json = excluded.json",
    delete: "DELETE FROM servers WHERE id = ?1",
};

impl Store {
    /// The setting under `key`; `None` when it was never set.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when what is kept is not a `T`.
    pub async fn get_setting<T: DeserializeOwned + Send + 'static>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            let json: Option<String> = connection
                .prepare_cached("SELECT json FROM settings WHERE key = ?1")?
                .query_row([&key], |row| row.get(0))
                .optional()?;
            json.map(|json| parse(&format!("setting {key}"), &json)).transpose()
        })
        .await
    }

    /// Keeps `value` under `key`, in place of one that was there. `null` forgets the setting.
    ///
    /// # Errors
    /// The value has no JSON form, or the write failed.
    pub async fn set_setting<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<(), StoreError> {
        let json = to_json(&format!("setting {key}"), value)?;
        let key = key.to_owned();
        self.write(move |connection| {
            if json == "null" {
                connection.prepare_cached("DELETE FROM settings WHERE key = ?1")?.execute([&key])?;
                return Ok(());
            }
            connection
                .prepare_cached(
                    "INSERT INTO settings (key, json) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET json = ?2",
                )?
                .execute([&key, &json])?;
            Ok(())
        })
        .await
    }

    /// The endpoints, in the order in which they were added.
    ///
    /// # Errors
    /// The read failed.
    pub async fn list_endpoints(&self) -> Result<Vec<EndpointConfig>, StoreError> {
        self.read(|connection| list(connection, ENDPOINTS)).await
    }

    /// Adds an endpoint, or changes the one with its id.
    ///
    /// # Errors
    /// The write failed.
    pub async fn put_endpoint(&self, endpoint: &EndpointConfig) -> Result<(), StoreError> {
        self.put(ENDPOINTS, &endpoint.id, endpoint).await
    }

    /// Removes an endpoint; traces made with it keep its name and address.
    ///
    /// # Errors
    /// There is none with that id, or the write failed.
    pub async fn delete_endpoint(&self, id: &str) -> Result<(), StoreError> {
        self.delete_row(ENDPOINTS, id).await
    }

    /// The MCP servers, in the order in which they were added.
    ///
    /// # Errors
    /// The read failed.
    pub async fn list_servers(&self) -> Result<Vec<ServerConfig>, StoreError> {
        self.read(|connection| list(connection, SERVERS)).await
    }

    /// Adds a server, or changes the one with its id.
    ///
    /// # Errors
    /// The write failed.
    pub async fn put_server(&self, server: &ServerConfig) -> Result<(), StoreError> {
        self.put(SERVERS, &server.id, server).await
    }

    /// Removes a server; traces made with it keep its name.
    ///
    /// # Errors
    /// There is none with that id, or the write failed.
    pub async fn delete_server(&self, id: &str) -> Result<(), StoreError> {
        self.delete_row(SERVERS, id).await
    }

    async fn put<T: Serialize + Sync>(&self, table: Table, id: &str, value: &T) -> Result<(), StoreError> {
        let json = to_json(table.what, value)?;
        let id = id.to_owned();
        self.write(move |connection| {
            connection.prepare_cached(table.put)?.execute([&id, &json])?;
            Ok(())
        })
        .await
    }

    async fn delete_row(&self, table: Table, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| match connection.prepare_cached(table.delete)?.execute(params![id])? {
            0 => Err(StoreError::NotFound { what: table.what, id }),
            _ => Ok(()),
        })
        .await
    }
}

fn list<T: DeserializeOwned>(connection: &Connection, table: Table) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(table.list)?;
    let mut rows = select.query([])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(parse(table.what, &row.get::<_, String>(0)?)?);
    }
    Ok(items)
}

/// Reads JSON of ours.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::unreadable(what, &error))
}

/// Writes JSON of ours.
pub(crate) fn to_json<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::unreadable(what, &error))
}
