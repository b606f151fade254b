//! One operation at a time.

use tw_artifact::{EditOp, EditedMessage, Json, Message, TextField, TrainSpan};

use super::{conversation, faults, ids};
use crate::{EditError, apply, describe};

const NEW: u64 = EditedMessage::FIRST_ADDED_ID;

fn after(op: &EditOp) -> Vec<EditedMessage> {
    let messages = apply(&conversation(), NEW, op).unwrap();
    assert_eq!(faults(&messages), Vec::<String>::new(), "{op:?}");
    assert!(!describe(op).is_empty());
    messages
}

fn refusal(op: &EditOp) -> String {
    apply(&conversation(), NEW, op).unwrap_err().to_string()
}

#[test]
fn a_deleted_call_takes_its_results_along_and_a_deleted_result_its_call() {
    assert_eq!(ids(&after(&EditOp::Delete { ids: vec![2] })), [0, 1, 5, 6, 7]);
    assert_eq!(ids(&after(&EditOp::Delete { ids: vec![4] })), [0, 1, 5, 6, 7]);
    assert_eq!(refusal(&EditOp::Delete { ids: vec![] }), EditError::Nothing.to_string());
    assert_eq!(refusal(&EditOp::Delete { ids: vec![99] }), EditError::NoMessage.to_string());
    assert_eq!(refusal(&EditOp::Delete { ids: (0..8).collect() }), EditError::LastTurn.to_string());
}

