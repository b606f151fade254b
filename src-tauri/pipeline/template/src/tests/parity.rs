//! Against transformers: the goldens of tests/parity/template.py, byte for byte.

use std::path::Path;

use tw_artifact::{Json, Map, Message, ToolDefinition};

use super::{frozen, parity_folder, read_json, special_tokens};
use crate::{RenderInput, Row, RowRenderer, RowSettings, SpecialTokens, Template, Tokenizer};

struct Case {
    name: String,
    messages: Vec<Message>,
    tools: Option<Vec<ToolDefinition>>,
    prompt: bool,
    kwargs: Map,
    golden: Json,
}

fn cases(golden: &Path) -> Vec<Case> {
    let data = read_json(&parity_folder().join("template_conversations.json"));
    let all_tools: Vec<ToolDefinition> =
        data.get("tools").unwrap().as_array().unwrap().iter().cloned().map(ToolDefinition).collect();
    let conversations = data.get("conversations").unwrap();
    let cases = read_json(golden);
    let case = |golden: &Json| {
        let name = golden.get("conversation").unwrap().as_str().unwrap();
        let conversation = conversations.get(name).unwrap();
        let messages = conversation.get("messages").unwrap().as_array().unwrap();
        Case {
            name: name.to_owned(),
            messages: messages.iter().map(|it| Message::try_from(it.clone()).unwrap()).collect(),
            tools: conversation.get("tools").map(|_| all_tools.clone()),
            prompt: golden.get("prompt").unwrap().as_bool().unwrap(),
            kwargs: golden.get("kwargs").unwrap().as_object().unwrap().clone(),
            golden: golden.clone(),
        }
    };
    cases.as_array().unwrap().iter().map(case).collect()
}

/// Compares one golden file; gives how many cases there were and what differs.
fn compare(
    template: &Path,
    golden: &Path,
    special_tokens: &SpecialTokens,
    tokenizer: Option<&Tokenizer>,
) -> (usize, Vec<String>) {
    let template = Template::parse(&std::fs::read_to_string(template).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let cases = cases(golden);
    for case in &cases {
        let input = RenderInput {
            tools: case.tools.as_deref(),
            add_generation_prompt: case.prompt,
            ..RenderInput::new(&case.messages, &case.kwargs, special_tokens, frozen())
        };
        let expected = case.golden.get("text").and_then(Json::as_str);
        let found = template.render(&input);
        match (&found, expected) {
            (Ok(found), Some(expected)) if found.text == expected => {
                let (Some(tokenizer), Some(ids)) = (tokenizer, case.golden.get("ids").and_then(Json::as_array)) else {
                    continue;
                };
                let ids: Vec<u32> = ids.iter().map(|id| u32::try_from(id.as_i64().unwrap()).unwrap()).collect();
                if tokenizer.encode(expected).unwrap().ids != ids {
                    wrong.push(format!("{}: ids differ", case.name));
                }
            }
            (Ok(found), Some(expected)) => {
                let (line, (a, b)) = found
                    .text
                    .split('\n')
                    .zip(expected.split('\n'))
                    .enumerate()
                    .find(|(_, (a, b))| a != b)
                    .unwrap_or((0, ("(length)", "(length)")));
                wrong.push(format!("{} line {line}:\n  ours   {a:?}\n  theirs {b:?}", case.name));
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => wrong.push(format!("{}: refused: {error}", case.name)),
            (Ok(_), None) => wrong.push(format!("{}: not refused: {:?}", case.name, case.golden.get("refused"))),
        }
    }
    (cases.len(), wrong)
}

#[test]
fn every_template_gives_the_text_that_transformers_gives() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(parity_folder().join("templates")).unwrap() {
        let template = entry.unwrap().path();
        let name = template.file_stem().unwrap().to_str().unwrap().to_owned();
        let golden = parity_folder().join(format!("goldens/template/{name}.json"));
        let (cases, differences) = compare(&template, &golden, &special_tokens(), None);
        count += cases;
        wrong.extend(differences.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(count > 200, "only {count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Ids of every row, and masks where the template has generation blocks.
fn compare_tokens(name: &str) -> (usize, usize, Vec<String>) {
    let template =
        Template::parse(&std::fs::read_to_string(parity_folder().join(format!("templates/{name}.jinja"))).unwrap())
            .unwrap();
    let tokenizer = Tokenizer::load(&parity_folder().join("goldens/template")).unwrap();
    let special_tokens = special_tokens();
    let renderer = RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer };
    let (mut ids, mut masks, mut wrong) = (0, 0, Vec::new());
    for case in cases(&parity_folder().join(format!("goldens/template/{name}.json"))) {
        let Some(expected) = case.golden.get("ids").and_then(Json::as_array) else { continue };
        let expected: Vec<u32> = expected.iter().map(|id| u32::try_from(id.as_i64().unwrap()).unwrap()).collect();
        let row = Row { messages: case.messages, tools: case.tools, marks: Vec::new() };
        let settings =
            RowSettings { generation_prompt: case.prompt, kwargs: case.kwargs, ..RowSettings::new(frozen()) };
        let rendered = renderer.render(&row, &settings).unwrap();
        ids += 1;
        if rendered.ids != expected {
            wrong.push(format!("{name} {}: ids differ", case.name));
        }
        if let Some(mask) = case.golden.get("mask").and_then(Json::as_str) {
            masks += 1;
            let ours: String = rendered.mask.iter().map(u8::to_string).collect();
            if ours != mask {
                wrong.push(format!("{name} {}: masks differ\n  ours   {ours}\n  theirs {mask}", case.name));
            }
        }
    }
    (ids, masks, wrong)
}

#[test]
fn the_ids_are_those_of_transformers() {
    let (ids, _, wrong) = compare_tokens("think");
    assert!(ids >= 28 && wrong.is_empty(), "{ids}: {}", wrong.join("\n"));
}

#[test]
fn the_masks_of_generation_blocks_are_those_of_transformers() {
    let (_, masks, wrong) = compare_tokens("think_generation");
    assert!(masks >= 25 && wrong.is_empty(), "{masks}: {}", wrong.join("\n"));
}
