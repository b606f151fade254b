//! Numbers: medians and the like, the table, and the machine that they come from.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// Milliseconds, as all figures of time are.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Measured values of one kind, in order of size.
#[derive(Clone, Debug)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that so many per cent of all do not exceed (nearest rank); 0 where there are none.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    pub(crate) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(crate) fn greatest(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// The rows of the table and the same figures for programs.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
    figures: Map<String, Value>,
}

impl Report {
    /// One row: what was measured, the figure with its unit, and what else is to be known.
    pub(crate) fn row(&mut self, what: &str, figure: impl Into<String>, note: impl Into<String>) {
        self.rows.push([what.to_owned(), figure.into(), note.into()]);
    }

    /// The figures of one part under its name.
    pub(crate) fn figures(&mut self, part: &str, figures: Value) {
        self.figures.insert(part.to_owned(), figures);
    }

    /// A Markdown table, its columns aligned for the terminal.
    pub(crate) fn table(&self) -> String {
        let head = ["measured", "figure", "how"].map(str::to_owned);
        let width = |column: usize| {
            self.rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let (first, second) = (width(0), width(1));
        let mut text = String::new();
        let mut line = |row: &[String; 3]| {
            text.push_str(&format!("| {:first$} | {:second$} | {} |\n", row[0], row[1], row[2]));
        };
        line(&head);
        line(&["-".repeat(first), "-".repeat(second), "---".to_owned()]);
        self.rows.iter().for_each(line);
        text
    }

    /// One line of JSON.
    pub(crate) fn json(mut self, bench: &str) -> String {
        self.figures.insert("bench".to_owned(), bench.into());
        self.figures.insert("machine".to_owned(), machine().into());
        self.figures.insert("optimised".to_owned(), (!cfg!(debug_assertions)).into());
        json!(self.figures).to_string()
    }
}

/// Cores, processor, memory, system and build of this measurement, in words.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(String::new, |kib| format!(", {:.0} GiB", kib / 1_048_576.0));
    let build = if cfg!(debug_assertions) { "dev build" } else { "release build" };
    format!("{cores} cores {processor}{memory}, {}, {build}", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sample = Sample::new((1..=200).rev().map(f64::from).collect());
        assert_eq!(
            [sample.least(), sample.median(), sample.percentile(99), sample.greatest()],
            [1.0, 100.0, 198.0, 200.0]
        );
        assert_eq!(Sample::new(vec![3.0]).percentile(99), 3.0);
        assert_eq!(Sample::new(Vec::new()).median(), 0.0);
    }
}
