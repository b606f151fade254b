//! What is trained of a turn is what the model wrote.

use jiff::civil::date;
use tw_artifact::{Map, Marks, TextField, TrainSpan};

use super::{frozen, render, row, settings, special_tokens, template, tokenizer, trained};
use crate::{
    Breaks, Emitted, MakeSettings, Row, RowMaker, Train, WarningKind, matches_emitted_ids, matches_emitted_text,
};

#[test]
fn what_is_trained_is_what_the_model_wrote() {
    // As a server gives it: the text cut at the marks, line breaks left.
    let captured = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"\n\n","reasoning_content":"\nI must look.\n","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{}}}]},{"role":"tool","tool_call_id":"a","content":"\n\nkept\n"},{"role":"assistant","content":"\n\nText first.\n","reasoning_content":"\nAgain.\n","tool_calls":[{"id":"b","type":"function","function":{"name":"f","arguments":{}}}]}]"#;
    let emitted = [
        "<think>\nI must look.\n</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call><|im_end|>",
        "<think>\nAgain.\n</think>\n\nText first.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>",
    ];
    let endings = ["<|im_end|>".to_owned()];
    let compare = |row: &Row| -> Vec<Emitted> {
        let rendered = render("think", row, &settings(Train::All));
        let turns = rendered.turns.iter().zip(emitted);
        turns.map(|(turn, raw)| matches_emitted_text(&rendered.text[turn.start..turn.end], raw, &endings)).collect()
    };
    let mut row = row(captured);
    assert!(compare(&row).iter().all(|it| matches!(it, Emitted::Differs { .. })), "{:?}", compare(&row));
    let breaks = Breaks::of(&template("think"), &special_tokens(), &Map::new(), date(2026, 1, 1).at(0, 0, 0, 0));
    assert_eq!(breaks, Breaks::default());
    let (messages, changes, warning) = breaks.normalise_all(row.messages.clone());
    row.messages = messages;
    assert_eq!(compare(&row), [Emitted::Same, Emitted::Same]);
    assert_eq!(warning.unwrap().messages, [1, 3]);
    assert_eq!((changes.len(), changes[1].before.as_str(), changes[3].after.as_str()), (4, "\n\n", "\n"));
    assert_eq!(row.messages[2].text(), "\n\nkept\n");
}

fn last() -> MakeSettings {
    MakeSettings { train: Train::Last, max_tokens: None, headers: false, now: frozen() }
}

#[test]
fn ids_that_the_server_gave_are_the_ones_that_are_trained() {
    let answered = r#"[{"role":"user","content":"q"},{"role":"assistant","content":"\n\n","reasoning_content":"\nCount them.\n","tool_calls":[{"id":"a","type":"function","function":{"name":"count","arguments":{}}}]}]"#;
    let wrote = "<think>\nCount them.\n</think>\n\n<tool_call>\n{\"name\": \"count\", \"arguments\": {}}\n</tool_call><|im_end|>";
    let tokenizer = tokenizer();
    let ids = tokenizer.encode(wrote).unwrap().ids;
    let trained_ids = |normalise: bool| {
        let maker = RowMaker::new(template("think"), special_tokens(), Map::new(), frozen());
        let mut row = row(answered);
        if normalise {
            let (changed, changes) = maker.breaks().normalise_row(row);
            assert_eq!(Breaks::warning(&changes).unwrap().kind, WarningKind::WhitespaceNormalised);
            row = changed;
        }
        let made = maker.make(&tokenizer, &row, last()).unwrap();
        let ids: Vec<u32> =
            made.ids.iter().zip(&made.mask).filter(|(_, mask)| **mask == 1).map(|(id, _)| *id).collect();
        ids
    };
    assert_eq!(matches_emitted_ids(&trained_ids(true), &ids, &tokenizer.special_ids()), Emitted::Same);
    assert!(matches!(
        matches_emitted_ids(&trained_ids(false), &ids, &tokenizer.special_ids()),
        Emitted::Differs { .. }
    ));
    // A server that stops at the end of the turn may give its token or not.
    let (_, without_end) = ids.split_last().unwrap();
    assert_eq!(matches_emitted_ids(&trained_ids(true), without_end, &tokenizer.special_ids()), Emitted::Same);
}

#[test]
fn marks_stay_on_their_words_when_white_space_goes() {
    let mut row = row(
        r#"[{"role":"user","content":"q"},{"role":"assistant","content":"\n\nred green blue","reasoning_content":"\nx\n"}]"#,
    );
    let span = |begin, end| TrainSpan { field: TextField::Content, begin, end, train: false };
    row.marks = vec![Marks::default(), Marks { spans: vec![span(0, 2), span(5, 11)], ..Marks::default() }];
    let maker = RowMaker::new(template("think"), special_tokens(), Map::new(), frozen());
    let (row, _) = maker.breaks().normalise_row(row);
    let made = maker.make(&tokenizer(), &row, last()).unwrap();
    assert_eq!(trained(&made), ["<think>\nx\n</think>\n\nred", " blue<|im_end|>"]);
}
