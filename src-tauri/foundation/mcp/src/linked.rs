//! Results that only link to a file that the server wrote.
//!
//! Playwright MCP from 0.0.70 on writes the page's snapshot to a file and answers with `- [Snapshot](path)`, relative
//! to its working directory; other servers send a `resource_link` with a `file:` address. Such a file is read in, so
//! that the trace holds what the agent saw. A page or another hostile text can hold links too, so a file is read only
//! when all of this holds: the server is a program of this machine; the file lies, after every symbolic link is
//! resolved, in the server's working directory or its output folder; it was written since the call began; it is a
//! regular file of at most 2 MB of UTF-8 text with the ending of a snapshot. Console logs are left out: they grow with
//! every call, and the server has a tool that shows them.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tw_artifact::{Json, OutputPart};

/// Largest file read in.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
/// Most files of one result.
const MAX_FILES: usize = 8;
const ENDINGS: [&str; 6] = ["yml", "yaml", "md", "txt", "json", "html"];
/// File systems round times down, some to two seconds.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// Where a server's files may lie.
#[derive(Clone, Debug)]
pub(crate) struct LinkFolders {
    /// What relative links are relative to.
    cwd: PathBuf,
    folders: Vec<PathBuf>,
}

impl LinkFolders {
    /// `args` and `env_output_dir` may name a further folder for output, as Playwright MCP's do.
    pub(crate) fn new(cwd: &Path, args: &[String], env_output_dir: Option<&str>) -> Self {
        let from_args = args.iter().enumerate().filter_map(|(index, arg)| match arg.strip_prefix("--output-dir") {
            Some("") => args.get(index + 1).map(String::as_str),
            Some(value) => value.strip_prefix('='),
            None => None,
        });
        let mut folders = vec![cwd.to_owned()];
        folders.extend(from_args.chain(env_output_dir).filter(|dir| !dir.is_empty()).map(|dir| cwd.join(dir)));
        Self { cwd: cwd.to_owned(), folders }
    }

    /// Puts the text of linked files after the parts that link to them. `since` is when the call began. Blocks.
    pub(crate) fn read_in(&self, parts: Vec<OutputPart>, since: SystemTime) -> Vec<OutputPart> {
        let since = since.checked_sub(CLOCK_SLACK).unwrap_or(since);
        let folders: Vec<PathBuf> = self.folders.iter().filter_map(|it| it.canonicalize().ok()).collect();
        let mut seen = HashSet::new();
        let mut out = Vec::with_capacity(parts.len());
        for part in parts {
            let links = links_of(&part);
            out.push(part);
            for link in links {
                if seen.len() >= MAX_FILES || !seen.insert(link.clone()) {
                    continue;
                }
                match self.read(&link, &folders, since) {
                    Ok(text) => out.push(OutputPart::LinkedFile { path: link, text }),
                    Err(reason) => tracing::debug!(link, reason, "a linked file was not read in"),
                }
            }
        }
        out
    }

    fn read(&self, link: &str, folders: &[PathBuf], since: SystemTime) -> Result<String, &'static str> {
        let path = match url::Url::parse(link) {
            Ok(url) if url.scheme() == "file" => url.to_file_path().map_err(|()| "no path of this machine")?,
            // On Windows `C:\x` parses as an address of the scheme `c`.
            Ok(url) if url.scheme().len() > 1 => return Err("not a file"),
            _ => self.cwd.join(link),
        };
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !ENDINGS.contains(&ending.as_str()) {
            return Err("its ending is none of a snapshot");
        }
        let path = path.canonicalize().map_err(|_| "it is not there")?;
        if !folders.iter().any(|folder| path.starts_with(folder)) {
            return Err("it lies outside the server's folders");
        }
        // Asked before it is opened: opening a pipe would wait for a writer.
        if !std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
            return Err("it is no regular file");
        }
        let file = File::open(&path).map_err(|_| "it cannot be opened")?;
        let meta = file.metadata().map_err(|_| "it cannot be looked at")?;
        if !meta.is_file() || meta.len() > MAX_BYTES {
            return Err("it is no regular file of at most 2 MB");
        }
        if meta.modified().map_err(|_| "its time is not known")? < since {
            return Err("it was written before this call");
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|_| "it cannot be read")?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")
    }
}

