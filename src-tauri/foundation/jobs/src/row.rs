//! Rows of tokens as they are handed to the worker: one JSON object per line.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A row: its tokens, and which of them count how much in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The row's id in its dataset.
    pub id: String,
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Runs of tokens that are trained on; all others count 0. In ascending order, apart from each other.
    pub spans: Vec<Span>,
}

/// A run of tokens that count in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its first token.
    pub start: usize,
    /// After its last one.
    pub end: usize,
    /// The weight of each of its tokens.
    pub weight: f32,
}

impl Row {
    /// A row from one weight per token.
    #[must_use]
    pub fn from_weights(id: &str, tokens: &[u32], weights: &[f32]) -> Self {
        let mut spans: Vec<Span> = Vec::new();
        for (place, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            match spans.last_mut() {
                Some(span) if span.end == place && span.weight.to_bits() == weight.to_bits() => span.end += 1,
                _ => spans.push(Span { start: place, end: place + 1, weight: *weight }),
            }
        }
        Self { id: id.to_owned(), tokens: tokens.to_vec(), spans }
    }

    /// The weight of each token.
    ///
    /// # Errors
    /// When a span lies outside of the row or over another, or its weight is not a finite number above 0.
    pub fn weights(&self) -> Result<Vec<f32>> {
        let wrong = |reason: String| Error::Row { row: self.id.clone(), reason };
        let mut weights = vec![0.0; self.tokens.len()];
        let mut from = 0;
        for span in &self.spans {
            if span.start < from || span.end < span.start || span.end > weights.len() {
                return Err(wrong(format!("the span {}..{} does not lie in it", span.start, span.end)));
            }
            if !(span.weight.is_finite() && span.weight > 0.0) {
                return Err(wrong(format!("a weight of {} cannot be", span.weight)));
            }
            weights[span.start..span.end].fill(span.weight);
            from = span.end;
        }
        Ok(weights)
    }
}

/// Reads a file of rows.
///
/// # Errors
/// When it cannot be read, or a line is not a row.
pub fn read_rows(path: &Path) -> Result<Vec<Row>> {
    BufReader::new(File::open(path).map_err(Error::file(path))?)
        .lines()
        .filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()))
        .map(|line| serde_json::from_str(&line.map_err(Error::file(path))?).map_err(Error::format(path)))
        .collect()
}

/// Writes a file of rows.
///
/// # Errors
/// When it cannot be written.
pub fn write_rows<'a>(path: &Path, rows: impl IntoIterator<Item = &'a Row>) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).map_err(Error::file(path))?);
    for row in rows {
        serde_json::to_writer(&mut file, row).map_err(Error::format(path))?;
        file.write_all(b"\n").map_err(Error::file(path))?;
    }
    file.into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_back_as_they_were() {
        let weights = [0.0, 1.0, 1.0, 0.5, 0.0, 2.0];
        let row = Row::from_weights("a", &[1, 2, 3, 4, 5, 6], &weights);
        assert_eq!(row.spans.len(), 3);
        assert_eq!(row.weights().unwrap(), weights);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        write_rows(&path, [&row, &row]).unwrap();
        assert_eq!(read_rows(&path).unwrap(), [row.clone(), row]);
    }

    #[test]
    fn a_span_that_cannot_be_is_named_with_its_row() {
        let span = |start, end, weight| Span { start, end, weight };
        for spans in [
            vec![span(1, 4, 1.0)],
            vec![span(2, 1, 1.0)],
            vec![span(0, 2, 1.0), span(1, 3, 1.0)],
            vec![span(0, 1, f32::NAN)],
            vec![span(0, 1, -1.0)],
        ] {
            let row = Row { id: "trace_7".to_owned(), tokens: vec![1, 2, 3], spans };
            assert!(row.weights().unwrap_err().to_string().contains("trace_7"));
        }
    }
}
