//! How fast trainings were on this machine, by which the time of the next one is estimated.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tw_jobs::write_whole;

use crate::train_curves::whole;

/// Measures that are kept.
const MOST_KEPT: usize = 64;
/// A base this much larger or smaller than a measured one is not comparable.
const COMPARABLE: f64 = 4.0;
/// Fewer tokens than this measure nothing.
const LEAST_TOKENS: u64 = 256;

/// What one training measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Measure {
    device: String,
    threads: u32,
    parameters: u64,
    /// Seconds for a token that is computed, and a number of the base.
    seconds_per_unit: f64,
}

/// The measures of a workspace.
#[derive(Debug)]
pub(crate) struct Speeds {
    path: PathBuf,
}

impl Speeds {
    pub(crate) fn at(jobs: &Path) -> Self {
        Self { path: jobs.join("speeds.json") }
    }

    fn read(&self) -> Vec<Measure> {
        std::fs::read(&self.path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps what a training measured. A disk that takes it not costs an estimate, no more.
    pub(crate) fn keep(&self, device: &str, threads: u32, parameters: u64, seconds: f64, tokens: u64) {
        let units = tokens as f64 * parameters as f64;
        if tokens < LEAST_TOKENS || units <= 0.0 || seconds <= 0.0 {
            return;
        }
        let mut all = self.read();
        all.retain(|it| !(it.device == device && it.threads == threads && it.parameters == parameters));
        let device = device.to_owned();
        all.push(Measure { device, threads, parameters, seconds_per_unit: seconds / units });
        let surplus = all.len().saturating_sub(MOST_KEPT);
        all.drain(..surplus);
        let written = serde_json::to_vec_pretty(&all)
            .map_err(|error| error.to_string())
            .and_then(|text| write_whole(&self.path, &text).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::warn!(%error, "the measured speed is not kept");
        }
    }

    /// Seconds that so many tokens would take; `None` before a base of about this size was trained here.
    pub(crate) fn seconds(&self, device: &str, threads: u32, parameters: u64, tokens: u64) -> Option<u64> {
        let distance = |it: &Measure| (it.parameters as f64 / parameters.max(1) as f64).ln().abs();
        let nearest = self
            .read()
            .into_iter()
            .filter(|it| it.device == device && it.threads == threads && distance(it) <= COMPARABLE.ln())
            .min_by(|one, other| distance(one).total_cmp(&distance(other)))?;
        whole(nearest.seconds_per_unit * tokens as f64 * parameters as f64).map(|seconds| seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn time_is_known_once_something_of_the_size_was_trained_here() {
        let folder = tempfile::tempdir().unwrap();
        let speeds = Speeds::at(folder.path());
        assert_eq!(speeds.seconds("cpu", 2, 1_000, 1_000), None);
        speeds.keep("cpu", 2, 1_000, 10.0, 1_000);
        assert_eq!(speeds.seconds("cpu", 2, 1_000, 3_000), Some(30));
        assert_eq!(speeds.seconds("cpu", 2, 2_000, 1_000), Some(20), "larger, and comparable");
        assert_eq!(speeds.seconds("cpu", 2, 100_000, 1_000), None, "of another size");
        assert_eq!(speeds.seconds("cpu", 8, 1_000, 1_000), None, "with other threads");
        speeds.keep("cpu", 2, 1_000, 20.0, 1_000);
        assert_eq!(speeds.seconds("cpu", 2, 1_000, 1_000), Some(20), "the last measure counts");
    }
}