fn links_of(part: &OutputPart) -> Vec<String> {
    match part {
        OutputPart::Text { text } => text.lines().filter_map(line_link).map(str::to_owned).take(MAX_FILES).collect(),
        OutputPart::Other { json } if json.get("type").and_then(Json::as_str) == Some("resource_link") => {
            json.get("uri").and_then(Json::as_str).map(str::to_owned).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The target of a line that is nothing but one Markdown link, in a list or not: `- [Snapshot](x/page.yml)`.
fn line_link(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = line.strip_prefix("- ").unwrap_or(line).strip_prefix('[')?;
    let (_, target) = rest.split_once("](")?;
    let target = target.strip_suffix(')')?;
    (!target.is_empty()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _root: tempfile::TempDir,
        root: PathBuf,
        folders: LinkFolders,
    }

    /// A working directory `root/work` beside an output folder `root/out` and a secret `root/secret.txt`.
    fn place() -> Place {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        for folder in ["work/.playwright-mcp", "out"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("secret.txt"), "secret").unwrap();
        let folders = LinkFolders::new(&root.join("work"), &["--output-dir=../out".to_owned()], None);
        Place { _root: temp, root, folders }
    }

    fn read(place: &Place, text: &str) -> Vec<String> {
        let since = SystemTime::now().checked_sub(Duration::from_secs(1)).unwrap();
        let parts = vec![OutputPart::Text { text: text.to_owned() }];
        let parts = place.folders.read_in(parts, since);
        parts
            .into_iter()
            .filter_map(|part| match part {
                OutputPart::LinkedFile { text, .. } => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_snapshot_in_the_output_folder_or_the_working_directory_is_read_in() {
        let place = place();
        std::fs::write(place.root.join("work/.playwright-mcp/page-1.yml"), "- button").unwrap();
        std::fs::write(place.root.join("out/page-2.yml"), "- link").unwrap();
        let text =
            "### Snapshot\n- [Snapshot](.playwright-mcp/page-1.yml)\n- [Snapshot](../out/page-2.yml)\n### Events";
        assert_eq!(read(&place, text), ["- button", "- link"]);
        let json = Json::from(
            serde_json::json!({"type": "resource_link", "uri": format!("file://{}/out/page-2.yml", place.root.display())}),
        );
        let parts = place.folders.read_in(vec![OutputPart::Other { json }], SystemTime::now());
        assert!(matches!(&parts[1], OutputPart::LinkedFile { text, .. } if text == "- link"), "{parts:?}");
    }

    #[test]
    fn nothing_outside_the_folders_is_read_by_any_path() {
        let place = place();
        #[cfg(unix)]
        std::os::unix::fs::symlink(place.root.join("secret.txt"), place.root.join("work/link.txt")).unwrap();
        let absolute = place.root.join("secret.txt");
        for target in ["../secret.txt", "link.txt", ".playwright-mcp/../../secret.txt", absolute.to_str().unwrap()] {
            assert!(read(&place, &format!("- [Snapshot]({target})")).is_empty(), "{target}");
        }
        let url = format!("- [Snapshot](file://{})", absolute.display());
        assert!(read(&place, &url).is_empty());
    }

    #[test]
    fn logs_old_files_large_files_and_other_bytes_are_left_out() {
        let place = place();
        let work = place.root.join("work");
        std::fs::write(work.join("console.log"), "log").unwrap();
        std::fs::write(work.join("bytes.txt"), [0xff, 0xfe]).unwrap();
        let size = usize::try_from(MAX_BYTES).unwrap() + 1;
        std::fs::write(work.join("large.txt"), vec![b'x'; size]).unwrap();
        std::fs::write(work.join("old.txt"), "old").unwrap();
        let hour_ago = SystemTime::now().checked_sub(Duration::from_secs(3600)).unwrap();
        File::options().write(true).open(work.join("old.txt")).unwrap().set_modified(hour_ago).unwrap();
        std::fs::create_dir(work.join("folder.txt")).unwrap();
        for name in ["console.log", "bytes.txt", "large.txt", "old.txt", "folder.txt", "absent.txt"] {
            assert!(read(&place, &format!("[x]({name})")).is_empty(), "{name}");
        }
    }

    #[test]
    fn only_a_line_that_is_one_link_counts() {
        assert_eq!(line_link("- [Snapshot](a/b.yml)"), Some("a/b.yml"));
        assert_eq!(line_link("  [Snapshot](b.yml)"), Some("b.yml"));
        for line in ["see [x](b.yml) there", "- [x] done", "plain", "- [x]()"] {
            assert_eq!(line_link(line), None, "{line}");
        }
    }
}