#[test]
fn one_of_parallel_calls_can_go_with_its_result_and_the_other_stays() {
    let messages = after(&EditOp::DeleteCall { id: 2, call: 0 });
    assert_eq!(ids(&messages), [0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(messages[2].message.tool_calls()[0].id, "b");
}

#[test]
fn a_turn_moves_with_its_results_to_where_it_may_stand() {
    assert_eq!(ids(&after(&EditOp::Move { ids: vec![6], before: Some(2) })), [0, 1, 5, 6, 2, 3, 4, 7]);
    assert_eq!(ids(&after(&EditOp::Move { ids: vec![1], before: None })), [0, 2, 3, 4, 5, 6, 7, 1]);
    assert_eq!(ids(&after(&EditOp::Move { ids: vec![1, 7], before: Some(5) })), [0, 2, 3, 4, 1, 7, 5, 6]);
    assert!(refusal(&EditOp::Move { ids: vec![7], before: Some(4) }).contains("stay together"));
    assert!(refusal(&EditOp::Move { ids: vec![7], before: Some(0) }).contains("system prompt"));
}

#[test]
fn a_copy_has_call_ids_of_its_own() {
    let messages = after(&EditOp::Duplicate { ids: vec![2] });
    assert_eq!(ids(&messages), [0, 1, 2, 3, 4, NEW, NEW + 1, NEW + 2, 5, 6, 7]);
    assert_eq!(messages[5].message.tool_calls()[0].id, "a_2");
    assert_eq!(messages[6].message.tool_call_id(), Some("a_2"));
    assert_eq!(messages[7].message.tool_call_id(), Some("b_2"));
}

#[test]
fn an_inserted_call_needs_its_result() {
    let call = Message::assistant("", None, vec![Message::tool_call("n", "open", Json::parse("{}").unwrap())]);
    let result = Message::tool("n", "open", "page");
    let whole = EditOp::Insert { before: Some(7), messages: vec![call.clone(), result.clone()] };
    assert_eq!(ids(&after(&whole)), [0, 1, 2, 3, 4, 5, 6, NEW, NEW + 1, 7]);
    assert!(refusal(&EditOp::Insert { before: Some(7), messages: vec![call] }).contains("one result"));
    assert!(refusal(&EditOp::Insert { before: Some(7), messages: vec![result] }).contains("needs its call"));
    let prompt = EditOp::Insert { before: Some(0), messages: vec![Message::system("Again")] };
    assert!(refusal(&prompt).contains("one system prompt"));
    assert!(refusal(&EditOp::Insert { before: Some(3), messages: vec![Message::user("x")] }).contains("together"));
}

#[test]
fn neighbours_of_a_role_become_one_and_one_becomes_two() {
    let split = apply(&conversation(), NEW, &EditOp::Split { id: 5, field: TextField::Content, at: 4 }).unwrap();
    assert_eq!(ids(&split), [0, 1, 2, 3, 4, 5, NEW, 6, 7]);
    assert_eq!(split[5].message.text(), "Let ");
    assert_eq!(split[5].message.reasoning(), Some("One more."));
    assert_eq!(split[6].message.text(), "me see.");
    assert_eq!(split[6].message.tool_calls().len(), 1);
    assert_eq!(faults(&split), Vec::<String>::new());
    let merged = apply(&split, NEW + 1, &EditOp::Merge { ids: vec![NEW, 5] }).unwrap();
    assert_eq!(ids(&merged), ids(&conversation()));
    assert_eq!(merged[5].message.text(), "Let \n\nme see.");
    assert_eq!(merged[5].message.reasoning(), Some("One more."));
    assert!(refusal(&EditOp::Merge { ids: vec![1, 2] }).contains("same role"));
    assert!(refusal(&EditOp::Merge { ids: vec![2, 5] }).contains("next to each other"));
    assert!(refusal(&EditOp::Split { id: 3, field: TextField::Content, at: 2 }).contains("belongs to its call"));
    assert!(refusal(&EditOp::Split { id: 1, field: TextField::Content, at: 0 }).contains("empty"));
    assert!(refusal(&EditOp::Split { id: 1, field: TextField::Content, at: 999 }).contains("26 characters"));
}

#[test]
fn arguments_must_be_an_object_and_a_renamed_tool_renames_its_result() {
    let messages = after(&EditOp::SetArguments { id: 2, call: 1, arguments: Json::parse(r#"{"url":"/2"}"#).unwrap() });
    assert_eq!(
        messages[2].message.calls()[1].get("function").unwrap().get("arguments").unwrap().to_text(),
        r#"{"url":"/2"}"#
    );
    assert_eq!(messages[2].key, EditedMessage::UNSAVED);
    assert_eq!(messages[3].key, 3);
    assert_eq!(
        refusal(&EditOp::SetArguments { id: 2, call: 0, arguments: Json::parse("[1]").unwrap() }),
        EditError::Arguments.to_string()
    );
    let messages = after(&EditOp::SetTool { id: 2, call: 1, name: "visit".to_owned() });
    assert_eq!(messages[2].message.tool_calls()[1].name, "visit");
    assert_eq!(messages[4].message.name(), Some("visit"));
    assert_eq!(messages[3].message.name(), Some("open"));
}

#[test]
fn a_text_that_becomes_what_it_was_is_no_change() {
    let same = EditOp::SetText { id: 1, field: TextField::Content, text: "What does the kettle cost?".to_owned() };
    assert_eq!(after(&same), conversation());
}

#[test]
fn what_binds_a_message_to_others_cannot_be_edited_away() {
    let set = |message: Message| refusal(&EditOp::SetMessage { id: 2, message });
    assert!(set(Message::user("x")).contains("role"));
    assert!(set(Message::assistant("x", None, Vec::new())).contains("ids of its calls"));
    let result = EditOp::SetMessage { id: 3, message: Message::tool("q", "open", "x") };
    assert!(refusal(&result).contains("call that it answers"));
}

#[test]
fn only_the_chosen_part_of_a_result_stays_with_its_marks() {
    let span = TrainSpan { field: TextField::Content, begin: 5, end: 8, train: false };
    let marked = apply(&conversation(), NEW, &EditOp::TrainSpan { id: 3, span }).unwrap();
    let trimmed = apply(&marked, NEW, &EditOp::KeepOnly { id: 3, begin: 5, end: 8 }).unwrap();
    assert_eq!(trimmed[3].message.text(), "one");
    assert_eq!(trimmed[3].marks.spans, [TrainSpan { begin: 0, end: 3, ..span }]);
    assert!(refusal(&EditOp::KeepOnly { id: 3, begin: 5, end: 5 }).contains("8 characters"));
    let outside = TrainSpan { end: 99, ..span };
    assert!(refusal(&EditOp::TrainSpan { id: 3, span: outside }).contains("8 characters"));
}

#[test]
fn what_is_kept_out_of_a_dataset_goes_whole() {
    let messages = after(&EditOp::Exclude { ids: vec![4], excluded: true });
    let out: Vec<u64> = messages.iter().filter(|it| it.marks.excluded).map(|it| it.id).collect();
    assert_eq!(out, [2, 3, 4]);
}

#[test]
fn several_edits_are_made_all_or_not_at_all() {
    let good = EditOp::Delete { ids: vec![7] };
    let bad = EditOp::Delete { ids: vec![7] };
    let many = EditOp::Many { label: "Twice".to_owned(), ops: vec![good, bad] };
    assert_eq!(refusal(&many), EditError::NoMessage.to_string());
}

#[test]
fn parts_of_a_text_that_are_no_text_stay() {
    let json = r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}},{"type":"text","text":"old"}],"x":1.0}"#;
    let messages = vec![EditedMessage::captured(0, serde_json::from_str(json).unwrap(), 1)];
    let op = EditOp::SetText { id: 0, field: TextField::Content, text: "new".to_owned() };
    let edited = apply(&messages, NEW, &op).unwrap();
    assert_eq!(serde_json::to_string(&edited[0].message).unwrap(), json.replace("old", "new"));
}
