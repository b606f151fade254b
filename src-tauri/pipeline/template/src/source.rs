//! Where a chat template is found: a model's folder, a GGUF file, a file of its own, or a person's text.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use tw_artifact::Json;

use crate::error::Error;
use crate::gguf;
use crate::template::{SpecialTokens, Template};

/// Names of the special tokens that a template can read, as transformers knows them.
const SPECIAL_NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The template that a conversation gets when nothing else is said.
const DEFAULT: &str = "default";

/// The template that transformers takes for a conversation with tools, where there is one of this name.
const WITH_TOOLS: &str = "tool_use";

/// The templates of a model and the special tokens that they are rendered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateSource {
    /// Templates by name, as text.
    pub templates: IndexMap<String, String>,
    /// Special tokens.
    pub special_tokens: SpecialTokens,
    /// Where it was found, for a person to read.
    pub place: String,
}

impl TemplateSource {
    /// Looks into a model's folder, a GGUF file, a `tokenizer_config.json` or a template's file.
    ///
    /// # Errors
    /// Files that cannot be read or do not hold what they should; a place without a template.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut found = if path.is_dir() {
            Self::from_folder(path)?
        } else {
            match path.extension().and_then(|it| it.to_str()) {
                Some("gguf") => {
                    let chat = gguf::read(path)?;
                    Self {
                        templates: chat.templates.into_iter().collect(),
                        special_tokens: chat.special_tokens.into_iter().collect(),
                        place: String::new(),
                    }
                }
                Some("json") => Self::from_config(path)?,
                _ => Self::from_text(&read_text(path)?),
            }
        };
        found.place = path.display().to_string();
        if found.templates.is_empty() {
            return Err(Error::NoTemplate { place: found.place });
        }
        Ok(found)
    }

    /// A person's own text.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self {
            templates: [(DEFAULT.to_owned(), text.to_owned())].into(),
            special_tokens: SpecialTokens::new(),
            place: "the given text".to_owned(),
        }
    }

    /// A model's folder: `chat_template.jinja` and `additional_chat_templates/` before `tokenizer_config.json`, as in
    /// transformers; special tokens also from `special_tokens_map.json`. A folder without any template gives none.
    ///
    /// # Errors
    /// Files that cannot be read or do not hold what they should.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let config = folder.join("tokenizer_config.json");
        let mut found = if config.is_file() { Self::from_config(&config)? } else { Self::default() };
        found.place = folder.display().to_string();
        let map = folder.join("special_tokens_map.json");
        if map.is_file() {
            for (name, text) in special_tokens(&read_json(&map)?) {
                found.special_tokens.entry(name).or_insert(text);
            }
        }
        let mut files: IndexMap<String, String> = IndexMap::new();
        let single = folder.join("chat_template.jinja");
        if single.is_file() {
            files.insert(DEFAULT.to_owned(), read_text(&single)?);
        } else if let Some(Json::String(text)) =
            optional_json(&folder.join("chat_template.json"))?.as_ref().and_then(|json| json.get("chat_template"))
        {
            files.insert(DEFAULT.to_owned(), text.clone());
        }
        let others = folder.join("additional_chat_templates");
        if others.is_dir() {
            for path in jinja_files(&others)? {
                let name = path.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
                files.insert(name, read_text(&path)?);
            }
        }
        if !files.is_empty() {
            found.templates = files;
        }
        Ok(found)
    }

    fn from_config(path: &Path) -> Result<Self, Error> {
        let json = read_json(path)?;
        let mut templates = IndexMap::new();
        match json.get("chat_template") {
            Some(Json::String(text)) => {
                templates.insert(DEFAULT.to_owned(), text.clone());
            }
            Some(Json::Array(named)) => {
                for one in named {
                    let (name, text) =
                        (one.get("name").and_then(Json::as_str), one.get("template").and_then(Json::as_str));
                    let (Some(name), Some(text)) = (name, text) else {
                        return Err(Error::Content {
                            path: path.display().to_string(),
                            message: "\"chat_template\" is a list, and one of it has no name or no template".to_owned(),
                        });
                    };
                    templates.insert(name.to_owned(), text.to_owned());
                }
            }
            Some(Json::Object(named)) => {
                let texts = named.iter().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())));
                templates.extend(texts);
            }
            _ => {}
        }
        Ok(Self { templates, special_tokens: special_tokens(&json), place: path.display().to_string() })
    }

    /// The text of a template: of `name`, or the one that transformers takes.
    ///
    /// # Errors
    /// No template of that name, or several and none that is the default.
    pub fn text(&self, name: Option<&str>, with_tools: bool) -> Result<&str, Error> {
        Ok(self.choose(name, with_tools)?.1)
    }

    /// The same with its name.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn choose(&self, name: Option<&str>, with_tools: bool) -> Result<(&str, &str), Error> {
        let find = |name: &str| self.templates.get_key_value(name).map(|(name, text)| (name.as_str(), text.as_str()));
        let known = || self.templates.keys().cloned().collect();
        let unknown = |name: &str| Error::UnknownTemplate { name: name.to_owned(), known: known() };
        match name {
            Some(name) => find(name).ok_or_else(|| unknown(name)),
            None if self.templates.is_empty() => Err(Error::NoTemplate { place: self.place.clone() }),
            None => {
                let with_tools = if with_tools { find(WITH_TOOLS) } else { None };
                with_tools.or_else(|| find(DEFAULT)).ok_or_else(|| unknown(DEFAULT))
            }
        }
    }

    /// The template, read.
    ///
    /// # Errors
    /// As [`Self::text`], and text that is not a template.
    pub fn template(&self, name: Option<&str>, with_tools: bool) -> Result<Template, Error> {
        Ok(Template::parse(self.text(name, with_tools)?)?)
    }
}

