//! Which tokens are trained, and where they come from.

use proptest::prelude::*;
use tw_artifact::{Json, Marks, Message, TextField, TrainSpan};

use super::{AGENT, parity_folder, render, render_by, row, settings, special_tokens, template, tokenizer, trained};
use crate::{Field, Row, RowRenderer, Template, Tokenizer, Train, WarningKind, render_row};

#[test]
fn the_turn_s_text_and_its_end_are_trained_and_the_prompt_is_not() {
    let rendered = render("think", &row(AGENT), &settings(Train::Last));
    assert_eq!(trained(&rendered), ["<think>\nso\n</think>\n\nDone<|im_end|>"]);
    assert!(rendered.text.ends_with("Done<|im_end|>\n"));
}

#[test]
fn a_turn_holds_the_answers_after_the_last_question_and_no_result() {
    let rendered = render("think", &row(AGENT), &settings(Train::Turn));
    assert_eq!(
        trained(&rendered),
        [
            "<think>\nI must look\n</think>\n\n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"what\": \"it\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"stop\", \"arguments\": {}}\n</tool_call><|im_end|>",
            "<think>\nso\n</think>\n\nDone<|im_end|>",
        ]
    );
}

#[test]
fn reasoning_that_a_template_drops_is_named() {
    let rendered = render("think", &row(AGENT), &settings(Train::All));
    assert_eq!(trained(&rendered)[0], "Hi<|im_end|>");
    let dropped = rendered.warnings.iter().find(|it| it.kind == WarningKind::ReasoningDropped).unwrap();
    assert_eq!(
        (dropped.messages.as_slice(), dropped.text.as_str()),
        (&[1][..], "this template leaves out the reasoning of message 2")
    );
}

#[test]
fn generation_blocks_and_the_rendered_prefixes_agree() {
    let with = render("think_generation", &row(AGENT), &settings(Train::All));
    let source = template("think_generation");
    let without = source
        .source()
        .replace("{%- generation %}", "{%- if true %}")
        .replace("{%- endgeneration -%}", "{%- endif -%}");
    let found = render_by(&Template::parse(&without).unwrap(), &row(AGENT), &settings(Train::All));
    assert_eq!(found.text, with.text);
    assert_eq!(found.mask, with.mask);
    assert_eq!(trained(&found).len(), 3);
}

#[test]
fn a_prompt_that_opens_the_thoughts_is_not_trained() {
    let rendered = render("xml", &row(AGENT), &settings(Train::Last));
    assert_eq!(trained(&rendered), ["so\n</think>\n\nDone<|im_end|>"]);
}

#[test]
fn a_person_can_train_a_message_or_a_stretch_or_leave_it_out() {
    let mut row = row(
        r#"[{"role":"user","content":"one two three"},{"role":"assistant","content":"red green blue"},{"role":"user","content":"q"},{"role":"assistant","content":"end"}]"#,
    );
    let span = |begin, end, train| TrainSpan { field: TextField::Content, begin, end, train };
    row.marks = vec![
        Marks { spans: vec![span(4, 7, true)], ..Marks::default() },
        Marks { spans: vec![span(3, 9, false)], ..Marks::default() },
        Marks { train: Some(true), ..Marks::default() },
        Marks { train: Some(false), ..Marks::default() },
    ];
    let rendered = render("chatml", &row, &settings(Train::All));
    assert_eq!(trained(&rendered), [" two", "red", " blue<|im_end|>", "q"]);
}

#[test]
fn a_stretch_of_arguments_is_found_in_the_template_s_own_layout() {
    let mut row = row(
        r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{"alpha":"one \"two\" three","beta":[1,2]}}}]}]"#,
    );
    let Json::Object(arguments) = row.messages[1].calls()[0].get("function").unwrap().get("arguments").unwrap().clone()
    else {
        panic!()
    };
    let pretty = Json::Object(arguments).to_pretty();
    let at = |part: &str| u32::try_from(pretty.find(part).unwrap()).unwrap();
    let field = TextField::Arguments { call: 0 };
    let begin = at("\\\"two");
    let spans = vec![TrainSpan { field, begin, end: begin + 7, train: true }];
    row.marks = vec![Marks::default(), Marks { train: Some(false), spans, excluded: false }];
    for name in ["think", "xml"] {
        let rendered = render(name, &row, &settings(Train::All));
        let expected = if name == "think" { "\\\"two\\\"" } else { "\"two\"" };
        assert_eq!(trained(&rendered).concat().trim(), expected, "{name}");
    }
}

#[test]
fn a_result_that_is_shown_with_the_name_of_its_call_is_not_trained() {
    let source = "{% for m in messages %}{% if m.role == 'tool' %}<s>tool {{ messages[loop.index0 - 1].tool_calls[0].function.name }}: {{ m.content }}</s>{% else %}<s>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}call {{ c.function.name }}{% endfor %}</s>{% endif %}{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}";
    let template = Template::parse(source).unwrap();
    let messages = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"find","arguments":{}}}]},{"role":"tool","tool_call_id":"a","content":"found"}]"#;
    let rendered = render_by(&template, &row(messages), &settings(Train::All));
    assert!(rendered.text.ends_with("<s>tool find: found</s>"));
    assert_eq!(trained(&rendered), ["call find</s>"]);
}

