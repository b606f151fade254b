//! What the lens shows of a row.

use tw_artifact::TextField;

use super::{AGENT, render, row, settings};
use crate::row::field_text;
use crate::{Field, RowSettings, Train};

#[test]
fn every_token_knows_its_message_and_field() {
    let settings = RowSettings { generation_prompt: true, ..settings(Train::Turn) };
    let row = row(AGENT);
    let rendered = render("think", &row, &settings);
    let lens = rendered.lens(&row.messages);
    assert_eq!(lens.lengths.len(), rendered.ids.len());
    assert_eq!(lens.lengths.iter().sum::<u32>() as usize, rendered.text.len());
    let of = |message: Option<u32>, field: Field| {
        let (mut text, mut token, mut byte) = (String::new(), 0, 0);
        for run in &lens.runs {
            let source = lens.sources[run.source as usize];
            for length in &lens.lengths[token..token + run.tokens as usize] {
                if (source.message, source.field) == (message, field) {
                    text.push_str(&rendered.text[byte..byte + *length as usize]);
                }
                byte += *length as usize;
            }
            token += run.tokens as usize;
        }
        text
    };
    assert_eq!(of(Some(6), Field::Header), "<|im_start|>assistant\n");
    assert_eq!(of(Some(6), Field::Reasoning), "so");
    assert_eq!(of(Some(6), Field::Content), "Done");
    assert_eq!(of(Some(6), Field::EndOfTurn), "<|im_end|>\n");
    assert_eq!(of(Some(3), Field::CallName { call: 0 }), "find");
    assert!(of(Some(3), Field::CallArguments { call: 0 }).contains("{\"what\": \"it\""));
    assert_eq!(of(Some(5), Field::Content), "Done");
    assert_eq!(of(None, Field::GenerationPrompt), "<|im_start|>assistant\n");
    assert_eq!(lens.messages.len(), 7);
    assert_eq!(lens.trained, lens.messages.iter().map(|it| it.trained).sum::<u32>());
    assert_eq!(lens.trained, lens.runs.iter().filter(|run| run.trained).map(|run| run.tokens).sum::<u32>());
}

#[test]
fn a_stretch_says_which_characters_of_a_field_it_shows() {
    let row = row(
        r#"[{"role":"user","content":"héllo 🐝"},{"role":"assistant","content":"ok","reasoning_content":"日本\nx","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{"k":"a \"b\" é","n":[1]}}}]}]"#,
    );
    for name in ["think", "xml"] {
        let rendered = render(name, &row, &settings(Train::All));
        let lens = rendered.lens(&row.messages);
        let mut seen = [false; 3];
        for stretch in &lens.stretches {
            let source = lens.sources[stretch.source as usize];
            let message = &row.messages[source.message.unwrap() as usize];
            let (place, field) = match source.field {
                Field::Content => (0, TextField::Content),
                Field::Reasoning => (1, TextField::Reasoning),
                Field::CallArguments { call } => (2, TextField::Arguments { call }),
                other => panic!("{other:?}"),
            };
            seen[place] = true;
            let own: String =
                field_text(message, field).chars().skip(stretch.from as usize).take(stretch.chars as usize).collect();
            let shown = &rendered.text[stretch.start as usize..stretch.end as usize];
            assert_eq!(own == shown, stretch.exact, "{name}: {own:?} {shown:?}");
        }
        assert!(seen.iter().all(|it| *it), "{name}: {seen:?}");
    }
}

#[test]
fn a_row_of_32_000_tokens_travels_in_less_than_20_bytes_a_token() {
    let words = "The quick brown fox jumps over the lazy dog. ".repeat(40);
    let turn = format!(
        r#"{{"role":"user","content":"{words}"}},{{"role":"assistant","content":"{words}","reasoning_content":"{words}"}}"#
    );
    let row = row(&format!("[{}]", vec![turn; 24].join(",")));
    let rendered = render("think", &row, &settings(Train::All));
    let lens = rendered.lens(&row.messages);
    let sent = serde_json::to_string(&(&rendered.ids, &lens)).unwrap().len();
    assert!(rendered.ids.len() > 32_000, "{}", rendered.ids.len());
    assert!(sent < rendered.ids.len() * 20, "{sent} bytes for {} tokens", rendered.ids.len());
}
