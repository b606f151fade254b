//! Review by keyboard, in the list and while a trace is open.

use leptos::prelude::*;
use tw_artifact::{ReviewChange, ReviewStatus};
use tw_contract::Selection;

use super::actions::use_trace_actions;
use super::browser::Browser;
use super::{focus, focus_table};
use crate::state::keys::{Action, use_action};

/// Offers them while the page is shown.
pub(super) fn offer(browser: Browser, open: Memo<Option<String>>) {
    let actions = use_trace_actions();
    let reading = Memo::new(move |_| open.with(Option::is_some));
    let listing = Signal::derive(move || !reading.get());
    let any = Memo::new(move |_| reading.get() || browser.facts.with(|facts| facts.total > 0));
    let here = move || open.get_untracked().or_else(|| browser.at.with_untracked(|at| at.id.clone()));
    // The open trace; in the list what is selected, else the row where the keyboard is.
    let targets = move || {
        let selected = if open.with_untracked(Option::is_none) { browser.selection() } else { None };
        selected.or_else(|| here().map(|id| Selection::Ids(vec![id])))
    };
    let step = move |by: isize| {
        if let Some(place) = browser.next_place(by) {
            browser.go_to(place, open.with_untracked(Option::is_some).then(|| actions.opener()));
        }
        if open.with_untracked(Option::is_none) {
            focus_table();
        }
    };
    let on_page = |id: &'static str, title: &str, keys: &'static str, run: Box<dyn Fn() + Send + Sync>| {
        use_action(Action::new(id, "Review", title, run).keys(keys).when(any));
    };

    use_action(Action::new("trace-next", "Review", "Next trace", move || step(1)).keys("KeyJ").unlisted());
    use_action(Action::new("trace-previous", "Review", "Previous trace", move || step(-1)).keys("KeyK").unlisted());
    use_action(
        Action::new("trace-read-next", "Review", "Open the next trace", move || step(1))
            .keys("BracketRight")
            .when(reading),
    );
    use_action(
        Action::new("trace-read-previous", "Review", "Open the previous trace", move || step(-1))
            .keys("BracketLeft")
            .when(reading),
    );
    on_page(
        "trace-open",
        "Open the trace; then the next",
        "Enter",
        Box::new(move || {
            if open.with_untracked(Option::is_some) {
                step(1);
            } else if let Some(id) = here() {
                actions.open(&id);
            }
        }),
    );
    use_action(
        Action::new("trace-close", "Review", "Close the trace", move || {
            actions.open("");
            focus_table();
        })
        .keys("Escape")
        .when(reading),
    );
    let decide = move |status: ReviewStatus| {
        let Some(traces) = targets() else { return };
        // Where to go next is looked up before the decision changes the list.
        let next = browser.next_open();
        actions.set_status(traces, status);
        if open.with_untracked(Option::is_some) && actions.advance.get_untracked() {
            match next {
                Some(place) => browser.go_to(place, Some(actions.opener())),
                None => focus_table(),
            }
        }
    };
    on_page("trace-accept", "Accept", "KeyA", Box::new(move || decide(ReviewStatus::Accepted)));
    on_page("trace-reject", "Reject", "KeyX", Box::new(move || decide(ReviewStatus::Rejected)));
    on_page(
        "trace-reopen",
        "Undecided again",
        "KeyU",
        Box::new(move || {
            if let Some(traces) = targets() {
                actions.set_status(traces, ReviewStatus::Open);
            }
        }),
    );
    for (rating, id, title, keys) in [
        (1, "trace-rate-1", "Rate 1", "Digit1"),
        (2, "trace-rate-2", "Rate 2", "Digit2"),
        (3, "trace-rate-3", "Rate 3", "Digit3"),
        (4, "trace-rate-4", "Rate 4", "Digit4"),
        (5, "trace-rate-5", "Rate 5", "Digit5"),
        (0, "trace-rate-0", "Clear the rating", "Digit0"),
    ] {
        on_page(
            id,
            title,
            keys,
            Box::new(move || {
                if let Some(traces) = targets() {
                    actions.mark(traces, ReviewChange { rating: Some(rating), ..ReviewChange::default() });
                }
            }),
        );
    }
    on_page("trace-tag", "Change the tags", "KeyT", Box::new(move || actions.to_tag.set(targets())));
    on_page("trace-note", "Write a note", "KeyN", Box::new(move || actions.to_note.set(here())));
    on_page(
        "trace-edit",
        "Edit the trace",
        "KeyE",
        Box::new(move || {
            if open.with_untracked(Option::is_none)
                && let Some(id) = here()
            {
                actions.open(&id);
            }
            // The editor is there in the next frame, its turns once they came.
            request_animation_frame(|| focus("[data-testid=editor] [tabindex='0'], [data-testid=editor] button"));
        }),
    );
    use_action(
        Action::new("trace-select", "Review", "Select the trace", move || {
            let at = browser.at.get_untracked();
            if let Some(trace) = browser.row(at.place) {
                browser.pick(&trace, at.place);
            }
        })
        .keys("Space")
        .when(any),
    );
    on_page(
        "trace-select-all",
        "Select all that are found",
        "Mod+Shift+KeyA",
        Box::new(move || {
            browser.select_all();
        }),
    );
    use_action(
        Action::new("trace-search", "Review", "Search in all traces", move || focus("[data-testid=review-query]"))
            .keys("Slash"),
    );
    use_action(
        Action::new("decision-undo", "Review", "Take the last decision back", move || actions.undo())
            .keys("Mod+KeyZ")
            .when(listing),
    );
    use_action(Action::new("trace-export", "Review", "Export", move || actions.to_export.set(targets())).when(any));
    use_action(
        Action::new("trace-rerun", "Review", "Run again from the first task", move || actions.to_rerun.set(targets()))
            .when(any),
    );
    use_action(
        Action::new("trace-delete", "Review", "Delete", move || actions.to_delete.set(targets()))
            .keys("Delete")
            .when(listing),
    );
    use_action(Action::new("review-advance", "Review", "After a decision: open the next trace, or stay", move || {
        actions.advance.update(|advance| *advance = !*advance);
    }));
}