/// The named special tokens of a config: strings, or objects with a `content`.
fn special_tokens(config: &Json) -> SpecialTokens {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        other => other.get("content").and_then(Json::as_str).map(str::to_owned),
    };
    SPECIAL_NAMES.iter().filter_map(|name| Some(((*name).to_owned(), text(config.get(name)?)?))).collect()
}

fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.display().to_string(), source })
}

fn read_json(path: &Path) -> Result<Json, Error> {
    Json::parse(&read_text(path)?)
        .map_err(|error| Error::Content { path: path.display().to_string(), message: error.to_string() })
}

fn optional_json(path: &Path) -> Result<Option<Json>, Error> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}

fn jinja_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|it| it == "jinja") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn named_templates_of_a_config_are_chosen_as_transformers_chooses() {
        let folder = folder(&[(
            "tokenizer_config.json",
            r#"{"chat_template":[{"name":"default","template":"a"},{"name":"tool_use","template":"b"}],
                "bos_token":{"content":"<s>","lstrip":false},"eos_token":"</s>","pad_token":null}"#,
        )]);
        let source = TemplateSource::load(folder.path()).unwrap();
        assert_eq!(source.text(None, false).unwrap(), "a");
        assert_eq!(source.text(None, true).unwrap(), "b");
        assert_eq!(source.text(Some("tool_use"), false).unwrap(), "b");
        let names: Vec<&String> = source.special_tokens.keys().collect();
        assert_eq!(names, ["bos_token", "eos_token"]);
        assert!(source.text(Some("rag"), false).unwrap_err().to_string().contains("default, tool_use"));
    }

    #[test]
    fn files_of_their_own_come_before_the_config() {
        let folder = folder(&[
            ("tokenizer_config.json", r#"{"chat_template":"old"}"#),
            ("chat_template.jinja", "new"),
            ("additional_chat_templates/rag.jinja", "rag"),
        ]);
        let source = TemplateSource::load(folder.path()).unwrap();
        assert_eq!(source.text(None, true).unwrap(), "new");
        assert_eq!(source.text(Some("rag"), false).unwrap(), "rag");
    }

    #[test]
    fn a_model_without_a_template_says_so() {
        let folder = folder(&[("tokenizer_config.json", "{}")]);
        let error = TemplateSource::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has no chat template"), "{error}");
    }
}
