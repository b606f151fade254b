//! Messages grouped into turns.

use std::collections::HashMap;
use std::sync::Arc;

use tw_artifact::{Arguments, CallRecord, Json, Role, SavedMessage, StepRecord};

/// One card: a message, and for an answer of the model its calls with their results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The message; its `seq` is the turn's key.
    pub(crate) message: Arc<SavedMessage>,
    /// The answer's record.
    pub(crate) step: Option<Arc<StepRecord>>,
    /// The answer's calls, in order.
    pub(crate) calls: Vec<Arc<TurnCall>>,
}

/// One call of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnCall {
    /// The call's id in the messages; may be empty in imported traces.
    pub(crate) id: String,
    /// Which call of its answer, from 0.
    pub(crate) index: usize,
    /// The tool's exposed name.
    pub(crate) name: String,
    /// The arguments as the message has them: an object, or text when they are malformed.
    pub(crate) arguments: Json,
    /// What is kept of it; `None` in imported traces.
    pub(crate) record: Option<CallRecord>,
    /// The message that answers it.
    pub(crate) result: Option<Arc<SavedMessage>>,
}

impl Turn {
    /// Stays with the turn.
    pub(crate) fn key(&self) -> u32 {
        self.message.seq
    }
}

/// Groups messages: results go to their calls, everything else is a turn of its own, also a result whose call nobody
/// made.
pub(crate) fn turns(messages: &[Arc<SavedMessage>], steps: &[StepRecord], calls: &[CallRecord]) -> Vec<Arc<Turn>> {
    let steps: HashMap<u32, &StepRecord> = steps.iter().map(|step| (step.step, step)).collect();
    let records: HashMap<(u32, &str), &CallRecord> =
        calls.iter().map(|call| ((call.step, call.call_id.as_str()), call)).collect();
    let mut turns: Vec<Turn> = Vec::new();
    for saved in messages {
        if saved.message.role() == Role::Tool
            && let Some(turn) = turns.iter_mut().rev().find(|turn| turn.message.message.role() == Role::Assistant)
            && let Some(call) = open_call(turn, saved.message.tool_call_id().unwrap_or_default())
        {
            Arc::make_mut(call).result = Some(Arc::clone(saved));
            continue;
        }
        let is_answer = saved.message.role() == Role::Assistant;
        let calls = saved
            .message
            .tool_calls()
            .into_iter()
            .enumerate()
            .map(|(index, view)| {
                Arc::new(TurnCall {
                    id: view.id.to_owned(),
                    index,
                    name: view.name.to_owned(),
                    arguments: match view.arguments {
                        Arguments::Object(map) => map.clone().into(),
                        Arguments::Text(text) => text.into(),
                        Arguments::Other => Json::Null,
                    },
                    record: records.get(&(saved.step, view.id)).map(|&record| record.clone()),
                    result: None,
                })
            })
            .collect();
        turns.push(Turn {
            step: steps.get(&saved.step).filter(|_| is_answer).map(|&step| Arc::new(step.clone())),
            message: Arc::clone(saved),
            calls,
        });
    }
    turns.into_iter().map(Arc::new).collect()
}

/// The call that a result answers: by id, else, where ids are missing, the first without a result.
fn open_call<'a>(turn: &'a mut Turn, id: &str) -> Option<&'a mut Arc<TurnCall>> {
    let place = turn.calls.iter().position(|call| call.result.is_none() && (call.id == id || id.is_empty()))?;
    turn.calls.get_mut(place)
}
