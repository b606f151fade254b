//! The machine that the worker runs on.

use std::thread;

use tw_jobs::DeviceInfo;

/// How much of the memory that is free when a job begins it may take.
const SHARE_PERCENT: u64 = 80;

/// The processor, with as many threads as are used.
pub(crate) fn cpu() -> DeviceInfo {
    let asked = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
    let threads = asked.filter(|threads| *threads > 0);
    let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    DeviceInfo { name: "cpu".to_owned(), threads }
}

/// Bytes that a job may take where its spec does not say, if the system tells.
pub(crate) fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024 / 100 * SHARE_PERCENT)
}
