//! Models on this machine's disk: their tokenizers and chat templates, kept by path and read once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tw_contract::{ApiError, ErrorCode, ModelAdd, ModelEntry, ModelFound};
use tw_template::{Template, TemplateSource, Tokenizer};

use crate::endpoints::new_id;
use crate::errors::{Api, IntoApi};
use crate::{App, blocking};

/// The setting that the list is kept under.
const SETTING: &str = "models";
/// Models whose files are kept in memory: a tokenizer takes tens of megabytes.
const MOST_KEPT: usize = 4;

/// A model that was read.
pub(crate) struct Loaded {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) source: TemplateSource,
    /// When the files that count were changed last: a model that is trained anew is read anew.
    stamp: Stamp,
}

type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Models that were read, by path.
#[derive(Default)]
pub(crate) struct Models(Mutex<HashMap<PathBuf, Arc<Loaded>>>);

impl Models {
    /// The files of a model; read from the disk only where they changed.
    fn load(&self, path: &Path) -> Result<Arc<Loaded>, tw_template::Error> {
        let stamp = stamp(path);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known.filter(|known| known.stamp == stamp) {
            return Ok(known);
        }
        let tokenizer = Tokenizer::load(path)?;
        let source = if path.is_dir() { TemplateSource::from_folder(path)? } else { TemplateSource::load(path)? };
        let loaded = Arc::new(Loaded { tokenizer, source, stamp });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(path.to_owned(), Arc::clone(&loaded));
        Ok(loaded)
    }
}

fn stamp(path: &Path) -> Stamp {
    let files = if path.is_dir() {
        let names = [
            "tokenizer.json",
            "tokenizer_config.json",
            "chat_template.jinja",
            "chat_template.json",
            "special_tokens_map.json",
        ];
        names.iter().map(|name| path.join(name)).collect()
    } else {
        vec![path.to_owned()]
    };
    let one = |file: PathBuf| {
        let data = std::fs::metadata(&file).ok()?;
        Some((file, data.len(), data.modified().ok()))
    };
    files.into_iter().filter_map(one).collect()
}

impl IntoApi for tw_template::Error {
    fn into_api(self) -> ApiError {
        ApiError::invalid(tw_collect::sentence(&self.to_string()))
    }
}

impl App {
    /// The models, with what is wrong with those whose files are gone.
    pub(crate) async fn list_models(&self) -> Result<Vec<ModelEntry>, ApiError> {
        let mut models: Vec<ModelEntry> = self.store.get_setting(SETTING).await.api()?.unwrap_or_default();
        for model in &mut models {
            let gone = !Path::new(&model.path).exists();
            model.problem = gone.then(|| format!("{} is no longer there.", model.path));
        }
        Ok(models)
    }

    pub(crate) async fn add_model(&self, request: ModelAdd) -> Result<ModelEntry, ApiError> {
        let path = full_path(&request.path)?;
        let models = Arc::clone(&self.models);
        let folder = path.clone();
        let read = move || describe(&folder, &*models.load(&folder).api()?);
        let found = blocking(read).await??;
        let shown = path.display().to_string();
        let mut kept = self.list_models().await?;
        let old = kept.iter().position(|model| model.path == shown);
        let name = match (request.name.trim(), old.map(|place| kept[place].name.clone())) {
            ("", Some(name)) => name,
            ("", None) => own_name(&path),
            (name, _) => name.to_owned(),
        };
        let entry = ModelEntry {
            id: old.map_or_else(new_id, |place| kept[place].id.clone()),
            name,
            path: shown,
            added_at_ms: jiff::Timestamp::now().as_millisecond(),
            found,
            problem: None,
        };
        match old {
            Some(place) => kept[place] = entry.clone(),
            None => kept.push(entry.clone()),
        }
        self.store.set_setting(SETTING, &kept).await.api()?;
        Ok(entry)
    }

    pub(crate) async fn remove_model(&self, id: &str) -> Result<(), ApiError> {
        let mut kept = self.list_models().await?;
        let before = kept.len();
        kept.retain(|model| model.id != id);
        if kept.len() == before {
            return Err(ApiError::not_found("model"));
        }
        self.store.set_setting(SETTING, &kept).await.api()
    }

    /// A model of the list by its id, or one that lies in a folder or file and is not in the list; `None` takes the
    /// first of the list.
    pub(crate) async fn model(&self, reference: Option<&str>) -> Result<(ModelEntry, Arc<Loaded>), ApiError> {
        let entry = self.model_entry(reference).await?;
        if let Some(problem) = &entry.problem {
            return Err(ApiError::new(ErrorCode::NotFound, problem.clone())
                .with_hint("Bring its files back, or pick another model."));
        }
        let models = Arc::clone(&self.models);
        let path = PathBuf::from(&entry.path);
        let loaded = blocking(move || models.load(&path).api()).await??;
        Ok((entry, loaded))
    }

