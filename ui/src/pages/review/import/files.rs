//! Files that a person dropped or picked, and their bytes as the host takes them.

use js_sys::{Function, Promise};
use tw_contract::{ImportRefusal, ImportSource};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileReader, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

use super::plan::may_hold_traces;

/// Deepest folder that is read, so that one which holds itself ends.
const DEEPEST: usize = 32;

/// A chosen file.
#[derive(Clone)]
pub(crate) struct Chosen {
    /// Its name, with the folders it was found in.
    pub(crate) path: String,
    /// The file.
    pub(crate) file: File,
}

impl Chosen {
    /// Its size in bytes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are whole and positive")]
    pub(crate) fn bytes(&self) -> u64 {
        self.file.size() as u64
    }

    /// Reads it.
    pub(crate) async fn read(&self) -> Result<ImportSource, ImportRefusal> {
        let refusal = |reason: &str| ImportRefusal { name: self.path.clone(), line: None, reason: reason.to_owned() };
        let Some(url) = data_url(&self.file).await else {
            return Err(refusal("The file cannot be read (any more)."));
        };
        let base64 = url.split_once(',').map(|(_, data)| data.to_owned()).unwrap_or_default();
        Ok(ImportSource::File { name: self.path.clone(), base64 })
    }
}

/// What was found in dropped or picked folders.
#[derive(Clone, Default)]
pub(crate) struct Found {
    /// Files to read.
    pub(crate) files: Vec<Chosen>,
    /// Files of folders that hold no traces by their names.
    pub(crate) other_kinds: usize,
}

impl Found {
    fn add(&mut self, file: File, path: String, of_folder: bool) {
        if !of_folder || may_hold_traces(&path) {
            self.files.push(Chosen { path, file });
        } else {
            self.other_kinds += 1;
        }
    }
}

/// Files from a file picker; of a folder each knows its way.
pub(crate) fn picked(list: &FileList) -> Found {
    let mut found = Found::default();
    for file in (0..list.length()).filter_map(|place| list.item(place)) {
        let way = js_sys::Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|it| it.as_string());
        let way = way.filter(|it| !it.is_empty());
        let of_folder = way.is_some();
        let path = way.unwrap_or_else(|| file.name());
        found.add(file, path, of_folder);
    }
    found
}

/// What was dropped: must be asked for before the drop is over.
pub(crate) struct Dropped {
    folders: Vec<FileSystemEntry>,
    plain: Found,
}

impl Dropped {
    /// Looks at what was dropped.
    pub(crate) fn of(data: &DataTransfer) -> Self {
        let items = data.items();
        let mut dropped = Self { folders: Vec::new(), plain: Found::default() };
        for item in (0..items.length()).filter_map(|place| items.get(place)).filter(|item| item.kind() == "file") {
            match item.webkit_get_as_entry() {
                Ok(Some(entry)) if entry.is_directory() => dropped.folders.push(entry),
                // Files are asked for themselves: not every entry gives its file.
                _ => {
                    if let Ok(Some(file)) = item.get_as_file() {
                        let name = file.name();
                        dropped.plain.add(file, name, false);
                    }
                }
            }
        }
        dropped
    }

    /// Goes through the folders.
    pub(crate) async fn find(self) -> Found {
        let mut found = self.plain;
        let mut ahead: Vec<(FileSystemEntry, usize)> = self.folders.into_iter().rev().map(|entry| (entry, 0)).collect();
        while let Some((entry, depth)) = ahead.pop() {
            if entry.is_directory() {
                if depth < DEEPEST {
                    let mut inner = entries_of(entry.unchecked_into()).await;
                    inner.sort_by_key(FileSystemEntry::name);
                    ahead.extend(inner.into_iter().rev().map(|inner| (inner, depth + 1)));
                }
            } else {
                let path = entry.full_path().trim_start_matches('/').to_owned();
                if let Some(file) = file_of(&entry.unchecked_into()).await {
                    found.add(file, path, depth > 0);
                }
            }
        }
        found
    }
}

async fn entries_of(folder: FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
    let reader = folder.create_reader();
    let mut found = Vec::new();
    loop {
        // A folder tells its entries in portions, an empty one at last.
        let portion = promise(|resolve, reject| {
            reader.read_entries_with_callback_and_callback(resolve, reject).unwrap_or_default();
        });
        let Some(portion) = portion.await.and_then(|it| it.dyn_into::<js_sys::Array>().ok()) else { return found };
        if portion.length() == 0 {
            return found;
        }
        found.extend(portion.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

async fn file_of(entry: &FileSystemFileEntry) -> Option<File> {
    promise(|resolve, reject| entry.file_with_callback_and_callback(resolve, reject)).await?.dyn_into().ok()
}

async fn data_url(file: &File) -> Option<String> {
    let reader = FileReader::new().ok()?;
    promise(|resolve, reject| {
        reader.set_onload(Some(resolve));
        reader.set_onerror(Some(reject));
        if reader.read_as_data_url(file).is_err() {
            // The reader calls neither then.
            reject.call0(&JsValue::NULL).unwrap_or_default();
        }
    })
    .await?;
    reader.result().ok()?.as_string()
}

/// What one of two callbacks is given; `None` where it was the second.
async fn promise(begin: impl FnMut(&Function, &Function)) -> Option<JsValue> {
    let mut begin = begin;
    let promise = Promise::new(&mut |resolve: Function, reject: Function| begin(&resolve, &reject));
    JsFuture::from(promise).await.ok()
}
