//! What each way of unrolling promises.

use proptest::prelude::*;
use tw_artifact::{DatasetPlan, Marks, Message, Role, RowFate, TextField, TrainOn, TrainSpan, Unroll};

use super::{Plain, plan, source};
use crate::{Made, Prepared, Renderer, Source};

fn made(source: &Source, plan: &DatasetPlan, renderer: Plain) -> (Prepared, Made) {
    let prepared = Prepared::of(source, plan, &renderer);
    let made = Made::of(source, &prepared, plan, &renderer);
    (prepared, made)
}

fn ids(made: &Made) -> Vec<&str> {
    made.rows.iter().map(|row| row.id.as_str()).collect()
}

/// How often each message is trained.
fn counts(prepared: &Prepared, made: &Made) -> Vec<usize> {
    let trained = |place: usize| made.rows.iter().filter(|row| row.trained.contains(&place)).count();
    (0..prepared.messages.len()).map(trained).collect()
}

#[test]
fn rows_are_named_after_their_trace_and_where_they_end() {
    let check = |unroll: Unroll, letters: &str, expected: &[&str]| {
        let plan = DatasetPlan { unroll, ..plan() };
        let (_, made) = made(&source("t", letters), &plan, Plain { drops_reasoning: true });
        assert_eq!(ids(&made), expected, "{unroll:?} {letters}");
    };
    check(Unroll::None, "succa", &["t"]);
    check(Unroll::Step, "succa", &["t_trunc_3", "t_trunc_5", "t"]);
    check(Unroll::User, "succauca", &["t_trunc_7", "t"]);
    check(Unroll::User, "suua", &["t"]);
    // Reasoning goes with the next question: each turn is a row of its own.
    check(Unroll::Minimal, "succauca", &["t_trunc_7", "t"]);
    check(Unroll::Minimal, "succa", &["t"]);
    check(Unroll::Step, "su", &[]);
}

#[test]
fn a_template_that_drops_nothing_needs_one_row() {
    let plan = DatasetPlan { unroll: Unroll::Minimal, ..plan() };
    let (prepared, made) = made(&source("t", "succaucaua"), &plan, Plain::default());
    assert_eq!(ids(&made), ["t"]);
    assert_eq!(made.rows[0].trained.len(), 6);
    assert_eq!(counts(&prepared, &made).iter().sum::<usize>(), 6);
}

#[test]
fn what_a_person_said_about_messages_goes_before_the_plan() {
    let mut trace = source("t", "suca");
    trace.marks[2].train = Some(false);
    trace.marks[1].train = Some(true);
    let (prepared, made) = made(&trace, &plan(), Plain::default());
    // The first row shows the question first and trains it, the answer of that row is not trained.
    assert_eq!(counts(&prepared, &made), [0, 1, 0, 0, 1]);
    assert_eq!(made.rows[0].trained, [1]);
    trace.marks[1].train = None;
    let (_, made) = super::modes::made(&trace, &plan(), Plain::default());
    assert_eq!(made.rows[0].fate, RowFate::Untrained);
    assert_eq!(made.rows[1].fate, RowFate::Kept);
}

#[test]
fn what_is_kept_out_is_not_there_and_stretches_follow_the_text() {
    let mut trace = source("t", "suca");
    trace.marks[2].excluded = true;
    trace.marks[3].excluded = true;
    trace.messages[4] = Message::assistant("\n\nyes indeed", None, vec![]);
    trace.marks[4].spans = vec![TrainSpan { field: TextField::Content, begin: 2, end: 5, train: false }];
    let (prepared, made) = made(&trace, &plan(), Plain::default());
    assert_eq!(prepared.messages.len(), 3);
    assert_eq!(ids(&made), ["t"]);
    let spans = made.rows[0].spans(&prepared);
    assert_eq!(spans[2], [TrainSpan { field: TextField::Content, begin: 0, end: 3, train: false }]);
}

