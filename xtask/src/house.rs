//! Where things lie: the repository, cargo's target folder, this project's cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::say::Stop;

/// The folders that every task works in.
#[derive(Debug, Clone)]
pub(crate) struct House {
    root: PathBuf,
    target: PathBuf,
}

impl House {
    /// Finds the repository from where xtask was compiled, or, if that was moved, from the current folder.
    pub(crate) fn find() -> Result<Self> {
        let compiled_at = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
        let here = env::current_dir()?;
        let root = compiled_at
            .into_iter()
            .chain(here.ancestors().map(Path::to_path_buf))
            .find(|folder| is_root(folder))
            .ok_or_else(|| {
                Stop::new(
                    "This is not a Tracewright checkout: no folder above holds tauri.conf.json and xtask/.",
                    "Go to the checkout and try again.",
                )
            })?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |set| here.join(set));
        Ok(Self { root, target })
    }

    /// The repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds natively in the given profile folder (`debug`, `release`).
    pub(crate) fn binary(&self, profile_folder: &str, name: &str) -> PathBuf {
        self.target.join(profile_folder).join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// The UI's own target folder: two compilers must not share one.
    pub(crate) fn ui_target(&self) -> PathBuf {
        self.target.join("ui")
    }

    /// What the window and `tw serve` embed.
    pub(crate) fn ui_dist(&self) -> PathBuf {
        self.root.join("ui/dist")
    }
}

fn is_root(folder: &Path) -> bool {
    folder.join("tauri.conf.json").is_file() && folder.join("xtask").is_dir()
}

/// The user's cache folder of this project: kept between clones.
pub(crate) fn cache() -> Result<PathBuf> {
    cache_from(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)).ok_or_else(|| {
        Stop::new("Neither HOME nor a cache folder is set.", "Set HOME, or XDG_CACHE_HOME on Linux.").into()
    })
}

fn cache_from(env: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || env("HOME");
    let base = if cfg!(windows) {
        env("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        // The XDG rule: a relative path counts as unset.
        env("XDG_CACHE_HOME").filter(|set| set.is_absolute()).or_else(|| home().map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("tracewright"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_cache_follows_xdg_and_falls_back_to_home() {
        let set = |xdg: Option<&'static str>| {
            move |name: &str| match name {
                "XDG_CACHE_HOME" => xdg.map(PathBuf::from),
                "HOME" => Some(PathBuf::from("/home/ada")),
                _ => None,
            }
        };
        assert_eq!(cache_from(set(Some("/var/c"))), Some(PathBuf::from("/var/c/tracewright")));
        assert_eq!(cache_from(set(Some("relative"))), Some(PathBuf::from("/home/ada/.cache/tracewright")));
        assert_eq!(cache_from(set(None)), Some(PathBuf::from("/home/ada/.cache/tracewright")));
        assert_eq!(cache_from(|_| None), None);
    }
}
