//! Parties that talk to one endpoint take turns: while one goes through a step, the others wait for their answers.
//!
//! A step of a party begins when the endpoint lets its answer go and ends when the party's next request has come: the
//! answer is read, the tool called, the next request built and sent. So every party goes through the same step moments
//! after the others, on a machine that is as busy as it was for them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who may go, and how long each step of each took.
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    steps: usize,
}

struct State {
    parties: Vec<Party>,
    /// Whose turn it is.
    current: usize,
}

#[derive(Default)]
struct Party {
    answers: usize,
    let_go_at: Option<Instant>,
    took: Vec<Duration>,
    is_out: bool,
}

impl Turns {
    /// For so many parties, each of which goes through `steps` steps and then gets its last answer.
    pub(crate) fn new(parties: usize, steps: usize) -> Self {
        let parties = (0..parties).map(|_| Party::default()).collect();
        Self { state: Mutex::new(State { parties, current: 0 }), changed: Condvar::new(), steps }
    }

    /// Takes the request of a party, which came at `at`, and returns when it may have its answer: the number of the
    /// step that begins, or `None` for the last answer. Blocks.
    pub(crate) fn take(&self, party: usize, at: Instant) -> Option<usize> {
        let mut state = self.lock();
        if let Some(let_go_at) = state.parties[party].let_go_at.take() {
            state.parties[party].took.push(at.saturating_duration_since(let_go_at));
            self.pass_on(&mut state);
        }
        while state.current != party && !state.parties[party].is_out {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let step = state.parties[party].answers;
        state.parties[party].answers += 1;
        if step >= self.steps {
            state.parties[party].is_out = true;
            self.pass_on(&mut state);
            return None;
        }
        state.parties[party].let_go_at = Some(Instant::now());
        Some(step)
    }

    /// Nobody waits for this party any more: it failed, or was never there.
    pub(crate) fn leave(&self, party: usize) {
        let mut state = self.lock();
        state.parties[party].is_out = true;
        if state.current == party {
            self.pass_on(&mut state);
        }
        self.changed.notify_all();
    }

    /// How long the steps of a party took, in order.
    pub(crate) fn took(&self, party: usize) -> Vec<Duration> {
        self.lock().parties[party].took.clone()
    }

    fn pass_on(&self, state: &mut State) {
        let count = state.parties.len();
        let next = (1..=count).map(|ahead| (state.current + ahead) % count).find(|party| !state.parties[*party].is_out);
        state.current = next.unwrap_or(state.current);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
