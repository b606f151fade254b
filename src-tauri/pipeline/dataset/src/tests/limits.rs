//! Rows over the limit.

use tw_artifact::{DatasetPlan, DatasetWarningKind, OverLimit, RowFate, TrainOn, Unroll};

use super::{Plain, plan, source};
use crate::{Made, Prepared, Row, Source};

fn rows(trace: &Source, plan: &DatasetPlan) -> (Prepared, Vec<Row>) {
    let prepared = Prepared::of(trace, plan, &Plain::default());
    let made = Made::of(trace, &prepared, plan, &Plain::default());
    (prepared, made.rows)
}

#[test]
fn long_rows_are_left_out() {
    let plan = DatasetPlan { max_tokens: Some(200), ..plan() };
    let (_, rows) = rows(&source("t", "suca"), &plan);
    assert_eq!(rows.iter().map(|row| row.fate).collect::<Vec<_>>(), [RowFate::Kept, RowFate::OverLimit]);
    assert_eq!(rows[1].warnings[0].0, DatasetWarningKind::OverLimitDropped);
    assert!(rows[1].tokens > 200);
}

#[test]
fn the_oldest_tool_results_are_cut_first_and_no_more_than_needed() {
    let whole = rows(&source("t", "succca"), &plan()).1.pop().unwrap().tokens;
    let plan = DatasetPlan { max_tokens: Some(whole - 1), over_limit: OverLimit::CutResults, ..plan() };
    let (prepared, rows) = rows(&source("t", "succca"), &plan);
    let last = rows.last().unwrap();
    assert_eq!((last.fate, last.cut.len(), last.cut[0].0), (RowFate::Cut, 1, 3));
    let messages = last.messages(&prepared);
    assert!(messages[3].text().ends_with("\n[Content truncated to 200 characters]"), "{}", messages[3].text());
    assert_eq!(messages[5], prepared.messages[5]);
    assert!(last.tokens < whole);
}

#[test]
fn a_row_that_does_not_fit_even_cut_is_left_out() {
    let plan = DatasetPlan { max_tokens: Some(20), over_limit: OverLimit::CutResults, ..plan() };
    let (_, rows) = rows(&source("t", "suca"), &plan);
    assert!(rows.iter().all(|row| row.fate == RowFate::OverLimit && row.cut.is_empty()));
}

#[test]
fn a_split_row_keeps_its_beginning_and_trains_every_answer_once() {
    let plan = DatasetPlan {
        unroll: Unroll::None,
        train: TrainOn::All,
        max_tokens: Some(900),
        over_limit: OverLimit::Split,
        ..plan()
    };
    let (prepared, rows) = rows(&source("t", "succccca"), &plan);
    assert!(rows.len() > 1, "{}", rows.len());
    let mut trained: Vec<usize> = rows.iter().flat_map(|row| row.trained.clone()).collect();
    trained.sort_unstable();
    assert_eq!(trained, [2, 4, 6, 8, 10, 12]);
    for row in &rows {
        assert!(row.tokens <= 900 && row.id.starts_with("t_part_"), "{} {}", row.id, row.tokens);
        let messages = row.messages(&prepared);
        assert_eq!(messages[..2], prepared.messages[..2]);
        // Results stay with their calls.
        for (place, message) in messages.iter().enumerate() {
            if let Some(id) = message.tool_call_id() {
                assert_eq!(messages[place - 1].tool_calls()[0].id, id);
            }
        }
    }
}
