//! The files of ui/dist that are not compiled: index.html, boot.js, the style sheets and the fonts.

use std::fs;
use std::hash::{DefaultHasher, Hash};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::say::Stop;

/// Where index.html wants its style sheets.
const STYLES_MARK: &str = "<!-- styles -->";

/// What the page consists of besides the compiled UI: path below ui/dist, and content.
#[derive(Debug)]
pub(crate) struct Page {
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Page {
    /// Reads ui/index.html, ui/boot.js, ui/styles/*.css and assets/fonts.
    ///
    /// # Errors
    /// When a file cannot be read, or index.html has no place for the style sheets.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let ui = root.join("ui");
        let mut files = Vec::new();
        let styles = folder(&ui.join("styles"), "css")?;
        let names: Vec<String> =
            styles.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect();
        files.push((PathBuf::from("index.html"), with_styles(&text(&ui.join("index.html"))?, &names)?.into_bytes()));
        files.push((PathBuf::from("boot.js"), bytes(&ui.join("boot.js"))?));
        for path in styles {
            files.push((below("styles", &path)?, bytes(&path)?));
        }
        for kind in ["woff2", "txt"] {
            for path in folder(&root.join("assets/fonts"), kind)? {
                files.push((below("fonts", &path)?, bytes(&path)?));
            }
        }
        Ok(Self { files })
    }

    /// Writes the files below `dist`, which must exist.
    pub(crate) fn write(&self, dist: &Path) -> Result<()> {
        for (path, content) in &self.files {
            let place = dist.join(path);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&place, content).with_context(|| format!("{} could not be written", place.display()))?;
        }
        Ok(())
    }

    /// Differs when any path or content differs.
    pub(crate) fn hash_into(&self, hasher: &mut DefaultHasher) {
        self.files.hash(hasher);
    }
}

/// index.html with one link per style sheet, in the order of their names.
fn with_styles(index: &str, names: &[String]) -> Result<String> {
    if !index.contains(STYLES_MARK) {
        return Err(Stop::new(
            "ui/index.html has no place for the style sheets.",
            format!("Put {STYLES_MARK} into its <head>."),
        )
        .into());
    }
    let links: Vec<String> =
        names.iter().map(|name| format!("<link rel=\"stylesheet\" href=\"/styles/{name}\">")).collect();
    Ok(index.replacen(STYLES_MARK, &links.join("\n    "), 1))
}

/// The files of one kind in a folder, by name; none where there is no folder.
fn folder(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn below(folder: &str, path: &Path) -> Result<PathBuf> {
    Ok(Path::new(folder).join(path.file_name().context("a file without a name")?))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} could not be read", path.display()))
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_sheets_are_linked_in_order_where_the_mark_stands() {
        let index = "<head>\n    <!-- styles -->\n</head>";
        let names = ["10-base.css".to_owned(), "20-page.css".to_owned()];
        assert_eq!(
            with_styles(index, &names).ok().as_deref(),
            Some(
                "<head>\n    <link rel=\"stylesheet\" href=\"/styles/10-base.css\">\n    <link rel=\"stylesheet\" href=\"/styles/20-page.css\">\n</head>"
            )
        );
    }

    #[test]
    fn an_index_without_a_place_for_styles_is_refused() {
        assert!(with_styles("<head></head>", &[]).is_err());
    }
}
