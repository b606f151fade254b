//! What a person is told, in plain words.

use tw_artifact::{Json, ToolDefinition};

use super::{AGENT, kinds, render, render_by, row, settings};
use crate::{RowSettings, Template, Train, WarningKind};

#[test]
fn masks_that_say_nothing_or_everything_are_told() {
    let rendered = render("chatml", &row(r#"[{"role":"user","content":"q"}]"#), &settings(Train::All));
    assert_eq!(kinds(&rendered), [WarningKind::NothingTrained]);
    let all = Template::parse("{% generation %}{% for m in messages %}{{ m.content }}{% endfor %}{% endgeneration %}")
        .unwrap();
    let only = r#"[{"role":"assistant","content":"only this"}]"#;
    let rendered = render_by(&all, &row(only), &settings(Train::All));
    assert_eq!(kinds(&rendered), [WarningKind::EverythingTrained]);
}

#[test]
fn a_row_over_the_limit_says_by_how_much_and_what_it_would_lose() {
    let messages = r#"[{"role":"user","content":"WORDS"},{"role":"assistant","content":"the answer"}]"#;
    let messages = messages.replace("WORDS", &"word ".repeat(3000));
    let settings = RowSettings { max_tokens: Some(1000), ..settings(Train::Last) };
    let rendered = render("chatml", &row(&messages), &settings);
    let warning = rendered.warnings.iter().find(|it| it.kind == WarningKind::OverLimit).unwrap();
    let over = rendered.ids.len() - 1000;
    assert!(warning.text.starts_with(&format!("this row is {},", over / 1000)), "{warning}");
    assert!(warning.text.ends_with("over the limit of 1,000; cut there it would lose its answer"), "{warning}");
    assert_eq!(warning.messages, [1]);
}

#[test]
fn what_a_template_cannot_hold_is_told() {
    let mut row = row(AGENT);
    row.tools = Some(vec![ToolDefinition::new("find", "", Json::Object(tw_artifact::Map::new()))]);
    let first_only = "{% for m in messages %}{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls[0].function.name }}{% endif %}</s>{% endfor %}";
    let template = Template::parse(first_only).unwrap();
    let rendered = render_by(&template, &row, &settings(Train::Last));
    assert_eq!(
        kinds(&rendered),
        [WarningKind::ReasoningDropped, WarningKind::ParallelCallsDropped, WarningKind::ToolsDropped]
    );
    let rendered = render("chatml", &row, &settings(Train::Last));
    let texts: Vec<&str> = rendered.warnings.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "this template leaves out the reasoning of messages 2, 4 and 7",
            "this template cannot hold tool calls: those of message 4 are left out",
            "this template does not show the tools to the model",
        ]
    );
}

#[test]
fn string_arguments_are_told_and_become_objects_where_the_template_needs_them() {
    let messages = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}]"#;
    let as_it_is = render("think", &row(messages), &settings(Train::Last));
    assert!(as_it_is.text.contains(r#""arguments": {"a":1}}"#), "{}", as_it_is.text);
    assert_eq!(kinds(&as_it_is), [WarningKind::StringArguments]);
    let as_object = render("xml", &row(messages), &settings(Train::Last));
    assert!(as_object.text.contains("<parameter=a>\n1\n</parameter>"), "{}", as_object.text);
    assert!(as_object.warnings[0].text.ends_with("so they were read as objects"));
}
