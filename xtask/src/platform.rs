//! Which system this is, as far as installing packages goes.

use std::fs;

/// The systems that setup tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Platform {
    /// Debian and what is made from it, with apt.
    Debian,
    /// Ubuntu and what is made from it: apt, but Chromium comes under other names.
    Ubuntu,
    /// A Linux without apt, by its name.
    OtherLinux(String),
    MacOs,
    Windows,
}

impl Platform {
    /// The system that xtask runs on.
    pub(crate) fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::from_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default())
        }
    }

    /// Reads the file format of os-release(5): `NAME=value` lines, values perhaps in quotes. `ID` says what it is,
    /// `ID_LIKE` what it was made from, closest first.
    pub(crate) fn from_os_release(text: &str) -> Self {
        let value = |key: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.trim().split_once('=')?;
                (name == key).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
            })
        };
        let id = value("ID").unwrap_or_default();
        let like = value("ID_LIKE").unwrap_or_default();
        let family = || std::iter::once(id.as_str()).chain(like.split_whitespace());
        if family().any(|name| name == "ubuntu") {
            Self::Ubuntu
        } else if family().any(|name| name == "debian") {
            Self::Debian
        } else {
            Self::OtherLinux(
                value("PRETTY_NAME")
                    .or(Some(id))
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| "this Linux".to_owned()),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_files_are_told_apart() {
        let check = |text: &str, expected: Platform| assert_eq!(Platform::from_os_release(text), expected, "{text}");
        check("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n", Platform::Debian);
        check("ID=ubuntu\nID_LIKE=debian\n", Platform::Ubuntu);
        check("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Platform::Ubuntu);
        check("ID='raspbian'\nID_LIKE='debian'\n", Platform::Debian);
        check("ID=fedora\nPRETTY_NAME=\"Fedora Linux 43\"\n", Platform::OtherLinux("Fedora Linux 43".to_owned()));
        check("ID=arch\n", Platform::OtherLinux("arch".to_owned()));
        check("", Platform::OtherLinux("this Linux".to_owned()));
    }

    #[test]
    fn a_key_that_only_ends_like_id_is_not_the_id() {
        assert_eq!(
            Platform::from_os_release("VARIANT_ID=debian\nID=alpine\n"),
            Platform::OtherLinux("alpine".to_owned())
        );
    }
}