    /// What [`Self::model`] finds, without reading its files.
    pub(crate) async fn model_entry(&self, reference: Option<&str>) -> Result<ModelEntry, ApiError> {
        let mut kept = self.list_models().await?.into_iter();
        let Some(text) = reference else { return kept.next().ok_or_else(no_model) };
        // Paths of the list have no links and no `..` in them.
        let path = Path::new(text).exists().then(|| full_path(text)).transpose()?;
        let shown = path.as_ref().map(|path| path.display().to_string());
        let is_it = |model: &ModelEntry| model.id == text || model.path == text || Some(&model.path) == shown.as_ref();
        match (kept.find(is_it), path, shown) {
            (Some(entry), ..) => Ok(entry),
            (None, Some(path), Some(shown)) => {
                Ok(ModelEntry { id: shown.clone(), name: own_name(&path), path: shown, ..ModelEntry::default() })
            }
            _ => {
                let hint = "Pick another one, or add its folder again.";
                Err(ApiError::not_found("model").with_hint(hint))
            }
        }
    }
}

/// What is said where a model is needed and none was added.
fn no_model() -> ApiError {
    ApiError::invalid("No model was added yet, so there is no tokenizer and no template.")
        .with_hint("Add a folder with the model's tokenizer.json, or a GGUF file.")
}

/// What a model is called without a name of its own: as its folder, or its file without the ending.
pub(crate) fn own_name(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The path as it is kept: absolute, with `~` as the home folder.
pub(crate) fn full_path(text: &str) -> Result<PathBuf, ApiError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ApiError::invalid("No folder and no file was given."));
    }
    let home = || std::env::var_os(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
    let path = match text.strip_prefix('~').map(|rest| rest.trim_start_matches(['/', '\\'])) {
        Some(rest) => home().map(|home| home.join(rest)),
        None => None,
    };
    let path = path.unwrap_or_else(|| PathBuf::from(text));
    // A file of the folder names the folder: people pick what a dialog shows them.
    let path = match path.file_name().and_then(|name| name.to_str()) {
        Some("tokenizer.json" | "tokenizer_config.json" | "config.json" | "chat_template.jinja") if path.is_file() => {
            path.parent().map(Path::to_owned).unwrap_or(path)
        }
        _ => path,
    };
    std::fs::canonicalize(&path).map_err(|error| {
        ApiError::invalid(format!("{} cannot be opened: {error}.", path.display()))
            .with_hint("Give a folder with tokenizer.json, or a GGUF file.")
    })
}

/// Checks that the templates can be read, and says what there is.
fn describe(path: &Path, loaded: &Loaded) -> Result<ModelFound, ApiError> {
    let tokenizer = Tokenizer::file(path);
    let mut templates: Vec<String> = loaded.source.templates.keys().cloned().collect();
    templates.sort_by_key(|name| name != "default");
    for name in &templates {
        let read: Result<Template, _> = loaded.source.template(Some(name), false);
        read.map_err(|error| {
            ApiError::invalid(format!("The template \"{name}\" of this model: {error}."))
                .with_hint("The file may be damaged; a template of your own can take its place in the lens.")
        })?;
    }
    let with_tools = loaded.source.template(None, true).ok();
    let text = with_tools.as_ref().map_or("", Template::source);
    let mut found = ModelFound {
        tokenizer: tokenizer.display().to_string(),
        tokenizer_sha256: loaded.tokenizer.sha256().to_owned(),
        vocabulary: loaded.tokenizer.vocabulary(),
        template_sha256: if text.is_empty() { String::new() } else { tw_template::sha256_hex(text.as_bytes()) },
        special_tokens: loaded.source.special_tokens.iter().map(|(name, text)| (name.clone(), text.clone())).collect(),
        says_what_is_written: with_tools.as_ref().is_some_and(Template::has_generation_blocks),
        knows_tools: text.contains("tools") || text.contains("tool_calls"),
        templates,
        summary: String::new(),
    };
    found.summary = summary(&found);
    Ok(found)
}

fn summary(found: &ModelFound) -> String {
    let templates = match found.templates.as_slice() {
        [] => "no chat template, so one must be given".to_owned(),
        [_] => "one chat template".to_owned(),
        many => format!("{} chat templates ({})", many.len(), many.join(", ")),
    };
    let tools = match (found.templates.is_empty(), found.knows_tools) {
        (true, _) => "",
        (false, true) => "; it shows tools",
        (false, false) => "; it does not know tools",
    };
    let marks = if found.says_what_is_written { " and marks what the model writes" } else { "" };
    format!("A tokenizer of {} tokens, {templates}{tools}{marks}.", crate::card::thousands(found.vocabulary.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_said_in_a_sentence() {
        let mut found = ModelFound { vocabulary: 151_669, ..ModelFound::default() };
        assert_eq!(summary(&found), "A tokenizer of 151,669 tokens, no chat template, so one must be given.");
        found.templates = vec!["default".into(), "tool_use".into()];
        found.knows_tools = true;
        assert_eq!(
            summary(&found),
            "A tokenizer of 151,669 tokens, 2 chat templates (default, tool_use); it shows tools."
        );
    }
}
