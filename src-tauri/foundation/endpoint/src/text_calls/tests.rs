#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tw_artifact::{AnswerSource, Json, ToolDefinition};

use super::{Offered, read};

fn tools() -> Vec<ToolDefinition> {
    let schema = |text: &str| Json::parse(text).unwrap();
    vec![
        ToolDefinition::new("go", "", schema(r#"{"type":"object","properties":{"url":{"type":"string"}}}"#)),
        ToolDefinition::new(
            "set",
            "",
            schema(
                r##"{"type":"object","$defs":{"deep":{"type":"object"}},"properties":{
                    "text":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},
                    "on":{"type":"boolean"},"list":{"type":"array"},"deep":{"$ref":"#/$defs/deep"},
                    "maybe":{"anyOf":[{"type":"integer"},{"type":"null"}]},"either":{"type":["string","integer"]},
                    "any":{}}}"##,
            ),
        ),
    ]
}

/// A text's calls as `name{arguments}`, malformed ones as `name!text`, with the content that is left.
fn calls(text: &str) -> Option<(AnswerSource, String, Vec<String>)> {
    let tools = tools();
    let found = read(text, &Offered::new(&tools))?;
    let calls = found.calls.iter().map(|call| match &call.arguments {
        Ok(object) => format!("{}{}", call.name, object.to_text()),
        Err(broken) => format!("{}!{}", call.name, broken.text),
    });
    Some((found.source, found.content, calls.collect()))
}

fn check(source: AnswerSource, text: &str, content: &str, expected: &[&str]) {
    let expected = expected.iter().map(|call| (*call).to_owned()).collect();
    assert_eq!(calls(text), Some((source, content.to_owned(), expected)), "{text}");
}

fn check_text(text: &str) {
    assert_eq!(calls(text), None, "{text}");
}

