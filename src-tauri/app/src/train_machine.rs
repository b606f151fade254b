//! The program that trains, and the machine that it would train on.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use tw_contract::{ApiError, ErrorCode, TrainDevice, TrainMachine, TrainSettings};
use tw_jobs::Worker;

use crate::errors::IntoApi;
use crate::lock;

/// The variable that names another program than the one beside this.
const VARIABLE: &str = "TRACEWRIGHT_WORKER";

/// Who a worker said it is, and of which program that is known.
type Known = (PathBuf, Option<SystemTime>, Identity);

/// Who a worker said it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    build: String,
    devices: Vec<String>,
    threads: u32,
}

/// Finds and starts workers.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    given: Option<PathBuf>,
    known: Mutex<Option<Known>>,
}

impl Workers {
    pub(crate) fn new(given: Option<PathBuf>) -> Self {
        Self { given, known: Mutex::default() }
    }

    /// The program.
    pub(crate) fn program(&self) -> Result<PathBuf, ApiError> {
        let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let beside = || {
            let name = format!("tw-worker{}", std::env::consts::EXE_SUFFIX);
            Some(std::env::current_exe().ok()?.parent()?.join(name))
        };
        let Some(program) = named.or_else(|| self.given.clone()).or_else(beside) else {
            return Err(missing("The program that trains (tw-worker) cannot be looked for."));
        };
        if program.is_file() {
            Ok(program)
        } else {
            Err(missing(&format!("The program that trains is missing: {} is not there.", program.display())))
        }
    }

    /// Starts one for a training.
    pub(crate) fn start(&self, settings: &TrainSettings) -> Result<Worker, ApiError> {
        let threads = settings.threads.and_then(|threads| usize::try_from(threads).ok()).filter(|count| *count > 0);
        Worker::start(&self.program()?, threads).map_err(IntoApi::into_api)
    }

    /// Who a worker says it is; asked once for each program.
    pub(crate) fn identity(&self) -> Result<Identity, ApiError> {
        let program = self.program()?;
        let changed = std::fs::metadata(&program).and_then(|data| data.modified()).ok();
        if let Some((path, at, identity)) = &*lock(&self.known)
            && *path == program
            && *at == changed
        {
            return Ok(identity.clone());
        }
        let worker = Worker::start(&program, None).map_err(IntoApi::into_api)?;
        let identity = Identity {
            build: worker.build.clone(),
            devices: worker.devices.iter().map(|device| device.name.clone()).collect(),
            threads: worker.devices.iter().map(|device| device.threads).max().map_or(1, crate::train_curves::count),
        };
        worker.dismiss();
        *lock(&self.known) = Some((program, changed, identity.clone()));
        Ok(identity)
    }

    /// The machine, as the launcher shows it.
    pub(crate) fn machine(&self, workspace: &Path) -> Result<TrainMachine, ApiError> {
        let Identity { build, devices, threads } = self.identity()?;
        Ok(TrainMachine { build, devices, threads, free_bytes: free_memory(), disk_bytes: free_disk(workspace) })
    }
}

impl Identity {
    /// The device that the settings would compute on; `None` where there is no such.
    pub(crate) fn device(&self, wanted: TrainDevice) -> Option<String> {
        let is_cpu = |name: &&String| name.as_str() == "cpu";
        match wanted {
            TrainDevice::Auto => self.devices.first().cloned(),
            TrainDevice::Cpu => self.devices.iter().find(is_cpu).cloned(),
            TrainDevice::Cuda => self.devices.iter().find(|name| !is_cpu(name)).cloned(),
        }
    }

    /// Its threads, where the settings do not say.
    pub(crate) fn threads(&self) -> u32 {
        self.threads
    }
}

fn missing(message: &str) -> ApiError {
    ApiError::new(ErrorCode::Internal, message).with_hint(format!(
        "Install the app anew, or set {VARIABLE} to where it is. From the sources, `cargo xtask run` builds it."
    ))
}

/// Bytes of memory that are free, where the system tells.
fn free_memory() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// Bytes that a process holds, where the system tells.
pub(crate) fn memory_of(pid: u32) -> Option<u64> {
    kilobytes(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Bytes that are free on the disk of a folder, where the system tells.
#[cfg(unix)]
pub(crate) fn free_disk(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes that are free on the disk of a folder, where the system tells.
#[cfg(not(unix))]
pub(crate) fn free_disk(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_worker_is_said_with_what_to_do() {
        let workers = Workers::new(Some(PathBuf::from("/nowhere/tw-worker")));
        let error = workers.program().map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("/nowhere/tw-worker") && text.contains(VARIABLE)));
    }

    #[test]
    fn memory_is_read_as_the_system_writes_it() {
        assert_eq!(kilobytes("MemTotal: 9 kB\nMemAvailable:    2 kB\n", "MemAvailable:"), Some(2048));
        assert_eq!(kilobytes("MemTotal: 9 kB\n", "MemAvailable:"), None);
    }
}