#[test]
fn results_that_are_shown_inside_of_the_turn_are_not_trained() {
    let source = "{% for m in messages %}{% if m.role != 'tool' %}<s>{{ m.role }}\n{{ m.content }}{% if m.tool_calls %}<call>{{ m.tool_calls[0].function.name }}</call>{% if not loop.last %}<result>{{ m.tool_calls[0].function.name }}:{{ loop.nextitem.content }}</s>{% endif %}{% else %}</s>{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}";
    let template = Template::parse(source).unwrap();
    let messages = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"find","arguments":{}}}]},{"role":"tool","tool_call_id":"a","content":"found"},{"role":"assistant","content":"yes"}]"#;
    let rendered = render_by(&template, &row(messages), &settings(Train::All));
    assert!(rendered.text.contains("<result>find:found</s>"));
    assert_eq!(trained(&rendered), ["<call>find</call>", "yes</s>"]);
}

#[test]
fn one_row_is_rendered_from_a_model_s_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(parity_folder().join("goldens/template/tokenizer.json"), folder.path().join("tokenizer.json"))
        .unwrap();
    std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"bos_token":"<s>","eos_token":"</s>"}"#).unwrap();
    let row = Json::parse(r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"id":1}"#);
    let row = row.unwrap();
    let missing = render_row(folder.path(), None, &row, &settings(Train::All)).unwrap_err();
    assert!(missing.to_string().contains("has no chat template"), "{missing}");
    let file = parity_folder().join("templates/inst.jinja");
    let report = render_row(folder.path(), Some(&file), &row, &settings(Train::All)).unwrap().report();
    assert_eq!(report.text, "<s>[INST] a[/INST] b</s>");
    assert_eq!(report.mask.len(), report.ids.len());
    assert_eq!(report.mask.last(), Some(&1));
}

#[test]
fn templates_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Template>();
    shared::<Tokenizer>();
}

/// Texts with what templates and tokenizers trip over.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("<|im_end|>".to_owned()),
        Just("<tool_response>".to_owned()),
        Just("</think>".to_owned()),
        Just("\n".to_owned()),
        Just("  ".to_owned()),
        Just("{{ x }}\"\\".to_owned()),
        "[a-zäß日🙂 ]{1,6}",
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn message() -> impl Strategy<Value = Message> {
    let call = (text(), text()).prop_map(|(key, value)| {
        let arguments = [(key, Json::from(value)), ("n".to_owned(), Json::parse("1.50").unwrap())];
        Message::tool_call("call", "tool_name", Json::Object(arguments.into_iter().collect()))
    });
    prop_oneof![
        text().prop_map(Message::user),
        text().prop_map(|text| Message::tool("call", "tool_name", text)),
        (text(), prop::option::of(text()), prop::collection::vec(call, 0..3))
            .prop_map(|(content, reasoning, calls)| Message::assistant(content, reasoning, calls)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_cover_the_text_and_hold_what_the_fields_hold(messages in prop::collection::vec(message(), 1..6)) {
        let row = Row { messages, ..Row::default() };
        let rendered = render("think", &row, &settings(Train::All));
        let mut done = 0;
        for piece in &rendered.pieces {
            prop_assert_eq!(piece.start, done);
            done = piece.end;
            let (Some(message), Some((from, len))) = (piece.message, piece.place) else { continue };
            let message = &row.messages[message as usize];
            let field = match piece.field {
                Field::Content => message.text(),
                Field::Reasoning => message.reasoning().unwrap_or_default().to_owned(),
                _ => continue,
            };
            prop_assert_eq!(&rendered.text[piece.start..piece.end], &field[from..from + len]);
        }
        prop_assert_eq!(done, rendered.text.len());
    }

    #[test]
    fn turns_lie_apart_and_what_is_trained_is_theirs(messages in prop::collection::vec(message(), 1..6)) {
        let row = Row { messages, ..Row::default() };
        let rendered = render("think_generation", &row, &settings(Train::All));
        let source = template("think_generation");
        let plain = source.source().replace("{%- generation %}", "{%- if true %}").replace("{%- endgeneration -%}", "{%- endif -%}");
        let found = render_by(&Template::parse(&plain).unwrap(), &row, &settings(Train::All));
        prop_assert_eq!(&found.text, &rendered.text);
        prop_assert_eq!(
            found.turns.iter().map(|it| (it.message, it.start, it.end)).collect::<Vec<_>>(),
            rendered.turns.iter().map(|it| (it.message, it.start, it.end)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn tokens_that_were_kept_are_those_of_the_whole_text(parts in prop::collection::vec(text(), 1..8)) {
        let tokenizer = tokenizer();
        let text = parts.concat();
        let whole = tokenizer.encode_whole(&text).unwrap();
        prop_assert_eq!(&tokenizer.encode(&text).unwrap(), &whole);
        prop_assert_eq!(&tokenizer.encode(&text).unwrap(), &whole);
    }

    #[test]
    fn no_template_text_crashes_the_reader(source in "[{}%#\\-+a-z0-9 .,()\\[\\]|'\"~=\n]{0,60}") {
        if let Ok(template) = Template::parse(&source) {
            let (special_tokens, tokenizer) = (special_tokens(), tokenizer());
            let renderer = RowRenderer { template: &template, special_tokens: &special_tokens, tokenizer: &tokenizer };
            drop(renderer.render(&row(r#"[{"role":"user","content":"q"}]"#), &settings(Train::All)));
        }
    }
}