#[test]
fn hermes_calls_are_read() {
    let check = |text, content, expected: &[&str]| check(AnswerSource::Hermes, text, content, expected);
    check("<tool_call>\n{\"name\": \"go\", \"arguments\": {\"url\": \"x\"}}\n</tool_call>", "", &[r#"go{"url":"x"}"#]);
    check(
        "I go.\n<tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"set\",\"arguments\":{\"count\":1.0}}</tool_call>\n",
        "I go.\n",
        &["go{}", r#"set{"count":1.0}"#],
    );
    check("<tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call>\nDone soon.", "\nDone soon.", &["go{}"]);
    check("<tool_call>{\"name\":\"go\",\"arguments\":{}}", "", &["go{}"]);
    check("<tool_call>{\"name\":\"go\"}</tool_call>", "", &["go{}"]);
    check("<tool_call>{\"name\":\"unheard_of\",\"arguments\":{}}</tool_call>", "", &["unheard_of{}"]);
    check("<tool_call>{\"name\":\"go\",\"arguments\":\"{\\\"url\\\":1}\"}</tool_call>", "", &[r#"go{"url":1}"#]);
}

#[test]
fn tags_in_the_strings_of_a_hermes_call_do_not_end_it() {
    check(
        AnswerSource::Hermes,
        r#"<tool_call>{"name":"set","arguments":{"text":"use <tool_call> and </tool_call>"}}</tool_call>"#,
        "",
        &[r#"set{"text":"use <tool_call> and </tool_call>"}"#],
    );
    check(
        AnswerSource::Hermes,
        "<tool_call><tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call></tool_call>",
        "<tool_call>",
        &["go{}"],
    );
}

#[test]
fn malformed_hermes_calls_of_known_tools_keep_their_text() {
    let check = |text, expected: &[&str]| check(AnswerSource::Hermes, text, "", expected);
    // Only the object's own brace is missing: the arguments are whole.
    check("<tool_call>\n{\"name\": \"go\", \"arguments\": {\"url\": \"x\"}\n</tool_call>", &[r#"go{"url":"x"}"#]);
    check("<tool_call>{\"name\":\"go\",\"arguments\":{\"url\": }}</tool_call>", &[r#"go!{"url": }}"#]);
    check("<tool_call>{\"name\":\"go\",\"arguments\":{\"url", &[r#"go!{"url"#]);
    check("<tool_call>{\"name\":\"go\",\"arguments\":[1]}</tool_call>", &["go![1]"]);
    check(
        "<tool_call>{\"name\":\"go\",\"arguments\":{\"url\n<tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call>",
        &[r#"go!{"url"#, "go{}"],
    );
}

#[test]
fn qwen_xml_calls_are_typed_by_the_schema() {
    let check = |text, expected: &[&str]| check(AnswerSource::QwenXml, text, "", expected);
    check(
        "<tool_call>\n<function=set>\n<parameter=text>\n5\n</parameter>\n<parameter=count>\n5\n</parameter>\n<parameter=ratio>\n0.50\n</parameter>\n<parameter=on>\nTrue\n</parameter>\n<parameter=list>\n[1, \"a\"]\n</parameter>\n<parameter=deep>\n{\"a\": 1}\n</parameter>\n<parameter=maybe>\nnull\n</parameter>\n<parameter=either>\n5\n</parameter>\n<parameter=any>\n5\n</parameter>\n<parameter=other>\n5\n</parameter>\n</function>\n</tool_call>",
        &[
            r#"set{"text":"5","count":5,"ratio":0.50,"on":true,"list":[1,"a"],"deep":{"a":1},"maybe":null,"either":"5","any":"5","other":"5"}"#,
        ],
    );
    check(
        "<tool_call><function=set><parameter=count>many</parameter></function></tool_call>",
        &[r#"set{"count":"many"}"#],
    );
    check("<tool_call>\n<function=go>\n</function>\n</tool_call>", &["go{}"]);
    check("<function=go>\n<parameter=url>\nx\n</parameter>\n</function>\n</tool_call>", &[r#"go{"url":"x"}"#]);
    check("<tool_call><function=go><parameter=url>x</parameter></tool_call>", &[r#"go{"url":"x"}"#]);
    check("<tool_call><function=go><parameter=url>x</function></tool_call>", &[r#"go{"url":"x"}"#]);
    check(
        "<tool_call><function=go></function><function=set></function></tool_call>\n<tool_call><function=go></function></tool_call>",
        &["go{}", "set{}", "go{}"],
    );
}

#[test]
fn a_qwen_value_may_hold_tags_and_line_feeds() {
    check(
        AnswerSource::QwenXml,
        "<tool_call><function=set><parameter=text>\n\na </parameter> b\n</tool_call>\n\n</parameter></function></tool_call>",
        "",
        &[r#"set{"text":"\na </parameter> b\n</tool_call>\n"}"#],
    );
}

#[test]
fn malformed_qwen_calls_keep_their_text() {
    let check = |text, expected: &[&str]| check(AnswerSource::QwenXml, text, "", expected);
    check("<tool_call><function=go><parameter=url>\nhttp", &["go!<parameter=url>\nhttp"]);
    check("<tool_call><function=go>{\"url\": 1}</function></tool_call>", &["go!{\"url\": 1}"]);
    check(
        "<tool_call><function=go><parameter=url>a</parameter><parameter=url>b</parameter></function></tool_call>",
        &["go!<parameter=url>a</parameter><parameter=url>b</parameter>"],
    );
}

#[test]
fn llama_calls_are_read() {
    let check = |text, content, expected: &[&str]| check(AnswerSource::LlamaJson, text, content, expected);
    check(r#"{"name": "go", "parameters": {"url": "x"}}"#, "", &[r#"go{"url":"x"}"#]);
    check(r#"{"type": "function", "name": "go", "parameters": {}}"#, "", &["go{}"]);
    check(r#"{"name": "go", "parameters": {}}; {"name": "set", "arguments": {}}<|eot_id|>"#, "", &["go{}", "set{}"]);
    check(r#"<|python_tag|>{"name": "elsewhere", "parameters": {}}<|eom_id|>"#, "", &["elsewhere{}"]);
    check(r#"So: <|python_tag|>{"name": "go", "parameters": {}}"#, "So: ", &["go{}"]);
    check(r#"{"name": "go", "parameters": {"url": "#, "", &[r#"go!{"url":"#]);
}

#[test]
fn mistral_calls_are_read() {
    let check = |text, content, expected: &[&str]| check(AnswerSource::Mistral, text, content, expected);
    check(
        r#"[TOOL_CALLS][{"name": "go", "arguments": {"url": "]"}, "id": "abcdefghi"}, {"name": "set", "arguments": {}}]</s>"#,
        "",
        &[r#"go{"url":"]"}"#, "set{}"],
    );
    check(r#"Yes.[TOOL_CALLS]go{"url": "x"}[TOOL_CALLS]set{}"#, "Yes.", &[r#"go{"url":"x"}"#, "set{}"]);
    check(r#"[TOOL_CALLS]go[CALL_ID]abc123[ARGS]{"url": "x"}"#, "", &[r#"go{"url":"x"}"#]);
    check(r#"[TOOL_CALLS] {"name": "go", "arguments": {}}"#, "", &["go{}"]);
    check(r#"[TOOL_CALLS]go{"url": "x"#, "", &[r#"go!{"url": "x"#]);
}

#[test]
fn ordinary_text_is_never_taken_for_a_call() {
    for text in [
        "Hello",
        "",
        "Write <tool_call> to call a tool.",
        "Write `<tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call>` so.",
        "```xml\n<tool_call>\n{\"name\":\"go\",\"arguments\":{}}\n</tool_call>\n```",
        "~~~\n<tool_call><function=go></function></tool_call>\n~~~",
        "<tool_call>not json</tool_call>",
        "<tool_call>{\"name\":\"unheard_of\",\"arguments\":{</tool_call>",
        "<tool_call>{\"name\":5}</tool_call>",
        "<tool_call>[]</tool_call>",
        "<tool_call></tool_call>",
        "<function=unheard_of><parameter=a>1</parameter></function>",
        "<function=>",
        "<function=go",
        "[TOOL_CALLS] is Mistral's mark",
        "[TOOL_CALLS][]",
        "[TOOL_CALLS]unheard_of and so on",
        "<|python_tag|>brave_search.call(query=\"x\")",
        r#"{"name": "Ada", "parameters": {"age": 36}}"#,
        r#"{"name": "go"}"#,
        r#"{"name": "go", "parameters": {}, "comment": "an answer in JSON"}"#,
        r#"{"name": "go", "parameters": {}} is how it would be called"#,
        r#"Call {"name": "go", "parameters": {}}"#,
        r#"{"answer": 42}"#,
    ] {
        check_text(text);
    }
}

#[test]
fn without_tools_nothing_is_read() {
    let text = "<tool_call>{\"name\":\"go\",\"arguments\":{}}</tool_call>";
    assert_eq!(read(text, &Offered::new(&[])), None);
}

#[test]
fn many_unclosed_marks_are_read_in_time() {
    let tools = tools();
    for piece in [
        "<tool_call>",
        "<tool_call>{",
        "<tool_call>{\"name\":\"go\",\"arguments\":{\"a\":[",
        "<tool_call><function=go><parameter=a>",
        "<tool_call><function=go><parameter=a></function>",
        "<tool_call><function=go>x</tool_call>",
        "<function=",
        "</think>\n<tool_call>",
        "<tool_call>{\"name\":\"nobody\",\"arguments\":{",
        "[TOOL_CALLS]go{",
        "[TOOL_CALLS][{",
        "<|python_tag|>{\"a\":",
        "`<tool_call>",
        "{\"name\":\"go\",\"parameters\":{",
    ] {
        let text = piece.repeat(200_000 / piece.len());
        let start = std::time::Instant::now();
        read(&text, &Offered::new(&tools));
        crate::think::split(&text);
        assert!(start.elapsed().as_secs() < 15, "{piece} took {:?}", start.elapsed());
    }
}

/// Text made of what the parsers look for.
fn tag_soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<tool_call>",
        "</tool_call>",
        "<function=go>",
        "<function=",
        "</function>",
        "<parameter=url>",
        "</parameter>",
        "[TOOL_CALLS]",
        "<|python_tag|>",
        "<think>",
        "</think>",
        "{\"name\": \"go\", \"arguments\": {",
        "}",
        "{",
        "[",
        "]",
        "\"",
        ",",
        ";",
        ":",
        "\n",
        " ",
        "`",
        "```",
        "a",
        "é",
        "\\",
        "null",
        "[ARGS]",
        "<",
        "{\"name\":\"go\"",
        "\"parameters\":{\"url\":\"x\"}}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn reading_never_fails_and_keeps_the_text_before_the_first_call(text in tag_soup()) {
        let tools = tools();
        if let Some(found) = read(&text, &Offered::new(&tools)) {
            prop_assert!(!found.calls.is_empty());
            let before = text.find(['<', '[', '{', '`']).unwrap_or(0);
            prop_assert!(found.content.starts_with(&text[..before]) || found.source == AnswerSource::LlamaJson);
        }
    }

    #[test]
    fn splitting_reasoning_loses_nothing_but_the_tags(text in tag_soup()) {
        let split = crate::think::split(&text);
        let joined = format!("{}{}", split.reasoning.unwrap_or_default(), split.content);
        let kept: String = text.trim_start().replacen("<think>", "", 1).replacen("</think>", "", 1);
        if split.reasoning.is_none() {
            prop_assert_eq!(joined, text);
        } else if text.trim_start().starts_with("<think>") {
            prop_assert_eq!(joined, kept);
        }
    }
}
