//! Rows of a Parquet table that is not here: only the bytes that they need are fetched.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tw_artifact::Json;

use crate::table::Table;

/// Bytes that are asked for together where the need is not known before.
const WINDOW_BYTES: usize = 256 << 10;

/// A file elsewhere.
pub trait Pieces: Send + Sync {
    /// Its bytes.
    fn bytes(&self) -> u64;

    /// Fetches `length` bytes from `from` on; fewer at its end. Blocks.
    ///
    /// # Errors
    /// They cannot be had.
    fn fetch(&self, from: u64, length: usize) -> io::Result<Bytes>;
}

struct Source(Arc<dyn Pieces>);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.bytes()
    }
}

impl ChunkReader for Source {
    type T = Window;

    fn get_read(&self, start: u64) -> Result<Window, ParquetError> {
        Ok(Window { source: Arc::clone(&self.0), at: start, held: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.0.fetch(start, length).map_err(|error| ParquetError::External(Box::new(error)))?;
        if bytes.len() < length {
            return Err(ParquetError::EOF("the file ends too early".to_owned()));
        }
        Ok(bytes)
    }
}

/// Reads on from a place.
struct Window {
    source: Arc<dyn Pieces>,
    at: u64,
    held: Bytes,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.held.is_empty() {
            self.held = self.source.fetch(self.at, WINDOW_BYTES)?;
            self.at += self.held.len() as u64;
        }
        let count = self.held.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.held.split_to(count));
        Ok(count)
    }
}

/// Rows of a table that is not here.
pub struct TableRows(Table);

impl fmt::Debug for TableRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableRows").finish_non_exhaustive()
    }
}

impl TableRows {
    /// Reads what the table says of itself. Blocks.
    ///
    /// # Errors
    /// It cannot be had, or is no Parquet file.
    pub fn open(source: Arc<dyn Pieces>) -> Result<Self, String> {
        Table::open(Source(source)).map(Self)
    }

    /// How many rows it has.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total_rows()
    }

    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        self.0.column_names()
    }

    /// Leaves out rows; whole groups of them without a look. Blocks.
    pub fn skip(&mut self, rows: u64) {
        self.0.skip(rows);
    }

    /// The next row. Blocks.
    pub fn next_row(&mut self) -> Option<Result<Json, String>> {
        self.0.next_row().map(|(_, row)| row)
    }
}