#[test]
fn the_steering_prompt_joins_the_system_message_only_when_asked() {
    let trace = Source { steering: "use the search box".to_owned(), ..source("t", "sua") };
    let text = |plan: &DatasetPlan| Prepared::of(&trace, plan, &Plain::default()).messages[0].text();
    assert_eq!(text(&plan()), "be kind");
    assert_eq!(text(&DatasetPlan { drop_steering: false, ..plan() }), "be kind\n\nuse the search box");
}

/// Letters of a conversation as agents have them.
fn letters() -> impl Strategy<Value = String> {
    "s?(u{1,2}[ac]{0,4}a?){1,4}"
}

proptest! {
    #[test]
    fn every_answer_is_trained_once_in_the_modes_that_promise_it(letters in letters(), drops in any::<bool>()) {
        let renderer = Plain { drops_reasoning: drops };
        let modes = [
            (Unroll::None, TrainOn::All),
            (Unroll::Step, TrainOn::Last),
            (Unroll::User, TrainOn::Turn),
            (Unroll::Minimal, TrainOn::Last),
        ];
        for (unroll, train) in modes {
            let plan = DatasetPlan { unroll, train, ..plan() };
            let (prepared, made) = made(&source("t", &letters), &plan, renderer);
            for (place, count) in counts(&prepared, &made).into_iter().enumerate() {
                let wanted = usize::from(prepared.messages[place].role() == Role::Assistant);
                prop_assert_eq!(count, wanted, "{:?} {} {}", unroll, letters, place);
            }
        }
    }

    #[test]
    fn a_trained_answer_stands_after_what_the_model_sees_when_it_answers(letters in letters(), drops in any::<bool>()) {
        let renderer = Plain { drops_reasoning: drops };
        for unroll in [Unroll::Step, Unroll::Minimal] {
            let plan = DatasetPlan { unroll, ..plan() };
            let (prepared, made) = made(&source("t", &letters), &plan, renderer);
            for row in &made.rows {
                let whole = renderer.text(&row.messages(&prepared), &[], 0).unwrap();
                for place in &row.trained {
                    let seen = renderer.text(&prepared.messages[..=*place], &[], 0).unwrap();
                    prop_assert!(whole.starts_with(&seen), "{unroll:?} {letters} {place}");
                }
            }
        }
    }

    #[test]
    fn no_mode_needs_fewer_rows_than_the_minimal_one_for_the_same_promise(letters in letters()) {
        let renderer = Plain { drops_reasoning: true };
        let rows = |unroll| made(&source("t", &letters), &DatasetPlan { unroll, ..plan() }, renderer).1.rows.len();
        prop_assert!(rows(Unroll::Minimal) <= rows(Unroll::Step));
        // Here a turn keeps its reasoning as long as it lasts: one row a turn with an answer is enough.
        prop_assert!(rows(Unroll::Minimal) <= rows(Unroll::User).max(1));
    }

    #[test]
    fn marks_decide_whatever_the_mode(letters in letters(), train in proptest::option::of(any::<bool>()), at in 0_usize..8) {
        let mut trace = source("t", &letters);
        let answers: Vec<usize> =
            (0..trace.messages.len()).filter(|place| trace.messages[*place].role() == Role::Assistant).collect();
        prop_assume!(!answers.is_empty());
        let place = answers[at % answers.len()];
        trace.marks[place] = Marks { train, ..Marks::default() };
        for unroll in Unroll::ALL {
            let plan = DatasetPlan { unroll, train: TrainOn::Last, ..plan() };
            let (prepared, made) = made(&trace, &plan, Plain { drops_reasoning: true });
            let count = counts(&prepared, &made)[place];
            match train {
                Some(false) => prop_assert_eq!(count, 0),
                Some(true) => prop_assert_eq!(count, 1),
                None => prop_assert!(count <= 1),
            }
        }
    }
}
