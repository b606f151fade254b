//! How a person steers a run from outside: decisions, answers, stop.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tw_artifact::{ApprovalPolicy, ApprovalRule, ElicitationAnswer, Json, PolicyVerdict, RuleScope};

/// What a person decides about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Run it.
    Approve,
    /// Run it with these arguments, an object.
    Modify {
        /// The arguments.
        arguments: Json,
    },
    /// Do not run it.
    Reject {
        /// Why.
        reason: String,
    },
}

/// A call that waits for its decision.
#[derive(Debug)]
struct Slot {
    server_id: String,
    tool: String,
    /// Decided before the run came to it: the calls of one turn are all on the screen, and run one after the other.
    decision: Option<Decision>,
    sender: Option<oneshot::Sender<Decision>>,
}

impl Slot {
    /// Takes the decision, if it is the first.
    fn settle(&mut self, decision: Decision) -> bool {
        if self.decision.is_some() {
            return false;
        }
        if let Some(sender) = self.sender.take() {
            // The run may have ended meanwhile: then nobody needs the decision.
            drop(sender.send(decision.clone()));
        }
        self.decision = Some(decision);
        true
    }

    fn is_in(&self, scope: &RuleScope) -> bool {
        match scope {
            RuleScope::Tool { server_id, tool } => *server_id == self.server_id && *tool == self.tool,
            RuleScope::Server { server_id } => *server_id == self.server_id,
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    calls: HashMap<String, Slot>,
    questions: HashMap<String, oneshot::Sender<ElicitationAnswer>>,
}

/// The handle by which a run is steered. One for the life of a run; `stop` is renewed when it goes on.
#[derive(Debug)]
pub struct RunControl {
    policy: Mutex<ApprovalPolicy>,
    waiting: Mutex<Waiting>,
    stop: Mutex<CancellationToken>,
}

/// The data are whole after any panic: every change is a single call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunControl {
    /// A control with the run's policy.
    #[must_use]
    pub fn new(policy: ApprovalPolicy) -> Self {
        Self { policy: Mutex::new(policy), waiting: Mutex::default(), stop: Mutex::default() }
    }

    /// Ends what the run is doing, at once.
    pub fn stop(&self) {
        lock(&self.stop).cancel();
    }

    /// Makes a stopped run able to go on; gives the token that the next [`RunControl::stop`] cancels.
    #[must_use]
    pub fn renew(&self) -> CancellationToken {
        let mut stop = lock(&self.stop);
        if stop.is_cancelled() {
            *stop = CancellationToken::new();
        }
        stop.clone()
    }

    /// The policy as it is now.
    #[must_use]
    pub fn policy(&self) -> ApprovalPolicy {
        lock(&self.policy).clone()
    }

    /// Allows every call in `scope` from now on, those that wait included.
    pub fn allow(&self, scope: &RuleScope) {
        lock(&self.policy).rules.push(ApprovalRule { scope: scope.clone(), verdict: PolicyVerdict::Allow });
        for slot in lock(&self.waiting).calls.values_mut().filter(|slot| slot.is_in(scope)) {
            slot.settle(Decision::Approve);
        }
    }

    /// Decides about a call. `false` when no such call waits (any more).
    pub fn decide(&self, call_id: &str, decision: Decision) -> bool {
        lock(&self.waiting).calls.get_mut(call_id).is_some_and(|slot| slot.settle(decision))
    }

    /// Server and tool (the server's own name) of a call that waits.
    #[must_use]
    pub fn waiting_tool(&self, call_id: &str) -> Option<(String, String)> {
        lock(&self.waiting).calls.get(call_id).map(|slot| (slot.server_id.clone(), slot.tool.clone()))
    }

    /// Answers a server's question. `false` when it is not open (any more).
    pub fn answer(&self, id: &str, answer: ElicitationAnswer) -> bool {
        let sender = lock(&self.waiting).questions.remove(id);
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }

    /// How many calls and questions wait for a person.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.calls.values().filter(|slot| slot.decision.is_none()).count() + waiting.questions.len()
    }

    /// Makes a call one that can be decided about.
    pub(crate) fn expect(&self, call_id: &str, server_id: &str, tool: &str) {
        let slot = Slot { server_id: server_id.to_owned(), tool: tool.to_owned(), decision: None, sender: None };
        lock(&self.waiting).calls.entry(call_id.to_owned()).or_insert(slot);
    }

    /// Waits for the decision about an expected call, and takes it.
    pub(crate) async fn decision(&self, call_id: &str) -> Decision {
        let receiver = {
            let mut waiting = lock(&self.waiting);
            match waiting.calls.get_mut(call_id) {
                None => return Decision::Reject { reason: String::new() },
                Some(slot) if slot.decision.is_some() => None,
                Some(slot) => {
                    let (sender, receiver) = oneshot::channel();
                    slot.sender = Some(sender);
                    Some(receiver)
                }
            }
        };
        if let Some(receiver) = receiver {
            // An error means that `forget` dropped the sender: the run is over, and so is the slot.
            drop(receiver.await);
        }
        let slot = lock(&self.waiting).calls.remove(call_id);
        slot.and_then(|slot| slot.decision).unwrap_or(Decision::Reject { reason: String::new() })
    }

    /// Drops the slot of a call that the policy decided about.
    pub(crate) fn unexpect(&self, call_id: &str) {
        lock(&self.waiting).calls.remove(call_id);
    }

    /// Opens a question; its answer comes through the receiver, an error there means that the run is over.
    pub(crate) fn ask(&self, id: &str) -> oneshot::Receiver<ElicitationAnswer> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).questions.insert(id.to_owned(), sender);
        receiver
    }

    /// Drops a question that was answered or has become pointless.
    pub(crate) fn close_question(&self, id: &str) {
        lock(&self.waiting).questions.remove(id);
    }

    /// Drops everything that waits: the run is over.
    pub(crate) fn forget(&self) {
        *lock(&self.waiting) = Waiting::default();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_decision_that_comes_before_the_run_asks_is_kept() {
        let control = RunControl::new(ApprovalPolicy::default());
        assert!(!control.decide("c2", Decision::Approve), "nobody waits for it");
        control.expect("c2", "s", "t");
        assert!(control.decide("c2", Decision::Approve));
        assert!(!control.decide("c2", Decision::Reject { reason: String::new() }), "decided already");
        assert_eq!(control.decision("c2").await, Decision::Approve);
        assert_eq!(control.waiting(), 0);
    }

    #[tokio::test]
    async fn allowing_a_tool_releases_its_waiting_calls_and_no_others() {
        let control = RunControl::new(ApprovalPolicy::default());
        control.expect("a", "s", "t");
        control.expect("b", "s", "other");
        control.allow(&RuleScope::Tool { server_id: "s".to_owned(), tool: "t".to_owned() });
        assert_eq!(control.decision("a").await, Decision::Approve);
        assert_eq!(control.waiting(), 1);
    }

    #[tokio::test]
    async fn a_run_that_ends_leaves_nobody_waiting() {
        let control = Arc::new(RunControl::new(ApprovalPolicy::default()));
        control.expect("c1", "s", "t");
        let asking = tokio::spawn({
            let control = Arc::clone(&control);
            async move { control.decision("c1").await }
        });
        tokio::task::yield_now().await;
        control.forget();
        assert!(matches!(asking.await.unwrap(), Decision::Reject { .. }));
    }
}
